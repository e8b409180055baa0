//! What the server carries and cannot read; what it cannot do where it lies; and how people make sure of each other.

use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;
use recado_proto::frame::{ClientFrame, FailureCode, OpenLane, PrivateMessage, ServerFrame};
use recado_proto::id::{MessageId, StoreId};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::common::{Bot, Home, Person, Program, Proxy, RawChat, Server};

fn private(to: &str, text: &str) -> Value {
    json!({"type": "private", "to": to, "text": text, "ref": text})
}

/// Waits for the state of the message with this reference.
#[track_caller]
fn state_of(bot: &Bot, reference: &str, state: &str) -> Value {
    bot.find_where(|event| event["ref"] == reference && event["state"] == state)
}

/// The texts of private messages as they come, up to the last of these.
#[track_caller]
fn hears(bot: &Bot, texts: &[&str]) {
    let heard = texts.iter().map(|_| bot.find("private")["text"].clone());
    assert_eq!(heard.collect::<Vec<_>>(), texts);
}

#[track_caller]
fn ends(mut bot: Bot) {
    bot.end_input();
    assert_eq!(bot.end().code, 0);
}

/// Changes the database of a server that is stopped, as whoever runs it can.
fn tamper(data: &Path, sql: &str) {
    let database = Connection::open(data.join("recado.db")).unwrap();
    database.execute_batch(sql).unwrap();
}

/// A server that clients find where it was, also when it was stopped.
struct Liar {
    server: Option<Server>,
    proxy: Proxy,
}

impl Liar {
    fn start() -> Self {
        let server = Server::start();
        Self {
            proxy: Proxy::before(&server),
            server: Some(server),
        }
    }

    fn address(&self) -> String {
        self.proxy.address()
    }

    /// Does so with what it has stored.
    fn lie(&mut self, sql: &str) {
        let server = self.server.take().unwrap();
        let server = server.restart(|data| tamper(data, sql));
        self.proxy.lead_to(&server);
        self.server = Some(server);
    }
}

/// All memory of a process that can be read, but for what is mapped from files.
fn memory(program: &Program) -> Option<Vec<Vec<u8>>> {
    use std::os::unix::fs::FileExt as _;
    let folder = format!("/proc/{}", program.pid());
    let maps = fs::read_to_string(format!("{folder}/maps")).ok()?;
    let memory = fs::File::open(format!("{folder}/mem")).ok()?;
    let mut pieces = Vec::new();
    for line in maps.lines() {
        let (range, rest) = line.split_once(' ')?;
        let (start, end) = range.split_once('-')?;
        let start = u64::from_str_radix(start, 16).ok()?;
        let end = u64::from_str_radix(end, 16).ok()?;
        if rest.starts_with('r') && !rest.contains('/') && !rest.contains("[v") {
            let mut piece = vec![0; usize::try_from(end - start).ok()?];
            // What is not there (yet) is not read.
            if memory.read_exact_at(&mut piece, start).is_ok() {
                pieces.push(piece);
            }
        }
    }
    Some(pieces)
}

fn holds(pieces: &[Vec<u8>], marker: &str) -> bool {
    let marker = marker.as_bytes();
    let first = marker[0];
    let holds = |piece: &Vec<u8>| {
        let mut rest = piece.as_slice();
        // Much of it is zeros: what a build without optimisation looks at closely is little.
        while let Some(at) = rest.iter().position(|byte| *byte == first) {
            rest = &rest[at..];
            if rest.starts_with(marker) {
                return true;
            }
            rest = &rest[1..];
        }
        false
    };
    pieces.iter().any(holds)
}

/// All files beneath a folder.
fn files(folder: &Path) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            // Not a socket.
            false => found.extend(fs::read(path)),
        }
    }
    found
}

/// What is written privately, the server's process, files, logs and traffic never hold; what is written to everyone they
/// do, which shows that these are searched.
#[test]
fn nothing_of_a_private_message_is_anywhere_at_the_server() {
    let home = Home::new();
    let mut command = Server::command(&home, &[]);
    command.env("RECADO_LOG", "trace");
    let mut server = Server::spawn(home, command);
    let (proxy, home) = (Proxy::before(&server), Home::new());
    Person::join(&home, &proxy.address(), "Carol").quit();
    let mut a = Bot::join(&home, &proxy.address(), "Alice");
    let mut b = Bot::join(&home, &proxy.address(), "Bob");
    for marker in ["xylophon-eins", "xylophon-zwei"] {
        a.say(private("Bob", marker));
        state_of(&a, marker, "delivered");
        assert_eq!(b.find("private")["text"], marker);
    }
    b.say(private("Alice", "xylophon-drei"));
    state_of(&b, "xylophon-drei", "delivered");
    a.say(private("Carol", "xylophon-vier"));
    state_of(&a, "xylophon-vier", "stored");
    a.say(private("Alice", "xylophon-an-mich"));
    state_of(&a, "xylophon-an-mich", "delivered");
    a.say_to_all("glockenspiel");
    a.find_where(|event| event["text"] == "glockenspiel");

    match memory(&server.program) {
        Some(memory) => {
            assert!(holds(&memory, "glockenspiel"), "memory is searched");
            assert!(!holds(&memory, "xylophon"), "memory of the server");
        }
        None => crate::common::skip(
            "nothing_of_a_private_message_is_anywhere_at_the_server",
            "the memory of a child cannot be read here",
        ),
    }
    let stored = files(&server.ready.data);
    assert!(holds(&stored, "Carol"), "files are searched");
    assert!(!holds(&stored, "xylophon"), "files of the server");
    assert!(!holds(&proxy.streams(), "xylophon"), "traffic");
    let datagrams: Vec<_> = proxy.datagrams().into_iter().map(|it| it.bytes).collect();
    assert!(!holds(&datagrams, "xylophon"), "traffic");
    let own = files(home.path());
    assert!(holds(&own, "xylophon-vier"), "one's own history has it");
    ends(a);
    ends(b);
    let ended = server.end(Signal::SIGTERM);
    let log = ended.stderr.join("\n");
    assert!(log.contains("connected"), "{log}");
    assert!(!log.contains("xylophon"), "the log");
}

#[test]
fn what_is_not_sealed_is_not_read() {
    let (server, home) = (Server::start(), Home::new());
    let b = Bot::join(&home, &server.address(), "B");
    let mut old = RawChat::open(&server);
    old.hello("Old");
    let store = StoreId::from_bytes([7; 16]);
    old.send(ClientFrame::OpenLane(OpenLane {
        lane: 1,
        to: "B".to_owned(),
        store,
        key: None,
        lowest: 1,
    }));
    while !matches!(old.next().unwrap(), ServerFrame::LaneOpened(_)) {}
    old.send(ClientFrame::Private(PrivateMessage {
        lane: 1,
        number: 1,
        id: MessageId::from_bytes([1; 16]),
        sent_at_ms: 5,
        // A text, as it was sent before.
        envelope: b"\x0a\x04Ol\xc3\xa1".to_vec(),
    }));
    loop {
        match old.next().unwrap() {
            ServerFrame::LaneProgress(progress) if progress.settled == 1 => {
                let failures: Vec<_> = progress.failures.iter().map(|it| it.code).collect();
                assert_eq!(failures, [FailureCode::Unreadable]);
                break;
            }
            _ => {}
        }
    }
    let event = b.find("unreadable");
    assert_eq!(event["from"], "Old");
    let mut b = b;
    b.end_input();
    let ended = b.end();
    assert!(!ended.stdout.iter().any(|line| line.contains("Olá")));
}

/// What waited under the old version, on both sides and at the server.
#[test]
fn what_was_under_way_before_arrives_sealed() {
    let (server, alice, bob) = (Home::new(), Home::new(), Home::new());
    let older = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/older");
    let data = server.file("server");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    for file in ["recado.db", "root.key"] {
        fs::copy(older.join("server").join(file), data.join(file)).unwrap();
    }
    let command = Server::command(&server, &[]);
    let server = Server::spawn(server, command);
    let root = server.ready.fingerprint.replace(':', "-");
    for (home, name) in [(&alice, "alice"), (&bob, "bob")] {
        let place = home.file("client/servers").join(&root).join("identities");
        let place = place.join(name);
        fs::create_dir_all(&place).unwrap();
        for file in ["key", "history.db"] {
            fs::copy(older.join(name).join(file), place.join(file)).unwrap();
        }
    }
    let address = server.address();
    // Bob comes first: what the server had of Alice's is not read.
    let b = Bot::join(&bob, &address, "Bob");
    let a = Bot::join(&alice, &address, "Alice");
    let texts = [
        "dois: guardada no servidor",
        "três: guardada também",
        "cinco: sem número",
    ];
    hears(&b, &texts);
    for reference in ["2", "3", "5"] {
        state_of(&a, reference, "delivered");
    }
    // Dora comes, who was nobody then.
    let dora = Bot::join(&Home::new(), &address, "Dora");
    drop(a);
    let mut a = Bot::join(&alice, &address, "Alice");
    a.say(private("Dora", "e agora"));
    hears(&dora, &["e agora"]);
    a.say(private("Bob", "segue"));
    hears(&b, &["segue"]);
    ends(a);
    ends(b);
}

#[test]
fn messages_that_change_places_are_not_read_and_come_again_in_order() {
    let (mut liar, alice, bob) = (Liar::start(), Home::new(), Home::new());
    Person::join(&bob, &liar.address(), "Bob").quit();
    let mut a = Bot::join(&alice, &liar.address(), "Alice");
    let texts = ["um", "dois", "três"];
    for text in texts {
        a.say(private("Bob", text));
        state_of(&a, text, "stored");
    }
    liar.lie(
        "CREATE TEMP TABLE was AS SELECT number, envelope FROM mailbox;
         UPDATE mailbox SET envelope = (SELECT envelope FROM was WHERE was.number = 3 - mailbox.number)
             WHERE number IN (1, 2);",
    );
    let b = Bot::join(&bob, &liar.address(), "Bob");
    let mut events: Vec<Value> = Vec::new();
    while events.iter().filter(|it| it["type"] == "private").count() < 3 {
        events.push(b.next());
    }
    let heard: Vec<_> = events.iter().filter(|it| it["type"] == "private").collect();
    let heard: Vec<_> = heard.iter().map(|it| it["text"].clone()).collect();
    assert_eq!(heard, texts);
    assert!(events.iter().any(|event| event["type"] == "unreadable"));
    // The sender says what happened, and only then that they were delivered.
    let resealed = a.find("resealed");
    assert_eq!(
        (&resealed["name"], &resealed["count"]),
        (&json!("Bob"), &json!(3))
    );
    for text in texts {
        state_of(&a, text, "delivered");
    }
    a.say(private("Bob", "quatro"));
    hears(&b, &["quatro"]);
    ends(a);
    ends(b);
}

#[test]
fn what_was_dropped_on_the_way_leaves_a_gap_that_nothing_passes() {
    let (mut liar, alice, bob) = (Liar::start(), Home::new(), Home::new());
    Person::join(&bob, &liar.address(), "Bob").quit();
    let mut a = Bot::join(&alice, &liar.address(), "Alice");
    for text in ["um", "dois"] {
        a.say(private("Bob", text));
        state_of(&a, text, "stored");
    }
    liar.lie("DELETE FROM mailbox WHERE number = 1;");
    let mut b = Bot::spawn(&bob, &liar.address(), "Bob");
    b.stdout.find("the server left a number out");
    b.end_input();
    let ended = b.end();
    assert!(!ended.stdout.iter().any(|line| line.contains("dois")));
    a.say(json!({"type": "history"}));
    let items = a.find("messages")["items"].clone();
    let states: Vec<_> = items
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["state"].clone())
        .collect();
    assert_eq!(states, ["stored", "stored"]);
    ends(a);
}

#[test]
fn a_message_that_comes_again_under_another_number_or_name_is_not_read() {
    let (mut liar, alice, bob, mallory) = (Liar::start(), Home::new(), Home::new(), Home::new());
    Person::join(&bob, &liar.address(), "Bob").quit();
    Person::join(&mallory, &liar.address(), "Mallory").quit();
    let mut a = Bot::join(&alice, &liar.address(), "Alice");
    a.say(private("Bob", "um"));
    state_of(&a, "um", "stored");
    // As a second message of Alice's, and as one of Mallory's.
    liar.lie(
        "INSERT OR IGNORE INTO person (key) SELECT key FROM name;
         INSERT INTO mailbox (recipient, lane, number, id, sent_at, envelope, stored_at, dropped)
             SELECT recipient, lane, 2, randomblob(16), sent_at, envelope, stored_at, 0 FROM mailbox;
         INSERT INTO lane (sender, store, recipient, accepted, accepted_id, settled)
             SELECT p.person, l.store, l.recipient, 1, l.accepted_id, 0
             FROM lane l, person p JOIN name n ON n.key = p.key WHERE n.folded = 'mallory';
         INSERT INTO mailbox (recipient, lane, number, id, sent_at, envelope, stored_at, dropped)
             SELECT recipient, (SELECT max(lane) FROM lane), 1, id, sent_at, envelope, stored_at, 0
             FROM mailbox WHERE number = 1;
         UPDATE lane SET accepted = 2 WHERE lane = 1;",
    );
    let b = Bot::join(&bob, &liar.address(), "Bob");
    let mut unreadable = Vec::new();
    let mut heard = Vec::new();
    while unreadable.len() < 2 || heard.is_empty() {
        let event = b.next();
        match event["type"].as_str() {
            Some("unreadable") => unreadable.push(event["from"].clone()),
            Some("private") => heard.push((event["from"].clone(), event["text"].clone())),
            _ => {}
        }
    }
    unreadable.sort_by_key(ToString::to_string);
    assert_eq!(unreadable, ["Alice", "Mallory"]);
    assert_eq!(heard, [(json!("Alice"), json!("um"))]);
    // Alice's database is behind what the server says: it becomes another, and goes on.
    a.say(private("Bob", "dois"));
    state_of(&a, "dois", "delivered");
    hears(&b, &["dois"]);
    ends(a);
    ends(b);
}

#[test]
fn keys_that_are_not_the_names_are_refused_and_its_owner_puts_them_right() {
    let (mut liar, alice, bob, mallory) = (Liar::start(), Home::new(), Home::new(), Home::new());
    Person::join(&bob, &liar.address(), "Bob").quit();
    Person::join(&mallory, &liar.address(), "Mallory").quit();
    liar.lie(
        "DELETE FROM key_package WHERE owner =
             (SELECT person FROM person JOIN name USING (key) WHERE folded = 'bob');
         UPDATE key_package SET owner =
             (SELECT person FROM person JOIN name USING (key) WHERE folded = 'bob');",
    );
    let mut a = Bot::join(&alice, &liar.address(), "Alice");
    a.say(private("Bob", "segredo"));
    let waiting = a.find("waiting");
    assert_eq!(
        [&waiting["name"], &waiting["code"], &waiting["fault"]],
        [&json!("Bob"), &json!("bad_keys"), &json!("other_key")]
    );
    // Bob sees that the server has others than his, and replaces them.
    let b = Bot::join(&bob, &liar.address(), "Bob");
    hears(&b, &["segredo"]);
    state_of(&a, "segredo", "delivered");
    ends(a);
    ends(b);
}

#[test]
fn who_has_not_come_with_keys_yet_is_waited_for() {
    let (server, home) = (Server::start(), Home::new());
    let mut old = RawChat::open(&server);
    old.hello("Old");
    let mut a = Bot::join(&home, &server.address(), "A");
    a.say(private("Old", "espera"));
    let waiting = a.find("waiting");
    assert_eq!(
        (&waiting["name"], &waiting["code"]),
        (&json!("Old"), &json!("no_keys"))
    );
    // Others are written to meanwhile.
    a.say(private("A", "nota"));
    state_of(&a, "nota", "delivered");
    a.say(json!({"type": "quit"}));
}

#[test]
fn who_lost_everything_but_their_key_is_written_to_anew() {
    let (server, alice, bob) = (Server::start(), Home::new(), Home::new());
    let address = server.address();
    let mut a = Bot::join(&alice, &address, "Alice");
    let mut b = Bot::join(&bob, &address, "Bob");
    a.say(private("Bob", "um"));
    hears(&b, &["um"]);
    b.say(private("Alice", "olá"));
    hears(&a, &["olá"]);
    ends(b);
    let root = server.ready.fingerprint.replace(':', "-");
    let place = bob.file("client/servers").join(root).join("identities/bob");
    for file in fs::read_dir(&place).unwrap() {
        let path = file.unwrap().path();
        if path.file_name().unwrap() != "key" {
            fs::remove_file(path).unwrap();
        }
    }
    for text in ["dois", "três"] {
        a.say(private("Bob", text));
        state_of(&a, text, "stored");
    }
    let mut b = Bot::join(&bob, &address, "Bob");
    hears(&b, &["dois", "três"]);
    a.find("resealed");
    for text in ["dois", "três"] {
        state_of(&a, text, "delivered");
    }
    // And he writes in a new lane.
    b.say(private("Alice", "de novo"));
    hears(&a, &["de novo"]);
    a.say(private("Bob", "quatro"));
    hears(&b, &["quatro"]);
    ends(a);
    ends(b);
}

#[test]
fn another_key_under_a_name_stops_what_was_meant_for_the_old_one() {
    let (mut liar, alice, bob, impostor) = (Liar::start(), Home::new(), Home::new(), Home::new());
    let address = liar.address();
    let mut a = Person::join(&alice, &address, "Alice");
    let b = Bot::join(&bob, &address, "Bob");
    a.enter("/tcp Bob um");
    hears(&b, &["um"]);
    // What is still under way would fail, too.
    a.stderr.find("[TCP] Para Bob: entregue");
    ends(b);
    a.enter("/sair");
    assert_eq!(a.end().code, 0);
    liar.lie("DELETE FROM name WHERE folded = 'bob';");
    let mut b = Bot::join(&impostor, &address, "Bob");
    b.say(private("Alice", "sou eu, Bob"));
    let mut a = Person::join(&alice, &address, "Alice");
    a.stderr.find("A CHAVE DE Bob MUDOU");
    a.enter("/tcp Bob dois");
    a.stderr.find("NÃO entregue");
    a.enter("/confiar Bob");
    a.stderr.find("é de confiança a partir de agora");
    // Now what came under it is shown, and it is written to.
    a.stdout.find("[TCP] Privado de Bob: sou eu, Bob");
    a.enter("/tcp Bob três");
    hears(&b, &["três"]);
    a.enter("/sair");
    assert_eq!(a.end().code, 0);
    ends(b);
}

#[test]
fn two_compare_a_code_and_are_marked_once_both_have() {
    let (server, alice, bob) = (Server::start(), Home::new(), Home::new());
    let address = server.address();
    let mut a = Bot::join(&alice, &address, "Alice");
    let mut b = Person::join(&bob, &address, "Bob");
    a.find("presence");
    a.say(json!({"type": "verify", "name": "bob", "ref": 1}));
    let asked = a.find("verify");
    assert_eq!(
        (&asked["name"], &asked["verified"], &asked["ref"]),
        (&json!("Bob"), &json!(false), &json!(1))
    );
    let code = asked["code"].as_str().unwrap().to_owned();
    assert_eq!(code.split(' ').count(), 8, "{code}");
    b.enter("/verificar Alice");
    assert!(
        b.stderr.find(&code[..11]).contains(&code),
        "both see the same"
    );

    // Digits that were misheard, then all of them.
    a.say(json!({"type": "verify", "name": "Bob", "code": "00000 00000", "ref": 2}));
    let differs = a.find_where(|event| event["ref"] == 2);
    assert_eq!(differs["code"], "code_differs");
    a.say(json!({"type": "verify", "name": "Bob", "code": code, "ref": 3}));
    let here = a.find_where(|event| event["ref"] == 3);
    assert_eq!(
        (&here["here"], &here["verified"]),
        (&json!(true), &json!(false))
    );
    b.stderr.find("Alice confirmou o código");
    b.enter("/verificar Alice sim");
    b.stderr.find("Verificação completa com Alice");
    let done = a.find_where(|event| event["type"] == "verify" && event["verified"] == true);
    assert_eq!((&done["name"], done.get("ref")), (&json!("Bob"), None));

    // The mark, in both faces and everywhere.
    b.enter("/tcp Alice oi");
    let heard = a.find("private");
    assert_eq!(
        (&heard["text"], &heard["verified"]),
        (&json!("oi"), &json!(true))
    );
    a.say(private("Bob", "olá"));
    b.stdout.find("[TCP] Privado de Alice ✓: olá");
    a.say(json!({"type": "who"}));
    let people = a.find("roster")["people"].clone();
    assert_eq!(
        people,
        json!([{"name": "Alice", "online": true}, {"name": "Bob", "online": true, "verified": true}])
    );
    b.enter("/quem");
    b.stderr.find("Alice ✓, Bob");
    a.say(json!({"type": "history", "with": "Bob"}));
    let items = a.find("messages")["items"].clone();
    assert!(
        items
            .as_array()
            .unwrap()
            .iter()
            .all(|item| item["verified"] == true),
        "{items}"
    );
    assert_eq!(
        items.as_array().unwrap().len(),
        2,
        "nothing else is shown: {items}"
    );
    b.enter("/historico Alice");
    b.stdout.find("Alice ✓: olá");

    // It stays.
    b.enter("/sair");
    assert_eq!(b.end().code, 0);
    let presence = a.find("presence");
    assert_eq!(presence["verified"], true);
    ends(a);
    let mut a = Bot::join(&alice, &address, "Alice");
    a.say(json!({"type": "verify", "name": "Bob", "ref": 4}));
    let kept = a.find_where(|event| event["ref"] == 4);
    assert_eq!(
        (&kept["verified"], &kept["code"]),
        (&json!(true), &json!(code))
    );
    a.say(json!({"type": "verify", "name": "ninguém", "ref": 5}));
    let nobody = a.find_where(|event| event["ref"] == 5);
    assert_eq!(nobody["code"], "unknown_name");
    a.say(json!({"type": "verify", "name": "Bob", "same": "yes", "ref": 6}));
    let wrong = a.find_where(|event| event["ref"] == 6);
    assert_eq!(wrong["code"], "wrong_member");
    ends(a);
}
