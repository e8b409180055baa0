//! Resident memory per idle session: each server before, and with so many sessions that do nothing.

mod chat;
mod clients;
mod servers;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use self::clients::Sessions;
use self::servers::{Running, Server};
use crate::footprint::Footprint;
use crate::page::{Section, table};
use crate::process::Workshop;
use crate::{files, machine, packages, recado_binary};

const SECTION: Section = Section {
    name: "memory",
    heading: "Memory per idle session",
};

/// Sessions opened and closed again before the first look, so that code and tables that any session needs are
/// not counted to the sessions.
const WARM_UP: u32 = 50;

const SESSIONS: u32 = 5_000;
const ROUNDS: usize = 3;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Sessions at a time
    #[arg(long, value_name = "N", default_value_t = SESSIONS, value_parser = clap::value_parser!(u32).range(1..=15_000))]
    sessions: u32,
    /// How often each server is measured
    #[arg(long, value_name = "N", default_value_t = ROUNDS, value_parser = rounds)]
    rounds: usize,
    /// Only these; the page is left as it is
    #[arg(long, value_name = "NAME")]
    server: Vec<Server>,
    /// Measure this program instead of building it; the page is left as it is
    #[arg(long, value_name = "FILE")]
    recado: Option<PathBuf>,
}

fn rounds(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(rounds @ 1..=99) => Ok(rounds),
        _ => Err("from 1 to 99".to_owned()),
    }
}

/// What one round found of one server.
#[derive(Clone, Copy, Debug)]
struct Measured {
    before: Footprint,
    with: Footprint,
    sessions: u32,
}

impl Measured {
    /// KiB of one session, by one way of counting.
    fn per_session(&self, count: impl Fn(&Footprint) -> u64) -> f64 {
        let grown = count(&self.with).saturating_sub(count(&self.before));
        grown as f64 / 1024.0 / f64::from(self.sessions)
    }
}

pub(crate) async fn run(options: Options) -> Result<()> {
    let is_standard = options.sessions == SESSIONS
        && options.rounds == ROUNDS
        && options.server.is_empty()
        && options.recado.is_none();
    let servers = match options.server.as_slice() {
        [] => Server::ALL.to_vec(),
        chosen => chosen.to_vec(),
    };
    // Each session may be a connection and a socket for datagrams.
    files::allow(2 * u64::from(options.sessions + WARM_UP))?;
    let others: Vec<_> = servers.iter().filter_map(|it| it.package()).collect();
    packages::provide(&others)?;
    let programs = Workshop::new()?;
    let recado = match options.recado {
        Some(program) => program.canonicalize().context("--recado")?,
        None if servers.contains(&Server::Recado) => recado_binary::build(programs.path())?,
        None => PathBuf::new(),
    };

    let mut found: Vec<Vec<Measured>> = vec![Vec::new(); servers.len()];
    for round in 1..=options.rounds {
        for (server, found) in servers.iter().zip(&mut found) {
            let measured = measure(*server, &recado, options.sessions)
                .await
                .with_context(|| server.name())?;
            println!(
                "round {round}, {}: {:.2} KiB per session",
                server.name(),
                measured.per_session(|it| it.resident)
            );
            found.push(measured);
        }
    }
    let result = describe(&servers, &found, options.sessions, options.rounds);
    println!("\n{result}\n");
    if is_standard {
        SECTION.write(&result)?;
    }
    Ok(())
}

/// One round of one server.
async fn measure(server: Server, recado: &std::path::Path, sessions: u32) -> Result<Measured> {
    let Running { process, target } = server.start(Workshop::new()?, recado, sessions)?;
    let warm_up = Sessions::open(&target, sessions..sessions + WARM_UP).await?;
    warm_up.close().await;
    let before = Footprint::settled(process.id()).await?;
    let open = Sessions::open(&target, 0..sessions).await?;
    let with = Footprint::settled(process.id()).await?;
    let lost = open.lost();
    ensure!(lost == 0, "{lost} of {sessions} sessions did not last");
    open.close().await;
    Ok(Measured {
        before,
        with,
        sessions,
    })
}

/// The result as it stands on the page.
fn describe(servers: &[Server], found: &[Vec<Measured>], sessions: u32, rounds: usize) -> String {
    let count = |rounds: &[Measured], count: fn(&Footprint) -> u64| {
        median(rounds.iter().map(|it| it.per_session(count)).collect())
    };
    let of_recado = servers
        .iter()
        .zip(found)
        .find(|(server, _)| **server == Server::Recado)
        .map(|(_, rounds)| count(rounds, |it| it.resident));
    let mut rows = vec![
        [
            "server",
            "KiB per session",
            "× recado",
            "proportional",
            "private dirty",
            "before, MiB",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for (server, rounds) in servers.iter().zip(found) {
        let resident = count(rounds, |it| it.resident);
        let before = rounds.iter().map(|it| it.before.resident as f64);
        rows.push(vec![
            server.title(),
            format!("{resident:.1}"),
            of_recado.map_or_else(String::new, |recado| format!("{:.2}", resident / recado)),
            format!("{:.1}", count(rounds, |it| it.proportional)),
            format!("{:.1}", count(rounds, |it| it.private_dirty)),
            format!("{:.1}", median(before.collect()) / f64::from(1 << 20)),
        ]);
    }
    format!(
        "{}.\n`cargo xtask bench {}`: {sessions} sessions, medians of {rounds} rounds.\n\n{}",
        machine::describe(),
        SECTION.name,
        table(&rows)
    )
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let upper = values.get(values.len() / 2);
    let lower = values.get(values.len().saturating_sub(1) / 2);
    upper
        .zip(lower)
        .map_or(0.0, |(upper, lower)| (upper + lower) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(vec![]), 0.0);
    }

    #[test]
    fn what_was_there_before_is_not_counted() {
        let of = |resident| Footprint {
            resident,
            ..Footprint::default()
        };
        let measured = Measured {
            before: of(1 << 20),
            with: of(3 << 20),
            sessions: 1024,
        };
        assert_eq!(measured.per_session(|it| it.resident), 2.0);
    }
}
