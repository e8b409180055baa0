//! Which process holds a port: what Linux tells of its sockets, and of whose they are.

use std::fs;
use std::path::Path;

/// A process that holds a port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Holder {
    pub(super) pid: u32,
    pub(super) name: String,
}

/// The tables of sockets, and the state that a socket which waits for others has in each.
const TABLES: [(&str, &str); 4] = [
    ("/proc/net/tcp", "0A"),
    ("/proc/net/tcp6", "0A"),
    ("/proc/net/udp", "07"),
    ("/proc/net/udp6", "07"),
];

/// Who holds the port, TCP or UDP. `None` where nobody does, or where the system does not tell us.
pub(super) fn holder_of(port: u16) -> Option<Holder> {
    for (table, state) in TABLES {
        let Ok(table) = fs::read_to_string(table) else {
            continue;
        };
        for inode in inodes(&table, port, state) {
            if let Some(holder) = owner(inode) {
                return Some(holder);
            }
        }
    }
    None
}

/// The inodes of the sockets that wait at a port (proc_net_tcp.txt: address, state and inode are the second, the
/// fourth and the tenth column).
fn inodes(table: &str, port: u16, state: &str) -> Vec<u64> {
    let sockets = table.lines().skip(1).filter_map(|line| {
        let mut columns = line.split_whitespace();
        let (_, found) = columns.nth(1)?.rsplit_once(':')?;
        let is_there = u16::from_str_radix(found, 16) == Ok(port);
        let waits = columns.nth(1)? == state;
        let inode = columns.nth(5)?.parse().ok()?;
        (is_there && waits).then_some(inode)
    });
    sockets.collect()
}

/// The process that has a socket open, as far as we may look.
fn owner(inode: u64) -> Option<Holder> {
    let link = format!("socket:[{inode}]");
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = process
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let Ok(files) = fs::read_dir(process.path().join("fd")) else {
            continue; // Someone else's.
        };
        let is_link = |file: &Path| fs::read_link(file).is_ok_and(|to| to.as_os_str() == &*link);
        if files.flatten().any(|file| is_link(&file.path())) {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(Holder {
                pid,
                name: name.trim().to_owned(),
            });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:01BB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0
   1: 0100007F:01BB 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 20 4 30 10 -1
   2: 00000000:20FB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100 0 0 10 0
   x: damaged
";

    #[test]
    fn sockets_are_found_by_port_and_state() {
        assert_eq!(inodes(TABLE, 443, "0A"), [4711]);
        assert_eq!(inodes(TABLE, 8443, "0A"), [4713]);
        assert_eq!(inodes(TABLE, 80, "0A"), [0u64; 0]);
        assert_eq!(inodes("", 443, "0A"), [0u64; 0]);
    }

    #[test]
    fn this_process_is_found_by_its_port() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let holder = holder_of(listener.local_addr().unwrap().port()).unwrap();
        assert_eq!(holder.pid, std::process::id());
    }
}
