//! The names that a person has: which there are, and how one moves to another machine.
//!
//! A name moves in a file: its key, its server's addresses and root, and its messages, sealed with a passphrase. From
//! the moment that the file is safe the identity is retired here, so that two machines never use it by turns, each
//! taking messages from the other. The same file brings it back.

mod bundle;
mod moving;

use std::io;
use std::path::PathBuf;

use age::secrecy::SecretString;
use recado_proto::fingerprint::Fingerprint;
use recado_proto::id::RemoteKey;

use crate::home::{self, Home, HomeError};
use crate::identity::{self, IdentityError};
use crate::trust::{StoreError, TrustStore};

pub use moving::{Imported, export, import};

/// A name that a person has at a server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownName {
    /// The server's root.
    pub root: Fingerprint,
    /// The server's addresses that are remembered, as `HOST:PORT`.
    pub servers: Vec<String>,
    /// The name, in its folded form.
    pub name: String,
    /// Its public key; `None` if the key file is damaged.
    pub key: Option<RemoteKey>,
    /// What can be done with it.
    pub standing: Standing,
}

/// What can be done with a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It can be used.
    Free,
    /// A process uses it.
    InUse,
    /// It was moved to another machine.
    Retired,
}

impl Standing {
    /// The machine word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::InUse => "in-use",
            Self::Retired => "retired",
        }
    }
}

/// What a file is sealed with. Erased when dropped, and never shown.
#[derive(Clone)]
pub struct Passphrase(SecretString);

impl Passphrase {
    /// Takes what a person entered; nothing is not a passphrase.
    pub fn new(text: String) -> Option<Self> {
        (!text.is_empty()).then(|| Self(SecretString::from(text)))
    }
}

/// Why a name cannot be moved.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// The identity cannot be used: it is in use, or retired, or damaged.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The client's folder cannot be used.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The remembered servers cannot be read or changed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such name at that server.
    #[error("there is no identity {name:?} here")]
    NotHere {
        /// The name, in its folded form.
        name: String,
    },
    /// Another key has that name here.
    #[error("another key has the name {name:?} here already")]
    AnotherKey {
        /// The name, in its folded form.
        name: String,
        /// Its folder.
        folder: PathBuf,
    },
    /// There is a file of that name; none is ever overwritten.
    #[error("{} exists already", .path.display())]
    FileExists {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read or written.
    #[error("{} cannot be read or written", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The messages cannot be read.
    #[error("{} cannot be read", .path.display())]
    Messages {
        /// The database.
        path: PathBuf,
        /// SQLite's answer.
        source: rusqlite::Error,
    },
    /// The passphrase does not open the file.
    #[error("the passphrase does not open {}", .path.display())]
    WrongPassphrase {
        /// The file.
        path: PathBuf,
    },
    /// It is no file that a name travels in.
    #[error("{} is no file that recado exported a name to", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// It was one, but is cut short or changed.
    #[error("{} is damaged", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// A later version wrote it.
    #[error("{} was written by a later version of recado", .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
    },
}

/// All names, by server and name. Waits for other processes that rearrange the folder, which takes milliseconds.
///
/// # Errors
/// [`MoveError::Home`], [`MoveError::Store`], [`MoveError::Identity`].
pub fn list(home: &Home) -> Result<Vec<KnownName>, MoveError> {
    let pins = TrustStore::new(home.clone()).list()?;
    // Nobody begins to use a name while it is asked whether it is in use.
    let _quiet = home.lock_exclusive()?;
    let mut names = Vec::new();
    for server in home::entries(&home.servers())? {
        // What is no fingerprint is not a server's folder.
        let Ok(root) = server.file_name().to_string_lossy().parse::<Fingerprint>() else {
            continue;
        };
        let pins = pins.iter().filter(|pin| pin.root == root);
        let servers: Vec<_> = pins.map(|pin| pin.server()).collect();
        for entry in home::entries(&home.identities(&root))? {
            let folder = entry.path();
            let name = home::unescape(&entry.file_name().to_string_lossy());
            // A start that was interrupted leaves a folder without a key.
            let Some(key) = identity::read_key_file(&folder)? else {
                continue;
            };
            let key = identity::decode(&key).ok();
            let standing = if identity::is_retired(&folder) {
                Standing::Retired
            } else if identity::is_in_use(&folder, &name)? {
                Standing::InUse
            } else {
                Standing::Free
            };
            names.push(KnownName {
                root,
                servers: servers.clone(),
                name,
                key: key.map(|key| RemoteKey::from_bytes(key.public_key())),
                standing,
            });
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests;
