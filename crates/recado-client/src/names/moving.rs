//! To another machine, and back.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use recado_proto::fingerprint::Fingerprint;
use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};
use tempfile::NamedTempFile;

use super::bundle::{self, Bundle, Fault};
use super::{MoveError, Passphrase};
use crate::address::ServerAddress;
use crate::history;
use crate::home::{self, Home, HomeError};
use crate::identity;
use crate::trust::{Pin, Reason, StoreError, TrustStore};

/// What SQLite puts beside a database.
const BESIDE_DATABASE: [&str; 2] = ["-wal", "-shm"];

/// Before a database is asked again that another process holds up.
const BUSY_PAUSE: Duration = Duration::from_millis(50);

/// A name that was imported.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Imported {
    /// The name, in its folded form.
    pub name: String,
    /// The server's root.
    pub root: Fingerprint,
    /// Its addresses, now remembered here.
    pub servers: Vec<String>,
    /// Addresses by which another root is remembered here; they were left as they are.
    pub conflicts: Vec<Pin>,
    /// Whether the identity was here already, and not retired. Then nothing of it was changed.
    pub was_here: bool,
}

/// Moves a name into a file, and retires it here once the file is safe. Slow, on purpose: the passphrase is stretched.
///
/// # Errors
/// [`MoveError`]. The identity is as it was; there may be a file only if retiring itself failed.
pub fn export(
    home: &Home,
    root: &Fingerprint,
    name: &str,
    file: &Path,
    passphrase: Passphrase,
) -> Result<(), MoveError> {
    let failed = |source| MoveError::File {
        path: file.to_owned(),
        source,
    };
    if file.exists() {
        return Err(MoveError::FileExists {
            path: file.to_owned(),
        });
    }
    let target = std::path::absolute(file).map_err(failed)?;
    let parent = target.parent().unwrap_or(Path::new("/"));
    // Open to its owner alone, and removed again if anything goes wrong.
    let out = NamedTempFile::with_prefix_in(".recado-", parent).map_err(failed)?;
    let sealing = bundle::sealing(passphrase).map_err(failed)?;

    // Nobody begins to use the identity from here on, nor enters a message beside whoever does.
    let pins = TrustStore::new(home.clone()).list()?;
    let _quiet = home.lock_exclusive()?;
    let folder = home.identity(root, name);
    let missing = || MoveError::NotHere {
        name: name.to_owned(),
    };
    if !folder.exists() {
        return Err(missing());
    }
    let _lock = identity::lock(&folder, name)?;
    if identity::is_retired(&folder) {
        let name = name.to_owned();
        return Err(identity::IdentityError::Retired { name }.into());
    }
    let key = identity::read_key_file(&folder)?.ok_or_else(missing)?;
    let bundle = Bundle {
        name: name.to_owned(),
        root: *root,
        servers: addresses(&pins, root),
        key,
    };
    let mut database = snapshot(&folder)?;
    let out = bundle::write(sealing, out, &bundle, &mut database).map_err(failed)?;
    out.as_file().sync_all().map_err(failed)?;
    out.persist_noclobber(&target)
        .map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => MoveError::FileExists {
                path: file.to_owned(),
            },
            _ => failed(error.error),
        })?;
    home::sync_parent(&target).map_err(failed)?;
    Ok(identity::retire(&folder)?)
}

/// The addresses that mean the same server elsewhere too; if there are none, those of this machine.
fn addresses(pins: &[Pin], root: &Fingerprint) -> Vec<ServerAddress> {
    let known = pins.iter().filter(|pin| pin.root == *root);
    let (local, others): (Vec<_>, Vec<_>) = known
        .filter_map(|pin| ServerAddress::new(&pin.host, Some(pin.port)).ok())
        .partition(ServerAddress::is_literal_loopback);
    if others.is_empty() { local } else { others }
}

/// The database as it is now, whole; nothing if there is none.
fn snapshot(folder: &Path) -> Result<Box<dyn Read>, MoveError> {
    let path = folder.join(history::FILE);
    if !path.exists() {
        return Ok(Box::new(io::empty()));
    }
    let unwritable = |source| HomeError::Unwritable {
        path: folder.to_owned(),
        source,
    };
    let copy = NamedTempFile::with_prefix_in(".snapshot-", folder).map_err(unwritable)?;
    copy_database(&path, copy.path()).map_err(|source| MoveError::Messages { path, source })?;
    Ok(Box::new(Snapshot {
        file: copy.reopen().map_err(unwritable)?,
        _copy: copy,
    }))
}

fn copy_database(from: &Path, to: &Path) -> rusqlite::Result<()> {
    // Writable, because reading a database that was not closed begins with completing it.
    let from = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let mut to = Connection::open(to)?;
    // All pages in one step; it is repeated only where another process holds the database up.
    Backup::new(&from, &mut to)?.run_to_completion(i32::MAX, BUSY_PAUSE, None)
}

/// A copy that is removed once it was read.
struct Snapshot {
    file: File,
    _copy: NamedTempFile,
}

impl Read for Snapshot {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

/// Takes a name from a file. Never overwrites another key. Slow, on purpose.
///
/// # Errors
/// [`MoveError`]. No identity was changed, unless only the addresses could not be remembered.
pub fn import(home: &Home, file: &Path, passphrase: Passphrase) -> Result<Imported, MoveError> {
    let path = || file.to_owned();
    let faulty = |fault| match fault {
        Fault::WrongPassphrase => MoveError::WrongPassphrase { path: path() },
        Fault::Foreign => MoveError::Foreign { path: path() },
        Fault::Damaged => MoveError::Damaged { path: path() },
        Fault::Newer => MoveError::Newer { path: path() },
        Fault::Io(source) => MoveError::File {
            path: path(),
            source,
        },
    };
    let opened = File::open(file).map_err(|error| faulty(Fault::Io(error)))?;
    let (bundle, database) =
        bundle::open(io::BufReader::new(opened), passphrase).map_err(faulty)?;
    if identity::decode(&bundle.key).is_err() {
        return Err(MoveError::Damaged { path: path() });
    }
    let was_here = settle(home, &bundle, database, &faulty)?;
    let (servers, conflicts) = pin(home, &bundle)?;
    Ok(Imported {
        name: bundle.name,
        root: bundle.root,
        servers,
        conflicts,
        was_here,
    })
}

/// Puts key and database in their place; the key last, because with it the identity counts as being here. Doing it
/// again after an interruption completes it. True if it was here before.
fn settle(
    home: &Home,
    bundle: &Bundle,
    database: impl Read,
    faulty: &dyn Fn(Fault) -> MoveError,
) -> Result<bool, MoveError> {
    let _quiet = home.lock_exclusive()?;
    let folder = home.identity(&bundle.root, &bundle.name);
    home::create_folder(&folder)?;
    let _lock = identity::lock(&folder, &bundle.name)?;
    if let Some(key) = identity::read_key_file(&folder)? {
        if key != bundle.key {
            let name = bundle.name.clone();
            return Err(MoveError::AnotherKey { name, folder });
        }
        if !identity::is_retired(&folder) {
            return Ok(true);
        }
    }
    put_database(&folder, database, faulty)?;
    identity::write_key_file(&folder, &bundle.key)?;
    Ok(false)
}

/// Puts the database in its place, if the file has one. One that was left here when the name was exported goes: that
/// export's file has it.
fn put_database(
    folder: &Path,
    mut database: impl Read,
    faulty: &dyn Fn(Fault) -> MoveError,
) -> Result<(), MoveError> {
    let target = folder.join(history::FILE);
    let unwritable = |source| HomeError::Unwritable {
        path: target.clone(),
        source,
    };
    let mut copy = NamedTempFile::with_prefix_in(".import-", folder).map_err(unwritable)?;
    let length = io::copy(&mut database, &mut copy).map_err(|error| faulty(error.into()))?;
    if length == 0 {
        return Ok(());
    }
    copy.as_file().sync_all().map_err(unwritable)?;
    for end in BESIDE_DATABASE {
        home::remove(&folder.join(format!("{}{end}", history::FILE)))?;
    }
    let persisted = copy.persist(&target);
    persisted.map_err(|error| unwritable(error.error))?;
    Ok(home::sync_parent(&target).map_err(unwritable)?)
}

/// Remembers the server by its addresses. What is remembered otherwise stays.
fn pin(home: &Home, bundle: &Bundle) -> Result<(Vec<String>, Vec<Pin>), StoreError> {
    let store = TrustStore::new(home.clone());
    let (mut servers, mut conflicts) = (Vec::new(), Vec::new());
    for server in &bundle.servers {
        for port in server.candidate_ports() {
            match store.pin(server.host(), port, bundle.root, Reason::Given) {
                Ok(pin) => servers.push(pin.server()),
                Err(StoreError::Conflict { existing }) => conflicts.push(*existing),
                Err(error) => return Err(error),
            }
        }
    }
    Ok((servers, conflicts))
}
