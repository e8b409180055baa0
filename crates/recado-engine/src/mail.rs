//! Private messages, from a client's side: numbering, sending, repeating and taking, so that none is lost, doubled or
//! reordered (`docs/protocol.md` §Private messages).
//!
//! Nothing leaves here before what it rests on is written down: effects wait for their commit. At most one commit is
//! under way; what comes meanwhile gathers for the next.

mod store;
