//! Where two clients may reach each other without the server. Whoever tells addresses could make another's client
//! connect to them: what is tried is bounded in number, and cannot be a service of the machine itself, nor of a
//! stranger's network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use recado_proto::file::{Address, MAX_ADDRESSES};

/// The least port that is tried: below are services of systems.
const MIN_PORT: u16 = 1024;

/// An address of one of this machine's interfaces.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Own {
    /// The address.
    pub ip: IpAddr,
    /// Bits of its subnet.
    pub prefix: u8,
}

/// How this client reaches the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reached {
    /// By the loopback: both are on one machine, and another client may be, too.
    ByLoopback,
    /// By a network.
    ByNetwork,
}

impl Own {
    /// Whether an address is in the same subnet.
    fn is_near(&self, ip: IpAddr) -> bool {
        let (own, other, bits) = match (self.ip, ip) {
            (IpAddr::V4(own), IpAddr::V4(other)) => (
                u128::from(own.to_bits()),
                u128::from(other.to_bits()),
                32u32,
            ),
            (IpAddr::V6(own), IpAddr::V6(other)) => (own.to_bits(), other.to_bits(), 128),
            _ => return false,
        };
        // All addresses are in a network of no bits: that is none.
        let host = bits.saturating_sub(self.prefix.into());
        self.prefix > 0 && own.checked_shr(host) == other.checked_shr(host)
    }
}

/// The addresses to tell another, of a client that listens on this port.
pub fn own_candidates(own: &[Own], port: u16, reached: Reached) -> Vec<Address> {
    let mut told: Vec<Own> = own
        .iter()
        .copied()
        .filter(|own| is_offered(own, reached))
        .collect();
    // Ordinary networks first, of which there may be more than can be told.
    told.sort_unstable_by_key(|own| (own.ip.is_ipv6(), own.ip.is_loopback(), own.ip));
    told.dedup();
    let told = told.into_iter().take(MAX_ADDRESSES);
    told.map(|own| Address(SocketAddr::new(own.ip, port)))
        .collect()
}

/// Public addresses are told too: whoever is in the same subnet tries them.
fn is_offered(own: &Own, reached: Reached) -> bool {
    if own.ip.is_loopback() {
        return reached == Reached::ByLoopback;
    }
    is_unicast(own.ip) && !is_link_local(own.ip)
}

/// Those of another's addresses that are worth trying, and harmless.
pub fn acceptable(theirs: &[Address], own: &[Own], reached: Reached) -> Vec<SocketAddr> {
    let mut tried: Vec<SocketAddr> = Vec::new();
    for Address(address) in theirs.iter().take(MAX_ADDRESSES) {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        if is_acceptable(address, own, reached) && !tried.contains(&address) {
            tried.push(address);
        }
    }
    tried
}

fn is_acceptable(address: SocketAddr, own: &[Own], reached: Reached) -> bool {
    let ip = address.ip();
    if address.port() < MIN_PORT || !is_unicast(ip) || is_link_local(ip) {
        return false;
    }
    if ip.is_loopback() {
        return reached == Reached::ByLoopback;
    }
    is_private(ip) || own.iter().any(|own| own.is_near(ip))
}

fn is_unicast(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [first, ..] = ip.octets();
            !ip.is_unspecified()
                && !ip.is_broadcast()
                && !ip.is_multicast()
                && (1..240).contains(&first)
        }
        IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast(),
    }
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || is_shared(ip),
        IpAddr::V6(ip) => Ipv6Addr::is_unique_local(&ip),
    }
}

/// 100.64.0.0/10 (RFC 6598): networks laid over others use it.
fn is_shared(ip: Ipv4Addr) -> bool {
    let [first, second, ..] = ip.octets();
    first == 100 && (64..128).contains(&second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(list: &[(&str, u8)]) -> Vec<Own> {
        let own = |(ip, prefix): &(&str, u8)| Own {
            ip: ip.parse().unwrap(),
            prefix: *prefix,
        };
        list.iter().map(own).collect()
    }

    fn tried(list: &[&str], own: &[Own], reached: Reached) -> Vec<String> {
        let theirs: Vec<_> = list.iter().map(|it| Address(it.parse().unwrap())).collect();
        let tried = acceptable(&theirs, own, reached);
        tried.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_private_or_near_is_tried_and_nothing_else() {
        let own = own(&[("203.0.113.7", 24), ("2001:db8::7", 64)]);
        let good = [
            "192.168.1.2:40000",
            "10.0.0.1:1024",
            "172.16.0.1:5000",
            "100.64.0.1:5000",
            "203.0.113.9:5000",
            "[fd00::1]:5000",
            "[2001:db8::9]:5000",
        ];
        assert_eq!(tried(&good, &own, Reached::ByNetwork), good);
        for bad in [
            "192.168.1.2:1023",
            "192.168.1.2:22",
            "8.8.8.8:5000",
            "203.0.114.9:5000",
            "169.254.169.254:8080",
            "127.0.0.1:5000",
            "[::1]:5000",
            "[::ffff:127.0.0.1]:5000",
            "[::ffff:169.254.169.254]:5000",
            "0.0.0.0:5000",
            "[::]:5000",
            "255.255.255.255:5000",
            "224.0.0.1:5000",
            "[fe80::1]:5000",
            "[ff02::1]:5000",
            "[2001:db8:0:1::9]:5000",
        ] {
            assert_eq!(tried(&[bad], &own, Reached::ByNetwork), [""; 0], "{bad}");
        }
    }

    #[test]
    fn the_loopback_is_tried_where_the_server_is_reached_by_it() {
        let by_loopback = |list| tried(list, &[], Reached::ByLoopback);
        assert_eq!(by_loopback(&["127.0.0.1:5000"]), ["127.0.0.1:5000"]);
        assert_eq!(by_loopback(&["127.0.0.1:80"]), [""; 0]);
    }

    #[test]
    fn no_more_than_eight_are_tried_or_told_and_none_twice() {
        let many: Vec<String> = (0..20).map(|at| format!("10.0.0.{at}:5000")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(tried(&many, &[], Reached::ByNetwork).len(), 8);
        let twice = ["10.0.0.1:5000", "[::ffff:10.0.0.1]:5000"];
        assert_eq!(tried(&twice, &[], Reached::ByNetwork).len(), 1);
        let interfaces: Vec<_> = (0..20)
            .map(|at| Own {
                ip: IpAddr::from([10, 0, at, 1]),
                prefix: 24,
            })
            .collect();
        assert_eq!(
            own_candidates(&interfaces, 5000, Reached::ByNetwork).len(),
            8
        );
    }

    #[test]
    fn a_machine_tells_its_networks_and_its_loopback_only_to_those_who_share_it() {
        let interfaces = own(&[
            ("127.0.0.1", 8),
            ("::1", 128),
            ("fe80::1", 64),
            ("192.168.1.20", 24),
            ("fd00::20", 64),
            ("169.254.3.4", 16),
        ]);
        let told = |reached| {
            let told = own_candidates(&interfaces, 5000, reached);
            let told: Vec<_> = told.iter().map(|told| told.0.to_string()).collect();
            told.join(" ")
        };
        assert_eq!(
            told(Reached::ByNetwork),
            "192.168.1.20:5000 [fd00::20]:5000"
        );
        assert_eq!(
            told(Reached::ByLoopback),
            "192.168.1.20:5000 127.0.0.1:5000 [fd00::20]:5000 [::1]:5000"
        );
    }

    #[test]
    fn no_subnet_is_the_whole_world() {
        let own = own(&[("203.0.113.7", 0)]);
        assert_eq!(tried(&["8.8.8.8:5000"], &own, Reached::ByNetwork), [""; 0]);
    }
}
