//! What was entered: writing it down, handing it out in order, and what is known when a process begins.

use recado_engine::{Entry, IncomingState, Kind, MailState, Numbered, OutgoingLane, Receipt};
use recado_proto::frame::Person;
use recado_proto::id::{MessageId, RemoteKey, StoreId};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::{Fed, Outgoing, OutgoingNote, Untaken, UntakenBody, fold};
use crate::e2e::{Scheme as _, Secrecy};

/// An id as a column holds it.
pub(crate) struct Blob<T>(pub(crate) T);

impl<T: for<'a> TryFrom<&'a [u8]>> FromSql for Blob<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let id = T::try_from(value.as_blob()?);
        id.map(Self).map_err(|_| FromSqlError::InvalidType)
    }
}

/// A number as SQLite holds it. No lane comes to its end; a hostile server may say that one has.
pub(crate) fn column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The other way.
pub(crate) fn number(column: i64) -> u64 {
    u64::try_from(column).unwrap_or(0)
}

/// What a row of `message` is, in its column `kind`.
pub(super) const TEXT: i64 = 0;
pub(super) const FILE: i64 = 1;
pub(super) const VERIFICATION: i64 = 2;

/// Writes a message down as queued. False if there is one of this id.
pub(super) fn enter(transaction: &Transaction<'_>, message: &Outgoing) -> rusqlite::Result<bool> {
    let peer = message.to.as_deref().map(fold);
    let message: Option<i64> = transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO message (came, id, sender, peer, name, sent_at_ms, text, state, reference)
             VALUES (0, ?1, x'', ?2, ?3, ?4, ?5, 'queued', ?6) RETURNING number",
        )?
        .query_row(
            params![
                message.id.as_bytes(),
                peer,
                message.to.as_deref().unwrap_or_default(),
                message.sent_at_ms,
                message.text,
                message.reference,
            ],
            |row| row.get(0),
        )
        .optional()?;
    if message.is_some() {
        transaction
            .prepare_cached("INSERT INTO outbox (message, peer) VALUES (?1, ?2)")?
            .execute(params![message, peer])?;
    }
    Ok(message.is_some())
}

/// Writes a note down as queued. False if there is one of this id.
pub(super) fn enter_note(
    transaction: &Transaction<'_>,
    kind: i64,
    note: &OutgoingNote,
) -> rusqlite::Result<bool> {
    let peer = fold(&note.to);
    let message: Option<i64> = transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO message
                 (came, id, sender, peer, name, sent_at_ms, text, state, reference, kind, note)
             VALUES (0, ?1, x'', ?2, ?3, ?4, '', 'queued', ?5, ?6, ?7) RETURNING number",
        )?
        .query_row(
            params![
                note.id.as_bytes(),
                peer,
                note.to,
                note.sent_at_ms,
                note.reference,
                kind,
                note.note,
            ],
            |row| row.get(0),
        )
        .optional()?;
    if message.is_some() {
        transaction
            .prepare_cached("INSERT INTO outbox (message, peer) VALUES (?1, ?2)")?
            .execute(params![message, peer])?;
    }
    Ok(message.is_some())
}

/// The entries above `after`, at most so many. Those to everyone may have been sent from now on.
pub(super) fn feed(
    transaction: &Transaction<'_>,
    after: u64,
    limit: usize,
) -> rusqlite::Result<Fed> {
    let mut fed = Fed {
        last: after,
        ..Fed::default()
    };
    let mut entries = transaction.prepare_cached(
        "SELECT o.message, o.peer, m.id, m.name, m.sent_at_ms, m.text, m.reference, m.kind, o.seals
         FROM outbox o JOIN message m ON m.number = o.message
         WHERE o.message > ?1 AND (o.number = 0 OR o.peer IS NULL)
         ORDER BY o.message LIMIT ?2",
    )?;
    let mut rows = entries.query(params![column(after), column(limit as u64)])?;
    while let Some(row) = rows.next()? {
        let entry = number(row.get(0)?);
        let Blob(id) = row.get(2)?;
        let (to, sent_at_ms) = (row.get(3)?, row.get(4)?);
        let reference = row.get(6)?;
        match row.get(1)? {
            Some(peer) => fed.private.push(Entry {
                entry,
                id,
                peer,
                to,
                sent_at_ms,
                reference,
                kind: kind_of(row.get(7)?),
                seals: row.get(8)?,
            }),
            None => fed.global.push(Outgoing {
                id,
                to: None,
                sent_at_ms,
                text: row.get(5)?,
                reference,
            }),
        }
        fed.last = entry;
    }
    if !fed.global.is_empty() {
        transaction.execute(
            "UPDATE outbox SET number = 1 WHERE peer IS NULL AND number = 0 AND message <= ?1",
            [column(fed.last)],
        )?;
    }
    Ok(fed)
}

/// What an entry is to the engine.
fn kind_of(column: i64) -> Kind {
    match column {
        TEXT => Kind::Text,
        _ => Kind::Note,
    }
}

/// Makes a new store of a database that was an old copy: what is under way is an entry again, and no key is used that
/// the newer copy may have used.
pub(super) fn restart(
    transaction: &Transaction<'_>,
    secrecy: &mut Secrecy<'_>,
    store: StoreId,
) -> rusqlite::Result<()> {
    secrecy.scheme().forget_all()?;
    transaction.execute("UPDATE store SET id = ?1", [store.as_bytes()])?;
    transaction.execute("DELETE FROM under_way", [])?;
    // In order of entry, which is the order in which they had their numbers.
    transaction.execute(
        "UPDATE outbox SET number = 0, seals = 0 WHERE peer IS NOT NULL",
        [],
    )?;
    transaction.execute(
        "UPDATE peer SET highest = 0, stored = 0, settled_id = NULL",
        [],
    )?;
    Ok(())
}

/// What is known of private messages when a process begins; and what came and was not taken, in order.
pub(super) fn load(
    connection: &Connection,
    secrecy: &mut Secrecy<'_>,
) -> rusqlite::Result<(MailState, Vec<Untaken>)> {
    secrecy.settle_root()?;
    let Blob(store) = connection.query_row("SELECT id FROM store", [], |row| row.get(0))?;
    let all_untaken = load_untaken(connection, None)?;
    let mut incoming: Vec<IncomingState> = connection
        .prepare("SELECT sender, store, written FROM lane_in ORDER BY sender, store")?
        .query_map([], |row| {
            let (Blob(from), Blob(store)) = (row.get(0)?, row.get(1)?);
            Ok(IncomingState {
                from,
                store,
                written: number(row.get(2)?),
                untaken: Vec::new(),
                unreadable: Vec::new(),
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    for lane in &mut incoming {
        let of_lane = all_untaken.iter().map(|(untaken, _)| untaken.receipt);
        let of_lane =
            of_lane.filter(|receipt| (receipt.from, receipt.store) == (lane.from, lane.store));
        lane.untaken = of_lane.map(|receipt| receipt.number).collect();
        lane.untaken.sort_unstable();
        lane.unreadable = connection
            .prepare_cached(
                "SELECT number FROM unreadable WHERE sender = ?1 AND store = ?2 ORDER BY number",
            )?
            .query_map(
                params![lane.from.as_bytes(), lane.store.as_bytes()],
                |row| row.get(0).map(number),
            )?
            .collect::<rusqlite::Result<_>>()?;
    }
    let mut outgoing: Vec<OutgoingLane> = connection
        .prepare("SELECT folded, name, key, highest, settled_id, other FROM peer ORDER BY folded")?
        .query_map([], |row| {
            let key: Option<Blob<RemoteKey>> = row.get(2)?;
            let settled_id: Option<Blob<MessageId>> = row.get(4)?;
            let other: Option<Blob<RemoteKey>> = row.get(5)?;
            Ok(OutgoingLane {
                peer: row.get(0)?,
                name: row.get(1)?,
                key: key.map(|key| key.0),
                other: other.map(|key| key.0),
                has_group: false,
                highest: number(row.get(3)?),
                settled_id: settled_id.map(|id| id.0),
                numbered: Vec::new(),
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    for lane in &mut outgoing {
        if let Some(key) = lane.key {
            lane.has_group = secrecy.can_seal(key)?;
        }
        lane.numbered = connection
            .prepare_cached(
                "SELECT u.number, u.id, u.sent_at_ms, u.envelope, m.reference, m.state, m.kind, u.message, o.seals
                 FROM under_way u LEFT JOIN message m ON m.number = u.message
                     LEFT JOIN outbox o ON o.message = u.message
                 WHERE u.peer = ?1 ORDER BY u.number",
            )?
            .query_map([&lane.peer], |row| {
                let Blob(id) = row.get(1)?;
                let envelope: Vec<u8> = row.get(3)?;
                let kind: Option<i64> = row.get(6)?;
                let kind = match kind {
                    _ if envelope.is_empty() => Kind::Nothing,
                    Some(kind) => kind_of(kind),
                    None => Kind::Handshake,
                };
                let entry: Option<i64> = row.get(7)?;
                let seals: Option<u32> = row.get(8)?;
                Ok(Numbered {
                    number: number(row.get(0)?),
                    id,
                    sent_at_ms: row.get(2)?,
                    envelope,
                    reference: row.get(4)?,
                    stored: row.get::<_, Option<String>>(5)?.as_deref() == Some("stored"),
                    kind,
                    entry: entry.map_or(0, number),
                    seals: seals.unwrap_or(0),
                })
            })?
            .collect::<rusqlite::Result<_>>()?;
    }
    let state = MailState {
        store,
        outgoing,
        incoming,
    };
    // What came under a key that is not the one remembered for its name is not shown.
    let untaken = all_untaken.into_iter().filter(|(_, is_held)| !is_held);
    Ok((state, untaken.map(|(untaken, _)| untaken).collect()))
}

/// What came and was not taken, of everyone or of one key, in order; and whether it is not to be shown.
pub(super) fn load_untaken(
    connection: &Connection,
    from: Option<RemoteKey>,
) -> rusqlite::Result<Vec<(Untaken, bool)>> {
    connection
        .prepare_cached(
            "SELECT i.sender, i.store, i.number, m.id, m.name, m.sent_at_ms, m.text, m.kind, m.note,
                    p.key IS NOT NULL AND p.key <> i.sender
             FROM inbox i JOIN message m ON m.number = i.message LEFT JOIN peer p ON p.folded = m.peer
             WHERE ?1 IS NULL OR i.sender = ?1 ORDER BY i.message",
        )?
        .query_map([from.map(|key| *key.as_bytes())], |row| {
            let (Blob(key), Blob(store), Blob(id)) = (row.get(0)?, row.get(1)?, row.get(3)?);
            let what = match row.get(7)? {
                TEXT => UntakenBody::Text(row.get(6)?),
                _ => UntakenBody::Note(row.get(8)?),
            };
            let untaken = Untaken {
                receipt: Receipt {
                    from: key,
                    store,
                    number: number(row.get(2)?),
                },
                from: Person {
                    name: row.get(4)?,
                    key,
                },
                id,
                sent_at_ms: row.get(5)?,
                what,
            };
            Ok((untaken, row.get(9)?))
        })?
        .collect()
}
