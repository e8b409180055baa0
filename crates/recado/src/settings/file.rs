//! The configuration file: TOML, read whole, and held against the settings that there are.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Command;
use recado_proto::text::sanitise_line;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::catalogue::{self, Kind, Setting};
use super::fault::{Fault, Origin, Wrong, nearest_of};
use super::{Key, Place};

/// The longest file that is read. All settings, each with a list of a hundred values, are a tenth of it.
const MAX_FILE: u64 = 256 * 1024;

/// A file that was read.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    entries: Vec<Entry>,
    /// The tables, which may be empty.
    tables: Vec<(Vec<String>, Place)>,
}

/// What the file says for one key.
#[derive(Debug)]
pub(super) struct Entry {
    table: Vec<String>,
    key: String,
    pub(super) place: Place,
    value: Value,
}

#[derive(Debug)]
enum Value {
    Switch(bool),
    Text(String),
    Number(String),
    List(Vec<(String, Place)>),
    /// What no setting holds.
    Other,
}

impl File {
    /// Reads it; `None` where there is none and none must be.
    pub(super) fn read(path: &Path, must_be_there: bool) -> Result<Option<Self>, Fault> {
        let wrong = |wrong| whole_file(path, wrong);
        let mut bytes = Vec::new();
        let read = fs::File::open(path).and_then(|file| {
            // A folder opens, too, and says so when it is read.
            file.take(MAX_FILE + 1).read_to_end(&mut bytes)
        });
        match read {
            // Also where recado's folder cannot be one: whoever needs it says so.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) && !must_be_there =>
            {
                return Ok(None);
            }
            Err(error) => return Err(wrong(Wrong::Unreadable(error.to_string()))),
            Ok(length) if length as u64 > MAX_FILE => return Err(wrong(Wrong::TooLong)),
            Ok(_) => {}
        }
        let text = String::from_utf8(bytes).map_err(|_| wrong(Wrong::NotText))?;
        // Windows' editors begin a text with it.
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let mut file = Self {
            path: path.to_owned(),
            entries: Vec::new(),
            tables: Vec::new(),
        };
        let table = DeTable::parse(text).map_err(|error| Fault {
            place: error.span().map(|span| Place::of(text, span.start)),
            ..wrong(Wrong::Syntax(error.message().to_owned()))
        })?;
        file.take(text, &mut Vec::new(), table.get_ref());
        // As they stand in the file: the first fault is told.
        file.entries.sort_by_key(|entry| entry.place);
        Ok(Some(file))
    }

    /// Takes what is in a table, and in the tables in it.
    fn take(&mut self, text: &str, path: &mut Vec<String>, table: &DeTable<'_>) {
        for (key, value) in table {
            let place = Place::of(text, key.span().start);
            let key = key.get_ref().to_string();
            if let DeValue::Table(below) = value.get_ref() {
                path.push(key);
                self.tables.push((path.clone(), place));
                self.take(text, path, below);
                path.pop();
                continue;
            }
            self.entries.push(Entry {
                table: path.clone(),
                key,
                place,
                value: Value::of(text, value),
            });
        }
    }

    /// Holds it against the settings that there are.
    pub(super) fn check(&self, command: &Command) -> Result<(), Fault> {
        for (table, place) in &self.tables {
            self.check_table(command, table, *place)?;
        }
        for entry in &self.entries {
            let mut is_known = false;
            let fault = catalogue::all(command, &mut |setting| {
                if !entry.is_for(&setting) {
                    return None;
                }
                is_known = true;
                self.check_entry(entry, &setting).err()
            });
            if let Some(fault) = fault {
                return Err(fault);
            }
            if !is_known {
                return Err(self.unknown(command, entry));
            }
        }
        Ok(())
    }

    /// A table is a command, or what leads to one.
    fn check_table(&self, command: &Command, table: &[String], place: Place) -> Result<(), Fault> {
        let mut at = command;
        for name in table {
            match at.find_subcommand(name) {
                Some(below) => at = below,
                None => {
                    let names: Vec<_> = at.get_subcommands().map(Command::get_name).collect();
                    let names: Vec<_> = names.into_iter().map(str::to_owned).collect();
                    let suggestion = nearest_of(name, names.iter());
                    return Err(self.fault(
                        &table.join("."),
                        place,
                        None,
                        Wrong::UnknownTable { suggestion },
                    ));
                }
            }
        }
        Ok(())
    }

    fn check_entry(&self, entry: &Entry, setting: &Setting<'_>) -> Result<(), Fault> {
        let kind = |expected| Err(self.fault(&entry.key, entry.place, None, Wrong::Kind(expected)));
        let texts: Vec<(&String, Place)> = match (&entry.value, setting.kind()) {
            (Value::Switch(_), Kind::Switch) => return Ok(()),
            (_, Kind::Switch) => return kind("settings-kind-switch"),
            (Value::Number(text), Kind::One) if setting.is_number() => vec![(text, entry.place)],
            (_, Kind::One) if setting.is_number() => return kind("settings-kind-number"),
            (Value::Text(text) | Value::Number(text), Kind::One | Kind::Many) => {
                vec![(text, entry.place)]
            }
            (Value::List(list), Kind::Many) => {
                list.iter().map(|(text, place)| (text, *place)).collect()
            }
            (_, Kind::One) => return kind("settings-kind-text"),
            (_, Kind::Many) => return kind("settings-kind-list"),
        };
        for (text, place) in texts {
            if let Some(wrong) = setting.refusal(text) {
                let value = (!setting.is_secret()).then(|| text.clone());
                return Err(self.fault(&entry.key, place, value, wrong));
            }
        }
        Ok(())
    }

    /// A key that is no setting there: one that stands elsewhere, or perhaps a slip.
    fn unknown(&self, command: &Command, entry: &Entry) -> Fault {
        let mut elsewhere = None;
        let mut known = Vec::new();
        let _ = catalogue::all(command, &mut |setting: Setting<'_>| {
            if setting.key() == entry.key {
                elsewhere = Some(setting.table().join("."));
            }
            if entry.table.is_empty() || setting.table() == entry.table {
                known.push(setting.key().to_owned());
            }
            None::<()>
        });
        let wrong = match elsewhere {
            Some(table) => Wrong::Elsewhere { table },
            None => Wrong::Unknown {
                suggestion: nearest_of(&entry.key, known.iter()),
            },
        };
        self.fault(&entry.key, entry.place, None, wrong)
    }

    /// Two settings that exclude one another.
    pub(super) fn conflict(&self, one: &Entry, other: &Entry) -> Fault {
        let (first, second) = if one.place < other.place {
            (one, other)
        } else {
            (other, one)
        };
        let wrong = Wrong::Conflict {
            other: first.key.clone(),
            place: first.place,
        };
        self.fault(&second.key, second.place, None, wrong)
    }

    fn fault(&self, key: &str, place: Place, value: Option<String>, wrong: Wrong) -> Fault {
        Fault {
            place: Some(place),
            key: key.to_owned(),
            value,
            ..whole_file(&self.path, wrong)
        }
    }

    /// What it says for a setting: in its command's table, else at the top.
    pub(super) fn find(&self, setting: &Setting<'_>) -> Option<&Entry> {
        let own = self.entry(setting.table(), setting.key());
        own.or_else(|| self.entry(&[], setting.key()))
    }

    /// What stands at a place.
    pub(super) fn entry(&self, table: &[String], key: &str) -> Option<&Entry> {
        let mut entries = self.entries.iter();
        entries.find(|entry| entry.key == key && entry.table == table)
    }

    /// The folder that it is in.
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }
}

impl Entry {
    pub(super) fn at(&self) -> Key {
        (self.table.clone(), self.key.clone())
    }

    /// A switch that is off asks for nothing.
    pub(super) fn says_something(&self) -> bool {
        !matches!(self.value, Value::Switch(false))
    }

    fn is_for(&self, setting: &Setting<'_>) -> bool {
        let is_in_reach = self.table.is_empty() || self.table == setting.table();
        is_in_reach && self.key == setting.key()
    }

    /// Its values, as they stand there.
    pub(super) fn texts(&self) -> Vec<String> {
        match &self.value {
            Value::Switch(on) => vec![on.to_string()],
            Value::Text(text) | Value::Number(text) => vec![text.clone()],
            Value::List(list) => list.iter().map(|(text, _)| text.clone()).collect(),
            Value::Other => Vec::new(),
        }
    }

    /// Its values, as the flag takes them.
    pub(super) fn values_for(&self, setting: &Setting<'_>, folder: &Path) -> Vec<String> {
        let absolute = |text: String| match setting.is_path() {
            true => folder.join(text).to_string_lossy().into_owned(),
            false => text,
        };
        self.texts().into_iter().map(absolute).collect()
    }
}

impl Value {
    fn of(text: &str, value: &Spanned<DeValue<'_>>) -> Self {
        match value.get_ref() {
            DeValue::Boolean(on) => Self::Switch(*on),
            DeValue::String(text) => Self::Text(text.to_string()),
            DeValue::Integer(number) if number.radix() == 10 => {
                Self::Number(number.as_str().to_owned())
            }
            DeValue::Array(array) => {
                let items = array.iter().map(|item| match item.get_ref() {
                    DeValue::String(string) => {
                        let place = Place::of(text, item.span().start);
                        Some((string.to_string(), place))
                    }
                    _ => None,
                });
                match items.collect() {
                    Some(list) => Self::List(list),
                    None => Self::Other,
                }
            }
            _ => Self::Other,
        }
    }
}

fn whole_file(path: &Path, wrong: Wrong) -> Fault {
    let shown = sanitise_line(&path.display().to_string()).into_owned();
    Fault {
        origin: Origin::File(shown.into()),
        place: None,
        wrong: Box::new(wrong),
        key: String::new(),
        value: None,
    }
}
