//! `recado completions`: what a shell needs to complete recado's words.

use clap::Command;
use clap_complete::{Shell, generate};

use crate::context::{Context, Exit};
use crate::terminal;

/// Writes the script to stdout.
pub(crate) fn run(context: &Context, command: &Command, shell: Shell) -> Exit {
    let mut script = Vec::new();
    generate(shell, &mut command.clone(), "recado", &mut script);
    let script = String::from_utf8_lossy(&script);
    match terminal::say(script.trim_end()) {
        Ok(()) => Exit::Done,
        Err(_) => {
            context.complain(&context.text("error-stdout", &[]));
            Exit::Failed
        }
    }
}
