//! Private messages that are never lost: people who are away, servers and clients that end at any moment, programs that
//! acknowledge by hand, history and search, and `recado send`.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::common::{Bot, Ended, Home, PROMPT_PT, Person, Program, Proxy, Server, run, run_with};

fn private(to: &str, text: &str) -> Value {
    json!({"type": "private", "to": to, "text": text, "ref": text})
}

/// Waits for the state of the message with this reference.
#[track_caller]
fn state_of(bot: &Bot, reference: &str, state: &str) -> Value {
    bot.find_where(|event| event["ref"] == reference && event["state"] == state)
}

/// Takes the texts of private messages as they come, up to this many.
#[track_caller]
fn texts(bot: &Bot, count: usize) -> Vec<(String, bool)> {
    let mut texts = Vec::new();
    while texts.len() < count {
        let event = bot.find("private");
        let text = event["text"].as_str().unwrap().to_owned();
        texts.push((text, event["replayed"] == true));
    }
    texts
}

fn send(home: &Home, server: &str, arguments: &[&str]) -> Ended {
    let arguments = [&["send", "--server", server, "--lang", "en"], arguments].concat();
    run(&mut home.recado(&arguments))
}

#[test]
fn who_is_away_gets_everything_in_order_and_the_sender_learns_of_it_later() {
    let (server, home) = (Server::start(), Home::new());
    Person::join(&home, &server.address(), "B").quit();
    let mut a = Bot::join(&home, &server.address(), "A");
    for number in 0..50 {
        a.say(private("B", &number.to_string()));
    }
    state_of(&a, "49", "stored");
    a.end_input();
    assert_eq!(a.end().code, 0);
    // A is away when B comes, and learns of it when it is back.
    let b = Bot::join(&home, &server.address(), "B");
    let expected: Vec<_> = (0..50).map(|number| (number.to_string(), false)).collect();
    assert_eq!(texts(&b, 50), expected);
    let a = Bot::join(&home, &server.address(), "A");
    for number in 0..50 {
        state_of(&a, &number.to_string(), "delivered");
    }
}

#[test]
fn what_is_written_while_the_server_is_gone_arrives_when_it_is_back() {
    let server = Server::start();
    let (proxy, home) = (Proxy::before(&server), Home::new());
    let mut a = Bot::join(&home, &proxy.address(), "A");
    let b = Bot::join(&home, &proxy.address(), "B");
    a.say(private("B", "antes"));
    state_of(&a, "antes", "delivered");
    let folder = server.stop();
    assert_eq!(a.find("error")["retry"], true);
    for text in ["um", "dois"] {
        a.say(private("B", text));
        state_of(&a, text, "queued");
    }
    a.say_to_all("todos");
    let command = Server::command(&folder, &[]);
    let server = Server::spawn(folder, command);
    proxy.lead_to(&server);
    state_of(&a, "dois", "delivered");
    // What was said to everyone comes another way, before or after.
    let mut texts = Vec::new();
    while texts.len() < 4 {
        let event = b.find_where(|event| event["text"].is_string());
        texts.push(event["text"].as_str().unwrap().to_owned());
    }
    let (global, private): (Vec<_>, Vec<_>) = texts.iter().partition(|text| *text == "todos");
    assert_eq!(private, ["antes", "um", "dois"]);
    assert_eq!(global.len(), 1);
}

#[test]
fn a_sender_that_is_killed_goes_on_where_it_was() {
    let (server, home) = (Server::start(), Home::new());
    let b = Bot::join(&home, &server.address(), "B");
    let mut a = Bot::join(&home, &server.address(), "A");
    for number in 0..200 {
        a.say(private("B", &number.to_string()));
    }
    state_of(&a, "199", "queued");
    a.signal(Signal::SIGKILL);
    a.end();
    let a = Bot::join(&home, &server.address(), "A");
    let expected: Vec<_> = (0..200).map(|number| (number.to_string(), false)).collect();
    assert_eq!(texts(&b, 200), expected);
    // Its reference has survived.
    state_of(&a, "199", "delivered");
}

#[test]
fn an_old_copy_of_a_history_loses_and_doubles_nothing() {
    let (server, alice, bob) = (Server::start(), Home::new(), Home::new());
    let address = server.address();
    let write = |home: &Home, texts: &[&str]| {
        let mut a = Bot::join(home, &address, "A");
        for text in texts {
            a.say(private("B", text));
            state_of(&a, text, "delivered");
        }
        a.end_input();
        assert_eq!(a.end().code, 0);
    };
    let b = Bot::join(&bob, &address, "B");
    write(&alice, &["um"]);
    let (old_alice, old_bob) = (alice.copy(), bob.copy());
    write(&alice, &["dois", "três"]);
    // The server knows more than the copy, which therefore begins a new store.
    write(&old_alice, &["quatro", "cinco"]);
    let texts: Vec<_> = texts(&b, 5).into_iter().map(|(text, _)| text).collect();
    assert_eq!(texts, ["um", "dois", "três", "quatro", "cinco"]);
    // The recipient's old copy says what it does not have.
    drop(b);
    let b = Bot::join(&old_bob, &address, "B");
    write(&old_alice, &["seis"]);
    assert_eq!(b.find("private")["text"], "seis");
    write(&alice, &["sete"]);
    let missing = b.find("missing");
    assert_eq!(
        (&missing["from"], &missing["count"]),
        (&json!("A"), &json!(2))
    );
    assert_eq!(b.find("private")["text"], "sete");
}

#[test]
fn a_program_that_acknowledges_by_hand_and_is_killed_gets_the_rest_again() {
    let (server, home) = (Server::start(), Home::new());
    let join = || {
        let arguments = ["chat", "--json", "--ack", "manual", "--name", "B"];
        let mut command = home.recado(&arguments);
        Bot::of(Program::spawn(
            command.args(["--server", &server.address()]),
        ))
    };
    let mut b = join();
    let mut a = Bot::join(&home, &server.address(), "A");
    for text in ["um", "dois", "três"] {
        a.say(private("B", text));
    }
    let first = b.find("private");
    texts(&b, 2);
    b.say(json!({"type": "ack", "id": first["id"]}));
    state_of(&a, "um", "delivered");
    b.say(json!({"type": "ack", "id": first["id"], "ref": "again"}));
    let error = b.find("error");
    assert_eq!(
        (&error["code"], &error["ref"]),
        (&json!("unknown_id"), &json!("again"))
    );
    b.signal(Signal::SIGKILL);
    b.end();

    let mut b = join();
    for text in ["dois", "três"] {
        let again = b.find("private");
        assert_eq!(
            (&again["text"], &again["replayed"]),
            (&json!(text), &json!(true))
        );
        b.say(json!({"type": "ack", "id": again["id"]}));
        state_of(&a, text, "delivered");
    }
    b.end_input();
    assert_eq!(b.end().code, 0);
    let mut b = join();
    b.end_input();
    let ended = b.end();
    assert!(
        !ended.stdout.iter().any(|line| line.contains("três")),
        "{:?}",
        ended.stdout
    );
}

#[test]
fn the_past_is_found_by_person_and_by_word_in_both_faces() {
    let (server, home) = (Server::start(), Home::new());
    let b = Bot::join(&home, &server.address(), "B");
    let mut a = Person::join(&home, &server.address(), "A");
    a.enter("/tcp B Olá, B!");
    a.stderr.find("entregue");
    a.enter("/udp Olá, todos!");
    b.find("global");
    a.enter("/tcp ninguém Olá");
    a.stderr.find("NÃO entregue");
    a.enter("/historico B");
    assert!(
        a.stdout
            .find("(entregue)")
            .ends_with(" (entregue) [TCP] Para B: Olá, B!")
    );
    a.enter("/buscar ola todos");
    assert!(a.stdout.find(" UTC ").ends_with(" [UDP] A: Olá, todos!"));
    // None of these is an operator.
    for words in ["\"", "OR", "Ol*", "text:Olá NEAR(", "-"] {
        a.enter(&format!("/buscar {words}"));
        a.stderr.find("Nada foi encontrado");
    }
    a.enter("/sair");
    assert_eq!(a.end().code, 0);

    let mut a = Bot::join(&home, &server.address(), "A");
    a.say(json!({"type": "history", "ref": 1}));
    let messages = a.find("messages");
    let kinds: Vec<_> = messages["items"].as_array().unwrap().iter().collect();
    let of = |at: usize, member: &str| kinds[at][member].clone();
    assert_eq!(kinds.len(), 3, "{messages}");
    assert_eq!(
        (of(0, "type"), of(0, "to"), of(0, "state")),
        (json!("private"), json!("B"), json!("delivered"))
    );
    assert_eq!(
        (of(1, "type"), of(1, "from"), of(1, "seq")),
        (json!("global"), json!("A"), json!(1))
    );
    assert_eq!(
        (of(2, "state"), of(2, "code")),
        (json!("failed"), json!("unknown_name"))
    );
    assert_eq!(messages["ref"], 1);
    for (request, count) in [
        (json!({"type": "history", "with": "b"}), 1),
        (json!({"type": "history", "with": null}), 1),
        (json!({"type": "history", "limit": 2}), 2),
        (json!({"type": "search", "words": "OLÁ"}), 3),
        (json!({"type": "search", "words": "olá", "limit": 1}), 1),
        (json!({"type": "search", "words": ""}), 0),
    ] {
        a.say(request.clone());
        let items = a.find("messages")["items"].as_array().unwrap().len();
        assert_eq!(items, count, "{request}");
    }
    let mut again = home.recado(&[
        "chat",
        "--plain",
        "--history",
        "--name",
        "C",
        "--lang",
        "pt-BR",
    ]);
    let mut c = Program::spawn(again.args(["--server", &server.address()]));
    c.stdout.expect(PROMPT_PT);
    // What was said before is shown once.
    assert!(c.stdout.next().ends_with(" UTC [UDP] A: Olá, todos!"));
    c.end_input();
    c.end().says(0, &[]).shows(&[]);
}

#[test]
fn who_is_blocked_is_told_and_can_be_taken_again() {
    let (server, home) = (Server::start(), Home::new());
    let mut a = Bot::join(&home, &server.address(), "A");
    let mut b = Person::join(&home, &server.address(), "B");
    b.enter("/bloquear A");
    b.stderr.find("As mensagens de A são recusadas");
    a.say(private("B", "um"));
    assert_eq!(state_of(&a, "um", "failed")["code"], "blocked");
    b.enter("/bloquear A");
    b.stderr.find("As mensagens de A voltam a ser aceitas");
    a.say(private("B", "dois"));
    b.stdout.find("[TCP] Privado de A: dois");
    a.say(json!({"type": "block", "name": "B", "ref": 1}));
    let expected = json!({"type": "block", "name": "B", "blocked": true, "ref": 1});
    assert_eq!(a.find("block"), expected);
    a.say(json!({"type": "block", "name": "ninguém", "ref": 2}));
    assert_eq!(
        a.find_where(|event| event["ref"] == 2)["code"],
        "not_blocked"
    );
    a.say(json!({"type": "trust", "name": "B", "ref": 3}));
    assert_eq!(
        a.find_where(|event| event["ref"] == 3)["code"],
        "no_other_key"
    );
}

#[test]
fn send_goes_through_an_open_chat_and_evicts_nobody() {
    let (server, home) = (Server::start(), Home::new());
    let mut a = Bot::join(&home, &server.address(), "A");
    let b = Bot::join(&home, &server.address(), "B");
    let address = server.address();
    let from_a = ["--name", "A", "--to", "B", "--wait", "delivered"];
    send(&home, &address, &[&from_a[..], &["um"]].concat()).says(0, &[]);
    send(&home, &address, &["--name", "A", "--all", "a todos"]).says(0, &[]);
    let nobody = ["--name", "A", "--to", "ninguém", "x"];
    send(&home, &address, &nobody).says(1, &["nobody has that name"]);
    assert_eq!(b.find("private")["text"], "um");
    assert_eq!(b.find("global")["text"], "a todos");
    a.say(private("B", "ainda aqui"));
    state_of(&a, "ainda aqui", "delivered");
}

#[test]
fn send_alone_takes_the_name_and_leaves_what_has_come() {
    let (server, home) = (Server::start(), Home::new());
    let address = server.address();
    send(&home, &address, &["--to", "B", "x"]).says(2, &["--name"]);
    let mut b = Bot::join(&Home::new(), &address, "B");
    let arguments = [
        "send", "--server", &address, "--name", "A", "--to", "B", "-",
    ];
    run_with(&mut home.recado(&arguments), "da entrada\n").says(0, &[]);
    assert_eq!(b.find("private")["text"], "da entrada");
    b.say(private("A", "para depois"));
    state_of(&b, "para depois", "stored");
    // The only name there is; and the same reference is the same message.
    for _ in 0..2 {
        send(&home, &address, &["--to", "B", "--ref", "r", "uma vez"]).says(0, &[]);
    }
    send(&home, &address, &["--to", "B", "--ref", "r", "outra"]).says(2, &["--ref"]);
    send(&home, &address, &["--all", "--wait", "delivered", "x"]).says(2, &["delivered"]);
    send(&home, &address, &["--to", "B", "fim"]).says(0, &[]);
    let texts: Vec<_> = texts(&b, 2).into_iter().map(|(text, _)| text).collect();
    assert_eq!(texts, ["uma vez", "fim"]);
    let a = Bot::join(&home, &address, "A");
    let kept = a.find("private");
    assert_eq!(
        (&kept["text"], &kept["replayed"]),
        (&json!("para depois"), &json!(false))
    );
}

#[test]
fn what_send_could_not_send_in_time_is_taken_back_unless_it_has_a_reference() {
    let server = Server::start();
    let (proxy, home) = (Proxy::before(&server), Home::new());
    let mut a = Bot::join(&home, &proxy.address(), "A");
    let mut b = Bot::join(&home, &proxy.address(), "B");
    // Nothing that a chat has open is sent while it stands still.
    a.signal(Signal::SIGSTOP);
    let address = proxy.address();
    let to_b = ["--name", "A", "--to", "B", "--timeout", "1"];
    send(&home, &address, &[&to_b[..], &["nunca"]].concat()).says(3, &["taken back"]);
    let kept = [&to_b[..], &["--ref", "r", "ainda"]].concat();
    send(&home, &address, &kept).says(3, &["--ref"]);
    a.signal(Signal::SIGCONT);
    send(&home, &address, &kept).says(0, &[]);
    assert_eq!(b.find("private")["text"], "ainda");
    a.say(json!({"type": "history", "with": "B"}));
    let items = a.find("messages")["items"].clone();
    assert_eq!(
        (&items[0]["text"], &items[0]["code"]),
        (&json!("nunca"), &json!("withdrawn"))
    );
    b.end_input();
    assert_eq!(b.end().code, 0);
}
