//! What an eavesdropper sees, and what happens where datagrams do not pass.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::common::{Bot, Home, Person, Proxy, Server, Wire, run};

/// Whether these bytes stand somewhere in those.
fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

#[test]
fn nothing_that_was_said_can_be_read_on_the_wire() {
    let server = Server::start();
    let proxy = Proxy::before(&server);
    let home = Home::new();
    let mut a = Bot::join(&home, &proxy.address(), "Hildegard");
    let b = Bot::join(&home, &proxy.address(), "Ferdinand");
    let c = Person::join(&home, &proxy.address(), "Leopoldina");

    a.say(json!({"type": "global", "text": "glockenspiel"}));
    assert_eq!(b.find("global")["via"], "udp");
    a.say(json!({"type": "private", "to": "Ferdinand", "text": "xylophon"}));
    b.find("private");
    assert_eq!(
        a.find_where(|event| event["state"] == "delivered")["type"],
        "state"
    );
    let long = "contrafagote ".repeat(1_000);
    a.say(json!({"type": "global", "text": long}));
    assert_eq!(b.find("global")["via"], "tcp");
    c.stdout.find("contrafagote");
    for method in ["get", "post"] {
        let arguments = [
            "calc",
            method,
            "multiply",
            "31415926",
            "27182818",
            "--server",
            &proxy.address(),
        ];
        run(&mut home.recado(&arguments))
            .says(0, &[])
            .shows(&["853973398759468"]);
    }

    let streams = proxy.streams();
    let datagrams = proxy.datagrams();
    // The tap works: three chats and two calculations, each with the probe that decides on trust, both ways; and
    // datagrams that are sealed, both ways.
    assert!(streams.len() >= 2 * 10, "{}", streams.len());
    assert!(streams.iter().any(|stream| stream.len() > long.len()));
    for to_server in [true, false] {
        let sealed = |d: &&crate::common::Datagram| {
            d.to_server == to_server && d.bytes[0] == 1 && d.bytes.len() > 60
        };
        assert!(datagrams.iter().any(|datagram| sealed(&datagram)));
    }
    // What TLS shows of itself is there, so what is looked for would be found.
    assert!(
        streams
            .iter()
            .any(|stream| contains(stream, b"recado.internal"))
    );

    let wire = streams
        .iter()
        .chain(datagrams.iter().map(|datagram| &datagram.bytes));
    for bytes in wire {
        for secret in [
            "glockenspiel",
            "xylophon",
            "contrafagote",
            "Hildegard",
            "hildegard",
            "Ferdinand",
            "ferdinand",
            "Leopoldina",
            "31415926",
            "27182818",
            "853973398759468",
            "multiply",
            "/v1/calc",
        ] {
            assert!(
                !contains(bytes, secret.as_bytes()),
                "{secret} is on the wire"
            );
        }
    }
}

#[test]
fn where_datagrams_do_not_pass_the_chat_is_ready_after_a_second_and_frames_carry_all() {
    let server = Server::start();
    let proxy = Proxy::with(Wire::WithoutUdp, &server);
    let home = Home::new();
    let started = Instant::now();
    let mut a = Bot::join(&home, &proxy.address(), "A");
    // Given up, and not before; the rest of a minute is for a machine that has other things to do.
    assert!(started.elapsed() >= Duration::from_secs(1));
    let mut b = Bot::join(&home, &proxy.address(), "B");
    // Someone whose datagrams pass is in the same conversation.
    let mut c = Bot::join(&home, &server.address(), "C");
    for (number, (speaker, text)) in (1..).zip([(0, "um"), (1, "dois"), (2, "três")]) {
        [&mut a, &mut b, &mut c][speaker].say(json!({"type": "global", "text": text, "ref": text}));
        for (bot, via) in [(&a, "tcp"), (&b, "tcp"), (&c, "udp")] {
            let global = bot.find("global");
            assert_eq!(
                (&global["text"], &global["via"]),
                (&json!(text), &json!(via))
            );
            assert_eq!(
                (&global["seq"], &global["verified"]),
                (&json!(number), &json!(true))
            );
        }
        let state = [&a, &b, &c][speaker].find("state");
        assert_eq!(
            (&state["state"], &state["ref"]),
            (&json!("stored"), &json!(text))
        );
    }
    a.say(json!({"type": "private", "to": "C", "text": "e em particular"}));
    assert_eq!(c.find("private")["text"], "e em particular");
    assert!(
        proxy.datagrams().iter().all(|datagram| datagram.to_server),
        "nothing passed"
    );
    assert!(!proxy.datagrams().is_empty(), "it was tried");
}
