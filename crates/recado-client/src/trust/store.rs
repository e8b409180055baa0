//! What the client remembers of servers: which root belongs to which host and port.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use recado_proto::fingerprint::Fingerprint;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::address::{ServerAddress, host_and_port};
use crate::home::{self, Home, HomeError};
use crate::identity::{self, IdentityError};

/// The remembered servers, in `known_servers.json`.
///
/// Cheap to clone: it holds the folder, not the content, so that processes see each other's pins.
/// Every change is a locked read-modify-write; reading needs no lock, as the file is replaced whole.
/// Reads and writes small files, and waits for other processes' changes, which take milliseconds.
#[derive(Clone, Debug)]
pub struct TrustStore {
    home: Home,
}

/// A root remembered for a host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The host as [`ServerAddress::host`] gives it.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The root's fingerprint.
    pub root: Fingerprint,
    /// When it was pinned, in UTC.
    pub pinned_at: OffsetDateTime,
    /// Why it was pinned.
    pub reason: Reason,
}

impl Pin {
    /// `HOST:PORT`, as `--server` takes it.
    pub fn server(&self) -> String {
        host_and_port(&self.host, self.port)
    }
}

/// A rung of the ladder of trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rung {
    /// A remembered or given root decided.
    Pinned,
    /// A CA vouched for an unknown server.
    Vouched,
    /// A person confirmed an unknown server.
    FirstUse,
}

impl Rung {
    /// Its name in machine-readable output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pinned => "pinned",
            Self::Vouched => "vouched",
            Self::FirstUse => "first-use",
        }
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a root was pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Its fingerprint was given, by `--fingerprint` or in the address.
    Given,
    /// A CA vouched for the server.
    Vouched,
    /// A person was shown the fingerprint and confirmed it.
    Confirmed,
    /// `--accept-new` confirmed it.
    AcceptedNew,
    /// The server was reached as this very machine.
    Loopback,
    /// It took the place of another root, by `recado trust replace`.
    Replaced,
}

impl Reason {
    /// The rung on which a server stands that was just pinned for this reason.
    pub fn rung(self) -> Rung {
        match self {
            Self::Given | Self::Replaced => Rung::Pinned,
            Self::Vouched => Rung::Vouched,
            Self::Confirmed | Self::AcceptedNew | Self::Loopback => Rung::FirstUse,
        }
    }
}

/// What [`TrustStore::forget`] dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forgotten {
    /// The pins.
    pub pins: Vec<Pin>,
    /// The names, in folded form, whose identity keys are gone.
    pub identities: Vec<String>,
}

/// What [`TrustStore::replace`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// The root that was remembered.
    pub old: Fingerprint,
    /// The root that is remembered now.
    pub new: Fingerprint,
    /// The names, in folded form, whose identity keys are now used with the new root.
    pub carried: Vec<String>,
    /// The names that already had another key with the new root: that one stays in use, and the
    /// old one stays where it was.
    pub kept: Vec<String>,
}

/// Why the remembered servers cannot be read or changed.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The client's folder cannot be used.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The file holds something else. It is left as it is.
    #[error("{} is damaged ({detail}); restore it from a copy or mend it by hand. Moving it away forgets which servers are known, and each will be asked about again", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A newer recado wrote the file.
    #[error("{} was written by a newer recado; use that one, or another folder with --home", .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
    },
    /// No root is remembered for that server.
    #[error("no server {server} is known here")]
    NotKnown {
        /// The server as it was asked for.
        server: String,
        /// The ports of the same host that are known, if others are.
        ports: Vec<u16>,
    },
    /// Different roots are remembered for the host's ports, and no port was given.
    #[error("{host} is known with several ports and different fingerprints; name one: HOST:PORT")]
    Ambiguous {
        /// The host.
        host: String,
        /// The ports.
        ports: Vec<u16>,
    },
    /// Another root is remembered for that server already.
    #[error("another fingerprint is already remembered for {}: {}", .existing.server(), .existing.root)]
    Conflict {
        /// What is remembered.
        existing: Box<Pin>,
    },
    /// An identity of that server is in use by a process.
    #[error("cannot rearrange the identities of that server")]
    Identity(#[from] IdentityError),
}

impl TrustStore {
    /// Keeps a server's root certificate beside the identities that it is known by, for other programs, and gives
    /// its path.
    pub fn save_root(&self, root: &Fingerprint, pem: &str) -> Result<PathBuf, HomeError> {
        let folder = self.home.server(root);
        home::create_folder(&folder)?;
        let path = folder.join("root.pem");
        home::write_atomically(&path, pem.as_bytes())?;
        Ok(path)
    }

    /// The remembered servers of this folder.
    pub fn new(home: Home) -> Self {
        Self { home }
    }

    /// All pins, by host and port.
    pub fn list(&self) -> Result<Vec<Pin>, StoreError> {
        Ok(self.read()?.pins)
    }

    /// The pins that count for this address: those of its port, or of both default ports.
    pub fn show(&self, address: &ServerAddress) -> Result<Vec<Pin>, StoreError> {
        Ok(self
            .read()?
            .pins
            .into_iter()
            .filter(|pin| counts(pin, address))
            .collect())
    }

    /// The servers, as `HOST:PORT`, that are known by this root.
    pub fn known_as(&self, root: &Fingerprint) -> Result<Vec<String>, StoreError> {
        let pins = self.read()?.pins;
        Ok(pins
            .iter()
            .filter(|pin| pin.root == *root)
            .map(Pin::server)
            .collect())
    }

    /// The server that was used last, as it was typed: without a port if none was given.
    pub fn last_used(&self) -> Result<Option<ServerAddress>, StoreError> {
        Ok(self.read()?.last)
    }

    /// Remembers the server that is being used.
    pub fn set_last_used(&self, address: &ServerAddress) -> Result<(), StoreError> {
        let same = |last: ServerAddress| last.to_string() == address.to_string();
        if self.last_used()?.is_some_and(same) {
            return Ok(());
        }
        let _lock = self.home.lock_exclusive()?;
        let mut known = self.read()?;
        known.last = Some(address.clone());
        self.write(&known)
    }

    /// Pins a root for a host and port that have none. A pin of the same root stays as it is; one
    /// of another root is a [`StoreError::Conflict`].
    pub fn pin(
        &self,
        host: &str,
        port: u16,
        root: Fingerprint,
        reason: Reason,
    ) -> Result<Pin, StoreError> {
        let _lock = self.home.lock_exclusive()?;
        let mut known = self.read()?;
        if let Some(existing) = known
            .pins
            .iter()
            .find(|pin| pin.host == host && pin.port == port)
        {
            if existing.root == root {
                return Ok(existing.clone());
            }
            return Err(StoreError::Conflict {
                existing: Box::new(existing.clone()),
            });
        }
        let pin = Pin {
            host: host.to_owned(),
            port,
            root,
            pinned_at: now(),
            reason,
        };
        known.pins.push(pin.clone());
        self.write(&known)?;
        Ok(pin)
    }

    /// Drops the pins of this address, and the identities of their roots unless another pin has the
    /// same root. Refused while one of those identities is in use.
    pub fn forget(&self, address: &ServerAddress) -> Result<Forgotten, StoreError> {
        let _lock = self.home.lock_exclusive()?;
        let mut known = self.read()?;
        let pins = self.counting(&known, address)?;
        known.pins.retain(|pin| !counts(pin, address));
        let still_known: BTreeSet<_> = known.pins.iter().map(|pin| pin.root).collect();
        let gone: BTreeSet<_> = pins
            .iter()
            .map(|pin| pin.root)
            .filter(|root| !still_known.contains(root))
            .collect();
        let mut identities = Vec::new();
        for root in &gone {
            identities.extend(identity::lock_all(&self.home, root)?);
        }
        // Moved out of the way, then unpinned, then deleted: a crash at any point leaves either
        // both pin and leftovers, which another forget clears, or nothing that is ever looked at.
        let mut moved = Vec::new();
        for root in &gone {
            let folder = self.home.server(root);
            if folder.exists() {
                let trash = folder.with_file_name(format!("{TRASH}{}", home::random_suffix()));
                home::rename(&folder, &trash)?;
                moved.push((folder, trash));
            }
        }
        if let Err(error) = self.write(&known) {
            // Still pinned, so still hers. Keys that cannot be put back stay in the other folder.
            for (folder, trash) in moved {
                home::rename(&trash, &folder)?;
            }
            return Err(error);
        }
        self.empty_trash()?;
        Ok(Forgotten { pins, identities })
    }

    /// Remembers `new` for this address in the place of the root that it had, and carries the
    /// identities over. Refused while one of those identities is in use. Doing it again after an
    /// interruption completes it.
    ///
    /// The caller has proven that the server holds `new`, and that the person wants it.
    pub fn replace(
        &self,
        address: &ServerAddress,
        new: Fingerprint,
    ) -> Result<Replaced, StoreError> {
        let _lock = self.home.lock_exclusive()?;
        let mut known = self.read()?;
        let pins = self.counting(&known, address)?;
        let old: BTreeSet<_> = pins.iter().map(|pin| pin.root).collect();
        let (Some(old), true) = (old.first().copied(), old.len() == 1) else {
            let ports = pins.iter().map(|pin| pin.port).collect();
            return Err(StoreError::Ambiguous {
                host: address.host().to_owned(),
                ports,
            });
        };
        if old == new {
            return Ok(Replaced {
                old,
                new,
                carried: Vec::new(),
                kept: Vec::new(),
            });
        }
        for pin in known.pins.iter_mut().filter(|pin| counts(pin, address)) {
            pin.root = new;
            pin.pinned_at = now();
            pin.reason = Reason::Replaced;
        }
        let old_still_known = known.pins.iter().any(|pin| pin.root == old);
        // First the identities, then the pin: until the pin is written nobody gets past the old
        // one, so no fresh key can take the place of one that is still under way.
        let (carried, kept) = self.carry(&old, &new, old_still_known)?;
        self.write(&known)?;
        Ok(Replaced {
            old,
            new,
            carried,
            kept,
        })
    }

    /// Carries the identities of one root to another: moved, or copied if the old root stays known
    /// by another address. Gives the names that were carried and those that were not.
    fn carry(
        &self,
        old: &Fingerprint,
        new: &Fingerprint,
        copy: bool,
    ) -> Result<(Vec<String>, Vec<String>), StoreError> {
        identity::lock_all(&self.home, old)?;
        identity::lock_all(&self.home, new)?;
        let target_folder = self.home.identities(new);
        home::create_folder(&target_folder)?;
        let (mut carried, mut kept) = (Vec::new(), Vec::new());
        for entry in home::entries(&self.home.identities(old))? {
            let (source, target) = (entry.path(), target_folder.join(entry.file_name()));
            let name = home::unescape(&entry.file_name().to_string_lossy());
            let Some(key) = identity::read_key_file(&source)? else {
                continue;
            };
            if let Some(existing) = identity::read_key_file(&target)? {
                // The same key was carried by an earlier, interrupted attempt; any other is in use
                // with the new root already, and its name may be claimed by it.
                if existing == key {
                    carried.push(name)
                } else {
                    kept.push(name)
                }
                continue;
            }
            // A folder without a key, left by an interrupted start, only stands in the way.
            remove_folder(&target)?;
            if copy {
                home::copy_folder(&source, &target)?;
            } else {
                home::rename(&source, &target)?;
            }
            carried.push(name);
        }
        // If nothing is left with the old root, its folders go too; if something is, they stay.
        let _ = std::fs::remove_dir(self.home.identities(old));
        let _ = std::fs::remove_dir(self.home.server(old));
        Ok((carried, kept))
    }

    /// Deletes what earlier `forget`s moved out of the way, also those that were interrupted.
    fn empty_trash(&self) -> Result<(), StoreError> {
        for entry in home::entries(&self.home.servers())? {
            if entry.file_name().to_string_lossy().starts_with(TRASH) {
                remove_folder(&entry.path())?;
            }
        }
        Ok(())
    }

    /// The pins that count for an address, of which there must be some.
    fn counting(&self, known: &Known, address: &ServerAddress) -> Result<Vec<Pin>, StoreError> {
        let pins: Vec<_> = known
            .pins
            .iter()
            .filter(|pin| counts(pin, address))
            .cloned()
            .collect();
        if pins.is_empty() {
            let same_host = known.pins.iter().filter(|pin| pin.host == address.host());
            return Err(StoreError::NotKnown {
                server: address.to_string(),
                ports: same_host.map(|pin| pin.port).collect(),
            });
        }
        Ok(pins)
    }

    fn read(&self) -> Result<Known, StoreError> {
        let path = self.home.known_servers();
        let Some(bytes) = home::read(&path)? else {
            return Ok(Known::default());
        };
        // The version first: a newer file may have another shape.
        match serde_json::from_slice::<FileVersion>(&bytes) {
            Ok(FileVersion { version: VERSION }) => {}
            Ok(FileVersion { version }) if version > VERSION => {
                return Err(StoreError::Newer { path });
            }
            Ok(FileVersion { version }) => {
                return Err(StoreError::Damaged {
                    path,
                    detail: format!("version {version}"),
                });
            }
            Err(error) => {
                return Err(StoreError::Damaged {
                    path,
                    detail: error.to_string(),
                });
            }
        }
        let file: Result<KnownFile, _> = serde_json::from_slice(&bytes);
        file.map_err(|error| error.to_string())
            .and_then(Known::try_from)
            .map_err(|detail| StoreError::Damaged { path, detail })
    }

    fn write(&self, known: &Known) -> Result<(), StoreError> {
        let path = self.home.known_servers();
        let text = KnownFile::try_from(known)
            .and_then(|file| serde_json::to_string_pretty(&file).map_err(|error| error.to_string()))
            .map_err(|detail| StoreError::Damaged {
                path: path.clone(),
                detail,
            })?;
        Ok(home::write_atomically(
            &path,
            format!("{text}\n").as_bytes(),
        )?)
    }
}

/// Deletes a folder of ours, if it is there.
fn remove_folder(path: &Path) -> Result<(), HomeError> {
    match std::fs::remove_dir_all(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(HomeError::Unwritable {
                path: path.to_owned(),
                source,
            })
        }
        _ => Ok(()),
    }
}

/// Begins the names of folders that are only waiting to be deleted.
const TRASH: &str = ".forgotten";

/// Whether a pin counts for an address: same host, and its port, or without one a default port.
fn counts(pin: &Pin, address: &ServerAddress) -> bool {
    pin.host == address.host() && address.candidate_ports().contains(&pin.port)
}

/// Now, to the second, as it is written.
fn now() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(0).unwrap_or(now)
}

/// The file's content.
#[derive(Debug, Default)]
struct Known {
    last: Option<ServerAddress>,
    pins: Vec<Pin>,
}

/// The file's shape. Fingerprints, addresses and times are texts, so that it can be read and mended
/// by hand.
#[derive(Serialize, Deserialize)]
struct KnownFile {
    version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_used: Option<LastUsed>,
    servers: Vec<Server>,
}

#[derive(Serialize, Deserialize)]
struct LastUsed {
    host: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
}

#[derive(Serialize, Deserialize)]
struct Server {
    host: String,
    port: u16,
    root: String,
    pinned_at: String,
    reason: Reason,
}

#[derive(Deserialize)]
struct FileVersion {
    version: u32,
}

const VERSION: u32 = 1;

impl TryFrom<KnownFile> for Known {
    type Error = String;

    fn try_from(file: KnownFile) -> Result<Self, String> {
        let last = match file.last_used {
            Some(last) => Some(
                ServerAddress::new(&last.host, last.port)
                    .map_err(|error| format!("last_used: {error}"))?,
            ),
            None => None,
        };
        let mut seen = BTreeSet::new();
        let mut pins = Vec::with_capacity(file.servers.len());
        for server in file.servers {
            let Server {
                host,
                port,
                root,
                pinned_at,
                reason,
            } = server;
            let address = ServerAddress::new(&host, Some(port))
                .map_err(|error| format!("server {host:?}: {error}"))?;
            let root = root
                .parse()
                .map_err(|error| format!("server {address}: {error}"))?;
            let pinned_at = OffsetDateTime::parse(&pinned_at, &Rfc3339)
                .map_err(|error| format!("server {address}: {error}"))?;
            if !seen.insert(address.to_string()) {
                // Which of them would count? Neither may be dropped.
                return Err(format!("server {address} is listed twice"));
            }
            pins.push(Pin {
                host: address.host().to_owned(),
                port,
                root,
                pinned_at,
                reason,
            });
        }
        pins.sort_by(|one, other| (&one.host, one.port).cmp(&(&other.host, other.port)));
        Ok(Self { last, pins })
    }
}

impl TryFrom<&Known> for KnownFile {
    type Error = String;

    fn try_from(known: &Known) -> Result<Self, String> {
        let last_used = known.last.as_ref().map(|last| LastUsed {
            host: last.host().to_owned(),
            port: last.port(),
        });
        let mut servers = Vec::with_capacity(known.pins.len());
        for pin in &known.pins {
            servers.push(Server {
                host: pin.host.clone(),
                port: pin.port,
                root: pin.root.to_string(),
                pinned_at: pin
                    .pinned_at
                    .format(&Rfc3339)
                    .map_err(|error| error.to_string())?,
                reason: pin.reason,
            });
        }
        Ok(Self {
            version: VERSION,
            last_used,
            servers,
        })
    }
}

#[cfg(test)]
mod tests;
