//! What this machine is called and at which addresses it can be reached.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Where people can reach the server.
#[derive(Clone, Debug)]
pub(crate) struct Reachable {
    /// Where it listens, one port for all.
    pub(crate) listening: Vec<SocketAddr>,
    /// Names and addresses that the operator says it has.
    pub(crate) hosts: Vec<String>,
}

impl Reachable {
    /// `HOST:PORT`, what the operator says first. The machine's addresses are as they are now.
    pub(crate) fn all(&self) -> Vec<String> {
        let port = self
            .listening
            .first()
            .map_or(0, |listening| listening.port());
        let hosts = self
            .hosts
            .iter()
            .map(|host| match host.parse::<Ipv6Addr>() {
                Ok(address) => format!("[{address}]:{port}"),
                Err(_) => format!("{host}:{port}"),
            });
        let addresses = self.addresses().into_iter();
        let mut all: Vec<String> = hosts.chain(addresses.map(|it| it.to_string())).collect();
        let mut seen = BTreeSet::new();
        all.retain(|address| seen.insert(address.clone()));
        all
    }

    /// The addresses listened on, or the machine's where that is all of them.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        let interfaces = interface_addresses();
        let mut reachable: Vec<SocketAddr> = Vec::new();
        for listening in &self.listening {
            if !listening.ip().is_unspecified() {
                reachable.push(*listening);
                continue;
            }
            let same_family = |address: &&IpAddr| address.is_ipv4() == listening.is_ipv4();
            let here = interfaces.iter().filter(same_family);
            reachable.extend(here.map(|ip| SocketAddr::new(*ip, listening.port())));
        }
        if reachable.is_empty()
            && let Some(listening) = self.listening.first()
        {
            let loopback = match listening.ip() {
                IpAddr::V4(_) => IpAddr::from([127, 0, 0, 1]),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            };
            reachable.push(SocketAddr::new(loopback, listening.port()));
        }
        reachable
    }
}

/// The machine's host name, where it has one that can stand in a certificate.
pub(crate) fn host_name() -> Option<String> {
    let name = nix::unistd::gethostname().ok()?.into_string().ok()?;
    let name = name.to_ascii_lowercase();
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    (name.len() <= 253 && name.split('.').all(label)).then_some(name)
}

/// The addresses of the machine's interfaces that are up, loopback excepted, and link-local ones
/// too: those mean nothing without an interface.
pub(crate) fn interface_addresses() -> BTreeSet<IpAddr> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else {
        return BTreeSet::new();
    };
    interfaces
        .filter_map(|interface| {
            let address = interface.address?;
            let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
        })
        .filter(|address| !address.is_loopback() && !is_link_local(address))
        .collect()
}

/// RFC 1918, RFC 6598 and RFC 4193: addresses that a certificate of one's own may name unasked.
pub(crate) fn is_private(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            v4.is_private() || (first == 100 && second & 0xc0 == 64)
        }
        IpAddr::V6(v6) => v6.is_unique_local(),
    }
}

fn is_link_local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}
