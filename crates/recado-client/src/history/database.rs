//! The file: opening, migrating, transactions; and what a process without the identity's lock may do with it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aws_lc_rs::rand;
use recado_engine::Failure;
use recado_proto::id::MessageId;
use rusqlite::config::DbConfig;
use rusqlite::{
    Connection, ErrorCode, OptionalExtension as _, Transaction, TransactionBehavior, params,
};

use super::open_mark::{self, OpenMark};
use super::outbox::Blob;
use super::{HistoryError, Outgoing, Standing, outbox};
use crate::e2e::{Secrecy, Vault};
use crate::home;

/// The database beside an identity's key.
pub const FILE: &str = "history.db";

/// Numbered from 1; frozen once released.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("schema.sql"),
    include_str!("encryption.sql"),
    include_str!("offers.sql"),
];

/// The latest schema that this version knows.
pub fn known_schema() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// How long one process waits for another's transaction: hundreds of commits of a slow disk.
pub(super) const BUSY_TIME: Duration = Duration::from_secs(10);

/// Rows changed before the log is moved into the database: some MiB of log.
const CHECKPOINT_ROWS: u64 = 4096;

/// How long the log keeps what was changed, if no more is: keys that were used are in it until then. Two syncs each
/// time.
const CHECKPOINT_TIME: Duration = Duration::from_secs(10);

/// An identity's open database.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    path: PathBuf,
    /// Rows that had been changed when the log was last emptied; nothing if it has never been.
    moved: Option<u64>,
    /// When that was last tried.
    moved_at: Instant,
    /// Taken away when everything else is closed.
    mark: OpenMark,
}

impl Database {
    /// Opens, creates or upgrades the database in an identity's folder; after checking it where a process that had it
    /// open did not end in order.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn open(folder: &Path) -> Result<Self, HistoryError> {
        home::create_folder(folder)?;
        let path = folder.join(FILE);
        // Made here, so that it is open to its owner alone; what SQLite puts beside it follows it.
        drop(home::open_lock(&path)?);
        let left_over = open_mark::left_over(folder)?;
        let mark = OpenMark::put(folder)?;
        let connection = Connection::open(&path).map_err(|error| classify(&path, error))?;
        let mut database = Self {
            connection,
            path,
            moved: None,
            moved_at: Instant::now(),
            mark,
        };
        let opened = database
            .prepare()
            .and_then(|()| match left_over.is_empty() {
                true => Ok(()),
                false => database.check(),
            });
        database.note_failure(&opened);
        opened?;
        open_mark::take_away(left_over);
        Ok(database)
    }

    /// Whether the database is as SQLite wrote it.
    fn check(&self) -> Result<(), HistoryError> {
        let check = "PRAGMA quick_check(1)";
        let said: String =
            self.read(|connection| connection.query_row(check, [], |row| row.get(0)))?;
        match said.as_str() {
            "ok" => Ok(()),
            _ => Err(HistoryError::Damaged {
                path: self.path.clone(),
                said,
            }),
        }
    }

    /// After a failure nobody knows what is on the disk: the next start checks it. Nor is it tried again: when the
    /// database is closed, SQLite would move the log, and sync what it could not sync before.
    fn note_failure<T>(&self, done: &Result<T, HistoryError>) {
        if let Err(HistoryError::Failed { .. } | HistoryError::Damaged { .. }) = done {
            self.mark.stay();
            let no_checkpoint = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
            // There is nothing to be done about a failure of this.
            let _ = self.connection.set_db_config(no_checkpoint, true);
        }
    }

    fn prepare(&mut self) -> Result<(), HistoryError> {
        let path = self.path.clone();
        let failed = |error| classify(&path, error);
        self.connection.busy_timeout(BUSY_TIME).map_err(failed)?;
        // FULL: a commit is on the disk when it returns; acknowledgements rest on it. The log is moved by
        // `checkpoint` alone: what SQLite does by itself after a commit, it does again after a failed sync. What is
        // deleted is overwritten, and what a statement may have to undo is kept in memory: both may be keys.
        self.connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
                 PRAGMA wal_autocheckpoint = 0; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY;",
            )
            .map_err(failed)?;
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        let found: i64 = transaction
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .map_err(failed)?;
        let known = MIGRATIONS.len() as i64;
        let Some(missing) = usize::try_from(found)
            .ok()
            .and_then(|at| MIGRATIONS.get(at..))
        else {
            return Err(HistoryError::TooNew { path, found, known });
        };
        for migration in missing {
            transaction.execute_batch(migration).map_err(failed)?;
        }
        transaction
            .pragma_update(None, "user_version", known)
            .map_err(failed)?;
        let mut id = [0u8; 16];
        rand::fill(&mut id).map_err(|_| HistoryError::Thread)?;
        transaction
            .execute(
                "INSERT OR IGNORE INTO store (only, id) VALUES (1, ?1)",
                [id],
            )
            .map_err(failed)?;
        transaction.commit().map_err(failed)?;
        // What a process that was killed left in the log.
        self.empty_log().map(drop)
    }

    /// All of this in one transaction, which is on the disk when this returns; or nothing of it.
    pub(super) fn write<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, HistoryError> {
        let path = &self.path;
        let done = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .and_then(|transaction| {
                let answer = work(&transaction)?;
                transaction.commit()?;
                Ok(answer)
            });
        let done = done.map_err(|error| classify(path, error));
        self.note_failure(&done);
        done
    }

    /// As [`write`](Self::write), where something is sealed or opened as well.
    pub(super) fn seal<T>(
        &mut self,
        vault: &Vault,
        work: impl FnOnce(&Transaction<'_>, &mut Secrecy<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, HistoryError> {
        self.write(|transaction| {
            let Blob(store) = transaction
                .prepare_cached("SELECT id FROM store")?
                .query_row([], |row| row.get(0))?;
            let mut secrecy = Secrecy::over(vault, transaction, store);
            let answer = work(transaction, &mut secrecy)?;
            secrecy.finish()?;
            Ok(answer)
        })
    }

    /// Empties the log, once it has grown, or some time after it was written.
    pub(super) fn checkpoint(&mut self) -> Result<(), HistoryError> {
        let is_old = self.moved_at.elapsed() >= CHECKPOINT_TIME;
        match self.changed() {
            0 => Ok(()),
            changed if changed >= CHECKPOINT_ROWS || is_old => self.empty_log().map(drop),
            _ => Ok(()),
        }
    }

    /// Rows that were changed since the log was last empty.
    fn changed(&self) -> u64 {
        let changed = self.connection.total_changes();
        match self.moved {
            Some(moved) => changed.saturating_sub(moved),
            None => changed.max(1),
        }
    }

    /// As if the log had last been moved long ago.
    #[cfg(test)]
    pub(super) fn is_old_now(&mut self) {
        self.moved_at -= CHECKPOINT_TIME;
    }

    /// Moves the log into the database, and empties it. False if it is not empty: another process reads at this moment,
    /// or there is no room. That is not waited for: there is another time, and no acknowledgement rests on it.
    pub(super) fn empty_log(&mut self) -> Result<bool, HistoryError> {
        if self.changed() == 0 {
            return Ok(true);
        }
        let changed = self.connection.total_changes();
        self.moved_at = Instant::now();
        let path = self.path.clone();
        let failed = |error| classify(&path, error);
        self.connection
            .busy_timeout(Duration::ZERO)
            .map_err(failed)?;
        // The first column says whether someone was in the way.
        let pragma = "PRAGMA wal_checkpoint(TRUNCATE)";
        let done = self.connection.query_row(pragma, [], |row| row.get(0));
        self.connection.busy_timeout(BUSY_TIME).map_err(failed)?;
        let was_busy: bool = match done.map_err(failed) {
            Err(HistoryError::Full { .. }) => true,
            Err(HistoryError::Failed { source, .. }) if is_busy(&source) => true,
            done => {
                self.note_failure(&done);
                done?
            }
        };
        if !was_busy {
            self.moved = Some(changed);
        }
        Ok(!was_busy)
    }

    /// Reads.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, HistoryError> {
        let done = work(&self.connection).map_err(|error| classify(&self.path, error));
        self.note_failure(&done);
        done
    }

    /// Writes a message down as queued. Whoever holds the identity's lock sends it. False if there is one of this id
    /// already, which stays as it is.
    ///
    /// # Errors
    /// [`HistoryError`]; nothing was written.
    pub fn enter(&mut self, message: &Outgoing) -> Result<bool, HistoryError> {
        self.write(|transaction| outbox::enter(transaction, message))
    }

    /// A message that was entered here: to whom, what it says, what became of it, and why it failed.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn entered(&self, id: MessageId) -> Result<Option<Entered>, HistoryError> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT peer, name, text, state, code FROM message WHERE came = 0 AND id = ?1 AND sender = x''",
                )?
                .query_row([id.as_bytes()], |row| {
                    let peer: Option<String> = row.get(0)?;
                    let name: String = row.get(1)?;
                    Ok(Entered {
                        to: peer.map(|_| name),
                        text: row.get(2)?,
                        standing: standing(&row.get::<_, String>(3)?),
                        code: row.get(4)?,
                    })
                })
                .optional()
        })
    }

    /// Takes a message back, if it cannot have been sent.
    ///
    /// # Errors
    /// [`HistoryError`]; it may still be sent.
    pub fn withdraw(&mut self, id: MessageId) -> Result<bool, HistoryError> {
        self.write(|transaction| {
            let taken_back = transaction.execute(
                "DELETE FROM outbox WHERE number = 0 AND message =
                 (SELECT number FROM message WHERE came = 0 AND id = ?1 AND sender = x'')",
                [id.as_bytes()],
            )? > 0;
            if taken_back {
                transaction.execute(
                    "UPDATE message SET state = 'failed', code = ?2 WHERE came = 0 AND id = ?1 AND sender = x''",
                    params![id.as_bytes(), Failure::Withdrawn.code()],
                )?;
            }
            Ok(taken_back)
        })
    }

    /// The file that every commit is written to first.
    pub(super) fn log(&self) -> PathBuf {
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        log.into()
    }

    /// Changes whenever another connection has committed something.
    pub(super) fn version(&self) -> Result<i64, HistoryError> {
        self.read(|connection| connection.query_row("PRAGMA data_version", [], |row| row.get(0)))
    }
}

/// A message that was entered here, as it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entered {
    /// To whom, as typed; `None` is everyone.
    pub to: Option<String>,
    /// What it says.
    pub text: String,
    /// What became of it.
    pub standing: Standing,
    /// Why it failed: a machine word, else empty.
    pub code: String,
}

pub(super) fn standing(word: &str) -> Standing {
    let known = Standing::ALL
        .into_iter()
        .find(|state| state.as_str() == word);
    // The schema admits no other.
    known.unwrap_or(Standing::Failed)
}

fn is_busy(error: &rusqlite::Error) -> bool {
    let busy = [ErrorCode::DatabaseBusy, ErrorCode::DatabaseLocked];
    error
        .sqlite_error_code()
        .is_some_and(|code| busy.contains(&code))
}

fn classify(path: &Path, error: rusqlite::Error) -> HistoryError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => HistoryError::Full { path },
        _ => HistoryError::Failed {
            path,
            source: error,
        },
    }
}
