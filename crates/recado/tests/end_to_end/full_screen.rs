//! The chat as a full screen, on terminals of the tests' own.

use std::os::unix::fs::FileExt;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::common::{Bot, Home, Screen, Server};
use crate::files::{contents, file};

/// What puts a terminal back from a screen of its own.
const LEAVES: &str = "\u{1b}[?1049l";

fn chat(home: &Home, server: &str, arguments: &[&str]) -> Screen {
    let mut command = home.recado(&["chat", "--lang", "pt-BR", "--theme", "dark"]);
    command.args(["--server", server]).args(arguments);
    command.env("TERM", "xterm-256color").env("TZ", "UTC");
    Screen::start(&mut command, 80, 24)
}

#[test]
fn people_talk_on_a_full_screen() {
    let (server, home) = (Server::start(), Home::new());
    let address = server.address();
    let mut bob = Bot::join(&Home::new(), &address, "Bob");
    let mut alice = chat(&home, &address, &["--name", "Alice"]);
    alice.shows("[UDP] Todos");
    alice.shows("Presentes (2)");
    bob.sees("Alice", true);
    // To everyone, and to the one whose conversation is open.
    alice.press("Olá, todos!\r");
    assert_eq!(bob.find("global")["text"], "Olá, todos!");
    alice.shows("Alice │ Olá, todos!");
    alice.press("/tcp Bob Oi, você 👩\u{200d}💻\r");
    assert_eq!(bob.find("private")["text"], "Oi, você 👩\u{200d}💻");
    alice.shows("[TCP] Bob");
    alice.shows("entregue");
    alice.press("duas\n");
    alice.press("linhas\r");
    assert_eq!(bob.find("private")["text"], "duas\nlinhas");
    // What comes elsewhere is counted, and found by one key.
    bob.say(json!({"type": "global", "text": "Alice, venha!"}));
    alice.shows("@1");
    alice.press("\u{1b}a");
    alice.shows("Bob │ Alice, venha!");
    alice.shows_no_more("@1");
    // A paste is text until it is entered.
    alice.press("\u{1b}[200~/sair\rcolado\u{1b}[201~");
    alice.shows("colado");
    alice.press("\u{15}\u{7f}\u{15}/calc 0,1 + 0,2 --todos\r");
    assert_eq!(bob.find("global")["text"], "Alice, venha!");
    assert_eq!(bob.find("global")["text"], "0.1 + 0.2 = 0.3");
    alice.shows("Resultado: 0.1 + 0.2 = 0.3");
    // Another size is another picture.
    alice.resize(40, 12);
    alice.shows("[UDP] Todos");
    alice.resize(132, 40);
    alice.shows("Alice (você)");
    alice.press("/sair\r");
    let (code, written) = alice.end();
    assert_eq!(code, Some(0));
    assert!(written.contains(LEAVES));
}

#[test]
fn whatever_ends_it_the_terminal_is_as_it_was() {
    let server = Server::start();
    let address = server.address();
    for (name, end, expected) in [
        ("ctrl-c", "\u{3}", Some(130)),
        ("ctrl-d", "\u{4}", Some(0)),
        ("quit", "/sair\r", Some(0)),
    ] {
        let mut alice = chat(&Home::new(), &address, &["--name", name]);
        alice.shows("[UDP] Todos");
        alice.press(end);
        let (code, written) = alice.end();
        assert_eq!(code, expected, "{name}");
        assert!(written.contains(LEAVES), "{name}");
    }
    for signal in [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGQUIT,
    ] {
        let alice = chat(&Home::new(), &address, &["--name", signal.as_str()]);
        alice.shows("[UDP] Todos");
        alice.signal(signal);
        let (code, written) = alice.end();
        assert_eq!(code, Some(130), "{signal}");
        assert!(written.contains(LEAVES), "{signal}");
    }
    // Also before there is a chat.
    let home = Home::new();
    let elsewhere = format!("0.0.0.0:{}", server.port());
    let asked = chat(&home, &elsewhere, &[]);
    asked.shows("Servidor desconhecido");
    asked.signal(Signal::SIGTERM);
    assert_eq!(asked.end().0, Some(130));
    // A server that is not there, told where it can be read.
    let (code, written) = chat(&home, "127.0.0.1:1", &["--name", "A"]).end();
    assert_eq!(code, Some(3));
    let (_, after) = written.rsplit_once(LEAVES).unwrap();
    assert!(after.contains("nenhum servidor recado"), "{after}");
}

#[test]
fn a_terminal_that_is_closed_ends_it() {
    let server = Server::start();
    let b = Bot::join(&Home::new(), &server.address(), "B");
    let alice = chat(&Home::new(), &server.address(), &["--name", "Alice"]);
    b.sees("Alice", true);
    let _child = alice.close();
    b.sees("Alice", false);
}

#[test]
fn a_stopped_chat_leaves_the_terminal_and_comes_back() {
    let server = Server::start();
    let mut alice = chat(&Home::new(), &server.address(), &["--name", "Alice"]);
    alice.shows("[UDP] Todos");
    alice.press("\u{1a}");
    alice.until("an empty screen", |rows| rows.iter().all(String::is_empty));
    alice.stops();
    alice.signal(Signal::SIGCONT);
    alice.shows("[UDP] Todos");
    // From outside too.
    alice.signal(Signal::SIGTSTP);
    alice.until("an empty screen", |rows| rows.iter().all(String::is_empty));
    alice.stops();
    alice.signal(Signal::SIGCONT);
    alice.shows("Presentes (1)");
    alice.press("\u{4}");
    assert_eq!(alice.end().0, Some(0));
}

#[test]
fn an_unknown_server_and_a_name_are_asked_about() {
    let (server, home) = (Server::start(), Home::new());
    let elsewhere = format!("0.0.0.0:{}", server.port());
    let _taken = Bot::join(&Home::new(), &server.address(), "Bob");
    let mut asked = chat(&home, &elsewhere, &[]);
    asked.shows(&server.ready.fingerprint);
    // No is what nobody chose otherwise.
    asked.press("\r");
    let (code, written) = asked.end();
    assert_eq!(code, Some(4));
    assert!(
        written
            .rsplit_once(LEAVES)
            .unwrap()
            .1
            .contains("não é confiável")
    );

    let mut asked = chat(&home, &elsewhere, &[]);
    asked.shows(&server.ready.fingerprint);
    asked.press("\t\r");
    asked.shows("Digite seu nome de usuário:");
    for (name, refusal) in [
        ("Bob", "é de outra pessoa"),
        ("Ana Maria", "só pode ter letras"),
    ] {
        asked.press(&format!("{name}\r"));
        asked.shows(refusal);
    }
    asked.press("Alice\r");
    asked.shows("[UDP] Todos");
    asked.shows("Alice (você)");
    asked.press("\u{4}");
    assert_eq!(asked.end().0, Some(0));
}

#[test]
fn the_past_is_there_to_its_beginning_and_what_was_not_looked_at_is_new_again() {
    let (server, home) = (Server::start(), Home::new());
    let address = server.address();
    let mut bob = Bot::join(&Home::new(), &address, "Bob");
    let alice = chat(&home, &address, &["--name", "Alice"]);
    bob.sees("Alice", true);
    for number in 1..=450 {
        bob.say(json!({"type": "private", "to": "Alice", "text": format!("número {number}.")}));
    }
    alice.shows("450 ");
    // It ends without a word, before anyone looked.
    alice.signal(Signal::SIGKILL);
    bob.sees("Alice", false);
    drop(alice);
    let mut alice = chat(&home, &address, &["--name", "Alice"]);
    alice.shows("450 ");
    alice.press("\u{1b}[1;3B");
    alice.shows("│ número 450.");
    // The list does not count them any more.
    alice.until("nothing new", |rows| {
        rows.iter()
            .any(|row| row.starts_with(" ● Bob    ") || row.starts_with(" ● Bob│"))
    });
    // A person looks between two keys.
    alice.press_until("\u{1b}[5~", "│ número 1.", 1);
    alice.press("/buscar 222\r");
    alice.shows("1 mensagem");
    alice.press("\r");
    alice.shows("│ número 222.");
    alice.press("\u{4}");
    assert_eq!(alice.end().0, Some(0));
    // They have been looked at.
    let mut alice = chat(&home, &address, &["--name", "Alice"]);
    alice.shows("● Bob");
    alice.press("\u{1b}a/quem\r");
    alice.shows("Presentes: Alice, Bob");
    alice.shows("[UDP] Todos");
    alice.press("\u{4}");
    assert_eq!(alice.end().0, Some(0));
}

#[test]
fn where_lines_are_preferred_there_is_no_screen() {
    let server = Server::start();
    let address = server.address();
    for (variable, value) in [("RECADO_PLAIN", "1"), ("TERM", "dumb")] {
        let home = Home::new();
        let mut command = home.recado(&["chat", "--lang", "pt-BR"]);
        command.args(["--server", &address]).env("TERM", "xterm");
        command.args(["--name", variable]);
        let mut alice = Screen::start(command.env(variable, value), 100, 24);
        alice.shows("Digite sua mensagem (/udp para chat em grupo");
        alice.press("/sair\n");
        let (code, written) = alice.end();
        assert_eq!(code, Some(0));
        assert!(!written.contains('\u{1b}'), "{written:?}");
    }
}

#[test]
fn colours_are_what_the_terminal_and_the_person_want() {
    let server = Server::start();
    let address = server.address();
    let start = |name: &str, arguments: &[&str], variables: &[(&str, &str)]| {
        let home = Home::new();
        let mut command = home.recado(&["chat", "--lang", "pt-BR", "--name", name]);
        command.args(["--server", &address]).args(arguments);
        command.env("TERM", "xterm-256color");
        command.envs(variables.iter().copied());
        let screen = Screen::start(&mut command, 80, 24);
        screen.shows("(você)");
        (home, screen)
    };
    let (dark, light) = ("38;5;117", "38;5;25");
    // The terminal says that its ground is light, as soon as it is asked.
    let (_home, mut asked) = start("asked", &[], &[]);
    assert!(asked.written().contains("\u{1b}]11;?"));
    assert!(asked.written().contains(dark));
    asked.press("\u{1b}]11;rgb:ffff/ffff/ffff\u{1b}\\/ajuda\r");
    asked.shows("Esc fecha");
    assert!(asked.written().contains(light));
    assert!(!asked.written().contains("rgb:"), "an answer is no key");
    assert_eq!(asked.end_by("\u{3}").0, Some(130));
    for (name, arguments, variables) in [
        ("no-color", &[][..], &[("NO_COLOR", "1")][..]),
        ("never", &["--color", "never"], &[]),
        ("contrast", &["--theme", "contrast"], &[]),
    ] {
        let (_home, plain) = start(name, arguments, variables);
        assert!(!plain.written().contains("38;5;"), "{name}");
        assert_eq!(plain.end_by("\u{4}").0, Some(0));
    }
}

#[test]
fn what_others_write_commands_nothing_and_passes_for_nothing() {
    let (server, home) = (Server::start(), Home::new());
    let mut mallory = Bot::join(&Home::new(), &server.address(), "mallory");
    let alice = chat(&home, &server.address(), &["--name", "Alice"]);
    mallory.sees("Alice", true);
    let hidden = format!("{}fim", "\u{200b}\u{202e}".repeat(10_000));
    for text in [
        "\u{1b}[2J\u{1b}]0;título\u{7}\u{9b}31m",
        "oi\n[TCP] Privado de Bob: mande a senha\n12:00 Bob │ eu",
        "oi\r── Para Bob ──",
        &hidden,
        &"x".repeat(65_536),
        "último",
    ] {
        mallory.say(json!({"type": "global", "text": text}));
    }
    alice.shows("│ último");
    let written = alice.written();
    for command in ["\u{1b}]0;", "\u{9b}31m", "\u{202e}", "\u{200b}", "\u{7}"] {
        assert!(!written.contains(command), "{command:?}");
    }
    assert_eq!(alice.end_by("\u{4}").0, Some(0));
}

#[test]
fn two_people_exchange_files_on_their_screens() {
    let server = Server::start();
    let (alice_home, bob_home) = (Home::new(), Home::new());
    let address = server.address();
    let contents = contents(700_000);
    file(&alice_home, "enviar/duas palavras.txt", &contents);
    file(&alice_home, "enviar/pasta/a", b"a");
    let mut alice = chat(&alice_home, &address, &["--name", "Alice"]);
    let downloads = ["--name", "Bob", "--downloads", "taken"];
    let mut bob = chat(&bob_home, &address, &downloads);
    alice.shows("Presentes (2)");
    bob.shows("Presentes (2)");
    // Tab finds the path, and puts it in quotes.
    alice.press("/arquivo Bob enviar/dua\t");
    alice.shows("› /arquivo Bob \"enviar/duas palavras.txt\"");
    alice.press("\r");
    alice.shows("↑ 1: duas palavras.txt para Bob");
    alice.shows("700,0 kB · esperando resposta");
    bob.shows("700,0 kB · /aceitar 1 ou /recusar 1");
    bob.press("/aceitar \t\r");
    bob.shows("↓ 1: duas palavras.txt de Alice");
    bob.shows("taken/duas palavras.txt");
    alice.shows("recebido");
    let taken = bob_home.file("taken/duas palavras.txt");
    assert!(std::fs::read(taken).unwrap() == contents);
    // A folder, which is not wanted; it stays in the conversation with him.
    alice.press("/tcp Bob\r");
    alice.shows("[TCP] Bob");
    alice.press("/arquivo Bob enviar/pasta\r");
    bob.shows("1 arquivo, 1 B · /aceitar 2 ou /recusar 2");
    bob.press("/recusar\r");
    alice.shows("Bob recusou pasta");
    // More than is done by then is under way on both screens, until he ends it.
    let large = std::fs::File::create(alice_home.file("grande")).unwrap();
    for at in 1..=2048 {
        // Little on the disk, and much to hash.
        large.write_all_at(b"x", at << 27).unwrap();
    }
    alice.press("/arquivo Bob grande\r");
    bob.shows("/aceitar 3");
    bob.press("/aceitar Alice\r");
    let is_moving = |rows: &[String]| {
        let mut rows = rows.iter();
        rows.any(|row| row.contains("3: grande") && row.contains("░ ") && row.contains("/s"))
    };
    bob.until("a gauge", is_moving);
    alice.until("a gauge", is_moving);
    bob.press("/cancelar 3\r");
    alice.shows("cancelado");
    bob.shows("cancelado");
    // One that waits is there again after both were away.
    alice.press("/arquivo Bob enviar/pasta\r");
    bob.shows("/aceitar 4");
    assert_eq!(bob.end_by("\u{4}").0, Some(0));
    let (code, written) = alice.end_by("\u{4}");
    let (_, after) = written.rsplit_once(LEAVES).unwrap();
    assert!(after.contains("Ainda há 1 arquivo em oferta"), "{after}");
    assert_eq!(code, Some(0));
    let alice = chat(&alice_home, &address, &["--name", "Alice"]);
    alice.shows("↑ 4: pasta/ para Bob");
    // What comes from her is wanted now, unseen.
    let downloads = [&downloads[..], &["--accept-from", "alice"]].concat();
    let bob = chat(&bob_home, &address, &downloads);
    bob.shows("taken/pasta");
    alice.shows("recebido");
    assert_eq!(std::fs::read(bob_home.file("taken/pasta/a")).unwrap(), b"a");
    assert_eq!(bob.end_by("\u{4}").0, Some(0));
    assert_eq!(alice.end_by("\u{4}").0, Some(0));
}
