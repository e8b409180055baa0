//! `recado trust install`: what the browsers of this system need to accept a server's root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use recado_client::address::ServerAddress;
use recado_client::trust::{FirstUse, RootError, TrustStore, decide, root_certificate};

use crate::context::{Context, Exit};
use crate::{terminal, wording};

/// One thing to do.
struct Step {
    /// For which programs: a text's id.
    what: &'static str,
    command: Vec<String>,
    /// It changes what belongs to this user alone, so that it can be done here.
    is_own: bool,
}

/// Saves a known server's root, and prints what is to be done with it; with `apply`, does what needs no superuser.
pub(crate) async fn run(
    context: &Context,
    store: &TrustStore,
    host: &ServerAddress,
    apply: bool,
) -> Exit {
    let trusted = match store.show(host) {
        Ok(pins) if pins.is_empty() => {
            let server = host.to_string();
            context.complain(&context.text("store-not-known", &[("server", &server)]));
            return Exit::Failed;
        }
        Ok(_) => decide(store, host, context.given(), FirstUse::Refuse).await,
        Err(error) => Err(error.into()),
    };
    let trusted = match trusted {
        Ok(trusted) => trusted,
        Err(error) => {
            context.complain(&wording::trust(context.language, &error));
            return Exit::from_code(error.exit_code());
        }
    };
    let pem = match root_certificate(&trusted).await {
        Ok(pem) => pem,
        Err(RootError::Https(error)) => {
            context.complain(&wording::chain(&error));
            return Exit::from_code(error.exit_code());
        }
        Err(RootError::NotTheRoot) => {
            context.complain(&context.text("install-not-the-root", &[]));
            return Exit::NotTrusted;
        }
    };
    let root = match store.save_root(&trusted.root, &pem) {
        Ok(root) => root,
        Err(error) => {
            context.complain(&wording::home(context.language, &error));
            return Exit::Failed;
        }
    };
    let server = trusted.server();
    let path = root.display().to_string();
    context.notice(&context.text("install-saved", &[("server", &server), ("path", &path)]));
    let mut exit = Exit::Done;
    for step in steps(&root, &trusted.root.to_url()) {
        let line = shell_line(&step.command);
        context.notice(&context.text(step.what, &[]));
        // Nobody reading any more is no failure of what was asked.
        let _ = terminal::say(&line);
        if apply && step.is_own {
            match perform(&step.command) {
                Ok(()) => context.notice(&context.text("install-done", &[])),
                Err(cause) => {
                    context.complain(&context.text("install-failed", &[("cause", &cause)]));
                    exit = Exit::Failed;
                }
            }
        }
    }
    exit
}

/// What there is to do on this system.
fn steps(root: &Path, fingerprint: &str) -> Vec<Step> {
    let path = root.display().to_string();
    // Roots of several servers stand side by side, under names of their own.
    let name = format!("recado {fingerprint}");
    let words = |words: &[&str]| {
        words
            .iter()
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
    };
    let mut steps = Vec::new();
    if cfg!(target_os = "macos") {
        steps.push(Step {
            what: "install-macos",
            command: words(&["security", "add-trusted-cert", "-r", "trustRoot", &path]),
            is_own: true,
        });
        return steps;
    }
    let home = std::env::var_os("HOME")
        .map(PathBuf::from)
        .unwrap_or_default();
    let mut databases = vec![("install-chromium", home.join(".pki/nssdb"))];
    for firefox in [".mozilla/firefox", "snap/firefox/common/.mozilla/firefox"] {
        let profiles = fs::read_dir(home.join(firefox))
            .into_iter()
            .flatten()
            .flatten();
        let profiles = profiles.map(|entry| entry.path());
        databases.extend(
            profiles
                .filter(|profile| profile.join("cert9.db").is_file())
                .map(|profile| ("install-firefox", profile)),
        );
    }
    for (what, database) in databases {
        let database = format!("sql:{}", database.display());
        let mut command = words(&["certutil", "-A", "-d", &database, "-n", &name]);
        command.extend(words(&["-t", "C,,", "-i", &path]));
        steps.push(Step {
            what,
            command,
            is_own: true,
        });
    }
    let system = if Path::new("/usr/sbin/update-ca-certificates").exists() {
        let target = format!("/usr/local/share/ca-certificates/recado-{fingerprint}.crt");
        let copy = shell_line(&words(&["cp", &path, &target]));
        words(&[
            "sudo",
            "sh",
            "-c",
            &format!("{copy} && update-ca-certificates"),
        ])
    } else {
        words(&["sudo", "trust", "anchor", &path])
    };
    steps.push(Step {
        what: "install-system",
        command: system,
        is_own: false,
    });
    steps
}

/// Does it, or says why not.
fn perform(command: &[String]) -> Result<(), String> {
    let [program, arguments @ ..] = command else {
        return Ok(());
    };
    // certutil makes a database, but not the folder that it is in.
    if let Some(database) = arguments.iter().find_map(|it| it.strip_prefix("sql:"))
        && !Path::new(database).join("cert9.db").exists()
    {
        fs::create_dir_all(database).map_err(|error| error.to_string())?;
        run_quietly(
            program,
            &["-N", "-d", &format!("sql:{database}"), "--empty-password"],
        )?;
    }
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    run_quietly(program, &arguments)
}

fn run_quietly(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program}: {}", said.trim()))
}

/// A command as a shell takes it.
fn shell_line(command: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,+@%".contains(c);
    let words = command.iter().map(|word| {
        if !word.is_empty() && word.chars().all(plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_a_shell_takes_for_the_same_words() {
        let words = ["sudo", "sh", "-c", "cp 'a b' /c && d", "it's", ""];
        let line = shell_line(&words.map(str::to_owned));
        assert_eq!(line, r"sudo sh -c 'cp '\''a b'\'' /c && d' 'it'\''s' ''");
    }
}
