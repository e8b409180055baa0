use std::fs;
use std::path::Path;

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::history;
use crate::identity::Identity;
use crate::trust::Reason;

/// A machine: a folder, and the client's home in it.
fn machine() -> (TempDir, Home) {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).unwrap();
    (folder, home)
}

fn root() -> Fingerprint {
    Fingerprint::from_spki(b"the school's root")
}

fn passphrase() -> Passphrase {
    Passphrase::new("correct horse".to_owned()).unwrap()
}

fn knows_the_school(home: &Home, host: &str) {
    let store = TrustStore::new(home.clone());
    store.pin(host, 8443, root(), Reason::Confirmed).unwrap();
}

/// Alice's key at the school; made if there is none.
fn alice(home: &Home) -> [u8; 32] {
    Identity::open(home, &root(), "alice").unwrap().public_key()
}

fn write_message(home: &Home, text: &str) {
    let path = home.identity(&root(), "alice").join(history::FILE);
    let connection = Connection::open(path).unwrap();
    connection
        .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS message (text TEXT);")
        .unwrap();
    connection
        .execute("INSERT INTO message VALUES (?1)", [text])
        .unwrap();
}

fn messages(home: &Home) -> Vec<String> {
    let path = home.identity(&root(), "alice").join(history::FILE);
    let connection = Connection::open(path).unwrap();
    let mut query = connection.prepare("SELECT text FROM message").unwrap();
    let rows = query.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn alice_moves_to_another_machine_and_back_with_her_messages() {
    let (old_folder, old) = machine();
    knows_the_school(&old, "school.example");
    let key = alice(&old);
    write_message(&old, "from the old machine");
    let file = old_folder.path().join("alice.age");
    export(&old, &root(), "alice", &file, passphrase()).unwrap();

    // Retired here: nobody uses it, and it says so.
    let refused = Identity::open(&old, &root(), "alice").unwrap_err();
    assert!(
        matches!(&refused, IdentityError::Retired { name } if name == "alice"),
        "{refused}"
    );
    assert_eq!(list(&old).unwrap()[0].standing, Standing::Retired);
    let again = old_folder.path().join("again.age");
    assert!(matches!(
        export(&old, &root(), "alice", &again, passphrase()),
        Err(MoveError::Identity(IdentityError::Retired { .. }))
    ));
    assert!(!again.exists());

    let (new_folder, new) = machine();
    let imported = import(&new, &file, passphrase()).unwrap();
    assert_eq!(imported.name, "alice");
    assert_eq!(imported.servers, ["school.example:8443"]);
    assert!(!imported.was_here);
    assert_eq!(alice(&new), key);
    assert_eq!(messages(&new), ["from the old machine"]);

    // And back, with what came meanwhile.
    write_message(&new, "from the new machine");
    let back = new_folder.path().join("back.age");
    export(&new, &root(), "alice", &back, passphrase()).unwrap();
    assert!(!import(&old, &back, passphrase()).unwrap().was_here);
    assert_eq!(alice(&old), key);
    assert_eq!(
        messages(&old),
        ["from the old machine", "from the new machine"]
    );
    // Once more changes nothing.
    write_message(&old, "later");
    assert!(import(&old, &back, passphrase()).unwrap().was_here);
    assert_eq!(messages(&old).len(), 3);
    assert_eq!(list(&old).unwrap()[0].standing, Standing::Free);
}

#[test]
fn the_same_file_brings_a_retired_name_back() {
    let (folder, home) = machine();
    let key = alice(&home);
    let file = folder.path().join("alice.age");
    export(&home, &root(), "alice", &file, passphrase()).unwrap();
    import(&home, &file, passphrase()).unwrap();
    assert_eq!(alice(&home), key);
    let inside = home::entries(&home.identity(&root(), "alice")).unwrap();
    let inside: Vec<_> = inside.iter().map(|entry| entry.file_name()).collect();
    assert_eq!(inside, ["key", "lock"]);
}

#[test]
fn the_file_is_private_and_tells_nothing() {
    let (folder, home) = machine();
    knows_the_school(&home, "school.example");
    alice(&home);
    let key = fs::read(home.identity(&root(), "alice").join("key")).unwrap();
    let file = folder.path().join("alice.age");
    export(&home, &root(), "alice", &file, passphrase()).unwrap();
    let content = fs::read(&file).unwrap();
    for secret in [&b"alice"[..], b"school.example", &key[..60]] {
        assert!(!content.windows(secret.len()).any(|part| part == secret));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn what_is_not_the_file_or_not_whole_is_refused_and_nothing_is_made() {
    let (folder, home) = machine();
    alice(&home);
    write_message(&home, &"long ".repeat(20_000));
    let file = folder.path().join("alice.age");
    export(&home, &root(), "alice", &file, passphrase()).unwrap();
    let whole = fs::read(&file).unwrap();

    let (_new_folder, new) = machine();
    let opened = |content: &[u8], with: &str| {
        let path = folder.path().join("other.age");
        fs::write(&path, content).unwrap();
        let error = import(&new, &path, Passphrase::new(with.to_owned()).unwrap()).unwrap_err();
        assert_eq!(list(&new).unwrap(), []);
        error
    };
    let right = "correct horse";
    assert!(matches!(
        opened(&whole, "wrong horse"),
        MoveError::WrongPassphrase { .. }
    ));
    let cut = opened(&whole[..whole.len() - 1], right);
    assert!(matches!(cut, MoveError::Damaged { .. }), "{cut}");
    let cut = opened(&whole[..150], right);
    assert!(matches!(cut, MoveError::Damaged { .. }), "{cut}");
    let mut changed = whole.clone();
    let last = changed.len() - 20;
    changed[last] ^= 1;
    let changed = opened(&changed, right);
    assert!(matches!(changed, MoveError::Damaged { .. }), "{changed}");
    for foreign in [&b""[..], b"hello", &[0; 300]] {
        let error = opened(foreign, right);
        assert!(
            matches!(error, MoveError::Foreign { .. } | MoveError::Damaged { .. }),
            "{error}"
        );
    }
    let missing = import(&new, Path::new("/nowhere/alice.age"), passphrase()).unwrap_err();
    assert!(matches!(missing, MoveError::File { .. }), "{missing}");
}

#[test]
fn another_s_age_file_and_a_later_version_are_named_as_what_they_are() {
    let (folder, home) = machine();
    let open = |content: &str| {
        let path = folder.path().join("file.age");
        let mut recipient = age::scrypt::Recipient::new("correct horse".to_owned().into());
        recipient.set_work_factor(2);
        fs::write(&path, age::encrypt(&recipient, content.as_bytes()).unwrap()).unwrap();
        import(&home, &path, passphrase()).unwrap_err()
    };
    let note = open("a note to myself\n");
    assert!(matches!(note, MoveError::Foreign { .. }), "{note}");
    let other = open("{\"format\":\"another\",\"version\":1}\n");
    assert!(matches!(other, MoveError::Foreign { .. }), "{other}");
    let newer = open("{\"format\":\"recado-name\",\"version\":2,\"more\":true}\n");
    assert!(matches!(newer, MoveError::Newer { .. }), "{newer}");
    let damaged = open("{\"format\":\"recado-name\",\"version\":1}\n");
    assert!(matches!(damaged, MoveError::Damaged { .. }), "{damaged}");
    let keyless = format!(
        "{{\"format\":\"recado-name\",\"version\":1,\"name\":\"alice\",\"root\":\"{}\",\"servers\":[]}}\na\nb\nc\n",
        root()
    );
    let keyless = open(&keyless);
    assert!(matches!(keyless, MoveError::Damaged { .. }), "{keyless}");
}

#[test]
fn no_other_key_is_ever_overwritten() {
    let (folder, home) = machine();
    alice(&home);
    let file = folder.path().join("alice.age");
    export(&home, &root(), "alice", &file, passphrase()).unwrap();
    let (_other_folder, other) = machine();
    let hers = alice(&other);
    let refused = import(&other, &file, passphrase()).unwrap_err();
    assert!(matches!(refused, MoveError::AnotherKey { .. }), "{refused}");
    assert_eq!(alice(&other), hers);
}

#[test]
fn a_name_in_use_stays_and_an_existing_file_stays() {
    let (folder, home) = machine();
    let file = folder.path().join("alice.age");
    let open = Identity::open(&home, &root(), "alice").unwrap();
    assert_eq!(list(&home).unwrap()[0].standing, Standing::InUse);
    let refused = export(&home, &root(), "alice", &file, passphrase()).unwrap_err();
    assert!(
        matches!(refused, MoveError::Identity(IdentityError::InUse { .. })),
        "{refused}"
    );
    drop(open);
    fs::write(&file, "mine").unwrap();
    let refused = export(&home, &root(), "alice", &file, passphrase()).unwrap_err();
    assert!(matches!(refused, MoveError::FileExists { .. }), "{refused}");
    assert_eq!(fs::read(&file).unwrap(), b"mine");
    assert_eq!(home::entries(folder.path()).unwrap().len(), 2);
    alice(&home);
}

#[test]
fn a_server_known_by_another_root_stays_as_it_is() {
    let (folder, home) = machine();
    knows_the_school(&home, "localhost");
    knows_the_school(&home, "school.example");
    alice(&home);
    let file = folder.path().join("alice.age");
    export(&home, &root(), "alice", &file, passphrase()).unwrap();
    let (_other_folder, other) = machine();
    let store = TrustStore::new(other.clone());
    let theirs = Fingerprint::from_spki(b"another school");
    store
        .pin("school.example", 8443, theirs, Reason::Confirmed)
        .unwrap();
    let imported = import(&other, &file, passphrase()).unwrap();
    // This machine's own address means another machine there.
    assert_eq!(imported.servers, [""; 0]);
    assert_eq!(imported.conflicts.len(), 1);
    assert_eq!(store.list().unwrap()[0].root, theirs);
    alice(&other);
}

#[test]
fn a_retired_name_goes_where_its_server_s_names_go() {
    let (folder, home) = machine();
    knows_the_school(&home, "school.example");
    alice(&home);
    let file = folder.path().join("alice.age");
    export(&home, &root(), "alice", &file, passphrase()).unwrap();
    let store = TrustStore::new(home.clone());
    let new = Fingerprint::from_spki(b"a new root");
    let replaced = store.replace(&"school.example".parse().unwrap(), new);
    assert_eq!(replaced.unwrap().carried, ["alice"]);
    let names = list(&home).unwrap();
    assert_eq!(names.len(), 1);
    assert_eq!((names[0].root, names[0].standing), (new, Standing::Retired));
}
