//! The client's view of the log of global messages: what has come, what is missing, what is lost for good.

use std::collections::BTreeSet;
use std::time::Duration;

use recado_proto::frame::Range;
use recado_proto::limits::{MAX_RANGES, MAX_REQUESTED};

/// How long a number may be missing before it is asked for: reordering on one path takes milliseconds.
const REORDER: Duration = Duration::from_millis(30);

/// When a request is repeated: the connection is reliable, but an overloaded server drops answers.
const REPEAT: Duration = Duration::from_secs(1);

/// Numbers that may have come beyond a missing one: twice what the server keeps. Then the oldest gap is given up, as
/// nothing can fill it any more.
const MAX_AHEAD: usize = 8192;

/// The highest number that is believed, so that there is always a next one.
const HIGHEST: u64 = u64::MAX - 1;

/// Which numbers have come.
#[derive(Debug)]
pub(crate) struct GlobalLog {
    /// This and everything below is settled.
    floor: u64,
    /// The highest number known to be given.
    head: u64,
    /// The highest number that has come.
    newest: u64,
    /// Settled numbers above the floor.
    settled: BTreeSet<u64>,
    /// When the missing numbers are asked for.
    request_at: Option<Duration>,
    /// What was asked for.
    requested: Vec<Range>,
    /// How many of those are still missing.
    outstanding: u64,
}

/// What a number that has come is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Arrival {
    /// A higher one had come before.
    pub(crate) late: bool,
    /// It had been asked for.
    pub(crate) repaired: bool,
}

impl GlobalLog {
    /// A log that is followed from the number after `floor`.
    pub(crate) fn new(floor: u64) -> Self {
        Self {
            floor,
            head: floor,
            newest: floor,
            settled: BTreeSet::new(),
            request_at: None,
            requested: Vec::new(),
            outstanding: 0,
        }
    }

    /// What was asked for in an earlier session is asked for again.
    pub(crate) fn begin_session(&mut self) {
        self.request_at = None;
        self.requested.clear();
        self.outstanding = 0;
    }

    /// Takes a number that has come. `None` if it had come before.
    pub(crate) fn receive(&mut self, now: Duration, sequence: u64) -> Option<Arrival> {
        if sequence <= self.floor || sequence > HIGHEST || self.settled.contains(&sequence) {
            return None;
        }
        let arrival = Arrival {
            late: sequence < self.newest,
            repaired: self.was_requested(sequence),
        };
        self.newest = self.newest.max(sequence);
        self.head = self.head.max(sequence);
        self.settle(sequence);
        self.schedule(now, now.saturating_add(REORDER));
        Some(arrival)
    }

    /// Learns how far the log has come. What was said last may still be on its way.
    pub(crate) fn learn_head(&mut self, now: Duration, head: u64) {
        self.head = self.head.max(head.min(HIGHEST));
        self.schedule(now, now.saturating_add(REORDER));
    }

    /// Whether the highest number known is missing: nothing that came later by datagram says that datagrams come.
    pub(crate) fn is_missing_its_end(&self) -> bool {
        self.newest < self.head && self.floor < self.head
    }

    /// Learns that numbers cannot be had any more; returns those of them that were missing.
    pub(crate) fn give_up(&mut self, now: Duration, range: Range) -> Vec<Range> {
        let within = |gap: Range| {
            let (first, last) = (gap.first.max(range.first), gap.last.min(range.last));
            (first <= last).then_some(Range { first, last })
        };
        let holes: Vec<_> = self.missing().filter_map(within).collect();
        for hole in &holes {
            self.settle_range(*hole);
        }
        self.schedule(now, now);
        holes
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.request_at
    }

    /// What is to be asked for now; oldest first.
    pub(crate) fn handle_timeout(&mut self, now: Duration) -> Option<Vec<Range>> {
        if self.request_at.is_none_or(|at| now < at) {
            return None;
        }
        let mut left = MAX_REQUESTED;
        let mut ranges = Vec::new();
        for gap in self.missing().take(MAX_RANGES) {
            let Some(room) = left.checked_sub(1) else {
                break;
            };
            let last = gap.last.min(gap.first.saturating_add(room));
            let count = last.saturating_sub(gap.first).saturating_add(1);
            left = left.saturating_sub(count);
            ranges.push(Range {
                first: gap.first,
                last,
            });
        }
        self.outstanding = MAX_REQUESTED.saturating_sub(left);
        self.requested = ranges.clone();
        self.request_at = (!ranges.is_empty()).then(|| now.saturating_add(REPEAT));
        (!ranges.is_empty()).then_some(ranges)
    }

    /// The gap that is given up because too much has come beyond it.
    pub(crate) fn overflow(&mut self) -> Option<Range> {
        if self.settled.len() <= MAX_AHEAD {
            return None;
        }
        let gap = self.missing().next()?;
        self.settle_range(gap);
        Some(gap)
    }

    fn is_missing_any(&self) -> bool {
        self.floor < self.head
    }

    /// The gaps, oldest first.
    fn missing(&self) -> impl Iterator<Item = Range> + '_ {
        let mut expected = self.floor.saturating_add(1);
        let end = self.head.saturating_add(1);
        let ends = self.settled.iter().copied().chain([end]);
        ends.filter_map(move |settled| {
            let first = expected;
            expected = settled.saturating_add(1);
            let last = settled.checked_sub(1)?;
            (first <= last).then_some(Range { first, last })
        })
    }

    fn was_requested(&self, sequence: u64) -> bool {
        let holds = |range: &Range| (range.first..=range.last).contains(&sequence);
        self.requested.iter().any(holds)
    }

    fn settle(&mut self, sequence: u64) {
        if self.was_requested(sequence) {
            self.outstanding = self.outstanding.saturating_sub(1);
        }
        self.settled.insert(sequence);
        self.raise_floor();
    }

    /// Settles a whole gap. One that begins at the floor may be as wide as a hostile server says.
    fn settle_range(&mut self, gap: Range) {
        let asked = |range: &Range| {
            let (first, last) = (range.first.max(gap.first), range.last.min(gap.last));
            last.checked_sub(first)
                .map_or(0, |more| more.saturating_add(1))
        };
        let answered: u64 = self.requested.iter().map(asked).sum();
        self.outstanding = self.outstanding.saturating_sub(answered);
        if gap.first == self.floor.saturating_add(1) {
            self.floor = gap.last;
        } else {
            self.settled.extend(gap.first..=gap.last);
        }
        self.raise_floor();
    }

    fn raise_floor(&mut self) {
        while let Some(next) = self.floor.checked_add(1)
            && self.settled.remove(&next)
        {
            self.floor = next;
        }
    }

    /// Asks at `at` for what is missing, unless it was asked for already.
    fn schedule(&mut self, now: Duration, at: Duration) {
        if !self.is_missing_any() {
            self.request_at = None;
            self.requested.clear();
            self.outstanding = 0;
        } else if self.outstanding == 0 {
            let answered = !self.requested.is_empty();
            self.requested.clear();
            let at = if answered { now } else { at };
            self.request_at = Some(self.request_at.map_or(at, |earlier| earlier.min(at)));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn range(first: u64, last: u64) -> Range {
        Range { first, last }
    }

    const FRESH: Option<Arrival> = Some(Arrival {
        late: false,
        repaired: false,
    });

    #[test]
    fn each_number_comes_once_and_a_late_one_says_so() {
        let mut log = GlobalLog::new(10);
        assert_eq!(log.receive(at(0), 10), None);
        assert_eq!(log.receive(at(0), 11), FRESH);
        assert_eq!(log.receive(at(0), 13), FRESH);
        let late = Arrival {
            late: true,
            repaired: false,
        };
        assert_eq!(log.receive(at(1), 12), Some(late));
        assert_eq!(log.receive(at(1), 12), None);
        assert_eq!(log.handle_timeout(at(1000)), None, "nothing is missing");
        assert!(log.settled.is_empty());
    }

    #[test]
    fn a_gap_is_asked_for_after_a_moment_and_again_if_nothing_comes() {
        let mut log = GlobalLog::new(0);
        log.receive(at(0), 3);
        log.receive(at(5), 6);
        assert_eq!(log.deadline(), Some(at(30)));
        let asked = Some(vec![range(1, 2), range(4, 5)]);
        assert_eq!(log.handle_timeout(at(30)), asked);
        log.receive(at(40), 1);
        assert_eq!(log.handle_timeout(at(100)), None);
        let rest = Some(vec![range(2, 2), range(4, 5)]);
        assert_eq!(log.handle_timeout(at(1030)), rest);
        let repaired = log.receive(at(1040), 2);
        let late = Arrival {
            late: true,
            repaired: true,
        };
        assert_eq!(repaired, Some(late));
    }

    #[test]
    fn a_lost_tail_shows_when_the_head_is_told() {
        let mut log = GlobalLog::new(0);
        log.receive(at(0), 1);
        log.learn_head(at(250), 1);
        assert_eq!((log.deadline(), log.is_missing_its_end()), (None, false));
        log.learn_head(at(500), 3);
        assert!(log.is_missing_its_end());
        assert_eq!(log.handle_timeout(at(529)), None, "it may be on its way");
        assert_eq!(log.handle_timeout(at(530)), Some(vec![range(2, 3)]));
    }

    #[test]
    fn what_is_gone_is_a_hole_and_the_next_request_follows_at_once() {
        let mut log = GlobalLog::new(0);
        log.learn_head(at(0), 1000);
        log.receive(at(0), 500);
        assert_eq!(log.handle_timeout(at(30)), Some(vec![range(1, 256)]));
        assert_eq!(log.give_up(at(40), range(0, 300)), [range(1, 300)]);
        assert_eq!(log.give_up(at(40), range(0, 300)), []);
        let rest = Some(vec![range(301, 499), range(501, 557)]);
        assert_eq!(log.handle_timeout(at(40)), rest);
    }

    #[test]
    fn a_hostile_head_costs_nothing() {
        let mut log = GlobalLog::new(0);
        log.learn_head(at(0), u64::MAX);
        assert_eq!(log.handle_timeout(at(30)), Some(vec![range(1, 256)]));
        let all = range(0, u64::MAX);
        assert_eq!(log.give_up(at(0), all), [range(1, HIGHEST)]);
        assert_eq!(log.receive(at(0), u64::MAX), None);
        assert_eq!(log.receive(at(0), 5), None);
    }

    #[test]
    fn what_comes_beyond_a_gap_is_bounded() {
        let mut log = GlobalLog::new(0);
        for sequence in (2..).take(MAX_AHEAD) {
            log.receive(at(0), sequence);
            assert_eq!(log.overflow(), None);
        }
        log.receive(at(0), 2 + MAX_AHEAD as u64);
        assert_eq!(log.overflow(), Some(range(1, 1)));
        assert!(log.settled.is_empty());
    }

    proptest! {
        /// Any order, with repeats: each number is taken once, and the gaps are exactly what has not come.
        #[test]
        fn follows_a_set(sequences in prop::collection::vec(1u64..60, 0..120)) {
            let mut log = GlobalLog::new(0);
            let mut seen = BTreeSet::new();
            for (time, sequence) in sequences.into_iter().enumerate() {
                let came = log.receive(at(time as u64), sequence).is_some();
                prop_assert_eq!(came, seen.insert(sequence));
                let highest = *seen.last().unwrap();
                let missing: Vec<u64> = log.missing().flat_map(|gap| gap.first..=gap.last).collect();
                let expected: Vec<u64> = (1..highest).filter(|n| !seen.contains(n)).collect();
                prop_assert_eq!(&missing, &expected);
                prop_assert_eq!(log.deadline().is_some(), !expected.is_empty());
            }
        }
    }
}
