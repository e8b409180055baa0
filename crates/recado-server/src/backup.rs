//! Backups: a file that holds all that makes a server, and what puts one back.
//!
//! The file is the database, copied page by page out of one snapshot while the server writes on, and in it, in tables
//! of its own, the files of the server's identity.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use tempfile::NamedTempFile;
use time::OffsetDateTime;

use crate::backend;
use crate::data_folder::{self, DataFolder, DataFolderError};

/// The database in the data folder.
pub const DATABASE_FILE: &str = "recado.db";

/// What SQLite puts beside a database.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// The files of the identity; without the first there is none.
const IDENTITY_FILES: [&str; 3] = ["root.key", "root.pem", "root.json"];

/// Pages copied at a time: 4 MiB, between which a server that stops is noticed.
const STEP_PAGES: i32 = 1_024;

/// How long to wait for whoever holds the database for a moment.
const BUSY_TIME: Duration = Duration::from_secs(10);

/// What a backup has beside the database.
const OWN_TABLES: &str = "
    CREATE TABLE backup (made_at INTEGER NOT NULL, version TEXT NOT NULL) STRICT;
    CREATE TABLE backup_file (name TEXT NOT NULL PRIMARY KEY, content TEXT NOT NULL) STRICT;";

/// Tables that every database of recado's server has had.
const TABLES: [&str; 4] = ["meta", "name", "lane", "mailbox"];

/// What is backed up.
#[derive(Clone, Debug)]
pub(crate) struct BackupSource {
    folder: Arc<DataFolder>,
}

impl BackupSource {
    pub(crate) fn new(folder: Arc<DataFolder>) -> Self {
        Self { folder }
    }

    fn database(&self) -> PathBuf {
        self.folder.file(DATABASE_FILE)
    }

    /// Bytes of the database and its log.
    pub(crate) fn length(&self) -> u64 {
        let length = |name: &str| {
            let found = fs::metadata(self.folder.file(name));
            found.map_or(0, |found| found.len())
        };
        length(DATABASE_FILE).saturating_add(length(&format!("{DATABASE_FILE}-wal")))
    }
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The data folder cannot be used, or a server does so.
    #[error(transparent)]
    DataFolder(#[from] DataFolderError),
    /// There is nothing to be backed up.
    #[error("there is no database in {folder}")]
    NothingThere {
        /// The data folder.
        folder: PathBuf,
    },
    /// What is there would be lost.
    #[error("{path} is there already, and is no backup of recado's; name another file")]
    InTheWay {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error("{path} cannot be written")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database cannot be copied.
    #[error("the database cannot be copied")]
    Copy(#[from] rusqlite::Error),
    /// The server stops.
    #[error("the server is stopping; the backup was not made")]
    Stopped,
}

/// Why nothing was put back.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The data folder cannot be used, or a server does so.
    #[error(transparent)]
    DataFolder(#[from] DataFolderError),
    /// It cannot be read.
    #[error("{path} cannot be read")]
    Read {
        /// The backup.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// It is something else.
    #[error("{path} is no database of a recado server")]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// It is not what was written.
    #[error("{path} is damaged ({said}); take another backup")]
    Damaged {
        /// The backup.
        path: PathBuf,
        /// What SQLite says of it.
        said: String,
    },
    /// A later version made it.
    #[error(
        "{path} was written by a later version of recado (schema {found}, this one knows {known}); use that version"
    )]
    TooNew {
        /// The backup.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The latest known here.
        known: i64,
    },
    /// It is another server's.
    #[error(
        "{path} is the backup of a server with another key than the one in {folder}; restore it into an empty --data-dir, or move root.key, root.pem and root.json out of the way first"
    )]
    OtherServer {
        /// The backup.
        path: PathBuf,
        /// The data folder.
        folder: PathBuf,
    },
    /// The folder cannot be written.
    #[error("{folder} cannot be written; what was in it is still there")]
    Write {
        /// The data folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What was put back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Restored {
    /// The data folder.
    pub folder: PathBuf,
    /// Where the database is that was there before, if there was one.
    pub replaced: Option<PathBuf>,
    /// Whether the server's identity came from the backup.
    pub has_identity: bool,
    /// When the backup was made, in seconds since 1970, where it says so.
    pub made_at: Option<u64>,
}

/// Backs up a data folder that no server uses. Returns the backup's length.
///
/// # Errors
/// [`BackupError`]; what was in the file's place still is.
pub fn back_up_offline(data_folder: &Path, target: &Path) -> Result<u64, BackupError> {
    if !data_folder.join(DATABASE_FILE).exists() {
        let folder = data_folder.to_owned();
        return Err(BackupError::NothingThere { folder });
    }
    let folder = Arc::new(DataFolder::open(data_folder)?);
    back_up(&BackupSource::new(folder), target, || false)
}

/// Writes a backup, which is there whole or not at all. Returns its length.
pub(crate) fn back_up(
    source: &BackupSource,
    target: &Path,
    is_stopping: impl Fn() -> bool,
) -> Result<u64, BackupError> {
    if target.symlink_metadata().is_ok() && !is_backup(target) {
        let path = target.to_owned();
        return Err(BackupError::InTheWay { path });
    }
    let failed = |source| BackupError::Write {
        path: target.to_owned(),
        source,
    };
    let folder = parent(target);
    // Its owner's alone from the beginning: it holds the server's key.
    let file = NamedTempFile::with_prefix_in(".recado-backup-", folder).map_err(failed)?;
    let from = open_to_read(&source.database())?;
    let mut to = Connection::open(file.path())?;
    // A crash leaves no backup, whatever the file holds then.
    to.execute_batch("PRAGMA synchronous = OFF")?;
    copy(&from, &mut to, is_stopping)?;
    // One file, which is read without another beside it, also from where nothing can be written.
    to.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
    let transaction = to.transaction()?;
    transaction.execute_batch(OWN_TABLES)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_secs());
    transaction.execute(
        "INSERT INTO backup (made_at, version) VALUES (?1, ?2)",
        params![
            i64::try_from(now).unwrap_or(i64::MAX),
            env!("CARGO_PKG_VERSION")
        ],
    )?;
    for name in IDENTITY_FILES {
        if let Some(content) = source.folder.read(name).map_err(failed)? {
            transaction.execute(
                "INSERT INTO backup_file (name, content) VALUES (?1, ?2)",
                [name, &content],
            )?;
        }
    }
    transaction.commit()?;
    to.close().map_err(|(_, error)| error)?;
    let synced = file.as_file().sync_all();
    synced.map_err(failed)?;
    let length = file.as_file().metadata().map_err(failed)?.len();
    let kept = file.persist(target);
    kept.map_err(|error| failed(error.error))?;
    data_folder::sync_folder(folder).map_err(failed)?;
    Ok(length)
}

/// Puts a backup in the place of a data folder's database. What was there is kept beside it.
///
/// # Errors
/// [`RestoreError`]; what was there still is.
pub fn restore(data_folder: &Path, from: &Path) -> Result<Restored, RestoreError> {
    let folder = DataFolder::open(data_folder)?;
    let unreadable = |source| RestoreError::Read {
        path: from.to_owned(),
        source,
    };
    let backup = open_to_read(from).map_err(unreadable)?;
    check(&backup, from)?;
    let has_own_tables = has_tables(&backup, &["backup", "backup_file"]).map_err(unreadable)?;
    let mut files = Vec::new();
    let mut made_at = None;
    if has_own_tables {
        files = read_files(&backup).map_err(unreadable)?;
        let made = backup.query_row("SELECT made_at FROM backup", [], |row| row.get(0));
        let made: Option<i64> = made.optional().map_err(unreadable)?;
        made_at = made.and_then(|made| u64::try_from(made).ok());
    }
    let failed = |source| RestoreError::Write {
        folder: folder.path().to_owned(),
        source,
    };
    let key = IDENTITY_FILES[0];
    let has_key = folder.read(key).map_err(failed)?;
    let key_of_backup = files.iter().find(|(name, _)| name == key);
    if let (Some(here), Some((_, theirs))) = (&has_key, key_of_backup)
        && here != theirs
    {
        return Err(RestoreError::OtherServer {
            path: from.to_owned(),
            folder: folder.path().to_owned(),
        });
    }
    let made = NamedTempFile::with_prefix_in(".recado-restore-", folder.path()).map_err(failed)?;
    write_database(&backup, made.path()).map_err(unreadable)?;
    made.as_file().sync_all().map_err(failed)?;
    // The identity first: a server that begins without one makes a new one.
    let has_identity = has_key.is_none() && key_of_backup.is_some();
    if has_identity {
        for (name, content) in &files {
            folder.write(name, content).map_err(failed)?;
        }
    }
    let replaced = put_aside(&folder).map_err(failed)?;
    let kept = made.persist(folder.file(DATABASE_FILE));
    kept.map_err(|error| failed(error.error))?;
    data_folder::sync_folder(folder.path()).map_err(failed)?;
    Ok(Restored {
        folder: folder.path().to_owned(),
        replaced,
        has_identity,
        made_at,
    })
}

/// Opens a database that is only read.
fn open_to_read(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIME)?;
    Ok(connection)
}

/// Copies out of one snapshot, however long that takes and whoever writes meanwhile.
fn copy(
    from: &Connection,
    to: &mut Connection,
    is_stopping: impl Fn() -> bool,
) -> Result<(), BackupError> {
    let snapshot = from.unchecked_transaction()?;
    // It begins with the first page that is read.
    snapshot.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    let backup = Backup::new(&snapshot, to)?;
    loop {
        match backup.step(STEP_PAGES)? {
            StepResult::Done => return Ok(()),
            StepResult::More if is_stopping() => return Err(BackupError::Stopped),
            StepResult::More => {}
            _ => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// Refuses what is no database of ours, is damaged, or is of a later version.
fn check(backup: &Connection, path: &Path) -> Result<(), RestoreError> {
    let path = || path.to_owned();
    let is_ours = match has_tables(backup, &TABLES) {
        Ok(is_ours) => is_ours,
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => false,
        Err(source) => {
            return Err(RestoreError::Read {
                path: path(),
                source,
            });
        }
    };
    if !is_ours {
        return Err(RestoreError::NotOurs { path: path() });
    }
    let unreadable = |source| RestoreError::Read {
        path: path(),
        source,
    };
    let found: i64 = backup
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(unreadable)?;
    let known = backend::schema_version();
    if found > known {
        return Err(RestoreError::TooNew {
            path: path(),
            found,
            known,
        });
    }
    let said = backup.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0));
    let said: String = match said {
        Ok(said) => said,
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseCorrupt) => {
            error.to_string()
        }
        Err(source) => return Err(unreadable(source)),
    };
    match said.as_str() {
        "ok" if found > 0 => Ok(()),
        "ok" => Err(RestoreError::NotOurs { path: path() }),
        _ => Err(RestoreError::Damaged { path: path(), said }),
    }
}

fn has_tables(connection: &Connection, names: &[&str]) -> rusqlite::Result<bool> {
    let mut statement =
        connection.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1")?;
    for name in names {
        if !statement.exists([name])? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_backup(path: &Path) -> bool {
    let has_own_tables =
        |connection: Connection| has_tables(&connection, &["backup", "backup_file"]);
    open_to_read(path).and_then(has_own_tables).unwrap_or(false)
}

/// The files of the identity, and no others, whatever the backup says.
fn read_files(backup: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    let mut statement = backup.prepare("SELECT content FROM backup_file WHERE name = ?1")?;
    for name in IDENTITY_FILES {
        let content = statement.query_row([name], |row| row.get(0)).optional()?;
        files.extend(content.map(|content| (name.to_owned(), content)));
    }
    Ok(files)
}

/// Writes the database of a backup as a server is to find it: without what the backup has of its own, and to be
/// checked before it is served.
fn write_database(backup: &Connection, path: &Path) -> rusqlite::Result<()> {
    let mut database = Connection::open(path)?;
    database.execute_batch("PRAGMA synchronous = OFF")?;
    match copy(backup, &mut database, || false) {
        Ok(()) => {}
        Err(BackupError::Copy(error)) => return Err(error),
        Err(_) => return Err(rusqlite::Error::InvalidQuery),
    }
    // The key in it is not to be left over in a free page.
    database.execute_batch(
        "PRAGMA journal_mode = DELETE; PRAGMA secure_delete = ON;
         DROP TABLE IF EXISTS backup; DROP TABLE IF EXISTS backup_file;
         UPDATE meta SET value = '0' WHERE key = 'clean';",
    )?;
    database.close().map_err(|(_, error)| error)
}

/// Gives the database that is there a second name. Its log goes into it first; where it cannot be read any more, both
/// are kept as they are, and the log is not left to be taken for the new one's.
fn put_aside(folder: &DataFolder) -> io::Result<Option<PathBuf>> {
    let database = folder.file(DATABASE_FILE);
    if !database.exists() {
        return Ok(None);
    }
    let aside = free_name(folder)?;
    let beside = |path: &Path, companion: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(companion);
        PathBuf::from(name)
    };
    for companion in COMPANIONS {
        let path = beside(&database, companion);
        if path.exists() {
            link(&path, &beside(&aside, companion))?;
        }
    }
    // When the last connection closes, SQLite removes the log, whatever was in it.
    let closed = Connection::open(&database).and_then(|connection| {
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        connection.query_row(checkpoint, [], |_| Ok(()))?;
        connection.close().map_err(|(_, error)| error)
    });
    link(&database, &aside)?;
    data_folder::make_private(&aside)?;
    for companion in COMPANIONS {
        if closed.is_ok() {
            remove(&beside(&aside, companion))?;
        }
        remove(&beside(&database, companion))?;
    }
    data_folder::sync_folder(folder.path())?;
    Ok(Some(aside))
}

/// Gives a file a second name; or copies it, where a file has but one.
fn link(path: &Path, name: &Path) -> io::Result<()> {
    fs::hard_link(path, name).or_else(|_| fs::copy(path, name).map(drop))
}

/// Removes a file, if it is there.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// `recado.db.replaced-20261128T225936Z`, or the like.
fn free_name(folder: &DataFolder) -> io::Result<PathBuf> {
    let now = OffsetDateTime::now_utc();
    let (year, month, day) = now.to_calendar_date();
    let (hour, minute, second) = now.to_hms();
    let month = u8::from(month);
    let now = format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z");
    let names = (1..100).map(|number| match number {
        1 => format!("{DATABASE_FILE}.replaced-{now}"),
        _ => format!("{DATABASE_FILE}.replaced-{now}-{number}"),
    });
    let mut paths = names.map(|name| folder.file(&name));
    let free = paths.find(|path| path.symlink_metadata().is_err());
    free.ok_or_else(|| io::ErrorKind::AlreadyExists.into())
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests;
