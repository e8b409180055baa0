//! What systemd, or another that speaks its protocol, is told: readiness, reloads, the end, and signs of life.
//! Without one, nobody is told, and that is no error.

use std::time::Duration;

use recado_server::Pulse;
use sd_notify::NotifyState;

/// All is ready.
pub(super) fn ready() {
    let _ = sd_notify::notify(&[NotifyState::Ready]);
}

/// Settings are read again; [`ready`] follows.
pub(super) fn reloading() {
    // Since when, which `Type=notify-reload` wants to know.
    let since = NotifyState::monotonic_usec_now().ok();
    let mut states = vec![NotifyState::Reloading];
    states.extend(since);
    let _ = sd_notify::notify(&states);
}

/// The server drains, and ends.
pub(super) fn stopping() {
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
}

/// Gives signs of life for as long as the server decides anything, where they are asked for (`WatchdogSec=`).
pub(super) async fn watchdog(pulse: Pulse) -> std::convert::Infallible {
    let Some(patience) = sd_notify::watchdog_enabled() else {
        return std::future::pending().await;
    };
    // Twice in the time allowed, as sd_watchdog_enabled(3) advises.
    let mut beats = tokio::time::interval((patience / 2).max(Duration::from_millis(1)));
    loop {
        beats.tick().await;
        if pulse.beats().await {
            let _ = sd_notify::notify(&[NotifyState::Watchdog]);
        }
    }
}
