//! recado's server.
