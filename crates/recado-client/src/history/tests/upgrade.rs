//! A database that was written before private messages were sealed (`crates/recado/tests/older`).

use std::fs;
use std::path::Path;

use super::*;

/// Alice's, opened now.
fn alice() -> Client {
    let mut alice = Client::new("Alice", 1);
    let older = Path::new(env!("CARGO_MANIFEST_DIR")).join("../recado/tests/older/alice");
    let path = alice.folder.path().join(database::FILE);
    // Closed, so that nothing of its own is left beside it.
    alice.database = Database::open(&alice.folder.path().join("another")).unwrap();
    fs::copy(older.join(database::FILE), path).unwrap();
    alice.reopen();
    alice
}

#[test]
fn what_waited_or_was_under_way_is_sealed_under_its_id_in_its_order() {
    let mut alice = alice();
    let texts = alice.ask(&Question::Latest {
        conversation: Conversation::Any,
        limit: 10,
    });
    assert_eq!(texts.len(), 8, "{texts:?}");
    let feed = alice.feed();
    let entry = |entry: &recado_engine::Entry| {
        let text = texts[entry.entry as usize - 1].clone();
        let (peer, reference) = (entry.peer.clone(), entry.reference.clone());
        assert_eq!((entry.kind, entry.seals), (Kind::Text, 0));
        (text, peer, reference)
    };
    let waiting: Vec<_> = feed.iter().map(entry).collect();
    let expected = [
        ("dois: guardada no servidor", "bob", "\"2\""),
        ("três: guardada também", "bob", "\"3\""),
        ("cinco: sem número", "bob", "\"5\""),
        ("seis: para quem ninguém conhece", "dora", "\"6\""),
    ]
    .map(|(text, peer, reference)| (text.into(), peer.into(), Some(reference.into())));
    assert_eq!(waiting, expected);
    assert_eq!(
        alice.rows_where("SELECT count(*) FROM message WHERE state = 'queued'"),
        4
    );

    let (state, _) = alice.state();
    let lane = |peer: &str| {
        let lane = state.outgoing.iter().find(|lane| lane.peer == peer);
        lane.unwrap_or_else(|| panic!("no lane to {peer}")).clone()
    };
    let bob = lane("bob");
    let numbers: Vec<_> = bob.numbered.iter().map(|own| own.number).collect();
    assert_eq!((numbers, bob.highest), (vec![2, 3], 3));
    assert!(
        bob.numbered
            .iter()
            .all(|own| own.is_void() && own.envelope.is_empty())
    );
    // The server knows the numbers under these ids.
    let ids: Vec<_> = bob.numbered.iter().map(|own| own.id).collect();
    assert_eq!(ids, [feed[0].id, feed[1].id]);
    assert!(!bob.has_group && bob.settled_id.is_some());
    let carol = lane("carol");
    assert!(carol.numbered.iter().all(|own| own.is_void()));
    assert_eq!((carol.numbered.len(), carol.highest), (1, 1));
    // Bob cannot read what the server has of it: the group that is made next is for that.
    assert_eq!(alice.rows_where("SELECT resumes FROM pair"), 3);
}

#[test]
fn what_was_said_is_kept_and_found() {
    let alice = alice();
    let words = |words: &str| {
        let words = words.to_owned();
        alice.ask(&Question::Words { words, limit: 10 })
    };
    assert_eq!(words("primeira"), ["um: a primeira"]);
    assert_eq!(words("numero"), ["cinco: sem número"]);
    let state = "SELECT count(*) FROM message WHERE state = 'failed' AND code = 'blocked'";
    assert_eq!(alice.rows_where(state), 1);
}

#[test]
fn what_was_sent_open_is_nowhere_in_the_file() {
    let alice = alice();
    let file = fs::read(alice.folder.path().join(database::FILE)).unwrap();
    let holds = |bytes: &[u8]| file.windows(bytes.len()).any(|it| it == bytes);
    let text = "dois: guardada no servidor";
    assert!(holds(text.as_bytes()), "the message is there");
    let envelope = [b"\x0a\x1a", text.as_bytes()].concat();
    assert!(!holds(&envelope), "its envelope is not");
}
