//! Offers of files in the database: written together with what is said about them, so that neither is without the
//! other, whatever ends in between.

use std::path::{Path, PathBuf};

use recado_engine::Failure;
use recado_engine::files::{OfferFailure, OfferKey, OfferRecord, Standing};
use recado_proto::file::{FileNote, NoteBody};
use recado_proto::id::{MessageId, OfferId};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::outbox::{self, Blob, column, number};
use super::{Database, HistoryError, OutgoingNote};
use crate::session::new_message_id;
use crate::system::{path_bytes, path_of};

/// What is to be written down, in order.
#[derive(Clone, Debug)]
pub(crate) enum OfferWrite {
    /// How an offer stands.
    Save(OfferRecord),
    /// What is to be said to someone.
    Say { to: String, note: FileNote },
}

/// An offer as another process sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OfferView {
    /// How it stands; `None` if nobody has taken it up.
    pub standing: Option<Standing>,
    /// Bytes verified.
    pub done: u64,
}

/// Writes an offer down, for whoever holds the identity to take up. False if there is one of this id.
pub(super) fn enter(transaction: &Transaction<'_>, record: &OfferRecord) -> rusqlite::Result<bool> {
    insert(transaction, record, "entered")
}

fn insert(
    transaction: &Transaction<'_>,
    record: &OfferRecord,
    state: &str,
) -> rusqlite::Result<bool> {
    let offered = FileNote {
        offer: record.key.offer,
        body: NoteBody::Offered(record.offered.clone()),
    };
    let inserted = transaction
        .prepare_cached(
            // The number that it was told under, unless another process has taken that one meanwhile.
            "INSERT OR IGNORE INTO offer (id, came, peer, name, remote, offered, path, snapshot, state, reference, number)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,
                     iif(?11 = 0 OR EXISTS (SELECT 1 FROM offer WHERE number = ?11), NULL, ?11))",
        )?
        .execute(params![
            record.key.offer.as_bytes(),
            record.key.came,
            record.peer,
            record.name,
            record.remote.as_ref().map(|key| key.as_bytes()),
            offered.encode(),
            path_bytes(&record.path),
            record.snapshot,
            state,
            record.reference,
            column(record.number),
        ])?;
    Ok(inserted > 0)
}

/// Writes how an offer stands; one that is new is added.
pub(super) fn save(transaction: &Transaction<'_>, record: &OfferRecord) -> rusqlite::Result<()> {
    let (state, code, hash) = words(record.standing);
    if insert(transaction, record, state)? {
        return Ok(());
    }
    transaction
        .prepare_cached(
            "UPDATE offer SET remote = ?3, path = ?4, state = ?5, code = ?6, hash = coalesce(?7, hash)
             WHERE id = ?1 AND came = ?2",
        )?
        .execute(params![
            record.key.offer.as_bytes(),
            record.key.came,
            record.remote.as_ref().map(|key| key.as_bytes()),
            path_bytes(&record.path),
            state,
            code,
            hash,
        ])?;
    Ok(())
}

fn words(standing: Standing) -> (&'static str, &'static str, Option<[u8; 32]>) {
    match standing {
        Standing::Offered => ("offered", "", None),
        Standing::Accepted => ("accepted", "", None),
        Standing::Received(hash) => ("received", "", Some(hash)),
        Standing::Declined => ("declined", "", None),
        Standing::Cancelled => ("cancelled", "", None),
        Standing::Failed(failure) => ("failed", failure.code(), None),
    }
}

const COLUMNS: &str =
    "number, id, came, peer, name, remote, offered, path, snapshot, state, code, hash, reference";

/// All that are not over, by number; those that only were entered, apart.
pub(super) fn load(
    connection: &Connection,
) -> rusqlite::Result<(Vec<OfferRecord>, Vec<OfferRecord>)> {
    let sql = format!(
        "SELECT {COLUMNS} FROM offer WHERE state IN ('entered', 'offered', 'accepted') ORDER BY number"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([], |row| {
        Ok((row.get::<_, String>("state")? == "entered", read(row)?))
    })?;
    let (mut open, mut entered) = (Vec::new(), Vec::new());
    for row in rows {
        match row? {
            (true, Some(record)) => entered.push(record),
            (false, Some(record)) => open.push(record),
            // It was written by a program that is no recado.
            (_, None) => {}
        }
    }
    Ok((open, entered))
}

fn read(row: &Row<'_>) -> rusqlite::Result<Option<OfferRecord>> {
    let Blob(offer): Blob<OfferId> = row.get("id")?;
    let offered: Vec<u8> = row.get("offered")?;
    let Ok(Some(FileNote {
        body: NoteBody::Offered(offered),
        ..
    })) = FileNote::decode(&offered)
    else {
        return Ok(None);
    };
    let path: Vec<u8> = row.get("path")?;
    Ok(Some(OfferRecord {
        key: OfferKey {
            offer,
            came: row.get("came")?,
        },
        number: number(row.get("number")?),
        peer: row.get("peer")?,
        name: row.get("name")?,
        remote: row.get::<_, Option<Blob<_>>>("remote")?.map(|key| key.0),
        offered,
        path: path_of(&path),
        snapshot: row.get("snapshot")?,
        standing: standing(row)?.unwrap_or(Standing::Offered),
        reference: row.get("reference")?,
    }))
}

fn standing(row: &Row<'_>) -> rusqlite::Result<Option<Standing>> {
    let (state, code): (String, String) = (row.get("state")?, row.get("code")?);
    Ok(match state.as_str() {
        "entered" => None,
        "accepted" => Some(Standing::Accepted),
        "received" => Some(Standing::Received(
            row.get::<_, Option<_>>("hash")?.unwrap_or_default(),
        )),
        "declined" => Some(Standing::Declined),
        "cancelled" => Some(Standing::Cancelled),
        "failed" => Some(Standing::Failed(failure(&code))),
        _ => Some(Standing::Offered),
    })
}

fn failure(code: &str) -> OfferFailure {
    let own = OfferFailure::ALL.into_iter().find(|it| it.code() == code);
    own.unwrap_or_else(|| {
        let messages = Failure::ALL.into_iter().find(|it| it.code() == code);
        OfferFailure::Undelivered(messages.unwrap_or(Failure::Other))
    })
}

/// One offer, over or not.
pub(super) fn find(
    connection: &Connection,
    key: OfferKey,
) -> rusqlite::Result<Option<OfferRecord>> {
    let sql = format!("SELECT {COLUMNS} FROM offer WHERE id = ?1 AND came = ?2");
    let found = connection
        .prepare_cached(&sql)?
        .query_row(params![key.offer.as_bytes(), key.came], read)
        .optional()?;
    Ok(found.flatten())
}

/// How an offer of one's own stands, for a process that looks on.
pub(super) fn view(
    connection: &Connection,
    offer: &OfferId,
) -> rusqlite::Result<Option<OfferView>> {
    connection
        .prepare_cached("SELECT state, code, hash, done FROM offer WHERE id = ?1 AND came = 0")?
        .query_row([offer.as_bytes()], |row| {
            Ok(OfferView {
                standing: standing(row)?,
                done: number(row.get("done")?),
            })
        })
        .optional()
}

/// The number that the next offer gets.
pub(super) fn next_number(connection: &Connection) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("SELECT coalesce(max(number), 0) + 1 FROM offer")?
        .query_row([], |row| row.get(0))
        .map(number)
}

/// So many bytes are verified.
pub(super) fn progress(
    transaction: &Transaction<'_>,
    key: OfferKey,
    done: u64,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("UPDATE offer SET done = ?3 WHERE id = ?1 AND came = ?2")?
        .execute(params![key.offer.as_bytes(), key.came, column(done)])?;
    Ok(())
}

/// Contents are complete, and about to be put in this place.
pub(super) fn choose(
    transaction: &Transaction<'_>,
    key: OfferKey,
    place: &Path,
    hash: &[u8; 32],
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("UPDATE offer SET place = ?3, hash = ?4 WHERE id = ?1 AND came = ?2")?
        .execute(params![
            key.offer.as_bytes(),
            key.came,
            path_bytes(place),
            hash,
        ])?;
    Ok(())
}

/// Where contents were about to be put, and their hash.
pub(super) fn chosen(
    connection: &Connection,
    key: OfferKey,
) -> rusqlite::Result<Option<(PathBuf, [u8; 32])>> {
    let found = connection
        .prepare_cached("SELECT place, hash FROM offer WHERE id = ?1 AND came = ?2")?
        .query_row(params![key.offer.as_bytes(), key.came], |row| {
            let place: Option<Vec<u8>> = row.get(0)?;
            let hash: Option<[u8; 32]> = row.get(1)?;
            Ok(place.map(|place| path_of(&place)).zip(hash))
        })
        .optional()?;
    Ok(found.flatten())
}

/// A process that looks on wants an offer of one's own ended. One that nobody has taken up is over.
pub(super) fn unwant(transaction: &Transaction<'_>, offer: &OfferId) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE offer SET unwanted = 1, state = iif(state = 'entered', 'cancelled', state)
             WHERE id = ?1 AND came = 0",
        )?
        .execute([offer.as_bytes()])?;
    Ok(())
}

/// Those that are to be ended.
pub(super) fn unwanted(connection: &Connection) -> rusqlite::Result<Vec<OfferId>> {
    connection
        .prepare_cached(
            "SELECT id FROM offer WHERE unwanted = 1 AND came = 0 AND state IN ('offered', 'accepted')",
        )?
        .query_map([], |row| row.get(0).map(|Blob(id)| id))?
        .collect()
}

impl Database {
    /// Writes all of it down, in one transaction.
    pub(crate) fn write_offers(
        &mut self,
        now_ms: i64,
        writes: &[OfferWrite],
    ) -> Result<(), HistoryError> {
        let mut ids = Vec::new();
        for write in writes {
            ids.push(match write {
                // A message's state is then told under the offer's id.
                OfferWrite::Say { note, .. } if matches!(note.body, NoteBody::Offered(_)) => {
                    MessageId::from_bytes(*note.offer.as_bytes())
                }
                _ => new_message_id().map_err(|_| HistoryError::Thread)?,
            });
        }
        self.write(|transaction| {
            for (write, id) in writes.iter().zip(&ids) {
                match write {
                    OfferWrite::Save(record) => save(transaction, record)?,
                    OfferWrite::Say { to, note } => {
                        let note = OutgoingNote {
                            id: *id,
                            to: to.clone(),
                            sent_at_ms: now_ms,
                            note: note.encode(),
                            reference: None,
                        };
                        outbox::enter_note(transaction, outbox::FILE, &note)?;
                    }
                }
            }
            Ok(())
        })
    }

    /// Writes down an offer that this process does not make itself, as it does not hold the identity. False if there is
    /// one of this id.
    ///
    /// # Errors
    /// [`HistoryError`]; nothing was written.
    pub fn enter_offer(&mut self, record: &OfferRecord) -> Result<bool, HistoryError> {
        self.write(|transaction| enter(transaction, record))
    }

    /// Has an offer of one's own ended by whoever holds the identity.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn unwant_offer(&mut self, offer: &OfferId) -> Result<(), HistoryError> {
        self.write(|transaction| unwant(transaction, offer))
    }

    /// How an offer of one's own stands.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn view_offer(&self, offer: &OfferId) -> Result<Option<OfferView>, HistoryError> {
        self.read(|connection| view(connection, offer))
    }

    pub(crate) fn load_offers(&self) -> Result<(Vec<OfferRecord>, Vec<OfferRecord>), HistoryError> {
        self.read(load)
    }

    pub(crate) fn find_offer(&self, key: OfferKey) -> Result<Option<OfferRecord>, HistoryError> {
        self.read(|connection| find(connection, key))
    }

    pub(crate) fn next_offer_number(&self) -> Result<u64, HistoryError> {
        self.read(next_number)
    }

    pub(crate) fn note_offer_progress(
        &mut self,
        key: OfferKey,
        done: u64,
    ) -> Result<(), HistoryError> {
        self.write(|transaction| progress(transaction, key, done))
    }

    pub(crate) fn choose_place(
        &mut self,
        key: OfferKey,
        place: &Path,
        hash: &[u8; 32],
    ) -> Result<(), HistoryError> {
        self.write(|transaction| choose(transaction, key, place, hash))
    }

    pub(crate) fn chosen_place(
        &self,
        key: OfferKey,
    ) -> Result<Option<(PathBuf, [u8; 32])>, HistoryError> {
        self.read(|connection| chosen(connection, key))
    }

    pub(crate) fn unwanted_offers(&self) -> Result<Vec<OfferId>, HistoryError> {
        self.read(unwanted)
    }

    /// Changes whenever another connection has committed something.
    pub(crate) fn others(&self) -> Result<i64, HistoryError> {
        self.version()
    }
}

#[cfg(test)]
mod tests {
    use recado_proto::file::Offered;
    use recado_proto::id::RemoteKey;

    use super::*;

    fn record(byte: u8, came: bool) -> OfferRecord {
        OfferRecord {
            key: OfferKey {
                offer: OfferId::from_bytes([byte; 16]),
                came,
            },
            number: 0,
            peer: "bob".to_owned(),
            name: "Bob".to_owned(),
            remote: None,
            offered: Offered {
                name: "férias".to_owned(),
                size: 1 << 40,
                stored: 5,
                folder: None,
            },
            // Not every path is UTF-8.
            path: path_of(b"/home/alice/f\xe9rias"),
            snapshot: [7; 32],
            standing: Standing::Offered,
            reference: Some("7".to_owned()),
        }
    }

    fn database() -> (tempfile::TempDir, Database) {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(folder.path()).unwrap();
        (folder, database)
    }

    #[test]
    fn an_offer_is_read_as_it_was_written_however_it_stands() {
        let (_folder, mut database) = database();
        let mut written = record(1, true);
        written.number = 1;
        for standing in [
            Standing::Offered,
            Standing::Accepted,
            Standing::Declined,
            Standing::Cancelled,
            Standing::Failed(OfferFailure::SourceChanged),
            Standing::Failed(OfferFailure::Undelivered(Failure::UnknownName)),
            Standing::Received([9; 32]),
        ] {
            written.standing = standing;
            written.remote = Some(RemoteKey::from_bytes([3; 32]));
            let save = OfferWrite::Save(written.clone());
            database.write_offers(0, &[save]).unwrap();
            let found = database.find_offer(written.key).unwrap();
            assert_eq!(found.as_ref(), Some(&written));
            let (open, entered) = database.load_offers().unwrap();
            assert_eq!(open.len(), usize::from(!standing.is_over()), "{standing:?}");
            assert_eq!(entered, []);
        }
        assert_eq!(database.next_offer_number().unwrap(), 2);
    }

    #[test]
    fn an_offer_keeps_the_number_that_it_was_told_under() {
        let (_folder, mut database) = database();
        for byte in 1..=3 {
            let mut written = record(byte, false);
            written.number = database.next_offer_number().unwrap();
            assert_eq!(written.number, u64::from(byte));
            for standing in [Standing::Offered, Standing::Accepted, Standing::Accepted] {
                written.standing = standing;
                let save = OfferWrite::Save(written.clone());
                database.write_offers(0, &[save]).unwrap();
            }
            let found = database.find_offer(written.key).unwrap().unwrap();
            assert_eq!(found.number, written.number);
        }
        // Another process was faster: nothing is lost, and both can be told apart.
        let mut late = record(4, true);
        late.number = 3;
        database
            .write_offers(0, &[OfferWrite::Save(late.clone())])
            .unwrap();
        let found = database.find_offer(late.key).unwrap().unwrap();
        assert!(found.number > 3);
    }

    #[test]
    fn what_is_said_is_entered_with_what_it_is_about() {
        let (_folder, mut database) = database();
        let record = record(1, false);
        let say = OfferWrite::Say {
            to: "Bob".to_owned(),
            note: FileNote {
                offer: record.key.offer,
                body: NoteBody::Offered(record.offered.clone()),
            },
        };
        let writes = [OfferWrite::Save(record.clone()), say];
        database.write_offers(5, &writes).unwrap();
        let id = MessageId::from_bytes(*record.key.offer.as_bytes());
        let entered = database.entered(id).unwrap().unwrap();
        assert_eq!(entered.to.as_deref(), Some("Bob"));
    }

    #[test]
    fn another_process_enters_looks_on_and_takes_back() {
        let (_folder, mut database) = database();
        let own = record(1, false);
        let offer = own.key.offer;
        assert_eq!(database.view_offer(&offer).unwrap(), None);
        assert!(database.enter_offer(&own).unwrap());
        assert!(!database.enter_offer(&own).unwrap());
        let view = database.view_offer(&offer).unwrap().unwrap();
        assert_eq!((view.standing, view.done), (None, 0));
        let (open, entered) = database.load_offers().unwrap();
        assert_eq!((open.len(), entered.len()), (0, 1));
        // It is taken up, and goes on.
        let mut taken_up = own.clone();
        taken_up.standing = Standing::Accepted;
        database
            .write_offers(0, &[OfferWrite::Save(taken_up)])
            .unwrap();
        database.note_offer_progress(own.key, 77).unwrap();
        let view = database.view_offer(&offer).unwrap().unwrap();
        assert_eq!((view.standing, view.done), (Some(Standing::Accepted), 77));
        assert_eq!(database.unwanted_offers().unwrap(), []);
        database.unwant_offer(&offer).unwrap();
        assert_eq!(database.unwanted_offers().unwrap(), [offer]);
        // One that nobody has taken up is over at once.
        let other = record(2, false);
        database.enter_offer(&other).unwrap();
        database.unwant_offer(&other.key.offer).unwrap();
        let view = database.view_offer(&other.key.offer).unwrap().unwrap();
        assert_eq!(view.standing, Some(Standing::Cancelled));
        assert_eq!(database.unwanted_offers().unwrap(), [offer]);
    }

    #[test]
    fn the_place_that_was_chosen_is_known_after_a_crash() {
        let (_folder, mut database) = database();
        let record = record(1, true);
        database
            .write_offers(0, &[OfferWrite::Save(record.clone())])
            .unwrap();
        assert_eq!(database.chosen_place(record.key).unwrap(), None);
        let place = path_of(b"/downloads/a (2)");
        database.choose_place(record.key, &place, &[4; 32]).unwrap();
        let chosen = database.chosen_place(record.key).unwrap();
        assert_eq!(chosen, Some((place, [4; 32])));
    }
}
