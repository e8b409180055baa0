//! What an operator has: metrics, health, and the system's own way of starting and stopping servers.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::common::{Bot, Home, PATIENCE, Server, run, skip};

/// A request in plain HTTP; the answer's status, and its body.
fn get(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

/// The value of a metric with its labels.
#[track_caller]
fn value(metrics: &str, name: &str) -> f64 {
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {metrics}"))
        .parse()
        .unwrap()
}

#[test]
fn an_operator_sees_what_passes() {
    let server = Server::start_with(&["--metrics", "127.0.0.1:0"]);
    let line = server.program.stderr.find("metrics are at http://");
    let address = line
        .split("http://")
        .nth(1)
        .unwrap()
        .strip_suffix("/metrics")
        .unwrap();
    assert_eq!(get(address, "/healthz"), (200, "alive\n".to_owned()));
    assert_eq!(get(address, "/readyz"), (200, "ready\n".to_owned()));
    assert_eq!(get(address, "/nothing").0, 404);

    let people = Home::new();
    for y in ["2", "0"] {
        let arguments = ["calc", "divide", "1", y, "--server", &server.address()];
        run(&mut people.recado(&arguments));
    }
    let mut alice = Bot::join(&people, &server.address(), "Alice");
    alice.say_to_all("hello");
    alice.find("global");

    let (status, metrics) = get(address, "/metrics");
    assert_eq!(status, 200);
    let route = "route=\"/v1/calc/{operation}\"";
    let requests = |status| format!("recado_http_requests_total{{{route},status=\"{status}\"}}");
    assert_eq!(value(&metrics, &requests(200)), 1.0);
    assert_eq!(value(&metrics, &requests(422)), 1.0);
    let count = format!("recado_http_request_seconds_count{{{route}}}");
    assert_eq!(value(&metrics, &count), 2.0);
    assert_eq!(value(&metrics, "recado_sessions"), 1.0);
    assert!(value(&metrics, "recado_connections") >= 1.0);
    assert!(value(&metrics, "recado_datagrams_received_total") >= 2.0);
    assert!(value(&metrics, "recado_datagrams_sent_total") >= 2.0);
    for nothing in ["recado_connections_refused_total", "recado_hub_queue"] {
        assert_eq!(value(&metrics, nothing), 0.0, "{nothing}");
    }
    assert!(metrics.ends_with("# EOF\n"));

    // Datagrams of nobody's.
    let stranger = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    stranger.send_to(&[1; 64], server.socket()).unwrap();
    let rejected = "recado_datagrams_rejected_total";
    let before = value(&metrics, rejected);
    while value(&get(address, "/metrics").1, rejected) == before {}

    alice.end_input();
    alice.end();
    while value(&get(address, "/metrics").1, "recado_sessions") > 0.0 {}
}

#[test]
fn metrics_are_for_this_machine_alone() {
    let home = Home::new();
    for elsewhere in ["0.0.0.0:9464", "192.0.2.1:9464", "[::]:9464"] {
        run(&mut Server::command(&home, &["--metrics", elsewhere]))
            .says(2, &["no loopback address", elsewhere])
            .shows(&[]);
    }
    for nonsense in ["localhost", "127.0.0.1", "9464"] {
        run(&mut Server::command(&home, &["--metrics", nonsense])).says(2, &["--metrics"]);
    }
}

/// Binds TCP and UDP on one port, or on two, and becomes the server, as systemd does it.
const ACTIVATE: &str = r#"
import os, socket, sys
tcp = socket.socket()
tcp.bind(("127.0.0.1", 0))
tcp.listen()
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", tcp.getsockname()[1] if sys.argv[1] == "pair" else 0))
for to, of in ((13, tcp), (14, udp)):
    os.dup2(of.fileno(), to)
for to, of in ((3, 13), (4, 14)):
    os.dup2(of, to)
    os.set_inheritable(to, True)
os.environ.update(LISTEN_FDS="2", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"#;

fn activated(home: &Home, how: &str) -> Command {
    let mut command = home.clean("python3");
    command.args(["-c", ACTIVATE, how, env!("CARGO_BIN_EXE_recado"), "serve"]);
    command
}

#[test]
fn sockets_that_the_system_hands_over_are_used_and_it_is_told_when_all_is_ready() {
    let test = "sockets_that_the_system_hands_over_are_used_and_it_is_told_when_all_is_ready";
    if Command::new("python3").arg("--version").output().is_err() {
        return skip(test, "python3 not found");
    }
    let home = Home::new();
    let told = UnixDatagram::bind(home.file("notify")).unwrap();
    told.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = activated(&home, "pair");
    command.env("NOTIFY_SOCKET", home.file("notify"));
    let mut server = Server::spawn(home, command);
    let mut message = [0; 64];
    let mut next = || {
        let length = told.recv(&mut message).unwrap();
        String::from_utf8(message[..length].to_vec()).unwrap()
    };
    assert_eq!(next(), "READY=1\n");
    assert_eq!(server.ready.tcp, server.ready.udp);
    let people = Home::new();
    let mut alice = Bot::join(&people, &server.address(), "Alice");
    alice.say_to_all("hello");
    assert_eq!(alice.find("global")["via"], "udp");
    server.end(Signal::SIGTERM).says(0, &[]);
    assert_eq!(next(), "STOPPING=1\n");
}

#[test]
fn sockets_that_are_no_pair_are_refused_and_no_other_port_is_taken() {
    let test = "sockets_that_are_no_pair_are_refused_and_no_other_port_is_taken";
    if Command::new("python3").arg("--version").output().is_err() {
        return skip(test, "python3 not found");
    }
    let home = Home::new();
    run(&mut activated(&home, "apart"))
        .says(1, &["not pairs of TCP and UDP", "ListenDatagram="])
        .shows(&[]);
}
