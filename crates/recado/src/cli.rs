//! The command line. Texts come from the language files: `help-COMMAND` and `help-COMMAND-ARGUMENT`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches, Parser, Subcommand, ValueEnum};
use recado_client::address::ServerAddress;
use recado_proto::fingerprint::Fingerprint;
use recado_server::Listen;
use recado_server::http::TrustedProxy;

use crate::i18n::Language;
use crate::period::Period;

/// Everything that was asked for.
#[derive(Parser, Debug)]
#[command(
    name = "recado",
    version,
    disable_help_flag = true,
    disable_version_flag = true,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Cli {
    /// Reads what was typed and what the environment says. A server that was typed counts before a ticket of the
    /// environment.
    pub(crate) fn from_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut cli = Self::from_arg_matches(matches)?;
        if let (Command::Chat(chat), Some((_, given))) = (&mut cli.command, matches.subcommand()) {
            let is_typed = |id| given.value_source(id) == Some(ValueSource::CommandLine);
            match (is_typed("server"), is_typed("ticket")) {
                (true, true) => return Err(conflict("--server", "TICKET")),
                (true, false) => chat.ticket = None,
                (false, _) => {}
            }
            // What a person likes best is no reason for a program not to get what it asks for.
            match (is_typed("plain"), is_typed("json")) {
                (true, true) => return Err(conflict("--plain", "--json")),
                (true, false) => chat.json = false,
                (false, true) => chat.plain = false,
                (false, false) => chat.plain &= !chat.json,
            }
        }
        Ok(cli)
    }

    /// Whether it is there to write the configuration file.
    pub(crate) fn writes_settings(&self) -> bool {
        let Command::Config(config) = &self.command else {
            return false;
        };
        matches!(config.command, Some(ConfigCommand::Init))
    }
}

/// Two arguments that exclude each other.
fn conflict(one: &str, other: &str) -> clap::Error {
    let mut error = clap::Error::new(ErrorKind::ArgumentConflict);
    let argument = |name: &str| ContextValue::String(name.to_owned());
    error.insert(ContextKind::InvalidArg, argument(one));
    error.insert(ContextKind::PriorArg, argument(other));
    error
}

/// What every command takes.
#[derive(Args, Debug, Clone)]
pub(crate) struct Common {
    #[arg(
        long,
        global = true,
        env = "RECADO_SERVER",
        hide_env_values = true,
        value_name = "HOST[:PORT]"
    )]
    pub(crate) server: Option<ServerAddress>,
    #[arg(long, global = true, env = "RECADO_LANG", value_name = "pt-BR|en")]
    pub(crate) lang: Option<String>,
    #[arg(long, global = true, env = "RECADO_HOME", value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// Read before all else, by `settings`.
    #[arg(
        long = "config",
        id = "config_file",
        global = true,
        env = "RECADO_CONFIG",
        value_name = "FILE"
    )]
    pub(crate) config_file: Option<PathBuf>,
    #[arg(
        long,
        global = true,
        env = "RECADO_FINGERPRINT",
        value_name = "SHA256:…"
    )]
    pub(crate) fingerprint: Option<Fingerprint>,
    #[arg(long, global = true, env = "RECADO_CA", value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    #[arg(long, global = true, env = "RECADO_ACCEPT_NEW", value_parser = FalseyValueParser::new(), action = ArgAction::SetTrue)]
    pub(crate) accept_new: bool,
    #[arg(long, short, global = true, env = "RECADO_QUIET", value_parser = FalseyValueParser::new(), action = ArgAction::SetTrue)]
    pub(crate) quiet: bool,
    #[arg(
        long,
        global = true,
        env = "RECADO_COLOR",
        value_name = "WHEN",
        default_value = "auto"
    )]
    pub(crate) color: Color,
}

/// When to use colour.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    Serve(Serve),
    Chat(Chat),
    Send(Send),
    Calc(Calc),
    Doctor(Doctor),
    Demo(Demo),
    Trust(Trust),
    Name(Names),
    Config(Config),
    Completions(Completions),
    Man(Man),
    Invite(Invite),
    Admin(Admin),
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Serve {
    #[arg(
        long,
        env = "RECADO_LISTEN",
        value_name = "ADDR[:PORT]",
        value_delimiter = ','
    )]
    pub(crate) listen: Vec<Listen>,
    #[arg(long, env = "RECADO_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    #[arg(
        long,
        env = "RECADO_REGISTRATION",
        value_name = "WHO",
        default_value = "lan"
    )]
    pub(crate) registration: Registration,
    #[arg(long, env = "RECADO_MESSAGE_AGE", value_name = "PERIOD")]
    pub(crate) message_age: Option<Period>,
    #[arg(long, env = "RECADO_HOST", value_name = "NAME", value_delimiter = ',')]
    pub(crate) host: Vec<String>,
    // What must be there together is looked at by `serve`: one of them may be in the environment, another in the file.
    #[arg(
        long,
        env = "RECADO_CERT",
        value_name = "FILE",
        conflicts_with = "acme"
    )]
    pub(crate) cert: Option<PathBuf>,
    #[arg(long, env = "RECADO_KEY", value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    #[arg(long, env = "RECADO_ACME", value_name = "NAME", value_delimiter = ',')]
    pub(crate) acme: Vec<String>,
    #[arg(long, env = "RECADO_ACME_DIRECTORY", value_name = "URL")]
    pub(crate) acme_directory: Option<String>,
    #[arg(long, env = "RECADO_ACME_CA", value_name = "FILE")]
    pub(crate) acme_ca: Option<PathBuf>,
    #[arg(long, env = "RECADO_ACME_FORWARDED", value_parser = FalseyValueParser::new(), action = ArgAction::SetTrue)]
    pub(crate) acme_forwarded: bool,
    #[arg(long, env = "RECADO_METRICS", value_name = "ADDR:PORT")]
    pub(crate) metrics: Option<SocketAddr>,
    #[arg(
        long,
        env = "RECADO_TRUSTED_PROXY",
        value_name = "ADDR[/BITS]",
        value_delimiter = ','
    )]
    pub(crate) trusted_proxy: Vec<TrustedProxy>,
    #[arg(long, env = "RECADO_NO_DISCOVERY", value_parser = FalseyValueParser::new(), action = ArgAction::SetTrue)]
    pub(crate) no_discovery: bool,
    #[arg(
        long,
        env = "RECADO_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub(crate) log_format: LogFormat,
}

/// Who may register a new name.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Registration {
    Lan,
    Open,
    Invite,
    Closed,
}

/// How logs are written.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Args, Debug)]
pub(crate) struct Chat {
    /// Not parsed here: what clap says of a bad value shows it.
    #[arg(value_name = "TICKET", env = "RECADO_TICKET", hide_env_values = true)]
    pub(crate) ticket: Option<String>,
    #[arg(long, env = "RECADO_NAME", value_name = "NAME")]
    pub(crate) name: Option<String>,
    #[arg(long, env = "RECADO_PLAIN", value_parser = FalseyValueParser::new(), action = ArgAction::SetTrue)]
    pub(crate) plain: bool,
    #[arg(long, env = "RECADO_JSON", value_parser = FalseyValueParser::new(), action = ArgAction::SetTrue)]
    pub(crate) json: bool,
    #[arg(long, env = "RECADO_ACK", value_name = "WHEN", default_value = "auto")]
    pub(crate) ack: Ack,
    #[arg(long, env = "RECADO_HISTORY", value_parser = FalseyValueParser::new(), action = ArgAction::SetTrue)]
    pub(crate) history: bool,
    #[arg(long, env = "RECADO_DOWNLOADS", value_name = "DIR")]
    pub(crate) downloads: Option<PathBuf>,
    #[arg(
        long,
        env = "RECADO_ACCEPT_FROM",
        value_name = "NAME",
        value_delimiter = ','
    )]
    pub(crate) accept_from: Vec<String>,
    #[arg(long, env = "RECADO_RELAY_ONLY", value_parser = FalseyValueParser::new(), action = ArgAction::SetTrue)]
    pub(crate) relay_only: bool,
    #[arg(
        long,
        env = "RECADO_THEME",
        value_name = "THEME",
        default_value = "auto"
    )]
    pub(crate) theme: Theme,
}

/// How the full screen is coloured.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Theme {
    /// As the terminal says what its background is.
    Auto,
    Dark,
    Light,
    /// Nothing faint, and nothing told by colour alone.
    Contrast,
}

/// When an incoming private message counts as received.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ack {
    /// When it is written down.
    Auto,
    /// When the program says so.
    Manual,
}

#[derive(Args, Debug)]
pub(crate) struct Send {
    #[arg(long, env = "RECADO_NAME", value_name = "NAME")]
    pub(crate) name: Option<String>,
    #[arg(long, env = "RECADO_TO", value_name = "NAME")]
    pub(crate) to: Option<String>,
    #[arg(long, env = "RECADO_ALL", conflicts_with = "to", value_parser = FalseyValueParser::new(), action = ArgAction::SetTrue)]
    pub(crate) all: bool,
    #[arg(value_name = "TEXT", required_unless_present = "file")]
    pub(crate) text: Option<String>,
    #[arg(long, value_name = "PATH", num_args = 1.., conflicts_with_all = ["text", "all", "wait"], requires = "to")]
    pub(crate) file: Vec<PathBuf>,
    #[arg(long, env = "RECADO_RELAY_ONLY", requires = "file", value_parser = FalseyValueParser::new(), action = ArgAction::SetTrue)]
    pub(crate) relay_only: bool,
    #[arg(long = "ref", id = "ref", env = "RECADO_REF", value_name = "REF")]
    pub(crate) reference: Option<String>,
    #[arg(
        long,
        env = "RECADO_WAIT",
        value_name = "STATE",
        default_value = "stored"
    )]
    pub(crate) wait: Wait,
    #[arg(long, env = "RECADO_TIMEOUT", value_name = "SECONDS")]
    pub(crate) timeout: Option<u64>,
}

/// What `recado send` waits for.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wait {
    Stored,
    Delivered,
}

#[derive(Args, Debug)]
pub(crate) struct Calc {
    /// `[get|post] [OPERATION X Y]`.
    #[arg(value_name = "[get|post] OPERATION X Y", num_args = 0..=4)]
    pub(crate) words: Vec<String>,
    #[arg(long, env = "RECADO_PRECISION", value_name = "N")]
    pub(crate) precision: Option<String>,
    #[arg(
        long,
        env = "RECADO_OUTPUT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub(crate) output: OutputFormat,
}

/// How a result is written.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OutputFormat {
    Text,
    Json,
}

#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// Of a server on this machine.
    #[arg(long, env = "RECADO_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    #[arg(
        long,
        env = "RECADO_OUTPUT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub(crate) output: OutputFormat,
}

#[derive(Args, Debug)]
pub(crate) struct Config {
    #[arg(
        long,
        env = "RECADO_OUTPUT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub(crate) output: OutputFormat,
    #[command(subcommand)]
    pub(crate) command: Option<ConfigCommand>,
}

#[derive(Subcommand, Debug)]
pub(crate) enum ConfigCommand {
    Init,
}

#[derive(Args, Debug)]
pub(crate) struct Completions {
    #[arg(value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Args, Debug)]
pub(crate) struct Man {
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct Demo {
    #[arg(long, env = "RECADO_EXPLAIN", value_parser = FalseyValueParser::new(), action = ArgAction::SetTrue)]
    pub(crate) explain: bool,
}

#[derive(Args, Debug)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
pub(crate) struct Trust {
    #[command(subcommand)]
    pub(crate) command: TrustCommand,
}

#[derive(Subcommand, Debug)]
pub(crate) enum TrustCommand {
    List,
    Show {
        #[arg(value_name = "HOST[:PORT]")]
        host: ServerAddress,
    },
    Forget {
        #[arg(value_name = "HOST[:PORT]")]
        host: ServerAddress,
    },
    Replace {
        #[arg(value_name = "HOST[:PORT]")]
        host: ServerAddress,
    },
    Install {
        #[arg(value_name = "HOST[:PORT]")]
        host: ServerAddress,
        #[arg(long, env = "RECADO_APPLY", value_parser = FalseyValueParser::new(), action = ArgAction::SetTrue)]
        apply: bool,
    },
}

#[derive(Args, Debug)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
pub(crate) struct Names {
    #[command(subcommand)]
    pub(crate) command: NameCommand,
}

#[derive(Subcommand, Debug)]
pub(crate) enum NameCommand {
    List,
    Export {
        #[arg(value_name = "NAME")]
        name: String,
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    Import {
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// What every command to a server of this machine takes.
#[derive(Args, Debug)]
pub(crate) struct Operating {
    #[arg(long, global = true, env = "RECADO_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    #[arg(
        long,
        global = true,
        env = "RECADO_OUTPUT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub(crate) output: OutputFormat,
}

#[derive(Args, Debug)]
#[command(disable_help_subcommand = true)]
pub(crate) struct Invite {
    #[command(subcommand)]
    pub(crate) command: Option<InviteCommand>,
    #[arg(long, env = "RECADO_USES", value_name = "N", default_value_t = 1)]
    pub(crate) uses: u32,
    #[arg(
        long,
        env = "RECADO_EXPIRES",
        value_name = "PERIOD",
        default_value = "7d"
    )]
    pub(crate) expires: Period,
    #[arg(
        long,
        env = "RECADO_ADDRESS",
        value_name = "HOST[:PORT]",
        value_delimiter = ','
    )]
    pub(crate) address: Vec<ServerAddress>,
    #[command(flatten)]
    pub(crate) operating: Operating,
}

#[derive(Subcommand, Debug)]
pub(crate) enum InviteCommand {
    List,
    Revoke {
        #[arg(value_name = "ID")]
        id: u64,
    },
}

#[derive(Args, Debug)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
pub(crate) struct Admin {
    #[command(subcommand)]
    pub(crate) command: AdminCommand,
    #[command(flatten)]
    pub(crate) operating: Operating,
}

#[derive(Subcommand, Debug)]
pub(crate) enum AdminCommand {
    List {
        #[arg(long, env = "RECADO_HERE", value_parser = FalseyValueParser::new(), action = ArgAction::SetTrue)]
        here: bool,
    },
    Kick(Who),
    Ban(Whom),
    Unban(Whom),
    Bans,
    Mute(Who),
    Unmute(Who),
    Mutes,
    Release {
        #[arg(value_name = "NAME")]
        name: String,
    },
    Limits {
        #[arg(value_name = "LIMIT")]
        limit: Option<String>,
        #[arg(value_name = "VALUE")]
        value: Option<String>,
    },
    Stats,
    Backup {
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    Restore {
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// A person, by name or key.
#[derive(Args, Debug)]
pub(crate) struct Who {
    #[arg(value_name = "NAME", required_unless_present = "key")]
    pub(crate) name: Option<String>,
    #[arg(long, value_name = "KEY", conflicts_with = "name")]
    pub(crate) key: Option<String>,
}

/// The same, or addresses.
#[derive(Args, Debug)]
pub(crate) struct Whom {
    #[arg(value_name = "NAME", required_unless_present_any = ["key", "address"])]
    pub(crate) name: Option<String>,
    #[arg(long, value_name = "KEY", conflicts_with_all = ["name", "address"])]
    pub(crate) key: Option<String>,
    #[arg(long, value_name = "ADDR[/BITS]", conflicts_with = "name")]
    pub(crate) address: Option<String>,
}

/// Puts the language's words into the command and all beneath it.
pub(crate) fn localise(command: clap::Command, language: Language) -> clap::Command {
    let mut command = localise_one(command, "help", language);
    // The version is asked for at the top alone.
    command = command.arg(
        Arg::new("version")
            .long("version")
            .short('V')
            .action(ArgAction::Version)
            .help(language.text("help-version", &[]))
            .help_heading(language.text("help-heading-options", &[])),
    );
    command
}

fn localise_one(command: clap::Command, prefix: &str, language: Language) -> clap::Command {
    let text = |id: &str| language.text(id, &[]);
    let options = text("help-heading-options");
    let arguments = text("help-heading-arguments");
    let subcommands: Vec<String> = command
        .get_subcommands()
        .map(|subcommand| subcommand.get_name().to_owned())
        .collect();
    let usage = text("help-heading-usage");
    let mut command = command
        .subcommand_value_name(text("value-command"))
        .about(text(prefix))
        .subcommand_help_heading(text("help-heading-commands"))
        .help_template(format!(
            "{{about-with-newline}}\n{usage} {{usage}}\n\n{{all-args}}{{after-help}}"
        ))
        .mut_args(|argument| {
            let id = if argument.is_global_set() {
                format!("help-{}", argument.get_id().as_str().replace('_', "-"))
            } else {
                format!("{prefix}-{}", argument.get_id().as_str().replace('_', "-"))
            };
            let heading = if argument.is_positional() {
                &arguments
            } else {
                &options
            };
            let help = format!("{}{}", text(&id), specifics(language, &argument));
            let names = argument.get_value_names().unwrap_or_default();
            let names: Vec<_> = names
                .iter()
                .map(|name| value_name(language, name))
                .collect();
            let takes_values = argument.get_action().takes_values();
            // The parser's own words for these have no translation.
            let argument = argument
                .help(help)
                .help_heading(heading.clone())
                .hide_env(true);
            match takes_values {
                true => argument
                    .value_names(names)
                    .hide_default_value(true)
                    .hide_possible_values(true),
                false => argument,
            }
        })
        .arg(
            Arg::new("help")
                .long("help")
                .short('h')
                .action(ArgAction::Help)
                .help(text("help-help"))
                .help_heading(options.clone()),
        );
    let examples = format!("{prefix}-examples");
    if language.has(&examples) {
        command = command.after_help(text(&examples));
    }
    for name in subcommands {
        let prefix = format!("{prefix}-{name}");
        command = command.mut_subcommand(name, |subcommand| {
            localise_one(subcommand, &prefix, language)
        });
    }
    command
}

/// What an argument is unless said, what it may be, and which variable says it.
pub(crate) fn specifics(language: Language, argument: &Arg) -> String {
    let mut text = String::new();
    let mut add = |id: &str, value: &str| {
        text.push(' ');
        text.push_str(&language.text(id, &[("value", value)]));
    };
    if argument.get_action().takes_values() {
        let defaults = argument.get_default_values().iter();
        let defaults: Vec<_> = defaults.map(|value| value.to_string_lossy()).collect();
        if !defaults.is_empty() {
            add("usage-default", &defaults.join(", "));
        }
        let possible = argument.get_possible_values();
        let possible: Vec<_> = possible.iter().map(|value| value.get_name()).collect();
        if !possible.is_empty() {
            add("usage-values", &possible.join(", "));
        }
    }
    if let Some(variable) = argument.get_env() {
        add("usage-variable", &variable.to_string_lossy());
    }
    text
}

/// What stands for a value, word by word, in the language's words where it has them.
fn value_name(language: Language, name: &str) -> String {
    let mut translated = String::new();
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_ascii_uppercase();
        let end = rest
            .find(|c| is_word(c) != is_word(first))
            .unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        let id = format!("value-{}", part.to_ascii_lowercase());
        match is_word(first) && language.has(&id) {
            true => translated.push_str(&language.text(&id, &[])),
            false => translated.push_str(part),
        }
        rest = after;
    }
    translated
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// The command, and all beneath it, show what to type.
    fn assert_examples(command: &clap::Command, path: &str) {
        let examples = command.get_after_help().map(ToString::to_string);
        let examples = examples.unwrap_or_default();
        assert!(
            examples.contains(path),
            "{path} --help has no example of it"
        );
        for below in command.get_subcommands() {
            assert_examples(below, &format!("{path} {}", below.get_name()));
        }
    }

    #[test]
    fn the_help_of_every_command_has_an_example_of_it() {
        for language in Language::ALL {
            assert_examples(&localise(Cli::command(), language), "recado");
        }
    }

    #[test]
    fn the_command_line_is_sound_and_worded_in_both_languages() {
        for language in Language::ALL {
            let mut command = localise(Cli::command(), language);
            command.clone().debug_assert();
            let help = command.render_long_help().to_string();
            assert!(
                help.contains(&language.text("help-heading-usage", &[])),
                "{help}"
            );
        }
    }
}
