//! A chat session: two tasks, a reader and a writer, that hold nothing while it is idle.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use recado_hub::{Event, SessionNumber};
use recado_proto::frame::{ClientFrame, Malformed};
use recado_proto::framing::FrameSplitter;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use super::Outbox;
use super::accept::Connection;
use crate::hub_task::ShellEvent;

/// How long a write may stand still before the peer counts as gone.
const WRITE_TIME: Duration = Duration::from_secs(30);

/// How long a peer has to close after it was told why, before its socket is closed. Closing with unread bytes
/// would reset the connection and could destroy what it has not read yet.
const LINGER: Duration = Duration::from_secs(2);

/// Bytes gathered into one write: one full TLS record.
const WRITE_BATCH: usize = 16 * 1024;

/// Bytes read at once.
const READ_BATCH: usize = 16 * 1024;

thread_local! {
    /// Where a runtime thread reads into: one for all its sessions, so that an idle one has none.
    static SCRATCH: RefCell<Box<[u8; READ_BATCH]>> = RefCell::new(Box::new([0; READ_BATCH]));
}

/// Starts the two tasks of a session that the hub has been told of.
pub(crate) fn spawn_session(
    stream: TlsStream<TcpStream>,
    session: SessionNumber,
    outbox: Arc<Outbox>,
    events: mpsc::Sender<ShellEvent>,
    connection: Connection,
) {
    let (reader, writer) = tokio::io::split(stream);
    tokio::spawn(write(writer, outbox.clone()));
    tokio::spawn(read(reader, session, outbox, events, connection));
}

async fn read(
    mut reader: ReadHalf<TlsStream<TcpStream>>,
    session: SessionNumber,
    outbox: Arc<Outbox>,
    events: mpsc::Sender<ShellEvent>,
    connection: Connection,
) {
    let mut splitter = FrameSplitter::default();
    loop {
        let mut frames = Vec::new();
        let read = tokio::select! {
            read = poll_fn(|context| {
                poll_read_frames(&mut reader, &mut splitter, &mut frames, context)
            }) => read,
            () = outbox.ended() => break,
        };
        // What a task needs only now and then is boxed, here and in `write`: an idle one would keep room for it.
        if !frames.is_empty() {
            let event = ShellEvent::Frames { session, frames };
            if Box::pin(tell(&events, event)).await.is_err() {
                break;
            }
        }
        match read {
            Ok(0) => break,
            Ok(_) => {}
            Err(ReadError::Malformed(error)) => {
                let detail = error.to_string();
                let event = Event::Malformed { session, detail };
                let _ = Box::pin(tell(&events, ShellEvent::Hub(event))).await;
                // Nothing more can be read; the hub's answer is still written.
                Box::pin(discard(&mut reader, &outbox)).await;
                break;
            }
            Err(ReadError::Io) => break,
        }
    }
    outbox.end();
    let event = Event::Disconnected { session };
    let _ = Box::pin(tell(&events, ShellEvent::Hub(event))).await;
    drop(connection);
}

/// The hub is gone.
struct HubGone;

async fn tell(events: &mpsc::Sender<ShellEvent>, event: ShellEvent) -> Result<(), HubGone> {
    let place = events.reserve().await.map_err(|_| HubGone)?;
    place.send(event);
    Ok(())
}

/// Why reading ended.
enum ReadError {
    Malformed(Malformed),
    /// The connection broke; there is nobody to tell.
    Io,
}

impl From<Malformed> for ReadError {
    fn from(error: Malformed) -> Self {
        Self::Malformed(error)
    }
}

impl From<recado_proto::framing::FrameTooLong> for ReadError {
    fn from(error: recado_proto::framing::FrameTooLong) -> Self {
        Self::Malformed(error.into())
    }
}

/// Reads what is there, and cuts it into frames. Returns how many bytes there were; 0 is the end.
fn poll_read_frames(
    reader: &mut ReadHalf<TlsStream<TcpStream>>,
    splitter: &mut FrameSplitter,
    frames: &mut Vec<ClientFrame>,
    context: &mut Context<'_>,
) -> Poll<Result<usize, ReadError>> {
    SCRATCH.with_borrow_mut(|scratch| {
        let mut buffer = ReadBuf::new(&mut scratch[..]);
        ready!(Pin::new(reader).poll_read(context, &mut buffer)).map_err(|_| ReadError::Io)?;
        splitter.push(buffer.filled(), |frame| {
            // A frame of a later version is passed over.
            frames.extend(ClientFrame::decode(frame)?);
            Ok::<_, ReadError>(())
        })?;
        Poll::Ready(Ok(buffer.filled().len()))
    })
}

/// Reads and drops, until the peer closes or the writer has ended the session.
async fn discard(reader: &mut ReadHalf<TlsStream<TcpStream>>, outbox: &Outbox) {
    let drained = poll_fn(|context| {
        SCRATCH.with_borrow_mut(|scratch| {
            loop {
                let mut buffer = ReadBuf::new(&mut scratch[..]);
                match ready!(Pin::new(&mut *reader).poll_read(context, &mut buffer)) {
                    Ok(()) if !buffer.filled().is_empty() => {}
                    _ => return Poll::Ready(()),
                }
            }
        })
    });
    tokio::select! {
        () = drained => {}
        () = outbox.ended() => {}
    }
}

async fn write(mut writer: WriteHalf<TlsStream<TcpStream>>, outbox: Arc<Outbox>) {
    while let Some(batch) = outbox.next_batch().await {
        if Box::pin(write_batch(&mut writer, batch)).await.is_err() {
            return outbox.end();
        }
    }
    let _ = Box::pin(timeout(LINGER, writer.shutdown())).await;
    let _ = Box::pin(timeout(LINGER, outbox.ended_by_reader())).await;
    outbox.end();
}

/// Writes frames, small ones together.
async fn write_batch(
    writer: &mut WriteHalf<TlsStream<TcpStream>>,
    batch: VecDeque<Bytes>,
) -> io::Result<()> {
    if let ([frame], []) = batch.as_slices() {
        return write_all(writer, frame).await;
    }
    let mut together = Vec::with_capacity(WRITE_BATCH.min(batch.iter().map(|f| f.len()).sum()));
    for frame in batch {
        if together.len() + frame.len() > WRITE_BATCH && !together.is_empty() {
            write_all(writer, &together).await?;
            together.clear();
        }
        together.extend_from_slice(&frame);
    }
    write_all(writer, &together).await
}

/// Writes bytes; each part of them must be taken in time.
async fn write_all(writer: &mut WriteHalf<TlsStream<TcpStream>>, bytes: &[u8]) -> io::Result<()> {
    for part in bytes.chunks(WRITE_BATCH) {
        let written = timeout(WRITE_TIME, async {
            writer.write_all(part).await?;
            writer.flush().await
        });
        written.await.map_err(|_| io::ErrorKind::TimedOut)??;
    }
    Ok(())
}
