//! Servers on the local network, as they announce themselves over multicast DNS.
//!
//! Anybody there can announce anything, so what is found gives no trust and is no more than an address to try: names
//! are sanitised, counts bounded, and the server that answers proves its key as any other.

use std::cmp::Ordering;
use std::net::{IpAddr, Ipv6Addr, UdpSocket};
use std::time::Duration;

use mdns_sd::{ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent};
use recado_proto::discovery::{FINGERPRINT_KEY, SERVICE};
use recado_proto::fingerprint::Fingerprint;
use recado_proto::text::sanitise_line;
use thiserror::Error;
use tokio::time::{Instant, timeout_at};

use crate::address::{ServerAddress, host_and_port};

/// Servers that are kept at most: more than a person looks through. Whoever floods the network hides others, and no
/// more than that.
pub const MAX_FOUND: usize = 64;

/// The most characters of an announced name that are kept: as many as a label of the DNS has bytes.
const MAX_NAME: usize = 63;

/// A server as it announces itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it calls itself: fit for a terminal, and otherwise not to be relied on.
    pub name: String,
    /// Where it says it is: the address most likely to be reached.
    pub address: ServerAddress,
    /// It is on this machine.
    pub is_here: bool,
    /// The root that it claims, which proves nothing.
    pub claimed: Option<Fingerprint>,
}

/// Why nothing can be looked for.
#[derive(Debug, Error)]
#[error("this machine cannot look for servers on its network")]
pub struct DiscoveryError(#[from] mdns_sd::Error);

/// Looks for servers for so long. What is found comes in the order of the answers.
pub async fn browse(time: Duration) -> Result<Vec<Found>, DiscoveryError> {
    let until = Instant::now() + time;
    let daemon = ServiceDaemon::new()?;
    let events = daemon.browse(SERVICE)?;
    let mut found: Vec<Heard> = Vec::new();
    // Ends with the time; or when more came than the library keeps.
    while let Ok(Ok(event)) = timeout_at(until, events.recv_async()).await {
        if let ServiceEvent::ServiceResolved(service) = event
            && let Some(heard) = understand(&service)
        {
            take(&mut found, heard);
        }
    }
    // Nothing is waited for: its thread ends by itself.
    let _ = daemon.shutdown();
    Ok(found.into_iter().map(|heard| heard.server).collect())
}

/// An announcement that was understood.
struct Heard {
    /// The instance: a server's addresses may come one by one.
    instance: String,
    rank: u8,
    server: Found,
}

/// Takes what was heard, each server once: at the best of its addresses.
fn take(found: &mut Vec<Heard>, heard: Heard) {
    let is_same = |known: &&mut Heard| {
        known.instance == heard.instance || known.server.address == heard.server.address
    };
    if let Some(known) = found.iter_mut().find(is_same) {
        if heard.rank < known.rank {
            *known = heard;
        }
    } else if found.len() < MAX_FOUND {
        found.push(heard);
    }
}

/// A server that can be tried; `None` for an announcement of nothing.
fn understand(service: &ResolvedService) -> Option<Heard> {
    let addresses = service.get_addresses();
    let mut hosts: Vec<_> = addresses.iter().map(Host::of).collect();
    // No server elsewhere has such an address.
    hosts.retain(|host| {
        !host.ip.is_loopback() && !host.ip.is_unspecified() && !host.ip.is_multicast()
    });
    hosts.sort();
    let host = hosts.into_iter().next()?;
    let port = service.get_port();
    let address = match host.ip {
        IpAddr::V4(ip) => host_and_port(&ip.to_string(), port),
        IpAddr::V6(ip) => match &host.zone {
            Some(zone) => host_and_port(&format!("{ip}%{zone}"), port),
            None => host_and_port(&ip.to_string(), port),
        },
    };
    let claimed = service.get_property_val_str(FINGERPRINT_KEY);
    let name = service.get_fullname();
    let name = name.strip_suffix(SERVICE).unwrap_or(name);
    Some(Heard {
        instance: service.get_fullname().to_lowercase(),
        rank: host.rank(),
        server: Found {
            name: readable(name.strip_suffix('.').unwrap_or(name)),
            // Port 0, and whatever else no server has, is refused here.
            address: address.parse().ok()?,
            is_here: is_here(host.ip),
            claimed: claimed.and_then(|claimed| claimed.parse().ok()),
        },
    })
}

/// An instance's name without its escapes, and fit for a terminal.
fn readable(name: &str) -> String {
    let mut plain = String::new();
    let mut characters = name.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => plain.extend(characters.next()),
            c => plain.push(c),
        }
    }
    let short: String = plain.chars().take(MAX_NAME).collect();
    sanitise_line(&short).trim().to_owned()
}

/// Whether an address is this machine's own: only those can be bound.
fn is_here(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}

/// An announced address; the first in order is the one to try.
#[derive(PartialEq, Eq)]
struct Host {
    ip: IpAddr,
    zone: Option<String>,
}

impl Host {
    fn of(scoped: &ScopedIp) -> Self {
        let ip = scoped.to_ip_addr();
        let zone = match scoped {
            // Without its interface it means nothing.
            ScopedIp::V6(v6) if is_link_local(v6.addr()) => Some(v6.scope_id().name.clone()),
            _ => None,
        };
        Self { ip, zone }
    }

    /// The everyday address first, and last what means something on one cable only.
    fn rank(&self) -> u8 {
        match self.ip {
            IpAddr::V4(ip) if ip.is_private() => 0,
            IpAddr::V4(ip) if ip.is_link_local() => 4,
            IpAddr::V4(_) => 1,
            IpAddr::V6(ip) if is_link_local(&ip) => 3,
            IpAddr::V6(_) => 2,
        }
    }
}

fn is_link_local(ip: &Ipv6Addr) -> bool {
    ip.is_unicast_link_local()
}

impl Ord for Host {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |host: &Self| (host.rank(), host.ip);
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Host {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(instance: &str, rank: u8, address: &str) -> Heard {
        Heard {
            instance: instance.to_owned(),
            rank,
            server: Found {
                name: instance.to_owned(),
                address: address.parse().unwrap(),
                is_here: false,
                claimed: None,
            },
        }
    }

    #[test]
    fn a_flood_is_bounded_and_nobody_is_listed_twice() {
        let mut kept = Vec::new();
        for _ in 0..2 {
            for host in 0..100 {
                let address = format!("10.0.0.{host}:8443");
                take(&mut kept, heard(&address, 0, &address));
            }
        }
        assert_eq!(kept.len(), MAX_FOUND);
        let mut kept = vec![heard("a", 3, "[fe80::1%eth0]:8443")];
        take(&mut kept, heard("a", 0, "10.0.0.1:8443"));
        take(&mut kept, heard("a", 2, "[2001:db8::1]:8443"));
        take(&mut kept, heard("b", 0, "10.0.0.1:8443"));
        let kept: Vec<_> = kept
            .iter()
            .map(|it| it.server.address.to_string())
            .collect();
        assert_eq!(kept, ["10.0.0.1:8443"]);
    }

    #[test]
    fn names_are_short_and_draw_nothing() {
        assert_eq!(readable(r"Room\ 3\.b"), "Room 3.b");
        assert_eq!(
            readable("a\u{1b}[2Jb\nc\u{202e}d").find(char::is_control),
            None
        );
        assert!(!readable("a\u{202e}b").contains('\u{202e}'));
        assert!(readable(&"x".repeat(500)).chars().count() <= MAX_NAME);
    }

    #[test]
    fn the_everyday_address_is_tried_first() {
        let hosts = [
            "169.254.1.1",
            "fe80::1",
            "2001:db8::1",
            "203.0.113.5",
            "192.168.1.20",
        ];
        let mut hosts = hosts.map(|ip| Host {
            ip: ip.parse().unwrap(),
            zone: None,
        });
        hosts.sort();
        let order: Vec<_> = hosts.iter().map(|host| host.ip.to_string()).collect();
        let expected = [
            "192.168.1.20",
            "203.0.113.5",
            "2001:db8::1",
            "fe80::1",
            "169.254.1.1",
        ];
        assert_eq!(order, expected);
    }
}
