//! The blind relay: it joins two connections that came with a token each, and copies bytes between them without
//! looking at them. What they say to each other is TLS of their own.
//!
//! All of it runs on one thread beside the others: the system sees to it that a chat does not wait for files, and no
//! more than one processor is spent on them.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use recado_hub::{Event, RELAY_PATIENCE, RelayNumber};
use recado_proto::relay::{PREAMBLE, RelayToken};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::accept::Connection;
use crate::hub_task::ShellEvent;
use crate::metrics::Living;
use crate::system;

/// What one relay may carry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RelayLimits {
    /// Bytes a second, both directions together: ten-gigabit Ethernet. No link of a relay's people is faster, and
    /// people on one machine do not use up its processors.
    pub(crate) rate: u64,
    /// How long nothing may come from either side, or be taken by the other: four times the pulse of a client that
    /// has nothing to send.
    pub(crate) idle: Duration,
    /// Bytes in all: larger than a disk of those who use relays. Clients go on with another relay.
    pub(crate) total: u64,
    /// How long it may last: who holds a relay with a byte now and then loses it.
    pub(crate) life: Duration,
    /// How much longer it lives when the server is to stop: what is nearly done gets done.
    pub(crate) drain: Duration,
}

impl Default for RelayLimits {
    fn default() -> Self {
        Self {
            rate: 1_250_000_000,
            idle: Duration::from_secs(60),
            total: 1 << 40,
            life: Duration::from_secs(24 * 60 * 60),
            drain: Duration::from_secs(5),
        }
    }
}

/// How often a relay is looked at that may be idle.
const LOOK_TIME: Duration = Duration::from_secs(1);

/// How far the thread steps back behind those that carry chats (nice(2)).
#[cfg(target_os = "linux")]
const STEP_BACK: i32 = 5;

/// Bytes between two looks at the rate.
const RATE_STEP: u64 = 4 << 20;

/// What is told of all relays.
#[derive(Clone, Default)]
pub(crate) struct RelayTraffic {
    /// Relays that two connections use.
    pub(crate) open: Living,
    /// Bytes that were copied.
    pub(crate) bytes: Arc<AtomicU64>,
}

/// The relay. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Relay {
    /// Who may come, each once.
    awaited: Arc<Mutex<BTreeMap<RelayToken, oneshot::Sender<Half>>>>,
    jobs: mpsc::UnboundedSender<Job>,
    pub(crate) traffic: RelayTraffic,
}

/// One end, and its place among the connections.
struct Half {
    stream: std::net::TcpStream,
    connection: Connection,
}

/// A pair that was granted.
struct Job {
    number: RelayNumber,
    tokens: [RelayToken; 2],
    halves: [oneshot::Receiver<Half>; 2],
}

impl Relay {
    /// Starts the thread. It ends with the last relay, once every other clone of this is gone.
    pub(crate) fn start(
        limits: RelayLimits,
        events: mpsc::Sender<ShellEvent>,
        stop: watch::Receiver<bool>,
    ) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        // As many as the hub has granted.
        let (jobs, mut queue) = mpsc::unbounded_channel();
        let relay = Self {
            awaited: Arc::default(),
            jobs,
            traffic: RelayTraffic::default(),
        };
        let (awaited, traffic) = (relay.awaited.clone(), relay.traffic.clone());
        std::thread::Builder::new()
            .name("relay".to_owned())
            .spawn(move || {
                // Elsewhere it would be the whole server that steps back, and not this thread.
                #[cfg(target_os = "linux")]
                let _ = rustix::process::nice(STEP_BACK);
                runtime.block_on(async move {
                    let mut under_way = tokio::task::JoinSet::new();
                    while let Some(Job {
                        number,
                        tokens,
                        halves,
                    }) = queue.recv().await
                    {
                        let (awaited, traffic) = (awaited.clone(), traffic.clone());
                        let (events, stop) = (events.clone(), stop.clone());
                        let mut stopped = stop.clone();
                        under_way.spawn(async move {
                            let joined = tokio::select! {
                                joined = timeout(RELAY_PATIENCE, both(halves)) => joined.ok(),
                                _ = stopped.wait_for(|stop| *stop) => None,
                            };
                            for token in &tokens {
                                lock(&awaited).remove(token);
                            }
                            if let Some(Some(halves)) = joined {
                                let outcome = carry(halves, limits, &traffic, stop).await;
                                if let Err(error) = outcome {
                                    tracing::debug!(relay = number.0, %error, "relay ended");
                                }
                            }
                            let closed = Event::RelayClosed(number);
                            let _ = events.send(ShellEvent::Hub(closed)).await;
                        });
                        while under_way.try_join_next().is_some() {}
                    }
                    while under_way.join_next().await.is_some() {}
                });
            })?;
        Ok(relay)
    }

    /// Awaits two connections, each with one of these tokens. [`Event::RelayClosed`] says when that is over.
    pub(crate) fn open(&self, number: RelayNumber, tokens: [RelayToken; 2]) {
        let halves = tokens.each_ref().map(|token| {
            let (sender, half) = oneshot::channel();
            lock(&self.awaited).insert(token.clone(), sender);
            half
        });
        // A thread that is gone has told why.
        let _ = self.jobs.send(Job {
            number,
            tokens,
            halves,
        });
    }

    /// Takes a connection with its token. One that is not awaited is closed without a word.
    pub(crate) fn take(&self, token: &RelayToken, stream: TcpStream, connection: Connection) {
        let Some(awaited) = lock(&self.awaited).remove(token) else {
            return tracing::debug!("a relay's token that is not known");
        };
        system::be_bulk(&stream);
        match stream.into_std() {
            // The other half may have given up.
            Ok(stream) => drop(awaited.send(Half { stream, connection })),
            Err(error) => tracing::warn!(%error, "a connection cannot be relayed"),
        }
    }
}

/// Reads what a relayed connection begins with. `None`: it is something else.
pub(super) async fn read_token(stream: &mut TcpStream) -> io::Result<Option<RelayToken>> {
    let mut preamble = zeroize::Zeroizing::new([0; PREAMBLE]);
    stream.read_exact(preamble.as_mut_slice()).await?;
    Ok(RelayToken::from_preamble(&preamble))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn both([first, second]: [oneshot::Receiver<Half>; 2]) -> Option<[Half; 2]> {
    let (first, second) = tokio::try_join!(first, second).ok()?;
    Some([first, second])
}

/// Why a relay ended before its people ended it.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("nothing passed for too long")]
    Idle,
    #[error("it has carried all it may")]
    Total,
    #[error("it has lasted for as long as it may")]
    Life,
    #[error("the server stops")]
    Stopping,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Copies both ways until both are done, or a limit is reached.
async fn carry(
    halves: [Half; 2],
    limits: RelayLimits,
    traffic: &RelayTraffic,
    stop: watch::Receiver<bool>,
) -> Result<(), Ended> {
    let _open = traffic.open.begin();
    let [first, second] = halves;
    let _places = (first.connection, second.connection);
    let first = TcpStream::from_std(first.stream)?;
    let second = TcpStream::from_std(second.stream)?;
    let gauge = Gauge::new(limits, traffic.bytes.clone());
    let copied = async {
        let (there, back) = (pump(&first, &second, &gauge), pump(&second, &first, &gauge));
        tokio::try_join!(there, back).map(drop)
    };
    tokio::select! {
        copied = copied => copied,
        ended = gauge.watch(stop) => Err(ended),
    }
}

/// What has passed through one relay, and how much more may.
struct Gauge {
    limits: RelayLimits,
    began: Instant,
    passed: AtomicU64,
    all: Arc<AtomicU64>,
}

impl Gauge {
    fn new(limits: RelayLimits, all: Arc<AtomicU64>) -> Self {
        Self {
            limits,
            began: Instant::now(),
            passed: AtomicU64::new(0),
            all,
        }
    }

    /// Bytes have passed; lets others have their turn, and waits where they were too fast.
    async fn count(&self, bytes: usize) -> Result<(), Ended> {
        let bytes = bytes as u64;
        self.all.fetch_add(bytes, Relaxed);
        let before = self.passed.fetch_add(bytes, Relaxed);
        let passed = before.saturating_add(bytes);
        if passed > self.limits.total {
            return Err(Ended::Total);
        }
        if before / RATE_STEP != passed / RATE_STEP {
            let seconds = passed as f64 / self.limits.rate as f64;
            let due = self.began + Duration::from_secs_f64(seconds);
            if due > Instant::now() {
                sleep_until(due).await;
            }
        }
        tokio::task::yield_now().await;
        Ok(())
    }

    /// Returns when the relay is to end.
    async fn watch(&self, mut stop: watch::Receiver<bool>) -> Ended {
        let looks = async {
            let (mut seen, mut since) = (0, Instant::now());
            loop {
                sleep(LOOK_TIME).await;
                let passed = self.passed.load(Relaxed);
                if passed != seen {
                    (seen, since) = (passed, Instant::now());
                }
                if since.elapsed() >= self.limits.idle {
                    return Ended::Idle;
                }
                if self.began.elapsed() >= self.limits.life {
                    return Ended::Life;
                }
            }
        };
        let stopping = async {
            let _ = stop.wait_for(|stop| *stop).await;
            sleep(self.limits.drain).await;
        };
        tokio::select! {
            ended = looks => ended,
            () = stopping => Ended::Stopping,
        }
    }
}

#[cfg(target_os = "linux")]
use spliced::pump;

#[cfg(not(target_os = "linux"))]
use copied::pump;

/// Bytes go from one socket into the other within the kernel, by way of a pipe.
#[cfg(target_os = "linux")]
mod spliced {
    use std::io;
    use std::net::Shutdown;
    use std::os::fd::OwnedFd;

    use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
    use socket2::SockRef;
    use tokio::io::Interest;
    use tokio::net::TcpStream;

    use super::{Ended, Gauge};

    /// Bytes that a pipe is to hold: a few milliseconds of a fast link. Where the system has no more for this user, it
    /// holds 64 KiB, which is slower.
    const PIPE: usize = 512 * 1024;

    /// Copies from one to the other until the one ends; then ends that direction of the other.
    pub(super) async fn pump(from: &TcpStream, to: &TcpStream, gauge: &Gauge) -> Result<(), Ended> {
        let (read, write) =
            pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC).map_err(io::Error::from)?;
        let _ = fcntl_setpipe_size(&write, PIPE);
        loop {
            let taken = from
                .async_io(Interest::READABLE, || move_bytes(from, &write))
                .await?;
            if taken == 0 {
                // The other end may be gone already.
                let _ = SockRef::from(to).shutdown(Shutdown::Write);
                return Ok(());
            }
            drain(&read, to, taken).await?;
            gauge.count(taken).await?;
        }
    }

    /// Writes what is in the pipe.
    async fn drain(pipe: &OwnedFd, to: &TcpStream, mut bytes: usize) -> io::Result<()> {
        while bytes > 0 {
            let gone = to
                .async_io(Interest::WRITABLE, || move_bytes(pipe, to))
                .await?;
            bytes = bytes.saturating_sub(gone);
        }
        Ok(())
    }

    fn move_bytes(from: impl std::os::fd::AsFd, to: impl std::os::fd::AsFd) -> io::Result<usize> {
        let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
        Ok(splice(from, None, to, None, PIPE, flags)?)
    }
}

/// Bytes go through a buffer.
#[cfg(any(test, not(target_os = "linux")))]
mod copied {
    use std::net::Shutdown;

    use socket2::SockRef;
    use tokio::net::TcpStream;

    use super::{Ended, Gauge};

    /// Bytes that are copied at once.
    const BUFFER: usize = 128 * 1024;

    /// Copies from one to the other until the one ends; then ends that direction of the other.
    pub(super) async fn pump(from: &TcpStream, to: &TcpStream, gauge: &Gauge) -> Result<(), Ended> {
        let mut buffer = vec![0; BUFFER];
        loop {
            from.readable().await?;
            let taken = match from.try_read(&mut buffer) {
                Ok(taken) => taken,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error.into()),
            };
            if taken == 0 {
                // The other end may be gone already.
                let _ = SockRef::from(to).shutdown(Shutdown::Write);
                return Ok(());
            }
            let mut rest = buffer.get(..taken).unwrap_or_default();
            while !rest.is_empty() {
                to.writable().await?;
                match to.try_write(rest) {
                    Ok(gone) => rest = rest.get(gone..).unwrap_or_default(),
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error.into()),
                }
            }
            gauge.count(taken).await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;
    use crate::net::admission::{Admission, Limits};

    /// How long anything may take.
    const PATIENCE: Duration = Duration::from_secs(60);

    struct Story {
        relay: Relay,
        listener: TcpListener,
        events: mpsc::Receiver<ShellEvent>,
        stop: watch::Sender<bool>,
        admission: Admission,
    }

    impl Story {
        async fn begin(limits: RelayLimits) -> Self {
            let (sender, events) = mpsc::channel(8);
            let (stop, stopped) = watch::channel(false);
            Self {
                relay: Relay::start(limits, sender, stopped).unwrap(),
                listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
                events,
                stop,
                admission: Admission::new(Limits {
                    total: 8,
                    per_address: 8,
                }),
            }
        }

        /// A connection that begins with this token, as its client has it.
        async fn come(&self, token: &RelayToken) -> TcpStream {
            let address: SocketAddr = self.listener.local_addr().unwrap();
            let mut client = TcpStream::connect(address).await.unwrap();
            let (mut served, peer) = self.listener.accept().await.unwrap();
            client.write_all(&*token.preamble()).await.unwrap();
            let read = read_token(&mut served).await.unwrap().unwrap();
            let place = self.admission.admit(peer.ip()).unwrap();
            let connection = Connection::new(place, mpsc::channel(1).0);
            self.relay.take(&read, served, connection);
            client
        }

        /// Two connections that are joined.
        async fn pair(&self) -> (TcpStream, TcpStream) {
            let tokens = [1, 2].map(|byte| RelayToken::from_bytes([byte; 32]));
            self.relay.open(RelayNumber(7), tokens.clone());
            (self.come(&tokens[0]).await, self.come(&tokens[1]).await)
        }

        async fn closed(&mut self) {
            let event = timeout(PATIENCE, self.events.recv()).await.unwrap();
            let closed = matches!(
                event,
                Some(ShellEvent::Hub(Event::RelayClosed(RelayNumber(7))))
            );
            assert!(closed, "another event");
            assert_eq!(self.admission.open(), 0, "a place is still taken");
        }
    }

    async fn rest(stream: &mut TcpStream) -> Vec<u8> {
        let mut bytes = Vec::new();
        // A connection that was cut may end with an error.
        let _ = timeout(PATIENCE, stream.read_to_end(&mut bytes))
            .await
            .unwrap();
        bytes
    }

    #[tokio::test]
    async fn bytes_pass_both_ways_to_the_end_of_each() {
        let mut story = Story::begin(RelayLimits::default()).await;
        let (mut alice, mut bob) = story.pair().await;
        let long: Vec<u8> = (0..3_000_000u32).map(|at| (at % 251) as u8).collect();
        let said = long.clone();
        let writing = tokio::spawn(async move {
            alice.write_all(&said).await.unwrap();
            alice.shutdown().await.unwrap();
            rest(&mut alice).await
        });
        assert_eq!(rest(&mut bob).await, long);
        bob.write_all(b"all of it").await.unwrap();
        drop(bob);
        assert_eq!(writing.await.unwrap(), b"all of it");
        story.closed().await;
        assert_eq!(story.relay.traffic.bytes.load(Relaxed), 3_000_009);
    }

    #[tokio::test]
    async fn a_token_admits_once_and_nobody_else() {
        let mut story = Story::begin(RelayLimits::default()).await;
        let (alice, mut bob) = story.pair().await;
        for byte in [1, 2, 3] {
            let mut eve = story.come(&RelayToken::from_bytes([byte; 32])).await;
            assert_eq!(rest(&mut eve).await, b"");
        }
        drop(alice);
        assert_eq!(rest(&mut bob).await, b"");
        drop(bob);
        story.closed().await;
    }

    #[tokio::test]
    async fn what_stands_still_or_goes_on_for_too_long_is_cut() {
        let short = |limits: fn(&mut RelayLimits)| {
            let mut short = RelayLimits::default();
            limits(&mut short);
            short
        };
        for limits in [
            short(|limits| limits.idle = Duration::from_secs(1)),
            short(|limits| limits.life = Duration::from_secs(1)),
            short(|limits| limits.total = 100_000),
        ] {
            let mut story = Story::begin(limits).await;
            let (mut alice, bob) = story.pair().await;
            // Bob does not read.
            let mut sent = 0;
            while let Ok(Ok(count)) = timeout(PATIENCE, alice.write(&[0; 65_536])).await {
                sent += count;
                assert!(sent < 1 << 30, "nobody cut it");
            }
            story.closed().await;
            drop(bob);
        }
    }

    #[tokio::test]
    async fn a_buffer_does_what_the_kernel_does() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut ends = Vec::new();
        for _ in 0..2 {
            let client = TcpStream::connect(address).await.unwrap();
            ends.push((client, listener.accept().await.unwrap().0));
        }
        let ((mut bob, to), (mut alice, from)) = (ends.remove(0), ends.remove(0));
        let gauge = Gauge::new(RelayLimits::default(), Arc::default());
        let long: Vec<u8> = (0..3_000_000u32).map(|at| (at % 251) as u8).collect();
        let said = long.clone();
        let writing = tokio::spawn(async move {
            alice.write_all(&said).await.unwrap();
            alice.shutdown().await.unwrap();
            alice
        });
        let (copied, read) = tokio::join!(copied::pump(&from, &to, &gauge), rest(&mut bob));
        assert!(copied.is_ok() && read == long);
        assert_eq!(gauge.passed.load(Relaxed), 3_000_000);
        drop(writing.await.unwrap());
    }

    #[tokio::test]
    async fn a_rate_is_kept_to() {
        let limits = RelayLimits {
            rate: 16 << 20,
            ..RelayLimits::default()
        };
        let story = Story::begin(limits).await;
        let (mut alice, mut bob) = story.pair().await;
        let began = Instant::now();
        let writing = tokio::spawn(async move {
            alice.write_all(&vec![0; 12 << 20]).await.unwrap();
        });
        let mut bytes = vec![0; 12 << 20];
        bob.read_exact(&mut bytes).await.unwrap();
        writing.await.unwrap();
        assert!(
            began.elapsed() >= Duration::from_millis(450),
            "{:?}",
            began.elapsed()
        );
    }

    #[tokio::test]
    async fn a_server_that_stops_cuts_what_does_not_end() {
        let limits = RelayLimits {
            drain: Duration::from_millis(100),
            ..RelayLimits::default()
        };
        let mut story = Story::begin(limits).await;
        let (mut alice, mut bob) = story.pair().await;
        alice.write_all(b"on the way").await.unwrap();
        let mut read = [0; 10];
        bob.read_exact(&mut read).await.unwrap();
        story.stop.send_replace(true);
        assert_eq!((&read, rest(&mut bob).await.len()), (b"on the way", 0));
        story.closed().await;
        // And one that waits for its other half waits no longer.
        let token = RelayToken::from_bytes([1; 32]);
        let tokens = [token.clone(), RelayToken::from_bytes([2; 32])];
        story.relay.open(RelayNumber(7), tokens);
        let mut carol = story.come(&token).await;
        assert_eq!(rest(&mut carol).await, b"");
        story.closed().await;
    }
}
