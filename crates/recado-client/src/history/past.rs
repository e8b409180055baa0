//! Questions about the past.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::database::standing;
use super::outbox::{Blob, column, number};
use super::{Conversation, Correspondent, Edge, Item, PastMessage, Place, Question, fold};

/// Messages that one question gets at most: a few MiB of ordinary ones.
const MAX_ITEMS: usize = 1000;

const COLUMNS: &str =
    "m.id, m.came, m.peer, m.name, m.sent_at_ms, m.text, m.state, m.code, m.reference, m.log,
     m.sequence, m.verified, m.number";

/// A message, and its place in the order of the server, if it has one.
type Placed = (Option<(i64, i64)>, PastMessage);

/// Answers a question, the oldest first.
pub(super) fn answer(connection: &Connection, question: &Question) -> rusqlite::Result<Vec<Item>> {
    match question {
        Question::Latest {
            conversation,
            limit,
        } => {
            let found = page(connection, conversation, None, *limit)?;
            with_holes(connection, in_server_order(found))
        }
        Question::Page {
            conversation,
            edge,
            limit,
        } => {
            let found = page(connection, conversation, Some(*edge), *limit)?;
            with_holes(connection, in_server_order(found))
        }
        Question::Words { words, limit } => {
            let Some(pattern) = pattern(words) else {
                return Ok(Vec::new());
            };
            let query = format!(
                "SELECT {COLUMNS} FROM message_words w JOIN message m ON m.number = w.rowid
                 WHERE w.text MATCH ?1 AND ?2 IS NOT NULL ORDER BY w.rowid DESC LIMIT ?3"
            );
            let mut found = select(connection, &query, Some(pattern), 0, *limit)?;
            found.reverse();
            let message = |(_, message)| Item::Message(message);
            Ok(found.into_iter().map(message).collect())
        }
    }
}

/// The messages of a conversation next to an edge; without one, the latest. The oldest first.
fn page(
    connection: &Connection,
    conversation: &Conversation,
    edge: Option<Edge>,
    limit: usize,
) -> rusqlite::Result<Vec<Placed>> {
    let (filter, peer) = match conversation {
        Conversation::Any => ("?1 IS NULL", None),
        Conversation::Everyone => ("m.peer IS ?1", None),
        Conversation::With(name) => ("m.peer = ?1", Some(fold(name))),
    };
    let (side, order, place) = match edge {
        None => ("<=", "DESC", i64::MAX),
        Some(Edge::Before(place)) => ("<", "DESC", number_of(connection, place)?),
        Some(Edge::After(place)) => (">", "ASC", number_of(connection, place)?),
    };
    let query = format!(
        "SELECT {COLUMNS} FROM message m
         WHERE m.kind = 0 AND {filter} AND m.number {side} ?2
         ORDER BY m.number {order} LIMIT ?3"
    );
    let mut found = select(connection, &query, peer, place, limit)?;
    if order == "DESC" {
        found.reverse();
    }
    Ok(found)
}

/// The number of a message. Ids are random: one that stands twice was chosen so, and gets the later place.
fn number_of(connection: &Connection, place: Place) -> rusqlite::Result<i64> {
    match place {
        Place::Number(number) => Ok(column(number)),
        Place::Message(id) => {
            let number: Option<i64> = connection
                .prepare_cached("SELECT max(number) FROM message WHERE id = ?1")?
                .query_row([id.as_bytes()], |row| row.get(0))?;
            Ok(number.unwrap_or(i64::MAX))
        }
    }
}

fn select(
    connection: &Connection,
    query: &str,
    argument: Option<String>,
    place: i64,
    limit: usize,
) -> rusqlite::Result<Vec<Placed>> {
    let limit = column(limit.min(MAX_ITEMS) as u64);
    connection
        .prepare_cached(query)?
        .query_map(params![argument, place, limit], past_message)?
        .collect()
}

fn past_message(row: &Row<'_>) -> rusqlite::Result<Placed> {
    let Blob(id) = row.get(0)?;
    let came: bool = row.get(1)?;
    let is_global = row.get::<_, Option<String>>(2)?.is_none();
    let name: String = row.get(3)?;
    let log: Option<i64> = row.get(9)?;
    let sequence: Option<i64> = row.get(10)?;
    let message = PastMessage {
        number: number(row.get(12)?),
        id,
        to: (!came && !is_global).then(|| name.clone()),
        from: came.then_some(name),
        is_global,
        sent_at_ms: row.get(4)?,
        text: row.get(5)?,
        standing: standing(&row.get::<_, String>(6)?),
        code: row.get(7)?,
        reference: row.get(8)?,
        sequence: sequence.map(number),
        verified: row.get(11)?,
    };
    Ok((log.zip(sequence), message))
}

/// Messages to everyone stand where they were written down; among themselves, in the order of the server.
fn in_server_order(found: Vec<Placed>) -> Vec<Placed> {
    let (mut placed, rest): (Vec<_>, Vec<_>) = found
        .into_iter()
        .enumerate()
        .partition(|(_, (place, _))| place.is_some());
    let at: Vec<usize> = placed.iter().map(|(at, _)| *at).collect();
    placed.sort_by_key(|(_, (place, _))| *place);
    let placed = at.into_iter().zip(placed.into_iter().map(|(_, item)| item));
    let mut ordered: Vec<_> = rest.into_iter().chain(placed).collect();
    ordered.sort_by_key(|(at, _)| *at);
    ordered.into_iter().map(|(_, item)| item).collect()
}

/// Puts what was lost between the messages to everyone where it is missing. What was lost stands behind the message
/// before it, so that pages that follow each other have every gap once.
fn with_holes(connection: &Connection, found: Vec<Placed>) -> rusqlite::Result<Vec<Item>> {
    let last = found.iter().map(|(_, message)| message.number).max();
    let Some((log, sequence)) = found.iter().find_map(|(place, _)| *place) else {
        let item = |(_, message)| Item::Message(message);
        return Ok(found.into_iter().map(item).collect());
    };
    let behind: Option<(i64, i64)> = connection
        .prepare_cached(
            "SELECT log, sequence FROM message
             WHERE peer IS NULL AND log IS NOT NULL AND number > ?1 ORDER BY number LIMIT 1",
        )?
        .query_row([last.map(column)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (end_log, end) = behind.unwrap_or((i64::MAX, i64::MAX));
    let holes: Vec<((i64, i64), Item)> = connection
        .prepare_cached(
            "SELECT log, first, last FROM hole
             WHERE (log, first) > (?1, ?2) AND (log, first) < (?3, ?4) ORDER BY log, first",
        )?
        .query_map([log, sequence, end_log, end], |row| {
            let (log, first, last) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let hole = Item::Hole {
                first: number(first),
                last: number(last),
            };
            Ok(((log, first), hole))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let mut holes = holes.into_iter().peekable();
    let mut items = Vec::with_capacity(found.len());
    for (place, message) in found {
        while let Some((_, hole)) = holes.next_if(|(at, _)| place.is_some_and(|place| *at < place))
        {
            items.push(hole);
        }
        items.push(Item::Message(message));
    }
    items.extend(holes.map(|(_, hole)| hole));
    Ok(items)
}

/// Those with whom there were private messages, the latest first. Hops from name to name in the index, so that the
/// number of messages does not matter.
pub(super) fn correspondents(
    connection: &Connection,
    limit: usize,
) -> rusqlite::Result<Vec<Correspondent>> {
    let limit = column(limit.min(MAX_ITEMS) as u64);
    connection
        .prepare_cached(
            "WITH RECURSIVE name (folded) AS (
                 SELECT min(peer) FROM message WHERE peer IS NOT NULL
                 UNION ALL
                 SELECT (SELECT min(peer) FROM message WHERE peer > folded) FROM name
                 WHERE folded IS NOT NULL
             )
             SELECT m.name, m.sent_at_ms FROM name JOIN message m
             ON m.number = (SELECT number FROM message
                            WHERE peer = folded AND kind = 0 ORDER BY number DESC LIMIT 1)
             ORDER BY m.number DESC LIMIT ?1",
        )?
        .query_map([limit], |row| {
            Ok(Correspondent {
                name: row.get(0)?,
                latest_at_ms: row.get(1)?,
            })
        })?
        .collect()
}

/// The words, each quoted, so that none of them is an operator. `None` if there are none.
fn pattern(words: &str) -> Option<String> {
    let quoted: Vec<String> = words
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .map(|word| format!("\"{}\"", word.replace('"', "\"\"")))
        .collect();
    (!quoted.is_empty()).then(|| quoted.join(" "))
}

/// Whether someone's messages are refused.
pub(super) fn is_blocked(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM peer WHERE folded = ?1 AND blocked = 1")?
        .exists([fold(name)])
}
