//! Signals, by the names that Unix has for them. Elsewhere an interruption is Ctrl-C, and the others never come.

#[cfg(unix)]
pub(crate) use tokio::signal::unix::{Signal, SignalKind, signal};

#[cfg(not(unix))]
pub(crate) use portable::{Signal, SignalKind, signal};

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
    use std::io;

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
    }

    #[derive(Debug)]
    pub(crate) struct Signal(SignalKind);

    pub(crate) fn signal(kind: SignalKind) -> io::Result<Signal> {
        Ok(Signal(kind))
    }

    impl Signal {
        pub(crate) async fn recv(&mut self) -> Option<()> {
            match self.0 {
                SignalKind::Interrupt => tokio::signal::ctrl_c().await.ok(),
                SignalKind::Other => std::future::pending().await,
            }
        }
    }
}
