//! What is offered, on its owner's disk: what there is, and its contents in order.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use recado_engine::files::{ChainingValue, Tree, safe_name};
use recado_proto::file::{
    FolderOffer, ListEntry, MAX_ENTRIES, MAX_FIRST_ENTRIES_BYTES, MAX_PATH, MAX_SIZE, Offered,
    list_parts,
};

use super::channel::PIECE;
use crate::system;

/// Folders within folders at most, as a receiver takes them.
const MAX_DEPTH: usize = 64;

/// Why something cannot be offered, or not be sent any more.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It is not there, or cannot be read.
    #[error("cannot read {}", .path.display())]
    Unreadable {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Neither a file nor a folder: a device, a pipe, a socket.
    #[error("{} is neither a file nor a folder", .0.display())]
    NotAFile(PathBuf),
    /// More than one offer takes.
    #[error("{} is too large for one offer", .0.display())]
    TooLarge(PathBuf),
    /// It has changed since it was offered.
    #[error("{} has changed since it was offered", .0.display())]
    Changed(PathBuf),
}

/// What was found under a path.
#[derive(Debug)]
pub(crate) struct Scan {
    /// A path without `.` and symbolic links.
    pub(crate) path: PathBuf,
    pub(crate) offered: Offered,
    /// A hash of everything that shows a change: names, sizes, times.
    pub(crate) snapshot: [u8; 32],
    /// What is in a folder, and is neither a file nor a folder: not offered.
    pub(crate) skipped: u64,
    pub(crate) entries: Vec<ListEntry>,
    files: Vec<Scanned>,
}

/// A file.
#[derive(Clone, Debug)]
struct Scanned {
    /// Within the folder; empty for the offer itself.
    path: PathBuf,
    stamp: Stamp,
}

/// What shows that a file has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stamp {
    size: u64,
    /// When it was written: seconds, and nanoseconds.
    modified: (i64, i64),
    inode: u64,
    /// Bytes on the disk, which may be fewer.
    stored: u64,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            size: metadata.len(),
            modified: system::modified(metadata),
            inode: system::inode(metadata),
            stored: system::stored(metadata).min(metadata.len()),
        }
    }

    /// Whether the contents may differ. What is stored changes when a system writes, and means nothing.
    fn differs(&self, other: &Self) -> bool {
        (self.size, self.modified, self.inode) != (other.size, other.modified, other.inode)
    }
}

impl Scan {
    /// Looks at a file, or at everything in a folder. Waits for the disk.
    ///
    /// # Errors
    /// [`SourceError`].
    pub(crate) fn new(path: &Path) -> Result<Self, SourceError> {
        let unreadable = |source| SourceError::Unreadable {
            path: path.to_owned(),
            source,
        };
        // The path itself may be a link: whoever names it means what is behind it.
        let whole = fs::canonicalize(path).map_err(unreadable)?;
        let metadata = fs::metadata(&whole).map_err(unreadable)?;
        // It is called as it was named.
        let named = path.file_name().or_else(|| whole.file_name());
        let name = named.unwrap_or_default().to_string_lossy().into_owned();
        let mut scan = Self {
            path: whole.clone(),
            offered: Offered {
                name: safe_name(&name),
                size: 0,
                stored: 0,
                folder: None,
            },
            snapshot: [0; 32],
            skipped: 0,
            entries: Vec::new(),
            files: Vec::new(),
        };
        let mut snapshot = blake3::Hasher::new();
        if metadata.is_file() {
            // Reading is not tried before it is wanted, but that it can be read is.
            drop(File::open(&whole).map_err(unreadable)?);
            scan.add(PathBuf::new(), None, &metadata, &mut snapshot)?;
        } else if metadata.is_dir() {
            scan.walk(&whole, &PathBuf::new(), "", 0, &mut snapshot)?;
            scan.offered.folder = Some(folder(&scan.entries));
        } else {
            return Err(SourceError::NotAFile(whole));
        }
        if scan.offered.size > MAX_SIZE {
            return Err(SourceError::TooLarge(whole));
        }
        scan.snapshot = *snapshot.finalize().as_bytes();
        Ok(scan)
    }

    fn add(
        &mut self,
        path: PathBuf,
        listed: Option<String>,
        metadata: &Metadata,
        snapshot: &mut blake3::Hasher,
    ) -> Result<(), SourceError> {
        let stamp = Stamp::of(metadata);
        let too_large = || SourceError::TooLarge(self.path.clone());
        self.offered.size = self
            .offered
            .size
            .checked_add(stamp.size)
            .ok_or_else(too_large)?;
        self.offered.stored = self.offered.stored.saturating_add(stamp.stored);
        if let Some(listed) = listed {
            self.list(listed, stamp.size, false)?;
        }
        snapshot.update(path.as_os_str().as_encoded_bytes());
        for part in [
            stamp.size,
            stamp.modified.0.cast_unsigned(),
            stamp.modified.1.cast_unsigned(),
            stamp.inode,
        ] {
            snapshot.update(&part.to_be_bytes());
        }
        self.files.push(Scanned { path, stamp });
        Ok(())
    }

    fn list(&mut self, path: String, size: u64, is_folder: bool) -> Result<(), SourceError> {
        if self.entries.len() as u64 >= MAX_ENTRIES || path.len() > MAX_PATH {
            return Err(SourceError::TooLarge(self.path.clone()));
        }
        self.entries.push(ListEntry {
            path,
            size,
            is_folder,
        });
        Ok(())
    }

    /// Adds what is in a folder, by name.
    fn walk(
        &mut self,
        folder: &Path,
        within: &Path,
        listed: &str,
        depth: usize,
        snapshot: &mut blake3::Hasher,
    ) -> Result<(), SourceError> {
        let unreadable = |source| SourceError::Unreadable {
            path: folder.to_owned(),
            source,
        };
        if depth > MAX_DEPTH {
            return Err(SourceError::TooLarge(self.path.clone()));
        }
        let found = fs::read_dir(folder).map_err(unreadable)?;
        let mut found = found.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
        found.sort_unstable_by_key(fs::DirEntry::file_name);
        if found.is_empty() && !listed.is_empty() {
            return self.list(listed.to_owned(), 0, true);
        }
        for entry in found {
            let name = entry.file_name();
            let path = within.join(&name);
            let shown = name.to_string_lossy();
            let listed = match listed {
                "" => shown.into_owned(),
                listed => format!("{listed}/{shown}"),
            };
            // Of a link this says that it is one.
            let metadata = entry.metadata().map_err(unreadable)?;
            if metadata.is_dir() {
                self.walk(&entry.path(), &path, &listed, depth + 1, snapshot)?;
            } else if metadata.is_file() {
                self.add(path, Some(listed), &metadata, snapshot)?;
            } else {
                self.skipped += 1;
            }
        }
        Ok(())
    }

    /// Opens it for reading, if it is what was offered.
    pub(crate) fn open(self, snapshot: &[u8; 32]) -> Result<Source, SourceError> {
        if self.snapshot != *snapshot {
            return Err(SourceError::Changed(self.path));
        }
        let folder = match self.offered.folder {
            None => None,
            Some(_) => Some(
                Dir::open_ambient_dir(&self.path, ambient_authority()).map_err(|source| {
                    SourceError::Unreadable {
                        path: self.path.clone(),
                        source,
                    }
                })?,
            ),
        };
        Ok(Source {
            path: self.path,
            folder,
            tree: Tree::new(self.offered.size),
            files: self.files,
            entries: self.entries,
            at: 0,
            begin: 0,
            open: None,
        })
    }
}

/// What an offer says of a folder.
fn folder(entries: &[ListEntry]) -> FolderOffer {
    let mut list = blake3::Hasher::new();
    let mut bytes = Vec::new();
    for part in list_parts(entries) {
        bytes.clear();
        part.encode(&mut bytes);
        list.update(&bytes);
    }
    let mut room = MAX_FIRST_ENTRIES_BYTES;
    let first = entries.iter().take_while(|entry| {
        let needed = entry.path.len() + 24;
        let fits = needed <= room;
        room = room.saturating_sub(needed);
        fits
    });
    FolderOffer {
        entries: entries.len() as u64,
        list: *list.finalize().as_bytes(),
        first: first.cloned().collect(),
    }
}

/// What is offered, open: its contents, one file after the other.
pub(crate) struct Source {
    path: PathBuf,
    folder: Option<Dir>,
    files: Vec<Scanned>,
    entries: Vec<ListEntry>,
    tree: Tree,
    /// The file at which the next byte is, and where that begins in the contents.
    at: usize,
    begin: u64,
    open: Option<Opened>,
}

struct Opened {
    file: File,
    stamp: Stamp,
    is_sparse: bool,
}

/// The next of the contents.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Next {
    /// Bytes, now in the buffer, and whether they begin a group: then so many follow, these included.
    Contents { group: Option<u64> },
    /// A group of zeros that is nowhere on the disk.
    Hole,
    /// There are no more.
    End,
}

impl Source {
    /// How far it has been read, and what was in it.
    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The list of a folder.
    pub(crate) fn entries(&self) -> &[ListEntry] {
        &self.entries
    }

    /// What is known of its groups from an earlier connection: they need not be read again for that.
    pub(crate) fn go_to(&mut self, group: u64) {
        self.tree.go_back(group);
        (self.at, self.begin) = (0, 0);
        self.open = None;
    }

    /// Reads the next group's next piece into `buffer`, in the place of what is there: one that has been used before is
    /// not cleared for it. Bytes are counted and hashed on the way. With the end of a group comes its chaining value.
    pub(crate) fn read(
        &mut self,
        buffer: &mut Vec<u8>,
    ) -> Result<(Next, Option<ChainingValue>), SourceError> {
        let room = self.tree.room();
        if room == 0 {
            // Empty files behind the last byte may have changed as well.
            self.finish()?;
            return Ok((Next::End, None));
        }
        let is_begin = self.tree.position() == self.tree.verified();
        if is_begin && self.is_hole(room)? {
            let end = self.hash_zeros(room);
            return Ok((Next::Hole, end));
        }
        let count = usize::try_from(room).unwrap_or(PIECE).min(PIECE);
        buffer.resize(count, 0);
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let position = self.tree.position() + filled as u64;
            let read = Self::read_at(
                &self.path,
                &self.folder,
                &self.files,
                (&mut self.at, &mut self.begin, &mut self.open),
                position,
                rest,
            )?;
            filled += read;
        }
        let end = self.tree.update(buffer).map(|end| end.value);
        let group = is_begin.then_some(room);
        Ok((Next::Contents { group }, end))
    }

    /// Reads at a position of the contents, at most to the end of a file, at least one byte.
    fn read_at(
        path: &Path,
        folder: &Option<Dir>,
        files: &[Scanned],
        (at, begin, open): (&mut usize, &mut u64, &mut Option<Opened>),
        position: u64,
        into: &mut [u8],
    ) -> Result<usize, SourceError> {
        loop {
            let changed = || SourceError::Changed(path.to_owned());
            let scanned = files.get(*at).ok_or_else(changed)?;
            let end = *begin + scanned.stamp.size;
            if position >= end {
                if let Some(opened) = open.take() {
                    check(path, &opened)?;
                }
                *begin = end;
                *at += 1;
                continue;
            }
            let opened = match open {
                Some(opened) => opened,
                None => open.insert(open_file(path, folder.as_ref(), scanned)?),
            };
            let offset = position - *begin;
            let rest = usize::try_from(end - position).unwrap_or(usize::MAX);
            let count = rest.min(into.len());
            let wanted = into.get_mut(..count).unwrap_or_default();
            let read = system::read_at(&opened.file, wanted, offset);
            match read {
                // Shorter than it was.
                Ok(0) => return Err(changed()),
                Ok(read) => return Ok(read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(SourceError::Unreadable {
                        path: path.join(&scanned.path),
                        source,
                    });
                }
            }
        }
    }

    /// Looks at the last file once more, and at those without contents behind it.
    fn finish(&mut self) -> Result<(), SourceError> {
        if let Some(opened) = self.open.take() {
            check(&self.path, &opened)?;
        }
        Ok(())
    }

    /// Whether the whole group that begins here is a hole of a file.
    fn is_hole(&mut self, length: u64) -> Result<bool, SourceError> {
        let position = self.tree.position();
        // Goes to the file and opens it.
        let mut byte = [0];
        Self::read_at(
            &self.path,
            &self.folder,
            &self.files,
            (&mut self.at, &mut self.begin, &mut self.open),
            position,
            &mut byte,
        )?;
        let Some(opened) = self.open.as_ref().filter(|opened| opened.is_sparse) else {
            return Ok(false);
        };
        let offset = position - self.begin;
        let end = offset + length;
        Ok(byte == [0] && end <= opened.stamp.size && next_data(&opened.file, offset) >= end)
    }

    fn hash_zeros(&mut self, mut length: u64) -> Option<ChainingValue> {
        static ZEROS: [u8; PIECE] = [0; PIECE];
        let mut value = None;
        while length > 0 {
            let count = usize::try_from(length).unwrap_or(PIECE).min(PIECE);
            let end = self.tree.update(ZEROS.get(..count).unwrap_or_default());
            value = end.map(|end| end.value);
            length -= count as u64;
        }
        value
    }
}

/// Where the next data are from an offset on; the offset itself where a system does not tell.
#[cfg(target_os = "linux")]
fn next_data(file: &File, offset: u64) -> u64 {
    use nix::unistd::{Whence, lseek};

    let Ok(from) = i64::try_from(offset) else {
        return offset;
    };
    match lseek(file, from, Whence::SeekData) {
        Ok(at) => u64::try_from(at).unwrap_or(offset),
        Err(nix::errno::Errno::ENXIO) => u64::MAX,
        Err(_) => offset,
    }
}

#[cfg(not(target_os = "linux"))]
fn next_data(_file: &File, offset: u64) -> u64 {
    offset
}

/// Opens a file, if it is the one that was found.
fn open_file(path: &Path, folder: Option<&Dir>, scanned: &Scanned) -> Result<Opened, SourceError> {
    let unreadable = |source| SourceError::Unreadable {
        path: path.join(&scanned.path),
        source,
    };
    // What became a link meanwhile is not followed; what became a pipe does not make anyone wait.
    let file = match folder {
        None => system::open_file(path),
        Some(folder) => system::open_file_in(folder, &scanned.path, OpenOptions::new().read(true)),
    };
    let file = file.map_err(unreadable)?;
    let opened = Opened {
        is_sparse: scanned.stamp.stored < scanned.stamp.size,
        stamp: scanned.stamp,
        file,
    };
    check(path, &opened)?;
    Ok(opened)
}

/// Whether a file still is what was found.
fn check(path: &Path, opened: &Opened) -> Result<(), SourceError> {
    let metadata = opened
        .file
        .metadata()
        .map_err(|source| SourceError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
    match Stamp::of(&metadata).differs(&opened.stamp) {
        true => Err(SourceError::Changed(path.to_owned())),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, SeekFrom, Write as _};
    use std::time::Duration;

    use super::*;

    /// Everything that is read, and how often it was a hole.
    fn read_all(source: &mut Source) -> Result<(Vec<u8>, usize), SourceError> {
        let (mut all, mut buffer, mut holes) = (Vec::new(), Vec::new(), 0);
        loop {
            let before = source.tree().position();
            match source.read(&mut buffer)?.0 {
                Next::Contents { .. } => all.extend_from_slice(&buffer),
                Next::Hole => {
                    holes += 1;
                    let length = source.tree().position() - before;
                    all.resize(all.len() + length as usize, 0);
                }
                Next::End => return Ok((all, holes)),
            }
        }
    }

    fn open(path: &Path) -> Source {
        let scan = Scan::new(path).unwrap();
        let snapshot = scan.snapshot;
        scan.open(&snapshot).unwrap()
    }

    #[test]
    fn a_file_is_read_to_its_end_and_hashed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        let contents: Vec<u8> = (0..2_500_000u32).map(|at| (at % 253) as u8).collect();
        fs::write(&path, &contents).unwrap();
        let scan = Scan::new(&path).unwrap();
        assert_eq!(
            (scan.offered.size, scan.offered.name.as_str()),
            (2_500_000, "a.bin")
        );
        let mut source = open(&path);
        assert_eq!(read_all(&mut source).unwrap(), (contents.clone(), 0));
        let hash = *blake3::hash(&contents).as_bytes();
        assert_eq!(source.tree().hash(), Some(hash));
        // And once more from the second group on.
        source.go_to(1);
        assert_eq!(read_all(&mut source).unwrap().0, contents[1 << 20..]);
        assert_eq!(source.tree().hash(), Some(hash));
    }

    #[test]
    fn a_folder_is_its_files_by_name_and_what_is_neither_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().join("things");
        fs::create_dir_all(top.join("b/empty")).unwrap();
        for (path, contents) in [("c", "see"), ("a", "Ay"), ("b/x", ""), ("b/y", "why")] {
            fs::write(top.join(path), contents).unwrap();
        }
        std::os::unix::fs::symlink("/etc/passwd", top.join("link")).unwrap();
        let scan = Scan::new(&top).unwrap();
        let paths: Vec<_> = scan.entries.iter().map(|it| it.path.as_str()).collect();
        assert_eq!(paths, ["a", "b/empty", "b/x", "b/y", "c"]);
        assert_eq!((scan.skipped, scan.offered.size), (1, 8));
        assert_eq!(read_all(&mut open(&top)).unwrap().0, b"Aywhysee");
    }

    #[test]
    fn holes_are_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sparse");
        let mut file = File::create(&path).unwrap();
        file.seek(SeekFrom::Start(5 << 20)).unwrap();
        file.write_all(b"in the middle").unwrap();
        file.set_len(9 << 20).unwrap();
        drop(file);
        let (all, holes) = read_all(&mut open(&path)).unwrap();
        assert_eq!(all, fs::read(&path).unwrap());
        assert_eq!(holes, 8, "all groups but one");
    }

    #[test]
    fn what_changes_in_between_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let write = |text: &str| {
            fs::write(&path, text).unwrap();
            // Times may be coarse.
            let later = std::time::SystemTime::now() + Duration::from_secs(5);
            File::open(&path).unwrap().set_modified(later).unwrap();
        };
        fs::write(&path, "one").unwrap();
        let before = Scan::new(&path).unwrap();
        write("two");
        let changed = Scan::new(&path).unwrap().open(&before.snapshot);
        assert!(matches!(changed, Err(SourceError::Changed(_))));
        // While it is read.
        let mut source = open(&path);
        source.read(&mut Vec::new()).unwrap();
        write("six");
        let changed = source.read(&mut Vec::new());
        assert!(
            matches!(changed, Err(SourceError::Changed(_))),
            "{changed:?}"
        );
        // Shorter, longer, gone.
        let mut source = open(&path);
        fs::write(&path, "").unwrap();
        assert!(matches!(
            read_all(&mut source),
            Err(SourceError::Changed(_))
        ));
        let mut source = open(&path);
        fs::write(&path, "longer").unwrap();
        assert!(read_all(&mut source).is_ok(), "nothing of it was offered");
        let scan = Scan::new(&path).unwrap();
        let snapshot = scan.snapshot;
        let mut source = scan.open(&snapshot).unwrap();
        fs::remove_file(&path).unwrap();
        let gone = read_all(&mut source);
        assert!(
            matches!(gone, Err(SourceError::Unreadable { .. })),
            "{gone:?}"
        );
        assert!(matches!(
            Scan::new(&path),
            Err(SourceError::Unreadable { .. })
        ));
    }

    #[test]
    fn what_became_a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().join("things");
        fs::create_dir(&top).unwrap();
        fs::write(top.join("a"), "mine").unwrap();
        let mut source = open(&top);
        fs::remove_file(top.join("a")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", top.join("a")).unwrap();
        assert!(read_all(&mut source).is_err());
    }

    #[test]
    fn devices_and_pipes_are_not_offered() {
        let device = Scan::new(Path::new("/dev/null"));
        assert!(matches!(device, Err(SourceError::NotAFile(_))));
    }
}
