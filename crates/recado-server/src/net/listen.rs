//! Binding: TCP and UDP on one number, on every address asked for.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use super::UdpPort;
use crate::system;

/// The port of HTTPS.
const PORT: u16 = 443;

/// The port where 443 is taken or not permitted.
const FALLBACK_PORT: u16 = 8443;

/// Connections that the kernel completes before they are accepted: a class that arrives at once.
const BACKLOG: i32 = 4096;

/// How often a free number is sought that both TCP and UDP can have.
const FREE_PORT_ATTEMPTS: usize = 64;

/// One `--listen`: an address, and a port where one was chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listen {
    /// Where to listen.
    pub address: IpAddr,
    /// Where not the default; 0 is any free one.
    pub port: Option<u16>,
}

/// Whether the default port may be left for another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PortFallback {
    /// To 8443, if 443 is taken or not permitted.
    Allowed,
    /// Never.
    Forbidden,
}

/// Sockets that were bound before the server was started, as systemd does: the port is theirs.
#[derive(Debug, Default)]
pub struct Inherited {
    /// Listening.
    pub tcp: Vec<std::net::TcpListener>,
    /// Bound.
    pub udp: Vec<std::net::UdpSocket>,
}

impl Inherited {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tcp.is_empty() && self.udp.is_empty()
    }

    /// Takes them, if they are what a server needs.
    pub(crate) fn take(self) -> Result<Bound, ListenError> {
        let broken = ListenError::Inherited;
        let mut addresses = Vec::new();
        for listener in &self.tcp {
            addresses.push(listener.local_addr().map_err(broken)?);
        }
        let mut others = Vec::new();
        for socket in &self.udp {
            others.push(socket.local_addr().map_err(broken)?);
        }
        addresses.sort();
        others.sort();
        let port = addresses.first().map_or(0, SocketAddr::port);
        if addresses != others || addresses.iter().any(|address| address.port() != port) {
            return Err(ListenError::NoPairs {
                tcp: addresses,
                udp: others,
            });
        }
        let mut bound = Bound {
            tcp: Vec::new(),
            udp: Vec::new(),
            port,
            fallback: None,
            no_ipv6: None,
        };
        for listener in self.tcp {
            listener.set_nonblocking(true).map_err(broken)?;
            bound
                .tcp
                .push(TcpListener::from_std(listener).map_err(broken)?);
        }
        for socket in self.udp {
            bound.udp.push(UdpPort::take(socket).map_err(broken)?);
        }
        Ok(bound)
    }
}

/// Sockets that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Not an address.
    #[error(
        "{0:?} is no address to listen on; write ADDRESS or ADDRESS:PORT, like 0.0.0.0:8443 or [::1]:8443"
    )]
    Syntax(String),
    /// All addresses share one port.
    #[error("--listen names two ports, {0} and {1}; all addresses share one")]
    TwoPorts(u16, u16),
    /// What was handed over is not a server's.
    #[error(
        "the sockets handed over are not pairs of TCP and UDP at the same addresses and on one port: TCP {tcp:?}, UDP {udp:?}; in the socket unit, write each address as ListenStream= and as ListenDatagram="
    )]
    NoPairs {
        /// Listening.
        tcp: Vec<SocketAddr>,
        /// Bound.
        udp: Vec<SocketAddr>,
    },
    /// What was handed over cannot be used.
    #[error("a socket that was handed over cannot be used")]
    Inherited(#[source] io::Error),
    /// The system refuses.
    #[error("cannot listen on {protocol} {address}: {}", advice(.source, .address))]
    Bind {
        /// `TCP` or `UDP`.
        protocol: &'static str,
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// The sockets, all on one port.
pub(crate) struct Bound {
    pub(crate) tcp: Vec<TcpListener>,
    pub(crate) udp: Vec<UdpPort>,
    pub(crate) port: u16,
    /// Why 443 was left, if it was.
    pub(crate) fallback: Option<ListenError>,
    /// Why there is no IPv6, if there is none.
    pub(crate) no_ipv6: Option<ListenError>,
}

impl FromStr for Listen {
    type Err = ListenError;

    fn from_str(text: &str) -> Result<Self, ListenError> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self {
                address: address.ip(),
                port: Some(address.port()),
            });
        }
        let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
        match bare.unwrap_or(text).parse() {
            Ok(address) => Ok(Self {
                address,
                port: None,
            }),
            Err(_) => Err(ListenError::Syntax(text.to_owned())),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => SocketAddr::new(self.address, port).fmt(f),
            None => self.address.fmt(f),
        }
    }
}

/// Binds what was asked for; with nothing asked, every address of both families.
pub(crate) fn bind(listen: &[Listen], fallback: PortFallback) -> Result<Bound, ListenError> {
    let mut chosen = None;
    for port in listen.iter().filter_map(|listen| listen.port) {
        match chosen {
            Some(other) if other != port => return Err(ListenError::TwoPorts(other, port)),
            _ => chosen = Some(port),
        }
    }
    let addresses: Vec<_> = listen.iter().map(|listen| listen.address).collect();
    let bind_at = |port| match addresses.as_slice() {
        [] => bind_everywhere(port),
        addresses => bind_all(addresses, port),
    };
    let port = chosen.unwrap_or(PORT);
    match bind_at(port) {
        Err(error)
            if chosen.is_none() && fallback == PortFallback::Allowed && error.is_about_port() =>
        {
            let mut bound = bind_at(FALLBACK_PORT)?;
            bound.fallback = Some(error);
            Ok(bound)
        }
        result => result,
    }
}

/// Both families; a machine without IPv6 does with one.
fn bind_everywhere(port: u16) -> Result<Bound, ListenError> {
    let (v4, v6) = (Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into());
    match bind_all(&[v4, v6], port) {
        Err(error) if error.is_about_missing_ipv6() => {
            let mut bound = bind_all(&[v4], port)?;
            bound.no_ipv6 = Some(error);
            Ok(bound)
        }
        result => result,
    }
}

fn bind_all(addresses: &[IpAddr], port: u16) -> Result<Bound, ListenError> {
    let mut attempts = if port == 0 { FREE_PORT_ATTEMPTS } else { 1 };
    loop {
        attempts -= 1;
        match bind_once(addresses, port) {
            // A number that was free for TCP is not free for UDP: try another.
            Err(error) if attempts > 0 && error.is_about_port() => {}
            result => return result,
        }
    }
}

fn bind_once(addresses: &[IpAddr], mut port: u16) -> Result<Bound, ListenError> {
    let (mut tcp, mut udp) = (Vec::new(), Vec::new());
    for address in addresses {
        let at = SocketAddr::new(*address, port);
        let failed = |protocol, address| {
            move |source| ListenError::Bind {
                protocol,
                address,
                source,
            }
        };
        let listener = tcp_listener(at).map_err(failed("TCP", at))?;
        let bound = listener.local_addr().map_err(failed("TCP", at))?;
        port = bound.port();
        udp.push(UdpPort::bind(bound).map_err(failed("UDP", bound))?);
        tcp.push(listener);
    }
    Ok(Bound {
        tcp,
        udp,
        port,
        fallback: None,
        no_ipv6: None,
    })
}

fn tcp_listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A restarted server must not wait for its old connections to be forgotten.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

impl ListenError {
    /// The port itself is taken or not permitted: another may do.
    fn is_about_port(&self) -> bool {
        matches!(self, Self::Bind { source, .. }
            if matches!(source.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied))
    }

    fn is_about_missing_ipv6(&self) -> bool {
        matches!(self, Self::Bind { address, source, .. }
            if address.is_ipv6() && (source.kind() == ErrorKind::AddrNotAvailable
                || system::is_missing_family(source)))
    }
}

/// What the person at the machine can do.
fn advice(source: &io::Error, address: &SocketAddr) -> String {
    let port = address.port();
    match source.kind() {
        ErrorKind::PermissionDenied => {
            let program = std::env::current_exe().unwrap_or_else(|_| "recado".into());
            format!(
                "not permitted; allow it with: sudo setcap cap_net_bind_service=+ep '{}'",
                program.display()
            )
        }
        ErrorKind::AddrInUse => {
            format!("already taken; see by whom with: sudo ss -Hlnptu 'sport = :{port}'")
        }
        _ => source.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_with_and_without_port() {
        let read = |text: &str| {
            text.parse::<Listen>()
                .ok()
                .map(|l| (l.address.to_string(), l.port))
        };
        assert_eq!(read("0.0.0.0"), Some(("0.0.0.0".into(), None)));
        assert_eq!(read("127.0.0.1:0"), Some(("127.0.0.1".into(), Some(0))));
        assert_eq!(read("::1"), Some(("::1".into(), None)));
        assert_eq!(read("[::1]"), Some(("::1".into(), None)));
        assert_eq!(read("[::1]:8443"), Some(("::1".into(), Some(8443))));
        for wrong in [
            "",
            "localhost",
            "1.2.3.4:",
            "1.2.3.4:70000",
            ":8443",
            "[::1",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    fn listen(text: &str) -> Listen {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn tcp_and_udp_share_a_free_number_on_all_addresses() {
        let asked = [listen("127.0.0.1:0"), listen("127.0.0.2")];
        let bound = bind(&asked, PortFallback::Forbidden).unwrap();
        assert_ne!(bound.port, 0);
        for listener in &bound.tcp {
            assert_eq!(listener.local_addr().unwrap().port(), bound.port);
        }
        for udp in &bound.udp {
            assert_eq!(udp.local_addr().port(), bound.port);
        }
    }

    #[tokio::test]
    async fn a_taken_port_is_said_with_the_way_to_find_out() {
        let first = bind(&[listen("127.0.0.1:0")], PortFallback::Forbidden).unwrap();
        let same = listen(&format!("127.0.0.1:{}", first.port));
        let error = bind(&[same], PortFallback::Allowed).err().unwrap();
        assert!(error.to_string().contains("ss -Hlnptu"), "{error}");
    }

    #[test]
    fn one_port_for_all() {
        let asked = [listen("127.0.0.1:1"), listen("127.0.0.2:2")];
        let error = bind(&asked, PortFallback::Forbidden).err();
        assert!(matches!(error, Some(ListenError::TwoPorts(1, 2))));
    }
}
