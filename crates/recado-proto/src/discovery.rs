//! How servers are found on a local network: DNS-SD (RFC 6763) over multicast DNS (RFC 6762).
//! `docs/protocol.md` has it under "Being found".

/// What servers announce themselves as.
pub const SERVICE: &str = "_recado._tcp.local.";

/// The key of the announcement's version, in the TXT record.
pub const VERSION_KEY: &str = "v";

/// The version described here.
pub const VERSION: &str = "1";

/// The key of the fingerprint that a server claims, in the TXT record.
pub const FINGERPRINT_KEY: &str = "fp";
