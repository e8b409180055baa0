//! A terminal with a program on it that draws: what it shows, what is typed, how it was left.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Killed, PATIENCE};

/// How long a program that has ended may take to be seen to have.
const MOMENT: Duration = Duration::from_millis(10);

/// Between two looks at whether the terminal is to be closed, in milliseconds.
const LOOK: u8 = 50;

/// A terminal, and the program that runs on it. The program is killed when this is dropped.
pub(crate) struct Screen {
    child: Killed,
    keyboard: File,
    /// Where the terminal can be looked at from its other side.
    path: String,
    shown: Arc<(Mutex<Grid>, Condvar)>,
    is_closing: Arc<AtomicBool>,
    /// `stty -a` before the program began.
    before: String,
}

/// What a terminal shows.
struct Grid {
    rows: Vec<Vec<char>>,
    at: (usize, usize),
    /// Everything that was written, as it came.
    written: String,
    escape: String,
    is_over: bool,
}

impl Screen {
    /// Starts a program on a terminal of this size, of which it is the first process.
    pub(crate) fn start(command: &mut Command, columns: u16, rows: u16) -> Self {
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let master = posix_openpt(flags).unwrap();
        let path = Self::unlock(&master);
        let size = format!("stty rows {rows} columns {columns}");
        Self::stty(&path, &size);
        let before = Self::stty(&path, "stty -a");
        let terminal = || File::options().read(true).write(true).open(&path).unwrap();
        let child = Self::under_setsid(command)
            .stdin(terminal())
            .stdout(terminal())
            .stderr(terminal())
            .spawn()
            .unwrap();
        let keyboard = File::from(OwnedFd::from(master));
        let shown = Arc::new((
            Mutex::new(Grid::new(columns.into(), rows.into())),
            Condvar::new(),
        ));
        let (mut output, seen) = (keyboard.try_clone().unwrap(), shown.clone());
        let is_closing = Arc::new(AtomicBool::new(false));
        let closing = is_closing.clone();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            let mut rest = Vec::new();
            loop {
                if closing.load(Ordering::Relaxed) {
                    return;
                }
                let mut watched = [PollFd::new(output.as_fd(), PollFlags::POLLIN)];
                if poll(&mut watched, PollTimeout::from(LOOK)).unwrap() == 0 {
                    continue;
                }
                // An error is the end as well: nobody has the terminal open any more.
                let Ok(read @ 1..) = output.read(&mut bytes) else {
                    break;
                };
                rest.extend_from_slice(&bytes[..read]);
                let whole = match std::str::from_utf8(&rest) {
                    Ok(text) => text.len(),
                    Err(error) => error.valid_up_to(),
                };
                let text: String = String::from_utf8_lossy(&rest[..whole]).into_owned();
                rest.drain(..whole);
                let mut grid = seen.0.lock().unwrap();
                grid.write(&text);
                seen.1.notify_all();
            }
            seen.0.lock().unwrap().is_over = true;
            seen.1.notify_all();
        });
        Self {
            child: Killed(child),
            keyboard,
            path,
            shown,
            is_closing,
            before,
        }
    }

    fn unlock(master: &PtyMaster) -> String {
        grantpt(master).unwrap();
        unlockpt(master).unwrap();
        ptsname_r(master).unwrap()
    }

    /// A session of its own, with this terminal: what a shell's terminal is.
    fn under_setsid(command: &Command) -> Command {
        let mut under = Command::new("setsid");
        under.arg("--ctty").arg(command.get_program());
        under.args(command.get_args()).env_clear();
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                under.env(name, value);
            }
        }
        if let Some(folder) = command.get_current_dir() {
            under.current_dir(folder);
        }
        under
    }

    fn stty(path: &str, command: &str) -> String {
        let terminal = File::options().read(true).write(true).open(path).unwrap();
        let mut words = command.split(' ');
        let output = Command::new(words.next().unwrap())
            .args(words)
            .stdin(terminal)
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(output.status.success(), "{command}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Types.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    pub(crate) fn pid(&self) -> Pid {
        // `setsid` is replaced by what it runs.
        Pid::from_raw(self.child.0.id().try_into().unwrap())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Everything that was written so far, as it came.
    pub(crate) fn written(&self) -> String {
        self.shown.0.lock().unwrap().written.clone()
    }

    /// Makes the terminal another size.
    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        *self.shown.0.lock().unwrap() = Grid::new(columns.into(), rows.into());
        Self::stty(&self.path, &format!("stty rows {rows} columns {columns}"));
    }

    /// Closes the terminal, as a window that is closed.
    pub(crate) fn close(self) -> Killed {
        self.is_closing.store(true, Ordering::Relaxed);
        self.child
    }

    /// Waits until the program has been stopped.
    #[track_caller]
    pub(crate) fn stops(&self) {
        let end = Instant::now() + PATIENCE;
        let stat = format!("/proc/{}/stat", self.pid());
        let is_stopped = || std::fs::read_to_string(&stat).unwrap().contains(") T ");
        while !is_stopped() {
            assert!(Instant::now() < end, "it is not stopped");
            thread::sleep(MOMENT);
        }
    }

    /// Presses a key again and again, until so many rows of the screen have this.
    #[track_caller]
    pub(crate) fn press_until(&mut self, keys: &str, text: &str, count: usize) {
        let end = Instant::now() + PATIENCE;
        let shown = self.shown.clone();
        let is_missing = |grid: &mut Grid| {
            let rows = grid.rows();
            rows.iter().filter(|row| row.contains(text)).count() < count
        };
        loop {
            assert!(Instant::now() < end, "not seen: {text}");
            let grid = shown.0.lock().unwrap();
            let waited = shown
                .1
                .wait_timeout_while(grid, 10 * MOMENT, is_missing)
                .unwrap();
            if !waited.1.timed_out() {
                return;
            }
            drop(waited);
            self.press(keys);
        }
    }

    /// Waits until the screen is so.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, mut is_so: impl FnMut(&[String]) -> bool) {
        let end = Instant::now() + PATIENCE;
        let (grid, changed) = &*self.shown;
        let mut grid = grid.lock().unwrap();
        loop {
            let rows = grid.rows();
            if is_so(&rows) {
                return;
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero() && !grid.is_over,
                "not seen: {what}. The screen:\n{}\nThe end of what came: {:?}",
                rows.join("\n"),
                grid.written.chars().rev().take(300).collect::<String>()
            );
            (grid, _) = changed.wait_timeout(grid, left).unwrap();
        }
    }

    /// Waits until this is on the screen, in one row.
    #[track_caller]
    pub(crate) fn shows(&self, text: &str) {
        self.until(text, |rows| rows.iter().any(|row| row.contains(text)));
    }

    /// Waits until this is on the screen no more.
    #[track_caller]
    pub(crate) fn shows_no_more(&self, text: &str) {
        self.until(text, |rows| !rows.iter().any(|row| row.contains(text)));
    }

    /// Presses a key until it ends: one that comes before the program listens to keys is the terminal's.
    #[track_caller]
    pub(crate) fn end_by(mut self, keys: &str) -> (Option<i32>, String) {
        let end = Instant::now() + PATIENCE;
        while self.child.0.try_wait().unwrap().is_none() {
            assert!(Instant::now() < end, "it does not end");
            self.press(keys);
            thread::sleep(10 * MOMENT);
        }
        self.end()
    }

    /// Waits for the end, which must leave the terminal as it was found, and gives the exit code and all that was
    /// written.
    #[track_caller]
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let code = wait(&mut self.child.0);
        let after = Self::stty(&self.path, "stty -a");
        // How large it is, is not the program's matter.
        let settings = |stty: &str| stty.split_once('\n').unwrap().1.to_owned();
        assert_eq!(settings(&after), settings(&self.before));
        let end = Instant::now() + PATIENCE;
        let (grid, changed) = &*self.shown;
        let mut grid = grid.lock().unwrap();
        while !grid.is_over && Instant::now() < end {
            (grid, _) = changed.wait_timeout(grid, MOMENT).unwrap();
        }
        (code, grid.written.clone())
    }
}

fn wait(child: &mut Child) -> Option<i32> {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        assert!(Instant::now() < end, "it does not end");
        thread::sleep(MOMENT);
    }
}

impl Grid {
    fn new(columns: usize, rows: usize) -> Self {
        Self {
            rows: vec![vec![' '; columns]; rows],
            at: (0, 0),
            written: String::new(),
            escape: String::new(),
            is_over: false,
        }
    }

    fn rows(&self) -> Vec<String> {
        let row = |row: &Vec<char>| row.iter().collect::<String>().trim_end().to_owned();
        self.rows.iter().map(row).collect()
    }

    fn write(&mut self, text: &str) {
        self.written.push_str(text);
        for c in text.chars() {
            if !self.escape.is_empty() {
                self.escape.push(c);
                let is_over = match self.escape.as_bytes() {
                    [_, b'[', .., last] => (0x40..0x7f).contains(last),
                    [_, b']', .., last] => *last == 0x07 || *last == b'\\',
                    [_, b'[' | b']'] => false,
                    [_, _] => true,
                    _ => false,
                };
                if is_over {
                    let escape = std::mem::take(&mut self.escape);
                    self.command(&escape);
                }
                continue;
            }
            match c {
                '\u{1b}' => self.escape.push(c),
                '\r' => self.at.1 = 0,
                '\n' => self.at.0 += 1,
                '\u{8}' => self.at.1 = self.at.1.saturating_sub(1),
                c if c.is_control() => {}
                c => {
                    let (row, column) = self.at;
                    if let Some(cell) = self.rows.get_mut(row).and_then(|row| row.get_mut(column)) {
                        *cell = c;
                    }
                    self.at.1 += 1;
                }
            }
        }
    }

    fn command(&mut self, escape: &str) {
        let Some(body) = escape.strip_prefix("\u{1b}[") else {
            return;
        };
        let (parameters, last) = body.split_at(body.len() - 1);
        match last {
            "H" => {
                let mut numbers = parameters
                    .split(';')
                    .map(|n| n.parse::<usize>().unwrap_or(1));
                let (row, column) = (numbers.next().unwrap_or(1), numbers.next().unwrap_or(1));
                self.at = (row.saturating_sub(1), column.saturating_sub(1));
            }
            "J" => self.rows.iter_mut().for_each(|row| row.fill(' ')),
            // A screen of its own, and the one before.
            "h" | "l" if parameters == "?1049" => {
                self.rows.iter_mut().for_each(|row| row.fill(' '));
            }
            _ => {}
        }
    }
}
