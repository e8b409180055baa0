//! What the parser of the command line says, in the person's words: help, and what is wrong with what was typed.

use std::error::Error as _;
use std::io::{self, IsTerminal, Write};

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use clap::{Arg, Command};
use recado_client::address::AddressError;
use recado_proto::text::sanitise_line;

use crate::cli;
use crate::i18n::Language;
use crate::wording;

/// What the parser calls the options in a usage line, whatever it is told.
const OPTIONS: &str = "[OPTIONS]";

/// Whose value may be a secret: it is not shown again.
const SECRET: &str = "--server";

/// Tells what the parser answers: help and version on stdout, all else on stderr. Whether that was asked for.
pub(crate) fn tell(language: Language, command: &Command, error: &Error) -> bool {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            print(
                io::stdout(),
                &localise(language, &styled(error, io::stdout().is_terminal())),
            );
            true
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            print(
                io::stderr(),
                &localise(language, &styled(error, io::stderr().is_terminal())),
            );
            false
        }
        _ => {
            print(io::stderr(), &explain(language, command, error));
            false
        }
    }
}

/// Nobody who reads is nobody to tell.
fn print(mut out: impl Write, text: &str) {
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

fn styled(error: &Error, is_terminal: bool) -> String {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    let text = error.render();
    match is_terminal && !no_color && !is_dumb {
        true => text.ansi().to_string(),
        false => text.to_string(),
    }
}

/// Puts the language's word in the place of the parser's own.
fn localise(language: Language, text: &str) -> String {
    text.replace(OPTIONS, &language.text("usage-options", &[]))
}

/// What is wrong, how it goes, and where to read more.
fn explain(language: Language, command: &Command, error: &Error) -> String {
    let mut text = language.text("error-prefix", &[]);
    text.push_str(&fault(language, command, error));
    if let Some(suggestion) = suggestion(error) {
        text.push('\n');
        text.push_str(&language.text("usage-suggestion", &[("suggestion", &suggestion)]));
    }
    if let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) {
        // Without the parser's own word for it.
        let usage = usage.to_string();
        let usage = usage
            .split_once(':')
            .map_or(usage.as_str(), |(_, usage)| usage);
        let usage = localise(language, usage.trim());
        let heading = language.text("help-heading-usage", &[]);
        text.push_str(&format!("\n\n{heading} {usage}"));
    }
    text.push_str("\n\n");
    text.push_str(&language.text("usage-help", &[]));
    text.push('\n');
    text
}

fn fault(language: Language, command: &Command, error: &Error) -> String {
    let of = |kind| error.get(kind).map(words).unwrap_or_default();
    let argument = of(ContextKind::InvalidArg);
    let value = of(ContextKind::InvalidValue);
    let argument = argument.as_str();
    match error.kind() {
        ErrorKind::UnknownArgument => {
            language.text("usage-unknown-argument", &[("argument", argument)])
        }
        ErrorKind::InvalidSubcommand => {
            let name = of(ContextKind::InvalidSubcommand);
            language.text("usage-unknown-command", &[("command", &name)])
        }
        ErrorKind::MissingSubcommand => {
            let valid = of(ContextKind::ValidSubcommand);
            language.text("usage-missing-command", &[("commands", &valid)])
        }
        ErrorKind::InvalidValue if value.is_empty() => {
            language.text("usage-no-value", &[("argument", argument)])
        }
        ErrorKind::InvalidValue => {
            let valid = of(ContextKind::ValidValue);
            let arguments = [
                ("value", value.as_str()),
                ("argument", argument),
                ("valid", &valid),
            ];
            language.text("usage-choose", &arguments)
        }
        ErrorKind::ValueValidation => {
            let address = error
                .source()
                .and_then(|source| source.downcast_ref::<AddressError>());
            let why = match address {
                Some(address) => wording::address(language, address),
                None => expectation(language, command, argument),
            };
            match argument.starts_with(SECRET) {
                true => language.text("usage-bad-secret", &[("argument", argument), ("why", &why)]),
                false => {
                    let arguments = [
                        ("value", value.as_str()),
                        ("argument", argument),
                        ("why", &why),
                    ];
                    language.text("usage-bad-value", &arguments)
                }
            }
        }
        ErrorKind::ArgumentConflict => {
            let other = of(ContextKind::PriorArg);
            match other == argument {
                true => language.text("usage-twice", &[("argument", argument)]),
                false => {
                    let arguments = [("argument", argument), ("other", other.as_str())];
                    language.text("usage-conflict", &arguments)
                }
            }
        }
        ErrorKind::MissingRequiredArgument => {
            language.text("usage-missing", &[("arguments", argument)])
        }
        ErrorKind::TooManyValues => {
            let arguments = [("value", value.as_str()), ("argument", argument)];
            language.text("usage-too-many", &arguments)
        }
        // Nothing of recado's command line leads here.
        _ => {
            let cause = error.to_string();
            let cause = cause.lines().next().unwrap_or_default();
            language.text("usage-other", &[("cause", &sanitise_line(cause))])
        }
    }
}

/// What an argument takes: its help.
fn expectation(language: Language, command: &Command, argument: &str) -> String {
    let mut commands = vec![command];
    while let Some(command) = commands.pop() {
        let found = command
            .get_arguments()
            .find(|known| is_called(known, argument));
        if let Some(known) = found
            && let Some(help) = known.get_help()
        {
            let help = help.to_string();
            let specifics = cli::specifics(language, known);
            return help.strip_suffix(&specifics).unwrap_or(&help).to_owned();
        }
        commands.extend(command.get_subcommands());
    }
    String::new()
}

/// Whether an argument is the one that the parser calls so: `--flag <VALUE>`, `<VALUE>` or `[VALUE]`.
fn is_called(known: &Arg, name: &str) -> bool {
    let word = name.split([' ', '=']).next().unwrap_or_default();
    match known.get_long() {
        Some(long) => word.strip_prefix("--") == Some(long),
        None => {
            let names = known.get_value_names().unwrap_or_default();
            let bare = name.trim_matches(['<', '>', '[', ']', '.']);
            names
                .iter()
                .any(|name| name.trim_matches(['[', ']']) == bare)
        }
    }
}

/// What was probably meant.
fn suggestion(error: &Error) -> Option<String> {
    [
        ContextKind::SuggestedArg,
        ContextKind::SuggestedSubcommand,
        ContextKind::SuggestedValue,
    ]
    .into_iter()
    .find_map(|kind| error.get(kind).map(words))
}

/// One, or several: fit for a terminal, as some of it was typed.
fn words(value: &ContextValue) -> String {
    let text = match value {
        ContextValue::String(text) => text.clone(),
        ContextValue::Strings(texts) => texts.join(", "),
        ContextValue::StyledStr(text) => text.to_string(),
        ContextValue::StyledStrs(texts) => {
            let texts: Vec<_> = texts.iter().map(ToString::to_string).collect();
            texts.join(", ")
        }
        ContextValue::Number(number) => number.to_string(),
        _ => String::new(),
    };
    sanitise_line(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::{Cli, localise as localise_command};

    /// What is said of what was typed.
    fn said(language: Language, typed: &[&str]) -> String {
        let mut command = localise_command(Cli::command(), language);
        let words = std::iter::once("recado").chain(typed.iter().copied());
        let parsed = command
            .try_get_matches_from_mut(words)
            .and_then(|matches| Cli::from_matches(&matches));
        match parsed {
            Ok(cli) => panic!("{typed:?} is {cli:?}"),
            Err(error) => explain(language, &command, &error),
        }
    }

    /// What the parser says by itself.
    const ENGLISH: [&str; 14] = [
        "Usage",
        "OPTIONS",
        "error:",
        "unexpected",
        "invalid value",
        "required",
        "possible values",
        "tip:",
        "similar",
        "For more",
        "cannot be used",
        "subcommand",
        "default:",
        "env:",
    ];

    const WRONG: [&[&str]; 14] = [
        &["--nonsense"],
        &["--serverr", "x", "chat"],
        &["nonsense"],
        &["serv"],
        &["trust", "nonsense"],
        &["trust", "forget"],
        &["send", "--to", "B", "--all", "x"],
        &["serve", "--registration", "sometimes"],
        &["serve", "--listen", "everywhere"],
        &["serve", "--metrics", "x"],
        &[
            "chat",
            "--server",
            "recado://host/SHA256-x/secret-of-a-ticket",
        ],
        &["chat", "--plain", "--json"],
        &["send", "--timeout", "soon", "--to", "B", "x"],
        &["chat", "--name"],
    ];

    #[test]
    fn what_is_wrong_is_said_in_the_language_that_is_spoken() {
        for typed in WRONG {
            let portuguese = said(Language::Portuguese, typed);
            for word in ENGLISH {
                assert!(
                    !portuguese.contains(word),
                    "{typed:?}: {word} in {portuguese}"
                );
            }
            assert!(portuguese.starts_with("erro: "), "{portuguese}");
            let english = said(Language::English, typed);
            assert!(
                english.starts_with("error: ") && english.contains("--help"),
                "{english}"
            );
            assert_ne!(english, portuguese);
            for text in [english, portuguese] {
                assert!(!text.contains("secret-of"), "{text}");
            }
        }
        assert!(said(Language::Portuguese, &["serv"]).contains("serve"));
    }

    #[test]
    fn help_has_no_word_of_another_language() {
        let mut command = localise_command(Cli::command(), Language::Portuguese);
        command.build();
        let mut commands = vec![command];
        while let Some(mut command) = commands.pop() {
            let help = localise(
                Language::Portuguese,
                &command.render_long_help().to_string(),
            );
            for word in ENGLISH {
                assert!(!help.contains(word), "{word} in {help}");
            }
            for name in ["FILE", "DIR", "NAME", "TEXT", "WHEN", "SECONDS"] {
                assert!(!help.contains(&format!("<{name}>")), "{name} in {help}");
            }
            commands.extend(command.get_subcommands().cloned());
        }
    }

    #[test]
    fn help_says_defaults_choices_and_variables() {
        let mut command = localise_command(Cli::command(), Language::Portuguese);
        command.build();
        let serve = command.find_subcommand_mut("serve").unwrap();
        let help = serve.render_long_help().to_string();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [
            "[padrão: lan]",
            "[valores: lan, open, invite, closed]",
            "[variável: RECADO_HOST]",
        ] {
            assert!(help.contains(part), "{part}: {help}");
        }
    }
}
