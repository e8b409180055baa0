//! A network of the test's own, with a packet filter where there is one.

use std::process::Command;

use super::{Bot, Home, Program, Server, run_with};

/// An empty network with a loopback, for as long as this lives.
pub(crate) struct Network {
    holder: Program,
    /// Made in a user namespace: one who is not the superuser.
    pub(crate) with_user: bool,
}

impl Network {
    /// `None` where that is not permitted, or the tools are missing.
    pub(crate) fn new() -> Option<Self> {
        for tool in ["unshare", "nsenter", "ip"] {
            Command::new(tool).arg("-V").output().ok()?;
        }
        let with_user = !nix::unistd::geteuid().is_root();
        let flags = if with_user { "-rn" } else { "-n" };
        let mut command = Command::new("unshare");
        // Holds the network until its standard input ends, at the latest with the test.
        command.args([
            flags,
            "sh",
            "-c",
            "ip link set lo up && echo up && exec cat",
        ]);
        let holder = Program::spawn(&mut command);
        (holder.stdout.next_or_end()? == "up").then_some(Self { holder, with_user })
    }

    /// Two networks with a cable between them, `10.77.0.1` at the first's end and `10.77.0.2` at the other's. `None`
    /// where that is not permitted.
    pub(crate) fn pair() -> Option<[Self; 2]> {
        let (one, other) = (Self::new()?, Self::new()?);
        // Without rights here, neither can reach the other's.
        if one.with_user {
            return None;
        }
        let peer = other.holder.pid().to_string();
        one.ip(&format!(
            "link add cable type veth peer name cable netns {peer}"
        ))?;
        for (network, address) in [(&one, "10.77.0.1/24"), (&other, "10.77.0.2/24")] {
            network.ip(&format!("addr add {address} dev cable"))?;
            network.ip("link set cable up")?;
        }
        Some([one, other])
    }

    /// `ip`, within the network; `None` if it fails.
    pub(crate) fn ip(&self, words: &str) -> Option<()> {
        let mut command = self.enter(Command::new("nsenter"));
        command.arg("ip").args(words.split(' '));
        (run_with(&mut command, "").code == 0).then_some(())
    }

    /// The program, within the network.
    pub(crate) fn recado(&self, home: &Home, before: &[&str], arguments: &[&str]) -> Command {
        let mut command = self.enter(home.clean("nsenter"));
        command
            .args(before)
            .arg(env!("CARGO_BIN_EXE_recado"))
            .args(arguments);
        command
    }

    pub(crate) fn serve(&self, before: &[&str], arguments: &[&str]) -> Server {
        let home = Home::new();
        let command = self.recado(&home, before, &[&["serve"], arguments].concat());
        Server::spawn(home, command)
    }

    /// A chat for a program, within the network.
    pub(crate) fn join(&self, home: &Home, server: &Server, name: &str) -> Bot {
        self.join_at(home, &server.address(), name, &[])
    }

    /// The same at an address, with further arguments.
    pub(crate) fn join_at(&self, home: &Home, server: &str, name: &str, more: &[&str]) -> Bot {
        let chat = ["chat", "--json", "--name", name, "--server", server];
        let mut command = self.recado(home, &[], &[&chat, more].concat());
        Bot::of(Program::spawn(&mut command))
    }

    /// Replaces the packet filter's rules for what comes in. False where there is no filter.
    pub(crate) fn filter(&self, rules: &[String]) -> bool {
        let mut script = String::from("table inet t\ndelete table inet t\n");
        script.push_str("table inet t { chain c { type filter hook input priority 0;\n");
        for rule in rules {
            script.push_str(rule);
            script.push('\n');
        }
        script.push_str("}\n}\n");
        let mut nft = self.enter(Command::new("nsenter"));
        nft.args(["nft", "-f", "-"]);
        run_with(&mut nft, &script).code == 0
    }

    /// Makes `nsenter` go into the network, to run what is added to it.
    pub(crate) fn enter(&self, mut command: Command) -> Command {
        command.args(["--target", &self.holder.pid().to_string(), "--net"]);
        if self.with_user {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.arg("--");
        command
    }
}
