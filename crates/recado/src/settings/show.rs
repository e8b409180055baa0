//! `recado config`: what is in force, and from where.

use std::ffi::OsStr;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};
use recado_client::address::ServerAddress;
use recado_proto::text::sanitise_line;
use serde_json::{Value, json};

use super::catalogue::{self, Kind, Setting};
use super::fault::nearest_of;
use super::{Place, Settings};
use crate::cli::OutputFormat;
use crate::context::{Context, Exit, default_home};
use crate::terminal;

/// What every variable of recado's begins with.
const PREFIX: &str = "RECADO_";

/// Variables that are no flag's: what is logged, and the passphrase of a name that moves. The ticket is an argument's.
const OTHER_VARIABLES: [&str; 4] = [
    "RECADO_CONFIG",
    "RECADO_LOG",
    "RECADO_PASSPHRASE",
    "RECADO_TICKET",
];

/// A setting as it is in force.
struct InForce {
    table: Vec<String>,
    key: String,
    /// As in the file; `None` where it is not set.
    value: Option<Value>,
    source: Source,
}

enum Source {
    Flag,
    Environment(String),
    File(Place),
    Default,
    NotSet,
}

/// Shows every setting. Says what is wrong in the environment, of whatever command it is.
pub(crate) fn show(
    context: &Context,
    settings: &Settings,
    command: &Command,
    matches: &ArgMatches,
    output: OutputFormat,
) -> Exit {
    let mut exit = Exit::Done;
    let mut known = Vec::new();
    let mut in_force = Vec::new();
    let _ = catalogue::all(command, &mut |setting: Setting<'_>| {
        if !known.contains(&setting.variable()) {
            known.push(setting.variable());
            if let Some(fault) = setting.environment_fault(None) {
                context.complain(&fault.text(context.language));
                exit = Exit::WrongUse;
            }
        }
        in_force.push(resolve(settings, matches, &setting));
        None::<()>
    });
    known.extend(OTHER_VARIABLES.map(str::to_owned));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with(PREFIX) && !known.iter().any(|known| *known == name) {
            unknown_variable(context, &name, &known);
        }
    }
    let shown = match output {
        OutputFormat::Text => text(context, settings, &in_force),
        OutputFormat::Json => object(settings, &in_force),
    };
    match terminal::say(&shown) {
        Ok(()) => exit,
        Err(_) => Exit::Failed,
    }
}

/// Another program's, perhaps, so no fault; or a slip.
fn unknown_variable(context: &Context, name: &str, known: &[String]) {
    let name = sanitise_line(name);
    let mut text = context.text("config-unknown-variable", &[("name", &name)]);
    if let Some(suggestion) = nearest_of(&name, known.iter()) {
        text.push_str("; ");
        text.push_str(&context.text("settings-suggestion", &[("suggestion", &suggestion)]));
    }
    context.notice(&text);
}

fn resolve(settings: &Settings, matches: &ArgMatches, setting: &Setting<'_>) -> InForce {
    let texts = |values: &mut dyn Iterator<Item = &OsStr>| -> Vec<String> {
        values
            .map(|value| value.to_string_lossy().into_owned())
            .collect()
    };
    // Only what every command takes can have been typed here.
    let raw = match setting.table() {
        [] => matches.try_get_raw(setting.id()).ok().flatten(),
        _ => None,
    };
    let is_typed = setting.table().is_empty()
        && matches.value_source(setting.id()) == Some(ValueSource::CommandLine);
    let from_environment = setting.arg().get_env().and_then(std::env::var_os);
    let (values, source) = if is_typed {
        let values = raw.map(|mut values| texts(&mut values));
        (values.unwrap_or_default(), Source::Flag)
    } else if let Some(value) = from_environment {
        let value = value.to_string_lossy();
        let values = match setting.arg().get_value_delimiter() {
            Some(delimiter) => value.split(delimiter).map(str::to_owned).collect(),
            None => vec![value.into_owned()],
        };
        (values, Source::Environment(setting.variable()))
    } else if let Some(entry) = settings.entry(setting) {
        let folder = settings.path.as_ref().and_then(|path| path.parent());
        let values = entry.values_for(setting, folder.unwrap_or("".as_ref()));
        (values, Source::File(entry.place))
    } else {
        let mut values = texts(&mut setting.arg().get_default_values().iter().map(AsRef::as_ref));
        if setting.id() == "home" {
            values.extend(default_home().map(|home| home.display().to_string()));
        }
        match values.is_empty() && setting.kind() != Kind::Switch {
            true => (values, Source::NotSet),
            false => (values, Source::Default),
        }
    };
    InForce {
        table: setting.table().to_vec(),
        key: setting.key().to_owned(),
        value: (!matches!(source, Source::NotSet)).then(|| value_of(setting, &values)),
        source,
    }
}

/// As it stands in the file, and fit for a terminal.
fn value_of(setting: &Setting<'_>, values: &[String]) -> Value {
    let shown = |value: &String| match setting.is_secret() {
        true => without_secret(value),
        false => sanitise_line(value).into_owned(),
    };
    match setting.kind() {
        // As the flag reads its variable.
        Kind::Switch => {
            let off = ["", "n", "no", "f", "false", "off", "0"];
            let value = values.first().map(|value| value.to_lowercase());
            let is_on = value.is_some_and(|value| !off.contains(&value.as_str()));
            is_on.into()
        }
        Kind::Many => values.iter().map(shown).collect::<Vec<_>>().into(),
        Kind::One => {
            let value = values.first().map(shown).unwrap_or_default();
            match value.parse::<u64>() {
                Ok(number) if setting.is_number() => number.into(),
                _ => value.into(),
            }
        }
    }
}

/// What can be shown of a value that may carry a secret: the server that it names.
fn without_secret(value: &str) -> String {
    let Ok(address) = value.parse::<ServerAddress>() else {
        return "…".to_owned();
    };
    let secret = if address.ticket().is_some() {
        "/…"
    } else {
        ""
    };
    match address.fingerprint() {
        Some(fingerprint) => format!("recado://{address}/{}{secret}", fingerprint.to_url()),
        None => address.to_string(),
    }
}

/// A file as it could be written, and behind each setting where it is from.
fn text(context: &Context, settings: &Settings, in_force: &[InForce]) -> String {
    let mut lines = vec![format!("# {}", file_line(context, settings))];
    let mut table: &[String] = &[];
    for setting in in_force {
        if setting.table != table {
            table = &setting.table;
            lines.push(String::new());
            lines.push(format!("[{}]", table.join(".")));
        }
        let value = setting.value.as_ref();
        let line = match value {
            // JSON's strings, numbers and lists are TOML's too.
            Some(value) => format!("{} = {value}", setting.key),
            None => format!("#{}", setting.key),
        };
        let source = match &setting.source {
            Source::Flag => context.text("config-from-flag", &[]),
            Source::Environment(name) => context.text("config-from-environment", &[("name", name)]),
            Source::File(place) => {
                context.text("config-from-file", &[("line", &place.line.to_string())])
            }
            Source::Default => context.text("config-default", &[]),
            Source::NotSet => context.text("config-not-set", &[]),
        };
        lines.push(format!("{line:<34} # {source}"));
    }
    lines.join("\n")
}

fn file_line(context: &Context, settings: &Settings) -> String {
    let Some(path) = settings.path() else {
        return context.text("config-no-file", &[]);
    };
    let path = sanitise_line(&path.display().to_string()).into_owned();
    match settings.file {
        Some(_) => context.text("config-file", &[("path", &path)]),
        None => context.text("config-file-missing", &[("path", &path)]),
    }
}

fn object(settings: &Settings, in_force: &[InForce]) -> String {
    let settings_shown = in_force.iter().map(|setting| {
        let (word, variable, place) = match &setting.source {
            Source::Flag => ("flag", None, None),
            Source::Environment(name) => ("environment", Some(name), None),
            Source::File(place) => ("file", None, Some(place)),
            Source::Default => ("default", None, None),
            Source::NotSet => ("not_set", None, None),
        };
        json!({
            "command": setting.table.join(" "),
            "setting": setting.key,
            "value": setting.value,
            "source": word,
            "variable": variable,
            "line": place.map(|place| place.line),
            "column": place.map(|place| place.column),
        })
    });
    let settings_shown: Vec<_> = settings_shown.collect();
    json!({
        "file": settings.path().map(|path| path.display().to_string()),
        "found": settings.file.is_some(),
        "settings": settings_shown,
    })
    .to_string()
}
