//! The limits that both sides hold to, each with its derivation. Part of the protocol:
//! `docs/protocol.md` §Limits repeats them.

/// The longest frame, without its length, in bytes. Twice the longest text, which leaves room for
/// what a later version wraps around it.
pub const MAX_FRAME: usize = 128 * 1024;

/// The longest text of a message, in bytes of UTF-8: a long page, and half a frame.
pub const MAX_TEXT: usize = 64 * 1024;

/// The longest note that two people's programs send each other about a file, in bytes: the first names in a folder, which
/// take 48 KiB at most, its own name and what goes with it, with room to grow. Shorter than the longest text, so that it
/// fits where that does.
pub const MAX_FILE_NOTE: usize = 56 * 1024;

/// Longest proposal or commit, in bytes: those of a group of two have some 700.
pub const MAX_RENEWAL: usize = 4096;

/// The longest envelope of a private message, in bytes: the longest padded content (66,560), and 7 KiB for a welcome
/// (1 KiB) and what MLS wraps around both (200 bytes).
pub const MAX_ENVELOPE: usize = 72 * 1024;

/// The longest key package, in bytes. Ours take 450.
pub const MAX_KEY_PACKAGE: usize = 1024;

/// Key packages for one use that the server keeps of one person: a class that writes to a newcomer at once, and what
/// the newcomer puts in their place a moment later.
pub const MAX_KEY_PACKAGES: usize = 64;

/// The longest datagram, in bytes of UDP payload: 1,280 (the least that IPv6 carries whole,
/// RFC 8200 §5) less IPv6 and UDP headers (48), less a margin for tunnels.
pub const MAX_DATAGRAM: usize = 1200;

/// The most people in one roster or presence frame, joined and left together. A person takes at most
/// 168 bytes (32 characters of 4 bytes, 32 bytes of key, 8 of framing), so 700 fit a frame.
pub const MAX_PEOPLE_PER_FRAME: usize = 700;

/// Private messages that the server has sent to one session and that wait for its acknowledgement; the next
/// wait at the server. A second's worth for a client that commits a hundred times a second.
pub const MAX_UNACKNOWLEDGED: usize = 1024;

/// Bytes of the envelopes of such. Well below what the server queues for one session, so that nobody's messages
/// can cut a slow reader's connection.
pub const MAX_UNACKNOWLEDGED_BYTES: usize = 1024 * 1024;

/// Private messages of one session that the server has not stored yet; more are refused until they are. Larger
/// than what comes between two commits.
pub const MAX_UNSTORED: usize = 4096;

/// Bytes of the envelopes of such.
pub const MAX_UNSTORED_BYTES: usize = 1024 * 1024;

/// Lanes that one session may open: everyone whom a person writes to in one sitting.
pub const MAX_LANES: usize = 4096;

/// Failures in one frame; more follow in the next.
pub const MAX_FAILURES_PER_FRAME: usize = 1024;

/// The longest name of the client's software that the server looks at, in bytes.
pub const MAX_SOFTWARE: usize = 64;

/// Ranges in one request for missing global messages: what one burst of losses makes.
pub const MAX_RANGES: usize = 32;

/// Messages that one request may ask for: with the longest that fit a datagram, 300 KiB.
pub const MAX_REQUESTED: u64 = 256;

/// Messages that a newcomer is told: a screen's worth.
pub const MAX_HISTORY: usize = 20;
