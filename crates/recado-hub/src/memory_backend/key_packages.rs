//! Key packages in memory.

use std::collections::BTreeMap;
use std::time::Duration;

use recado_proto::frame::{KeyPackagesHeld, StoredKeyPackage};
use recado_proto::id::RemoteKey;
use recado_proto::limits::MAX_KEY_PACKAGES;

use crate::key_packages::{KeyPackageAnswer, KeyPackageRequest, TakenKeyPackage};

/// Everyone's.
#[derive(Clone, Debug, Default)]
pub(super) struct KeyPackageShelf {
    owners: BTreeMap<RemoteKey, Owned>,
}

/// Each with when it came, in the server's running time.
#[derive(Clone, Debug, Default)]
struct Owned {
    /// The oldest first.
    packages: Vec<(StoredKeyPackage, Duration)>,
    last_resort: Option<(StoredKeyPackage, Duration)>,
}

impl KeyPackageShelf {
    pub(super) fn answer(
        &mut self,
        running: Duration,
        request: KeyPackageRequest,
    ) -> KeyPackageAnswer {
        match request {
            KeyPackageRequest::List {
                session,
                owner,
                age,
            } => KeyPackageAnswer::Held {
                session,
                owner,
                result: Ok(self.owned(owner, running, age).held()),
            },
            KeyPackageRequest::Put {
                session,
                owner,
                put,
                age,
            } => {
                let owned = self.owned(owner, running, age);
                if put.replaces {
                    *owned = Owned::default();
                }
                for package in put.packages {
                    let is_other =
                        |(it, _): &(StoredKeyPackage, _)| it.reference != package.reference;
                    owned.packages.retain(is_other);
                    owned.packages.push((package, running));
                }
                let too_many = owned.packages.len().saturating_sub(MAX_KEY_PACKAGES);
                owned.packages.drain(..too_many);
                if let Some(last_resort) = put.last_resort {
                    owned.last_resort = Some((last_resort, running));
                }
                KeyPackageAnswer::Held {
                    session,
                    owner,
                    result: Ok(owned.held()),
                }
            }
            KeyPackageRequest::Take {
                session,
                handle,
                target,
                last_resort,
                age,
            } => KeyPackageAnswer::Taken {
                session,
                handle,
                target,
                result: Ok(self.owned(target, running, age).take(last_resort)),
            },
            KeyPackageRequest::Expire { age } => {
                for owned in self.owners.values_mut() {
                    owned.expire(running, age);
                }
                KeyPackageAnswer::Expired
            }
        }
    }

    /// Drops all of one who is gone.
    pub(super) fn discard_all(&mut self, owner: &RemoteKey) {
        self.owners.remove(owner);
    }

    /// What someone has that is not too old.
    fn owned(&mut self, owner: RemoteKey, running: Duration, age: Duration) -> &mut Owned {
        let owned = self.owners.entry(owner).or_default();
        owned.expire(running, age);
        owned
    }
}

impl Owned {
    fn expire(&mut self, running: Duration, age: Duration) {
        let is_young = |at: &Duration| running.saturating_sub(*at) < age;
        self.packages.retain(|(_, at)| is_young(at));
        self.last_resort = self.last_resort.take().filter(|(_, at)| is_young(at));
    }

    fn held(&self) -> KeyPackagesHeld {
        let packages = self.packages.iter();
        let last_resort = self.last_resort.as_ref();
        KeyPackagesHeld {
            references: packages.map(|(package, _)| package.reference).collect(),
            last_resort: last_resort.map(|(package, _)| package.reference),
            retry_in_ms: 0,
        }
    }

    fn take(&mut self, last_resort: bool) -> Option<TakenKeyPackage> {
        let single = (!last_resort && !self.packages.is_empty()).then(|| self.packages.remove(0));
        let is_last_resort = single.is_none();
        let (stored, _) = single.or_else(|| self.last_resort.clone())?;
        Some(TakenKeyPackage {
            package: stored.package,
            last_resort: is_last_resort,
            left: self.packages.len(),
        })
    }
}
