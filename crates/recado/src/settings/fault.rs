//! What is wrong with a setting: where, and what to write instead.

use std::path::PathBuf;

use recado_proto::text::sanitise_line;

use super::Place;
use crate::i18n::Language;

/// A setting, or a whole file, that cannot be used.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(super) origin: Origin,
    pub(super) place: Option<Place>,
    pub(super) wrong: Box<Wrong>,
    /// The setting, where one is at fault.
    pub(super) key: String,
    /// Its value; never one that may be a secret.
    pub(super) value: Option<String>,
}

/// Where settings come from, beside the command line.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    File(PathBuf),
    Variable(String),
}

#[derive(Clone, Debug)]
pub(super) enum Wrong {
    /// The system's answer.
    Unreadable(String),
    NotText,
    TooLong,
    /// Not TOML; the parser's words.
    Syntax(String),
    /// There is no such setting; perhaps another was meant.
    Unknown {
        suggestion: Option<String>,
    },
    /// There is one, and it stands elsewhere.
    Elsewhere {
        table: String,
    },
    /// There is no such table; perhaps another was meant.
    UnknownTable {
        suggestion: Option<String>,
    },
    /// A table where a value belongs, and the like.
    Kind(&'static str),
    Value {
        cause: Option<String>,
        possible: Vec<String>,
    },
    /// It cannot stand beside this one.
    Conflict {
        other: String,
        place: Place,
    },
}

impl Fault {
    /// Says it in one line.
    pub(crate) fn text(&self, language: Language) -> String {
        let at = match (&self.origin, self.place) {
            (Origin::File(path), Some(place)) => format!("{}:{place}", path.display()),
            (Origin::File(path), None) => path.display().to_string(),
            (Origin::Variable(name), _) => name.clone(),
        };
        let key = sanitise_line(&self.key);
        let said = match &*self.wrong {
            Wrong::Unreadable(error) => language.text("settings-unreadable", &[("cause", error)]),
            Wrong::NotText => language.text("settings-not-text", &[]),
            Wrong::TooLong => language.text("settings-too-long", &[]),
            Wrong::Syntax(cause) => {
                language.text("settings-syntax", &[("cause", &sanitise_line(cause))])
            }
            Wrong::Unknown { suggestion } => {
                let text = language.text("settings-unknown", &[("key", &key)]);
                with_suggestion(language, text, suggestion.as_deref())
            }
            Wrong::Elsewhere { table } => {
                let table = if table.is_empty() { "top" } else { table };
                language.text("settings-elsewhere", &[("key", &key), ("table", table)])
            }
            Wrong::UnknownTable { suggestion } => {
                let text = language.text("settings-unknown-table", &[("key", &key)]);
                let suggestion = suggestion.as_ref().map(|name| format!("[{name}]"));
                with_suggestion(language, text, suggestion.as_deref())
            }
            Wrong::Kind(expected) => language.text(expected, &[("key", &key)]),
            Wrong::Value { cause, possible } => self.about_value(language, cause, possible),
            Wrong::Conflict { other, place } => language.text(
                "settings-conflict",
                &[
                    ("key", &key),
                    ("other", other),
                    ("line", &place.line.to_string()),
                ],
            ),
        };
        format!("{at}: {said}")
    }

    fn about_value(
        &self,
        language: Language,
        cause: &Option<String>,
        possible: &[String],
    ) -> String {
        let key = self.key.as_str();
        let mut text = match &self.value {
            Some(value) => {
                let value = sanitise_line(value);
                language.text("settings-value", &[("key", key), ("value", &value)])
            }
            None => language.text("settings-value-hidden", &[("key", key)]),
        };
        if let Some(cause) = cause {
            text.push_str(": ");
            text.push_str(&sanitise_line(cause));
        }
        if !possible.is_empty() {
            text.push_str(": ");
            let list = possible.join(", ");
            text.push_str(&language.text("settings-possible", &[("values", &list)]));
            let nearest = self.value.as_ref();
            let nearest = nearest.and_then(|value| nearest_of(value, possible.iter()));
            text = with_suggestion(language, text, nearest.as_deref());
        }
        text
    }
}

fn with_suggestion(language: Language, mut text: String, suggestion: Option<&str>) -> String {
    if let Some(suggestion) = suggestion {
        text.push_str("; ");
        text.push_str(&language.text("settings-suggestion", &[("suggestion", suggestion)]));
    }
    text
}

/// How alike two words must be for one to have been meant by the other, as the command line's parser judges it.
const ALIKE: f64 = 0.7;

/// The word that was probably meant.
pub(super) fn nearest_of<'a>(
    word: &str,
    words: impl Iterator<Item = &'a String>,
) -> Option<String> {
    let word = word.to_lowercase().replace('_', "-");
    let rated = words.map(|known| (strsim::jaro(&word, &known.to_lowercase()), known));
    let nearest = rated
        .filter(|(alike, _)| *alike > ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    Some(nearest.1.clone())
}
