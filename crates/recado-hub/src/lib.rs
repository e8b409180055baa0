//! The decisions of recado's server, without sockets or clocks.
