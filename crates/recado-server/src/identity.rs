//! The server's identity: a root key, kept for good; a root certificate over it, re-issued when its names
//! change; and leaves, made in memory as needed.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    NameConstraints, PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType, SerialNumber,
};
use recado_proto::SERVER_NAME;
use recado_proto::fingerprint::Fingerprint;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::addresses;
use crate::data_folder::DataFolder;

/// Life of the root certificate. The key outlives it: the certificate is re-issued.
const ROOT_LIFE: Duration = Duration::days(10 * 365);

/// Life of a leaf. Renewed after two thirds.
const LEAF_LIFE: Duration = Duration::days(90);

/// How far before now certificates begin, for clients whose clocks are behind.
const BACKDATED: Duration = Duration::hours(48);

/// The root key, in the data folder.
pub const KEY_FILE: &str = "root.key";
const CERTIFICATE_FILE: &str = "root.pem";
const SCOPE_FILE: &str = "root.json";

/// The root, loaded or made.
pub(crate) struct ServerIdentity {
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
    root_pem: String,
    fingerprint: Fingerprint,
    /// The certificate was issued anew for these names or addresses.
    pub(crate) reissued: bool,
    /// What leaves name; the certificate may have been issued for more.
    names: Scope,
}

/// What the root certificate was issued for: what its name constraints permit beyond private addresses.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Scope {
    names: BTreeSet<String>,
    addresses: BTreeSet<IpAddr>,
    /// Seconds since 1970.
    expires: i64,
}

/// A leaf with its chain and key.
pub(crate) struct Leaf {
    /// The leaf, then the root.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
    pub(crate) renew_at: OffsetDateTime,
    /// What it names; a machine whose addresses change needs another leaf.
    pub(crate) addresses: BTreeSet<IpAddr>,
}

/// An identity that cannot be had. Nothing was replaced: a lost root key is a lost identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file cannot be read or written.
    #[error("{file} in the data folder cannot be read or written")]
    File {
        /// The file.
        file: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// A file holds something else than it should.
    #[error(
        "{file} in the data folder is damaged: {detail}. Put it back from a backup; to start over with a new identity, which every client will have to trust anew, remove root.key, root.pem and root.json"
    )]
    Damaged {
        /// The file.
        file: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// The key is there and its certificate belongs to another, or the reverse.
    #[error(
        "root.key is missing from the data folder, but root.pem is there. Put the key back from a backup; to start over with a new identity, which every client will have to trust anew, remove root.pem and root.json too"
    )]
    KeyMissing,
    /// A name that no certificate can carry.
    #[error("--host {0} is no DNS name and no IP address")]
    Host(String),
    /// Issuing failed.
    #[error("a certificate could not be issued")]
    Issue(#[from] rcgen::Error),
}

impl ServerIdentity {
    /// Loads the root of the data folder, or makes one at the first start. `hosts` are the names and
    /// addresses that the operator added.
    pub(crate) fn open(folder: &DataFolder, hosts: &[String]) -> Result<Self, IdentityError> {
        let wanted = wanted_scope(hosts)?;
        let key_pem = read(folder, KEY_FILE)?;
        let root_pem = read(folder, CERTIFICATE_FILE)?;
        let scope = read(folder, SCOPE_FILE)?;
        let Some(key_pem) = key_pem else {
            if root_pem.is_some() {
                return Err(IdentityError::KeyMissing);
            }
            let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
            write(folder, KEY_FILE, &key.serialize_pem())?;
            return Self::issue(folder, key, wanted, false);
        };
        let key = KeyPair::from_pem(&key_pem).map_err(|error| IdentityError::Damaged {
            file: KEY_FILE,
            detail: error.to_string(),
        })?;
        let Some(root_pem) = root_pem else {
            return Self::issue(folder, key, wanted, true);
        };
        let root = CertificateDer::from_pem_slice(root_pem.as_bytes()).map_err(|error| {
            IdentityError::Damaged {
                file: CERTIFICATE_FILE,
                detail: error.to_string(),
            }
        })?;
        let fingerprint = Fingerprint::from_spki(&key.subject_public_key_info());
        let damaged = |detail: &str| IdentityError::Damaged {
            file: CERTIFICATE_FILE,
            detail: detail.to_owned(),
        };
        let parsed = webpki::EndEntityCert::try_from(&root)
            .map_err(|_| damaged("it is not a certificate"))?;
        let spki = parsed.subject_public_key_info();
        if Fingerprint::from_spki(spki.as_ref()) != fingerprint {
            return Err(damaged("it does not belong to root.key"));
        }
        // A scope that cannot be read is only a reason to issue again over the same key.
        let scope = scope.and_then(|text| serde_json::from_str::<Scope>(&text).ok());
        let now = OffsetDateTime::now_utc();
        match scope {
            Some(scope) if scope.covers(&wanted, now) => Ok(Self {
                issuer: Issuer::new(root_params(&scope, now)?, key),
                root,
                root_pem,
                fingerprint,
                reissued: false,
                names: wanted,
            }),
            _ => Self::issue(folder, key, wanted, true),
        }
    }

    fn issue(
        folder: &DataFolder,
        key: KeyPair,
        mut scope: Scope,
        reissued: bool,
    ) -> Result<Self, IdentityError> {
        let now = OffsetDateTime::now_utc();
        scope.expires = (now + ROOT_LIFE).unix_timestamp();
        let params = root_params(&scope, now)?;
        let certificate = params.self_signed(&key)?;
        let root_pem = certificate.pem();
        // The certificate first: without its scope it is only issued once more.
        write(folder, CERTIFICATE_FILE, &root_pem)?;
        let text = serde_json::to_string(&scope).map_err(std::io::Error::from);
        let text = text.map_err(|source| IdentityError::File {
            file: SCOPE_FILE,
            source,
        })?;
        write(folder, SCOPE_FILE, &text)?;
        Ok(Self {
            fingerprint: Fingerprint::from_spki(&key.subject_public_key_info()),
            issuer: Issuer::new(params, key),
            root: certificate.der().clone(),
            root_pem,
            reissued,
            names: scope,
        })
    }

    /// SHA-256 of the root's public key: who this server is.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The root certificate, for those who want to trust it.
    pub(crate) fn root_pem(&self) -> &str {
        &self.root_pem
    }

    /// A new leaf for the machine as it is now.
    pub(crate) fn leaf(&self) -> Result<Leaf, IdentityError> {
        let now = OffsetDateTime::now_utc();
        let addresses = addresses::interface_addresses();
        let mut names = Vec::new();
        for name in &self.names.names {
            names.push(SanType::DnsName(name.as_str().try_into()?));
        }
        let private = addresses.iter().filter(|a| addresses::is_private(a));
        let loopback = [
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
        ];
        let given = self.names.addresses.iter().copied();
        let named: BTreeSet<_> = private.copied().chain(loopback).chain(given).collect();
        names.extend(named.into_iter().map(SanType::IpAddress));
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::default();
        params.not_before = now - BACKDATED;
        params.not_after = now + LEAF_LIFE;
        params.serial_number = Some(random_serial());
        params.distinguished_name = common_name(SERVER_NAME);
        params.subject_alt_names = names;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let leaf = params.signed_by(&key, &self.issuer)?;
        Ok(Leaf {
            chain: vec![leaf.der().clone(), self.root.clone()],
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            renew_at: now + LEAF_LIFE * 2 / 3,
            addresses,
        })
    }
}

impl Scope {
    /// Whether a root issued for `self` can issue leaves for `wanted`, for long enough.
    fn covers(&self, wanted: &Self, now: OffsetDateTime) -> bool {
        let enough = (now + LEAF_LIFE + LEAF_LIFE).unix_timestamp();
        wanted.names.is_subset(&self.names)
            && wanted.addresses.is_subset(&self.addresses)
            && self.expires > enough
    }
}

/// The names that the root must permit: its own, the machine's, and those the operator added.
fn wanted_scope(hosts: &[String]) -> Result<Scope, IdentityError> {
    let mut names = BTreeSet::from([SERVER_NAME.to_owned(), "localhost".to_owned()]);
    names.extend(addresses::host_name());
    let mut addresses = BTreeSet::new();
    for host in hosts {
        if let Ok(address) = host.parse::<IpAddr>() {
            addresses.insert(address);
        } else {
            let host = host.to_ascii_lowercase();
            rustls::pki_types::DnsName::try_from(host.as_str())
                .map_err(|_| IdentityError::Host(host.clone()))?;
            names.insert(host);
        }
    }
    Ok(Scope {
        names,
        addresses,
        expires: 0,
    })
}

fn root_params(scope: &Scope, now: OffsetDateTime) -> Result<CertificateParams, IdentityError> {
    let private = [
        ([10, 0, 0, 0], 8),
        ([172, 16, 0, 0], 12),
        ([192, 168, 0, 0], 16),
        ([100, 64, 0, 0], 10),
        ([169, 254, 0, 0], 16),
        ([127, 0, 0, 0], 8),
    ];
    let private = private.map(|(net, prefix)| CidrSubnet::from_v4_prefix(net, prefix));
    let local = [
        (Ipv6Addr::LOCALHOST, 128),
        (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7),
        (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
    ];
    let local = local.map(|(net, prefix)| CidrSubnet::from_v6_prefix(net.octets(), prefix));
    let own = scope.addresses.iter().map(|address| match address {
        IpAddr::V4(v4) => CidrSubnet::from_v4_prefix(v4.octets(), 32),
        IpAddr::V6(v6) => CidrSubnet::from_v6_prefix(v6.octets(), 128),
    });
    let names = scope.names.iter().cloned().map(GeneralSubtree::DnsName);
    let addresses = private.into_iter().chain(local).chain(own);

    let mut params = CertificateParams::default();
    params.not_before = now - BACKDATED;
    params.not_after =
        OffsetDateTime::from_unix_timestamp(scope.expires).unwrap_or(now + ROOT_LIFE);
    params.serial_number = Some(random_serial());
    params.distinguished_name = common_name("recado root");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: names
            .chain(addresses.map(GeneralSubtree::IpAddress))
            .collect(),
        excluded_subtrees: vec![],
    });
    Ok(params)
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// 127 random bits (RFC 5280 §4.1.2.2 wants a positive integer of at most 20 bytes).
fn random_serial() -> SerialNumber {
    let mut serial: [u8; 16] = crate::net::random();
    serial[0] = serial[0] & 0x7f | 0x40;
    SerialNumber::from_slice(&serial)
}

fn read(folder: &DataFolder, file: &'static str) -> Result<Option<String>, IdentityError> {
    folder
        .read(file)
        .map_err(|source| IdentityError::File { file, source })
}

fn write(folder: &DataFolder, file: &'static str, text: &str) -> Result<(), IdentityError> {
    folder
        .write(file, text)
        .map_err(|source| IdentityError::File { file, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, DataFolder) {
        let home = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(&home.path().join("data")).unwrap();
        (home, folder)
    }

    #[test]
    fn the_identity_stays_and_leaves_chain_to_it() {
        let (_home, folder) = folder();
        let first = ServerIdentity::open(&folder, &[]).unwrap();
        let again = ServerIdentity::open(&folder, &[]).unwrap();
        assert_eq!(first.fingerprint(), again.fingerprint());
        assert_eq!(first.root_pem(), again.root_pem());
        assert!(!again.reissued);

        let mut roots = rustls::RootCertStore::empty();
        roots.add(first.root.clone()).unwrap();
        let provider = rustls::crypto::aws_lc_rs::default_provider().into();
        let verifier =
            rustls::client::WebPkiServerVerifier::builder_with_provider(roots.into(), provider)
                .build()
                .unwrap();
        // A leaf of the loaded root verifies under the certificate that the first one issued.
        let leaf = again.leaf().unwrap();
        for name in [SERVER_NAME, "localhost", "127.0.0.1", "::1"] {
            rustls::client::danger::ServerCertVerifier::verify_server_cert(
                &*verifier,
                &leaf.chain[0],
                &[],
                &name.try_into().unwrap(),
                &[],
                rustls::pki_types::UnixTime::now(),
            )
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }

    #[test]
    fn a_new_host_reissues_the_certificate_over_the_same_key() {
        let (_home, folder) = folder();
        let first = ServerIdentity::open(&folder, &[]).unwrap();
        let hosts = ["chat.example.org".to_owned(), "203.0.113.5".to_owned()];
        let wider = ServerIdentity::open(&folder, &hosts).unwrap();
        assert!(wider.reissued);
        assert_eq!(first.fingerprint(), wider.fingerprint());
        assert_ne!(first.root_pem(), wider.root_pem());
        assert!(!ServerIdentity::open(&folder, &hosts).unwrap().reissued);
        let bad = ServerIdentity::open(&folder, &["not a name".to_owned()]);
        assert!(matches!(bad, Err(IdentityError::Host(_))));
    }

    #[test]
    fn damage_is_said_and_nothing_is_replaced() {
        let (_home, folder) = folder();
        let first = ServerIdentity::open(&folder, &[]).unwrap();
        let key = folder.read(KEY_FILE).unwrap().unwrap();
        for (file, damage) in [
            (
                KEY_FILE,
                "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            ),
            (KEY_FILE, ""),
            (CERTIFICATE_FILE, "no certificate"),
        ] {
            let good = folder.read(file).unwrap().unwrap();
            folder.write(file, damage).unwrap();
            let opened = ServerIdentity::open(&folder, &[]);
            assert!(
                matches!(&opened, Err(IdentityError::Damaged { file: f, .. }) if *f == file),
                "{file}"
            );
            assert_eq!(folder.read(file).unwrap().unwrap(), damage);
            folder.write(file, &good).unwrap();
        }
        std::fs::remove_file(folder.file(KEY_FILE)).unwrap();
        let opened = ServerIdentity::open(&folder, &[]);
        assert!(matches!(opened, Err(IdentityError::KeyMissing)));
        // Another's key does not fit the certificate.
        let other = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        folder.write(KEY_FILE, &other.serialize_pem()).unwrap();
        let opened = ServerIdentity::open(&folder, &[]);
        assert!(matches!(opened, Err(IdentityError::Damaged { .. })));
        folder.write(KEY_FILE, &key).unwrap();
        let again = ServerIdentity::open(&folder, &[]).unwrap();
        assert_eq!(again.fingerprint(), first.fingerprint());
    }
}
