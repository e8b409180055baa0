//! Lanes and mailboxes, against the backend in memory and against what disks do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use recado_hub::{
    Body, Durable, Fetched, LaneChange, LaneNumber, MemoryBackend, OpenOutcome, OpenedLane,
};
use recado_proto::frame::{Failure, FailureCode};
use recado_proto::id::{MessageId, StoreId};

use super::*;

const AGE: Duration = Duration::from_secs(1_000);

fn open(sender: RemoteKey, store: u8, to: &str) -> BackendRequest {
    BackendRequest::OpenLane {
        session: SessionNumber(1),
        handle: 1,
        sender,
        store: StoreId::from_bytes([store; 16]),
        to: to.into(),
        key: None,
    }
}

fn fetch(recipient: RemoteKey, after: Mark) -> BackendRequest {
    BackendRequest::Fetch {
        session: SessionNumber(1),
        recipient,
        after,
        max_messages: 5,
        max_bytes: 100,
        message_age: AGE,
    }
}

fn expire(except: Vec<RemoteKey>) -> BackendRequest {
    BackendRequest::Expire {
        message_age: AGE,
        except,
        max_messages: 1_000,
    }
}

fn body(number: u64, length: usize) -> Body {
    Body {
        number,
        id: MessageId::from_bytes([number as u8; 16]),
        sent_at_ms: -1,
        envelope: vec![7; length],
    }
}

/// A change that brings a lane from one number to another, with all bodies.
fn change(lane: LaneNumber, from: u64, accepted: u64, length: usize) -> LaneChange {
    LaneChange {
        lane,
        from,
        accepted,
        accepted_id: Some(MessageId::from_bytes([accepted as u8; 16])),
        settled: 0,
        bodies: (from + 1..=accepted)
            .map(|number| body(number, length))
            .collect(),
        failures: vec![],
        noted: 0,
    }
}

fn opened(answer: BackendAnswer) -> OpenedLane {
    match answer {
        BackendAnswer::LaneOpened {
            outcome: OpenOutcome::Opened(opened),
            ..
        } => *opened,
        other => panic!("{other:?}"),
    }
}

fn fetched(answer: BackendAnswer) -> Fetched {
    match answer {
        BackendAnswer::Fetched {
            result: Ok(fetched),
            ..
        } => fetched,
        other => panic!("{other:?}"),
    }
}

/// Alice and Bob have names, and Alice a lane to Bob.
fn alice_and_bob() -> (tempfile::TempDir, Database, LaneNumber) {
    let (home, mut database) = database();
    claim(&mut database, "Alice", ALICE);
    claim(&mut database, "Bob", BOB);
    let opened = opened(commit(&mut database, &[open(ALICE, 1, "bob")]).remove(0));
    (home, database, opened.lane.lane)
}

pub(super) fn path(home: &tempfile::TempDir) -> std::path::PathBuf {
    home.path().join("recado.db")
}

/// SplitMix64.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % below
    }
}

/// Any requests are answered as the backend in memory answers them, also when the process ends between them.
#[test]
fn it_answers_as_the_backend_in_memory() {
    for seed in 0..12 {
        let mut random = Random(seed);
        let (home, mut database) = database();
        let mut memory = MemoryBackend::default();
        let (mut seconds, mut ran_before) = (0, 0);
        let unix_seconds = Arc::new(AtomicU64::new(1_000_000));
        let tell = |database: &mut Database| {
            let unix_seconds = unix_seconds.clone();
            database.unix_seconds = Box::new(move || unix_seconds.load(Ordering::Relaxed));
        };
        tell(&mut database);
        let (mut standing, mut made) = (BTreeMap::new(), 0);
        without_sync(&database);
        for step in 0..600 {
            let lane = LaneNumber(1 + random.below(4 + step / 20));
            let keys = [ALICE, BOB];
            let who = keys[random.below(2) as usize];
            let request = match random.below(18) {
                0 => request(["Alice", "Bob"][random.below(2) as usize], who, true),
                1..=3 => {
                    // Of one pair more than there may be.
                    let most = 2 + random.below(30);
                    let store = random.below(most) as u8;
                    let to = ["alice", "alice", "alice", "bob"][random.below(4) as usize];
                    open(who, store, to)
                }
                4..=7 => {
                    let stands = standing.get(&lane).copied().unwrap_or(0);
                    let from = if random.below(5) == 0 { step } else { stands };
                    let accepted = from + random.below(6);
                    let settled = accepted.saturating_sub(random.below(5));
                    let mut change = change(lane, from, accepted, random.below(40) as usize);
                    change.bodies.retain(|body| body.number > settled);
                    change.settled = settled;
                    change.noted = random.below(3) * settled / 2;
                    if random.below(4) == 0 && settled > 0 {
                        let code = FailureCode::Unreadable;
                        change.failures = vec![Failure {
                            number: settled,
                            code,
                        }];
                    }
                    // Lanes are known before they are written to, but for some that had to make room.
                    match database_has(&database, lane) || random.below(20) == 0 {
                        true => BackendRequest::Commit(vec![change]),
                        false => continue,
                    }
                }
                8 | 9 => fetch(who, Mark(random.below(5) * step / 8)),
                10 => BackendRequest::Block {
                    session: SessionNumber(2),
                    owner: who,
                    name: "bob".into(),
                    folded: "bob".into(),
                    blocked: random.below(2) == 0,
                },
                11 => expire(vec![who]),
                12 => BackendRequest::Discard {
                    lanes: vec![(lane, random.below(step + 1))],
                },
                13 => BackendRequest::NameUsed { key: who },
                14 => BackendRequest::FreeNames {
                    age: AGE,
                    here: vec![who],
                    max_names: 1,
                },
                15 => operating::claim_with_ticket(&mut random, made, who),
                _ => operating::any(&mut random, &mut made, who),
            };
            // Clocks that are set jump, and the other way too.
            let jump = if random.below(20) == 0 { 100_000 } else { 60 };
            let clock = unix_seconds.load(Ordering::Relaxed) + random.below(2 * jump);
            unix_seconds.store(clock - jump.min(clock), Ordering::Relaxed);
            memory.unix_seconds = unix_seconds.load(Ordering::Relaxed);
            seconds += random.below(60);
            let running = Duration::from_secs(seconds - ran_before);
            let mut answers = database
                .commit(running, std::slice::from_ref(&request))
                .unwrap();
            let expected = memory.answer(Duration::from_secs(seconds), request.clone());
            if let BackendAnswer::Committed(Ok(lanes)) = &expected {
                standing.extend(
                    lanes
                        .iter()
                        .map(|(lane, stands)| (*lane, stands.accepted())),
                );
            }
            assert_eq!(
                answers.remove(0),
                expected,
                "seed {seed}, step {step}: {request:?}"
            );
            if random.below(50) == 0 {
                match random.below(2) {
                    0 => database.close(running).unwrap(),
                    _ => drop(database),
                }
                database = Database::open(&path(&home)).unwrap();
                without_sync(&database);
                tell(&mut database);
                ran_before = database.ran_before;
                assert!(ran_before <= seconds);
                seconds = ran_before;
            }
        }
    }
}

/// Faster, and what the process wrote is there all the same.
pub(super) fn without_sync(database: &Database) {
    let connection = &database.connection;
    connection
        .pragma_update(None, "synchronous", "OFF")
        .unwrap();
}

fn database_has(database: &Database, lane: LaneNumber) -> bool {
    let mut statement = database
        .connection
        .prepare("SELECT 1 FROM lane WHERE lane = ?1")
        .unwrap();
    statement.exists([lane.0 as i64]).unwrap()
}

#[test]
fn what_was_committed_is_there_after_the_process_died() {
    let (home, mut database, lane) = alice_and_bob();
    commit(
        &mut database,
        &[BackendRequest::Commit(vec![change(lane, 0, 3, 9)])],
    );
    drop(database);
    let mut database = Database::open(&path(&home)).unwrap();
    let fetched = fetched(commit(&mut database, &[fetch(BOB, Mark::default())]).remove(0));
    let bodies: Vec<_> = fetched
        .messages
        .iter()
        .map(|mail| mail.body.clone())
        .collect();
    assert_eq!(
        bodies,
        (1..=3).map(|number| body(number, 9)).collect::<Vec<_>>()
    );
    assert!(fetched.end);
    assert_eq!(fetched.lanes[0].from.name, "Alice");
}

#[test]
fn a_batch_after_one_that_is_missing_changes_nothing() {
    let (_home, mut database, lane) = alice_and_bob();
    let requests = [
        BackendRequest::Commit(vec![change(lane, 2, 4, 9)]),
        fetch(BOB, Mark::default()),
    ];
    let mut answers = commit(&mut database, &requests);
    let stands = Durable::committed(0, None, 0);
    let expected = BackendAnswer::Committed(Ok(vec![(lane, stands)]));
    assert_eq!(answers.remove(0), expected);
    assert_eq!(fetched(answers.remove(0)).messages, []);
}

#[test]
fn a_mark_is_never_used_again() {
    let (home, mut database, lane) = alice_and_bob();
    commit(
        &mut database,
        &[BackendRequest::Commit(vec![change(lane, 0, 3, 9)])],
    );
    let mut settle = change(lane, 3, 3, 9);
    settle.settled = 3;
    commit(&mut database, &[BackendRequest::Commit(vec![settle])]);
    database.close(Duration::ZERO).unwrap();
    let mut database = Database::open(&path(&home)).unwrap();
    let mut more = change(lane, 3, 4, 9);
    more.settled = 3;
    commit(&mut database, &[BackendRequest::Commit(vec![more])]);
    let fetched = fetched(commit(&mut database, &[fetch(BOB, Mark(3))]).remove(0));
    assert_eq!(fetched.messages[0].mark, Mark(4));
}

/// No clock is looked at: what counts is how long servers of this database have run.
#[test]
fn messages_age_while_a_server_runs() {
    let (home, mut database, lane) = alice_and_bob();
    commit(
        &mut database,
        &[BackendRequest::Commit(vec![change(lane, 0, 1, 9)])],
    );
    database.close(Duration::from_secs(600)).unwrap();
    let mut database = Database::open(&path(&home)).unwrap();
    let expired = |database: &mut Database, seconds, except| {
        let running = Duration::from_secs(seconds);
        match database
            .commit(running, &[expire(except)])
            .unwrap()
            .remove(0)
        {
            BackendAnswer::Dropped(dropped) => dropped.len(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(expired(&mut database, 399, vec![]), 0);
    assert_eq!(expired(&mut database, 400, vec![BOB]), 0, "Bob is here");
    assert_eq!(expired(&mut database, 400, vec![]), 1);
    assert_eq!(expired(&mut database, 400, vec![]), 0, "once");
    let opened = opened(commit(&mut database, &[open(ALICE, 1, "bob")]).remove(0));
    let number = 1;
    let code = FailureCode::Expired;
    assert_eq!(opened.failures, [Failure { number, code }]);
    assert_eq!(
        (opened.lane.waiting_bytes, opened.mailbox.all.messages),
        (0, 1)
    );
}

#[test]
fn expiry_goes_on_behind_what_it_has_looked_at_and_begins_again() {
    let (_home, mut database, lane) = alice_and_bob();
    commit(
        &mut database,
        &[BackendRequest::Commit(vec![change(lane, 0, 7, 9)])],
    );
    let mut expire = || {
        let request = BackendRequest::Expire {
            message_age: AGE,
            except: vec![],
            max_messages: 3,
        };
        match database.commit(AGE, &[request]).unwrap().remove(0) {
            BackendAnswer::Dropped(dropped) => dropped.iter().map(|it| it.failures.len()).sum(),
            other => panic!("{other:?}"),
        }
    };
    let dropped: [usize; 5] = std::array::from_fn(|_| expire());
    assert_eq!(dropped, [3, 3, 1, 0, 0]);
}

#[test]
fn a_full_disk_refuses_everything_and_recovers() {
    let (_home, mut database, lane) = alice_and_bob();
    let pages: i64 = database
        .connection
        .query_row("PRAGMA page_count", [], |row| row.get(0))
        .unwrap();
    let limit = |database: &Database, pages: i64| {
        let said: i64 = database
            .connection
            .query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| {
                row.get(0)
            })
            .unwrap();
        assert_eq!(said, pages);
    };
    limit(&database, pages);
    let requests = [
        BackendRequest::Commit(vec![change(lane, 0, 3, 60_000)]),
        open(BOB, 1, "alice"),
    ];
    let answers = commit(&mut database, &requests);
    let refused: Vec<_> = requests.iter().map(BackendRequest::unavailable).collect();
    assert_eq!(answers, refused);
    let fetched_now = commit(&mut database, &[fetch(BOB, Mark::default())]).remove(0);
    assert_eq!(fetched(fetched_now).messages, [], "reading goes on");
    limit(&database, pages + 1_000);
    let answers = commit(&mut database, &requests);
    assert!(
        matches!(&answers[0], BackendAnswer::Committed(Ok(standing)) if standing[0].1.accepted() == 3)
    );
}

#[test]
fn a_damaged_database_is_not_served_after_a_crash() {
    let (home, mut database, lane) = alice_and_bob();
    commit(
        &mut database,
        &[BackendRequest::Commit(vec![change(lane, 0, 40, 900)])],
    );
    let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
    database
        .connection
        .query_row(checkpoint, [], |_| Ok(()))
        .unwrap();
    drop(database);
    let bytes = std::fs::read(path(&home)).unwrap();
    let damage = |from: usize| {
        let mut damaged = bytes.clone();
        damaged[from..from + 2_000].fill(0xAA);
        std::fs::write(path(&home), damaged).unwrap();
    };
    damage(bytes.len() - 4_096 * 3);
    assert!(matches!(
        Database::open(&path(&home)),
        Err(BackendError::Damaged { .. } | BackendError::Open { .. })
    ));
    std::fs::write(path(&home), &bytes).unwrap();
    assert!(Database::open(&path(&home)).is_ok());
}

#[test]
fn every_table_is_strict_and_no_column_may_be_null() {
    let (_home, database) = database();
    let connection = &database.connection;
    let lax: Vec<String> = connection
        .prepare("SELECT name FROM pragma_table_list WHERE NOT strict AND name NOT LIKE 'sqlite_%'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<rusqlite::Result<_>>()
        .unwrap();
    assert_eq!(lax, [""; 0]);
    let columns: Vec<(String, String)> = connection
        .prepare(
            "SELECT t.name, c.name FROM pragma_table_list t JOIN pragma_table_info(t.name) c
             WHERE NOT c.\"notnull\" AND NOT c.pk AND t.name NOT LIKE 'sqlite_%'",
        )
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<rusqlite::Result<_>>()
        .unwrap();
    assert_eq!(columns, []);
    for commented in MIGRATIONS {
        for line in commented.split("CREATE TABLE ").skip(1) {
            let name = line.split(' ').next().unwrap();
            let before = commented.split(&format!("CREATE TABLE {name} ")).next();
            let comment = before.unwrap().trim_end().lines().last().unwrap();
            assert!(comment.starts_with("-- "), "{name} is not commented");
        }
    }
}
