//! What is received, on the disk: a hidden part beside its later place, which becomes the file, or the folder, when all
//! of it is there, verified and synced. Nothing outside the folder for downloads is touched, no link is followed or
//! made, and nothing that exists is written over.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use recado_engine::files::{GroupEnd, Layout, LayoutError, Tree, numbered, safe_name};
use recado_proto::file::{ListEntry, Offered};
use recado_proto::id::OfferId;

use super::channel::PIECE;
use crate::{home, system};

/// Names that are tried, each with a number, before one that is not taken counts as not to be had.
const MAX_NUMBER: u32 = 10_000;

/// Why it cannot be received.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PartError {
    /// There is no room for it, or not any more. It can go on when there is.
    #[error("there is not enough room in {}: {needed} bytes are needed", .folder.display())]
    Full {
        /// Where.
        folder: PathBuf,
        /// Bytes, those on the disk already not counted; 0 where it is not known.
        needed: u64,
    },
    /// The system does not let it be written.
    #[error("cannot write in {}", .folder.display())]
    NotWritable {
        /// Where.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its list cannot be what was offered.
    #[error(transparent)]
    List(#[from] LayoutError),
    /// More came than was offered, or not what its sender says.
    #[error("what came is not what was offered")]
    NotAsOffered,
}

/// What is received.
pub(crate) struct Part {
    folder: PathBuf,
    downloads: Dir,
    /// Of the part.
    name: String,
    content: Content,
    tree: Tree,
    offered: Offered,
}

enum Content {
    File(File),
    Folder(Box<Folder>),
}

struct Folder {
    dir: Dir,
    entries: Vec<ListEntry>,
    layout: Layout,
    /// The file at which the next byte goes, and where that begins in the contents.
    at: usize,
    begin: u64,
    open: Option<File>,
    /// The folder that the last file was in, and its path.
    parent: Option<(Vec<String>, Dir)>,
}

/// Everything is received.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Finished {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Of all contents.
    pub(crate) hash: [u8; 32],
}

/// What a part is called: hidden, and nothing that an offer can be called.
pub(crate) fn part_name(offer: &OfferId) -> String {
    format!(".recado-{offer}.part")
}

/// Whether there is room for an offer in a folder.
///
/// # Errors
/// [`PartError::Full`], or the folder cannot be used.
pub(crate) fn check_room(folder: &Path, offer: &OfferId, stored: u64) -> Result<(), PartError> {
    let failed = |source| not_writable(folder, source);
    let Some(free) = system::free_space(folder).map_err(failed)? else {
        return Ok(());
    };
    let part = folder.join(part_name(offer));
    let needed = stored.saturating_sub(stored_in(&part));
    if needed > free {
        let folder = folder.to_owned();
        return Err(PartError::Full { folder, needed });
    }
    Ok(())
}

/// Bytes on the disk of what is there of a file; of a folder only an estimate would be quick.
fn stored_in(part: &Path) -> u64 {
    let metadata = std::fs::symlink_metadata(part);
    metadata.map_or(0, |metadata| match metadata.is_file() {
        true => system::stored(&metadata),
        false => 0,
    })
}

impl Part {
    /// Opens what is there of an offer, or begins it; what is there is read and hashed. Waits for the disk.
    ///
    /// # Errors
    /// [`PartError`].
    pub(crate) fn open(
        folder: &Path,
        offer: &OfferId,
        offered: &Offered,
        entries: Vec<ListEntry>,
    ) -> Result<Self, PartError> {
        let failed = |source| not_writable(folder, source);
        std::fs::create_dir_all(folder).map_err(failed)?;
        let folder = std::fs::canonicalize(folder).map_err(failed)?;
        let failed = |source| not_writable(&folder, source);
        let downloads = Dir::open_ambient_dir(&folder, ambient_authority()).map_err(failed)?;
        let name = part_name(offer);
        let content = match offered.folder {
            None => {
                let file = open_file(&downloads, &name, false).map_err(failed)?;
                Content::File(file)
            }
            Some(_) => {
                check_list(offered, &entries)?;
                let layout = Layout::new(&entries)?;
                make_folder(&downloads, &name).map_err(failed)?;
                Content::Folder(Box::new(Folder {
                    dir: open_folder(&downloads, &name).map_err(failed)?,
                    entries,
                    layout,
                    at: 0,
                    begin: 0,
                    open: None,
                    parent: None,
                }))
            }
        };
        let mut part = Self {
            folder,
            downloads,
            name,
            content,
            tree: Tree::new(offered.size),
            offered: offered.clone(),
        };
        part.catch_up()?;
        Ok(part)
    }

    /// What has come so far.
    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Goes on from the beginning of this group, whatever was behind it.
    ///
    /// # Errors
    /// [`PartError`].
    pub(crate) fn go_to(&mut self, group: u64) -> Result<(), PartError> {
        self.tree.go_back(group);
        let position = self.tree.position();
        match &mut self.content {
            Content::File(file) => {
                let cut = file.set_len(position);
                cut.map_err(|source| not_writable(&self.folder, source))
            }
            Content::Folder(folder) => {
                folder.rewind();
                Ok(())
            }
        }
    }

    /// Writes the next bytes, of one group. Returns the group's end, if they complete it.
    ///
    /// # Errors
    /// [`PartError`].
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<Option<GroupEnd>, PartError> {
        if bytes.len() as u64 > self.tree.room() {
            return Err(PartError::NotAsOffered);
        }
        let position = self.tree.position();
        let written = match &mut self.content {
            Content::File(file) => system::write_all_at(file, bytes, position),
            Content::Folder(folder) => folder.write_at(position, bytes, false),
        };
        written.map_err(|source| not_writable(&self.folder, source))?;
        Ok(self.tree.update(bytes))
    }

    /// The rest of the group is zeros, which take no room.
    ///
    /// # Errors
    /// [`PartError`].
    pub(crate) fn skip(&mut self) -> Result<Option<GroupEnd>, PartError> {
        static ZEROS: [u8; PIECE] = [0; PIECE];
        let mut end = None;
        while end.is_none() && self.tree.room() > 0 {
            let room = usize::try_from(self.tree.room()).unwrap_or(PIECE);
            let zeros = ZEROS.get(..room.min(PIECE)).unwrap_or_default();
            let position = self.tree.position();
            let skipped = match &mut self.content {
                Content::File(file) => file.set_len(position + zeros.len() as u64),
                Content::Folder(folder) => folder.write_at(position, zeros, true),
            };
            skipped.map_err(|source| not_writable(&self.folder, source))?;
            end = self.tree.update(zeros);
        }
        Ok(end)
    }

    /// Makes it what it is to be, if all has come and is what its sender says: synced, under its own name or, where
    /// that is taken, with a number. `choose` is told the place before it is taken.
    ///
    /// # Errors
    /// [`PartError`].
    pub(crate) fn finish(
        mut self,
        hash: &[u8; 32],
        mut choose: impl FnMut(&Path) -> Result<(), PartError>,
    ) -> Result<Finished, PartError> {
        if self.tree.hash().as_ref() != Some(hash) {
            return Err(PartError::NotAsOffered);
        }
        self.sync()
            .map_err(|source| not_writable(&self.folder, source))?;
        let own = safe_name(&self.offered.name);
        // Not every system renames a folder that is held open.
        let Self {
            folder,
            downloads,
            name: part,
            content,
            ..
        } = self;
        let is_folder = matches!(content, Content::Folder(_));
        drop(content);
        for number in 1..MAX_NUMBER {
            let name = match number {
                1 => own.clone(),
                number => numbered(&own, number),
            };
            if downloads.symlink_metadata(&name).is_ok() {
                continue;
            }
            let path = folder.join(&name);
            choose(&path)?;
            match become_whole(&downloads, &part, &name, is_folder) {
                Ok(()) => {
                    home::sync_parent(&path).map_err(|source| not_writable(&folder, source))?;
                    return Ok(Finished { path, hash: *hash });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(not_writable(&folder, source)),
            }
        }
        Err(not_writable(&folder, io::ErrorKind::AlreadyExists.into()))
    }

    /// Removes it.
    pub(crate) fn discard(folder: &Path, offer: &OfferId) -> io::Result<()> {
        let downloads = Dir::open_ambient_dir(folder, ambient_authority())?;
        let name = part_name(offer);
        match downloads.symlink_metadata(&name) {
            Ok(metadata) if metadata.is_dir() => downloads.remove_dir_all(&name),
            Ok(_) => downloads.remove_file(&name),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Reads what is there already, group by group.
    fn catch_up(&mut self) -> Result<(), PartError> {
        let mut buffer = vec![0; PIECE];
        loop {
            let room = usize::try_from(self.tree.room()).unwrap_or(PIECE);
            let position = self.tree.position();
            let into = buffer.get_mut(..room.min(PIECE)).unwrap_or_default();
            if into.is_empty() {
                break;
            }
            let read = match &mut self.content {
                Content::File(file) => read_full_at(file, into, position),
                Content::Folder(folder) => folder.read_at(position, into),
            };
            let read = read.map_err(|source| not_writable(&self.folder, source))?;
            self.tree.update(buffer.get(..read).unwrap_or_default());
            if read < room.min(PIECE) {
                break;
            }
        }
        // What is behind the last whole group comes again.
        let verified = self.tree.values().len() as u64;
        self.tree.go_back(verified);
        if let Content::Folder(folder) = &mut self.content {
            folder.rewind();
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        match &mut self.content {
            Content::File(file) => {
                file.set_len(self.tree.size())?;
                file.sync_all()
            }
            Content::Folder(folder) => {
                folder.complete(self.tree.size())?;
                folder.sync()
            }
        }
    }
}

impl Folder {
    /// What is next is looked for from the beginning.
    fn rewind(&mut self) {
        (self.at, self.begin, self.open) = (0, 0, None);
    }

    /// Reads what is there of the contents from a position on.
    fn read_at(&mut self, position: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let position = position + filled as u64;
            let Some(entry) = self.entries.get(self.at) else {
                break;
            };
            let end = self.begin + entry.size;
            if position >= end {
                (self.at, self.begin, self.open) = (self.at + 1, end, None);
                continue;
            }
            if self.open.is_none() {
                match self.open_entry(false) {
                    Ok(file) => self.open = Some(file),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                    Err(error) => return Err(error),
                }
            }
            let Some(file) = &self.open else { break };
            let most = usize::try_from(end - position).unwrap_or(usize::MAX);
            let count = most.min(rest.len());
            let wanted = rest.get_mut(..count).unwrap_or_default();
            let read = read_full_at(file, wanted, position - self.begin)?;
            filled += read;
            if read < count {
                break;
            }
        }
        Ok(filled)
    }

    /// Writes at a position of the contents, which was reached in order. Of zeros nothing is written but where they end.
    fn write_at(&mut self, position: u64, bytes: &[u8], is_zeros: bool) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let position = position + (bytes.len() - rest.len()) as u64;
            self.go_to(position)?;
            let Some(entry) = self.entries.get(self.at) else {
                return Err(io::ErrorKind::UnexpectedEof.into());
            };
            let (offset, end) = (position - self.begin, self.begin + entry.size);
            if self.open.is_none() {
                let file = self.open_entry(true)?;
                file.set_len(offset)?;
                self.open = Some(file);
            }
            let Some(file) = &self.open else {
                return Err(io::ErrorKind::NotFound.into());
            };
            let most = usize::try_from(end - position).unwrap_or(usize::MAX);
            let (now, behind) = rest.split_at(most.min(rest.len()));
            match is_zeros {
                true => file.set_len(offset + now.len() as u64)?,
                false => system::write_all_at(file, now, offset)?,
            }
            rest = behind;
        }
        Ok(())
    }

    /// Goes to the file in which a position is; makes what has no contents on the way.
    fn go_to(&mut self, position: u64) -> io::Result<()> {
        while let Some(entry) = self.entries.get(self.at) {
            let end = self.begin + entry.size;
            if position < end {
                break;
            }
            if entry.size == 0 {
                self.make_empty()?;
            }
            (self.at, self.begin, self.open) = (self.at + 1, end, None);
        }
        Ok(())
    }

    /// Makes whatever has no contents behind the last byte.
    fn complete(&mut self, size: u64) -> io::Result<()> {
        self.go_to(size)?;
        self.open = None;
        Ok(())
    }

    fn make_empty(&mut self) -> io::Result<()> {
        let is_folder = self
            .entries
            .get(self.at)
            .is_some_and(|entry| entry.is_folder);
        match is_folder {
            true => {
                let path = self.path().to_vec();
                self.enter(&path)
            }
            false => self.open_entry(true)?.set_len(0),
        }
    }

    fn path(&self) -> &[String] {
        let path = self.layout.paths().get(self.at);
        path.map(Vec::as_slice).unwrap_or_default()
    }

    /// Opens the present file; makes it, and the folders that it is in, if it is to be written.
    fn open_entry(&mut self, make: bool) -> io::Result<File> {
        let path = self.path().to_vec();
        let Some((name, parents)) = path.split_last() else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        if make {
            self.enter(parents)?;
            if let Some((_, parent)) = &self.parent {
                return open_file(parent, name, false);
            }
        }
        open_file(&self.dir, &path.join("/"), true)
    }

    /// Makes folders, each within the one before, and remembers the last.
    fn enter(&mut self, path: &[String]) -> io::Result<()> {
        if self.parent.as_ref().is_some_and(|(at, _)| at == path) {
            return Ok(());
        }
        let mut dir = self.dir.try_clone()?;
        for name in path {
            make_folder(&dir, name)?;
            dir = open_folder(&dir, name)?;
        }
        self.parent = Some((path.to_vec(), dir));
        Ok(())
    }

    /// All of it onto the disk: together, as a sync for each of 100,000 files would take minutes.
    #[cfg(target_os = "linux")]
    fn sync(&self) -> io::Result<()> {
        use std::os::fd::AsFd as _;

        // The folder is held by its place alone, which cannot be synced.
        let folder = self.dir.open(".")?;
        Ok(nix::unistd::syncfs(folder.as_fd())?)
    }

    #[cfg(not(target_os = "linux"))]
    fn sync(&self) -> io::Result<()> {
        self.sync_each()
    }

    /// One file after the other, where a system does not sync all of them together.
    #[cfg(any(test, not(target_os = "linux")))]
    fn sync_each(&self) -> io::Result<()> {
        for (entry, path) in self.entries.iter().zip(self.layout.paths()) {
            if !entry.is_folder {
                open_file(&self.dir, &path.join("/"), true)?.sync_all()?;
            }
        }
        Ok(())
    }
}

/// Renames a part, unless something of the new name is there.
fn become_whole(downloads: &Dir, part: &str, name: &str, is_folder: bool) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsFd as _;

        use nix::errno::Errno;
        use nix::fcntl::{RenameFlags, renameat2};

        let (dir, flags) = (downloads.as_fd(), RenameFlags::RENAME_NOREPLACE);
        match renameat2(dir, part, dir, name, flags) {
            Ok(()) => return Ok(()),
            // Not every file system can.
            Err(Errno::EINVAL | Errno::ENOSYS) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    match is_folder {
        // Onto a folder that is not empty, or onto a file, no folder can be renamed.
        true => downloads.rename(part, downloads, name),
        false => {
            downloads.hard_link(part, downloads, name)?;
            downloads.remove_file(part)
        }
    }
}

/// Whether a list is what was offered, in number and size. Its hash was compared when it came.
fn check_list(offered: &Offered, entries: &[ListEntry]) -> Result<(), PartError> {
    let size = entries
        .iter()
        .try_fold(0u64, |size, entry| size.checked_add(entry.size));
    let count = offered.folder.as_ref().map(|folder| folder.entries);
    match size == Some(offered.size) && count == Some(entries.len() as u64) {
        true => Ok(()),
        false => Err(LayoutError::NotAsOffered.into()),
    }
}

/// Opens a file to be read and written; makes it if there is none, unless it must be there. A link is not followed.
fn open_file(dir: &Dir, name: &str, must_exist: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(!must_exist);
    let file = system::open_file_in(dir, Path::new(name), &mut options)?;
    if !file.metadata()?.is_file() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    Ok(file)
}

fn make_folder(dir: &Dir, name: &str) -> io::Result<()> {
    match dir.create_dir(name) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Opens a folder that is one, and no link to one.
fn open_folder(dir: &Dir, name: &str) -> io::Result<Dir> {
    if !dir.symlink_metadata(name)?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    dir.open_dir(name)
}

fn read_full_at(file: &File, into: &mut [u8], position: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match system::read_at(file, rest, position + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn not_writable(folder: &Path, source: io::Error) -> PartError {
    let folder = folder.to_owned();
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            PartError::Full { folder, needed: 0 }
        }
        _ => PartError::NotWritable { folder, source },
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use recado_proto::file::FolderOffer;

    use super::*;

    const OFFER: OfferId = OfferId::from_bytes([7; 16]);
    const MIB: usize = 1 << 20;

    fn file(name: &str, size: usize) -> Offered {
        Offered {
            name: name.to_owned(),
            size: size as u64,
            stored: size as u64,
            folder: None,
        }
    }

    fn open(folder: &Path, offered: &Offered) -> Part {
        Part::open(folder, &OFFER, offered, Vec::new()).unwrap()
    }

    fn fill(part: &mut Part, mut rest: &[u8]) {
        while !rest.is_empty() {
            let room = (part.tree().room() as usize).min(rest.len()).min(100_000);
            part.write(&rest[..room]).unwrap();
            rest = &rest[room..];
        }
    }

    fn finish(part: Part, contents: &[u8]) -> Result<PathBuf, PartError> {
        let hash = *blake3::hash(contents).as_bytes();
        part.finish(&hash, |_| Ok(())).map(|finished| finished.path)
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_part_becomes_the_file_and_nothing_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.txt"), "mine").unwrap();
        std::os::unix::fs::symlink("/nowhere", folder.path().join("a (2).txt")).unwrap();
        let mut part = open(folder.path(), &file("a.txt", 5));
        fill(&mut part, b"yours");
        let path = finish(part, b"yours").unwrap();
        assert_eq!(path.file_name().unwrap(), "a (3).txt");
        assert_eq!(fs::read(path).unwrap(), b"yours");
        assert_eq!(fs::read(folder.path().join("a.txt")).unwrap(), b"mine");
        assert_eq!(names(folder.path()), ["a (2).txt", "a (3).txt", "a.txt"]);
    }

    #[test]
    fn an_empty_file_is_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let part = open(folder.path(), &file("../../empty", 0));
        let path = finish(part, b"").unwrap();
        assert_eq!(path, folder.path().canonicalize().unwrap().join("empty"));
        assert_eq!(fs::read(path).unwrap(), b"");
    }

    #[test]
    fn what_was_there_is_read_and_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let contents: Vec<u8> = (0..3 * MIB + 9).map(|at| (at % 249) as u8).collect();
        let offered = file("a", contents.len());
        let mut part = open(folder.path(), &offered);
        fill(&mut part, &contents[..2 * MIB + 77]);
        drop(part);
        let mut part = open(folder.path(), &offered);
        assert_eq!(part.tree().position(), 2 << 20);
        part.go_to(1).unwrap();
        fill(&mut part, &contents[MIB..]);
        assert_eq!(
            fs::read(finish(part, &contents).unwrap()).unwrap(),
            contents
        );
    }

    #[test]
    fn what_is_not_what_its_sender_says_does_not_become_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut part = open(folder.path(), &file("a", 3));
        assert!(matches!(part.write(b"four"), Err(PartError::NotAsOffered)));
        part.write(b"abc").unwrap();
        assert!(matches!(finish(part, b"abd"), Err(PartError::NotAsOffered)));
        let part = open(folder.path(), &file("a", 5));
        assert!(matches!(finish(part, b"abc"), Err(PartError::NotAsOffered)));
        assert_eq!(names(folder.path()), [part_name(&OFFER)]);
        Part::discard(folder.path(), &OFFER).unwrap();
        Part::discard(folder.path(), &OFFER).unwrap();
        assert_eq!(names(folder.path()), [""; 0]);
    }

    #[test]
    fn a_link_in_the_place_of_the_part_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        fs::write(&target, "mine").unwrap();
        std::os::unix::fs::symlink(&target, folder.path().join(part_name(&OFFER))).unwrap();
        let opened = Part::open(folder.path(), &OFFER, &file("a", 3), Vec::new());
        assert!(matches!(opened, Err(PartError::NotWritable { .. })));
        assert_eq!(fs::read(&target).unwrap(), b"mine");
    }

    fn list(entries: &[(&str, u64)]) -> (Offered, Vec<ListEntry>) {
        let entries: Vec<_> = entries
            .iter()
            .map(|(path, size)| ListEntry {
                path: path.trim_end_matches('/').to_owned(),
                size: *size,
                is_folder: path.ends_with('/'),
            })
            .collect();
        let size = entries.iter().map(|entry| entry.size).sum();
        let offered = Offered {
            name: "things".to_owned(),
            size,
            stored: size,
            folder: Some(FolderOffer {
                entries: entries.len() as u64,
                list: [0; 32],
                first: Vec::new(),
            }),
        };
        (offered, entries)
    }

    #[test]
    fn a_folder_comes_with_everything_in_it_and_stays_within_itself() {
        let folder = tempfile::tempdir().unwrap();
        let (offered, entries) = list(&[
            ("../escape", 3),
            ("a/b/one", 4),
            ("a/b/none", 0),
            ("a/empty/", 0),
            ("two", (2 * MIB) as u64),
            ("last", 0),
        ]);
        let contents: Vec<u8> = (0..offered.size).map(|at| (at % 241) as u8).collect();
        let open = || Part::open(folder.path(), &OFFER, &offered, entries.clone()).unwrap();
        let mut part = open();
        fill(&mut part, &contents[..MIB + 100]);
        drop(part);
        let mut part = open();
        assert_eq!(part.tree().position(), MIB as u64);
        fill(&mut part, &contents[MIB..]);
        let Content::Folder(content) = &mut part.content else {
            panic!("it is a folder")
        };
        content.complete(offered.size).unwrap();
        content.sync_each().unwrap();
        let path = finish(part, &contents).unwrap();
        assert_eq!(names(folder.path()), ["things"]);
        assert_eq!(names(&path), ["a", "file", "last", "two"]);
        assert_eq!(fs::read(path.join("file/escape")).unwrap(), &contents[..3]);
        assert_eq!(fs::read(path.join("a/b/one")).unwrap(), &contents[3..7]);
        assert_eq!(fs::read(path.join("a/b/none")).unwrap(), b"");
        assert!(path.join("a/empty").is_dir());
        assert_eq!(fs::read(path.join("two")).unwrap(), &contents[7..]);
    }

    #[test]
    fn a_list_that_lies_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (mut offered, entries) = list(&[("a", 3)]);
        offered.size = 2;
        let opened = Part::open(folder.path(), &OFFER, &offered, entries.clone());
        assert!(matches!(opened, Err(PartError::List(_))));
        let (offered, mut entries) = list(&[("a", u64::MAX >> 1)]);
        entries.push(entries[0].clone());
        entries.push(entries[0].clone());
        let opened = Part::open(folder.path(), &OFFER, &offered, entries);
        assert!(matches!(opened, Err(PartError::List(_))));
        assert_eq!(names(folder.path()), [""; 0]);
    }

    #[test]
    fn zeros_take_no_room() {
        use std::os::unix::fs::MetadataExt as _;
        let folder = tempfile::tempdir().unwrap();
        let mut contents = vec![0; 5 * MIB];
        contents[2 * MIB..3 * MIB].fill(7);
        let mut part = open(folder.path(), &file("sparse", contents.len()));
        for group in 0..5 {
            match group {
                2 => fill(&mut part, &contents[2 * MIB..3 * MIB]),
                _ => drop(part.skip().unwrap()),
            }
        }
        let path = finish(part, &contents).unwrap();
        let stored = path.metadata().unwrap().blocks() * 512;
        assert!(stored < 2 * MIB as u64, "{stored}");
        assert_eq!(fs::read(path).unwrap(), contents);
    }

    #[test]
    fn what_is_too_large_is_said_before_it_begins() {
        let folder = tempfile::tempdir().unwrap();
        let full = check_room(folder.path(), &OFFER, 1 << 60);
        assert!(matches!(full, Err(PartError::Full { needed, .. }) if needed == 1 << 60));
        check_room(folder.path(), &OFFER, 1000).unwrap();
    }

    #[test]
    fn a_full_disk_is_called_full() {
        let full = not_writable(Path::new("/"), io::ErrorKind::StorageFull.into());
        assert!(matches!(full, PartError::Full { .. }));
    }
}
