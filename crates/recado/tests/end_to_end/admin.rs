//! The operator: who may be one, what they do to people and names, backups, and what becomes of it.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Instant;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::common::{Bot, Ended, Home, PATIENCE, Person, Proxy, Server, run, skip};

fn private(to: &str, text: &str) -> Value {
    json!({"type": "private", "to": to, "text": text, "ref": text})
}

/// Waits for the state of the message with this reference.
#[track_caller]
fn state_of(bot: &Bot, reference: &str, state: &str) -> Value {
    bot.find_where(|event| event["ref"] == reference && event["state"] == state)
}

/// A chat with nothing to say, in English.
fn chat(home: &Home, server: &str, name: &str) -> Ended {
    let arguments = ["chat", "--plain", "--lang", "en", "--server", server];
    run(home
        .recado(&arguments)
        .args(["--accept-new", "--name", name]))
}

/// Someone's key.
fn key_of(server: &Server, name: &str) -> String {
    let people = server.operate_json(&["admin", "list"]);
    let found = people.iter().find(|person| person["name"] == name);
    found.unwrap()["key"].as_str().unwrap().to_owned()
}

/// Says a line over the admin socket, and gives the answer.
fn say(server: &Server, line: &[u8]) -> Value {
    let mut stream = UnixStream::connect(server.ready.data.join("admin/socket")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // One that answers before all is said is no failure.
    let _ = stream.write_all(line);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    assert!(answer.ends_with('\n'), "{answer:?}");
    serde_json::from_str(&answer).unwrap()
}

#[test]
fn who_is_kicked_is_told_and_may_come_back() {
    let (server, home) = (Server::start(), Home::new());
    let a = Bot::join(&home, &server.address(), "A");
    let mut b = Bot::join(&home, &server.address(), "B");
    let mut c = Person::join(&home, &server.address(), "C");
    server
        .operate(&["admin", "kick", "b"])
        .says(0, &["B's session has been ended"]);
    assert_eq!(b.find("error")["code"], "kicked");
    assert_eq!(b.end().code, 1);
    a.sees("B", false);
    let key = key_of(&server, "C");
    server
        .operate(&["admin", "kick", "--key", &key])
        .says(0, &[]);
    c.end().says(1, &["terminou esta sessão"]);
    server
        .operate(&["admin", "kick", "B"])
        .says(1, &["they are not here"]);
    server
        .operate(&["admin", "kick", "Z"])
        .says(1, &["nobody has that name"]);
    server
        .operate(&["admin", "kick", "--key", "07"])
        .says(2, &["64 hexadecimal digits"]);
    Bot::join(&home, &server.address(), "B");
}

#[test]
fn who_is_banned_is_cut_off_at_once_and_stays_outside_under_any_name() {
    let (server, home, other) = (Server::start(), Home::new(), Home::new());
    let address = server.address();
    let mut a = Bot::join(&other, &address, "A");
    let mut b = Bot::join(&home, &address, "B");
    server
        .operate(&["admin", "ban", "B"])
        .says(0, &["B is banned", "ended: 1"]);
    assert_eq!(b.find("error")["code"], "banned");
    assert_eq!(b.end().code, 1);
    chat(&home, &address, "B").says(5, &["has banned this name, key or address"]);
    chat(&other, &address, "B").says(5, &["belongs to someone else"]);
    a.say(private("B", "um"));
    assert_eq!(state_of(&a, "um", "failed")["code"], "recipient_gone");
    // It is so after a restart too.
    let proxy = Proxy::before(&server);
    chat(&home, &proxy.address(), "B").says(5, &["has banned"]);
    let server = server.restart(|_| {});
    proxy.lead_to(&server);
    chat(&home, &proxy.address(), "B").says(5, &["has banned"]);
    let listed = server.operate(&["admin", "bans"]);
    let words: Vec<_> = listed.stdout[0].split(' ').collect();
    assert_eq!((words[0], words[2]), ("key", "B"));
    server
        .operate(&["admin", "unban", "--key", words[1]])
        .says(0, &["B is banned no more"]);
    chat(&home, &proxy.address(), "B").says(0, &[]);
    server
        .operate(&["admin", "unban", "B"])
        .says(1, &["no such ban"]);

    // By key, while they are away; and a name before anyone has it.
    let key = key_of(&server, "B");
    server
        .operate(&["admin", "ban", "--key", &key])
        .says(0, &["ended: 0"]);
    chat(&home, &proxy.address(), "B").says(5, &["has banned"]);
    server
        .operate(&["admin", "ban", "Admin"])
        .says(0, &["Nobody has the name Admin"]);
    chat(&Home::new(), &proxy.address(), "admin").says(5, &["has banned"]);
    server
        .operate(&["admin", "ban", "all"])
        .says(2, &["nobody's name"]);
}

#[test]
fn addresses_are_banned_by_network() {
    if TcpListener::bind("[::1]:0").is_err() {
        return skip("addresses_are_banned_by_network", "no IPv6 on this machine");
    }
    let server = Server::start_with(&["--listen", "[::1]:0", "--listen", "127.0.0.1"]);
    let [v6, v4] = [0, 1].map(|at| server.ready.tcp[at].to_string());
    let (home, other) = (Home::new(), Home::new());
    let mut a = Bot::join(&home, &v6, "A");
    let b = Bot::join(&other, &v4, "B");
    server
        .operate(&["admin", "ban", "--address", "::1"])
        .says(0, &["::/64", "ended: 1"]);
    assert_eq!(a.find("error")["code"], "banned");
    assert_eq!(a.end().code, 1);
    chat(&home, &v6, "A").says(5, &["has banned"]);
    // The key is not banned, and comes from elsewhere.
    chat(&home, &v4, "A").says(0, &[]);
    b.sees("A", true);
    server
        .operate(&["admin", "unban", "--address", "::1"])
        .says(0, &[]);
    chat(&home, &v6, "A").says(0, &[]);

    let ban = server.operate(&["admin", "ban", "--address", "127.9.9.9/8"]);
    ban.says(0, &["127.0.0.0/8", "ended: 1"]);
    assert_eq!(b.find("error")["code"], "banned");
    chat(&home, &v4, "A").says(5, &["has banned"]);
    chat(&home, &v6, "A").says(0, &[]);
    for wrong in ["0.0.0.0/0", "example.org", "127.0.0.1/33"] {
        server
            .operate(&["admin", "ban", "--address", wrong])
            .says(2, &["ADDRESS/BITS"]);
    }
}

#[test]
fn who_is_muted_is_refused_politely_and_hears_others() {
    let (server, home) = (Server::start(), Home::new());
    let mut a = Bot::join(&home, &server.address(), "A");
    let mut b = Bot::join(&home, &server.address(), "B");
    server
        .operate(&["admin", "mute", "A"])
        .says(0, &["A is muted"]);
    a.say(private("B", "um"));
    assert_eq!(state_of(&a, "um", "failed")["code"], "muted");
    a.say_to_all("dois");
    assert_eq!(state_of(&a, "dois", "failed")["code"], "muted");
    b.say(private("A", "três"));
    assert_eq!(a.find("private")["text"], "três");
    state_of(&b, "três", "delivered");
    let listed = server.operate_json(&["admin", "mutes"]);
    assert_eq!(listed[0]["name"], "A");
    server.operate(&["admin", "unmute", "A"]).says(0, &[]);
    server
        .operate(&["admin", "unmute", "A"])
        .says(1, &["not muted"]);
    a.say(private("B", "quatro"));
    assert_eq!(b.find("private")["text"], "quatro");
    a.say_to_all("cinco");
    assert_eq!(b.find("global")["text"], "cinco");
}

#[test]
fn a_name_that_is_released_is_anyone_s_and_nothing_waits_for_its_owner() {
    let (server, home, new) = (Server::start(), Home::new(), Home::new());
    let address = server.address();
    Person::join(&home, &address, "B").quit();
    let mut a = Bot::join(&home, &address, "A");
    a.say(private("B", "um"));
    state_of(&a, "um", "stored");
    server
        .operate(&["admin", "release", "b"])
        .says(0, &["The name B is free", "owner: 1"]);
    assert_eq!(state_of(&a, "um", "failed")["code"], "recipient_gone");
    a.say(private("B", "dois"));
    assert_eq!(state_of(&a, "dois", "failed")["code"], "recipient_gone");
    let b = Bot::join(&new, &address, "B");
    chat(&home, &address, "B").says(5, &["belongs to someone else"]);
    // Alice is told that it is someone else now, and decides.
    a.end_input();
    assert_eq!(a.end().code, 0);
    let mut a = Bot::join(&home, &address, "A");
    a.say(private("B", "três"));
    assert_eq!(state_of(&a, "três", "failed")["code"], "key_changed");
    a.say(json!({"type": "trust", "name": "B"}));
    a.say(private("B", "quatro"));
    assert_eq!(b.find("private")["text"], "quatro");
}

#[test]
fn only_the_server_s_own_user_operates_it() {
    let test = "only_the_server_s_own_user_operates_it";
    if !nix::unistd::geteuid().is_root() {
        return skip(test, "only root can become another user");
    }
    let (server, home) = (Server::start(), Home::new());
    let folder = server.ready.data.clone();
    for (path, mode) in [("admin", 0o700), ("admin/socket", 0o600)] {
        let found = std::fs::metadata(folder.join(path)).unwrap();
        assert_eq!(found.permissions().mode() & 0o777, mode, "{path}");
    }
    let open = |path: &std::path::Path| {
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    };
    open(home.path());
    let by_nobody = |rights: &[&str]| {
        let mut command = home.clean("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        command.args(rights).arg(env!("CARGO_BIN_EXE_recado"));
        command.args(["admin", "list", "--lang", "en", "--data-dir"]);
        run(command.arg(&folder))
    };
    // The folder keeps them out; and where it does not, the server asks the system who they are.
    by_nobody(&[]).says(1, &["another user's"]);
    let rights = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"];
    by_nobody(&rights).says(1, &["another user's"]);
    server
        .program
        .stderr
        .find("someone else wanted to operate this server");
    server.operate(&["admin", "list"]).says(0, &[]);
}

#[test]
fn the_socket_is_there_again_after_a_crash_and_strange_words_harm_nobody() {
    let mut server = Server::start();
    server.end(Signal::SIGKILL);
    let home = server.home();
    assert!(home.file("server/admin/socket").exists());
    let dead = run(home.recado(&["admin", "stats"]).args(["--lang", "en"]));
    dead.says(3, &["no server runs on"]);
    let command = Server::command(&home, &[]);
    let server = Server::spawn(home, command);
    for (line, error) in [
        (&b"\n"[..], "bad-request"),
        (b"", "bad-request"),
        (b"{\"command\":\"stats\"", "bad-request"),
        (b"{\"command\":\"destroy\"}\n", "bad-request"),
        (b"\xff\xfe\n", "bad-request"),
        (b"{\"command\":\"kick\"}\n", "bad-request"),
        (
            b"{\"command\":\"set-limit\",\"limit\":\"x\",\"value\":1}\n",
            "no-such-limit",
        ),
        (
            b"{\"command\":\"backup\",\"path\":\"here.db\"}\n",
            "bad-request",
        ),
        (&[b' '; 20_000], "bad-request"),
    ] {
        let answer = say(&server, line);
        assert_eq!(
            (&answer["ok"], &answer["error"]),
            (&json!(false), &json!(error))
        );
    }
    // What follows the line is not read; and those who only connect hold up nobody for long.
    let idle: Vec<_> = (0..20)
        .map(|_| UnixStream::connect(server.ready.data.join("admin/socket")).unwrap())
        .collect();
    let answer = say(&server, b"{\"command\":\"stats\"}\nnonsense");
    assert_eq!(answer["ok"], true);
    drop(idle);
    let folder = server.stop();
    assert!(!folder.file("server/admin/socket").exists());
}

#[test]
fn a_data_folder_is_found_wherever_it_is() {
    let home = Home::new();
    let long = home.file(&"d".repeat(150));
    let long = long.to_str().unwrap();
    let command = Server::command(&home, &["--data-dir", long]);
    let server = Server::spawn(home, command);
    let stats = |arguments: &[&str]| server.operate(&[&["admin", "stats"], arguments].concat());
    stats(&["--data-dir", long]).says(0, &[]);
    let by_variable = |command: &mut Command| run(command.env("RECADO_DATA_DIR", long)).code;
    let home = Home::new();
    assert_eq!(by_variable(&mut home.recado(&["admin", "stats"])), 0);
    stats(&[]).says(3, &["no server runs on", "--data-dir"]);
}

#[test]
fn the_operator_sees_who_is_here_and_how_much_there_is() {
    let (server, home) = (Server::start(), Home::new());
    let address = server.address();
    Person::join(&home, &address, "Ana").quit();
    let mut b = Bot::join(&home, &address, "Bia");
    b.say(private("Ana", "um"));
    state_of(&b, "um", "stored");
    b.say_to_all("Olá");
    b.find("global");
    let listed = server.operate(&["admin", "list"]);
    listed.says(0, &[]);
    let [ana, bia] = listed.stdout.as_slice() else {
        panic!("{:?}", listed.stdout);
    };
    let (ana_key, bia_key) = (key_of(&server, "Ana"), key_of(&server, "Bia"));
    assert_eq!(*ana, format!("Ana {ana_key} away - -"));
    assert_eq!(*bia, format!("Bia {bia_key} here 127.0.0.1 udp"));
    let here = server.operate_json(&["admin", "list", "--here"]);
    assert_eq!(here.len(), 1);
    assert_eq!(here[0]["session"]["address"], "127.0.0.1");
    let stats = &server.operate_json(&["admin", "stats"])[0];
    for (name, count) in [("here", 1), ("names", 2), ("waiting", 1), ("globals", 1)] {
        assert_eq!(stats[name], count, "{name}");
    }
    let text = server.operate(&["admin", "stats"]).stdout;
    assert!(text.contains(&"registration lan".to_owned()), "{text:?}");
}

#[test]
fn limits_are_shown_and_set_for_good() {
    let (server, home) = (Server::start(), Home::new());
    let shown = server.operate(&["admin", "limits"]).stdout;
    assert_eq!(shown.len(), 14);
    assert!(shown.contains(&"mailbox-bytes 64MiB default".to_owned()));
    let set = |server: &Server, limit: &str, value: &str| {
        server.operate(&["admin", "limits", limit, value])
    };
    set(&server, "sender-messages", "2")
        .says(0, &[])
        .shows(&["sender-messages 2 set"]);
    set(&server, "message-age", "14d").shows(&["message-age 14d set"]);
    for (limit, value, says) in [
        ("message-age", "soon", "as in 12h or 30d"),
        ("message-age", "0s", "too little or too much"),
        ("mailbox-bytes", "1MB", "as in 64MiB"),
        ("sender-messages", "-1", ""),
        ("mailbox", "1", "no such limit"),
    ] {
        set(&server, limit, value).says(2, &[says]);
    }
    Person::join(&home, &server.address(), "B").quit();
    let proxy = Proxy::before(&server);
    let mut a = Bot::join(&home, &proxy.address(), "A");
    for text in ["um", "dois", "três"] {
        a.say(private("B", text));
    }
    state_of(&a, "dois", "stored");
    assert_eq!(a.find("waiting")["code"], "mailbox_full");
    let server = server.restart(|_| {});
    proxy.lead_to(&server);
    let one = server.operate(&["admin", "limits", "sender-messages"]);
    one.shows(&["sender-messages 2 set"]);
    set(&server, "sender-messages", "default").shows(&["sender-messages 2000 default"]);
    state_of(&a, "três", "stored");

    let folder = server.stop();
    let command = Server::command(&folder, &["--message-age", "12h"]);
    let server = Server::spawn(folder, command);
    let one = server.operate(&["admin", "limits", "message-age"]);
    one.shows(&["message-age 12h serve"]);
    set(&server, "message-age", "1d").says(1, &["when the server was started"]);
    let wrong = Home::new();
    run(&mut Server::command(
        &wrong,
        &["--message-age", "0s", "--lang", "en"],
    ))
    .says(2, &["--message-age may be from 1s"]);
}

#[test]
fn what_waits_for_longer_than_the_operator_allows_is_dropped() {
    let server = Server::start_with(&["--message-age", "2s"]);
    let home = Home::new();
    Person::join(&home, &server.address(), "B").quit();
    let mut a = Bot::join(&home, &server.address(), "A");
    a.say(private("B", "um"));
    state_of(&a, "um", "stored");
    // By the time that the server has run, which it counts in whole seconds.
    let running = || {
        let stats = server.operate_json(&["admin", "stats"]).remove(0);
        stats["running_seconds"].as_u64().unwrap()
    };
    let (begin, from) = (Instant::now(), running());
    while running() < from + 3 {
        assert!(begin.elapsed() < PATIENCE);
    }
    let mut b = Bot::join(&home, &server.address(), "B");
    assert_eq!(state_of(&a, "um", "failed")["code"], "expired");
    a.say(private("B", "dois"));
    assert_eq!(b.find("private")["text"], "dois");
    b.end_input();
    b.end().says(0, &[]);
}

/// Everything that was acknowledged after the backup is there all the same, or its sender says that it is not.
#[test]
fn a_backup_is_made_while_messages_flow_and_put_back_without_silent_loss() {
    let (server, home) = (Server::start(), Home::new());
    let proxy = Proxy::before(&server);
    Person::join(&home, &proxy.address(), "C").quit();
    let mut a = Bot::join(&home, &proxy.address(), "A");
    let mut b = Bot::join(&home, &proxy.address(), "B");
    let backup = server.file("backup.db");
    let path = backup.to_str().unwrap().to_owned();
    // C is away, B is here; the backup is made somewhere in between.
    for number in 0..300 {
        let to = ["B", "C"][number % 2];
        a.say(private(to, &number.to_string()));
        if number == 150 {
            server
                .operate(&["admin", "backup", &path])
                .says(0, &["server's own key"]);
        }
    }
    state_of(&a, "299", "stored");
    state_of(&a, "298", "delivered");
    let found = std::fs::metadata(&backup).unwrap();
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
    let text = server.file("text.txt");
    std::fs::write(&text, "dear").unwrap();
    server
        .operate(&["admin", "backup", text.to_str().unwrap()])
        .says(1, &["is no backup of recado's"]);
    server
        .operate(&["admin", "restore", &path])
        .says(1, &["another recado server is using"]);
    // Someone who came after the backup is not known any more, and comes again.
    Person::join(&home, &proxy.address(), "D").quit();

    let folder = server.stop();
    assert_eq!(a.find("error")["retry"], true);
    let damaged = folder.file("damaged.db");
    let mut bytes = std::fs::read(&backup).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..].fill(7);
    std::fs::write(&damaged, bytes).unwrap();
    let restore = |file: &str| {
        run(folder
            .recado(&["admin", "restore", file])
            .args(["--lang", "en"]))
    };
    restore("damaged.db").says(1, &["damaged.db"]);
    restore("text.txt").says(1, &["no database of a recado server"]);
    restore("backup.db").says(0, &["recado.db.replaced-", "Start the server"]);
    let command = Server::command(&folder, &[]);
    let server = Server::spawn(folder, command);
    proxy.lead_to(&server);
    let c = Bot::join(&home, &proxy.address(), "C");
    let texts: Vec<u64> = (0..150)
        .map(|_| c.find("private")["text"].as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!(texts, (0..300).filter(|n| n % 2 == 1).collect::<Vec<_>>());
    state_of(&a, "299", "delivered");
    let texts: Vec<u64> = (0..150)
        .map(|_| b.find("private")["text"].as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!(texts, (0..300).filter(|n| n % 2 == 0).collect::<Vec<_>>());
    // And goes on.
    a.say(private("B", "depois"));
    assert_eq!(b.find("private")["text"], "depois");
    Person::join(&home, &proxy.address(), "D").quit();
    b.end_input();
    b.end().says(0, &[]);
}

#[test]
fn a_backup_makes_the_same_server_on_another_machine() {
    let (server, home) = (Server::start(), Home::new());
    let proxy = Proxy::before(&server);
    Person::join(&home, &proxy.address(), "Ana").quit();
    let fingerprint = server.ready.fingerprint.clone();
    let folder = server.stop();
    // No server runs: the same command makes it.
    let backup = run(folder
        .recado(&["admin", "backup", "backup.db"])
        .args(["--output", "json"]));
    backup.says(0, &[]);
    let elsewhere = Home::new();
    std::fs::copy(folder.file("backup.db"), elsewhere.file("backup.db")).unwrap();
    let restored = run(elsewhere
        .recado(&["admin", "restore", "backup.db"])
        .args(["--output", "json"]));
    restored.says(0, &[]);
    let object: Value = serde_json::from_str(&restored.stdout[0]).unwrap();
    assert_eq!(
        (&object["has_identity"], &object["replaced"]),
        (&json!(true), &Value::Null)
    );
    let command = Server::command(&elsewhere, &[]);
    let server = Server::spawn(elsewhere, command);
    assert_eq!(server.ready.fingerprint, fingerprint);
    proxy.lead_to(&server);
    Person::join(&home, &proxy.address(), "ana").quit();
    // Into the folder of a server with another key it does not go.
    let (other, stranger) = (Server::start().stop(), Home::new());
    std::fs::copy(server.file("backup.db"), stranger.file("backup.db")).unwrap();
    let path = stranger.file("backup.db");
    let refused = run(other
        .recado(&["admin", "restore"])
        .arg(path)
        .args(["--lang", "en"]));
    refused.says(1, &["a server with another key"]);
}

#[test]
fn serve_says_whom_it_lets_in_unexpectedly() {
    let exposed = |arguments: &[&str]| {
        let mut server = Server::start_with(&[arguments, &["--lang", "en"]].concat());
        server.end(Signal::SIGTERM).stderr.join("\n")
    };
    let warning = "WARNING: registration is open, and chat.example.org is public";
    let open = ["--registration", "open"];
    let public = ["--host", "chat.example.org"];
    let said = exposed(&[&open[..], &public].concat());
    assert!(
        said.contains(warning) && said.contains("--registration lan"),
        "{said}"
    );
    let json = exposed(&[&open[..], &public, &["--log-format", "json"]].concat());
    assert!(
        json.contains("\"level\":\"WARN\"") && json.contains("is public"),
        "{json}"
    );
    for quiet in [&open[..], &public] {
        assert!(!exposed(quiet).contains("WARNING"));
    }
}
