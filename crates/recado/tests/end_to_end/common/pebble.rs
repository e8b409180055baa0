//! A CA that speaks ACME: Pebble, and a DNS server under which every name is this machine.

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::Command;

use serde_json::json;

use super::{Authority, Home, Program};

/// A name that it does not issue for.
pub(crate) const REFUSED: &str = "refused.example";

/// A running CA. Killed when dropped.
pub(crate) struct Pebble {
    _program: Program,
    pub(crate) directory: String,
    /// By which its own HTTPS is trusted.
    pub(crate) root: PathBuf,
    _names: Program,
    _home: Home,
}

impl Pebble {
    /// A CA that asks at a port, and whose certificates live for so many seconds. `None` where there is no Pebble.
    pub(crate) fn start(asks_at: u16, seconds: u64) -> Option<Self> {
        for tool in ["pebble", "pebble-challtestsrv"] {
            Command::new(tool).arg("-help").output().ok()?;
        }
        let home = Home::new();
        let own = Authority::new("pebble's own");
        let pair = own.issue(&["localhost"]);
        for (name, content) in [
            ("root.pem", &own.root_pem),
            ("cert.pem", &pair.certificate),
            ("key.pem", &pair.key),
        ] {
            fs::write(home.file(name), content).unwrap();
        }
        let names_at = format!("127.0.0.1:{}", free_for_both());
        let mut command = home.clean("pebble-challtestsrv");
        command.args(["-dns01", &names_at, "-defaultIPv6", ""]);
        command.args([
            "-http01",
            "",
            "-https01",
            "",
            "-tlsalpn01",
            "",
            "-management",
            "",
        ]);
        let names = Program::spawn(&mut command);

        let port = free_for_both();
        let config = json!({"pebble": {
            "listenAddress": format!("127.0.0.1:{port}"),
            "managementListenAddress": "",
            "certificate": home.file("cert.pem"),
            "privateKey": home.file("key.pem"),
            "httpPort": 1,
            "tlsPort": asks_at,
            "domainBlocklist": [REFUSED],
            "certificateValidityPeriod": seconds,
        }});
        fs::write(home.file("config.json"), config.to_string()).unwrap();
        let mut command = home.clean("pebble");
        command
            .args(["-config", "config.json", "-dnsserver", &names_at])
            .env("PEBBLE_VA_NOSLEEP", "1");
        let program = Program::spawn(&mut command);
        program.stdout.find("Listening on");
        Some(Self {
            _program: program,
            directory: format!("https://localhost:{port}/dir"),
            root: home.file("root.pem"),
            _names: names,
            _home: home,
        })
    }
}

/// A port that is free now. Pebble cannot be given the socket itself.
pub(crate) fn free_for_both() -> u16 {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        if UdpSocket::bind(address).is_ok() {
            return address.port();
        }
    }
}
