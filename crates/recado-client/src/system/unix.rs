//! As Unix does it.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io;
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};
use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
use nix::sys::socket::SockaddrStorage;
use recado_engine::files::Own;
use tokio::net::TcpStream;

/// What is a link is not followed; what is a pipe makes nobody wait.
const FLAGS: i32 = O_NOFOLLOW | O_NONBLOCK;

/// Opens a file to be read.
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.read(true).custom_flags(FLAGS).open(path)
}

/// Opens a file in a folder.
pub(crate) fn open_file_in(dir: &Dir, path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let options = options.custom_flags(FLAGS);
    Ok(dir.open_with(path, options)?.into_std())
}

/// Reads at a place in a file.
pub(crate) fn read_at(file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
    file.read_at(into, at)
}

/// Writes all of it at a place in a file.
pub(crate) fn write_all_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    file.write_all_at(bytes, at)
}

/// When a file was written: seconds since 1970, and nanoseconds.
pub(crate) fn modified(metadata: &Metadata) -> (i64, i64) {
    (metadata.mtime(), metadata.mtime_nsec())
}

/// The number of a file, which another of the same name does not have.
pub(crate) fn inode(metadata: &Metadata) -> u64 {
    metadata.ino()
}

/// Bytes of a file on the disk, of which there may be fewer than it is long.
pub(crate) fn stored(metadata: &Metadata) -> u64 {
    metadata.blocks().saturating_mul(512)
}

/// Bytes that there is room for in a folder, where that is told.
pub(crate) fn free_space(folder: &Path) -> io::Result<Option<u64>> {
    let system = nix::sys::statvfs::fstatvfs(File::open(folder)?)?;
    // Their types differ from system to system.
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast)]
    let free = u64::from(system.blocks_available()).saturating_mul(system.fragment_size() as u64);
    Ok(Some(free))
}

/// A path as it is kept.
pub(crate) fn path_bytes(path: &Path) -> Cow<'_, [u8]> {
    path.as_os_str().as_bytes().into()
}

/// A path as it was kept.
pub(crate) fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

/// The addresses of this machine's interfaces, each with its network.
pub(crate) fn interfaces() -> Vec<Own> {
    let Ok(all) = nix::ifaddrs::getifaddrs() else {
        return Vec::new();
    };
    let own = all.filter_map(|interface| {
        let ip = ip_of(interface.address.as_ref()?)?;
        let mask = interface.netmask.as_ref().and_then(ip_of)?;
        let bits = match mask {
            IpAddr::V4(mask) => mask.to_bits().leading_ones(),
            IpAddr::V6(mask) => mask.to_bits().leading_ones(),
        };
        let prefix = u8::try_from(bits).unwrap_or_default();
        Some(Own { ip, prefix })
    });
    own.collect()
}

fn ip_of(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|it| IpAddr::V4(it.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|it| IpAddr::V6(it.ip())))
}

/// Lets whoever has packets to order put others first, this machine too. It only makes things better.
#[cfg(target_os = "linux")]
pub(crate) fn be_bulk(tcp: &TcpStream) {
    use nix::sys::socket::{setsockopt, sockopt};

    /// RFC 1349 §4, maximise throughput: what Linux sends after all else.
    const BULK: i32 = 0x08;

    let is_v6 = tcp.local_addr().is_ok_and(|address| address.is_ipv6());
    let _ = match is_v6 {
        true => setsockopt(tcp, sockopt::Ipv6TClass, &BULK),
        false => setsockopt(tcp, sockopt::Ipv4Tos, &BULK),
    };
}

/// Elsewhere the system sends packets in the order in which they come.
#[cfg(not(target_os = "linux"))]
pub(crate) fn be_bulk(_tcp: &TcpStream) {}
