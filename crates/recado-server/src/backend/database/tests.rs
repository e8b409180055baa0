mod key_packages;
mod mail;
mod operating;

use recado_hub::{ClaimOutcome, SessionNumber};
use recado_proto::id::RemoteKey;
use recado_proto::name::Name;

use super::*;

const ALICE: RemoteKey = RemoteKey::from_bytes([1; 32]);
const BOB: RemoteKey = RemoteKey::from_bytes([2; 32]);

fn request(name: &str, key: RemoteKey, may_register: bool) -> BackendRequest {
    let name = Name::parse(name).unwrap();
    BackendRequest::Claim {
        session: SessionNumber(1),
        keys: name.keys(),
        name,
        key,
        may_register,
        ticket: None,
    }
}

/// Commits, and returns the answers.
fn commit(database: &mut Database, requests: &[BackendRequest]) -> Vec<BackendAnswer> {
    database.commit(Duration::ZERO, requests).unwrap()
}

fn outcome(answer: BackendAnswer) -> ClaimOutcome {
    match answer {
        BackendAnswer::Claimed { outcome, .. } => outcome,
        other => panic!("{other:?}"),
    }
}

fn claim(database: &mut Database, name: &str, key: RemoteKey) -> ClaimOutcome {
    outcome(commit(database, &[request(name, key, true)]).remove(0))
}

fn database() -> (tempfile::TempDir, Database) {
    let home = tempfile::tempdir().unwrap();
    let database = Database::open(&home.path().join("recado.db")).unwrap();
    (home, database)
}

#[test]
fn a_name_belongs_to_the_first_key_also_after_reopening() {
    let (home, mut database) = database();
    assert_eq!(
        claim(&mut database, "Alice", ALICE),
        ClaimOutcome::Registered
    );
    drop(database);
    let mut database = Database::open(&home.path().join("recado.db")).unwrap();
    let owned = ClaimOutcome::Owned("Alice".into());
    assert_eq!(claim(&mut database, "alice", ALICE), owned);
    assert_eq!(claim(&mut database, "ALICE", BOB), ClaimOutcome::Taken);
    let has = ClaimOutcome::KeyHasName("Alice".into());
    assert_eq!(claim(&mut database, "Carol", ALICE), has);
}

#[test]
fn lookalikes_are_refused() {
    let (_home, mut database) = database();
    assert_eq!(claim(&mut database, "Al", ALICE), ClaimOutcome::Registered);
    // Capital I for small l; Cyrillic А.
    for lookalike in ["AI", "Аl"] {
        let confusable = ClaimOutcome::Confusable("Al".into());
        assert_eq!(
            claim(&mut database, lookalike, BOB),
            confusable,
            "{lookalike}"
        );
    }
}

#[test]
fn two_claims_in_one_commit_and_one_that_may_not_register() {
    let (_home, mut database) = database();
    let requests = [
        request("Alice", ALICE, true),
        request("alice", BOB, true),
        request("Bob", BOB, false),
    ];
    let answers = commit(&mut database, &requests);
    let outcomes: Vec<_> = answers.into_iter().map(outcome).collect();
    let expected = [
        ClaimOutcome::Registered,
        ClaimOutcome::Taken,
        ClaimOutcome::NotRegistered,
    ];
    assert_eq!(outcomes, expected);
}

#[test]
fn a_failed_commit_is_said_to_everyone_in_it() {
    let (_home, mut database) = database();
    database
        .connection
        .execute("DROP TABLE skeleton", [])
        .unwrap();
    assert_eq!(
        claim(&mut database, "Alice", ALICE),
        ClaimOutcome::Unavailable
    );
}

#[test]
fn a_later_schema_and_a_damaged_file_are_refused() {
    let (home, database) = database();
    let path = home.path().join("recado.db");
    database
        .connection
        .pragma_update(None, "user_version", 99)
        .unwrap();
    drop(database);
    assert!(matches!(
        Database::open(&path),
        Err(BackendError::TooNew { found: 99, .. })
    ));
    std::fs::write(
        &path,
        "no database, but long enough to be taken for one".repeat(40),
    )
    .unwrap();
    assert!(matches!(
        Database::open(&path),
        Err(BackendError::Open { .. })
    ));
}

#[test]
fn skeletons_follow_the_unicode_tables() {
    let (home, mut database) = database();
    claim(&mut database, "Al", ALICE);
    database
        .connection
        .execute_batch("UPDATE meta SET value = 'older'; DELETE FROM skeleton;")
        .unwrap();
    drop(database);
    let mut database = Database::open(&home.path().join("recado.db")).unwrap();
    assert!(matches!(
        claim(&mut database, "AI", BOB),
        ClaimOutcome::Confusable(_)
    ));
}
