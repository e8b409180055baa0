//! A link that delays, reorders, doubles and loses the packets of real processes: the simulator's, behind a TUN device.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::Shutdown;
use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use recado_sim::{Link, LinkModel, Random};

use super::{Home, Network, PATIENCE, Program};

/// The server's port; the network is the test's own.
const PORT: u16 = 8443;

/// The protocol of UDP (RFC 790).
const UDP: u8 = 17;

/// Room for what the device carries, whose packets have at most 1,500 bytes.
const MAX_PACKET: usize = 2048;

/// The link, for as long as this lives. Every packet that leaves by the device comes back by it, some time later and
/// with its addresses exchanged: whoever writes to [`FAR`](Self::FAR) reaches [`NEAR`](Self::NEAR), and is known as
/// `FAR` there. Checksums, being sums, stay true.
pub(crate) struct RoughLink {
    /// Hands packets on between the device and a socket of ours.
    _device: Program,
    /// Where its sockets are.
    _folder: Home,
    socket: UnixDatagram,
    carrier: Option<JoinHandle<()>>,
    way: Arc<Mutex<Way>>,
}

/// What happened to packets.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Fates {
    pub(crate) lost: usize,
    pub(crate) doubled: usize,
    pub(crate) overtaken: usize,
}

impl RoughLink {
    /// Where the server listens.
    pub(crate) const NEAR: &str = "10.9.0.1:8443";

    /// Where clients find it.
    pub(crate) const FAR: &str = "10.9.0.2:8443";

    /// A link in a network. `None` where there is no TUN device, or the tool is missing that opens it.
    pub(crate) fn new(network: &Network, model: LinkModel, seed: u64) -> Option<Self> {
        let folder = Home::new();
        let (ours, theirs) = (folder.file("ours"), folder.file("theirs"));
        let socket = UnixDatagram::bind(&ours).unwrap();
        let mut socat = network.enter(folder.clean("nsenter"));
        socat
            .args(["socat", "-d", "-d", "TUN:10.9.0.1/24,iff-no-pi,up"])
            .arg(format!(
                "UNIX-SENDTO:{},bind={}",
                ours.display(),
                theirs.display()
            ));
        let device = Program::spawn(&mut socat);
        while !device.stderr.next_or_end()?.contains("data transfer loop") {}
        socket.connect(&theirs).unwrap();
        let way = Arc::new(Mutex::new(Way::new(model, seed)));
        let (end, shared) = (socket.try_clone().unwrap(), way.clone());
        Some(Self {
            _device: device,
            _folder: folder,
            socket,
            carrier: Some(thread::spawn(move || carry(&end, &shared))),
            way,
        })
    }

    /// UDP to the server is blocked, or it is not any more.
    pub(crate) fn block_up(&self, blocked: bool) {
        self.way.lock().unwrap().up_blocked = blocked;
    }

    /// A NAT gives all clients other UDP ports.
    pub(crate) fn rebind(&self) {
        self.way.lock().unwrap().is_rebound = true;
    }

    pub(crate) fn fates(&self) -> Fates {
        self.way.lock().unwrap().fates
    }
}

impl Drop for RoughLink {
    fn drop(&mut self) {
        // Wakes the carrier, which is then done.
        let _ = self.socket.shutdown(Shutdown::Both);
        let _ = self.carrier.take().map(JoinHandle::join);
    }
}

/// Both directions, and what stands in their way now.
struct Way {
    up: Lane,
    down: Lane,
    up_blocked: bool,
    is_rebound: bool,
    random: Random,
    fates: Fates,
}

struct Lane {
    link: Link,
    /// When the last packet arrives.
    latest: Duration,
}

impl Way {
    fn new(model: LinkModel, seed: u64) -> Self {
        let lane = || Lane {
            link: Link::new(model),
            latest: Duration::ZERO,
        };
        Self {
            up: lane(),
            down: lane(),
            up_blocked: false,
            is_rebound: false,
            random: Random::new(seed),
            fates: Fates::default(),
        }
    }

    /// When a packet arrives on the other side, and as what: not at all, once or twice.
    fn carry(&mut self, now: Duration, packet: &mut [u8]) -> Vec<(Duration, Vec<u8>)> {
        let Some(Route {
            is_udp,
            is_up,
            ports,
        }) = Route::of(packet)
        else {
            return Vec::new();
        };
        if is_udp && is_up && self.up_blocked {
            return Vec::new();
        }
        let (source, destination) = packet[12..20].split_at_mut(4);
        source.swap_with_slice(destination);
        if is_udp && self.is_rebound {
            // Another port of the client's; then a checksum of 0, which is none.
            packet[ports + if is_up { 0 } else { 2 }] ^= 1;
            packet[ports + 6..ports + 8].fill(0);
        }
        let lane = if is_up { &mut self.up } else { &mut self.down };
        let arrivals = lane.link.carry(now, &mut self.random, packet);
        self.fates.lost += usize::from(arrivals.is_empty());
        self.fates.doubled += usize::from(arrivals.len() > 1);
        for (at, _) in &arrivals {
            self.fates.overtaken += usize::from(*at < lane.latest);
            lane.latest = lane.latest.max(*at);
        }
        arrivals
    }
}

/// Where a packet goes.
struct Route {
    is_udp: bool,
    /// To the server.
    is_up: bool,
    /// Where its ports are.
    ports: usize,
}

impl Route {
    /// Reads it from the headers (RFC 791, RFC 768). What is not IPv4 is the kernel's own talk.
    fn of(packet: &[u8]) -> Option<Self> {
        let first = packet.first().filter(|first| **first >> 4 == 4)?;
        let ports = usize::from(first & 15) * 4;
        let to = packet.get(ports + 2..ports + 4)?;
        Some(Self {
            is_udp: packet[9] == UDP && packet.len() >= ports + 8,
            is_up: to == PORT.to_be_bytes(),
            ports,
        })
    }
}

/// Takes packets and gives them back when they arrive, until the socket is shut down.
fn carry(socket: &UnixDatagram, way: &Mutex<Way>) {
    let start = Instant::now();
    let mut under_way: BTreeMap<(Duration, u64), Vec<u8>> = BTreeMap::new();
    let (mut filed, mut buffer) = (0, [0; MAX_PACKET]);
    loop {
        while let Some(first) = under_way.first_entry()
            && first.key().0 <= start.elapsed()
            && socket.send(&first.remove()).is_ok()
        {}
        let next = under_way.first_key_value();
        let wait = next.map_or(PATIENCE, |((at, _), _)| at.saturating_sub(start.elapsed()));
        // Nothing would mean without end.
        let wait = wait.max(Duration::from_micros(1));
        socket.set_read_timeout(Some(wait)).unwrap();
        match socket.recv(&mut buffer) {
            Ok(0) => return,
            Ok(length) => {
                let packet = &mut buffer[..length];
                for (at, packet) in way.lock().unwrap().carry(start.elapsed(), packet) {
                    filed += 1;
                    under_way.insert((at, filed), packet);
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}
