//! Debian's package, on a machine of the test's own: systemd in namespaces, over a copy of this one's files that is
//! thrown away. Installed, started, used, reloaded, upgraded, removed and purged.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{Bot, Ended, Home, Program, run, skip};

/// Makes the machine, and becomes its systemd. `$1` is a folder of the test's own, `$2` the package.
const BOOT: &str = r#"
set -e
mount -t tmpfs none "$1"
cd "$1"
mkdir up work root
mount -t overlay overlay -o lowerdir=/,upperdir=up,workdir=work root
cp "$2" root/package.deb
cd root
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
mount -t tmpfs -o mode=1777 tmpfs tmp
mkdir dev/pts dev/shm
for device in null zero full random urandom tty; do
    touch "dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
# Nothing of this machine's is started there.
rm -rf etc/systemd/system/*.wants var/lib/recado var/lib/private/recado
ip link set lo up
echo up
exec chroot . env -i container=other PATH="$PATH" LANG=C.UTF-8 /lib/systemd/systemd --unit=basic.target \
    --log-target=journal
"#;

/// Without what other packages do whenever a file is new, as indexing all manuals.
const INSTALL: [&str; 4] = ["dpkg", "--no-triggers", "--install", "/package.deb"];

/// A machine that has been started. Ends with this.
struct Machine {
    holder: Program,
    /// Its systemd.
    systemd: i32,
}

impl Machine {
    /// `None` where that is not permitted.
    fn start(home: &Home, package: &Path) -> Option<Self> {
        let folder = home.file("machine");
        std::fs::create_dir(&folder).unwrap();
        let mut command = Command::new("unshare");
        command.args(["-m", "-p", "-u", "-i", "-n", "-C", "--fork", "--kill-child"]);
        command.args(["--propagation", "private", "sh", "-c", BOOT, "sh"]);
        command.arg(&folder).arg(package);
        let holder = Program::spawn(&mut command);
        if holder.stdout.next_or_end()? != "up" {
            return None;
        }
        let holders = holder.pid();
        let children = format!("/proc/{holders}/task/{holders}/children");
        let children = std::fs::read_to_string(children).unwrap();
        let systemd = children.trim().parse().unwrap();
        let machine = Self { holder, systemd };
        // It answers once it listens; what is not there on this machine may have failed, and is of no concern.
        for _ in 0..600 {
            let state = machine.run(&["systemctl", "is-system-running", "--wait"]);
            if ["running", "degraded"]
                .iter()
                .any(|it| state.stdout == [*it])
            {
                return Some(machine);
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("systemd does not come up");
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        let root = format!("--root=/proc/{}/root", self.systemd);
        let target = self.systemd.to_string();
        command.args([
            "--target", &target, "-m", "-p", "-u", "-i", "-n", "-C", &root,
        ]);
        command.args(["--wd=/", "--", "env", "-i", "HOME=/root", "LANG=C.UTF-8"]);
        command
            .arg("PATH=/usr/sbin:/usr/bin:/sbin:/bin")
            .args(words);
        command
    }

    fn run(&self, words: &[&str]) -> Ended {
        run(&mut self.command(words))
    }

    /// Runs what must succeed.
    #[track_caller]
    fn does(&self, words: &[&str]) -> Vec<String> {
        let ended = self.run(words);
        ended.says(0, &[]);
        ended.stdout
    }

    /// A property of the service.
    fn service(&self, property: &str) -> String {
        let show = ["systemctl", "show", "--value", "-p", property, "recado"];
        self.does(&show).concat()
    }

    fn has(&self, path: &str) -> bool {
        self.run(&["test", "-e", path]).code == 0
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // The first process of a namespace takes all others with it; unshare kills it when it ends.
        self.holder.kill_whole();
    }
}

/// Builds the package of the binary under test.
fn package(home: &Home) -> Option<PathBuf> {
    let xtask = Path::new(env!("CARGO_BIN_EXE_recado")).with_file_name("xtask");
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output = home.file("package");
    let mut command = Command::new(xtask);
    command
        .args([
            "package",
            "--binary",
            env!("CARGO_BIN_EXE_recado"),
            "--output",
        ])
        .arg(&output)
        .env(
            "CARGO_MANIFEST_DIR",
            workspace.canonicalize().unwrap().join("xtask"),
        );
    if command.output().is_err() {
        return None;
    }
    run(&mut command).says(0, &[]);
    let sums = run(home
        .clean("sha256sum")
        .args(["--check", "SHA256SUMS"])
        .current_dir(&output));
    assert_eq!(sums.says(0, &[]).stdout.len(), 3, "{}", sums.transcript);
    let files = std::fs::read_dir(&output).unwrap();
    let mut paths = files.map(|file| file.unwrap().path());
    paths.find(|path| path.extension().is_some_and(|it| it == "deb"))
}

#[test]
fn a_package_is_installed_used_upgraded_and_removed() {
    let test = "a_package_is_installed_used_upgraded_and_removed";
    for (tool, asked) in [("dpkg-deb", "--version"), ("unshare", "--version")] {
        if Command::new(tool).arg(asked).output().is_err() {
            return skip(test, &format!("{tool} not found"));
        }
    }
    if !Path::new("/lib/systemd/systemd").exists() {
        return skip(test, "systemd not found");
    }
    let home = Home::new();
    let Some(package) = package(&home) else {
        return skip(test, "xtask is not built: cargo build --package xtask");
    };
    let Some(machine) = Machine::start(&home, &package) else {
        return skip(test, "no machine of its own is permitted");
    };

    machine.does(&INSTALL);
    assert_eq!(machine.service("ActiveState"), "active");
    let process = machine.service("MainPID");
    let user = machine.does(&["stat", "-c", "%U", &format!("/proc/{process}")]);
    assert_eq!(user, ["recado"], "a user of its own");
    let status = format!("/proc/{process}/status");
    let rights = machine.does(&["grep", "-h", "CapEff\\|NoNewPrivs\\|Seccomp:", &status]);
    let rights: Vec<_> = rights
        .iter()
        .filter_map(|it| it.split('\t').nth(1))
        .collect();
    // CAP_NET_BIND_SERVICE is the eleventh.
    assert_eq!(rights, ["0000000000000400", "1", "2"]);
    machine.does(&["dpkg", "--verify", "recado"]);
    assert!(machine.has("/usr/share/man/pt_BR/man1/recado-serve.1.gz"));

    // It has port 443, and serves it.
    let calc = [
        "recado",
        "calc",
        "divide",
        "1",
        "8",
        "--server",
        "localhost:443",
    ];
    assert_eq!(machine.does(&calc), ["0.125"]);
    let doctor = [
        "recado",
        "doctor",
        "--server",
        "localhost",
        "--output",
        "json",
    ];
    let report = machine.does(&doctor).concat();
    assert!(
        report.contains("\"data_folder\""),
        "the service's own: {report}"
    );
    let chat = [
        "recado",
        "chat",
        "--json",
        "--name",
        "Alice",
        "--server",
        "localhost",
    ];
    let mut alice = Bot::of(Program::spawn(&mut machine.command(&chat)));
    alice.say_to_all("hello");
    assert_eq!(alice.find("global")["via"], "udp");
    // The operator finds the service without being told where it is.
    let people = machine.does(&["recado", "admin", "list", "--here"]);
    assert!(
        people.iter().any(|line| line.starts_with("Alice ")),
        "{people:?}"
    );
    let config = machine.does(&["recado", "config", "--config", "/etc/recado/config.toml"]);
    assert_eq!(config[0], "# /etc/recado/config.toml");

    // New settings, without a new process.
    let setting = "1i trusted-proxy = [\"10.0.0.1\"]";
    machine.does(&["sed", "-i", setting, "/etc/recado/config.toml"]);
    machine.does(&["systemctl", "reload", "recado"]);
    // Its log goes on after the reload was asked for.
    let follow = [
        "journalctl",
        "--unit=recado",
        "--output=cat",
        "--follow",
        "--lines=all",
    ];
    let log = Program::spawn(&mut machine.command(&follow));
    log.stdout.find("the settings were read again");
    drop(log);
    assert_eq!(machine.service("MainPID"), process);

    // Installed again, as an upgrade is: a new process, and she goes on.
    machine.does(&INSTALL);
    assert_ne!(machine.service("MainPID"), process);
    alice.say_to_all("still here");
    alice.find_where(|event| event["type"] == "global" && event["text"] == "still here");
    alice.end_input();
    alice.end().says(0, &[]);

    // The socket unit, which keeps the port while the service is away.
    machine.does(&["systemctl", "stop", "recado"]);
    machine.does(&["systemctl", "start", "recado.socket"]);
    assert_eq!(machine.does(&calc), ["0.125"], "whoever comes starts it");
    assert_eq!(machine.service("ActiveState"), "active");

    machine.does(&["dpkg", "--no-triggers", "--remove", "recado"]);
    assert_eq!(
        machine
            .run(&["systemctl", "is-active", "recado", "recado.socket"])
            .code,
        3
    );
    assert!(!machine.has("/usr/bin/recado"));
    assert!(machine.has("/var/lib/private/recado/root.key"));
    assert!(machine.has("/etc/recado/config.toml"));
    machine.does(&["dpkg", "--no-triggers", "--purge", "recado"]);
    for gone in ["/var/lib/private/recado", "/var/lib/recado", "/etc/recado"] {
        assert!(!machine.has(gone), "{gone}");
    }
}
