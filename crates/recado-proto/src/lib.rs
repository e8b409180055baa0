//! What recado's server and client share: names, ids, limits, frames, datagram sealing.
