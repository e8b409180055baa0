//! Fuzzing: the programs of `fuzz/targets`, each for a while.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};

use crate::cargo;

/// How long each target runs, in seconds, unless said otherwise: long enough to reach what the kept inputs lead to.
const SECONDS: u32 = 60;

/// What one input may take, in seconds. The slowest calculation takes some milliseconds.
const SLOW: u32 = 5;

/// What is to run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan<'a> {
    /// One target; all if `None`.
    target: Option<&'a str>,
    seconds: u32,
}

impl<'a> Plan<'a> {
    /// Reads `[TARGET] [--seconds N]`.
    pub(crate) fn parse(arguments: &[&'a str]) -> Result<Self> {
        let mut plan = Self {
            target: None,
            seconds: SECONDS,
        };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match *argument {
                "--seconds" => {
                    let seconds = rest.next().context("--seconds needs a number")?;
                    plan.seconds = seconds.parse().context(format!("--seconds {seconds}"))?;
                    // 0 is without end to libFuzzer.
                    ensure!(plan.seconds > 0, "--seconds 0 would run nothing");
                }
                option if option.starts_with('-') => bail!("no such option: {option}"),
                target if plan.target.is_none() => plan.target = Some(target),
                more => bail!("one target or all, not also {more}"),
            }
        }
        Ok(plan)
    }

    /// Runs it, up to the first input for which recado does not keep its word.
    pub(crate) fn run(&self, root: &Path) -> Result<()> {
        let targets = targets(root)?;
        let chosen: Vec<_> = match self.target {
            None => targets,
            Some(target) if targets.iter().any(|it| it == target) => vec![target.to_owned()],
            Some(target) => bail!("no target {target}; there are {}", targets.join(", ")),
        };
        provide_cargo_fuzz(root)?;
        for target in chosen {
            self.run_target(root, &target)?;
        }
        Ok(())
    }

    fn run_target(&self, root: &Path, target: &str) -> Result<()> {
        let built =
            env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let built = built.join("fuzz");
        // What the fuzzer finds of interest goes here, and makes the next run quicker.
        let found = built.join("corpus").join(target);
        fs::create_dir_all(&found).with_context(|| found.display().to_string())?;
        // No sanitizer: there is no unsafe code of ours for it to watch.
        let mut command = cargo::command(root, &["fuzz", "run", "--sanitizer", "none"]);
        command
            .args(["--fuzz-dir", "fuzz/targets", "--target-dir"])
            .arg(&built)
            .arg(target)
            .arg(&found)
            .arg(root.join("fuzz/corpus").join(target))
            .arg("--")
            .arg(format!("-max_total_time={}", self.seconds))
            .arg(format!("-timeout={SLOW}"))
            // The fuzzer's flags, of the stable compiler.
            .env("RUSTC_BOOTSTRAP", "1");
        let remedy = format!(
            "Copy the input named above to fuzz/corpus/{target}/, where `cargo test -p recado-fuzz` runs it \
             from now on, and mend what it finds."
        );
        cargo::run(&mut command, &remedy)
    }
}

/// The names of all targets, in order.
fn targets(root: &Path) -> Result<Vec<String>> {
    let folder = root.join("fuzz/corpus");
    let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let mut targets = Vec::new();
    for entry in entries {
        targets.push(entry?.file_name().to_string_lossy().into_owned());
    }
    targets.sort();
    Ok(targets)
}

fn provide_cargo_fuzz(root: &Path) -> Result<()> {
    let mut asked = cargo::command(root, &["fuzz", "--version"]);
    let asked = asked.stdout(Stdio::null()).stderr(Stdio::null()).status();
    if asked.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    cargo::run(
        &mut cargo::command(root, &["install", "cargo-fuzz", "--locked"]),
        "Install cargo-fuzz yourself.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_a_target_and_a_time() {
        let plan = |target, seconds| Plan { target, seconds };
        assert_eq!(Plan::parse(&[]).unwrap(), plan(None, SECONDS));
        let both = Plan::parse(&["--seconds", "5", "text"]).unwrap();
        assert_eq!(both, plan(Some("text"), 5));
        for wrong in [
            &["--seconds"][..],
            &["--seconds", "x"],
            &["--seconds", "0"],
            &["--second", "5"],
            &["text", "number"],
        ] {
            assert!(Plan::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn every_target_has_kept_inputs_and_a_program() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let manifest = fs::read_to_string(root.join("fuzz/targets/Cargo.toml")).unwrap();
        let targets = targets(root).unwrap();
        for target in &targets {
            assert!(
                manifest.contains(&format!("path = \"{target}.rs\"")),
                "{target}"
            );
            assert!(root.join(format!("fuzz/targets/{target}.rs")).is_file());
        }
        assert_eq!(manifest.matches("[[bin]]").count(), targets.len());
    }
}
