//! The program that is measured: built as its users build it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::workspace;

/// Builds recado in release, and returns where a copy of the program is: another build into the same target folder
/// must not change what is measured between two rounds.
pub(crate) fn build(folder: &Path) -> Result<PathBuf> {
    println!("building recado");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--release", "--locked", "--package", "recado"])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(workspace::root()?)
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    ensure!(built.status.success(), "recado does not build");
    let program: PathBuf = String::from_utf8_lossy(&built.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == "recado")
        .find_map(|message| Some(message["executable"].as_str()?.into()))
        .context("cargo names no program")?;
    let copy = folder.join("recado");
    fs::copy(program, &copy)?;
    Ok(copy)
}
