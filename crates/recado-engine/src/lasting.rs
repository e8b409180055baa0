//! What outlives a session: keys that are remembered, messages that were shown, and one's own global messages that
//! have not come back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use recado_proto::fingerprint::Fingerprint;
use recado_proto::frame::{GlobalMessage, Person};
use recado_proto::global;
use recado_proto::id::{LogId, MessageId, RemoteKey, Signature, StoreId};

use crate::event::Event;
use crate::global_log::GlobalLog;

/// How long the echo of a message that went by datagram is awaited, before it is repeated by frame and the link
/// is put to the test: three round trips of a slow link.
pub(crate) const ECHO_TIME: Duration = Duration::from_millis(300);

/// The same for one that went by frame: the connection is reliable, but an overloaded server drops echoes.
pub(crate) const FRAME_ECHO_TIME: Duration = Duration::from_secs(5);

/// How long a global message is repeated before it counts as failed. By then TCP has given a dead connection up.
pub(crate) const GIVE_UP: Duration = Duration::from_secs(90);

/// Global messages that are remembered as shown, 48 bytes each, twice: as many as the server remembers.
const MAX_SHOWN: usize = 65_536;

/// Signs with one's own identity key.
pub type Sign = Box<dyn Fn(&[u8]) -> Signature + Send>;

/// What a client is told once.
pub struct ClientConfig {
    /// The server's root.
    pub root: Fingerprint,
    /// One's own key.
    pub key: RemoteKey,
    /// Signs with it.
    pub sign: Sign,
    /// Whether private messages are acknowledged when they were [taken](crate::Command::Take), and not as soon as they
    /// are written down.
    pub manual: bool,
    /// Draws the id of a new store, where the database turns out to be an old copy.
    pub draw: Box<dyn FnMut() -> StoreId + Send>,
}

/// What a session takes over from the one before, and leaves to the next.
pub(crate) struct Lasting {
    pub(crate) config: ClientConfig,
    /// The key first seen under each name.
    pub(crate) remembered: BTreeMap<String, RemoteKey>,
    /// The log that was followed last, and how far.
    pub(crate) log: Option<(LogId, GlobalLog)>,
    /// The latest global messages, so that none is shown again under another number.
    shown: BTreeSet<(RemoteKey, MessageId)>,
    shown_order: VecDeque<(RemoteKey, MessageId)>,
    /// One's own global messages without an echo.
    pub(crate) global: BTreeMap<MessageId, Unconfirmed>,
    /// How many were entered in all.
    said: u64,
    /// When the next of those that wait may be sent.
    pub(crate) hold_until: Duration,
    /// Whether a session was ever ready.
    pub(crate) was_ready: bool,
    /// Events that come after a session is ready.
    pub(crate) held: Vec<Event>,
}

/// One's own global message whose echo has not come.
pub(crate) struct Unconfirmed {
    pub(crate) message: GlobalMessage,
    /// Comes back in what is told of it.
    pub(crate) reference: Option<String>,
    /// Which of one's own it is: they are sent in order.
    pub(crate) order: u64,
    /// It was refused, or waits behind one that was: it is sent when its turn comes.
    pub(crate) waits: bool,
    /// When it is repeated.
    pub(crate) repeat_at: Duration,
    /// When it counts as failed.
    pub(crate) give_up_at: Duration,
    /// Whether it was sent by datagram and nothing has told since that it came.
    pub(crate) by_datagram: bool,
}

impl Unconfirmed {
    /// It has just been sent.
    pub(crate) fn sent(&mut self, now: Duration, by_datagram: bool, rtt: Option<Duration>) {
        let wait = match by_datagram {
            // On a slow link its echo takes its time.
            true => ECHO_TIME.max(rtt.unwrap_or_default().saturating_mul(2)),
            false => FRAME_ECHO_TIME,
        };
        self.waits = false;
        self.by_datagram = by_datagram;
        self.repeat_at = now.saturating_add(wait);
        self.give_up_at = now.saturating_add(GIVE_UP);
    }

    /// It was refused: it waits for its turn, however long that takes.
    pub(crate) fn refuse(&mut self) {
        self.waits = true;
        self.by_datagram = false;
        self.give_up_at = Duration::MAX;
    }
}

impl Lasting {
    pub(crate) fn new(config: ClientConfig, people: impl Iterator<Item = Person>) -> Self {
        Self {
            config,
            remembered: people.map(|person| (person.name, person.key)).collect(),
            log: None,
            shown: BTreeSet::new(),
            shown_order: VecDeque::new(),
            global: BTreeMap::new(),
            said: 0,
            hold_until: Duration::ZERO,
            was_ready: false,
            held: Vec::new(),
        }
    }

    /// What was sent in an earlier session and has not come back is said again, one by one.
    pub(crate) fn begin_session(&mut self, now: Duration) {
        self.hold_until = now;
        for own in self.global.values_mut() {
            own.refuse();
        }
    }

    /// Signs and keeps a message for everyone; says whether others wait before it.
    pub(crate) fn say(
        &mut self,
        id: MessageId,
        sent_at_ms: i64,
        text: String,
        reference: Option<String>,
    ) -> bool {
        let (root, key) = (&self.config.root, &self.config.key);
        let content = global::signed_content(root, key, &id, sent_at_ms, &text);
        let message = GlobalMessage {
            id,
            sent_at_ms,
            text,
            signature: (self.config.sign)(&content),
        };
        let others_wait = self.global.values().any(|own| own.waits);
        self.said = self.said.saturating_add(1);
        let own = Unconfirmed {
            message,
            reference,
            order: self.said,
            waits: true,
            repeat_at: Duration::ZERO,
            give_up_at: Duration::MAX,
            by_datagram: false,
        };
        self.global.insert(id, own);
        others_wait
    }

    /// Whether a global message is none of the latest that were shown; it is one of them from now on.
    pub(crate) fn show_once(&mut self, sender: RemoteKey, id: MessageId) -> bool {
        if !self.shown.insert((sender, id)) {
            return false;
        }
        self.shown_order.push_back((sender, id));
        if self.shown_order.len() > MAX_SHOWN
            && let Some(oldest) = self.shown_order.pop_front()
        {
            self.shown.remove(&oldest);
        }
        true
    }
}
