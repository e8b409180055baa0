//! The limits of the HTTP service, each with its derivation.

use std::sync::Arc;
use std::time::Duration;

use super::rate::TrustedProxy;
use crate::metrics::HttpMetrics;

/// What the HTTP service is configured with.
#[derive(Clone, Debug, Default)]
pub struct HttpConfig {
    /// Sizes, counts and times.
    pub limits: HttpLimits,
    /// Proxies that say whom they speak for.
    pub trusted_proxies: Vec<TrustedProxy>,
    /// Where requests are counted, if anyone wants to know.
    pub metrics: Option<Arc<HttpMetrics>>,
}

/// A limit as documentation shows it.
#[derive(Clone, Debug)]
pub(super) struct Described {
    /// Its field's name.
    pub(super) name: &'static str,
    /// Its value with its unit.
    pub(super) value: String,
    /// What it bounds and why it is as large as it is: its field's documentation.
    pub(super) about: &'static str,
}

/// Declares the limits, their defaults and, from the same lines, their description.
macro_rules! limits {
    ($(#[$attribute:meta])+ pub struct $limits:ident {
        $($(#[doc = $about:literal])+ pub $name:ident: $type:ty = $value:expr,)+
    }) => {
        $(#[$attribute])+
        pub struct $limits {
            $($(#[doc = $about])+ pub $name: $type,)+
        }

        impl Default for $limits {
            fn default() -> Self {
                Self { $($name: $value,)+ }
            }
        }

        impl $limits {
            /// All of them, in order.
            pub(super) fn described(&self) -> Vec<Described> {
                vec![$(Described {
                    name: stringify!($name),
                    value: self.$name.shown(),
                    about: concat!($($about, "\n"),+),
                }),+]
            }
        }
    };
}

limits! {
    /// Sizes, counts and times that bound one connection, one request, and all batches together.
    #[derive(Clone, Debug)]
    pub struct HttpLimits {
        /// How long a request's head may take from its first byte; for a connection's first request,
        /// from the connection's start. A head is one packet or two, and a few retransmissions.
        pub head_time: Duration = Duration::from_secs(10),
        /// How long a connection may rest between requests, as browsers and proxies expect.
        pub idle_time: Duration = Duration::from_secs(60),
        /// How long a request's body may take: a full batch at 35 kB/s.
        pub body_time: Duration = Duration::from_secs(30),
        /// How long an answer may wait for its reader: a full batch answer at 35 kB/s.
        pub write_time: Duration = Duration::from_secs(120),
        /// How long a closing connection with nothing under way waits for the peer's part of the
        /// goodbye: a few round trips.
        pub closing_time: Duration = Duration::from_secs(2),
        /// The largest head, in bytes: the two longest operands that the calculator reads, 22 KB
        /// together, and 8 KiB of headers, as browsers may send. Of headers there may be 100, which is
        /// hyper's number; another would cost an allocation for each request.
        pub head_bytes: usize = 32 * 1024,
        /// The largest body of a single calculation, in bytes: the two longest operands that the
        /// calculator reads, nearly every character of them escaped.
        pub single_body_bytes: usize = 64 * 1024,
        /// The largest body of a batch, in bytes: 1,000 items with operands of about 500 digits.
        pub batch_body_bytes: usize = 1024 * 1024,
        /// How many items a batch may have: a class's homework in one request, and at the calculator's
        /// worst, 0.1 ms an item, a tenth of a second.
        pub batch_items: usize = 1_000,
        /// How large a batch's answer may grow, in bytes, before its remaining items are refused one by
        /// one: 1,000 answers of 4 KB, which is two operands, a result and a fraction of several
        /// hundred digits each.
        pub batch_answer_bytes: usize = 4 * 1024 * 1024,
        /// How long a batch may compute before it lets other connections have the thread: the delay
        /// that a batch may add to other requests.
        pub batch_slice: Duration = Duration::from_millis(1),
        /// How many batches may compute, or hold an answer that is being sent, at once; others wait.
        /// With their largest bodies and answers they take 320 MiB at the worst.
        pub batches_at_once: usize = 64,
        /// How long a batch waits for its turn before it is refused with 503: 64 batches at their worst
        /// take a few seconds.
        pub batch_wait: Duration = Duration::from_secs(10),
        /// Requests that one IPv4 address or IPv6 /64 may make at once; more are refused with 429. A class of 200 behind
        /// one address may each load the page, which is four requests, and calculate a few times.
        pub rate_burst: u32 = 4_000,
        /// How long until one more may be made. A thousand a second are, at the calculator's worst of 0.1 ms, a tenth of a
        /// processor.
        pub rate_interval: Duration = Duration::from_millis(1),
        /// How many bytes of a body count as one more request. The calculator's worst case takes two KiB of operands.
        pub rate_body_bytes: usize = 1024,
        /// How many addresses are counted at a time; where more are busy, new ones wait. They take 8 MiB.
        pub rate_addresses: usize = 65_536,
        /// HTTP/2: requests under way on one connection; the least that RFC 9113 recommends.
        pub h2_streams: u32 = 100,
        /// HTTP/2: bytes that a client may send on one stream before they are read: a whole single
        /// calculation.
        pub h2_stream_window: u32 = 64 * 1024,
        /// HTTP/2: bytes that a client may send on all streams before they are read: a whole batch.
        pub h2_connection_window: u32 = 1024 * 1024,
        /// HTTP/2: streams that the client reset before they were looked at, before the connection is
        /// ended (CVE-2023-44487). h2's own default.
        pub h2_pending_resets: usize = 20,
        /// HTTP/2: streams that this side reset for the client's errors, before the connection is ended
        /// (RUSTSEC-2024-0003): a little more than can be under way at once.
        pub h2_error_resets: usize = 128,
        /// HTTP/2: how often a quiet client is asked whether it is still there: twice in the time that
        /// a connection may rest.
        pub h2_ping_interval: Duration = Duration::from_secs(30),
        /// HTTP/2: how long it may take to say so: a few retransmissions.
        pub h2_ping_time: Duration = Duration::from_secs(20),
    }
}

/// A value with its unit.
trait Shown {
    fn shown(&self) -> String;
}

impl Shown for Duration {
    fn shown(&self) -> String {
        format!("{self:?}")
    }
}

impl Shown for usize {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for u32 {
    fn shown(&self) -> String {
        self.to_string()
    }
}
