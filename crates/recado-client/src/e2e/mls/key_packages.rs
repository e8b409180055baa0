//! Key packages: one's own, which the server hands out, and others', which it handed out.

use openmls::framing::MlsMessageOut;
use openmls::framing::{MlsMessageBodyIn, MlsMessageIn};
use openmls::key_packages::{KeyPackage, KeyPackageIn};
use openmls::prelude::KeyPackageVerifyError;
use openmls::prelude::tls_codec::{DeserializeBytes as _, Serialize as _};
use openmls::versions::ProtocolVersion;
use recado_engine::PackageFault;
use recado_proto::frame::{KeyPackagesHeld, PutKeyPackages, StoredKeyPackage};
use recado_proto::id::{KeyPackageReference, RemoteKey};
use recado_proto::limits::MAX_KEY_PACKAGES;
use rusqlite::{OptionalExtension as _, params};

use super::{Crypto, LIFE, Leaf, Mls, SUITE, capabilities, has_no_clock, lifetime, now_ms, store};

/// After half of its life a last resort is renewed.
const HALF_LIFE_MS: i64 = LIFE as i64 * 1000 / 2;

/// Private halves that are kept at most; the oldest are erased first. Those that were handed out, and never used, stay
/// for 84 days: a class that begins with someone every day.
const MAX_KEPT: i64 = 4096;

impl Mls<'_> {
    /// What is missing at the server. Where it has what is not known here, one of the two is a copy: all is replaced.
    pub(super) fn fill_stock(
        &mut self,
        held: &KeyPackagesHeld,
    ) -> rusqlite::Result<Option<PutKeyPackages>> {
        if has_no_clock() {
            tracing::warn!("this machine's clock stands at 1970: nobody can begin to write to it");
            return Ok(None);
        }
        self.erase_old()?;
        let mut replaces = false;
        for reference in &held.references {
            replaces |= self.age_of(reference)?.is_none();
        }
        let last_resort = match &held.last_resort {
            Some(reference) => self.age_of(reference)?,
            None => None,
        };
        replaces |= held.last_resort.is_some() && last_resort.is_none();
        let has_good_last_resort =
            last_resort.is_some_and(|(age_ms, is_used)| age_ms < HALF_LIFE_MS && !is_used);
        let left = if replaces { 0 } else { held.references.len() };
        let missing = MAX_KEY_PACKAGES.saturating_sub(left);
        if missing == 0 && has_good_last_resort {
            return Ok(None);
        }
        let mut packages = Vec::with_capacity(missing);
        for _ in 0..missing {
            packages.push(self.make_key_package(false)?);
        }
        let last_resort = match replaces || !has_good_last_resort {
            true => Some(self.make_key_package(true)?),
            false => None,
        };
        Ok(Some(PutKeyPackages {
            packages,
            last_resort,
            replaces,
        }))
    }

    /// How old one of one's own is, and whether a group was opened with it; nothing if its private half is not there.
    fn age_of(&self, reference: &KeyPackageReference) -> rusqlite::Result<Option<(i64, bool)>> {
        let found: Option<(i64, bool)> = self
            .transaction
            .prepare_cached("SELECT made_ms, is_used FROM key_package WHERE reference = ?1")?
            .query_row([reference.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        Ok(found.map(|(made_ms, is_used)| (now_ms().saturating_sub(made_ms), is_used)))
    }

    fn make_key_package(&mut self, last_resort: bool) -> rusqlite::Result<StoredKeyPackage> {
        let made = self.try_make_key_package(last_resort);
        self.state.fault()?;
        let (reference, key, package) = made.ok_or_else(super::no_randomness)?;
        self.transaction
            .prepare_cached(
                "INSERT INTO key_package (reference, state_key, last_resort, made_ms) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![reference.as_bytes(), key, last_resort, now_ms()])?;
        Ok(StoredKeyPackage { reference, package })
    }

    /// Nothing only where the cryptographic library fails.
    fn try_make_key_package(
        &self,
        last_resort: bool,
    ) -> Option<(KeyPackageReference, Vec<u8>, Vec<u8>)> {
        let mut builder = KeyPackage::builder()
            .key_package_lifetime(lifetime())
            .leaf_node_capabilities(capabilities());
        if last_resort {
            builder = builder.mark_as_last_resort();
        }
        let provider = self.provider();
        let bundle = builder
            .build(SUITE, &provider, &self.vault.key, self.own_leaf())
            .ok()?;
        let package = bundle.into_key_package();
        let hash = package.hash_ref(&Crypto).ok()?;
        let reference = KeyPackageReference::try_from(hash.as_slice().get(..16)?).ok()?;
        let key = store::key_package_key(&hash).ok()?;
        let package = MlsMessageOut::from(package).tls_serialize_detached().ok()?;
        Some((reference, key, package))
    }

    /// A group was opened with this one. One for a single use is gone.
    pub(super) fn use_key_package(&self, key: &[u8]) -> rusqlite::Result<()> {
        self.transaction
            .prepare_cached(
                "UPDATE key_package SET is_used = 1 WHERE state_key = ?1 AND last_resort = 1",
            )?
            .execute([key])?;
        self.transaction
            .prepare_cached("DELETE FROM key_package WHERE state_key = ?1 AND last_resort = 0")?
            .execute([key])?;
        Ok(())
    }

    /// Erases private halves whose life is over, by this machine's clock, and those beyond what is kept.
    fn erase_old(&self) -> rusqlite::Result<()> {
        let over_ms = now_ms().saturating_sub(LIFE as i64 * 1000);
        let old: Vec<Vec<u8>> = self
            .transaction
            .prepare_cached(
                "SELECT state_key FROM key_package WHERE made_ms <= ?1 OR number <=
                     (SELECT max(number) FROM key_package) - ?2",
            )?
            .query_map([over_ms, MAX_KEPT], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for key in old {
            self.transaction
                .prepare_cached("DELETE FROM mls_state WHERE owner = x'' AND key = ?1")?
                .execute([&key])?;
            self.transaction
                .prepare_cached("DELETE FROM key_package WHERE state_key = ?1")?
                .execute([&key])?;
        }
        Ok(())
    }

    /// Whether a key package that the server handed out is this person's, for this server, and young enough.
    pub(super) fn examine(
        &self,
        peer: RemoteKey,
        package: &[u8],
    ) -> Result<(KeyPackage, Leaf), PackageFault> {
        if has_no_clock() {
            return Err(PackageFault::Lifetime);
        }
        let message = MlsMessageIn::tls_deserialize_exact_bytes(package);
        let message = message.map_err(|_| PackageFault::Malformed)?;
        let MlsMessageBodyIn::KeyPackage(package) = message.extract() else {
            return Err(PackageFault::Malformed);
        };
        let package: KeyPackageIn = package;
        let claimed = package.unverified_credential();
        let leaf = self.leaf_of(&claimed.credential, claimed.signature_key.as_slice());
        let leaf = leaf
            .filter(|leaf| leaf.key == peer)
            .ok_or(PackageFault::OtherKey)?;
        let package =
            package
                .validate(&Crypto, ProtocolVersion::Mls10)
                .map_err(|error| match error {
                    KeyPackageVerifyError::LifetimeError(_) => PackageFault::Lifetime,
                    _ => PackageFault::Malformed,
                })?;
        if package.ciphersuite() != SUITE {
            return Err(PackageFault::Malformed);
        }
        Ok((package, leaf))
    }
}
