//! What was entered: writing it down, handing it out in order, and what is known when a process begins.

use recado_engine::{Entry, IncomingState, MailState, Numbered, OutgoingLane, Receipt};
use recado_proto::frame::Person;
use recado_proto::id::{MessageId, RemoteKey, StoreId};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::{Fed, Outgoing, Untaken, fold};

/// An id as a column holds it.
pub(super) struct Blob<T>(pub(super) T);

impl<T: for<'a> TryFrom<&'a [u8]>> FromSql for Blob<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let id = T::try_from(value.as_blob()?);
        id.map(Self).map_err(|_| FromSqlError::InvalidType)
    }
}

/// A number as SQLite holds it. No lane comes to its end; a hostile server may say that one has.
pub(super) fn column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The other way.
pub(super) fn number(column: i64) -> u64 {
    u64::try_from(column).unwrap_or(0)
}

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
        "SELECT o.message, o.peer, m.id, m.name, m.sent_at_ms, m.text, m.reference
         FROM outbox o JOIN message m ON m.number = o.message
         WHERE o.message > ?1 AND (o.number = 0 OR o.peer IS NULL)
         ORDER BY o.message LIMIT ?2",
    )?;
    let mut rows = entries.query(params![column(after), column(limit as u64)])?;
    while let Some(row) = rows.next()? {
        let entry = number(row.get(0)?);
        let Blob(id) = row.get(2)?;
        let (to, sent_at_ms) = (row.get(3)?, row.get(4)?);
        let (text, reference) = (row.get(5)?, row.get(6)?);
        match row.get(1)? {
            Some(peer) => fed.private.push(Entry {
                entry,
                id,
                peer,
                to,
                sent_at_ms,
                text,
                reference,
            }),
            None => fed.global.push(Outgoing {
                id,
                to: None,
                sent_at_ms,
                text,
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

/// Makes a new store of a database that was an old copy: what is under way is an entry again.
pub(super) fn restart(transaction: &Transaction<'_>, store: StoreId) -> rusqlite::Result<()> {
    transaction.execute("UPDATE store SET id = ?1", [store.as_bytes()])?;
    transaction.execute(
        "DELETE FROM outbox WHERE number > 0 AND envelope = x'' AND peer IS NOT NULL",
        [],
    )?;
    // In order of entry, which is the order in which they had their numbers.
    transaction.execute(
        "UPDATE outbox SET number = 0, envelope = x'' WHERE peer IS NOT NULL",
        [],
    )?;
    transaction.execute(
        "UPDATE peer SET highest = 0, stored = 0, settled_id = NULL",
        [],
    )?;
    Ok(())
}

/// What is known of private messages when a process begins; and what came and was not taken, in order.
pub(super) fn load(connection: &Connection) -> rusqlite::Result<(MailState, Vec<Untaken>)> {
    let Blob(store) = connection.query_row("SELECT id FROM store", [], |row| row.get(0))?;
    let untaken = load_untaken(connection)?;
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
        let of_lane = untaken.iter().map(|untaken| untaken.receipt);
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
        .prepare("SELECT folded, name, key, highest, settled_id FROM peer ORDER BY folded")?
        .query_map([], |row| {
            let key: Option<Blob<RemoteKey>> = row.get(2)?;
            let settled_id: Option<Blob<MessageId>> = row.get(4)?;
            Ok(OutgoingLane {
                peer: row.get(0)?,
                name: row.get(1)?,
                key: key.map(|key| key.0),
                highest: number(row.get(3)?),
                settled_id: settled_id.map(|id| id.0),
                numbered: Vec::new(),
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    for lane in &mut outgoing {
        lane.numbered = connection
            .prepare_cached(
                "SELECT o.number, m.id, m.sent_at_ms, o.envelope, m.reference, m.state
                 FROM outbox o JOIN message m ON m.number = o.message
                 WHERE o.peer = ?1 AND o.number > 0 ORDER BY o.number",
            )?
            .query_map([&lane.peer], |row| {
                let Blob(id) = row.get(1)?;
                Ok(Numbered {
                    number: number(row.get(0)?),
                    id,
                    sent_at_ms: row.get(2)?,
                    envelope: row.get(3)?,
                    reference: row.get(4)?,
                    stored: row.get::<_, String>(5)? == "stored",
                })
            })?
            .collect::<rusqlite::Result<_>>()?;
    }
    let state = MailState {
        store,
        outgoing,
        incoming,
    };
    Ok((state, untaken))
}

fn load_untaken(connection: &Connection) -> rusqlite::Result<Vec<Untaken>> {
    connection
        .prepare(
            "SELECT i.sender, i.store, i.number, m.id, m.name, m.sent_at_ms, m.text
             FROM inbox i JOIN message m ON m.number = i.message ORDER BY i.message",
        )?
        .query_map([], |row| {
            let (Blob(key), Blob(store), Blob(id)) = (row.get(0)?, row.get(1)?, row.get(3)?);
            Ok(Untaken {
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
                text: row.get(6)?,
            })
        })?
        .collect()
}
