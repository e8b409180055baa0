//! What Alice's computer remembers, through changes, crashes and damage.

use std::fs;

use super::*;
use crate::identity::Identity;

fn store() -> (tempfile::TempDir, Home, TrustStore) {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).unwrap();
    (folder, home.clone(), TrustStore::new(home))
}

fn address(text: &str) -> ServerAddress {
    text.parse().unwrap()
}

fn root(text: &str) -> Fingerprint {
    Fingerprint::from_spki(text.as_bytes())
}

#[test]
fn a_pin_belongs_to_host_and_port() {
    let (_folder, _home, store) = store();
    store
        .pin("school", 443, root("one"), Reason::Confirmed)
        .unwrap();
    store
        .pin("school", 8443, root("two"), Reason::Given)
        .unwrap();
    store
        .pin("school", 9000, root("three"), Reason::AcceptedNew)
        .unwrap();
    let roots = |text: &str| -> Vec<_> {
        store
            .show(&address(text))
            .unwrap()
            .iter()
            .map(|pin| pin.root)
            .collect()
    };
    assert_eq!(roots("School:443"), [root("one")]);
    assert_eq!(roots("school:9000"), [root("three")]);
    assert_eq!(roots("school"), [root("one"), root("two")]);
    assert!(roots("school:1").is_empty());
    assert!(roots("home").is_empty());
}

#[test]
fn what_is_written_is_read_back() {
    let (_folder, home, store) = store();
    let pin = store
        .pin("::1", 8443, root("one"), Reason::Loopback)
        .unwrap();
    store.set_last_used(&address("school")).unwrap();
    store
        .set_last_used(&address(
            "recado://[::1]:8443/SHA256-47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU/AAAAAAAAAAAAAAAAAAAAAA",
        ))
        .unwrap();
    let other = TrustStore::new(home.clone());
    assert_eq!(other.list().unwrap(), [pin]);
    assert_eq!(other.last_used().unwrap(), Some(address("[::1]:8443")));
    assert_eq!(other.known_as(&root("one")).unwrap(), ["[::1]:8443"]);
    assert!(other.known_as(&root("two")).unwrap().is_empty());
    assert!(
        !fs::read_to_string(home.known_servers())
            .unwrap()
            .contains("secret")
    );
}

#[test]
fn a_pin_is_never_overwritten_in_passing() {
    let (_folder, _home, store) = store();
    let first = store
        .pin("school", 443, root("one"), Reason::Confirmed)
        .unwrap();
    assert_eq!(
        store
            .pin("school", 443, root("one"), Reason::Given)
            .unwrap(),
        first
    );
    let error = store
        .pin("school", 443, root("two"), Reason::AcceptedNew)
        .unwrap_err();
    assert!(matches!(error, StoreError::Conflict { existing } if *existing == first));
    assert_eq!(store.list().unwrap(), [first]);
}

#[test]
fn writers_at_the_same_time_lose_nothing() {
    let (_folder, _home, store) = store();
    std::thread::scope(|scope| {
        for writer in 0..8u16 {
            let store = store.clone();
            scope.spawn(move || {
                for port in 1..=5 {
                    let port = writer * 100 + port;
                    store
                        .pin("school", port, root("one"), Reason::Given)
                        .unwrap();
                }
            });
        }
    });
    assert_eq!(store.list().unwrap().len(), 40);
}

#[test]
fn a_damaged_file_is_reported_and_left_as_it_is() {
    let (_folder, home, store) = store();
    store
        .pin("school", 443, root("one"), Reason::Given)
        .unwrap();
    let whole = fs::read_to_string(home.known_servers()).unwrap();
    let twice = {
        let start = whole.find("    {").unwrap();
        let end = whole.find("    }").unwrap() + 5;
        format!("{},\n{}", &whole[..end], &whole[start..])
    };
    let cases = [
        String::new(),
        "[]".to_owned(),
        whole[..whole.len() / 2].to_owned(),
        whole.replace("SHA256:", "SHA1:"),
        whole.replace("\"school\"", "\"sch ool\""),
        whole.replace("443", "0"),
        whole.replace("given", "because"),
        whole.replace("\"version\": 1", "\"version\": 0"),
        twice,
    ];
    for content in cases {
        fs::write(home.known_servers(), &content).unwrap();
        for error in [
            store.list().unwrap_err(),
            store
                .pin("home", 1, root("two"), Reason::Given)
                .unwrap_err(),
            store.set_last_used(&address("home")).unwrap_err(),
        ] {
            assert!(
                matches!(error, StoreError::Damaged { .. }),
                "{error} for {content}"
            );
        }
        assert_eq!(fs::read_to_string(home.known_servers()).unwrap(), content);
    }
    fs::write(home.known_servers(), r#"{"version": 2, "people": 1}"#).unwrap();
    assert!(matches!(store.list(), Err(StoreError::Newer { .. })));
}

#[test]
fn forgetting_drops_the_pin_and_the_keys() {
    let (_folder, home, store) = store();
    store
        .pin("school", 443, root("one"), Reason::Confirmed)
        .unwrap();
    let alice = Identity::open(&home, &root("one"), "alice").unwrap();
    let error = store.forget(&address("school")).unwrap_err();
    assert!(
        matches!(error, StoreError::Identity(IdentityError::InUse { .. })),
        "{error}"
    );
    assert_eq!(store.list().unwrap().len(), 1);
    let key = alice.public_key();
    drop(alice);

    let forgotten = store.forget(&address("school")).unwrap();
    assert_eq!(forgotten.identities, ["alice"]);
    assert_eq!(forgotten.pins.len(), 1);
    assert!(store.list().unwrap().is_empty());
    assert!(home::entries(&home.servers()).unwrap().is_empty());
    assert_ne!(
        Identity::open(&home, &root("one"), "alice")
            .unwrap()
            .public_key(),
        key
    );
}

#[test]
fn forgetting_one_address_keeps_the_keys_that_another_uses() {
    let (_folder, home, store) = store();
    store
        .pin("school", 443, root("one"), Reason::Confirmed)
        .unwrap();
    store
        .pin("192.168.1.20", 443, root("one"), Reason::Given)
        .unwrap();
    let key = Identity::open(&home, &root("one"), "alice")
        .unwrap()
        .public_key();
    let forgotten = store.forget(&address("school")).unwrap();
    assert!(forgotten.identities.is_empty());
    assert_eq!(
        Identity::open(&home, &root("one"), "alice")
            .unwrap()
            .public_key(),
        key
    );
}

#[test]
fn an_unknown_server_is_named_with_the_ports_that_are_known() {
    let (_folder, _home, store) = store();
    store
        .pin("school", 9000, root("one"), Reason::Confirmed)
        .unwrap();
    for error in [
        store.forget(&address("school")).unwrap_err(),
        store.replace(&address("school"), root("two")).unwrap_err(),
    ] {
        match error {
            StoreError::NotKnown { server, ports } => {
                assert_eq!(
                    (server.as_str(), ports.as_slice()),
                    ("school", [9000].as_slice())
                );
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn replacing_carries_the_keys_over() {
    let (_folder, home, store) = store();
    store
        .pin("school", 443, root("old"), Reason::Confirmed)
        .unwrap();
    let alice = Identity::open(&home, &root("old"), "alice").unwrap();
    let key = alice.public_key();
    let error = store.replace(&address("school"), root("new")).unwrap_err();
    assert!(
        matches!(error, StoreError::Identity(IdentityError::InUse { .. })),
        "{error}"
    );
    drop(alice);

    let replaced = store.replace(&address("school"), root("new")).unwrap();
    assert_eq!(replaced.old, root("old"));
    assert_eq!(replaced.carried, ["alice"]);
    assert!(replaced.kept.is_empty());
    let pins = store.list().unwrap();
    assert_eq!(
        (pins[0].root, pins[0].reason),
        (root("new"), Reason::Replaced)
    );
    assert_eq!(
        Identity::open(&home, &root("new"), "alice")
            .unwrap()
            .public_key(),
        key
    );
    assert!(
        store
            .replace(&address("school"), root("new"))
            .unwrap()
            .carried
            .is_empty()
    );
}

#[test]
fn replacing_one_of_two_addresses_copies_and_the_other_follows() {
    let (_folder, home, store) = store();
    store
        .pin("school", 443, root("old"), Reason::Confirmed)
        .unwrap();
    store
        .pin("192.168.1.20", 443, root("old"), Reason::Given)
        .unwrap();
    let key = Identity::open(&home, &root("old"), "alice")
        .unwrap()
        .public_key();
    store.replace(&address("school"), root("new")).unwrap();
    assert_eq!(
        Identity::open(&home, &root("old"), "alice")
            .unwrap()
            .public_key(),
        key
    );
    assert_eq!(
        Identity::open(&home, &root("new"), "alice")
            .unwrap()
            .public_key(),
        key
    );
    let replaced = store
        .replace(&address("192.168.1.20"), root("new"))
        .unwrap();
    assert_eq!((replaced.carried.len(), replaced.kept.len()), (1, 0));
}

#[test]
fn replacing_destroys_no_key_that_the_new_root_already_knows() {
    let (_folder, home, store) = store();
    store
        .pin("school", 443, root("old"), Reason::Confirmed)
        .unwrap();
    let old = Identity::open(&home, &root("old"), "alice")
        .unwrap()
        .public_key();
    let new = Identity::open(&home, &root("new"), "alice")
        .unwrap()
        .public_key();
    let replaced = store.replace(&address("school"), root("new")).unwrap();
    assert_eq!(replaced.kept, ["alice"]);
    assert_eq!(
        Identity::open(&home, &root("old"), "alice")
            .unwrap()
            .public_key(),
        old
    );
    assert_eq!(
        Identity::open(&home, &root("new"), "alice")
            .unwrap()
            .public_key(),
        new
    );
}

#[test]
fn an_interrupted_replacement_is_completed_by_the_next() {
    let (_folder, home, store) = store();
    store
        .pin("school", 443, root("old"), Reason::Confirmed)
        .unwrap();
    let alice = Identity::open(&home, &root("old"), "alice")
        .unwrap()
        .public_key();
    let bob = Identity::open(&home, &root("old"), "bob")
        .unwrap()
        .public_key();
    // As after a crash between the two keys: Alice's is moved, the pin is the old one.
    home::create_folder(&home.identities(&root("new"))).unwrap();
    fs::rename(
        home.identity(&root("old"), "alice"),
        home.identity(&root("new"), "alice"),
    )
    .unwrap();
    store.replace(&address("school"), root("new")).unwrap();
    assert_eq!(
        Identity::open(&home, &root("new"), "alice")
            .unwrap()
            .public_key(),
        alice
    );
    assert_eq!(
        Identity::open(&home, &root("new"), "bob")
            .unwrap()
            .public_key(),
        bob
    );
}

#[test]
fn replacing_needs_a_port_when_two_servers_share_a_host() {
    let (_folder, _home, store) = store();
    store
        .pin("school", 443, root("one"), Reason::Confirmed)
        .unwrap();
    store
        .pin("school", 8443, root("two"), Reason::Confirmed)
        .unwrap();
    let error = store.replace(&address("school"), root("new")).unwrap_err();
    assert!(matches!(error, StoreError::Ambiguous { ports, .. } if ports == [443, 8443]));
    store.replace(&address("school:8443"), root("new")).unwrap();
    assert_eq!(
        store.show(&address("school:443")).unwrap()[0].root,
        root("one")
    );
    assert_eq!(
        store.show(&address("school:8443")).unwrap()[0].root,
        root("new")
    );
}
