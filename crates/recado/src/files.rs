//! Words about files, and paths as people type them.

use std::path::{Path, PathBuf};

use recado_client::{About, OfferFailure, OfferState, Refusal};
use recado_proto::text::sanitise_line;

use crate::i18n::Language;

/// What an offer is called, with what is in it: `photos (12 files, 2.1 MB)`.
pub(crate) fn title(language: Language, about: &About) -> String {
    let (name, size) = (sanitise_line(&about.title), language.bytes(about.size));
    match about.entries {
        None => language.text("file-title", &[("name", &name), ("size", &size)]),
        Some(entries) => language.counted(
            "file-title-folder",
            entries,
            &[("name", &name), ("size", &size)],
        ),
    }
}

/// That something in a folder was left out.
pub(crate) fn skipped(language: Language, about: &About, count: u64) -> String {
    let title = title(language, about);
    language.counted("file-skipped", count, &[("title", &title)])
}

/// Why an offer failed.
pub(crate) fn failure(language: Language, failure: OfferFailure) -> String {
    match failure {
        OfferFailure::Undelivered(failure) => {
            language.text(&format!("failure-{}", failure.code()), &[])
        }
        failure => language.text(&format!("file-failure-{}", failure.code()), &[]),
    }
}

/// Why something cannot be done.
pub(crate) fn refusal(language: Language, refusal: Refusal, detail: &str) -> String {
    let needed = match refusal {
        Refusal::NoRoom(needed) => language.bytes(needed),
        _ => String::new(),
    };
    let detail = sanitise_line(detail);
    let id = format!("file-refusal-{}", refusal.code());
    language.text(&id, &[("detail", &detail), ("needed", &needed)])
}

/// What became of an offer; `None` where that goes without saying.
pub(crate) fn state(language: Language, about: &About, state: OfferState) -> Option<String> {
    let title = title(language, about);
    let peer = sanitise_line(&about.peer);
    let side = if about.is_own { "own" } else { "theirs" };
    let why = match state {
        OfferState::Queued => return None,
        OfferState::Running(route) => language.text(&format!("file-route-{}", route.code()), &[]),
        OfferState::Waiting(pause) => language.text(&format!("file-pause-{}", pause.code()), &[]),
        OfferState::Failed(why) => failure(language, why),
        // The place is told instead.
        OfferState::Received if !about.is_own => return None,
        OfferState::Offered if !about.is_own => return None,
        _ => String::new(),
    };
    let id = format!("file-state-{side}-{}", state.word());
    Some(language.text(&id, &[("title", &title), ("peer", &peer), ("why", &why)]))
}

/// The folder for downloads where none is named: the platform's, or one of recado's own.
pub(crate) fn downloads(client: &Path) -> PathBuf {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let platform = home.and_then(|home| {
        let named = user_dirs(&home).unwrap_or_else(|| home.join("Downloads"));
        // One that is the home itself is none (xdg-user-dirs).
        (named.is_dir() && named != home).then_some(named)
    });
    platform.unwrap_or_else(|| client.join("downloads"))
}

/// What the desktop calls the folder for downloads (xdg-user-dirs).
fn user_dirs(home: &Path) -> Option<PathBuf> {
    let config = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .unwrap_or_else(|| home.join(".config"));
    let named = std::fs::read_to_string(config.join("user-dirs.dirs")).ok()?;
    let value = named.lines().find_map(|line| {
        let value = line.trim().strip_prefix("XDG_DOWNLOAD_DIR=")?;
        value.strip_prefix('"')?.strip_suffix('"')
    })?;
    match value.strip_prefix("$HOME") {
        Some(within) => Some(home.join(within.trim_start_matches('/'))),
        None => Some(PathBuf::from(value)).filter(|path| path.is_absolute()),
    }
}

/// Paths as they are typed: apart by spaces, together in quotes; `\` before a character takes it as it is, and `~/` is
/// the home.
pub(crate) fn paths(typed: &str) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    let (mut path, mut is_there, mut quote) = (String::new(), false, None);
    let mut characters = typed.chars();
    while let Some(c) = characters.next() {
        match (c, quote) {
            ('\\', None | Some('"')) => {
                path.extend(characters.next());
                is_there = true;
            }
            ('"' | '\'', None) => (quote, is_there) = (Some(c), true),
            (c, Some(open)) if c == open => quote = None,
            (c, None) if c.is_whitespace() => {
                if std::mem::take(&mut is_there) {
                    paths.push(std::mem::take(&mut path));
                }
            }
            (c, _) => {
                path.push(c);
                is_there = true;
            }
        }
    }
    if is_there {
        paths.push(path);
    }
    paths.into_iter().map(at_home).collect()
}

fn at_home(path: String) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(within), Some(home)) => PathBuf::from(home).join(within),
        _ => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_typed_as_in_a_shell() {
        let typed = |typed: &str| {
            let paths = paths(typed);
            paths
                .iter()
                .map(|it| it.display().to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(typed("a.txt  b.txt "), ["a.txt", "b.txt"]);
        assert_eq!(
            typed(r#""two words" 'it is' x"#),
            ["two words", "it is", "x"]
        );
        assert_eq!(typed(r"two\ words"), ["two words"]);
        assert_eq!(typed(r#""a \" b""#), [r#"a " b"#]);
        assert_eq!(typed(""), [""; 0]);
        assert_eq!(typed("\"open end"), ["open end"]);
    }
}
