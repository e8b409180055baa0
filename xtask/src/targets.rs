//! Other systems than this one: whether the program compiles for those whose standard library is installed.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::cargo;

/// A target that is to compile.
struct Target {
    name: &'static str,
    /// What compiles C for it, unless `CC_…` names something else.
    compiler: &'static str,
}

const TARGETS: [Target; 4] = [
    Target {
        name: "x86_64-unknown-linux-musl",
        compiler: "musl-gcc",
    },
    Target {
        name: "x86_64-pc-windows-gnu",
        compiler: "x86_64-w64-mingw32-gcc",
    },
    Target {
        name: "x86_64-pc-windows-msvc",
        compiler: "clang-cl",
    },
    Target {
        name: "aarch64-apple-darwin",
        compiler: "xcrun",
    },
];

/// Checks each that can be checked here, and names the others.
pub(crate) fn check(root: &Path) -> Result<()> {
    let mut failed = Vec::new();
    for target in TARGETS {
        let name = target.name;
        if !is_installed(name)? {
            println!("   {name}: not checked, it is not installed (rustup target add {name})");
            continue;
        }
        if !target.has_compiler() {
            let compiler = target.compiler;
            println!("   {name}: not checked, there is no C compiler for it ({compiler})");
            continue;
        }
        let arguments = ["check", "--locked", "--package", "recado", "--target", name];
        if let Err(error) = cargo::run(
            &mut cargo::command(root, &arguments),
            "Keep what only one system has in a module marked so.",
        ) {
            println!("   {error:#}");
            failed.push(name);
        }
    }
    ensure!(
        failed.is_empty(),
        "these do not compile: {}",
        failed.join(", ")
    );
    Ok(())
}

/// Whether the target's standard library is here.
fn is_installed(target: &str) -> Result<bool> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let told = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", target])
        .output()
        .context("cannot run rustc")?;
    let folder = PathBuf::from(String::from_utf8_lossy(&told.stdout).trim());
    Ok(told.status.success() && folder.is_dir())
}

impl Target {
    fn has_compiler(&self) -> bool {
        let variable = format!("CC_{}", self.name.replace('-', "_"));
        let path = env::var_os("PATH").unwrap_or_default();
        let names = [self.compiler.to_owned(), format!("{}.exe", self.compiler)];
        let mut folders = env::split_paths(&path);
        let is_there = |folder: PathBuf| names.iter().any(|name| folder.join(name).is_file());
        env::var_os(variable).is_some() || folders.any(is_there)
    }
}
