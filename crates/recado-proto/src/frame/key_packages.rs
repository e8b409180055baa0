//! The frames of key packages. `docs/protocol.md` §End to end says what each means.

use super::{KeyPackageRefusalCode, Malformed, check_length, id, optional, optional_id};
use crate::id::KeyPackageReference;
use crate::limits::{MAX_KEY_PACKAGE, MAX_KEY_PACKAGES};
use crate::wire;

/// A key package as the server keeps it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredKeyPackage {
    /// Its owner's name for it.
    pub reference: KeyPackageReference,
    /// Into which the server does not look; 1 to [`MAX_KEY_PACKAGE`] bytes.
    pub package: Vec<u8>,
}

/// See [`ClientFrame::PutKeyPackages`](super::ClientFrame::PutKeyPackages).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PutKeyPackages {
    /// For one use each; at most [`MAX_KEY_PACKAGES`].
    pub packages: Vec<StoredKeyPackage>,
    /// For whoever comes when there are no others.
    pub last_resort: Option<StoredKeyPackage>,
    /// Whether all that were there before are dropped.
    pub replaces: bool,
}

/// See [`ServerFrame::KeyPackagesHeld`](super::ServerFrame::KeyPackagesHeld).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeyPackagesHeld {
    /// For one use each; at most [`MAX_KEY_PACKAGES`].
    pub references: Vec<KeyPackageReference>,
    /// The last resort.
    pub last_resort: Option<KeyPackageReference>,
    /// Where this is not 0, the server could not say; when to ask again, in milliseconds.
    pub retry_in_ms: u64,
}

/// See [`ServerFrame::KeyPackage`](super::ServerFrame::KeyPackage).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyPackage {
    /// The client's number for the lane.
    pub lane: u32,
    /// As its owner put it.
    pub package: Vec<u8>,
    /// Whether others get the same.
    pub last_resort: bool,
}

/// See [`ServerFrame::KeyPackageRefused`](super::ServerFrame::KeyPackageRefused).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyPackageRefused {
    /// The client's number for the lane.
    pub lane: u32,
    /// Why.
    pub code: KeyPackageRefusalCode,
    /// When to try again, in milliseconds.
    pub retry_in_ms: u64,
}

impl From<StoredKeyPackage> for wire::StoredKeyPackage {
    fn from(stored: StoredKeyPackage) -> Self {
        Self {
            reference: stored.reference.as_bytes().to_vec(),
            package: stored.package,
        }
    }
}

impl TryFrom<wire::StoredKeyPackage> for StoredKeyPackage {
    type Error = Malformed;

    fn try_from(stored: wire::StoredKeyPackage) -> Result<Self, Malformed> {
        Ok(Self {
            reference: id("reference", &stored.reference)?,
            package: package(stored.package)?,
        })
    }
}

impl From<PutKeyPackages> for wire::PutKeyPackages {
    fn from(put: PutKeyPackages) -> Self {
        Self {
            packages: put.packages.into_iter().map(Into::into).collect(),
            last_resort: put.last_resort.map(Into::into),
            replaces: put.replaces,
        }
    }
}

impl TryFrom<wire::PutKeyPackages> for PutKeyPackages {
    type Error = Malformed;

    fn try_from(put: wire::PutKeyPackages) -> Result<Self, Malformed> {
        check_length("packages", put.packages.len(), MAX_KEY_PACKAGES)?;
        let packages = put.packages.into_iter().map(TryInto::try_into);
        Ok(Self {
            packages: packages.collect::<Result<_, _>>()?,
            last_resort: put.last_resort.map(TryInto::try_into).transpose()?,
            replaces: put.replaces,
        })
    }
}

impl From<KeyPackagesHeld> for wire::KeyPackagesHeld {
    fn from(held: KeyPackagesHeld) -> Self {
        let references = held.references.iter();
        Self {
            references: references.map(|it| it.as_bytes().to_vec()).collect(),
            last_resort: optional(held.last_resort.as_ref().map(KeyPackageReference::as_bytes)),
            retry_in_ms: held.retry_in_ms,
        }
    }
}

impl TryFrom<wire::KeyPackagesHeld> for KeyPackagesHeld {
    type Error = Malformed;

    fn try_from(held: wire::KeyPackagesHeld) -> Result<Self, Malformed> {
        check_length("references", held.references.len(), MAX_KEY_PACKAGES)?;
        let references = held.references.iter();
        let references = references.map(|bytes| id("references", bytes));
        Ok(Self {
            references: references.collect::<Result<_, _>>()?,
            last_resort: optional_id("last_resort", &held.last_resort)?,
            retry_in_ms: held.retry_in_ms,
        })
    }
}

impl From<KeyPackage> for wire::KeyPackage {
    fn from(taken: KeyPackage) -> Self {
        Self {
            lane: taken.lane,
            package: taken.package,
            last_resort: taken.last_resort,
        }
    }
}

impl TryFrom<wire::KeyPackage> for KeyPackage {
    type Error = Malformed;

    fn try_from(taken: wire::KeyPackage) -> Result<Self, Malformed> {
        Ok(Self {
            lane: taken.lane,
            package: package(taken.package)?,
            last_resort: taken.last_resort,
        })
    }
}

impl From<KeyPackageRefused> for wire::KeyPackageRefused {
    fn from(refused: KeyPackageRefused) -> Self {
        Self {
            lane: refused.lane,
            code: refused.code.into(),
            retry_in_ms: refused.retry_in_ms,
        }
    }
}

impl From<wire::KeyPackageRefused> for KeyPackageRefused {
    fn from(refused: wire::KeyPackageRefused) -> Self {
        Self {
            lane: refused.lane,
            code: refused.code(),
            retry_in_ms: refused.retry_in_ms,
        }
    }
}

fn package(bytes: Vec<u8>) -> Result<Vec<u8>, Malformed> {
    if bytes.is_empty() {
        return Err(Malformed::Missing("package"));
    }
    check_length("package", bytes.len(), MAX_KEY_PACKAGE).map(|()| bytes)
}
