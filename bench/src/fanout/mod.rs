//! What one message to everyone costs the sender, datagram by datagram: recado beside the least program that
//! seals and sends as much, and beside mumble-server with voice.

mod chat;
mod cpu;
mod crowd;
mod ocb;
pub(crate) mod reference;
mod servers;
mod voice;

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};

use self::cpu::Times;
use self::crowd::{Arrived, Crowd, Targets};
use self::reference::Reference;
use crate::page::{Section, table};
use crate::process::{ServerProcess, Workshop};
use crate::{files, machine, recado_binary};

const SECTION: Section = Section {
    name: "fanout",
    heading: "One message to everyone",
};

const RECIPIENTS: [usize; 3] = [100, 1_000, 5_000];
const ROUNDS: usize = 31;

/// Bytes of text, and of voice.
const TEXT: usize = 200;

/// Datagrams of one round. Many short rounds, each sender in turn: what else the machine does then meets all alike.
const PER_ROUND: usize = 40_000;

/// Datagrams that are on the way at a time: as many messages as make that, at least one. Then they are taken.
const AT_ONCE: usize = 6_400;

/// Messages that are sent one by one, for the time that one takes.
const SINGLE: usize = 200;

/// How much more of what was sent may be lost.
const LOST: f64 = 0.001;

/// Files that each person needs: a UDP socket, and a connection to each of two servers.
const FILES: u64 = 3;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How many get each message
    #[arg(long, value_name = "N", default_values_t = RECIPIENTS, value_parser = recipients)]
    recipients: Vec<usize>,
    /// How often each sender is measured
    #[arg(long, value_name = "N", default_value_t = ROUNDS, value_parser = rounds)]
    rounds: usize,
    /// Only these; the page is left as it is
    #[arg(long, value_name = "NAME")]
    sender: Vec<Kind>,
    /// Measure this program instead of building it; the page is left as it is
    #[arg(long, value_name = "FILE")]
    recado: Option<PathBuf>,
    /// Where recado listens; the page is left as it is
    #[arg(long, value_name = "ADDRESS", default_value = LISTEN)]
    listen: String,
    /// Datagrams that are on the way at a time; the page is left as it is
    #[arg(long, value_name = "N", default_value_t = AT_ONCE)]
    at_once: usize,
}

const LISTEN: &str = "127.0.0.1:0";

fn recipients(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(recipients @ 2..=6_000) => Ok(recipients),
        _ => Err("from 2 to 6000".to_owned()),
    }
}

fn rounds(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(rounds @ 1..=99) => Ok(rounds),
        _ => Err("from 1 to 99".to_owned()),
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
enum Kind {
    Reference,
    Recado,
    Mumble,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Reference, Self::Recado, Self::Mumble];

    fn title(self) -> String {
        match self {
            Self::Reference => "limit: AES-256-GCM and sendmmsg".to_owned(),
            Self::Recado => format!("recado {}", env!("CARGO_PKG_VERSION")),
            Self::Mumble => {
                let program = servers::mumble().unwrap_or_default();
                let said = machine::version(&program.display().to_string(), "-version");
                let version = said
                    .split_whitespace()
                    .find(|word| word.contains('.') && word.ends_with(|it: char| it.is_numeric()))
                    .unwrap_or_default();
                format!("mumble-server {version}")
            }
        }
    }
}

/// One that sends to everyone.
enum Sender {
    Reference(Reference),
    Recado(ServerProcess),
    Mumble(ServerProcess),
}

/// One round of one sender.
#[derive(Clone, Copy, Debug)]
struct Round {
    /// Microseconds of the sending thread, and of the whole process, per datagram.
    thread: f64,
    process: f64,
}

/// One sender with so many recipients.
#[derive(Clone, Default, Debug)]
struct Found {
    rounds: Vec<Round>,
    size: usize,
    /// Milliseconds from saying a message to its last recipient, and from its first to its last.
    to_last: Vec<f64>,
    first_to_last: Vec<f64>,
}

impl Sender {
    fn kind(&self) -> Kind {
        match self {
            Self::Reference(_) => Kind::Reference,
            Self::Recado(_) => Kind::Recado,
            Self::Mumble(_) => Kind::Mumble,
        }
    }

    fn process(&self) -> u32 {
        match self {
            Self::Reference(reference) => reference.id(),
            Self::Recado(process) | Self::Mumble(process) => process.id(),
        }
    }

    /// Has so many messages sent to everyone, and takes them. Mumble does not send speakers their own voice.
    fn send(&mut self, crowd: &mut Crowd, messages: usize) -> Result<(Arrived, usize)> {
        let mut each = crowd.len();
        match self {
            Self::Reference(reference) => reference.send(messages)?,
            Self::Recado(_) => {
                let text = "a".repeat(TEXT);
                for _ in 0..messages {
                    let person = crowd.speaker().context("nobody is there")?;
                    let chat = person.chat.as_mut().context("no chat")?;
                    chat.say(&person.udp, &text)?;
                }
            }
            Self::Mumble(_) => {
                each -= 1;
                for _ in 0..messages {
                    let person = crowd.speaker().context("nobody is there")?;
                    let voice = person.voice.as_mut().context("no voice")?;
                    voice.say(&person.udp, &[0x2a; TEXT])?;
                }
            }
        }
        let sent = messages * each;
        let arrived = crowd.take(sent)?;
        if let Self::Reference(reference) = self {
            reference.sent()?;
        }
        Ok((arrived, sent))
    }

    /// One round.
    fn measure(&mut self, crowd: &mut Crowd, at_once: usize) -> Result<Round> {
        crowd.keep_alive()?;
        let messages = (at_once / crowd.len()).max(1);
        let before = Times::of(self.process())?;
        let (mut arrived, mut sent) = (0, 0);
        while sent < PER_ROUND {
            let (came, of) = self.send(crowd, messages)?;
            arrived += came.count;
            sent += of;
        }
        // The last thing that each thread did is counted when it goes to sleep.
        std::thread::sleep(Duration::from_millis(5));
        let used = Times::of(self.process())?.since(&before);
        let lost = 1.0 - arrived as f64 / sent as f64;
        ensure!(
            lost <= LOST,
            "{:.2} % of the datagrams of {:?} were lost",
            lost * 100.0,
            self.kind()
        );
        let each = |time: Duration| time.as_secs_f64() * 1e6 / arrived as f64;
        Ok(Round {
            thread: each(used.busiest),
            process: each(used.whole),
        })
    }

    /// Messages one by one, to what has nothing else to do.
    fn single(&mut self, crowd: &mut Crowd, found: &mut Found) -> Result<()> {
        crowd.keep_alive()?;
        crowd.stamp(true)?;
        for _ in 0..SINGLE {
            let said = SystemTime::now().duration_since(UNIX_EPOCH)?;
            let (arrived, _) = self.send(crowd, 1)?;
            let (first, last) = arrived.first.zip(arrived.last).context("no time")?;
            let ms = |time: Duration| time.as_secs_f64() * 1e3;
            found.to_last.push(ms(last.saturating_sub(said)));
            found.first_to_last.push(ms(last.saturating_sub(first)));
        }
        crowd.stamp(false)
    }
}

pub(crate) async fn run(options: Options) -> Result<()> {
    let is_standard = options.recipients == RECIPIENTS
        && options.rounds == ROUNDS
        && options.sender.is_empty()
        && options.recado.is_none()
        && options.listen == LISTEN
        && options.at_once == AT_ONCE;
    let kinds = match options.sender.as_slice() {
        [] => Kind::ALL.to_vec(),
        kinds => kinds.to_vec(),
    };
    let mut recipients = options.recipients.clone();
    recipients.sort_unstable();
    recipients.dedup();
    let most = recipients.last().copied().unwrap_or_default();
    files::allow(most as u64 * FILES)?;

    let mut targets = Targets {
        chat: None,
        voice: None,
    };
    let mut senders = Vec::new();
    // The limit needs to know how long recado's datagrams are, so it is added last and measured first.
    if kinds.contains(&Kind::Mumble) {
        servers::provide_mumble()?;
        let (process, target) = servers::start_mumble()?;
        targets.voice = Some(target);
        senders.push(Sender::Mumble(process));
    }
    let folder = Workshop::new()?;
    let program = match &options.recado {
        Some(program) => program.canonicalize()?,
        None => recado_binary::build(folder.path())?,
    };
    let (process, target) = servers::start_recado(&program, &options.listen)?;
    targets.chat = Some(target);
    senders.push(Sender::Recado(process));

    let mut crowd = Crowd::new(targets);
    let mut here = Vec::new();
    let mut results = Vec::new();
    for recipients in recipients {
        println!("{recipients} people come");
        let came = crowd.grow(recipients).await?;
        here.extend_from_slice(&came);
        let found = tokio::task::block_in_place(|| {
            compare(&mut senders, &mut crowd, &kinds, &here, &came, &options)
        })?;
        results.push((recipients, found));
    }
    let result = describe(&results, options.rounds);
    println!("\n{result}\n");
    if is_standard {
        SECTION.write(&result)?;
    }
    Ok(())
}

/// Every sender with those who are there.
fn compare(
    senders: &mut Vec<Sender>,
    crowd: &mut Crowd,
    kinds: &[Kind],
    here: &[std::net::SocketAddr],
    came: &[std::net::SocketAddr],
    options: &Options,
) -> Result<Vec<(Kind, Found)>> {
    for sender in senders.iter_mut() {
        if let Sender::Reference(reference) = sender {
            reference.add(came)?;
        }
    }
    let mut found = vec![Found::default(); senders.len()];
    for (sender, found) in senders.iter_mut().zip(&mut found) {
        // What is first is slower.
        sender.measure(crowd, options.at_once)?;
        found.size = sender.send(crowd, 1)?.0.size;
    }
    let of_recado = |it: &(&Sender, &Found)| it.0.kind() == Kind::Recado;
    let mut both = senders.iter().zip(&found);
    let size = both.find(of_recado).map_or(TEXT, |(_, found)| found.size);
    if kinds.contains(&Kind::Reference) && !senders.iter().any(|it| it.kind() == Kind::Reference) {
        let mut reference = Reference::start(&std::env::current_exe()?, size)?;
        reference.add(here)?;
        senders.push(Sender::Reference(reference));
        found.push(Found {
            size,
            ..Found::default()
        });
    }
    for round in 1..=options.rounds {
        for (sender, found) in senders.iter_mut().zip(&mut found).rev() {
            if !kinds.contains(&sender.kind()) {
                continue;
            }
            let measured = sender.measure(crowd, options.at_once)?;
            println!(
                "{} people, round {round}, {:?}: {:.3} µs ({:.3} µs)",
                crowd.len(),
                sender.kind(),
                measured.thread,
                measured.process
            );
            found.rounds.push(measured);
        }
    }
    for (sender, found) in senders.iter_mut().zip(&mut found) {
        sender.single(crowd, found)?;
    }
    let kinds = senders.iter().map(Sender::kind);
    Ok(kinds.zip(found).rev().collect())
}

/// The result as it stands on the page.
fn describe(results: &[(usize, Vec<(Kind, Found)>)], rounds: usize) -> String {
    let mut rows = vec![
        [
            "sender",
            "recipients",
            "bytes",
            "µs per datagram",
            "× limit",
            "whole process",
            "ms to the last",
            "p99",
            "first to last, p99",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for (recipients, found) in results {
        let thread = |found: &Found| median(found.rounds.iter().map(|it| it.thread).collect());
        let limit = found
            .iter()
            .find(|(kind, _)| *kind == Kind::Reference)
            .map(|(_, found)| thread(found));
        for (kind, found) in found {
            rows.push(vec![
                kind.title(),
                recipients.to_string(),
                found.size.to_string(),
                format!("{:.2}", thread(found)),
                limit.map_or_else(String::new, |limit| format!("{:.2}", thread(found) / limit)),
                format!(
                    "{:.2}",
                    median(found.rounds.iter().map(|it| it.process).collect())
                ),
                format!("{:.2}", median(found.to_last.clone())),
                format!("{:.2}", percentile(found.to_last.clone(), 0.99)),
                format!("{:.2}", percentile(found.first_to_last.clone(), 0.99)),
            ]);
        }
    }
    format!(
        "{}.\n`cargo xtask bench {}`: texts of {TEXT} bytes, medians of {rounds} rounds.\n\n{}",
        machine::describe(),
        SECTION.name,
        table(&rows)
    )
}

fn median(values: Vec<f64>) -> f64 {
    percentile(values, 0.5)
}

/// The least value that so large a part of them does not exceed.
fn percentile(mut values: Vec<f64>, part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() as f64 * part).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}
