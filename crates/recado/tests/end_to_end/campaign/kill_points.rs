//! A process ends at its first write, its second, and so on: the server, a sender, a recipient.

use std::path::Path;
use std::process::Command;

use super::*;
use crate::common::skip;

/// What is traced, and so where a process may end: writes into the database, and syncs.
const CALLS: [&str; 2] = ["pwrite64", "fdatasync"];

/// The calls that are tried in the short form: the first few are a start, the next a message or two.
const POINTS: [u32; 6] = [1, 2, 4, 7, 12, 20];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Victim {
    Server,
    Sender,
    Recipient,
}

#[test]
fn an_end_at_any_write_or_sync_loses_doubles_and_reorders_nothing() {
    if let Err(reason) = can_trace() {
        return skip(
            "an_end_at_any_write_or_sync_loses_doubles_and_reorders_nothing",
            &reason,
        );
    }
    let (time, _) = plan(0);
    // The long form goes through all of them, as far as there is time.
    let points: Vec<u32> = match time.is_zero() {
        true => POINTS.to_vec(),
        false => (1..200).collect(),
    };
    let begin = Instant::now();
    let mut ended = 0;
    for point in points {
        for victim in [Victim::Server, Victim::Sender, Victim::Recipient] {
            for call in CALLS {
                if !time.is_zero() && begin.elapsed() > time {
                    break;
                }
                match run(victim, call, point) {
                    Ok(was_killed) => ended += u32::from(was_killed),
                    Err(broken) => panic!("{victim:?} ended at {call} {point}: {broken}"),
                }
            }
        }
    }
    crate::common::report(&format!("{ended} processes ended at a write or a sync"));
    assert!(ended > 10, "{ended} processes reached their end");
}

/// Whether processes may be traced here.
pub(crate) fn can_trace() -> Result<(), String> {
    let traced = Command::new("strace").args(["-qq", "true"]).output();
    match traced {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Err(format!("strace: {error}")),
    }
}

/// The same command, ended at the given call.
fn ended_at(command: &Command, call: &str, point: u32) -> Command {
    let inject = format!("inject={call}:signal=KILL:when={point}");
    traced(
        command,
        &["-f", "--seccomp-bpf", "-e", &inject, "-o", "/dev/null"],
    )
}

/// The same command under `strace`.
pub(super) fn traced(command: &Command, options: &[&str]) -> Command {
    let mut traced = Command::new("strace");
    traced.args(["-qq"]).args(options).arg("--");
    traced.arg(command.get_program()).args(command.get_args());
    traced.env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            traced.env(name, value);
        }
    }
    if let Some(folder) = command.get_current_dir() {
        traced.current_dir::<&Path>(folder);
    }
    traced
}

fn run(victim: Victim, call: &str, point: u32) -> Result<bool, String> {
    let mut campaign = Campaign::begin(&["alice", "bob"]);
    let address = campaign.server.address();
    match victim {
        Victim::Server => {
            campaign.server.kill();
            let command = ended_at(&campaign.server.command(), call, point);
            campaign.server.start_as(command);
        }
        Victim::Sender | Victim::Recipient => {
            let person = &mut campaign.people[usize::from(victim == Victim::Recipient)];
            person.kill(&mut campaign.ledger);
            let command = ended_at(&person.command(&address), call, point);
            person.start_as(command);
        }
    }
    let begin = Instant::now();
    let mut said = 0;
    // Enough to reach the point; what was entered into a program that has ended is nobody's promise.
    while begin.elapsed() < Duration::from_millis(1_500) && !victim.has_ended(&mut campaign) {
        if said < 40 {
            campaign.people[0].say("bob", &mut campaign.ledger);
            said += 1;
        }
        campaign.listen();
        std::thread::sleep(PAUSE);
        if said == 40 && campaign.ledger.promised(Promise::Delivered) == 40 {
            break;
        }
    }
    let was_killed = victim.has_ended(&mut campaign);
    campaign.settle().map(|()| was_killed)
}

impl Victim {
    fn has_ended(self, campaign: &mut Campaign) -> bool {
        match self {
            Self::Server => !campaign.server.is_running() || campaign.server.has_ended(),
            Self::Sender => campaign.people[0].has_ended(),
            Self::Recipient => campaign.people[1].has_ended(),
        }
    }
}
