//! SIGHUP: the settings are read again, and what can change while the server runs does.

use std::convert::Infallible;

use recado_server::{CertificateFiles, Reloadable, Reloader};

use super::service_manager;
use crate::Asked;
use crate::cli::{Command, Serve};
use crate::context::Context;
use crate::signals::Signal;
use crate::wording;

/// Reads settings again whenever the signal comes.
pub(super) struct Reloads<'a> {
    pub(super) context: &'a Context,
    pub(super) asked: &'a Asked,
    pub(super) reloader: Reloader,
    /// What holds now.
    pub(super) now: Serve,
}

impl Reloads<'_> {
    pub(super) async fn run(mut self, mut hang_up: Signal) -> Infallible {
        loop {
            if hang_up.recv().await.is_none() {
                return std::future::pending().await;
            }
            service_manager::reloading();
            self.reload().await;
            // Also where a setting is wrong: the server serves on as before.
            service_manager::ready();
        }
    }

    async fn reload(&mut self) {
        let wanted = match self.asked.again(self.context.language) {
            Ok(Command::Serve(wanted)) => wanted,
            Ok(_) => return,
            Err(said) => {
                tracing::error!("the settings stay as they were: {said}");
                return;
            }
        };
        for setting in needs_restart(&self.now, &wanted) {
            tracing::warn!(
                setting,
                "changed; it takes effect when the server is started again"
            );
        }
        let certificate = match (&wanted.cert, &wanted.key) {
            (Some(certificate), Some(key)) => Some(CertificateFiles {
                certificate: certificate.clone(),
                key: key.clone(),
            }),
            _ => None,
        };
        let reloadable = Reloadable {
            certificate,
            trusted_proxies: wanted.trusted_proxy.clone(),
        };
        match self.reloader.reload(reloadable).await {
            Ok(()) => tracing::info!("the settings were read again"),
            Err(error) => {
                let cause = wording::chain(&error);
                tracing::error!(cause, "the certificate before stays in use");
            }
        }
        self.now.trusted_proxy = wanted.trusted_proxy;
        if self.now.cert.is_some() && wanted.cert.is_some() {
            (self.now.cert, self.now.key) = (wanted.cert, wanted.key);
        }
    }
}

/// The settings that differ, and hold only from the next start.
fn needs_restart(now: &Serve, wanted: &Serve) -> Vec<&'static str> {
    // Named one by one, so that a new setting is thought of here.
    let Serve {
        listen,
        data_dir,
        registration,
        message_age,
        host,
        cert,
        key: _,
        acme,
        acme_directory,
        acme_ca,
        acme_forwarded,
        metrics,
        trusted_proxy: _,
        no_discovery,
        log_format,
    } = now;
    let differing = [
        ("listen", *listen != wanted.listen),
        ("data-dir", *data_dir != wanted.data_dir),
        ("registration", *registration != wanted.registration),
        ("message-age", *message_age != wanted.message_age),
        ("host", *host != wanted.host),
        ("cert", cert.is_some() != wanted.cert.is_some()),
        ("acme", *acme != wanted.acme),
        ("acme-directory", *acme_directory != wanted.acme_directory),
        ("acme-ca", *acme_ca != wanted.acme_ca),
        ("acme-forwarded", *acme_forwarded != wanted.acme_forwarded),
        ("metrics", *metrics != wanted.metrics),
        ("no-discovery", *no_discovery != wanted.no_discovery),
        ("log-format", *log_format != wanted.log_format),
    ];
    let differing = differing.into_iter().filter(|(_, differs)| *differs);
    differing.map(|(name, _)| name).collect()
}
