//! Opening: which epochs are accepted, and that nothing counts before it has authenticated.

use super::keys::{EpochSecret, OpeningKey, epoch_of};
use super::replay_window::{ReplayWindow, Verdict};
use super::{Header, MAX_PLAINTEXT, TAG};
use crate::id::ConnectionId;

/// Opens one direction of one session. The epoch of the newest datagram and its two neighbours are
/// accepted; each datagram once.
pub struct Opener {
    connection: ConnectionId,
    window: ReplayWindow,
    /// The epoch of the newest datagram that has opened.
    epoch: u64,
    previous: Option<Box<OpeningKey>>,
    current: OpeningKey,
    secret: EpochSecret,
    /// The next epoch's, derived when a datagram first claims to be of it; kept, so that forged ones
    /// cost one derivation in all.
    next: Option<Box<(EpochSecret, OpeningKey)>>,
    rejected: u64,
}

/// A datagram that has opened.
#[derive(PartialEq, Eq, Debug)]
pub struct Opened<'a> {
    /// Its sequence.
    pub sequence: u64,
    /// Whether it is the newest so far: only such a one moves the peer's address.
    pub newest: bool,
    /// What it held; at most [`MAX_PLAINTEXT`] bytes.
    pub plaintext: &'a mut [u8],
}

/// A datagram that is not answered, and not logged one by one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpenError {
    /// No datagram of this version, or of another session.
    #[error("not a datagram of this session")]
    Foreign,
    /// It was opened before, or is too old to tell.
    #[error("replayed or too old")]
    Replayed,
    /// Of an epoch that is neither the current one nor its neighbour.
    #[error("of a distant epoch")]
    Epoch,
    /// It does not authenticate.
    #[error("does not authenticate")]
    Forged,
}

impl Opener {
    pub(super) fn new(connection: ConnectionId, secret: EpochSecret) -> Self {
        Self {
            connection,
            window: ReplayWindow::default(),
            epoch: 0,
            previous: None,
            current: secret.opening_key(),
            secret,
            next: None,
            rejected: 0,
        }
    }

    /// Opens a datagram in place.
    ///
    /// # Errors
    /// [`OpenError`]; nothing has changed but the count of those rejected (and the bytes given).
    pub fn open<'a>(&mut self, datagram: &'a mut [u8]) -> Result<Opened<'a>, OpenError> {
        let opened = self.try_open(datagram);
        if opened.is_err() {
            self.rejected = self.rejected.saturating_add(1);
        }
        opened
    }

    /// How many datagrams were rejected so far.
    pub fn rejected(&self) -> u64 {
        self.rejected
    }

    fn try_open<'a>(&mut self, datagram: &'a mut [u8]) -> Result<Opened<'a>, OpenError> {
        let (header, sealed) = Header::split(datagram).ok_or(OpenError::Foreign)?;
        if header.connection != self.connection || sealed.len() > MAX_PLAINTEXT.saturating_add(TAG)
        {
            return Err(OpenError::Foreign);
        }
        let sequence = header.sequence;
        let newest = match self.window.check(sequence) {
            Verdict::Newest => true,
            Verdict::Late => false,
            Verdict::Seen | Verdict::TooOld => return Err(OpenError::Replayed),
        };
        let epoch = epoch_of(sequence);
        let ahead = self.epoch.checked_add(1) == Some(epoch);
        let key = if epoch == self.epoch {
            &self.current
        } else if ahead {
            let secret = &self.secret;
            let (_, key) = &**self.next.get_or_insert_with(|| {
                let next = secret.next();
                let key = next.opening_key();
                Box::new((next, key))
            });
            key
        } else if epoch.checked_add(1) == Some(self.epoch) {
            self.previous.as_deref().ok_or(OpenError::Epoch)?
        } else {
            return Err(OpenError::Epoch);
        };
        let plaintext = key
            .open(sequence, &header.encode(), sealed)
            .map_err(|_| OpenError::Forged)?;
        // Only now is anything in the header true.
        self.window.mark(sequence);
        if ahead && let Some(next) = self.next.take() {
            let (secret, key) = *next;
            self.previous = Some(Box::new(std::mem::replace(&mut self.current, key)));
            self.secret = secret;
            self.epoch = epoch;
        }
        Ok(Opened {
            sequence,
            newest,
            plaintext,
        })
    }
}
