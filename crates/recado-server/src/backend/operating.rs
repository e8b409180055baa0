//! What the operator decides, written down.

use recado_hub::{
    Ban, BanTarget, Banned, Counts, Decisions, Invite, InviteNumber, KEEP_EXPIRED, Limit,
    MAX_INVITES, MAX_RESTRICTIONS, Mute, NameRecord, NewInvite, OperatorError, OperatorRecord,
    OperatorRequest, Who,
};
use recado_proto::frame::Person;
use recado_proto::id::RemoteKey;
use recado_proto::name::{Name, NameKeys};
use rusqlite::types::Type;
use rusqlite::{OptionalExtension, Row, ToSql, Transaction, params};

use super::database::Clock;
use super::key_packages;
use super::mail::{self, id, integer, number};
use super::names;

/// Does what the operator wants; or says why not.
type Outcome<T> = rusqlite::Result<Result<T, OperatorError>>;

/// Pages that a request writes, about; none if it only reads.
pub(super) fn pages_of(request: &OperatorRequest) -> usize {
    match request {
        OperatorRequest::Find(_)
        | OperatorRequest::Names { .. }
        | OperatorRequest::Count
        | OperatorRequest::Invites => 0,
        // What waits for one who is gone may be a whole mailbox.
        OperatorRequest::Ban(_) | OperatorRequest::Release(_) => 1_000,
        _ => 4,
    }
}

/// What was decided.
pub(super) fn decisions(transaction: &Transaction<'_>) -> rusqlite::Result<Decisions> {
    let mut decisions = Decisions::default();
    let mut statement = transaction.prepare_cached(
        "SELECT coalesce(n.shown, ''), b.key, b.since FROM banned_key b LEFT JOIN name n USING (key) ORDER BY b.key",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let banned = Banned::Key(person(row)?);
        let since = number(row, 2)?;
        decisions.bans.push(Ban { banned, since });
    }
    let mut statement =
        transaction.prepare_cached("SELECT shown, since FROM banned_name ORDER BY folded")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let banned = Banned::Name(row.get(0)?);
        let since = number(row, 1)?;
        decisions.bans.push(Ban { banned, since });
    }
    let mut networks = Vec::new();
    let mut statement = transaction.prepare_cached("SELECT network, since FROM banned_network")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let text: String = row.get(0)?;
        let network: ipnet::IpNet = text.parse().map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error))
        })?;
        networks.push((network, number(row, 1)?));
    }
    networks.sort_unstable();
    let networks = networks.into_iter().map(|(network, since)| Ban {
        banned: Banned::Network(network),
        since,
    });
    decisions.bans.extend(networks);
    let mut statement = transaction.prepare_cached(
        "SELECT coalesce(n.shown, ''), m.key, m.since FROM muted m LEFT JOIN name n USING (key) ORDER BY m.key",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (person, since) = (person(row)?, number(row, 2)?);
        decisions.mutes.push(Mute { person, since });
    }
    let mut statement = transaction.prepare_cached("SELECT name, value FROM limit_set")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        // One of a later version is passed over.
        if let Some(limit) = Limit::parse(&name) {
            decisions.limits.push((limit, number(row, 1)?));
        }
    }
    decisions.limits.sort_unstable();
    Ok(decisions)
}

/// Does what the operator wants.
pub(super) fn operate(
    transaction: &Transaction<'_>,
    clock: Clock,
    request: &OperatorRequest,
) -> Outcome<OperatorRecord> {
    Ok(match request {
        OperatorRequest::Find(who) => match find(transaction, who)? {
            Some(person) if !person.name.is_empty() => Ok(OperatorRecord::Found(person)),
            _ => Err(OperatorError::NoSuchName),
        },
        OperatorRequest::Ban(target) => return ban(transaction, clock, target),
        OperatorRequest::Unban(target) => match unban(transaction, target)? {
            Some(banned) => Ok(OperatorRecord::Unbanned(banned)),
            None => Err(OperatorError::NotBanned),
        },
        OperatorRequest::Mute(who) => match find(transaction, who)? {
            Some(person) => {
                let since = insert(transaction, &MUTED, &[person.key.as_bytes()], clock)?;
                since.map(|since| OperatorRecord::Muted(Mute { person, since }))
            }
            None => Err(OperatorError::NoSuchName),
        },
        OperatorRequest::Unmute(who) => match find(transaction, who)? {
            Some(person) if remove(transaction, &MUTED, person.key.as_bytes())? => {
                Ok(OperatorRecord::Unmuted(person))
            }
            Some(_) => Err(OperatorError::NotMuted),
            None => Err(OperatorError::NoSuchName),
        },
        OperatorRequest::Release(folded) => match names::release(transaction, folded)? {
            Some(person) => {
                let dropped = mail::discard_all(transaction, &person.key)?;
                Ok(OperatorRecord::Released { person, dropped })
            }
            None => Err(OperatorError::NoSuchName),
        },
        OperatorRequest::SetLimit { limit, value } => {
            let (limit, value) = (*limit, *value);
            set_limit(transaction, limit, value)?;
            Ok(OperatorRecord::LimitSet { limit, value })
        }
        OperatorRequest::Names { after, most } => Ok(OperatorRecord::Names(names_after(
            transaction,
            after,
            *most,
        )?)),
        OperatorRequest::Count => Ok(OperatorRecord::Counted(count(transaction, clock)?)),
        OperatorRequest::Invite(invite) => return make_invite(transaction, clock, invite),
        OperatorRequest::Invites => Ok(OperatorRecord::Invites(invites(transaction, clock)?)),
        OperatorRequest::Revoke(invite) => {
            let removed = transaction
                .prepare_cached("DELETE FROM invite WHERE invite = ?1")?
                .execute([integer(invite.0)])?;
            match removed {
                0 => Err(OperatorError::NoSuchInvite),
                _ => Ok(OperatorRecord::Revoked(*invite)),
            }
        }
    })
}

/// A table of what is banned or muted, by its key columns, the first of which is unique.
struct Restriction {
    table: &'static str,
    columns: &'static str,
    first: &'static str,
    /// Places for the values of the columns.
    values: &'static str,
}

const MUTED: Restriction = Restriction {
    table: "muted",
    columns: "key",
    first: "key",
    values: "?2",
};

const BANNED_KEY: Restriction = Restriction {
    table: "banned_key",
    ..MUTED
};

const BANNED_NAME: Restriction = Restriction {
    table: "banned_name",
    columns: "folded, shown",
    first: "folded",
    values: "?2, ?3",
};

const BANNED_NETWORK: Restriction = Restriction {
    table: "banned_network",
    columns: "network",
    first: "network",
    values: "?2",
};

/// Writes a restriction down, if there is not one already and there may be one more. Returns since when it stands.
fn insert(
    transaction: &Transaction<'_>,
    restriction: &Restriction,
    values: &[&dyn ToSql],
    clock: Clock,
) -> Outcome<u64> {
    let Restriction {
        table,
        columns,
        first,
        values: places,
    } = restriction;
    let Some(key) = values.first() else {
        return Ok(Err(OperatorError::NotAName));
    };
    let standing = transaction
        .prepare_cached(&format!("SELECT since FROM {table} WHERE {first} = ?1"))?
        .query_row([key], |row| number(row, 0))
        .optional()?;
    if let Some(since) = standing {
        return Ok(Ok(since));
    }
    let count = transaction
        .prepare_cached(&format!("SELECT count(*) FROM {table}"))?
        .query_row([], |row| number(row, 0))?;
    if count >= MAX_RESTRICTIONS as u64 {
        return Ok(Err(OperatorError::TooMany));
    }
    let since = integer(clock.unix);
    let values: Vec<&dyn ToSql> = [&since as &dyn ToSql]
        .into_iter()
        .chain(values.iter().copied())
        .collect();
    transaction
        .prepare_cached(&format!(
            "INSERT INTO {table} (since, {columns}) VALUES (?1, {places})"
        ))?
        .execute(values.as_slice())?;
    Ok(Ok(clock.unix))
}

/// Takes one back. Returns whether it stood.
fn remove(
    transaction: &Transaction<'_>,
    restriction: &Restriction,
    key: impl ToSql,
) -> rusqlite::Result<bool> {
    let Restriction { table, first, .. } = restriction;
    let removed = transaction
        .prepare_cached(&format!("DELETE FROM {table} WHERE {first} = ?1"))?
        .execute([key])?;
    Ok(removed > 0)
}

fn ban(transaction: &Transaction<'_>, clock: Clock, target: &BanTarget) -> Outcome<OperatorRecord> {
    let banned = match target {
        BanTarget::Network(network) => Banned::Network(*network),
        BanTarget::Key(key) => Banned::Key(person_of(transaction, key)?),
        BanTarget::Name(name) => {
            let folded = NameKeys::of(name).folded;
            match (find(transaction, &Who::Name(folded))?, Name::parse(name)) {
                (Some(person), _) => Banned::Key(person),
                (None, Ok(name)) => Banned::Name(name.to_string()),
                (None, Err(_)) => return Ok(Err(OperatorError::NotAName)),
            }
        }
    };
    let since = match &banned {
        Banned::Key(person) => insert(transaction, &BANNED_KEY, &[person.key.as_bytes()], clock)?,
        Banned::Name(name) => {
            let folded = NameKeys::of(name).folded;
            insert(transaction, &BANNED_NAME, &[&folded, name], clock)?
        }
        Banned::Network(network) => {
            let network = network.to_string();
            insert(transaction, &BANNED_NETWORK, &[&network], clock)?
        }
    };
    let since = match since {
        Ok(since) => since,
        Err(error) => return Ok(Err(error)),
    };
    let dropped = match &banned {
        Banned::Key(person) => {
            key_packages::discard_all(transaction, &person.key)?;
            mail::discard_all(transaction, &person.key)?
        }
        Banned::Name(_) | Banned::Network(_) => Vec::new(),
    };
    let ban = Ban { banned, since };
    Ok(Ok(OperatorRecord::Banned { ban, dropped }))
}

fn unban(transaction: &Transaction<'_>, target: &BanTarget) -> rusqlite::Result<Option<Banned>> {
    match target {
        BanTarget::Network(network) => {
            let was = remove(transaction, &BANNED_NETWORK, network.to_string())?;
            Ok(was.then_some(Banned::Network(*network)))
        }
        BanTarget::Key(key) => {
            let was = remove(transaction, &BANNED_KEY, key.as_bytes())?;
            let person = person_of(transaction, key)?;
            Ok(was.then_some(Banned::Key(person)))
        }
        BanTarget::Name(name) => {
            let folded = NameKeys::of(name).folded;
            if let Some(person) = find(transaction, &Who::Name(folded.clone()))?
                && remove(transaction, &BANNED_KEY, person.key.as_bytes())?
            {
                return Ok(Some(Banned::Key(person)));
            }
            transaction
                .prepare_cached("DELETE FROM banned_name WHERE folded = ?1 RETURNING shown")?
                .query_row([folded], |row| Ok(Banned::Name(row.get(0)?)))
                .optional()
        }
    }
}

fn set_limit(
    transaction: &Transaction<'_>,
    limit: Limit,
    value: Option<u64>,
) -> rusqlite::Result<()> {
    match value {
        Some(value) => transaction
            .prepare_cached(
                "INSERT INTO limit_set (name, value) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            )?
            .execute(params![limit.as_str(), integer(value)])?,
        None => transaction
            .prepare_cached("DELETE FROM limit_set WHERE name = ?1")?
            .execute([limit.as_str()])?,
    };
    Ok(())
}

fn names_after(
    transaction: &Transaction<'_>,
    after: &str,
    most: usize,
) -> rusqlite::Result<Vec<NameRecord>> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let record = |row: &Row<'_>| {
        Ok(NameRecord {
            person: person(row)?,
            folded: row.get(2)?,
            claimed_at: number(row, 3)?,
        })
    };
    transaction
        .prepare_cached(
            "SELECT shown, key, folded, claimed_at FROM name WHERE folded > ?1 ORDER BY folded LIMIT ?2",
        )?
        .query_map(params![after, most], record)?
        .collect()
}

fn count(transaction: &Transaction<'_>, clock: Clock) -> rusqlite::Result<Counts> {
    let count = |table: &str| {
        transaction
            .prepare_cached(&format!("SELECT count(*) FROM {table}"))?
            .query_row([], |row| number(row, 0))
    };
    Ok(Counts {
        names: count("name")?,
        lanes: count("lane")?,
        waiting: count("mailbox")?,
        failures: count("failure")?,
        invites: count("invite")?,
        running: clock.running,
    })
}

fn make_invite(
    transaction: &Transaction<'_>,
    clock: Clock,
    invite: &NewInvite,
) -> Outcome<OperatorRecord> {
    let kept = KEEP_EXPIRED.as_secs();
    transaction
        .prepare_cached("DELETE FROM invite WHERE expires_at <= ?1 OR expires_running <= ?2")?
        .execute(params![
            integer(clock.unix).saturating_sub(integer(kept)),
            integer(clock.running).saturating_sub(integer(kept))
        ])?;
    let count = transaction
        .prepare_cached("SELECT count(*) FROM invite")?
        .query_row([], |row| number(row, 0))?;
    if count >= MAX_INVITES as u64 {
        return Ok(Err(OperatorError::TooMany));
    }
    let lifetime = invite.lifetime.as_secs();
    let expires_at = clock.unix.saturating_add(lifetime);
    let made = transaction
        .prepare_cached(
            "INSERT INTO invite (hash, uses, made_at, expires_at, expires_running)
             VALUES (?1, ?2, ?3, ?4, ?5) RETURNING invite",
        )?
        .query_row(
            params![
                invite.hash.as_bytes(),
                invite.uses,
                integer(clock.unix),
                integer(expires_at),
                integer(clock.running.saturating_add(lifetime))
            ],
            |row| number(row, 0),
        )?;
    Ok(Ok(OperatorRecord::Invited(Invite {
        number: InviteNumber(made),
        uses: invite.uses,
        used: 0,
        made_at: clock.unix,
        expires_at,
        has_expired: lifetime == 0,
    })))
}

fn invites(transaction: &Transaction<'_>, clock: Clock) -> rusqlite::Result<Vec<Invite>> {
    let standing = |row: &Row<'_>| {
        Ok(Invite {
            number: InviteNumber(number(row, 0)?),
            uses: row.get(1)?,
            used: row.get(2)?,
            made_at: number(row, 3)?,
            expires_at: number(row, 4)?,
            has_expired: row.get(5)?,
        })
    };
    transaction
        .prepare_cached(
            "SELECT invite, uses, (SELECT count(*) FROM invite_use u WHERE u.invite = i.invite), made_at,
                 expires_at, expires_at <= ?1 OR expires_running <= ?2 FROM invite i ORDER BY invite",
        )?
        .query_map(
            params![integer(clock.unix), integer(clock.running)],
            standing,
        )?
        .collect()
}

/// Who is meant: one who has the name, or a key, whether it has one or not.
fn find(transaction: &Transaction<'_>, who: &Who) -> rusqlite::Result<Option<Person>> {
    match who {
        Who::Key(key) => person_of(transaction, key).map(Some),
        Who::Name(folded) => transaction
            .prepare_cached("SELECT shown, key FROM name WHERE folded = ?1")?
            .query_row([folded], person)
            .optional(),
    }
}

fn person_of(transaction: &Transaction<'_>, key: &RemoteKey) -> rusqlite::Result<Person> {
    let found = transaction
        .prepare_cached("SELECT shown, key FROM name WHERE key = ?1")?
        .query_row([key.as_bytes()], person)
        .optional()?;
    let (name, key) = (String::new(), *key);
    Ok(found.unwrap_or(Person { name, key }))
}

/// From a name and a key.
fn person(row: &Row<'_>) -> rusqlite::Result<Person> {
    Ok(Person {
        name: row.get(0)?,
        key: id(row, 1)?,
    })
}
