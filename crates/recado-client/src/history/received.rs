//! What came: opened, and written down in the same step.

use recado_engine::{Arrival, Arrived, Received};
use recado_proto::content::{Body, Content};
use recado_proto::frame::Person;
use recado_proto::id::StoreId;
use recado_proto::limits::MAX_UNACKNOWLEDGED;
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::fold;
use super::outbox::{FILE, TEXT, column, number};
use crate::e2e::{Opened, Place, Secrecy};

/// How a lane stood before.
#[derive(Default)]
struct Lane {
    written: u64,
    closed_at: u64,
    generation: u64,
}

/// Opens what came, writes it down, and says what it was.
pub(super) fn receive(
    transaction: &Transaction<'_>,
    secrecy: &mut Secrecy<'_>,
    received: &Received,
) -> rusqlite::Result<Arrival> {
    let Received {
        from,
        store,
        number: lane_number,
        ..
    } = received;
    let at = column(*lane_number);
    let lane = lane_of(transaction, from, *store)?;
    advance(transaction, from, *store, at)?;
    let what = open(transaction, secrecy, received, &lane)?;
    match &what {
        Arrived::Unreadable => note_number(transaction, "unreadable", from, *store, at)?,
        Arrived::Handshake => note_number(transaction, "handshake_in", from, *store, at)?,
        _ => {}
    }
    Ok(Arrival {
        has_group: secrecy.can_seal(from.key)?,
        handshake_due: secrecy.is_due(from.key)?,
        what,
    })
}

fn open(
    transaction: &Transaction<'_>,
    secrecy: &mut Secrecy<'_>,
    received: &Received,
    lane: &Lane,
) -> rusqlite::Result<Arrived> {
    let Received {
        from,
        store,
        number,
        id,
        envelope,
    } = received;
    if envelope.is_empty() {
        return Ok(Arrived::Nothing);
    }
    let is_next = *number > lane.written;
    if !is_next && is_known(transaction, received)? {
        return Ok(Arrived::Known);
    }
    let place = Place {
        store: *store,
        number: *number,
        id: *id,
    };
    // What comes under a number that was passed is no part of the order: the lane stays as it is.
    let closed_at = if is_next { lane.closed_at } else { 0 };
    let sender = fold(&from.name);
    let standing = (closed_at, lane.generation);
    let opened = secrecy.open((from.key, &sender), place, envelope, standing)?;
    let Opened { content, opened } = match opened {
        Ok(opened) => opened,
        Err(why) => {
            tracing::debug!(%why, number, "a private message cannot be read");
            if is_next && lane.closed_at == 0 && from.key != secrecy.own_key() {
                close(transaction, from, *store, *number)?;
            }
            return Ok(Arrived::Unreadable);
        }
    };
    if let Some(generation) = opened {
        reopen(transaction, from, *store, generation)?;
    }
    remember(transaction, from, &sender)?;
    keep(transaction, received, &sender, content)
}

/// Whether a number that comes again needs no second look.
fn is_known(transaction: &Transaction<'_>, received: &Received) -> rusqlite::Result<bool> {
    let (from, store) = (received.from.key.as_bytes(), received.store.as_bytes());
    let is_message = transaction
        .prepare_cached("SELECT 1 FROM message WHERE came = 1 AND id = ?1 AND sender = ?2")?
        .exists(params![received.id.as_bytes(), from])?;
    let is_handshake = transaction
        .prepare_cached(
            "SELECT 1 FROM handshake_in WHERE sender = ?1 AND store = ?2 AND number = ?3",
        )?
        .exists(params![from, store, column(received.number)])?;
    Ok(is_message || is_handshake)
}

/// Writes down what it says, unless that has come before.
fn keep(
    transaction: &Transaction<'_>,
    received: &Received,
    sender: &str,
    content: Content,
) -> rusqlite::Result<Arrived> {
    let sent_at_ms = content.sent_at_ms;
    let (kind, text, note) = match content.body {
        Body::Text(text) => (TEXT, text, Vec::new()),
        Body::File(note) => (FILE, String::new(), note),
        Body::Verification => return compared_there(transaction, received, sender),
        Body::Renewal(_) => return Ok(Arrived::Handshake),
    };
    let (from, store) = (&received.from, received.store);
    let message: Option<i64> = transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO message
                 (came, id, sender, peer, name, sent_at_ms, text, state, kind, note)
             VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, 'received', ?7, ?8) RETURNING number",
        )?
        .query_row(
            params![
                content.id.as_bytes(),
                from.key.as_bytes(),
                sender,
                from.name,
                sent_at_ms,
                text,
                kind,
                note,
            ],
            |row| row.get(0),
        )
        .optional()?;
    if message.is_none() {
        return Ok(Arrived::Known);
    }
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO inbox (sender, store, number, message) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            from.key.as_bytes(),
            store.as_bytes(),
            column(received.number),
            message
        ])?;
    Ok(match kind {
        TEXT => Arrived::Text { text, sent_at_ms },
        _ => Arrived::Note { note, sent_at_ms },
    })
}

/// The other side has compared the code. That counts for the key that is remembered alone.
fn compared_there(
    transaction: &Transaction<'_>,
    received: &Received,
    sender: &str,
) -> rusqlite::Result<Arrived> {
    let key = received.from.key.as_bytes();
    transaction
        .prepare_cached("UPDATE peer SET compared_there = 1 WHERE folded = ?1 AND key = ?2")?
        .execute(params![sender, key])?;
    let number = column(received.number);
    note_number(
        transaction,
        "handshake_in",
        &received.from,
        received.store,
        number,
    )?;
    Ok(Arrived::Verification)
}

/// Whoever could be read for the first time is remembered by their key.
fn remember(transaction: &Transaction<'_>, from: &Person, folded: &str) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO peer (folded, name, key) VALUES (?1, ?2, ?3)
             ON CONFLICT (folded) DO UPDATE SET key = excluded.key, name = excluded.name WHERE key IS NULL",
        )?
        .execute(params![folded, from.name, from.key.as_bytes()])?;
    Ok(())
}

fn lane_of(transaction: &Transaction<'_>, from: &Person, store: StoreId) -> rusqlite::Result<Lane> {
    let lane = transaction
        .prepare_cached(
            "SELECT written, closed_at, generation FROM lane_in WHERE sender = ?1 AND store = ?2",
        )?
        .query_row(params![from.key.as_bytes(), store.as_bytes()], |row| {
            Ok(Lane {
                written: number(row.get(0)?),
                closed_at: number(row.get(1)?),
                generation: number(row.get(2)?),
            })
        })
        .optional()?;
    Ok(lane.unwrap_or_default())
}

/// Nothing more of the lane is opened until it brings a group that was made for this number.
fn close(
    transaction: &Transaction<'_>,
    from: &Person,
    store: StoreId,
    number: u64,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("UPDATE lane_in SET closed_at = ?3 WHERE sender = ?1 AND store = ?2")?
        .execute(params![
            from.key.as_bytes(),
            store.as_bytes(),
            column(number)
        ])?;
    Ok(())
}

/// The lane has brought a group of this generation.
fn reopen(
    transaction: &Transaction<'_>,
    from: &Person,
    store: StoreId,
    generation: u64,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE lane_in SET closed_at = 0, generation = ?3 WHERE sender = ?1 AND store = ?2",
        )?
        .execute(params![
            from.key.as_bytes(),
            store.as_bytes(),
            column(generation)
        ])?;
    Ok(())
}

/// Notes what a number was, for when it comes again; of each lane among the last that can be under way.
fn note_number(
    transaction: &Transaction<'_>,
    table: &str,
    from: &Person,
    store: StoreId,
    number: i64,
) -> rusqlite::Result<()> {
    let (from, store) = (from.key.as_bytes(), store.as_bytes());
    transaction
        .prepare_cached(&format!(
            "INSERT OR IGNORE INTO {table} (sender, store, number) VALUES (?1, ?2, ?3)"
        ))?
        .execute(params![from, store, number])?;
    transaction
        .prepare_cached(&format!(
            "DELETE FROM {table} WHERE sender = ?1 AND store = ?2 AND number <= ?3"
        ))?
        .execute(params![
            from,
            store,
            number.saturating_sub(column(MAX_UNACKNOWLEDGED as u64))
        ])?;
    Ok(())
}

/// The lane stands at this number, if it stood lower.
pub(super) fn advance(
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
