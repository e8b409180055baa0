//! The seed's conversation, as people see it line by line.

use crate::common::{Home, NAME_PROMPT_EN, NAME_PROMPT_PT, PROMPT_EN, PROMPT_PT, Person, Server};

#[test]
fn three_terminals_of_one_account_show_the_seeds_conversation_to_the_letter() {
    let (server, home) = (Server::start(), Home::new());
    let [mut a, mut b, mut c] = ["A", "B", "C"].map(|name| {
        let mut person = Person::spawn(&home, &server.address(), &["--lang", "pt-BR"]);
        person.stdout.expect(NAME_PROMPT_PT);
        person.enter(name);
        person.stdout.expect(PROMPT_PT);
        person
    });

    a.enter("/udp Olá, todos!");
    a.stdout.expect(PROMPT_PT);
    for person in [&a, &b, &c] {
        person.stdout.expect("[UDP] A: Olá, todos!");
    }

    a.enter("/tcp B Olá, B!");
    a.stdout.expect(PROMPT_PT);
    b.stdout.expect("[TCP] Privado de A: Olá, B!");
    a.stderr.find("[TCP] Para B: entregue");

    // Nobody but B has anything more to show than the prompt behind their own line.
    for (name, person) in [("A", &mut a), ("B", &mut b), ("C", &mut c)] {
        assert_eq!(person.catch_up(name), [PROMPT_PT], "{name}");
    }
    for person in [a, b, c] {
        person.quit();
    }
}

#[test]
fn the_same_with_names_as_arguments_and_a_home_each() {
    let server = Server::start();
    let homes = [Home::new(), Home::new(), Home::new()];
    let join = |at: usize, name| Person::join(&homes[at], &server.address(), name);
    let (mut a, mut b, mut c) = (join(0, "A"), join(1, "B"), join(2, "C"));

    a.enter("/udp Olá, todos!");
    a.stdout.expect(PROMPT_PT);
    for person in [&a, &b, &c] {
        person.stdout.expect("[UDP] A: Olá, todos!");
    }
    a.enter("/tcp B Olá, B!");
    a.stdout.expect(PROMPT_PT);
    b.stdout.expect("[TCP] Privado de A: Olá, B!");

    for (name, person) in [("A", &mut a), ("B", &mut b), ("C", &mut c)] {
        assert_eq!(person.catch_up(name), [PROMPT_PT], "{name}");
    }
}

#[test]
fn the_same_in_english() {
    let (server, home) = (Server::start(), Home::new());
    let [mut a, b] = ["A", "B"].map(|name| {
        let mut person = Person::spawn(&home, &server.address(), &["--lang", "en"]);
        person.stdout.expect(NAME_PROMPT_EN);
        person.enter(name);
        person.stdout.expect(PROMPT_EN);
        person
    });
    a.enter("/all Hello, everyone!");
    a.stdout.expect(PROMPT_EN);
    for person in [&a, &b] {
        person.stdout.expect("[UDP] A: Hello, everyone!");
    }
    a.enter("/msg B Hello, B!");
    a.stdout.expect(PROMPT_EN);
    b.stdout.expect("[TCP] Private from A: Hello, B!");
    a.stderr.find("[TCP] To B: delivered");
}

#[test]
fn each_reads_in_their_own_language() {
    let (server, home) = (Server::start(), Home::new());
    let mut a = Person::join(&home, &server.address(), "A");
    let b = Person::spawn(&home, &server.address(), &["--name", "B", "--lang", "en"]);
    b.stdout.expect(PROMPT_EN);
    a.enter("/privado B Olá, B!");
    b.stdout.expect("[TCP] Private from A: Olá, B!");
}

#[test]
fn quiet_leaves_nothing_but_messages() {
    let (server, home) = (Server::start(), Home::new());
    let quiet = ["--quiet", "--lang", "pt-BR"];
    let mut a = Person::spawn(&home, &server.address(), &quiet);
    a.enter("A");
    a.enter("/tcp A só para mim");
    a.stdout.expect("[TCP] Privado de A: só para mim");
    let b = Person::join(&home, &server.address(), "B");
    a.enter("/udp Olá, todos!");
    a.stdout.expect("[UDP] A: Olá, todos!");
    b.stdout.expect("[UDP] A: Olá, todos!");
    b.quit();
    a.enter("/sair");
    let ended = a.end();
    ended.says(0, &[]).shows(&[]);
    assert_eq!(ended.stderr, [""; 0], "a quiet chat has no notices");
}

#[test]
fn comings_and_goings_states_and_hints_are_told_on_stderr_alone() {
    let (server, home) = (Server::start(), Home::new());
    let mut a = Person::join(&home, &server.address(), "A");
    let b = Person::join(&home, &server.address(), "B");
    a.stderr.find("B entrou");
    a.enter("/quem");
    assert_eq!(a.stderr.find("Presentes"), "Presentes: A, B");
    b.quit();
    a.stderr.find("B saiu");
    a.enter("/tcp B Você ainda está aí?");
    a.stderr
        .find("[TCP] Para B: guardada; B recebe quando voltar");
    a.enter("/tcp ninguém Olá");
    a.stderr
        .find("[TCP] Para ninguém: NÃO entregue: ninguém tem esse nome");
    for (typed, hint) in [
        ("Olá", "Nada foi enviado: comece com /udp"),
        ("//udp Olá", "Nada foi enviado: comece com /udp"),
        ("/udp", "Falta algo: /udp"),
        ("/tcp B", "Falta algo: /tcp"),
        ("/dup Olá", "Não há o comando /dup"),
        ("/ajuda", "/tcp NOME TEXTO"),
    ] {
        a.enter(typed);
        a.stderr.find(hint);
    }
    let prompts = a.catch_up("A");
    assert_eq!(
        prompts, [PROMPT_PT; 10],
        "a prompt after each line, and no more"
    );
    a.quit();
}

#[test]
fn names_with_accents_and_messages_in_any_script_arrive_as_typed() {
    let (server, home) = (Server::start(), Home::new());
    let mut conceição = Person::join(&home, &server.address(), "Conceição");
    let b = Person::join(&home, &server.address(), "b.2_x-y");
    for text in [
        "  dois  espaços ",
        "/tcp B não é um comando",
        "日本語 العربية עברית 👩‍🚀 é",
        "{ $from } %s \\n {\"type\":\"global\"}",
    ] {
        conceição.enter(&format!("/udp {text}"));
        b.stdout.expect(&format!("[UDP] Conceição: {text}"));
    }
}
