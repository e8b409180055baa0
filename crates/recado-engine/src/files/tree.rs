//! BLAKE3 of contents, group by group: each group's chaining value can be compared as soon as the group is there, and
//! all of them together give the hash of the whole, which any BLAKE3 program gives too.

use blake3::Hasher;
use blake3::hazmat::{HasherExt as _, Mode, merge_subtrees_non_root, merge_subtrees_root};
use recado_proto::file::group_size;

/// What a group contributes to the hash of the whole.
pub type ChainingValue = [u8; 32];

/// The tree over contents that come in order.
#[derive(Clone, Debug)]
pub struct Tree {
    size: u64,
    group: u64,
    /// Of the groups that are complete.
    values: Vec<ChainingValue>,
    /// Of the group that is under way.
    hasher: Hasher,
    /// Bytes of it.
    within: u64,
    /// The hash of the whole, where it is one group.
    whole: Option<[u8; 32]>,
}

/// A group is complete.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GroupEnd {
    /// Its chaining value.
    pub value: ChainingValue,
    /// Bytes up to its end.
    pub position: u64,
}

impl Tree {
    /// Contents of this many bytes, of which none have come.
    pub fn new(size: u64) -> Self {
        Self {
            size,
            group: group_size(size),
            values: Vec::new(),
            hasher: Hasher::new(),
            within: 0,
            whole: (size == 0).then(|| *blake3::hash(&[]).as_bytes()),
        }
    }

    /// Bytes of all contents.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Bytes of each group but the last.
    pub fn group(&self) -> u64 {
        self.group
    }

    /// How many groups there will be.
    pub fn groups(&self) -> u64 {
        self.size.div_ceil(self.group)
    }

    /// Bytes that have come.
    pub fn position(&self) -> u64 {
        self.verified().saturating_add(self.within)
    }

    /// Bytes of complete groups.
    pub fn verified(&self) -> u64 {
        let complete = u64::try_from(self.values.len()).unwrap_or(u64::MAX);
        complete.saturating_mul(self.group).min(self.size)
    }

    /// Bytes until the group under way is complete; 0 when all has come.
    pub fn room(&self) -> u64 {
        let rest = self.size.saturating_sub(self.position());
        rest.min(self.group.saturating_sub(self.within))
    }

    /// Of the groups that are complete.
    pub fn values(&self) -> &[ChainingValue] {
        &self.values
    }

    /// Takes the next bytes; what goes beyond the group under way is not looked at. Returns the group's end, if they
    /// complete it.
    pub fn update(&mut self, bytes: &[u8]) -> Option<GroupEnd> {
        let room = usize::try_from(self.room()).unwrap_or(usize::MAX);
        let bytes = bytes.get(..room).unwrap_or(bytes);
        if bytes.is_empty() {
            return None;
        }
        self.hasher.update(bytes);
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.within = self.within.saturating_add(length);
        if self.room() > 0 {
            return None;
        }
        let value = self.hasher.finalize_non_root();
        if self.size <= self.group {
            self.whole = Some(*self.hasher.finalize().as_bytes());
        }
        let position = self.position();
        self.values.push(value);
        self.begin_group();
        Some(GroupEnd { value, position })
    }

    /// Goes back to the beginning of this group. Does nothing if it has not come that far.
    pub fn go_back(&mut self, groups: u64) {
        let groups = usize::try_from(groups).unwrap_or(usize::MAX);
        if groups > self.values.len() {
            return;
        }
        self.values.truncate(groups);
        if self.size > 0 {
            self.whole = None;
        }
        self.begin_group();
    }

    /// The hash of the whole; `None` until all has come.
    pub fn hash(&self) -> Option<[u8; 32]> {
        if self.verified() < self.size {
            return None;
        }
        self.whole.or_else(|| root(&self.values))
    }

    fn begin_group(&mut self) {
        self.within = 0;
        self.hasher = Hasher::new();
        let position = self.verified();
        if position < self.size {
            // A group is a power of two of chunks, and begins at a multiple of itself: a subtree.
            self.hasher.set_input_offset(position);
        }
    }
}

/// The hash of a whole of at least two groups.
fn root(values: &[ChainingValue]) -> Option<[u8; 32]> {
    let (left, right) = values.split_at_checked(left_groups(values.len())?)?;
    let root = merge_subtrees_root(&subtree(left)?, &subtree(right)?, Mode::Hash);
    Some(*root.as_bytes())
}

fn subtree(values: &[ChainingValue]) -> Option<ChainingValue> {
    if let [value] = values {
        return Some(*value);
    }
    let (left, right) = values.split_at_checked(left_groups(values.len())?)?;
    let value = merge_subtrees_non_root(&subtree(left)?, &subtree(right)?, Mode::Hash);
    Some(value)
}

/// The left subtree is the largest that is full and leaves something for the right one.
fn left_groups(groups: usize) -> Option<usize> {
    let half = groups.next_power_of_two().checked_div(2)?;
    (groups > 1).then_some(half)
}

/// How many groups from the first on are the same in both.
pub fn matching_groups(ours: &[ChainingValue], theirs: &[ChainingValue]) -> u64 {
    let same = ours.iter().zip(theirs).take_while(|(a, b)| a == b);
    u64::try_from(same.count()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: usize = 1 << 20;

    fn contents(size: usize) -> Vec<u8> {
        (0..size).map(|at| (at * 31 % 251) as u8).collect()
    }

    /// Takes all of it, in pieces of this many bytes.
    fn fill(tree: &mut Tree, mut rest: &[u8], piece: usize) -> Vec<GroupEnd> {
        let mut ends = Vec::new();
        while !rest.is_empty() {
            let length = piece.min(rest.len()).min(tree.room() as usize);
            ends.extend(tree.update(&rest[..length]));
            rest = &rest[length..];
        }
        ends
    }

    #[test]
    fn the_hash_is_that_of_blake3_whatever_the_size() {
        for size in [
            0,
            1,
            1024,
            GROUP - 1,
            GROUP,
            GROUP + 1,
            2 * GROUP,
            2 * GROUP + 7,
            3 * GROUP,
            5 * GROUP - 1,
        ] {
            let contents = contents(size);
            for piece in [1 << 18, 77_777] {
                let mut tree = Tree::new(size as u64);
                let ends = fill(&mut tree, &contents, piece);
                assert_eq!(ends.len() as u64, tree.groups(), "{size}");
                let whole = blake3::hash(&contents);
                assert_eq!(tree.hash().as_ref(), Some(whole.as_bytes()), "{size}");
                assert_eq!(tree.position(), size as u64);
            }
        }
    }

    #[test]
    fn what_is_there_already_is_gone_on_with() {
        let contents = contents(3 * GROUP + 5);
        let mut tree = Tree::new(contents.len() as u64);
        fill(&mut tree, &contents[..2 * GROUP + 99], 1 << 16);
        assert_eq!((tree.verified(), tree.hash()), (2 << 20, None));
        tree.go_back(1);
        assert_eq!(tree.position(), 1 << 20);
        fill(&mut tree, &contents[GROUP..], 1 << 16);
        assert_eq!(
            tree.hash().as_ref(),
            Some(blake3::hash(&contents).as_bytes())
        );
        tree.go_back(9);
        assert!(tree.hash().is_some(), "there are no nine groups");
    }

    #[test]
    fn what_is_beyond_a_group_is_not_looked_at() {
        let mut tree = Tree::new(3);
        let end = tree.update(b"abcdef").unwrap();
        assert_eq!(end.position, 3);
        assert_eq!(tree.update(b"g"), None);
        assert_eq!(tree.hash().as_ref(), Some(blake3::hash(b"abc").as_bytes()));
    }

    #[test]
    fn one_changed_byte_shows_in_its_group() {
        let mut contents = contents(4 * GROUP);
        let mut tree = Tree::new(contents.len() as u64);
        fill(&mut tree, &contents, 1 << 20);
        contents[2 * GROUP + 1] ^= 1;
        let mut other = Tree::new(contents.len() as u64);
        fill(&mut other, &contents, 1 << 20);
        assert_eq!(matching_groups(tree.values(), other.values()), 2);
    }
}
