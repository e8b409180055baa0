//! The hub's doors: what happens to it, and what it has the shell do.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use recado_proto::datagram::Check;
use recado_proto::frame::{ClientFrame, GlobalMessage, ServerFrame};
use recado_proto::id::{ConnectionId, RemoteKey, SessionId};
use recado_proto::relay::RelayToken;

use crate::backend::{BackendAnswer, BackendRequest};
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
        /// Shared, as many get the same.
        frames: Arc<[u8]>,
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
}

/// What the hub has decided and the shell has not taken.
#[derive(Debug, Default)]
pub(crate) struct Outputs(VecDeque<Output>);

impl Outputs {
    pub(crate) fn push(&mut self, output: Output) {
        self.0.push_back(output);
    }

    pub(crate) fn pop(&mut self) -> Option<Output> {
        self.0.pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn ask(&mut self, request: BackendRequest) {
        self.push(Output::Backend(request));
    }

    /// Sends one frame, which is not dropped.
    pub(crate) fn send(&mut self, session: SessionNumber, frame: ServerFrame) {
        self.send_encoded(session, encode(frame), false);
    }

    pub(crate) fn send_encoded(
        &mut self,
        session: SessionNumber,
        frames: Arc<[u8]>,
        droppable: bool,
    ) {
        self.push(Output::Send {
            session,
            frames,
            droppable,
        });
    }
}

#[expect(
    clippy::expect_used,
    reason = "what the server sends is bounded below a frame's length: text by MAX_TEXT, people by MAX_PEOPLE_PER_FRAME"
)]
pub(crate) fn append(bytes: &mut Vec<u8>, frame: ServerFrame) {
    frame.encode(bytes).expect("a frame within its limit");
}

pub(crate) fn encode(frame: ServerFrame) -> Arc<[u8]> {
    let mut bytes = Vec::new();
    append(&mut bytes, frame);
    bytes.into()
}
