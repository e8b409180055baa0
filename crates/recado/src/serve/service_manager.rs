//! What systemd, or another that speaks its protocol, is told: readiness, reloads, the end, and signs of life.
//! Without one, nobody is told, and that is no error.

use std::time::Duration;

use recado_server::Pulse;

#[cfg(not(unix))]
use nobody as manager;
#[cfg(unix)]
use systemd as manager;

/// All is ready.
pub(super) fn ready() {
    manager::ready();
}

/// Settings are read again; [`ready`] follows.
pub(super) fn reloading() {
    manager::reloading();
}

/// The server drains, and ends.
pub(super) fn stopping() {
    manager::stopping();
}

/// Gives signs of life for as long as the server decides anything, where they are asked for (`WatchdogSec=`).
pub(super) async fn watchdog(pulse: Pulse) -> std::convert::Infallible {
    let Some(patience) = manager::watchdog_time() else {
        return std::future::pending().await;
    };
    // Twice in the time allowed, as sd_watchdog_enabled(3) advises.
    let mut beats = tokio::time::interval((patience / 2).max(Duration::from_millis(1)));
    loop {
        beats.tick().await;
        if pulse.beats().await {
            manager::is_alive();
        }
    }
}

#[cfg(unix)]
mod systemd {
    use std::time::Duration;

    use sd_notify::{NotifyState, notify};

    pub(super) fn ready() {
        let _ = notify(&[NotifyState::Ready]);
    }

    pub(super) fn reloading() {
        // Since when, which `Type=notify-reload` wants to know.
        let since = NotifyState::monotonic_usec_now().ok();
        let mut states = vec![NotifyState::Reloading];
        states.extend(since);
        let _ = notify(&states);
    }

    pub(super) fn stopping() {
        let _ = notify(&[NotifyState::Stopping]);
    }

    pub(super) fn is_alive() {
        let _ = notify(&[NotifyState::Watchdog]);
    }

    pub(super) fn watchdog_time() -> Option<Duration> {
        sd_notify::watchdog_enabled()
    }
}

#[cfg(not(unix))]
mod nobody {
    use std::time::Duration;

    pub(super) fn ready() {}

    pub(super) fn reloading() {}

    pub(super) fn stopping() {}

    pub(super) fn is_alive() {}

    pub(super) fn watchdog_time() -> Option<Duration> {
        None
    }
}
