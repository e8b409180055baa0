//! What every system tells.

use std::io;
use std::net::{IpAddr, UdpSocket};

/// The machine's name, if the environment has it.
pub(crate) fn host_name() -> Option<String> {
    ["COMPUTERNAME", "HOSTNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok())
}

/// The address that the machine would use towards others, in each family. Nothing is sent for it: the addresses are for
/// documentation alone (RFC 5737, RFC 3849).
pub(crate) fn addresses() -> Vec<IpAddr> {
    let towards = [
        ("0.0.0.0:0", "192.0.2.1:443"),
        ("[::]:0", "[2001:db8::1]:443"),
    ];
    let addresses = towards.iter().filter_map(|(from, to)| {
        let socket = UdpSocket::bind(from).ok()?;
        socket.connect(to).ok()?;
        Some(socket.local_addr().ok()?.ip())
    });
    addresses.collect()
}

/// Not limited, or not told.
pub(crate) fn max_files(_wanted: u64) -> Option<u64> {
    None
}

/// Whether an error says that the machine has no such family of addresses.
pub(crate) fn is_missing_family(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
}

/// Packets are in the order in which they come.
#[cfg_attr(unix, expect(dead_code, reason = "Unix has its own"))]
pub(crate) fn be_bulk(_stream: &tokio::net::TcpStream) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_is_among_what_unix_tells() {
        #[cfg(unix)]
        for address in addresses() {
            let all = super::super::unix::addresses();
            assert!(all.contains(&address), "{address} not in {all:?}");
        }
        assert_eq!(max_files(1), None);
        assert!(!is_missing_family(&io::ErrorKind::AddrInUse.into()));
        assert_ne!(host_name().as_deref(), Some("="));
    }
}
