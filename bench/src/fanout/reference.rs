//! The limit: the least program that seals and sends as recado must. For each recipient a key of its own,
//! AES-256-GCM, and `sendmmsg` in batches; nothing is received, decided or kept. Run as a process of its own,
//! so that its processor time is read as the servers' is.

use std::io::{BufRead, BufReader, IoSlice, Write};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessage, MsgFlags, MultiHeaders, SockaddrIn, sendmmsg, setsockopt, sockopt,
};
use rustix::net::sockopt::{Ipv4PathMtuDiscovery, set_ip_mtu_discover};

/// Datagrams of one system call.
const BATCH: usize = 32;

/// Bytes in the clear before what is sealed, and of the tag after it: as in recado's datagrams.
const HEADER: usize = 17;
const TAG: usize = 16;

/// Asked of the kernel, as recado does.
const BUFFER: usize = 4 * 1024 * 1024;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Bytes of a datagram
    size: usize,
}

const NO_CONTROL: [ControlMessage<'static>; 0] = [];

struct Recipient {
    address: SockaddrIn,
    key: LessSafeKey,
    sequence: u64,
}

/// Reads recipients, a line each, and orders: so many messages, each to all.
pub(crate) fn run(options: &Options) -> Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    setsockopt(&socket, sockopt::SndBuf, &BUFFER)?;
    set_ip_mtu_discover(&socket, Ipv4PathMtuDiscovery::PROBE)?;
    let body = vec![0x2a; options.size.saturating_sub(HEADER + TAG)];
    let mut recipients = Vec::new();
    let mut batch = Batch::new(options.size);
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        if let Some(address) = line.strip_prefix("to ") {
            let SocketAddr::V4(address) = address.parse()? else {
                anyhow::bail!("{address} is not IPv4");
            };
            let mut key = [0; 32];
            aws_lc_rs::rand::fill(&mut key)?;
            recipients.push(Recipient {
                address: address.into(),
                key: LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key)?),
                sequence: 0,
            });
            continue;
        }
        let messages: usize = line.parse().context("a number of messages")?;
        for _ in 0..messages {
            for recipient in &mut recipients {
                batch.seal(recipient, &body)?;
                if batch.addresses.len() == BATCH {
                    batch.send(&socket)?;
                }
            }
            batch.send(&socket)?;
        }
        println!("sent");
    }
    Ok(())
}

struct Batch {
    size: usize,
    bytes: Vec<u8>,
    addresses: Vec<Option<SockaddrIn>>,
    headers: MultiHeaders<SockaddrIn>,
}

impl Batch {
    fn new(size: usize) -> Self {
        Self {
            size,
            bytes: Vec::with_capacity(BATCH * size),
            addresses: Vec::with_capacity(BATCH),
            headers: MultiHeaders::preallocate(BATCH, None),
        }
    }

    fn seal(&mut self, recipient: &mut Recipient, body: &[u8]) -> Result<()> {
        let start = self.bytes.len();
        let sequence = recipient.sequence.to_be_bytes();
        recipient.sequence += 1;
        self.bytes.extend_from_slice(&[1; HEADER - 8]);
        self.bytes.extend_from_slice(&sequence);
        self.bytes.extend_from_slice(body);
        let mut nonce = [0; NONCE_LEN];
        nonce[4..].copy_from_slice(&sequence);
        let (header, sealed) = self.bytes[start..].split_at_mut(HEADER);
        let tag = recipient.key.seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(&*header),
            sealed,
        )?;
        self.bytes.extend_from_slice(tag.as_ref());
        self.addresses.push(Some(recipient.address));
        Ok(())
    }

    fn send(&mut self, socket: &UdpSocket) -> Result<()> {
        let mut parts = [[IoSlice::new(&[])]; BATCH];
        for (part, datagram) in parts.iter_mut().zip(self.bytes.chunks(self.size)) {
            *part = [IoSlice::new(datagram)];
        }
        let mut from = 0;
        while from < self.addresses.len() {
            let sent = sendmmsg(
                socket.as_raw_fd(),
                &mut self.headers,
                &parts[from..],
                &self.addresses[from..],
                NO_CONTROL,
                MsgFlags::empty(),
            );
            match sent {
                Ok(sent) => from += sent.count(),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.bytes.clear();
        self.addresses.clear();
        Ok(())
    }
}

/// The running reference.
pub(super) struct Reference {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Reference {
    pub(super) fn start(program: &Path, size: usize) -> Result<Self> {
        let mut child = Command::new(program)
            .args(["fanout-reference", &size.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = child.stdin.take().context("no pipe")?;
        let answers = BufReader::new(child.stdout.take().context("no pipe")?);
        Ok(Self {
            child,
            orders,
            answers,
        })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn add(&mut self, recipients: &[SocketAddr]) -> Result<()> {
        let lines: String = recipients.iter().map(|it| format!("to {it}\n")).collect();
        Ok(self.orders.write_all(lines.as_bytes())?)
    }

    /// Has so many messages sent to all.
    pub(super) fn send(&mut self, messages: usize) -> Result<()> {
        Ok(self.orders.write_all(format!("{messages}\n").as_bytes())?)
    }

    /// Waits until they are with the kernel.
    pub(super) fn sent(&mut self) -> Result<()> {
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        ensure!(answer == "sent\n", "the reference sender has ended");
        Ok(())
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        // It has nothing to lose.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
