//! Key packages: what people leave at the server so that others can begin to write to them end to end. The server
//! looks into none of them; it hands each out once. `docs/protocol.md` §Key packages says what is promised.

use std::collections::BTreeSet;
use std::time::Duration;

use recado_proto::frame::{
    KeyPackage, KeyPackageRefusalCode, KeyPackageRefused, KeyPackagesHeld, PutKeyPackages,
    ServerFrame,
};
use recado_proto::id::RemoteKey;
use recado_proto::limits::MAX_KEY_PACKAGES;

use crate::backend::{BackendRequest, Unavailable};
use crate::bucket::{Bucket, BucketConfig, Buckets};
use crate::event::Outputs;
use crate::millis;
use crate::session::SessionNumber;

/// How long a key package is handed out, in the server's running time: as long as its owner keeps the private half.
const AGE: Duration = Duration::from_secs(84 * 24 * 60 * 60);

/// How often those that are too old are looked for.
const EXPIRE_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// What one requester takes of all people together: someone who comes to a class of 200 and writes to each, and has
/// to begin anew with some.
const OF_REQUESTER: BucketConfig = BucketConfig {
    burst: 256,
    interval: Duration::from_secs(1),
};

/// What one requester takes of one target before they get the last resort: the four times that a message is sealed.
/// A stock of 64 lasts for 16 requesters who take all that they get.
const OF_PAIR: BucketConfig = BucketConfig {
    burst: 4,
    interval: Duration::from_secs(10 * 60),
};

/// What one session puts or lists: a copy that replaces all, several times over.
const OF_OWNER: BucketConfig = BucketConfig {
    burst: 16,
    interval: Duration::from_secs(5),
};

/// Requesters and pairs that are remembered, some 100 bytes each. One who finds no place counts as having had their
/// share.
const MAX_REMEMBERED: usize = 65_536;

/// Lanes of which it is remembered that there was no key package, 56 bytes each. Others ask again by themselves.
const MAX_WAITING: usize = 16_384;

/// When whoever found none asks again, if they were not told before.
const NONE_RETRY: Duration = Duration::from_secs(30);

/// When the backend that failed is asked again.
const UNAVAILABLE_RETRY: Duration = Duration::from_secs(1);

/// Whoever has fewer left is told: half of the stock.
const LOW: usize = MAX_KEY_PACKAGES / 2;

/// What the hub asks of the backend about key packages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeyPackageRequest {
    /// Which are there.
    List {
        /// Who asks: comes back in the answer.
        session: SessionNumber,
        /// Whose.
        owner: RemoteKey,
        /// Older ones, in the server's running time, are dropped.
        age: Duration,
    },
    /// Keeps these, the newest [`MAX_KEY_PACKAGES`] of all for one use; and says which are there then.
    Put {
        /// Who asks: comes back in the answer.
        session: SessionNumber,
        /// Whose.
        owner: RemoteKey,
        /// What is kept.
        put: Box<PutKeyPackages>,
        /// As in [`List`](Self::List).
        age: Duration,
    },
    /// Hands one out: the oldest for one use, which is gone then; else the last resort.
    Take {
        /// Who asks: comes back in the answer.
        session: SessionNumber,
        /// The client's number for the lane: comes back too.
        handle: u32,
        /// Whose.
        target: RemoteKey,
        /// Whether it is to be the last resort.
        last_resort: bool,
        /// As in [`List`](Self::List).
        age: Duration,
    },
    /// Drops those of everyone that are too old.
    Expire {
        /// As in [`List`](Self::List).
        age: Duration,
    },
}

/// What the backend answers, once it is durable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeyPackageAnswer {
    /// To [`KeyPackageRequest::List`] and [`Put`](KeyPackageRequest::Put).
    Held {
        /// Who asked.
        session: SessionNumber,
        /// Whose.
        owner: RemoteKey,
        /// What is there.
        result: Result<KeyPackagesHeld, Unavailable>,
    },
    /// To [`KeyPackageRequest::Take`].
    Taken {
        /// Who asked.
        session: SessionNumber,
        /// The client's number for the lane.
        handle: u32,
        /// Whose.
        target: RemoteKey,
        /// What was handed out; nothing if there is none.
        result: Result<Option<TakenKeyPackage>, Unavailable>,
    },
    /// To [`KeyPackageRequest::Expire`].
    Expired,
}

/// A key package that was handed out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TakenKeyPackage {
    /// As its owner put it.
    pub package: Vec<u8>,
    /// Whether others get the same.
    pub last_resort: bool,
    /// How many for one use are left.
    pub left: usize,
}

impl KeyPackageRequest {
    /// The answer where nothing could be done.
    pub fn unavailable(&self) -> KeyPackageAnswer {
        match self {
            Self::List { session, owner, .. } | Self::Put { session, owner, .. } => {
                KeyPackageAnswer::Held {
                    session: *session,
                    owner: *owner,
                    result: Err(Unavailable),
                }
            }
            Self::Take {
                session,
                handle,
                target,
                ..
            } => KeyPackageAnswer::Taken {
                session: *session,
                handle: *handle,
                target: *target,
                result: Err(Unavailable),
            },
            Self::Expire { .. } => KeyPackageAnswer::Expired,
        }
    }
}

/// Shares, and who waits.
pub(crate) struct KeyPackages {
    requesters: Buckets<RemoteKey>,
    pairs: Buckets<(RemoteKey, RemoteKey)>,
    /// Lanes for which there was none: to whom they lead, and whose they are.
    waiting: BTreeSet<(RemoteKey, SessionNumber, u32)>,
    expire_due: Duration,
}

/// A session's own stock.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stock {
    share: Bucket,
    /// Whether the backend is asked.
    busy: bool,
    /// Whether one of its lanes may wait for a key package.
    pub(crate) waits: bool,
}

impl KeyPackages {
    pub(crate) fn new() -> Self {
        Self {
            requesters: Buckets::new(OF_REQUESTER, MAX_REMEMBERED),
            pairs: Buckets::new(OF_PAIR, MAX_REMEMBERED),
            waiting: BTreeSet::new(),
            expire_due: Duration::ZERO,
        }
    }

    pub(crate) fn deadline(&self) -> Duration {
        self.expire_due
    }

    pub(crate) fn handle_timeout(&mut self, now: Duration, out: &mut Outputs) {
        if now >= self.expire_due {
            self.expire_due = now.saturating_add(EXPIRE_INTERVAL);
            ask(out, KeyPackageRequest::Expire { age: AGE });
        }
    }

    /// A session asks which of its own are there, or puts some.
    pub(crate) fn handle_own(
        &self,
        now: Duration,
        stock: &mut Stock,
        session: SessionNumber,
        owner: RemoteKey,
        put: Option<PutKeyPackages>,
        out: &mut Outputs,
    ) {
        let share = match stock.busy {
            // One at a time: a flood of them would hold up what others ask of the backend.
            true => Err(UNAVAILABLE_RETRY),
            false => stock.share.take(now, &OF_OWNER),
        };
        if let Err(wait) = share {
            return out.send(session, unavailable(wait));
        }
        stock.busy = true;
        let age = AGE;
        let request = match put {
            None => KeyPackageRequest::List {
                session,
                owner,
                age,
            },
            Some(put) => KeyPackageRequest::Put {
                session,
                owner,
                put: Box::new(put),
                age,
            },
        };
        ask(out, request);
    }

    /// The backend has answered that. `stock` is the session's, if it is still here.
    pub(crate) fn handle_held(
        &mut self,
        stock: Option<&mut Stock>,
        session: SessionNumber,
        owner: RemoteKey,
        result: Result<KeyPackagesHeld, Unavailable>,
        out: &mut Outputs,
    ) {
        let has_some = result.as_ref().is_ok_and(|held| {
            let last_resort = held.last_resort.is_some();
            last_resort || !held.references.is_empty()
        });
        if let Some(stock) = stock {
            stock.busy = false;
            let frame = match result {
                Ok(held) => ServerFrame::KeyPackagesHeld(held),
                Err(Unavailable) => unavailable(UNAVAILABLE_RETRY),
            };
            out.send(session, frame);
        }
        if has_some {
            self.tell_waiting(owner, out);
        }
    }

    /// A session takes one for a lane that leads to `target`.
    pub(crate) fn handle_take(
        &mut self,
        now: Duration,
        session: SessionNumber,
        requester: RemoteKey,
        (handle, target): (u32, RemoteKey),
        out: &mut Outputs,
    ) {
        if let Err(wait) = self.requesters.take(now, &requester) {
            let code = KeyPackageRefusalCode::TooMany;
            return out.send(session, refused(handle, code, wait));
        }
        let had_share = self.pairs.take(now, &(requester, target)).is_err();
        let request = KeyPackageRequest::Take {
            session,
            handle,
            target,
            last_resort: had_share,
            age: AGE,
        };
        ask(out, request);
    }

    /// The backend has answered that. `stock` is the requester's, if they are still here; `owner` is the target's
    /// session, if there is one.
    pub(crate) fn handle_taken(
        &mut self,
        stock: Option<&mut Stock>,
        session: SessionNumber,
        (handle, target): (u32, RemoteKey),
        result: Result<Option<TakenKeyPackage>, Unavailable>,
        owner: Option<SessionNumber>,
        out: &mut Outputs,
    ) {
        if let (Ok(Some(taken)), Some(owner)) = (&result, owner)
            && taken.left < LOW
            && !taken.last_resort
        {
            let left = u32::try_from(taken.left).unwrap_or(u32::MAX);
            out.send(owner, ServerFrame::KeyPackagesLow(left));
        }
        let Some(stock) = stock else {
            return;
        };
        let frame = match result {
            Ok(Some(taken)) => ServerFrame::KeyPackage(KeyPackage {
                lane: handle,
                package: taken.package,
                last_resort: taken.last_resort,
            }),
            Ok(None) => {
                if self.waiting.len() < MAX_WAITING {
                    self.waiting.insert((target, session, handle));
                    stock.waits = true;
                }
                refused(handle, KeyPackageRefusalCode::None, NONE_RETRY)
            }
            Err(Unavailable) => {
                let code = KeyPackageRefusalCode::Unavailable;
                refused(handle, code, UNAVAILABLE_RETRY)
            }
        };
        out.send(session, frame);
    }

    /// A session has left.
    pub(crate) fn leave(&mut self, session: SessionNumber, stock: Stock) {
        if stock.waits {
            self.waiting.retain(|(_, waits, _)| *waits != session);
        }
    }

    fn tell_waiting(&mut self, owner: RemoteKey, out: &mut Outputs) {
        let first = (owner, SessionNumber(0), 0);
        let last = (owner, SessionNumber(u64::MAX), u32::MAX);
        let told: Vec<_> = self.waiting.range(first..=last).copied().collect();
        for waits in told {
            self.waiting.remove(&waits);
            let (_, session, lane) = waits;
            out.send(session, ServerFrame::KeyPackagesReady(lane));
        }
    }
}

fn ask(out: &mut Outputs, request: KeyPackageRequest) {
    out.ask(BackendRequest::KeyPackages(request));
}

fn unavailable(wait: Duration) -> ServerFrame {
    ServerFrame::KeyPackagesHeld(KeyPackagesHeld {
        retry_in_ms: millis(wait).max(1),
        ..KeyPackagesHeld::default()
    })
}

fn refused(lane: u32, code: KeyPackageRefusalCode, wait: Duration) -> ServerFrame {
    ServerFrame::KeyPackageRefused(KeyPackageRefused {
        lane,
        code,
        retry_in_ms: millis(wait).max(1),
    })
}
