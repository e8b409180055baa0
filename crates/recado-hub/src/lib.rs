//! The decisions of recado's server: sessions, roster, names, messages, limits. Pure: it owns no
//! socket, task, clock or database.
//!
//! [`Hub`] takes [`Event`]s with the time and gives [`Output`]s; [`Shard`] does the same for datagrams,
//! beside it, because fan-out is the hot path. Time is a [`Duration`](std::time::Duration) since any fixed moment of a
//! monotonic clock.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

mod admission;
mod backend;
mod bucket;
mod event;
mod global_log;
mod hub;
mod key_packages;
mod lanes;
mod limit;
#[cfg(any(test, feature = "memory-backend"))]
mod memory_backend;
mod operator;
mod path;
mod policy;
mod presence;
mod relay;
mod roster;
mod session;
mod shard;

pub use admission::{Registration, is_private, limit_key};
pub use backend::{
    BackendAnswer, BackendRequest, Body, ClaimOutcome, Dropped, Durable, Fetched, LaneChange,
    LaneNumber, LaneState, MAX_LANES_OF_SENDER, MAX_STORES, Mail, MailboxState, Mark, OpenOutcome,
    OpenedLane, SEEN_PRECISION, Unavailable, Waiting,
};
pub use bucket::{Bucket, BucketConfig, Buckets};
pub use event::{DatagramChecks, Event, Output};
pub use hub::{Hub, HubConfig};
pub use key_packages::{KeyPackageAnswer, KeyPackageRequest, TakenKeyPackage};
pub use lanes::PrivateConfig;
pub use limit::{Limit, Unit};
#[cfg(any(test, feature = "memory-backend"))]
pub use memory_backend::MemoryBackend;
pub use operator::{
    Ban, BanTarget, Banned, Counts, Decisions, Invite, InviteNumber, KEEP_EXPIRED, LimitSource,
    LimitStanding, MAX_INVITES, MAX_RESTRICTIONS, Mute, NameRecord, NewInvite, OperatorAnswer,
    OperatorCommand, OperatorError, OperatorNumber, OperatorRecord, OperatorRequest,
    PersonStanding, SessionStanding, Stats, Who,
};
pub use relay::{RELAY_PATIENCE, RelayConfig, RelayNumber};
pub use session::SessionNumber;
pub use shard::{FanOut, Received, Shard};

/// As protocol messages carry times.
fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
