//! A file from one to another, in memory-backed folders: recado directly and by way of its server, beside the least
//! program that seals as much, scp, magic-wormhole through its own relay, and haproxy from TLS to TLS.

mod ends;
mod latency;
pub(crate) mod reference;

use std::fs::{self, File};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use self::ends::{Chat, Round, listens, used, wait};
use crate::certificate::Certificate;
use crate::page::{Section, table};
use crate::process::{ServerProcess, Workshop, free_address};
use crate::{machine, packages, recado_binary};

const SECTION: Section = Section {
    name: "files",
    heading: "Files",
};

const MIB: usize = 1024;
const ROUNDS: usize = 5;

/// What Python moves in a round: it takes ten times as long as the others.
const WORMHOLE_MIB: usize = 128;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// MiB of the file
    #[arg(long, value_name = "N", default_value_t = MIB)]
    mib: usize,
    /// How often each is measured; the median counts
    #[arg(long, value_name = "N", default_value_t = ROUNDS)]
    rounds: usize,
    /// Only these; the page is left as it is
    #[arg(long, value_name = "NAME")]
    way: Vec<Way>,
    /// Measure this program instead of building it
    #[arg(long, value_name = "FILE")]
    recado: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
enum Way {
    Reference,
    Direct,
    Relayed,
    Scp,
    Haproxy,
    Wormhole,
}

impl Way {
    const ALL: [Self; 6] = [
        Self::Reference,
        Self::Direct,
        Self::Relayed,
        Self::Scp,
        Self::Haproxy,
        Self::Wormhole,
    ];

    fn title(self) -> String {
        let recado = env!("CARGO_PKG_VERSION");
        match self {
            Self::Reference => "limit: AES-256-GCM, records of 16 KiB".to_owned(),
            Self::Direct => format!("recado {recado}, direct"),
            Self::Relayed => format!("recado {recado}, relayed"),
            Self::Scp => {
                let said = machine::version("ssh", "-V");
                let version = said.split([' ', ',']).next().unwrap_or_default();
                format!("scp, {version}, aes256-gcm")
            }
            Self::Haproxy => {
                let said = machine::version("haproxy", "-v");
                let version = said.split_whitespace().nth(2).unwrap_or_default();
                format!("rustls, haproxy {version}, TLS to TLS")
            }
            Self::Wormhole => "magic-wormhole, through its relay".to_owned(),
        }
    }
}

/// Everything that one way needs, running.
enum Running {
    Reference,
    Recado {
        alice: Box<Chat>,
        bob: Box<Chat>,
        server: ServerProcess,
        is_relayed: bool,
    },
    Scp {
        server: ServerProcess,
        address: SocketAddr,
        folder: PathBuf,
    },
    Haproxy {
        server: ServerProcess,
        front: SocketAddr,
        back: SocketAddr,
        certificate: Certificate,
        root: PathBuf,
    },
    Wormhole {
        mailbox: ServerProcess,
        relay: ServerProcess,
        programs: PathBuf,
        urls: [String; 2],
    },
}

/// A folder in memory.
fn memory() -> Result<TempDir> {
    let folder = tempfile::Builder::new()
        .prefix("recado-bench-")
        .tempdir_in("/dev/shm")
        .context("no folder in memory: /dev/shm")?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    Ok(folder)
}

pub(crate) async fn run(options: Options) -> Result<()> {
    let is_standard = options.mib == MIB && options.rounds == ROUNDS && options.way.is_empty();
    let ways = match options.way.as_slice() {
        [] => Way::ALL.to_vec(),
        ways => ways.to_vec(),
    };
    let folder = memory()?;
    let program = match &options.recado {
        Some(program) => program.canonicalize()?,
        None => recado_binary::build(folder.path())?,
    };
    let load = machine::load();
    let (found, latencies) = tokio::task::block_in_place(|| -> Result<_> {
        let found = measure(&ways, &options, folder.path(), &program)?;
        let latencies = match options.way.is_empty() {
            true => latency::measure(folder.path(), &program)?,
            false => String::new(),
        };
        Ok((found, latencies))
    })?;
    let result = describe(&found, &options, &load) + &latencies;
    println!("\n{result}\n");
    if is_standard {
        SECTION.write(&result)?;
    }
    Ok(())
}

/// Bytes that nothing can make smaller.
fn make_file(path: &Path, mib: usize) -> Result<()> {
    let mut file = File::create(path)?;
    let mut block = vec![0; 1 << 20];
    for _ in 0..mib {
        aws_lc_rs::rand::fill(&mut block)?;
        file.write_all(&block)?;
    }
    Ok(())
}

fn measure(
    ways: &[Way],
    options: &Options,
    folder: &Path,
    program: &Path,
) -> Result<Vec<(Way, Vec<Round>)>> {
    let file = folder.join("file");
    make_file(&file, options.mib)?;
    let small = folder.join("small");
    make_file(&small, WORMHOLE_MIB.min(options.mib))?;
    let mut running = Vec::new();
    for way in ways {
        println!("{}", way.title());
        running.push((*way, start(*way, folder, program)?, Vec::new()));
    }
    // In turns, so that what else the machine does meets all alike.
    for round in 0..options.rounds {
        println!("round {}", round + 1);
        for (way, running, rounds) in &mut running {
            let sent = if *way == Way::Wormhole { &small } else { &file };
            let mut found = transfer(running, sent, folder)?;
            let gib = fs::metadata(sent)?.len() as f64 / (1u64 << 30) as f64;
            found.seconds /= gib;
            found.sender /= gib;
            found.receiver /= gib;
            found.relay = found.relay.map(|relay| relay / gib);
            rounds.push(found);
        }
    }
    Ok(running
        .into_iter()
        .map(|(way, _, rounds)| (way, rounds))
        .collect())
}

fn start(way: Way, folder: &Path, program: &Path) -> Result<Running> {
    Ok(match way {
        Way::Reference => Running::Reference,
        Way::Direct | Way::Relayed => {
            let is_relayed = way == Way::Relayed;
            let home = folder.join(if is_relayed { "relayed" } else { "direct" });
            let mut command = Command::new(program);
            command
                .args(["serve", "--listen", "127.0.0.1:0", "--home"])
                .arg(home.join("server"));
            let (server, line) = ServerProcess::start_announced(Workshop::new()?, &mut command)?;
            let address = line
                .split_whitespace()
                .find_map(|word| word.strip_prefix("tcp="))
                .context("no address")?;
            let more: &[&str] = match is_relayed {
                true => &[
                    "--relay-only",
                    "--downloads",
                    "taken",
                    "--accept-from",
                    "Alice",
                ],
                false => &["--downloads", "taken", "--accept-from", "Alice"],
            };
            let join = |name| Chat::join(program, &home.join(name), address, name, more);
            let (alice, bob) = (Box::new(join("Alice")?), Box::new(join("Bob")?));
            Running::Recado {
                alice,
                bob,
                server,
                is_relayed,
            }
        }
        Way::Scp => start_sshd(folder)?,
        Way::Haproxy => start_haproxy()?,
        Way::Wormhole => start_wormhole()?,
    })
}

fn start_sshd(folder: &Path) -> Result<Running> {
    packages::provide_from(&[("sshd", "openssh-server"), ("scp", "openssh-client")])?;
    let workshop = Workshop::new()?;
    let at = workshop.path().to_owned();
    // Its own keys, and those of whoever runs this are not looked at.
    for key in ["host", "user"] {
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(at.join(key))
            .status()?;
        ensure!(made.success(), "ssh-keygen: {made}");
    }
    fs::copy(at.join("user.pub"), at.join("authorized"))?;
    // Where sshd leaves its rights behind; only root's does.
    if nix::unistd::geteuid().is_root() {
        fs::create_dir_all("/run/sshd")?;
    }
    let address = free_address()?;
    let configuration = format!(
        "ListenAddress {address}\nHostKey {host}\nAuthorizedKeysFile {authorized}\nPidFile none\n\
         StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n\
         Ciphers aes256-gcm@openssh.com\nSubsystem sftp internal-sftp\n",
        host = at.join("host").display(),
        authorized = at.join("authorized").display(),
    );
    fs::write(at.join("sshd_config"), configuration)?;
    let mut command = Command::new(packages::find("sshd").context("no sshd")?);
    command.args(["-D", "-e", "-f"]).arg(at.join("sshd_config"));
    let server = ServerProcess::start_listening(workshop, &mut command, address)?;
    Ok(Running::Scp {
        server,
        address,
        folder: folder.join("scp"),
    })
}

fn start_haproxy() -> Result<Running> {
    packages::provide(&["haproxy"])?;
    let workshop = Workshop::new()?;
    let at = workshop.path().to_owned();
    let certificate = Certificate::issue(&at)?;
    let root = at.join("root.pem");
    fs::write(&root, certificate.root_pem())?;
    let both = [
        fs::read_to_string(&certificate.certificate)?,
        fs::read_to_string(&certificate.key)?,
    ];
    fs::write(at.join("both.pem"), both.concat())?;
    let (front, back) = (free_address()?, free_address()?);
    let configuration = format!(
        "global\n  nbthread 1\n  ssl-default-bind-options ssl-min-ver TLSv1.3\n\
         defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n\
         listen relay\n  bind {front} ssl crt {}\n  server end {back} ssl verify none\n",
        at.join("both.pem").display(),
    );
    fs::write(at.join("haproxy.cfg"), configuration)?;
    let mut command = Command::new(packages::find("haproxy").context("no haproxy")?);
    command.arg("-db").arg("-f").arg(at.join("haproxy.cfg"));
    let server = ServerProcess::start_listening(workshop, &mut command, front)?;
    Ok(Running::Haproxy {
        server,
        front,
        back,
        certificate,
        root,
    })
}

fn start_wormhole() -> Result<Running> {
    let programs = wormhole_environment()?.join("bin");
    let (mailbox_at, relay_at) = (free_address()?, free_address()?);
    let twist = |what: &str, address: SocketAddr| -> Result<ServerProcess> {
        let mut command = Command::new(programs.join("twist"));
        command.arg(what);
        command.arg(format!("--port=tcp:{}:interface=127.0.0.1", address.port()));
        ServerProcess::start_listening(Workshop::new()?, &mut command, address)
    };
    Ok(Running::Wormhole {
        mailbox: twist("wormhole-mailbox", mailbox_at)?,
        relay: twist("transitrelay", relay_at)?,
        programs,
        urls: [
            format!("ws://{mailbox_at}/v1"),
            format!("tcp:127.0.0.1:{}", relay_at.port()),
        ],
    })
}

/// Its packages, in a folder of their own outside of the clone; made if it is not there.
fn wormhole_environment() -> Result<PathBuf> {
    let cache = match std::env::var_os("XDG_CACHE_HOME") {
        Some(cache) => PathBuf::from(cache),
        None => PathBuf::from(std::env::var_os("HOME").context("there is no HOME")?).join(".cache"),
    };
    let folder = cache.join("recado-bench/wormhole");
    if folder.join("bin/wormhole").is_file() {
        return Ok(folder);
    }
    println!("installing magic-wormhole into {}", folder.display());
    let run = |command: &mut Command| -> Result<()> {
        let status = command.status()?;
        let program = command.get_program().display().to_string();
        ensure!(status.success(), "{program}: {status}");
        Ok(())
    };
    run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&folder))?;
    run(Command::new(folder.join("bin/pip"))
        .args(["install", "--quiet", "magic-wormhole"])
        .args([
            "magic-wormhole-mailbox-server",
            "magic-wormhole-transit-relay",
        ]))?;
    Ok(folder)
}

/// One transfer; what arrived is compared, and removed.
fn transfer(running: &mut Running, file: &Path, folder: &Path) -> Result<Round> {
    let target = folder.join("arrived");
    let (round, arrived) = match running {
        Running::Reference => {
            let address = free_address()?;
            let end = |end: &str| reference_end(end, address);
            let mut receiver = end("receive")?.arg(&target).spawn()?;
            listens(address)?;
            let since = Instant::now();
            let mut sender = end("send")?.arg(file).spawn()?;
            let sender = wait(&mut sender, "the limit")?;
            let receiver = wait(&mut receiver, "the limit")?;
            let round = Round {
                seconds: since.elapsed().as_secs_f64(),
                sender,
                receiver,
                relay: None,
            };
            (round, target)
        }
        Running::Recado {
            alice,
            bob,
            server,
            is_relayed,
        } => alice.send(bob, file, server.id(), *is_relayed)?,
        Running::Scp {
            server,
            address,
            folder,
        } => {
            fs::create_dir_all(&*folder)?;
            let target = folder.join("arrived");
            let keys = server.workshop().to_owned();
            let before = used(server.id())?;
            let since = Instant::now();
            let mut scp = Command::new("scp");
            scp.args(["-q", "-F", "none", "-c", "aes256-gcm@openssh.com"])
                .args(["-o", "StrictHostKeyChecking=no", "-o", "IdentitiesOnly=yes"])
                .args(["-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"])
                .arg("-i")
                .arg(keys.join("user"))
                .args(["-P", &address.port().to_string()])
                .arg(file)
                .arg(format!("{}:{}", address.ip(), target.display()));
            let sender = wait(&mut scp.spawn()?, "scp")?;
            let seconds = since.elapsed().as_secs_f64();
            // The session's process is counted when it has ended.
            sleep(Duration::from_millis(300));
            let round = Round {
                seconds,
                sender,
                receiver: used(server.id())? - before,
                relay: None,
            };
            (round, target)
        }
        Running::Haproxy {
            server,
            front,
            back,
            certificate,
            root,
        } => {
            let mut receiver = reference_end("receive", *back)?
                .arg(&target)
                .arg("--certificate")
                .arg(&certificate.certificate)
                .arg("--key")
                .arg(&certificate.key)
                .spawn()?;
            listens(*back)?;
            let before = used(server.id())?;
            let since = Instant::now();
            let mut sender = reference_end("send", *front)?
                .arg(file)
                .arg("--certificate")
                .arg(root)
                .spawn()?;
            let sender = wait(&mut sender, "the sender")?;
            let receiver = wait(&mut receiver, "the receiver")?;
            let round = Round {
                seconds: since.elapsed().as_secs_f64(),
                sender,
                receiver,
                relay: Some(used(server.id())? - before),
            };
            (round, target)
        }
        Running::Wormhole {
            mailbox,
            relay,
            programs,
            urls: [mailbox_url, relay_url],
        } => {
            let code = format!("7-{}-bench", std::process::id());
            let wormhole = || {
                let mut command = Command::new(programs.join("wormhole"));
                command
                    .args(["--relay-url", mailbox_url, "--transit-helper", relay_url])
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null());
                command
            };
            let servers = [mailbox.id(), relay.id()];
            let before = servers.map(used);
            let since = Instant::now();
            let mut sender = wormhole()
                .args(["send", "--no-listen", "--code", &code])
                .arg(file)
                .spawn()?;
            let mut receiver = wormhole()
                .args(["receive", "--no-listen", "--accept-file", "-o"])
                .arg(&target)
                .arg(&code)
                .spawn()?;
            let sender = wait(&mut sender, "wormhole send")?;
            let receiver = wait(&mut receiver, "wormhole receive")?;
            let mut spent = 0.0;
            for (server, before) in servers.into_iter().zip(before) {
                spent += used(server)? - before?;
            }
            let round = Round {
                seconds: since.elapsed().as_secs_f64(),
                sender,
                receiver,
                relay: Some(spent),
            };
            (round, target)
        }
    };
    let sent = fs::metadata(file)?.len();
    let came = fs::metadata(&arrived)?.len();
    ensure!(came == sent, "{came} bytes arrived of {sent}");
    fs::remove_file(arrived)?;
    Ok(round)
}

fn reference_end(end: &str, address: SocketAddr) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["files-reference", end, &address.to_string()]);
    Ok(command)
}

fn median(rounds: &[Round], value: impl Fn(&Round) -> f64) -> f64 {
    let mut values: Vec<f64> = rounds.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn describe(found: &[(Way, Vec<Round>)], options: &Options, load: &str) -> String {
    let heads = [
        "way", "GB/s", "sender", "receiver", "both", "× limit", "relay",
    ];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    let both = |round: &Round| round.sender + round.receiver;
    let limit = found.iter().find(|(way, _)| *way == Way::Reference);
    let limit = limit.map(|(_, rounds)| median(rounds, both));
    for (way, rounds) in found {
        let seconds = median(rounds, |round| round.seconds);
        let relay = rounds.iter().all(|round| round.relay.is_some());
        let relay = relay.then(|| median(rounds, |round| round.relay.unwrap_or_default()));
        let both = median(rounds, both);
        rows.push(vec![
            way.title(),
            format!("{:.2}", (1u64 << 30) as f64 / 1e9 / seconds),
            format!("{:.2}", median(rounds, |round| round.sender)),
            format!("{:.2}", median(rounds, |round| round.receiver)),
            format!("{both:.2}"),
            limit.map_or_else(String::new, |limit| format!("{:.2}", both / limit)),
            relay.map_or_else(String::new, |relay| format!("{relay:.2}")),
        ]);
    }
    format!(
        "{}; {load}.\n`cargo xtask bench files`: {} MiB between folders in memory (magic-wormhole: {}), \
         medians of {} rounds; processor time in seconds per GiB.\n\n{}",
        machine::describe(),
        options.mib,
        WORMHOLE_MIB.min(options.mib),
        options.rounds,
        table(&rows),
    )
}
