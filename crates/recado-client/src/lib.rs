//! recado's client library.
