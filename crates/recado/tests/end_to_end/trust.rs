//! Whether a server is the one it should be.

use std::fs;

use crate::common::{Bot, Ended, Home, Person, Proxy, Server, run};

/// A calculation, the shortest way to need trust.
fn calculate(home: &Home, server: &str, arguments: &[&str]) -> Ended {
    let mut command = home.recado(&["calc", "add", "1", "2", "--server", server]);
    run(command.args(arguments))
}

fn trust(home: &Home, arguments: &[&str]) -> Ended {
    run(home.recado(&["trust"]).args(arguments))
}

/// Reaches the same server, but is not written as this very machine: as any address of another machine.
fn elsewhere(server: &Server) -> String {
    format!("0.0.0.0:{}", server.port())
}

/// A fingerprint of nobody.
fn nobodys_fingerprint() -> String {
    format!("SHA256:{}", "A".repeat(43))
}

#[test]
fn this_machine_is_trusted_with_a_notice() {
    let (server, home) = (Server::start(), Home::new());
    let fingerprint = server.ready.fingerprint.as_str();
    let notice = format!("{} runs on this machine", server.address());
    let first = calculate(&home, &server.address(), &[]);
    first.says(0, &[&notice, fingerprint]).shows(&["3"]);
    let again = calculate(&home, &server.address(), &[]);
    assert_eq!(again.stderr, [""; 0], "said once");
    calculate(&home, &format!("localhost:{}", server.port()), &[]).says(0, &["localhost"]);
}

#[test]
fn an_unknown_address_without_anyone_to_ask_is_refused_and_shows_its_fingerprint() {
    let (server, home) = (Server::start(), Home::new());
    let (address, fingerprint) = (elsewhere(&server), server.ready.fingerprint.as_str());
    let refused = calculate(&home, &address, &[]);
    refused
        .says(4, &[&address, fingerprint, "--fingerprint", "--accept-new"])
        .shows(&[]);
    calculate(&home, &address, &["--lang", "pt-BR"])
        .says(4, &["não é conhecido aqui", fingerprint]);
    let mut bot = Bot::spawn(&home, &address, "A");
    bot.end().says(4, &[fingerprint]).shows(&[]);
    // Refusing remembers nothing.
    trust(&home, &["list"])
        .says(0, &["No server is remembered"])
        .shows(&[]);

    // One that is known under another name says so.
    calculate(&home, &server.address(), &[]).says(0, &[]);
    calculate(&home, &address, &[]).says(4, &[&server.address()]);
}

#[test]
fn accept_new_trusts_and_remembers() {
    let (server, home) = (Server::start(), Home::new());
    let address = elsewhere(&server);
    calculate(&home, &address, &["--accept-new"])
        .says(0, &["--accept-new", &server.ready.fingerprint])
        .shows(&["3"]);
    let again = calculate(&home, &address, &[]);
    assert_eq!((again.code, again.stderr.len()), (0, 0));
}

#[test]
fn a_given_fingerprint_decides_before_anything_else() {
    let (server, home) = (Server::start(), Home::new());
    let (address, right) = (elsewhere(&server), server.ready.fingerprint.as_str());
    let wrong = nobodys_fingerprint();

    for server in [&address, &server.address()] {
        let refused = calculate(&home, server, &["--fingerprint", &wrong]);
        refused.says(4, &[&wrong, right]).shows(&[]);
        let refused = calculate(&home, server, &["--fingerprint", &wrong, "--accept-new"]);
        refused.says(4, &[&wrong, right]).shows(&[]);
    }
    trust(&home, &["list"]).says(0, &[]).shows(&[]);

    let given = calculate(&home, &address, &["--fingerprint", right]);
    given.says(0, &[]).shows(&["3"]);
    assert_eq!(calculate(&home, &address, &[]).code, 0, "it is remembered");
    // One that differs from the remembered one is a changed key, also where it is only given.
    let changed = calculate(&home, &address, &["--fingerprint", &wrong]);
    changed.says(4, &["HAS CHANGED", right, &wrong, "recado trust replace"]);

    for nonsense in ["SHA256:", "x", "SHA256:!!!!"] {
        calculate(&home, &address, &["--fingerprint", nonsense]).says(2, &["--fingerprint"]);
    }
}

#[test]
fn a_pasted_address_pins_the_server() {
    let (server, home) = (Server::start(), Home::new());
    let url = server.ready.fingerprint.replace(':', "-");
    let address = format!("recado://{}/{url}", elsewhere(&server));
    let mut command = home.recado(&["chat", &address, "--name", "A", "--json"]);
    let mut bot = crate::common::Program::spawn(&mut command);
    let ready: serde_json::Value = serde_json::from_str(&bot.stdout.next()).unwrap();
    assert_eq!(ready["trust"], "pinned");
    assert_eq!(ready["fingerprint"], server.ready.fingerprint.as_str());
    bot.end_input();
    bot.end().says(0, &[]);

    let other = nobodys_fingerprint().replace(':', "-");
    let address = format!("recado://{}/{other}", elsewhere(&server));
    calculate(&Home::new(), &address, &[]).says(4, &[&server.ready.fingerprint]);
    // Two that contradict each other are wrong use, not a matter of trust.
    let given = ["--fingerprint", &server.ready.fingerprint];
    calculate(&Home::new(), &address, &given).says(2, &["leave one of them out"]);
    for cut_short in [
        "recado://127.0.0.1:1",
        "recado://127.0.0.1:1/",
        "recado://127.0.0.1:1/SHA256-x",
    ] {
        calculate(&Home::new(), cut_short, &[]).says(2, &["recado://"]);
    }
}

#[test]
fn the_line_that_a_server_shows_to_paste_is_a_command_that_works() {
    let server = Server::start();
    let line = server.program.stderr.find("recado chat recado://");
    let address = line.split_whitespace().last().unwrap();
    calculate(&Home::new(), address, &[])
        .says(0, &[])
        .shows(&["3"]);
}

#[test]
fn a_changed_key_is_refused_until_someone_vouches_for_it() {
    let (old, new) = (Server::start(), Server::start());
    let (proxy, home) = (Proxy::before(&old), Home::new());
    let address = proxy.address();
    Person::join(&home, &address, "A").quit();
    proxy.lead_to(&new);
    let (before, now) = (
        old.ready.fingerprint.as_str(),
        new.ready.fingerprint.as_str(),
    );

    let replace = format!("recado trust replace {address}");
    for arguments in [&[][..], &["--accept-new"], &["--fingerprint", now]] {
        let refused = calculate(&home, &address, arguments);
        refused
            .says(4, &["HAS CHANGED", before, now, &replace])
            .shows(&[]);
    }
    calculate(&home, &address, &["--lang", "pt-BR"]).says(4, &["MUDOU", before, now, &replace]);
    let mut bot = Bot::spawn(&home, &address, "A");
    bot.end().says(4, &["HAS CHANGED"]).shows(&[]);

    // Nobody to ask, and then the wrong one.
    trust(&home, &["replace", &address]).says(4, &[before, now, "--fingerprint"]);
    let wrong = nobodys_fingerprint();
    trust(&home, &["replace", &address, "--fingerprint", &wrong]).says(4, &[&wrong, now]);
    calculate(&home, &address, &[]).says(4, &["HAS CHANGED"]);

    trust(&home, &["replace", &address, "--fingerprint", now]).says(0, &[before, now, "\"a\""]);
    calculate(&home, &address, &[]).says(0, &[]).shows(&["3"]);
    // The old one would now be the changed key.
    proxy.lead_to(&old);
    calculate(&home, &address, &[]).says(4, &["HAS CHANGED", before, now]);
}

#[test]
fn identities_are_carried_over_so_the_name_is_still_its_owners() {
    let server = Server::start();
    let (proxy, home) = (Proxy::before(&server), Home::new());
    let address = proxy.address();
    Person::join(&home, &address, "Alice").quit();

    // The same server, its names and all, after the loss of its root.
    let server = server.restart(|data| {
        for file in ["root.key", "root.pem", "root.json"] {
            fs::remove_file(data.join(file)).unwrap();
        }
    });
    proxy.lead_to(&server);
    let new = [
        "replace",
        &address,
        "--fingerprint",
        &server.ready.fingerprint,
    ];
    trust(&home, &new).says(0, &["The identity \"alice\" was carried over"]);
    let mut alice = Bot::join(&home, &address, "Alice");
    assert_eq!(
        alice.ready["fingerprint"],
        server.ready.fingerprint.as_str()
    );
    alice.end_input();
    assert_eq!(alice.end().code, 0);

    // Forgetting drops the key with the pin: what comes then is somebody else.
    trust(&home, &["forget", &address]).says(0, &[&address, "\"alice\""]);
    trust(&home, &["list"]).says(0, &[]).shows(&[]);
    trust(&home, &["forget", &address]).says(1, &[&address]);
    Bot::spawn(&home, &address, "Alice")
        .end()
        .says(5, &["belongs to someone else"]);
}

#[test]
fn forgetting_waits_for_nobody_but_refuses_while_an_identity_is_in_use() {
    let (server, home) = (Server::start(), Home::new());
    let a = Person::join(&home, &server.address(), "A");
    trust(&home, &["forget", &server.address()]).says(1, &["is using the name"]);
    a.quit();
    trust(&home, &["forget", &server.address()]).says(0, &[]);
}

#[test]
fn what_is_remembered_is_listed_with_its_reason() {
    let (server, home) = (Server::start(), Home::new());
    let fingerprint = &server.ready.fingerprint;
    let (here, there) = (server.address(), elsewhere(&server));
    calculate(&home, &here, &[]).says(0, &[]);
    calculate(&home, &there, &["--fingerprint", fingerprint]).says(0, &[]);

    let listed = trust(&home, &["list"]);
    listed.says(0, &[]);
    assert_eq!(listed.stderr, [""; 0]);
    let mut lines: Vec<Vec<&str>> = listed
        .stdout
        .iter()
        .map(|l| l.split(' ').collect())
        .collect();
    lines.sort();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0][..3], [&*there, fingerprint, "pinned"]);
    assert_eq!(lines[1][..3], [&*here, fingerprint, "first-use"]);
    for line in &lines {
        assert!(
            line.len() == 4 && line[3].ends_with('Z'),
            "a line a server: {line:?}"
        );
    }
    let shown = trust(&home, &["show", &here]);
    assert_eq!(shown.stdout, [lines[1].join(" ")]);
    trust(&home, &["show", "example.org"])
        .says(1, &["example.org"])
        .shows(&[]);
    trust(&home, &["replace", "example.org"])
        .says(1, &["example.org"])
        .shows(&[]);
}

#[test]
fn a_damaged_list_of_servers_is_said_and_kept() {
    let (server, home) = (Server::start(), Home::new());
    calculate(&home, &server.address(), &[]).says(0, &[]);
    let file = home.file("client/known_servers.json");
    fs::write(&file, "{\"servers\":").unwrap();
    for ended in [
        calculate(&home, &server.address(), &[]),
        trust(&home, &["list"]),
    ] {
        ended.says(1, &["known_servers.json", "damaged"]).shows(&[]);
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "{\"servers\":");
}

#[test]
fn a_damaged_identity_key_is_said_and_kept() {
    let (server, home) = (Server::start(), Home::new());
    Person::join(&home, &server.address(), "A").quit();
    let url = server.ready.fingerprint.replace(':', "-");
    let key = home.file(&format!("client/servers/{url}/identities/a/key"));
    assert!(key.exists());
    fs::write(&key, "nonsense").unwrap();
    let mut bot = Bot::spawn(&home, &server.address(), "A");
    bot.end().says(1, &[key.to_str().unwrap()]).shows(&[]);
    assert_eq!(fs::read_to_string(&key).unwrap(), "nonsense");
}
