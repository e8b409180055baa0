//! Which settings there are: the flags that have a variable, as the command line declares them.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::ValueParser;
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, Command, value_parser};

use super::Fault;
use super::fault::{Origin, Wrong};
use crate::i18n::Language;

/// A flag that can stand in the file.
#[derive(Clone, Copy)]
pub(super) struct Setting<'a> {
    /// The command that takes it; empty for what every command takes.
    path: &'a [String],
    arg: &'a Arg,
}

/// What a setting holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Switch,
    One,
    Many,
}

impl<'a> Setting<'a> {
    /// The flag as a setting of the command; `None` if it is none: help, the file's own name, what has no variable, and
    /// beneath the top what every command takes.
    pub(super) fn of(path: &'a [String], arg: &'a Arg) -> Option<Self> {
        let is_own = arg.is_global_set() == path.is_empty();
        let is_setting = arg.get_long().is_some() && arg.get_env().is_some() && is_own;
        (is_setting && arg.get_id() != "config_file").then_some(Self { path, arg })
    }

    pub(super) fn arg(&self) -> &'a Arg {
        self.arg
    }

    pub(super) fn id(&self) -> &'a str {
        self.arg.get_id().as_str()
    }

    /// Its key in the file: the flag without its dashes.
    pub(super) fn key(&self) -> &'a str {
        self.arg.get_long().unwrap_or_default()
    }

    /// Its command's table.
    pub(super) fn table(&self) -> &'a [String] {
        self.path
    }

    pub(super) fn variable(&self) -> String {
        let name = self.arg.get_env().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    pub(super) fn kind(&self) -> Kind {
        match self.arg.get_action() {
            ArgAction::SetTrue | ArgAction::SetFalse => Kind::Switch,
            ArgAction::Append => Kind::Many,
            _ => Kind::One,
        }
    }

    /// It may carry a secret, so it is never shown as it is.
    pub(super) fn is_secret(&self) -> bool {
        self.arg.is_hide_env_values_set()
    }

    /// A path: in the file, one that does not begin at the root begins at the file's own folder.
    pub(super) fn is_path(&self) -> bool {
        self.arg.get_value_parser().type_id() == value_parser!(PathBuf).type_id()
    }

    /// A whole number.
    pub(super) fn is_number(&self) -> bool {
        self.arg.get_value_parser().type_id() == ValueParser::from(value_parser!(u64)).type_id()
    }

    pub(super) fn conflicts_with(&self, other: &Setting<'_>, command: &Command) -> bool {
        let names = |one: &Setting<'_>, other: &Setting<'_>| {
            let conflicts = command.get_arg_conflicts_with(one.arg);
            conflicts.iter().any(|arg| arg.get_id() == other.id())
        };
        self.id() != other.id() && (names(self, other) || names(other, self))
    }

    /// Why a value cannot be this setting's, by what parses the flag.
    pub(super) fn refusal(&self, value: &str) -> Option<Wrong> {
        if self.id() == "lang" && Language::parse(value).is_none() {
            return Some(Wrong::Value {
                cause: None,
                possible: ["en", "pt-BR"].map(str::to_owned).to_vec(),
            });
        }
        // The flag alone: what goes with what is another matter.
        let alone = Arg::new("value")
            .long("value")
            .action(ArgAction::Set)
            .value_parser(self.arg.get_value_parser().clone());
        let words: [OsString; 2] = ["recado".into(), format!("--value={value}").into()];
        let error = Command::new("recado")
            .arg(alone)
            .try_get_matches_from(words)
            .err()?;
        let possible = match error.get(ContextKind::ValidValue) {
            Some(ContextValue::Strings(values)) => values.clone(),
            _ => Vec::new(),
        };
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        Some(Wrong::Value {
            // What is said of a secret could show it.
            cause: cause.filter(|_| !self.is_secret()),
            possible,
        })
    }

    /// What is wrong with its variable, if something is; with this value, where one is asked about.
    pub(super) fn environment_fault(&self, asked: Option<&str>) -> Option<Fault> {
        let value = std::env::var_os(self.arg.get_env()?)?;
        let value = value.to_string_lossy();
        let values: Vec<&str> = match self.arg.get_value_delimiter() {
            Some(delimiter) => value.split(delimiter).collect(),
            None => vec![&value],
        };
        let (value, wrong) = values
            .into_iter()
            .filter(|value| asked.is_none_or(|asked| asked == *value))
            .find_map(|value| Some((value, self.refusal(value)?)))?;
        Some(Fault {
            origin: Origin::Variable(self.variable()),
            place: None,
            wrong: Box::new(wrong),
            key: self.key().to_owned(),
            value: (!self.is_secret()).then(|| value.to_owned()),
        })
    }
}

/// Every setting there is, in the order of the command line, until something is found.
pub(super) fn all<T>(
    command: &Command,
    visit: &mut dyn FnMut(Setting<'_>) -> Option<T>,
) -> Option<T> {
    beneath(command, &mut Vec::new(), visit)
}

fn beneath<T>(
    command: &Command,
    path: &mut Vec<String>,
    visit: &mut dyn FnMut(Setting<'_>) -> Option<T>,
) -> Option<T> {
    for arg in command.get_arguments() {
        if let Some(setting) = Setting::of(path, arg)
            && let Some(found) = visit(setting)
        {
            return Some(found);
        }
    }
    for below in command.get_subcommands() {
        path.push(below.get_name().to_owned());
        let found = beneath(below, path, visit);
        path.pop();
        if found.is_some() {
            return found;
        }
    }
    None
}
