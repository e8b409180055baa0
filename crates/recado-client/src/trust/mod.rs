//! Whether a server is the one it should be: the ladder of trust.
//!
//! 1. *Pinned*: a root remembered for this server, or given, decides before anything else.
//! 2. *Vouched*: for an unknown server, a CA may vouch once for its root.
//! 3. *First use*: the person confirms the root, or said beforehand that they would.
//!
//! [`store`] remembers, [`verifier`] checks what a server presents, [`ladder`] decides.

pub mod ladder;
pub mod store;
pub mod verifier;

#[cfg(test)]
pub(crate) mod test_server;

pub use ladder::{
    Attempt, Failure, FirstUse, Learned, Notice, Question, Seen, TrustError, Trusted, decide, probe,
};
pub use store::{Forgotten, Pin, Reason, Replaced, Rung, StoreError, TrustStore};
pub use verifier::{CertificateFault, DateFault};
