//! Signals that end a chat.

use std::io;

use crate::signals::{Signal, SignalKind, signal};

/// The signals that end a chat in order.
pub(crate) struct Signals(Vec<Signal>);

impl Signals {
    /// Those that anyone may send to end a process.
    pub(crate) fn of_process() -> io::Result<Self> {
        Self::of(&[SignalKind::interrupt(), SignalKind::terminate()])
    }

    /// And those of a terminal, which is to be left as it was found. Not for programs: they may have been started so
    /// that a terminal's end does not concern them.
    pub(crate) fn of_terminal() -> io::Result<Self> {
        Self::of(&[
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
            SignalKind::quit(),
        ])
    }

    fn of(kinds: &[SignalKind]) -> io::Result<Self> {
        let signals: io::Result<_> = kinds.iter().map(|kind| signal(*kind)).collect();
        signals.map(Self)
    }

    /// Waits for one. Can be dropped without loss.
    pub(crate) async fn next(&mut self) {
        std::future::poll_fn(|context| {
            let mut signals = self.0.iter_mut();
            match signals.any(|signal| signal.poll_recv(context).is_ready()) {
                true => std::task::Poll::Ready(()),
                false => std::task::Poll::Pending,
            }
        })
        .await;
    }
}
