//! What only the operating system knows: the machine's name and addresses, and how many files may be open. Unix tells
//! all of it; elsewhere what every system has must do, and is tested on Unix too.

#[cfg(any(test, not(unix)))]
mod portable;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
pub(crate) use portable::{addresses, be_bulk, host_name, is_missing_family, max_files};
#[cfg(unix)]
pub(crate) use unix::{addresses, be_bulk, host_name, is_missing_family, max_files};
