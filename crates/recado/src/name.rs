//! `recado name`: the names that a person has, and moving one to another machine.

use std::path::{Path, PathBuf};

use recado_client::home::Home;
use recado_client::names::{self, KnownName, MoveError, Passphrase, Standing};
use recado_client::trust::TrustStore;
use recado_proto::name::Name;
use zeroize::Zeroizing;

use crate::cli::{self, NameCommand};
use crate::context::{Context, Exit};
use crate::{secret, terminal, wording};

/// Where a passphrase may stand. Never among the arguments, which everybody on the machine can read.
const VARIABLE: &str = "RECADO_PASSPHRASE";

/// Lists, exports or imports.
pub(crate) async fn run(context: &Context, arguments: cli::Names) -> Exit {
    let done = match arguments.command {
        NameCommand::List => list(context),
        NameCommand::Export { name, file } => export(context, &name, file).await,
        NameCommand::Import { file } => import(context, file).await,
    };
    match done {
        Ok(()) => Exit::Done,
        Err(exit) => exit,
    }
}

/// A line a name: `HOST:PORT[,…] name key free|in-use|retired`. A server without an address is its fingerprint.
fn list(context: &Context) -> Result<(), Exit> {
    let home = context.client_home()?;
    let names = known(context, &home)?;
    if names.is_empty() {
        context.notice(&context.text("name-none", &[]));
    }
    for name in names {
        let key = name.key.map_or("-".to_owned(), |key| key.to_string());
        let standing = name.standing.as_str();
        // Nobody reading any more is no failure of what was asked.
        let _ = terminal::say(&format!("{} {} {key} {standing}", server(&name), name.name));
    }
    Ok(())
}

fn server(name: &KnownName) -> String {
    if name.servers.is_empty() {
        name.root.to_string()
    } else {
        name.servers.join(",")
    }
}

async fn export(context: &Context, name: &str, file: PathBuf) -> Result<(), Exit> {
    let home = context.client_home()?;
    let chosen = choose(context, &home, name)?;
    // What would be refused anyway is refused before a passphrase is thought out.
    let refused = match chosen.standing {
        Standing::Free => None,
        Standing::InUse => Some("identity-in-use"),
        Standing::Retired => Some("identity-retired"),
    };
    if let Some(id) = refused {
        context.complain(&context.text(id, &[("name", &chosen.name)]));
        return Err(Exit::Failed);
    }
    if file.exists() {
        return Err(failed(context, &MoveError::FileExists { path: file }));
    }
    let passphrase = passphrase(context, Asking::Twice)?;
    let path = file.clone();
    let moved = tokio::task::spawn_blocking(move || {
        names::export(&home, &chosen.root, &chosen.name, &file, passphrase).map(|()| chosen)
    });
    let chosen = finished(context, moved.await)?;
    context.notice(&context.text(
        "name-exported",
        &[
            ("name", &chosen.name),
            ("server", &server(&chosen)),
            ("path", &path.display().to_string()),
        ],
    ));
    Ok(())
}

async fn import(context: &Context, file: PathBuf) -> Result<(), Exit> {
    let home = context.client_home()?;
    let passphrase = passphrase(context, Asking::Once)?;
    let moved = tokio::task::spawn_blocking(move || names::import(&home, &file, passphrase));
    let imported = finished(context, moved.await)?;
    for pin in &imported.conflicts {
        // Said also to those who want quiet: it is not what was asked for.
        terminal::tell(&context.text(
            "name-import-conflict",
            &[
                ("server", &pin.server()),
                ("fingerprint", &pin.root.to_string()),
                ("new", &imported.root.to_string()),
            ],
        ));
    }
    let server = imported.servers.first().cloned();
    let id = if imported.was_here {
        "name-was-here"
    } else {
        "name-imported"
    };
    context.notice(&context.text(
        id,
        &[
            ("name", &imported.name),
            ("server", &server.unwrap_or("HOST:PORT".to_owned())),
        ],
    ));
    Ok(())
}

fn known(context: &Context, home: &Home) -> Result<Vec<KnownName>, Exit> {
    names::list(home).map_err(|error| failed(context, &error))
}

/// The one identity that is meant: of that name, and at the server that was given if one was.
fn choose(context: &Context, home: &Home, typed: &str) -> Result<KnownName, Exit> {
    let folded = Name::parse(typed).map(|name| name.keys().folded);
    let mut known = known(context, home)?;
    known.retain(|name| folded.as_ref().is_ok_and(|folded| name.name == *folded));
    if let Some(server) = &context.common.server {
        let pins = TrustStore::new(home.clone()).show(server);
        let pins = pins.map_err(|error| failed(context, &error.into()))?;
        known.retain(|name| pins.iter().any(|pin| pin.root == name.root));
    }
    if known.len() > 1 {
        let servers: Vec<_> = known.iter().map(server).collect();
        let (name, servers) = (&known[0].name, servers.join("; "));
        context.complain(&context.text("name-several", &[("name", name), ("servers", &servers)]));
        return Err(Exit::WrongUse);
    }
    known.pop().ok_or_else(|| {
        let name = typed.to_owned();
        failed(context, &MoveError::NotHere { name })
    })
}

fn finished<T>(
    context: &Context,
    moved: Result<Result<T, MoveError>, tokio::task::JoinError>,
) -> Result<T, Exit> {
    match moved {
        Ok(moved) => moved.map_err(|error| failed(context, &error)),
        // A panic has been told by itself.
        Err(_) => Err(Exit::Failed),
    }
}

fn failed(context: &Context, error: &MoveError) -> Exit {
    context.complain(&describe(context, error));
    Exit::Failed
}

fn describe(context: &Context, error: &MoveError) -> String {
    let with = |id: &str, path: &Path| context.text(id, &[("path", &path.display().to_string())]);
    match error {
        MoveError::Identity(error) => wording::identity(context.language, error),
        MoveError::Home(error) => wording::home(context.language, error),
        MoveError::Store(error) => wording::store(context.language, error),
        MoveError::NotHere { name } => {
            let name = recado_proto::text::sanitise_line(name);
            context.text("name-not-here", &[("name", &name)])
        }
        MoveError::AnotherKey { name, folder } => context.text(
            "name-another-key",
            &[("name", name), ("path", &folder.display().to_string())],
        ),
        MoveError::FileExists { path } => with("name-file-exists", path),
        MoveError::File { path, source } => context.text(
            "name-file",
            &[
                ("path", &path.display().to_string()),
                ("cause", &source.to_string()),
            ],
        ),
        MoveError::Messages { path, source } => context.text(
            "name-file",
            &[
                ("path", &path.display().to_string()),
                ("cause", &source.to_string()),
            ],
        ),
        MoveError::WrongPassphrase { path } => with("name-wrong-passphrase", path),
        MoveError::Foreign { path } => with("name-foreign", path),
        MoveError::Damaged { path } => with("name-damaged", path),
        MoveError::Newer { path } => with("name-newer", path),
    }
}

/// How often a person is asked for a passphrase.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asking {
    Once,
    /// A new one, where a slip would lose the file.
    Twice,
}

/// The passphrase: from the variable, from the person, or a line of standard input.
fn passphrase(context: &Context, asking: Asking) -> Result<Passphrase, Exit> {
    let given = std::env::var(VARIABLE).map(Zeroizing::new);
    let is_asked = given.is_err() && context.is_interactive();
    let mut text = match given {
        Ok(text) => text,
        Err(_) => secret::take(context, "passphrase-prompt")?,
    };
    if is_asked && asking == Asking::Twice && text != secret::take(context, "passphrase-again")? {
        context.complain(&context.text("passphrase-differs", &[]));
        return Err(Exit::WrongUse);
    }
    Passphrase::new(std::mem::take(&mut *text)).ok_or_else(|| {
        context.complain(&context.text("passphrase-missing", &[("variable", VARIABLE)]));
        Exit::WrongUse
    })
}
