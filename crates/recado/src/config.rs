//! `recado config`.

use clap::ArgMatches;

use crate::cli::{self, ConfigCommand};
use crate::context::{Context, Exit};
use crate::{Asked, settings};

/// Shows the settings, or writes a file with all of them.
pub(crate) fn run(
    context: &Context,
    asked: &Asked,
    matches: &ArgMatches,
    arguments: &cli::Config,
) -> Exit {
    let Asked {
        settings, command, ..
    } = asked;
    match arguments.command {
        Some(ConfigCommand::Init) => settings::init(context, settings, command),
        None => {
            let matches = matches.subcommand().map_or(matches, |(_, below)| below);
            settings::show(context, settings, command, matches, arguments.output)
        }
    }
}
