//! One offer that is under way: it looks for a connection, runs a transfer on a thread of its own, and, where that ends
//! early, does so again.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use recado_engine::files::{OfferFailure, OfferKey, OfferRecord, Pause, Route};
use recado_proto::file::AbortCode;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, sleep};

use super::channel::{Channel, ChannelError};
use super::meet::Meeting;
use super::part::{Finished, PartError, check_room, part_name};
use super::source::{Scan, SourceError};
use super::task::blocking;
use super::transfer::{Receiving, Sending, Target, TransferError, Watch, beside};
use crate::history::Database;

/// How far a transfer's thread steps back behind others (nice(2)), so that a chat does not wait for a processor: it gets a
/// third of what another busy thread gets, and all of what nobody wants.
#[cfg(target_os = "linux")]
const STEP_BACK: i32 = 5;

/// How often progress is told.
const PROGRESS_TIME: Duration = Duration::from_millis(200);

/// How often it is written down, for processes that look on.
const NOTE_TIME: Duration = Duration::from_secs(1);

/// The wait after a connection was lost before another is looked for.
const LOST_WAIT: Duration = Duration::from_millis(200);

/// How often a full disk is looked at.
const FULL_WAIT: Duration = Duration::from_secs(5);

/// How many may go on at a time. Sending waits for receiving, and receiving for nothing, so that nobody waits in a ring.
#[derive(Clone)]
pub(super) struct Slots {
    pub(super) sending: Arc<Semaphore>,
    pub(super) receiving: Arc<Semaphore>,
}

/// What a transfer tells.
pub(super) enum News {
    Running(OfferKey, Route),
    Progress(OfferKey, u64),
    Paused(OfferKey, Pause),
    Failed(OfferKey, OfferFailure),
    Received(
        OfferKey,
        Option<PathBuf>,
        [u8; 32],
        Option<tokio::sync::oneshot::Sender<()>>,
    ),
}

/// Runs one offer to its end.
pub(super) struct Driver {
    pub(super) record: OfferRecord,
    pub(super) meeting: Meeting,
    pub(super) stopped: watch::Receiver<bool>,
    pub(super) news: mpsc::UnboundedSender<News>,
    pub(super) database: Arc<Mutex<Database>>,
    pub(super) slots: Slots,
}

/// One offer over one connection.
struct Transfer {
    key: OfferKey,
    stopped: watch::Receiver<bool>,
    news: mpsc::UnboundedSender<News>,
    database: Arc<Mutex<Database>>,
}

impl Transfer {
    async fn run(
        mut self,
        mut side: Side,
        mut channel: Channel,
    ) -> (Side, Option<Result<(), TransferError>>) {
        let mut stopped = self.stopped.clone();
        let ended = tokio::select! {
            ended = self.pass(&mut side, &mut channel) => Some(ended),
            () = until_stopped(&mut stopped) => None,
        };
        let code = match &ended {
            // The other side learns why by a note; here it is that this connection ends.
            None => Some(AbortCode::Cancelled),
            Some(Ok(())) => None,
            Some(Err(error)) => Some(error.code()),
        };
        channel.close(code).await;
        (side, ended)
    }

    async fn pass(&mut self, side: &mut Side, channel: &mut Channel) -> Result<(), TransferError> {
        channel.adopt()?;
        let key = self.key;
        let mut reporter = Reporter::new(key, self.news.clone(), self.database.clone());
        match side {
            Side::Sending(sending) => {
                let hash = sending.run(channel, &mut reporter).await?;
                let _ = self.news.send(News::Received(key, None, hash, None));
            }
            Side::Receiving(receiving) => {
                let (database, stopped) = (self.database.clone(), self.stopped.clone());
                let choose = move |path: &Path, hash: &[u8; 32]| {
                    // One that was ended at the last moment does not become a file.
                    if *stopped.borrow() {
                        return Err(PartError::NotAsOffered);
                    }
                    let mut database = database.lock().unwrap_or_else(PoisonError::into_inner);
                    database
                        .choose_place(key, path, hash)
                        .map_err(|error| PartError::NotWritable {
                            folder: path.to_owned(),
                            source: std::io::Error::other(error),
                        })
                };
                receiving.run(channel, choose, &mut reporter).await?;
            }
        }
        Ok(())
    }
}

/// Resolves when it is to end.
async fn until_stopped(stopped: &mut watch::Receiver<bool>) {
    // An error means that nobody wants anything any more, which is as good a reason.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Either side of a transfer.
enum Side {
    Sending(Box<Sending>),
    Receiving(Box<Receiving>),
}

impl Driver {
    pub(super) async fn run(mut self) {
        let key = self.record.key;
        if let Some(found) = self.was_put_in_place().await {
            let Finished { path, hash } = found;
            return self.tell(News::Received(key, Some(path), hash, None));
        }
        let mut side = match self.side().await {
            Ok(side) => side,
            Err(failure) => return self.tell(News::Failed(key, failure)),
        };
        loop {
            let mut stopped = self.stopped.clone();
            let met = tokio::select! {
                met = self.meeting.meet() => met,
                () = until_stopped(&mut stopped) => return,
            };
            let (mut channel, route) = met;
            let slots = match side {
                Side::Sending(_) => &self.slots.sending,
                Side::Receiving(_) => &self.slots.receiving,
            };
            let slot = tokio::select! {
                slot = beside(&mut channel, slots.clone().acquire_owned()) => slot,
                () = until_stopped(&mut stopped) => {
                    return channel.close(Some(AbortCode::Cancelled)).await;
                }
            };
            let ended = match slot {
                Err(error) => Some(Err(error)),
                Ok(slot) => {
                    self.tell(News::Running(key, route));
                    let (back, ended) = match self.transfer(side, channel).await {
                        Some(ended) => ended,
                        // A thread that cannot be had, or a panic, which has been told by itself.
                        None => return self.tell(News::Paused(key, Pause::Connection)),
                    };
                    drop(slot);
                    side = back;
                    ended
                }
            };
            let error = match ended {
                None | Some(Ok(())) => return,
                Some(Err(error)) => error,
            };
            tracing::debug!(offer = %key.offer, %error, "a transfer ended");
            match what_then(&error) {
                Then::Fail(failure) => return self.tell(News::Failed(key, failure)),
                Then::Wait(pause) => {
                    self.tell(News::Paused(key, pause));
                    tokio::select! {
                        () = self.wait(pause) => {}
                        () = until_stopped(&mut stopped) => return,
                    }
                }
            }
        }
    }

    /// Runs a transfer on a thread of its own, and closes its connection. Gives the side back, and how it ended; nothing
    /// where it was stopped.
    async fn transfer(
        &self,
        side: Side,
        channel: Channel,
    ) -> Option<(Side, Option<Result<(), TransferError>>)> {
        let work = Transfer {
            key: self.record.key,
            stopped: self.stopped.clone(),
            news: self.news.clone(),
            database: self.database.clone(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .ok()?;
        let (done, ended) = tokio::sync::oneshot::channel();
        std::thread::Builder::new()
            .name("file".to_owned())
            .spawn(move || {
                // Elsewhere it would be the whole program that steps back, and not this thread.
                #[cfg(target_os = "linux")]
                let _ = rustix::process::nice(STEP_BACK);
                let ended = runtime.block_on(work.run(side, channel));
                runtime.shutdown_background();
                let _ = done.send(ended);
            })
            .ok()?;
        ended.await.ok()
    }

    async fn wait(&self, pause: Pause) {
        match pause {
            Pause::Connection => sleep(LOST_WAIT).await,
            Pause::DiskFull if !self.record.key.came => sleep(FULL_WAIT).await,
            Pause::DiskFull => {
                let needed = self.record.offered.stored;
                loop {
                    sleep(FULL_WAIT).await;
                    let (folder, offer) = (self.record.path.clone(), self.record.key.offer);
                    let checked = blocking(move || check_room(&folder, &offer, needed)).await;
                    if matches!(checked, Some(Ok(()))) {
                        return;
                    }
                }
            }
        }
    }

    async fn side(&self) -> Result<Side, OfferFailure> {
        let record = self.record.clone();
        if record.key.came {
            return Ok(Side::Receiving(Box::new(Receiving::new(Target {
                offer: record.key.offer,
                offered: record.offered,
                folder: record.path,
            }))));
        }
        let opened = blocking(move || {
            let scan = Scan::new(&record.path)?;
            let source = scan.open(&record.snapshot)?;
            Ok::<_, SourceError>(Sending::new(source, record.offered))
        });
        match opened.await {
            Some(Ok(sending)) => Ok(Side::Sending(Box::new(sending))),
            Some(Err(error)) => Err(failure_of_source(&error)),
            None => Err(OfferFailure::SourceGone),
        }
    }

    /// Whether an earlier process put it in its place, and ended before it could write that down.
    async fn was_put_in_place(&self) -> Option<Finished> {
        let key = self.record.key;
        if !key.came {
            return None;
        }
        let (database, folder) = (self.database.clone(), self.record.path.clone());
        blocking(move || {
            let database = database.lock().unwrap_or_else(PoisonError::into_inner);
            let (path, hash) = database.chosen_place(key).ok().flatten()?;
            let part = folder.join(part_name(&key.offer));
            // The part became what is there, whole and synced, or it is still there itself.
            let is_there = part.symlink_metadata().is_err() && path.symlink_metadata().is_ok();
            is_there.then_some(Finished { path, hash })
        })
        .await?
    }

    fn tell(&self, news: News) {
        let _ = self.news.send(news);
    }
}

/// What follows an error.
enum Then {
    Fail(OfferFailure),
    Wait(Pause),
}

fn what_then(error: &TransferError) -> Then {
    match error {
        TransferError::Source(error) => Then::Fail(failure_of_source(error)),
        TransferError::Part(PartError::Full { .. })
        | TransferError::Channel(ChannelError::Aborted(AbortCode::DiskFull)) => {
            Then::Wait(Pause::DiskFull)
        }
        TransferError::Part(PartError::NotWritable { .. })
        | TransferError::Channel(ChannelError::Aborted(AbortCode::NotWritable)) => {
            Then::Fail(OfferFailure::NotWritable)
        }
        TransferError::Part(_)
        | TransferError::Channel(
            ChannelError::Protocol(_)
            | ChannelError::Malformed(_)
            | ChannelError::Aborted(AbortCode::Protocol),
        ) => Then::Fail(OfferFailure::Protocol),
        TransferError::Channel(ChannelError::Aborted(AbortCode::SourceChanged)) => {
            Then::Fail(OfferFailure::SourceChanged)
        }
        TransferError::Channel(ChannelError::Aborted(AbortCode::SourceGone)) => {
            Then::Fail(OfferFailure::SourceGone)
        }
        // What the other side's person decided comes by a note; another process may go on with it.
        TransferError::Channel(
            ChannelError::Lost(_) | ChannelError::Tls(_) | ChannelError::Aborted(_),
        )
        | TransferError::Thread => Then::Wait(Pause::Connection),
    }
}

fn failure_of_source(error: &SourceError) -> OfferFailure {
    match error {
        SourceError::Changed(_) | SourceError::NotAFile(_) | SourceError::TooLarge(_) => {
            OfferFailure::SourceChanged
        }
        SourceError::Unreadable { .. } => OfferFailure::SourceGone,
    }
}

/// Tells progress, not too often.
struct Reporter {
    key: OfferKey,
    news: mpsc::UnboundedSender<News>,
    database: Arc<Mutex<Database>>,
    told: Option<Instant>,
    noted: Option<Instant>,
}

impl Reporter {
    fn new(
        key: OfferKey,
        news: mpsc::UnboundedSender<News>,
        database: Arc<Mutex<Database>>,
    ) -> Self {
        Self {
            key,
            news,
            database,
            told: None,
            noted: None,
        }
    }
}

impl Watch for Reporter {
    fn progress(&mut self, done: u64) {
        let is_due = |last: &mut Option<Instant>, interval| {
            let is_due = last.is_none_or(|last| last.elapsed() >= interval);
            if is_due {
                *last = Some(Instant::now());
            }
            is_due
        };
        if is_due(&mut self.told, PROGRESS_TIME) {
            let _ = self.news.send(News::Progress(self.key, done));
        }
        if !self.key.came && is_due(&mut self.noted, NOTE_TIME) {
            let (key, database) = (self.key, self.database.clone());
            tokio::task::spawn_blocking(move || {
                let mut database = database.lock().unwrap_or_else(PoisonError::into_inner);
                // Only for those who look on; the part itself is what is gone on with.
                let _ = database.note_offer_progress(key, done);
            });
        }
    }

    async fn received(&mut self, finished: &Finished) {
        let (written, is_written) = tokio::sync::oneshot::channel();
        let (path, hash) = (Some(finished.path.clone()), finished.hash);
        let _ = self
            .news
            .send(News::Received(self.key, path, hash, Some(written)));
        let _ = is_written.await;
    }
}
