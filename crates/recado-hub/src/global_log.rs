//! The log of global messages: numbered, kept for repair, each id once.

use std::collections::{BTreeMap, VecDeque};

use recado_proto::frame::{GlobalMessage, IncomingGlobal, Person, Range};
use recado_proto::id::{LogId, MessageId, RemoteKey};
use recado_proto::limits::{MAX_FRAME, MAX_HISTORY, MAX_REQUESTED};

/// Messages that are kept.
const MAX_KEPT: usize = 4096;

/// Bytes of text that are kept: the longest 128, or all 4,096 of 2 KiB.
const MAX_KEPT_BYTES: usize = 8 * 1024 * 1024;

/// Ids that are remembered, so that a late repetition is not numbered again: what 36 people can say within the 90 s
/// for which a message is repeated. 6 MiB.
const MAX_IDS: usize = 65_536;

/// Bytes of a message beside its text, at most: person, id, time, signature, numbers.
const OVERHEAD: usize = 320;

/// What is said to everyone, in order.
#[derive(Debug)]
pub(crate) struct GlobalLog {
    pub(crate) id: LogId,
    /// The highest number given.
    sequence: u64,
    /// The latest messages, ending in `sequence`.
    kept: VecDeque<IncomingGlobal>,
    bytes: usize,
    /// The numbers of the latest messages, kept or not.
    by_id: BTreeMap<(RemoteKey, MessageId), u64>,
    /// The same, in order.
    ids: VecDeque<(RemoteKey, MessageId)>,
}

/// What the log knows of an id.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Known<'a> {
    /// Nothing.
    No,
    /// Its message.
    Kept(&'a IncomingGlobal),
    /// That it was numbered; the message is not kept any more.
    Gone,
}

impl GlobalLog {
    /// An empty log.
    pub(crate) fn new(id: LogId) -> Self {
        Self {
            id,
            sequence: 0,
            kept: VecDeque::new(),
            bytes: 0,
            by_id: BTreeMap::new(),
            ids: VecDeque::new(),
        }
    }

    /// The highest number given so far; 0 if none.
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The message that this sender sent under this id.
    pub(crate) fn find(&self, sender: &RemoteKey, id: &MessageId) -> Known<'_> {
        match self.by_id.get(&(*sender, *id)) {
            None => Known::No,
            Some(number) => self.get(*number).map_or(Known::Gone, Known::Kept),
        }
    }

    /// Numbers a message and keeps it.
    pub(crate) fn append(&mut self, from: Person, message: GlobalMessage) -> IncomingGlobal {
        self.sequence = self.sequence.saturating_add(1);
        self.by_id.insert((from.key, message.id), self.sequence);
        self.ids.push_back((from.key, message.id));
        if self.ids.len() > MAX_IDS
            && let Some(oldest) = self.ids.pop_front()
        {
            self.by_id.remove(&oldest);
        }
        self.bytes = self.bytes.saturating_add(message.text.len());
        let incoming = IncomingGlobal {
            sequence: self.sequence,
            from,
            message,
        };
        self.kept.push_back(incoming.clone());
        while self.kept.len() > MAX_KEPT || self.bytes > MAX_KEPT_BYTES {
            let Some(oldest) = self.kept.pop_front() else {
                break;
            };
            self.bytes = self.bytes.saturating_sub(oldest.message.text.len());
        }
        incoming
    }

    /// What was said last, in order, as much as fits a frame.
    pub(crate) fn latest(&self) -> Vec<IncomingGlobal> {
        let mut room = MAX_FRAME;
        let fits = |message: &&IncomingGlobal| {
            let size = message.message.text.len().saturating_add(OVERHEAD);
            let fits = size <= room;
            room = room.saturating_sub(size);
            fits
        };
        let latest = self.kept.iter().rev().take(MAX_HISTORY).take_while(fits);
        let mut latest: Vec<_> = latest.cloned().collect();
        latest.reverse();
        latest
    }

    /// What is there of the numbers asked for: messages, and ranges that are not kept any more. Numbers that were
    /// not given yet, and those beyond what one request may ask for, have no answer.
    pub(crate) fn answer(&self, ranges: &[Range]) -> (Vec<&IncomingGlobal>, Vec<Range>) {
        let oldest = self
            .kept
            .front()
            .map_or(u64::MAX, |message| message.sequence);
        let (mut found, mut gone) = (Vec::new(), Vec::new());
        let mut left = MAX_REQUESTED;
        for range in ranges {
            let last = range.last.min(self.sequence);
            if range.first < oldest && range.first <= last {
                gone.push(Range {
                    first: range.first,
                    last: last.min(oldest.saturating_sub(1)),
                });
            }
            let mut number = range.first.max(oldest);
            while number <= last && left > 0 {
                found.extend(self.get(number));
                left = left.saturating_sub(1);
                number = number.saturating_add(1);
            }
        }
        (found, gone)
    }

    fn get(&self, sequence: u64) -> Option<&IncomingGlobal> {
        let oldest = self.kept.front()?.sequence;
        let at = usize::try_from(sequence.checked_sub(oldest)?).ok()?;
        self.kept.get(at)
    }
}

#[cfg(test)]
mod tests {
    use recado_proto::id::Signature;

    use super::*;

    fn log_with(count: u64, text: &str) -> GlobalLog {
        let mut log = GlobalLog::new(LogId::from_bytes([1; 8]));
        for number in 1..=count {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&number.to_be_bytes());
            let message = GlobalMessage {
                id: MessageId::from_bytes(id),
                sent_at_ms: 0,
                text: text.into(),
                signature: Signature::from_bytes([0; 64]),
            };
            let alice = Person {
                name: "Alice".into(),
                key: RemoteKey::from_bytes([1; 32]),
            };
            assert_eq!(log.append(alice, message).sequence, number);
        }
        log
    }

    fn range(first: u64, last: u64) -> Range {
        Range { first, last }
    }

    fn answered(log: &GlobalLog, ranges: &[Range]) -> (Vec<u64>, Vec<Range>) {
        let (found, gone) = log.answer(ranges);
        (found.iter().map(|message| message.sequence).collect(), gone)
    }

    #[test]
    fn what_is_kept_is_found_and_what_is_not_is_said_to_be_gone() {
        let log = log_with(4100, "x");
        assert_eq!(
            answered(&log, &[range(4099, 4105)]),
            (vec![4099, 4100], vec![])
        );
        assert_eq!(answered(&log, &[range(2, 5)]), (vec![5], vec![range(2, 4)]));
        assert_eq!(answered(&log, &[range(1, 3)]), (vec![], vec![range(1, 3)]));
        assert_eq!(answered(&log, &[range(5000, u64::MAX)]), (vec![], vec![]));
        let (found, gone) = answered(&log, &[range(0, u64::MAX), range(10, 20)]);
        assert_eq!((found.len(), found[0]), (256, 5));
        assert_eq!(gone, [range(0, 4)]);
        assert_eq!(log.by_id.len(), 4100);
        let empty = log_with(0, "x");
        assert_eq!(answered(&empty, &[range(1, 5)]), (vec![], vec![]));
    }

    #[test]
    fn long_texts_are_bounded_in_bytes() {
        let log = log_with(300, &"x".repeat(64 * 1024));
        assert_eq!(log.kept.len(), 128);
        assert_eq!(log.bytes, MAX_KEPT_BYTES);
        assert_eq!(log.latest().len(), 1);
        let log = log_with(300, "x");
        let latest: Vec<_> = log
            .latest()
            .iter()
            .map(|message| message.sequence)
            .collect();
        assert_eq!(latest, (281..=300).collect::<Vec<_>>());
    }

    #[test]
    fn an_id_is_found_as_long_as_its_message_is_kept() {
        let log = log_with(4097, "x");
        let id = |number: u64| {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&number.to_be_bytes());
            MessageId::from_bytes(id)
        };
        let alice = RemoteKey::from_bytes([1; 32]);
        assert!(matches!(log.find(&alice, &id(2)), Known::Kept(m) if m.sequence == 2));
        assert_eq!(log.find(&alice, &id(1)), Known::Gone);
        assert_eq!(log.find(&RemoteKey::from_bytes([2; 32]), &id(2)), Known::No);
        let log = log_with(MAX_IDS as u64 + 1, "x");
        assert_eq!(log.find(&alice, &id(1)), Known::No);
        assert_eq!(log.find(&alice, &id(2)), Known::Gone);
    }
}
