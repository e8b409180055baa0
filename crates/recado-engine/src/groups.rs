//! Which group of two people counts, and who of them commits (`docs/protocol.md` §Groups): decisions that both sides
//! take by themselves, and must take alike.

use recado_proto::id::{RemoteKey, StoreId};

/// What is said in one epoch, both ways together, before the keys are renewed: little enough that keys that were
/// stolen are soon of no use, and so much that the renewal's 1.1 KiB and half a millisecond do not count.
pub const MESSAGES_PER_EPOCH: u64 = 100;

/// How old an epoch's keys become in milliseconds, if that many are not said: a week.
pub const EPOCH_AGE_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// The highest generation that a group may claim: above it nobody could make another.
pub const MAX_GENERATION: u64 = 1 << 62;

/// A group, as one of its two members ranks it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GroupRank {
    /// The other member's database.
    pub peer_store: StoreId,
    /// Which of the pair's groups it is meant to be.
    pub generation: u64,
    /// Who made it.
    pub maker: RemoteKey,
}

/// Whether a group that was made or joined later counts in place of one of before.
pub fn takes_place_of(later: &GroupRank, earlier: &GroupRank) -> bool {
    if later.peer_store != earlier.peer_store {
        // The other side has a new database, which knows nothing of the earlier group.
        return true;
    }
    match later.generation.cmp(&earlier.generation) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => later.maker <= earlier.maker,
        std::cmp::Ordering::Greater => true,
    }
}

/// The one that counts, of all in the order in which they were made or joined.
pub fn that_counts<T>(groups: &[T], rank: impl Fn(&T) -> GroupRank) -> Option<usize> {
    let mut best: Option<(usize, GroupRank)> = None;
    for (at, group) in groups.iter().enumerate() {
        let rank = rank(group);
        if best.is_none_or(|(_, best)| takes_place_of(&rank, &best)) {
            best = Some((at, rank));
        }
    }
    best.map(|(at, _)| at)
}

/// Whether it is oneself who commits. The other proposes.
pub fn commits(own: &RemoteKey, peer: &RemoteKey) -> bool {
    own < peer
}

/// What is known of an epoch when the question comes up whether the keys are to be renewed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Freshness {
    /// What was said in it, both ways together.
    pub said: u64,
    /// How long ago it began, in milliseconds; less than nothing where a clock was set back.
    pub age_ms: i64,
    /// Whether anything came from the other side: only then they are known to be in it.
    pub heard: bool,
    /// Whether one joined by a key package that others could have got too.
    pub is_weak: bool,
    /// Whether the other side has proposed, and waits for a commit.
    pub is_asked: bool,
    /// Whether something of the kind is under way.
    pub is_under_way: bool,
}

/// Whether it is time to commit, or to propose.
pub fn is_renewal_due(epoch: &Freshness) -> bool {
    let is_old = epoch.said >= MESSAGES_PER_EPOCH || epoch.age_ms >= EPOCH_AGE_MS;
    epoch.heard && !epoch.is_under_way && (epoch.is_asked || epoch.is_weak || is_old)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: RemoteKey = RemoteKey::from_bytes([1; 32]);
    const BOB: RemoteKey = RemoteKey::from_bytes([2; 32]);

    fn group(store: u8, generation: u64, maker: RemoteKey) -> GroupRank {
        GroupRank {
            peer_store: StoreId::from_bytes([store; 16]),
            generation,
            maker,
        }
    }

    #[test]
    fn of_two_that_began_at_once_both_sides_choose_the_same() {
        let (by_alice, by_bob) = (group(1, 1, ALICE), group(1, 1, BOB));
        for groups in [[by_alice, by_bob], [by_bob, by_alice]] {
            let at = that_counts(&groups, |it| *it).unwrap();
            assert_eq!(groups[at].maker, ALICE);
        }
        assert!(commits(&ALICE, &BOB) && !commits(&BOB, &ALICE));
    }

    #[test]
    fn a_higher_generation_counts_whenever_it_comes() {
        let (second, third) = (group(1, 2, ALICE), group(1, 3, BOB));
        for groups in [[second, third], [third, second]] {
            let at = that_counts(&groups, |it| *it).unwrap();
            assert_eq!(groups[at], third);
        }
        assert_eq!(that_counts::<GroupRank>(&[], |it| *it), None);
    }

    #[test]
    fn a_new_store_of_the_other_side_counts_though_it_begins_low() {
        let groups = [group(1, 7, ALICE), group(2, 3, BOB), group(2, 2, BOB)];
        assert_eq!(that_counts(&groups, |it| *it), Some(1));
    }

    #[test]
    fn keys_are_renewed_when_they_are_old_or_weak_and_the_other_side_is_there() {
        let fresh = Freshness {
            said: 1,
            age_ms: 0,
            heard: true,
            is_weak: false,
            is_asked: false,
            is_under_way: false,
        };
        assert!(!is_renewal_due(&fresh));
        for due in [
            Freshness {
                said: MESSAGES_PER_EPOCH,
                ..fresh
            },
            Freshness {
                age_ms: EPOCH_AGE_MS,
                ..fresh
            },
            Freshness {
                is_weak: true,
                ..fresh
            },
            Freshness {
                is_asked: true,
                ..fresh
            },
        ] {
            assert!(is_renewal_due(&due));
            assert!(!is_renewal_due(&Freshness {
                heard: false,
                ..due
            }));
            assert!(!is_renewal_due(&Freshness {
                is_under_way: true,
                ..due
            }));
        }
    }
}
