//! The admin socket: what the operator says to a server that runs.

pub mod client;
pub mod protocol;
mod socket;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use recado_hub::{InviteNumber, Limit, NewInvite, OperatorAnswer, OperatorCommand, Registration};
use recado_proto::fingerprint::Fingerprint;
use recado_proto::frame::Person;
use recado_proto::ticket::TicketSecret;
use serde::Serialize;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::addresses::Reachable;
use crate::backup::{self, BackupSource};
use crate::hub_task::ShellEvent;
use crate::net::Admission;
use protocol::{
    BackedUp, BanLifted, BanSet, Bans, Invites, LimitLine, Limits, MAX_LIST, MAX_REQUEST, Mutes,
    People, PersonName, Refusal, Released, Request, Revoked, Stats, Ticket, time_text,
};
use socket::{Caller, Stream};

pub(crate) use socket::Socket;

/// Connections at a time; others wait. Whoever may connect may do worse.
const MAX_CONNECTIONS: usize = 16;

/// How long a request may take to come, and its answer to be taken.
const TALK_TIME: Duration = Duration::from_secs(5);

/// A ticket's uses: the largest school there is.
const MAX_USES: u32 = 100_000;

/// A ticket's life: ten years.
const MAX_LIFE: u64 = 10 * 365 * 24 * 60 * 60;

/// What the socket's task works with.
pub(crate) struct Admin {
    pub(crate) events: mpsc::Sender<ShellEvent>,
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) facts: Facts,
    /// One at a time: a second would only slow the first.
    is_backing_up: AtomicBool,
}

/// What is known of the server.
pub(crate) struct Facts {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) reachable: Reachable,
    pub(crate) registration: Registration,
    pub(crate) admission: Admission,
    pub(crate) source: BackupSource,
    pub(crate) started: SystemTime,
}

impl Admin {
    pub(crate) fn new(
        events: mpsc::Sender<ShellEvent>,
        stop: watch::Receiver<bool>,
        facts: Facts,
    ) -> Self {
        Self {
            events,
            stop,
            facts,
            is_backing_up: AtomicBool::new(false),
        }
    }

    /// Serves until the server is to stop.
    pub(crate) async fn run(self, socket: Socket) {
        let admin = Arc::new(self);
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut stop = admin.stop.clone();
        loop {
            // Never closed, so that there is one sooner or later.
            let place = places.clone().acquire_owned().await;
            let accepted = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok(caller) => {
                    let admin = admin.clone();
                    tokio::spawn(async move {
                        admin.serve(caller).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "an admin connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    async fn serve(&self, caller: Caller) {
        let Caller {
            mut stream,
            user,
            may_operate,
        } = caller;
        let answer = match may_operate {
            true => match timeout(TALK_TIME, read_request(&mut stream)).await {
                Ok(Ok(request)) => {
                    tracing::info!(request = ?Logged(&request), "the operator asks");
                    self.answer(request).await
                }
                Ok(Err(refusal)) => Err(refusal),
                Err(_) => Err(Refusal::new("bad-request", "no request came in time")),
            },
            false => {
                tracing::warn!(?user, "someone else wanted to operate this server");
                let detail = "only the server's own user, and root, may operate it";
                Err(Refusal::new("not-allowed", detail))
            }
        };
        let line = protocol::encode(answer);
        // Whoever does not wait for it does not want it.
        let _ = timeout(TALK_TIME, async {
            stream.write_all(&line).await?;
            stream.shutdown().await
        })
        .await;
    }

    async fn answer(&self, request: Request) -> Result<Value, Refusal> {
        let command = match request {
            Request::List { here, after } => OperatorCommand::List {
                after,
                here,
                most: MAX_LIST,
            },
            Request::Kick(target) => OperatorCommand::Kick(target.who()?),
            Request::Ban(target) => OperatorCommand::Ban(target.ban()?),
            Request::Unban(target) => OperatorCommand::Unban(target.ban()?),
            Request::Mute(target) => OperatorCommand::Mute(target.who()?),
            Request::Unmute(target) => OperatorCommand::Unmute(target.who()?),
            Request::Bans {} => {
                let bans = match self.ask(OperatorCommand::Restrictions).await? {
                    OperatorAnswer::Restrictions { bans, .. } => bans,
                    _ => return Err(unexpected()),
                };
                let bans = bans.into_iter().map(Into::into).collect();
                return told(Bans { bans });
            }
            Request::Mutes {} => {
                let mutes = match self.ask(OperatorCommand::Restrictions).await? {
                    OperatorAnswer::Restrictions { mutes, .. } => mutes,
                    _ => return Err(unexpected()),
                };
                let mutes = mutes.into_iter().map(Into::into).collect();
                return told(Mutes { mutes });
            }
            Request::Release { name } => OperatorCommand::Release(name),
            Request::Limits {} => OperatorCommand::Limits,
            Request::SetLimit { limit, value } => {
                let limit = Limit::parse(&limit);
                let unknown = || Refusal::new("no-such-limit", "there is no such limit");
                let limit = limit.ok_or_else(unknown)?;
                OperatorCommand::SetLimit { limit, value }
            }
            Request::Stats {} => OperatorCommand::Stats,
            Request::Invite { uses, seconds } => return self.invite(uses, seconds).await,
            Request::Invites {} => OperatorCommand::Invites,
            Request::Revoke { invite } => OperatorCommand::Revoke(InviteNumber(invite)),
            Request::Backup { path } => return self.back_up(path.into()).await,
        };
        match self.ask(command).await? {
            OperatorAnswer::People { people, next } => told(People {
                people: people.into_iter().map(Into::into).collect(),
                next,
            }),
            OperatorAnswer::Kicked(person)
            | OperatorAnswer::Muted(person)
            | OperatorAnswer::Unmuted(person) => told(PersonName::from(person)),
            OperatorAnswer::Banned {
                ban,
                dropped,
                ended,
            } => told(BanSet {
                ban: ban.into(),
                dropped,
                ended,
            }),
            OperatorAnswer::Unbanned(banned) => told(BanLifted { ban: banned.into() }),
            OperatorAnswer::Released { person, dropped } => {
                let Person { name, key } = person;
                let key = key.to_string();
                told(Released { name, key, dropped })
            }
            OperatorAnswer::Limits(limits) => told(Limits {
                limits: limits.into_iter().map(LimitLine::from).collect(),
            }),
            OperatorAnswer::Stats(stats) => told(self.stats(stats)),
            OperatorAnswer::Invites(invites) => told(Invites {
                invites: invites.into_iter().map(Into::into).collect(),
            }),
            OperatorAnswer::Revoked(number) => told(Revoked { invite: number.0 }),
            OperatorAnswer::Restrictions { .. } | OperatorAnswer::Invited(_) => Err(unexpected()),
        }
    }

    /// Asks the hub. What it answers is in effect.
    async fn ask(&self, command: OperatorCommand) -> Result<OperatorAnswer, Refusal> {
        let (answer, result) = oneshot::channel();
        let event = ShellEvent::Operator { command, answer };
        let stopping = || Refusal::new("unavailable", "the server is stopping");
        self.events.send(event).await.map_err(|_| stopping())?;
        Ok(result.await.map_err(|_| stopping())??)
    }

    async fn invite(&self, uses: u32, seconds: u64) -> Result<Value, Refusal> {
        let range = |what: &str, most: u64| {
            Refusal::new("out-of-range", format!("{what} may be from 1 to {most}"))
        };
        if !(1..=MAX_USES).contains(&uses) {
            return Err(range("uses", MAX_USES.into()));
        }
        if !(1..=MAX_LIFE).contains(&seconds) {
            return Err(range("seconds", MAX_LIFE));
        }
        let secret = TicketSecret::from_bytes(crate::net::random());
        let command = OperatorCommand::Invite(NewInvite {
            hash: secret.hash(),
            uses,
            lifetime: Duration::from_secs(seconds),
        });
        let OperatorAnswer::Invited(invite) = self.ask(command).await? else {
            return Err(unexpected());
        };
        told(Ticket {
            invite: invite.into(),
            secret: secret.to_url().to_string(),
            fingerprint: self.facts.fingerprint.to_url(),
            addresses: self.facts.reachable.all(),
            registration: self.registration().to_owned(),
        })
    }

    fn stats(&self, stats: recado_hub::Stats) -> Stats {
        let started = self.facts.started.duration_since(UNIX_EPOCH);
        let durable = stats.durable;
        Stats {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: time_text(started.map_or(0, |since| since.as_secs())),
            running_seconds: durable.running,
            registration: self.registration().to_owned(),
            here: stats.here,
            arriving: stats.arriving,
            connections: self.facts.admission.open() as u64,
            globals: stats.globals,
            names: durable.names,
            lanes: durable.lanes,
            waiting: durable.waiting,
            failures: durable.failures,
            bans: stats.bans,
            mutes: stats.mutes,
            invites: durable.invites,
            database_bytes: self.facts.source.length(),
        }
    }

    fn registration(&self) -> &'static str {
        match self.facts.registration {
            Registration::Lan => "lan",
            Registration::Open => "open",
            Registration::Invite => "invite",
            Registration::Closed => "closed",
        }
    }

    async fn back_up(&self, path: PathBuf) -> Result<Value, Refusal> {
        if !path.is_absolute() {
            return Err(Refusal::new("bad-request", "the path must be absolute"));
        }
        if self.is_backing_up.swap(true, Ordering::Relaxed) {
            return Err(Refusal::new("busy", "a backup is being made already"));
        }
        let (source, target, stop) = (self.facts.source.clone(), path.clone(), self.stop.clone());
        let made = tokio::task::spawn_blocking(move || {
            backup::back_up(&source, &target, || *stop.borrow())
        });
        let made = made.await;
        self.is_backing_up.store(false, Ordering::Relaxed);
        let failed = |error: &dyn std::error::Error| {
            let mut detail = error.to_string();
            if let Some(source) = error.source() {
                detail = format!("{detail}: {source}");
            }
            Refusal::new("backup-failed", detail)
        };
        match made {
            Ok(Ok(bytes)) => told(BackedUp {
                path: path.display().to_string(),
                bytes,
            }),
            Ok(Err(error)) => Err(failed(&error)),
            Err(error) => Err(failed(&error)),
        }
    }
}

/// A request as the log has it: the operator's own words, but for nothing that others could use.
struct Logged<'a>(&'a Request);

impl std::fmt::Debug for Logged<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = serde_json::to_string(self.0).unwrap_or_default();
        f.write_str(&recado_proto::text::sanitise_line(&text))
    }
}

async fn read_request(stream: &mut Stream) -> Result<Request, Refusal> {
    let mut line = Vec::new();
    let mut bounded = BufReader::new(stream).take(MAX_REQUEST as u64 + 1);
    let read = bounded.read_until(b'\n', &mut line).await;
    read.map_err(|error| Refusal::new("bad-request", error))?;
    Request::parse(&line)
}

fn told(answer: impl Serialize) -> Result<Value, Refusal> {
    serde_json::to_value(answer).map_err(|error| Refusal::new("unavailable", error))
}

/// The hub answers each command in its own way.
fn unexpected() -> Refusal {
    Refusal::new("unavailable", "the answer does not fit the command")
}
