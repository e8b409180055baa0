//! A person's identity at one server: an Ed25519 key, kept in the client's folder and locked while
//! a process uses it.

use std::fmt;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::rand;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use recado_proto::fingerprint::Fingerprint;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey};
use rustls::{SignatureAlgorithm, SignatureScheme};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::home::{self, Home, HomeError};

/// One person at one server: the key by which the server knows them, held by this process alone.
///
/// There is one per (server root, name). The lock is released when the value is dropped, and by the
/// system when the process ends in any other way.
pub struct Identity {
    name: String,
    key: IdentityKey,
    resolver: Arc<SingleCertAndKey>,
    folder: PathBuf,
    /// Its key was made when it was opened.
    is_new: bool,
    _lock: File,
}

impl Identity {
    /// Opens the identity of `name`, in its folded form, at the server with this root, and makes
    /// its key if there is none yet.
    ///
    /// Opens files and may wait for another process that rearranges the folder, which takes
    /// milliseconds.
    pub fn open(home: &Home, root: &Fingerprint, name: &str) -> Result<Self, IdentityError> {
        // While `trust replace` or `trust forget` moves folders, no key is made in one of them.
        let _quiet = home.lock_shared()?;
        let folder = home.identity(root, name);
        home::create_folder(&folder)?;
        let lock = lock(&folder, name)?;
        let (key, is_new) = match read_key(&folder)? {
            Some(key) => (key, false),
            None if is_retired(&folder) => {
                return Err(IdentityError::Retired {
                    name: name.to_owned(),
                });
            }
            None => (create_key(&folder)?, true),
        };
        let resolver = Arc::new(SingleCertAndKey::from(certify(&key)?));
        Ok(Self {
            name: name.to_owned(),
            key,
            resolver,
            folder,
            is_new,
            _lock: lock,
        })
    }

    /// The name that it was opened with, in its folded form.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key, which can sign for as long as someone holds it; only the identity holds the lock.
    pub fn key(&self) -> &IdentityKey {
        &self.key
    }

    /// The public key: what the server, and others, know this person by.
    pub fn public_key(&self) -> [u8; 32] {
        self.key.public_key()
    }

    /// Signs a message (Ed25519, RFC 8032).
    pub fn sign(&self, message: &[u8]) -> Result<[u8; 64], SigningError> {
        self.key.sign(message)
    }

    /// The folder that holds the key, and whatever else belongs to this identity.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The server gave it no name. A key that was made for that owns nothing, and is not kept: so a key that is there
    /// means a name that was given.
    pub(crate) fn refused(&self) {
        if self.is_new
            && let Err(error) = std::fs::remove_file(self.folder.join(KEY_FILE))
        {
            tracing::debug!(%error, "a key that was refused cannot be removed");
        }
    }

    /// The certificate that presents the identity to other people's clients, and its key.
    pub(crate) fn certificate(&self) -> Arc<SingleCertAndKey> {
        self.resolver.clone()
    }

    /// Presents the identity in TLS: a self-signed certificate, of which only the key counts.
    pub(crate) fn resolver(&self) -> Arc<dyn ResolvesClientCert> {
        self.resolver.clone()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("name", &self.name)
            .field("key", &self.key)
            .finish()
    }
}

/// An identity's key pair (Ed25519). Cheap to clone; the private part is erased with the last clone
/// and never shown.
#[derive(Clone)]
pub struct IdentityKey(Arc<Ed25519KeyPair>);

impl IdentityKey {
    /// Takes a private key, as RFC 8032 calls it: 32 random bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, SigningError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| SigningError)?;
        Ok(Self(Arc::new(pair)))
    }

    /// The public key.
    pub fn public_key(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        // aws-lc-rs hands out the array of 32 bytes as a slice.
        bytes.copy_from_slice(self.0.public_key().as_ref());
        bytes
    }

    /// Signs a message (Ed25519, RFC 8032).
    pub fn sign(&self, message: &[u8]) -> Result<[u8; 64], SigningError> {
        let signature = self.0.try_sign(message).map_err(|_| SigningError)?;
        signature.as_ref().try_into().map_err(|_| SigningError)
    }
}

impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "IdentityKey({})",
            URL_SAFE_NO_PAD.encode(self.public_key())
        )
    }
}

impl SigningKey for IdentityKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered
            .contains(&SignatureScheme::ED25519)
            .then(|| Box::new(self.clone()) as _)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        let spki = rcgen::PublicKeyData::subject_public_key_info(self);
        Some(SubjectPublicKeyInfoDer::from(spki))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ED25519
    }
}

impl Signer for IdentityKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        match self.sign(message) {
            Ok(signature) => Ok(signature.to_vec()),
            Err(error) => Err(rustls::Error::General(error.to_string())),
        }
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

impl rcgen::PublicKeyData for IdentityKey {
    fn der_bytes(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}

impl rcgen::SigningKey for IdentityKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        match self.sign(message) {
            Ok(signature) => Ok(signature.to_vec()),
            Err(_) => Err(rcgen::Error::RemoteKeyError),
        }
    }
}

/// The cryptographic library refused to sign or to take a key, which it does when it is broken or
/// out of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the cryptographic library failed")]
pub struct SigningError;

/// Why an identity cannot be used.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// Another process holds it.
    #[error(
        "another recado on this computer is using the identity {name:?}; close it, or use another name with --name"
    )]
    InUse {
        /// The name, in its folded form.
        name: String,
    },
    /// It was moved to another machine. Were two machines to use it, each would take messages from the other.
    #[error(
        "the identity {name:?} was moved to another machine; import its file to use it here again, or use another name with --name"
    )]
    Retired {
        /// The name, in its folded form.
        name: String,
    },
    /// The key file holds something else. It is left as it is: the key may be recovered from it.
    #[error("the identity key {} is damaged: {fault}; restore it from a copy, or move its folder away to begin again with a new key", .path.display())]
    Damaged {
        /// The key file.
        path: PathBuf,
        /// What is wrong with it.
        fault: KeyFault,
    },
    /// The client's folder cannot be read or written.
    #[error(transparent)]
    Unwritable(#[from] HomeError),
    /// A key could not be made.
    #[error("cannot make an identity key")]
    Crypto(#[from] SigningError),
}

/// What is wrong with a key file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyFault {
    /// It is not a key file of recado at all.
    #[error("it is not an identity key")]
    Format,
    /// A newer recado wrote it.
    #[error("it was written by a newer recado")]
    Version,
    /// The private key does not belong to the public one beside it.
    #[error("its two halves do not belong together")]
    Mismatch,
}

const KEY_FILE: &str = "key";
/// What the key file of an identity is called once it was moved to another machine.
const RETIRED_FILE: &str = "key.retired";
/// The lock beside a key; its presence means nothing, only that a process holds it.
const LOCK_FILE: &str = "lock";

/// The first line of a key file, before the version.
const FORMAT: &str = "recado-identity-key";
const VERSION: &str = "1";

/// Takes the lock of one identity, without waiting.
pub(crate) fn lock(folder: &Path, name: &str) -> Result<File, IdentityError> {
    let path = folder.join(LOCK_FILE);
    let file = home::open_lock(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(IdentityError::InUse {
            name: name.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(HomeError::Unwritable { path, source }.into()),
    }
}

/// The names, in their folded forms, of the identities that have a key at the server with this root.
///
/// # Errors
/// The folder cannot be read.
pub fn names(home: &Home, root: &Fingerprint) -> Result<Vec<String>, HomeError> {
    let entries = home::entries(&home.identities(root))?;
    let with_key = entries
        .iter()
        .filter(|it| it.path().join(KEY_FILE).exists());
    let names = with_key.map(|entry| home::unescape(&entry.file_name().to_string_lossy()));
    Ok(names.collect())
}

/// The identities kept for a server, by name, locked together: none of them is in use by a process,
/// and with the folder's exclusive lock none can come to be.
pub(crate) fn lock_all(home: &Home, root: &Fingerprint) -> Result<Vec<String>, IdentityError> {
    let mut names = Vec::new();
    for entry in home::entries(&home.identities(root))? {
        let name = home::unescape(&entry.file_name().to_string_lossy());
        if entry.path().join(LOCK_FILE).exists() {
            drop(lock(&entry.path(), &name)?);
        }
        names.push(name);
    }
    Ok(names)
}

/// The content of the key file in an identity's folder, retired or not, if there is one, to be compared.
pub(crate) fn read_key_file(folder: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, HomeError> {
    for file in [KEY_FILE, RETIRED_FILE] {
        if let Some(content) = home::read(&folder.join(file))? {
            return Ok(Some(Zeroizing::new(content)));
        }
    }
    Ok(None)
}

/// Whether the identity in this folder was moved to another machine.
pub(crate) fn is_retired(folder: &Path) -> bool {
    !folder.join(KEY_FILE).exists() && folder.join(RETIRED_FILE).exists()
}

/// Whether a process holds the lock of the identity in this folder. With the home's exclusive lock nobody begins to
/// hold it meanwhile.
pub(crate) fn is_in_use(folder: &Path, name: &str) -> Result<bool, IdentityError> {
    if !folder.join(LOCK_FILE).exists() {
        return Ok(false);
    }
    match lock(folder, name) {
        Ok(_) => Ok(false),
        Err(IdentityError::InUse { .. }) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Keeps the key for the day it comes back, where no session finds it. Durable at once.
pub(crate) fn retire(folder: &Path) -> Result<(), HomeError> {
    home::rename(&folder.join(KEY_FILE), &folder.join(RETIRED_FILE))
}

/// Writes a key file that came from elsewhere; with it the identity is no longer retired.
pub(crate) fn write_key_file(folder: &Path, content: &[u8]) -> Result<(), HomeError> {
    home::write_atomically(&folder.join(KEY_FILE), content)?;
    home::remove(&folder.join(RETIRED_FILE))
}

fn read_key(folder: &Path) -> Result<Option<IdentityKey>, IdentityError> {
    let path = folder.join(KEY_FILE);
    let Some(content) = home::read(&path)?.map(Zeroizing::new) else {
        return Ok(None);
    };
    let key = decode(&content).map_err(|fault| IdentityError::Damaged { path, fault })?;
    Ok(Some(key))
}

fn create_key(folder: &Path) -> Result<IdentityKey, IdentityError> {
    let mut seed = Zeroizing::new([0u8; 32]);
    rand::fill(seed.as_mut_slice()).map_err(|_| SigningError)?;
    let key = IdentityKey::from_seed(&seed)?;
    home::write_atomically(&folder.join(KEY_FILE), encode(&seed, &key).as_bytes())?;
    Ok(key)
}

/// A key file: three lines of text, `recado-identity-key 1`, `private …`, `public …` (base64url).
fn encode(seed: &[u8; 32], key: &IdentityKey) -> Zeroizing<String> {
    // Sized at once: a growing string would leave pieces of the key in freed memory.
    let mut text = Zeroizing::new(String::with_capacity(256));
    text.push_str(FORMAT);
    text.push(' ');
    text.push_str(VERSION);
    text.push_str("\nprivate ");
    text.push_str(&Zeroizing::new(URL_SAFE_NO_PAD.encode(seed)));
    text.push_str("\npublic ");
    text.push_str(&URL_SAFE_NO_PAD.encode(key.public_key()));
    text.push('\n');
    text
}

/// The key that a key file's content stands for.
pub(crate) fn decode(content: &[u8]) -> Result<IdentityKey, KeyFault> {
    let text = std::str::from_utf8(content).map_err(|_| KeyFault::Format)?;
    let mut lines = text.lines();
    let version = lines
        .next()
        .and_then(|line| line.strip_prefix(FORMAT))
        .and_then(|rest| rest.strip_prefix(' '))
        .ok_or(KeyFault::Format)?;
    if version != VERSION {
        let newer = version.parse::<u32>().is_ok_and(|version| version > 1);
        return Err(if newer {
            KeyFault::Version
        } else {
            KeyFault::Format
        });
    }
    let mut half = |label: &str| -> Result<Zeroizing<[u8; 32]>, KeyFault> {
        let line = lines.next().ok_or(KeyFault::Format)?;
        let digits = line.strip_prefix(label).ok_or(KeyFault::Format)?;
        let mut bytes = Zeroizing::new([0u8; 32]);
        match URL_SAFE_NO_PAD.decode_slice(digits, bytes.as_mut_slice()) {
            Ok(32) => Ok(bytes),
            _ => Err(KeyFault::Format),
        }
    };
    let seed = half("private ")?;
    let public = half("public ")?;
    let key = IdentityKey::from_seed(&seed).map_err(|_| KeyFault::Format)?;
    if key.public_key() != *public {
        return Err(KeyFault::Mismatch);
    }
    Ok(key)
}

/// A self-signed certificate around the key, with a fresh serial number. The server looks at the
/// key alone, so it names nobody and never expires.
fn certify(key: &IdentityKey) -> Result<CertifiedKey, SigningError> {
    let mut serial = [0u8; 16];
    rand::fill(&mut serial).map_err(|_| SigningError)?;
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "recado");
    params.serial_number = Some(rcgen::SerialNumber::from_slice(&serial));
    params.not_before = rcgen::date_time_ymd(1975, 1, 1);
    params.not_after = rcgen::date_time_ymd(4096, 1, 1);
    let certificate = params.self_signed(key).map_err(|_| SigningError)?;
    Ok(CertifiedKey::new(
        vec![certificate.der().clone()],
        Arc::new(key.clone()),
    ))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

    use super::*;

    fn home() -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        (folder, home)
    }

    fn root(text: &str) -> Fingerprint {
        Fingerprint::from_spki(text.as_bytes())
    }

    #[test]
    fn alice_keeps_her_key_and_has_another_at_each_server() {
        let (_folder, home) = home();
        let first = Identity::open(&home, &root("one"), "alice")
            .unwrap()
            .public_key();
        let again = Identity::open(&home, &root("one"), "alice")
            .unwrap()
            .public_key();
        let bob = Identity::open(&home, &root("one"), "bob")
            .unwrap()
            .public_key();
        let elsewhere = Identity::open(&home, &root("two"), "alice")
            .unwrap()
            .public_key();
        assert_eq!(first, again);
        assert_ne!(first, bob);
        assert_ne!(first, elsewhere);
    }

    #[test]
    fn an_identity_in_use_is_refused_by_name_and_free_afterwards() {
        let (_folder, home) = home();
        let alice = Identity::open(&home, &root("one"), "alice").unwrap();
        let error = Identity::open(&home, &root("one"), "alice").unwrap_err();
        assert!(
            matches!(&error, IdentityError::InUse { name } if name == "alice"),
            "{error}"
        );
        assert!(error.to_string().contains("--name"));
        assert!(matches!(
            lock_all(&home, &root("one")),
            Err(IdentityError::InUse { .. })
        ));
        Identity::open(&home, &root("one"), "bob").unwrap();
        drop(alice);
        Identity::open(&home, &root("one"), "alice").unwrap();
        assert_eq!(lock_all(&home, &root("one")).unwrap(), ["alice", "bob"]);
    }

    #[test]
    fn what_it_signs_verifies_by_its_public_key() {
        let (_folder, home) = home();
        let alice = Identity::open(&home, &root("one"), "alice").unwrap();
        let signature = alice.sign(b"hello, Bob").unwrap();
        let public = UnparsedPublicKey::new(&ED25519, alice.public_key());
        assert!(public.verify(b"hello, Bob", &signature).is_ok());
        assert!(public.verify(b"hello, Eve", &signature).is_err());
    }

    #[test]
    fn the_key_file_is_private_and_its_secret_is_never_shown() {
        let (_folder, home) = home();
        let alice = Identity::open(&home, &root("one"), "alice").unwrap();
        let path = alice.folder().join(KEY_FILE);
        let text = fs::read_to_string(&path).unwrap();
        let private = text
            .lines()
            .nth(1)
            .unwrap()
            .strip_prefix("private ")
            .unwrap();
        assert!(!format!("{alice:?}").contains(private));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(
                fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
    }

    #[test]
    fn a_damaged_key_is_reported_and_left_as_it_is() {
        let (_folder, home) = home();
        let alice = Identity::open(&home, &root("one"), "alice").unwrap();
        let bob = Identity::open(&home, &root("one"), "bob").unwrap();
        let path = alice.folder().join(KEY_FILE);
        let whole = fs::read_to_string(&path).unwrap();
        let other = fs::read_to_string(bob.folder().join(KEY_FILE)).unwrap();
        drop(alice);
        let mixed: String = [
            whole.lines().next(),
            whole.lines().nth(1),
            other.lines().nth(2),
        ]
        .map(|line| format!("{}\n", line.unwrap()))
        .concat();
        let cases = [
            (String::new(), KeyFault::Format),
            ("recado-identity-key".to_owned(), KeyFault::Format),
            (whole.replace("key 1", "key 2"), KeyFault::Version),
            (whole.replace("private ", "private A"), KeyFault::Format),
            (whole[..60].to_owned(), KeyFault::Format),
            (mixed, KeyFault::Mismatch),
        ];
        for (content, expected) in cases {
            fs::write(&path, &content).unwrap();
            match Identity::open(&home, &root("one"), "alice").unwrap_err() {
                IdentityError::Damaged { fault, .. } => assert_eq!(fault, expected, "{content}"),
                error => panic!("{error}"),
            }
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
    }

    #[test]
    fn a_name_cannot_leave_its_folder() {
        let (_folder, home) = home();
        let identity = Identity::open(&home, &root("one"), "../../x").unwrap();
        assert_eq!(
            identity.folder().parent(),
            Some(home.identities(&root("one")).as_path())
        );
    }

    #[test]
    fn only_ed25519_is_offered() {
        let key = IdentityKey::from_seed(&[7; 32]).unwrap();
        assert!(
            key.choose_scheme(&[SignatureScheme::ECDSA_NISTP256_SHA256])
                .is_none()
        );
        let signer = key.choose_scheme(&[SignatureScheme::ED25519]).unwrap();
        assert_eq!(signer.scheme(), SignatureScheme::ED25519);
        certify(&key).unwrap().keys_match().unwrap();
    }
}
