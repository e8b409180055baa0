//! The layers, without a process: `tests/end_to_end/settings.rs` has them with one.

use std::fs;

use clap::CommandFactory;
use tempfile::TempDir;

use super::*;
use crate::cli::{self, Cli};
use crate::context::Context;
use crate::i18n::Language;

fn command() -> Command {
    cli::localise(Cli::command(), Language::English)
}

/// The settings of a file with this text.
fn read(text: &str) -> (TempDir, Result<Settings, Fault>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    fs::write(&path, text).unwrap();
    let words = ["recado", "--config", path.to_str().unwrap()].map(str::to_owned);
    let mut settings = Settings::locate(&words, |_| None);
    let read = settings.read(command).map(|()| settings);
    (folder, read)
}

fn parse(text: &str, words: &[&str]) -> Result<Cli, ParseError> {
    let (_folder, settings) = read(text);
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let matches = settings.unwrap().parse(&command(), &words)?;
    Ok(Cli::from_matches(&matches).unwrap())
}

fn chat(cli: Cli) -> cli::Chat {
    match cli.command {
        cli::Command::Chat(chat) => chat,
        other => panic!("{other:?}"),
    }
}

/// What is said of a file, behind its path.
fn fault(text: &str) -> String {
    let (folder, settings) = read(text);
    let fault = settings.unwrap_err().text(Language::English);
    let path = folder.path().join("config.toml").display().to_string();
    fault.strip_prefix(&path).unwrap().to_owned()
}

#[test]
fn a_setting_stands_at_the_top_or_in_its_commands_table() {
    let text =
        "name = \"Alice\"\nquiet = true\n[chat]\nplain = true\n[send]\nname = \"Bob\"\ntimeout = 5";
    let cli = parse(text, &["recado", "chat"]).unwrap();
    assert!(cli.common.quiet);
    let chat = chat(cli);
    assert_eq!((chat.name.as_deref(), chat.plain), (Some("Alice"), true));
    let cli = parse(text, &["recado", "send", "--to", "Carol", "Hello"]).unwrap();
    let cli::Command::Send(send) = cli.command else {
        panic!("not send");
    };
    assert_eq!((send.name.as_deref(), send.timeout), (Some("Bob"), Some(5)));
}

#[test]
fn a_flag_goes_before_the_file_and_takes_what_it_excludes_out_of_force() {
    let text = "[chat]\nplain = true\nname = \"Alice\"";
    let cli = parse(text, &["recado", "chat", "--json", "--name", "Bob"]).unwrap();
    let chat = chat(cli);
    assert_eq!(
        (chat.plain, chat.json, chat.name.as_deref()),
        (false, true, Some("Bob"))
    );
    let text = "[serve]\ncert = \"a.pem\"\nkey = \"b.pem\"\nlisten = [\"127.0.0.1\", \"::1\"]";
    let cli = parse(text, &["recado", "serve", "--acme", "a.example"]).unwrap();
    let cli::Command::Serve(serve) = cli.command else {
        panic!("not serve");
    };
    assert_eq!((serve.cert, serve.listen.len()), (None, 2));
    assert_eq!(serve.acme, ["a.example"]);
}

#[test]
fn a_path_begins_at_the_files_folder() {
    let (folder, settings) = read("[serve]\ndata-dir = \"data\"\ncert = \"/etc/a.pem\"");
    let words = ["recado", "serve"].map(str::to_owned);
    let matches = settings.unwrap().parse(&command(), &words).unwrap();
    let cli::Command::Serve(serve) = Cli::from_matches(&matches).unwrap().command else {
        panic!("not serve");
    };
    assert_eq!(serve.data_dir, Some(folder.path().join("data")));
    assert_eq!(serve.cert, Some("/etc/a.pem".into()));
}

#[test]
fn what_is_wrong_is_said_with_its_place_and_what_may_have_been_meant() {
    for (text, said) in [
        (
            "lisen = 1",
            ":1:1: there is no setting \"lisen\"; did you mean \"listen\"?",
        ),
        (
            "\n[serve]\ndata_dir = \"x\"",
            ":3:1: there is no setting \"data_dir\"; did you mean \"data-dir\"?",
        ),
        (
            "[serv]\nlisten = \"::\"",
            ":1:2: there is no command \"serv\"; did you mean \"[serve]\"?",
        ),
        (
            "[chat]\nlisten = \"::\"",
            ":2:1: \"listen\" does not stand here, but in [serve] or at the top",
        ),
        (
            "[chat]\nquiet = true",
            ":2:1: \"quiet\" does not stand here, but at the top, before any [table]",
        ),
        ("quiet = \"yes\"", ":1:1: \"quiet\" is true or false"),
        (
            "[send]\ntimeout = \"soon\"",
            ":2:1: \"timeout\" is a whole number",
        ),
        (
            "server = [\"a\"]",
            ":1:1: \"server\" is a text in quotation marks",
        ),
        (
            "[serve]\nlisten = true",
            ":2:1: \"listen\" is a list of texts in quotation marks",
        ),
        (
            "[serve]\nregistration = \"opn\"",
            ":2:1: \"opn\" cannot be \"registration\": there are lan, open, invite, closed; did you mean \"open\"?",
        ),
        (
            "lang = \"fr\"",
            ":1:1: \"fr\" cannot be \"lang\": there are en, pt-BR",
        ),
        ("config = \"x\"", ":1:1: there is no setting \"config\""),
    ] {
        let found = fault(text);
        assert!(
            found.starts_with(said),
            "{text:?}\nfound    {found}\nexpected {said}"
        );
    }
    let found = fault("[serve]\nlisten = [\n  \"::\",\n  \"nowhere\",\n]");
    assert!(
        found.starts_with(":4:3: \"nowhere\" cannot be \"listen\": "),
        "{found}"
    );
    let found = fault("a = 1\na = 2");
    assert!(found.starts_with(":2:1: this is no TOML"), "{found}");
    let found = fault(&"#".repeat(300 * 1024));
    assert!(found.contains("longer than"), "{found}");
    let (_folder, settings) = read("[send]\nto = \"Bob\"\nall = true");
    let words = ["recado", "send", "Hello"].map(str::to_owned);
    let Err(ParseError::Fault(fault)) = settings.unwrap().parse(&command(), &words) else {
        panic!("no fault");
    };
    let said = fault.text(Language::English);
    assert!(
        said.ends_with(":3:1: \"all\" does not go with \"to\" (line 2); leave one of them out"),
        "{said}"
    );
}

#[test]
fn a_secret_is_not_repeated() {
    let secret = "recado://h/SHA256-x/hushhush";
    assert!(!fault(&format!("server = \"{secret}\"")).contains("hush"));
    assert!(!fault(&format!("server = \"{secret}")).contains("hush"));
}

#[test]
fn every_setting_is_in_the_template_and_each_can_be_taken_as_it_stands() {
    for language in Language::ALL {
        let command = cli::localise(Cli::command(), language);
        let common = parse("", &["recado", "demo"]).unwrap().common;
        let context = Context::new(common, language).unwrap();
        let template = init::template(&context, &command);
        // As it is, it says nothing, and nothing in it is wrong.
        let (_folder, settings) = read(&template);
        assert!(settings.unwrap().file.is_some());
        // With every sign taken away it is still TOML, and every key is known.
        let settings: Vec<_> = template
            .lines()
            .filter_map(|line| match line.strip_prefix('#') {
                Some(setting) if !setting.starts_with(' ') => Some(setting),
                Some(_) => None,
                None => Some(line),
            })
            .collect();
        let (_folder, settings) = read(&settings.join("\n"));
        if let Err(fault) = settings {
            let said = fault.text(language);
            // Only placeholders may be no values.
            assert!(matches!(*fault.wrong, fault::Wrong::Value { .. }), "{said}");
        }
        let mut count = 0;
        let _ = catalogue::all(&command, &mut |setting: Setting<'_>| {
            let line = format!("\n#{} = ", setting.key());
            assert!(template.contains(&line), "{line:?} in {template}");
            count += 1;
            None::<()>
        });
        assert!(count > 30, "{count}");
    }
}
