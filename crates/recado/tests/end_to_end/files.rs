//! Files from person to person, through the real program.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::common::{Bot, Home, PATIENCE, Program, Server, run};

/// Contents that are not the same anywhere.
pub(crate) fn contents(size: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// Writes a file into a home, and returns its path.
pub(crate) fn file(home: &Home, name: &str, contents: &[u8]) -> PathBuf {
    let path = home.file(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, contents).unwrap();
    path
}

/// A chat for a program, with further arguments.
pub(crate) fn join(home: &Home, server: &str, name: &str, more: &[&str]) -> Bot {
    let chat = ["chat", "--json", "--name", name, "--server", server];
    Bot::of(Program::spawn(&mut home.recado(&[&chat, more].concat())))
}

pub(crate) fn offer(bot: &mut Bot, to: &str, path: &Path) {
    bot.say(json!({"type": "file", "to": to, "path": path, "ref": path}));
}

/// Waits until an offer stands so.
#[track_caller]
pub(crate) fn stands(bot: &Bot, state: &str) -> Value {
    bot.find_where(|event| event["type"] == "offer_state" && event["state"] == state)
}

/// Waits for an offer, and accepts it.
#[track_caller]
pub(crate) fn accept(bot: &mut Bot) -> Value {
    let offer = bot.find("offer");
    bot.say(json!({"type": "accept", "offer": offer["offer"]}));
    offer
}

#[track_caller]
fn has(received: &Value, contents: &[u8]) {
    let path = received["path"].as_str().unwrap();
    assert!(
        fs::read(path).unwrap() == contents,
        "other contents at {path}"
    );
}

#[test]
fn a_file_is_offered_accepted_and_received_directly_or_by_way_of_the_server() {
    let server = Server::start();
    for (more, via) in [(&[][..], "direct"), (&["--relay-only"][..], "relay")] {
        let (alice_home, bob_home) = (Home::new(), Home::new());
        let names = [format!("Alice-{via}"), format!("Bob-{via}")];
        let address = server.address();
        let mut alice = join(&alice_home, &address, &names[0], more);
        let mut bob = join(&bob_home, &address, &names[1], &["--downloads", "taken"]);
        let contents = contents(3_000_001);
        let path = file(&alice_home, "férias.bin", &contents);
        offer(&mut alice, &names[1], &path);
        assert_eq!(stands(&alice, "queued")["ref"], json!(path));
        let offered = accept(&mut bob);
        assert_eq!(offered["from"], json!(names[0]));
        assert_eq!(
            (&offered["name"], &offered["size"]),
            (&json!("férias.bin"), &json!(3_000_001))
        );
        assert_eq!(stands(&alice, "running")["via"], via);
        assert_eq!(stands(&bob, "running")["via"], via);
        let received = bob.find("received");
        has(&received, &contents);
        let expected = bob_home.file("taken/férias.bin").canonicalize().unwrap();
        assert_eq!(received["path"], json!(expected));
        assert_eq!(
            received["hash"],
            json!(blake3::hash(&contents).to_hex().as_str())
        );
        let state = alice.find("offer_state");
        assert_eq!(
            (&state["state"], &state["ref"]),
            (&json!("received"), &json!(path))
        );
    }
}

#[test]
fn an_offer_waits_for_who_is_away_and_goes_on_after_both_were_killed() {
    let server = Server::start();
    let address = server.address();
    let (alice_home, bob_home) = (Home::new(), Home::new());
    let mut alice = Bot::join(&alice_home, &address, "Alice");
    drop(join(&bob_home, &address, "Bob", &[]));
    let contents = contents(500_000);
    let path = file(&alice_home, "a", &contents);
    offer(&mut alice, "Bob", &path);
    stands(&alice, "queued");
    // Once it is stored, Alice may go as well.
    alice.say(json!({"type": "private", "to": "Bob", "text": "there is a file"}));
    alice.state("stored");
    drop(alice);
    let downloads = ["--downloads", "taken", "--accept-from", "Alice"];
    let bob = join(&bob_home, &address, "Bob", &downloads);
    bob.find("offer");
    stands(&bob, "accepted");
    drop(bob);
    drop(Bot::join(&alice_home, &address, "Alice"));
    let (alice, bob) = (
        Bot::join(&alice_home, &address, "Alice"),
        join(&bob_home, &address, "Bob", &downloads),
    );
    has(&bob.find("received"), &contents);
    stands(&alice, "received");
}

#[test]
fn an_offer_is_declined_taken_back_and_ended_under_way() {
    let server = Server::start();
    let address = server.address();
    let (alice_home, bob_home) = (Home::new(), Home::new());
    let mut alice = Bot::join(&alice_home, &address, "Alice");
    let mut bob = join(&bob_home, &address, "Bob", &["--downloads", "taken"]);
    let path = file(&alice_home, "a", b"contents");
    offer(&mut alice, "Bob", &path);
    let offered = bob.find("offer");
    bob.say(json!({"type": "decline", "offer": offered["offer"]}));
    stands(&alice, "declined");
    stands(&bob, "declined");
    offer(&mut alice, "Bob", &path);
    let offered = bob.find("offer");
    alice.say(json!({"type": "cancel", "offer": offered["offer"]}));
    stands(&bob, "cancelled");
    stands(&alice, "cancelled");
    // Not any more.
    bob.say(json!({"type": "accept", "offer": offered["offer"], "ref": 5}));
    let error = bob.find("error");
    assert_eq!(
        (&error["code"], &error["ref"]),
        (&json!("unknown_offer"), &json!(5))
    );
    // A file that is too large to be done by then.
    let large = alice_home.file("large");
    fs::File::create(&large).unwrap().set_len(1 << 40).unwrap();
    offer(&mut alice, "Bob", &large);
    let offered = accept(&mut bob);
    bob.find("progress");
    bob.say(json!({"type": "cancel", "offer": offered["offer"]}));
    stands(&alice, "cancelled");
    stands(&bob, "cancelled");
    let left = || fs::read_dir(bob_home.file("taken")).unwrap().count();
    let until = std::time::Instant::now() + PATIENCE;
    while left() > 0 {
        assert!(std::time::Instant::now() < until, "something is left");
        std::thread::yield_now();
    }
}

#[test]
fn what_cannot_be_offered_or_taken_is_said() {
    let server = Server::start();
    let address = server.address();
    let (alice_home, bob_home) = (Home::new(), Home::new());
    let mut alice = Bot::join(&alice_home, &address, "Alice");
    let mut bob = join(&bob_home, &address, "Bob", &["--downloads", "taken"]);
    for (path, code) in [
        ("/nowhere/at/all", "unreadable"),
        ("/dev/null", "not_a_file"),
    ] {
        offer(&mut alice, "Bob", Path::new(path));
        let error = alice.find("error");
        assert_eq!(
            (&error["code"], &error["ref"]),
            (&json!(code), &json!(path))
        );
    }
    let path = file(&alice_home, "a", b"contents");
    offer(&mut alice, "ALICE", &path);
    assert_eq!(alice.find("error")["code"], "oneself");
    offer(&mut alice, "Nobody", &path);
    assert_eq!(stands(&alice, "failed")["code"], "unknown_name");
    offer(&mut alice, "Bob", &path);
    stands(&alice, "queued");
    fs::write(&path, b"changed since").unwrap();
    accept(&mut bob);
    assert_eq!(stands(&alice, "failed")["code"], "source_changed");
    assert_eq!(stands(&bob, "failed")["code"], "source_changed");
}

#[test]
fn a_script_sends_files_and_folders_alone_or_beside_an_open_chat() {
    let server = Server::start();
    let address = server.address();
    let (alice_home, bob_home) = (Home::new(), Home::new());
    let bob = join(
        &bob_home,
        &address,
        "Bob",
        &["--downloads", "taken", "--accept-from", "alice"],
    );
    file(&alice_home, "things/inner/one.txt", b"one");
    file(&alice_home, "things/two.txt", b"two");
    file(&alice_home, "alone", b"alone");
    let send = || {
        let send = [
            "send", "--name", "Alice", "--to", "Bob", "--server", &address,
        ];
        let mut command = alice_home.recado(&send);
        command.args(["--file", "things", "alone"]);
        run(&mut command)
    };
    send().says(0, &["things", "received", "alone"]).shows(&[]);
    let alice = Bot::join(&alice_home, &address, "Alice");
    send().says(0, &["received"]);
    for _ in 0..2 {
        stands(&alice, "received");
    }
    let mut paths: Vec<_> = (0..4)
        .map(|_| bob.find("received")["path"].as_str().unwrap().to_owned())
        .collect();
    paths.sort();
    let taken = bob_home.file("taken").canonicalize().unwrap();
    let expected = ["alone", "alone (2)", "things", "things (2)"];
    assert_eq!(
        paths,
        expected.map(|it| taken.join(it).display().to_string())
    );
    assert_eq!(
        fs::read(taken.join("things (2)/inner/one.txt")).unwrap(),
        b"one"
    );
}

#[test]
fn more_than_go_on_at_a_time_wait_for_their_turn() {
    let server = Server::start();
    let address = server.address();
    let (alice_home, bob_home) = (Home::new(), Home::new());
    let mut alice = Bot::join(&alice_home, &address, "Alice");
    let bob = join(
        &bob_home,
        &address,
        "Bob",
        &["--downloads", "taken", "--accept-from", "Alice"],
    );
    let bytes = contents(2_000_000);
    for at in 0..10 {
        let path = file(&alice_home, &format!("{at}"), &bytes);
        offer(&mut alice, "Bob", &path);
    }
    for _ in 0..10 {
        has(&bob.find("received"), &bytes);
    }
    for _ in 0..10 {
        stands(&alice, "received");
    }
}
