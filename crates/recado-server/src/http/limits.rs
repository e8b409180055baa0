//! The limits of the HTTP service, each with its derivation.

use std::time::Duration;

/// What the HTTP service is configured with.
#[derive(Clone, Debug, Default)]
pub struct HttpConfig {
    /// Sizes, counts and times.
    pub limits: HttpLimits,
}

/// Sizes, counts and times that bound one connection, one request, and all batches together.
#[derive(Clone, Debug)]
pub struct HttpLimits {
    /// How long a request's head may take from its first byte; for a connection's first request,
    /// from the connection's start. 10 s: a head is one packet or two, and a few retransmissions.
    pub head_time: Duration,
    /// How long a connection may rest between requests. 60 s, as browsers and proxies expect.
    pub idle_time: Duration,
    /// How long a request's body may take. 30 s: a full batch at 35 kB/s.
    pub body_time: Duration,
    /// How long an answer may wait for its reader. 120 s: a full batch answer at 35 kB/s.
    pub write_time: Duration,
    /// How long a closing connection with nothing under way waits for the peer's part of the
    /// goodbye. 2 s: a few round trips.
    pub closing_time: Duration,
    /// The largest head, in bytes. 32 KiB: the two longest operands that the calculator reads,
    /// 22 KB together, and 8 KiB of headers, as browsers may send. (HTTP/1: hyper allows 100 headers,
    /// and another number would cost it an allocation for each request.)
    pub head_bytes: usize,
    /// The largest body of a single calculation, in bytes. 64 KiB: the two longest operands that
    /// the calculator reads, nearly every character of them escaped.
    pub single_body_bytes: usize,
    /// The largest body of a batch, in bytes. 1 MiB: 1,000 items with operands of about 500 digits.
    pub batch_body_bytes: usize,
    /// How many items a batch may have.
    pub batch_items: usize,
    /// How large a batch's answer may grow, in bytes, before its remaining items are refused one by
    /// one. 4 MiB: 1,000 answers of 4 KB, which is two operands, a result and a fraction of
    /// several hundred digits each.
    pub batch_answer_bytes: usize,
    /// How long a batch may compute before it lets other connections have the thread. 1 ms: the
    /// delay that a batch may add to other requests.
    pub batch_slice: Duration,
    /// How many batches may compute, or hold an answer that is being sent, at once; others wait.
    /// 64: with their largest bodies and answers, 320 MiB at the worst.
    pub batches_at_once: usize,
    /// How long a batch waits for its turn before it is refused with 503.
    pub batch_wait: Duration,
    /// HTTP/2: requests under way on one connection. 100, the least that RFC 9113 recommends.
    pub h2_streams: u32,
    /// HTTP/2: bytes that a client may send on one stream before they are read.
    pub h2_stream_window: u32,
    /// HTTP/2: bytes that a client may send on all streams before they are read.
    pub h2_connection_window: u32,
    /// HTTP/2: streams that the client reset before they were looked at, before the connection is
    /// ended (CVE-2023-44487). h2's own default.
    pub h2_pending_resets: usize,
    /// HTTP/2: streams that this side reset for the client's errors, before the connection is ended
    /// (RUSTSEC-2024-0003).
    pub h2_error_resets: usize,
    /// HTTP/2: how often a quiet client is asked whether it is still there.
    pub h2_ping_interval: Duration,
    /// HTTP/2: how long it may take to say so.
    pub h2_ping_time: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            head_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(60),
            body_time: Duration::from_secs(30),
            write_time: Duration::from_secs(120),
            closing_time: Duration::from_secs(2),
            head_bytes: 32 * 1024,
            single_body_bytes: 64 * 1024,
            batch_body_bytes: 1024 * 1024,
            batch_items: 1_000,
            batch_answer_bytes: 4 * 1024 * 1024,
            batch_slice: Duration::from_millis(1),
            batches_at_once: 64,
            batch_wait: Duration::from_secs(10),
            h2_streams: 100,
            h2_stream_window: 64 * 1024,
            h2_connection_window: 1024 * 1024,
            h2_pending_resets: 20,
            h2_error_resets: 128,
            h2_ping_interval: Duration::from_secs(30),
            h2_ping_time: Duration::from_secs(20),
        }
    }
}
