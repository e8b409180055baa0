//! `recado config init`: a file with every setting in it, each behind a comment sign.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use clap::Command;
use recado_proto::text::sanitise_line;

use super::Settings;
use super::catalogue::{self, Kind, Setting};
use crate::context::{Context, Exit};
use crate::terminal;

/// The width of a comment.
const WIDTH: usize = 100;

/// Writes it where the file is looked for; one that is there already stays.
pub(crate) fn init(context: &Context, settings: &Settings, command: &Command) -> Exit {
    let Some(path) = settings.path() else {
        context.complain(&context.text("error-no-home", &[]));
        return Exit::Failed;
    };
    let shown = sanitise_line(&path.display().to_string()).into_owned();
    match write_new(path, &template(context, command)) {
        Ok(()) => {
            context.notice(&context.text("config-written", &[]));
            match terminal::say(&shown) {
                Ok(()) => Exit::Done,
                Err(_) => Exit::Failed,
            }
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            context.complain(&context.text("config-exists", &[("path", &shown)]));
            Exit::Failed
        }
        Err(error) => {
            let cause = error.to_string();
            context
                .complain(&context.text("home-unwritable", &[("path", &shown), ("cause", &cause)]));
            Exit::Failed
        }
    }
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = fs::File::create_new(path)?;
    let written = file.write_all(text.as_bytes());
    if written.is_err() {
        // Half a file would be in the way of the next attempt.
        let _ = fs::remove_file(path);
    }
    written
}

/// The file: what every command takes at the top, then a table for each command.
pub(super) fn template(context: &Context, command: &Command) -> String {
    let mut lines = comment(&context.text("config-template", &[]));
    let mut table: Vec<String> = Vec::new();
    let _ = catalogue::all(command, &mut |setting: Setting<'_>| {
        if setting.table() != table {
            table = setting.table().to_vec();
            lines.push(String::new());
            lines.push(format!("[{}]", table.join(".")));
        }
        lines.push(String::new());
        let help = setting.arg().get_help().map(ToString::to_string);
        lines.extend(comment(&help.unwrap_or_default()));
        lines.push(format!("#{} = {}", setting.key(), example(&setting)));
        None::<()>
    });
    lines.push(String::new());
    lines.join("\n")
}

/// The default, or else what the value's name says of it.
fn example(setting: &Setting<'_>) -> String {
    let default = setting.arg().get_default_values().first();
    let default = default.map(|value| value.to_string_lossy().into_owned());
    let name = setting.arg().get_value_names().and_then(<[_]>::first);
    let value = default.unwrap_or_else(|| name.map(ToString::to_string).unwrap_or_default());
    match setting.kind() {
        Kind::Switch => "false".to_owned(),
        // A name is no number.
        Kind::One if setting.is_number() => value.parse().unwrap_or(1_u64).to_string(),
        Kind::One => quoted(&value),
        Kind::Many => format!("[{}]", quoted(&value)),
    }
}

/// JSON's strings are TOML's too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Lines that begin with a comment sign, each of a width that can be read.
fn comment(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = "#".to_owned();
        for word in paragraph.split_whitespace() {
            if line.chars().count() + word.chars().count() >= WIDTH {
                lines.push(std::mem::replace(&mut line, "#".to_owned()));
            }
            line.push(' ');
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}
