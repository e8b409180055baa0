//! `recado doctor` on the server's own machine, and before servers that lie: each fault that is injected is named, and
//! nothing else is.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use recado_proto::alpn;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, Stream};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use crate::common::{Bot, Home, Network, PATIENCE, Program, Server, run, skip};
use crate::doctor::{checks, examine, leave, only_wrong};

/// A namespace of mounts, for as long as this lives: what is mounted in it is mounted nowhere else.
struct Mounts(Program);

impl Mounts {
    /// `None` where that is not permitted.
    fn new() -> Option<Self> {
        Command::new("unshare").arg("-V").output().ok()?;
        let mut command = Command::new("unshare");
        command.args([
            "-m",
            "--propagation",
            "private",
            "sh",
            "-c",
            "echo up; exec cat",
        ]);
        let holder = Program::spawn(&mut command);
        (holder.stdout.next_or_end()? == "up").then_some(Self(holder))
    }

    /// A command, run within.
    fn command(&self, home: &Home, program: &str) -> Command {
        let mut command = home.clean("nsenter");
        command.args(["--target", &self.0.pid().to_string(), "--mount"]);
        command.args(["--", program]);
        command
    }

    /// Mounts something; false where that is not permitted.
    fn mount(&self, home: &Home, arguments: &[&str]) -> bool {
        run(self.command(home, "mount").args(arguments)).code == 0
    }
}

/// The server's machine: its folder is the doctor's own home's, and it listens where it was told.
struct Machine {
    home: Home,
    server: Server,
}

impl Machine {
    /// Starts a server there by this command, whose last words are its arguments.
    fn start(command: impl Fn(&Home, &[&str]) -> Command, prepare: impl Fn(&Home)) -> Self {
        let home = Home::new();
        prepare(&home);
        let data = home.file("server").to_str().unwrap().to_owned();
        let serve = ["serve", "--listen", "127.0.0.1:0", "--data-dir", &data];
        // The server's own home is another: `Server` keeps it.
        let server = Server::spawn(Home::new(), command(&home, &serve));
        Self { home, server }
    }

    /// `recado doctor` there, as the same person.
    fn doctor(&self, mut command: Command) -> Command {
        let address = self.server.address();
        command.args(["doctor", "--server", &address]);
        command.env("RECADO_LISTEN", &address);
        command
    }
}

const HERE: [&str; 11] = [
    "home",
    "disk",
    "name",
    "data_folder",
    "database",
    "port",
    "addresses",
    "tcp",
    "tls",
    "https",
    "clock",
];

#[test]
fn a_healthy_machine_is_ok_on_the_servers_side_too() {
    let machine = Machine::start(|home, words| home.recado(words), |_| {});
    let (report, code) = examine(&mut machine.doctor(machine.home.recado(&[])));
    assert_eq!(code, 0, "{report}");
    assert_eq!(checks(&report, "ok")[..HERE.len()], HERE, "{report}");
    assert_eq!(checks(&report, "wrong"), [""; 0]);

    // Ended: the port is free, and what is wrong is that nobody serves.
    let address = machine.server.address();
    let Machine { home, server } = machine;
    drop(server.stop());
    let mut doctor = home.recado(&["doctor", "--server", &address]);
    let (report, code) = examine(doctor.env("RECADO_LISTEN", &address));
    assert_eq!((code, only_wrong(&report)), (1, ("tcp", "recado serve")));
    assert!(checks(&report, "ok").contains(&"port"), "{report}");
}

#[test]
fn a_folder_that_cannot_be_written_is_named_alone() {
    let test = "a_folder_that_cannot_be_written_is_named_alone";
    let Some(mounts) = Mounts::new() else {
        return skip(test, "no mounts of its own are permitted");
    };
    let machine = Machine::start(|home, words| home.recado(words), |_| {});
    let folder = machine.home.file("server");
    let folder = folder.to_str().unwrap();
    let read_only = mounts.mount(&machine.home, &["--bind", folder, folder])
        && mounts.mount(&machine.home, &["-o", "remount,bind,ro", folder]);
    if !read_only {
        return skip(test, "nothing can be mounted");
    }
    let doctor = mounts.command(&machine.home, env!("CARGO_BIN_EXE_recado"));
    let (report, code) = examine(&mut machine.doctor(doctor));
    assert_eq!(code, 1, "{report}");
    let (wrong, remedy) = only_wrong(&report);
    assert_eq!(wrong, "data_folder", "{report}");
    assert!(remedy.starts_with("sudo mount -o remount,rw"), "{remedy}");

    // The client's own, in the same way; then nothing else can be looked at.
    let folder = machine.home.file("client");
    let folder = folder.to_str().unwrap();
    assert!(mounts.mount(&machine.home, &["--bind", folder, folder]));
    assert!(mounts.mount(&machine.home, &["-o", "remount,bind,ro", folder]));
    let doctor = mounts.command(&machine.home, env!("CARGO_BIN_EXE_recado"));
    let (report, code) = examine(&mut machine.doctor(doctor));
    assert_eq!((code, only_wrong(&report).0), (1, "home"), "{report}");
}

#[test]
fn a_full_disk_is_named_alone() {
    let test = "a_full_disk_is_named_alone";
    let Some(mounts) = Mounts::new() else {
        return skip(test, "no mounts of its own are permitted");
    };
    let recado = env!("CARGO_BIN_EXE_recado");
    let home = Home::new();
    let folder = home.file("server");
    fs::create_dir(&folder).unwrap();
    let folder = folder.to_str().unwrap();
    if !mounts.mount(
        &home,
        &["-t", "tmpfs", "-o", "size=32m,mode=700", "none", folder],
    ) {
        return skip(test, "nothing can be mounted");
    }
    let mut serve = mounts.command(&home, recado);
    serve.args(["serve", "--listen", "127.0.0.1:0", "--data-dir", folder]);
    let machine = Machine {
        server: Server::spawn(Home::new(), serve),
        home,
    };
    leave(Bot::join(&machine.home, &machine.server.address(), "Alice"));
    let doctor = || machine.doctor(mounts.command(&machine.home, recado));
    let (report, code) = examine(&mut doctor());
    assert_eq!(code, 0, "{report}");
    let filled = Path::new(folder).join("filled");
    let fill = format!("head -c 64m /dev/zero > '{}'; true", filled.display());
    run(mounts.command(&machine.home, "sh").args(["-c", &fill]));
    let (report, code) = examine(&mut doctor());
    let (wrong, remedy) = only_wrong(&report);
    assert_eq!((code, wrong), (1, "disk"), "{report}");
    assert!(remedy.starts_with("du -xh"), "{remedy}");
    // What cannot be told apart from it is not judged.
    assert_eq!(checks(&report, "untested"), ["session"]);
}

#[test]
fn what_others_may_read_and_what_is_damaged_is_named() {
    use std::os::unix::fs::PermissionsExt;

    let machine = Machine::start(|home, words| home.recado(words), |_| {});
    let key = machine.home.file("server/root.key");
    let mode = |mode| fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o644);
    let (report, code) = examine(&mut machine.doctor(machine.home.recado(&[])));
    let (wrong, remedy) = only_wrong(&report);
    assert_eq!((code, wrong), (1, "data_folder"), "{report}");
    // The command that it names mends it.
    run(machine.home.clean("sh").args(["-c", remedy])).says(0, &[]);
    let (report, code) = examine(&mut machine.doctor(machine.home.recado(&[])));
    assert_eq!(code, 0, "{report}");

    let address = machine.server.address();
    let Machine { home, server } = machine;
    drop(server.stop());
    let database = home.file("server/recado.db");
    let mut bytes = fs::read(&database).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4096].fill(0x55);
    fs::write(&database, bytes).unwrap();
    let mut doctor = home.recado(&["doctor", "--server", &address]);
    let (report, code) = examine(doctor.env("RECADO_LISTEN", &address));
    assert_eq!((code, only_wrong(&report).0), (1, "database"), "{report}");
    assert_eq!(checks(&report, "untested"), ["tcp"]);
}

#[test]
fn a_port_that_is_denied_or_taken_is_named_with_who_has_it() {
    let test = "a_port_that_is_denied_or_taken_is_named_with_who_has_it";
    let Some(network) = Network::new() else {
        return skip(test, "no network of its own is permitted");
    };
    let without = [
        "setpriv",
        "--bounding-set",
        "-net_bind_service",
        "--inh-caps",
        "-net_bind_service",
    ];
    if network.with_user || Command::new("setpriv").arg("-V").output().is_err() {
        return skip(test, "the right to 443 cannot be given up");
    }
    let mut server = network.serve(&without, &[]);
    assert_eq!(server.ready.tcp[0].port(), 8443);
    let data = server.ready.data.to_str().unwrap().to_owned();
    let home = Home::new();
    let doctor = ["doctor", "--server", "127.0.0.1", "--data-dir", &data];
    let examined = |before: &[&str], port: &str| {
        let mut command = network.recado(&home, before, &doctor);
        command.env("RECADO_LISTEN", port);
        examine(&mut command)
    };
    let (report, code) = examine(&mut network.recado(&home, &without, &doctor));
    let (wrong, remedy) = only_wrong(&report);
    assert_eq!((code, wrong), (1, "port"), "{report}");
    assert!(remedy.starts_with("sudo setcap cap_net_bind_service"));
    // Who is content with the other port says so, and all is well.
    let (report, code) = examined(&without, "0.0.0.0:8443");
    assert_eq!(code, 0, "{report}");
    server.end(Signal::SIGTERM).says(0, &[]);

    // One that cannot start for it: that it does not run is no second fault.
    let (report, code) = examined(&without, "0.0.0.0:443");
    assert_eq!((code, only_wrong(&report).0), (1, "port"), "{report}");
    assert_eq!(checks(&report, "untested"), ["tcp"]);

    if Command::new("python3").arg("--version").output().is_err() {
        return skip(test, "python3 not found");
    }
    let listen = "import socket, sys; s = socket.socket(); s.bind(('', 443)); s.listen(); \
        print('up', flush=True); sys.stdin.read()";
    let mut other = network.enter(home.clean("nsenter"));
    other.args(["python3", "-c", listen]);
    let other = Program::spawn(&mut other);
    assert_eq!(other.stdout.next(), "up");
    // Not at 443 itself, where whoever listens would be waited for.
    let doctor = ["doctor", "--server", "127.0.0.1:9", "--data-dir", &data];
    let mut command = network.recado(&home, &[], &doctor);
    let (report, code) = examine(command.env("RECADO_LISTEN", "0.0.0.0:443"));
    let (wrong, remedy) = only_wrong(&report);
    assert_eq!((code, wrong), (1, "port"), "{report}");
    assert_eq!(remedy, format!("sudo kill {}", other.pid()));
    let mut found = report["checks"].as_array().unwrap().iter();
    let port = found.find(|check| check["check"] == "port").unwrap();
    let detail = port["detail"].as_str().unwrap();
    assert!(detail.contains("python3"), "{detail}");
}

#[test]
fn a_way_that_is_too_narrow_for_datagrams_is_named() {
    let test = "a_way_that_is_too_narrow_for_datagrams_is_named";
    let Some(network) = Network::new() else {
        return skip(test, "no network of its own is permitted");
    };
    if network.ip("link set lo mtu 1000").is_none() {
        return skip(test, "ip cannot set an MTU");
    }
    let server = network.serve(&[], &["--listen", "127.0.0.1:0"]);
    let home = Home::new();
    leave(network.join(&home, &server, "Alice"));
    let doctor = ["doctor", "--server", &server.address()];
    let (report, code) = examine(&mut network.recado(&home, &[], &doctor));
    let (wrong, remedy) = only_wrong(&report);
    assert_eq!((code, wrong), (1, "mtu"), "{report}");
    assert!(remedy.contains("mtu 1500"), "{remedy}");
}

/// A server that speaks recado's HTTPS, and says what it is told to of its clock and its version.
fn lying_server(clock: Duration, version: &'static str) -> SocketAddr {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "root");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let root = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["recado.internal".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone(), root.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
        .unwrap();
    config.alpn_protocols = vec![alpn::HTTP.to_vec()];
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for tcp in listener.incoming() {
            let mut tcp = tcp.unwrap();
            tcp.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut tls = ServerConnection::new(config.clone()).unwrap();
            let mut stream = Stream::new(&mut tls, &mut tcp);
            let mut request = Vec::new();
            let mut byte = [0; 1];
            while !request.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                request.push(byte[0]);
            }
            let body = if request.starts_with(b"GET /openapi.json ") {
                format!("{{\"info\":{{\"version\":\"{version}\"}}}}")
            } else {
                "0.3".to_owned()
            };
            let date = OffsetDateTime::from(SystemTime::now() + clock);
            let date = date.format(&Rfc2822).unwrap().replace("+0000", "GMT");
            // Whoever only looked at the certificate is gone.
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ndate: {date}\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.flush();
        }
    });
    address
}

#[test]
fn a_clock_that_is_wrong_and_a_version_that_is_old_are_named() {
    let ours = env!("CARGO_PKG_VERSION");
    let home = Home::new();
    let examined = |clock, version| {
        let address = lying_server(clock, version).to_string();
        examine(&mut home.recado(&["doctor", "--server", &address]))
    };
    let (report, code) = examined(Duration::ZERO, ours);
    assert_eq!(code, 0, "{report}");

    let (report, code) = examined(Duration::from_secs(2 * 60 * 60), ours);
    let ntp = "sudo timedatectl set-ntp true";
    assert_eq!((code, only_wrong(&report)), (1, ("clock", ntp)));
    let mut found = report["checks"].as_array().unwrap().iter();
    let clock = found.find(|check| check["check"] == "clock").unwrap();
    let detail = clock["detail"].as_str().unwrap();
    assert!(
        detail.contains("7200 s ahead") || detail.contains("7199 s ahead"),
        "{detail}"
    );

    for version in ["0.0.9", "9.0.0"] {
        let (report, code) = examined(Duration::ZERO, version);
        let newest = if version == "9.0.0" { version } else { ours };
        let remedy = format!("sudo apt install ./recado_{newest}_amd64.deb");
        assert_eq!((code, only_wrong(&report)), (1, ("version", &*remedy)));
    }
}
