//! recado's server: the shell around [`recado_hub`], with its sockets, TLS, certificates and database.
//!
//! [`Server::start`] brings everything up and returns once connections are accepted; [`Server::run`]
//! serves until told to stop, then drains what is under way.

mod addresses;
mod admin;
mod backend;
mod backup;
mod certificate;
mod data_folder;
mod exposure;
pub mod http;
mod hub_task;
mod identity;
mod metrics;
mod net;
mod server;
mod tls;

pub use admin::{client as admin_client, protocol as admin_protocol};
pub use backend::BackendError;
pub use backup::{BackupError, RestoreError, Restored, back_up_offline, restore};
pub use certificate::CertificateError;
pub use certificate::acme::{AcmeConfig, AcmeError};
pub use certificate::files::{CertificateFiles, FilesError};
pub use data_folder::DataFolderError;
pub use exposure::Exposure;
pub use identity::IdentityError;
pub use metrics::HttpMetrics;
pub use net::listen::{Inherited, Listen, ListenError, PortFallback};
pub use server::{DiskFailed, PublicCertificates, Server, ServerConfig, StartError, Stop};

pub use recado_hub::{Limit, Registration};
