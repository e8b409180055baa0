//! Folders and databases: whether they can be written, have room, are their owner's alone, and are whole.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};
use tokio::time::timeout;

/// Room below which a disk counts as full: a database and its log need a few MiB to go on at all.
const LEAST_FREE: u64 = 16 << 20;

/// How long one database is looked through. One that takes longer is large, and no sign of damage was found.
const CHECK_TIME: Duration = Duration::from_secs(20);

/// What is wrong with a folder.
#[derive(Debug)]
pub(super) enum FolderFault {
    /// It is not there, or no folder.
    Missing,
    /// It cannot be written.
    Unwritable(io::Error),
    /// There is no room, or hardly any: so many bytes.
    Full(u64),
    /// Others on this machine can read this of it.
    Open(PathBuf),
    /// It is someone else's, and we may not look.
    Hidden,
}

/// Looks at a folder, and at the files in it that are nobody else's business. Gives the bytes that are free.
pub(super) fn examine_folder(folder: &Path, private: &[&str]) -> Result<u64, FolderFault> {
    match fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => {}
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return Err(FolderFault::Hidden);
        }
        Ok(_) | Err(_) => return Err(FolderFault::Missing),
    }
    let files = private.iter().map(|name| folder.join(name));
    for path in std::iter::once(folder.to_owned()).chain(files) {
        if is_open_to_others(&path) {
            return Err(FolderFault::Open(path));
        }
    }
    let free = free_bytes(folder);
    match try_to_write(folder) {
        Ok(()) => {}
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded
            ) =>
        {
            return Err(FolderFault::Full(free.unwrap_or(0)));
        }
        Err(error) => return Err(FolderFault::Unwritable(error)),
    }
    match free {
        Some(free) if free < LEAST_FREE => Err(FolderFault::Full(free)),
        free => Ok(free.unwrap_or(0)),
    }
}

/// Writes a little, and takes it away again.
fn try_to_write(folder: &Path) -> io::Result<()> {
    let mut file = tempfile::Builder::new()
        .prefix(".doctor-")
        .tempfile_in(folder)?;
    file.write_all(&[0; 4096])?;
    file.as_file().sync_all()
}

#[cfg(unix)]
fn is_open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;

    let metadata = fs::metadata(path);
    metadata.is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_path: &Path) -> bool {
    false
}

/// What of the disk we could still fill.
#[cfg(unix)]
#[expect(
    clippy::useless_conversion,
    reason = "the types differ from one system to another"
)]
fn free_bytes(folder: &Path) -> Option<u64> {
    let disk = nix::sys::statvfs::statvfs(folder).ok()?;
    u64::from(disk.blocks_available()).checked_mul(u64::from(disk.fragment_size()))
}

#[cfg(not(unix))]
fn free_bytes(_folder: &Path) -> Option<u64> {
    None
}

/// What is wrong with a database.
#[derive(Debug)]
pub(super) enum DatabaseFault {
    /// In SQLite's words.
    Damaged(String),
    /// A later version of recado wrote it.
    TooNew,
    /// It cannot be opened, which is no damage.
    Unreadable(String),
}

/// Reads a database through, and changes nothing. `known` is the latest schema that this version knows.
pub(super) async fn examine_database(path: PathBuf, known: i64) -> Result<(), DatabaseFault> {
    let connection = open(&path)?;
    let interrupt = connection.get_interrupt_handle();
    let work = tokio::task::spawn_blocking(move || read_through(&connection, known));
    match timeout(CHECK_TIME, work).await {
        Ok(Ok(checked)) => checked,
        Ok(Err(_)) => Ok(()),
        Err(_) => {
            interrupt.interrupt();
            Ok(())
        }
    }
}

fn open(path: &Path) -> Result<Connection, DatabaseFault> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let has_log = fs::metadata(log).is_ok_and(|log| log.len() > 0);
    let mut uri = String::from("file:");
    for byte in path.to_string_lossy().bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' => uri.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => uri.push(char::from(byte)),
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    // Without a log nobody has it open, or nobody has written: then nothing is put beside it either.
    uri.push_str(if has_log { "?mode=ro" } else { "?immutable=1" });
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(uri, flags).map_err(classify)
}

fn read_through(connection: &Connection, known: i64) -> Result<(), DatabaseFault> {
    let schema: i64 = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(classify)?;
    if schema > known {
        return Err(DatabaseFault::TooNew);
    }
    let said: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(classify)?;
    match said.as_str() {
        "ok" => Ok(()),
        _ => Err(DatabaseFault::Damaged(said)),
    }
}

fn classify(error: rusqlite::Error) -> DatabaseFault {
    let said = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => DatabaseFault::Damaged(said),
        _ => DatabaseFault::Unreadable(said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_ones_own_is_well_and_one_that_others_read_is_not() {
        let folder = tempfile::tempdir().unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let own = fs::Permissions::from_mode(0o700);
            fs::set_permissions(folder.path(), own).unwrap();
        }
        assert!(matches!(examine_folder(folder.path(), &["key"]), Ok(free) if free > 0));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let missing = folder.path().join("nowhere");
        assert!(matches!(
            examine_folder(&missing, &[]),
            Err(FolderFault::Missing)
        ));
        let key = folder.path().join("key");
        fs::write(&key, "").unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
            let fault = examine_folder(folder.path(), &["key"]);
            assert!(matches!(fault, Err(FolderFault::Open(path)) if path == key));
        }
    }

    #[tokio::test]
    async fn a_database_is_read_through_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a b%.db");
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA user_version = 3;
                 CREATE TABLE t (text TEXT);
                 INSERT INTO t SELECT hex(randomblob(400)) FROM generate_series(1, 200);",
            )
            .or_else(|_| {
                // Without that extension, by hand.
                let insert = "INSERT INTO t SELECT hex(randomblob(400));".repeat(200);
                connection.execute_batch(&format!(
                    "CREATE TABLE IF NOT EXISTS t (text TEXT); {insert}"
                ))
            })
            .unwrap();
        assert!(
            examine_database(path.clone(), 3).await.is_ok(),
            "while it is open"
        );
        assert!(matches!(
            examine_database(path.clone(), 2).await,
            Err(DatabaseFault::TooNew)
        ));
        drop(connection);
        assert!(examine_database(path.clone(), 3).await.is_ok(), "and after");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let mut bytes = fs::read(&path).unwrap();
        for byte in &mut bytes[8192..12288] {
            *byte = 0x55;
        }
        fs::write(&path, bytes).unwrap();
        assert!(matches!(
            examine_database(path.clone(), 3).await,
            Err(DatabaseFault::Damaged(_))
        ));
        assert!(matches!(
            examine_database(folder.path().join("none"), 3).await,
            Err(DatabaseFault::Unreadable(_))
        ));
    }
}
