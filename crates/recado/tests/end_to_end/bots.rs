//! The bots of `docs/examples`, as their readers run them; and the calculator as programs ask it.

use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::common::{Bot, Home, Program, Server, skip};

/// Starts a bot under a name, and waits until it answers. `None` where there is no Python.
fn start(test: &str, home: &Home, file: &str, name: &str, server: &Server) -> Option<Program> {
    if !Command::new("python3")
        .args(["-c", "pass"])
        .status()
        .is_ok_and(|status| status.success())
    {
        skip(test, "there is no python3");
        return None;
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs/examples")
        .join(file);
    let mut command = home.clean("python3");
    command
        .arg(path)
        .args(["--name", name, "--server", &server.address()])
        .env("RECADO", env!("CARGO_BIN_EXE_recado"));
    let bot = Program::spawn(&mut command);
    bot.stdout.find(name);
    Some(bot)
}

/// Ends a bot and its chat without a word.
fn strike(bot: &Program) {
    let id = bot.pid();
    let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
    bot.signal(Signal::SIGKILL);
    for child in children.split_whitespace() {
        // One that has seen its bot end may have ended too.
        let _ = kill(Pid::from_raw(child.parse().unwrap()), Signal::SIGKILL);
    }
}

fn private(to: &str, text: &str) -> Value {
    json!({"type": "private", "to": to, "text": text, "ref": text})
}

#[test]
fn the_echo_bot_answers_and_answers_once_whenever_it_is_killed() {
    let test = "the_echo_bot_answers_and_answers_once_whenever_it_is_killed";
    let (server, home) = (Server::start(), Home::new());
    let Some(bot) = start(test, &home, "echo_bot.py", "Echo", &server) else {
        return;
    };
    let mut alice = Bot::join(&Home::new(), &server.address(), "Alice");
    alice.say(private("Echo", "Olá, eco!\n{\"type\":\"quit\"}"));
    assert_eq!(
        alice.find("private")["text"],
        "Olá, eco!\n{\"type\":\"quit\"}"
    );

    // Between receiving and acting: its chat has the message, and it stands still.
    bot.signal(Signal::SIGSTOP);
    alice.say(private("Echo", "quieto"));
    alice.find_where(|event| event["ref"] == "quieto" && event["state"] == "stored");
    strike(&bot);
    let mut bot = start(test, &home, "echo_bot.py", "Echo", &server).unwrap();
    assert_eq!(alice.find("private")["text"], "quieto");

    // And wherever else it may be. What it had said is not said again; what it had not comes in any order.
    let mut echoes = Vec::new();
    for round in 0..4 {
        for number in 0..10 {
            alice.say(private("Echo", &format!("{round}.{number}")));
        }
        let first = alice.find("private");
        echoes.push(first["text"].as_str().unwrap().to_owned());
        strike(&bot);
        bot = start(test, &home, "echo_bot.py", "Echo", &server).unwrap();
    }
    while echoes.len() < 40 {
        let echo = alice.find("private");
        echoes.push(echo["text"].as_str().unwrap().to_owned());
    }
    // And nothing comes twice.
    alice.say(private("Echo", "fim"));
    assert_eq!(alice.find("private")["text"], "fim");
    let mut expected: Vec<_> = (0..4)
        .flat_map(|round| (0..10).map(move |number| format!("{round}.{number}")))
        .collect();
    expected.sort();
    echoes.sort();
    assert_eq!(echoes, expected);
    strike(&bot);
}

#[test]
fn the_calculator_bot_asks_the_server() {
    let test = "the_calculator_bot_asks_the_server";
    let (server, home) = (Server::start(), Home::new());
    let Some(bot) = start(test, &home, "calculator_bot.py", "Calc", &server) else {
        return;
    };
    let mut alice = Bot::join(&Home::new(), &server.address(), "Alice");
    for (question, answer) in [
        ("0.1 + 0.2", "0.1 + 0.2 = 0.3"),
        ("2 / 3", "2 / 3 = 2/3"),
        ("1 / 0", "zero"),
        ("one and one", "Write a number"),
        ("one + one", "x: "),
    ] {
        alice.say(private("Calc", question));
        let found = alice.find("private")["text"].as_str().unwrap().to_owned();
        assert!(found.contains(answer), "{question}: {found}");
    }
    alice.say(json!({"type": "global", "text": "!calc 2 * 21"}));
    alice.find_where(|event| event["type"] == "global" && event["text"] == "2 * 21 = 42");
    strike(&bot);
}

#[test]
fn a_program_asks_for_calculations_in_its_chat() {
    let server = Server::start();
    let mut a = Bot::join(&Home::new(), &server.address(), "A");
    a.say(json!({"type": "calc", "operation": "divide", "x": 1, "y": "3", "ref": {"a": 1}}));
    let expected = json!({
        "type": "result", "operation": "divide", "x": "1", "y": "3", "exact": false,
        "result": "0.3333333333333333333333333333333333", "fraction": "1/3", "repeating": "0.(3)",
        "ref": {"a": 1},
    });
    assert_eq!(a.find("result"), expected);
    a.enter(r#"{"type":"calc","operation":"soma","x":0.10000000000000000000000001,"y":2,"precision":40}"#);
    assert_eq!(a.find("result")["result"], "2.10000000000000000000000001");
    for (request, code) in [
        (
            json!({"type": "calc", "operation": "divide", "x": 1, "y": 0, "ref": 1}),
            "division_by_zero",
        ),
        (
            json!({"type": "calc", "operation": "power", "x": 1, "y": 0, "ref": 1}),
            "unknown_operation",
        ),
        (
            json!({"type": "calc", "operation": "add", "x": "x", "y": 0, "ref": 1}),
            "malformed",
        ),
    ] {
        a.say(request);
        let error = a.find("error");
        assert_eq!(
            (&error["code"], &error["ref"]),
            (&json!(code), &json!(1)),
            "{error}"
        );
    }
    // More than wait at once, each with its answer, also where the input ends behind them.
    for number in 0..200 {
        a.say(json!({"type": "calc", "operation": "add", "x": number, "y": 1, "ref": number}));
    }
    a.end_input();
    for number in 0..200 {
        let result = a.find("result");
        assert_eq!(result["ref"], number);
        assert_eq!(result["result"], (number + 1).to_string());
    }
    assert_eq!(a.end().code, 0);
    // With the server gone there is none, and the chat goes on.
    let mut a = Bot::join(&Home::new(), &server.address(), "A2");
    drop(server.stop());
    a.say(json!({"type": "calc", "operation": "add", "x": 1, "y": 1, "ref": 1}));
    let error = a.find_where(|event| event["ref"] == 1);
    assert_eq!(error["code"], "no_answer");
}
