//! The other end of the admin socket: what `recado admin` asks of the server that runs on this machine.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::protocol::{self, Refusal, Request};
use super::socket;

/// The longest answer: a list of as many bans as there may be takes some 2 MiB.
const MAX_ANSWER: u64 = 16 * 1024 * 1024;

/// How long an answer may take: a commit on a slow disk, behind many.
const ANSWER_TIME: Duration = Duration::from_secs(60);

/// How long a backup may take: some hundred GiB on a slow disk.
const BACKUP_TIME: Duration = Duration::from_secs(6 * 60 * 60);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nobody listens.
    #[error("no server runs on the data folder {folder}")]
    NoServer {
        /// The data folder.
        folder: PathBuf,
    },
    /// The system does not let this user in.
    #[error("the server on {folder} is another user's; only that user, and root, may operate it")]
    NotAllowed {
        /// The data folder.
        folder: PathBuf,
    },
    /// A server cannot be operated on this system.
    #[error("on this system a server cannot be operated while it runs")]
    NotHere,
    /// The connection failed, or what came is no answer.
    #[error("the server on {folder} does not answer")]
    Broken {
        /// The data folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The server said no.
    #[error(transparent)]
    Refused(Refusal),
}

/// Whether a server seems to run on a data folder.
pub fn is_served(folder: &Path) -> bool {
    socket::is_there(folder)
}

/// Asks the server that runs on a data folder.
///
/// # Errors
/// [`CallError`].
pub fn call<T: for<'de> Deserialize<'de>>(
    folder: &Path,
    request: &Request,
) -> Result<T, CallError> {
    let own = || folder.to_owned();
    let mut stream = socket::connect(folder).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            CallError::NoServer { folder: own() }
        }
        io::ErrorKind::Unsupported => CallError::NotHere,
        io::ErrorKind::PermissionDenied => CallError::NotAllowed { folder: own() },
        _ => CallError::Broken {
            folder: own(),
            source,
        },
    })?;
    let broken = |source| CallError::Broken {
        folder: own(),
        source,
    };
    let time = match request {
        Request::Backup { .. } => BACKUP_TIME,
        _ => ANSWER_TIME,
    };
    stream.set_read_timeout(Some(time)).map_err(broken)?;
    let mut line = serde_json::to_vec(request).map_err(|error| broken(error.into()))?;
    line.push(b'\n');
    // A server that lets nobody in answers before it reads.
    let sent = stream.write_all(&line);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    BufReader::new(stream.take(MAX_ANSWER))
        .read_until(b'\n', &mut answer)
        .map_err(broken)?;
    if answer.last() != Some(&b'\n') {
        sent.map_err(broken)?;
        return Err(broken(io::ErrorKind::UnexpectedEof.into()));
    }
    match protocol::decode(&answer).map_err(|error| broken(error.into()))? {
        Ok(answer) => Ok(answer),
        Err(refusal) if refusal.error == "not-allowed" => {
            Err(CallError::NotAllowed { folder: own() })
        }
        Err(refusal) => Err(CallError::Refused(refusal)),
    }
}
