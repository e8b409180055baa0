//! Campaigns against what is promised, and their controls: builds in which a promise is broken on purpose, and against
//! which the campaigns must fail.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};

use crate::cargo;

/// Seconds that a campaign takes unless said otherwise.
const SECONDS: &str = "600";

/// Seconds that a control may take until it is seen to fail.
const CONTROL_SECONDS: &str = "120";

/// An even one: the server is not put back to an older copy, which would excuse what it loses.
const CONTROL_SEED: &str = "2";

/// Before the name of a control in the name under which cargo calls this program instead of the compiler.
const WRAPPER: &str = "control-";

/// A promise that is broken on purpose: `--cfg recado_control="…"`, and the campaign that must notice.
struct Control {
    name: &'static str,
    breaks: &'static str,
    campaign: &'static str,
}

const CONTROLS: [Control; 3] = [
    Control {
        name: "numbers",
        breaks: "neither side looks at the numbers of a lane",
        campaign: "campaign::random",
    },
    Control {
        name: "early",
        breaks: "the server says stored before it has committed",
        campaign: "campaign::random",
    },
    Control {
        name: "nosync",
        breaks: "the server's database does not sync",
        campaign: "campaign::power",
    },
];

/// Runs `campaign kill [--seconds N] [--seed N]` or `campaign controls [NAME]`.
pub(crate) fn run(root: &Path, arguments: &[&str]) -> Result<()> {
    match arguments {
        ["kill", options @ ..] => {
            let mut command = test(root, "campaign::");
            command.env("RECADO_CAMPAIGN_SECONDS", SECONDS);
            let mut options = options.iter();
            while let Some(option) = options.next() {
                let value = options.next();
                let variable = match *option {
                    "--seconds" => "RECADO_CAMPAIGN_SECONDS",
                    "--seed" => "RECADO_CAMPAIGN_SEED",
                    other => bail!("no such option: {other}"),
                };
                let value = value.with_context(|| format!("{option} needs a number"))?;
                let _: u64 = value.parse().with_context(|| format!("{option} {value}"))?;
                command.env(variable, value);
            }
            cargo::run(
                &mut command,
                "What was promised was not kept; the seed is above.",
            )
        }
        ["controls"] => CONTROLS.iter().try_for_each(|control| control.run(root)),
        ["controls", name] => match CONTROLS.iter().find(|control| control.name == *name) {
            Some(control) => control.run(root),
            None => bail!("no control is called {name}"),
        },
        _ => bail!("campaign kill [--seconds N] [--seed N], or campaign controls [NAME]"),
    }
}

/// The campaigns' tests; one after the other, so that each has the machine for itself.
fn test(root: &Path, campaign: &str) -> Command {
    let mut command = cargo::command(root, &["test", "--package", "recado"]);
    command.args(["--test", "end_to_end", campaign, "--"]);
    command.args(["--nocapture", "--test-threads=1"]);
    command
}

impl Control {
    /// Builds recado so, in the same target folder, and sees the campaign fail.
    fn run(&self, root: &Path) -> Result<()> {
        println!("control {}: {}", self.name, self.breaks);
        let mut command = test(root, self.campaign);
        command
            .env("RUSTC_WORKSPACE_WRAPPER", self.wrapper(root)?)
            .env("RECADO_CAMPAIGN_SECONDS", CONTROL_SECONDS)
            .env("RECADO_CAMPAIGN_SEED", CONTROL_SEED);
        let output = command.output().context("cargo does not run")?;
        let said = String::from_utf8_lossy(&output.stdout);
        let complained = String::from_utf8_lossy(&output.stderr);
        ensure!(
            said.contains("running ") && said.contains("test result: "),
            "the control {} was not built:\n{complained}",
            self.name
        );
        ensure!(
            !output.status.success(),
            "the control {} was not noticed: {}",
            self.name,
            self.breaks
        );
        let why = complained
            .lines()
            .find(|line| line.contains("broken promises") || line.contains("are missing"));
        println!("  noticed: {}", why.unwrap_or("it failed").trim());
        Ok(())
    }

    /// This program under the name of the control: cargo builds the workspace anew for each name, and nothing else.
    fn wrapper(&self, root: &Path) -> Result<PathBuf> {
        let target =
            env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let folder = target.join("controls");
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let wrapper = folder.join(format!("{WRAPPER}{}", self.name));
        if fs::symlink_metadata(&wrapper).is_ok() {
            fs::remove_file(&wrapper).with_context(|| wrapper.display().to_string())?;
        }
        symlink(env::current_exe()?, &wrapper).with_context(|| wrapper.display().to_string())?;
        Ok(wrapper)
    }
}

/// Where cargo has called us as a control's wrapper: the compiler, with the control switched on.
pub(crate) fn compile_control() -> Option<ExitCode> {
    let mut arguments = env::args_os();
    let called = PathBuf::from(arguments.next()?);
    let control = called.file_name()?.to_str()?.strip_prefix(WRAPPER)?;
    let error = Command::new(arguments.next()?)
        .args(arguments)
        .arg("--cfg")
        .arg(format!("recado_control=\"{control}\""))
        .exec();
    eprintln!("error: the compiler does not run: {error}");
    Some(ExitCode::FAILURE)
}
