//! Starting, running and stopping.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use recado_hub::{Event, HubConfig, Limit, PrivateConfig, Registration, RelayConfig};
use recado_proto::fingerprint::Fingerprint;
use recado_proto::id::LogId;
use recado_proto::relay::TokenSource;
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::addresses::{self, Reachable};
use crate::admin::{self, Admin, Socket};
use crate::backend::{Backend, BackendError, BackendEvent};
use crate::backup::{BackupSource, DATABASE_FILE};
use crate::certificate::acme::{Acme, AcmeConfig, AcmeError};
use crate::certificate::files::{CertificateFiles, FilesError};
use crate::data_folder::{DataFolder, DataFolderError};
use crate::discovery::{Announced, Announcement, Discovery};
use crate::exposure::{self, Exposure, Watch};
use crate::http::{HttpConfig, HttpService, TrustedProxy};
use crate::hub_task::{EVENT_QUEUE, HubTask, ShellEvent};
use crate::identity::{IdentityError, ServerIdentity};
use crate::metrics::{self, Metrics, Parts, Watched};
use crate::net::listen::{self, Bound, Inherited, Listen, ListenError, PortFallback};
use crate::net::{
    AcceptConfig, Acceptor, Relay, RelayLimits, Services, Shards, UdpPort, default_shards,
    run_accept,
};
use crate::reload::{Pulse, RELOAD_QUEUE, ReloadRequest, Reloader};
use crate::system;
use crate::tls::{Generation, Tls};

/// How long what is under way may take once the server is to stop.
const DRAIN_TIME: Duration = Duration::from_secs(10);

/// How often the leaf's age and the machine's addresses are looked at.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(60);

/// Connections in all, where the system allows as many files.
const MAX_CONNECTIONS: usize = 16_384;

/// Files that are not connections: database, sockets, logs, and some in reserve.
const RESERVED_FILES: u64 = 128;

/// What a server is told.
#[derive(Debug)]
pub struct ServerConfig {
    /// Where to listen; empty is everywhere.
    pub listen: Vec<Listen>,
    /// Sockets that are there already; then `listen` and `fallback` say nothing.
    pub inherited: Inherited,
    /// Where metrics are told, in plain HTTP; an address of the loopback.
    pub metrics: Option<SocketAddr>,
    /// Whether the default port may be left.
    pub fallback: PortFallback,
    /// Where everything is kept.
    pub data_folder: PathBuf,
    /// Names and public addresses that the certificate is to carry beyond the machine's own.
    pub hosts: Vec<String>,
    /// Who may register a new name.
    pub registration: Registration,
    /// Limits that are not to be changed while it runs.
    pub limits: BTreeMap<Limit, u64>,
    /// What those are served who are not recado's own clients.
    pub public: PublicCertificates,
    /// Whether the local network is told of it.
    pub discovery: Discovery,
    /// Proxies whose word on whom they speak for is taken.
    pub trusted_proxies: Vec<TrustedProxy>,
}

/// The certificate for browsers and whoever else is not recado's own client.
#[derive(Clone, Debug)]
pub enum PublicCertificates {
    /// recado's own.
    Own,
    /// The operator's.
    Files(CertificateFiles),
    /// A CA's, over ACME.
    Acme(AcmeConfig),
}

/// A server that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its folder.
    #[error(transparent)]
    DataFolder(#[from] DataFolderError),
    /// Its identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Its database.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// Its port.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The operator's certificate.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// What it is told to ask a CA.
    #[error(transparent)]
    Acme(#[from] AcmeError),
    /// Where metrics are to be told is not this machine's alone.
    #[error(
        "--metrics {0} is no loopback address; what is told there is for this machine alone, like 127.0.0.1:9464"
    )]
    MetricsElsewhere(SocketAddr),
    /// The port for metrics cannot be had.
    #[error("cannot listen on {address} for metrics")]
    Metrics {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Its threads.
    #[error("the threads that send datagrams or relay files do not start")]
    Threads(#[source] std::io::Error),
}

impl StartError {
    /// Whether what was asked for can never be done, on whatever machine.
    pub fn is_wrong_use(&self) -> bool {
        matches!(
            self,
            Self::Listen(ListenError::TwoPorts(..))
                | Self::Identity(IdentityError::Host(_))
                | Self::Acme(AcmeError::Port(_) | AcmeError::Name(_))
                | Self::MetricsElsewhere(_)
        )
    }
}

/// A server that accepts connections.
pub struct Server {
    tcp: Vec<SocketAddr>,
    udp: Vec<SocketAddr>,
    fingerprint: Fingerprint,
    reachable: Reachable,
    exposure: Option<Exposure>,
    folder: Arc<DataFolder>,
    discovery: Discovery,
    renewal: Renewal,
    public: Keeper,
    http: HttpService,
    reloader: Reloader,
    reloads: mpsc::Receiver<ReloadRequest>,
    events: mpsc::Sender<ShellEvent>,
    stop: watch::Sender<bool>,
    alive: mpsc::Receiver<()>,
    hub: JoinHandle<()>,
    /// Why the database cannot be used on.
    broken: Arc<OnceLock<String>>,
}

/// The disk failed while the server ran. Nothing was acknowledged that is not on it.
#[derive(Debug, thiserror::Error)]
#[error(
    "the disk failed under the database in {folder} ({said}); look at the disk, then start the server again: it checks the database first"
)]
pub struct DiskFailed {
    /// The data folder.
    pub folder: PathBuf,
    /// What SQLite says.
    pub said: String,
}

/// Tells a server to stop. May be cloned.
#[derive(Clone, Debug)]
pub struct Stop(watch::Sender<bool>);

impl Stop {
    /// Stops the server: it drains what is under way, and [`Server::run`] returns.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Server {
    /// Brings everything up, within a tokio runtime with time and I/O.
    ///
    /// # Errors
    /// [`StartError`], which says what to do; nothing is left running.
    pub async fn start(config: ServerConfig) -> Result<Self, StartError> {
        if let PublicCertificates::Acme(acme) = &config.public {
            acme.check(config.listen.iter().find_map(|listen| listen.port))?;
        }
        let folder = Arc::new(DataFolder::open(&config.data_folder)?);
        let identity = ServerIdentity::open(&folder, &config.hosts)?;
        if identity.reissued {
            tracing::warn!(
                "the root certificate was issued anew over the same key: recado's own clients notice nothing, but copies installed in browsers must be replaced by the new root.pem"
            );
        }
        let generation = Generation::new(&identity)?;
        let max_connections = max_connections();
        let Bound {
            tcp: listeners,
            udp: ports,
            port,
            fallback,
            no_ipv6,
        } = if config.inherited.is_empty() {
            listen::bind(&config.listen, config.fallback)?
        } else {
            config.inherited.take()?
        };
        let metrics = match config.metrics {
            Some(address) => Some((listen_for_metrics(address).await?, Metrics::new())),
            None => None,
        };
        if let Some(error) = no_ipv6 {
            tracing::info!(%error, "no IPv6 on this machine");
        }
        if let Some(error) = fallback {
            tracing::warn!("{error}. Using port {port} instead");
        }

        let (events, hub_events) = mpsc::channel(EVENT_QUEUE);
        folder
            .create(DATABASE_FILE)
            .map_err(|source| DataFolderError::Unusable {
                path: folder.file(DATABASE_FILE),
                source,
            })?;
        let (stop, stopped) = watch::channel(false);
        let broken = Arc::new(OnceLock::new());
        let (answers, stop_broken, note_broken) = (events.clone(), stop.clone(), broken.clone());
        let backend = Backend::open(&folder.file(DATABASE_FILE), move |event| match event {
            BackendEvent::Answers(now) => {
                // The hub gone, the answers are of no use.
                let _ = answers.blocking_send(ShellEvent::Hub(Event::Backend(now)));
            }
            BackendEvent::Broken(error) => {
                tracing::error!(%error, "the database cannot be used on; stopping");
                let _ = note_broken.set(error.to_string());
                stop_broken.send_replace(true);
            }
        })?;
        let (alive, all_ended) = mpsc::channel(1);

        let tcp: Vec<_> = listeners
            .iter()
            .filter_map(|l| l.local_addr().ok())
            .collect();
        // A CA vouches for names of the Internet's alone.
        let public_names = match &config.public {
            PublicCertificates::Acme(acme) => acme.names.clone(),
            PublicCertificates::Own | PublicCertificates::Files(_) => Vec::new(),
        };
        let reachable = Reachable {
            listening: tcp.clone(),
            hosts: config.hosts.into_iter().chain(public_names).collect(),
        };
        let udp = ports.iter().map(|port| port.local_addr()).collect();
        let traffic = ports.iter().map(UdpPort::traffic).collect();
        let hub_config = HubConfig {
            registration: config.registration,
            log: LogId::from_bytes(crate::net::random()),
            globals: HubConfig::GLOBALS,
            private: PrivateConfig::default(),
            relays: RelayConfig::default(),
            tokens: TokenSource::new(crate::net::random()),
            fixed: config.limits,
        };
        let shards =
            Shards::spawn(ports, &events, default_shards()).map_err(StartError::Threads)?;
        let relay = Relay::start(RelayLimits::default(), events.clone(), stopped.clone())
            .map_err(StartError::Threads)?;
        let hub = HubTask::new(hub_config, backend, shards, relay.clone());
        let hub = tokio::spawn(hub.run(hub_events));

        let watch = Watch::new(config.registration, config.trusted_proxies.clone());
        let exposure = exposure::at_start(config.registration, &reachable);
        let tls = Tls::new(generation);
        let root_pem: Arc<str> = identity.root_pem().into();
        let http = HttpConfig {
            trusted_proxies: config.trusted_proxies,
            metrics: metrics.as_ref().map(|(_, metrics)| metrics.http.clone()),
            ..HttpConfig::default()
        };
        let http = HttpService::new(http, Arc::new(move || root_pem.clone()));
        let public = Keeper::open(config.public, &folder, &tls)?;
        let acceptor = Acceptor::new(
            Services {
                tls: tls.clone(),
                http: http.clone(),
                relay,
            },
            events.clone(),
            stopped,
            alive,
            AcceptConfig {
                port,
                max_connections,
                watch,
            },
        );
        if let Some((listener, mut metrics)) = metrics {
            metrics.watch(Parts {
                admission: acceptor.admission.clone(),
                sessions: acceptor.open_sessions.clone(),
                relays: acceptor.relay.traffic.clone(),
                traffic,
                events: events.clone(),
            });
            let watched = Watched {
                metrics,
                stop: acceptor.stop.clone(),
                events: events.clone(),
            };
            tokio::spawn(metrics::serve(listener, Arc::new(watched)));
        }
        match Socket::open(folder.path()) {
            Ok(socket) => {
                let facts = admin::Facts {
                    fingerprint: identity.fingerprint(),
                    reachable: reachable.clone(),
                    registration: config.registration,
                    admission: acceptor.admission.clone(),
                    source: BackupSource::new(folder.clone()),
                    started: SystemTime::now(),
                };
                let admin = Admin::new(events.clone(), acceptor.stop.clone(), facts);
                tokio::spawn(admin.run(socket));
            }
            // People can talk all the same.
            Err(error) => tracing::warn!(%error, "there is no admin socket"),
        }
        for listener in listeners {
            tokio::spawn(run_accept(listener, acceptor.clone()));
        }
        let (reloader, reloads) = mpsc::channel(RELOAD_QUEUE);
        Ok(Self {
            tcp,
            udp,
            fingerprint: identity.fingerprint(),
            reachable,
            exposure,
            folder,
            discovery: config.discovery,
            renewal: Renewal { identity, tls },
            public,
            http,
            reloader: Reloader(reloader),
            reloads,
            events,
            stop,
            alive: all_ended,
            hub,
            broken,
        })
    }

    /// Where TCP connections are accepted: real addresses, one port.
    pub fn tcp(&self) -> &[SocketAddr] {
        &self.tcp
    }

    /// Where datagrams are received: the same.
    pub fn udp(&self) -> &[SocketAddr] {
        &self.udp
    }

    /// Who this server is.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Where everything is kept.
    pub fn data_folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// `HOST:PORT` at which people can reach the server: what the operator says it is called, then the addresses listened
    /// on, or the machine's where that is all of them.
    pub fn reachable(&self) -> Vec<String> {
        self.reachable.all()
    }

    /// Whom it lets in whom its operator may not expect, as far as is known.
    pub fn exposure(&self) -> Option<&Exposure> {
        self.exposure.as_ref()
    }

    /// What stops this server.
    pub fn stop(&self) -> Stop {
        Stop(self.stop.clone())
    }

    /// What changes this server while it runs.
    pub fn reloader(&self) -> Reloader {
        self.reloader.clone()
    }

    /// What tells whether it still decides anything.
    pub fn pulse(&self) -> Pulse {
        Pulse(self.events.clone())
    }

    /// Serves until [`Stop::stop`]; then no connection is accepted any more, everyone is told, and what is under
    /// way is finished, within ten seconds.
    ///
    /// # Errors
    /// [`DiskFailed`], where that was why it stopped.
    pub async fn run(self) -> Result<(), DiskFailed> {
        let announced = Announced {
            fingerprint: self.fingerprint,
            port: self.tcp.first().map_or(0, SocketAddr::port),
            listening: self.tcp.clone(),
        };
        let Self {
            folder,
            discovery,
            renewal,
            public,
            http,
            mut reloads,
            events,
            stop,
            mut alive,
            hub,
            broken,
            ..
        } = self;
        let mut stopped = stop.subscribe();
        // Here and not at the start: whoever waits for the ready line does not wait for this.
        let mut announcement = match discovery {
            Discovery::Announced => Some(Announcement::begin(announced)),
            Discovery::Silent => None,
        };
        let kept = async {
            match &mut announcement {
                Some(announcement) => announcement.keep().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            never = kept => match never {},
            _ = async { stopped.wait_for(|stop| *stop).await.is_ok() } => {}
            never = renewal.run() => match never {},
            never = public.run(&mut reloads, &http) => match never {},
        }
        tracing::info!("stopping: what is under way is finished first");
        let _ = events.send(ShellEvent::Hub(Event::Shutdown)).await;
        let farewell = async {
            if let Some(announcement) = announcement {
                announcement.end().await;
            }
        };
        // Every connection holds a sender; `None` comes when the last has ended.
        let drained = timeout(DRAIN_TIME, async { while alive.recv().await.is_some() {} });
        let (drained, ()) = tokio::join!(drained, farewell);
        if drained.is_err() {
            tracing::warn!("some connections did not end in time and were cut");
        }
        let _ = events.send(ShellEvent::Finish).await;
        if timeout(DRAIN_TIME, hub).await.is_err() {
            tracing::warn!("the database was left to recover at the next start");
        }
        let path = folder.path().to_owned();
        drop(folder);
        tracing::info!("stopped");
        match broken.get() {
            Some(said) => Err(DiskFailed {
                folder: path,
                said: said.clone(),
            }),
            None => Ok(()),
        }
    }
}

/// Binds the port for metrics, which must not be reached from elsewhere.
async fn listen_for_metrics(address: SocketAddr) -> Result<TcpListener, StartError> {
    if !address.ip().is_loopback() {
        return Err(StartError::MetricsElsewhere(address));
    }
    let failed = |source| StartError::Metrics { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    tracing::info!("metrics are at http://{address}/metrics");
    Ok(listener)
}

/// Keeps the leaf young, and true to the machine's addresses.
struct Renewal {
    identity: ServerIdentity,
    tls: Tls,
}

impl Renewal {
    async fn run(self) -> std::convert::Infallible {
        let mut interval = tokio::time::interval(RENEWAL_INTERVAL);
        loop {
            interval.tick().await;
            let generation = self.tls.generation.load();
            let due = generation.renew_at <= OffsetDateTime::now_utc();
            if !due && generation.addresses == addresses::interface_addresses() {
                continue;
            }
            match Generation::new(&self.identity) {
                Ok(generation) => {
                    tracing::info!("a new leaf certificate is in use");
                    let renewed = |present: &Arc<Generation>| generation.with_public_of(present);
                    self.tls.generation.rcu(renewed);
                }
                Err(error) => tracing::error!(%error, "the leaf could not be renewed"),
            }
        }
    }
}

/// Keeps the certificate for everyone who is not recado's own client.
enum Keeper {
    Own,
    Files(CertificateFiles, Tls),
    Acme(Box<Acme>),
}

impl Keeper {
    /// Serves what there is already.
    fn open(
        public: PublicCertificates,
        folder: &Arc<DataFolder>,
        tls: &Tls,
    ) -> Result<Self, StartError> {
        Ok(match public {
            PublicCertificates::Own => Self::Own,
            PublicCertificates::Files(files) => {
                let certificate = files.load()?;
                if certificate.has_expired() {
                    tracing::warn!(
                        "the certificate in {} has expired; browsers will refuse it",
                        files.certificate.display()
                    );
                }
                tls.serve(&certificate);
                Self::Files(files, tls.clone())
            }
            PublicCertificates::Acme(config) => {
                Self::Acme(Box::new(Acme::open(&config, folder.clone(), tls.clone())?))
            }
        })
    }

    async fn run(
        self,
        reloads: &mut mpsc::Receiver<ReloadRequest>,
        http: &HttpService,
    ) -> std::convert::Infallible {
        type Kept = Pin<Box<dyn Future<Output = std::convert::Infallible> + Send>>;
        let watched = |files: CertificateFiles, tls: Tls| -> Kept { Box::pin(files.watch(tls)) };
        let (mut kept, tls): (Kept, _) = match self {
            Self::Own => (Box::pin(std::future::pending()), None),
            Self::Files(files, tls) => (watched(files, tls.clone()), Some(tls)),
            Self::Acme(acme) => (Box::pin(acme.run()), None),
        };
        loop {
            let request = tokio::select! {
                never = &mut kept => match never {},
                request = reloads.recv() => request,
            };
            let Some(ReloadRequest { wanted, done }) = request else {
                return kept.await;
            };
            http.trust_proxies(wanted.trusted_proxies);
            let loaded = match (wanted.certificate, &tls) {
                // Whether there are files at all is for the next start.
                (Some(files), Some(tls)) => files.load().map(|certificate| {
                    tls.serve(&certificate);
                    kept = watched(files, tls.clone());
                }),
                _ => Ok(()),
            };
            // Whoever asked may be gone.
            let _ = done.send(loaded);
        }
    }
}

/// As many connections as files are allowed, after asking for as many as may be had.
fn max_connections() -> usize {
    let wanted = MAX_CONNECTIONS as u64 + RESERVED_FILES;
    let files = system::max_files(wanted).unwrap_or(wanted);
    let connections = files.saturating_sub(RESERVED_FILES).max(1);
    usize::try_from(connections).map_or(MAX_CONNECTIONS, |most| most.min(MAX_CONNECTIONS))
}
