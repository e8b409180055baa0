//! What the engine and the session want written down.

use recado_engine::{Answer, Receipt, Sealed, Write};
use recado_proto::content::Body;
use recado_proto::frame::Person;
use recado_proto::id::{LogId, MessageId, RemoteKey};
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::outbox::{Blob, FILE, TEXT, column};
use super::received::{advance, receive};
use super::{GlobalRecord, Record, fold};
use crate::e2e::{Scheme as _, SealedEnvelope, Secrecy, draw_id, now_ms};

/// Writes what the engine wants, in order, and answers its questions.
pub(super) fn commit(
    transaction: &Transaction<'_>,
    secrecy: &mut Secrecy<'_>,
    writes: &[Write],
) -> rusqlite::Result<Vec<Answer>> {
    let mut answers = Vec::new();
    for write in writes {
        match write {
            Write::Remember { peer, person } => remember(transaction, secrecy, peer, person)?,
            Write::Suspect { peer, person } => {
                transaction
                    .prepare_cached("UPDATE peer SET other = ?2 WHERE folded = ?1")?
                    .execute(params![peer, person.key.as_bytes()])?;
            }
            Write::Begin { peer, package } => {
                let begun = match key_of(transaction, peer)? {
                    Some(key) => secrecy.scheme().begin(key, package)?,
                    // Its lane is open, so that its key is remembered.
                    None => Err(recado_engine::PackageFault::OtherKey),
                };
                answers.push(Answer::Begun(begun));
            }
            Write::Number {
                entry,
                peer,
                number,
            } => answers.push(give_number(transaction, secrecy, *entry, peer, *number)?),
            Write::Handshake { peer, number } => {
                answers.push(renew(transaction, secrecy, peer, *number)?);
            }
            Write::Void { peer, number } => {
                transaction
                    .prepare_cached(
                        "UPDATE under_way SET envelope = x'', message = NULL, welcomes = x''
                         WHERE peer = ?1 AND number = ?2",
                    )?
                    .execute(params![peer, column(*number)])?;
                if let Some(key) = key_of(transaction, peer)? {
                    secrecy.scheme().take_back(key, *number..=*number)?;
                }
            }
            Write::Requeue { peer, from } => requeue(transaction, secrecy, peer, *from)?,
            Write::Progress {
                peer,
                stored,
                settled,
            } => {
                if let Some(key) = key_of(transaction, peer)? {
                    secrecy.scheme().stored(key, *stored)?;
                    confirm(transaction, secrecy, peer, key, column(*settled))?;
                }
                progress(transaction, peer, column(*stored), column(*settled))?;
            }
            Write::Fail { id, failure } => fail(transaction, *id, failure.code())?,
            Write::Abandon { peer } => {
                for delete in [
                    "DELETE FROM under_way WHERE peer = ?1",
                    "DELETE FROM outbox WHERE peer = ?1 AND number > 0",
                ] {
                    transaction.prepare_cached(delete)?.execute([peer])?;
                }
            }
            Write::Receive(received) => {
                let arrival = receive(transaction, secrecy, received)?;
                answers.push(Answer::Received(Box::new(arrival)));
            }
            Write::Miss { from, store, up_to } => {
                advance(transaction, from, *store, column(*up_to))?;
            }
            Write::Take(receipt) => take(transaction, receipt)?,
            Write::Stock(held) => answers.push(Answer::Stock(secrecy.scheme().stock(held)?)),
        }
    }
    Ok(answers)
}

fn key_of(transaction: &Transaction<'_>, peer: &str) -> rusqlite::Result<Option<RemoteKey>> {
    let key: Option<Option<Blob<RemoteKey>>> = transaction
        .prepare_cached("SELECT key FROM peer WHERE folded = ?1")?
        .query_row([peer], |row| row.get(0))
        .optional()?;
    Ok(key.flatten().map(|key| key.0))
}

fn remember(
    transaction: &Transaction<'_>,
    secrecy: &mut Secrecy<'_>,
    peer: &str,
    person: &Person,
) -> rusqlite::Result<()> {
    let before = key_of(transaction, peer)?;
    if let Some(before) = before.filter(|key| *key != person.key) {
        secrecy.scheme().forget(before)?;
    }
    // The way to another key begins anew, and nothing was compared with it.
    transaction
        .prepare_cached(
            "INSERT INTO peer (folded, name, key) VALUES (?1, ?2, ?3)
             ON CONFLICT (folded) DO UPDATE SET
                 name = excluded.name,
                 key = excluded.key,
                 other = NULL,
                 highest = iif(key IS NULL OR key = excluded.key, highest, 0),
                 stored = iif(key IS NULL OR key = excluded.key, stored, 0),
                 settled_id = iif(key IS NULL OR key = excluded.key, settled_id, NULL),
                 compared_here = iif(key = excluded.key, compared_here, 0),
                 compared_there = iif(key = excluded.key, compared_there, 0)",
        )?
        .execute(params![peer, person.name, person.key.as_bytes()])?;
    Ok(())
}

/// Seals an entry under its number.
fn give_number(
    transaction: &Transaction<'_>,
    secrecy: &mut Secrecy<'_>,
    entry: u64,
    peer: &str,
    number: u64,
) -> rusqlite::Result<Answer> {
    let entry = column(entry);
    let (id, sent_at_ms, body, is_there) = transaction
        .prepare_cached(
            "SELECT m.id, m.sent_at_ms, m.kind, m.text, m.note, o.message IS NOT NULL
             FROM message m LEFT JOIN outbox o ON o.message = m.number WHERE m.number = ?1",
        )?
        .query_row([entry], |row| {
            let Blob(id) = row.get(0)?;
            let body = match row.get(2)? {
                TEXT => Body::Text(row.get(3)?),
                FILE => Body::File(row.get(4)?),
                _ => Body::Verification,
            };
            let is_there: bool = row.get(5)?;
            Ok((id, row.get(1)?, body, is_there))
        })?;
    let under_way = UnderWay {
        peer,
        number,
        id,
        sent_at_ms,
    };
    if !is_there {
        under_way.insert(transaction, None, None)?;
        return Ok(Answer::Empty(id));
    }
    let sealed = match key_of(transaction, peer)? {
        Some(key) => {
            let sealed = secrecy.seal(key, (number, id), sent_at_ms, body)?;
            sealed.map(|sealed| (key, sealed))
        }
        None => None,
    };
    let Some((key, sealed)) = sealed else {
        under_way.insert(transaction, None, None)?;
        return Ok(Answer::Unsealed);
    };
    transaction
        .prepare_cached("UPDATE outbox SET number = ?2, seals = seals + 1 WHERE message = ?1")?
        .execute(params![entry, column(number)])?;
    under_way.insert(transaction, Some(entry), Some(&sealed))?;
    Ok(Answer::Sealed(Box::new(Sealed {
        id,
        envelope: sealed.bytes,
        handshake_due: secrecy.is_due(key)?,
    })))
}

/// Seals what is due to keep the group fresh.
fn renew(
    transaction: &Transaction<'_>,
    secrecy: &mut Secrecy<'_>,
    peer: &str,
    number: u64,
) -> rusqlite::Result<Answer> {
    let under_way = UnderWay {
        peer,
        number,
        id: draw_id()?,
        sent_at_ms: now_ms(),
    };
    let sealed = match key_of(transaction, peer)? {
        Some(key) => secrecy.renew(key, (number, under_way.id), under_way.sent_at_ms)?,
        None => None,
    };
    under_way.insert(transaction, None, sealed.as_ref())?;
    Ok(match sealed {
        Some(sealed) => Answer::Sealed(Box::new(Sealed {
            id: under_way.id,
            envelope: sealed.bytes,
            handshake_due: false,
        })),
        None => Answer::Empty(under_way.id),
    })
}

/// What travels under a number.
struct UnderWay<'a> {
    peer: &'a str,
    number: u64,
    id: MessageId,
    sent_at_ms: i64,
}

impl UnderWay<'_> {
    /// Nothing but the number where nothing was sealed.
    fn insert(
        &self,
        transaction: &Transaction<'_>,
        entry: Option<i64>,
        sealed: Option<&SealedEnvelope>,
    ) -> rusqlite::Result<()> {
        let number = column(self.number);
        let envelope = sealed.map_or(&[][..], |sealed| &sealed.bytes);
        let welcomes = sealed.and_then(|sealed| sealed.welcomes.as_deref());
        transaction
            .prepare_cached(
                "INSERT INTO under_way (peer, number, id, sent_at_ms, message, envelope, welcomes)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                self.peer,
                number,
                self.id.as_bytes(),
                self.sent_at_ms,
                entry,
                envelope,
                welcomes.unwrap_or_default(),
            ])?;
        transaction
            .prepare_cached("UPDATE peer SET highest = ?2 WHERE folded = ?1")?
            .execute(params![self.peer, number])?;
        Ok(())
    }
}

/// What the recipient could not read waits again, in order, for a new group.
fn requeue(
    transaction: &Transaction<'_>,
    secrecy: &mut Secrecy<'_>,
    peer: &str,
    from: u64,
) -> rusqlite::Result<()> {
    let at = column(from);
    for update in [
        "UPDATE message SET state = 'queued' WHERE state = 'stored' AND number IN
             (SELECT message FROM under_way WHERE peer = ?1 AND number >= ?2)",
        "UPDATE outbox SET number = 0 WHERE message IN
             (SELECT message FROM under_way WHERE peer = ?1 AND number >= ?2)",
        "UPDATE under_way SET envelope = x'', message = NULL, welcomes = x''
         WHERE peer = ?1 AND number >= ?2",
    ] {
        let mut update = transaction.prepare_cached(update)?;
        update.execute(params![peer, at])?;
    }
    if let Some(key) = key_of(transaction, peer)? {
        secrecy.scheme().take_back(key, from..=u64::MAX)?;
        secrecy.scheme().spend(key, from)?;
    }
    Ok(())
}

/// What was delivered has opened its group to the recipient.
fn confirm(
    transaction: &Transaction<'_>,
    secrecy: &mut Secrecy<'_>,
    peer: &str,
    key: RemoteKey,
    settled: i64,
) -> rusqlite::Result<()> {
    let opened: Vec<Vec<u8>> = transaction
        .prepare_cached(
            "SELECT DISTINCT welcomes FROM under_way
             WHERE peer = ?1 AND number <= ?2 AND envelope <> x'' AND welcomes <> x''",
        )?
        .query_map(params![peer, settled], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for group in opened {
        secrecy.scheme().confirm(key, &group)?;
    }
    Ok(())
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
                 (SELECT u.message FROM under_way u JOIN peer p ON p.folded = u.peer
                  WHERE u.peer = ?1 AND u.number > max(p.stored, ?3) AND u.number <= ?2)",
        )?
        .execute(params![peer, stored, settled])?;
    // A note has done its work.
    transaction
        .prepare_cached(
            "UPDATE message SET state = 'delivered', note = x'' WHERE state IN ('queued', 'stored') AND number IN
                 (SELECT message FROM under_way WHERE peer = ?1 AND number <= ?2)",
        )?
        .execute(params![peer, settled])?;
    let last: Option<Vec<u8>> = transaction
        .prepare_cached(
            "SELECT id FROM under_way WHERE peer = ?1 AND number <= ?2 ORDER BY number DESC LIMIT 1",
        )?
        .query_row(params![peer, settled], |row| row.get(0))
        .optional()?;
    if last.is_some() {
        for delete in [
            "DELETE FROM outbox WHERE message IN
                 (SELECT message FROM under_way WHERE peer = ?1 AND number <= ?2)",
            "DELETE FROM under_way WHERE peer = ?1 AND number <= ?2",
        ] {
            let mut delete = transaction.prepare_cached(delete)?;
            delete.execute(params![peer, settled])?;
        }
    }
    transaction
        .prepare_cached(
            "UPDATE peer SET stored = max(stored, ?2), settled_id = coalesce(?3, settled_id) WHERE folded = ?1",
        )?
        .execute(params![peer, stored, last])?;
    Ok(())
}

/// If it has a number, that travels on by itself.
fn fail(transaction: &Transaction<'_>, id: MessageId, code: &str) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE message SET state = 'failed', code = ?2, note = x'' WHERE came = 0 AND id = ?1 AND sender = x''",
        )?
        .execute(params![id.as_bytes(), code])?;
    transaction
        .prepare_cached(
            "DELETE FROM outbox WHERE message =
             (SELECT number FROM message WHERE came = 0 AND id = ?1 AND sender = x'')",
        )?
        .execute([id.as_bytes()])?;
    Ok(())
}

fn take(transaction: &Transaction<'_>, receipt: &Receipt) -> rusqlite::Result<()> {
    let lane = params![
        receipt.from.as_bytes(),
        receipt.store.as_bytes(),
        column(receipt.number),
    ];
    // A note has done its work.
    transaction
        .prepare_cached(
            "UPDATE message SET note = x'' WHERE note <> x'' AND number =
             (SELECT message FROM inbox WHERE sender = ?1 AND store = ?2 AND number = ?3)",
        )?
        .execute(lane)?;
    transaction
        .prepare_cached("DELETE FROM inbox WHERE sender = ?1 AND store = ?2 AND number = ?3")?
        .execute(lane)?;
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
