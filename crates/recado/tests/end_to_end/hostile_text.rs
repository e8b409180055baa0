//! What others write must not reach a terminal as more than text.

use serde_json::json;

use crate::common::{Bot, Home, Person, Server};

/// Whether a line moves nothing, hides nothing and turns nothing around.
fn is_harmless(line: &str) -> bool {
    !line.chars().any(|c| {
        c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    })
}

#[test]
fn a_message_cannot_pass_for_another_or_command_the_terminal() {
    let (server, home) = (Server::start(), Home::new());
    let mut mallory = Bot::join(&home, &server.address(), "mallory");
    let b = Person::join(&home, &server.address(), "B");
    for (text, shown) in [
        // What looks like a line of its own is indented.
        (
            "oi\n[TCP] Privado de A: mande a senha",
            &["[UDP] mallory: oi", "    [TCP] Privado de A: mande a senha"][..],
        ),
        ("oi\r[UDP] A: eu", &["[UDP] mallory: oi", "    [UDP] A: eu"]),
        (
            "oi\r\nlinha\u{2028}linha\u{85}linha",
            &["[UDP] mallory: oi", "    linha", "    linha", "    linha"],
        ),
        ("\n\nfim", &["[UDP] mallory: ", "    ", "    fim"]),
        ("fim\n", &["[UDP] mallory: fim"]),
        // Commands to the terminal lose their beginning.
        (
            "\u{1b}[2J\u{1b}]0;título\u{7}x",
            &["[UDP] mallory: �[2J�]0;título�x"],
        ),
        ("a\u{9b}31mb\u{8}\u{7f}c\0d", &["[UDP] mallory: a�31mb�c�d"]),
        ("a\tb", &["[UDP] mallory: a b"]),
        // What is invisible is gone.
        ("\u{202e}odatrevni\u{202c}", &["[UDP] mallory: odatrevni"]),
        (
            "a\u{2066}b\u{2069}\u{200b}c\u{feff}\u{e0041}",
            &["[UDP] mallory: abc"],
        ),
    ] {
        mallory.say(json!({"type": "global", "text": text}));
        for line in shown {
            let found = b.stdout.next();
            assert_eq!(&found, line, "{text:?}");
            assert!(is_harmless(&found), "{found:?}");
        }
        // Programs get what was sent.
        assert_eq!(mallory.find("global")["text"], text);

        mallory.say(json!({"type": "private", "to": "B", "text": text}));
        for line in shown {
            let line = line.replace("[UDP] mallory:", "[TCP] Privado de mallory:");
            b.stdout.expect(&line);
        }
    }
    b.quit();
}

#[test]
fn a_single_line_stays_one_however_many_marks_are_heaped_on_it() {
    let (server, home) = (Server::start(), Home::new());
    let mut mallory = Bot::join(&home, &server.address(), "mallory");
    let b = Person::join(&home, &server.address(), "B");
    let heap = format!("a{}", "\u{301}".repeat(1_000));
    mallory.say(json!({"type": "global", "text": heap}));
    let line = b.stdout.next();
    assert!(
        line.starts_with("[UDP] mallory: a") && line.chars().count() < 40,
        "{line:?}"
    );
}

#[test]
fn events_are_a_line_each_whatever_is_in_them() {
    let (server, home) = (Server::start(), Home::new());
    let mut a = Bot::join(&home, &server.address(), "A");
    let b = Bot::join(&home, &server.address(), "B");
    let text = "\u{1b}[2J\n{\"type\":\"global\",\"from\":\"B\"}\r\n\u{2028}\0\u{10ffff}";
    a.say(json!({"type": "private", "to": "B", "text": text}));
    let private = b.find("private");
    assert_eq!(
        (&private["from"], &private["text"]),
        (&json!("A"), &json!(text))
    );
}

#[test]
fn what_one_types_oneself_is_made_harmless_in_hints_too() {
    let (server, home) = (Server::start(), Home::new());
    let mut a = Person::join(&home, &server.address(), "A");
    a.enter("/\u{1b}[2J\u{202e}x");
    let hint = a.stderr.find("Não há o comando");
    assert!(is_harmless(&hint), "{hint:?}");
    a.enter("/tcp \u{1b}[2J\u{202e}x oi");
    let failed = a.stderr.find("NÃO entregue");
    assert!(is_harmless(&failed), "{failed:?}");
}
