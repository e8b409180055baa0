//! Packages: what a release consists of, made from one binary.
//!
//! Debian's package is put together here and closed by dpkg-deb, rather than by cargo-deb, which every CI would have to
//! compile first; the bill of materials is read from what cargo knows.

mod bill;
mod debian;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::cargo;

/// The most bytes that the release binary may have: it had 17.8 MiB when this was set. Whoever exceeds it finds out why, and
/// raises it knowingly.
const MAX_BINARY: u64 = 24 << 20;

/// Makes everything in `target/package`, from the release build or from `--binary FILE`.
pub(crate) fn run(root: &Path, arguments: &[&str]) -> Result<()> {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let (binary, output) = match arguments {
        [] => (build(root, &target)?, target.join("package")),
        ["--binary", binary] => (PathBuf::from(binary), target.join("package")),
        ["--binary", binary, "--output", output] => (PathBuf::from(binary), PathBuf::from(output)),
        _ => bail!("write: cargo xtask package [--binary FILE [--output DIR]]"),
    };
    fs::create_dir_all(&output)?;
    let bill = bill::write(root, &output)?;
    let package = debian::build(root, &binary, &bill, &output)?;
    let program = output.join("recado");
    fs::copy(&binary, &program)?;
    checksums(&output, &[&package, &bill, &program])?;
    println!("   everything is in {}", output.display());
    Ok(())
}

/// The release binary, no larger than it may be.
fn build(root: &Path, target: &Path) -> Result<PathBuf> {
    let build = "build --release --locked --package recado --bin recado";
    let words: Vec<&str> = build.split(' ').collect();
    cargo::run(
        &mut cargo::command(root, &words),
        "Mend what the compiler says.",
    )?;
    let binary = target.join("release/recado");
    let size = fs::metadata(&binary)?.len();
    println!("   the binary has {size} bytes");
    ensure!(
        size <= MAX_BINARY,
        "the binary has {size} bytes, over {MAX_BINARY}: find out what made it grow, or raise MAX_BINARY in \
         xtask/src/package/mod.rs"
    );
    Ok(binary)
}

/// `SHA256SUMS`, as `sha256sum --check` reads it.
fn checksums(folder: &Path, files: &[&Path]) -> Result<()> {
    let names = files.iter().filter_map(|file| file.file_name());
    let output = Command::new("sha256sum")
        .args(names)
        .current_dir(folder)
        .output()
        .context("cannot run sha256sum")?;
    ensure!(output.status.success(), "sha256sum: {}", output.status);
    fs::write(folder.join("SHA256SUMS"), output.stdout)?;
    Ok(())
}

/// Runs a command that says why it fails.
fn run_tool(command: &mut Command) -> Result<Vec<u8>> {
    let shown = cargo::shown(command);
    let output = command
        .output()
        .with_context(|| format!("cannot run {shown}"))?;
    ensure!(
        output.status.success(),
        "{shown}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(output.stdout)
}
