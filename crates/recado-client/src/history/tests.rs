use std::sync::mpsc;

use recado_engine::{Content, Failure, MailState, Receipt, Received, Write};
use recado_proto::frame::Person;
use recado_proto::id::{LogId, MessageId, RemoteKey, StoreId};

use super::database::Database;
use super::*;
use crate::history::outbox::load;

const ALICE: RemoteKey = RemoteKey::from_bytes([1; 32]);
const STORE: StoreId = StoreId::from_bytes([9; 16]);
const LOG: LogId = LogId::from_bytes([5; 8]);

/// Bob's database, in a folder of its own.
struct Bob {
    folder: tempfile::TempDir,
    database: Database,
}

impl Bob {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(folder.path()).unwrap();
        Self { folder, database }
    }

    /// As after the end of the process.
    fn reopen(&mut self) {
        self.database = Database::open(self.folder.path()).unwrap();
    }

    fn commit(&mut self, writes: &[Write]) -> Vec<bool> {
        self.database
            .write(|transaction| writes::commit(transaction, writes))
            .unwrap()
    }

    fn record(&mut self, record: Record) {
        self.database
            .write(|transaction| writes::record(transaction, &record))
            .unwrap();
    }

    fn feed(&mut self, after: u64, limit: usize) -> Fed {
        self.database
            .write(|transaction| outbox::feed(transaction, after, limit))
            .unwrap()
    }

    fn state(&self) -> (MailState, Vec<Untaken>) {
        self.database.read(load).unwrap()
    }

    fn numbered(&self) -> Vec<(u64, MessageId, bool, bool)> {
        let lanes = self.state().0.outgoing.into_iter();
        let numbered = lanes.flat_map(|lane| lane.numbered);
        numbered
            .map(|own| (own.number, own.id, own.envelope.is_empty(), own.stored))
            .collect()
    }

    fn standing(&self, id: MessageId) -> (Standing, String) {
        let entered = self.database.entered(id).unwrap().unwrap();
        (entered.standing, entered.code)
    }

    fn enter(&mut self, number: u8, to: Option<&str>) -> MessageId {
        let message = outgoing(number, to, "Olá");
        assert!(self.database.enter(&message).unwrap());
        message.id
    }

    /// Gives the entries that have none their numbers, from `first` on.
    fn number(&mut self, first: u64) -> Vec<bool> {
        let entries = self.feed(0, 100).private;
        let writes: Vec<_> = entries
            .into_iter()
            .zip(first..)
            .map(|(entry, number)| number_of(entry.entry, number))
            .collect();
        self.commit(&writes)
    }

    fn ask(&self, question: &Question) -> Vec<String> {
        let items = self
            .database
            .read(|connection| past::answer(connection, question))
            .unwrap();
        let text = |item| match item {
            Item::Message(message) => message.text,
            Item::Hole { first, last } => format!("{first}-{last}"),
        };
        items.into_iter().map(text).collect()
    }

    fn search(&self, words: &str) -> Vec<String> {
        let words = words.to_owned();
        self.ask(&Question::Words { words, limit: 10 })
    }

    fn page(&self, edge: Option<Edge>, limit: usize) -> Vec<Item> {
        let conversation = Conversation::Everyone;
        let question = match edge {
            Some(edge) => Question::Page {
                conversation,
                edge,
                limit,
            },
            None => Question::Latest {
                conversation,
                limit,
            },
        };
        let answer = |connection: &_| past::answer(connection, &question);
        self.database.read(answer).unwrap()
    }

    fn latest(&self, conversation: Conversation) -> Vec<String> {
        self.ask(&Question::Latest {
            conversation,
            limit: 10,
        })
    }
}

fn id(number: u8) -> MessageId {
    MessageId::from_bytes([number; 16])
}

fn outgoing(number: u8, to: Option<&str>, text: &str) -> Outgoing {
    Outgoing {
        id: id(number),
        to: to.map(str::to_owned),
        sent_at_ms: 0,
        text: text.to_owned(),
        reference: Some(number.to_string()),
    }
}

fn number_of(entry: u64, number: u64) -> Write {
    Write::Number {
        entry,
        peer: "alice".to_owned(),
        number,
        envelope: vec![1],
    }
}

fn progress(stored: u64, settled: u64) -> Write {
    Write::Progress {
        peer: "alice".to_owned(),
        stored,
        settled,
    }
}

fn person(name: &str, key: RemoteKey) -> Person {
    let name = name.to_owned();
    Person { name, key }
}

fn remember(key: RemoteKey) -> Write {
    Write::Remember {
        peer: "alice".to_owned(),
        person: person("Alice", key),
    }
}

fn receive(number: u64, id: MessageId, content: Content) -> Write {
    Write::Receive(Box::new(Received {
        from: person("Alice", ALICE),
        store: STORE,
        number,
        id,
        sent_at_ms: 0,
        content,
    }))
}

fn text(text: &str) -> Content {
    Content::Text(text.to_owned())
}

fn receipt(number: u64) -> Receipt {
    Receipt {
        from: ALICE,
        store: STORE,
        number,
    }
}

fn global(number: u8, sequence: u64, text: &str, own: bool) -> Record {
    Record::Global(GlobalRecord {
        log: LOG,
        sequence,
        from: person("Alice", ALICE),
        own,
        id: id(number),
        sent_at_ms: 0,
        text: text.to_owned(),
        verified: true,
    })
}

#[test]
fn every_table_is_strict_and_explained() {
    let bob = Bob::new();
    let tables = bob.database.read(|connection| {
        connection
            .prepare(
                "SELECT name, strict FROM pragma_table_list
                 WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite%'",
            )?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<Vec<(String, bool)>>>()
    });
    for (table, is_strict) in tables.unwrap() {
        assert!(is_strict, "{table}");
        let schema = concat!(include_str!("schema.sql"), include_str!("offers.sql"));
        let made = schema.find(&format!("CREATE TABLE {table} (")).unwrap();
        let above = schema[..made].lines().next_back().unwrap();
        assert!(above.starts_with("-- "), "{table}");
    }
}

#[test]
fn a_store_keeps_its_id() {
    let mut bob = Bob::new();
    let before = bob.state().0.store;
    bob.reopen();
    assert_eq!(bob.state().0.store, before);
    assert_ne!(Bob::new().state().0.store, before);
}

#[test]
fn a_database_of_a_later_version_is_left_alone() {
    let bob = Bob::new();
    bob.database
        .read(|connection| connection.pragma_update(None, "user_version", 99))
        .unwrap();
    match Database::open(bob.folder.path()) {
        Err(HistoryError::TooNew { found: 99, .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn entries_come_in_order_each_once_and_survive() {
    let mut bob = Bob::new();
    for number in 1..=5 {
        bob.enter(number, Some("ALICE"));
    }
    assert!(
        !bob.database
            .enter(&outgoing(3, Some("Alice"), "again"))
            .unwrap()
    );
    bob.reopen();
    let first = bob.feed(0, 2);
    let second = bob.feed(first.last, 100);
    let ids: Vec<_> = first
        .private
        .iter()
        .chain(&second.private)
        .map(|entry| entry.id)
        .collect();
    assert_eq!(ids, [1, 2, 3, 4, 5].map(id));
    let entry = &first.private[0];
    assert_eq!((entry.peer.as_str(), entry.to.as_str()), ("alice", "ALICE"));
    assert_eq!(entry.reference.as_deref(), Some("1"));
    assert_eq!(bob.feed(second.last, 100).count(), 0);
}

#[test]
fn what_has_a_number_keeps_it_until_it_is_settled() {
    let mut bob = Bob::new();
    let ids = [1, 2, 3].map(|number| bob.enter(number, Some("Alice")));
    assert_eq!(bob.number(1), [true; 3]);
    bob.commit(&[remember(ALICE), progress(2, 0)]);
    bob.reopen();
    let expected = [
        (1, ids[0], false, true),
        (2, ids[1], false, true),
        (3, ids[2], false, false),
    ];
    assert_eq!(bob.numbered(), expected);
    assert_eq!(bob.standing(ids[1]).0, Standing::Stored);
    bob.commit(&[
        Write::Fail {
            id: ids[1],
            failure: Failure::Expired,
        },
        progress(3, 2),
    ]);
    assert_eq!(bob.numbered(), [(3, ids[2], false, true)]);
    assert_eq!(bob.standing(ids[0]).0, Standing::Delivered);
    assert_eq!(
        bob.standing(ids[1]),
        (Standing::Failed, "expired".to_owned())
    );
    let lane = bob.state().0.outgoing.remove(0);
    assert_eq!((lane.highest, lane.settled_id), (3, Some(ids[1])));
    assert_eq!((lane.name.as_str(), lane.key), ("Alice", Some(ALICE)));
}

#[test]
fn a_message_that_is_withdrawn_before_its_number_travels_empty() {
    let mut bob = Bob::new();
    let message = bob.enter(1, Some("Alice"));
    let entry = bob.feed(0, 1).private.remove(0).entry;
    assert!(bob.database.withdraw(message).unwrap());
    assert_eq!(bob.commit(&[number_of(entry, 1)]), [false]);
    assert_eq!(bob.numbered(), [(1, message, true, false)]);
    assert_eq!(
        bob.standing(message),
        (Standing::Failed, "withdrawn".to_owned())
    );
    // Too late for the next.
    let message = bob.enter(2, Some("Alice"));
    let entry = bob.feed(0, 1).private.remove(0).entry;
    assert_eq!(bob.commit(&[number_of(entry, 2)]), [true]);
    assert!(!bob.database.withdraw(message).unwrap());
    // And for one to everyone that was handed out.
    let message = bob.enter(3, None);
    assert_eq!(bob.feed(0, 1).global.len(), 1);
    assert!(!bob.database.withdraw(message).unwrap());
}

#[test]
fn what_fails_without_a_number_is_not_sent() {
    let mut bob = Bob::new();
    let message = bob.enter(1, Some("nobody"));
    let failure = Failure::UnknownName;
    bob.commit(&[Write::Fail {
        id: message,
        failure,
    }]);
    assert_eq!(bob.feed(0, 1).count(), 0);
    // What has one is there until its number has travelled.
    let message = bob.enter(2, Some("Alice"));
    bob.number(1);
    let number = 1;
    let peer = "alice".to_owned();
    bob.commit(&[
        Write::Fail {
            id: message,
            failure,
        },
        Write::Void { peer, number },
    ]);
    assert_eq!(bob.numbered(), [(1, message, true, false)]);
    bob.commit(&[progress(1, 1)]);
    assert_eq!(bob.standing(message).0, Standing::Failed);
    assert_eq!(bob.numbered(), []);
}

#[test]
fn another_key_begins_another_way() {
    let mut bob = Bob::new();
    bob.enter(1, Some("Alice"));
    bob.commit(&[remember(ALICE)]);
    bob.number(1);
    bob.commit(&[remember(ALICE)]);
    assert_eq!(bob.state().0.outgoing[0].highest, 1);
    let peer = "alice".to_owned();
    let other = RemoteKey::from_bytes([2; 32]);
    bob.commit(&[Write::Abandon { peer }, remember(other)]);
    let lane = bob.state().0.outgoing.remove(0);
    assert_eq!(
        (lane.highest, lane.key, lane.numbered.len()),
        (0, Some(other), 0)
    );
}

#[test]
fn an_old_copy_becomes_a_new_store_and_sends_again_what_has_no_outcome() {
    let mut bob = Bob::new();
    for number in 1..=3 {
        bob.enter(number, Some("Alice"));
    }
    bob.number(1);
    let number = 2;
    let peer = "alice".to_owned();
    let failure = Failure::Blocked;
    bob.commit(&[
        Write::Void { peer, number },
        Write::Fail { id: id(2), failure },
        progress(1, 1),
    ]);
    bob.enter(4, Some("Alice"));
    bob.enter(5, None);
    let store = StoreId::from_bytes([7; 16]);
    bob.database
        .write(|transaction| outbox::restart(transaction, store))
        .unwrap();
    let (state, _) = bob.state();
    assert_eq!((state.store, state.outgoing[0].highest), (store, 0));
    assert_eq!(state.outgoing[0].settled_id, None);
    assert_eq!(bob.numbered(), []);
    let fed = bob.feed(0, 10);
    assert_eq!(
        fed.private.iter().map(|entry| entry.id).collect::<Vec<_>>(),
        [3, 4].map(id)
    );
    assert_eq!(fed.global[0].id, id(5));
}

#[test]
fn what_comes_is_new_once_and_moves_its_lane() {
    let mut bob = Bob::new();
    let answers = bob.commit(&[
        receive(1, id(1), text("um")),
        receive(2, id(2), text("dois")),
        receive(3, id(1), text("um")),
        receive(4, id(3), Content::Unreadable),
        receive(5, id(3), text("três")),
        receive(6, id(4), Content::Nothing),
    ]);
    assert_eq!(answers, [true, true, false, true, true, true]);
    bob.reopen();
    let (state, untaken) = bob.state();
    let lane = &state.incoming[0];
    assert_eq!((lane.from, lane.store, lane.written), (ALICE, STORE, 6));
    assert_eq!(lane.untaken, [1, 2, 5]);
    let texts: Vec<_> = untaken
        .iter()
        .map(|untaken| untaken.text.as_str())
        .collect();
    assert_eq!(texts, ["um", "dois", "três"]);
    bob.commit(&[
        Write::Take(receipt(1)),
        Write::Take(receipt(2)),
        Write::Take(receipt(99)),
    ]);
    assert_eq!(bob.state().0.incoming[0].untaken, [5]);
    // A lane never goes back.
    bob.commit(&[receive(2, id(5), text("de novo"))]);
    let from = person("Alice", ALICE);
    let (store, up_to) = (STORE, 4);
    bob.commit(&[Write::Miss { from, store, up_to }]);
    assert_eq!(bob.state().0.incoming[0].written, 6);
}

#[test]
fn a_message_to_oneself_is_sent_and_comes() {
    let mut bob = Bob::new();
    bob.enter(1, Some("Alice"));
    assert_eq!(bob.commit(&[receive(1, id(1), text("Olá"))]), [true]);
    assert_eq!(bob.latest(Conversation::With("Alice".into())), ["Olá"; 2]);
}

#[test]
fn numbers_beyond_all_bounds_are_kept_at_the_bound() {
    let mut bob = Bob::new();
    let from = person("Alice", ALICE);
    let (store, up_to) = (STORE, u64::MAX);
    bob.commit(&[Write::Miss { from, store, up_to }]);
    assert_eq!(bob.state().0.incoming[0].written, i64::MAX as u64);
}

#[test]
fn a_message_to_everyone_is_said_again_until_it_has_come_back() {
    let mut bob = Bob::new();
    let message = bob.enter(1, None);
    assert_eq!(bob.feed(0, 10).global.len(), 1);
    bob.reopen();
    assert_eq!(bob.feed(0, 10).global[0].id, message);
    bob.record(global(1, 7, "Olá", true));
    assert_eq!(bob.standing(message).0, Standing::Stored);
    assert_eq!(bob.feed(0, 10).count(), 0);
    assert_eq!(bob.latest(Conversation::Everyone), ["Olá"]);
    let failed = bob.enter(2, None);
    let failure = Failure::NoEcho;
    bob.record(Record::GlobalFailed {
        id: failed,
        failure,
    });
    assert_eq!(
        bob.standing(failed),
        (Standing::Failed, "no_echo".to_owned())
    );
    assert_eq!(bob.feed(0, 10).count(), 0);
}

#[test]
fn messages_to_everyone_stand_in_the_servers_order_with_their_holes() {
    let mut bob = Bob::new();
    for (number, sequence, text) in [(1, 3, "três"), (2, 9, "nove"), (3, 4, "quatro")] {
        bob.record(global(number, sequence, text, false));
        // Told again in a later session.
        bob.record(global(number, sequence, text, false));
    }
    bob.record(Record::Hole {
        log: LOG,
        first: 5,
        last: 8,
    });
    bob.commit(&[receive(1, id(9), text("psiu"))]);
    assert_eq!(
        bob.latest(Conversation::Everyone),
        ["três", "quatro", "5-8", "nove"]
    );
    assert_eq!(
        bob.latest(Conversation::Any),
        ["três", "quatro", "5-8", "nove", "psiu"]
    );
    assert_eq!(bob.latest(Conversation::With("aLICE".into())), ["psiu"]);
    assert_eq!(bob.latest(Conversation::With("carol".into())), [""; 0]);
}

#[test]
fn the_past_is_paged_in_both_directions_with_every_gap_once() {
    let mut bob = Bob::new();
    for sequence in (1..=9).chain(20..=29) {
        bob.record(global(
            sequence,
            sequence.into(),
            &sequence.to_string(),
            false,
        ));
        // Other conversations lie between.
        bob.commit(&[receive(sequence.into(), id(sequence + 100), text("psiu"))]);
    }
    let (log, first, last) = (LOG, 10, 19);
    bob.record(Record::Hole { log, first, last });
    let whole = bob.page(None, 100);
    assert_eq!(whole.len(), 20);
    let (mut back, mut edge) = (Vec::new(), None);
    loop {
        let page = bob.page(edge, 4);
        let Some(first) = page.iter().find_map(number) else {
            break;
        };
        edge = Some(Edge::Before(Place::Number(first)));
        back.splice(..0, page);
    }
    assert_eq!(back, whole);
    let (mut forth, mut edge) = (Vec::new(), Edge::After(Place::Number(0)));
    loop {
        let page = bob.page(Some(edge), 3);
        let Some(last) = page.iter().rev().find_map(number) else {
            break;
        };
        edge = Edge::After(Place::Number(last));
        forth.extend(page);
    }
    assert_eq!(forth, whole);
    let page = bob.page(Some(Edge::Before(Place::Message(id(3)))), 10);
    assert_eq!(page, whole[..2]);
    let page = bob.page(Some(Edge::Before(Place::Message(id(99)))), 1);
    assert_eq!(page, whole[19..], "one that is not known stands at the end");
}

fn number(item: &Item) -> Option<u64> {
    match item {
        Item::Message(message) => Some(message.number),
        Item::Hole { .. } => None,
    }
}

#[test]
fn correspondents_are_those_of_private_messages_the_latest_first() {
    let mut bob = Bob::new();
    let named = |bob: &Bob, limit| {
        let found = bob.database.read(|c| past::correspondents(c, limit));
        let names = found.unwrap().into_iter().map(|found| found.name);
        names.collect::<Vec<_>>()
    };
    assert_eq!(named(&bob, 10), [""; 0]);
    bob.record(global(1, 1, "todos", false));
    bob.enter(2, Some("carol"));
    bob.commit(&[receive(1, id(3), text("psiu"))]);
    bob.enter(4, Some("Carol"));
    bob.enter(5, Some("Dave"));
    assert_eq!(named(&bob, 10), ["Dave", "Carol", "Alice"]);
    assert_eq!(named(&bob, 2), ["Dave", "Carol"]);
}

#[test]
fn words_are_found_with_and_without_accents_and_none_is_an_operator() {
    let mut bob = Bob::new();
    for (number, said) in [
        (1, "Olá, pessoal"),
        (2, "a revisão é NOT hoje"),
        (3, "50% \"entre aspas\""),
    ] {
        bob.commit(&[receive(u64::from(number), id(number), text(said))]);
    }
    assert_eq!(bob.search("ola"), ["Olá, pessoal"]);
    assert_eq!(bob.search("REVISAO hoje"), ["a revisão é NOT hoje"]);
    assert_eq!(bob.search("not"), ["a revisão é NOT hoje"]);
    assert_eq!(bob.search("aspas\""), ["50% \"entre aspas\""]);
    assert_eq!(bob.search("ola hoje"), [""; 0]);
    for hostile in [
        "",
        "\"",
        "* ^ - + ( ) :",
        "text:ola",
        "ola NEAR(x",
        "\0ola\0x",
        "'; DROP TABLE message; --",
        "a\u{0}b",
    ] {
        assert_eq!(bob.search(hostile), [""; 0], "{hostile:?}");
    }
}

#[test]
fn who_is_blocked_is_remembered() {
    let mut bob = Bob::new();
    let is_blocked = |bob: &Bob| bob.database.read(|c| past::is_blocked(c, "ALICE")).unwrap();
    for blocked in [true, false] {
        let name = "Alice".to_owned();
        bob.record(Record::Blocked { name, blocked });
        assert_eq!(is_blocked(&bob), blocked);
    }
}

#[test]
fn the_log_is_moved_before_it_grows_without_bound() {
    let mut bob = Bob::new();
    let long = "x".repeat(4096);
    for round in 0..40u64 {
        let writes: Vec<_> = (0..200u64)
            .map(|at| {
                let number = round * 200 + at + 1;
                let mut id = [0; 16];
                id[..8].copy_from_slice(&number.to_be_bytes());
                receive(number, MessageId::from_bytes(id), text(&long))
            })
            .collect();
        bob.commit(&writes);
        bob.database.checkpoint().unwrap();
    }
    let length = |file: &str| bob.folder.path().join(file).metadata().unwrap().len();
    assert!(length("history.db") > 32 << 20);
    assert!(length("history.db-wal") < length("history.db") / 2);
}

/// A keeper, and what it tells.
fn keeper(bob: &Bob) -> (Keeper, mpsc::Receiver<Done>) {
    let (tell, told) = mpsc::channel();
    let database = Database::open(bob.folder.path()).unwrap();
    let keeper = Keeper::start(database, move |done| tell.send(done).unwrap());
    (keeper.unwrap(), told)
}

#[test]
fn the_keeper_notices_what_another_process_enters() {
    let mut bob = Bob::new();
    let (keeper, told) = keeper(&bob);
    bob.enter(1, Some("Alice"));
    assert!(told.recv().unwrap().others);
    keeper.feed(0, 10);
    assert_eq!(told.recv().unwrap().fed.unwrap().private[0].id, id(1));
    // Its own commits are no news of others.
    keeper.enter(outgoing(2, Some("Alice"), "x"));
    assert_eq!(told.recv().unwrap().entered.len(), 1);
    bob.enter(3, Some("Alice"));
    assert!(told.recv().unwrap().others);
    keeper.close();
    assert!(told.recv().is_err());
}

#[test]
fn a_keeper_that_has_nothing_to_do_stands_still_and_notices_all_the_same() {
    let mut bob = Bob::new();
    let (sender, told) = mpsc::channel();
    let database = Database::open(bob.folder.path()).unwrap();
    let lively = std::time::Duration::from_millis(300);
    let keeper = Keeper::start_with(database, lively, move |done| {
        drop(sender.send(done));
    })
    .unwrap();
    for number in 1..=3 {
        bob.enter(number, Some("Alice"));
        assert!(told.recv().unwrap().others);
        keeper.feed(u64::from(number) - 1, 10);
        let fed = told.recv().unwrap().fed.unwrap();
        assert_eq!(fed.private.len(), 1, "{number}");
        // Long enough that it stands still.
        std::thread::sleep(3 * lively);
    }
    drop(keeper);
    assert!(told.recv().is_err(), "it ends when nobody keeps it");
}

#[test]
fn records_wait_for_no_one_and_are_there_when_the_past_is_asked_for() {
    let bob = Bob::new();
    let (keeper, told) = keeper(&bob);
    keeper.record(global(1, 1, "um", false));
    let question = Question::Latest {
        conversation: Conversation::Any,
        limit: 10,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let items = runtime.block_on(keeper.history().ask(question)).unwrap();
    assert_eq!(items.len(), 1);
    assert_eq!(told.recv().unwrap().recorded, 1);
    keeper.record(global(2, 2, "dois", false));
    keeper.close();
    assert_eq!(bob.latest(Conversation::Everyone), ["um", "dois"]);
}

#[test]
fn a_full_disk_refuses_all_of_a_commit_and_says_what() {
    let mut bob = Bob::new();
    let pages = |bob: &Bob, most: i64| {
        let pragma = format!("PRAGMA max_page_count = {most}");
        bob.database
            .read(|c| c.query_row(&pragma, [], |row| row.get::<_, i64>(0)))
            .unwrap()
    };
    pages(&bob, 1);
    let long = outgoing(1, Some("Alice"), &"x".repeat(60_000));
    match bob.database.enter(&long) {
        Err(HistoryError::Full { .. }) => {}
        other => panic!("{other:?}"),
    }
    pages(&bob, 1_000_000);
    assert_eq!(bob.feed(0, 10).count(), 0);
    assert!(bob.database.enter(&long).unwrap());
}

/// Marks of processes that have it open, or did not end in order.
fn marks(bob: &Bob) -> usize {
    let entries = std::fs::read_dir(bob.folder.path()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains("-open")).count()
}

#[test]
fn a_database_is_checked_where_a_process_did_not_end_in_order() {
    let mut bob = Bob::new();
    let long: Vec<_> = (1..=60)
        .map(|n| {
            receive(
                n,
                MessageId::from_bytes([n as u8; 16]),
                text(&"x".repeat(900)),
            )
        })
        .collect();
    bob.commit(&long);
    let folder = bob.folder.path().to_owned();
    // Another process beside it is no sign of anything.
    let beside = Database::open(&folder).unwrap();
    assert_eq!(marks(&bob), 2);
    drop(beside);
    assert_eq!(marks(&bob), 1);
    let pragma = "PRAGMA wal_checkpoint(TRUNCATE)";
    bob.database
        .read(|c| c.query_row(pragma, [], |_| Ok(())))
        .unwrap();
    // One that was killed: its mark stays, and nobody holds it.
    let mark = folder.join("history.db-open.0123456789abcdef.tmp");
    std::fs::write(&mark, "").unwrap();
    drop(Database::open(&folder).unwrap());
    assert!(!mark.exists(), "it was checked, and that was all");

    let Bob { folder, database } = bob;
    drop(database);
    let file = folder.path().join("history.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 3_000].fill(0xAA);
    std::fs::write(&file, bytes).unwrap();
    // Whoever ended in order is believed.
    drop(Database::open(folder.path()).unwrap());
    std::fs::write(&mark, "").unwrap();
    for _ in 0..2 {
        match Database::open(folder.path()) {
            Err(HistoryError::Damaged { .. } | HistoryError::Failed { .. }) => {}
            other => panic!("{other:?}"),
        }
        assert!(mark.exists(), "the next start looks again");
    }
}

#[test]
fn a_database_that_failed_is_checked_at_the_next_start() {
    let mut bob = Bob::new();
    let failed = bob
        .database
        .write(|transaction| transaction.execute("nonsense", []));
    assert!(matches!(failed, Err(HistoryError::Failed { .. })));
    let Bob { folder, database } = bob;
    drop(database);
    let mut bob = Bob {
        database: Database::open(folder.path()).unwrap(),
        folder,
    };
    // Its own alone: the other's was taken away with the check.
    assert_eq!(marks(&bob), 1);
    assert!(
        bob.database
            .enter(&outgoing(1, Some("Alice"), "x"))
            .unwrap()
    );
}
