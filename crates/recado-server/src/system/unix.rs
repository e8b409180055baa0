//! As Unix tells it.

use std::io;
use std::net::IpAddr;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::net::TcpStream;

/// The machine's name, whatever stands in it.
pub(crate) fn host_name() -> Option<String> {
    nix::unistd::gethostname().ok()?.into_string().ok()
}

/// The addresses of all interfaces that are up.
pub(crate) fn addresses() -> Vec<IpAddr> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else {
        return Vec::new();
    };
    interfaces
        .filter_map(|interface| {
            let address = interface.address?;
            let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
        })
        .collect()
}

/// How many files may be open, after asking for as many as are wanted. `None` where nobody says.
pub(crate) fn max_files(wanted: u64) -> Option<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    let more = hard.min(wanted);
    match soft < wanted && setrlimit(Resource::RLIMIT_NOFILE, more, hard).is_ok() {
        true => Some(more),
        false => Some(soft),
    }
}

/// Whether an error says that the machine has no such family of addresses.
pub(crate) fn is_missing_family(error: &io::Error) -> bool {
    error.raw_os_error() == Some(nix::libc::EAFNOSUPPORT)
}

/// Lets whoever has packets to order put others before a relayed connection. It only makes things better.
#[cfg(target_os = "linux")]
pub(crate) fn be_bulk(stream: &TcpStream) {
    use nix::sys::socket::{setsockopt, sockopt};

    /// RFC 1349 §4, maximise throughput: what Linux sends after all else.
    const BULK: i32 = 0x08;

    let _ = match stream.local_addr() {
        Ok(address) if address.is_ipv6() => setsockopt(stream, sockopt::Ipv6TClass, &BULK),
        _ => setsockopt(stream, sockopt::Ipv4Tos, &BULK),
    };
}

/// Elsewhere the system sends packets in the order in which they come.
#[cfg(not(target_os = "linux"))]
pub(crate) fn be_bulk(_stream: &TcpStream) {}
