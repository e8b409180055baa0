//! The language files: complete, alike, and wholly used.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use clap::CommandFactory;
use recado_client::history::Standing;
use recado_client::{
    Failure, OfferFailure, OfferState, PackageFault, Pause, Refusal, Route, WaitReason,
};
use recado_proto::name::NameError;

use super::*;
use crate::cli::Cli;

/// Each message's id and the arguments that it uses.
fn messages(source: &str) -> BTreeMap<String, BTreeSet<String>> {
    let resource = FluentResource::try_new(source.to_owned());
    assert!(
        resource.is_ok(),
        "{:?}",
        resource.err().map(|(_, errors)| errors)
    );
    let mut messages = BTreeMap::<String, BTreeSet<String>>::new();
    let mut current = String::new();
    for line in source.lines() {
        if let Some((id, _)) = line
            .split_once(" =")
            .filter(|_| line.starts_with(|c: char| c.is_ascii_lowercase()))
        {
            current = id.to_owned();
            assert!(
                messages.insert(current.clone(), BTreeSet::new()).is_none(),
                "{current} twice"
            );
        }
        for part in line.split("$").skip(1) {
            let name: String = part
                .chars()
                .take_while(char::is_ascii_alphanumeric)
                .collect();
            messages.get_mut(&current).unwrap().insert(name);
        }
    }
    messages
}

/// Every string literal of the program that could be an id, and the prefixes of those made by `format!`.
fn literals() -> String {
    fn read(folder: &Path, into: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read(&path, into);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !path.ends_with("tests.rs")
            {
                into.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut text = String::new();
    read(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut text,
    );
    text
}

#[test]
fn both_languages_say_the_same_things() {
    let (english, portuguese) = (messages(EN), messages(PT_BR));
    let ids = |messages: &BTreeMap<String, BTreeSet<String>>| {
        messages.keys().cloned().collect::<BTreeSet<_>>()
    };
    let (en, pt) = (ids(&english), ids(&portuguese));
    assert_eq!(
        en.difference(&pt).collect::<Vec<_>>(),
        [""; 0],
        "only in English"
    );
    assert_eq!(
        pt.difference(&en).collect::<Vec<_>>(),
        [""; 0],
        "only in Portuguese"
    );
    for (id, arguments) in &english {
        assert_eq!(arguments, &portuguese[id], "arguments of {id}");
    }
}

/// The ids that are put together from a prefix and a word that the protocol, the service, the calendar or the command
/// line names.
fn made() -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    let mut add = |prefix: &str, words: &mut dyn Iterator<Item = String>| {
        ids.extend(words.map(|word| format!("{prefix}-{word}")));
    };
    let word = |word: &&str| (*word).to_owned();
    add("name-rule", &mut NameError::KINDS.iter().map(word));
    let failures = Failure::ALL.map(|failure| failure.code().to_owned());
    add("failure", &mut failures.into_iter());
    let reasons = [
        WaitReason::MailboxFull,
        WaitReason::Rate,
        WaitReason::Storage,
        WaitReason::NoKeys,
    ];
    add(
        "waiting",
        &mut reasons.into_iter().map(|why| why.code().to_owned()),
    );
    let faults = PackageFault::ALL.map(|fault| fault.code().to_owned());
    add("package", &mut faults.into_iter());
    // What came has no state of its own.
    let states = [
        Standing::Queued,
        Standing::Stored,
        Standing::Delivered,
        Standing::Failed,
    ];
    add(
        "state",
        &mut states.into_iter().map(|state| state.as_str().to_owned()),
    );
    let failures = OfferFailure::ALL.map(|failure| failure.code().to_owned());
    add("file-failure", &mut failures.into_iter());
    let refusals = Refusal::ALL.map(|refusal| refusal.code().to_owned());
    add("file-refusal", &mut refusals.into_iter());
    let pauses = [Pause::Connection, Pause::DiskFull];
    add(
        "file-pause",
        &mut pauses.into_iter().map(|pause| pause.code().to_owned()),
    );
    let routes = [Route::Direct, Route::Relay];
    add(
        "file-route",
        &mut routes.into_iter().map(|route| route.code().to_owned()),
    );
    let states = [
        OfferState::Queued,
        OfferState::Offered,
        OfferState::Accepted,
        OfferState::Running(Route::Direct),
        OfferState::Waiting(Pause::Connection),
        OfferState::Received,
        OfferState::Declined,
        OfferState::Cancelled,
        OfferState::Failed(OfferFailure::Protocol),
    ];
    let words = states.map(|state| state.word().to_owned());
    add("file-word", &mut words.clone().into_iter());
    // Of what goes without saying, nothing is told.
    for (side, silent) in [
        ("own", &["queued"][..]),
        ("theirs", &["queued", "offered", "received"]),
    ] {
        let told = words.iter().filter(|word| !silent.contains(&word.as_str()));
        add(&format!("file-state-{side}"), &mut told.cloned());
    }
    add("weekday", &mut (1..=7).map(|day| day.to_string()));
    add("month", &mut (1..=12).map(|month| month.to_string()));
    let (mut helps, mut values) = (BTreeSet::new(), BTreeSet::new());
    let mut commands = vec![("help".to_owned(), Cli::command())];
    while let Some((prefix, command)) = commands.pop() {
        helps.insert(prefix.clone());
        for argument in command.get_arguments() {
            let of = if argument.is_global_set() {
                "help"
            } else {
                &prefix
            };
            helps.insert(format!(
                "{of}-{}",
                argument.get_id().as_str().replace('_', "-")
            ));
            if !argument.get_action().takes_values() {
                continue;
            }
            for name in argument.get_value_names().unwrap_or_default() {
                let words = name.split(|c: char| !c.is_ascii_uppercase());
                values.extend(
                    words
                        .filter(|word| !word.is_empty())
                        .map(str::to_ascii_lowercase),
                );
            }
        }
        let below = command.get_subcommands();
        commands.extend(below.map(|sub| (format!("{prefix}-{}", sub.get_name()), sub.clone())));
    }
    add("value", &mut values.into_iter());
    ids.extend(helps);
    ids
}

#[test]
fn every_message_is_used_and_every_one_used_is_there() {
    let code = literals();
    let (known, made) = (messages(EN), made());
    // What the service and the operator's socket name.
    let named = [
        (
            "problem-",
            include_str!("../../../recado-server/src/http/problem.rs"),
        ),
        (
            "admin-refused-",
            concat!(
                include_str!("../../../recado-server/src/admin/protocol.rs"),
                include_str!("../../../recado-server/src/admin/mod.rs"),
            ),
        ),
        (
            "admin-limit-",
            include_str!("../../../recado-server/src/admin/protocol.rs"),
        ),
    ];
    for id in known.keys() {
        let is_literal = code.contains(&format!("\"{id}\""));
        // Examples are there for the commands that need some, and words for what stands in no other language as it is.
        let examples = id.strip_suffix("-examples");
        let is_example = examples.is_some_and(|command| made.contains(command));
        let is_named = named.iter().any(|(prefix, source)| {
            let kind = id.strip_prefix(prefix);
            kind.is_some_and(|kind| source.contains(&format!("\"{kind}\"")))
        });
        let is_used = is_literal || made.contains(id) || is_example || is_named;
        assert!(is_used, "{id} is not used");
    }
    for id in made {
        // The same in both.
        let is_alike = [
            "value-host",
            "value-url",
            "value-ref",
            "value-n",
            "value-shell",
            "value-sha",
            "value-bits",
            "value-br",
            "value-id",
            "value-x",
            "value-y",
        ];
        assert!(
            is_alike.contains(&id.as_str()) || known.contains_key(&id),
            "no message {id}"
        );
    }
    let calls = ["text(", "counted(", "hint(", "notice(", "hint_of("];
    for call in calls {
        for literal in code.split(call).skip(1).filter_map(|rest| {
            let rest = rest.trim_start();
            let rest = rest.strip_prefix("language,").map_or(rest, str::trim_start);
            rest.strip_prefix('"')
                .and_then(|rest| rest.split('"').next())
        }) {
            assert!(known.contains_key(literal), "no message {literal}");
        }
    }
}

#[test]
fn nothing_is_left_untranslated() {
    // The same in both: what is quoted, names and signs.
    const ALIKE: [&str; 11] = [
        "calc-prompt-x",
        "calc-prompt-y",
        "chat-global",
        "config-file",
        "doctor-ok",
        "file-title",
        "find-claimed",
        "link-tcp",
        "link-udp",
        "man-manual",
        "usage-other",
    ];
    let of = |source: &str, id: &str| {
        let from = source.find(&format!("\n{id} =")).unwrap();
        let rest = &source[from + 1..];
        let end = rest.find("\n").unwrap_or(rest.len());
        let line = &rest[..end];
        // Those of several lines are compared by the first two.
        match line.ends_with('=') {
            true => rest.lines().take(3).collect::<Vec<_>>().join("\n"),
            false => line.to_owned(),
        }
    };
    let known = messages(EN);
    let alike = known.keys().filter(|id| of(EN, id) == of(PT_BR, id));
    assert_eq!(alike.collect::<Vec<_>>(), ALIKE);
}

#[test]
fn counts_have_their_forms_and_numbers_their_marks() {
    let (en, pt) = (Language::English, Language::Portuguese);
    for (count, english, portuguese) in [
        (0, "0 people here", "0 pessoa presente"),
        (1, "1 person here", "1 pessoa presente"),
        (2, "2 people here", "2 pessoas presentes"),
        (12_345, "12,345 people here", "12.345 pessoas presentes"),
    ] {
        assert_eq!(en.counted("tui-title-here", count, &[]), english);
        assert_eq!(pt.counted("tui-title-here", count, &[]), portuguese);
    }
    for (bytes, english, portuguese) in [
        (0, "0 B", "0 B"),
        (999, "999 B", "999 B"),
        (1_234, "1.2 kB", "1,2 kB"),
        (999_960, "1.0 MB", "1,0 MB"),
        (u64::MAX, "18446.7 PB", "18446,7 PB"),
    ] {
        assert_eq!(en.bytes(bytes), english);
        assert_eq!(pt.bytes(bytes), portuguese);
    }
    assert_eq!(en.number(1_000_000), "1,000,000");
    // Every message that counts does so by its number.
    for source in [EN, PT_BR] {
        for (id, arguments) in messages(source) {
            let counts = arguments.contains("count");
            assert!(!counts || source.contains("$count ->"), "{id}");
        }
    }
}

#[test]
fn the_words_that_others_name_are_all_translated() {
    for language in Language::ALL {
        for kind in recado_proto::name::NameError::KINDS {
            assert!(language.has(&format!("name-rule-{kind}")), "{kind}");
        }
        for failure in recado_client::Failure::ALL {
            let code = failure.code();
            assert!(language.has(&format!("failure-{code}")), "{code}");
        }
    }
}

#[test]
fn the_seed_is_quoted_to_the_letter() {
    let text = |id| Language::Portuguese.text(id, &[]);
    assert_eq!(text("chat-name-prompt"), "Digite seu nome de usuário:");
    assert_eq!(
        text("chat-prompt"),
        "Digite sua mensagem (/udp para chat em grupo, /tcp <destinatário> para mensagem direta):"
    );
    assert_eq!(
        text("calc-prompt-method"),
        "Tipo de requisição (GET ou POST):"
    );
    assert_eq!(
        text("calc-prompt-operation"),
        "Operação (soma, subtração, multiplicação ou divisão):"
    );
    let text = |id| Language::English.text(id, &[]);
    assert_eq!(text("chat-name-prompt"), "Enter your user name:");
    assert_eq!(
        text("chat-prompt"),
        "Type your message (/udp for group chat, /tcp <recipient> for a direct message):"
    );
}

#[test]
fn the_language_is_the_first_that_says_something() {
    let detect = |arguments: &[&str], variables: &[(&str, &str)]| {
        let arguments: Vec<_> = arguments.iter().map(|a| (*a).to_owned()).collect();
        Language::detect(&arguments, |name| {
            let found = variables.iter().find(|(n, _)| *n == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    };
    use Language::{English, Portuguese};
    assert_eq!(detect(&[], &[]), English);
    assert_eq!(detect(&[], &[("LANG", "pt_BR.UTF-8")]), Portuguese);
    assert_eq!(
        detect(&[], &[("LC_ALL", ""), ("LANG", "pt_PT")]),
        Portuguese
    );
    assert_eq!(detect(&[], &[("LC_ALL", "C"), ("LANG", "pt_BR")]), English);
    assert_eq!(
        detect(&[], &[("RECADO_LANG", "en"), ("LANG", "pt_BR")]),
        English
    );
    assert_eq!(
        detect(&["recado", "--lang", "pt-BR"], &[("RECADO_LANG", "en")]),
        Portuguese
    );
    assert_eq!(
        detect(&["recado", "--lang=en"], &[("LANG", "pt_BR")]),
        English
    );
    assert_eq!(detect(&["recado", "chat", "--", "--lang=pt"], &[]), English);
}
