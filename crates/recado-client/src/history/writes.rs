//! What the engine and the session want written down.

use recado_engine::{Content, Receipt, Received, Write};
use recado_proto::frame::Person;
use recado_proto::id::{LogId, MessageId, StoreId};
use recado_proto::limits::MAX_UNACKNOWLEDGED;
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::outbox::column;
use super::{GlobalRecord, Record, fold};

/// Writes what the engine wants, in order, and answers its questions.
pub(super) fn commit(
    transaction: &Transaction<'_>,
    writes: &[Write],
) -> rusqlite::Result<Vec<bool>> {
    let mut answers = Vec::new();
    for write in writes {
        match write {
            Write::Remember { peer, person } => remember(transaction, peer, person)?,
            Write::Number {
                entry,
                peer,
                number,
                envelope,
            } => answers.push(give_number(transaction, *entry, peer, *number, envelope)?),
            Write::Void { peer, number } => {
                transaction
                    .prepare_cached("UPDATE outbox SET envelope = x'' WHERE peer = ?1 AND number = ?2 AND number > 0")?
                    .execute(params![peer, column(*number)])?;
            }
            Write::Progress {
                peer,
                stored,
                settled,
            } => progress(transaction, peer, column(*stored), column(*settled))?,
            Write::Fail { id, failure } => fail(transaction, *id, failure.code())?,
            Write::Abandon { peer } => {
                transaction
                    .prepare_cached("DELETE FROM outbox WHERE peer = ?1 AND number > 0")?
                    .execute([peer])?;
            }
            Write::Receive(received) => answers.push(receive(transaction, received)?),
            Write::Miss { from, store, up_to } => {
                advance(transaction, from, *store, column(*up_to))?;
            }
            Write::Take(receipt) => take(transaction, receipt)?,
        }
    }
    Ok(answers)
}

fn remember(transaction: &Transaction<'_>, peer: &str, person: &Person) -> rusqlite::Result<()> {
    // The way to another key begins anew.
    transaction
        .prepare_cached(
            "INSERT INTO peer (folded, name, key) VALUES (?1, ?2, ?3)
             ON CONFLICT (folded) DO UPDATE SET
                 name = excluded.name,
                 key = excluded.key,
                 highest = iif(key IS NULL OR key = excluded.key, highest, 0),
                 stored = iif(key IS NULL OR key = excluded.key, stored, 0),
                 settled_id = iif(key IS NULL OR key = excluded.key, settled_id, NULL)",
        )?
        .execute(params![peer, person.name, person.key.as_bytes()])?;
    Ok(())
}

/// False if the entry was withdrawn.
fn give_number(
    transaction: &Transaction<'_>,
    entry: u64,
    peer: &str,
    number: u64,
    envelope: &[u8],
) -> rusqlite::Result<bool> {
    let (entry, number) = (column(entry), column(number));
    let is_there = transaction
        .prepare_cached("UPDATE outbox SET number = ?2, envelope = ?3 WHERE message = ?1")?
        .execute(params![entry, number, envelope])?
        > 0;
    if !is_there {
        transaction
            .prepare_cached("INSERT INTO outbox (message, peer, number) VALUES (?1, ?2, ?3)")?
            .execute(params![entry, peer, number])?;
    }
    transaction
        .prepare_cached(
            "INSERT INTO peer (folded, name, highest)
             VALUES (?1, (SELECT name FROM message WHERE number = ?2), ?3)
             ON CONFLICT (folded) DO UPDATE SET highest = excluded.highest",
        )?
        .execute(params![peer, entry, number])?;
    Ok(is_there)
}

fn progress(
    transaction: &Transaction<'_>,
    peer: &str,
    stored: i64,
    settled: i64,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE message SET state = 'stored' WHERE state = 'queued' AND number IN
                 (SELECT o.message FROM outbox o JOIN peer p ON p.folded = o.peer
                  WHERE o.peer = ?1 AND o.number > max(p.stored, ?3) AND o.number <= ?2)",
        )?
        .execute(params![peer, stored, settled])?;
    transaction
        .prepare_cached(
            "UPDATE message SET state = 'delivered' WHERE state IN ('queued', 'stored') AND number IN
                 (SELECT message FROM outbox WHERE peer = ?1 AND number > 0 AND number <= ?2)",
        )?
        .execute(params![peer, settled])?;
    let last: Option<Vec<u8>> = transaction
        .prepare_cached(
            "SELECT m.id FROM outbox o JOIN message m ON m.number = o.message
             WHERE o.peer = ?1 AND o.number > 0 AND o.number <= ?2 ORDER BY o.number DESC LIMIT 1",
        )?
        .query_row(params![peer, settled], |row| row.get(0))
        .optional()?;
    if last.is_some() {
        transaction
            .prepare_cached("DELETE FROM outbox WHERE peer = ?1 AND number > 0 AND number <= ?2")?
            .execute(params![peer, settled])?;
    }
    transaction
        .prepare_cached(
            "UPDATE peer SET stored = max(stored, ?2), settled_id = coalesce(?3, settled_id) WHERE folded = ?1",
        )?
        .execute(params![peer, stored, last])?;
    Ok(())
}

/// One that has a number keeps it in the outbox: the number has to travel.
fn fail(transaction: &Transaction<'_>, id: MessageId, code: &str) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE message SET state = 'failed', code = ?2 WHERE came = 0 AND id = ?1 AND sender = x''",
        )?
        .execute(params![id.as_bytes(), code])?;
    transaction
        .prepare_cached(
            "DELETE FROM outbox WHERE (number = 0 OR peer IS NULL) AND message =
             (SELECT number FROM message WHERE came = 0 AND id = ?1 AND sender = x'')",
        )?
        .execute([id.as_bytes()])?;
    Ok(())
}

/// Whether no message of this sender has this id.
fn receive(transaction: &Transaction<'_>, received: &Received) -> rusqlite::Result<bool> {
    let Received {
        from,
        store,
        number,
        id,
        sent_at_ms,
        content,
    } = received;
    let number = column(*number);
    advance(transaction, from, *store, number)?;
    if *content == Content::Unreadable {
        note_unreadable(transaction, from, *store, number)?;
    }
    let Content::Text(text) = content else {
        // Its id stays free: what cannot be read may come again in a form that can.
        let known = transaction
            .prepare_cached("SELECT 1 FROM message WHERE came = 1 AND id = ?1 AND sender = ?2")?
            .exists(params![id.as_bytes(), from.key.as_bytes()])?;
        return Ok(!known);
    };
    let message: Option<i64> = transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO message (came, id, sender, peer, name, sent_at_ms, text, state)
             VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, 'received') RETURNING number",
        )?
        .query_row(
            params![
                id.as_bytes(),
                from.key.as_bytes(),
                fold(&from.name),
                from.name,
                sent_at_ms,
                text,
            ],
            |row| row.get(0),
        )
        .optional()?;
    if message.is_some() {
        transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO inbox (sender, store, number, message) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![from.key.as_bytes(), store.as_bytes(), number, message])?;
    }
    Ok(message.is_some())
}

/// Its number is named again where it is acknowledged again.
fn note_unreadable(
    transaction: &Transaction<'_>,
    from: &Person,
    store: StoreId,
    number: i64,
) -> rusqlite::Result<()> {
    let (from, store) = (from.key.as_bytes(), store.as_bytes());
    transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO unreadable (sender, store, number) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![from, store, number])?;
    transaction
        .prepare_cached("DELETE FROM unreadable WHERE sender = ?1 AND store = ?2 AND number <= ?3")?
        .execute(params![
            from,
            store,
            number.saturating_sub(column(MAX_UNACKNOWLEDGED as u64))
        ])?;
    Ok(())
}

/// The lane stands at this number, if it stood lower.
fn advance(
    transaction: &Transaction<'_>,
    from: &Person,
    store: StoreId,
    number: i64,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO lane_in (sender, store, written) VALUES (?1, ?2, ?3)
             ON CONFLICT (sender, store) DO UPDATE SET written = max(written, excluded.written)",
        )?
        .execute(params![from.key.as_bytes(), store.as_bytes(), number])?;
    Ok(())
}

fn take(transaction: &Transaction<'_>, receipt: &Receipt) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("DELETE FROM inbox WHERE sender = ?1 AND store = ?2 AND number = ?3")?
        .execute(params![
            receipt.from.as_bytes(),
            receipt.store.as_bytes(),
            column(receipt.number),
        ])?;
    Ok(())
}

/// Writes what only the history is told of.
pub(super) fn record(transaction: &Transaction<'_>, record: &Record) -> rusqlite::Result<()> {
    match record {
        Record::Global(global) => record_global(transaction, global),
        Record::GlobalFailed { id, failure } => fail(transaction, *id, failure.code()),
        Record::GlobalStored { id } => settle_global(transaction, *id).map(drop),
        Record::Hole { log, first, last } => {
            let log = log_number(transaction, *log)?;
            transaction
                .prepare_cached(
                    "INSERT OR IGNORE INTO hole (log, first, last) VALUES (?1, ?2, ?3)",
                )?
                .execute([log, column(*first), column(*last)])?;
            Ok(())
        }
        Record::Blocked { name, blocked } => {
            transaction
                .prepare_cached(
                    "INSERT INTO peer (folded, name, blocked) VALUES (?1, ?2, ?3)
                     ON CONFLICT (folded) DO UPDATE SET blocked = excluded.blocked",
                )?
                .execute(params![fold(name), name, blocked])?;
            Ok(())
        }
    }
}

fn record_global(transaction: &Transaction<'_>, global: &GlobalRecord) -> rusqlite::Result<()> {
    let log = log_number(transaction, global.log)?;
    let place = params![global.id.as_bytes(), log, column(global.sequence)];
    if global.own && settle_global(transaction, global.id)? {
        transaction
            .prepare_cached(
                "UPDATE message SET log = ?2, sequence = ?3 WHERE came = 0 AND id = ?1 AND sender = x''",
            )?
            .execute(place)?;
        return Ok(());
    }
    transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO message
                 (came, id, sender, peer, name, sent_at_ms, text, state, log, sequence, verified)
             VALUES (1, ?1, ?2, NULL, ?3, ?4, ?5, 'received', ?6, ?7, ?8)",
        )?
        .execute(params![
            global.id.as_bytes(),
            global.from.key.as_bytes(),
            global.from.name,
            global.sent_at_ms,
            global.text,
            log,
            column(global.sequence),
            global.verified,
        ])?;
    Ok(())
}

/// The server has one's own message to everyone. False if it was not entered here.
fn settle_global(transaction: &Transaction<'_>, id: MessageId) -> rusqlite::Result<bool> {
    let message: Option<i64> = transaction
        .prepare_cached(
            "UPDATE message SET state = 'stored', code = '' WHERE came = 0 AND id = ?1 AND sender = x'' RETURNING number",
        )?
        .query_row([id.as_bytes()], |row| row.get(0))
        .optional()?;
    if let Some(message) = message {
        transaction
            .prepare_cached("DELETE FROM outbox WHERE message = ?1")?
            .execute([message])?;
    }
    Ok(message.is_some())
}

fn log_number(transaction: &Transaction<'_>, log: LogId) -> rusqlite::Result<i64> {
    let known = transaction
        .prepare_cached("SELECT number FROM log WHERE id = ?1")?
        .query_row([log.as_bytes()], |row| row.get(0))
        .optional()?;
    match known {
        Some(number) => Ok(number),
        None => {
            transaction.execute("INSERT INTO log (id) VALUES (?1)", [log.as_bytes()])?;
            Ok(transaction.last_insert_rowid())
        }
    }
}
