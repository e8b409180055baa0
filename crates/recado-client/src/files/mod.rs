//! Files from person to person.

mod channel;
mod part;
mod source;
mod tls;
mod transfer;
