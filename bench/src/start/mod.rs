//! How long starting takes, and how large the program is.

mod serve;

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;
use recado_binary::build;

use crate::page::{Section, table};
use crate::{machine, recado_binary};

const SECTION: Section = Section {
    name: "start",
    heading: "Starting, and size",
};

/// The most that the median may be, from the start of the process to its ready line.
const READY_GOAL: Duration = Duration::from_millis(100);

#[derive(Args)]
pub(crate) struct Options {
    /// Starts that are timed
    #[arg(long, default_value_t = 51)]
    rounds: usize,
}

/// Times starts, and writes what was found.
pub(crate) async fn run(options: Options) -> Result<()> {
    ensure!(options.rounds > 0, "at least one round is needed");
    let described = machine::describe();
    let folder = tempfile::tempdir()?;
    let program = build(folder.path())?;
    let bytes = fs::metadata(&program)?.len();
    let (rounds, home) = (options.rounds, folder.path().to_owned());
    let times = tokio::task::spawn_blocking(move || serve::time(&program, &home, rounds)).await??;
    let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
    let ms = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1000.0);
    let rows = [
        row([
            "from the start of the process",
            "median, ms",
            "least",
            "most",
        ]),
        row([
            "`recado serve` to its ready line, with an existing data folder",
            &ms(times.median),
            &ms(times.least),
            &ms(times.most),
        ]),
    ];
    let text = format!(
        "{described}\n`cargo xtask bench start`: {rounds} starts, one after the other. The program has {:.1} MiB \
         ({bytes} bytes), stripped, with everything in it.\n\n{}",
        bytes as f64 / f64::from(1 << 20),
        table(&rows)
    );
    println!("{text}");
    SECTION.write(&text)?;
    ensure!(
        times.median <= READY_GOAL,
        "the median is {} ms, over {} ms",
        ms(times.median),
        READY_GOAL.as_millis()
    );
    Ok(())
}
