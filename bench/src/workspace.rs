//! Where the workspace is.

use std::path::PathBuf;

use anyhow::{Context, Result};

/// The workspace's folder.
///
/// Not by `env!`: two clones that share a target folder may share this binary.
pub(crate) fn root() -> Result<PathBuf> {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
        .context("start it as `cargo xtask bench` or `cargo run --release -p recado-bench`")?;
    let bench = PathBuf::from(manifest);
    let root = bench.parent().context("bench/ stands in the workspace")?;
    Ok(root.to_owned())
}
