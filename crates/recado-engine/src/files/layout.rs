//! Where the files of an offered folder go: a path of safe names for each, all different, within the folder.

use std::collections::BTreeMap;

use recado_proto::file::ListEntry;

use super::name::{component, numbered};

/// Folders within folders at most; deeper ones are nobody's.
const MAX_DEPTH: usize = 64;

/// A list that nobody makes in good faith.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LayoutError {
    /// Folders within folders without end.
    #[error("folders are nested too deep")]
    TooDeep,
    /// More than was offered, in number or size.
    #[error("the list is not what was offered")]
    NotAsOffered,
}

/// The paths of a folder's files, in the order of the list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout {
    paths: Vec<Vec<String>>,
}

/// A folder while paths are made.
#[derive(Default)]
struct Folder {
    /// The folders in it, by the names that they were given.
    folders: BTreeMap<String, (String, Self)>,
    /// Names that are taken, in lower case: some file systems make no difference.
    taken: BTreeMap<String, u32>,
}

impl Layout {
    /// Makes the paths. The same list always gets the same.
    ///
    /// # Errors
    /// [`LayoutError::TooDeep`].
    pub fn new(entries: &[ListEntry]) -> Result<Self, LayoutError> {
        let mut top = Folder::default();
        let mut paths = Vec::with_capacity(entries.len());
        for entry in entries {
            let mut parts: Vec<&str> = entry
                .path
                .split('/')
                .filter(|part| !part.is_empty() && *part != ".")
                .collect();
            if parts.len() > MAX_DEPTH {
                return Err(LayoutError::TooDeep);
            }
            let last = match entry.is_folder {
                true => None,
                false => Some(parts.pop().unwrap_or_default()),
            };
            let mut path = Vec::new();
            let mut folder = &mut top;
            for part in parts {
                folder = folder.enter(part, &mut path);
            }
            if let Some(last) = last {
                path.push(folder.take(last));
            }
            paths.push(path);
        }
        Ok(Self { paths })
    }

    /// The parts of each path.
    pub fn paths(&self) -> &[Vec<String>] {
        &self.paths
    }
}

impl Folder {
    fn enter<'a>(&'a mut self, part: &str, path: &mut Vec<String>) -> &'a mut Self {
        if !self.folders.contains_key(part) {
            let name = self.take(part);
            self.folders
                .insert(part.to_owned(), (name, Self::default()));
        }
        let (name, folder) = self.folders.entry(part.to_owned()).or_default();
        path.push(name.clone());
        folder
    }

    /// A name that nothing else in this folder has.
    fn take(&mut self, part: &str) -> String {
        let safe = component(part);
        let mut name = safe.clone();
        // What comes after one that was numbered begins where that ended, so that many alike take no longer.
        let mut number = self.taken.get(&safe.to_lowercase()).copied().unwrap_or(1);
        while self.taken.contains_key(&name.to_lowercase()) {
            number = number.saturating_add(1);
            name = numbered(&safe, number);
        }
        self.taken.insert(safe.to_lowercase(), number);
        self.taken.entry(name.to_lowercase()).or_insert(1);
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(list: &[&str]) -> Vec<String> {
        let entry = |path: &&str| ListEntry {
            path: path.trim_end_matches('/').to_owned(),
            size: 0,
            is_folder: path.ends_with('/'),
        };
        let entries: Vec<_> = list.iter().map(entry).collect();
        let layout = Layout::new(&entries).unwrap();
        layout.paths().iter().map(|path| path.join("/")).collect()
    }

    #[test]
    fn ordinary_folders_stay_as_they_are() {
        let list = [
            "a.txt",
            "photos/1.jpg",
            "photos/2.jpg",
            "photos/old/",
            "ü/é",
        ];
        let made = paths(&list);
        assert_eq!(
            made,
            ["a.txt", "photos/1.jpg", "photos/2.jpg", "photos/old", "ü/é"]
        );
    }

    #[test]
    fn nothing_leaves_the_folder_hides_in_it_or_writes_over_another() {
        let list = [
            "../../etc/passwd",
            "/etc/passwd",
            "a/../b",
            ".git/config",
            "NUL/x",
            "a.txt",
            "A.TXT",
            "a.txt",
            "a.txt/inside",
            "x\\y",
            "",
            "./x",
        ];
        let made = paths(&list);
        assert_eq!(
            made,
            [
                "file/file/etc/passwd",
                "etc/passwd",
                "a/file/b",
                "_git/config",
                "_NUL/x",
                "a.txt",
                "A (2).TXT",
                "a (3).txt",
                "a (4).txt/inside",
                "x_y",
                "file (2)",
                "x",
            ]
        );
    }

    #[test]
    fn a_hundred_thousand_alike_take_no_longer() {
        let list = vec!["."; 100_000];
        let made = paths(&list);
        assert_eq!(made.last().map(String::as_str), Some("file (100000)"));
    }

    #[test]
    fn folders_without_end_are_refused() {
        let entry = ListEntry {
            path: "a/".repeat(1000),
            size: 0,
            is_folder: true,
        };
        assert_eq!(Layout::new(&[entry]), Err(LayoutError::TooDeep));
    }
}
