//! recado as a service: what systemd is told, what it tells, and an upgrade beneath people who go on talking.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

use crate::common::{
    Authority, Bot, Home, PATIENCE, Pair, Program, Ready, Server, report, run, served, skip,
};
use crate::terminal::AtTerminal;

/// What stands for systemd: it hears what the service says.
struct Manager(UnixDatagram);

impl Manager {
    fn new(home: &Home) -> Self {
        let told = UnixDatagram::bind(home.file("notify")).unwrap();
        told.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(told)
    }

    #[track_caller]
    fn hears(&self) -> String {
        let mut message = [0; 256];
        let length = self.0.recv(&mut message).unwrap();
        String::from_utf8(message[..length].to_vec()).unwrap()
    }
}

fn unit(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/systemd");
    folder.join(name).to_str().unwrap().to_owned()
}

#[test]
fn signs_of_life_are_given_for_as_long_as_the_server_lives() {
    let home = Home::new();
    let manager = Manager::new(&home);
    let mut command = Server::command(&home, &[]);
    command
        .env("NOTIFY_SOCKET", home.file("notify"))
        .env("WATCHDOG_USEC", "100000");
    let mut server = Server::spawn(home, command);
    assert_eq!(manager.hears(), "READY=1\n");
    for _ in 0..5 {
        assert_eq!(manager.hears(), "WATCHDOG=1\n");
    }
    // A process that is stopped is not alive, whatever it was asked.
    server.program.signal(Signal::SIGSTOP);
    manager.0.set_nonblocking(true).unwrap();
    while manager.0.recv(&mut [0; 64]).is_ok() {}
    assert!(manager.0.recv(&mut [0; 64]).is_err());
    manager.0.set_nonblocking(false).unwrap();
    server.program.signal(Signal::SIGCONT);
    assert_eq!(manager.hears(), "WATCHDOG=1\n");
    server.end(Signal::SIGTERM).says(0, &[]);
    while manager.hears() != "STOPPING=1\n" {}
}

fn put(home: &Home, name: &str, pair: &Pair) -> [String; 2] {
    [("cert", &pair.certificate), ("key", &pair.key)].map(|(kind, content)| {
        let file = format!("{name}.{kind}.pem");
        fs::write(home.file(&file), content).unwrap();
        file
    })
}

#[test]
fn settings_and_certificates_are_read_again_and_nobody_is_disturbed() {
    let ca = Authority::new("school CA");
    let [first, second] = [(); 2].map(|()| ca.issue(&["chat.example.org"]));
    let home = Home::new();
    let file = home.file("config.toml");
    let settings = |home: &Home, name: &str, pair: &Pair, more: &str| {
        let [cert, key] = put(home, name, pair);
        format!("[serve]\ncert = \"{cert}\"\nkey = \"{key}\"\n{more}")
    };
    fs::write(&file, settings(&home, "first", &first, "")).unwrap();
    let manager = Manager::new(&home);
    let mut command = Server::command(&home, &[]);
    command.env("NOTIFY_SOCKET", home.file("notify"));
    let changed = settings(&home, "second", &second, "registration = \"open\"\n");
    let mut server = Server::spawn(home, command);
    assert_eq!(manager.hears(), "READY=1\n");
    let leaf = |pair: &Pair| CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap();
    let shown = |server: &Server| served(server.socket(), "chat.example.org", &[]).remove(0);
    assert_eq!(shown(&server), leaf(&first));
    let people = Home::new();
    let mut alice = Bot::join(&people, &server.address(), "Alice");

    let reload = |text: &str, says: &str| {
        fs::write(&file, text).unwrap();
        server.program.signal(Signal::SIGHUP);
        let reloading = manager.hears();
        assert!(
            reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="),
            "{reloading}"
        );
        server.program.stderr.find(says);
        assert_eq!(manager.hears(), "READY=1\n");
    };
    reload(&changed, "registration");
    reload("[serve]\nlisten = 5\n", "the settings stay as they were");
    reload(&changed, "the settings were read again");
    assert_eq!(shown(&server), leaf(&second));
    fs::write(&file, changed.replace("second.key", "first.key")).unwrap();
    server.program.signal(Signal::SIGHUP);
    server.program.stderr.find("do not go together");
    assert_eq!(shown(&server), leaf(&second));

    alice.say_to_all("still here");
    assert_eq!(alice.find("global")["text"], "still here");
    server.end(Signal::SIGTERM).says(0, &[]);
}

#[test]
fn a_terminal_that_is_closed_takes_the_server_with_it() {
    let home = Home::new();
    let mut server = AtTerminal::spawn(&mut Server::command(&home, &[]));
    server.screen.find("recado ready");
    server.signal(Signal::SIGHUP);
    assert_eq!(server.code(), Some(0), "in order, and not by the signal");
}

#[test]
fn the_journal_gets_priorities_and_no_second_clock() {
    let home = Home::new();
    let script = "JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec \"$@\"";
    let mut command = home.clean("sh");
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_recado"), "serve"]);
    command.args(["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"]);
    let mut server = Server::spawn(home, command);
    let line = server.program.stderr.find("metrics are at");
    assert!(line.starts_with("<6>metrics are at http"), "{line}");
    server.end(Signal::SIGTERM);
    // Elsewhere than in the journal a line has its time.
    let mut server = Server::start_with(&["--metrics", "127.0.0.1:0"]);
    let line = server.program.stderr.find("metrics are at");
    assert!(line.starts_with("20") && line.contains(" INFO "), "{line}");
    server.end(Signal::SIGTERM);
}

#[test]
fn the_unit_gives_the_service_as_little_as_it_needs() {
    let test = "the_unit_gives_the_service_as_little_as_it_needs";
    let mut analyze = Command::new("systemd-analyze");
    if analyze.arg("--version").output().is_err() {
        return skip(test, "systemd-analyze not found");
    }
    // In tenths: 2.0 is the most.
    let security = ["security", "--offline=true", "--threshold=20", "--no-pager"];
    let judged = run(Command::new("systemd-analyze")
        .args(security)
        .arg(unit("recado.service")));
    judged.says(0, &[]);
    let verdict = judged.stdout.iter().find(|line| line.contains("Overall"));
    report(verdict.unwrap().trim());
}

/// Holds TCP and UDP on one port, as a socket unit does, and starts a server on them for every line that comes in:
/// the next when the last has ended.
const HOLD: &str = r#"
import os, socket, sys
tcp = socket.socket()
tcp.bind(("127.0.0.1", 0))
tcp.listen(4096)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(tcp.getsockname())
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        for to, of in ((13, tcp), (14, udp)):
            os.dup2(of.fileno(), to)
        for to, of in ((3, 13), (4, 14)):
            os.dup2(of, to)
            os.set_inheritable(to, True)
        os.environ.update(LISTEN_FDS="2", LISTEN_PID=str(os.getpid()))
        os.execv(sys.argv[1], sys.argv[1:])
    print("started", child, flush=True)
    print("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"#;

/// A server that was started on the held sockets: its process, and what it says.
fn started(holder: &mut Program) -> (Pid, Ready) {
    holder.enter("start");
    // The two are said by two processes.
    let (mut pid, mut ready) = (None, None);
    while pid.is_none() || ready.is_none() {
        let line = holder.stdout.next();
        match line.strip_prefix("started ") {
            Some(child) => pid = Some(Pid::from_raw(child.parse().unwrap())),
            None => ready = Some(Ready::parse(&line)),
        }
    }
    (pid.unwrap(), ready.unwrap())
}

fn write(bot: &mut Bot, to: &str, from: usize, count: usize) {
    for number in from..from + count {
        let text = number.to_string();
        bot.say(json!({"type": "private", "to": to, "text": text, "ref": text}));
    }
}

#[test]
fn an_upgrade_loses_no_message_and_everyone_is_back_at_once() {
    let test = "an_upgrade_loses_no_message_and_everyone_is_back_at_once";
    if Command::new("python3").arg("--version").output().is_err() {
        return skip(test, "python3 not found");
    }
    const PART: usize = 50;
    let home = Home::new();
    let mut command = home.clean("python3");
    command.args(["-c", HOLD, env!("CARGO_BIN_EXE_recado"), "serve"]);
    let mut holder = Program::spawn(&mut command);
    let (old, ready) = started(&mut holder);
    let address = ready.tcp[0].to_string();
    let (hers, his) = (Home::new(), Home::new());
    let mut alice = Bot::join(&hers, &address, "Alice");
    let bob = Bot::join(&his, &address, "Bob");
    write(&mut alice, "Bob", 0, PART);
    alice.find_where(|event| event["ref"] == "0" && event["state"] == "delivered");

    // The old one drains while she goes on, and the new one takes its place.
    let since = Instant::now();
    kill(old, Signal::SIGTERM).unwrap();
    write(&mut alice, "Bob", PART, PART);
    holder.stdout.find("ended 0");
    let ended = since.elapsed();
    let (new, again) = started(&mut holder);
    let up = since.elapsed();
    assert_eq!(again.fingerprint, ready.fingerprint);
    let last = (2 * PART - 1).to_string();
    alice.find_where(|event| event["ref"] == *last && event["state"] == "delivered");
    let resumed = since.elapsed();
    report(&format!(
        "an upgrade: the old server has ended after {} ms, the new one is ready after {} ms, and what was written \
         meanwhile is delivered after {} ms",
        ended.as_millis(),
        up.as_millis(),
        resumed.as_millis()
    ));
    write(&mut alice, "Bob", 2 * PART, PART);
    let mut got: Vec<String> = Vec::new();
    while got.len() < 3 * PART {
        let event = bob.find("private");
        assert_ne!(event["replayed"], Value::Bool(true), "{event}");
        got.push(event["text"].as_str().unwrap().to_owned());
    }
    let expected: Vec<String> = (0..3 * PART).map(|number| number.to_string()).collect();
    assert_eq!(got, expected, "each once, in order");
    kill(new, Signal::SIGTERM).unwrap();
    holder.stdout.find("ended 0");
}
