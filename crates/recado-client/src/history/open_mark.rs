//! Marks beside the database: each process that has it open has one, locked, and takes it away when it ends in order.
//! One that nobody holds any more is of a process that died, or whose disk failed: then the database is checked before
//! it is used.

use std::cell::Cell;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::database::FILE;
use crate::home::{self, HomeError};

/// A process's mark.
#[derive(Debug)]
pub(super) struct OpenMark {
    path: PathBuf,
    _lock: File,
    /// Whether it stays, so that the next start checks the database.
    stays: Cell<bool>,
}

impl OpenMark {
    /// Puts a mark beside the database in a folder.
    pub(super) fn put(folder: &Path) -> Result<Self, HomeError> {
        let path = folder.join(format!("{}{}", prefix(), home::random_suffix()));
        // It is locked before others can see it: one that is not is of a process that is gone.
        let hidden = path.with_extension("new");
        let lock = home::open_lock(&hidden)?;
        let unwritable = |source| HomeError::Unwritable {
            path: path.clone(),
            source,
        };
        lock.try_lock().map_err(|error| unwritable(error.into()))?;
        fs::rename(&hidden, &path).map_err(unwritable)?;
        Ok(Self {
            path,
            _lock: lock,
            stays: Cell::new(false),
        })
    }

    /// The database cannot be trusted any more.
    pub(super) fn stay(&self) {
        self.stays.set(true);
    }
}

impl Drop for OpenMark {
    fn drop(&mut self) {
        if !self.stays.get() {
            // Were it to stay, the database would be checked once more.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Marks of processes that did not end in order.
pub(super) fn left_over(folder: &Path) -> Result<Vec<PathBuf>, HomeError> {
    let mut paths = Vec::new();
    for entry in home::entries(folder)? {
        let name = entry.file_name();
        let is_mark = name.to_str().is_some_and(|name| {
            name.strip_prefix(prefix().as_str())
                .is_some_and(|rest| rest.ends_with(".tmp"))
        });
        // One that cannot be opened was taken away just now.
        if is_mark
            && let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            paths.push(entry.path());
        }
    }
    Ok(paths)
}

/// The database was checked.
pub(super) fn take_away(paths: Vec<PathBuf>) {
    for path in paths {
        // Another process may have done the same.
        let _ = fs::remove_file(path);
    }
}

fn prefix() -> String {
    format!("{FILE}-open")
}
