//! Disks that fail under a client.

use std::process::Command;

use serde_json::json;

use crate::campaign::kill_points::can_trace;
use crate::common::{Bot, Home, Program, Server, skip};

/// Traces one thread of a process, and tampers with its calls as `strace` is told.
pub(crate) fn inject(program: &Program, thread: &str, injection: &str) -> Program {
    let tasks = format!("/proc/{}/task", program.pid());
    let found = std::fs::read_dir(tasks).unwrap().find_map(|task| {
        let task = task.unwrap().path();
        let name = std::fs::read_to_string(task.join("comm")).ok()?;
        let is_it = name.trim() == thread;
        is_it.then(|| task.file_name().unwrap().to_str().unwrap().to_owned())
    });
    let mut strace = Command::new("strace");
    strace.args(["-p", &found.unwrap(), "-e", injection, "-o", "/dev/null"]);
    let strace = Program::spawn(&mut strace);
    strace.stderr.find("attached");
    strace
}

/// Marks of processes that did not end in order, or have the history open.
fn marks(home: &Home, server: &Server) -> usize {
    let url = server.ready.fingerprint.replace(':', "-");
    let folder = home.file(&format!("client/servers/{url}/identities/a"));
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names
        .filter(|name| name.starts_with("history.db-open"))
        .count()
}

#[test]
fn a_program_whose_sync_failed_ends_and_the_next_one_checks_its_history() {
    let test = "a_program_whose_sync_failed_ends_and_the_next_one_checks_its_history";
    if let Err(reason) = can_trace() {
        return skip(test, &reason);
    }
    let (server, home) = (Server::start(), Home::new());
    let mut a = Bot::join(&home, &server.address(), "A");
    // Its messages and its offers have one each.
    assert_eq!(marks(&home, &server), 2);
    let mut strace = inject(&a, "history", "inject=fdatasync:error=EIO");
    a.say(json!({"type": "private", "to": "A", "text": "um", "ref": 1}));
    let ended = a.end();
    ended.says(1, &["cannot be read or written", "check the disk"]);
    let acknowledged = |line: &String| line.contains("stored") || line.contains("delivered");
    assert!(!ended.stdout.iter().any(acknowledged), "{:?}", ended.stdout);
    strace.end();
    assert_eq!(marks(&home, &server), 1);
    let mut a = Bot::join(&home, &server.address(), "A");
    assert_eq!(marks(&home, &server), 2, "its own");
    a.say(json!({"type": "private", "to": "A", "text": "dois", "ref": 2}));
    a.find_where(|event| event["ref"] == 2 && event["state"] == "delivered");
    a.end_input();
    a.end().says(0, &[]);
    assert_eq!(marks(&home, &server), 0);
}
