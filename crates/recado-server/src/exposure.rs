//! Whom a server lets in whom its operator may not expect: as far as it can be known, and told once.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use recado_hub::{Registration, is_private};
use tokio::time::Instant;

use crate::addresses::Reachable;
use crate::http::TrustedProxy;

/// How long the machine's routes are taken to be as they were.
const ROUTES_TIME: Duration = Duration::from_secs(60);

/// Ends of names that are not the Internet's (RFC 6761, 6762, 8375, and what is reserved for private use).
const PRIVATE_SUFFIXES: [&str; 6] = [
    ".localhost",
    ".local",
    ".internal",
    ".home.arpa",
    ".lan",
    ".test",
];

/// Who may register whom the operator may not have thought of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exposure {
    /// Everyone may, and the server has an address or a name on the Internet.
    #[error(
        "everyone on the Internet may register a name here: registration is open, and {0} is public. With --registration lan, or invite, strangers need a ticket"
    )]
    Public(String),
    /// Everyone may, and someone has come from the Internet.
    #[error(
        "everyone on the Internet may register a name here: registration is open, and someone has come from {0}. With --registration lan, or invite, strangers need a ticket"
    )]
    Reached(IpAddr),
    /// Whoever comes from a private address may, and something with such an address speaks for others.
    #[error(
        "whoever {0} lets through may register a name here, from wherever they come: sessions come from it, a gateway or proxy, in the place of their own addresses. With --registration invite they need a ticket"
    )]
    Hidden(IpAddr),
}

/// What is known before anyone comes.
pub(crate) fn at_start(registration: Registration, reachable: &Reachable) -> Option<Exposure> {
    if registration != Registration::Open {
        return None;
    }
    let is_public_name = |host: &&String| match host.parse::<IpAddr>() {
        Ok(address) => !is_private(address),
        Err(_) => {
            let host = host.to_ascii_lowercase();
            host.contains('.') && !PRIVATE_SUFFIXES.iter().any(|suffix| host.ends_with(suffix))
        }
    };
    if let Some(host) = reachable.hosts.iter().find(is_public_name) {
        return Some(Exposure::Public(host.clone()));
    }
    let addresses = reachable.addresses().into_iter();
    let mut public = addresses.filter(|address| !is_private(address.ip()));
    let public = public.next();
    public.map(|address| Exposure::Public(address.ip().to_string()))
}

/// Looks at who comes.
pub(crate) struct Watch {
    registration: Registration,
    trusted_proxies: Vec<TrustedProxy>,
    /// The machine's gateways, and when they were looked up.
    gateways: Mutex<Option<(Instant, Vec<IpAddr>)>>,
    told: AtomicBool,
}

impl Watch {
    pub(crate) fn new(registration: Registration, trusted_proxies: Vec<TrustedProxy>) -> Self {
        Self {
            registration,
            trusted_proxies,
            gateways: Mutex::new(None),
            told: AtomicBool::new(false),
        }
    }

    /// A chat session has come from there. What that shows is told, once.
    pub(crate) fn notice(&self, peer: IpAddr) {
        if self.told.load(Ordering::Relaxed) {
            return;
        }
        if let Some(exposure) = self.shown_by(peer.to_canonical())
            && !self.told.swap(true, Ordering::Relaxed)
        {
            tracing::warn!("{exposure}");
        }
    }

    fn shown_by(&self, peer: IpAddr) -> Option<Exposure> {
        match self.registration {
            Registration::Open if !is_private(peer) => Some(Exposure::Reached(peer)),
            Registration::Lan if is_private(peer) && self.speaks_for_others(peer) => {
                Some(Exposure::Hidden(peer))
            }
            _ => None,
        }
    }

    fn speaks_for_others(&self, peer: IpAddr) -> bool {
        let is_proxy = || self.trusted_proxies.iter().any(|proxy| proxy.is(peer));
        // On this machine it may be a person as well as a proxy.
        !peer.is_loopback() && (is_proxy() || self.is_gateway(peer))
    }

    fn is_gateway(&self, peer: IpAddr) -> bool {
        let mut known = self.gateways.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |(at, _): &&(Instant, Vec<IpAddr>)| at.elapsed() < ROUTES_TIME;
        if known.as_ref().filter(is_fresh).is_none() {
            *known = Some((Instant::now(), gateways()));
        }
        let gateways = known.as_ref().map(|(_, gateways)| gateways);
        gateways.is_some_and(|gateways| gateways.contains(&peer))
    }
}

/// The machine's default gateways; none where the system does not say so in Linux's way.
fn gateways() -> Vec<IpAddr> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let v4 = read("/proc/net/route");
    let v6 = read("/proc/net/ipv6_route");
    let v4 = v4.lines().filter_map(gateway_v4);
    let v6 = v6.lines().filter_map(gateway_v6);
    v4.chain(v6).collect()
}

/// Interface, destination, gateway, …: each an address's four bytes as the machine's own integer, in hexadecimal.
fn gateway_v4(line: &str) -> Option<IpAddr> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let (destination, gateway) = (words.next()?, words.next()?);
    let gateway = u32::from_str_radix(gateway, 16).ok()?.to_ne_bytes();
    let is_default = destination == "00000000" && gateway != [0; 4];
    is_default.then_some(Ipv4Addr::from(gateway).into())
}

/// Destination, its length, source, its length, gateway, …: addresses as 32 digits, lengths in hexadecimal.
fn gateway_v6(line: &str) -> Option<IpAddr> {
    let words: Vec<_> = line.split_ascii_whitespace().take(5).collect();
    let [destination, length, _, _, gateway] = words.as_slice() else {
        return None;
    };
    let gateway = u128::from_str_radix(gateway, 16).ok()?;
    let is_default = destination.bytes().all(|byte| byte == b'0') && *length == "00";
    (is_default && gateway != 0).then_some(Ipv6Addr::from_bits(gateway).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reachable(listening: &str, hosts: &[&str]) -> Reachable {
        Reachable {
            listening: vec![listening.parse().unwrap()],
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        }
    }

    #[test]
    fn open_to_the_internet_is_told_before_anyone_comes() {
        let public = |it: &str| Some(Exposure::Public(it.to_owned()));
        for (listening, hosts, expected) in [
            ("192.168.1.20:443", vec![], None),
            ("[fd00::1]:443", vec!["recado.lan", "kitchen"], None),
            ("203.0.113.5:443", vec![], public("203.0.113.5")),
            ("[2001:db8::1]:443", vec![], public("2001:db8::1")),
            (
                "10.0.0.2:443",
                vec!["10.0.0.2", "chat.example.org"],
                public("chat.example.org"),
            ),
            ("10.0.0.2:443", vec!["203.0.113.5"], public("203.0.113.5")),
        ] {
            let reachable = reachable(listening, &hosts);
            assert_eq!(at_start(Registration::Open, &reachable), expected);
            for closed in [
                Registration::Lan,
                Registration::Invite,
                Registration::Closed,
            ] {
                assert_eq!(at_start(closed, &reachable), None);
            }
        }
    }

    #[test]
    fn who_comes_shows_what_the_operator_may_not_know() {
        let proxies = vec!["10.9.0.0/16".parse().unwrap(), "127.0.0.1".parse().unwrap()];
        let watch = |registration| {
            let watch = Watch::new(registration, proxies.clone());
            let gateways = vec!["192.168.1.1".parse().unwrap(), "127.0.0.1".parse().unwrap()];
            *watch.gateways.lock().unwrap() = Some((Instant::now(), gateways));
            watch
        };
        let at = |text: &str| text.parse::<IpAddr>().unwrap();
        let lan = watch(Registration::Lan);
        for peer in ["192.168.1.1", "10.9.1.1"] {
            assert_eq!(lan.shown_by(at(peer)), Some(Exposure::Hidden(at(peer))));
        }
        // One from elsewhere is seen as such, and this machine is not its own gateway.
        for peer in ["192.168.1.7", "203.0.113.5", "127.0.0.1"] {
            assert_eq!(lan.shown_by(at(peer)), None, "{peer}");
        }
        let open = watch(Registration::Open);
        let stranger = at("203.0.113.5");
        assert_eq!(open.shown_by(stranger), Some(Exposure::Reached(stranger)));
        assert_eq!(open.shown_by(at("192.168.1.1")), None);
        for closed in [Registration::Invite, Registration::Closed] {
            assert_eq!(watch(closed).shown_by(stranger), None);
            assert_eq!(watch(closed).shown_by(at("192.168.1.1")), None);
        }
    }

    #[test]
    fn gateways_are_read_as_linux_writes_them() {
        let line = format!(
            "eth0\t00000000\t{:08X}\t0003\t0\t0\t0\t00000000\t0\t0\t0",
            u32::from_ne_bytes([192, 168, 1, 1])
        );
        assert_eq!(gateway_v4(&line), Some("192.168.1.1".parse().unwrap()));
        let local = "eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0";
        let head = "Iface\tDestination\tGateway \tFlags";
        for none in [local, head, "", "eth0"] {
            assert_eq!(gateway_v4(none), None, "{none}");
        }
        let zeros = "0".repeat(32);
        let gateway = "fe800000000000000000000000000001";
        let line = format!("{zeros} 00 {zeros} 00 {gateway} 00000400 00000001");
        assert_eq!(gateway_v6(&line), Some("fe80::1".parse().unwrap()));
        let local = format!("{gateway} 80 {zeros} 00 {zeros} 00000000 00000001");
        assert_eq!(gateway_v6(&local), None);
    }
}
