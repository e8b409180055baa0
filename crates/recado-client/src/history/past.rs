//! Questions about the past.

use rusqlite::{Connection, Row, params};

use super::database::standing;
use super::outbox::{Blob, column, number};
use super::{Conversation, Item, PastMessage, Question, fold};

/// Messages that one question gets at most: a few MiB of ordinary ones.
const MAX_ITEMS: usize = 1000;

const COLUMNS: &str =
    "m.id, m.came, m.peer, m.name, m.sent_at_ms, m.text, m.state, m.code, m.reference, m.log,
     m.sequence, m.verified";

/// A message, and its place in the order of the server, if it has one.
type Placed = (Option<(i64, i64)>, Item);

/// Answers a question, the oldest first.
pub(super) fn answer(connection: &Connection, question: &Question) -> rusqlite::Result<Vec<Item>> {
    let latest = |filter: &str, peer: Option<String>, limit: usize| {
        let query = format!(
            "SELECT {COLUMNS} FROM message m WHERE m.kind = 0 AND {filter} ORDER BY m.number DESC LIMIT ?2"
        );
        select(connection, &query, peer, limit)
    };
    let found = match question {
        Question::Latest {
            conversation,
            limit,
        } => match conversation {
            Conversation::Any => latest("?1 IS NULL", None, *limit)?,
            Conversation::Everyone => latest("m.peer IS ?1", None, *limit)?,
            Conversation::With(name) => latest("m.peer = ?1", Some(fold(name)), *limit)?,
        },
        Question::Words { words, limit } => {
            let Some(pattern) = pattern(words) else {
                return Ok(Vec::new());
            };
            let query = format!(
                "SELECT {COLUMNS} FROM message_words w JOIN message m ON m.number = w.rowid
                 WHERE w.text MATCH ?1 ORDER BY w.rowid DESC LIMIT ?2"
            );
            let found = select(connection, &query, Some(pattern), *limit)?;
            return Ok(found.into_iter().map(|(_, item)| item).collect());
        }
    };
    with_holes(connection, in_server_order(found))
}

fn select(
    connection: &Connection,
    query: &str,
    argument: Option<String>,
    limit: usize,
) -> rusqlite::Result<Vec<Placed>> {
    let limit = column(limit.min(MAX_ITEMS) as u64);
    let mut found: Vec<Placed> = connection
        .prepare_cached(query)?
        .query_map(params![argument, limit], past_message)?
        .collect::<rusqlite::Result<_>>()?;
    found.reverse();
    Ok(found)
}

fn past_message(row: &Row<'_>) -> rusqlite::Result<Placed> {
    let Blob(id) = row.get(0)?;
    let came: bool = row.get(1)?;
    let is_global = row.get::<_, Option<String>>(2)?.is_none();
    let name: String = row.get(3)?;
    let log: Option<i64> = row.get(9)?;
    let sequence: Option<i64> = row.get(10)?;
    let message = PastMessage {
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
    Ok((log.zip(sequence), Item::Message(message)))
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

/// Puts what was lost between the messages to everyone where it is missing.
fn with_holes(connection: &Connection, found: Vec<Placed>) -> rusqlite::Result<Vec<Item>> {
    let Some((log, sequence)) = found.iter().find_map(|(place, _)| *place) else {
        return Ok(found.into_iter().map(|(_, item)| item).collect());
    };
    let holes: Vec<((i64, i64), Item)> = connection
        .prepare_cached(
            "SELECT log, first, last FROM hole WHERE (log, first) > (?1, ?2) ORDER BY log, first",
        )?
        .query_map([log, sequence], |row| {
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
    for (place, item) in found {
        while let Some((_, hole)) = holes.next_if(|(at, _)| place.is_some_and(|place| *at < place))
        {
            items.push(hole);
        }
        items.push(item);
    }
    items.extend(holes.map(|(_, hole)| hole));
    Ok(items)
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
