//! Durable state: the embedded engine behind [`recado_hub::BackendRequest`].
//!
//! One committer thread takes all the work that is queued, commits once, and returns one event.

#[cfg(recado_control = "early")]
mod control;
mod database;
mod key_packages;
mod mail;
mod names;
mod operating;

use std::path::Path;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use recado_hub::{BackendAnswer, BackendRequest};

use database::Database;

/// The latest schema that this version knows.
pub fn known_schema() -> i64 {
    database::known_schema()
}

/// Requests committed together at most. What is queued beyond them waits for the next commit.
const BATCH: usize = 1024;

/// Requests that may wait for the committer. Of a connection these are a claim, the lanes it opens, and little else,
/// so a full queue means a disk that has stopped, or many who open all the lanes they may.
const QUEUE: usize = 65_536;

/// The latest schema that this version knows.
pub(crate) fn schema_version() -> i64 {
    database::MIGRATIONS.len() as i64
}

/// The embedded engine: SQLite, in the data folder.
pub(crate) struct Backend {
    requests: mpsc::SyncSender<BackendRequest>,
    committer: JoinHandle<()>,
}

/// A database that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// SQLite says why.
    #[error("the database {path} cannot be opened; if it is damaged, put it back from a backup")]
    Open {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// It was written by a later version.
    #[error(
        "the database {path} was written by a later version of recado (schema {found}, this one knows {known}); use that version"
    )]
    TooNew {
        /// The file.
        path: std::path::PathBuf,
        /// Its schema.
        found: i64,
        /// The latest known here.
        known: i64,
    },
    /// It is not what SQLite wrote.
    #[error("the database {path} is damaged ({said}); put it back from a backup")]
    Damaged {
        /// The file.
        path: std::path::PathBuf,
        /// What SQLite says of it.
        said: String,
    },
    /// No thread.
    #[error("the committer thread could not be started")]
    Thread(#[from] std::io::Error),
}

/// What the committer tells.
pub(crate) enum BackendEvent {
    /// Answers of one commit.
    Answers(Vec<BackendAnswer>),
    /// The disk failed. Nothing is answered any more: what is on the disk is known when it has been read anew.
    Broken(rusqlite::Error),
}

impl Backend {
    /// Opens the database and starts the committer. `tell` is called on the committer's thread.
    pub(crate) fn open(
        path: &Path,
        tell: impl Fn(BackendEvent) + Send + 'static,
    ) -> Result<Self, BackendError> {
        let database = Database::open(path)?;
        let (requests, queue) = mpsc::sync_channel(QUEUE);
        let committer = thread::Builder::new()
            .name("committer".to_owned())
            .spawn(move || {
                if let Err(error) = run(database, &queue, &tell) {
                    tell(BackendEvent::Broken(error));
                }
            })?;
        Ok(Self {
            requests,
            committer,
        })
    }

    /// Hands a request to the committer; its answer comes later. A request that cannot be queued comes back.
    #[expect(
        clippy::result_large_err,
        reason = "128 bytes that come back where the queue is full, which hardly ever happens"
    )]
    pub(crate) fn submit(&self, request: BackendRequest) -> Result<(), BackendRequest> {
        self.requests
            .try_send(request)
            .map_err(|error| match error {
                mpsc::TrySendError::Full(request) | mpsc::TrySendError::Disconnected(request) => {
                    request
                }
            })
    }

    /// Commits what is queued, and closes the database.
    pub(crate) fn close(self) {
        drop(self.requests);
        if self.committer.join().is_err() {
            tracing::error!("the committer thread ended by a panic");
        }
    }
}

/// Commits until there is nothing more to come.
fn run(
    mut database: Database,
    queue: &mpsc::Receiver<BackendRequest>,
    tell: &impl Fn(BackendEvent),
) -> rusqlite::Result<()> {
    let started = Instant::now();
    let mut batch = Vec::new();
    while let Ok(first) = queue.recv() {
        batch.push(first);
        batch.extend(queue.try_iter().take(BATCH - 1));
        #[cfg(recado_control = "early")]
        if let Some(answers) = control::premature(&batch) {
            tell(BackendEvent::Answers(answers));
            thread::sleep(control::HEAD_START);
            database.commit(started.elapsed(), &batch)?;
            batch.clear();
            continue;
        }
        let answers = database.commit(started.elapsed(), &batch)?;
        tell(BackendEvent::Answers(answers));
        batch.clear();
        database.checkpoint()?;
    }
    database.close(started.elapsed())
}
