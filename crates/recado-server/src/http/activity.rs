//! What a connection is doing, and how long it may.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::{HttpLimits, Protocol};

/// What a connection is doing, noted by its transport and its requests, read by its [`Watchdog`].
///
/// Nothing here orders other memory, and the connection's task is woken by what changes it, so that
/// relaxed access is enough.
#[derive(Debug, Default)]
pub(super) struct Activity {
    /// Requests begun.
    requests: AtomicUsize,
    /// Requests whose answer has not been handed to the connection in whole.
    in_flight: AtomicUsize,
    /// Whether bytes have come that belong to no request under way.
    reading: AtomicBool,
    /// Whether the transport has refused bytes and not taken all that was waiting since.
    stalled: AtomicBool,
}

impl Activity {
    /// How many requests are under way.
    #[cfg(test)]
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Relaxed)
    }

    fn phase(&self, protocol: Protocol) -> Phase {
        if self.stalled.load(Relaxed) {
            Phase::Stalled
        } else if self.in_flight.load(Relaxed) > 0 {
            Phase::Answering
        } else if self.requests.load(Relaxed) == 0
            // Between HTTP/2 requests come frames that are no request's.
            || (protocol == Protocol::Http1 && self.reading.load(Relaxed))
        {
            Phase::Head
        } else {
            Phase::Idle
        }
    }
}

/// A request under way; ends when dropped.
#[derive(Debug)]
pub(super) struct InFlight(Arc<Activity>);

impl InFlight {
    pub(super) fn begin(activity: &Arc<Activity>) -> Self {
        activity.requests.fetch_add(1, Relaxed);
        activity.in_flight.fetch_add(1, Relaxed);
        activity.reading.store(false, Relaxed);
        Self(Arc::clone(activity))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

/// How much is still read of a head that was refused. What is left unread destroys the answer on its way: the
/// system sends a reset.
const REFUSED_HEAD_BYTES: usize = 1024 * 1024;

/// A transport that notes what passes.
pub(super) struct Watched<IO> {
    io: IO,
    protocol: Protocol,
    activity: Arc<Activity>,
    /// What of a refused head may still be read; `None` until the answer has been sent.
    discard: Option<usize>,
}

impl<IO> Watched<IO> {
    pub(super) fn new(io: IO, protocol: Protocol, activity: Arc<Activity>) -> Self {
        Self {
            io,
            protocol,
            activity,
            discard: None,
        }
    }

    fn note_write<T>(&self, written: Poll<T>) -> Poll<T> {
        if written.is_pending() {
            self.activity.stalled.store(true, Relaxed);
        }
        written
    }
}

impl<IO: AsyncRead + Unpin> Watched<IO> {
    /// Reads the rest of a refused head for nothing, up to the peer's end. Its time is that of any head.
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut buffer = [0; 4096];
        while let Some(left @ 1..) = self.discard {
            let mut buffer = ReadBuf::new(&mut buffer);
            ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer))?;
            if buffer.filled().is_empty() {
                break;
            }
            self.discard = Some(left.saturating_sub(buffer.filled().len()));
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Watched<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        if buf.filled().len() > before && self.activity.in_flight.load(Relaxed) == 0 {
            self.activity.reading.store(true, Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        self.note_write(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.note_write(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        // Only a whole flush ends a stall: a reader that takes a byte now and then does not.
        if flushed.is_ready() {
            self.activity.stalled.store(false, Relaxed);
        }
        self.note_write(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.discard.is_none() {
            ready!(Pin::new(&mut self.io).poll_shutdown(cx))?;
            // Bytes that became no request are a head that was refused.
            let is_refused =
                self.protocol == Protocol::Http1 && self.activity.reading.load(Relaxed);
            self.discard = Some(if is_refused { REFUSED_HEAD_BYTES } else { 0 });
        }
        self.poll_discard(cx)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Waiting for the rest of a request's head; before the first request, for all of it.
    Head,
    /// Working on requests, or sending.
    Answering,
    /// Waiting for the peer to take what was sent.
    Stalled,
    /// Nothing to do.
    Idle,
}

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It rested long enough: say goodbye.
    Close,
    /// Its time is up: end it.
    Cut(&'static str),
}

/// Measures how long a connection does the same.
///
/// hyper's own timer for heads is not used: it also runs while a connection rests, and it makes and
/// drops a timer for each request. Here one timer serves the whole connection. It is moved when it
/// rings, or when it would ring too late; a request costs it a look at the clock.
pub(super) struct Watchdog {
    activity: Arc<Activity>,
    protocol: Protocol,
    head_time: Duration,
    idle_time: Duration,
    write_time: Duration,
    closing_time: Duration,
    phase: Phase,
    /// The number of requests when the phase was last looked at.
    requests: usize,
    /// When the phase began.
    since: Instant,
    closing: bool,
    timer: Pin<Box<Sleep>>,
}

impl Watchdog {
    /// Begins now.
    pub(super) fn new(activity: Arc<Activity>, protocol: Protocol, limits: &HttpLimits) -> Self {
        let since = Instant::now();
        Self {
            activity,
            protocol,
            head_time: limits.head_time,
            idle_time: limits.idle_time,
            write_time: limits.write_time,
            closing_time: limits.closing_time,
            phase: Phase::Head,
            requests: 0,
            since,
            closing: false,
            timer: Box::pin(sleep_until(since + limits.head_time)),
        }
    }

    /// The goodbye was said: from now on, only what is under way has time.
    pub(super) fn closing(&mut self) {
        self.closing = true;
        self.since = Instant::now();
    }

    /// To be called whenever the connection has done what it could. Pending until it has a verdict.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Verdict> {
        let phase = self.activity.phase(self.protocol);
        let requests = self.activity.requests.load(Relaxed);
        // A request may have come and gone between two looks; a stall goes on beside requests.
        if phase != self.phase || (requests != self.requests && phase != Phase::Stalled) {
            self.phase = phase;
            self.since = Instant::now();
        }
        self.requests = requests;
        let limit = match phase {
            Phase::Head | Phase::Idle if self.closing => self.closing_time,
            Phase::Head => self.head_time,
            Phase::Idle => self.idle_time,
            Phase::Stalled => self.write_time,
            // Bodies, turns and slices have their own limits.
            Phase::Answering => return Poll::Pending,
        };
        let deadline = self.since + limit;
        if deadline < self.timer.deadline() {
            self.timer.as_mut().reset(deadline);
        }
        ready!(self.timer.as_mut().poll(cx));
        if deadline > self.timer.deadline() {
            self.timer.as_mut().reset(deadline);
            ready!(self.timer.as_mut().poll(cx));
        }
        Poll::Ready(match phase {
            Phase::Idle if !self.closing => Verdict::Close,
            Phase::Idle => Verdict::Cut("goodbye not answered"),
            Phase::Head => Verdict::Cut("head not received in time"),
            Phase::Stalled | Phase::Answering => Verdict::Cut("answer not taken in time"),
        })
    }
}
