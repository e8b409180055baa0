//! Key packages, against the backend in memory; and a database of before there were any.

use recado_hub::{BanTarget, KeyPackageAnswer, KeyPackageRequest, MemoryBackend, OperatorRequest};
use recado_proto::frame::{PutKeyPackages, StoredKeyPackage};
use recado_proto::id::KeyPackageReference;

use super::mail::{Random, path, without_sync};
use super::operating::operator;
use super::*;

const AGE: Duration = Duration::from_secs(1_000);

fn stored(number: u8) -> StoredKeyPackage {
    StoredKeyPackage {
        reference: KeyPackageReference::from_bytes([number; 16]),
        package: vec![number; 450],
    }
}

fn put(
    owner: RemoteKey,
    packages: Vec<StoredKeyPackage>,
    last_resort: Option<u8>,
) -> BackendRequest {
    BackendRequest::KeyPackages(KeyPackageRequest::Put {
        session: SessionNumber(1),
        owner,
        put: Box::new(PutKeyPackages {
            packages,
            last_resort: last_resort.map(stored),
            replaces: false,
        }),
        age: AGE,
    })
}

fn list(owner: RemoteKey) -> BackendRequest {
    BackendRequest::KeyPackages(KeyPackageRequest::List {
        session: SessionNumber(1),
        owner,
        age: AGE,
    })
}

fn take(target: RemoteKey, last_resort: bool) -> BackendRequest {
    BackendRequest::KeyPackages(KeyPackageRequest::Take {
        session: SessionNumber(1),
        handle: 7,
        target,
        last_resort,
        age: AGE,
    })
}

/// The first byte of what was handed out.
fn taken(answer: &BackendAnswer) -> Option<u8> {
    match answer {
        BackendAnswer::KeyPackages(KeyPackageAnswer::Taken { result: Ok(it), .. }) => {
            it.as_ref().map(|taken| taken.package[0])
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn random_requests_are_answered_as_the_backend_in_memory_answers_them() {
    for seed in 1..=8 {
        let mut random = Random(seed);
        let (_home, mut database) = database();
        let mut memory = MemoryBackend::default();
        without_sync(&database);
        let mut seconds = 0;
        for step in 0..300 {
            let who = [ALICE, BOB][random.below(2) as usize];
            let number = random.below(200) as u8;
            let request = match random.below(10) {
                0 => list(who),
                1 => put(who, vec![], Some(number)),
                2..=4 => {
                    let count = random.below(30) as u8;
                    let numbers = (0..count).map(|it| stored(number.wrapping_add(it)));
                    put(who, numbers.collect(), None)
                }
                5 => {
                    let BackendRequest::KeyPackages(KeyPackageRequest::Put {
                        session,
                        owner,
                        put,
                        age,
                    }) = put(who, vec![stored(number)], None)
                    else {
                        unreachable!();
                    };
                    let put = Box::new(PutKeyPackages {
                        replaces: random.below(4) == 0,
                        ..*put
                    });
                    BackendRequest::KeyPackages(KeyPackageRequest::Put {
                        session,
                        owner,
                        put,
                        age,
                    })
                }
                6 => BackendRequest::KeyPackages(KeyPackageRequest::Expire { age: AGE }),
                _ => take(who, random.below(4) == 0),
            };
            seconds += random.below(20);
            let now = Duration::from_secs(seconds);
            let answers = database
                .commit(now, std::slice::from_ref(&request))
                .unwrap();
            let expected = memory.answer(now, request.clone());
            assert_eq!(answers, [expected], "seed {seed}, step {step}: {request:?}");
        }
    }
}

#[test]
fn what_was_handed_out_is_gone_also_after_reopening() {
    let (home, mut database) = database();
    commit(
        &mut database,
        &[put(BOB, vec![stored(1), stored(2)], Some(9))],
    );
    let answers = commit(&mut database, &[take(BOB, false)]);
    assert_eq!(taken(&answers[0]), Some(1));
    drop(database);
    let mut database = Database::open(&path(&home)).unwrap();
    let requests = [
        take(BOB, false),
        take(BOB, false),
        take(BOB, false),
        take(ALICE, false),
    ];
    let answers = commit(&mut database, &requests);
    let numbers: Vec<_> = answers.iter().map(taken).collect();
    assert_eq!(numbers, [Some(2), Some(9), Some(9), None]);
}

#[test]
fn those_of_whoever_is_gone_go_too() {
    let gone = [
        operator(OperatorRequest::Release("bob".to_owned())),
        operator(OperatorRequest::Ban(BanTarget::Key(BOB))),
        BackendRequest::FreeNames {
            age: Duration::ZERO,
            here: vec![ALICE],
            max_names: 10,
        },
    ];
    for gone in gone {
        let (_home, mut database) = database();
        let mut memory = MemoryBackend::default();
        let named = |key, number| vec![put(key, vec![stored(number)], Some(number))];
        let claims = vec![request("Alice", ALICE, true), request("Bob", BOB, true)];
        let taking = vec![take(BOB, false), list(BOB), take(ALICE, false)];
        let now = Duration::from_secs(1);
        for requests in [claims, named(ALICE, 1), named(BOB, 2), vec![gone], taking] {
            let answers = database.commit(now, &requests).unwrap();
            let expected = requests.iter().map(|it| memory.answer(now, it.clone()));
            assert_eq!(answers, expected.collect::<Vec<_>>());
            if answers.len() == 3 {
                assert_eq!([taken(&answers[0]), taken(&answers[2])], [None, Some(1)]);
            }
        }
    }
}

#[test]
fn a_database_of_before_key_packages_is_upgraded_with_what_waits_in_it() {
    let home = tempfile::tempdir().unwrap();
    let older = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../recado/tests/older/server/recado.db"
    );
    std::fs::copy(older, path(&home)).unwrap();
    let mut database = Database::open(&path(&home)).unwrap();
    let count = |table: &str| -> i64 {
        let query = format!("SELECT count(*) FROM {table}");
        database
            .connection
            .query_row(&query, [], |row| row.get(0))
            .unwrap()
    };
    assert_eq!(
        [count("mailbox"), count("name"), count("key_package")],
        [3, 3, 0]
    );
    // What was not sealed is nowhere any more: only the numbers are delivered.
    assert_eq!(count("mailbox WHERE envelope = x'' AND dropped = 3"), 2);
    let holds = |path: &std::path::Path| {
        let file = std::fs::read(path).unwrap();
        file.windows(8).any(|it| it == b"guardada")
    };
    assert!(holds(std::path::Path::new(older)));
    let files = std::fs::read_dir(home.path()).unwrap();
    assert!(!files.into_iter().any(|file| holds(&file.unwrap().path())));
    commit(&mut database, &[put(BOB, vec![stored(1)], None)]);
    assert_eq!(
        taken(&commit(&mut database, &[take(BOB, false)])[0]),
        Some(1)
    );
}
