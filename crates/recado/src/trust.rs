//! `recado trust`: which servers are remembered, and why.

use recado_client::address::ServerAddress;
use recado_client::trust::{Pin, StoreError, TrustStore, probe};
use time::format_description::well_known::Rfc3339;

use crate::cli::{self, TrustCommand};
use crate::context::{Context, Exit};
use crate::{install, terminal, wording};

/// Lists, shows, forgets or replaces.
pub(crate) async fn run(context: &Context, arguments: cli::Trust) -> Exit {
    let home = match context.client_home() {
        Ok(home) => home,
        Err(exit) => return exit,
    };
    let store = TrustStore::new(home);
    let done = match arguments.command {
        TrustCommand::List => store.list().map(|pins| show(context, &pins)),
        TrustCommand::Show { host } => match store.show(&host) {
            Ok(pins) if pins.is_empty() => {
                let server = host.to_string();
                context.complain(&context.text("store-not-known", &[("server", &server)]));
                return Exit::Failed;
            }
            pins => pins.map(|pins| show(context, &pins)),
        },
        TrustCommand::Forget { host } => store.forget(&host).map(|forgotten| {
            for pin in &forgotten.pins {
                let server = pin.server();
                context.notice(&context.text("trust-forgotten", &[("server", &server)]));
            }
            for name in &forgotten.identities {
                context.notice(&context.text("trust-forgotten-identity", &[("name", name)]));
            }
        }),
        TrustCommand::Replace { host } => return replace(context, &store, &host).await,
        TrustCommand::Install { host, apply } => {
            return install::run(context, &store, &host, apply).await;
        }
    };
    finish(context, done)
}

fn finish(context: &Context, done: Result<(), StoreError>) -> Exit {
    match done {
        Ok(()) => Exit::Done,
        Err(error) => {
            context.complain(&wording::store(context.language, &error));
            Exit::Failed
        }
    }
}

/// A line a server: `HOST:PORT fingerprint reason since`.
fn show(context: &Context, pins: &[Pin]) {
    if pins.is_empty() {
        context.notice(&context.text("trust-none", &[]));
    }
    for pin in pins {
        let since = pin.pinned_at.format(&Rfc3339).unwrap_or_default();
        let rung = pin.reason.rung().as_str();
        // Nobody reading any more is no failure of what was asked.
        let _ = terminal::say(&format!("{} {} {rung} {since}", pin.server(), pin.root));
    }
}

/// Pins the root that the server now shows, or the one given, once the person has confirmed it.
async fn replace(context: &Context, store: &TrustStore, host: &ServerAddress) -> Exit {
    let pins = match store.show(host) {
        Ok(pins) => pins,
        Err(error) => return finish(context, Err(error)),
    };
    let Some(pin) = pins.first() else {
        let server = host.to_string();
        context.complain(&context.text("store-not-known", &[("server", &server)]));
        return Exit::Failed;
    };
    let given = context.common.fingerprint.or(host.fingerprint());
    let seen = match probe(host).await {
        Ok(seen) => seen,
        Err(error) => {
            context.complain(&wording::trust(context.language, &error));
            return Exit::from_code(error.exit_code());
        }
    };
    let (server, old, new) = (
        host.to_string(),
        pin.root.to_string(),
        seen.root.to_string(),
    );
    let names = [
        ("server", server.as_str()),
        ("old", old.as_str()),
        ("new", new.as_str()),
    ];
    if given.is_some_and(|given| given != seen.root) {
        let given = given.map(|given| given.to_string()).unwrap_or_default();
        let mismatch = [
            ("server", server.as_str()),
            ("given", &given),
            ("found", &new),
        ];
        context.complain(&context.text("trust-mismatch", &mismatch));
        return Exit::NotTrusted;
    }
    if given.is_none() {
        if !context.is_interactive() {
            context.complain(&context.text("trust-replace-unconfirmed", &names));
            return Exit::NotTrusted;
        }
        terminal::tell(&context.text("trust-replace-question", &names));
        let language = context.language;
        let answer = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).is_ok() && language.is_yes(&line)
        });
        if !matches!(answer.await, Ok(true)) {
            context.complain(&context.text("trust-declined", &[("server", &server)]));
            return Exit::NotTrusted;
        }
    }
    let replaced = store.replace(host, seen.root);
    finish(
        context,
        replaced.map(|replaced| {
            context.notice(&context.text("trust-replaced", &names));
            for name in &replaced.carried {
                context.notice(&context.text("trust-replaced-identity", &[("name", name)]));
            }
        }),
    )
}
