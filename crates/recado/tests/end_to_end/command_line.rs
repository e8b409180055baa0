//! The command line itself.

use crate::common::{Home, run};

const COMMANDS: [&[&str]; 10] = [
    &[],
    &["serve"],
    &["chat"],
    &["calc"],
    &["demo"],
    &["trust"],
    &["trust", "list"],
    &["trust", "show"],
    &["trust", "forget"],
    &["trust", "replace"],
];

#[test]
fn the_version_is_the_packages() {
    for flag in ["--version", "-V"] {
        run(&mut Home::new().recado(&[flag]))
            .says(0, &[])
            .shows(&["recado 0.1.0"]);
    }
}

#[test]
fn every_command_explains_itself_in_both_languages() {
    let home = Home::new();
    for command in COMMANDS {
        for flag in ["--help", "-h"] {
            let texts = ["en", "pt-BR"].map(|lang| {
                let ended = run(&mut home.recado(&[command, &[flag, "--lang", lang]].concat()));
                ended.says(0, &[]);
                assert_eq!(ended.stderr, [""; 0]);
                ended.stdout.join("\n")
            });
            assert!(texts[0].contains("Usage:"), "{command:?}: {}", texts[0]);
            assert!(texts[1].contains("Uso:"), "{command:?}: {}", texts[1]);
            for text in &texts {
                assert!(
                    text.contains("--lang") && text.contains("--home"),
                    "{command:?}: {text}"
                );
            }
        }
    }
}

#[test]
fn the_language_is_the_first_that_says_something() {
    let home = Home::new();
    for (variables, arguments, usage) in [
        (&[][..], &[][..], "Usage:"),
        (&[("LANG", "pt_BR.UTF-8")], &[], "Uso:"),
        (&[("LANG", "pt_PT.UTF-8"), ("LC_ALL", "C")], &[], "Usage:"),
        (&[("LANG", "C"), ("LC_MESSAGES", "pt_BR")], &[], "Uso:"),
        (&[("LANG", "fr_FR.UTF-8")], &[], "Usage:"),
        (&[("LANG", "C"), ("RECADO_LANG", "pt-BR")], &[], "Uso:"),
        (&[("RECADO_LANG", "pt-BR")], &["--lang", "en"], "Usage:"),
    ] {
        let mut command = home.recado(&["--help"]);
        command.args(arguments).envs(variables.iter().copied());
        let text = run(&mut command).says(0, &[]).stdout.join("\n");
        assert!(text.contains(usage), "{variables:?} {arguments:?}");
    }
    run(&mut home.recado(&["trust", "list", "--lang", "tlh"]))
        .says(2, &["tlh", "--lang"])
        .shows(&[]);
}

#[test]
fn wrong_use_ends_with_2_and_a_word_about_it() {
    let home = Home::new();
    for wrong in [
        &["--nonsense"][..],
        &["nonsense"],
        &["serve", "--nonsense"],
        &["chat", "--nonsense"],
        &["calc", "--nonsense"],
        &["trust", "nonsense"],
        &["trust", "forget"],
        &["chat", "--plain", "--json"],
        &["chat", "--server", "host:0"],
        &["chat", "--server", "http://host"],
        &["chat", "--server", "a b"],
        &["serve", "--registration", "sometimes"],
        &["serve", "--log-format", "xml"],
        &["chat", "--name"],
    ] {
        let ended = run(&mut home.recado(wrong));
        ended.says(2, &[]).shows(&[]);
        assert!(!ended.stderr.is_empty(), "{wrong:?}");
    }
    // Nothing at all, and half a command, are answered by what there is.
    for half in [&[][..], &["trust"]] {
        let ended = run(&mut home.recado(half));
        ended.says(2, &["Usage:"]);
    }
}

#[test]
fn flags_have_variables_and_flags_win() {
    let home = Home::new();
    let mut command = home.recado(&["trust", "list"]);
    // A home that cannot be one.
    let file = home.file("file");
    std::fs::write(&file, "").unwrap();
    command.env("RECADO_HOME", &file);
    run(&mut command).says(1, &[file.to_str().unwrap()]);
    command.args(["--home", home.path().to_str().unwrap()]);
    run(&mut command).says(0, &[]);
}
