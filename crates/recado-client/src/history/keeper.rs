//! The thread that writes: it takes all that is queued, commits once, and tells what came of it.

use std::fmt;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use recado_engine::{Answer, MailState, Write};
use recado_proto::id::{MessageId, RemoteKey, StoreId};
use rusqlite::Transaction;
use tokio::sync::oneshot;

use super::database::BUSY_TIME;
use super::{
    Correspondent, Database, Entered, Fed, HistoryError, Item, Outgoing, Question, Record, Untaken,
    Verification, outbox, past, people, watch, writes,
};
use crate::e2e::{Secrecy, Vault, draw_id, now_ms};

/// How often it looks for what other processes entered, while anyone writes; and how long a [`Record`] waits for company
/// at most.
const LOOK_TIME: Duration = Duration::from_millis(100);

/// How long it goes on looking after the last write: what is being written may be committed only then. As long as a
/// process waits for another's transaction.
const LIVELY_TIME: Duration = BUSY_TIME;

/// Jobs of one commit at most. What is queued beyond them waits for the next.
const BATCH: usize = 4096;

/// What the keeper is asked. Whoever asks bounds how much of it is under way.
enum Job {
    Commit(Vec<Write>),
    Enter(Outgoing),
    /// The code of this person's key was found right.
    Compared(String),
    Record(Record),
    Feed {
        after: u64,
        limit: usize,
    },
    Restart(StoreId),
    Read(Box<Reading>),
    /// The database is being written to, here or by another process.
    Look,
    Close,
}

/// Done beside what is written, with the database to itself.
type Reading = dyn FnOnce(&mut Database, &Vault) + Send;

/// What one commit brought; or nothing but the news that another process has written.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// The answers to the engine's commit.
    pub(crate) committed: Option<Vec<Answer>>,
    /// Messages that are queued now.
    pub(crate) entered: Vec<Outgoing>,
    /// How many records were written.
    pub(crate) recorded: usize,
    /// What was asked for to be sent.
    pub(crate) fed: Option<Fed>,
    /// Another process has written something.
    pub(crate) others: bool,
    /// Nothing of this batch was written. What was entered and recorded in it is told all the same.
    pub(crate) error: Option<HistoryError>,
    /// What the engine waits for was in it.
    pub(crate) is_engine_lost: bool,
}

/// The identity's database, kept by a thread.
pub(crate) struct Keeper {
    jobs: Sender<Job>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Keeper {
    /// The thread holds a way to itself, and would not end by itself.
    fn drop(&mut self) {
        self.submit(Job::Close);
    }
}

impl Keeper {
    /// Starts the thread. `tell` is called by it, once a commit.
    pub(crate) fn start(
        database: Database,
        vault: Vault,
        tell: impl Fn(Done) + Send + 'static,
    ) -> Result<Self, HistoryError> {
        Self::start_with(database, vault, LIVELY_TIME, tell)
    }

    /// The same, looking for so long after the last write.
    pub(super) fn start_with(
        database: Database,
        vault: Vault,
        lively_time: Duration,
        tell: impl Fn(Done) + Send + 'static,
    ) -> Result<Self, HistoryError> {
        let (jobs, queue) = channel();
        let own = jobs.clone();
        let thread = thread::Builder::new()
            .name("history".to_owned())
            .spawn(move || keep(database, &vault, &queue, &own, lively_time, tell))
            .map_err(|_| HistoryError::Thread)?;
        let thread = Some(thread);
        Ok(Self { jobs, thread })
    }

    /// For those who ask about the past.
    pub(crate) fn history(&self) -> History {
        History {
            jobs: self.jobs.clone(),
        }
    }

    pub(crate) fn commit(&self, writes: Vec<Write>) {
        self.submit(Job::Commit(writes));
    }

    pub(crate) fn enter(&self, message: Outgoing) {
        self.submit(Job::Enter(message));
    }

    /// The code of this person's key was found right here.
    pub(crate) fn compared(&self, name: String) {
        self.submit(Job::Compared(name));
    }

    pub(crate) fn record(&self, record: Record) {
        self.submit(Job::Record(record));
    }

    /// Asks for the entries above `after`.
    pub(crate) fn feed(&self, after: u64, limit: usize) {
        self.submit(Job::Feed { after, limit });
    }

    pub(crate) fn restart(&self, store: StoreId) {
        self.submit(Job::Restart(store));
    }

    /// What is known, all that was submitted before included.
    pub(crate) async fn load(&self) -> Result<(MailState, Vec<Untaken>), HistoryError> {
        let history = self.history();
        let load = |database: &mut Database, vault: &Vault| {
            database.seal(vault, |transaction, secrecy| {
                outbox::load(transaction, secrecy)
            })
        };
        history.read(load).await
    }

    /// What came under this key and was not taken, in order.
    pub(crate) async fn untaken_of(&self, key: RemoteKey) -> Result<Vec<Untaken>, HistoryError> {
        let history = self.history();
        let read = move |database: &mut Database, _: &Vault| {
            database.read(|connection| outbox::load_untaken(connection, Some(key)))
        };
        let untaken = history.read(read).await?;
        Ok(untaken.into_iter().map(|(untaken, _)| untaken).collect())
    }

    /// Commits what is queued, and closes the database.
    pub(crate) fn close(mut self) {
        self.submit(Job::Close);
        // A panic of the thread has been told by itself.
        let _ = self.thread.take().map(JoinHandle::join);
    }

    /// A thread that has ended has said why.
    fn submit(&self, job: Job) {
        let _ = self.jobs.send(job);
    }
}

/// Answers questions about the past, of an open session.
#[derive(Clone)]
pub struct History {
    jobs: Sender<Job>,
}

impl History {
    /// Messages of the past, the oldest first; at most 1,000. What was shown before is among them.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub async fn ask(&self, question: Question) -> Result<Vec<Item>, HistoryError> {
        self.read(move |database, _| {
            database.read(|connection| past::answer(connection, &question))
        })
        .await
    }

    /// Those with whom there were private messages, the latest first; at most so many.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub async fn correspondents(&self, limit: usize) -> Result<Vec<Correspondent>, HistoryError> {
        self.read(move |database, _| {
            database.read(|connection| past::correspondents(connection, limit))
        })
        .await
    }

    /// A message that was entered, here or by another process.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub async fn entered(&self, id: MessageId) -> Result<Option<Entered>, HistoryError> {
        self.read(move |database, _| database.entered(id)).await
    }

    /// Whether someone's messages are refused.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub async fn is_blocked(&self, name: &str) -> Result<bool, HistoryError> {
        let name = name.to_owned();
        self.read(move |database, _| {
            database.read(|connection| past::is_blocked(connection, &name))
        })
        .await
    }

    /// What was compared with someone, and the code; nothing if their key is not known. It takes a moment.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub async fn verification(&self, name: &str) -> Result<Option<Verification>, HistoryError> {
        let name = name.to_owned();
        self.read(move |database, vault| {
            database.read(|connection| people::verification(connection, vault, &name))
        })
        .await
    }

    /// The names of those with whom both sides have compared the code.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub async fn verified(&self) -> Result<Vec<String>, HistoryError> {
        self.read(|database, _| database.read(people::verified))
            .await
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut Database, &Vault) -> Result<T, HistoryError> + Send + 'static,
    ) -> Result<T, HistoryError> {
        let (sender, answer) = oneshot::channel();
        let _ = self.jobs.send(Job::Read(Box::new(|database, vault| {
            // Whoever asked may be gone.
            let _ = sender.send(read(database, vault));
        })));
        answer.await.unwrap_or(Err(HistoryError::Thread))
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("History")
    }
}

fn keep(
    mut database: Database,
    vault: &Vault,
    queue: &Receiver<Job>,
    own: &Sender<Job>,
    lively_time: Duration,
    tell: impl Fn(Done),
) {
    let mut batch = Vec::new();
    let mut seen = database.version().ok();
    let mut looked = Instant::now();
    let mut lively = Some(Instant::now());
    let mut is_open = true;
    while is_open {
        // Nobody writes, and whoever does is noticed: there is nothing to look at.
        let is_quiet = lively.is_none() && batch.is_empty();
        let received = match is_quiet {
            true => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
            false => queue.recv_timeout(LOOK_TIME.saturating_sub(looked.elapsed())),
        };
        match received {
            Ok(job) => batch.push(job),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => is_open = false,
        }
        batch.extend(queue.try_iter().take(BATCH.saturating_sub(batch.len())));
        if batch.iter().any(|job| matches!(job, Job::Look)) {
            lively = Some(Instant::now());
            batch.retain(|job| !matches!(job, Job::Look));
        }
        is_open &= !batch.iter().any(|job| matches!(job, Job::Close));
        let is_time = looked.elapsed() >= LOOK_TIME;
        let is_awaited = batch.iter().any(|job| !matches!(job, Job::Record(_)));
        if !batch.is_empty() && (is_awaited || is_time || !is_open || batch.len() >= BATCH) {
            do_batch(&mut database, vault, &mut batch, &tell);
        }
        if is_time {
            looked = Instant::now();
            if let Err(error) = database.checkpoint() {
                tell(failed(&[], error));
            }
            if lively.is_some_and(|since| since.elapsed() >= lively_time) {
                lively = Some(Instant::now());
                match database.empty_log() {
                    // Before the look, so that what is written after it is noticed.
                    Ok(true) => {
                        let own = own.clone();
                        let look = move || drop(own.send(Job::Look));
                        if watch::next_write(&database.log(), Box::new(look)) {
                            lively = None;
                        }
                    }
                    // Another process reads: what was used is still in the log, and has to go.
                    Ok(false) => {}
                    Err(error) => tell(failed(&[], error)),
                }
            }
            let version = database.version().ok();
            let others = version != seen;
            seen = version;
            if others {
                tell(Done {
                    others,
                    ..Done::default()
                });
            }
        }
    }
}

/// Writes first, all in one transaction; then reads.
fn do_batch(database: &mut Database, vault: &Vault, batch: &mut Vec<Job>, tell: &impl Fn(Done)) {
    let is_write = |job: &Job| !matches!(job, Job::Read(_) | Job::Look | Job::Close);
    if batch.iter().any(is_write) {
        let written = database.seal(vault, |transaction, secrecy| {
            write(transaction, secrecy, batch)
        });
        tell(written.unwrap_or_else(|error| failed(batch, error)));
        if let Err(error) = database.checkpoint() {
            tell(failed(&[], error));
        }
    }
    for job in batch.drain(..) {
        if let Job::Read(read) = job {
            read(database, vault);
        }
    }
}

fn write(
    transaction: &Transaction<'_>,
    secrecy: &mut Secrecy<'_>,
    batch: &[Job],
) -> rusqlite::Result<Done> {
    let mut done = Done::default();
    for job in batch {
        match job {
            Job::Commit(writes) => {
                done.committed = Some(writes::commit(transaction, secrecy, writes)?);
            }
            Job::Enter(message) => {
                outbox::enter(transaction, message)?;
                done.entered.push(message.clone());
            }
            Job::Compared(name) => {
                people::compared_here(transaction, name, draw_id()?, now_ms())?;
                done.others = true;
            }
            Job::Record(record) => {
                writes::record(transaction, record)?;
                done.recorded += 1;
            }
            Job::Feed { after, limit } => {
                done.fed = Some(outbox::feed(transaction, *after, *limit)?);
            }
            Job::Restart(store) => outbox::restart(transaction, secrecy, *store)?,
            Job::Read(_) | Job::Look | Job::Close => {}
        }
    }
    Ok(done)
}

/// What was not done.
fn failed(batch: &[Job], error: HistoryError) -> Done {
    let mut done = Done {
        error: Some(error),
        ..Done::default()
    };
    for job in batch {
        match job {
            Job::Enter(message) => done.entered.push(message.clone()),
            Job::Record(_) => done.recorded += 1,
            Job::Commit(_) | Job::Feed { .. } | Job::Restart(_) => done.is_engine_lost = true,
            Job::Compared(_) | Job::Read(_) | Job::Look | Job::Close => {}
        }
    }
    done
}
