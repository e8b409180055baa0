//! The database, with real keys: what Bob writes and reads, Alice's program seals and opens.

mod encryption;
mod erasure;
pub(crate) mod people;
mod upgrade;

use std::path::Path;
use std::sync::mpsc;

use recado_engine::{Answer, Arrived, Failure, Kind, MailState, Receipt, Write};
use recado_proto::content::Body;
use recado_proto::frame::{KeyPackagesHeld, Person};
use recado_proto::id::{LogId, MessageId, RemoteKey, StoreId};

use super::database::Database;
use super::*;
use crate::history::outbox::load;
use people::Client;

const LOG: LogId = LogId::from_bytes([5; 8]);

/// Bob's database, and Alice, who writes to him.
struct Bob {
    client: Client,
    alice: Client,
}

impl Bob {
    fn new() -> Self {
        Self {
            client: Client::new("Bob", 2),
            alice: Client::new("Alice", 1),
        }
    }

    /// As after the end of the process.
    fn reopen(&mut self) {
        self.client.reopen();
    }

    fn commit(&mut self, writes: &[Write]) -> Vec<Answer> {
        self.client.commit(writes)
    }

    /// What came of something that Alice sealed for this place in her lane.
    fn receive(&mut self, number: u64, id: MessageId, text: &str) -> Arrived {
        if !self.alice.can_write_to(&self.client) {
            self.alice.begin_with(&mut self.client);
        }
        let body = Body::Text(text.to_owned());
        let envelope = self.alice.seal_for(&self.client, number, id, body);
        self.take(number, id, envelope)
    }

    fn take(&mut self, number: u64, id: MessageId, envelope: Vec<u8>) -> Arrived {
        let from = self.alice.person();
        let store = self.alice.store();
        self.client.take(from, store, number, id, envelope).what
    }

    fn record(&mut self, record: Record) {
        self.client
            .database
            .write(|transaction| writes::record(transaction, &record))
            .unwrap();
    }

    fn feed(&mut self, after: u64, limit: usize) -> Fed {
        self.client
            .database
            .write(|transaction| outbox::feed(transaction, after, limit))
            .unwrap()
    }

    fn state(&mut self) -> (MailState, Vec<Untaken>) {
        self.client.state()
    }

    fn numbered(&mut self) -> Vec<(u64, MessageId, bool, bool)> {
        let lanes = self.state().0.outgoing.into_iter();
        let numbered = lanes.flat_map(|lane| lane.numbered);
        numbered
            .map(|own| (own.number, own.id, own.is_void(), own.stored))
            .collect()
    }

    fn standing(&self, id: MessageId) -> (Standing, String) {
        let entered = self.client.database.entered(id).unwrap().unwrap();
        (entered.standing, entered.code)
    }

    fn enter(&mut self, number: u8, to: Option<&str>) -> MessageId {
        let message = outgoing(number, to, "Olá");
        assert!(self.client.database.enter(&message).unwrap());
        message.id
    }

    /// Gives the entries that have none their numbers, from `first` on.
    fn number(&mut self, first: u64) -> Vec<bool> {
        if !self.client.can_write_to(&self.alice) {
            self.client.begin_with(&mut self.alice);
        }
        let entries = self.feed(0, 100).private;
        let writes: Vec<_> = entries
            .into_iter()
            .zip(first..)
            .map(|(entry, number)| number_of(entry.entry, number))
            .collect();
        self.commit(&writes).iter().map(is_sealed).collect()
    }

    fn ask(&self, question: &Question) -> Vec<String> {
        let items = self
            .client
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
        self.client.database.read(answer).unwrap()
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
        sent_at_ms: people::SENT_AT_MS,
        text: text.to_owned(),
        reference: Some(number.to_string()),
    }
}

fn number_of(entry: u64, number: u64) -> Write {
    Write::Number {
        entry,
        peer: "alice".to_owned(),
        number,
    }
}

fn is_sealed(answer: &Answer) -> bool {
    match answer {
        Answer::Sealed(sealed) => !sealed.envelope.is_empty(),
        Answer::Empty(_) | Answer::Unsealed => false,
        other => panic!("{other:?}"),
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

fn text(text: &str) -> Arrived {
    Arrived::Text {
        text: text.to_owned(),
        sent_at_ms: people::SENT_AT_MS,
    }
}

fn receipt(bob: &Bob, number: u64) -> Receipt {
    Receipt {
        from: bob.alice.key,
        store: bob.alice.store(),
        number,
    }
}

fn global(number: u8, sequence: u64, text: &str, own: bool) -> Record {
    Record::Global(GlobalRecord {
        log: LOG,
        sequence,
        from: person("Alice", RemoteKey::from_bytes([1; 32])),
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
    let tables = bob.client.database.read(|connection| {
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
        let schema = concat!(
            include_str!("schema.sql"),
            include_str!("encryption.sql"),
            include_str!("offers.sql")
        );
        let schema = schema.replace("new_outbox", "outbox");
        let made = schema.rfind(&format!("CREATE TABLE {table} (")).unwrap();
        let above = schema[..made].lines().next_back().unwrap();
        // The outbox was explained where it was first made.
        assert!(above.starts_with("-- ") || table == "outbox", "{table}");
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
    bob.client
        .database
        .read(|connection| connection.pragma_update(None, "user_version", 99))
        .unwrap();
    match Database::open(bob.client.folder.path()) {
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
        !bob.client
            .database
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
    bob.commit(&[progress(2, 0)]);
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
    assert_eq!(
        (lane.name.as_str(), lane.key),
        ("Alice", Some(bob.alice.key))
    );
}

#[test]
fn a_message_that_is_withdrawn_before_its_number_travels_empty() {
    let mut bob = Bob::new();
    bob.client.begin_with(&mut bob.alice);
    let message = bob.enter(1, Some("Alice"));
    let entry = bob.feed(0, 1).private.remove(0).entry;
    assert!(bob.client.database.withdraw(message).unwrap());
    assert_eq!(bob.commit(&[number_of(entry, 1)]), [Answer::Empty(id(1))]);
    assert_eq!(bob.numbered(), [(1, message, true, false)]);
    assert_eq!(
        bob.standing(message),
        (Standing::Failed, "withdrawn".to_owned())
    );
    // Too late for the next.
    let message = bob.enter(2, Some("Alice"));
    let entry = bob.feed(0, 1).private.remove(0).entry;
    assert!(is_sealed(&bob.commit(&[number_of(entry, 2)])[0]));
    assert!(!bob.client.database.withdraw(message).unwrap());
    // And for one to everyone that was handed out.
    let message = bob.enter(3, None);
    assert_eq!(bob.feed(0, 1).global.len(), 1);
    assert!(!bob.client.database.withdraw(message).unwrap());
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
    bob.number(1);
    let key = bob.alice.key;
    bob.commit(&[remember(key)]);
    let lane = bob.state().0.outgoing.remove(0);
    assert_eq!((lane.highest, lane.has_group), (1, true));
    let peer = "alice".to_owned();
    let other = RemoteKey::from_bytes([2; 32]);
    let suspect = Write::Suspect {
        peer: peer.clone(),
        person: person("Alice", other),
    };
    bob.commit(&[suspect, Write::Abandon { peer }]);
    let lane = bob.state().0.outgoing.remove(0);
    assert_eq!((lane.key, lane.other), (Some(key), Some(other)));
    bob.commit(&[remember(other)]);
    let lane = bob.state().0.outgoing.remove(0);
    assert_eq!(
        (lane.highest, lane.key, lane.other, lane.numbered.len()),
        (0, Some(other), None, 0)
    );
    // Nothing is left of what was shared with the old key.
    assert!(!lane.has_group);
    assert_eq!(bob.client.rows("mls_group"), 0);
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
    bob.client.restart(store);
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
    assert_eq!(bob.receive(1, id(1), "um"), text("um"));
    assert_eq!(bob.receive(2, id(2), "dois"), text("dois"));
    assert_eq!(bob.receive(3, id(1), "um"), Arrived::Known);
    assert_eq!(bob.receive(4, id(3), "três"), text("três"));
    assert_eq!(bob.take(5, id(4), Vec::new()), Arrived::Nothing);
    // What comes again under its number is known without a look.
    assert_eq!(bob.take(2, id(2), vec![1, 2, 3]), Arrived::Known);
    bob.reopen();
    let (state, untaken) = bob.state();
    let lane = &state.incoming[0];
    let (from, store) = (bob.alice.person(), bob.alice.store());
    assert_eq!(
        (lane.from, lane.store, lane.written),
        (bob.alice.key, store, 5)
    );
    assert_eq!(lane.untaken, [1, 2, 4]);
    let texts: Vec<_> = untaken
        .into_iter()
        .map(|untaken| match untaken.what {
            UntakenBody::Text(text) => text,
            UntakenBody::Note(note) => panic!("{note:?}"),
        })
        .collect();
    assert_eq!(texts, ["um", "dois", "três"]);
    bob.commit(&[1, 2, 99].map(|number| Write::Take(receipt(&bob, number))));
    assert_eq!(bob.state().0.incoming[0].untaken, [4]);
    // A lane never goes back.
    let up_to = 4;
    bob.commit(&[Write::Miss { from, store, up_to }]);
    assert_eq!(bob.state().0.incoming[0].written, 5);
}

#[test]
fn a_message_to_oneself_is_sent_and_comes() {
    let mut bob = Bob::new();
    bob.enter(1, Some("Bob"));
    let entry = bob.feed(0, 1).private.remove(0).entry;
    let itself = bob.client.person();
    let peer = "bob".to_owned();
    let remember = Write::Remember {
        peer: peer.clone(),
        person: itself.clone(),
    };
    let number = Write::Number {
        entry,
        peer,
        number: 1,
    };
    // No group is needed.
    let answers = bob.commit(&[remember, number]);
    let [Answer::Sealed(sealed)] = answers.as_slice() else {
        panic!("{answers:?}");
    };
    let store = bob.client.store();
    let envelope = sealed.envelope.clone();
    let arrival = bob
        .client
        .take(itself.clone(), store, 1, id(1), envelope.clone());
    assert_eq!((arrival.what, arrival.has_group), (text("Olá"), true));
    assert_eq!(bob.latest(Conversation::With("bOB".into())), ["Olá"; 2]);
    // Sealed for another place, or changed, it does not open; and the lane goes on.
    let arrival = bob.client.take(itself.clone(), store, 2, id(2), envelope);
    assert_eq!(arrival.what, Arrived::Unreadable);
    let sealed = bob.client.seal_for_itself(3, id(3), "de novo");
    let arrival = bob.client.take(itself, store, 3, id(3), sealed);
    assert_eq!(arrival.what, text("de novo"));
}

#[test]
fn numbers_beyond_all_bounds_are_kept_at_the_bound() {
    let mut bob = Bob::new();
    let from = bob.alice.person();
    let (store, up_to) = (bob.alice.store(), u64::MAX);
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
    bob.receive(1, id(9), "psiu");
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
        bob.receive(sequence.into(), id(sequence + 100), "psiu");
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
        let found = bob.client.database.read(|c| past::correspondents(c, limit));
        let names = found.unwrap().into_iter().map(|found| found.name);
        names.collect::<Vec<_>>()
    };
    assert_eq!(named(&bob, 10), [""; 0]);
    bob.record(global(1, 1, "todos", false));
    bob.enter(2, Some("carol"));
    bob.receive(1, id(3), "psiu");
    // Notes are none.
    let note = OutgoingNote {
        id: id(6),
        to: "Eve".to_owned(),
        sent_at_ms: 0,
        note: vec![1],
        reference: None,
    };
    bob.client
        .database
        .write(|transaction| outbox::enter_note(transaction, outbox::FILE, &note))
        .unwrap();
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
        bob.receive(u64::from(number), id(number), said);
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
    let is_blocked = |bob: &Bob| {
        bob.client
            .database
            .read(|c| past::is_blocked(c, "ALICE"))
            .unwrap()
    };
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
    let length = |bob: &Bob, file: &str| {
        let path = bob.client.folder.path().join(file);
        path.metadata().unwrap().len()
    };
    let mut longest = 0;
    for round in 0..40u64 {
        let database = &mut bob.client.database;
        database
            .write(|transaction| {
                for at in 0..200u64 {
                    let number = round * 200 + at + 1;
                    let mut id = [0; 16];
                    id[..8].copy_from_slice(&number.to_be_bytes());
                    let message = Outgoing {
                        id: MessageId::from_bytes(id),
                        ..outgoing(1, Some("Alice"), &long)
                    };
                    outbox::enter(transaction, &message)?;
                }
                Ok(())
            })
            .unwrap();
        longest = longest.max(length(&bob, "history.db-wal"));
        bob.client.database.checkpoint().unwrap();
    }
    assert!(length(&bob, "history.db") > 32 << 20);
    assert!(longest < length(&bob, "history.db") / 2);
}

/// A keeper, and what it tells.
fn keeper(bob: &Bob) -> (Keeper, mpsc::Receiver<Done>) {
    let (tell, told) = mpsc::channel();
    let database = Database::open(bob.client.folder.path()).unwrap();
    let vault = bob.client.vault();
    let keeper = Keeper::start(database, vault, move |done| tell.send(done).unwrap());
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
    let folder = bob.client.folder.path().to_owned();
    let database = Database::open(&folder).unwrap();
    let lively = std::time::Duration::from_millis(300);
    let keeper = Keeper::start_with(database, bob.client.vault(), lively, move |done| {
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
        bob.client
            .database
            .read(|c| c.query_row(&pragma, [], |row| row.get::<_, i64>(0)))
            .unwrap()
    };
    pages(&bob, 1);
    let long = outgoing(1, Some("Alice"), &"x".repeat(60_000));
    match bob.client.database.enter(&long) {
        Err(HistoryError::Full { .. }) => {}
        other => panic!("{other:?}"),
    }
    pages(&bob, 1_000_000);
    assert_eq!(bob.feed(0, 10).count(), 0);
    assert!(bob.client.database.enter(&long).unwrap());
}

/// Marks of processes that have it open, or did not end in order.
fn marks(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains("-open")).count()
}

#[test]
fn a_database_is_checked_where_a_process_did_not_end_in_order() {
    let mut bob = Bob::new();
    let long = "x".repeat(900);
    for number in 1..=60 {
        bob.receive(number.into(), id(number), &long);
    }
    let folder = bob.client.folder.path().to_owned();
    // Another process beside it is no sign of anything.
    let beside = Database::open(&folder).unwrap();
    assert_eq!(marks(&folder), 2);
    drop(beside);
    assert_eq!(marks(&folder), 1);
    let pragma = "PRAGMA wal_checkpoint(TRUNCATE)";
    bob.client
        .database
        .read(|c| c.query_row(pragma, [], |_| Ok(())))
        .unwrap();
    // One that was killed: its mark stays, and nobody holds it.
    let mark = folder.join("history.db-open.0123456789abcdef.tmp");
    std::fs::write(&mark, "").unwrap();
    drop(Database::open(&folder).unwrap());
    assert!(!mark.exists(), "it was checked, and that was all");

    let Client {
        folder, database, ..
    } = bob.client;
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
        .client
        .database
        .write(|transaction| transaction.execute("nonsense", []));
    assert!(matches!(failed, Err(HistoryError::Failed { .. })));
    let Client {
        folder, database, ..
    } = bob.client;
    drop(database);
    let mut database = Database::open(folder.path()).unwrap();
    // Its own alone: the other's was taken away with the check.
    assert_eq!(marks(folder.path()), 1);
    assert!(database.enter(&outgoing(1, Some("Alice"), "x")).unwrap());
}
