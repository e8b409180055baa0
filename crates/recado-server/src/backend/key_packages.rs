//! Key packages.

use std::time::Duration;

use recado_hub::{KeyPackageAnswer, KeyPackageRequest, TakenKeyPackage};
use recado_proto::frame::{KeyPackagesHeld, PutKeyPackages, StoredKeyPackage};
use recado_proto::id::RemoteKey;
use recado_proto::limits::MAX_KEY_PACKAGES;
use rusqlite::{OptionalExtension, Transaction, params};

use super::mail::{find_person, id, person_number};

/// Does what is asked. `seconds` is the server's running time.
pub(super) fn answer(
    transaction: &Transaction<'_>,
    seconds: u64,
    request: &KeyPackageRequest,
) -> rusqlite::Result<KeyPackageAnswer> {
    Ok(match request {
        KeyPackageRequest::List {
            session,
            owner,
            age,
        } => {
            let too_old = too_old(seconds, *age);
            let held = match find_person(transaction, owner)? {
                Some(owner) => held(transaction, owner, too_old)?,
                None => KeyPackagesHeld::default(),
            };
            KeyPackageAnswer::Held {
                session: *session,
                owner: *owner,
                result: Ok(held),
            }
        }
        KeyPackageRequest::Put {
            session,
            owner,
            put,
            age,
        } => {
            let number = person_number(transaction, owner)?;
            keep(transaction, number, put, seconds)?;
            KeyPackageAnswer::Held {
                session: *session,
                owner: *owner,
                result: Ok(held(transaction, number, too_old(seconds, *age))?),
            }
        }
        KeyPackageRequest::Take {
            session,
            handle,
            target,
            last_resort,
            age,
        } => KeyPackageAnswer::Taken {
            session: *session,
            handle: *handle,
            target: *target,
            result: Ok(take(
                transaction,
                target,
                *last_resort,
                too_old(seconds, *age),
            )?),
        },
        KeyPackageRequest::Expire { age } => {
            transaction
                .prepare_cached("DELETE FROM key_package WHERE stored_at <= ?1")?
                .execute([too_old(seconds, *age)])?;
            KeyPackageAnswer::Expired
        }
    })
}

/// Drops all of one who is gone.
pub(super) fn discard_all(
    transaction: &Transaction<'_>,
    owner: &RemoteKey,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "DELETE FROM key_package WHERE owner = (SELECT person FROM person WHERE key = ?1)",
        )?
        .execute([owner.as_bytes()])?;
    Ok(())
}

/// Pages that a request writes, about.
pub(super) fn pages_of(request: &KeyPackageRequest) -> usize {
    match request {
        KeyPackageRequest::List { .. } => 0,
        // A page holds some eight.
        KeyPackageRequest::Put { put, .. } => 4 + put.packages.len() / 4,
        KeyPackageRequest::Take { .. } => 3,
        KeyPackageRequest::Expire { .. } => 1,
    }
}

/// The moment at or before which one must have come to be too old; before the beginning while the server has not run
/// for as long.
fn too_old(seconds: u64, age: Duration) -> i64 {
    let at = seconds.checked_sub(age.as_secs());
    at.and_then(|at| i64::try_from(at).ok()).unwrap_or(-1)
}

fn held(
    transaction: &Transaction<'_>,
    owner: i64,
    too_old: i64,
) -> rusqlite::Result<KeyPackagesHeld> {
    let references = transaction
        .prepare_cached(
            "SELECT reference FROM key_package
             WHERE owner = ?1 AND last_resort = 0 AND stored_at > ?2 ORDER BY number",
        )?
        .query_map([owner, too_old], |row| id(row, 0))?
        .collect::<rusqlite::Result<_>>()?;
    let last_resort = transaction
        .prepare_cached(
            "SELECT reference FROM key_package WHERE owner = ?1 AND last_resort = 1 AND stored_at > ?2",
        )?
        .query_row([owner, too_old], |row| id(row, 0))
        .optional()?;
    Ok(KeyPackagesHeld {
        references,
        last_resort,
        retry_in_ms: 0,
    })
}

fn keep(
    transaction: &Transaction<'_>,
    owner: i64,
    put: &PutKeyPackages,
    seconds: u64,
) -> rusqlite::Result<()> {
    if put.replaces {
        transaction
            .prepare_cached("DELETE FROM key_package WHERE owner = ?1")?
            .execute([owner])?;
    }
    for package in &put.packages {
        insert(transaction, owner, package, false, seconds)?;
    }
    if let Some(package) = &put.last_resort {
        transaction
            .prepare_cached("DELETE FROM key_package WHERE owner = ?1 AND last_resort = 1")?
            .execute([owner])?;
        insert(transaction, owner, package, true, seconds)?;
    }
    // Of too many the newest stay.
    transaction
        .prepare_cached(
            "DELETE FROM key_package WHERE owner = ?1 AND last_resort = 0 AND number <=
                 (SELECT number FROM key_package WHERE owner = ?1 AND last_resort = 0
                  ORDER BY number DESC LIMIT 1 OFFSET ?2)",
        )?
        .execute(params![owner, MAX_KEY_PACKAGES as i64])?;
    Ok(())
}

fn insert(
    transaction: &Transaction<'_>,
    owner: i64,
    package: &StoredKeyPackage,
    last_resort: bool,
    seconds: u64,
) -> rusqlite::Result<()> {
    let reference = package.reference.as_bytes();
    // The same again takes its own place.
    transaction
        .prepare_cached(
            "DELETE FROM key_package WHERE owner = ?1 AND reference = ?2 AND last_resort = ?3",
        )?
        .execute(params![owner, reference, last_resort])?;
    transaction
        .prepare_cached(
            "INSERT INTO key_package (owner, reference, package, last_resort, stored_at)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            owner,
            reference,
            package.package,
            last_resort,
            seconds as i64
        ])?;
    Ok(())
}

fn take(
    transaction: &Transaction<'_>,
    target: &RemoteKey,
    last_resort: bool,
    too_old: i64,
) -> rusqlite::Result<Option<TakenKeyPackage>> {
    let Some(owner) = find_person(transaction, target)? else {
        return Ok(None);
    };
    let single: Option<Vec<u8>> = match last_resort {
        true => None,
        false => transaction
            .prepare_cached(
                "DELETE FROM key_package WHERE number =
                     (SELECT number FROM key_package
                      WHERE owner = ?1 AND last_resort = 0 AND stored_at > ?2 ORDER BY number LIMIT 1)
                 RETURNING package",
            )?
            .query_row([owner, too_old], |row| row.get(0))
            .optional()?,
    };
    let is_last_resort = single.is_none();
    let package = match single {
        Some(package) => Some(package),
        None => transaction
            .prepare_cached(
                "SELECT package FROM key_package WHERE owner = ?1 AND last_resort = 1 AND stored_at > ?2",
            )?
            .query_row([owner, too_old], |row| row.get(0))
            .optional()?,
    };
    let Some(package) = package else {
        return Ok(None);
    };
    let left: i64 = transaction
        .prepare_cached(
            "SELECT count(*) FROM key_package WHERE owner = ?1 AND last_resort = 0 AND stored_at > ?2",
        )?
        .query_row([owner, too_old], |row| row.get(0))?;
    Ok(Some(TakenKeyPackage {
        package,
        last_resort: is_last_resort,
        left: usize::try_from(left).unwrap_or(usize::MAX),
    }))
}
