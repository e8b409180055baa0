//! Campaigns against the promise that nothing is lost, doubled or reordered: real processes are killed at any instant,
//! at every write and sync, and lose what was not synced.
//!
//! A short form runs with the other tests; `cargo xtask campaign kill` runs it for as long as is asked.

mod actor;
pub(crate) mod kill_points;
mod ledger;
mod power;
mod random;

use std::time::{Duration, Instant};

use actor::{Actor, ServerActor, replace_folder};
use ledger::{Ledger, Promise};

/// How long everything that was promised may take to arrive once nothing is killed any more.
const SETTLING: Duration = Duration::from_secs(90);

/// How long nothing may be missing before it counts as complete.
const QUIET: Duration = Duration::from_millis(100);

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
        // What should not come twice has a moment to do so; and what was entered may be promised only now.
        let mut complete_since = None;
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
            if let Some(first) = self.ledger.broken.first() {
                let (story, broken) = (self.ledger.story(), self.ledger.broken.len());
                return Err(format!("{broken} broken promises; {first}\n{story}"));
            }
            match self.ledger.missing().is_empty() {
                true => {
                    let since = *complete_since.get_or_insert_with(Instant::now);
                    if since.elapsed() > QUIET {
                        return Ok(());
                    }
                }
                false => complete_since = None,
            }
            std::thread::sleep(PAUSE);
        }
        let missing = self.ledger.missing();
        let (story, first) = (self.ledger.story(), missing.first());
        Err(format!("{} are missing; {first:?}\n{story}", missing.len()))
    }
}
