//! Backups of a folder that is in use, and what is put back of them.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::mpsc;

use recado_hub::{BackendAnswer, BackendRequest, ClaimOutcome, SessionNumber};
use recado_proto::id::RemoteKey;
use recado_proto::name::Name;

use super::*;
use crate::backend::{Backend, BackendEvent};

/// A server's data folder, with its database open.
struct Served {
    folder: Arc<DataFolder>,
    backend: Option<Backend>,
    answers: mpsc::Receiver<BackendAnswer>,
}

impl Served {
    fn open(path: &Path) -> Self {
        let folder = Arc::new(DataFolder::open(path).unwrap());
        folder.create(DATABASE_FILE).unwrap();
        let (sender, answers) = mpsc::channel();
        let backend = Backend::open(&folder.file(DATABASE_FILE), move |event| {
            let BackendEvent::Answers(answers) = event else {
                panic!("broken");
            };
            answers.into_iter().for_each(|it| sender.send(it).unwrap());
        });
        Self {
            folder,
            backend: Some(backend.unwrap()),
            answers,
        }
    }

    fn claim(&self, name: &str, key: u8) -> ClaimOutcome {
        let name = Name::parse(name).unwrap();
        let request = BackendRequest::Claim {
            session: SessionNumber(1),
            keys: name.keys(),
            name,
            key: RemoteKey::from_bytes([key; 32]),
            may_register: true,
            ticket: None,
        };
        self.backend.as_ref().unwrap().submit(request).unwrap();
        match self.answers.recv().unwrap() {
            BackendAnswer::Claimed { outcome, .. } => outcome,
            other => panic!("{other:?}"),
        }
    }

    fn source(&self) -> BackupSource {
        BackupSource::new(self.folder.clone())
    }

    fn close(mut self) {
        self.backend.take().unwrap().close();
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn owned(name: &str) -> ClaimOutcome {
    ClaimOutcome::Owned(name.into())
}

#[test]
fn what_a_server_is_can_be_put_back_elsewhere() {
    let home = tempfile::tempdir().unwrap();
    let server = Served::open(&home.path().join("server"));
    server.folder.write("root.key", "the key").unwrap();
    server.folder.write("root.pem", "the root").unwrap();
    server.claim("Alice", 1);
    let file = home.path().join("backup.db");
    for _ in 0..2 {
        // Also over an older one.
        let length = back_up(&server.source(), &file, || false).unwrap();
        assert_eq!(length, fs::metadata(&file).unwrap().len());
    }
    assert_eq!(mode(&file), 0o600);
    server.claim("Bob", 2);
    server.close();

    let elsewhere = home.path().join("elsewhere");
    let restored = restore(&elsewhere, &file).unwrap();
    assert_eq!((restored.replaced, restored.has_identity), (None, true));
    assert!(restored.made_at.is_some());
    let server = Served::open(&elsewhere);
    let read = |name| server.folder.read(name).unwrap();
    assert_eq!(read("root.key").as_deref(), Some("the key"));
    assert_eq!(read("root.pem").as_deref(), Some("the root"));
    assert_eq!(mode(&server.folder.file("root.key")), 0o600);
    assert_eq!(mode(&server.folder.file(DATABASE_FILE)), 0o600);
    assert_eq!(server.claim("alice", 1), owned("Alice"));
    assert_eq!(server.claim("Bob", 3), ClaimOutcome::Registered);
    server.close();
    let left: Vec<_> = fs::read_dir(&elsewhere)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with('.'))
        .collect();
    assert_eq!(left, [""; 0]);
    // The key is not left over in the database.
    let database = fs::read(elsewhere.join(DATABASE_FILE)).unwrap();
    assert!(!database.windows(7).any(|bytes| bytes == b"the key"));
}

#[test]
fn the_database_that_is_replaced_is_kept_also_if_it_was_not_closed_in_order() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("server");
    let server = Served::open(&path);
    server.claim("Alice", 1);
    let file = home.path().join("backup.db");
    back_up(&server.source(), &file, || false).unwrap();
    server.claim("Bob", 2);
    // The process dies: what it wrote last is in the log.
    let copy = home.path().join("copy");
    fs::create_dir(&copy).unwrap();
    for name in [DATABASE_FILE, "recado.db-wal"] {
        fs::copy(path.join(name), copy.join(name)).unwrap();
    }
    server.close();
    let restored = restore(&copy, &file).unwrap();
    let aside = restored.replaced.unwrap();
    assert!(!copy.join("recado.db-wal").exists());
    let kept = open_to_read(&aside).unwrap();
    let names: i64 = kept
        .query_row("SELECT count(*) FROM name", [], |row| row.get(0))
        .unwrap();
    assert_eq!((names, mode(&aside)), (2, 0o600));
    let server = Served::open(&copy);
    assert_eq!(server.claim("Alice", 1), owned("Alice"));
    server.close();

    // One that cannot be read is kept as it is, with its log.
    fs::write(copy.join(DATABASE_FILE), "nonsense".repeat(1_000)).unwrap();
    fs::write(copy.join("recado.db-wal"), "its log").unwrap();
    let aside = restore(&copy, &file).unwrap().replaced.unwrap();
    let mut log = aside.clone().into_os_string();
    log.push("-wal");
    assert_eq!(fs::read(aside).unwrap(), b"nonsense".repeat(1_000));
    assert_eq!(fs::read(log).unwrap(), b"its log");
    Served::open(&copy).close();
}

#[test]
fn nothing_is_put_back_that_is_no_backup_of_this_server() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("server");
    let server = Served::open(&path);
    server.folder.write("root.key", "the key").unwrap();
    (1..200).for_each(|key| {
        assert_eq!(
            server.claim(&format!("n{key}"), key),
            ClaimOutcome::Registered
        )
    });
    let file = home.path().join("backup.db");
    back_up(&server.source(), &file, || false).unwrap();
    assert!(matches!(
        restore(&path, &file),
        Err(RestoreError::DataFolder(DataFolderError::Locked { .. }))
    ));
    server.close();

    let write = |name: &str, bytes: &[u8]| {
        let path = home.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let bytes = fs::read(&file).unwrap();
    let mut damaged = bytes.clone();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 3_000].fill(0xAA);
    let damaged = write("damaged", &damaged);
    assert!(matches!(
        restore(&path, &damaged),
        Err(RestoreError::Damaged { .. } | RestoreError::Read { .. })
    ));
    for (name, content) in [("text", &b"some text"[..]), ("empty", b"")] {
        let file = write(name, content);
        let restored = restore(&path, &file);
        assert!(
            matches!(restored, Err(RestoreError::NotOurs { .. })),
            "{restored:?}"
        );
    }
    let other = write("other", b"");
    Connection::open(&other)
        .unwrap()
        .execute_batch("CREATE TABLE t (x)")
        .unwrap();
    assert!(matches!(
        restore(&path, &other),
        Err(RestoreError::NotOurs { .. })
    ));
    assert!(matches!(
        restore(&path, &home.path().join("nothing")),
        Err(RestoreError::Read { .. })
    ));
    let later = write("later", &bytes);
    Connection::open(&later)
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    assert!(matches!(
        restore(&path, &later),
        Err(RestoreError::TooNew { found: 99, .. })
    ));
    fs::write(path.join("root.key"), "another key").unwrap();
    assert!(matches!(
        restore(&path, &file),
        Err(RestoreError::OtherServer { .. })
    ));
    // A copy of the database alone is taken too, and leaves the identity as it is.
    let plain = write("plain", &bytes);
    Connection::open(&plain)
        .unwrap()
        .execute_batch("DROP TABLE backup; DROP TABLE backup_file")
        .unwrap();
    let restored = restore(&path, &plain).unwrap();
    assert_eq!((restored.has_identity, restored.made_at), (false, None));
}

#[test]
fn a_backup_overwrites_nothing_but_a_backup_and_is_whole_or_not_there() {
    let home = tempfile::tempdir().unwrap();
    let server = Served::open(&home.path().join("server"));
    let database = server.folder.file(DATABASE_FILE);
    let text = home.path().join("letter.txt");
    fs::write(&text, "dear").unwrap();
    for target in [&database, &text] {
        let made = back_up(&server.source(), target, || false);
        assert!(matches!(made, Err(BackupError::InTheWay { .. })));
    }
    let target = home.path().join("no/such/folder/backup.db");
    let made = back_up(&server.source(), &target, || false);
    assert!(matches!(made, Err(BackupError::Write { .. })));
    // A megabyte or more, so that it takes more than one step.
    for key in 0..=255 {
        server.claim(&format!("x{key}"), key);
    }
    let filler = Connection::open(&database).unwrap();
    filler
        .execute(
            "INSERT INTO meta (key, value) VALUES ('filler', hex(zeroblob(8000000)))",
            [],
        )
        .unwrap();
    let target = home.path().join("backup.db");
    let made = back_up(&server.source(), &target, || true);
    assert!(matches!(made, Err(BackupError::Stopped)));
    assert!(!target.exists());
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 2);
    drop(filler);
    server.close();
    let offline = home.path().join("server");
    assert!(back_up_offline(&offline, &target).unwrap() > 8_000_000);
    let nothing = back_up_offline(&home.path().join("nowhere"), &target);
    assert!(matches!(nothing, Err(BackupError::NothingThere { .. })));
}
