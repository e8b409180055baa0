//! Keys that were used are nowhere on the disk any more.

use std::collections::BTreeSet;
use std::fs;

use ciborium::Value;

use super::encryption::{LARGE, Pair, SMALL};
use super::people::Client;
use super::*;

/// Shorter ones may be there by chance.
const SECRET: usize = 16;

/// What could be a key, as it is written, of everything that openmls keeps of groups.
fn secrets(client: &Client) -> BTreeSet<Vec<u8>> {
    let mut found = BTreeSet::new();
    for (_, _, value) in client.dump_keys() {
        let value: Value = ciborium::from_reader(value.as_slice()).unwrap();
        collect(&value, &mut found);
    }
    found
}

fn collect(value: &Value, found: &mut BTreeSet<Vec<u8>>) {
    match value {
        Value::Bytes(bytes) if bytes.len() >= SECRET => {
            found.insert(bytes.clone());
        }
        Value::Array(values) => {
            let is_bytes = values.len() >= SECRET && values.iter().all(Value::is_integer);
            if is_bytes {
                let mut written = Vec::new();
                ciborium::into_writer(value, &mut written).unwrap();
                found.insert(written);
            }
            values.iter().for_each(|value| collect(value, found));
        }
        Value::Map(members) => members.iter().for_each(|(_, value)| collect(value, found)),
        Value::Tag(_, value) => collect(value, found),
        _ => {}
    }
}

/// Those that can be found in a database's files: itself, its log, its journal, whatever is beside it.
fn on_disk<'a>(client: &Client, secrets: impl IntoIterator<Item = &'a Vec<u8>>) -> usize {
    let files = fs::read_dir(client.folder.path()).unwrap();
    let files: Vec<_> = files
        .map(|file| fs::read(file.unwrap().path()).unwrap())
        .collect();
    let holds = |piece: &[u8]| {
        let holds = |file: &Vec<u8>| file.windows(piece.len()).any(|it| it == piece);
        files.iter().any(holds)
    };
    // Where one lies across two pages, one of its halves does not.
    let is_there = |secret: &&Vec<u8>| {
        let (one, other) = secret.split_at(secret.len() / 2);
        holds(one) || holds(other)
    };
    secrets.into_iter().filter(is_there).count()
}

/// Both have said something in an epoch, and everything of it has arrived.
fn talk(pair: &mut Pair) {
    pair.say(SMALL, "oi");
    pair.settle(SMALL);
    pair.say(LARGE, "olá");
    pair.settle(LARGE);
}

#[test]
fn keys_that_were_used_are_gone_from_every_file() {
    let mut pair = Pair::begun();
    let package = secrets(&pair.large);
    talk(&mut pair);
    let before = [secrets(&pair.small), secrets(&pair.large)];
    pair.talk_until_due();
    let commit = pair.renew(SMALL).unwrap();
    pair.progress(SMALL, commit.number, 0);
    assert_eq!(pair.take(SMALL, &commit).what, Arrived::Handshake);
    talk(&mut pair);
    talk(&mut pair);

    for (client, before) in [&pair.small, &pair.large].into_iter().zip(&before) {
        let now = secrets(client);
        let used: Vec<_> = before.difference(&now).collect();
        // Ratchets, keys of the epoch, the leaf's.
        assert!(used.len() >= 8, "{} were used", used.len());
        assert!(
            on_disk(client, used.iter().copied()) > 0,
            "the log has them"
        );
    }
    pair.small.reopen();
    pair.large.reopen();
    for (client, before) in [&pair.small, &pair.large].into_iter().zip(&before) {
        let now = secrets(client);
        assert_eq!(on_disk(client, before.difference(&now)), 0);
        assert_eq!(on_disk(client, &now), now.len(), "those in use are found");
    }
    // The private half of the key package that the first message used, of the many that are there.
    let now = secrets(&pair.large);
    let used: Vec<_> = package.difference(&now).collect();
    assert!(!used.is_empty());
    assert_eq!(on_disk(&pair.large, used), 0);
}

#[test]
fn keys_shared_with_a_key_that_is_no_longer_trusted_are_gone() {
    let mut pair = Pair::begun();
    talk(&mut pair);
    let before = secrets(&pair.small);
    let stranger = Client::new("Bob", 9);
    pair.small.commit(&[Write::Remember {
        peer: fold(&pair.large.name),
        person: stranger.person(),
    }]);
    let now = secrets(&pair.small);
    let used: Vec<_> = before.difference(&now).collect();
    assert!(used.len() >= 8, "{} were erased", used.len());
    pair.small.reopen();
    assert_eq!(on_disk(&pair.small, used), 0);
}

#[test]
fn the_log_is_emptied_a_while_after_something_was_written() {
    let mut pair = Pair::begun();
    talk(&mut pair);
    let log = pair.small.folder.path().join("history.db-wal");
    assert!(fs::metadata(&log).unwrap().len() > 0);
    pair.small.database.is_old_now();
    pair.small.database.checkpoint().unwrap();
    assert_eq!(fs::metadata(&log).unwrap().len(), 0);
}

#[test]
fn the_log_is_emptied_once_no_other_process_reads_it() {
    let mut pair = Pair::begun();
    talk(&mut pair);
    let database = pair.small.folder.path().join(database::FILE);
    let log = pair.small.folder.path().join("history.db-wal");
    let reader = rusqlite::Connection::open(database).unwrap();
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM message;")
        .unwrap();
    assert!(!pair.small.database.empty_log().unwrap());
    assert!(fs::metadata(&log).unwrap().len() > 0);
    reader.execute_batch("COMMIT").unwrap();
    // It is not forgotten, though nothing was written since.
    pair.small.database.is_old_now();
    pair.small.database.checkpoint().unwrap();
    assert_eq!(fs::metadata(&log).unwrap().len(), 0);
    assert!(pair.small.database.empty_log().unwrap());
}
