//! Where the admin socket is, and who may use it.

#[cfg(any(test, not(unix)))]
#[cfg_attr(
    unix,
    expect(dead_code, reason = "Unix has its own; here it is compiled and tested")
)]
mod portable;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
use portable as here;
#[cfg(unix)]
use unix as here;

pub(super) use here::{Caller, Stream, connect, is_there};

pub(crate) use here::Socket;
