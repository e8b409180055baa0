//! The packages, as `cargo metadata` tells them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::cargo;

/// A package of the workspace, or one that it depends on.
#[derive(Default)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    /// An SPDX expression.
    pub(super) licence: Option<String>,
    /// Relative to the workspace's folder, for our own packages.
    pub(super) manifest: PathBuf,
    pub(super) is_ours: bool,
    /// As declared, whether a feature or a platform brings them in or not.
    pub(super) dependencies: Vec<Dependency>,
}

/// A dependency that a manifest declares.
pub(super) struct Dependency {
    /// The package's own name, even where it is renamed.
    pub(super) name: String,
    /// Used by tests only.
    pub(super) is_dev: bool,
}

/// All packages of the lock file, for all platforms.
pub(super) fn read(root: &Path) -> Result<Vec<Package>> {
    let output = cargo::command(root, &["metadata", "--format-version", "1", "--locked"])
        .output()
        .context("cannot run cargo metadata")?;
    ensure!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let members = list(&metadata, "workspace_members")?;
    list(&metadata, "packages")?
        .iter()
        .map(|package| {
            let manifest = Path::new(text(package, "manifest_path")?);
            Ok(Package {
                name: text(package, "name")?.to_owned(),
                version: text(package, "version")?.to_owned(),
                licence: package["license"].as_str().map(str::to_owned),
                manifest: manifest.strip_prefix(root).unwrap_or(manifest).to_owned(),
                is_ours: members.contains(&package["id"]),
                dependencies: list(package, "dependencies")?
                    .iter()
                    .map(|dependency| {
                        Ok(Dependency {
                            name: text(dependency, "name")?.to_owned(),
                            is_dev: dependency["kind"] == "dev",
                        })
                    })
                    .collect::<Result<_>>()?,
            })
        })
        .collect()
}

fn list<'a>(value: &'a Value, key: &str) -> Result<&'a Vec<Value>> {
    value[key]
        .as_array()
        .with_context(|| format!("cargo metadata has no list {key}"))
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    value[key]
        .as_str()
        .with_context(|| format!("cargo metadata has no text {key}"))
}
