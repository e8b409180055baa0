//! The client's folder: where pins and identity keys are kept.
//!
//! ```text
//! HOME/client/
//! ├─ known_servers.json               which root is remembered for which server
//! ├─ known_servers.lock               held while that file or the folders below are rearranged
//! └─ servers/SHA256-…/identities/N/   N: a name's folded form, escaped for file systems
//!    ├─ key                           the identity key; `key.retired` once it was moved to another machine
//!    └─ lock                          held while a process uses the identity
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use recado_proto::fingerprint::Fingerprint;
use thiserror::Error;

/// The client's folder, which exists and is a folder.
///
/// Cheap to clone: it is a path. Folders that it makes are open to their owner alone.
#[derive(Clone, Debug)]
pub struct Home {
    client: PathBuf,
}

impl Home {
    /// Opens `base/client`, making what is missing.
    pub fn open(base: &Path) -> Result<Self, HomeError> {
        let client = base.join("client");
        create_folder(&client)?;
        Ok(Self { client })
    }

    /// The client's folder itself.
    pub fn path(&self) -> &Path {
        &self.client
    }

    /// The file of the remembered servers.
    pub(crate) fn known_servers(&self) -> PathBuf {
        self.client.join("known_servers.json")
    }

    /// The database of every identity that has one.
    pub fn histories(&self) -> Vec<PathBuf> {
        let folders = |path: PathBuf| fs::read_dir(path).into_iter().flatten().flatten();
        let identities = folders(self.servers())
            .flat_map(|server| folders(server.path().join(IDENTITIES)))
            .map(|identity| identity.path().join(crate::history::FILE));
        identities.filter(|database| database.is_file()).collect()
    }

    /// The folder that holds one folder per server.
    pub(crate) fn servers(&self) -> PathBuf {
        self.client.join("servers")
    }

    /// The folder of what belongs to the server with this root.
    pub fn server(&self, root: &Fingerprint) -> PathBuf {
        self.servers().join(root.to_url())
    }

    /// The folder that holds one folder per identity used at the server with this root.
    pub(crate) fn identities(&self, root: &Fingerprint) -> PathBuf {
        self.server(root).join(IDENTITIES)
    }

    /// The folder of one identity: its key, its lock, and later its history. `name` is folded.
    pub fn identity(&self, root: &Fingerprint, name: &str) -> PathBuf {
        self.identities(root).join(escape(name))
    }

    /// Waits for the right to rearrange the folder; other processes wait until it is dropped.
    pub(crate) fn lock_exclusive(&self) -> Result<HomeLock, HomeError> {
        let (file, path) = self.lock_file()?;
        file.lock()
            .map_err(|source| HomeError::Unwritable { path, source })?;
        Ok(HomeLock { _file: file })
    }

    /// Waits until nobody rearranges the folder, and keeps it so until it is dropped.
    pub(crate) fn lock_shared(&self) -> Result<HomeLock, HomeError> {
        let (file, path) = self.lock_file()?;
        file.lock_shared()
            .map_err(|source| HomeError::Unwritable { path, source })?;
        Ok(HomeLock { _file: file })
    }

    fn lock_file(&self) -> Result<(File, PathBuf), HomeError> {
        let path = self.client.join("known_servers.lock");
        Ok((open_lock(&path)?, path))
    }
}

/// Holds the folder's lock; the system releases it even when the process is killed.
#[derive(Debug)]
pub(crate) struct HomeLock {
    _file: File,
}

/// Why the client's folder cannot be used.
#[derive(Debug, Error)]
pub enum HomeError {
    /// Something else stands where a folder belongs.
    #[error("{} is not a folder; move it away or choose another folder with --home", .path.display())]
    NotAFolder {
        /// What stands there.
        path: PathBuf,
    },
    /// The system does not let us write there.
    #[error("cannot write {}; check its permissions and free space, or choose another folder with --home", .path.display())]
    Unwritable {
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The system does not let us read there.
    #[error("cannot read {}; check its permissions, or choose another folder with --home", .path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// The folder of identities inside a server's folder.
const IDENTITIES: &str = "identities";

/// Makes a folder, and those above it, open to their owner alone; what exists stays as it is.
pub(crate) fn create_folder(path: &Path) -> Result<(), HomeError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    match builder.create(path) {
        Ok(()) => Ok(()),
        Err(source) => {
            // Name what stands in the way, which may be one of the folders above.
            let obstacle = path
                .ancestors()
                .find(|above| above.exists() && !above.is_dir());
            Err(match obstacle {
                Some(obstacle) => HomeError::NotAFolder {
                    path: obstacle.to_owned(),
                },
                None => HomeError::Unwritable {
                    path: path.to_owned(),
                    source,
                },
            })
        }
    }
}

/// Opens a file that exists only to be locked, making it if it is missing.
pub(crate) fn open_lock(path: &Path) -> Result<File, HomeError> {
    private_options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(|source| HomeError::Unwritable {
            path: path.to_owned(),
            source,
        })
}

/// Reads a small file; `None` if there is none.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, HomeError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(HomeError::Unreadable {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Replaces a file's content so that, whatever happens, the old or the new one is found there
/// whole. The file is open to its owner alone.
pub(crate) fn write_atomically(path: &Path, content: &[u8]) -> Result<(), HomeError> {
    let unwritable = |source| HomeError::Unwritable {
        path: path.to_owned(),
        source,
    };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(random_suffix());
    let temporary = path.with_file_name(name);
    let written = write_and_rename(&temporary, path, content);
    if written.is_err() {
        // It may not exist; the error worth telling is the first one.
        let _ = fs::remove_file(&temporary);
    }
    written.map_err(unwritable)
}

fn write_and_rename(temporary: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = private_options()
        .write(true)
        .create_new(true)
        .open(temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    drop(file);
    fs::rename(temporary, path)?;
    sync_parent(path)
}

/// Renames a file or folder and makes that durable.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), HomeError> {
    fs::rename(from, to)
        .and_then(|()| sync_parent(to))
        .and_then(|()| sync_parent(from))
        .map_err(|source| HomeError::Unwritable {
            path: from.to_owned(),
            source,
        })
}

/// Removes a file, if it is there, and makes that durable.
pub(crate) fn remove(path: &Path) -> Result<(), HomeError> {
    let removed = match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.and_then(|()| sync_parent(path)),
    };
    removed.map_err(|source| HomeError::Unwritable {
        path: path.to_owned(),
        source,
    })
}

/// Copies a folder of ours whole: through a temporary folder beside the target, so that the target
/// is never found half-copied. Lock files are not copied: they belong to their place.
pub(crate) fn copy_folder(from: &Path, to: &Path) -> Result<(), HomeError> {
    let temporary = to.with_file_name(format!(".copy{}", random_suffix()));
    let copied = copy_into(from, &temporary).and_then(|()| rename(&temporary, to));
    if copied.is_err() {
        let _ = fs::remove_dir_all(&temporary);
    }
    copied
}

fn copy_into(from: &Path, to: &Path) -> Result<(), HomeError> {
    create_folder(to)?;
    for entry in entries(from)? {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_into(&entry.path(), &target)?;
        } else if entry.file_name() != "lock"
            && let Some(content) = read(&entry.path())?
        {
            // The content may be a key: it is not left behind in freed memory.
            write_atomically(&target, &zeroize::Zeroizing::new(content))?;
        }
    }
    Ok(())
}

/// What a folder holds, in order of name; nothing if there is no such folder.
pub(crate) fn entries(path: &Path) -> Result<Vec<fs::DirEntry>, HomeError> {
    let unreadable = |source| HomeError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let folder = match fs::read_dir(path) {
        Ok(folder) => folder,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(unreadable(source)),
    };
    let mut found = folder.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    found.sort_by_key(fs::DirEntry::file_name);
    Ok(found)
}

/// An end for the names of temporary files and folders that no other process chooses.
pub(crate) fn random_suffix() -> String {
    let mut bytes = [0u8; 8];
    // Were the system's randomness to fail, `create_new` would still refuse a name in use.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    format!(".{:016x}.tmp", u64::from_be_bytes(bytes))
}

/// Options that open a new file to its owner alone.
fn private_options() -> OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only Unix has modes"))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}

/// Makes a rename durable: on Unix a name belongs to its folder, not to the file.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if let Some(parent) = path.parent() {
        File::open(parent)?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// The longest escaped name used as it is; file systems end at 255 bytes.
const LONGEST_ESCAPED: usize = 200;

/// Names that Windows keeps for devices.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

/// A file name for a folded name, one for one.
///
/// Everything but small ASCII letters, digits, `_` and `-` is percent-escaped, so that file systems
/// that fold case, normalise Unicode or give dots a meaning keep two names apart. A name that would
/// become too long is hashed; `%s` begins no escape, so no name can look like a hash.
fn escape(name: &str) -> String {
    let is_device = DEVICES.contains(&name)
        || (name.len() == 4 && (name.starts_with("com") || name.starts_with("lpt")));
    let mut escaped = String::new();
    for (position, byte) in name.bytes().enumerate() {
        let plain = matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
        if plain && !(is_device && position == 0) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02x}"));
        }
    }
    if escaped.len() <= LONGEST_ESCAPED {
        return escaped;
    }
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, name.as_bytes());
    let digits: String = hash
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("%sha256-{digits}")
}

/// The name that a folder of an identity stands for; a hash stays as it is.
pub(crate) fn unescape(file_name: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = file_name;
    while let Some((plain, escaped)) = rest.split_once('%') {
        let digits = escaped
            .get(..2)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let (Some(byte), Some(after)) = (digits, escaped.get(2..)) else {
            return file_name.to_owned();
        };
        bytes.extend_from_slice(plain.as_bytes());
        bytes.push(byte);
        rest = after;
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).unwrap_or_else(|_| file_name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_apart_on_every_file_system() {
        let cases = [
            ("alice", "alice"),
            ("josé", "jos%c3%a9"),
            ("Alice", "%41lice"),
            ("a.b", "a%2eb"),
            ("..", "%2e%2e"),
            ("con", "%63on"),
            ("com1", "%63om1"),
            ("a/b%", "a%2fb%25"),
        ];
        for (name, file_name) in cases {
            assert_eq!(escape(name), file_name);
            assert_eq!(unescape(file_name), name);
        }
    }

    #[test]
    fn a_long_name_fits_a_file_system() {
        let alice = "ア".repeat(32);
        let bob = "イ".repeat(32);
        assert!(escape(&alice).starts_with("%sha256-"));
        assert!(escape(&alice).len() < 255);
        assert_ne!(escape(&alice), escape(&bob));
        assert_eq!(unescape(&escape(&alice)), escape(&alice));
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_over() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        let path = home.known_servers();
        assert!(read(&path).unwrap().is_none());
        write_atomically(&path, b"one").unwrap();
        write_atomically(&path, b"two").unwrap();
        assert_eq!(read(&path).unwrap().as_deref(), Some(b"two".as_slice()));
        assert_eq!(entries(home.path()).unwrap().len(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn files_and_folders_are_open_to_their_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(&folder.path().join("not/yet/there")).unwrap();
        write_atomically(&home.known_servers(), b"{}").unwrap();
        assert_eq!(mode(home.path()), 0o700);
        assert_eq!(mode(&home.known_servers()), 0o600);
    }

    #[test]
    fn a_file_in_the_place_of_a_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("home");
        fs::write(&file, "not a folder").unwrap();
        match Home::open(&file).unwrap_err() {
            HomeError::NotAFolder { path } => assert_eq!(path, file),
            other => panic!("{other}"),
        }
    }
}
