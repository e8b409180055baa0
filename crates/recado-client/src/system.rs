//! What systems do in ways of their own with files, paths, interfaces and sockets. Unix tells all of it; elsewhere what
//! every system has must do, and is tested on Unix too.

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

pub(crate) use here::{
    be_bulk, free_space, inode, interfaces, modified, open_file, open_file_in, path_bytes, path_of,
    read_at, stored, write_all_at,
};
