//! Other systems than this one: whether the program compiles for those whose standard library is installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::cargo;

/// Targets that are to compile.
const TARGETS: [&str; 4] = [
    "x86_64-unknown-linux-musl",
    "x86_64-pc-windows-gnu",
    "x86_64-pc-windows-msvc",
    "aarch64-apple-darwin",
];

/// Checks each that can be checked here, and names the others.
pub(crate) fn check(root: &Path) -> Result<()> {
    let mut failed = Vec::new();
    for target in TARGETS {
        if !is_installed(target)? {
            println!("   {target}: not checked, it is not installed (rustup target add {target})");
            continue;
        }
        let arguments = [
            "check",
            "--locked",
            "--package",
            "recado",
            "--target",
            target,
        ];
        if let Err(error) = cargo::run(
            &mut cargo::command(root, &arguments),
            "Keep what only one system has in a module marked so.",
        ) {
            println!("   {error:#}");
            failed.push(target);
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
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let told = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", target])
        .output()
        .context("cannot run rustc")?;
    let folder = PathBuf::from(String::from_utf8_lossy(&told.stdout).trim());
    Ok(told.status.success() && folder.is_dir())
}
