//! recado's benchmarks, run as `cargo xtask bench [NAME]`: each measures recado beside what else one
//! could run, in one run on one machine, and writes its table into `docs/benchmarks.md`.
//!
//! A benchmark is a module with its `Options` and its `run`, and one line in [`Benchmark`]. What it
//! needs is here for all: [`packages`] installs, [`process`] starts and ends servers, [`footprint`]
//! reads their memory, [`page`] writes. Servers listen on free loopback ports and have their files in
//! a temporary folder; the services of the machine are not touched.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark speaks to the terminal of whoever runs it"
)]

mod certificate;
mod client;
mod e2e;
mod echo_server;
mod fanout;
mod files;
mod footprint;
mod https;
mod machine;
mod mail;
mod memory;
mod packages;
mod page;
mod process;
mod recado_binary;
mod start;
mod transfer;
mod workspace;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{CommandFactory, Parser, Subcommand};

/// recado's benchmarks. Without a name, all of them, one after the other.
#[derive(Parser)]
#[command(name = "recado-bench", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    benchmark: Option<Benchmark>,
}

#[derive(Subcommand)]
enum Benchmark {
    /// Resident memory per idle session, beside a bare rustls echo server, ngircd, mosquitto and nginx
    Memory(memory::Options),
    /// Processor time per datagram of one message to everyone, beside the bare limit and mumble-server
    Fanout(fanout::Options),
    /// Private messages of 100 pairs, beside a bare rustls relay, mosquitto, NATS JetStream and inspircd
    Mail(mail::Options),
    /// Processor time of a message that is sealed and opened, and messages per second of a pair
    E2e(e2e::Options),
    /// The bare relay that others are compared with
    #[command(hide = true)]
    MailReference(mail::reference::Options),
    /// Processor time per HTTPS request and per handshake, beside nginx with a constant, FastAPI and Python
    Https(https::Options),
    /// The client: how soon it is there, what an idle full screen costs, keys while 10,000 messages come
    Client(client::Options),
    /// Time to the ready line with an existing data folder, and the size of the program
    Start(start::Options),
    /// A file from one to another, beside the bare limit, scp, magic-wormhole and haproxy
    Files(transfer::Options),
    /// The bare ends that others are compared with
    #[command(hide = true)]
    FilesReference(transfer::reference::Options),
    /// The bare sender that others are compared with
    #[command(hide = true)]
    FanoutReference(fanout::reference::Options),
    /// The bare server that others are compared with
    #[command(hide = true)]
    EchoServer(echo_server::Options),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.benchmark {
        Some(benchmark) => run(benchmark),
        None => all().into_iter().try_for_each(run),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(benchmark: Benchmark) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let benchmark = async {
        match benchmark {
            Benchmark::Memory(options) => memory::run(options).await,
            Benchmark::Fanout(options) => fanout::run(options).await,
            Benchmark::Mail(options) => mail::run(options).await,
            Benchmark::E2e(options) => e2e::run(options),
            Benchmark::MailReference(options) => mail::reference::run(options).await,
            Benchmark::Https(options) => https::run(options).await,
            Benchmark::Client(options) => client::run(options).await,
            Benchmark::Start(options) => start::run(options).await,
            Benchmark::Files(options) => transfer::run(options).await,
            Benchmark::FilesReference(options) => transfer::reference::run(&options),
            Benchmark::FanoutReference(options) => fanout::reference::run(&options),
            Benchmark::EchoServer(options) => echo_server::run(options).await,
        }
    };
    runtime.block_on(async {
        // An interrupted benchmark ends its servers and removes their folders, too.
        tokio::select! {
            outcome = benchmark => outcome,
            _ = tokio::signal::ctrl_c() => bail!("interrupted"),
        }
    })
}

/// Every benchmark that the help shows, with its standard options.
fn all() -> Vec<Benchmark> {
    Cli::command()
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
        .filter_map(|command| Cli::try_parse_from(["recado-bench", command.get_name()]).ok())
        .filter_map(|cli| cli.benchmark)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_those_that_are_meant_to_be_seen() {
        assert!(matches!(
            all()[..],
            [
                Benchmark::Memory(_),
                Benchmark::Fanout(_),
                Benchmark::Mail(_),
                Benchmark::E2e(_),
                Benchmark::Https(_),
                Benchmark::Client(_),
                Benchmark::Start(_),
                Benchmark::Files(_)
            ]
        ));
    }
}
