//! What every system does.

use std::borrow::Cow;
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use cap_std::fs::{Dir, OpenOptions};
use recado_engine::files::Own;
use tokio::net::TcpStream;

/// Opens a file to be read. What is no file is refused before; what becomes a link in between is noticed by whoever
/// compares the file with the one that was found.
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    match fs::symlink_metadata(path)?.is_file() {
        true => File::open(path),
        false => Err(not_a_file()),
    }
}

/// Opens a file in a folder; what becomes a link in between does not lead out of that.
pub(crate) fn open_file_in(dir: &Dir, path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    match dir.symlink_metadata(path) {
        Ok(found) if !found.is_file() => Err(not_a_file()),
        _ => Ok(dir.open_with(path, options)?.into_std()),
    }
}

fn not_a_file() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is not a file")
}

/// Reads at a place in a file, which no other thread may read.
pub(crate) fn read_at(mut file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
    file.seek(SeekFrom::Start(at))?;
    file.read(into)
}

/// Writes all of it at a place in a file, which no other thread may write.
pub(crate) fn write_all_at(mut file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)
}

/// When a file was written: seconds since 1970, and nanoseconds. All that were written before that are alike.
pub(crate) fn modified(metadata: &Metadata) -> (i64, i64) {
    let since = metadata.modified().unwrap_or(UNIX_EPOCH);
    let since = since.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    (seconds, since.subsec_nanos().into())
}

/// Files are not told apart by number.
pub(crate) fn inode(_metadata: &Metadata) -> u64 {
    0
}

/// Bytes of a file on the disk: it has all of them.
pub(crate) fn stored(metadata: &Metadata) -> u64 {
    metadata.len()
}

/// Whether there is room shows when it is full.
pub(crate) fn free_space(folder: &Path) -> io::Result<Option<u64>> {
    fs::read_dir(folder)?;
    Ok(None)
}

/// A path as it is kept. One that is no text is not found again.
pub(crate) fn path_bytes(path: &Path) -> Cow<'_, [u8]> {
    match path.to_string_lossy() {
        Cow::Borrowed(text) => text.as_bytes().into(),
        Cow::Owned(text) => text.into_bytes().into(),
    }
}

/// A path as it was kept.
pub(crate) fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
}

/// The address that this machine would use towards others, in each family, in a network as large as most
/// at home and in schools. Nothing is sent: the others' addresses are for documentation alone (RFC 5737, RFC 3849).
pub(crate) fn interfaces() -> Vec<Own> {
    let towards = [
        ("0.0.0.0:0", "192.0.2.1:443", 24),
        ("[::]:0", "[2001:db8::1]:443", 64),
    ];
    let own = towards.into_iter().filter_map(|(from, to, prefix)| {
        let socket = UdpSocket::bind(from).ok()?;
        socket.connect(to).ok()?;
        let ip = socket.local_addr().ok()?.ip();
        Some(Own { ip, prefix })
    });
    own.collect()
}

/// Packets are in the order in which they come.
pub(crate) fn be_bulk(_tcp: &TcpStream) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_and_read_anywhere_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = tempfile::tempfile_in(folder.path()).unwrap();
        write_all_at(&file, b"later", 3).unwrap();
        write_all_at(&file, b"now", 0).unwrap();
        let mut read = [0; 5];
        assert_eq!(read_at(&file, &mut read, 3).unwrap(), 5);
        assert_eq!(&read, b"later");
        assert_eq!(read_at(&file, &mut read, 6).unwrap(), 2);
        assert_eq!(read_at(&file, &mut read, 8).unwrap(), 0);
        let metadata = file.metadata().unwrap();
        assert_eq!((stored(&metadata), inode(&metadata)), (8, 0));
        #[cfg(unix)]
        assert_eq!(modified(&metadata), super::super::unix::modified(&metadata));
        assert_eq!(free_space(folder.path()).unwrap(), None);
        assert!(free_space(&folder.path().join("none")).is_err());
    }

    #[test]
    fn what_is_no_file_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let dir = Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority()).unwrap();
        let path = folder.path().join("a");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        drop(open_file_in(&dir, Path::new("a"), &mut options).unwrap());
        drop(open_file(&path).unwrap());
        drop(open_file_in(&dir, Path::new("a"), &mut options).unwrap());
        fs::create_dir(folder.path().join("b")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(&path, folder.path().join("link")).unwrap();
        for name in ["b", "link"] {
            assert!(open_file(&folder.path().join(name)).is_err());
            assert!(open_file_in(&dir, Path::new(name), &mut options).is_err());
        }
    }

    #[test]
    fn paths_are_kept_as_text() {
        let path = Path::new("folder/Relatório.pdf");
        assert_eq!(path_of(&path_bytes(path)), path);
        assert_eq!(path_of(b"a\xff"), Path::new("a\u{fffd}"));
    }

    #[cfg(unix)]
    #[test]
    fn what_is_found_is_among_what_unix_tells() {
        let all = super::super::unix::interfaces();
        for own in interfaces() {
            let found = all.iter().any(|other| other.ip == own.ip);
            assert!(found, "{own:?} not in {all:?}");
        }
    }
}
