//! What a transfer does to a chat: private messages one by one, without one and beside some.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::json;

use super::ends::Chat;
use crate::process::{ServerProcess, Workshop};

/// Messages of each measurement.
const MESSAGES: usize = 400;

/// Between two: people and programs do not write faster.
const PAUSE: Duration = Duration::from_millis(20);

/// Milliseconds from writing a message to its arriving.
struct Latencies(Vec<f64>);

impl Latencies {
    fn measure(carol: &mut Chat, dave: &mut Chat) -> Result<Self> {
        let mut latencies = Vec::new();
        for number in 0..MESSAGES {
            let text = number.to_string();
            let since = Instant::now();
            carol.say(&json!({"type": "private", "to": "Dave", "text": text}))?;
            dave.find("private", |event| event["text"] == text.as_str())?;
            latencies.push(since.elapsed().as_secs_f64() * 1e3);
            // What is told is read, also here.
            carol.find("state", |event| event["state"] == "delivered")?;
            sleep(PAUSE);
        }
        latencies.sort_by(f64::total_cmp);
        Ok(Self(latencies))
    }

    fn percentile(&self, percent: usize) -> f64 {
        let at = self.0.len() * percent / 100;
        self.0.get(at).copied().unwrap_or_default()
    }
}

/// In words, for the page.
pub(super) fn measure(folder: &Path, program: &Path) -> Result<String> {
    println!("messages beside a transfer");
    let home = folder.join("latency");
    let mut command = Command::new(program);
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--home"])
        .arg(home.join("server"));
    let (server, line) = ServerProcess::start_announced(Workshop::new()?, &mut command)?;
    let address = line
        .split_whitespace()
        .find_map(|word| word.strip_prefix("tcp="))
        .context("no address")?;
    let files = [
        "--relay-only",
        "--downloads",
        "taken",
        "--accept-from",
        "Alice",
    ];
    let join = |name, more: &[&str]| Chat::join(program, &home.join(name), address, name, more);
    let (mut alice, mut bob) = (join("Alice", &files)?, join("Bob", &files)?);
    let (mut carol, mut dave) = (join("Carol", &[])?, join("Dave", &[])?);
    let idle = Latencies::measure(&mut carol, &mut dave)?;
    let is_over = AtomicBool::new(false);
    let busy = scope(|scope| -> Result<Latencies> {
        let transfers = scope.spawn(|| -> Result<()> {
            while !is_over.load(Ordering::Relaxed) {
                let (_, arrived) = alice.send(&mut bob, &folder.join("file"), server.id(), true)?;
                fs::remove_file(arrived)?;
            }
            Ok(())
        });
        let busy = Latencies::measure(&mut carol, &mut dave);
        is_over.store(true, Ordering::Relaxed);
        transfers.join().ok().context("a transfer failed")??;
        busy
    })?;
    let ratio = busy.percentile(99) / idle.percentile(99);
    Ok(format!(
        "\n\nA private message between two others, every {} ms, takes {:.1} ms (99th percentile {:.1} ms) while nothing \
         else is said, and {:.1} ms ({:.1} ms, {ratio:.1} times) beside relayed transfers on the same two processors.",
        PAUSE.as_millis(),
        idle.percentile(50),
        idle.percentile(99),
        busy.percentile(50),
        busy.percentile(99),
    ))
}
