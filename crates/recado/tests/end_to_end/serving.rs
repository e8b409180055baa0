//! `recado serve`: its ready line, its folder, its end.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::path::Path;

use nix::sys::signal::Signal;
use recado_proto::alpn;
use serde_json::Value;

use crate::common::{Bot, Home, Person, Program, Proxy, Server, run, skip, tls};

#[test]
fn the_ready_line_names_real_addresses_and_is_all_of_stdout() {
    let home = Home::new();
    let command = Server::command(
        &home,
        &[
            "--listen",
            "127.0.0.1:0",
            "--listen",
            "127.0.0.2",
            "--lang",
            "pt-BR",
        ],
    );
    let mut server = Server::spawn(home, command);
    let ready = &server.ready;
    assert_eq!(ready.tcp.len(), 2);
    assert_eq!(
        ready.tcp, ready.udp,
        "TCP and UDP share addresses and number"
    );
    assert_ne!(ready.tcp[0].port(), 0);
    assert_eq!(ready.tcp[0].port(), ready.tcp[1].port());
    assert_eq!(ready.tcp[0].ip().to_string(), "127.0.0.1");
    assert_eq!(ready.tcp[1].ip().to_string(), "127.0.0.2");
    assert!(ready.data.is_absolute() && ready.data.join("root.pem").is_file());

    // Each address serves both protocols.
    let home = Home::new();
    for address in ready.tcp.clone() {
        let address = address.to_string();
        let mut a = Bot::join(&home, &address, "A");
        a.say_to_all(&address);
        let global = a.find_where(|event| event["text"] == address.as_str());
        assert_eq!(global["via"], "udp");
        a.end_input();
        assert_eq!(a.end().code, 0);
    }
    server.end(Signal::SIGTERM).says(0, &[]).shows(&[]);
}

#[test]
fn the_data_folder_may_have_any_name() {
    let home = Home::new();
    let folder = home.file("dados do servidor = é");
    let command = Server::command(&home, &["--data-dir", folder.to_str().unwrap()]);
    let server = Server::spawn(home, command);
    assert_eq!(server.ready.data, folder.canonicalize().unwrap());
}

#[test]
fn two_ports_and_what_is_no_address_are_refused() {
    let home = Home::new();
    let two = ["--listen", "127.0.0.1:1", "--listen", "127.0.0.2:2"];
    run(&mut Server::command(&home, &two))
        .says(2, &["two ports"])
        .shows(&[]);
    for nonsense in ["localhost", "127.0.0.1:x", "127.0.0.1:70000", ""] {
        run(&mut Server::command(&home, &["--listen", nonsense]))
            .says(2, &["--listen"])
            .shows(&[]);
    }
}

#[test]
fn a_chosen_port_that_is_taken_is_an_error_and_no_other_is_used() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    for (taken, protocol) in [(tcp.local_addr(), "TCP"), (udp.local_addr(), "UDP")] {
        let (home, taken) = (Home::new(), taken.unwrap().to_string());
        let says = format!("cannot listen on {protocol} {taken}: already taken");
        run(&mut Server::command(&home, &["--listen", &taken]))
            .says(1, &[&says])
            .shows(&[]);
    }
}

#[test]
fn a_folder_serves_one_server_at_a_time() {
    let server = Server::start();
    let data = server.ready.data.to_str().unwrap();
    let second = || run(&mut Server::command(&Home::new(), &["--data-dir", data]));
    second()
        .says(1, &["another recado server is using the data folder", data])
        .shows(&[]);
    // The refused one disturbed nothing.
    Person::join(&Home::new(), &server.address(), "A").quit();
    second().says(1, &["another recado server"]);
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    let home = Home::new();
    let file = home.file("file");
    fs::write(&file, "").unwrap();
    for folder in [file.clone(), file.join("below")] {
        let folder = folder.to_str().unwrap();
        run(&mut Server::command(&home, &["--data-dir", folder]))
            .says(1, &[folder])
            .shows(&[]);
    }
    // As the superuser, to whom everything is permitted, /proc still takes no folders.
    run(&mut Server::command(&home, &["--data-dir", "/proc/recado"])).says(1, &["/proc/recado"]);
}

#[test]
fn a_damaged_file_is_named_and_nothing_is_replaced() {
    let other = Server::start();
    let others_root = fs::read_to_string(other.root_pem()).unwrap();
    let others_key = fs::read_to_string(other.ready.data.join("root.key")).unwrap();
    let no_database = "this is no database ".repeat(500);
    let home = Server::start().stop();
    let data = home.file("server");
    for (file, content) in [
        ("root.key", None),
        ("root.key", Some("")),
        ("root.key", Some("nonsense")),
        (
            "root.key",
            Some("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
        ),
        ("root.key", Some(&*others_key)),
        ("root.pem", Some("")),
        ("root.pem", Some("nonsense")),
        ("root.pem", Some(&*others_root)),
        ("recado.db", Some(&*no_database)),
    ] {
        let damaged = home.copy();
        let folder = damaged.file("server");
        fs::remove_file(folder.join(file)).unwrap();
        if let Some(content) = content {
            fs::write(folder.join(file), content).unwrap();
        }
        let before = contents(&folder);
        let ended = run(&mut Server::command(&damaged, &[]));
        // A key of another's is found out by the certificate.
        let named = if content == Some(&*others_key) {
            "root.pem"
        } else {
            file
        };
        ended.says(1, &[named]).shows(&[]);
        assert_eq!(contents(&folder), before, "{file}: {content:?}");
        assert!(ended.stderr.len() <= 3, "{:?}", ended.stderr);
    }
    // The certificate alone can be made again over the same key.
    fs::remove_file(data.join("root.pem")).unwrap();
    let key = fs::read(data.join("root.key")).unwrap();
    let command = Server::command(&home, &[]);
    let server = Server::spawn(home, command);
    server
        .program
        .stderr
        .find("the root certificate was issued anew");
    assert_eq!(fs::read(data.join("root.key")).unwrap(), key);
}

/// Names and contents of a folder's files; the lock is nobody's content, nor is the admin socket.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| {
            (
                entry.file_name().into_string().unwrap(),
                fs::read(entry.path()).unwrap(),
            )
        })
        .filter(|(name, _)| name != "lock")
        .collect();
    files.sort();
    files
}

#[test]
fn a_server_that_nobody_can_learn_of_does_not_stay() {
    let home = Home::new();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let mut server = Program::spawn_onto(&mut Server::command(&home, &[]), full.into());
    server
        .end()
        .says(1, &["nothing can be written to standard output"]);
}

#[test]
fn ipv6_serves_as_well() {
    if TcpListener::bind("[::1]:0").is_err() {
        return skip("ipv6_serves_as_well", "no IPv6 on this machine");
    }
    let server = Server::start_with(&["--listen", "[::1]:0", "--listen", "127.0.0.1"]);
    assert_eq!(server.ready.tcp, server.ready.udp);
    let home = Home::new();
    let [v6, v4] = [0, 1].map(|at| server.ready.tcp[at].to_string());
    assert!(v6.starts_with("[::1]:"), "{v6}");
    let mut a = Bot::join(&home, &v6, "A");
    let b = Bot::join(&home, &v4, "B");
    assert_eq!(a.ready["server"], v6);
    a.say_to_all("Olá");
    for bot in [&a, &b] {
        assert_eq!(bot.find("global")["via"], "udp");
    }
}

#[test]
fn a_restarted_server_is_the_same_to_everyone() {
    let server = Server::start();
    let (proxy, home) = (Proxy::before(&server), Home::new());
    Person::join(&home, &proxy.address(), "A").quit();
    let (fingerprint, root) = (
        server.ready.fingerprint.clone(),
        fs::read(server.root_pem()).unwrap(),
    );

    let server = server.restart(|_| {});
    proxy.lead_to(&server);
    assert_eq!(server.ready.fingerprint, fingerprint);
    assert_eq!(fs::read(server.root_pem()).unwrap(), root);
    let a = Bot::join(&home, &proxy.address(), "A");
    assert_eq!(a.ready["trust"], "pinned");
}

#[test]
fn a_killed_server_starts_again_with_everything_it_had() {
    let server = Server::start();
    let (proxy, home) = (Proxy::before(&server), Home::new());
    let mut a = Bot::join(&home, &proxy.address(), "A");
    let Server {
        mut program, ready, ..
    } = server;
    program.signal(Signal::SIGKILL);
    program.end().says(137, &[]);
    assert_eq!(a.find("error")["code"], "connection_lost");

    let data = ready.data.to_str().unwrap();
    let folder = Home::new();
    let command = Server::command(&folder, &["--data-dir", data]);
    let server = Server::spawn(folder, command);
    proxy.lead_to(&server);
    Bot::spawn(&Home::new(), &proxy.address(), "A")
        .end()
        .says(5, &["belongs to someone else"]);
    // It comes back by itself.
    a.say_to_all("de volta");
    a.find_where(|event| event["text"] == "de volta");
}

#[test]
fn secrets_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;

    let server = Server::start();
    let home = Home::new();
    Person::join(&home, &server.address(), "A").quit();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for file in ["root.key", "recado.db"] {
        assert_eq!(mode(&server.ready.data.join(file)), 0o600, "{file}");
    }
    assert_eq!(mode(&server.ready.data), 0o700);
    let url = server.ready.fingerprint.replace(':', "-");
    let identity = home.file(&format!("client/servers/{url}/identities/a"));
    assert_eq!(mode(&identity), 0o700);
    for file in ["key", "history.db"] {
        assert_eq!(mode(&identity.join(file)), 0o600, "{file}");
    }
}

#[test]
fn sigterm_and_sigint_end_it_in_order_and_everyone_is_told() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut server = Server::start();
        let home = Home::new();
        let mut person = Person::join(&home, &server.address(), "A");
        let mut bot = Bot::join(&home, &server.address(), "B");
        server.end(signal).says(0, &["stopped"]).shows(&[]);
        person.stderr.find("o servidor está parando");
        assert_eq!(bot.find("error")["code"], "shutdown");
        person.enter("/sair");
        assert_eq!(person.end().code, 0);
        bot.end_input();
        assert_eq!(bot.end().code, 0);
    }
}

#[test]
fn a_request_under_way_is_answered_before_the_end() {
    let mut server = Server::start();
    let mut stream = tls(&server, &[alpn::HTTP_1_1], None).unwrap();
    // The server asks for the body, so it has the request; then it is told to stop.
    let body = r#"{"operation":"add","x":"0.1","y":"0.2"}"#;
    let head = format!(
        "POST /v1/calc HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nexpect: 100-continue\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    server.program.signal(Signal::SIGTERM);
    server.program.stderr.find("stopping");
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    // Whether TLS is closed in order is not the point here.
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains(r#""result":"0.3""#), "{answer}");
    server.program.end().says(0, &[]);
}

#[test]
fn json_logs_are_json_and_nothing_else() {
    let mut server = Server::start_with(&["--log-format", "json"]);
    let home = Home::new();
    Person::join(&home, &server.address(), "A").quit();
    run(&mut home.recado(&["calc", "add", "1", "2", "--server", &server.address()])).says(0, &[]);
    let ended = server.end(Signal::SIGTERM);
    ended.says(0, &[]);
    assert!(ended.stderr.len() >= 4, "{:?}", ended.stderr);
    for line in &ended.stderr {
        let entry: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        for member in ["timestamp", "level", "message"] {
            assert!(entry[member].is_string(), "no {member}: {line}");
        }
    }
}

#[test]
fn logs_have_neither_texts_nor_operands_at_any_level() {
    let home = Home::new();
    let mut command = Server::command(&home, &[]);
    command.env("RECADO_LOG", "trace");
    let mut server = Server::spawn(home, command);
    let home = Home::new();
    let mut a = Bot::join(&home, &server.address(), "A");
    a.say_to_all("glockenspiel");
    a.find("global");
    a.say(serde_json::json!({"type": "private", "to": "A", "text": "xylophon"}));
    a.find("private");
    a.end_input();
    assert_eq!(a.end().code, 0);
    run(&mut home.recado(&[
        "calc",
        "add",
        "31415926",
        "1",
        "--server",
        &server.address(),
    ]))
    .says(0, &[]);
    let ended = server.end(Signal::SIGTERM);
    let log = ended.stderr.join("\n");
    assert!(
        log.contains("TRACE") || log.contains("DEBUG"),
        "the level has no effect"
    );
    for secret in ["glockenspiel", "xylophon", "31415926"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}
