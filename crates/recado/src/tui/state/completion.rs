//! What Tab makes of what is being written: commands, names, paths. Pure; paths are looked up elsewhere.

use super::fold;
use crate::chat::COMMANDS;
use crate::files;
use crate::i18n::Language;

/// Things that are offered at most.
const MAX_OFFERED: usize = 50;

/// What is offered in the place of the bytes from `from` to the cursor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::tui) struct Completion {
    pub(in crate::tui) from: usize,
    pub(in crate::tui) offered: Vec<String>,
    /// Which of them stands in the text, once one does.
    pub(in crate::tui) chosen: Option<usize>,
}

/// What is to be completed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::tui) enum Wanted {
    /// These, now.
    Offered(Completion),
    /// A path that begins like this; it stands from here on.
    Path {
        from: usize,
        begun: String,
    },
    Nothing,
}

/// What can be named.
#[derive(Default)]
pub(in crate::tui) struct Known {
    /// People.
    pub(in crate::tui) names: Vec<String>,
    /// Numbers of offers that wait for this person's answer.
    pub(in crate::tui) asked: Vec<u64>,
    /// Numbers of all offers that are not over.
    pub(in crate::tui) offers: Vec<u64>,
}

/// What Tab is to do with a text up to the cursor.
pub(in crate::tui) fn wanted(language: Language, before: &str, known: &Known) -> Wanted {
    let names = &known.names;
    let start = before.rfind(char::is_whitespace).map_or(0, |at| {
        at + before
            .get(at..)
            .and_then(|rest| rest.chars().next())
            .map_or(1, char::len_utf8)
    });
    let word = before.get(start..).unwrap_or_default();
    if let Some(begun) = word.strip_prefix('/')
        && before
            .get(..start)
            .is_some_and(|rest| rest.trim().is_empty())
    {
        let begun = begun.to_lowercase();
        let commands = COMMANDS.iter().map(|(english, portuguese)| match language {
            Language::English => english,
            Language::Portuguese => portuguese,
        });
        // The other language's words are understood, and completed where nothing else fits.
        let others = COMMANDS.iter().map(|(english, portuguese)| match language {
            Language::English => portuguese,
            Language::Portuguese => english,
        });
        let fitting = |command: &&str| command.starts_with(&begun);
        let mut offered: Vec<_> = commands.copied().filter(fitting).collect();
        if offered.is_empty() {
            offered = others.copied().filter(fitting).collect();
        }
        let offered = offered.into_iter().map(|command| format!("/{command} "));
        return offer(start, offered.collect());
    }
    let mut words = before.get(..start).unwrap_or_default().split_whitespace();
    let command = words.next().and_then(|word| word.strip_prefix('/'));
    let arguments = words.count();
    match (command.map(str::to_lowercase).as_deref(), arguments) {
        (Some("file" | "arquivo"), 1..) => {
            let paths = argument_start(before, 2);
            let typed = before.get(paths..).unwrap_or_default();
            let from = paths + files::last_path(typed).0;
            let begun = before.get(from..).unwrap_or_default().to_owned();
            Wanted::Path { from, begun }
        }
        (Some("accept" | "aceitar"), 0) => number(start, word, &known.asked, names),
        (Some("decline" | "recusar" | "cancel" | "cancelar"), 0) => {
            number(start, word, &known.offers, names)
        }
        (
            Some(
                "tcp" | "msg" | "privado" | "block" | "bloquear" | "trust" | "confiar" | "verify"
                | "verificar" | "file" | "arquivo" | "history" | "historico",
            ),
            0,
        ) => name(start, word, names, " "),
        _ if word.is_empty() => Wanted::Nothing,
        // At the beginning of a text whoever is meant is addressed.
        _ if start == 0 => name(start, word, names, ": "),
        _ => name(start, word, names, " "),
    }
}

/// Where the argument of this number begins, counted from the command, 0.
fn argument_start(text: &str, number: usize) -> usize {
    let mut at = text.len() - text.trim_start().len();
    for _ in 0..number {
        let rest = text.get(at..).unwrap_or_default();
        let word = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let rest = rest.get(word..).unwrap_or_default();
        at += word + rest.len() - rest.trim_start().len();
    }
    at
}

/// The number of an offer; or a person, who stands for all of theirs.
fn number(start: usize, word: &str, numbers: &[u64], names: &[String]) -> Wanted {
    let numbers = numbers.iter().map(u64::to_string);
    let fitting: Vec<_> = numbers.filter(|number| number.starts_with(word)).collect();
    match fitting.is_empty() {
        true if word.is_empty() => Wanted::Nothing,
        true => name(start, word, names, ""),
        false => offer(start, fitting),
    }
}

fn name(start: usize, word: &str, names: &[String], behind: &str) -> Wanted {
    let (sign, begun) = match word.strip_prefix('@') {
        Some(begun) => ("@", begun),
        None => ("", word),
    };
    let begun = fold(begun);
    let fitting = names.iter().filter(|name| fold(name).starts_with(&begun));
    offer(
        start,
        fitting
            .map(|name| format!("{sign}{name}{behind}"))
            .collect(),
    )
}

fn offer(from: usize, mut offered: Vec<String>) -> Wanted {
    offered.truncate(MAX_OFFERED);
    if offered.is_empty() {
        return Wanted::Nothing;
    }
    Wanted::Offered(Completion {
        from,
        offered,
        chosen: None,
    })
}

/// The paths that begin like this one, which may be in quotes, as they would be typed. Reads a folder: not where anything
/// waits for it.
pub(in crate::tui) fn paths(begun: &str) -> Vec<String> {
    let (_, path) = files::last_path(begun);
    let (folder, file) = match path.rfind(std::path::is_separator) {
        Some(at) => path.split_at(at + 1),
        None => ("", path.as_str()),
    };
    let looked_in = match folder.strip_prefix("~/") {
        Some(rest) => match etcetera::home_dir() {
            Ok(home) => home.join(rest),
            Err(_) => return Vec::new(),
        },
        None if folder.is_empty() => ".".into(),
        None => folder.into(),
    };
    let Ok(entries) = std::fs::read_dir(looked_in) else {
        return Vec::new();
    };
    // Of a folder with very many, some.
    let mut found: Vec<_> = entries
        .take(10_000)
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            let is_meant =
                name.starts_with(file) && (file.starts_with('.') || !name.starts_with('.'));
            // Of a link, where it leads.
            let is_folder = is_meant && entry.path().is_dir();
            is_meant.then(|| (format!("{folder}{name}"), is_folder))
        })
        .collect();
    found.sort();
    found.truncate(MAX_OFFERED);
    // One needs quotes: all have them, so that what they begin with is the same.
    let in_quotes = found.iter().any(|(path, _)| files::needs_quotes(path));
    let typed = found.into_iter().map(|(path, is_folder)| match is_folder {
        true => files::typed(&format!("{path}/"), in_quotes, true),
        false => format!("{} ", files::typed(&path, in_quotes, false)),
    });
    typed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(language: Language, before: &str) -> Vec<String> {
        let known = Known {
            names: ["Alice", "Álvaro", "Bob"].map(str::to_owned).to_vec(),
            asked: vec![3, 31],
            offers: vec![3, 31, 4],
        };
        match wanted(language, before, &known) {
            Wanted::Offered(completion) => {
                let kept = &before[..completion.from];
                let whole = completion.offered.iter();
                whole.map(|offered| format!("{kept}{offered}")).collect()
            }
            _ => Vec::new(),
        }
    }

    #[test]
    fn commands_are_offered_in_the_language_that_is_spoken() {
        use Language::{English, Portuguese};
        assert_eq!(offered(Portuguese, "/bu"), ["/buscar "]);
        assert_eq!(offered(English, "/se"), ["/search "]);
        assert_eq!(offered(Portuguese, "/se"), ["/search "]);
        assert_eq!(offered(English, "  /QU"), ["  /quit "]);
        assert_eq!(offered(English, "/nonsense"), [""; 0]);
        assert_eq!(offered(English, "say /qu"), [""; 0]);
        assert!(offered(English, "/").len() > 10);
    }

    #[test]
    fn names_are_offered_in_any_case() {
        let offered = |before| offered(Language::English, before);
        assert_eq!(offered("/tcp al"), ["/tcp Alice "]);
        assert_eq!(offered("/tcp ÁL"), ["/tcp Álvaro "]);
        assert_eq!(
            offered("/tcp "),
            ["/tcp Alice ", "/tcp Álvaro ", "/tcp Bob "]
        );
        assert_eq!(offered("bo"), ["Bob: "]);
        assert_eq!(offered("ask bo"), ["ask Bob "]);
        assert_eq!(offered("ask @bo"), ["ask @Bob "]);
        assert_eq!(offered("ask "), [""; 0]);
        assert_eq!(offered(""), [""; 0]);
    }

    #[test]
    fn offers_are_named_by_their_numbers_or_by_whose_they_are() {
        let offered = |before| offered(Language::English, before);
        assert_eq!(offered("/accept "), ["/accept 3", "/accept 31"]);
        assert_eq!(offered("/aceitar 31"), ["/aceitar 31"]);
        assert_eq!(
            offered("/cancel "),
            ["/cancel 3", "/cancel 31", "/cancel 4"]
        );
        assert_eq!(offered("/decline bo"), ["/decline Bob"]);
        assert_eq!(offered("/accept 9"), [""; 0]);
    }

    #[test]
    fn paths_are_completed_one_by_one_and_quoted_where_they_must_be() {
        let known = Known::default();
        for (before, from, begun) in [
            ("/file Bob my fi", 13, "fi"),
            ("/file Bob \"my fi", 10, "\"my fi"),
            ("/arquivo Bob ", 13, ""),
        ] {
            let begun = begun.to_owned();
            let wanted = wanted(Language::English, before, &known);
            assert_eq!(wanted, Wanted::Path { from, begun }, "{before}");
        }
        let folder = tempfile::tempdir().unwrap();
        for name in ["my file", "my other", ".hidden", "alone"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        std::fs::create_dir(folder.path().join("my folder")).unwrap();
        let whole = format!("{}/", folder.path().display());
        let at = |begun: &str| {
            let found = paths(&begun.replace('@', &whole)).into_iter();
            let short = found.map(|path| path.replace(&whole, "@"));
            short.collect::<Vec<_>>()
        };
        for begun in ["\"@my f", "@my\\ f", "'@my f"] {
            let expected = ["\"@my file\" ", "\"@my folder/"];
            assert_eq!(at(begun), expected, "{begun}");
        }
        assert_eq!(at("@a"), ["@alone "]);
        assert_eq!(at("@."), ["@.hidden "]);
        let all = [
            "\"@alone\" ",
            "\"@my file\" ",
            "\"@my folder/",
            "\"@my other\" ",
        ];
        assert_eq!(at("@"), all);
        assert_eq!(paths("/nowhere/at/all"), [""; 0]);
    }
}
