//! Files on offer and under way: how far each is, how fast, and how long it will take.

use std::time::{Duration, Instant};

use recado_client::About;
use recado_proto::text::sanitise_line;

/// Transfers that are shown at most; of those that are over, the oldest go first.
const MAX_SHOWN: usize = 20;

/// Below this time a rate says nothing.
const LEAST_TIME: Duration = Duration::from_millis(200);

/// The files.
#[derive(Debug, Default)]
pub(in crate::tui) struct Transfers(Vec<Transfer>);

/// A file on its way.
#[derive(Debug)]
pub(in crate::tui) struct Transfer {
    /// The offer's id, as commands name it.
    pub(in crate::tui) offer: String,
    /// The other person, fit for a terminal.
    pub(in crate::tui) with: String,
    /// The file's name, fit for a terminal.
    pub(in crate::tui) name: String,
    pub(in crate::tui) is_incoming: bool,
    pub(in crate::tui) size: u64,
    pub(in crate::tui) done: u64,
    pub(in crate::tui) stage: Stage,
    /// Bytes a second.
    rate: Option<f64>,
    measured: Option<(Instant, u64)>,
}

/// How far a file is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::tui) enum Stage {
    /// It waits for an answer.
    Offered,
    /// It does not move: why, in the person's words.
    Waiting(String),
    Running,
    /// It is there: where, fit for a terminal.
    Done(String),
    /// It is over: what became of it, in the person's words.
    Over(String),
}

impl Transfers {
    /// Makes a row for an offer that has none; what commands call it.
    pub(in crate::tui) fn place(&mut self, about: &About) -> String {
        let offer = about.number.to_string();
        // A folder is seen to be one.
        let name = match about.entries {
            Some(_) => format!("{}/", about.title),
            None => about.title.clone(),
        };
        self.offered(&offer, &about.peer, &name, about.size, !about.is_own);
        offer
    }

    /// Its contents pass.
    pub(in crate::tui) fn running(&mut self, offer: &str) {
        if let Some(transfer) = self.find(offer) {
            transfer.stage = Stage::Running;
        }
    }

    /// An offer, if it is not there yet.
    pub(in crate::tui) fn offered(
        &mut self,
        offer: &str,
        with: &str,
        name: &str,
        size: u64,
        is_incoming: bool,
    ) {
        if self.find(offer).is_some() {
            return;
        }
        if self.0.len() >= MAX_SHOWN {
            let over = self.0.iter().position(|transfer| transfer.stage.is_over());
            self.0.remove(over.unwrap_or(0));
        }
        self.0.push(Transfer {
            offer: offer.to_owned(),
            with: sanitise_line(with).into_owned(),
            name: sanitise_line(name).into_owned(),
            is_incoming,
            size,
            done: 0,
            stage: Stage::Offered,
            rate: None,
            measured: None,
        });
    }

    pub(in crate::tui) fn progress(&mut self, offer: &str, done: u64, size: u64, now: Instant) {
        let Some(transfer) = self.find(offer) else {
            return;
        };
        (transfer.done, transfer.size) = (done.min(size), size);
        transfer.stage = Stage::Running;
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

    /// It does not move now: why, in the person's words.
    pub(in crate::tui) fn waiting(&mut self, offer: &str, why: &str) {
        if let Some(transfer) = self.find(offer) {
            transfer.stage = Stage::Waiting(why.to_owned());
            (transfer.rate, transfer.measured) = (None, None);
        }
    }

    pub(in crate::tui) fn received(&mut self, offer: &str, path: &str) {
        if let Some(transfer) = self.find(offer) {
            transfer.done = transfer.size;
            transfer.stage = Stage::Done(sanitise_line(path).into_owned());
        }
    }

    pub(in crate::tui) fn over(&mut self, offer: &str, what: &str) {
        if let Some(transfer) = self.find(offer) {
            transfer.stage = Stage::Over(what.to_owned());
        }
    }

    fn find(&mut self, offer: &str) -> Option<&mut Transfer> {
        self.0.iter_mut().find(|transfer| transfer.offer == offer)
    }

    /// Those that are shown, in so many rows: what is under way, and what ended last.
    pub(in crate::tui) fn shown(&self, rows: usize) -> Vec<&Transfer> {
        let of = |is_over| {
            self.0
                .iter()
                .filter(move |it| it.stage.is_over() == is_over)
        };
        of(false).chain(of(true)).take(rows).collect()
    }

    pub(in crate::tui) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes what is over out of sight.
    pub(in crate::tui) fn clear(&mut self) {
        self.0.retain(|transfer| !transfer.stage.is_over());
    }
}

impl Stage {
    fn is_over(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Over(_))
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
        let rate = self.rate.filter(|_| self.stage == Stage::Running)?;
        Some(rate as u64)
    }

    /// Seconds that it will take, at this rate.
    pub(in crate::tui) fn left(&self) -> Option<u64> {
        let rate = self.rate().filter(|rate| *rate > 0)?;
        Some(self.size.saturating_sub(self.done).div_ceil(rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_as_far_as_its_bytes_and_as_fast_as_the_last_seconds() {
        let (mut transfers, begin) = (Transfers::default(), Instant::now());
        transfers.offered("1", "Bob", "a\u{202e}gpj.exe", 10_000, true);
        let at = |seconds| begin + Duration::from_secs(seconds);
        let only = |transfers: &Transfers| {
            let shown = transfers.shown(1);
            (shown[0].thousandths(), shown[0].rate(), shown[0].left())
        };
        assert_eq!(transfers.shown(9)[0].name, "agpj.exe");
        transfers.progress("1", 0, 10_000, begin);
        assert_eq!(only(&transfers), (0, None, None));
        for second in 1..=4 {
            transfers.progress("1", second * 1000, 10_000, at(second));
        }
        assert_eq!(only(&transfers), (400, Some(1000), Some(6)));
        // It stands: the rate goes down, and time does not end.
        transfers.progress("1", 4000, 10_000, at(60));
        assert_eq!(only(&transfers), (400, Some(0), None));
        transfers.received("1", "/tmp/a");
        assert_eq!(only(&transfers), (1000, None, None));
        transfers.clear();
        assert_eq!(transfers.len(), 0);
    }

    #[test]
    fn what_is_under_way_stands_first_and_the_list_is_bounded() {
        let mut transfers = Transfers::default();
        for at in 0..MAX_SHOWN + 5 {
            transfers.offered(&at.to_string(), "Bob", "x", 0, false);
            if at % 2 == 0 {
                transfers.over(&at.to_string(), "declined");
            }
        }
        assert_eq!(transfers.len(), MAX_SHOWN);
        let shown = transfers.shown(3);
        assert!(
            shown
                .iter()
                .all(|transfer| transfer.stage == Stage::Offered)
        );
    }
}
