//! Errors and notices of the client library, in the person's words: what happened, and what to do.

use std::error::Error;
use std::time::SystemTime;

use recado_client::CommandError;
use recado_client::history::HistoryError;
use recado_client::home::HomeError;
use recado_client::identity::IdentityError;
use recado_client::session::SessionError;
use recado_client::trust::{
    Attempt, BadAuthorities, CertificateFault, DateFault, Failure, Notice, StoreError, TrustError,
    Trusted,
};
use recado_proto::frame::{RefusalCode, Refused};
use recado_proto::limits::MAX_TEXT;
use recado_proto::name::{MAX_NAME, Name, suggest};
use recado_proto::text::sanitise_line;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::i18n::Language;

/// Why a server cannot be used.
pub(crate) fn trust(language: Language, error: &TrustError) -> String {
    match error {
        TrustError::Conflict {
            server,
            in_address,
            given,
        } => language.text(
            "trust-conflict",
            &[
                ("server", server),
                ("address", &in_address.to_string()),
                ("given", &given.to_string()),
            ],
        ),
        TrustError::Store(error) => store(language, error),
        TrustError::Unresolved { host, .. } => {
            language.text("trust-unresolved", &[("host", &sanitise_line(host))])
        }
        TrustError::Unreachable { server, attempts } => language.text(
            "trust-unreachable",
            &[("server", server), ("attempts", &tried(language, attempts))],
        ),
        TrustError::NotRecado { server, attempts } => language.text(
            "trust-not-recado",
            &[("server", server), ("attempts", &tried(language, attempts))],
        ),
        TrustError::BadCertificate { server, fault, .. } => language.text(
            "trust-bad-certificate",
            &[
                ("server", server),
                ("fault", &certificate_fault(language, *fault)),
            ],
        ),
        TrustError::Unknown {
            server,
            fingerprint,
            known_as,
            ..
        } => {
            let fingerprint = fingerprint.to_string();
            let mut text = language.text(
                "trust-unknown",
                &[("server", server), ("fingerprint", &fingerprint)],
            );
            if !known_as.is_empty() {
                text.push(' ');
                let known = known_as.join(", ");
                text.push_str(&language.text("trust-question-known", &[("servers", &known)]));
            }
            text
        }
        TrustError::Contradiction {
            server,
            vouched,
            found,
            ..
        } => language.text(
            "trust-contradiction",
            &[
                ("server", server),
                ("vouched", &vouched.to_string()),
                ("found", &found.to_string()),
            ],
        ),
        TrustError::Authorities(BadAuthorities { path }) => {
            language.text("trust-bad-ca", &[("path", &path.display().to_string())])
        }
        TrustError::Declined { server, .. } => {
            language.text("trust-declined", &[("server", server)])
        }
        TrustError::Changed {
            server, old, new, ..
        } => language.text(
            "trust-changed",
            &[
                ("server", server),
                ("old", &old.to_string()),
                ("new", &new.to_string()),
            ],
        ),
        TrustError::Mismatch {
            server,
            given,
            found,
            ..
        } => language.text(
            "trust-mismatch",
            &[
                ("server", server),
                ("given", &given.to_string()),
                ("found", &found.to_string()),
            ],
        ),
        TrustError::Tls(error) => language.text("trust-tls", &[("cause", &error.to_string())]),
    }
}

/// What was tried and what came of it.
fn tried(language: Language, attempts: &[Attempt]) -> String {
    let tried: Vec<_> = attempts
        .iter()
        .map(|attempt| {
            format!(
                "{}: {}",
                attempt.address,
                failure(language, &attempt.failure)
            )
        })
        .collect();
    tried.join("; ")
}

fn failure(language: Language, failure: &Failure) -> String {
    let id = match failure {
        Failure::Refused => "trust-failure-refused",
        Failure::ConnectTimeout => "trust-failure-no-answer",
        Failure::Network(cause) => return cause.to_string(),
        Failure::HandshakeTimeout => "trust-failure-silent",
        Failure::Closed => "trust-failure-closed",
        Failure::PlainHttp => "trust-failure-plain-http",
        Failure::NotTls => "trust-failure-not-tls",
        Failure::NotRecado => "trust-failure-not-recado",
        Failure::Certificate(fault) => return certificate_fault(language, *fault),
    };
    language.text(id, &[])
}

fn certificate_fault(language: Language, fault: CertificateFault) -> String {
    let id = match fault {
        CertificateFault::RootNotPresented => "trust-fault-root-not-presented",
        CertificateFault::NoIssuer => "trust-fault-no-issuer",
        CertificateFault::Forged => "trust-fault-forged",
        CertificateFault::Name => "trust-fault-name",
        CertificateFault::NameConstraint => "trust-fault-name-constraint",
        CertificateFault::CaAsLeaf => "trust-fault-ca-as-leaf",
        CertificateFault::Malformed => "trust-fault-malformed",
        CertificateFault::Handshake => "trust-fault-handshake",
        CertificateFault::Other => "trust-fault-other",
    };
    language.text(id, &[])
}

/// What a person is told about a server that is trusted.
pub(crate) fn trust_notice(language: Language, notice: &Notice, trusted: &Trusted) -> String {
    let server = trusted.server();
    let (id, fingerprint) = match notice {
        Notice::LoopbackAccepted { fingerprint } => ("trust-accepted-loopback", fingerprint),
        Notice::NewAccepted { fingerprint } => ("trust-accepted-new", fingerprint),
        Notice::Vouched { fingerprint } => ("trust-accepted-vouched", fingerprint),
        Notice::Dates(DateFault::Expired { not_after }) => {
            let date = date(*not_after);
            return language.text(
                "trust-dates-expired",
                &[("server", &server), ("date", &date)],
            );
        }
        Notice::Dates(DateFault::NotYetValid { not_before }) => {
            let date = date(*not_before);
            return language.text("trust-dates-early", &[("server", &server), ("date", &date)]);
        }
    };
    let fingerprint = fingerprint.to_string();
    language.text(id, &[("server", &server), ("fingerprint", &fingerprint)])
}

fn date(moment: SystemTime) -> String {
    OffsetDateTime::from(moment)
        .format(&Rfc3339)
        .unwrap_or_default()
}

/// Why what is remembered of servers cannot be used.
pub(crate) fn store(language: Language, error: &StoreError) -> String {
    match error {
        StoreError::Home(error) => home(language, error),
        StoreError::Damaged { path, detail } => language.text(
            "store-damaged",
            &[("path", &path.display().to_string()), ("detail", detail)],
        ),
        StoreError::Newer { path } => {
            language.text("store-newer", &[("path", &path.display().to_string())])
        }
        StoreError::NotKnown { server, .. } => {
            language.text("store-not-known", &[("server", server)])
        }
        StoreError::Ambiguous { host, .. } => language.text("store-ambiguous", &[("host", host)]),
        StoreError::Conflict { existing } => language.text(
            "store-conflict",
            &[
                ("server", &existing.server()),
                ("fingerprint", &existing.root.to_string()),
            ],
        ),
        StoreError::Identity(error) => identity(language, error),
    }
}

/// Why the client's folder cannot be used.
pub(crate) fn home(language: Language, error: &HomeError) -> String {
    let (id, path, cause) = match error {
        HomeError::NotAFolder { path } => ("home-not-a-folder", path, String::new()),
        HomeError::Unwritable { path, source } => ("home-unwritable", path, source.to_string()),
        HomeError::Unreadable { path, source } => ("home-unreadable", path, source.to_string()),
    };
    let path = path.display().to_string();
    if cause.is_empty() {
        return language.text(id, &[("path", &path)]);
    }
    language.text(id, &[("path", &path), ("cause", &cause)])
}

/// Why an identity cannot be used.
pub(crate) fn identity(language: Language, error: &IdentityError) -> String {
    match error {
        IdentityError::InUse { name } => language.text("identity-in-use", &[("name", name)]),
        IdentityError::Retired { name } => language.text("identity-retired", &[("name", name)]),
        IdentityError::Damaged { path, .. } => {
            language.text("identity-damaged", &[("path", &path.display().to_string())])
        }
        IdentityError::Unwritable(error) => home(language, error),
        IdentityError::Crypto(error) => {
            language.text("identity-crypto", &[("cause", &error.to_string())])
        }
    }
}

/// Why there is no chat.
pub(crate) fn session(language: Language, error: &SessionError, name: &str) -> String {
    match error {
        SessionError::Trust(error) => trust(language, error),
        SessionError::Refused(refused) => refusal(language, refused, name),
        SessionError::Lost(cause) => language.text(
            "session-lost",
            &[("cause", &sanitise_line(&cause.to_string()))],
        ),
        SessionError::Malformed(error) => {
            language.text("session-malformed", &[("cause", &chain(error))])
        }
        SessionError::Welcome(error) => {
            language.text("session-malformed", &[("cause", &error.to_string())])
        }
        SessionError::Local(cause) => language.text("session-local", &[("cause", cause)]),
        SessionError::History(error) => history(language, error),
    }
}

/// Why an identity's database cannot be used.
pub(crate) fn history(language: Language, error: &HistoryError) -> String {
    let path = |path: &std::path::Path| path.display().to_string();
    match error {
        HistoryError::Home(error) => home(language, error),
        HistoryError::TooNew { path: file, .. } => {
            language.text("history-too-new", &[("path", &path(file))])
        }
        HistoryError::Full { path: file } => {
            language.text("chat-disk-full", &[("path", &path(file))])
        }
        HistoryError::Failed { path: file, source } => language.text(
            "history-failed",
            &[("path", &path(file)), ("cause", &chain(source))],
        ),
        HistoryError::Damaged { path: file, said } => {
            let said = sanitise_line(said);
            language.text(
                "history-damaged",
                &[("path", &path(file)), ("cause", &said)],
            )
        }
        HistoryError::Thread => language.text("history-thread", &[]),
    }
}

/// Why something could not be said or done.
pub(crate) fn command(language: Language, error: CommandError) -> String {
    match error {
        CommandError::Empty => language.text("chat-error-empty", &[]),
        CommandError::TooLong(_) => {
            language.text("chat-error-too-long", &[("limit", &MAX_TEXT.to_string())])
        }
        CommandError::NameTooLong => language.text("chat-error-name", &[]),
        CommandError::Away | CommandError::NoOtherKey => language.text("chat-error-away", &[]),
    }
}

fn refusal(language: Language, refused: &Refused, asked: &str) -> String {
    let name = sanitise_line(asked);
    let resembles = sanitise_line(&refused.resembles);
    let mut text = match refused.code {
        RefusalCode::Version => language.text("refused-version", &[]),
        RefusalCode::NameInvalid => {
            let rule = format!("name-rule-{}", refused.rule);
            // A later server may know more rules.
            let rule = if language.has(&rule) {
                rule
            } else {
                "name-rule-character".to_owned()
            };
            let rule = language.text(&rule, &[]);
            language.text("refused-name", &[("name", &name), ("rule", &rule)])
        }
        RefusalCode::NameTaken => language.text("refused-taken", &[("name", &name)]),
        RefusalCode::NameConfusable => language.text(
            "refused-confusable",
            &[("name", &name), ("resembles", &resembles)],
        ),
        RefusalCode::KeyHasName => language.text("refused-has-name", &[("name", &resembles)]),
        RefusalCode::Registration => language.text("refused-registration", &[]),
        RefusalCode::TooManyClaims | RefusalCode::Unavailable => {
            let seconds = refused.retry_in_ms.div_ceil(1000).to_string();
            language.text("refused-later", &[("seconds", &seconds)])
        }
        RefusalCode::Banned => language.text("refused-banned", &[]),
        RefusalCode::Ticket => language.text("refused-ticket", &[]),
        RefusalCode::Unspecified => language.text("refused-other", &[]),
    };
    let suggestion = match refused.code {
        RefusalCode::NameInvalid => Name::parse(asked)
            .err()
            .and_then(|error| error.suggestion()),
        RefusalCode::NameTaken | RefusalCode::NameConfusable => another_name(asked),
        _ => None,
    };
    if let Some(suggestion) = suggestion {
        text.push(' ');
        text.push_str(&language.text("refused-suggestion", &[("name", suggestion.as_str())]));
    }
    text
}

/// A name like this one, with a number.
fn another_name(name: &str) -> Option<Name> {
    let head: String = name.chars().take(MAX_NAME - 1).collect();
    suggest(&format!("{head}2")).filter(|other| other.as_str() != name)
}

/// An error and its causes, in one line fit for a terminal.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    sanitise_line(&text).into_owned()
}
