//! One offer over one connection: what its sender and its receiver do. The disk has a thread of its own on both sides,
//! so that reading, hashing and writing go on beside sealing and the network.

use std::io;
use std::path::{Path, PathBuf};

use recado_engine::files::{ChainingValue, GroupEnd, matching_groups};
use recado_proto::file::{AbortCode, ListEntry, Offered, StreamFrame, group_size, list_parts};
use recado_proto::id::OfferId;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::channel::{Channel, ChannelError, Incoming, PIECE};
use super::part::{Finished, Part, PartError};
use super::source::{Next, Source, SourceError};

/// Pieces that may wait between a disk and a connection.
const AHEAD: usize = 4;

/// Chaining values in one frame.
const VALUES_PER_FRAME: usize = 2048;

/// How often the sender is told what is verified, at most.
const VERIFIED_INTERVAL: std::time::Duration = std::time::Duration::from_millis(100);

/// Why a transfer ended before it was complete.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransferError {
    /// The connection.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The sender's disk.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The receiver's disk.
    #[error(transparent)]
    Part(#[from] PartError),
    /// A thread is gone, which has told why.
    #[error("the disk's thread has ended")]
    Thread,
}

impl TransferError {
    /// What the other side is told.
    pub(crate) fn code(&self) -> AbortCode {
        match self {
            Self::Source(SourceError::Changed(_)) => AbortCode::SourceChanged,
            Self::Source(_) => AbortCode::SourceGone,
            Self::Part(PartError::Full { .. }) => AbortCode::DiskFull,
            Self::Part(PartError::NotWritable { .. }) => AbortCode::NotWritable,
            Self::Part(PartError::List(_) | PartError::NotAsOffered) => AbortCode::Protocol,
            Self::Channel(ChannelError::Protocol(_) | ChannelError::Malformed(_)) => {
                AbortCode::Protocol
            }
            Self::Channel(_) | Self::Thread => AbortCode::Unspecified,
        }
    }
}

/// What is told of a transfer while it goes on.
pub(crate) trait Watch {
    /// So many bytes are verified by the receiver.
    fn progress(&mut self, done: u64);

    /// All is received; the sender is told once this returns.
    fn received(&mut self, finished: &Finished) -> impl Future<Output = ()>;
}

// The sender.

/// The next of the contents, on its way from the disk.
enum Piece {
    Contents {
        /// Bytes of the group that begins here.
        group: Option<u32>,
        bytes: Vec<u8>,
        /// Of the group that ends here.
        check: Option<ChainingValue>,
    },
    Hole(Option<ChainingValue>),
    End([u8; 32]),
    Failed(SourceError),
}

/// What is sent. It is kept from one connection to the next: what is known of its contents need not be read again.
pub(crate) struct Sending {
    /// `None` while the disk's thread has it.
    source: Option<Source>,
    offered: Offered,
}

impl Sending {
    pub(crate) fn new(source: Source, offered: Offered) -> Self {
        Self {
            source: Some(source),
            offered,
        }
    }

    /// Sends all of it, from where the receiver's part ends; returns once the receiver has it whole on its disk.
    pub(crate) async fn run(
        &mut self,
        channel: &mut Channel,
        watch: &mut impl Watch,
    ) -> Result<[u8; 32], TransferError> {
        let source = self.source.as_ref().ok_or(TransferError::Thread)?;
        if self.offered.folder.is_some() {
            for part in list_parts(source.entries()) {
                channel.queue(&part)?;
                channel.flush().await?;
            }
        }
        channel.queue(&StreamFrame::Ready)?;
        channel.flush().await?;
        let theirs = self.what_they_have(channel).await?;
        let start = self.common_groups(channel, theirs).await?;
        channel.queue(&StreamFrame::Start(start))?;
        let size = self.offered.size;
        watch.progress(start.saturating_mul(group_size(size)).min(size));
        let mut source = self.source.take().ok_or(TransferError::Thread)?;
        source.go_to(start);
        let (sender, pieces) = mpsc::channel(AHEAD);
        let (spare, spares) = std::sync::mpsc::channel();
        let reading = spawn("read", move || {
            read(&mut source, &sender, &spares);
            source
        })?;
        let sent = send(channel, pieces, &spare, watch).await;
        // The thread has nobody to give pieces to any more.
        drop(spare);
        self.source = join(reading).await;
        sent
    }

    /// The chaining values that the receiver says it has.
    async fn what_they_have(
        &self,
        channel: &mut Channel,
    ) -> Result<Vec<ChainingValue>, TransferError> {
        let groups = self.offered.size.div_ceil(group_size(self.offered.size));
        let mut theirs = Vec::new();
        loop {
            match channel.frame().await? {
                StreamFrame::Have(values) => theirs.extend(values),
                StreamFrame::Go => return Ok(theirs),
                _ => return Err(ChannelError::Protocol("a frame out of turn").into()),
            }
            if theirs.len() as u64 > groups {
                return Err(ChannelError::Protocol("more groups than there are").into());
            }
        }
    }

    /// How many of those are the same here. What is not known of them is read first.
    async fn common_groups(
        &mut self,
        channel: &mut Channel,
        theirs: Vec<ChainingValue>,
    ) -> Result<u64, TransferError> {
        let known = |source: &Source| source.tree().values().len();
        let mut source = self.source.take().ok_or(TransferError::Thread)?;
        if known(&source) < theirs.len() {
            let groups = theirs.len();
            let reading = spawn("read", move || {
                let (mut buffer, from) = (Vec::with_capacity(PIECE), known(&source));
                source.go_to(from as u64);
                let mut read = Ok(());
                while known(&source) < groups && read.is_ok() {
                    read = source.read(&mut buffer).map(drop);
                }
                (source, read)
            })?;
            let (back, read) = beside(channel, join(reading))
                .await?
                .ok_or(TransferError::Thread)?;
            source = back;
            if let Err(error) = read {
                self.source = Some(source);
                return Err(error.into());
            }
        }
        let common = matching_groups(source.tree().values(), &theirs);
        self.source = Some(source);
        Ok(common)
    }
}

/// Reads until the end, or until nobody takes it.
fn read(
    source: &mut Source,
    pieces: &mpsc::Sender<Piece>,
    spares: &std::sync::mpsc::Receiver<Vec<u8>>,
) {
    loop {
        let mut bytes: Vec<u8> = spares.try_recv().unwrap_or_default();
        let piece = match source.read(&mut bytes) {
            Ok((Next::Contents { group }, check)) => Piece::Contents {
                // A group has no more than a frame may have.
                group: group.map(|length| u32::try_from(length).unwrap_or(u32::MAX)),
                bytes,
                check,
            },
            Ok((Next::Hole, check)) => Piece::Hole(check),
            Ok((Next::End, _)) => match source.tree().hash() {
                Some(hash) => Piece::End(hash),
                None => return,
            },
            Err(error) => Piece::Failed(error),
        };
        let is_last = matches!(piece, Piece::End(_) | Piece::Failed(_));
        if pieces.blocking_send(piece).is_err() || is_last {
            return;
        }
    }
}

async fn send(
    channel: &mut Channel,
    mut pieces: mpsc::Receiver<Piece>,
    spare: &std::sync::mpsc::Sender<Vec<u8>>,
    watch: &mut impl Watch,
) -> Result<[u8; 32], TransferError> {
    let mut ended = None;
    loop {
        while let Some(incoming) = channel.next() {
            match incoming {
                Incoming::Frame(StreamFrame::Verified(done)) => watch.progress(done),
                Incoming::Frame(StreamFrame::Received(hash)) if ended == Some(hash) => {
                    return Ok(hash);
                }
                Incoming::Frame(StreamFrame::Abort(code)) => {
                    return Err(ChannelError::Aborted(code).into());
                }
                Incoming::Frame(StreamFrame::Pulse) => {}
                _ => return Err(ChannelError::Protocol("a frame out of turn").into()),
            }
        }
        if channel.is_over() {
            return Err(lost().into());
        }
        let may_take = ended.is_none() && channel.is_flushed();
        tokio::select! {
            piece = pieces.recv(), if may_take => match piece.ok_or(TransferError::Thread)? {
                Piece::Contents { group, bytes, check } => {
                    if let Some(length) = group {
                        channel.queue(&StreamFrame::Data(length))?;
                    }
                    channel.queue_contents(&bytes)?;
                    let _ = spare.send(bytes);
                    queue_check(channel, check)?;
                }
                Piece::Hole(check) => {
                    channel.queue(&StreamFrame::Hole)?;
                    queue_check(channel, check)?;
                }
                Piece::End(hash) => {
                    channel.queue(&StreamFrame::End(hash))?;
                    ended = Some(hash);
                }
                Piece::Failed(error) => return Err(error.into()),
            },
            turned = channel.turn(channel.has_room()) => turned?,
        }
    }
}

fn queue_check(channel: &mut Channel, check: Option<ChainingValue>) -> Result<(), ChannelError> {
    match check {
        Some(value) => channel.queue(&StreamFrame::Check(value)),
        None => Ok(()),
    }
}

// The receiver.

/// What is received, and where it goes.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) offer: OfferId,
    pub(crate) offered: Offered,
    /// The folder for downloads.
    pub(crate) folder: PathBuf,
}

/// What is received. It is kept from one connection to the next: what is there need not be read again.
pub(crate) struct Receiving {
    target: Target,
    /// `None` before the first connection, and after a disk has failed.
    part: Option<Part>,
    /// While the disk's thread has it.
    writing: Option<Thread<Option<Part>>>,
}

/// What the disk's thread is to do.
enum Job {
    GoTo(u64),
    Contents(Vec<u8>),
    Hole,
    Check(ChainingValue),
    Finish([u8; 32]),
}

/// What it has done.
enum Reply {
    Opened(Vec<ChainingValue>),
    Verified(u64),
    Spare(Vec<u8>),
    Finished(Finished),
    Failed(PartError),
}

impl Receiving {
    pub(crate) fn new(target: Target) -> Self {
        Self {
            target,
            part: None,
            writing: None,
        }
    }

    /// Receives all of it, from where the part ends. `choose` is told its place before that is taken.
    pub(crate) async fn run(
        &mut self,
        channel: &mut Channel,
        choose: impl FnMut(&Path, &[u8; 32]) -> Result<(), PartError> + Send + 'static,
        watch: &mut impl Watch,
    ) -> Result<Finished, TransferError> {
        let entries = self.list(channel).await?;
        let (jobs, queue) = mpsc::channel(AHEAD);
        let (tell, mut replies) = mpsc::unbounded_channel();
        let (target, part) = (self.target.clone(), self.part.take());
        self.writing = Some(spawn("write", move || {
            let written = write(&target, part, entries, queue, &tell, choose);
            written.unwrap_or_else(|error| {
                let _ = tell.send(Reply::Failed(error));
                None
            })
        })?);
        let size = self.target.offered.size;
        let received = take(size, channel, &jobs, &mut replies, watch).await;
        drop(jobs);
        // It writes what it has, so that the next connection finds it.
        self.settle().await;
        received
    }

    /// Waits until the disk's thread has ended, after [`run`](Self::run) or when that was dropped.
    pub(crate) async fn settle(&mut self) {
        if let Some(writing) = self.writing.take() {
            self.part = join(writing).await.flatten();
        }
    }

    /// The list of a folder, which must be the one that was offered.
    async fn list(&self, channel: &mut Channel) -> Result<Vec<ListEntry>, TransferError> {
        let (most, expected) = match &self.target.offered.folder {
            None => (0, None),
            Some(folder) => (folder.entries, Some(folder.list)),
        };
        let (mut entries, mut hash) = (Vec::new(), blake3::Hasher::new());
        loop {
            let frame = channel.frame().await?;
            match frame {
                StreamFrame::List(_) => {
                    let mut bytes = Vec::new();
                    frame.encode(&mut bytes);
                    hash.update(&bytes);
                    let StreamFrame::List(part) = frame else {
                        continue;
                    };
                    entries.extend(part);
                    if entries.len() as u64 > most {
                        return Err(PartError::NotAsOffered.into());
                    }
                }
                StreamFrame::Ready => break,
                _ => return Err(ChannelError::Protocol("a frame out of turn").into()),
            }
        }
        if expected.is_some_and(|expected| expected != *hash.finalize().as_bytes()) {
            return Err(PartError::NotAsOffered.into());
        }
        Ok(entries)
    }
}

/// Takes contents until all are there.
async fn take(
    size: u64,
    channel: &mut Channel,
    jobs: &mpsc::Sender<Job>,
    replies: &mut mpsc::UnboundedReceiver<Reply>,
    watch: &mut impl Watch,
) -> Result<Finished, TransferError> {
    let values = match beside(channel, replies.recv()).await? {
        Some(Reply::Opened(values)) => values,
        Some(Reply::Failed(error)) => return Err(error.into()),
        _ => return Err(TransferError::Thread),
    };
    for values in values.chunks(VALUES_PER_FRAME) {
        channel.queue(&StreamFrame::Have(values.to_vec()))?;
        channel.flush().await?;
    }
    channel.queue(&StreamFrame::Go)?;
    channel.flush().await?;
    let start = match channel.frame().await? {
        StreamFrame::Start(start) if start <= values.len() as u64 => start,
        _ => return Err(ChannelError::Protocol("a frame out of turn").into()),
    };
    hand(jobs, Job::GoTo(start)).await?;
    watch.progress(start.saturating_mul(group_size(size)).min(size));
    let (mut told_at, mut verified, mut told) = (Instant::now(), 0, 0);
    let mut next = None;
    loop {
        while let Some(reply) = next.take().or_else(|| replies.try_recv().ok()) {
            match reply {
                Reply::Verified(position) => verified = position,
                Reply::Spare(buffer) => channel.recycle(buffer),
                Reply::Failed(error) => return Err(error.into()),
                Reply::Opened(_) | Reply::Finished(_) => return Err(TransferError::Thread),
            }
        }
        if verified != told && (told_at.elapsed() >= VERIFIED_INTERVAL || verified == size) {
            (told_at, told) = (Instant::now(), verified);
            watch.progress(verified);
            channel.queue(&StreamFrame::Verified(verified))?;
        }
        let job = match channel.next() {
            Some(Incoming::Contents(bytes)) => Job::Contents(bytes),
            Some(Incoming::Frame(StreamFrame::Data(_) | StreamFrame::Pulse)) => continue,
            Some(Incoming::Frame(StreamFrame::Hole)) => Job::Hole,
            Some(Incoming::Frame(StreamFrame::Check(value))) => Job::Check(value),
            Some(Incoming::Frame(StreamFrame::End(hash))) => {
                hand(jobs, Job::Finish(hash)).await?;
                return finish(channel, replies, watch).await;
            }
            Some(Incoming::Frame(StreamFrame::Abort(code))) => {
                return Err(ChannelError::Aborted(code).into());
            }
            Some(Incoming::Frame(_)) => {
                return Err(ChannelError::Protocol("a frame out of turn").into());
            }
            None if channel.is_over() => return Err(lost().into()),
            None => {
                tokio::select! {
                    reply = replies.recv() => next = Some(reply.ok_or(TransferError::Thread)?),
                    turned = channel.turn(true) => turned?,
                }
                continue;
            }
        };
        // While the disk is slow, nothing is read; what is said of the other side's end is read after.
        hand(jobs, job).await?;
    }
}

/// Waits until all is verified, synced and in its place, and says so.
async fn finish(
    channel: &mut Channel,
    replies: &mut mpsc::UnboundedReceiver<Reply>,
    watch: &mut impl Watch,
) -> Result<Finished, TransferError> {
    loop {
        match beside(channel, replies.recv()).await? {
            Some(Reply::Finished(finished)) => {
                watch.received(&finished).await;
                // Whether this arrives or not, it is received.
                if channel.queue(&StreamFrame::Received(finished.hash)).is_ok() {
                    let _ = channel.flush().await;
                }
                return Ok(finished);
            }
            Some(Reply::Verified(position)) => watch.progress(position),
            Some(Reply::Failed(error)) => return Err(error.into()),
            Some(Reply::Spare(_)) => {}
            Some(Reply::Opened(_)) | None => return Err(TransferError::Thread),
        }
    }
}

async fn hand(jobs: &mpsc::Sender<Job>, job: Job) -> Result<(), TransferError> {
    // A thread that has failed says so by its last reply; jobs are not taken any more.
    match jobs.send(job).await {
        Ok(()) => Ok(()),
        Err(_) => Ok(tokio::task::yield_now().await),
    }
}

/// Does jobs until there are no more; gives the part back.
fn write(
    target: &Target,
    part: Option<Part>,
    entries: Vec<ListEntry>,
    mut jobs: mpsc::Receiver<Job>,
    tell: &mpsc::UnboundedSender<Reply>,
    mut choose: impl FnMut(&Path, &[u8; 32]) -> Result<(), PartError>,
) -> Result<Option<Part>, PartError> {
    let mut part = match part {
        Some(part) => part,
        None => Part::open(&target.folder, &target.offer, &target.offered, entries)?,
    };
    let _ = tell.send(Reply::Opened(part.tree().values().to_vec()));
    // Of the group that is complete and not compared.
    let mut complete: Option<GroupEnd> = None;
    while let Some(job) = jobs.blocking_recv() {
        match job {
            Job::GoTo(group) => part.go_to(group)?,
            Job::Contents(_) | Job::Hole | Job::Finish(_) if complete.is_some() => {
                return Err(PartError::NotAsOffered);
            }
            Job::Contents(bytes) => {
                complete = part.write(&bytes)?;
                let _ = tell.send(Reply::Spare(bytes));
            }
            // Only whole groups are skipped.
            Job::Hole if part.tree().position() != part.tree().verified() => {
                return Err(PartError::NotAsOffered);
            }
            Job::Hole => complete = part.skip()?,
            Job::Check(value) => {
                let end = complete.take().filter(|end| end.value == value);
                let end = end.ok_or(PartError::NotAsOffered)?;
                let _ = tell.send(Reply::Verified(end.position));
            }
            Job::Finish(hash) => {
                let finished = part.finish(&hash, |path| choose(path, &hash))?;
                let _ = tell.send(Reply::Finished(finished));
                return Ok(None);
            }
        }
    }
    Ok(Some(part))
}

// Both.

/// Waits for something that is not the connection's, and keeps the connection alive meanwhile.
pub(super) async fn beside<T>(
    channel: &mut Channel,
    awaited: impl Future<Output = T>,
) -> Result<T, TransferError> {
    let mut awaited = std::pin::pin!(awaited);
    loop {
        tokio::select! {
            done = &mut awaited => return Ok(done),
            turned = channel.turn(channel.has_room()) => turned?,
        }
        if channel.is_over() {
            return Err(lost().into());
        }
        if let Some(code) = channel.take_abort() {
            return Err(ChannelError::Aborted(code).into());
        }
    }
}

fn lost() -> ChannelError {
    ChannelError::Lost(io::ErrorKind::UnexpectedEof.into())
}

/// A thread for the disk, and how its end is waited for.
type Thread<T> = tokio::sync::oneshot::Receiver<T>;

fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<Thread<T>, TransferError> {
    let (sender, done) = tokio::sync::oneshot::channel();
    std::thread::Builder::new()
        .name(format!("file {name}"))
        .spawn(move || drop(sender.send(work())))
        .map_err(|_| TransferError::Thread)?;
    Ok(done)
}

/// `None` if it panicked, which has been told by itself.
async fn join<T>(thread: Thread<T>) -> Option<T> {
    thread.await.ok()
}

#[cfg(test)]
mod tests;
