//! The decisions of recado's client, without sockets or clocks.
