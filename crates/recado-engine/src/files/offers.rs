//! The fate of offers: what a person asks for, what the other side says, and what came of connections go in; what is
//! to be written down, said, told and done comes out, in this order. What is written down comes before everything that
//! rests on it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;

use recado_proto::file::{Address, CancelCode, FileNote, MAX_ADDRESSES, NoteBody, Offered};
use recado_proto::frame::Person;
use recado_proto::id::{OfferId, RemoteKey};
use recado_proto::name::NameKeys;

use super::name::safe_name;

/// Offers of one person that may wait for an answer; more are declined without being shown.
const MAX_WAITING_OF_ONE: usize = 64;

/// Offers of all that may.
const MAX_WAITING: usize = 1024;

/// Entries of a folder that are shown with its offer.
const MAX_SHOWN: usize = 1000;

/// Names an offer on this side: one to oneself is both sent and received.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OfferKey {
    /// The offer.
    pub offer: OfferId,
    /// Whether it came from someone else.
    pub came: bool,
}

/// An offer, as it is written down.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OfferRecord {
    /// Which one.
    pub key: OfferKey,
    /// Its number here, by which people name it.
    pub number: u64,
    /// The case-mapped form of the other person's name.
    pub peer: String,
    /// The name as shown, or as typed.
    pub name: String,
    /// Their key; not known of one who was offered something and has not answered.
    pub remote: Option<RemoteKey>,
    /// What is offered.
    pub offered: Offered,
    /// What is sent, or the folder into which it is received, or, when it is received, where it is.
    pub path: PathBuf,
    /// What shows a change of what is sent.
    pub snapshot: [u8; 32],
    /// How it stands.
    pub standing: Standing,
    /// As it was given with it.
    pub reference: Option<String>,
}

impl OfferRecord {
    /// What it is called, fit for a disk.
    pub fn title(&self) -> String {
        safe_name(&self.offered.name)
    }

    fn about(&self) -> About {
        About {
            offer: self.key.offer,
            number: self.number,
            is_own: !self.key.came,
            peer: self.name.clone(),
            title: self.title(),
            size: self.offered.size,
            entries: self.offered.folder.as_ref().map(|folder| folder.entries),
            reference: self.reference.clone(),
        }
    }
}

/// How an offer stands, durably.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It waits for an answer.
    Offered,
    /// It is wanted, and under way.
    Accepted,
    /// All of it is received: BLAKE3 of the contents.
    Received([u8; 32]),
    /// It was not wanted.
    Declined,
    /// One of the two did not go on.
    Cancelled,
    /// It cannot be done.
    Failed(OfferFailure),
}

impl Standing {
    /// Whether nothing follows.
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Offered | Self::Accepted)
    }
}

/// Why an offer failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OfferFailure {
    /// What was offered has changed since.
    SourceChanged,
    /// It is not there any more, or cannot be read.
    SourceGone,
    /// It cannot be written.
    NotWritable,
    /// The other side broke the protocol.
    Protocol,
    /// The offer itself did not reach them: the code of a failed message.
    Undelivered(crate::Failure),
}

impl OfferFailure {
    /// All of them, but for the messages' own.
    pub const ALL: [Self; 4] = [
        Self::SourceChanged,
        Self::SourceGone,
        Self::NotWritable,
        Self::Protocol,
    ];

    /// The machine word, as programs and the database see it.
    pub fn code(self) -> &'static str {
        match self {
            Self::SourceChanged => "source_changed",
            Self::SourceGone => "source_gone",
            Self::NotWritable => "not_writable",
            Self::Protocol => "protocol",
            Self::Undelivered(failure) => failure.code(),
        }
    }

    /// What the other side is told.
    fn cancel_code(self) -> CancelCode {
        match self {
            Self::SourceChanged => CancelCode::SourceChanged,
            Self::SourceGone => CancelCode::SourceGone,
            Self::NotWritable => CancelCode::NotWritable,
            Self::Protocol => CancelCode::Protocol,
            Self::Undelivered(_) => CancelCode::Unspecified,
        }
    }

    fn of_cancel_code(code: CancelCode) -> Option<Self> {
        match code {
            CancelCode::Unspecified => None,
            CancelCode::SourceChanged => Some(Self::SourceChanged),
            CancelCode::SourceGone => Some(Self::SourceGone),
            CancelCode::NotWritable => Some(Self::NotWritable),
            CancelCode::Protocol => Some(Self::Protocol),
        }
    }
}

/// Why a transfer does not go on for now. It is tried again by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pause {
    /// There is no connection with the other person.
    Connection,
    /// The receiver's disk is full.
    DiskFull,
}

impl Pause {
    /// The machine word.
    pub fn code(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::DiskFull => "disk_full",
        }
    }
}

/// What carries a transfer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Route {
    /// A connection between the two.
    Direct,
    /// The server, which cannot read it.
    Relay,
}

impl Route {
    /// The machine word.
    pub fn code(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Relay => "relay",
        }
    }
}

/// Which offer something is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct About {
    /// Its id.
    pub offer: OfferId,
    /// Its number here.
    pub number: u64,
    /// Whether it was made here.
    pub is_own: bool,
    /// The other person's name.
    pub peer: String,
    /// What it is called, fit for a disk, and for a line of a terminal.
    pub title: String,
    /// Bytes of all contents.
    pub size: u64,
    /// For a folder: what is in it.
    pub entries: Option<u64>,
    /// As it was given with it.
    pub reference: Option<String>,
}

/// What a person asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FileCommand {
    /// Offer a file or a folder to someone.
    Offer {
        /// Their name.
        to: String,
        /// What.
        path: PathBuf,
        /// Comes back in what is told of it.
        reference: Option<String>,
    },
    /// Take what someone offers.
    Accept {
        /// Which.
        which: Which,
        /// Comes back where it cannot be done.
        reference: Option<String>,
    },
    /// Decline it, take it back, or end it.
    Cancel {
        /// Which.
        which: Which,
        /// Comes back where it cannot be done.
        reference: Option<String>,
    },
    /// All offers that are not over: answered by [`OfferEvent::All`].
    List,
}

/// Which offer is meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Which {
    /// By its id.
    Id(OfferId),
    /// By its number here.
    Number(u64),
    /// All of this person's that wait for an answer.
    From(String),
    /// The only one that can be meant.
    Only,
}

/// Why something cannot be done with files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// It is not there, or cannot be read.
    Unreadable,
    /// Neither a file nor a folder.
    NotAFile,
    /// More than one offer takes.
    TooLarge,
    /// There is no such offer, or it is over.
    UnknownOffer,
    /// Several could be meant.
    Ambiguous,
    /// It was answered already.
    Answered,
    /// So many bytes are needed, and there is no room for them.
    NoRoom(u64),
    /// The folder for downloads cannot be written.
    NotWritable,
    /// To oneself.
    Oneself,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Unreadable,
        Self::NotAFile,
        Self::TooLarge,
        Self::UnknownOffer,
        Self::Ambiguous,
        Self::Answered,
        Self::NoRoom(0),
        Self::NotWritable,
        Self::Oneself,
    ];

    /// The machine word.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::NotAFile => "not_a_file",
            Self::TooLarge => "too_large",
            Self::UnknownOffer => "unknown_offer",
            Self::Ambiguous => "ambiguous",
            Self::Answered => "answered",
            Self::NoRoom(_) => "no_room",
            Self::NotWritable => "not_writable",
            Self::Oneself => "oneself",
        }
    }
}

impl From<OfferError> for Refusal {
    fn from(error: OfferError) -> Self {
        match error {
            OfferError::Unknown => Self::UnknownOffer,
            OfferError::Answered => Self::Answered,
            OfferError::Ambiguous => Self::Ambiguous,
        }
    }
}

/// What is told of offers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OfferEvent {
    /// Someone offers something, and waits for an answer.
    Offered {
        /// What.
        about: About,
        /// The first entries of a folder, with their sizes; as they were sent, not fit for a terminal.
        first: Vec<(String, u64)>,
        /// Whether it was told to an earlier process.
        replayed: bool,
    },
    /// What became of an offer, one's own or another's.
    State {
        /// Which one.
        about: About,
        /// What became of it.
        state: OfferState,
    },
    /// So many bytes are verified at the receiver.
    Progress {
        /// Which one.
        about: About,
        /// Of its size.
        done: u64,
    },
    /// It is received, verified and on the disk.
    Received {
        /// Which one.
        about: About,
        /// Where it is.
        path: PathBuf,
        /// BLAKE3 of the contents.
        hash: [u8; 32],
    },
    /// What was asked for cannot be done.
    Refused {
        /// Why.
        refusal: Refusal,
        /// More, in English: what it is about.
        detail: String,
        /// As it was given.
        reference: Option<String>,
    },
    /// Something in a folder is neither a file nor a folder, and was left out.
    Skipped {
        /// Of which offer.
        about: About,
        /// How much.
        count: u64,
    },
    /// All offers that are not over, by number.
    All(Vec<(About, OfferState)>),
}

/// What became of an offer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OfferState {
    /// It is written down here, and on its way.
    Queued,
    /// The other person has it.
    Offered,
    /// It is wanted.
    Accepted,
    /// Contents pass.
    Running(Route),
    /// They do not for now.
    Waiting(Pause),
    /// All is received.
    Received,
    /// It was not wanted.
    Declined,
    /// One of the two did not go on.
    Cancelled,
    /// It cannot be done.
    Failed(OfferFailure),
}

impl OfferState {
    /// The machine word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Offered => "offered",
            Self::Accepted => "accepted",
            Self::Running(_) => "running",
            Self::Waiting(_) => "waiting",
            Self::Received => "received",
            Self::Declined => "declined",
            Self::Cancelled => "cancelled",
            Self::Failed(_) => "failed",
        }
    }
}

impl From<Standing> for OfferState {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Offered => Self::Offered,
            Standing::Accepted => Self::Accepted,
            Standing::Received(_) => Self::Received,
            Standing::Declined => Self::Declined,
            Standing::Cancelled => Self::Cancelled,
            Standing::Failed(failure) => Self::Failed(failure),
        }
    }
}

/// What is to be done, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OfferOutput {
    /// Write it down. What comes after rests on it.
    Save(OfferRecord),
    /// Say this to the other person.
    Note {
        /// Their name, as typed or shown.
        to: String,
        /// What.
        note: FileNote,
    },
    /// Tell whoever uses the client.
    Event(OfferEvent),
    /// Look for a connection with this person, and go on looking until [`Stop`](Self::Stop).
    Meet {
        /// For which offer.
        key: OfferKey,
        /// Who must be at its other end.
        remote: RemoteKey,
        /// Where they say they can be reached; what comes later comes by this again.
        addresses: Vec<Address>,
    },
    /// Look no more, and end what goes on.
    Stop(OfferKey),
    /// What was received of it is not wanted any more.
    Discard(OfferRecord),
}

/// What cannot be done with an offer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OfferError {
    /// There is none of this id or number, or it is over.
    #[error("there is no such offer")]
    Unknown,
    /// It was answered already.
    #[error("the offer was answered already")]
    Answered,
    /// Several could be meant.
    #[error("several offers could be meant")]
    Ambiguous,
}

/// All offers that are not over.
#[derive(Default)]
pub struct Offers {
    offers: BTreeMap<OfferKey, Offer>,
    /// Those whose offers are accepted unseen, case-mapped.
    accept_from: BTreeSet<String>,
    outputs: VecDeque<OfferOutput>,
}

struct Offer {
    record: OfferRecord,
    addresses: Vec<Address>,
    /// What was told last.
    told: OfferState,
}

impl Offers {
    /// What was written down by an earlier process, in the order of their numbers. Offers that wait for an answer are
    /// told again; what was accepted goes on.
    pub fn new(records: Vec<OfferRecord>, accept_from: BTreeSet<String>) -> Self {
        let mut offers = Self {
            accept_from,
            ..Self::default()
        };
        for record in records {
            let key = record.key;
            let (standing, is_own) = (record.standing, !key.came);
            offers.add(record, standing.into());
            match (standing, is_own) {
                (Standing::Offered, false) => offers.show(key, true),
                (Standing::Accepted, _) => offers.meet(key),
                _ => {}
            }
        }
        offers
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Option<OfferOutput> {
        self.outputs.pop_front()
    }

    /// One that is not over.
    pub fn get(&self, key: OfferKey) -> Option<&OfferRecord> {
        self.offers.get(&key).map(|offer| &offer.record)
    }

    /// Which one it is.
    pub fn about(&self, key: OfferKey) -> Option<About> {
        self.offers.get(&key).map(|offer| offer.record.about())
    }

    /// All that are not over, by number.
    pub fn all(&self) -> Vec<(About, OfferState)> {
        let all = self.offers.values();
        let mut all: Vec<_> = all
            .map(|offer| (offer.record.about(), offer.told))
            .collect();
        all.sort_by_key(|(about, _)| about.number);
        all
    }

    /// Those that are meant, of which one is to be accepted, or of which one is to be ended.
    ///
    /// # Errors
    /// [`OfferError`].
    pub fn which(&self, which: &Which, is_accepting: bool) -> Result<Vec<OfferKey>, OfferError> {
        let waits =
            |offer: &Offer| offer.record.key.came && offer.record.standing == Standing::Offered;
        let found: Vec<_> = match which {
            Which::Id(offer) => [true, false]
                .map(|came| OfferKey {
                    offer: *offer,
                    came,
                })
                .into_iter()
                .filter(|key| self.offers.contains_key(key))
                .take(1)
                .collect(),
            Which::Number(number) => self.keys(|offer| offer.record.number == *number),
            Which::From(name) => {
                let folded = NameKeys::of(name).folded;
                self.keys(|offer| waits(offer) && offer.record.peer == folded)
            }
            Which::Only => {
                let mut only = self.keys(waits);
                if only.is_empty() && !is_accepting {
                    only = self.keys(|_| true);
                }
                if only.len() > 1 {
                    return Err(OfferError::Ambiguous);
                }
                only
            }
        };
        match found.is_empty() {
            true => Err(OfferError::Unknown),
            false => Ok(found),
        }
    }

    fn keys(&self, wanted: impl Fn(&Offer) -> bool) -> Vec<OfferKey> {
        let found = self.offers.iter().filter(|(_, offer)| wanted(offer));
        found.map(|(key, _)| *key).collect()
    }

    /// Something is offered; it is written down already.
    pub fn offer(&mut self, record: OfferRecord) {
        let key = record.key;
        if self.offers.contains_key(&key) {
            return;
        }
        let body = NoteBody::Offered(record.offered.clone());
        let to = record.name.clone();
        self.add(record, OfferState::Queued);
        self.tell_state(key, OfferState::Queued);
        self.say(to, key, body);
    }

    /// One's own offer, as a message, has reached the other person, or has failed.
    pub fn handle_sent(&mut self, offer: OfferId, failure: Option<crate::Failure>) {
        let key = OfferKey { offer, came: false };
        let Some(found) = self.offers.get(&key) else {
            return;
        };
        if found.record.standing != Standing::Offered {
            return;
        }
        match failure {
            None => self.tell_state(key, OfferState::Offered),
            Some(failure) => {
                self.end(key, Standing::Failed(OfferFailure::Undelivered(failure)));
            }
        }
    }

    /// What another person says. `number` is the next that is free here.
    pub fn handle_note(&mut self, from: &Person, peer: &str, note: FileNote, number: u64) {
        let FileNote { offer, body } = note;
        // An offer of theirs, or an answer to one's own; the rest may be either.
        let theirs = OfferKey { offer, came: true };
        let own = OfferKey { offer, came: false };
        match body {
            NoteBody::Offered(offered) => self.offered(from, peer, theirs, offered, number),
            NoteBody::Accepted(addresses) => {
                if self.is_of(own, from, peer) {
                    self.accepted(own, from.key, addresses);
                }
            }
            NoteBody::Declined => {
                if self.is_of(own, from, peer) {
                    self.end(own, Standing::Declined);
                }
            }
            NoteBody::Received(hash) => {
                if self.is_of(own, from, peer) && self.standing(own) == Some(Standing::Accepted) {
                    self.end(own, Standing::Received(hash));
                }
            }
            NoteBody::Cancelled(code) => {
                let standing = match OfferFailure::of_cancel_code(code) {
                    Some(failure) => Standing::Failed(failure),
                    None => Standing::Cancelled,
                };
                for key in [own, theirs] {
                    if self.is_of(key, from, peer) {
                        self.end(key, standing);
                    }
                }
            }
            NoteBody::Here(addresses) => {
                for key in [own, theirs] {
                    if self.is_of(key, from, peer) && self.standing(key) == Some(Standing::Accepted)
                    {
                        self.reachable(key, addresses.clone());
                    }
                }
            }
        }
    }

    /// An offer is wanted; it goes into this folder. `addresses` is where this client can be reached.
    ///
    /// # Errors
    /// [`OfferError`].
    pub fn accept(
        &mut self,
        key: OfferKey,
        folder: PathBuf,
        addresses: Vec<Address>,
    ) -> Result<(), OfferError> {
        let offer = self.offers.get_mut(&key).ok_or(OfferError::Unknown)?;
        if !key.came || offer.record.standing != Standing::Offered {
            return Err(OfferError::Answered);
        }
        offer.record.standing = Standing::Accepted;
        offer.record.path = folder;
        let (record, to) = (offer.record.clone(), offer.record.name.clone());
        self.outputs.push_back(OfferOutput::Save(record));
        self.say(to, key, NoteBody::Accepted(addresses));
        self.tell_state(key, OfferState::Accepted);
        self.meet(key);
        Ok(())
    }

    /// Where this client can be reached now, for something that is under way.
    pub fn tell_addresses(&mut self, key: OfferKey, addresses: Vec<Address>) {
        if let Some(offer) = self.offers.get(&key)
            && offer.record.standing == Standing::Accepted
        {
            let to = offer.record.name.clone();
            self.say(to, key, NoteBody::Here(addresses));
        }
    }

    /// An offer is not wanted, or not any more.
    ///
    /// # Errors
    /// [`OfferError`].
    pub fn cancel(&mut self, key: OfferKey) -> Result<(), OfferError> {
        let offer = self.offers.get(&key).ok_or(OfferError::Unknown)?;
        let (standing, to) = (offer.record.standing, offer.record.name.clone());
        let (body, standing) = match (standing, key.came) {
            (Standing::Offered, true) => (NoteBody::Declined, Standing::Declined),
            _ => (
                NoteBody::Cancelled(CancelCode::Unspecified),
                Standing::Cancelled,
            ),
        };
        self.end_saying(key, standing, to, body);
        Ok(())
    }

    /// Contents pass.
    pub fn handle_running(&mut self, key: OfferKey, route: Route) {
        self.tell_state(key, OfferState::Running(route));
    }

    /// So many bytes are verified.
    pub fn handle_progress(&mut self, key: OfferKey, done: u64) {
        if let Some(offer) = self.offers.get(&key) {
            let about = offer.record.about();
            let event = OfferEvent::Progress { about, done };
            self.outputs.push_back(OfferOutput::Event(event));
        }
    }

    /// Contents do not pass for now.
    pub fn handle_paused(&mut self, key: OfferKey, pause: Pause) {
        self.tell_state(key, OfferState::Waiting(pause));
    }

    /// It cannot be done: found out here, or said by the other side.
    pub fn handle_failed(&mut self, key: OfferKey, failure: OfferFailure) {
        if let Some(offer) = self.offers.get(&key) {
            let to = offer.record.name.clone();
            let body = NoteBody::Cancelled(failure.cancel_code());
            self.end_saying(key, Standing::Failed(failure), to, body);
        }
    }

    /// All of it is received, and in this place.
    pub fn handle_received(&mut self, key: OfferKey, path: Option<PathBuf>, hash: [u8; 32]) {
        let Some(offer) = self.offers.get_mut(&key) else {
            return;
        };
        if let Some(path) = path {
            offer.record.path = path;
        }
        let to = offer.record.name.clone();
        match key.came {
            true => self.end_saying(key, Standing::Received(hash), to, NoteBody::Received(hash)),
            false => self.end(key, Standing::Received(hash)),
        }
    }

    fn add(&mut self, record: OfferRecord, told: OfferState) {
        let offer = Offer {
            addresses: Vec::new(),
            told,
            record,
        };
        self.offers.insert(offer.record.key, offer);
    }

    fn standing(&self, key: OfferKey) -> Option<Standing> {
        self.offers.get(&key).map(|offer| offer.record.standing)
    }

    /// Whether it is this person's, by their key or, before that is known, by their name.
    fn is_of(&self, key: OfferKey, from: &Person, peer: &str) -> bool {
        self.offers.get(&key).is_some_and(|offer| {
            offer.record.peer == peer && offer.record.remote.is_none_or(|remote| remote == from.key)
        })
    }

    fn offered(&mut self, from: &Person, peer: &str, key: OfferKey, offered: Offered, number: u64) {
        if self.offers.contains_key(&key) {
            return;
        }
        let waiting =
            |offer: &&Offer| offer.record.key.came && offer.record.standing == Standing::Offered;
        let all = self.offers.values().filter(waiting).count();
        let of_one = self.offers.values().filter(waiting);
        let of_one = of_one.filter(|it| it.record.peer == peer).count();
        if all >= MAX_WAITING || of_one >= MAX_WAITING_OF_ONE {
            return self.say(from.name.clone(), key, NoteBody::Declined);
        }
        let record = OfferRecord {
            key,
            number,
            peer: peer.to_owned(),
            name: from.name.clone(),
            remote: Some(from.key),
            offered,
            path: PathBuf::new(),
            snapshot: [0; 32],
            standing: Standing::Offered,
            reference: None,
        };
        self.outputs.push_back(OfferOutput::Save(record.clone()));
        self.add(record, OfferState::Offered);
        self.show(key, false);
    }

    /// Whether an offer is accepted unseen.
    pub fn is_welcome(&self, key: OfferKey) -> bool {
        self.offers.get(&key).is_some_and(|offer| {
            key.came
                && offer.record.standing == Standing::Offered
                && self.accept_from.contains(&offer.record.peer)
        })
    }

    fn show(&mut self, key: OfferKey, replayed: bool) {
        let Some(offer) = self.offers.get(&key) else {
            return;
        };
        let folder = offer.record.offered.folder.iter();
        let first = folder.flat_map(|folder| &folder.first).take(MAX_SHOWN);
        let first = first.map(|entry| (entry.path.clone(), entry.size));
        let event = OfferEvent::Offered {
            about: offer.record.about(),
            first: first.collect(),
            replayed,
        };
        self.outputs.push_back(OfferOutput::Event(event));
    }

    /// The other side wants it.
    fn accepted(&mut self, key: OfferKey, remote: RemoteKey, addresses: Vec<Address>) {
        let Some(offer) = self.offers.get_mut(&key) else {
            return;
        };
        if offer.record.standing != Standing::Offered {
            return;
        }
        offer.record.standing = Standing::Accepted;
        offer.record.remote = Some(remote);
        offer.addresses = limited(addresses);
        let record = offer.record.clone();
        self.outputs.push_back(OfferOutput::Save(record));
        // Whoever accepts it has it, also where that comes to be known later.
        self.tell_state(key, OfferState::Offered);
        self.tell_state(key, OfferState::Accepted);
        self.meet(key);
    }

    fn reachable(&mut self, key: OfferKey, addresses: Vec<Address>) {
        if let Some(offer) = self.offers.get_mut(&key) {
            offer.addresses = limited(addresses);
        }
        self.meet(key);
    }

    fn meet(&mut self, key: OfferKey) {
        if let Some(offer) = self.offers.get(&key)
            && let Some(remote) = offer.record.remote
        {
            let addresses = offer.addresses.clone();
            self.outputs.push_back(OfferOutput::Meet {
                key,
                remote,
                addresses,
            });
        }
    }

    fn say(&mut self, to: String, key: OfferKey, body: NoteBody) {
        let offer = key.offer;
        let note = FileNote { offer, body };
        self.outputs.push_back(OfferOutput::Note { to, note });
    }

    /// Tells what became of it, unless that was the last that was told.
    fn tell_state(&mut self, key: OfferKey, state: OfferState) {
        let Some(offer) = self.offers.get_mut(&key) else {
            return;
        };
        let is_news = offer.told != state || state == OfferState::Queued;
        offer.told = state;
        if is_news {
            let about = offer.record.about();
            let event = OfferEvent::State { about, state };
            self.outputs.push_back(OfferOutput::Event(event));
        }
    }

    fn end_saying(&mut self, key: OfferKey, standing: Standing, to: String, body: NoteBody) {
        self.save(key, standing);
        self.say(to, key, body);
        self.finish(key, standing);
    }

    /// The other side ended it, or both know.
    fn end(&mut self, key: OfferKey, standing: Standing) {
        self.save(key, standing);
        self.finish(key, standing);
    }

    fn save(&mut self, key: OfferKey, standing: Standing) {
        if let Some(offer) = self.offers.get_mut(&key) {
            offer.record.standing = standing;
            self.outputs
                .push_back(OfferOutput::Save(offer.record.clone()));
        }
    }

    fn finish(&mut self, key: OfferKey, standing: Standing) {
        self.outputs.push_back(OfferOutput::Stop(key));
        self.tell_state(key, standing.into());
        let Some(Offer { record, .. }) = self.offers.remove(&key) else {
            return;
        };
        if !key.came {
            return;
        }
        let about = record.about();
        match standing {
            Standing::Received(hash) => {
                let path = record.path;
                let event = OfferEvent::Received { about, path, hash };
                self.outputs.push_back(OfferOutput::Event(event));
            }
            _ => self.outputs.push_back(OfferOutput::Discard(record)),
        }
    }
}

fn limited(mut addresses: Vec<Address>) -> Vec<Address> {
    addresses.truncate(MAX_ADDRESSES);
    addresses
}

#[cfg(test)]
mod tests;
