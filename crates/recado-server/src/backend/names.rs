//! Names and the keys that own them.

use std::time::{SystemTime, UNIX_EPOCH};

use recado_hub::ClaimOutcome;
use recado_proto::id::RemoteKey;
use recado_proto::name::{NAME_TABLE_VERSION, Name, NameKeys};
use rusqlite::{OptionalExtension, Transaction, params};

use super::database::{meta, set_meta};

/// Gives a name to a key, unless another has it.
pub(super) fn claim(
    transaction: &Transaction<'_>,
    name: &Name,
    keys: &NameKeys,
    key: &RemoteKey,
    may_register: bool,
) -> rusqlite::Result<ClaimOutcome> {
    let owned: Option<(String, String)> = transaction
        .prepare_cached("SELECT folded, shown FROM name WHERE key = ?1")?
        .query_row([key.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((folded, shown)) = owned {
        return Ok(if folded == keys.folded {
            ClaimOutcome::Owned(shown)
        } else {
            ClaimOutcome::KeyHasName(shown)
        });
    }
    let taken = transaction
        .prepare_cached("SELECT 1 FROM name WHERE folded = ?1")?
        .exists([&keys.folded])?;
    if taken {
        return Ok(ClaimOutcome::Taken);
    }
    for skeleton in &keys.skeletons {
        let resembles: Option<String> = transaction
            .prepare_cached(
                "SELECT n.shown FROM skeleton s JOIN name n USING (folded) WHERE s.skeleton = ?1",
            )?
            .query_row([skeleton], |row| row.get(0))
            .optional()?;
        if let Some(resembles) = resembles {
            return Ok(ClaimOutcome::Confusable(resembles));
        }
    }
    if !may_register {
        return Ok(ClaimOutcome::NotRegistered);
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs() as i64);
    transaction
        .prepare_cached(
            "INSERT INTO name (folded, shown, key, claimed_at) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![keys.folded, name.as_str(), key.as_bytes(), now])?;
    insert_skeletons(transaction, keys)?;
    Ok(ClaimOutcome::Registered)
}

fn insert_skeletons(transaction: &Transaction<'_>, keys: &NameKeys) -> rusqlite::Result<()> {
    // Names that became confusable with one another by new tables both stay: the first one's skeleton does.
    let mut insert = transaction
        .prepare_cached("INSERT OR IGNORE INTO skeleton (skeleton, folded) VALUES (?1, ?2)")?;
    for skeleton in &keys.skeletons {
        insert.execute([skeleton, &keys.folded])?;
    }
    Ok(())
}

/// Brings the skeletons up to the Unicode tables of this build.
pub(super) fn recompute_skeletons(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    let tables = meta(transaction, "name_tables")?;
    let current = NAME_TABLE_VERSION.to_string();
    if tables.as_ref() == Some(&current) {
        return Ok(());
    }
    transaction.execute("DELETE FROM skeleton", [])?;
    let names: Vec<(String, String)> = transaction
        .prepare("SELECT folded, shown FROM name ORDER BY claimed_at, folded")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (folded, shown) in names {
        // A name that the new tables do not admit keeps its owner, and has no look-alikes.
        if let Ok(name) = Name::parse(&shown) {
            let skeletons = name.keys().skeletons;
            insert_skeletons(transaction, &NameKeys { folded, skeletons })?;
        }
    }
    set_meta(transaction, "name_tables", &current)
}
