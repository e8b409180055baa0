//! What this machine is called and at which addresses it can be reached.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::system;

/// The machine's host name, where it has one that can stand in a certificate.
pub(crate) fn host_name() -> Option<String> {
    let name = system::host_name()?.to_ascii_lowercase();
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
pub fn interface_addresses() -> BTreeSet<IpAddr> {
    let addresses = system::addresses().into_iter();
    addresses
        .filter(|address| !address.is_loopback() && !is_link_local(address))
        .collect()
}

/// RFC 1918, RFC 6598 and RFC 4193: addresses that a certificate of one's own may name unasked.
pub fn is_private(address: &IpAddr) -> bool {
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
