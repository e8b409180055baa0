//! Names: whose they are, and which are none.

use crate::common::{Bot, Home, Person, Proxy, Server, run, run_with};

/// `recado chat` under a name, with nothing to say.
fn chat(home: &Home, server: &str, name: &str, lang: &str) -> crate::common::Ended {
    let arguments = [
        "chat", "--plain", "--lang", lang, "--server", server, "--name", name,
    ];
    run(&mut home.recado(&arguments))
}

#[test]
fn a_name_belongs_to_the_key_that_came_first() {
    let (server, home) = (Server::start(), Home::new());
    let mut a = Person::join(&home, &server.address(), "A");

    let other = Home::new();
    for lang in ["pt-BR", "en"] {
        let says = match lang {
            "en" => "the name \"A\" belongs to someone else",
            _ => "o nome \"A\" é de outra pessoa",
        };
        chat(&other, &server.address(), "A", lang)
            .says(5, &[says])
            .shows(&[]);
    }
    chat(&other, &server.address(), "a", "pt-BR").says(5, &["\"a\" é de outra pessoa"]);
    // CYRILLIC CAPITAL LETTER A, and a fullwidth A, which is an A.
    chat(&other, &server.address(), "\u{410}", "pt-BR")
        .says(5, &["\"\u{410}\"", "pode ser confundido com \"A\""]);
    chat(&other, &server.address(), "\u{ff21}", "pt-BR").says(5, &["é de outra pessoa"]);

    // Programs are refused alike, before they are ready.
    let mut bot = Bot::spawn(&other, &server.address(), "A");
    bot.end()
        .says(5, &["the name \"A\" belongs to someone else"])
        .shows(&[]);

    // The refused may come under another name, and the owner noticed nothing.
    let b = Person::join(&other, &server.address(), "B");
    a.enter("/udp Olá, todos!");
    b.stdout.expect("[UDP] A: Olá, todos!");
}

#[test]
fn a_refused_name_at_the_prompt_of_a_pipe_ends_with_5() {
    let (server, home) = (Server::start(), Home::new());
    let _a = Person::join(&home, &server.address(), "A");
    let arguments = [
        "chat",
        "--plain",
        "--lang",
        "pt-BR",
        "--server",
        &server.address(),
    ];
    let ended = run_with(&mut Home::new().recado(&arguments), "A\n/udp Olá\n");
    ended.says(5, &["o nome \"A\" é de outra pessoa"]);
    ended.shows(&[crate::common::NAME_PROMPT_PT]);
}

#[test]
fn what_is_no_name_is_refused_with_the_rule() {
    let (server, home) = (Server::start(), Home::new());
    for (name, rule) in [
        ("", "está vazio"),
        (&*"x".repeat(33), "tem mais de 32 caracteres"),
        (&"x".repeat(5_000), "tem mais de 32 caracteres"),
        ("Ana Maria", "só pode ter letras, algarismos e . _ -"),
        ("a/b", "só pode ter letras, algarismos e . _ -"),
        ("../a", "só pode ter letras, algarismos e . _ -"),
        ("a\u{1b}[2J", "só pode ter letras, algarismos e . _ -"),
        ("a\u{202e}b", "só pode ter letras, algarismos e . _ -"),
        ("😀", "só pode ter letras, algarismos e . _ -"),
        (".a", "precisa começar com uma letra ou um algarismo"),
        ("todos", "é reservado"),
        ("ALL", "é reservado"),
        ("t\u{43e}dos", "é reservado"),
    ] {
        let ended = chat(&home, &server.address(), name, "pt-BR");
        ended.says(5, &[rule]).shows(&[]);
        let stderr = ended.stderr.join("\n");
        let raw = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!stderr.contains(raw), "{stderr:?}");
    }
    // 32 are a name, and so are 32 letters of four bytes.
    Person::join(&home, &server.address(), &"x".repeat(32)).quit();
    Person::join(&home, &server.address(), &"\u{20000}".repeat(32)).quit();
}

#[test]
fn a_refusal_offers_a_name_that_can_be_had() {
    let (server, home) = (Server::start(), Home::new());
    let ended = chat(&home, &server.address(), "Ana Maria", "en");
    ended.says(5, &["You could use \"Ana_Maria\"."]);
    Person::join(&home, &server.address(), "Ana_Maria").quit();
}

#[test]
fn a_name_stays_its_owners_when_the_server_starts_again() {
    let server = Server::start();
    let (proxy, home) = (Proxy::before(&server), Home::new());
    Person::join(&home, &proxy.address(), "Alice").quit();

    let server = server.restart(|_| {});
    proxy.lead_to(&server);
    chat(&Home::new(), &proxy.address(), "alice", "pt-BR").says(5, &["é de outra pessoa"]);
    // Its own in any case, and shown as it was first typed.
    let alice = Bot::join(&home, &proxy.address(), "ALICE");
    assert_eq!(alice.ready["name"], "Alice");
}

#[test]
fn an_identity_is_used_by_one_process_at_a_time() {
    let (server, home) = (Server::start(), Home::new());
    let mut a = Person::join(&home, &server.address(), "A");
    chat(&home, &server.address(), "A", "pt-BR")
        .says(1, &["outro recado nesta máquina está usando o nome"])
        .shows(&[]);
    a.enter("/udp ainda aqui");
    a.stdout.find("[UDP] A: ainda aqui");
    a.quit();
    // Free again; what was said before is told again.
    let mut again = Person::join(&home, &server.address(), "A");
    again.enter("/sair");
    again.end().says(0, &[]);
}

#[test]
fn the_same_key_on_another_machine_takes_over_and_nobody_sees_anyone_leave() {
    let (server, home) = (Server::start(), Home::new());
    let mut b = Bot::join(&Home::new(), &server.address(), "B");
    let mut first = Person::join(&home, &server.address(), "A");
    b.sees("A", true);

    let mut second = Person::join(&home.copy(), &server.address(), "A");
    first
        .end()
        .says(1, &["Você abriu este nome em outro lugar"]);

    second.enter("/udp de outro lugar");
    let global = b.find_where(|event| {
        assert_ne!(event["online"], false, "{event}");
        event["type"] == "global"
    });
    assert_eq!(global["text"], "de outro lugar");
    assert_eq!(global["verified"], true);
    b.say(serde_json::json!({"type": "private", "to": "A", "text": "onde?"}));
    second.stdout.find("[TCP] Privado de B: onde?");
}

#[test]
fn a_taken_over_program_is_told_as_an_event() {
    let (server, home) = (Server::start(), Home::new());
    let mut first = Bot::join(&home, &server.address(), "A");
    let _second = Bot::join(&home.copy(), &server.address(), "A");
    assert_eq!(first.find("error")["code"], "taken_over");
    assert_eq!(first.end().code, 1);
}

#[test]
fn a_server_closed_to_new_names_keeps_its_old_ones() {
    let server = Server::start();
    let (proxy, home) = (Proxy::before(&server), Home::new());
    Person::join(&home, &proxy.address(), "A").quit();
    let folder = server.stop();
    let command = Server::command(&folder, &["--registration", "closed"]);
    let server = Server::spawn(folder, command);
    proxy.lead_to(&server);
    chat(&home, &proxy.address(), "B", "en").says(5, &["gives you no new name"]);
    Person::join(&home, &proxy.address(), "A").quit();
}
