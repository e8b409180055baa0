//! What a result was measured on, in words.

use std::fs;
use std::process::Command;

use time::OffsetDateTime;

/// Today's date, and the machine: processor, memory, system.
pub(crate) fn describe() -> String {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let processor =
        field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let memory = field("/proc/meminfo", "MemTotal")
        .and_then(|value| value.strip_suffix(" kB")?.trim().parse::<u64>().ok())
        .map_or_else(String::new, |kib| {
            format!("{} GiB, ", kib.div_ceil(1 << 20))
        });
    let system = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let system = system
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))
        .map_or("", |name| name.trim_matches('"'));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{}; {processors} × {processor}, {memory}{system}, Linux {}",
        OffsetDateTime::now_utc().date(),
        kernel.trim()
    )
}

/// How busy the machine was with other things in the last minute, in words.
pub(crate) fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let minute = load.split_whitespace().next().unwrap_or("unknown");
    format!("load average before it {minute}")
}

/// The first line that a program says of its version, on either output.
pub(crate) fn version(program: &str, argument: &str) -> String {
    let Ok(said) = Command::new(program).arg(argument).output() else {
        return program.to_owned();
    };
    let said = [said.stdout, said.stderr].concat();
    String::from_utf8_lossy(&said)
        .lines()
        .next()
        .unwrap_or(program)
        .trim()
        .to_owned()
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = lines.into_iter().find(|(field, _)| field.trim() == name)?;
    Some(value.trim().to_owned())
}
