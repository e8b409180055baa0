//! Notices that a file is being written to, by whichever process, so that nobody has to look at it again and again.
//!
//! One thread of the process waits for all files. Where the system has no such thing, nothing is noticed, and whoever
//! asked looks by itself.

use std::path::Path;

/// Whom to tell that a file is being written to; once.
pub(super) type Tell = Box<dyn FnOnce() + Send>;

/// Tells, once, when the file is next written to. False if that cannot be noticed.
pub(super) fn next_write(path: &Path, tell: Tell) -> bool {
    system::next_write(path, tell)
}

#[cfg(target_os = "linux")]
mod system {
    use std::collections::BTreeMap;
    use std::mem::MaybeUninit;
    use std::os::fd::OwnedFd;
    use std::path::Path;
    use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
    use std::thread;

    use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};

    use super::Tell;

    /// Room for some events at once.
    const BUFFER: usize = 4096;

    struct Watcher {
        inotify: OwnedFd,
        /// Whom to tell, by the number of the watch.
        tells: Mutex<BTreeMap<i32, Vec<Tell>>>,
    }

    pub(super) fn next_write(path: &Path, tell: Tell) -> bool {
        static WATCHER: OnceLock<Option<Arc<Watcher>>> = OnceLock::new();
        let Some(watcher) = WATCHER.get_or_init(start) else {
            return false;
        };
        // Held meanwhile, so that an event does not come before there is anyone to tell.
        let mut tells = watcher.tells();
        let flags = WatchFlags::MODIFY | WatchFlags::ONESHOT;
        let Ok(watch) = inotify::add_watch(&watcher.inotify, path, flags) else {
            return false;
        };
        tells.entry(watch).or_default().push(tell);
        true
    }

    fn start() -> Option<Arc<Watcher>> {
        let watcher = Arc::new(Watcher {
            inotify: inotify::init(CreateFlags::CLOEXEC).ok()?,
            tells: Mutex::default(),
        });
        let waiting = watcher.clone();
        let thread = thread::Builder::new().name("watch".to_owned());
        thread.spawn(move || waiting.wait()).ok()?;
        Some(watcher)
    }

    impl Watcher {
        fn wait(&self) {
            let mut buffer = [MaybeUninit::uninit(); BUFFER];
            let mut reader = Reader::new(&self.inotify, &mut buffer);
            // Also what ends the watch of a file that is gone: whoever is told looks.
            while let Ok(event) = reader.next() {
                let told = self.tells().remove(&event.wd());
                for tell in told.into_iter().flatten() {
                    tell();
                }
            }
        }

        /// A panic while it was held has been told by itself, and leaves it whole.
        fn tells(&self) -> MutexGuard<'_, BTreeMap<i32, Vec<Tell>>> {
            self.tells.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::path::Path;

    use super::Tell;

    pub(super) fn next_write(_path: &Path, _tell: Tell) -> bool {
        false
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::Write;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_next_write_is_told_once_and_those_of_others_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut file = std::fs::File::create(&path).unwrap();
        std::fs::write(folder.path().join("other"), "x").unwrap();
        let (sender, told) = channel();
        let tell = || {
            let sender = sender.clone();
            Box::new(move || sender.send(()).unwrap())
        };
        let patience = Duration::from_secs(60);
        for _ in 0..3 {
            assert!(next_write(&path, tell()));
            std::fs::write(folder.path().join("other"), "x").unwrap();
            file.write_all(b"x").unwrap();
            told.recv_timeout(patience).unwrap();
            file.write_all(b"x").unwrap();
            assert!(told.try_recv().is_err());
        }
        // Two who ask are both told, also of a file that goes.
        assert!(next_write(&path, tell()) && next_write(&path, tell()));
        drop(file);
        std::fs::remove_file(&path).unwrap();
        told.recv_timeout(patience).unwrap();
        told.recv_timeout(patience).unwrap();
        assert!(!next_write(&path, tell()));
    }
}
