//! Who may register a new name, and how fast.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use crate::bucket::BucketConfig;

/// Who may register a new name. Names already registered are not affected.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Registration {
    /// Whoever connects from a private address; from elsewhere, who has a ticket.
    #[default]
    Lan,
    /// Everyone.
    Open,
    /// Who has a ticket.
    Invite,
    /// Nobody, with a ticket neither.
    Closed,
}

impl Registration {
    /// Whether someone at this address may register, without a ticket.
    pub fn admits(self, address: IpAddr) -> bool {
        match self {
            Self::Lan => is_private(address),
            Self::Open => true,
            Self::Invite | Self::Closed => false,
        }
    }

    /// Whether a ticket admits whom nothing else does.
    pub fn takes_tickets(self) -> bool {
        match self {
            Self::Lan | Self::Open | Self::Invite => true,
            Self::Closed => false,
        }
    }
}

/// New names from one address: 300 at once (a class of 200 behind one address, and latecomers), then one
/// a second.
pub(crate) const CLAIMS: BucketConfig = BucketConfig {
    burst: 300,
    interval: Duration::from_secs(1),
};

/// Addresses whose claims are remembered: 16,384 take about 1 MiB.
pub(crate) const MAX_CLAIMING_ADDRESSES: usize = 16_384;

/// What shares one limit: an IPv4 address, or the /64 that one IPv6 host can fill alone.
pub fn limit_key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
    }
}

/// Loopback, RFC 1918, link-local, RFC 6598 (shared), RFC 4193 (unique local).
pub fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || (first == 100 && second & 0xc0 == 64)
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lan_means_private_addresses() {
        let admits = |text: &str| Registration::Lan.admits(text.parse().unwrap());
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.20",
            "169.254.1.1",
            "100.64.0.1",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:192.168.1.20",
        ] {
            assert!(admits(private), "{private}");
        }
        for public in [
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "2001:db8::1",
            "::ffff:8.8.8.8",
            "0.0.0.0",
        ] {
            assert!(!admits(public), "{public}");
        }
    }

    #[test]
    fn an_ipv6_host_is_its_64() {
        let key = |text: &str| limit_key(text.parse().unwrap());
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:1"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_eq!(key("::ffff:10.0.0.1"), key("10.0.0.1"));
    }
}
