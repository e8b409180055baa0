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
        for root in &gone {
            let folder = self.home.server(root);
            if folder.exists() {
                let trash = format!("{TRASH}{}", home::random_suffix());
                home::rename(&folder, &folder.with_file_name(trash))?;
            }
        }
        self.write(&known)?;
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
mod tests {
    use std::fs;

    use super::*;
    use crate::identity::Identity;

    fn store() -> (tempfile::TempDir, Home, TrustStore) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        (folder, home.clone(), TrustStore::new(home))
    }

    fn address(text: &str) -> ServerAddress {
        text.parse().unwrap()
    }

    fn root(text: &str) -> Fingerprint {
        Fingerprint::from_spki(text.as_bytes())
    }

    #[test]
    fn a_pin_belongs_to_host_and_port() {
        let (_folder, _home, store) = store();
        store
            .pin("school", 443, root("one"), Reason::Confirmed)
            .unwrap();
        store
            .pin("school", 8443, root("two"), Reason::Given)
            .unwrap();
        store
            .pin("school", 9000, root("three"), Reason::AcceptedNew)
            .unwrap();
        let roots = |text: &str| -> Vec<_> {
            store
                .show(&address(text))
                .unwrap()
                .iter()
                .map(|pin| pin.root)
                .collect()
        };
        assert_eq!(roots("School:443"), [root("one")]);
        assert_eq!(roots("school:9000"), [root("three")]);
        assert_eq!(roots("school"), [root("one"), root("two")]);
        assert!(roots("school:1").is_empty());
        assert!(roots("home").is_empty());
    }

    #[test]
    fn what_is_written_is_read_back() {
        let (_folder, home, store) = store();
        let pin = store
            .pin("::1", 8443, root("one"), Reason::Loopback)
            .unwrap();
        store.set_last_used(&address("school")).unwrap();
        store
            .set_last_used(&address(
                "recado://[::1]:8443/SHA256-47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU/secret",
            ))
            .unwrap();
        let other = TrustStore::new(home.clone());
        assert_eq!(other.list().unwrap(), [pin]);
        assert_eq!(other.last_used().unwrap(), Some(address("[::1]:8443")));
        assert_eq!(other.known_as(&root("one")).unwrap(), ["[::1]:8443"]);
        assert!(other.known_as(&root("two")).unwrap().is_empty());
        assert!(
            !fs::read_to_string(home.known_servers())
                .unwrap()
                .contains("secret")
        );
    }

    #[test]
    fn a_pin_is_never_overwritten_in_passing() {
        let (_folder, _home, store) = store();
        let first = store
            .pin("school", 443, root("one"), Reason::Confirmed)
            .unwrap();
        assert_eq!(
            store
                .pin("school", 443, root("one"), Reason::Given)
                .unwrap(),
            first
        );
        let error = store
            .pin("school", 443, root("two"), Reason::AcceptedNew)
            .unwrap_err();
        assert!(matches!(error, StoreError::Conflict { existing } if *existing == first));
        assert_eq!(store.list().unwrap(), [first]);
    }

    #[test]
    fn writers_at_the_same_time_lose_nothing() {
        let (_folder, _home, store) = store();
        std::thread::scope(|scope| {
            for writer in 0..8u16 {
                let store = store.clone();
                scope.spawn(move || {
                    for port in 1..=5 {
                        let port = writer * 100 + port;
                        store
                            .pin("school", port, root("one"), Reason::Given)
                            .unwrap();
                    }
                });
            }
        });
        assert_eq!(store.list().unwrap().len(), 40);
    }

    #[test]
    fn a_damaged_file_is_reported_and_left_as_it_is() {
        let (_folder, home, store) = store();
        store
            .pin("school", 443, root("one"), Reason::Given)
            .unwrap();
        let whole = fs::read_to_string(home.known_servers()).unwrap();
        let twice = {
            let start = whole.find("    {").unwrap();
            let end = whole.find("    }").unwrap() + 5;
            format!("{},\n{}", &whole[..end], &whole[start..])
        };
        let cases = [
            String::new(),
            "[]".to_owned(),
            whole[..whole.len() / 2].to_owned(),
            whole.replace("SHA256:", "SHA1:"),
            whole.replace("\"school\"", "\"sch ool\""),
            whole.replace("443", "0"),
            whole.replace("given", "because"),
            whole.replace("\"version\": 1", "\"version\": 0"),
            twice,
        ];
        for content in cases {
            fs::write(home.known_servers(), &content).unwrap();
            for error in [
                store.list().unwrap_err(),
                store
                    .pin("home", 1, root("two"), Reason::Given)
                    .unwrap_err(),
                store.set_last_used(&address("home")).unwrap_err(),
            ] {
                assert!(
                    matches!(error, StoreError::Damaged { .. }),
                    "{error} for {content}"
                );
            }
            assert_eq!(fs::read_to_string(home.known_servers()).unwrap(), content);
        }
        fs::write(home.known_servers(), r#"{"version": 2, "people": 1}"#).unwrap();
        assert!(matches!(store.list(), Err(StoreError::Newer { .. })));
    }

    #[test]
    fn forgetting_drops_the_pin_and_the_keys() {
        let (_folder, home, store) = store();
        store
            .pin("school", 443, root("one"), Reason::Confirmed)
            .unwrap();
        let alice = Identity::open(&home, &root("one"), "alice").unwrap();
        let error = store.forget(&address("school")).unwrap_err();
        assert!(
            matches!(error, StoreError::Identity(IdentityError::InUse { .. })),
            "{error}"
        );
        assert_eq!(store.list().unwrap().len(), 1);
        let key = alice.public_key();
        drop(alice);

        let forgotten = store.forget(&address("school")).unwrap();
        assert_eq!(forgotten.identities, ["alice"]);
        assert_eq!(forgotten.pins.len(), 1);
        assert!(store.list().unwrap().is_empty());
        assert!(home::entries(&home.servers()).unwrap().is_empty());
        assert_ne!(
            Identity::open(&home, &root("one"), "alice")
                .unwrap()
                .public_key(),
            key
        );
    }

    #[test]
    fn forgetting_one_address_keeps_the_keys_that_another_uses() {
        let (_folder, home, store) = store();
        store
            .pin("school", 443, root("one"), Reason::Confirmed)
            .unwrap();
        store
            .pin("192.168.1.20", 443, root("one"), Reason::Given)
            .unwrap();
        let key = Identity::open(&home, &root("one"), "alice")
            .unwrap()
            .public_key();
        let forgotten = store.forget(&address("school")).unwrap();
        assert!(forgotten.identities.is_empty());
        assert_eq!(
            Identity::open(&home, &root("one"), "alice")
                .unwrap()
                .public_key(),
            key
        );
    }

    #[test]
    fn an_unknown_server_is_named_with_the_ports_that_are_known() {
        let (_folder, _home, store) = store();
        store
            .pin("school", 9000, root("one"), Reason::Confirmed)
            .unwrap();
        for error in [
            store.forget(&address("school")).unwrap_err(),
            store.replace(&address("school"), root("two")).unwrap_err(),
        ] {
            match error {
                StoreError::NotKnown { server, ports } => {
                    assert_eq!(
                        (server.as_str(), ports.as_slice()),
                        ("school", [9000].as_slice())
                    );
                }
                other => panic!("{other}"),
            }
        }
    }

    #[test]
    fn replacing_carries_the_keys_over() {
        let (_folder, home, store) = store();
        store
            .pin("school", 443, root("old"), Reason::Confirmed)
            .unwrap();
        let alice = Identity::open(&home, &root("old"), "alice").unwrap();
        let key = alice.public_key();
        let error = store.replace(&address("school"), root("new")).unwrap_err();
        assert!(
            matches!(error, StoreError::Identity(IdentityError::InUse { .. })),
            "{error}"
        );
        drop(alice);

        let replaced = store.replace(&address("school"), root("new")).unwrap();
        assert_eq!(replaced.old, root("old"));
        assert_eq!(replaced.carried, ["alice"]);
        assert!(replaced.kept.is_empty());
        let pins = store.list().unwrap();
        assert_eq!(
            (pins[0].root, pins[0].reason),
            (root("new"), Reason::Replaced)
        );
        assert_eq!(
            Identity::open(&home, &root("new"), "alice")
                .unwrap()
                .public_key(),
            key
        );
        assert!(
            store
                .replace(&address("school"), root("new"))
                .unwrap()
                .carried
                .is_empty()
        );
    }

    #[test]
    fn replacing_one_of_two_addresses_copies_and_the_other_follows() {
        let (_folder, home, store) = store();
        store
            .pin("school", 443, root("old"), Reason::Confirmed)
            .unwrap();
        store
            .pin("192.168.1.20", 443, root("old"), Reason::Given)
            .unwrap();
        let key = Identity::open(&home, &root("old"), "alice")
            .unwrap()
            .public_key();
        store.replace(&address("school"), root("new")).unwrap();
        assert_eq!(
            Identity::open(&home, &root("old"), "alice")
                .unwrap()
                .public_key(),
            key
        );
        assert_eq!(
            Identity::open(&home, &root("new"), "alice")
                .unwrap()
                .public_key(),
            key
        );
        let replaced = store
            .replace(&address("192.168.1.20"), root("new"))
            .unwrap();
        assert_eq!((replaced.carried.len(), replaced.kept.len()), (1, 0));
    }

    #[test]
    fn replacing_destroys_no_key_that_the_new_root_already_knows() {
        let (_folder, home, store) = store();
        store
            .pin("school", 443, root("old"), Reason::Confirmed)
            .unwrap();
        let old = Identity::open(&home, &root("old"), "alice")
            .unwrap()
            .public_key();
        let new = Identity::open(&home, &root("new"), "alice")
            .unwrap()
            .public_key();
        let replaced = store.replace(&address("school"), root("new")).unwrap();
        assert_eq!(replaced.kept, ["alice"]);
        assert_eq!(
            Identity::open(&home, &root("old"), "alice")
                .unwrap()
                .public_key(),
            old
        );
        assert_eq!(
            Identity::open(&home, &root("new"), "alice")
                .unwrap()
                .public_key(),
            new
        );
    }

    #[test]
    fn an_interrupted_replacement_is_completed_by_the_next() {
        let (_folder, home, store) = store();
        store
            .pin("school", 443, root("old"), Reason::Confirmed)
            .unwrap();
        let alice = Identity::open(&home, &root("old"), "alice")
            .unwrap()
            .public_key();
        let bob = Identity::open(&home, &root("old"), "bob")
            .unwrap()
            .public_key();
        // As after a crash between the two keys: Alice's is moved, the pin is the old one.
        home::create_folder(&home.identities(&root("new"))).unwrap();
        fs::rename(
            home.identity(&root("old"), "alice"),
            home.identity(&root("new"), "alice"),
        )
        .unwrap();
        store.replace(&address("school"), root("new")).unwrap();
        assert_eq!(
            Identity::open(&home, &root("new"), "alice")
                .unwrap()
                .public_key(),
            alice
        );
        assert_eq!(
            Identity::open(&home, &root("new"), "bob")
                .unwrap()
                .public_key(),
            bob
        );
    }

    #[test]
    fn replacing_needs_a_port_when_two_servers_share_a_host() {
        let (_folder, _home, store) = store();
        store
            .pin("school", 443, root("one"), Reason::Confirmed)
            .unwrap();
        store
            .pin("school", 8443, root("two"), Reason::Confirmed)
            .unwrap();
        let error = store.replace(&address("school"), root("new")).unwrap_err();
        assert!(matches!(error, StoreError::Ambiguous { ports, .. } if ports == [443, 8443]));
        store.replace(&address("school:8443"), root("new")).unwrap();
        assert_eq!(
            store.show(&address("school:443")).unwrap()[0].root,
            root("one")
        );
        assert_eq!(
            store.show(&address("school:8443")).unwrap()[0].root,
            root("new")
        );
    }
}
