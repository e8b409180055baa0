//! How much private mail there may be, and when a refused sender comes back.

use std::time::Duration;

use recado_proto::limits::{
    MAX_UNACKNOWLEDGED, MAX_UNACKNOWLEDGED_BYTES, MAX_UNSTORED, MAX_UNSTORED_BYTES,
};

use crate::backend::Waiting;
use crate::bucket::BucketConfig;

/// What the operator decides about private messages.
#[derive(Clone, Copy, Debug)]
pub struct PrivateConfig {
    /// What one session may send; a message costs one token for each started 1,024 bytes of its envelope.
    pub rate: BucketConfig,
    /// What may wait for one recipient.
    pub mailbox: Waiting,
    /// What may wait for one recipient of one sender.
    pub of_sender: Waiting,
    /// What may wait for one recipient of all together whom they never wrote to.
    pub strangers: Waiting,
    /// How long a message waits for its recipient, in the server's running time, before it is dropped.
    pub message_age: Duration,
    /// How long a message that was sent to a recipient who is here waits for their acknowledgement before it is
    /// written down. One that is acknowledged sooner is written down as a number alone.
    pub acknowledge_time: Duration,
}

impl Default for PrivateConfig {
    fn default() -> Self {
        Self {
            // Far more than people type; bounds what a program that runs wild costs others.
            rate: BucketConfig {
                burst: 20_000,
                interval: Duration::from_micros(200),
            },
            // Months of a busy correspondence.
            mailbox: waiting(10_000, 64),
            // A fifth of it, so that nobody fills it alone.
            of_sender: waiting(2_000, 16),
            // A note from each of a class of 200, and some more.
            strangers: waiting(500, 4),
            message_age: Duration::from_secs(30 * 24 * 60 * 60),
            // A round trip on a LAN and a commit on a slow disk; not long enough to be noticed by a person.
            acknowledge_time: Duration::from_millis(20),
        }
    }
}

const fn waiting(messages: u64, mebibytes: u64) -> Waiting {
    let bytes = mebibytes.saturating_mul(1024 * 1024);
    Waiting { messages, bytes }
}

/// The highest number of a lane: what a database holds as an integer. Nobody sends as many.
pub(super) const MAX_NUMBER: u64 = i64::MAX as u64;

/// What a session may have sent that is not stored.
pub(super) const UNSTORED: Waiting = Waiting {
    messages: MAX_UNSTORED as u64,
    bytes: MAX_UNSTORED_BYTES as u64,
};

/// What may have been sent to a session that it has not acknowledged.
pub(super) const UNACKNOWLEDGED: Waiting = Waiting {
    messages: MAX_UNACKNOWLEDGED as u64,
    bytes: MAX_UNACKNOWLEDGED_BYTES as u64,
};

/// Voids are taken where messages are refused, but no more of one sender than messages; together these are so many
/// times the messages that may wait.
pub(super) const WITH_VOIDS: u64 = 2;

/// Bytes of an envelope that cost one token more.
pub(super) const BYTES_PER_TOKEN: u64 = 1024;

/// When a sender comes back that has too much unstored: a few commits later.
pub(super) const UNSTORED_RETRY: Duration = Duration::from_millis(20);

/// When one comes back whose recipient is here and is behind: they read.
pub(super) const BEHIND_RETRY: Duration = Duration::from_millis(100);

/// When one comes back whose recipient's mailbox is full while they are away.
pub(super) const FULL_RETRY: Duration = Duration::from_secs(10);

/// When one comes back who has as many lanes as may be: once somebody has read what waits in one of them.
pub(super) const LANES_RETRY: Duration = Duration::from_secs(60);

/// When a commit that failed is tried again, and whoever asked for something comes back.
pub(super) const STORAGE_RETRY: Duration = Duration::from_secs(1);

/// Messages and bytes read from a mailbox at once: half of what may be unacknowledged, so that one part is on its
/// way while the other is acknowledged.
pub(super) const FETCH_MESSAGES: usize = MAX_UNACKNOWLEDGED / 2;
pub(super) const FETCH_BYTES: usize = MAX_UNACKNOWLEDGED_BYTES / 2;

/// How often what is too old is looked for. Also how exactly the server's running time is known after a crash.
pub(super) const EXPIRE_INTERVAL: Duration = Duration::from_secs(60);

/// Messages looked at each time: a few milliseconds of the database's time.
pub(super) const EXPIRE_MESSAGES: usize = 1_000;
