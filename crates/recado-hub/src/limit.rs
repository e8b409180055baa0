//! The limits that an operator may change while the server runs.

use std::time::Duration;

use recado_proto::limits::MAX_FRAME;

use crate::admission::CLAIMS;
use crate::bucket::BucketConfig;
use crate::lanes::PrivateConfig;

/// Something of which there may be only so much.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Limit {
    /// How long a private message waits for its recipient, in seconds of the server's running time.
    MessageAge,
    /// How long a name that was never used is kept for someone who does not come, in seconds of the same.
    UnusedNameAge,
    /// Messages that may wait for one recipient,
    MailboxMessages,
    /// and bytes of their envelopes.
    MailboxBytes,
    /// Of those, messages of one sender,
    SenderMessages,
    /// and bytes of their envelopes.
    SenderBytes,
    /// Of those, messages of all together whom the recipient never wrote to,
    StrangerMessages,
    /// and bytes of their envelopes.
    StrangerBytes,
    /// Private messages that one session may send at once,
    PrivateBurst,
    /// and then each second.
    PrivateRate,
    /// Messages to everyone that one person may send at once,
    GlobalBurst,
    /// and then each second.
    GlobalRate,
    /// New names of one IPv4 address or IPv6 /64 at once,
    NameBurst,
    /// and then each minute.
    NameRate,
}

/// What a limit counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Pieces.
    Count,
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
}

const MINUTE: u64 = 60;
const DAY: u64 = 24 * 60 * MINUTE;
const SECOND_NS: u64 = 1_000_000_000;

/// How long a name that was never used is kept for someone who does not come: nobody comes back after a month of
/// lessons to a name that they never said a word under.
pub(crate) const UNUSED_NAME_AGE: Duration = Duration::from_secs(30 * DAY);

impl Limit {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::MessageAge,
        Self::UnusedNameAge,
        Self::MailboxMessages,
        Self::MailboxBytes,
        Self::SenderMessages,
        Self::SenderBytes,
        Self::StrangerMessages,
        Self::StrangerBytes,
        Self::PrivateBurst,
        Self::PrivateRate,
        Self::GlobalBurst,
        Self::GlobalRate,
        Self::NameBurst,
        Self::NameRate,
    ];

    /// Its name, as operators and backends write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MessageAge => "message-age",
            Self::UnusedNameAge => "unused-name-age",
            Self::MailboxMessages => "mailbox-messages",
            Self::MailboxBytes => "mailbox-bytes",
            Self::SenderMessages => "sender-messages",
            Self::SenderBytes => "sender-bytes",
            Self::StrangerMessages => "stranger-messages",
            Self::StrangerBytes => "stranger-bytes",
            Self::PrivateBurst => "private-burst",
            Self::PrivateRate => "private-rate",
            Self::GlobalBurst => "global-burst",
            Self::GlobalRate => "global-rate",
            Self::NameBurst => "name-burst",
            Self::NameRate => "name-rate",
        }
    }

    /// The limit of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|limit| limit.as_str() == name)
    }

    /// What it counts.
    pub fn unit(self) -> Unit {
        match self {
            Self::MessageAge | Self::UnusedNameAge => Unit::Seconds,
            Self::MailboxBytes | Self::SenderBytes | Self::StrangerBytes => Unit::Bytes,
            _ => Unit::Count,
        }
    }

    /// The least and the most that it may be.
    pub fn range(self) -> (u64, u64) {
        match self {
            // To ten years.
            Self::MessageAge | Self::UnusedNameAge => (1, 3_650 * DAY),
            // The hub counts what waits; the database holds it. A million small messages are some 100 MiB.
            Self::MailboxMessages | Self::SenderMessages | Self::StrangerMessages => (1, 1_000_000),
            // One message at least fits, and what waits for one person need not be more than 16 GiB.
            Self::MailboxBytes | Self::SenderBytes | Self::StrangerBytes => {
                (MAX_FRAME as u64, 16 * 1024 * 1024 * 1024)
            }
            // The longest message costs 65 tokens, and must fit.
            Self::PrivateBurst | Self::GlobalBurst => (100, 10_000_000),
            Self::PrivateRate | Self::GlobalRate | Self::NameRate => (1, 1_000_000),
            Self::NameBurst => (1, 1_000_000),
        }
    }
}

/// All limits as they stand.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) private: PrivateConfig,
    pub(crate) globals: BucketConfig,
    pub(crate) claims: BucketConfig,
    pub(crate) unused_name_age: Duration,
}

impl Limits {
    pub(crate) fn new(private: PrivateConfig, globals: BucketConfig) -> Self {
        Self {
            private,
            globals,
            claims: CLAIMS,
            unused_name_age: UNUSED_NAME_AGE,
        }
    }

    pub(crate) fn get(&self, limit: Limit) -> u64 {
        let private = &self.private;
        match limit {
            Limit::MessageAge => private.message_age.as_secs(),
            Limit::UnusedNameAge => self.unused_name_age.as_secs(),
            Limit::MailboxMessages => private.mailbox.messages,
            Limit::MailboxBytes => private.mailbox.bytes,
            Limit::SenderMessages => private.of_sender.messages,
            Limit::SenderBytes => private.of_sender.bytes,
            Limit::StrangerMessages => private.strangers.messages,
            Limit::StrangerBytes => private.strangers.bytes,
            Limit::PrivateBurst => private.rate.burst.into(),
            Limit::PrivateRate => rate(private.rate.interval, 1),
            Limit::GlobalBurst => self.globals.burst.into(),
            Limit::GlobalRate => rate(self.globals.interval, 1),
            Limit::NameBurst => self.claims.burst.into(),
            Limit::NameRate => rate(self.claims.interval, MINUTE),
        }
    }

    pub(crate) fn set(&mut self, limit: Limit, value: u64) {
        let private = &mut self.private;
        let burst = u32::try_from(value).unwrap_or(u32::MAX);
        match limit {
            Limit::MessageAge => private.message_age = Duration::from_secs(value),
            Limit::UnusedNameAge => self.unused_name_age = Duration::from_secs(value),
            Limit::MailboxMessages => private.mailbox.messages = value,
            Limit::MailboxBytes => private.mailbox.bytes = value,
            Limit::SenderMessages => private.of_sender.messages = value,
            Limit::SenderBytes => private.of_sender.bytes = value,
            Limit::StrangerMessages => private.strangers.messages = value,
            Limit::StrangerBytes => private.strangers.bytes = value,
            Limit::PrivateBurst => private.rate.burst = burst,
            Limit::PrivateRate => private.rate.interval = interval(value, 1),
            Limit::GlobalBurst => self.globals.burst = burst,
            Limit::GlobalRate => self.globals.interval = interval(value, 1),
            Limit::NameBurst => self.claims.burst = burst,
            Limit::NameRate => self.claims.interval = interval(value, MINUTE),
        }
    }
}

/// How many tokens come in so many seconds.
fn rate(interval: Duration, seconds: u64) -> u64 {
    let all = u128::from(seconds.saturating_mul(SECOND_NS));
    // To the nearest: an interval is whole nanoseconds.
    let half = interval.as_nanos().checked_div(2).unwrap_or(0);
    let tokens = all.saturating_add(half).checked_div(interval.as_nanos());
    u64::try_from(tokens.unwrap_or(0)).unwrap_or(u64::MAX)
}

/// The time for one of so many tokens in so many seconds.
fn interval(tokens: u64, seconds: u64) -> Duration {
    let nanoseconds = seconds.saturating_mul(SECOND_NS).checked_div(tokens);
    Duration::from_nanos(nanoseconds.unwrap_or(u64::MAX).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::HubConfig;

    #[test]
    fn every_limit_has_a_name_and_keeps_what_is_set() {
        let mut limits = Limits::new(PrivateConfig::default(), HubConfig::GLOBALS);
        for limit in Limit::ALL {
            assert_eq!(Limit::parse(limit.as_str()), Some(limit));
            let (least, most) = limit.range();
            let default = limits.get(limit);
            assert!((least..=most).contains(&default), "{limit:?}: {default}");
            for value in [least, default, most, default] {
                limits.set(limit, value);
                assert_eq!(limits.get(limit), value, "{limit:?}");
            }
        }
        assert_eq!(Limit::parse("message_age"), None);
    }
}
