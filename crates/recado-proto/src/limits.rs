//! The limits that both sides hold to, each with its derivation. Part of the protocol:
//! `docs/protocol.md` §Limits repeats them.

/// The longest frame, without its length, in bytes. Twice the longest text, which leaves room for
/// what a later version wraps around it.
pub const MAX_FRAME: usize = 128 * 1024;

/// The longest text of a message, in bytes of UTF-8: a long page, and half a frame.
pub const MAX_TEXT: usize = 64 * 1024;

/// The longest datagram, in bytes of UDP payload: 1,280 (the least that IPv6 carries whole,
/// RFC 8200 §5) less IPv6 and UDP headers (48), less a margin for tunnels.
pub const MAX_DATAGRAM: usize = 1200;

/// The most people in one roster or presence frame, joined and left together. A person takes at most
/// 172 bytes (32 characters of 4 bytes, 32 bytes of key, 12 of framing), so 700 fit a frame.
pub const MAX_PEOPLE_PER_FRAME: usize = 700;

/// Private messages that wait for a recipient's acknowledgement; then its senders are told that it is
/// busy. 256 of 64 KiB are 16 MiB, what a connected but sleeping laptop may cost the server.
pub const MAX_UNACKNOWLEDGED: usize = 256;

/// The longest name of the client's software that the server looks at, in bytes.
pub const MAX_SOFTWARE: usize = 64;
