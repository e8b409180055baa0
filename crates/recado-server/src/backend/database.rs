//! The SQLite database: opening, migrating, claims.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use recado_hub::{BackendAnswer, BackendRequest, ClaimOutcome};
use recado_proto::id::RemoteKey;
use recado_proto::name::{NAME_TABLE_VERSION, Name, NameKeys};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::BackendError;

/// Numbered from 1; frozen once released.
const MIGRATIONS: &[&str] = &[include_str!("schema.sql")];

/// An open database.
pub(super) struct Database {
    connection: Connection,
}

impl Database {
    /// Opens, creates or upgrades the database.
    pub(super) fn open(path: &Path) -> Result<Self, BackendError> {
        let failed = |source| BackendError::Open {
            path: path.to_owned(),
            source,
        };
        let mut connection = Connection::open(path).map_err(failed)?;
        // FULL: a commit is on the disk when it returns; acknowledgements rest on it.
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;",
            )
            .map_err(failed)?;
        let found: i64 = connection
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .map_err(failed)?;
        let known = MIGRATIONS.len() as i64;
        let Some(missing) = usize::try_from(found)
            .ok()
            .and_then(|at| MIGRATIONS.get(at..))
        else {
            return Err(BackendError::TooNew {
                path: path.to_owned(),
                found,
                known,
            });
        };
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        for migration in missing {
            transaction.execute_batch(migration).map_err(failed)?;
        }
        transaction
            .pragma_update(None, "user_version", known)
            .map_err(failed)?;
        recompute_skeletons(&transaction).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(Self { connection })
    }

    /// Does all the requests in one transaction, and answers them once it is on the disk. If it is not,
    /// nothing of it has happened, and every answer says so.
    pub(super) fn commit(&mut self, requests: &[BackendRequest]) -> Vec<BackendAnswer> {
        self.try_commit(requests).unwrap_or_else(|error| {
            tracing::error!(error = %error, requests = requests.len(), "commit failed");
            let unavailable = |request: &BackendRequest| {
                let BackendRequest::Claim { session, .. } = request;
                BackendAnswer::Claimed {
                    session: *session,
                    outcome: ClaimOutcome::Unavailable,
                }
            };
            requests.iter().map(unavailable).collect()
        })
    }

    fn try_commit(&mut self, requests: &[BackendRequest]) -> rusqlite::Result<Vec<BackendAnswer>> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut answers = Vec::with_capacity(requests.len());
        for request in requests {
            let BackendRequest::Claim {
                session,
                name,
                keys,
                key,
                may_register,
            } = request;
            answers.push(BackendAnswer::Claimed {
                session: *session,
                outcome: claim(&transaction, name, keys, key, *may_register)?,
            });
        }
        transaction.commit()?;
        Ok(answers)
    }
}

fn claim(
    transaction: &Transaction<'_>,
    name: &Name,
    keys: &NameKeys,
    key: &RemoteKey,
    may_register: bool,
) -> rusqlite::Result<ClaimOutcome> {
    let owned: Option<(String, String)> = transaction
        .prepare_cached("SELECT folded, shown FROM name WHERE key = ?1")?
        .query_row([key.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((folded, shown)) = owned {
        return Ok(if folded == keys.folded {
            ClaimOutcome::Owned(shown)
        } else {
            ClaimOutcome::KeyHasName(shown)
        });
    }
    let taken = transaction
        .prepare_cached("SELECT 1 FROM name WHERE folded = ?1")?
        .exists([&keys.folded])?;
    if taken {
        return Ok(ClaimOutcome::Taken);
    }
    for skeleton in &keys.skeletons {
        let resembles: Option<String> = transaction
            .prepare_cached(
                "SELECT n.shown FROM skeleton s JOIN name n USING (folded) WHERE s.skeleton = ?1",
            )?
            .query_row([skeleton], |row| row.get(0))
            .optional()?;
        if let Some(resembles) = resembles {
            return Ok(ClaimOutcome::Confusable(resembles));
        }
    }
    if !may_register {
        return Ok(ClaimOutcome::NotRegistered);
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs() as i64);
    transaction
        .prepare_cached(
            "INSERT INTO name (folded, shown, key, claimed_at) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![keys.folded, name.as_str(), key.as_bytes(), now])?;
    insert_skeletons(transaction, keys)?;
    Ok(ClaimOutcome::Registered)
}

fn insert_skeletons(transaction: &Transaction<'_>, keys: &NameKeys) -> rusqlite::Result<()> {
    // Names that became confusable with one another by new tables both stay: the first one's skeleton does.
    let mut insert = transaction
        .prepare_cached("INSERT OR IGNORE INTO skeleton (skeleton, folded) VALUES (?1, ?2)")?;
    for skeleton in &keys.skeletons {
        insert.execute([skeleton, &keys.folded])?;
    }
    Ok(())
}

/// Brings the skeletons up to the Unicode tables of this build.
fn recompute_skeletons(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    let tables: Option<String> = transaction
        .query_row(
            "SELECT value FROM meta WHERE key = 'name_tables'",
            [],
            |row| row.get(0),
        )
        .optional()?;
    let current = NAME_TABLE_VERSION.to_string();
    if tables.as_ref() == Some(&current) {
        return Ok(());
    }
    transaction.execute("DELETE FROM skeleton", [])?;
    let names: Vec<(String, String)> = transaction
        .prepare("SELECT folded, shown FROM name ORDER BY claimed_at, folded")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (folded, shown) in names {
        // A name that the new tables do not admit keeps its owner, and has no look-alikes.
        if let Ok(name) = Name::parse(&shown) {
            let skeletons = name.keys().skeletons;
            insert_skeletons(transaction, &NameKeys { folded, skeletons })?;
        }
    }
    transaction.execute(
        "INSERT INTO meta (key, value) VALUES ('name_tables', ?1)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        [current],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use recado_hub::SessionNumber;

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
        }
    }

    fn claim(database: &mut Database, name: &str, key: RemoteKey) -> ClaimOutcome {
        let mut answers = database.commit(&[request(name, key, true)]);
        let BackendAnswer::Claimed { outcome, .. } = answers.remove(0);
        outcome
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
        let outcomes: Vec<_> = database
            .commit(&requests)
            .into_iter()
            .map(|BackendAnswer::Claimed { outcome, .. }| outcome)
            .collect();
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
}
