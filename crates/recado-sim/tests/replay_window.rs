//! The window against replay, over ten million sequences, beside a reference that is too simple to be wrong.

use recado_proto::datagram::{ReplayWindow, Verdict};
use recado_sim::Random;

/// What `docs/protocol.md` asks for, at least.
const WINDOW: u64 = 1024;

/// Slots of the reference: more than the window has, so that no two sequences within it share one.
const SLOTS: usize = 4096;

/// Remembers, for each remainder, the last sequence that was marked there.
struct Reference {
    marked: Vec<Option<u64>>,
    newest: Option<u64>,
}

impl Reference {
    fn new() -> Self {
        Self {
            marked: vec![None; SLOTS],
            newest: None,
        }
    }

    fn check(&self, sequence: u64) -> Verdict {
        let Some(newest) = self.newest else {
            return Verdict::Newest;
        };
        if sequence > newest {
            Verdict::Newest
        } else if newest - sequence >= WINDOW {
            Verdict::TooOld
        } else if self.marked[sequence as usize % SLOTS] == Some(sequence) {
            Verdict::Seen
        } else {
            Verdict::Late
        }
    }

    fn mark(&mut self, sequence: u64) {
        self.marked[sequence as usize % SLOTS] = Some(sequence);
        self.newest = Some(self.newest.map_or(sequence, |newest| newest.max(sequence)));
    }
}

/// Runs window and reference side by side, and counts verdicts: newest, late, seen, too old.
fn run(seed: u64, start: u64, sequences: u64) -> [u64; 4] {
    let mut random = Random::new(seed);
    let (mut window, mut reference) = (ReplayWindow::default(), Reference::new());
    let (mut at, mut counts) = (start, [0; 4]);
    for _ in 0..sequences {
        let drawn = random.number();
        let near = (drawn >> 8) % 64;
        let sequence = match drawn % 16 {
            // Mostly onward, with gaps; a little or just beyond the window back; rarely far away.
            0..=8 => at.saturating_add(1 + near / 32),
            9..=12 => at.saturating_sub(near),
            13 => at.saturating_sub((drawn >> 8) % 1100),
            14 => at.saturating_sub(WINDOW - 2 + near % 4),
            _ if drawn >> 8 & 0xff == 0 => at.saturating_add((drawn >> 16) % 5_000),
            _ => at.saturating_add(near),
        };
        let verdict = window.check(sequence);
        assert_eq!(
            verdict,
            reference.check(sequence),
            "{sequence}, seed {seed}"
        );
        let (slot, new) = match verdict {
            Verdict::Newest => (0, true),
            Verdict::Late => (1, true),
            Verdict::Seen => (2, false),
            Verdict::TooOld => (3, false),
        };
        counts[slot] += 1;
        // Some do not authenticate, and must leave no trace.
        if new && drawn >> 60 != 0 {
            window.mark(sequence);
            reference.mark(sequence);
            at = at.max(sequence);
        }
    }
    counts
}

#[test]
fn ten_million_sequences_are_judged_as_the_reference_does() {
    let starts = [0, 1, (1 << 23) - 500, 1 << 40, u64::MAX - 9_000_000];
    for (seed, start) in (1..).zip(starts) {
        let counts = run(seed, start, 2_000_000);
        assert!(counts.iter().all(|count| *count > 10_000), "{counts:?}");
    }
}

/// The control: a reference that remembers less is told apart.
#[test]
fn a_window_that_forgets_is_noticed() {
    let (mut window, mut reference) = (ReplayWindow::default(), Reference::new());
    window.mark(10);
    reference.mark(10);
    reference.marked[10] = None;
    assert_ne!(window.check(10), reference.check(10));
}
