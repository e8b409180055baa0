//! The operator's own files, watched: a new pair is served as soon as it is there, a bad one is not.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::{CertificateError, PublicCertificate};
use crate::tls::Tls;

/// How often the files are looked at. Two looks at their dates cost nothing, and whoever has just replaced them
/// is waiting.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// `--cert` and `--key`.
#[derive(Clone, Debug)]
pub struct CertificateFiles {
    /// The chain, leaf first, as PEM.
    pub certificate: PathBuf,
    /// The leaf's key, as PEM.
    pub key: PathBuf,
}

/// Files that cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// One cannot be read.
    #[error("{} cannot be read", .path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// They are no pair.
    #[error("{} and {} cannot be served", .files.certificate.display(), .files.key.display())]
    Bad {
        /// The files.
        files: CertificateFiles,
        /// Why.
        source: CertificateError,
    },
}

impl CertificateFiles {
    /// Reads and checks the pair.
    pub(crate) fn load(&self) -> Result<PublicCertificate, FilesError> {
        let read = |path: &PathBuf| {
            fs::read(path).map_err(|source| FilesError::Unreadable {
                path: path.clone(),
                source,
            })
        };
        let (certificate, key) = (read(&self.certificate)?, read(&self.key)?);
        PublicCertificate::from_pem(&certificate, &key).map_err(|source| FilesError::Bad {
            files: self.clone(),
            source,
        })
    }

    /// Serves each new pair as it comes, for ever.
    pub(crate) async fn watch(self, tls: Tls) -> std::convert::Infallible {
        let mut interval = tokio::time::interval(WATCH_INTERVAL);
        let mut served = self.marks();
        let mut seen = served;
        loop {
            interval.tick().await;
            let marks = self.marks();
            // Two files cannot be replaced at once: what has moved since the last look may not be whole.
            if marks != seen {
                seen = marks;
                continue;
            }
            if marks == served {
                continue;
            }
            served = marks;
            match self.load() {
                Ok(certificate) if certificate.has_expired() => {
                    tracing::error!(
                        "the certificate in {} has expired; the one before stays in use",
                        self.certificate.display()
                    );
                }
                Ok(certificate) => {
                    tls.serve(&certificate);
                    tracing::info!(names = ?certificate.names, until = %certificate.not_after, "a new certificate is in use");
                }
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::error!(
                        cause = cause.unwrap_or_default(),
                        "{error}; the certificate before stays in use"
                    );
                }
            }
        }
    }

    /// What changes when the files do; a link is followed.
    fn marks(&self) -> [Option<(SystemTime, u64)>; 2] {
        [&self.certificate, &self.key].map(|path| {
            let metadata = fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        })
    }
}
