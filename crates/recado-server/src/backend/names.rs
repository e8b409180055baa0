//! Names and the keys that own them.

use recado_hub::{ClaimOutcome, SEEN_PRECISION};
use recado_proto::frame::Person;
use recado_proto::id::RemoteKey;
use recado_proto::name::{NAME_TABLE_VERSION, Name, NameKeys};
use recado_proto::ticket::TicketHash;
use rusqlite::{OptionalExtension, Transaction, params};

use super::database::{Clock, meta, set_meta};
use super::key_packages;
use super::mail::{id, integer};

/// A name that is claimed.
pub(super) struct Claim<'a> {
    pub(super) name: &'a Name,
    pub(super) keys: &'a NameKeys,
    pub(super) key: &'a RemoteKey,
    pub(super) may_register: bool,
    /// By which it may otherwise.
    pub(super) ticket: Option<&'a TicketHash>,
}

/// Gives a name to a key, unless another has it.
pub(super) fn claim(
    transaction: &Transaction<'_>,
    clock: Clock,
    claim: &Claim<'_>,
) -> rusqlite::Result<ClaimOutcome> {
    let Claim {
        name, keys, key, ..
    } = claim;
    let owned: Option<(String, String)> = transaction
        .prepare_cached("SELECT folded, shown FROM name WHERE key = ?1")?
        .query_row([key.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((folded, shown)) = owned {
        if folded != keys.folded {
            return Ok(ClaimOutcome::KeyHasName(shown));
        }
        let seen_before = clock.running.checked_sub(SEEN_PRECISION.as_secs());
        if let Some(seen_before) = seen_before {
            transaction
                .prepare_cached(
                    "UPDATE name SET seen_at = ?2 WHERE folded = ?1 AND used = 0 AND seen_at <= ?3",
                )?
                .execute(params![
                    folded,
                    integer(clock.running),
                    integer(seen_before)
                ])?;
        }
        return Ok(ClaimOutcome::Owned(shown));
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
    if !claim.may_register {
        match claim.ticket {
            None => return Ok(ClaimOutcome::NotRegistered),
            Some(ticket) if !use_ticket(transaction, clock, ticket, key)? => {
                return Ok(ClaimOutcome::NotAdmitted);
            }
            Some(_) => {}
        }
    }
    transaction
        .prepare_cached(
            "INSERT INTO name (folded, shown, key, claimed_at, used, seen_at) VALUES (?1, ?2, ?3, ?4, 0, ?5)",
        )?
        .execute(params![
            keys.folded,
            name.as_str(),
            key.as_bytes(),
            integer(clock.unix),
            integer(clock.running)
        ])?;
    insert_skeletons(transaction, keys)?;
    Ok(ClaimOutcome::Registered)
}

/// Whether a ticket admits a key; once it has, it does again.
fn use_ticket(
    transaction: &Transaction<'_>,
    clock: Clock,
    ticket: &TicketHash,
    key: &RemoteKey,
) -> rusqlite::Result<bool> {
    let found: Option<(i64, bool)> = transaction
        .prepare_cached(
            "SELECT invite, uses > (SELECT count(*) FROM invite_use u WHERE u.invite = i.invite AND u.key != ?4)
             FROM invite i WHERE hash = ?1 AND expires_at > ?2 AND expires_running > ?3",
        )?
        .query_row(
            params![
                ticket.as_bytes(),
                integer(clock.unix),
                integer(clock.running),
                key.as_bytes()
            ],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let Some((invite, true)) = found else {
        return Ok(false);
    };
    transaction
        .prepare_cached("INSERT OR IGNORE INTO invite_use (invite, key) VALUES (?1, ?2)")?
        .execute(params![invite, key.as_bytes()])?;
    Ok(true)
}

/// Notes that a name was used otherwise than by private messages.
pub(super) fn mark_used(transaction: &Transaction<'_>, key: &RemoteKey) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("UPDATE name SET used = 1 WHERE key = ?1 AND used = 0")?
        .execute([key.as_bytes()])?;
    Ok(())
}

/// Notes who is here, of those whose names were never used.
pub(super) fn note_seen(
    transaction: &Transaction<'_>,
    seconds: u64,
    here: &[RemoteKey],
) -> rusqlite::Result<()> {
    let mut note =
        transaction.prepare_cached("UPDATE name SET seen_at = ?2 WHERE key = ?1 AND used = 0")?;
    for key in here {
        note.execute(params![key.as_bytes(), integer(seconds)])?;
    }
    Ok(())
}

/// Frees names that were never used, of those who were not here since a moment; longest ago first.
pub(super) fn free_unused(
    transaction: &Transaction<'_>,
    moment: u64,
    here: &[RemoteKey],
    max_names: usize,
) -> rusqlite::Result<Vec<Person>> {
    let mut freed = Vec::new();
    let mut statement = transaction.prepare_cached(
        "SELECT shown, key, folded FROM name n WHERE used = 0 AND seen_at <= ?1
             AND NOT EXISTS (SELECT 1 FROM banned_key b WHERE b.key = n.key)
             AND NOT EXISTS (SELECT 1 FROM person p JOIN lane l ON l.sender = p.person
                 WHERE p.key = n.key AND l.accepted > 0)
             AND NOT EXISTS (SELECT 1 FROM person p JOIN lane l ON l.recipient = p.person
                 WHERE p.key = n.key AND l.accepted > 0)
         ORDER BY seen_at, folded",
    )?;
    let mut rows = statement.query([integer(moment)])?;
    while freed.len() < max_names
        && let Some(row) = rows.next()?
    {
        let person = Person {
            name: row.get(0)?,
            key: id(row, 1)?,
        };
        if here.binary_search(&person.key).is_err() {
            let folded: String = row.get(2)?;
            freed.push((person, folded));
        }
    }
    drop(rows);
    for (_, folded) in &freed {
        release(transaction, folded)?;
    }
    Ok(freed.into_iter().map(|(person, _)| person).collect())
}

/// Takes a name, case-mapped, from its key, whose key packages go with it.
pub(super) fn release(
    transaction: &Transaction<'_>,
    folded: &str,
) -> rusqlite::Result<Option<Person>> {
    let released = transaction
        .prepare_cached("DELETE FROM name WHERE folded = ?1 RETURNING shown, key")?
        .query_row([folded], |row| {
            Ok(Person {
                name: row.get(0)?,
                key: id(row, 1)?,
            })
        })
        .optional()?;
    if let Some(person) = &released {
        key_packages::discard_all(transaction, &person.key)?;
    }
    Ok(released)
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
