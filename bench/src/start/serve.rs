//! `recado serve`, started over and over on one data folder.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::process::{ServerProcess, Workshop};

/// What was measured.
pub(super) struct Times {
    pub(super) median: Duration,
    pub(super) least: Duration,
    pub(super) most: Duration,
}

/// Starts it so many times, after once for the folder's sake.
pub(super) fn time(program: &Path, home: &Path, rounds: usize) -> Result<Times> {
    let mut times = Vec::with_capacity(rounds);
    for round in 0..=rounds {
        let mut command = Command::new(program);
        command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("RECADO_HOME", home);
        let workshop = Workshop::new()?;
        let start = Instant::now();
        let (server, line) = ServerProcess::start_announced(workshop, &mut command)?;
        let took = start.elapsed();
        ensure!(
            line.starts_with("recado ready "),
            "not a ready line: {line}"
        );
        if round > 0 {
            times.push(took);
        }
        drop(server); // In order, so that the next one has nothing to check.
    }
    summary(times).context("nothing was timed")
}

fn summary(mut times: Vec<Duration>) -> Option<Times> {
    times.sort();
    Some(Times {
        median: *times.get(times.len() / 2)?,
        least: *times.first()?,
        most: *times.last()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        let times = [5, 1, 9].map(Duration::from_millis).to_vec();
        let summary = summary(times).unwrap();
        let ms = [summary.least, summary.median, summary.most].map(|it| it.as_millis());
        assert_eq!(ms, [1, 5, 9]);
        assert!(super::summary(vec![]).is_none());
    }
}
