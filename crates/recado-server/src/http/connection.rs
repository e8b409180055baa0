//! One connection, from its first byte to its last.

use std::future::poll_fn;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::timeout;

use super::activity::{Activity, Verdict, Watchdog, Watched};
use super::service::ConnectionService;
use super::{HttpLimits, Protocol, Shared, Transport};

/// Serves a connection; see [`HttpService::serve`](super::HttpService::serve).
pub(super) async fn serve<IO>(
    shared: Arc<Shared>,
    io: IO,
    transport: Transport,
    shutdown: watch::Receiver<bool>,
) where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Transport { protocol, peer, .. } = transport;
    let activity = Arc::new(Activity::default());
    let watchdog = Watchdog::new(Arc::clone(&activity), protocol, &shared.limits);
    let io = TokioIo::new(Watched::new(io, protocol, Arc::clone(&activity)));
    let service = ConnectionService::new(Arc::clone(&shared), transport, activity);
    let limits = &shared.limits;
    let streams = Streams::new(limits.write_time);
    let end = match protocol {
        Protocol::Http1 => {
            let connection = http1_builder(limits).serve_connection(io, service);
            run(connection, &streams, watchdog, shutdown).await
        }
        Protocol::Http2 => {
            let connection = http2_builder(limits, streams.clone()).serve_connection(io, service);
            run(connection, &streams, watchdog, shutdown).await
        }
    };
    match end {
        End::Closed => {}
        End::Cut(why) => tracing::debug!(%peer, ?protocol, why, "connection cut"),
        // hyper's errors name what was wrong and quote nothing.
        End::Failed(error) => tracing::debug!(%peer, ?protocol, %error, "connection failed"),
    }
}

fn http1_builder(limits: &HttpLimits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // The watchdog's work.
        .header_read_timeout(None)
        .max_header_size(limits.head_bytes)
        // Also what a head may grow to before its size is known, so a little above its limit.
        .max_buf_size(2 * limits.head_bytes.max(8 * 1024))
        // Answers are small: one buffer is cheaper than a queue of two.
        .writev(false);
    builder
}

fn http2_builder(limits: &HttpLimits, streams: Streams) -> http2::Builder<Streams> {
    let mut builder = http2::Builder::new(streams);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.h2_streams)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        .initial_stream_window_size(limits.h2_stream_window)
        .initial_connection_window_size(limits.h2_connection_window)
        .max_pending_accept_reset_streams(limits.h2_pending_resets)
        .max_local_error_reset_streams(limits.h2_error_resets)
        .max_send_buf_size(64 * 1024)
        .keep_alive_interval(limits.h2_ping_interval)
        .keep_alive_timeout(limits.h2_ping_time);
    builder
}

/// How a connection ended.
enum End {
    Closed,
    Cut(&'static str),
    Failed(hyper::Error),
}

/// A hyper connection of either protocol.
trait Connection: Future<Output = hyper::Result<()>> {
    /// Takes no more requests, and closes after those under way.
    fn say_goodbye(self: Pin<&mut Self>);
}

impl<IO> Connection for http1::Connection<TokioIo<Watched<IO>>, ConnectionService>
where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
{
    fn say_goodbye(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<IO> Connection for http2::Connection<TokioIo<Watched<IO>>, ConnectionService, Streams>
where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
{
    fn say_goodbye(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

async fn run(
    connection: impl Connection,
    streams: &Streams,
    mut watchdog: Watchdog,
    mut shutdown: watch::Receiver<bool>,
) -> End {
    let mut connection = pin!(connection);
    // A sender that is gone means that the server is going.
    let mut shutdown = pin!(async move {
        let _ = shutdown.wait_for(|&asked| asked).await;
    });
    let mut closing = false;
    poll_fn(move |cx| {
        if !closing && shutdown.as_mut().poll(cx).is_ready() {
            closing = true;
            connection.as_mut().say_goodbye();
            watchdog.closing();
        }
        loop {
            if let Poll::Ready(end) = connection.as_mut().poll(cx) {
                drop(streams.take_begun());
                return Poll::Ready(end.map_or_else(End::Failed, |()| End::Closed));
            }
            if streams.poll_begun() {
                continue;
            }
            match watchdog.poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Verdict::Cut(why)) => return Poll::Ready(End::Cut(why)),
                Poll::Ready(Verdict::Close) => {
                    closing = true;
                    connection.as_mut().say_goodbye();
                    watchdog.closing();
                }
            }
        }
    })
    .await
}

/// The streams of an HTTP/2 connection that have begun, until they are first polled.
///
/// Most are done at their first poll, so that is made in the connection's task, when the connection
/// has read what there was: all their answers then leave in one write. Only what must wait becomes
/// a task, and has a time to end in: a stream whose client gives it no window would else keep its
/// answer for as long as the connection lives.
#[derive(Clone)]
struct Streams {
    begun: Arc<Mutex<Vec<Stream>>>,
    /// How long a stream may take.
    time: Duration,
}

type Stream = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Streams {
    fn new(time: Duration) -> Self {
        Self {
            begun: Arc::default(),
            time,
        }
    }

    /// Takes what has begun. hyper's streams hold a clone of this, so that what is left in it when
    /// the connection ends would keep itself alive.
    fn take_begun(&self) -> Vec<Stream> {
        mem::take(&mut *self.begun.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Polls what has begun; whether there was something.
    fn poll_begun(&self) -> bool {
        let begun = self.take_begun();
        let is_any = !begun.is_empty();
        // Whatever this poll registers with a waker that does nothing, the task's registers anew.
        let mut nobody = Context::from_waker(Waker::noop());
        for mut stream in begun {
            if stream.as_mut().poll(&mut nobody).is_pending() {
                tokio::spawn(timeout(self.time, stream));
            }
        }
        is_any
    }
}

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.push(Box::pin(stream));
    }
}
