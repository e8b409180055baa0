//! Servers that announce themselves, in networks of the tests' own: found, and given no trust.

use std::process::Command;

use crate::common::{Home, Network, Program, Server, run, skip};
use crate::terminal::AtTerminal;

/// Where the server is, seen from the other network.
const SERVER: &str = "10.77.0.1:8443";

fn serve(network: &Network, arguments: &[&str]) -> Server {
    let listen = ["--listen", "0.0.0.0:8443"];
    network.serve(&[], &[&listen, arguments].concat())
}

/// Someone at a terminal who names no server.
fn chat(network: &Network, home: &Home) -> AtTerminal {
    let chat = ["chat", "--name", "Alice", "--plain", "--lang", "en"];
    AtTerminal::spawn(&mut network.recado(home, &[], &chat))
}

/// Someone who is shown servers, and the list up to a line that has this. An announcement may take a moment: who is
/// shown none, or is with the one used last already, leaves and comes again.
#[track_caller]
fn list(network: &Network, home: &Home, end: &str) -> (AtTerminal, Vec<String>) {
    for _ in 0..30 {
        let mut person = chat(network, home);
        let first = person.screen.next();
        if first.contains("Servers on this network") {
            let mut lines = vec![person.screen.next()];
            while !lines.iter().any(|line| line.contains(end)) {
                lines.push(person.screen.next());
            }
            return (person, lines);
        }
        if first.contains("used last") {
            person.screen.find("You are Alice");
            person.enter("/quit");
        } else {
            assert!(first.contains("No server announces itself"), "{first}");
            person.enter("\u{4}");
        }
        person.code();
    }
    panic!("no server is ever found");
}

#[test]
fn a_server_is_found_from_another_network_and_trusted_by_nobody_for_that() {
    let test = "a_server_is_found_from_another_network_and_trusted_by_nobody_for_that";
    let Some([there, here]) = Network::pair() else {
        return skip(test, "two networks with a cable are not permitted");
    };
    let server = serve(&there, &[]);
    let home = Home::new();

    let (mut alice, lines) = list(&here, &home, SERVER);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains(&server.ready.fingerprint), "{lines:?}");
    // The question is as for any other server; who says no has told nobody anything.
    alice.enter("1");
    alice.screen.find("is not known here yet");
    alice.screen.find(&server.ready.fingerprint);
    alice.enter("n");
    assert_eq!(alice.code(), Some(4));
    run(&mut here.recado(&home, &[], &["trust", "list"]))
        .says(0, &[])
        .shows(&[]);

    let (mut alice, _) = list(&here, &home, SERVER);
    alice.enter("");
    alice.screen.find("is not known here yet");
    alice.enter("y");
    alice.screen.find("You are Alice");
    alice.enter("/quit");
    assert_eq!(alice.code(), Some(0));

    // Known, and the only one: nothing is asked.
    let mut alice = chat(&here, &home);
    alice.screen.find("the server used last");
    alice.screen.find("You are Alice");
    alice.enter("/quit");
    assert_eq!(alice.code(), Some(0));

    // Another one, beside it.
    let second = there.serve(&[], &["--listen", "0.0.0.0:9443"]);
    let (mut alice, lines) = list(&here, &home, ":9443");
    assert!(lines[0].contains(SERVER) && lines[0].contains("used last"));
    assert!(lines[1].contains("10.77.0.1:9443"), "{lines:?}");
    alice.enter("2");
    alice.screen.find(&second.ready.fingerprint);
    alice.enter("n");
    alice.code();
}

#[test]
fn a_server_that_says_nothing_is_not_found_and_any_address_can_be_typed() {
    let test = "a_server_that_says_nothing_is_not_found_and_any_address_can_be_typed";
    let Some([there, here]) = Network::pair() else {
        return skip(test, "two networks with a cable are not permitted");
    };
    let _server = serve(&there, &["--no-discovery"]);
    let home = Home::new();
    let mut alice = chat(&here, &home);
    alice.screen.find("No server announces itself");
    alice.enter("no address at all");
    alice.screen.find("no address");
    alice.enter(SERVER);
    alice.screen.find("is not known here yet");
    alice.enter("y");
    alice.screen.find("You are Alice");
    alice.enter("/quit");
    assert_eq!(alice.code(), Some(0));
}

/// Answers of multicast DNS that nobody should believe: as many servers as asked for, with names that would draw on a
/// terminal, over and over until it is ended.
const FLOOD: &str = r#"
import socket, struct, sys, time
def name(*labels):
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
def record(owner, kind, data):
    return owner + struct.pack("!HHIH", kind, 1, 4500, len(data)) + data
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
out.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
out.bind((sys.argv[1], 5353))
out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(sys.argv[1]))
service = name(b"_recado", b"_tcp", b"local")
print("flooding", flush=True)
while True:
    for at in range(int(sys.argv[2])):
        label = ("\x1b[2J\x1b]0;owned\x07\u202etrusted\n%d" % at).encode()
        instance = bytes([len(label)]) + label + service
        host = name(b"host%d" % at, b"local")
        address = bytes([10, 77, 0, at % 250 + 3])
        text = b"v=1", b"fp=SHA256:" + b"\x1b" * 200
        records = [record(service, 12, instance)] if sys.argv[3] == "pointed" else []
        records += [
            record(instance, 33, struct.pack("!HHH", 0, 0, 1 + at) + host),
            record(instance, 16, b"".join(bytes([len(t)]) + t for t in text)),
            record(host, 1, address),
        ]
        header = struct.pack("!HHHHHH", 0, 0x8400, 0, len(records), 0, 0)
        out.sendto(header + b"".join(records), ("224.0.0.251", 5353))
        if at % 100 == 0:
            # Whoever is flooded gets some of the processor too.
            time.sleep(0.02)
"#;

fn flood(network: &Network, from: &str, count: &str, kind: &str) -> Program {
    let mut command = network.enter(Home::new().clean("nsenter"));
    command.current_dir("/");
    command.args(["python3", "-c", FLOOD, from, count, kind]);
    let flood = Program::spawn(&mut command);
    assert_eq!(flood.stdout.next(), "flooding");
    flood
}

#[test]
fn thousands_of_false_servers_are_bounded_and_draw_nothing() {
    let test = "thousands_of_false_servers_are_bounded_and_draw_nothing";
    if Command::new("python3").arg("--version").output().is_err() {
        return skip(test, "python3 not found");
    }
    let Some([there, here]) = Network::pair() else {
        return skip(test, "two networks with a cable are not permitted");
    };
    let mut server = serve(&there, &[]);
    let mut flood_of_servers = flood(&here, "10.77.0.2", "3000", "pointed");
    let home = Home::new();
    let (mut alice, lines) = list(&here, &home, "and ");
    // Sixteen servers, and how many more.
    assert_eq!(lines.len(), 17, "{lines:#?}");
    for line in &lines {
        let draws = |c: char| (c.is_control() && c != '\r') || c == '\u{202e}';
        assert!(!line.contains(draws), "{line:?}");
        assert!(!line.contains("SHA256"), "no fingerprint is one: {line}");
    }
    alice.enter(SERVER);
    alice.screen.find("is not known here yet");
    alice.enter("y");
    alice.screen.find("You are Alice");
    alice.enter("/quit");
    assert_eq!(alice.code(), Some(0));
    flood_of_servers.kill_whole();
    drop(flood_of_servers);

    // What nobody asked for does not fill the server's memory, and it serves on.
    let flood_of_records = flood(&here, "10.77.0.2", "20000", "unasked");
    server.program.stderr.find("flooded with announcements");
    drop(flood_of_records);
    let mut alice = here.join_at(&home, SERVER, "Alice", &[]);
    alice.say_to_all("still here");
    alice.find("global");
    server.end(nix::sys::signal::Signal::SIGTERM).says(0, &[]);
}
