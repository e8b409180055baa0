//! The SQLite database: opening, migrating, committing.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use recado_hub::{BackendAnswer, BackendRequest, Mark};
use rusqlite::config::DbConfig;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior};

use super::{BackendError, key_packages, mail, names, operating};

/// Numbered from 1; frozen once released.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("schema.sql"),
    include_str!("operating.sql"),
    include_str!("key_packages.sql"),
];

/// Pages in the write-ahead log, about, after which they are moved into the database: 4 MiB.
const CHECKPOINT_PAGES: usize = 1_000;

/// An open database.
pub(super) struct Database {
    connection: Connection,
    /// Seconds that servers of this database had run before this one.
    ran_before: u64,
    /// What the database says of that.
    noted_seconds: u64,
    /// Pages written since the log was last moved, about.
    log_pages: usize,
    /// How far the mailboxes were looked through for what is too old.
    looked_at: Mark,
    /// Seconds since 1970.
    unix_seconds: Box<dyn Fn() -> u64 + Send>,
}

/// What time it is in a commit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// Seconds that servers of this database have run.
    pub(super) running: u64,
    /// Seconds since 1970, by this machine's clock.
    pub(super) unix: u64,
}

/// The latest schema that this version knows.
pub(super) fn known_schema() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

impl Database {
    /// Opens, creates or upgrades the database; where the last process did not close it, after checking it.
    pub(super) fn open(path: &Path) -> Result<Self, BackendError> {
        let failed = |source| BackendError::Open {
            path: path.to_owned(),
            source,
        };
        let mut connection = Connection::open(path).map_err(failed)?;
        // FULL: a commit is on the disk when it returns; acknowledgements rest on it. The log is moved by
        // `checkpoint` alone: what SQLite does by itself after a commit, it does again after a failed sync.
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
                 PRAGMA wal_autocheckpoint = 0;",
            )
            .map_err(failed)?;
        #[cfg(recado_control = "nosync")]
        connection
            .pragma_update(None, "synchronous", "OFF")
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
        if found > 0 && meta(&transaction, "clean").map_err(failed)?.as_deref() != Some("1") {
            tracing::info!("the database was not closed in order; checking it");
            let said: String = transaction
                .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
                .map_err(failed)?;
            if said != "ok" {
                let path = path.to_owned();
                return Err(BackendError::Damaged { path, said });
            }
        }
        if !missing.is_empty() {
            // What an upgrade erases is gone from the file too.
            transaction
                .pragma_update(None, "secure_delete", "ON")
                .map_err(failed)?;
        }
        for migration in missing {
            transaction.execute_batch(migration).map_err(failed)?;
        }
        transaction
            .pragma_update(None, "user_version", known)
            .map_err(failed)?;
        names::recompute_skeletons(&transaction).map_err(failed)?;
        set_meta(&transaction, "clean", "0").map_err(failed)?;
        let seconds = meta(&transaction, "service_seconds").map_err(failed)?;
        let ran_before = seconds.and_then(|text| text.parse().ok()).unwrap_or(0);
        transaction.commit().map_err(failed)?;
        if !missing.is_empty() {
            connection
                .execute_batch("PRAGMA secure_delete = OFF; PRAGMA wal_checkpoint(TRUNCATE);")
                .map_err(failed)?;
        }
        Ok(Self {
            connection,
            ran_before,
            noted_seconds: ran_before,
            log_pages: 0,
            looked_at: Mark::default(),
            unix_seconds: Box::new(|| {
                let since = SystemTime::now().duration_since(UNIX_EPOCH);
                since.map_or(0, |since| since.as_secs())
            }),
        })
    }

    /// Does all the requests in one transaction, and answers them once it is on the disk. If there is no room for
    /// it, nothing of it has happened, and every answer says so. `running` is how long this process has run.
    ///
    /// # Errors
    /// The disk failed. What it holds is not known: nothing may be answered, nor the database be used on.
    pub(super) fn commit(
        &mut self,
        running: Duration,
        requests: &[BackendRequest],
    ) -> rusqlite::Result<Vec<BackendAnswer>> {
        match self.try_commit(running, requests) {
            Err(error) if !is_fatal(&error) => {
                tracing::error!(error = %error, requests = requests.len(), "commit failed");
                Ok(requests.iter().map(BackendRequest::unavailable).collect())
            }
            Err(error) => {
                self.leave_log();
                Err(error)
            }
            done => done,
        }
    }

    /// When a database is closed, SQLite moves its log, and syncs what it could not sync before: not of one that
    /// failed.
    fn leave_log(&self) {
        let no_checkpoint = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        if let Err(error) = self.connection.set_db_config(no_checkpoint, true) {
            tracing::warn!(%error, "the log is moved once more");
        }
    }

    /// Moves the log into the database, once it has grown.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub(super) fn checkpoint(&mut self) -> rusqlite::Result<()> {
        if self.log_pages < CHECKPOINT_PAGES {
            return Ok(());
        }
        self.log_pages = 0;
        let moved = self
            .connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        match moved {
            Err(error) if !is_fatal(&error) => {
                tracing::warn!(error = %error, "the log could not be moved into the database");
                Ok(())
            }
            Err(error) => {
                self.leave_log();
                Err(error)
            }
            done => done,
        }
    }

    /// Notes that everything was closed in order.
    pub(super) fn close(self, running: Duration) -> rusqlite::Result<()> {
        set_meta(&self.connection, "clean", "1")?;
        let seconds = self.ran_before.saturating_add(running.as_secs());
        set_meta(&self.connection, "service_seconds", &seconds.to_string())?;
        self.connection.close().map_err(|(_, error)| error)
    }

    fn try_commit(
        &mut self,
        running: Duration,
        requests: &[BackendRequest],
    ) -> rusqlite::Result<Vec<BackendAnswer>> {
        let seconds = self.ran_before.saturating_add(running.as_secs());
        let clock = Clock {
            running: seconds,
            unix: (self.unix_seconds)(),
        };
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut answers = Vec::with_capacity(requests.len());
        let (mut pages, mut looked_at) = (0, self.looked_at);
        for request in requests {
            pages += pages_of(request);
            answers.push(answer(&transaction, clock, &mut looked_at, request)?);
        }
        if pages > 0 && seconds > self.noted_seconds {
            set_meta(&transaction, "service_seconds", &seconds.to_string())?;
        }
        transaction.commit()?;
        if pages > 0 {
            self.noted_seconds = seconds;
        }
        self.looked_at = looked_at;
        self.log_pages += pages;
        Ok(answers)
    }
}

fn answer(
    transaction: &Transaction<'_>,
    clock: Clock,
    looked_at: &mut Mark,
    request: &BackendRequest,
) -> rusqlite::Result<BackendAnswer> {
    let seconds = clock.running;
    Ok(match request {
        BackendRequest::Claim {
            session,
            name,
            keys,
            key,
            may_register,
            ticket,
        } => {
            let claim = names::Claim {
                name,
                keys,
                key,
                may_register: *may_register,
                ticket: ticket.as_deref(),
            };
            BackendAnswer::Claimed {
                session: *session,
                outcome: names::claim(transaction, clock, &claim)?,
            }
        }
        BackendRequest::Load => {
            BackendAnswer::Loaded(Ok(Box::new(operating::decisions(transaction)?)))
        }
        BackendRequest::Operator { number, request } => BackendAnswer::Operator {
            number: *number,
            result: operating::operate(transaction, clock, request)?,
        },
        BackendRequest::NameUsed { key } => {
            names::mark_used(transaction, key)?;
            BackendAnswer::NameUsed
        }
        BackendRequest::FreeNames {
            age,
            here,
            max_names,
        } => {
            names::note_seen(transaction, seconds, here)?;
            BackendAnswer::NamesFreed(match too_old(seconds, *age) {
                Some(moment) => names::free_unused(transaction, moment, here, *max_names)?,
                None => Vec::new(),
            })
        }
        BackendRequest::Discard { lanes } => {
            BackendAnswer::Dropped(mail::discard(transaction, lanes)?)
        }
        BackendRequest::OpenLane {
            session,
            handle,
            sender,
            store,
            to,
            key,
        } => BackendAnswer::LaneOpened {
            session: *session,
            handle: *handle,
            outcome: mail::open_lane(transaction, sender, store, to, key.as_ref())?,
        },
        BackendRequest::Commit(changes) => {
            let write = |change| mail::write(transaction, seconds, change);
            let standing = changes.iter().map(write).collect::<rusqlite::Result<_>>()?;
            BackendAnswer::Committed(Ok(standing))
        }
        BackendRequest::Fetch {
            session,
            recipient,
            after,
            max_messages,
            max_bytes,
            message_age,
        } => {
            let part = mail::Part {
                after: *after,
                max_messages: *max_messages,
                max_bytes: *max_bytes,
                too_old: too_old(seconds, *message_age),
            };
            BackendAnswer::Fetched {
                session: *session,
                result: Ok(mail::fetch(transaction, recipient, &part)?),
            }
        }
        BackendRequest::Block {
            session,
            owner,
            name,
            folded,
            blocked,
        } => BackendAnswer::Blocked {
            session: *session,
            owner: *owner,
            name: name.clone(),
            blocked: *blocked,
            sender: mail::block(transaction, owner, folded, *blocked)?,
        },
        BackendRequest::Expire {
            message_age,
            except,
            max_messages,
        } => {
            let part = mail::Part {
                after: *looked_at,
                max_messages: *max_messages,
                max_bytes: usize::MAX,
                too_old: too_old(seconds, *message_age),
            };
            let (dropped, looked) = mail::expire(transaction, except, &part)?;
            *looked_at = looked;
            BackendAnswer::Dropped(dropped)
        }
        BackendRequest::KeyPackages(request) => {
            BackendAnswer::KeyPackages(key_packages::answer(transaction, seconds, request)?)
        }
    })
}

/// The moment at or before which a message must have come to be too old; none is while the server has not run for
/// as long.
fn too_old(seconds: u64, message_age: Duration) -> Option<u64> {
    seconds.checked_sub(message_age.as_secs())
}

/// Pages that a request writes, about; none if it only reads.
fn pages_of(request: &BackendRequest) -> usize {
    match request {
        BackendRequest::Claim { .. } | BackendRequest::Block { .. } => 4,
        BackendRequest::OpenLane { .. } => 4,
        BackendRequest::Commit(changes) => {
            let pages = |change: &recado_hub::LaneChange| 2 + 3 * change.bodies.len();
            changes.iter().map(pages).sum()
        }
        BackendRequest::Expire { .. } | BackendRequest::NameUsed { .. } => 1,
        BackendRequest::FreeNames { here, .. } => 1 + here.len() / 8,
        BackendRequest::Discard { lanes } => 3 * lanes.len(),
        BackendRequest::Operator { request, .. } => operating::pages_of(request),
        BackendRequest::Fetch { .. } | BackendRequest::Load => 0,
        BackendRequest::KeyPackages(request) => key_packages::pages_of(request),
    }
}

/// Whether it is not known what the disk holds. A full disk is not such a case: what was begun is undone. Nor is a
/// full disk that shows in the log's index, which is in memory.
fn is_fatal(error: &rusqlite::Error) -> bool {
    let Some(code) = error.sqlite_error() else {
        return false;
    };
    match code.code {
        ErrorCode::SystemIoFailure => code.extended_code != SQLITE_IOERR_SHMSIZE,
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => true,
        _ => false,
    }
}

/// A fact about the database.
pub(super) fn meta(connection: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    connection
        .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()
}

/// Writes one down.
pub(super) fn set_meta(connection: &Connection, key: &str, value: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO meta (key, value) VALUES (?1, ?2)
             ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        )?
        .execute([key, value])?;
    Ok(())
}

#[cfg(test)]
mod tests;
