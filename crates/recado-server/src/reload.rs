//! What of a running server can be changed without ending a connection.

use tokio::sync::{mpsc, oneshot};

use crate::certificate::files::{CertificateFiles, FilesError};
use crate::http::TrustedProxy;
use crate::hub_task::ShellEvent;

/// Changes that may wait: each is waited for by whoever asks.
pub(crate) const RELOAD_QUEUE: usize = 4;

/// What is to hold from now on.
#[derive(Clone, Debug)]
pub struct Reloadable {
    /// The operator's certificate, read again; `None` where the server has none.
    pub certificate: Option<CertificateFiles>,
    /// Proxies whose word on whom they speak for is taken.
    pub trusted_proxies: Vec<TrustedProxy>,
}

/// Changes a running server. May be cloned.
#[derive(Clone, Debug)]
pub struct Reloader(pub(crate) mpsc::Sender<ReloadRequest>);

/// A change, and whom to tell when it holds.
#[derive(Debug)]
pub(crate) struct ReloadRequest {
    pub(crate) wanted: Reloadable,
    pub(crate) done: oneshot::Sender<Result<(), FilesError>>,
}

impl Reloader {
    /// Puts it into force.
    ///
    /// # Errors
    /// The certificate cannot be served: the one before stays in use. All else holds.
    pub async fn reload(&self, wanted: Reloadable) -> Result<(), FilesError> {
        let (done, holds) = oneshot::channel();
        if self.0.send(ReloadRequest { wanted, done }).await.is_err() {
            return Ok(()); // It is stopping: nothing is to hold any more.
        }
        holds.await.unwrap_or(Ok(()))
    }
}

/// Whether the server still decides anything. May be cloned.
#[derive(Clone, Debug)]
pub struct Pulse(pub(crate) mpsc::Sender<ShellEvent>);

impl Pulse {
    /// Asks the task that owns the hub for an answer, and waits for it. False where there is no such task any more.
    pub async fn beats(&self) -> bool {
        let (answer, answered) = oneshot::channel();
        self.0.send(ShellEvent::Pulse(answer)).await.is_ok() && answered.await.is_ok()
    }
}
