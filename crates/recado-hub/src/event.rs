//! The hub's doors: what happens to it, and what it has the shell do.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use recado_proto::datagram::Check;
use recado_proto::frame::{ClientFrame, GlobalMessage, ServerFrame};
use recado_proto::id::{ConnectionId, RemoteKey, SessionId};
use recado_proto::relay::RelayToken;

use crate::backend::{BackendAnswer, BackendRequest};
use crate::operator::{OperatorAnswer, OperatorCommand, OperatorError, OperatorNumber};
use crate::relay::RelayNumber;
use crate::session::SessionNumber;

/// The two proofs of a session's datagram keys, derived by the shell from the TLS exporter.
#[derive(Clone, Copy, Debug)]
pub struct DatagramChecks {
    /// What the server sends.
    pub server: Check,
    /// What the client must send.
    pub client: Check,
}

/// What happens to the hub.
#[derive(Debug)]
pub enum Event {
    /// A TLS handshake with a client certificate is complete.
    Connected {
        /// The number of the new session.
        session: SessionNumber,
        /// The key that signed the handshake.
        key: RemoteKey,
        /// Where it comes from.
        address: IpAddr,
        /// Drawn at random by the shell.
        id: SessionId,
        /// Drawn at random by the shell.
        connection: ConnectionId,
        /// Of the keys derived with these.
        checks: DatagramChecks,
    },
    /// A frame has come.
    Frame {
        /// Its session.
        session: SessionNumber,
        /// The frame.
        frame: ClientFrame,
    },
    /// Bytes came that are no frame.
    Malformed {
        /// Their session.
        session: SessionNumber,
        /// What is wrong, for the log and for the client's developer.
        detail: String,
    },
    /// A message for everyone came by datagram.
    Datagram {
        /// Its sender.
        session: SessionNumber,
        /// The message.
        message: GlobalMessage,
    },
    /// A probe that asks for a report came by datagram.
    ProbeHeard {
        /// Its session.
        session: SessionNumber,
        /// The probe's.
        nonce: u64,
    },
    /// Datagrams to the session are confirmed to arrive, or not any more.
    Path {
        /// The session.
        session: SessionNumber,
        /// Whether they arrive.
        up: bool,
    },
    /// More was to be sent than the session's queue holds; the queue has been emptied.
    TooSlow {
        /// The session.
        session: SessionNumber,
    },
    /// The connection has ended.
    Disconnected {
        /// Its session.
        session: SessionNumber,
    },
    /// A relay has ended, or its connections did not come in time.
    RelayClosed(RelayNumber),
    /// Answers of the backend.
    Backend(Vec<BackendAnswer>),
    /// The operator wants something.
    Operator {
        /// Comes back in the answer.
        number: OperatorNumber,
        /// What.
        command: OperatorCommand,
    },
    /// The server is to stop: everyone is told, and nobody new is let in.
    Shutdown,
}

/// What the shell is to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Send these bytes, which are one or more frames.
    Send {
        /// To this session.
        session: SessionNumber,
        /// Shared where many get the same.
        frames: Bytes,
        /// Dropped where much waits already: global messages give way to what only this session gets.
        droppable: bool,
    },
    /// Close the connection once what was sent has gone out.
    Close {
        /// The session, which the hub has forgotten.
        session: SessionNumber,
        /// Why, for the log.
        reason: &'static str,
    },
    /// Ask the backend.
    Backend(BackendRequest),
    /// Let the session's datagrams begin.
    OpenDatagrams {
        /// The session.
        session: SessionNumber,
    },
    /// The session's datagrams do not arrive: its path is to be confirmed anew.
    DatagramsLost {
        /// The session.
        session: SessionNumber,
    },
    /// Send a datagram along the session's path, if it is confirmed.
    ProbeBack {
        /// The session.
        session: SessionNumber,
    },
    /// Join the two connections that come with these tokens, each once and within
    /// [`RELAY_PATIENCE`](crate::RELAY_PATIENCE). The end is told by [`Event::RelayClosed`], once.
    OpenRelay {
        /// The relay.
        number: RelayNumber,
        /// Of one side and of the other.
        tokens: [RelayToken; 2],
    },
    /// Seal this for everyone whose path is confirmed.
    FanOut {
        /// The plaintext of a datagram.
        plaintext: Arc<[u8]>,
    },
    /// Tell the operator what came of a command: each has one answer.
    OperatorAnswer {
        /// Which.
        number: OperatorNumber,
        /// What came of it; if anything was to become durable, it is.
        result: Result<OperatorAnswer, OperatorError>,
    },
}

/// Bytes after which what one session gets is no longer gathered: a few records of TLS.
const GATHER_BYTES: usize = 64 * 1024;

/// What the hub has decided and the shell has not taken. What one session alone gets is gathered, so that it is handed
/// over, sealed and sent together.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    queue: VecDeque<Queued>,
    /// The place of the first of `queue`, counted from the beginning.
    first: usize,
    /// Where frames for a session are being gathered.
    gathering: BTreeMap<SessionNumber, usize>,
}

#[derive(Debug)]
enum Queued {
    Output(Output),
    Frames {
        session: SessionNumber,
        frames: Vec<u8>,
    },
}

impl Outputs {
    pub(crate) fn push(&mut self, output: Output) {
        // What follows it must not overtake it.
        if let Output::Send { session, .. } | Output::Close { session, .. } = &output {
            self.gathering.remove(session);
        }
        self.queue.push_back(Queued::Output(output));
    }

    pub(crate) fn pop(&mut self) -> Option<Output> {
        let queued = self.queue.pop_front()?;
        let place = self.first;
        self.first = self.first.wrapping_add(1);
        Some(match queued {
            Queued::Output(output) => output,
            Queued::Frames { session, frames } => {
                if self.gathering.get(&session) == Some(&place) {
                    self.gathering.remove(&session);
                }
                Output::Send {
                    session,
                    frames: frames.into(),
                    droppable: false,
                }
            }
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn ask(&mut self, request: BackendRequest) {
        self.push(Output::Backend(request));
    }

    /// Sends one frame, which is not dropped.
    pub(crate) fn send(&mut self, session: SessionNumber, frame: ServerFrame) {
        append(self.frames(session), frame);
    }

    /// Sends frames that many get, or that may be dropped.
    pub(crate) fn send_encoded(&mut self, session: SessionNumber, frames: Bytes, droppable: bool) {
        self.push(Output::Send {
            session,
            frames,
            droppable,
        });
    }

    /// Where to append a frame for a session.
    fn frames(&mut self, session: SessionNumber) -> &mut Vec<u8> {
        let gathering = self.gathering.get(&session).copied();
        let at = gathering.map(|place| place.wrapping_sub(self.first));
        let has_room = |queued: &Queued| matches!(queued, Queued::Frames { frames, .. } if frames.len() < GATHER_BYTES);
        let at = match at.filter(|at| self.queue.get(*at).is_some_and(has_room)) {
            Some(at) => at,
            None => {
                let at = self.queue.len();
                let frames = Vec::new();
                self.queue.push_back(Queued::Frames { session, frames });
                self.gathering.insert(session, self.first.wrapping_add(at));
                at
            }
        };
        match self.queue.get_mut(at) {
            Some(Queued::Frames { frames, .. }) => frames,
            _ => unreachable!("it was found or made above"),
        }
    }
}

#[expect(
    clippy::expect_used,
    reason = "what the server sends is bounded below a frame's length: text by MAX_TEXT, people by MAX_PEOPLE_PER_FRAME"
)]
pub(crate) fn append(bytes: &mut Vec<u8>, frame: ServerFrame) {
    frame.encode(bytes).expect("a frame within its limit");
}

pub(crate) fn encode(frame: ServerFrame) -> Bytes {
    let mut bytes = Vec::new();
    append(&mut bytes, frame);
    bytes.into()
}
