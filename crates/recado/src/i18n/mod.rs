//! What people read, in Portuguese and English: Fluent messages in `en.ftl` and `pt-BR.ftl`.

use std::sync::OnceLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use unic_langid::LanguageIdentifier;

/// A language that recado speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Language {
    English,
    Portuguese,
}

type Bundle = FluentBundle<FluentResource>;

impl Language {
    /// Both.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 2] = [Self::English, Self::Portuguese];

    /// The language of a `--lang` or `RECADO_LANG`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().replace('_', "-").as_str() {
            "pt" | "pt-br" | "pt-pt" => Some(Self::Portuguese),
            "en" | "en-us" | "en-gb" => Some(Self::English),
            _ => None,
        }
    }

    /// The language to speak, before the command line is parsed: `--lang`, `RECADO_LANG`, `LC_ALL`,
    /// `LC_MESSAGES`, `LANG`, the first that says something. What begins with `pt` is Portuguese, all
    /// else English.
    pub(crate) fn detect(arguments: &[String], variable: impl Fn(&str) -> Option<String>) -> Self {
        let mut words = arguments.iter().take_while(|word| *word != "--");
        let mut flag = None;
        while let Some(word) = words.next() {
            if word == "--lang" {
                flag = words.next().cloned();
            } else if let Some(value) = word.strip_prefix("--lang=") {
                flag = Some(value.to_owned());
            }
        }
        let variables = ["RECADO_LANG", "LC_ALL", "LC_MESSAGES", "LANG"].into_iter();
        let mut said = flag.into_iter().chain(variables.filter_map(variable));
        match said.find(|value| !value.is_empty()) {
            Some(value) if value.to_ascii_lowercase().starts_with("pt") => Self::Portuguese,
            _ => Self::English,
        }
    }

    /// Its tag, as `--lang` takes it.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Portuguese => "pt-BR",
        }
    }

    /// Whether `1,5` is one and a half.
    pub(crate) fn writes_decimal_comma(self) -> bool {
        self == Self::Portuguese
    }

    /// Whether an answer is a yes: in this language, or in English.
    pub(crate) fn is_yes(self, answer: &str) -> bool {
        let answer = answer.trim().to_lowercase();
        match self {
            Self::English => ["y", "yes"].contains(&answer.as_str()),
            Self::Portuguese => ["s", "sim", "y", "yes"].contains(&answer.as_str()),
        }
    }

    /// The message `id`, with its arguments. A test makes sure that every message is there.
    pub(crate) fn text(self, id: &str, arguments: &[(&str, &str)]) -> String {
        let mut values = FluentArgs::new();
        for (name, value) in arguments {
            values.set(*name, *value);
        }
        self.format(id, &values)
    }

    /// The same of so many: `$count` chooses the form, `$number` shows it.
    pub(crate) fn counted(self, id: &str, count: u64, arguments: &[(&str, &str)]) -> String {
        let mut values = FluentArgs::new();
        // Beyond what a float counts exactly, nobody reads the last digit.
        values.set("count", count as f64);
        values.set("number", self.number(count));
        for (name, value) in arguments {
            values.set(*name, *value);
        }
        self.format(id, &values)
    }

    /// A number as the language writes it: `12,345` or `12.345`.
    pub(crate) fn number(self, number: u64) -> String {
        let digits = number.to_string();
        let mark = match self {
            Self::English => ',',
            Self::Portuguese => '.',
        };
        let mut text = String::with_capacity(digits.len() + digits.len() / 3);
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                text.push(mark);
            }
            text.push(digit);
        }
        text
    }

    /// A number with one decimal place.
    pub(crate) fn decimal(self, number: f64) -> String {
        let text = format!("{number:.1}");
        match self.writes_decimal_comma() {
            true => text.replace('.', ","),
            false => text,
        }
    }

    /// Bytes, in the unit that fits: `1.2 MB`.
    pub(crate) fn bytes(self, bytes: u64) -> String {
        const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
        if bytes < 1000 {
            return format!("{bytes} B");
        }
        let (mut amount, mut unit) = (bytes as f64 / 1000.0, UNITS[0]);
        for larger in UNITS.into_iter().skip(1) {
            // What would be rounded up to 1,000 is one of the next.
            if amount < 999.95 {
                break;
            }
            (amount, unit) = (amount / 1000.0, larger);
        }
        format!("{} {unit}", self.decimal(amount))
    }

    fn format(self, id: &str, values: &FluentArgs<'_>) -> String {
        let bundle = self.bundle();
        let pattern = bundle.get_message(id).and_then(|message| message.value());
        let Some(pattern) = pattern else {
            debug_assert!(false, "no message {id}");
            return id.to_owned();
        };
        let mut errors = vec![];
        let text = bundle.format_pattern(pattern, Some(values), &mut errors);
        debug_assert!(errors.is_empty(), "{id}: {errors:?}");
        text.into_owned()
    }

    /// Whether there is a message `id`.
    pub(crate) fn has(self, id: &str) -> bool {
        self.bundle().has_message(id)
    }

    fn bundle(self) -> &'static Bundle {
        static ENGLISH: OnceLock<Bundle> = OnceLock::new();
        static PORTUGUESE: OnceLock<Bundle> = OnceLock::new();
        let (cell, source) = match self {
            Self::English => (&ENGLISH, EN),
            Self::Portuguese => (&PORTUGUESE, PT_BR),
        };
        cell.get_or_init(|| bundle(source, self))
    }
}

const EN: &str = include_str!("en.ftl");
const PT_BR: &str = include_str!("pt-BR.ftl");

fn bundle(source: &str, language: Language) -> Bundle {
    // Both tags are well formed; it decides plural rules alone.
    let tag: LanguageIdentifier = language.tag().parse().unwrap_or_default();
    // What could be parsed is used; a test makes sure that all can.
    let resource = match FluentResource::try_new(source.to_owned()) {
        Ok(resource) => resource,
        Err((resource, _)) => resource,
    };
    let mut bundle = FluentBundle::new_concurrent(vec![tag]);
    // Terminals show the isolates that Fluent would put around arguments as garbage.
    bundle.set_use_isolating(false);
    let _ = bundle.add_resource(resource);
    bundle
}

#[cfg(test)]
mod tests;
