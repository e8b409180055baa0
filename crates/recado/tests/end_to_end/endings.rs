//! How a chat ends: its input, its output, its person, its server.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::common::{Bot, Home, PROMPT_PT, Person, Program, Server, run_with};

#[test]
fn a_last_line_without_its_end_is_sent_and_the_chat_ends_in_order() {
    let (server, home) = (Server::start(), Home::new());
    let b = Person::join(&home, &server.address(), "B");
    let mut a = Person::join(&home, &server.address(), "A");
    a.write("/udp Olá, todos!\n/tcp B metade de uma linha".as_bytes());
    a.end_input();
    // They go different ways, so either may come first.
    let mut shown = [b.stdout.next(), b.stdout.next()];
    shown.sort();
    assert_eq!(shown[0], "[TCP] Privado de A: metade de uma linha");
    assert_eq!(shown[1], "[UDP] A: Olá, todos!");
    // It left when the server had both.
    let ended = a.end();
    ended.says(0, &[]);
    // The echo comes behind either prompt.
    let mut shown = ended.stdout.clone();
    shown.sort();
    assert_eq!(shown, [PROMPT_PT, PROMPT_PT, "[UDP] A: Olá, todos!"]);
    b.stderr.find("A saiu");
}

#[test]
fn everything_that_was_piped_in_arrives_before_the_end() {
    let (server, home) = (Server::start(), Home::new());
    let b = Bot::join(&home, &server.address(), "B");
    let lines: String = (1..=200).map(|n| format!("/tcp B linha {n}\n")).collect();
    let arguments = [
        "chat",
        "--plain",
        "--name",
        "A",
        "--server",
        &server.address(),
    ];
    let ended = run_with(&mut home.recado(&arguments), &lines);
    ended.says(0, &[]);
    for number in 1..=200 {
        assert_eq!(b.find("private")["text"], format!("linha {number}"));
    }
}

#[test]
fn piped_objects_are_stored_before_the_end() {
    let (server, home) = (Server::start(), Home::new());
    let input = [
        json!({"type": "global", "text": "um", "ref": 1}),
        json!({"type": "private", "to": "A", "text": "dois", "ref": 2}),
        json!({"type": "private", "to": "ninguém", "text": "três", "ref": 3}),
    ];
    let input: String = input.iter().map(|object| format!("{object}\n")).collect();
    for end in ["", "{\"type\":\"quit\"}\n", "{\"type\":\"quit\"}"] {
        let arguments = [
            "chat",
            "--json",
            "--name",
            "A",
            "--server",
            &server.address(),
        ];
        let ended = run_with(&mut home.recado(&arguments), &format!("{input}{end}"));
        ended.says(0, &[]);
        for (reference, state) in [(1, "stored"), (2, "stored"), (3, "failed")] {
            let settled = ended.stdout.iter().any(|line| {
                let event: serde_json::Value = serde_json::from_str(line).unwrap();
                event["ref"] == reference && event["state"] == state
            });
            assert!(settled, "{reference}: {:?}", ended.stdout);
        }
    }
}

#[test]
fn what_comes_behind_quit_is_not_sent() {
    let (server, home) = (Server::start(), Home::new());
    let b = Person::join(&home, &server.address(), "B");
    let arguments = [
        "chat",
        "--plain",
        "--name",
        "A",
        "--server",
        &server.address(),
    ];
    run_with(
        &mut home.recado(&arguments),
        "/tcp B antes\n/quit\n/tcp B depois\n",
    )
    .says(0, &[]);
    b.stdout.expect("[TCP] Privado de A: antes");
    b.stderr.find("A saiu");
    b.quit();
}

#[test]
fn an_end_before_the_name_is_no_failure() {
    let (server, home) = (Server::start(), Home::new());
    let arguments = [
        "chat",
        "--plain",
        "--lang",
        "pt-BR",
        "--server",
        &server.address(),
    ];
    let ended = run_with(&mut home.recado(&arguments), "");
    ended.says(0, &[]).shows(&[crate::common::NAME_PROMPT_PT]);
    // A name without its end is one, and then there is nothing to say.
    let ended = run_with(&mut home.recado(&arguments), "A");
    ended
        .says(0, &[])
        .shows(&[crate::common::NAME_PROMPT_PT, PROMPT_PT]);
}

#[test]
fn when_nobody_reads_any_more_the_chat_ends() {
    let (server, home) = (Server::start(), Home::new());
    let mut b = Bot::join(&home, &server.address(), "B");
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = home.recado(&[
        "chat",
        "--json",
        "--name",
        "A",
        "--server",
        &server.address(),
    ]);
    let mut a = Program::spawn_onto(&mut command, writer.into());
    b.sees("A", true);
    drop(reader);
    b.say_to_all("alguém lê isto?");
    b.sees("A", false);
    assert_eq!(a.end().code, 1);
}

#[test]
fn a_disk_that_is_full_ends_the_chat_and_is_no_success() {
    let (server, home) = (Server::start(), Home::new());
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let arguments = [
        "chat",
        "--json",
        "--name",
        "A",
        "--server",
        &server.address(),
    ];
    let mut a = Program::spawn_onto(&mut home.recado(&arguments), full.into());
    assert_eq!(a.end().code, 1);
}

#[test]
fn an_interrupt_ends_it_with_130() {
    let (server, home) = (Server::start(), Home::new());
    let mut b = Bot::join(&home, &server.address(), "B");
    let mut a = Person::join(&home, &server.address(), "A");
    a.signal(Signal::SIGINT);
    assert_eq!(a.end().code, 130);
    b.sees("A", false);
    b.signal(Signal::SIGINT);
    assert_eq!(b.end().code, 130);
}

#[test]
fn an_interrupt_at_the_name_ends_it_with_130() {
    let (server, home) = (Server::start(), Home::new());
    let mut a = Person::spawn(&home, &server.address(), &["--lang", "pt-BR"]);
    a.stdout.expect(crate::common::NAME_PROMPT_PT);
    a.signal(Signal::SIGINT);
    assert_eq!(a.end().code, 130);
}

#[test]
fn what_a_server_that_is_gone_did_not_get_is_kept_for_the_next_time() {
    let mut server = Server::start();
    let home = Home::new();
    let mut a = Person::join(&home, &server.address(), "A");
    let mut b = Bot::join(&home, &server.address(), "B");
    server.end(Signal::SIGKILL);
    a.stderr.find("A conexão com o servidor caiu");
    let lost = b.find("error");
    assert_eq!(
        (&lost["code"], &lost["retry"]),
        (&json!("connection_lost"), &json!(true))
    );
    a.enter("/tcp B até a volta");
    a.enter("/quem");
    a.stderr.find("agora não há conexão");
    a.enter("/sair");
    a.end().says(1, &["1 mensagem ainda não foi enviada"]);
    b.say(json!({"type": "quit"}));
    assert_eq!(b.end().code, 0);
}
