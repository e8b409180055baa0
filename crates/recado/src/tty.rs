//! What line mode and the full screen need of a terminal beyond what is written to it. Elsewhere than on Unix a terminal
//! gives whole lines, and no full screen is drawn on it.

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

pub(crate) use here::{Mode, has_more, output, size};
