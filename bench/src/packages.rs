//! Programs that recado is compared with, installed where that can be done.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

/// Where servers are that an ordinary user's `PATH` does not name.
const MORE_FOLDERS: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];

/// Installs without starting what is installed, now (invoke-rc.d and systemd ask policy-rc.d) or with the
/// machine. A policy that is there already stays.
const INSTALL: &str = r#"
set -e
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
install() {
    apt-get -qq -y -o DPkg::Lock::Timeout=120 install --no-install-recommends "$@"
}
install "$@" || { apt-get -qq update && install "$@"; }
for package in "$@"; do
    if command -v systemctl > /dev/null; then
        systemctl --quiet disable "$package" 2> /dev/null || true
    fi
done
"#;

/// Provides programs that Debian has under their own names.
pub(crate) fn provide(programs: &[&str]) -> Result<()> {
    let own: Vec<_> = programs.iter().map(|name| (*name, *name)).collect();
    provide_from(&own)
}

/// Provides programs: each with the package that Debian has it in.
pub(crate) fn provide_from(programs: &[(&str, &str)]) -> Result<()> {
    let missing = || -> Vec<&str> {
        let missing = programs.iter().filter(|(name, _)| find(name).is_none());
        missing.map(|(_, package)| *package).collect()
    };
    let wanted = missing();
    if wanted.is_empty() {
        return Ok(());
    }
    println!(
        "installing with apt-get: {} (they are not started)",
        wanted.join(", ")
    );
    // Its own say goes to the terminal; what counts is what is there afterwards.
    let installed = if nix::unistd::geteuid().is_root() {
        run("sh", &["-c", INSTALL, "sh"], &wanted)
    } else {
        run("sudo", &["-n", "sh", "-c", INSTALL, "sh"], &wanted)
    };
    let missing = missing();
    if !missing.is_empty() {
        let why = if installed {
            "apt-get did not bring them"
        } else {
            "there is no apt-get, or no right to use it"
        };
        bail!("missing: {} ({why}); install them", missing.join(", "));
    }
    Ok(())
}

/// Where a program is.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(MORE_FOLDERS.map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

fn run(program: &str, arguments: &[&str], more: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .args(more)
        .stdin(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
