//! The language files: complete, alike, and wholly used.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::*;

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

#[test]
fn every_message_is_used_and_every_one_used_is_there() {
    let code = literals();
    let known = messages(EN);
    // Made from a prefix and a word that the protocol, the service or the command line names.
    let made = [
        "help-",
        "name-rule-",
        "failure-",
        "waiting-",
        "state-",
        "problem-",
        "trust-failure-",
        "trust-fault-",
        "chat-error-",
        "file-",
        "admin-refused-",
        "admin-limit-",
    ];
    for id in known.keys() {
        let used =
            code.contains(&format!("\"{id}\"")) || made.iter().any(|prefix| id.starts_with(prefix));
        assert!(used, "{id} is not used");
    }
    for literal in code.split("text(").skip(1).filter_map(|rest| {
        let rest = rest.trim_start();
        let rest = rest.strip_prefix("language,").map_or(rest, str::trim_start);
        rest.strip_prefix('"')
            .and_then(|rest| rest.split('"').next())
    }) {
        assert!(known.contains_key(literal), "no message {literal}");
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
