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

/// Whether `\` takes the next character as it is. Where it stands between folders it is one of the path's own.
const ESCAPES: bool = std::path::MAIN_SEPARATOR != '\\';

/// Paths as they are typed: apart by spaces, together in quotes; `\` before a character takes it as it is, and `~/` is
/// the home.
pub(crate) fn paths(typed: &str) -> Vec<PathBuf> {
    let paths = split(typed).into_iter();
    paths.map(|(_, path)| at_home(path)).collect()
}

/// The path that is being typed at the end of a text, without its quotes, and where it begins.
pub(crate) fn last_path(typed: &str) -> (usize, String) {
    // A sign behind the end tells whether the last path goes on there.
    let mut marked = split(&format!("{typed}x")).into_iter();
    match marked.next_back() {
        Some((from, mut path)) => {
            path.pop();
            (from, path)
        }
        None => (typed.len(), String::new()),
    }
}

/// A path as it has to be typed: in quotes, if it is to be. Those of a folder stay open, as more follows.
pub(crate) fn typed(path: &str, in_quotes: bool, is_folder: bool) -> String {
    if !in_quotes {
        return path.to_owned();
    }
    let mut typed = String::from('"');
    for c in path.chars() {
        if ESCAPES && matches!(c, '"' | '\\') {
            typed.push('\\');
        }
        typed.push(c);
    }
    if !is_folder {
        typed.push('"');
    }
    typed
}

/// Whether a path is one word only in quotes.
pub(crate) fn needs_quotes(path: &str) -> bool {
    let is_special =
        |c: char| c.is_whitespace() || matches!(c, '"' | '\'') || (ESCAPES && c == '\\');
    path.chars().any(is_special)
}

/// The paths of a text, each with the place where it begins.
fn split(typed: &str) -> Vec<(usize, String)> {
    let mut paths = Vec::new();
    let (mut path, mut begin, mut quote) = (String::new(), None, None);
    let mut characters = typed.char_indices();
    while let Some((at, c)) = characters.next() {
        if quote.is_none() && c.is_whitespace() {
            if let Some(begin) = begin.take() {
                paths.push((begin, std::mem::take(&mut path)));
            }
            continue;
        }
        begin = begin.or(Some(at));
        match (c, quote) {
            ('\\', None | Some('"')) if ESCAPES => {
                path.extend(characters.next().map(|(_, c)| c));
            }
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (c, _) => path.push(c),
        }
    }
    paths.extend(begin.map(|begin| (begin, path)));
    paths
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

    #[test]
    fn the_path_that_is_being_typed_is_the_last() {
        for (text, from, path) in [
            ("", 0, ""),
            ("a", 0, "a"),
            ("a.txt ", 6, ""),
            ("a.txt ~/b", 6, "~/b"),
            (r#"a "two wo"#, 2, "two wo"),
            (r"two\ wo", 0, "two wo"),
            (r#""done" "#, 7, ""),
        ] {
            assert_eq!(last_path(text), (from, path.to_owned()), "{text}");
        }
        for name in ["a.txt", "two words", r#"it's "so" \ "#, "日本"] {
            let typed = super::typed(name, needs_quotes(name), false);
            assert_eq!(
                paths(&format!(" {typed} x")),
                [name, "x"].map(PathBuf::from)
            );
        }
        assert_eq!(super::typed("two words/", true, true), "\"two words/");
    }
}
