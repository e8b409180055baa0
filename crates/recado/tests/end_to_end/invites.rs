//! Tickets: made by whoever runs the server, and what they open.

use std::process::Command;
use std::time::Instant;

use nix::sys::signal::Signal;
use recado_proto::PROTOCOL_VERSION;
use recado_proto::frame::{ClientFrame, RefusalCode, ServerFrame};
use serde_json::json;

use crate::campaign::kill_points::can_trace;
use crate::common::{
    Bot, Home, PATIENCE, Program, Proxy, RawChat, RawIdentity, Server, hello, report, run,
    run_with, skip,
};
use crate::failing_disk::inject;

/// A server that lets nobody new in without a ticket.
fn invite_only() -> Server {
    Server::start_with(&["--registration", "invite"])
}

/// `recado chat` with nothing to say.
fn chat(home: &Home, arguments: &[&str], name: &str) -> Command {
    let mut command = home.recado(&["chat", "--plain", "--lang", "en", "--name", name]);
    command.args(arguments);
    command
}

/// Waits until the tickets stand so.
#[track_caller]
fn wait_for(server: &Server, states: &[&str]) {
    let begin = Instant::now();
    loop {
        let listed = server.operate_json(&["invite", "list"]);
        let found: Vec<_> = listed.iter().map(|it| it["state"].clone()).collect();
        if found == states {
            return;
        }
        assert!(begin.elapsed() < PATIENCE, "{listed:?}");
    }
}

#[test]
fn a_ticket_lets_in_as_many_as_it_says_however_it_is_given() {
    let server = invite_only();
    let address = server.address();
    let stranger = Home::new();
    run(&mut chat(
        &stranger,
        &["--server", &address, "--accept-new"],
        "Eve",
    ))
    .says(5, &["ask whoever runs it for a ticket"]);
    let ticket = server.ticket(&["--uses", "3"]);
    let homes = [Home::new(), Home::new(), Home::new()];
    let [alice, bob, carol] = &homes;
    run(&mut chat(alice, &[&ticket], "Alice")).says(0, &["You are Alice"]);
    run(chat(bob, &[], "Bob").env("RECADO_TICKET", &ticket)).says(0, &["You are Bob"]);
    run_with(&mut chat(carol, &["-"], "Carol"), &format!("{ticket}\n")).says(0, &["You are Carol"]);
    run(&mut chat(&stranger, &[&ticket], "Eve")).says(5, &["used up"]);
    wait_for(&server, &["used"]);
    // Whom it let in needs it no more, and may show it again.
    run(&mut chat(alice, &["--server", &address], "Alice")).says(0, &[]);
    run(&mut chat(alice, &[&ticket], "Alice")).says(0, &[]);
    // The secret is kept by nobody but in the ticket.
    let secret = ticket.rsplit_once('/').unwrap().1;
    let grep = |home: &Home| run(home.clean("grep").args(["-ra", secret, "."])).code;
    assert_eq!(homes.each_ref().map(grep), [1, 1, 1]);
    let found = run(Command::new("grep")
        .args(["-ra", secret])
        .arg(&server.ready.data));
    assert_eq!(found.code, 1, "{:?}", found.stdout);
    let log = server.program.stderr.pending().join("\n");
    assert!(!log.contains(secret));
}

#[test]
fn a_ticket_ends_by_time_or_by_whoever_made_it() {
    let server = invite_only();
    let home = Home::new();
    let short = server.ticket(&["--expires", "1s"]);
    let long = server.ticket(&["--uses", "2"]);
    let revoked = server.ticket(&[]);
    server
        .operate(&["invite", "revoke", "3"])
        .says(0, &["keep their names"]);
    server
        .operate(&["invite", "revoke", "3"])
        .says(1, &["no such ticket"]);
    wait_for(&server, &["expired", "open"]);
    for ticket in [&short, &revoked] {
        run(&mut chat(&home, &[ticket], "Alice")).says(5, &["unknown, used up or expired"]);
    }
    run(&mut chat(&home, &[&long], "Alice")).says(0, &[]);
    let listed = server.operate_json(&["invite", "list"]);
    assert_eq!(
        (&listed[1]["id"], &listed[1]["used"]),
        (&json!(2), &json!(1))
    );
}

#[test]
fn stdout_has_tickets_alone_one_for_each_address() {
    let server = Server::start_with(&["--registration", "closed", "--host", "chat.recado.test"]);
    let (port, fingerprint) = (server.port(), server.ready.fingerprint.replace(':', "-"));
    let made = server.operate(&["invite", "--uses", "30", "--expires", "2w"]);
    made.says(0, &["Ticket 1", "30 at most", "the ticket admits nobody"]);
    let [first, second] = made.stdout.as_slice() else {
        panic!("{:?}", made.stdout);
    };
    let secret = first.strip_prefix(&format!("recado://chat.recado.test:{port}/{fingerprint}/"));
    let secret = secret.unwrap();
    assert_eq!(secret.len(), 22);
    assert_eq!(
        *second,
        format!("recado://127.0.0.1:{port}/{fingerprint}/{secret}")
    );
    // Nobody new is let in, with a ticket neither.
    run(&mut chat(&Home::new(), &[second], "Alice")).says(5, &["gives you no new name"]);

    let addresses = [
        "invite",
        "--address",
        "example.org:443,[2001:db8::1],192.0.2.1",
    ];
    let made = server.operate(&[&addresses[..], &["--quiet"]].concat());
    assert_eq!(made.stderr, [""; 0]);
    let hosts = made
        .stdout
        .iter()
        .map(|ticket| ticket.split('/').nth(2).unwrap());
    let expected = [
        "example.org:443".to_owned(),
        format!("[2001:db8::1]:{port}"),
        format!("192.0.2.1:{port}"),
    ];
    assert_eq!(hosts.collect::<Vec<_>>(), expected);
    let object = &server.operate_json(&["invite"])[0];
    assert_eq!(object["tickets"].as_array().unwrap().len(), 2);
    assert_eq!((&object["id"], &object["uses"]), (&json!(3), &json!(1)));
    for wrong in [
        ["--uses", "0"],
        ["--uses", "1000000"],
        ["--expires", "0s"],
        ["--expires", "100000d"],
        ["--expires", "soon"],
    ] {
        server
            .operate(&[&["invite"], &wrong[..]].concat())
            .says(2, &[]);
    }
}

/// The answer that welcomes is lost with the server.
#[test]
fn a_ticket_that_was_used_for_an_answer_that_was_lost_lets_the_same_key_in_again() {
    let server = invite_only();
    let secret = server
        .ticket(&[])
        .rsplit_once('/')
        .unwrap()
        .1
        .parse()
        .unwrap();
    let (alice, eve) = (RawIdentity::new(), RawIdentity::new());
    let say = |chat: &mut RawChat, name: &str| {
        let ClientFrame::Hello(mut first) = hello(name, PROTOCOL_VERSION) else {
            unreachable!();
        };
        first.ticket = Some(recado_proto::ticket::TicketSecret::clone(&secret));
        chat.send(ClientFrame::Hello(first));
    };
    let mut lost = RawChat::of(&server, &alice);
    say(&mut lost, "Alice");
    wait_for(&server, &["used"]);
    let mut server = server;
    server.end(Signal::SIGKILL);
    drop(lost);
    let home = server.home();
    let command = Server::command(&home, &["--registration", "invite"]);
    let server = Server::spawn(home, command);
    let mut again = RawChat::of(&server, &alice);
    say(&mut again, "Alice");
    assert!(matches!(again.next(), Some(ServerFrame::Welcome(_))));
    let mut other = RawChat::of(&server, &eve);
    say(&mut other, "Eve");
    match other.next() {
        Some(ServerFrame::Refused(refused)) => assert_eq!(refused.code, RefusalCode::Ticket),
        answer => panic!("{answer:?}"),
    }
}

/// Has the server end when its committer makes a call for the so-manieth time.
fn end_at(server: &Server, call: &str, point: u32) -> Program {
    let injection = format!("inject={call}:signal=KILL:when={point}");
    inject(&server.program, "committer", &injection)
}

/// The server ends at a write, or at the sync, that makes the use of a ticket durable; or goes on.
#[test]
fn a_ticket_is_used_once_wherever_the_server_ends() {
    let test = "a_ticket_is_used_once_wherever_the_server_ends";
    if let Err(reason) = can_trace() {
        return skip(test, &reason);
    }
    let mut lost = 0;
    // The first sync may be of a claim without the ticket, which notes how long the server has run.
    for (call, point) in [
        ("pwrite64", 1),
        ("pwrite64", 5),
        ("pwrite64", 9),
        ("fdatasync", 1),
        ("fdatasync", 2),
    ] {
        let mut server = invite_only();
        let proxy = Proxy::before(&server);
        let ticket = server.ticket(&["--address", &proxy.address()]);
        let mut strace = end_at(&server, call, point);
        let alice = Home::new();
        let chatted = run(&mut chat(&alice, &[&ticket], "Alice"));
        lost += u32::from(chatted.code != 0);
        server.program.kill_whole();
        server.program.end();
        strace.end();
        let folder = server.home();
        let command = Server::command(&folder, &["--registration", "invite"]);
        let server = Server::spawn(folder, command);
        proxy.lead_to(&server);
        run(&mut chat(&alice, &[&ticket], "Alice")).says(0, &["You are Alice"]);
        run(&mut chat(&Home::new(), &[&ticket], "Eve")).says(5, &["used up"]);
        wait_for(&server, &["used"]);
    }
    report(&format!(
        "{lost} answers to a ticket were lost with the server"
    ));
    assert!(lost > 1, "{lost} answers were lost");
}

#[test]
fn a_program_is_let_in_by_a_ticket_and_talks() {
    let server = invite_only();
    let ticket = server.ticket(&["--uses", "2"]);
    let join = |home: &Home, name: &str| {
        let arguments = ["chat", "--json", "--name", name];
        Bot::of(Program::spawn(
            home.recado(&arguments).env("RECADO_TICKET", &ticket),
        ))
    };
    let (a, b) = (Home::new(), Home::new());
    let (mut a, b) = (join(&a, "A"), join(&b, "B"));
    assert_eq!(a.ready["trust"], "pinned");
    a.say(json!({"type": "private", "to": "B", "text": "Olá"}));
    assert_eq!(b.find("private")["text"], "Olá");
}
