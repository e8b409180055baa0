//! The power fails: what a process wrote and did not sync is gone. Its system calls are recorded, and replayed into a
//! copy of its folder without the writes that no sync followed.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use recado_sim::Random;

use super::kill_points::traced;
use super::*;
use crate::common::{Home, skip};

/// What is recorded: all that changes a file, and all that makes it last.
const TRACE: [&str; 9] = [
    "-f",
    "-y",
    "-xx",
    "-s",
    "1000000",
    "-e",
    "trace=pwrite64,write,ftruncate,fsync,fdatasync,rename,unlink",
    "--seccomp-bpf",
    "-o",
];

#[test]
fn a_power_failure_takes_nothing_that_was_promised() {
    if fs::metadata("/usr/bin/strace").is_err() {
        return skip(
            "a_power_failure_takes_nothing_that_was_promised",
            "strace is not here",
        );
    }
    let (time, seed) = plan(8);
    let mut random = Random::new(seed);
    let begin = Instant::now();
    let (mut rounds, mut dropped) = (0, 0);
    while rounds < 2 || begin.elapsed() < time {
        match run(&mut random) {
            Ok(unsynced) => dropped += unsynced,
            Err(broken) => panic!("{broken} (RECADO_CAMPAIGN_SEED={seed})"),
        }
        rounds += 1;
    }
    crate::common::report(&format!(
        "{rounds} power failures, {dropped} unsynced writes gone"
    ));
}

/// One failure of the server's power; returns how many writes were gone with it.
fn run(random: &mut Random) -> Result<usize, String> {
    let mut campaign = Campaign::begin(&["alice", "bob"]);
    // Bob is away: what is stored for him is on the server's disk alone, once Alice never comes back.
    campaign.people[1].kill(&mut campaign.ledger);
    campaign.server.kill();
    let before = Home::new();
    replace_folder(&campaign.server.data(), before.path());
    let record = Home::new();
    let log = record.file("calls");
    let mut options = TRACE.to_vec();
    let path = log.display().to_string();
    options.push(&path);
    let command = traced(&campaign.server.command(), &options);
    campaign.server.start_as(command);
    let stop_at = 5 + random.below(60) as usize;
    let begin = Instant::now();
    while campaign.ledger.promised(Promise::Stored) < stop_at
        && begin.elapsed() < Duration::from_secs(20)
    {
        for _ in 0..random.below(6) {
            campaign.people[0].say("bob", &mut campaign.ledger);
        }
        campaign.listen();
        std::thread::sleep(PAUSE);
    }
    campaign.server.kill();
    // Alice never comes back: what was not stored was hers alone.
    campaign.people[0].kill(&mut campaign.ledger);
    let unstored = campaign.ledger.of("alice", Promise::Queued);
    campaign.ledger.excuse(unstored);
    campaign.people.remove(0);

    let data = campaign.server.data();
    let unsynced = replay(&log, &data, before.path());
    replace_folder(before.path(), &data);
    campaign.settle().map(|()| unsynced)
}

/// A change that is not synced.
enum Change {
    Write { at: Option<u64>, bytes: Vec<u8> },
    Truncate(u64),
}

/// Does in `copy` what was done in `folder` and synced; returns how many writes were not.
fn replay(log: &Path, folder: &Path, copy: &Path) -> usize {
    let mut pending: BTreeMap<PathBuf, Vec<Change>> = BTreeMap::new();
    // A sync that has begun: what it covers. It counts when it has returned.
    let mut syncing: BTreeMap<String, (PathBuf, Vec<Change>)> = BTreeMap::new();
    let lines = BufReader::new(fs::File::open(log).unwrap()).lines();
    for line in lines {
        let line = line.unwrap();
        let Some((process, call)) = line.split_once(char::is_whitespace) else {
            continue;
        };
        let call = call.trim_start();
        if let Some(rest) = call.strip_prefix("<... ") {
            if rest.contains("sync resumed")
                && rest.ends_with("= 0")
                && let Some((path, changes)) = syncing.remove(process)
            {
                apply(&path, changes);
            }
            continue;
        }
        let Some((name, arguments)) = call.split_once('(') else {
            continue;
        };
        if matches!(name, "rename" | "unlink") {
            let mut paths = arguments.split('"').skip(1).step_by(2).map(unhex_path);
            let paths: Vec<_> = paths
                .by_ref()
                .filter_map(|path| inside(&path, folder, copy))
                .collect();
            match paths.as_slice() {
                [from, to] => {
                    // Names are kept by the journal of the file system, in order.
                    let _ = fs::rename(from, to);
                    if let Some(changes) = pending.remove(from) {
                        pending.insert(to.clone(), changes);
                    }
                }
                [path] => {
                    let _ = fs::remove_file(path);
                    pending.remove(path);
                }
                _ => {}
            }
            continue;
        }
        let Some(path) = arguments
            .split_once('<')
            .and_then(|(_, rest)| rest.split_once('>'))
            .and_then(|(path, _)| inside(&unhex_path(path), folder, copy))
        else {
            continue;
        };
        match name {
            "pwrite64" | "write" => {
                let bytes = unhex(arguments.split('"').nth(1).unwrap_or_default());
                let after = arguments.rsplit('"').next().unwrap_or_default();
                let numbers: Vec<u64> = after
                    .split([',', ')', ' '])
                    .filter_map(|number| number.parse().ok())
                    .collect();
                let at = if name == "pwrite64" {
                    numbers.get(1).copied()
                } else {
                    None
                };
                pending
                    .entry(path)
                    .or_default()
                    .push(Change::Write { at, bytes });
            }
            "ftruncate" => {
                let length = arguments
                    .split([',', ')', ' '])
                    .filter_map(|number| number.parse().ok())
                    .next_back();
                let length = Change::Truncate(length.unwrap_or(0));
                pending.entry(path).or_default().push(length);
            }
            "fsync" | "fdatasync" => {
                let changes = pending.remove(&path).unwrap_or_default();
                if call.ends_with("= 0") {
                    apply(&path, changes);
                } else if call.contains("<unfinished") {
                    syncing.insert(process.to_owned(), (path, changes));
                }
            }
            _ => {}
        }
    }
    let begun = syncing.into_values().map(|(_, changes)| changes.len());
    let never = pending.into_values().map(|changes| changes.len());
    begun.chain(never).sum()
}

fn apply(path: &Path, changes: Vec<Change>) {
    if path.is_dir() {
        return;
    }
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .unwrap();
    for change in changes {
        match change {
            Change::Write { at, bytes } => {
                let end = file.metadata().unwrap().len();
                file.write_all_at(&bytes, at.unwrap_or(end)).unwrap();
            }
            Change::Truncate(length) => file.set_len(length).unwrap(),
        }
    }
}

/// The same file in the copy; not what no power failure touches: memory shared between processes.
fn inside(path: &str, folder: &Path, copy: &Path) -> Option<PathBuf> {
    let relative = Path::new(path).strip_prefix(folder).ok()?;
    let is_shared_memory = path.ends_with("-shm");
    (!is_shared_memory).then(|| copy.join(relative))
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.split("\\x").filter(|part| !part.is_empty());
    digits
        .map(|digits| u8::from_str_radix(digits, 16).unwrap())
        .collect()
}

/// `strace -xx` writes paths so as well.
fn unhex_path(text: &str) -> String {
    match text.starts_with("\\x") {
        true => String::from_utf8(unhex(text)).unwrap(),
        false => text.to_owned(),
    }
}
