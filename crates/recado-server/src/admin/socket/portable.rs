//! Systems without a socket that tells who connects: nobody operates a server there while it runs.

use std::io;
use std::path::Path;

/// In the place of what connects; there never is one.
pub(crate) type Stream = tokio::net::TcpStream;

/// In the place of a socket; there never is one.
#[derive(Debug)]
pub(crate) struct Socket;

/// Someone who connected; nobody does.
pub(crate) struct Caller {
    pub(crate) stream: Stream,
    pub(crate) user: Option<u32>,
    pub(crate) may_operate: bool,
}

impl Socket {
    /// Says that there is none.
    pub(crate) fn open(_data_folder: &Path) -> io::Result<Self> {
        Err(unsupported())
    }

    /// Waits for ever.
    pub(crate) async fn accept(&self) -> io::Result<Caller> {
        std::future::pending().await
    }
}

/// Says that there is none.
pub(crate) fn connect(_data_folder: &Path) -> io::Result<std::net::TcpStream> {
    Err(unsupported())
}

/// It is not.
pub(crate) fn is_there(_data_folder: &Path) -> bool {
    false
}

fn unsupported() -> io::Error {
    let why = "on this system a server cannot be operated while it runs";
    io::Error::new(io::ErrorKind::Unsupported, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_there_is_none_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let opened = Socket::open(folder.path()).map(drop);
        let connected = connect(folder.path()).map(drop);
        for error in [opened, connected] {
            assert_eq!(error.unwrap_err().kind(), io::ErrorKind::Unsupported);
        }
        assert!(!is_there(folder.path()));
    }
}
