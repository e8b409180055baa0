//! What a session sends: the lanes that it has open, and its share.

use crate::backend::Waiting;
use crate::bucket::Bucket;
use crate::session::SessionNumber;

/// The sending side of a session; made when it opens its first lane.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// By the client's number. Clients count up, so that most are added at the end.
    lanes: Vec<(u32, Opening)>,
    pub(super) bucket: Bucket,
    /// Of all its lanes.
    pub(super) unstored: Waiting,
}

/// Who has a lane open to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct OpenedBy {
    pub(super) session: SessionNumber,
    /// Its sending side: an index.
    pub(super) outgoing: usize,
    /// The client's number for the lane.
    pub(super) handle: u32,
}

/// How far a lane is open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Opening {
    /// The backend is asked. The sender has the outcomes of everything below this number.
    Asked(u64),
    /// It is: an index.
    Open(usize),
    /// It was refused.
    Refused,
}

impl Outgoing {
    /// How many lanes were opened, or asked for.
    pub(super) fn count(&self) -> usize {
        self.lanes.len()
    }

    /// Adds a lane; says no where its number was used before.
    #[must_use]
    pub(super) fn ask(&mut self, handle: u32, lowest: u64) -> bool {
        match self.place(handle) {
            Ok(_) => false,
            Err(at) => {
                self.lanes.insert(at, (handle, Opening::Asked(lowest)));
                true
            }
        }
    }

    /// The lowest number without an outcome, of a lane that the backend was asked for.
    pub(super) fn asked(&self, handle: u32) -> Option<u64> {
        match self.lanes.get(self.place(handle).ok()?) {
            Some((_, Opening::Asked(lowest))) => Some(*lowest),
            _ => None,
        }
    }

    /// The backend has answered.
    pub(super) fn answered(&mut self, handle: u32, opening: Opening) {
        if let Ok(at) = self.place(handle)
            && let Some((_, place)) = self.lanes.get_mut(at)
        {
            *place = opening;
        }
    }

    /// The lane of that number, if it is open.
    pub(super) fn lane(&self, handle: u32) -> Option<usize> {
        match self.lanes.get(self.place(handle).ok()?) {
            Some((_, Opening::Open(lane))) => Some(*lane),
            _ => None,
        }
    }

    /// The lanes that are open.
    pub(super) fn open(&self) -> impl Iterator<Item = usize> {
        self.lanes.iter().filter_map(|(_, opening)| match opening {
            Opening::Open(lane) => Some(*lane),
            Opening::Asked(_) | Opening::Refused => None,
        })
    }

    fn place(&self, handle: u32) -> Result<usize, usize> {
        self.lanes.binary_search_by_key(&handle, |(it, _)| *it)
    }
}
