//! `recado man`: a page of the manual for each command, in both languages.

use std::fs;
use std::io;
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use crate::cli::{self, Cli};
use crate::context::{Context, Exit};
use crate::i18n::Language;
use crate::terminal;

/// Writes `man1/recado.1` and those beneath it, and the same under `pt_BR/`: as a system's manual is laid out.
pub(crate) fn run(context: &Context, folder: &Path) -> Exit {
    let written = [
        (Language::English, "man1"),
        (Language::Portuguese, "pt_BR/man1"),
    ]
    .into_iter()
    .try_for_each(|(language, section)| {
        let command = cli::localise(Cli::command(), language);
        let folder = folder.join(section);
        fs::create_dir_all(&folder)?;
        pages(&folder, "recado", command, language)
    });
    let shown = folder.display().to_string();
    match written {
        Ok(()) => match terminal::say(&shown) {
            Ok(()) => Exit::Done,
            Err(_) => Exit::Failed,
        },
        Err(error) => {
            let cause = error.to_string();
            context
                .complain(&context.text("home-unwritable", &[("path", &shown), ("cause", &cause)]));
            Exit::Failed
        }
    }
}

/// The page of a command, and those of the commands beneath it.
fn pages(folder: &Path, name: &str, mut command: Command, language: Language) -> io::Result<()> {
    command.build();
    write_pages(folder, name, &command, language)
}

fn write_pages(folder: &Path, name: &str, command: &Command, language: Language) -> io::Result<()> {
    fs::write(
        folder.join(format!("{name}.1")),
        page(name, command, language)?,
    )?;
    for below in command.get_subcommands() {
        write_pages(
            folder,
            &format!("{name}-{}", below.get_name()),
            below,
            language,
        )?;
    }
    Ok(())
}

/// A page: everything that `--help` says, in the manual's order.
fn page(name: &str, command: &Command, language: Language) -> io::Result<String> {
    let text = |id: &str| language.text(id, &[]);
    let man = Man::new(command.clone())
        .title(name.to_uppercase())
        .section("1")
        .source(format!("recado {}", env!("CARGO_PKG_VERSION")))
        .manual(text("man-manual"));
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let mut page = String::from_utf8_lossy(&page).into_owned();
    for (theirs, ours) in [
        (".SH NAME\n", format!(".SH {}\n", text("man-name"))),
        (".SH SYNOPSIS\n", format!(".SH {}\n", text("man-synopsis"))),
        ("Possible values:", text("man-possible-values")),
        ("May also be specified with the ", text("man-variable")),
        (" environment variable. ", ".".to_owned()),
        ("[default: ", format!("[{} ", text("man-default"))),
    ] {
        page = page.replace(theirs, &ours);
    }
    if let Some(more) = command.get_after_help() {
        page.push_str(&format!(".SH {}\n.nf\n", text("man-examples")));
        for line in more.to_string().lines() {
            page.push_str(&escaped(line));
            page.push('\n');
        }
        page.push_str(".fi\n");
    }
    Ok(page)
}

/// A line as it is to be read, whatever it begins with.
fn escaped(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-");
    match line.starts_with(['.', '\'']) {
        true => format!("\\&{line}"),
        false => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_say_what_help_says_in_their_language() {
        for (language, name) in [(Language::English, "NAME"), (Language::Portuguese, "NOME")] {
            let mut command = cli::localise(Cli::command(), language);
            command.build();
            let serve = command.find_subcommand("serve").unwrap();
            let page = page("recado-serve", serve, language).unwrap();
            for part in [
                &format!(".SH {name}\n"),
                "RECADO_LISTEN",
                "\\-\\-data\\-dir",
                "recado serve \\-\\-listen 192.168.1.20:8443",
                &language.text("help-serve-data-dir", &[])[..15],
            ] {
                assert!(page.contains(part), "{part:?} not in {page}");
            }
            if language == Language::Portuguese {
                for word in ["SYNOPSIS", "Possible", "default", "environment"] {
                    assert!(!page.contains(word), "{word} in {page}");
                }
            }
        }
    }

    #[test]
    fn a_line_that_begins_like_a_request_is_text() {
        assert_eq!(escaped(".a -b\\"), "\\&.a \\-b\\e");
    }
}
