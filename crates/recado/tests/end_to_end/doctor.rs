//! `recado doctor`: it names what is wrong, exactly that, and changes nothing.

use std::process::Command;

use serde_json::Value;

use crate::common::{Bot, Home, Network, Server, run, skip};

/// What `recado doctor --output json` says, and how it ends.
#[track_caller]
pub(crate) fn examine(command: &mut Command) -> (Value, i32) {
    let ended = run(command.args(["--output", "json"]));
    assert_eq!(ended.stdout.len(), 1, "{}", ended.transcript);
    (serde_json::from_str(&ended.stdout[0]).unwrap(), ended.code)
}

/// The checks that ended so.
pub(crate) fn checks<'a>(report: &'a Value, state: &str) -> Vec<&'a str> {
    let checks = report["checks"].as_array().unwrap().iter();
    let ended = checks.filter(|check| check["state"] == state);
    ended
        .map(|check| check["check"].as_str().unwrap())
        .collect()
}

/// The only thing that is wrong, and the command that mends it.
#[track_caller]
pub(crate) fn only_wrong(report: &Value) -> (&str, &str) {
    assert_eq!(report["healthy"], false, "{report}");
    let [wrong] = checks(report, "wrong")[..] else {
        panic!("one thing is wrong: {report}");
    };
    let mut checks = report["checks"].as_array().unwrap().iter();
    let check = checks.find(|check| check["state"] == "wrong").unwrap();
    (wrong, check["remedy"].as_str().unwrap_or_default())
}

/// How another command would end for what is wrong.
fn others_would_end(report: &Value) -> i64 {
    let mut checks = report["checks"].as_array().unwrap().iter();
    let wrong = checks.find(|check| check["state"] == "wrong").unwrap();
    wrong["exit"].as_i64().unwrap()
}

/// Ends a chat that only claimed a name.
pub(crate) fn leave(mut bot: Bot) {
    bot.end_input();
    bot.end().says(0, &[]);
}

#[test]
fn a_healthy_link_is_ok_from_the_name_to_the_datagrams() {
    let server = Server::start();
    let home = Home::new();
    leave(Bot::join(&home, &server.address(), "Alice"));
    let doctor = ["doctor", "--server", &server.address()];
    let (report, code) = examine(&mut home.recado(&doctor));
    assert_eq!(
        (code, &report["healthy"]),
        (0, &Value::from(true)),
        "{report}"
    );
    let all = [
        "home", "disk", "history", "name", "tcp", "tls", "https", "clock", "version", "session",
        "udp_up", "udp_down", "mtu",
    ];
    assert_eq!(checks(&report, "ok"), all);
    let link = &report["link"];
    assert_eq!((&link["sent"], &link["answered"]), (&20.into(), &20.into()));
    assert!(link["rtt_ms"].as_f64().unwrap() > 0.0, "{link}");

    for (language, word) in [("pt-BR", "ok: sessão"), ("en", "ok: session")] {
        let ended = run(home.recado(&doctor).args(["--lang", language]));
        assert_eq!((ended.code, ended.stdout.len()), (0, all.len()));
        assert!(ended.stdout.iter().all(|line| line.starts_with("ok: ")));
        assert!(ended.stdout[9].starts_with(word), "{}", ended.transcript);
        assert!(ended.stdout[9].contains(" Alice, "), "{}", ended.transcript);
    }
}

#[test]
fn it_claims_no_name_remembers_no_server_and_takes_no_chat_over() {
    let server = Server::start();
    let home = Home::new();
    let doctor = ["doctor", "--server", &server.address()];
    let (report, code) = examine(&mut home.recado(&doctor));
    assert_eq!(code, 0, "{report}");
    let looked_at = [
        "home", "disk", "name", "tcp", "tls", "https", "clock", "version", "mtu",
    ];
    assert_eq!(checks(&report, "ok"), looked_at);
    assert_eq!(checks(&report, "untested"), ["session"]);
    run(&mut home.recado(&["trust", "list"]))
        .says(0, &[])
        .shows(&[]);
    assert!(!home.file("client/servers").exists());

    let mut alice = Bot::join(&home, &server.address(), "Alice");
    let (report, code) = examine(&mut home.recado(&doctor));
    assert_eq!(code, 0, "{report}");
    assert_eq!(checks(&report, "untested"), ["session"]);
    let mut found = report["checks"].as_array().unwrap().iter();
    let session = found.find(|check| check["check"] == "session").unwrap();
    let detail = session["detail"].as_str().unwrap();
    assert!(detail.contains("/link"), "{detail}");
    alice.say_to_all("still here");
    assert_eq!(alice.find("global")["text"], "still here");

    // A name that was refused is none of Bob's: it is not asked for again, not even when it is free.
    let bob = Home::new();
    Bot::spawn(&bob, &server.address(), "Alice")
        .end()
        .says(5, &[]);
    let (report, code) = examine(&mut bob.recado(&doctor));
    assert_eq!(code, 0, "{report}");
    assert_eq!(checks(&report, "untested"), ["session"]);
}

#[test]
fn a_block_is_named_in_its_direction_with_what_mends_it() {
    let test = "a_block_is_named_in_its_direction_with_what_mends_it";
    let Some(network) = Network::new() else {
        return skip(test, "no network of its own is permitted");
    };
    if !network.filter(&[]) {
        return skip(test, "there is no nft, or it may not filter");
    }
    let server = network.serve(&[], &["--listen", "127.0.0.1:0"]);
    let home = Home::new();
    leave(network.join(&home, &server, "Alice"));
    let port = server.port();
    let up = format!("sudo ufw allow {port}/udp");
    let down = format!("sudo ufw allow proto udp from 127.0.0.1 port {port}");
    for (rule, wrong, untested) in [
        ("dport", ("udp_up", &up), &["udp_down"][..]),
        ("sport", ("udp_down", &down), &[]),
    ] {
        assert!(network.filter(&[format!("udp {rule} {port} drop")]));
        let doctor = ["doctor", "--server", &server.address()];
        let (report, code) = examine(&mut network.recado(&home, &[], &doctor));
        assert_eq!(code, 1, "{report}");
        assert_eq!(only_wrong(&report), (wrong.0, wrong.1.as_str()));
        assert_eq!(checks(&report, "untested"), untested);
    }
    assert!(network.filter(&["meta l4proto udp numgen random mod 100 < 30 drop".to_owned()]));
    let doctor = ["doctor", "--server", &server.address()];
    let (report, code) = examine(&mut network.recado(&home, &[], &doctor));
    assert_eq!(code, 0, "what is lost now and then is repaired: {report}");
    assert!(
        report["link"]["answered"].as_u64().unwrap() < 20,
        "{report}"
    );
}

#[test]
fn no_server_a_changed_or_unknown_key_and_a_false_name_are_named() {
    let server = Server::start();
    let home = Home::new();
    leave(Bot::join(&home, &server.address(), "Alice"));
    let address = server.address();
    let doctor = ["doctor", "--server", &address];

    let old_key = server.stop();
    let (report, code) = examine(&mut home.recado(&doctor));
    assert_eq!((code, only_wrong(&report)), (1, ("tcp", "recado serve")));
    assert_eq!(others_would_end(&report), 3);

    drop(old_key);
    let impostor = Server::start_with(&["--listen", &address]);
    let (report, code) = examine(&mut home.recado(&doctor));
    let remedy = format!("recado trust replace {address}");
    assert_eq!((code, only_wrong(&report)), (1, ("tls", remedy.as_str())));
    assert_eq!(others_would_end(&report), 4);

    // Not written as this very machine: as any address of another one.
    let elsewhere = format!("0.0.0.0:{}", impostor.port());
    let (report, code) = examine(&mut home.recado(&["doctor", "--server", &elsewhere]));
    let fingerprint = &impostor.ready.fingerprint;
    let remedy = format!("recado chat --server {elsewhere} --fingerprint {fingerprint}");
    assert_eq!((code, only_wrong(&report)), (1, ("tls", remedy.as_str())));
    let given = [
        "doctor",
        "--server",
        &elsewhere,
        "--fingerprint",
        fingerprint,
    ];
    let (report, code) = examine(&mut home.recado(&given));
    assert_eq!((code, checks(&report, "wrong")), (0, vec![]), "{report}");
    let known = run(&mut home.recado(&["trust", "list"]));
    assert_eq!(known.stdout.len(), 1, "Alice's, and no other");

    let (report, code) = examine(&mut home.recado(&["doctor", "--server", "nowhere.invalid"]));
    let remedy = "getent ahosts 'nowhere.invalid'";
    assert_eq!((code, only_wrong(&report)), (1, ("name", remedy)));
}
