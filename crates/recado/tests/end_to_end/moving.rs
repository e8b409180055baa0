//! Names that move from one machine to another.

use std::process::Command;

use crate::common::{Bot, Ended, Home, Person, Server, run, run_with};

/// `recado name …`, in English, the passphrase in its variable.
fn name(home: &Home, arguments: &[&str]) -> Command {
    let mut command = home.recado(&["name", "--lang", "en"]);
    command
        .args(arguments)
        .env("RECADO_PASSPHRASE", "correct horse");
    command
}

/// The lines of `recado name list`, as words.
fn list(home: &Home) -> Vec<Vec<String>> {
    let ended = run(&mut name(home, &["list"]));
    ended.says(0, &[]);
    let words = |line: &String| line.split(' ').map(str::to_owned).collect();
    ended.stdout.iter().map(words).collect()
}

fn chat(home: &Home, server: &Server) -> Ended {
    let address = server.address();
    let arguments = ["chat", "--plain", "--server", &address, "--name", "Alice"];
    run(home.recado(&arguments).args(["--lang", "en"]))
}

#[test]
fn alice_takes_her_name_to_another_machine_and_back() {
    let (server, old) = (Server::start(), Home::new());
    Person::join(&old, &server.address(), "Alice").quit();
    let before = list(&old);
    assert_eq!(before.len(), 1);
    let [place, alice, key, standing] = before[0].as_slice() else {
        panic!("{before:?}");
    };
    assert_eq!(*place, server.address());
    assert_eq!((alice.as_str(), standing.as_str()), ("alice", "free"));

    let file = old.file("alice.age");
    let path = file.to_str().unwrap();
    run(&mut name(&old, &["export", "Alice", path])).says(0, &["is retired on this machine"]);
    chat(&old, &server).says(1, &["moved to another machine", "recado name import"]);
    assert_eq!(list(&old)[0][3], "retired");

    // There the server is known already, and the name is hers.
    let new = Home::new();
    run(&mut name(&new, &["import", path])).says(0, &["\"alice\" is here now"]);
    assert_eq!(list(&new)[0][2], *key);
    let mut there = Bot::join(&new, &server.address(), "Alice");
    assert_eq!(there.ready["trust"], "pinned");
    assert_eq!(list(&new)[0][3], "in-use");
    let another = new.file("another.age");
    let another = another.to_str().unwrap();
    run(&mut name(&new, &["export", "alice", another])).says(1, &["is using the name"]);
    assert!(!new.file("another.age").exists());
    there.say(serde_json::json!({"type": "quit"}));
    there.end().says(0, &[]);

    run(&mut name(&new, &["export", "alice", another])).says(0, &[]);
    run(&mut name(&old, &["import", another])).says(0, &[]);
    run(&mut name(&old, &["import", another])).says(0, &["is here already"]);
    Person::join(&old, &server.address(), "Alice").quit();
}

#[test]
fn a_passphrase_comes_from_standard_input_too_and_must_be_the_same() {
    let (server, home) = (Server::start(), Home::new());
    Person::join(&home, &server.address(), "Alice").quit();
    let file = home.file("alice.age");
    let path = file.to_str().unwrap();
    let export = ["name", "export", "alice", path, "--lang", "pt-BR"];
    run(&mut home.recado(&export)).says(2, &["falta uma senha"]);
    assert!(!file.exists());
    run_with(&mut home.recado(&export), "outra senha\n").says(0, &["foi aposentado"]);
    run(&mut name(&home, &["import", path])).says(1, &["the passphrase does not open"]);
    run_with(&mut home.recado(&["name", "import", path]), "outra senha\n").says(0, &[]);
    // Never overwritten.
    run(&mut name(&home, &["export", "alice", path])).says(1, &["exists already"]);
}

#[test]
fn which_name_is_meant_is_said_by_the_server_where_several_have_it() {
    let (one, two, home) = (Server::start(), Server::start(), Home::new());
    run(&mut name(&home, &["list"])).says(0, &["no name on any server"]);
    for server in [&one, &two] {
        Person::join(&home, &server.address(), "Alice").quit();
    }
    let file = home.file("alice.age");
    let path = file.to_str().unwrap();
    let export = ["export", "Alice", path];
    run(&mut name(&home, &export)).says(2, &[&one.address(), &two.address(), "--server"]);
    run(&mut name(&home, &["export", "Bob", path])).says(1, &["there is no name \"Bob\" here"]);
    run(name(&home, &export).args(["--server", &two.address()])).says(0, &[]);
    chat(&home, &two).says(1, &["moved to another machine"]);
    Person::join(&home, &one.address(), "Alice").quit();
}
