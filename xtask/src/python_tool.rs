//! The one tool that the tests need from PyPI, in a folder of its own outside of the clone.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The tool with all that it needs, each at one version.
const REQUIREMENTS: &str = "crates/recado/tests/end_to_end/schemathesis.txt";

/// Installs schemathesis, unless it is there.
///
/// That it cannot be installed is no error: its test says so as `skipped: NAME: REASON`, and is counted.
pub(crate) fn provide(root: &Path) {
    match install(root) {
        Ok(()) => println!("   schemathesis is here"),
        Err(error) => println!("   no schemathesis, its test will be skipped: {error:#}"),
    }
}

fn install(root: &Path) -> Result<()> {
    let requirements = root.join(REQUIREMENTS);
    let text = std::fs::read_to_string(&requirements).context(REQUIREMENTS)?;
    let version = text
        .lines()
        .find_map(|line| line.strip_prefix("schemathesis=="))
        .context("the requirements name no schemathesis")?;
    // The test looks here too.
    let folder = cache()?.join(format!("recado-tests/schemathesis-{version}"));
    let bin = folder.join("bin");
    if run(Command::new(bin.join("schemathesis")).arg("--version")).is_ok() {
        return Ok(());
    }
    println!("   schemathesis {version} into {}", folder.display());
    run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&folder))?;
    run(Command::new(bin.join("pip"))
        .args(["install", "--quiet", "--requirement"])
        .arg(&requirements))
}

/// The user's folder for what can be had again.
fn cache() -> Result<PathBuf> {
    if let Some(cache) = env::var_os("XDG_CACHE_HOME") {
        return Ok(cache.into());
    }
    let home = env::var_os("HOME").context("there is no HOME")?;
    Ok(Path::new(&home).join(".cache"))
}

fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .with_context(|| format!("cannot run {program}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.trim().lines().last().unwrap_or_default();
    ensure!(
        output.status.success(),
        "{program}: {}: {last}",
        output.status
    );
    Ok(())
}
