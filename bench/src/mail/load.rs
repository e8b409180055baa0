//! The load: pairs whose one end writes and whose other end reads and acknowledges, all in one thread that waits for
//! what comes. What is counted is what has arrived, in order and once; it has no database, so that the time is the
//! server's and the way's.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use rustls::{ClientConnection, StreamOwned};

use super::cpu;
use super::dialect::{Dialect, Tally};
use super::servers::Running;

/// Bytes of a message.
pub(super) const TEXT: usize = 100;

/// Until everything that was sent has come and is acknowledged.
const PATIENCE: Duration = Duration::from_secs(20);

/// Before measuring.
const WARM_UP: Duration = Duration::from_millis(300);

/// Bytes taken out of TLS at once.
const BUFFER: usize = 64 * 1024;

/// A connection while it is being opened.
pub(super) type Stream = StreamOwned<ClientConnection, TcpStream>;

/// How much is on the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Shape {
    pub(super) pairs: usize,
    /// Messages of each pair.
    pub(super) outstanding: u64,
}

/// What was found of one server in one shape.
#[derive(Clone, Default, Debug)]
pub(super) struct Measured {
    /// Processor seconds of the server for a million messages.
    pub(super) cpu: f64,
    /// How much of the time the server worked: at 1 it can no more.
    pub(super) busy: f64,
    /// Messages a second.
    pub(super) rate: f64,
    /// Microseconds from writing to arriving, where one is outstanding.
    pub(super) latencies: Vec<f64>,
}

pub(super) struct Load {
    epoll: Epoll,
    pairs: Vec<Pair>,
    buffer: Vec<u8>,
}

struct Pair {
    sender: End,
    recipient: End,
    tally: Tally,
    /// When the newest message was written.
    written: Instant,
}

struct End {
    tls: ClientConnection,
    tcp: TcpStream,
    dialect: Box<dyn Dialect>,
    /// Said, and not with TLS yet.
    out: Vec<u8>,
}

impl Load {
    /// Opens so many pairs.
    pub(super) fn open(server: &Running, pairs: usize) -> Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let mut load = Self {
            epoll,
            pairs: Vec::new(),
            buffer: vec![0; BUFFER],
        };
        // The first makes what all share; the others come together, as some servers welcome once a second.
        load.add(Pair::open(server, 0)?)?;
        let opened: Vec<_> = std::thread::scope(|scope| {
            let opening: Vec<_> = (1..pairs)
                .map(|number| scope.spawn(move || Pair::open(server, number)))
                .collect();
            opening.into_iter().map(|pair| pair.join()).collect()
        });
        for pair in opened {
            load.add(pair.map_err(|_| anyhow!("an opening panicked"))??)?;
        }
        Ok(load)
    }

    fn add(&mut self, pair: Pair) -> Result<()> {
        let at = 2 * self.pairs.len() as u64;
        for (end, at) in [(&pair.sender, at), (&pair.recipient, at + 1)] {
            let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLET;
            self.epoll
                .add(end.tcp.as_fd(), EpollEvent::new(flags, at))?;
        }
        self.pairs.push(pair);
        Ok(())
    }

    /// Sends for so long, waits until all has come, and says what that took the server.
    pub(super) fn measure(
        &mut self,
        shape: Shape,
        time: Duration,
        process: u32,
    ) -> Result<Measured> {
        self.send(shape, WARM_UP, &mut Vec::new())?;
        let mut latencies = Vec::new();
        let (used, began) = (cpu::used(process)?, Instant::now());
        let messages = self.send(shape, time, &mut latencies)?;
        let (elapsed, used) = (began.elapsed().as_secs_f64(), cpu::used(process)? - used);
        let used = used.as_secs_f64();
        ensure!(messages > 0, "nothing has arrived");
        Ok(Measured {
            cpu: used / messages as f64 * 1e6,
            busy: used / elapsed,
            rate: messages as f64 / elapsed,
            latencies,
        })
    }

    fn send(&mut self, shape: Shape, time: Duration, latencies: &mut Vec<f64>) -> Result<u64> {
        let arrived = |load: &Self| load.pairs.iter().map(|it| it.tally.arrived).sum::<u64>();
        let before = arrived(self);
        for pair in self.pairs.iter_mut().take(shape.pairs) {
            pair.fill(shape.outstanding)?;
        }
        let end = Instant::now() + time;
        let mut events = [EpollEvent::empty(); 256];
        while Instant::now() < end {
            self.step(&mut events, shape, shape.outstanding, latencies)?;
        }
        while !self.pairs.iter().all(|pair| pair.tally.is_done()) {
            ensure!(
                end.elapsed() < PATIENCE,
                "not all has come: {:?}",
                self.late()
            );
            self.step(&mut events, shape, 0, latencies)?;
        }
        Ok(arrived(self) - before)
    }

    fn step(
        &mut self,
        events: &mut [EpollEvent],
        shape: Shape,
        outstanding: u64,
        latencies: &mut Vec<f64>,
    ) -> Result<()> {
        let count = self.epoll.wait(events, 100_u16)?;
        for event in &events[..count] {
            let at = event.data() as usize;
            let pair = self.pairs.get_mut(at / 2).context("an unknown event")?;
            let arrived = pair.tally.arrived;
            let end = if at.is_multiple_of(2) {
                &mut pair.sender
            } else {
                &mut pair.recipient
            };
            end.take(&mut pair.tally, &mut self.buffer)
                .with_context(|| format!("pair {}, {:?}", at / 2, pair.tally))?;
            if shape.outstanding == 1 && pair.tally.arrived > arrived {
                latencies.push(pair.written.elapsed().as_secs_f64() * 1e6);
            }
            end.flush()?;
            if at / 2 < shape.pairs {
                pair.fill(outstanding)?;
            }
        }
        Ok(())
    }

    fn late(&self) -> Option<&Tally> {
        let mut tallies = self.pairs.iter().map(|pair| &pair.tally);
        tallies.find(|tally| !tally.is_done())
    }
}

impl Pair {
    fn open(server: &Running, number: usize) -> Result<Self> {
        let pair = u32::try_from(number)?;
        let end = |is_sender| End::new(server.open(pair, is_sender)?);
        // The recipient first: there must be someone to write to.
        let opened = end(false).and_then(|recipient| Ok((recipient, end(true)?)));
        let (recipient, sender) = opened.with_context(|| format!("pair {number}"))?;
        Ok(Self {
            sender,
            recipient,
            tally: Tally::default(),
            written: Instant::now(),
        })
    }

    /// Says as much as may be on the way, at once.
    fn fill(&mut self, outstanding: u64) -> Result<()> {
        if self.tally.outstanding() >= outstanding {
            return Ok(());
        }
        while self.tally.outstanding() < outstanding {
            let text = self.tally.next();
            self.sender.dialect.say(&text, &mut self.sender.out)?;
        }
        self.written = Instant::now();
        self.sender.flush()
    }
}

impl End {
    fn new((stream, dialect): (Stream, Box<dyn Dialect>)) -> Result<Self> {
        let (mut tls, tcp) = stream.into_parts();
        tcp.set_nonblocking(true)?;
        tls.set_buffer_limit(None);
        Ok(Self {
            tls,
            tcp,
            dialect,
            out: Vec::new(),
        })
    }

    fn take(&mut self, tally: &mut Tally, buffer: &mut [u8]) -> Result<()> {
        let mut length = 0;
        loop {
            match self.tls.read_tls(&mut self.tcp) {
                Ok(0) => bail!("the server closed the connection"),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
            let come = self.tls.process_new_packets()?.plaintext_bytes_to_read();
            if length + come > buffer.len() {
                self.dialect.hear(&buffer[..length], tally, &mut self.out)?;
                length = 0;
            }
            self.tls
                .reader()
                .read_exact(&mut buffer[length..length + come])?;
            length += come;
        }
        if length > 0 {
            self.dialect.hear(&buffer[..length], tally, &mut self.out)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        if !self.out.is_empty() {
            self.tls.writer().write_all(&self.out)?;
            self.out.clear();
        }
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.tcp) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
