//! The people whose keys are remembered, and what was compared with them.

use recado_proto::id::{MessageId, RemoteKey};
use rusqlite::{Connection, OptionalExtension as _, Transaction};

use super::outbox::{self, Blob, VERIFICATION};
use super::{OutgoingNote, Verification, fold};
use crate::e2e::Vault;

/// What was compared with someone; nothing if their key is not known.
pub(super) fn verification(
    connection: &Connection,
    vault: &Vault,
    name: &str,
) -> rusqlite::Result<Option<Verification>> {
    let found = connection
        .prepare_cached(
            "SELECT name, key, compared_here, compared_there FROM peer WHERE folded = ?1 AND key IS NOT NULL",
        )?
        .query_row([fold(name)], |row| {
            let (name, Blob(key)): (String, Blob<RemoteKey>) = (row.get(0)?, row.get(1)?);
            Ok((name, key, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    Ok(found.map(|(name, key, here, there)| Verification {
        code: vault.code(&key),
        name,
        key,
        here,
        there,
    }))
}

/// Notes that the code of someone's key was found right here, and lets them know. `id` is drawn for that note.
pub(super) fn compared_here(
    transaction: &Transaction<'_>,
    name: &str,
    id: MessageId,
    sent_at_ms: i64,
) -> rusqlite::Result<()> {
    let is_new = transaction
        .prepare_cached(
            "UPDATE peer SET compared_here = 1 WHERE folded = ?1 AND key IS NOT NULL AND compared_here = 0",
        )?
        .execute([fold(name)])?
        > 0;
    if is_new {
        let note = OutgoingNote {
            id,
            to: name.to_owned(),
            sent_at_ms,
            note: Vec::new(),
            reference: None,
        };
        outbox::enter_note(transaction, VERIFICATION, &note)?;
    }
    Ok(())
}

/// The names of those with whom both sides have compared the code, as registered.
pub(super) fn verified(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare_cached(
            "SELECT name FROM peer WHERE compared_here = 1 AND compared_there = 1 ORDER BY folded",
        )?
        .query_map([], |row| row.get(0))?
        .collect()
}
