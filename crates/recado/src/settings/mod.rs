//! Settings: what a flag says, else the environment, else the configuration file, else the default.
//!
//! There is one list of settings, the command line's own: a flag `--data-dir` has the variable `RECADO_DATA_DIR`, and
//! stands in the file as `data-dir`, at the top for every command that takes it, or in a table of one command
//! (`[serve]`) for that one. The file's values are handed to the parser as its defaults, so that flags and variables
//! go before them, and each is parsed once, by what parses the flag.

mod catalogue;
mod fault;
mod file;
mod init;
mod place;
mod show;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

use crate::context::default_home;
use catalogue::Setting;
pub(crate) use fault::Fault;
use file::{Entry, File};
pub(crate) use init::init;
pub(crate) use place::Place;
pub(crate) use show::show;

/// The file's name in recado's own folder.
const FILE_NAME: &str = "config.toml";

/// What the configuration file says, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    /// Where it is looked for; `None` where no folder can be found.
    path: Option<PathBuf>,
    /// It was named, so it must be there.
    is_named: bool,
    file: Option<File>,
}

impl Settings {
    /// Finds the file: `--config`, `RECADO_CONFIG`, else `config.toml` in recado's folder. Nothing is read yet.
    pub(crate) fn locate(
        arguments: &[String],
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Self {
        let given = |flag, name| {
            let typed = typed(arguments, flag).map(PathBuf::from);
            typed.or_else(|| {
                let value = variable(name).filter(|value| !value.is_empty());
                value.map(PathBuf::from)
            })
        };
        if let Some(path) = given("--config", "RECADO_CONFIG") {
            return Self {
                path: Some(path),
                is_named: true,
                file: None,
            };
        }
        let home = given("--home", "RECADO_HOME").or_else(default_home);
        Self {
            path: home.map(|home| home.join(FILE_NAME)),
            ..Self::default()
        }
    }

    /// Reads the file, and holds it against the settings that there are.
    ///
    /// # Errors
    /// [`Fault`]: it cannot be read, or something in it is wrong; then nothing of it counts.
    pub(crate) fn read(&mut self, command: impl FnOnce() -> Command) -> Result<(), Fault> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let Some(file) = File::read(path, self.is_named)? else {
            return Ok(());
        };
        file.check(&command())?;
        self.file = Some(file);
        Ok(())
    }

    /// The language that the file asks for.
    pub(crate) fn language(&self) -> Option<String> {
        let entry = self.file.as_ref()?.entry(&[], "lang")?;
        entry.texts().into_iter().next()
    }

    /// Where the file is, if there is one, or would be.
    pub(crate) fn path(&self) -> Option<&PathBuf> {
        self.path.as_ref()
    }

    /// Parses the arguments on top of the file's values.
    ///
    /// # Errors
    /// What the parser says; or, where the fault is in the environment or in the file, a [`Fault`] that names it.
    pub(crate) fn parse(
        &self,
        command: &Command,
        arguments: &[String],
    ) -> Result<ArgMatches, ParseError> {
        // What is typed, or in the environment, takes what it conflicts with in the file out of force.
        let mut dropped = BTreeSet::new();
        loop {
            let mut layered = self.layer(command.clone(), &mut Vec::new(), &dropped);
            let matches = layered
                .try_get_matches_from_mut(arguments)
                .map_err(|error| ParseError::of(error, &layered))?;
            let more = self.conflicts(&layered, &matches, &dropped)?;
            if more.is_empty() {
                return Ok(matches);
            }
            dropped.extend(more);
        }
    }

    /// The command with the file's values as its defaults.
    fn layer(&self, command: Command, path: &mut Vec<String>, dropped: &BTreeSet<Key>) -> Command {
        let Some(file) = &self.file else {
            return command;
        };
        let mut command = command.mut_args(|arg| {
            let Some(setting) = Setting::of(path, &arg) else {
                return arg;
            };
            let entry = file.find(&setting);
            let entry = entry.filter(|entry| !dropped.contains(&entry.at()));
            match entry {
                Some(entry) => {
                    let values = entry.values_for(&setting, file.folder());
                    let is_secret = setting.is_secret();
                    let arg = arg.default_values(values);
                    if is_secret {
                        arg.hide_default_value(true)
                    } else {
                        arg
                    }
                }
                None => arg,
            }
        });
        let names: Vec<String> = command
            .get_subcommands()
            .map(|subcommand| subcommand.get_name().to_owned())
            .collect();
        for name in names {
            path.push(name.clone());
            command = command.mut_subcommand(name, |below| self.layer(below, path, dropped));
            path.pop();
        }
        command
    }

    /// What of the file conflicts with what goes before it; a conflict within the file is a fault of it.
    fn conflicts(
        &self,
        command: &Command,
        matches: &ArgMatches,
        dropped: &BTreeSet<Key>,
    ) -> Result<BTreeSet<Key>, Fault> {
        let mut conflicts = BTreeSet::new();
        let Some(file) = &self.file else {
            return Ok(conflicts);
        };
        let (mut command, mut matches, mut path) = (command, matches, Vec::new());
        loop {
            let settings: Vec<_> = command
                .get_arguments()
                .filter_map(|arg| Setting::of(&path, arg))
                .collect();
            for setting in &settings {
                let Some(entry) = file.find(setting) else {
                    continue;
                };
                let source = matches.value_source(setting.id());
                let is_in_force = source == Some(ValueSource::DefaultValue);
                if !is_in_force || dropped.contains(&entry.at()) || !entry.says_something() {
                    continue;
                }
                for other in &settings {
                    if !setting.conflicts_with(other, command) {
                        continue;
                    }
                    match matches.value_source(other.id()) {
                        Some(ValueSource::CommandLine | ValueSource::EnvVariable) => {
                            conflicts.insert(entry.at());
                        }
                        _ => {
                            let beside = file.find(other);
                            let beside = beside.filter(|beside| {
                                beside.says_something() && !dropped.contains(&beside.at())
                            });
                            if let Some(beside) = beside {
                                return Err(file.conflict(entry, beside));
                            }
                        }
                    }
                }
            }
            let Some((name, below)) = matches.subcommand() else {
                return Ok(conflicts);
            };
            let Some(found) = command.find_subcommand(name) else {
                return Ok(conflicts);
            };
            path.push(name.to_owned());
            (command, matches) = (found, below);
        }
    }

    /// What the file says for a setting.
    fn entry(&self, setting: &Setting<'_>) -> Option<&Entry> {
        self.file.as_ref()?.find(setting)
    }
}

/// Where an entry stands: its table, and its key.
type Key = (Vec<String>, String);

/// Arguments that cannot be parsed.
#[derive(Debug)]
pub(crate) enum ParseError {
    /// What was typed is at fault, or help was asked for.
    Typed(Box<clap::Error>),
    /// What was not typed.
    Fault(Fault),
}

impl From<Fault> for ParseError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl ParseError {
    /// Finds out whether a wrong value is the environment's: the parser does not say.
    fn of(error: clap::Error, command: &Command) -> Self {
        let about_values = matches!(
            error.kind(),
            ErrorKind::InvalidValue | ErrorKind::ValueValidation
        );
        if about_values
            && let Some(ContextValue::String(shown)) = error.get(ContextKind::InvalidArg)
            && let Some(fault) = catalogue::all(command, &mut |setting| {
                let flag = shown.split([' ', '[', '=']).next();
                let is_named = flag.and_then(|flag| flag.strip_prefix("--")) == Some(setting.key());
                let value = match error.get(ContextKind::InvalidValue) {
                    Some(ContextValue::String(value)) => Some(value.as_str()),
                    _ => None,
                };
                is_named.then(|| setting.environment_fault(value)).flatten()
            })
        {
            return Self::Fault(fault);
        }
        Self::Typed(Box::new(error))
    }
}

/// The value of a flag as it was typed, before anything is parsed: the last counts.
pub(crate) fn typed(arguments: &[String], flag: &str) -> Option<String> {
    let mut words = arguments.iter().take_while(|word| *word != "--");
    let mut found = None;
    while let Some(word) = words.next() {
        if word == flag {
            found = words.next().cloned();
        } else if let Some(value) = word
            .strip_prefix(flag)
            .and_then(|rest| rest.strip_prefix('='))
        {
            found = Some(value.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests;
