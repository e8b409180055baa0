//! The roster as bytes, in parts that all who join share: a part is encoded when it is first asked for after
//! someone in it came or went. Thousands who join at once thus cost neither a roster each to encode nor one each to
//! keep until it is sent.

use std::ops::RangeInclusive;

use bytes::Bytes;
use recado_proto::id::RemoteKey;

/// People of one part, about: it is what one who comes or goes costs to encode anew.
const PART: usize = 128;

/// The most parts; they are told apart by a key's first byte.
const MAX_PARTS: usize = 256;

/// What was encoded last, in the order of the keys. The number of parts is a power of two.
#[derive(Default)]
pub(crate) struct RosterParts {
    parts: Vec<Option<Bytes>>,
}

impl RosterParts {
    /// Someone came or went.
    pub(crate) fn change(&mut self, key: &RemoteKey) {
        let width = self.width();
        let at = first_byte(key).checked_div(width).unwrap_or(0);
        let part = self.parts.get_mut(at);
        if let Some(part) = part {
            *part = None;
        }
    }

    /// The whole roster of so many people. `encode` is asked for the parts that have changed: those with keys in a
    /// range, and whether it is the last.
    pub(crate) fn all(
        &mut self,
        people: usize,
        mut encode: impl FnMut(RangeInclusive<RemoteKey>, bool) -> Bytes,
    ) -> impl Iterator<Item = Bytes> {
        let wanted = people.div_ceil(PART).next_power_of_two().min(MAX_PARTS);
        if wanted != self.parts.len() {
            self.parts = vec![None; wanted];
        }
        let width = self.width();
        let last = wanted.saturating_sub(1);
        self.parts.iter_mut().enumerate().map(move |(at, part)| {
            let from = at.saturating_mul(width);
            let to = from.saturating_add(width).saturating_sub(1);
            let range = bound(from, 0)..=bound(to, u8::MAX);
            part.get_or_insert_with(|| encode(range, at == last))
                .clone()
        })
    }

    /// First bytes of one part.
    fn width(&self) -> usize {
        MAX_PARTS.checked_div(self.parts.len()).unwrap_or(MAX_PARTS)
    }
}

fn first_byte(key: &RemoteKey) -> usize {
    key.as_bytes().first().copied().unwrap_or(0).into()
}

fn bound(first: usize, rest: u8) -> RemoteKey {
    let mut bytes = [rest; RemoteKey::LENGTH];
    if let Some(byte) = bytes.first_mut() {
        *byte = u8::try_from(first).unwrap_or(u8::MAX);
    }
    RemoteKey::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A part is encoded as the first bytes of its keys, and the end of the roster as 255, 255.
    fn encode(people: &BTreeSet<RemoteKey>, range: RangeInclusive<RemoteKey>, last: bool) -> Bytes {
        let mut bytes: Vec<_> = people.range(range).map(|key| key.as_bytes()[0]).collect();
        bytes.extend([u8::MAX; 2].iter().filter(|_| last));
        bytes.into()
    }

    #[test]
    fn everyone_is_in_it_once_and_the_last_part_ends_it() {
        for count in [0, 1, 128, 129, 1_000, 70_000] {
            let key = |number: u32| {
                let mut key = [0; RemoteKey::LENGTH];
                key[..4].copy_from_slice(&number.wrapping_mul(0x9E37_79B1).to_be_bytes());
                RemoteKey::from_bytes(key)
            };
            let people: BTreeSet<_> = (0..count).map(key).collect();
            let mut roster = RosterParts::default();
            let parts = roster.all(people.len(), |range, last| encode(&people, range, last));
            let parts: Vec<_> = parts.collect();
            let mut expected: Vec<_> = people.iter().map(|key| key.as_bytes()[0]).collect();
            expected.extend([u8::MAX; 2]);
            assert_eq!(parts.concat(), expected);
            assert_eq!(parts.len() == 1, count <= 128);
        }
    }

    #[test]
    fn only_what_has_changed_is_encoded_anew() {
        let mut roster = RosterParts::default();
        let mut encoded = |people, change: Option<u8>| {
            if let Some(first) = change {
                roster.change(&bound(first.into(), 7));
            }
            let mut froms = vec![];
            let parts = roster.all(people, |range, _| {
                froms.push(range.start().as_bytes()[0]);
                Bytes::new()
            });
            parts.for_each(drop);
            froms
        };
        assert_eq!(encoded(500, None), [0, 64, 128, 192]);
        assert_eq!(encoded(501, None), [0; 0]);
        assert_eq!(encoded(502, Some(65)), [64]);
        assert_eq!(encoded(511, Some(255)), [192]);
        assert_eq!(encoded(200, Some(0)), [0, 128]);
    }
}
