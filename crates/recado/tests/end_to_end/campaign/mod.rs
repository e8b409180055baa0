//! Campaigns against the promise that nothing is lost, doubled or reordered: real processes are killed at any instant,
//! at every write and sync, and lose what was not synced.
//!
//! A short form runs with the other tests; `cargo xtask campaign kill` runs it for as long as is asked.

mod actor;
mod kill_points;
mod ledger;
mod power;
mod random;

use std::time::{Duration, Instant};

use actor::{Actor, ServerActor, replace_folder};
use ledger::{Ledger, Promise};

/// How long everything that was promised may take to arrive once nothing is killed any more.
const SETTLING: Duration = Duration::from_secs(90);

/// How long to look away: the processes' turn.
const PAUSE: Duration = Duration::from_millis(5);

/// Seconds that a campaign takes, and where its chances begin.
fn plan(seconds: u64) -> (Duration, u64) {
    let number = |name: &str| std::env::var(name).ok().and_then(|it| it.parse().ok());
    let seconds = number("RECADO_CAMPAIGN_SECONDS").unwrap_or(seconds);
    let seed = number("RECADO_CAMPAIGN_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    (Duration::from_secs(seconds), seed)
}

/// The server, people, and what they promised each other.
struct Campaign {
    server: ServerActor,
    people: Vec<Actor>,
    ledger: Ledger,
}

impl Campaign {
    /// Everyone is there and has met everyone.
    fn begin(names: &[&str]) -> Self {
        let mut server = ServerActor::new();
        server.start();
        let mut people: Vec<_> = names.iter().map(|name| Actor::new(name)).collect();
        for person in &mut people {
            person.start(&server.address());
            person.wait_until_ready();
        }
        Self {
            server,
            people,
            ledger: Ledger::default(),
        }
    }

    /// Takes what everyone has told; fails where a promise is broken.
    fn listen(&mut self) {
        for person in &mut self.people {
            person.listen(&mut self.ledger);
        }
    }

    /// Starts who does not run.
    fn start_all(&mut self) {
        if !self.server.is_running() {
            self.server.start();
            self.ledger.note("server starts".to_owned());
        }
        let address = self.server.address();
        for person in self.people.iter_mut().filter(|it| !it.is_running()) {
            person.start(&address);
            self.ledger.note(format!("{} starts", person.name));
        }
    }

    /// Lets everything that was promised arrive; returns what went against a promise.
    fn settle(&mut self) -> Result<(), String> {
        self.start_all();
        let begin = Instant::now();
        while begin.elapsed() < SETTLING {
            self.listen();
            // What has ended by itself, as told by a fault or by someone who waits for it, comes again.
            if self.server.has_ended() {
                self.server.kill();
            }
            for person in &mut self.people {
                if person.has_ended() {
                    person.take_end(&mut self.ledger);
                }
            }
            self.start_all();
            if !self.ledger.broken.is_empty() || self.ledger.missing().is_empty() {
                break;
            }
            std::thread::sleep(PAUSE);
        }
        // What should not come twice has a moment to do so.
        std::thread::sleep(20 * PAUSE);
        self.listen();
        let broken = &self.ledger.broken;
        if let Some(first) = broken.first() {
            let story = self.ledger.story();
            return Err(format!(
                "{} broken promises; {first}\n{story}",
                broken.len()
            ));
        }
        let missing = self.ledger.missing();
        match missing.first() {
            None => Ok(()),
            Some(first) => {
                let (story, missing) = (self.ledger.story(), missing.len());
                Err(format!("{missing} are missing; {first:?}\n{story}"))
            }
        }
    }
}
