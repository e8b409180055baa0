//! The chat as programs see it: JSON objects, a line each.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::common::{Bot, Home, Server};

/// The longest text.
const MAX_TEXT: usize = 65_536;

#[test]
fn three_programs_see_the_seeds_conversation_as_events() {
    let (server, home) = (Server::start(), Home::new());
    let [mut a, b, mut c] = ["A", "B", "C"].map(|name| {
        let bot = Bot::join(&home, &server.address(), name);
        let expected = json!({
            "type": "ready", "api": 1, "name": name, "server": server.address(),
            "fingerprint": server.ready.fingerprint,
            "trust": if name == "A" { "first-use" } else { "pinned" },
        });
        assert_eq!(bot.ready, expected);
        bot
    });

    a.say(json!({"type": "global", "text": "Olá, todos!", "ref": "7"}));
    let globals = [&a, &b, &c].map(|bot| bot.find("global"));
    for global in &globals {
        assert_eq!(global, &globals[0], "everyone sees the same");
    }
    let global = &globals[0];
    is_id(&global["id"]);
    is_time(&global["sent_at"]);
    let expected = json!({
        "type": "global", "from": "A", "text": "Olá, todos!", "via": "udp", "seq": 1,
        "verified": true, "replayed": false, "id": global["id"], "sent_at": global["sent_at"],
    });
    assert_eq!(global, &expected);
    let state = a.state("stored");
    let expected = json!({"type": "state", "id": global["id"], "state": "stored", "ref": "7"});
    assert_eq!(state, expected);

    a.say(json!({"type": "private", "to": "B", "text": "Olá, B!", "ref": 8}));
    let private = b.find("private");
    is_id(&private["id"]);
    is_time(&private["sent_at"]);
    assert_ne!(private["id"], global["id"]);
    let expected = json!({
        "type": "private", "from": "A", "text": "Olá, B!", "replayed": false,
        "id": private["id"], "sent_at": private["sent_at"],
    });
    assert_eq!(private, expected);
    let state = a.state("delivered");
    let expected = json!({"type": "state", "id": private["id"], "state": "delivered", "ref": 8});
    assert_eq!(state, expected);

    // What C sent itself comes behind what others could have sent it.
    c.say(json!({"type": "private", "to": "C", "text": "fim"}));
    assert_eq!(c.find("private")["text"], "fim");
    for mut bot in [a, b, c] {
        bot.say(json!({"type": "quit"}));
        let ended = bot.end();
        assert_eq!(ended.code, 0);
        let is_message = |line: &String| line.contains("\"text\"");
        assert!(!ended.stdout.iter().any(is_message), "{:?}", ended.stdout);
    }
}

#[test]
fn globals_are_numbered_and_refs_come_back_whatever_they_are() {
    let (server, home) = (Server::start(), Home::new());
    let mut a = Bot::join(&home, &server.address(), "A");
    let refs = [
        json!("x"),
        json!(0),
        json!(-1.5),
        json!(null),
        json!({"a": [true]}),
    ];
    for (at, reference) in (1..).zip(&refs) {
        a.say(json!({"type": "global", "text": "t", "ref": reference, "unknown": {"member": 1}}));
        assert_eq!(a.find("global")["seq"], at);
        let state = a.state("stored");
        assert_eq!(state.get("ref"), Some(reference));
    }
    a.say(json!({"type": "global", "text": "t"}));
    assert_eq!(a.find("state").get("ref"), None);
}

#[test]
fn who_is_here_and_who_comes_and_goes() {
    let (server, home) = (Server::start(), Home::new());
    let mut a = Bot::join(&home, &server.address(), "A");
    a.say(json!({"type": "who", "ref": "alone"}));
    let people = json!([{"name": "A", "online": true}]);
    let expected = json!({"type": "roster", "people": people, "ref": "alone"});
    assert_eq!(a.find("roster"), expected);

    let mut b = Bot::join(&home, &server.address(), "B");
    assert_eq!(
        a.next(),
        json!({"type": "presence", "name": "B", "online": true})
    );
    for (bot, reference) in [(&mut a, json!(1)), (&mut b, json!(2))] {
        bot.say(json!({"type": "who", "ref": reference}));
        let people = json!([{"name": "A", "online": true}, {"name": "B", "online": true}]);
        let expected = json!({"type": "roster", "people": people, "ref": reference});
        assert_eq!(bot.find("roster"), expected);
    }
    b.say(json!({"type": "quit"}));
    assert_eq!(b.end().code, 0);
    assert_eq!(
        a.next(),
        json!({"type": "presence", "name": "B", "online": false})
    );
}

#[test]
fn a_message_to_nobody_fails_and_says_why() {
    let (server, home) = (Server::start(), Home::new());
    let mut a = Bot::join(&home, &server.address(), "A");
    for (at, nobody) in ["B", "todos", "\u{1b}[2J", &"x".repeat(128)]
        .iter()
        .enumerate()
    {
        a.say(json!({"type": "private", "to": nobody, "text": "Olá", "ref": at}));
        let state = a.state("failed");
        is_id(&state["id"]);
        let expected = json!({
            "type": "state", "id": state["id"], "state": "failed", "code": "unknown_name", "ref": at,
        });
        assert_eq!(state, expected, "{nobody:?}");
    }
}

#[test]
fn a_message_to_what_is_too_long_for_a_name_costs_the_message_and_not_the_chat() {
    let (server, home) = (Server::start(), Home::new());
    let mut a = Bot::join(&home, &server.address(), "A");
    a.say(json!({"type": "private", "to": "x".repeat(129), "text": "Olá", "ref": 1}));
    let answer = a.next();
    assert_eq!(answer["ref"], 1, "{answer}");
    assert_eq!(answer["code"], "name_too_long", "{answer}");
    a.say_to_all("ainda aqui");
    assert_eq!(a.find("global")["text"], "ainda aqui");
}

#[test]
fn names_are_found_in_any_case() {
    let (server, home) = (Server::start(), Home::new());
    let mut a = Bot::join(&home, &server.address(), "Alice");
    let b = Bot::join(&home, &server.address(), "Bob");
    a.say(json!({"type": "private", "to": "bOB", "text": "Olá"}));
    assert_eq!(b.find("private")["from"], "Alice");
    a.state("delivered");
}

#[test]
fn what_is_no_request_is_answered_by_an_error_and_the_chat_goes_on() {
    let (server, home) = (Server::start(), Home::new());
    let mut a = Bot::join(&home, &server.address(), "A");
    let mut check = |line: &[u8], code: &str, reference: Option<Value>| {
        a.write(line);
        a.write(b"\n");
        let error = a.next();
        let shown = String::from_utf8_lossy(&line[..line.len().min(100)]).into_owned();
        assert_eq!(error["type"], "error", "{shown}: {error}");
        assert_eq!(error["code"], code, "{shown}: {error}");
        assert!(error["message"].is_string(), "{shown}: {error}");
        assert_eq!(error.get("ref"), reference.as_ref(), "{shown}: {error}");
    };
    check(b"/udp Hello", "bad_json", None);
    check(b"{\"type\":\"global\",", "bad_json", None);
    check(b"[]", "bad_json", None);
    check(b"42", "bad_json", None);
    check(b"{}", "missing_member", None);
    check(b"{\"type\":7}", "wrong_member", None);
    check(b"{\"type\":\"global\",\"text\":7}", "wrong_member", None);
    check(
        b"{\"type\":\"dance\",\"ref\":7}",
        "unknown_type",
        Some(json!(7)),
    );
    check(
        b"{\"type\":\"global\",\"ref\":7}",
        "missing_member",
        Some(json!(7)),
    );
    check(
        b"{\"type\":\"private\",\"text\":\"x\"}",
        "missing_member",
        None,
    );
    check(
        b"{\"type\":\"private\",\"to\":\"A\"}",
        "missing_member",
        None,
    );
    check(
        b"{\"type\":\"global\",\"text\":\"\",\"ref\":\"e\"}",
        "empty",
        Some(json!("e")),
    );
    check(
        b"{\"type\":\"private\",\"to\":\"A\",\"text\":\"\"}",
        "empty",
        None,
    );
    check(
        b"{\"type\":\"private\",\"to\":\"\",\"text\":\"x\"}",
        "empty",
        None,
    );
    check(b"{\"type\":\"global\",\"text\":\"\xff\"}", "not_utf8", None);
    check(b"\xff\xfe", "not_utf8", None);
    check(&[b'x'; 10_000_000], "line_too_long", None);
    // Deep nesting must not exhaust the stack.
    check(&[b'['; 300_000], "bad_json", None);

    // Blank lines say nothing, and lines may end as on Windows.
    a.write(b"\n \r\n{\"type\":\"global\",\"text\":\"here\"}\r\n");
    assert_eq!(a.next()["state"], "queued");
    let global = a.next();
    assert_eq!(
        (&global["type"], &global["text"]),
        (&json!("global"), &json!("here"))
    );
}

#[test]
fn an_array_is_no_request_whatever_it_holds() {
    let (server, home) = (Server::start(), Home::new());
    let mut a = Bot::join(&home, &server.address(), "A");
    a.enter(r#"["global",null,null,"sent after all"]"#);
    let answer = a.next();
    assert_eq!(
        (&answer["type"], &answer["code"]),
        (&json!("error"), &json!("bad_json")),
        "{answer}"
    );
}

#[test]
fn an_error_carries_the_ref_also_where_another_member_is_wrong() {
    let (server, home) = (Server::start(), Home::new());
    let mut a = Bot::join(&home, &server.address(), "A");
    for wrong in [
        r#"{"type":"global","text":7,"ref":"mine"}"#,
        r#"{"ref":"mine","type":"private","to":["B"],"text":"x"}"#,
        r#"{"ref":"mine","type":7}"#,
        r#"{"ref":"mine"}"#,
    ] {
        a.enter(wrong);
        let error = a.next();
        assert_eq!(
            (&error["type"], &error["ref"]),
            (&json!("error"), &json!("mine")),
            "{wrong}: {error}"
        );
    }
}

#[test]
fn the_longest_text_arrives_whole_and_a_longer_one_is_not_sent() {
    let (server, home) = (Server::start(), Home::new());
    let mut a = Bot::join(&home, &server.address(), "A");
    let b = Bot::join(&home, &server.address(), "B");
    // In JSON each of the last is six characters long.
    for longest in [
        "x".repeat(MAX_TEXT),
        "é".repeat(MAX_TEXT / 2),
        "\u{1}".repeat(MAX_TEXT),
    ] {
        a.say(json!({"type": "private", "to": "B", "text": longest}));
        assert!(b.find("private")["text"] == longest.as_str());
        a.say(json!({"type": "global", "text": longest}));
        let global = b.find("global");
        assert!(global["text"] == longest.as_str());
        assert_eq!(
            (&global["via"], &global["verified"]),
            (&json!("tcp"), &json!(true))
        );
    }
    // The longest that a datagram carries, and the shortest that a frame must: both arrive, in any order.
    let lengths: BTreeSet<usize> = (1_000..1_100).step_by(5).collect();
    for length in &lengths {
        a.say(json!({"type": "global", "text": "y".repeat(*length)}));
    }
    let (mut missing, mut ways) = (lengths, BTreeSet::new());
    while !missing.is_empty() {
        let global = b.find("global");
        let length = global["text"].as_str().map(str::len);
        assert!(
            length.is_some_and(|length| missing.remove(&length)),
            "{global}"
        );
        ways.insert(global["via"].to_string());
    }
    assert_eq!(ways.len(), 2, "{ways:?}");
    for (kind, too_long) in [
        ("private", "x".repeat(MAX_TEXT + 1)),
        ("global", "é".repeat(MAX_TEXT / 2 + 1)),
    ] {
        a.say(json!({"type": kind, "to": "B", "text": too_long, "ref": kind}));
        let error = a.find("error");
        assert_eq!(
            (&error["code"], &error["ref"]),
            (&json!("too_long"), &json!(kind))
        );
    }
    // What is too long for a datagram would have come before this.
    a.say(json!({"type": "private", "to": "B", "text": "fim"}));
    assert_eq!(b.next()["text"], "fim");
}

#[test]
fn json_needs_a_name() {
    let (server, home) = (Server::start(), Home::new());
    let mut command = home.recado(&["chat", "--json", "--server", &server.address()]);
    crate::common::run(&mut command)
        .says(2, &["--name"])
        .shows(&[]);
}

/// 16 bytes in hexadecimal.
#[track_caller]
fn is_id(value: &Value) {
    let id = value.as_str().unwrap_or_default();
    let hexadecimal = |c: char| matches!(c, '0'..='9' | 'a'..='f');
    assert!(
        id.len() == 32 && id.chars().all(hexadecimal),
        "no id: {value}"
    );
}

/// RFC 3339 in UTC, of today.
#[track_caller]
fn is_time(value: &Value) {
    let text = value.as_str().unwrap_or_default();
    let format = &time::format_description::well_known::Rfc3339;
    let moment =
        time::OffsetDateTime::parse(text, format).unwrap_or_else(|e| panic!("{value}: {e}"));
    assert!(text.ends_with('Z'), "{value} is not UTC");
    let age = time::OffsetDateTime::now_utc() - moment;
    assert!(age.whole_seconds().abs() < 600, "{value} is not now");
}
