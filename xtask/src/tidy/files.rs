//! Our own text files: what is there, how long, and how neat.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Problem;

/// A text file of ours.
pub(super) struct File {
    /// Relative to the workspace's folder.
    pub(super) path: PathBuf,
    pub(super) text: String,
}

impl File {
    pub(super) fn has_extension(&self, extension: &str) -> bool {
        self.path.extension().is_some_and(|it| it == extension)
    }
}

/// Extensions of the files that are read.
const EXTENSIONS: [&str; 7] = ["css", "html", "js", "md", "proto", "rs", "toml"];

/// Where they hurt in other projects: well before, two ideas share a file.
const MAX_RUST_LINES: usize = 1_000;

/// What whoever comes here first, or writes another client, reads.
const DOCUMENTS: [&str; 5] = [
    "README.md",
    "README.pt-BR.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "docs/protocol.md",
];

/// Reads all text files below the root, in a fixed order.
pub(super) fn read(root: &Path) -> Result<Vec<File>> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let entry = entry?;
            let path = entry.path();
            let kind = entry.file_type()?;
            if kind.is_dir() && is_ours(&path) {
                folders.push(path);
            } else if kind.is_file()
                && path
                    .extension()
                    .is_some_and(|it| EXTENSIONS.iter().any(|extension| it == *extension))
            {
                files.push(File {
                    text: fs::read_to_string(&path).with_context(|| path.display().to_string())?,
                    path: path.strip_prefix(root)?.to_owned(),
                });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// Not a folder of git's, nor one that cargo, or another tool, has marked as a cache.
fn is_ours(folder: &Path) -> bool {
    !folder.ends_with(".git") && !folder.join("CACHEDIR.TAG").exists()
}

/// Checks presence, length and white space.
pub(super) fn check(files: &[File]) -> Vec<Problem> {
    let missing = DOCUMENTS
        .iter()
        .filter(|document| {
            !files
                .iter()
                .any(|file| file.path == Path::new(document) && !file.text.trim().is_empty())
        })
        .map(|document| format!("{document} is missing or empty. Write it."));
    missing.chain(files.iter().flat_map(check_file)).collect()
}

fn check_file(file: &File) -> Vec<Problem> {
    let path = file.path.display();
    let mut problems = Vec::new();
    let lines = file.text.lines().count();
    if file.has_extension("rs") && lines > MAX_RUST_LINES {
        problems.push(format!(
            "{path} has {lines} lines, over {MAX_RUST_LINES}. Part its ideas into files of their own."
        ));
    }
    // Not `lines()`, which would hide the carriage return of a line.
    for (number, line) in (1..).zip(file.text.split('\n')) {
        if line.contains('\t') {
            problems.push(format!("{path}:{number}: a tab. Write spaces, or `\\t`."));
        }
        if line.trim_end() != line {
            problems.push(format!(
                "{path}:{number}: white space at the end. Remove it."
            ));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> usize {
        check_file(&File {
            path: path.into(),
            text: text.to_owned(),
        })
        .len()
    }

    #[test]
    fn white_space_is_seen() {
        assert_eq!(problems("a.rs", "fn a() {\n    b\n}\n"), 0);
        assert_eq!(problems("a.md", "a  \nb\n"), 1);
        assert_eq!(problems("a.toml", "a\r\nb\n"), 1);
        assert_eq!(problems("a.proto", "\ta\n"), 1);
    }

    #[test]
    fn a_rust_file_has_an_end() {
        assert_eq!(problems("a.rs", &"a\n".repeat(MAX_RUST_LINES)), 0);
        assert_eq!(problems("a.rs", &"a\n".repeat(MAX_RUST_LINES + 1)), 1);
        assert_eq!(problems("a.md", &"a\n".repeat(MAX_RUST_LINES + 1)), 0);
    }

    #[test]
    fn a_document_is_there_and_says_something() {
        let with_text = |text: &str| -> Vec<File> {
            DOCUMENTS
                .iter()
                .map(|document| File {
                    path: document.into(),
                    text: text.to_owned(),
                })
                .collect()
        };
        assert_eq!(check(&with_text("text\n")), [""; 0]);
        assert_eq!(check(&with_text("\n")).len(), DOCUMENTS.len());
        assert_eq!(check(&[]).len(), DOCUMENTS.len());
    }
}
