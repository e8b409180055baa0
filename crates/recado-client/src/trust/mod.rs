//! Whether a server is the one it should be: the ladder of trust.
//!
//! 1. *Pinned*: a root remembered for this server, or given, decides before anything else.
//! 2. *Vouched*: for an unknown server, a CA may vouch once for its root.
//! 3. *First use*: the person confirms the root, or said beforehand that they would.
//!
//! [`store`] remembers, [`verifier`] checks what a server presents, [`vouching`] asks CAs, [`ladder`]
//! decides.

pub mod ladder;
pub mod root;
pub mod store;
pub mod verifier;
pub mod vouching;

#[cfg(test)]
pub(crate) mod test_server;

pub use ladder::{
    Attempt, Failure, FirstUse, Given, Learned, Notice, Question, Seen, TrustError, Trusted,
    decide, probe,
};
pub use root::{RootError, root_certificate};
pub use store::{Forgotten, Pin, Reason, Replaced, Rung, StoreError, TrustStore};
pub use verifier::{CertificateFault, DateFault};
pub use vouching::{Authorities, BadAuthorities, NotVouched};
