//! The client as a person meets it: how soon it is there, what a full screen costs while nothing happens, and whether it
//! answers keys while very much does.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};

use crate::footprint::Footprint;
use crate::page::{Section, table};
use crate::process::{ServerProcess, Workshop};
use crate::{machine, recado_binary};

const SECTION: Section = Section {
    name: "client",
    heading: "The client: start, idle, flood",
};

const RUNS: usize = 50;
const IDLE_SECONDS: u64 = 30;
const FLOOD: usize = 10_000;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What follows a start is over then, the looking for what others write included.
const SETTLE: Duration = Duration::from_secs(15);

/// Rings for a private message.
const BELL: &str = "\u{7}";

/// Between two keys while messages come.
const KEY_PAUSE: Duration = Duration::from_millis(20);

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How often the program is started
    #[arg(long, value_name = "N", default_value_t = RUNS)]
    runs: usize,
    /// How long a full screen is left alone
    #[arg(long, value_name = "SECONDS", default_value_t = IDLE_SECONDS)]
    idle: u64,
    /// Measure this program instead of building it; the page is left as it is
    #[arg(long, value_name = "FILE")]
    recado: Option<PathBuf>,
}

pub(crate) async fn run(options: Options) -> Result<()> {
    // Processes and terminals are waited for here, and nothing else goes on.
    tokio::task::spawn_blocking(move || measure(options)).await?
}

fn measure(options: Options) -> Result<()> {
    let is_standard =
        options.runs == RUNS && options.idle == IDLE_SECONDS && options.recado.is_none();
    let programs = Workshop::new()?;
    let recado = match options.recado {
        Some(program) => program.canonicalize().context("--recado")?,
        None => recado_binary::build(programs.path())?,
    };
    let load = machine::load();
    let bench = Bench::new(recado)?;
    let version = bench.versions(options.runs)?;
    println!("--version: {}", version.describe());
    let plain = bench.plain_starts(options.runs)?;
    println!("chat --plain: {}", plain.describe());
    let idle = bench.idle(options.idle)?;
    println!("idle: {idle:?}");
    let flood = bench.flood()?;
    println!("flood: {flood:?}");
    let rows = [
        ["what", "median", "90 %", "goal"].map(str::to_owned),
        [
            "`recado --version`, from start to end".to_owned(),
            ms(version.median()),
            ms(version.at(0.9)),
            "5 ms".to_owned(),
        ],
        [
            "`recado chat --plain`, from start to the prompt".to_owned(),
            ms(plain.median()),
            ms(plain.at(0.9)),
            "50 ms".to_owned(),
        ],
        [
            format!(
                "full screen left alone for {} s: processor time",
                options.idle
            ),
            format!("{} ms", idle.processor.as_millis()),
            String::new(),
            "0 ms".to_owned(),
        ],
        [
            "the same: times that it woke, a second".to_owned(),
            format!("{:.1}", idle.wakes_a_second),
            String::new(),
            String::new(),
        ],
        [
            format!("full screen, while {FLOOD} private messages come: a key's answer"),
            ms(flood.keys.median()),
            ms(flood.keys.at(0.9)),
            String::new(),
        ],
        [
            "the same: the slowest answer".to_owned(),
            ms(flood.keys.at(1.0)),
            String::new(),
            String::new(),
        ],
        [
            "the same: until the last is on the screen".to_owned(),
            format!("{:.2} s", flood.took.as_secs_f64()),
            String::new(),
            String::new(),
        ],
        [
            "the same: resident memory before, after".to_owned(),
            format!("{} MiB", flood.before >> 20),
            format!("{} MiB", flood.after >> 20),
            String::new(),
        ],
    ];
    let rows: Vec<Vec<String>> = rows.into_iter().map(Vec::from).collect();
    let result = format!(
        "{}.\n`cargo xtask bench client`: {} starts each, a server on the same machine; {load}.\n\n{}",
        machine::describe(),
        options.runs,
        table(&rows)
    );
    println!("\n{result}\n");
    if is_standard {
        SECTION.write(&result)?;
    }
    Ok(())
}

/// Times, sorted.
#[derive(Debug)]
struct Times(Vec<Duration>);

impl Times {
    fn new(mut times: Vec<Duration>) -> Self {
        times.sort();
        Self(times)
    }

    /// The time that this part of all stays within.
    fn at(&self, part: f64) -> Duration {
        let last = self.0.len().saturating_sub(1);
        let at = (last as f64 * part).round() as usize;
        self.0.get(at).copied().unwrap_or_default()
    }

    fn median(&self) -> Duration {
        self.at(0.5)
    }

    fn describe(&self) -> String {
        format!("{} (90 %: {})", ms(self.median()), ms(self.at(0.9)))
    }
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

/// What a full screen cost while nothing happened.
#[derive(Debug)]
struct Idle {
    processor: Duration,
    wakes_a_second: f64,
}

/// How a full screen fared while very much happened.
#[derive(Debug)]
struct Flood {
    keys: Times,
    took: Duration,
    before: u64,
    after: u64,
}

/// A server, and a home whose people it knows.
struct Bench {
    recado: PathBuf,
    home: Workshop,
    address: String,
    _server: ServerProcess,
}

impl Bench {
    fn new(recado: PathBuf) -> Result<Self> {
        let (home, at) = (Workshop::new()?, Workshop::new()?);
        let mut serve = Command::new(&recado);
        serve.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]);
        serve.arg(at.path().join("server"));
        let (server, ready) = ServerProcess::start_announced(at, &mut serve)?;
        let address = ready
            .split(' ')
            .find_map(|word| word.strip_prefix("tcp="))
            .context("no address in the ready line")?
            .to_owned();
        Ok(Self {
            recado,
            home,
            address,
            _server: server,
        })
    }

    fn command(&self, home: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.recado);
        command
            .args(arguments)
            .env("RECADO_HOME", home)
            .env("RECADO_LANG", "en")
            .env("TERM", "xterm-256color");
        command
    }

    fn versions(&self, runs: usize) -> Result<Times> {
        let mut times = Vec::new();
        for _ in 0..runs {
            let begin = Instant::now();
            let output = self.command(self.home.path(), &["--version"]).output()?;
            times.push(begin.elapsed());
            ensure!(output.status.success(), "recado --version fails");
        }
        Ok(Times::new(times))
    }

    fn plain_starts(&self, runs: usize) -> Result<Times> {
        let mut times = Vec::new();
        // The first makes the key, and takes the name.
        for run in 0..=runs {
            let arguments = [
                "chat",
                "--plain",
                "--name",
                "Alice",
                "--server",
                &self.address,
            ];
            let begin = Instant::now();
            let mut chat = self
                .command(self.home.path(), &arguments)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()?;
            let mut line = String::new();
            let output = chat.stdout.take().context("no output")?;
            BufReader::new(output).read_line(&mut line)?;
            let took = begin.elapsed();
            ensure!(line.starts_with("Type your message"), "not ready: {line:?}");
            drop(chat.stdin.take());
            ensure!(chat.wait()?.success(), "chat --plain fails");
            if run > 0 {
                times.push(took);
            }
        }
        Ok(Times::new(times))
    }

    fn screen(&self, home: &Path, name: &str) -> Result<Screen> {
        let arguments = [
            "chat",
            "--theme",
            "dark",
            "--name",
            name,
            "--server",
            &self.address,
        ];
        let screen = Screen::start(self.command(home, &arguments))?;
        screen.wait_for("(you)")?;
        Ok(screen)
    }

    fn idle(&self, seconds: u64) -> Result<Idle> {
        let screen = self.screen(self.home.path(), "Alice")?;
        sleep(SETTLE);
        let (before, woke) = (screen.processor()?, screen.wakes()?);
        let begin = Instant::now();
        sleep(Duration::from_secs(seconds));
        let wakes = screen.wakes()?.saturating_sub(woke);
        Ok(Idle {
            processor: screen.processor()?.saturating_sub(before),
            wakes_a_second: wakes as f64 / begin.elapsed().as_secs_f64(),
        })
    }

    fn flood(&self) -> Result<Flood> {
        let bobs = Workshop::new()?;
        let arguments = ["chat", "--json", "--name", "Bob", "--server", &self.address];
        let mut bob = self
            .command(bobs.path(), &arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let output = bob.stdout.take().context("no output")?;
        let mut lines = BufReader::new(output).lines();
        ensure!(lines.next().is_some(), "Bob does not join");
        let read = thread::spawn(move || lines.count());
        let mut screen = self.screen(self.home.path(), "Alice")?;
        let mut input = bob.stdin.take().context("no input")?;
        // Alice looks where the messages will come.
        writeln!(input, r#"{{"type":"private","to":"Alice","text":"Hello"}}"#)?;
        screen.wait_for(BELL)?;
        screen.press("\u{1b}a")?;
        screen.wait_for("Hello")?;
        let before = screen.resident()?;
        let begin = Instant::now();
        let writer = thread::spawn(move || -> std::io::Result<()> {
            for number in 1..=FLOOD {
                writeln!(
                    input,
                    r#"{{"type":"private","to":"Alice","text":"{number}."}}"#
                )?;
            }
            Ok(())
        });
        // Letters that are in no message, and another each time: its answer is its being drawn.
        let mut letters = "QWXYZ".chars().cycle();
        let mut keys = Vec::new();
        let last = format!("{FLOOD}.");
        let mut seen = String::new();
        while !seen.contains(&last) {
            ensure!(begin.elapsed() < PATIENCE, "the messages do not come");
            seen = screen
                .drain()
                .chars()
                .rev()
                .take(40)
                .collect::<Vec<_>>()
                .into_iter()
                .rev()
                .collect();
            let letter = letters.next().unwrap_or_default();
            let pressed = Instant::now();
            screen.press(&letter.to_string())?;
            loop {
                let drawn = screen.next()?;
                seen.push_str(&drawn);
                if drawn.contains(letter) {
                    break;
                }
            }
            keys.push(pressed.elapsed());
            sleep(KEY_PAUSE);
        }
        let took = begin.elapsed();
        let after = screen.resident()?;
        writer
            .join()
            .map_err(|_| anyhow::anyhow!("Bob's writer panicked"))??;
        ensure!(bob.wait()?.success(), "Bob fails");
        drop(read.join());
        Ok(Flood {
            keys: Times::new(keys),
            took,
            before,
            after,
        })
    }
}

/// A program on a terminal. Killed when dropped.
struct Screen {
    child: Child,
    keyboard: File,
    drawn: Receiver<String>,
}

impl Screen {
    fn start(mut command: Command) -> Result<Self> {
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let path = ptsname_r(&master)?;
        let terminal = || File::options().read(true).write(true).open(&path);
        let resized = Command::new("stty")
            .args(["rows", "40", "columns", "120"])
            .stdin(terminal()?)
            .status()?;
        ensure!(resized.success(), "stty: {resized}");
        let child = command
            .stdin(terminal()?)
            .stdout(terminal()?)
            .stderr(Stdio::null())
            .spawn()?;
        drop(command);
        let keyboard = File::from(OwnedFd::from(master));
        let mut output = keyboard.try_clone()?;
        let (sender, drawn) = channel();
        thread::spawn(move || {
            let mut bytes = [0; 65_536];
            while let Ok(read @ 1..) = output.read(&mut bytes) {
                let text = String::from_utf8_lossy(bytes.get(..read).unwrap_or_default());
                if sender.send(text.into_owned()).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            child,
            keyboard,
            drawn,
        })
    }

    fn press(&mut self, keys: &str) -> Result<()> {
        Ok(self.keyboard.write_all(keys.as_bytes())?)
    }

    /// What is drawn next.
    fn next(&self) -> Result<String> {
        let drawn = self.drawn.recv_timeout(PATIENCE);
        drawn.context("nothing more is drawn")
    }

    /// What has been drawn.
    fn drain(&self) -> String {
        self.drawn.try_iter().collect()
    }

    fn wait_for(&self, text: &str) -> Result<()> {
        let mut seen = String::new();
        let end = Instant::now() + PATIENCE;
        while !seen.contains(text) {
            if Instant::now() > end {
                bail!("{text:?} is not drawn: {seen:?}");
            }
            let drawn = self
                .next()
                .with_context(|| format!("{text:?} behind {seen:?}"));
            seen.push_str(&drawn?);
        }
        Ok(())
    }

    /// User and system time, as `/proc/PID/schedstat` counts it for each thread: in nanoseconds.
    fn processor(&self) -> Result<Duration> {
        let of = |text: String| text.split(' ').next().and_then(|ns| ns.parse::<u64>().ok());
        Ok(Duration::from_nanos(self.of_threads("schedstat", of)?))
    }

    /// How often its threads have gone to sleep.
    fn wakes(&self) -> Result<u64> {
        self.of_threads("status", |text| {
            let count = text
                .lines()
                .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            count?.trim().parse().ok()
        })
    }

    fn of_threads(&self, file: &str, read: impl Fn(String) -> Option<u64>) -> Result<u64> {
        let mut sum = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let path = thread?.path().join(file);
            sum +=
                read(fs::read_to_string(&path)?).with_context(|| format!("{}", path.display()))?;
        }
        Ok(sum)
    }

    fn resident(&self) -> Result<u64> {
        Ok(Footprint::read(self.child.id())?.resident)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // One that has ended is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
