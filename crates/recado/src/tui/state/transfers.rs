//! Files on offer and under way: how far each is, how fast, and how long it will take.

use std::time::{Duration, Instant};

use recado_client::About;
use recado_proto::text::sanitise_line;

/// Transfers that are held at most; of those that are over, the oldest go first.
const MAX_HELD: usize = 100;

/// Below this time a rate says nothing.
const LEAST_TIME: Duration = Duration::from_millis(200);

/// How long what became of a file stays, once someone is there to see it.
const SEEN_TIME: Duration = Duration::from_secs(8);

/// The files.
#[derive(Debug, Default)]
pub(in crate::tui) struct Transfers(Vec<Transfer>);

/// A file on its way.
#[derive(Debug)]
pub(in crate::tui) struct Transfer {
    /// The offer's number, as commands name it.
    pub(in crate::tui) number: u64,
    /// The other person, fit for a terminal.
    pub(in crate::tui) with: String,
    /// The file's name, fit for a terminal; a folder is seen to be one.
    pub(in crate::tui) name: String,
    pub(in crate::tui) is_incoming: bool,
    pub(in crate::tui) size: u64,
    /// What is in a folder.
    pub(in crate::tui) entries: Option<u64>,
    pub(in crate::tui) done: u64,
    pub(in crate::tui) stage: Stage,
    /// Bytes a second.
    rate: Option<f64>,
    measured: Option<(Instant, u64)>,
    /// Since when someone is there to see that it is over.
    seen: Option<Instant>,
}

/// How far a file is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::tui) enum Stage {
    /// It waits for an answer.
    Offered,
    /// It does not move: why, in the person's words.
    Waiting(String),
    Running {
        /// Whether the server carries it.
        is_relayed: bool,
    },
    /// It is there: what is to be said of that, fit for a terminal.
    Done(String),
    /// It was not wanted, or not any more: so it is called.
    Over(String),
    /// It cannot be done: why, in the person's words.
    Failed(String),
}

impl Transfers {
    /// The row of an offer; it is made if there is none.
    fn place(&mut self, about: &About) -> Option<&mut Transfer> {
        let known = self.0.iter().position(|it| it.number == about.number);
        let at = known.unwrap_or_else(|| {
            if self.0.len() >= MAX_HELD {
                let over = self.0.iter().position(|transfer| transfer.stage.is_over());
                self.0.remove(over.unwrap_or(0));
            }
            let sign = if about.entries.is_some() { "/" } else { "" };
            self.0.push(Transfer {
                number: about.number,
                with: sanitise_line(&about.peer).into_owned(),
                name: format!("{}{sign}", sanitise_line(&about.title)),
                is_incoming: !about.is_own,
                size: about.size,
                entries: about.entries,
                done: 0,
                stage: Stage::Offered,
                rate: None,
                measured: None,
                seen: None,
            });
            self.0.len() - 1
        });
        self.0.get_mut(at)
    }

    /// How far an offer is now.
    pub(in crate::tui) fn stands(&mut self, about: &About, stage: Stage) {
        if let Some(transfer) = self.place(about) {
            if !matches!(stage, Stage::Running { .. }) {
                (transfer.rate, transfer.measured) = (None, None);
            }
            if let Stage::Done(_) = stage {
                transfer.done = transfer.size;
            }
            transfer.stage = stage;
        }
    }

    pub(in crate::tui) fn progress(&mut self, about: &About, done: u64, now: Instant) {
        let Some(transfer) = self.place(about) else {
            return;
        };
        transfer.done = done.min(transfer.size);
        if !matches!(transfer.stage, Stage::Running { .. }) {
            transfer.stage = Stage::Running { is_relayed: false };
        }
        let Some((then, before)) = transfer.measured else {
            transfer.measured = Some((now, done));
            return;
        };
        let time = now.saturating_duration_since(then);
        if time < LEAST_TIME {
            return;
        }
        let fresh = done.saturating_sub(before) as f64 / time.as_secs_f64();
        // The last few seconds count, and no single moment.
        let weight = (time.as_secs_f64() / 3.0).min(1.0);
        let rate = transfer.rate.unwrap_or(fresh);
        transfer.rate = Some(rate + (fresh - rate) * weight);
        transfer.measured = Some((now, done));
    }

    /// Those that have room in so many rows, and how many of those under way have none: what is under way comes first,
    /// then what ended last.
    pub(in crate::tui) fn shown(&self, rows: usize) -> (Vec<&Transfer>, usize) {
        let of = |is_over| {
            let all = self.0.iter();
            all.filter(move |it| it.stage.is_over() == is_over)
        };
        let open = of(false).count();
        // The last row tells of those without one.
        let room = if open > rows {
            rows.saturating_sub(1)
        } else {
            rows
        };
        let shown = of(false).chain(of(true).rev()).take(room).collect();
        (shown, open.saturating_sub(room))
    }

    pub(in crate::tui) fn len(&self) -> usize {
        self.0.len()
    }

    /// The numbers of those that are not over; or only of those that wait for this person's answer.
    pub(super) fn numbers(&self, are_asked: bool) -> Vec<u64> {
        let is_meant = |it: &&Transfer| match are_asked {
            true => it.is_incoming && it.stage == Stage::Offered,
            false => !it.stage.is_over(),
        };
        let mut numbers: Vec<_> = self.0.iter().filter(is_meant).map(|it| it.number).collect();
        numbers.sort_unstable();
        numbers
    }

    /// Someone is there: what is over is seen, and goes once it was for a while.
    pub(super) fn are_seen(&mut self, now: Instant) {
        self.0.retain_mut(|transfer| {
            if !transfer.stage.is_over() {
                return true;
            }
            let since = *transfer.seen.get_or_insert(now);
            now.saturating_duration_since(since) < SEEN_TIME
        });
    }

    /// Takes what is over out of sight.
    pub(in crate::tui) fn clear(&mut self) {
        self.0.retain(|transfer| !transfer.stage.is_over());
    }
}

impl Stage {
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Over(_) | Self::Failed(_))
    }
}

impl Transfer {
    /// How far it is, in thousandths.
    pub(in crate::tui) fn thousandths(&self) -> u64 {
        let whole = u128::from(self.size.max(1));
        let part = u128::from(self.done) * 1000 / whole;
        u64::try_from(part).unwrap_or(1000).min(1000)
    }

    /// Bytes a second, once that says something.
    pub(in crate::tui) fn rate(&self) -> Option<u64> {
        self.rate.map(|rate| rate as u64)
    }

    /// Seconds that it will take, at this rate.
    pub(in crate::tui) fn left(&self) -> Option<u64> {
        let rate = self.rate().filter(|rate| *rate > 0)?;
        Some(self.size.saturating_sub(self.done).div_ceil(rate))
    }
}

#[cfg(test)]
mod tests {
    use recado_proto::id::OfferId;

    use super::*;

    fn about(number: u64, title: &str) -> About {
        About {
            offer: OfferId::from_bytes([0; 16]),
            number,
            is_own: false,
            peer: "Bob".to_owned(),
            title: title.to_owned(),
            size: 10_000,
            entries: None,
            reference: None,
        }
    }

    #[test]
    fn a_file_is_as_far_as_its_bytes_and_as_fast_as_the_last_seconds() {
        let (mut transfers, begin) = (Transfers::default(), Instant::now());
        let file = about(1, "a\u{202e}gpj.exe");
        transfers.stands(&file, Stage::Offered);
        let at = |seconds| begin + Duration::from_secs(seconds);
        let only = |transfers: &Transfers| {
            let (shown, _) = transfers.shown(1);
            (shown[0].thousandths(), shown[0].rate(), shown[0].left())
        };
        assert_eq!(transfers.shown(9).0[0].name, "agpj.exe");
        transfers.progress(&file, 0, begin);
        assert_eq!(only(&transfers), (0, None, None));
        for second in 1..=4 {
            transfers.progress(&file, second * 1000, at(second));
        }
        assert_eq!(only(&transfers), (400, Some(1000), Some(6)));
        // It stands: the rate goes down, and time does not end.
        transfers.progress(&file, 4000, at(60));
        assert_eq!(only(&transfers), (400, Some(0), None));
        transfers.stands(&file, Stage::Waiting("no connection".to_owned()));
        assert_eq!(only(&transfers), (400, None, None));
        transfers.stands(&file, Stage::Done("in /tmp/a".to_owned()));
        assert_eq!(only(&transfers), (1000, None, None));
        transfers.clear();
        assert_eq!(transfers.len(), 0);
    }

    #[test]
    fn what_is_under_way_stands_first_and_the_list_is_bounded() {
        let mut transfers = Transfers::default();
        for at in 0..MAX_HELD as u64 + 5 {
            let file = about(at, "x");
            transfers.stands(&file, Stage::Offered);
            if at % 2 == 0 {
                transfers.stands(&file, Stage::Over("declined".to_owned()));
            }
        }
        assert_eq!(transfers.len(), MAX_HELD);
        let (shown, hidden) = transfers.shown(3);
        let numbers: Vec<_> = shown.iter().map(|it| it.number).collect();
        assert_eq!((numbers, hidden), (vec![1, 3], 50));
        transfers.0.retain(|it| it.number > 99);
        let (shown, hidden) = transfers.shown(4);
        let numbers: Vec<_> = shown.iter().map(|it| it.number).collect();
        assert_eq!((numbers, hidden), (vec![101, 103, 104, 102], 0));
        assert_eq!(transfers.numbers(false), [101, 103]);
        let own = About {
            is_own: true,
            ..about(7, "x")
        };
        transfers.stands(&own, Stage::Offered);
        assert_eq!(transfers.numbers(true), [101, 103]);
        assert_eq!(transfers.numbers(false), [7, 101, 103]);
    }

    #[test]
    fn what_is_over_goes_once_someone_has_seen_it() {
        let (mut transfers, begin) = (Transfers::default(), Instant::now());
        transfers.stands(&about(1, "x"), Stage::Failed("gone".to_owned()));
        transfers.stands(&about(2, "y"), Stage::Offered);
        let at = |seconds| begin + Duration::from_secs(seconds);
        // Nobody was there for an hour.
        for (second, count) in [(3600, 2), (3607, 2), (3608, 1), (9000, 1)] {
            transfers.are_seen(at(second));
            assert_eq!(transfers.len(), count, "{second}");
        }
        transfers.stands(&about(2, "y"), Stage::Done("in /tmp/y".to_owned()));
        for (second, count) in [(9001, 1), (9009, 0)] {
            transfers.are_seen(at(second));
            assert_eq!(transfers.len(), count, "{second}");
        }
    }
}
