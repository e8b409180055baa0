//! Files from person to person: what is said about an offer, and the frames of the connection that carries it.
//! `docs/protocol.md` §Files.

mod note;
mod stream;

pub use note::{
    Address, CancelCode, FileNote, FolderOffer, ListEntry, MAX_ADDRESSES, MAX_FIRST_ENTRIES_BYTES,
    NoteBody, Offered,
};
pub use stream::{
    AbortCode, FrameHeader, HEADER, Kind, MAX_CONTROL, MAX_GROUP, StreamFrame, list_parts,
};

/// The version of what is said on the connection that carries files.
pub const VERSION: u32 = 1;

/// Names the protocol of that connection in its TLS handshake (RFC 7301).
pub const ALPN: &[u8] = b"recado-file/1";

/// The most that a folder may hold: its list is kept in memory by both sides.
pub const MAX_ENTRIES: u64 = 1_000_000;

/// Contents are verified in groups, of at most so many: the chaining values of all of them take 2 MiB.
pub const MAX_GROUPS: u64 = 65_536;

/// Bytes of an offer at most: 64 TiB, in the largest groups.
pub const MAX_SIZE: u64 = MAX_GROUPS * MAX_GROUP;

/// Bytes of the smallest groups.
const MIN_GROUP: u64 = 1 << 20;

/// Bytes of each group of an offer of this size, but for the last, which has the rest: the least power of two from
/// 1 MiB on with which there are no more than [`MAX_GROUPS`].
pub fn group_size(size: u64) -> u64 {
    let least = size.div_ceil(MAX_GROUPS).next_power_of_two();
    least.clamp(MIN_GROUP, MAX_GROUP)
}

/// Bytes of a path within a folder: what Linux takes for a path.
pub const MAX_PATH: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_few_whatever_the_size() {
        for size in [0, 1, 1 << 36] {
            assert_eq!(group_size(size), 1 << 20);
        }
        assert_eq!(group_size((1 << 36) + 1), 1 << 21);
        assert_eq!(group_size(MAX_SIZE), MAX_GROUP);
    }
}
