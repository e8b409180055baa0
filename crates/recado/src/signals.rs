//! Signals, by the names that Unix has for them. Elsewhere an interruption is Ctrl-C, and the others never come.

#[cfg(unix)]
pub(crate) use tokio::signal::unix::{Signal, SignalKind, signal};

#[cfg(not(unix))]
pub(crate) use portable::{Signal, SignalKind, going_on, signal, stop_self, stopping};

/// The one that asks a process to stop for a while, as by Ctrl-Z.
#[cfg(unix)]
pub(crate) fn stopping() -> SignalKind {
    SignalKind::from_raw(nix::libc::SIGTSTP)
}

/// The one that says that it goes on.
#[cfg(unix)]
pub(crate) fn going_on() -> SignalKind {
    SignalKind::from_raw(nix::libc::SIGCONT)
}

/// Stops this process, and returns when it goes on. One that cannot be stopped goes on at once.
#[cfg(unix)]
pub(crate) fn stop_self() {
    let _ = nix::sys::signal::raise(nix::sys::signal::SIGSTOP);
}

/// Asks a process to end, in order where the system has a way to ask.
pub(crate) fn terminate(child: &mut tokio::process::Child) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use nix::sys::signal::{SIGTERM, kill};
        use nix::unistd::Pid;

        let id = child.id().and_then(|id| i32::try_from(id).ok());
        let id = id.ok_or(std::io::ErrorKind::NotFound)?;
        Ok(kill(Pid::from_raw(id), SIGTERM)?)
    }
    #[cfg(not(unix))]
    {
        child.start_kill()
    }
}

#[cfg(any(test, not(unix)))]
#[cfg_attr(
    unix,
    expect(dead_code, reason = "Unix has its own; here it is compiled and tested")
)]
mod portable {
    use std::future::Future;
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub(crate) enum SignalKind {
        Interrupt,
        Other,
    }

    impl SignalKind {
        pub(crate) fn interrupt() -> Self {
            Self::Interrupt
        }

        pub(crate) fn terminate() -> Self {
            Self::Other
        }

        pub(crate) fn hangup() -> Self {
            Self::Other
        }

        pub(crate) fn quit() -> Self {
            Self::Other
        }

        pub(crate) fn window_change() -> Self {
            Self::Other
        }
    }

    pub(crate) fn stopping() -> SignalKind {
        SignalKind::Other
    }

    pub(crate) fn going_on() -> SignalKind {
        SignalKind::Other
    }

    pub(crate) fn stop_self() {}

    type Next = Pin<Box<dyn Future<Output = io::Result<()>> + Send + Sync>>;

    pub(crate) struct Signal {
        kind: SignalKind,
        /// The next one; kept, so that none is lost in between.
        next: Option<Next>,
    }

    pub(crate) fn signal(kind: SignalKind) -> io::Result<Signal> {
        Ok(Signal { kind, next: None })
    }

    impl Signal {
        pub(crate) async fn recv(&mut self) -> Option<()> {
            std::future::poll_fn(|context| self.poll_recv(context)).await
        }

        pub(crate) fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<()>> {
            if self.kind == SignalKind::Other {
                return Poll::Pending;
            }
            let wait = || -> Next { Box::pin(tokio::signal::ctrl_c()) };
            let next = self.next.get_or_insert_with(wait);
            let came = std::task::ready!(next.as_mut().poll(context));
            self.next = None;
            Poll::Ready(came.ok())
        }
    }

    #[cfg(test)]
    mod tests {
        use std::time::Duration;

        use super::*;

        #[tokio::test]
        async fn none_comes_by_itself() {
            for kind in [SignalKind::interrupt(), SignalKind::quit(), stopping()] {
                let mut signal = signal(kind).unwrap();
                for _ in 0..2 {
                    let waited = tokio::time::timeout(Duration::from_millis(10), signal.recv());
                    assert!(waited.await.is_err());
                }
            }
        }
    }
}
