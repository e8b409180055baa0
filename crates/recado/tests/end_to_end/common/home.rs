//! A folder that stands for a person's machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A home of recado's, alone in the world: no variable of the tester's reaches it.
pub(crate) struct Home(TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(TempDir::with_prefix("recado-").unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// The program, with this home.
    pub(crate) fn recado(&self, arguments: &[&str]) -> Command {
        let mut command = self.clean(env!("CARGO_BIN_EXE_recado"));
        command.args(arguments);
        command
    }

    /// Any program, in the same clean surroundings.
    pub(crate) fn clean(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path())
            .env("RECADO_HOME", self.path())
            .current_dir(self.path());
        command
    }

    /// A copy of everything in it: what a careful person carries to another machine.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::new();
        copy_folder(self.path(), copy.path());
        copy
    }
}

/// Copies what files and folders hold; not sockets.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            copy_folder(&entry.path(), &target);
        } else if kind.is_file() {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
