//! Files from person to person: offers and what becomes of them, and the connections that carry their contents.
//!
//! An offer is said by a private message, and so are the answers to it: they wait for people who are away. Contents go
//! over a TLS connection of the two people's own, directly where that is possible, else by way of the server.

mod channel;
mod driver;
mod meet;
mod part;
mod source;
mod task;
mod tls;
mod transfer;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use recado_engine::files::OfferRecord;
use recado_proto::id::{MessageId, OfferId, RemoteKey};
use tokio::sync::mpsc;

pub use source::SourceError;
pub use task::which;
pub(crate) use task::{Input, Output};

use crate::history::Database;
use crate::identity::Identity;
use source::Scan;
use task::Setup;
use tls::PeerTls;

/// How files are dealt with.
#[derive(Clone, Debug)]
pub struct FilesConfig {
    /// Where what is received goes.
    pub downloads: PathBuf,
    /// Those whose offers are accepted unseen, by name.
    pub accept_from: Vec<String>,
    /// Whether others are not to learn this machine's addresses: all goes by way of the server.
    pub relay_only: bool,
}

/// The task, from the session's side.
pub(crate) struct Files {
    pub(crate) inputs: mpsc::UnboundedSender<Input>,
    pub(crate) outputs: mpsc::UnboundedReceiver<Output>,
    thread: std::thread::JoinHandle<()>,
}

impl Files {
    /// Starts it, on a thread of its own.
    pub(crate) fn start(
        config: FilesConfig,
        identity: &Identity,
        server: SocketAddr,
        database: Database,
    ) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        // Bounded by what people ask for, and by what the server sends and others say.
        let (inputs, taken) = mpsc::unbounded_channel();
        let (told, outputs) = mpsc::unbounded_channel();
        let setup = Setup {
            config,
            tls: PeerTls::new(identity),
            own: RemoteKey::from_bytes(identity.public_key()),
            name: identity.name().to_owned(),
            server,
            database,
            inputs: taken,
            outputs: told,
        };
        let thread = std::thread::Builder::new()
            .name("files".to_owned())
            .spawn(move || {
                runtime.block_on(task::run(setup));
                // A disk that is slow to answer holds nobody up.
                runtime.shutdown_background();
            })?;
        Ok(Self {
            inputs,
            outputs,
            thread,
        })
    }

    /// Tells it something. A task that is gone has said why.
    pub(crate) fn tell(&self, input: Input) {
        let _ = self.inputs.send(input);
    }

    /// Ends it; what goes on is ended in order.
    pub(crate) fn close(self) {
        self.tell(Input::Close);
        // A panic of the thread has been told by itself.
        let _ = self.thread.join();
    }
}

/// Looks at what is to be offered, for a process that does not hold the identity; `id` stands for the offer: the record to be
/// [entered](Database::enter_offer), and how much in a folder is neither a file nor a folder.
///
/// # Errors
/// [`SourceError`].
pub fn prepare_offer(
    id: MessageId,
    to: &str,
    path: &Path,
    reference: Option<String>,
) -> Result<(OfferRecord, u64), SourceError> {
    let offer = OfferId::from_bytes(*id.as_bytes());
    let scan = Scan::new(path)?;
    let skipped = scan.skipped;
    let record = task::record(offer, 0, to.to_owned(), scan, reference);
    Ok((record, skipped))
}
