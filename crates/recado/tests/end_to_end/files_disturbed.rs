//! Files that arrive whole whatever ends in between, and whatever the network does.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::signal::Signal;
use serde_json::json;

use super::common::{Bot, Home, Network, PATIENCE, Program, Server, report, skip};
use super::files::{contents, file, offer, stands};

/// Kills of one run.
const KILLS: u64 = 8;

/// Bytes of the file: some hundred milliseconds of a test's build.
const LARGE: usize = 96 << 20;

fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn chat(home: &Home, server: &str, name: &str) -> Program {
    let mut command = home.recado(&["chat", "--json", "--name", name, "--server", server]);
    if name == "Bob" {
        command.args(["--downloads", "taken", "--accept-from", "Alice"]);
    }
    Program::spawn(&mut command)
}

#[test]
fn a_file_arrives_once_and_whole_whoever_is_killed() {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = since.as_nanos() as u64 | 1;
    let mut state = seed;
    report(&format!("the seed of the kills is {seed}"));
    let (alice_home, bob_home) = (Home::new(), Home::new());
    let mut server = Server::start();
    let (address, listen) = (server.address(), server.address());
    // Names are claimed while nobody is killed.
    drop(Bot::of(chat(&bob_home, &address, "Bob")));
    let bytes = contents(LARGE);
    let path = file(&alice_home, "large.bin", &bytes);
    let mut alice = Bot::of(chat(&alice_home, &address, "Alice"));
    offer(&mut alice, "Bob", &path);
    stands(&alice, "queued");
    let mut alice = Some(alice);
    let mut bob = Some(Bot::of(chat(&bob_home, &address, "Bob")));
    for _ in 0..KILLS {
        sleep(Duration::from_millis(random(&mut state) % 250));
        match random(&mut state) % 3 {
            0 => {
                server.end(Signal::SIGKILL).says(137, &[]);
                let home = server.home();
                let command = Server::command(&home, &["--listen", &listen]);
                server = Server::spawn(home, command);
            }
            // The old one is dead before the new one begins: it holds the lock.
            1 => {
                drop(alice.take());
                alice = Some(Bot::of(chat(&alice_home, &address, "Alice")));
            }
            _ => {
                drop(bob.take());
                bob = Some(Bot::of(chat(&bob_home, &address, "Bob")));
            }
        }
    }
    let (mut alice, mut bob) = (alice.unwrap(), bob.unwrap());
    // Neither has anything left to do.
    let until = Instant::now() + PATIENCE;
    for bot in [&mut alice, &mut bob] {
        loop {
            bot.say(json!({"type": "offers"}));
            let offers = bot.find("offers");
            if offers["items"].as_array().unwrap().is_empty() {
                break;
            }
            assert!(Instant::now() < until, "{offers}; seed {seed}");
            sleep(Duration::from_millis(100));
        }
    }
    let taken = fs::read_dir(bob_home.file("taken")).unwrap();
    let names: Vec<_> = taken.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["large.bin"], "seed {seed}");
    let received = fs::read(bob_home.file("taken/large.bin")).unwrap();
    assert!(received == bytes, "other contents; seed {seed}");
}

#[test]
fn a_file_arrives_in_spite_of_losses_and_a_partition() {
    let test = "a_file_arrives_in_spite_of_losses_and_a_partition";
    let Some(network) = Network::new() else {
        return skip(test, "no network namespace");
    };
    if !network.filter(&[]) {
        return skip(test, "no packet filter");
    }
    let server = network.serve(&[], &["--listen", "127.0.0.1:0"]);
    let address = server.address();
    let (alice_home, bob_home) = (Home::new(), Home::new());
    let more = [
        "--relay-only",
        "--downloads",
        "taken",
        "--accept-from",
        "Alice",
    ];
    let mut alice = network.join_at(&alice_home, &address, "Alice", &more);
    let bob = network.join_at(&bob_home, &address, "Bob", &more);
    let bytes = contents(24 << 20);
    let path = file(&alice_home, "a.bin", &bytes);
    let losses = "meta l4proto tcp numgen random mod 100 < 2 drop".to_owned();
    assert!(network.filter(std::slice::from_ref(&losses)));
    offer(&mut alice, "Bob", &path);
    stands(&bob, "running");
    // For longer than either side waits for an answer of the server.
    assert!(network.filter(&["meta l4proto tcp drop".to_owned()]));
    sleep(Duration::from_secs(4));
    assert!(network.filter(&[losses]));
    let received = bob.find("received");
    assert!(fs::read(received["path"].as_str().unwrap()).unwrap() == bytes);
    stands(&alice, "received");
}

/// Bob, whose folder for downloads is a disk of 12 MiB. `None` where no disk can be had.
fn join_with_small_disk(home: &Home, server: &str) -> Option<Bot> {
    fs::create_dir(home.file("taken")).unwrap();
    let is_root = nix::unistd::geteuid().is_root();
    let mut command = home.clean("unshare");
    command.args([
        if is_root { "-m" } else { "-rm" },
        "sh",
        "-c",
        "mount -t tmpfs -o size=12m none taken || exit 99; exec \"$@\"",
        "sh",
        env!("CARGO_BIN_EXE_recado"),
    ]);
    command.args(["chat", "--json", "--name", "Bob", "--server", server]);
    command.args(["--downloads", "taken"]);
    let mut program = Program::spawn(&mut command);
    match program.stdout.next_or_end() {
        Some(ready) if ready.contains("ready") => Some(Bot::of_ready(program, &ready)),
        _ => {
            program.kill_whole();
            None
        }
    }
}

#[test]
fn a_disk_that_has_no_room_is_said_before_and_waited_for_on_the_way() {
    let test = "a_disk_that_has_no_room_is_said_before_and_waited_for_on_the_way";
    let server = Server::start();
    let address = server.address();
    let (alice_home, bob_home) = (Home::new(), Home::new());
    let Some(mut bob) = join_with_small_disk(&bob_home, &address) else {
        return skip(test, "no disk of its own");
    };
    let mut alice = Bot::of(chat(&alice_home, &address, "Alice"));
    let too_large = file(&alice_home, "too large", &contents(20 << 20));
    offer(&mut alice, "Bob", &too_large);
    let offered = bob.find("offer");
    bob.say(json!({"type": "accept", "offer": offered["offer"], "ref": 1}));
    let error = bob.find("error");
    assert_eq!(
        (&error["code"], &error["ref"]),
        (&json!("no_room"), &json!(1))
    );
    // There is room when it is accepted, and none when it comes.
    let bytes = contents(8 << 20);
    let fits = file(&alice_home, "fits", &bytes);
    offer(&mut alice, "Bob", &fits);
    let offered = bob.find("offer");
    drop(alice);
    bob.say(json!({"type": "accept", "offer": offered["offer"]}));
    stands(&bob, "accepted");
    let disk = format!(
        "/proc/{}/root{}",
        bob.pid(),
        bob_home.file("taken").display()
    );
    fs::write(format!("{disk}/other"), vec![7; 6 << 20]).unwrap();
    let alice = Bot::of(chat(&alice_home, &address, "Alice"));
    let full =
        |event: &serde_json::Value| event["state"] == "waiting" && event["code"] == "disk_full";
    bob.find_where(full);
    alice.find_where(full);
    fs::remove_file(format!("{disk}/other")).unwrap();
    bob.find("received");
    assert!(fs::read(format!("{disk}/fits")).unwrap() == bytes);
}
