//! Lanes and mailboxes.

use std::collections::BTreeMap;

use recado_hub::{
    Body, Dropped, Durable, Fetched, LaneChange, LaneNumber, LaneState, MAX_LANES_OF_SENDER,
    MAX_STORES, Mail, MailboxState, Mark, OpenOutcome, OpenedLane, Waiting,
};
use recado_proto::frame::{Failure, FailureCode, Person};
use recado_proto::id::{MessageId, RemoteKey, StoreId};
use rusqlite::types::Type;
use rusqlite::{OptionalExtension, Row, Rows, Transaction, params};

/// Which part of the mailboxes is looked at.
pub(super) struct Part {
    /// What is above this mark,
    pub(super) after: Mark,
    /// so many messages,
    pub(super) max_messages: usize,
    /// and bytes of envelopes, at most.
    pub(super) max_bytes: usize,
    /// What came at this second of the server's running time or before is too old.
    pub(super) too_old: Option<u64>,
}

/// Looks a lane up by the recipient's name, and makes it where it is new.
pub(super) fn open_lane(
    transaction: &Transaction<'_>,
    sender: &RemoteKey,
    store: &StoreId,
    to: &str,
    key: Option<&RemoteKey>,
) -> rusqlite::Result<OpenOutcome> {
    let person = |row: &Row<'_>| {
        Ok(Person {
            name: row.get(0)?,
            key: id(row, 1)?,
        })
    };
    let recipient = transaction
        .prepare_cached("SELECT shown, key FROM name WHERE folded = ?1")?
        .query_row([to], person)
        .optional()?;
    let Some(recipient) = recipient else {
        return Ok(OpenOutcome::NoSuchName);
    };
    if key.is_some_and(|key| *key != recipient.key) {
        return Ok(OpenOutcome::OtherKey(recipient));
    }
    let sender = person_number(transaction, sender)?;
    let to = person_number(transaction, &recipient.key)?;
    let found: Option<i64> = transaction
        .prepare_cached(
            "SELECT lane FROM lane WHERE sender = ?1 AND recipient = ?2 AND store = ?3",
        )?
        .query_row(params![sender, to, store.as_bytes()], |row| row.get(0))
        .optional()?;
    let lane = match found {
        Some(lane) => lane,
        None if !make_room(transaction, sender, to)? => return Ok(OpenOutcome::TooMany),
        None => transaction
            .prepare_cached(
                "INSERT INTO lane (sender, recipient, store, accepted, accepted_id, settled)
                 VALUES (?1, ?2, ?3, 0, x'', 0) RETURNING lane",
            )?
            .query_row(params![sender, to, store.as_bytes()], |row| row.get(0))?,
    };
    let failures = transaction
        .prepare_cached("SELECT number, code FROM failure WHERE lane = ?1 ORDER BY number")?
        .query_map([lane], |row| {
            Ok(Failure {
                number: number(row, 0)?,
                code: code(row, 1)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(OpenOutcome::Opened(Box::new(OpenedLane {
        lane: lane_state(transaction, lane)?,
        recipient,
        mailbox: mailbox_state(transaction, to)?,
        failures,
    })))
}

/// Whether a sender may have another lane to someone, which is counted then; the oldest that is done with makes room
/// where there are as many as may be.
fn make_room(transaction: &Transaction<'_>, sender: i64, recipient: i64) -> rusqlite::Result<bool> {
    let to_them: i64 = transaction
        .prepare_cached("SELECT count(*) FROM lane WHERE sender = ?1 AND recipient = ?2")?
        .query_row([sender, recipient], |row| row.get(0))?;
    if to_them < MAX_STORES as i64 {
        let counted = transaction
            .prepare_cached("UPDATE person SET lanes = lanes + 1 WHERE person = ?1 AND lanes < ?2")?
            .execute(params![sender, integer(MAX_LANES_OF_SENDER)])?;
        return Ok(counted > 0);
    }
    let removed = transaction
        .prepare_cached(
            "DELETE FROM lane WHERE lane =
                 (SELECT min(lane) FROM lane l WHERE sender = ?1 AND recipient = ?2 AND accepted = settled
                      AND NOT EXISTS (SELECT 1 FROM failure f WHERE f.lane = l.lane))",
        )?
        .execute([sender, recipient])?;
    Ok(removed > 0)
}

/// Writes down how a lane stands; returns how it stands then, which is elsewhere if it did not stand where the change
/// begins.
pub(super) fn write(
    transaction: &Transaction<'_>,
    seconds: u64,
    change: &LaneChange,
) -> rusqlite::Result<(LaneNumber, Durable)> {
    let lane = integer(change.lane.0);
    let id = change.accepted_id;
    let id: &[u8] = id.as_ref().map_or(&[], |id| id.as_bytes());
    let recipient: Option<i64> = transaction
        .prepare_cached(
            "UPDATE lane SET accepted = ?3, accepted_id = ?4, settled = ?5
             WHERE lane = ?1 AND accepted = ?2 RETURNING recipient",
        )?
        .query_row(
            params![
                lane,
                integer(change.from),
                integer(change.accepted),
                id,
                integer(change.settled)
            ],
            |row| row.get(0),
        )
        .optional()?;
    let Some(recipient) = recipient else {
        return Ok((change.lane, standing(transaction, lane)?));
    };
    transaction
        .prepare_cached("DELETE FROM mailbox WHERE lane = ?1 AND number <= ?2")?
        .execute(params![lane, integer(change.settled)])?;
    for body in &change.bodies {
        transaction
            .prepare_cached(
                "INSERT INTO mailbox (recipient, lane, number, id, sent_at, envelope, stored_at, dropped)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0)",
            )?
            .execute(params![
                recipient,
                lane,
                integer(body.number),
                body.id.as_bytes(),
                body.sent_at_ms,
                body.envelope,
                integer(seconds)
            ])?;
    }
    if change.noted > 0 {
        transaction
            .prepare_cached("DELETE FROM failure WHERE lane = ?1 AND number <= ?2")?
            .execute(params![lane, integer(change.noted)])?;
    }
    for failure in &change.failures {
        fail(transaction, lane, failure)?;
    }
    let durable = Durable::committed(change.accepted, change.accepted_id, change.settled);
    Ok((change.lane, durable))
}

/// How a lane stands; at its beginning where it had to make room.
fn standing(transaction: &Transaction<'_>, lane: i64) -> rusqlite::Result<Durable> {
    let standing = transaction
        .prepare_cached("SELECT accepted, accepted_id, settled FROM lane WHERE lane = ?1")?
        .query_row([lane], |row| {
            let accepted_id: Vec<u8> = row.get(1)?;
            let accepted_id = MessageId::try_from(accepted_id.as_slice()).ok();
            Ok(Durable::committed(
                number(row, 0)?,
                accepted_id,
                number(row, 2)?,
            ))
        })
        .optional()?;
    Ok(standing.unwrap_or(Durable::committed(0, None, 0)))
}

/// Reads part of a mailbox. What is too old is dropped on the way.
pub(super) fn fetch(
    transaction: &Transaction<'_>,
    recipient: &RemoteKey,
    part: &Part,
) -> rusqlite::Result<Fetched> {
    let Some(person) = find_person(transaction, recipient)? else {
        return Ok(Fetched {
            end: true,
            ..Fetched::default()
        });
    };
    let mut messages: Vec<Mail> = Vec::new();
    let (mut bytes, mut end) = (0, true);
    let mut dropping = Dropping::new(FailureCode::Expired);
    let mut statement = transaction.prepare_cached(
        "SELECT mark, lane, number, id, sent_at, envelope, stored_at, dropped
         FROM mailbox WHERE recipient = ?1 AND mark > ?2 ORDER BY mark",
    )?;
    let mut rows = statement.query(params![person, integer(part.after.0)])?;
    while let Some(row) = rows.next()? {
        let body = Body {
            number: number(row, 2)?,
            id: id(row, 3)?,
            sent_at_ms: row.get(4)?,
            envelope: row.get(5)?,
        };
        bytes += body.envelope.len();
        if messages.len() >= part.max_messages || (bytes > part.max_bytes && !messages.is_empty()) {
            end = false;
            break;
        }
        let dropped = match row.get(7)? {
            0 => None,
            code => Some(FailureCode::try_from(code).unwrap_or_default()),
        };
        let mut mail = Mail {
            mark: Mark(number(row, 0)?),
            lane: LaneNumber(number(row, 1)?),
            body,
            dropped,
        };
        let stored_at = number(row, 6)?;
        if mail.dropped.is_none() && part.too_old.is_some_and(|moment| stored_at <= moment) {
            let bytes = mail.body.envelope.len() as u64;
            dropping.add(mail.lane, mail.mark, mail.body.number, bytes);
            mail.body.envelope = Vec::new();
            mail.dropped = Some(FailureCode::Expired);
        }
        messages.push(mail);
    }
    drop(rows);
    let dropped = dropping.write(transaction)?;
    let mut numbers: Vec<_> = messages.iter().map(|mail| mail.lane).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let lanes = numbers
        .into_iter()
        .map(|lane| lane_state(transaction, integer(lane.0)))
        .collect::<rusqlite::Result<_>>()?;
    Ok(Fetched {
        mailbox: mailbox_state(transaction, person)?,
        lanes,
        messages,
        end,
        dropped,
    })
}

/// Drops what is too old, but for what waits for some. Returns it, and how far it has looked: nothing where it came to
/// what is not too old.
pub(super) fn expire(
    transaction: &Transaction<'_>,
    except: &[RemoteKey],
    part: &Part,
) -> rusqlite::Result<(Vec<Dropped>, Mark)> {
    let Some(moment) = part.too_old else {
        return Ok((Vec::new(), Mark::default()));
    };
    let mut dropping = Dropping::new(FailureCode::Expired);
    let mut looked_at = Mark::default();
    let mut statement = transaction.prepare_cached(
        "SELECT m.mark, m.lane, m.number, length(m.envelope), m.stored_at, m.dropped, p.key
         FROM mailbox m JOIN person p ON p.person = m.recipient WHERE m.mark > ?1 ORDER BY m.mark LIMIT ?2",
    )?;
    let most = i64::try_from(part.max_messages).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![integer(part.after.0), most])?;
    let mut looked = 0;
    while let Some(row) = rows.next()? {
        if number(row, 4)? > moment {
            looked = 0;
            break;
        }
        looked += 1;
        let mark = Mark(number(row, 0)?);
        looked_at = mark;
        let dropped: i32 = row.get(5)?;
        if dropped == 0 && except.binary_search(&id(row, 6)?).is_err() {
            let (lane, number_in_lane) = (LaneNumber(number(row, 1)?), number(row, 2)?);
            dropping.add(lane, mark, number_in_lane, number(row, 3)?);
        }
    }
    drop(rows);
    // Begins again from the start once it has come to the end, or to what is not too old.
    if looked < part.max_messages {
        looked_at = Mark::default();
    }
    Ok((dropping.write(transaction)?, looked_at))
}

/// Drops what waits in lanes, up to a number, for those who are gone.
pub(super) fn discard(
    transaction: &Transaction<'_>,
    lanes: &[(LaneNumber, u64)],
) -> rusqlite::Result<Vec<Dropped>> {
    let mut dropping = Dropping::new(FailureCode::RecipientGone);
    let mut statement = transaction.prepare_cached(
        "SELECT mark, lane, number, length(envelope) FROM mailbox
         WHERE lane = ?1 AND number <= ?2 AND dropped = 0 ORDER BY number",
    )?;
    for (lane, up_to) in lanes {
        let mut rows = statement.query([integer(lane.0), integer(*up_to)])?;
        dropping.add_all(&mut rows)?;
    }
    dropping.write(transaction)
}

/// Drops all that waits for one who is gone.
pub(super) fn discard_all(
    transaction: &Transaction<'_>,
    recipient: &RemoteKey,
) -> rusqlite::Result<Vec<Dropped>> {
    let Some(recipient) = find_person(transaction, recipient)? else {
        return Ok(Vec::new());
    };
    let mut dropping = Dropping::new(FailureCode::RecipientGone);
    let mut statement = transaction.prepare_cached(
        "SELECT mark, lane, number, length(envelope) FROM mailbox
         WHERE recipient = ?1 AND dropped = 0 ORDER BY mark",
    )?;
    dropping.add_all(&mut statement.query([recipient])?)?;
    dropping.write(transaction)
}

/// Blocks whoever has a name, or takes it back. Returns whose that is.
pub(super) fn block(
    transaction: &Transaction<'_>,
    owner: &RemoteKey,
    folded: &str,
    blocked: bool,
) -> rusqlite::Result<Option<RemoteKey>> {
    let key = transaction
        .prepare_cached("SELECT key FROM name WHERE folded = ?1")?
        .query_row([folded], |row| id::<RemoteKey>(row, 0))
        .optional()?;
    let Some(key) = key else {
        return Ok(None);
    };
    let statement = match blocked {
        true => "INSERT OR IGNORE INTO block (owner, blocked) VALUES (?1, ?2)",
        false => "DELETE FROM block WHERE owner = ?1 AND blocked = ?2",
    };
    let owner = person_number(transaction, owner)?;
    let sender = person_number(transaction, &key)?;
    transaction
        .prepare_cached(statement)?
        .execute([owner, sender])?;
    Ok(Some(key))
}

/// Messages that are being dropped.
struct Dropping {
    code: FailureCode,
    marks: Vec<Mark>,
    lanes: BTreeMap<LaneNumber, (u64, Vec<Failure>)>,
}

impl Dropping {
    fn new(code: FailureCode) -> Self {
        Self {
            code,
            marks: Vec::new(),
            lanes: BTreeMap::new(),
        }
    }

    /// Adds rows of mark, lane, number and length.
    fn add_all(&mut self, rows: &mut Rows<'_>) -> rusqlite::Result<()> {
        while let Some(row) = rows.next()? {
            let (mark, lane) = (Mark(number(row, 0)?), LaneNumber(number(row, 1)?));
            self.add(lane, mark, number(row, 2)?, number(row, 3)?);
        }
        Ok(())
    }

    fn add(&mut self, lane: LaneNumber, mark: Mark, number: u64, bytes: u64) {
        self.marks.push(mark);
        let (all_bytes, failures) = self.lanes.entry(lane).or_default();
        *all_bytes += bytes;
        let code = self.code;
        failures.push(Failure { number, code });
    }

    fn write(self, transaction: &Transaction<'_>) -> rusqlite::Result<Vec<Dropped>> {
        for mark in self.marks {
            transaction
                .prepare_cached("UPDATE mailbox SET envelope = x'', dropped = ?2 WHERE mark = ?1")?
                .execute(params![integer(mark.0), i32::from(self.code)])?;
        }
        let mut dropped = Vec::with_capacity(self.lanes.len());
        for (lane, (bytes, failures)) in self.lanes {
            for failure in &failures {
                fail(transaction, integer(lane.0), failure)?;
            }
            let (sender, recipient) = transaction
                .prepare_cached(
                    "SELECT s.key, r.key FROM lane l JOIN person s ON s.person = l.sender
                     JOIN person r ON r.person = l.recipient WHERE l.lane = ?1",
                )?
                .query_row([integer(lane.0)], |row| Ok((id(row, 0)?, id(row, 1)?)))?;
            dropped.push(Dropped {
                lane,
                sender,
                recipient,
                bytes,
                failures,
            });
        }
        Ok(dropped)
    }
}

/// Writes a failure down; what was written of its number before stays.
fn fail(transaction: &Transaction<'_>, lane: i64, failure: &Failure) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT OR IGNORE INTO failure (lane, number, code) VALUES (?1, ?2, ?3)")?
        .execute(params![
            lane,
            integer(failure.number),
            i32::from(failure.code)
        ])?;
    Ok(())
}

fn lane_state(transaction: &Transaction<'_>, lane: i64) -> rusqlite::Result<LaneState> {
    let (sender, recipient, mut state): (i64, i64, LaneState) = transaction
        .prepare_cached(
            "SELECT l.sender, l.recipient, l.store, l.accepted, l.accepted_id, l.settled, p.key, n.shown,
                 (SELECT coalesce(sum(length(m.envelope)), 0) FROM mailbox m WHERE m.lane = l.lane),
                 EXISTS (SELECT 1 FROM lane r
                     WHERE r.sender = l.recipient AND r.recipient = l.sender AND r.accepted > 0),
                 EXISTS (SELECT 1 FROM block b WHERE b.owner = l.recipient AND b.blocked = l.sender)
             FROM lane l JOIN person p ON p.person = l.sender LEFT JOIN name n ON n.key = p.key
             WHERE l.lane = ?1",
        )?
        .query_row([lane], |row| {
            let accepted_id: Vec<u8> = row.get(4)?;
            let accepted_id = MessageId::try_from(accepted_id.as_slice()).ok();
            let name: Option<String> = row.get(7)?;
            let state = LaneState {
                lane: LaneNumber(lane.unsigned_abs()),
                from: Person {
                    name: name.unwrap_or_default(),
                    key: id(row, 6)?,
                },
                store: id(row, 2)?,
                durable: Durable::committed(number(row, 3)?, accepted_id, number(row, 5)?),
                waiting_bytes: number(row, 8)?,
                of_sender: Waiting::default(),
                known: row.get(9)?,
                blocked: row.get(10)?,
            };
            Ok((row.get(0)?, row.get(1)?, state))
        })?;
    state.of_sender = transaction
        .prepare_cached(
            "SELECT count(*), coalesce(sum(length(m.envelope)), 0)
             FROM lane l JOIN mailbox m USING (lane) WHERE l.sender = ?1 AND l.recipient = ?2",
        )?
        .query_row([sender, recipient], |row| waiting(row, 0))?;
    Ok(state)
}

fn mailbox_state(transaction: &Transaction<'_>, recipient: i64) -> rusqlite::Result<MailboxState> {
    transaction
        .prepare_cached(
            "SELECT coalesce(sum(messages), 0), coalesce(sum(bytes), 0),
                 coalesce(sum(messages) FILTER (WHERE stranger), 0),
                 coalesce(sum(bytes) FILTER (WHERE stranger), 0)
             FROM (SELECT count(*) AS messages, sum(length(m.envelope)) AS bytes,
                     NOT EXISTS (SELECT 1 FROM lane r
                         WHERE r.sender = ?1 AND r.recipient = l.sender AND r.accepted > 0) AS stranger
                 FROM mailbox m JOIN lane l USING (lane) WHERE m.recipient = ?1 GROUP BY l.sender)",
        )?
        .query_row([recipient], |row| {
            Ok(MailboxState {
                all: waiting(row, 0)?,
                strangers: waiting(row, 2)?,
            })
        })
}

pub(super) fn find_person(
    transaction: &Transaction<'_>,
    key: &RemoteKey,
) -> rusqlite::Result<Option<i64>> {
    transaction
        .prepare_cached("SELECT person FROM person WHERE key = ?1")?
        .query_row([key.as_bytes()], |row| row.get(0))
        .optional()
}

/// The number of a key, which is given one if it has none.
pub(super) fn person_number(
    transaction: &Transaction<'_>,
    key: &RemoteKey,
) -> rusqlite::Result<i64> {
    if let Some(person) = find_person(transaction, key)? {
        return Ok(person);
    }
    transaction
        .prepare_cached("INSERT INTO person (key) VALUES (?1) RETURNING person")?
        .query_row([key.as_bytes()], |row| row.get(0))
}

fn waiting(row: &Row<'_>, at: usize) -> rusqlite::Result<Waiting> {
    Ok(Waiting {
        messages: number(row, at)?,
        bytes: number(row, at + 1)?,
    })
}

/// As the database holds it. The hub takes no number above what it holds.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// None of them is negative.
pub(super) fn number(row: &Row<'_>, at: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(at)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(at, number))
}

fn code(row: &Row<'_>, at: usize) -> rusqlite::Result<FailureCode> {
    let code: i32 = row.get(at)?;
    Ok(FailureCode::try_from(code).unwrap_or_default())
}

pub(super) fn id<T: for<'a> TryFrom<&'a [u8], Error = recado_proto::id::WrongLength>>(
    row: &Row<'_>,
    at: usize,
) -> rusqlite::Result<T> {
    let bytes: Vec<u8> = row.get(at)?;
    T::try_from(&bytes)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(at, Type::Blob, Box::new(error)))
}
