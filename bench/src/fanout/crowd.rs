//! The people: so many UDP sockets, each with a session at each of the servers, all in this process. What comes
//! is taken and counted.

use std::io::{ErrorKind, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::chat::{self, Chat};
use super::voice::{self, Voice};

/// People of one source address: fewer than the names that recado lets one claim at once.
const PER_SOURCE: u32 = 250;

/// People who come at a time: few, so that no server has to queue handshakes.
const AT_ONCE: usize = 16;

/// How long one person may take to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// People who come between two looks at the clock.
const GROUP: u32 = 100;

/// How often all of them say that they are still there; recado forgets paths after 45 s.
const KEEP_ALIVE: Duration = Duration::from_secs(12);

/// Bytes from which a datagram is a message, and not about the path: the text alone is as long.
const MESSAGE: usize = 200;

/// How long what was sent may take to arrive before it counts as lost.
const ARRIVAL: Duration = Duration::from_millis(500);

/// Time between two rounds over sockets that had nothing.
const PAUSE: Duration = Duration::from_micros(100);

/// The servers that a person goes to.
#[derive(Clone)]
pub(super) struct Targets {
    pub(super) chat: Option<chat::Target>,
    pub(super) voice: Option<voice::Target>,
}

pub(super) struct Person {
    pub(super) udp: UdpSocket,
    pub(super) chat: Option<Chat>,
    pub(super) voice: Option<Voice>,
}

/// Everyone who is there.
pub(super) struct Crowd {
    targets: Targets,
    people: Vec<Person>,
    next_speaker: usize,
    kept_alive: Instant,
}

/// What came of messages.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Arrived {
    pub(super) count: usize,
    /// Bytes of the last.
    pub(super) size: usize,
    /// When the first and the last came into their sockets, since 1970; only where the kernel was asked for it.
    pub(super) first: Option<Duration>,
    pub(super) last: Option<Duration>,
}

impl Crowd {
    pub(super) fn new(targets: Targets) -> Self {
        Self {
            targets,
            people: Vec::new(),
            next_speaker: 0,
            kept_alive: Instant::now(),
        }
    }

    /// Lets people come until there are so many; returns the addresses of the new ones.
    pub(super) async fn grow(&mut self, size: usize) -> Result<Vec<SocketAddr>> {
        let mut addresses = Vec::new();
        while self.people.len() < size {
            let from = u32::try_from(self.people.len())?;
            let to = u32::try_from(size)?.min(from + GROUP);
            let places = Arc::new(Semaphore::new(AT_ONCE));
            let mut coming = JoinSet::new();
            for number in from..to {
                let (targets, places) = (self.targets.clone(), places.clone());
                coming.spawn(async move {
                    let _place = places.acquire().await?;
                    timeout(PATIENCE, Person::come(&targets, number))
                        .await?
                        .with_context(|| format!("person {number} does not come"))
                });
            }
            while let Some(person) = coming.join_next().await {
                let person = person??;
                addresses.push(person.udp.local_addr()?);
                self.people.push(person);
            }
            self.keep_alive()?;
        }
        Ok(addresses)
    }

    pub(super) fn len(&self) -> usize {
        self.people.len()
    }

    /// Someone else each time, so that nobody speaks more than they may.
    pub(super) fn speaker(&mut self) -> Option<&mut Person> {
        let at = self.next_speaker % self.people.len().max(1);
        self.next_speaker = at + 1;
        self.people.get_mut(at)
    }

    /// Says for everyone that they are still there, where that is due.
    pub(super) fn keep_alive(&mut self) -> Result<()> {
        if self.kept_alive.elapsed() < KEEP_ALIVE {
            return Ok(());
        }
        self.kept_alive = Instant::now();
        for (at, person) in self.people.iter_mut().enumerate() {
            if let Some(chat) = &mut person.chat {
                chat.probe(&person.udp)?;
            }
            // The server's receive buffer is not to overflow.
            if at % 500 == 499 {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        // The answers, which are no messages.
        std::thread::sleep(Duration::from_millis(20));
        self.sweep(&mut Arrived::default())
    }

    /// Asks the kernel for the time at which each datagram comes, or not any more.
    pub(super) fn stamp(&self, stamp: bool) -> Result<()> {
        for person in &self.people {
            setsockopt(&person.udp, sockopt::ReceiveTimestampns, &stamp)?;
        }
        Ok(())
    }

    /// Takes what comes until so many messages have come or no more do.
    pub(super) fn take(&self, messages: usize) -> Result<Arrived> {
        let mut arrived = Arrived::default();
        let (mut count, mut moved) = (0, Instant::now());
        while arrived.count < messages && moved.elapsed() < ARRIVAL {
            self.sweep(&mut arrived)?;
            if arrived.count > count {
                (count, moved) = (arrived.count, Instant::now());
            } else {
                std::thread::sleep(PAUSE);
            }
        }
        ensure!(arrived.count > 0, "nothing has arrived");
        Ok(arrived)
    }

    fn sweep(&self, arrived: &mut Arrived) -> Result<()> {
        let mut buffer = [0; 2048];
        let mut control = cmsg_space!(TimeSpec);
        for person in &self.people {
            loop {
                let mut parts = [IoSliceMut::new(&mut buffer)];
                let received = recvmsg::<SockaddrStorage>(
                    person.udp.as_raw_fd(),
                    &mut parts,
                    Some(&mut control),
                    MsgFlags::MSG_DONTWAIT,
                );
                let received = match received {
                    Ok(received) => received,
                    Err(Errno::EAGAIN) => break,
                    Err(error) => return Err(error.into()),
                };
                if received.bytes < MESSAGE {
                    continue;
                }
                arrived.count += 1;
                arrived.size = received.bytes;
                for message in received.cmsgs()? {
                    if let ControlMessageOwned::ScmTimestampns(at) = message {
                        let at = Duration::from(at);
                        arrived.first = Some(arrived.first.map_or(at, |first| first.min(at)));
                        arrived.last = arrived.last.max(Some(at));
                    }
                }
            }
        }
        Ok(())
    }
}

impl Person {
    async fn come(targets: &Targets, number: u32) -> Result<Self> {
        let udp = tokio::net::UdpSocket::bind((source(number), 0)).await?;
        let chat = match &targets.chat {
            Some(target) => Some(Chat::open(target, number, &udp).await.context("recado")?),
            None => None,
        };
        let voice = match &targets.voice {
            Some(target) => {
                let opened = Voice::open(target, number, &udp).await;
                Some(opened.context("mumble-server")?)
            }
            None => None,
        };
        let udp = udp.into_std()?;
        // What confirmed the paths more than once.
        let mut buffer = [0; 2048];
        loop {
            match udp.recv(&mut buffer) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Self { udp, chat, voice })
    }
}

/// A loopback address for a person: the first 250 have one, the next another.
pub(super) fn source(number: u32) -> Ipv4Addr {
    let first = Ipv4Addr::new(127, 0, 1, 1).to_bits();
    Ipv4Addr::from_bits(first + number / PER_SOURCE)
}
