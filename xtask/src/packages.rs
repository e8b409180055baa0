//! What the tests need from the system beyond the Rust toolchain and a C compiler.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use anyhow::{Context, Result, ensure};

/// What some test needs, and how Debian names it.
struct SystemPackage {
    what: &'static str,
    /// As `apt-get install` takes it: a name, or a regular expression.
    package: &'static str,
    /// Whether what the test needs is here, wherever it came from.
    is_here: fn() -> bool,
    /// Which test needs it, and for what.
    why: &'static str,
}

/// All of them. A new one is one entry more.
const PACKAGES: [SystemPackage; 14] = [
    SystemPackage {
        what: "curl",
        package: "curl",
        is_here: || runs("curl", &["--version"]),
        why: "a client that is not ours asks the calculator",
    },
    SystemPackage {
        what: "ip",
        package: "iproute2",
        is_here: || runs("ip", &["-V"]),
        why: "networks of the tests' own",
    },
    SystemPackage {
        what: "nft",
        package: "nftables",
        is_here: || runs("nft", &["--version"]),
        why: "networks that lose datagrams",
    },
    SystemPackage {
        what: "unshare, nsenter, setpriv and setsid",
        package: "util-linux",
        is_here: || {
            ["unshare", "nsenter", "setpriv", "setsid"]
                .iter()
                .all(|tool| runs(tool, &["--version"]))
        },
        why: "networks and terminals of the tests' own, and rights given up",
    },
    SystemPackage {
        what: "strace",
        package: "strace",
        is_here: || runs("strace", &["-V"]),
        why: "processes end at a write or a sync, and lose what was not synced",
    },
    SystemPackage {
        what: "python3",
        package: "python3",
        is_here: || runs("python3", &["-c", "pass"]),
        why: "recado-calc's answers are compared with an independent oracle",
    },
    SystemPackage {
        what: "python3's cryptography",
        package: "python3-cryptography",
        // Debian's is Debian's own Python's, which may not be the first.
        is_here: || {
            ["python3", "/usr/bin/python3"]
                .iter()
                .any(|python| runs(python, &["-c", "import cryptography"]))
        },
        why: "the protocol's test vectors are computed from the document alone",
    },
    SystemPackage {
        what: "systemd",
        package: "systemd",
        is_here: || {
            runs("systemd-analyze", &["--version"]) && Path::new("/lib/systemd/systemd").exists()
        },
        why: "the unit is judged, and the package installed under a systemd of the test's own",
    },
    SystemPackage {
        what: "socat",
        package: "socat",
        is_here: || runs("socat", &["-V"]),
        why: "a link that delays and reorders packets, behind a TUN device",
    },
    SystemPackage {
        what: "python3's venv",
        package: "python3-venv",
        is_here: || runs("python3", &["-c", "import ensurepip, venv"]),
        why: "schemathesis, which holds the API to its description, gets a folder of its own",
    },
    SystemPackage {
        what: "pebble",
        package: "pebble",
        is_here: || {
            ["pebble", "pebble-challtestsrv"]
                .iter()
                .all(|tool| runs_at_all(tool))
        },
        why: "certificates are asked of a CA",
    },
    SystemPackage {
        what: "certutil",
        package: "libnss3-tools",
        is_here: || runs_at_all("certutil"),
        why: "a root is put where browsers look for it",
    },
    SystemPackage {
        what: "chromium",
        package: "chromium",
        is_here: || runs("chromium", &["--version"]),
        why: "the web page is used in a browser",
    },
    SystemPackage {
        what: "python3's decimaltestdata",
        // Debian 12 has it with the minor version in its name only.
        package: r"^libpython3(\.[0-9]+)?-testsuite$",
        is_here: has_decimal_vectors,
        why: "recado-calc runs the General Decimal Arithmetic vectors",
    },
];

/// Installs what is missing, if we may.
///
/// What stays missing is no error: the tests that need it say so as `skipped: NAME: REASON`, and are
/// counted.
pub(crate) fn provide() -> Result<()> {
    let missing: Vec<_> = PACKAGES.iter().filter(|it| !(it.is_here)()).collect();
    if missing.is_empty() {
        println!("   all {} are here", PACKAGES.len());
        return Ok(());
    }
    for package in &missing {
        println!("   missing: {} ({})", package.what, package.why);
    }
    match AptGet::find() {
        Ok(mut apt_get) => {
            for package in &missing {
                if let Err(error) = apt_get.install(package.package) {
                    println!("   {error:#}");
                }
            }
        }
        Err(error) => println!("   not installing: {error:#}"),
    }
    for package in missing.iter().filter(|it| !(it.is_here)()) {
        println!(
            "   still missing: {}: the tests that need it will be named and counted as skipped; \
             with CI=true that fails the run",
            package.what
        );
    }
    Ok(())
}

/// `apt-get` with the rights to install.
struct AptGet {
    /// What gives those rights: nothing for root, else `sudo`.
    prefix: &'static [&'static str],
    /// Whether the package lists were fetched by us.
    updated: bool,
}

impl AptGet {
    fn find() -> Result<Self> {
        ensure!(
            runs("apt-get", &["--version"]),
            "this system has no apt-get; install the like of them by its own means"
        );
        let id = Command::new("id").arg("-u").output().context("id -u")?;
        let prefix: &[&str] = if id.stdout.trim_ascii() == b"0" {
            &[]
        } else {
            // -n: never ask for a password, nobody may be there to type it.
            ensure!(
                runs("sudo", &["-n", "true"]),
                "not root, and sudo is not there or wants a password; run `apt-get install` yourself"
            );
            &["sudo", "-n"]
        };
        Ok(Self {
            prefix,
            updated: false,
        })
    }

    /// Installs one package; fetches the package lists only if it cannot be had without.
    fn install(&mut self, package: &str) -> Result<()> {
        let install = ["install", "--no-install-recommends", package];
        if self.run(&install).is_ok() {
            return Ok(());
        }
        if !self.updated {
            self.updated = true;
            println!("   once more, with fresh package lists");
            self.run(&["update"])?;
            return self.run(&install);
        }
        Err(anyhow::anyhow!("apt-get cannot install {package}"))
    }

    fn run(&self, arguments: &[&str]) -> Result<()> {
        // `env` on the command line, because sudo clears the environment. Another process may hold
        // dpkg's lock, as on a machine that has just started.
        let words = [
            self.prefix,
            &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"],
            &["-qq", "-y", "-o", "DPkg::Lock::Timeout=120"],
            arguments,
        ]
        .concat();
        println!("   {}", words.join(" "));
        let [program, rest @ ..] = &words[..] else {
            unreachable!("env is always there")
        };
        let status = Command::new(program)
            .args(rest)
            .stdin(Stdio::null())
            .status()
            .with_context(|| format!("cannot run {program}"))?;
        ensure!(
            status.success(),
            "apt-get {}: {status}",
            arguments.join(" ")
        );
        Ok(())
    }
}

/// Whether a program starts and succeeds. One that is only found may be a shim of nothing.
fn runs(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Whether a program starts: for those that can do nothing and succeed.
fn runs_at_all(program: &str) -> bool {
    Command::new(program)
        .arg("-help")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
}

/// Looks where `recado-calc/tests/general_decimal_arithmetic.rs` does.
fn has_decimal_vectors() -> bool {
    if env::var_os("RECADO_DECIMAL_VECTORS").is_some() {
        return true;
    }
    let asked = Command::new("python3")
        .args([
            "-c",
            "import os, test; print(os.path.dirname(test.__file__))",
        ])
        .output()
        .ok()
        .filter(|output| output.status.success())
        .map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    let installed = fs::read_dir("/usr/lib")
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("python3"))
        .map(|entry| entry.path().join("test"));
    asked
        .into_iter()
        .chain(installed)
        .any(|tests| holds_vectors(&tests))
}

fn holds_vectors(tests: &Path) -> bool {
    tests.join("decimaltestdata/add.decTest").is_file()
}
