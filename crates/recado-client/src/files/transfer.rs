//! One offer over one connection: what its sender and its receiver do.
//!
//! Each transfer has a thread of its own, which reads and writes the disk too: a piece is hashed and sealed, or opened,
//! hashed and written, while it is in a processor's cache, and the kernel's buffers keep the network busy meanwhile.
//! What may take the disk long, as reading again what is there already, goes on beside the connection.

use std::io;
use std::path::{Path, PathBuf};

use recado_engine::files::{ChainingValue, GroupEnd, matching_groups};
use recado_proto::file::{AbortCode, ListEntry, Offered, StreamFrame, group_size, list_parts};
use recado_proto::id::OfferId;
use tokio::time::Instant;

use super::channel::{Channel, ChannelError, Incoming};
use super::part::{Finished, Part, PartError};
use super::source::{Next, Source, SourceError};

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
    #[error("a thread has ended")]
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
        let source = self.source.as_mut().ok_or(TransferError::Thread)?;
        source.go_to(start);
        send(channel, source, watch).await
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
                let (mut buffer, from) = (Vec::new(), known(&source));
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

async fn send(
    channel: &mut Channel,
    source: &mut Source,
    watch: &mut impl Watch,
) -> Result<[u8; 32], TransferError> {
    let (mut ended, mut buffer) = (None, Vec::new());
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
        if ended.is_none() && channel.is_flushed() {
            match source.read(&mut buffer)? {
                (Next::Contents { group }, check) => {
                    if let Some(length) = group {
                        // A group has no more than a frame may have.
                        let length = u32::try_from(length).unwrap_or(u32::MAX);
                        channel.queue(&StreamFrame::Data(length))?;
                    }
                    channel.queue_contents(&buffer)?;
                    queue_check(channel, check)?;
                }
                (Next::Hole, check) => {
                    channel.queue(&StreamFrame::Hole)?;
                    queue_check(channel, check)?;
                }
                (Next::End, _) => {
                    let hash = source.tree().hash().ok_or(TransferError::Thread)?;
                    channel.queue(&StreamFrame::End(hash))?;
                    ended = Some(hash);
                }
            }
        }
        channel.turn(channel.has_room()).await?;
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
}

impl Receiving {
    pub(crate) fn new(target: Target) -> Self {
        Self { target, part: None }
    }

    /// Receives all of it, from where the part ends. `choose` is told its place before that is taken.
    pub(crate) async fn run(
        &mut self,
        channel: &mut Channel,
        mut choose: impl FnMut(&Path, &[u8; 32]) -> Result<(), PartError> + Send + 'static,
        watch: &mut impl Watch,
    ) -> Result<Finished, TransferError> {
        let entries = self.list(channel).await?;
        let mut part = match self.part.take() {
            Some(part) => part,
            None => {
                let target = self.target.clone();
                let opening = spawn("read", move || {
                    Part::open(&target.folder, &target.offer, &target.offered, entries)
                })?;
                let opened = beside(channel, join(opening)).await?;
                opened.ok_or(TransferError::Thread)??
            }
        };
        let hash = match take(channel, &mut part, watch).await {
            Ok(hash) => hash,
            // After a failure of the disk it is not known what is there: it is read again.
            Err(error @ TransferError::Part(_)) => return Err(error),
            Err(error) => {
                self.part = Some(part);
                return Err(error);
            }
        };
        let finishing = spawn("sync", move || {
            part.finish(&hash, |path| choose(path, &hash))
        })?;
        // What is all there is put in its place whether the connection lasts or not: the sender hears of it by a note.
        let finished = whatever_happens(channel, join(finishing)).await;
        let finished = finished.ok_or(TransferError::Thread)??;
        watch.received(&finished).await;
        // Whether this arrives or not, it is received.
        if channel.queue(&StreamFrame::Received(hash)).is_ok() {
            let _ = channel.flush().await;
        }
        Ok(finished)
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

/// Takes contents until all are there; gives the hash that the sender has of them.
async fn take(
    channel: &mut Channel,
    part: &mut Part,
    watch: &mut impl Watch,
) -> Result<[u8; 32], TransferError> {
    let have = part.tree().values().len() as u64;
    for values in part.tree().values().chunks(VALUES_PER_FRAME) {
        channel.queue(&StreamFrame::Have(values.to_vec()))?;
        channel.flush().await?;
    }
    channel.queue(&StreamFrame::Go)?;
    channel.flush().await?;
    match channel.frame().await? {
        StreamFrame::Start(start) if start <= have => part.go_to(start)?,
        _ => return Err(ChannelError::Protocol("a frame out of turn").into()),
    }
    let size = part.tree().size();
    let (mut verified, mut told, mut told_at) = (part.tree().verified(), 0, Instant::now());
    watch.progress(verified);
    // Of the group that is complete and not compared.
    let mut complete: Option<GroupEnd> = None;
    loop {
        while let Some(incoming) = channel.next() {
            match incoming {
                Incoming::Frame(StreamFrame::Data(_) | StreamFrame::Pulse) => {}
                Incoming::Frame(StreamFrame::Abort(code)) => {
                    return Err(ChannelError::Aborted(code).into());
                }
                Incoming::Frame(StreamFrame::Check(value)) => {
                    let end = complete.take().filter(|end| end.value == value);
                    verified = end.ok_or(PartError::NotAsOffered)?.position;
                }
                _ if complete.is_some() => return Err(PartError::NotAsOffered.into()),
                Incoming::Contents(bytes) => {
                    complete = part.write(&bytes)?;
                    channel.recycle(bytes);
                }
                Incoming::Frame(StreamFrame::Hole) => {
                    // Only whole groups are skipped.
                    if part.tree().position() != part.tree().verified() {
                        return Err(PartError::NotAsOffered.into());
                    }
                    complete = part.skip()?;
                    // Many may have come at once, and each takes as long as its zeros take to hash.
                    beside(channel, tokio::task::yield_now()).await?;
                }
                Incoming::Frame(StreamFrame::End(hash)) => {
                    watch.progress(verified);
                    return Ok(hash);
                }
                Incoming::Frame(_) => {
                    return Err(ChannelError::Protocol("a frame out of turn").into());
                }
            }
        }
        if channel.is_over() {
            return Err(lost().into());
        }
        if verified != told && (told_at.elapsed() >= VERIFIED_INTERVAL || verified == size) {
            (told_at, told) = (Instant::now(), verified);
            watch.progress(verified);
            channel.queue(&StreamFrame::Verified(verified))?;
        }
        channel.turn(true).await?;
    }
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

/// Waits for something, and keeps the connection alive meanwhile, for as long as it lasts.
async fn whatever_happens<T>(channel: &mut Channel, awaited: impl Future<Output = T>) -> T {
    let mut awaited = std::pin::pin!(awaited);
    match beside(channel, &mut awaited).await {
        Ok(done) => done,
        Err(_) => awaited.await,
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
