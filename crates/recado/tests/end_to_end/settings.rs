//! Settings: the file, the environment and flags, in their order, as a person meets them.

use std::fs;

use serde_json::Value;

use crate::common::{Home, Server, run};

/// A home whose configuration file says this.
fn with_file(text: &str) -> Home {
    let home = Home::new();
    fs::write(home.file("config.toml"), text).unwrap();
    home
}

/// What `recado config --output json` says of a setting: its value, and from where.
fn in_force(report: &Value, command: &str, name: &str) -> (Value, String) {
    let mut settings = report["settings"].as_array().unwrap().iter();
    let found = settings.find(|one| one["command"] == command && one["setting"] == name);
    let found = found.unwrap_or_else(|| panic!("no {command} {name} in {report}"));
    let source = found["source"].as_str().unwrap().to_owned();
    (found["value"].clone(), source)
}

#[test]
fn a_flag_goes_before_the_environment_that_before_the_file_and_that_before_the_default() {
    let server = Server::start();
    let address = server.address();
    let home = with_file(&format!(
        "server = \"{address}\"\nlang = \"pt-BR\"\n[calc]\noutput = \"json\"\nprecision = 3\n"
    ));
    let calc = ["calc", "divide", "2", "3"];
    let result = |command: &mut std::process::Command| {
        let ended = run(command);
        ended.says(0, &[]);
        ended.stdout[0].clone()
    };
    let json: Value = serde_json::from_str(&result(&mut home.recado(&calc))).unwrap();
    assert_eq!(json["result"], "0.667", "the file: {json}");
    let from_environment = result(
        home.recado(&calc)
            .env("RECADO_OUTPUT", "text")
            .env("RECADO_PRECISION", "4"),
    );
    assert_eq!(from_environment, "0.6667");
    let typed = result(
        home.recado(&calc)
            .args(["--output", "text", "--precision", "5"])
            .env("RECADO_PRECISION", "4"),
    );
    assert_eq!(typed, "0.66667");
    // The language is the file's, for what is said before anything is parsed, too.
    run(&mut home.recado(&["calc", "--help"]))
        .says(0, &[])
        .stdout
        .iter()
        .find(|line| line.contains("Exemplos"))
        .unwrap();

    let report = run(home
        .recado(&["config", "--color", "never", "--output", "json"])
        .env("RECADO_PRECISION", "4"));
    let report: Value = serde_json::from_str(&report.stdout[0]).unwrap();
    let expected = |value: Value, source: &str| (value, source.to_owned());
    let shown = |command, name| in_force(&report, command, name);
    assert_eq!(shown("", "color"), expected("never".into(), "flag"));
    assert_eq!(
        shown("calc", "precision"),
        expected("4".into(), "environment")
    );
    assert_eq!(shown("", "server"), expected(address.into(), "file"));
    assert_eq!(shown("send", "wait"), expected("stored".into(), "default"));
    assert_eq!(shown("serve", "metrics"), expected(Value::Null, "not_set"));
}

#[test]
fn what_is_wrong_is_refused_with_its_place_before_anything_is_done() {
    let home = with_file("[serve]\nlisen = \"127.0.0.1:0\"\n");
    run(&mut home.recado(&["serve"]))
        .says(2, &["config.toml:2:1", "\"lisen\"", "\"listen\""])
        .shows(&[]);
    assert!(!home.file("server").exists());
    // Whoever asks for help gets it.
    run(&mut home.recado(&["serve", "--help"])).says(0, &[]);
    run(&mut home.recado(&["--version"])).says(0, &[]);

    let home = Home::new();
    let missing = home.file("nowhere.toml");
    run(&mut home.recado(&["trust", "list", "--config", missing.to_str().unwrap()]))
        .says(2, &["nowhere.toml"]);
    run(home
        .recado(&["send", "--to", "Bob", "Hello"])
        .env("RECADO_TIMEOUT", "soon"))
    .says(2, &["RECADO_TIMEOUT: \"soon\""]);
    run(home.recado(&["config"]).env("RECADO_LISEN", "::"))
        .says(0, &["RECADO_LISEN", "RECADO_LISTEN"]);
    run(home.recado(&["config"]).env("RECADO_WAIT", "for"))
        .says(2, &["RECADO_WAIT: \"for\"", "stored"]);
}

#[test]
fn a_file_is_written_once_and_says_nothing_until_it_is_changed() {
    let home = Home::new();
    let file = home.file("config.toml");
    run(&mut home.recado(&["config", "init"]))
        .says(0, &[])
        .shows(&[file.to_str().unwrap()]);
    let written = fs::read_to_string(&file).unwrap();
    assert!(written.contains("\n[serve]\n"), "{written}");
    run(&mut home.recado(&["config", "init"])).says(1, &["is there already"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), written);
    run(&mut home.recado(&["trust", "list"])).says(0, &[]);
    let changed = written.replace("#lang = \"pt-BR|en\"", "lang = \"pt-BR\"");
    assert_ne!(changed, written);
    fs::write(&file, changed).unwrap();
    run(&mut home.recado(&["trust", "list"])).says(0, &["Nenhum servidor"]);

    // Elsewhere, where it was named; and one that could not be read until it is written.
    let named = home.file("etc/recado.toml");
    run(&mut home.recado(&["config", "init", "--config", named.to_str().unwrap()])).says(0, &[]);
    assert!(named.is_file());
}

#[test]
fn no_secret_is_shown() {
    let fingerprint = "SHA256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let secret = "CCCCCCCCCCCCCCCCCCCCCA";
    let ticket = format!("recado://192.0.2.1:8443/{fingerprint}/{secret}");
    let home = with_file(&format!("server = \"{ticket}\"\n"));
    for more in [&[][..], &["--output", "json"]] {
        let ended = run(home
            .recado(&[&["config"], more].concat())
            .env("RECADO_TICKET", &ticket)
            .env("RECADO_PASSPHRASE", secret));
        ended.says(0, &[]);
        let all = [ended.stdout.join("\n"), ended.stderr.join("\n")].concat();
        assert!(all.contains("192.0.2.1:8443"), "{all}");
        assert!(!all.contains(&secret[..8]), "{all}");
    }
    let home = with_file(&format!("server = \"{ticket}/more\"\n"));
    let ended = run(&mut home.recado(&["config"]));
    ended.says(2, &["config.toml:1:1"]);
    assert!(!ended.stderr.join("\n").contains(&secret[..8]));
}

#[test]
fn shells_and_the_manual_get_what_they_need() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = run(&mut home.recado(&["completions", shell]));
        ended.says(0, &[]);
        let script = ended.stdout.join("\n");
        assert!(script.contains("data-dir"), "{shell}: {script}");
    }
    run(&mut home.recado(&["completions", "tcsh"])).says(2, &["tcsh"]);
    // What bash is given is a script of bash's.
    let script = run(&mut home.recado(&["completions", "bash"]))
        .stdout
        .join("\n");
    fs::write(home.file("completion"), script).unwrap();
    let complete = "source completion; COMP_WORDS=(recado serve --data-d); COMP_CWORD=2; \
        _recado recado --data-d serve; echo \"${COMPREPLY[@]}\"";
    run(home.clean("bash").args(["-c", complete]))
        .says(0, &[])
        .shows(&["--data-dir"]);

    let folder = home.file("man");
    run(&mut home.recado(&["man", folder.to_str().unwrap()])).says(0, &[]);
    for page in [
        "man1/recado.1",
        "man1/recado-serve.1",
        "pt_BR/man1/recado-trust-install.1",
    ] {
        let text = fs::read_to_string(folder.join(page)).unwrap();
        assert!(text.contains("\n.TH"), "{page}");
    }
}
