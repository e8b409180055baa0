//! The sliding window against replay (after RFC 6479: a ring of words, so that sliding clears whole
//! words and shifts nothing).

/// Words of the ring: one more than the window has, as the newest word is partly filled.
const WORDS: usize = 17;

/// Sequences behind the newest that are still told apart.
const WINDOW: u64 = 1024;

/// Which sequences have been seen: all of the newest 1,024 exactly; older ones count as seen.
#[derive(Clone, Default, Debug)]
pub struct ReplayWindow {
    /// Bit `s % 64` of word `s / 64 % WORDS` stands for sequence `s`.
    words: [u64; WORDS],
    newest: Option<u64>,
}

/// What a window says of a sequence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Above all that were marked.
    Newest,
    /// Below the newest, inside the window, not marked.
    Late,
    /// Marked before.
    Seen,
    /// Below the window.
    TooOld,
}

impl ReplayWindow {
    /// What the window says of `sequence`; changes nothing.
    pub fn check(&self, sequence: u64) -> Verdict {
        match self.newest {
            None => Verdict::Newest,
            Some(newest) if sequence > newest => Verdict::Newest,
            Some(newest) if newest.saturating_sub(sequence) >= WINDOW => Verdict::TooOld,
            Some(_) if self.word(sequence) & bit(sequence) != 0 => Verdict::Seen,
            Some(_) => Verdict::Late,
        }
    }

    /// Marks a sequence that [`check`](Self::check) called newest or late, once its datagram has opened.
    pub fn mark(&mut self, sequence: u64) {
        if self.newest.is_none_or(|newest| sequence > newest) {
            self.slide(sequence);
        }
        if let Some(word) = self.words.get_mut(index(sequence)) {
            *word |= bit(sequence);
        }
    }

    /// Makes `sequence` the newest, and clears the words that come into the window with it.
    fn slide(&mut self, sequence: u64) {
        let from = self.newest.map_or(0, |newest| newest / 64);
        let fresh = (sequence / 64).saturating_sub(from).min(WORDS as u64);
        for step in 0..fresh {
            let word = sequence.saturating_sub(step.saturating_mul(64));
            if let Some(word) = self.words.get_mut(index(word)) {
                *word = 0;
            }
        }
        self.newest = Some(sequence);
    }

    fn word(&self, sequence: u64) -> u64 {
        self.words.get(index(sequence)).copied().unwrap_or(0)
    }
}

fn index(sequence: u64) -> usize {
    let word = (sequence / 64).checked_rem(WORDS as u64).unwrap_or(0);
    usize::try_from(word).unwrap_or(0)
}

fn bit(sequence: u64) -> u64 {
    1u64.wrapping_shl((sequence % 64) as u32)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// The window as its documentation says it: a set of all that was ever marked.
    #[derive(Default)]
    struct Reference(BTreeSet<u64>);

    impl Reference {
        fn check(&self, sequence: u64) -> Verdict {
            match self.0.last() {
                Some(newest) if sequence > *newest => Verdict::Newest,
                None => Verdict::Newest,
                Some(newest) if newest - sequence >= WINDOW => Verdict::TooOld,
                Some(_) if self.0.contains(&sequence) => Verdict::Seen,
                Some(_) => Verdict::Late,
            }
        }
    }

    fn follows_reference(sequences: impl IntoIterator<Item = u64>) {
        let (mut window, mut reference) = (ReplayWindow::default(), Reference::default());
        for sequence in sequences {
            let verdict = window.check(sequence);
            assert_eq!(verdict, reference.check(sequence), "{sequence}");
            if matches!(verdict, Verdict::Newest | Verdict::Late) {
                window.mark(sequence);
                reference.0.insert(sequence);
                assert_eq!(window.check(sequence), Verdict::Seen);
            }
        }
    }

    proptest! {
        #[test]
        fn steps_near_and_far(
            start in prop_oneof![Just(0u64), Just(u64::MAX - 50_000), any::<u64>()],
            steps in prop::collection::vec(prop_oneof![-1200i64..1200, -3..4i64, 0..200_000i64], 1..400),
        ) {
            let mut at = start;
            follows_reference(steps.into_iter().map(|step| {
                at = at.saturating_add_signed(step);
                at
            }));
        }
    }

    #[test]
    fn the_whole_window_and_both_its_edges() {
        let mut window = ReplayWindow::default();
        window.mark(5_000);
        for late in 5_000 - WINDOW + 1..5_000 {
            assert_eq!(window.check(late), Verdict::Late, "{late}");
        }
        assert_eq!(window.check(5_000 - WINDOW), Verdict::TooOld);
        assert_eq!(window.check(u64::MAX), Verdict::Newest);
        window.mark(u64::MAX);
        assert_eq!(window.check(u64::MAX), Verdict::Seen);
        assert_eq!(window.check(5_000), Verdict::TooOld);
    }
}
