//! Alice and Bob meet servers, known, unknown, changed and false.

use std::sync::{Arc, Mutex};

use super::*;
use crate::home::Home;
use crate::trust::test_server::{Authority, Leaf, TestServer, quick};

/// Alice's computer: what she remembers.
struct Alice {
    _folder: tempfile::TempDir,
    store: TrustStore,
}

impl Alice {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = TrustStore::new(Home::open(folder.path()).unwrap());
        Self {
            _folder: folder,
            store,
        }
    }

    /// Alice types `typed`, which leads to these servers, one a port.
    async fn goes_to(
        &self,
        typed: &str,
        servers: &[&TestServer],
        given: Option<Fingerprint>,
        first_use: FirstUse,
    ) -> Result<Trusted, TrustError> {
        let address: ServerAddress = typed.parse().unwrap();
        let lanes = servers
            .iter()
            .map(|server| Lane::from([server.address]))
            .collect();
        let lanes = std::future::ready(Ok(lanes));
        let limits = Limits::default();
        decide_among(
            lanes,
            &self.store,
            &address,
            given.into(),
            first_use,
            &limits,
        )
        .await
    }

    fn pins(&self) -> Vec<(String, Fingerprint, Reason)> {
        let pins = self.store.list().unwrap();
        pins.iter()
            .map(|pin| (pin.server(), pin.root, pin.reason))
            .collect()
    }
}

async fn serve(authority: &Authority) -> TestServer {
    TestServer::start(&authority.serve(&Leaf::default())).await
}

/// Answers the question, and keeps it.
fn answer(yes: bool) -> (FirstUse, Arc<Mutex<Option<Question>>>) {
    let asked = Arc::new(Mutex::new(None));
    let keep = asked.clone();
    let ask = FirstUse::ask(async move |question| {
        *keep.lock().unwrap() = Some(question);
        yes
    });
    (ask, asked)
}

#[tokio::test]
async fn alice_confirms_a_new_server_once() {
    let school = Authority::new("school");
    let server = serve(&school).await;
    let alice = Alice::new();
    let typed = format!("School:{}", server.address.port());

    let (ask, asked) = answer(true);
    let trusted = alice.goes_to(&typed, &[&server], None, ask).await.unwrap();
    let question = asked.lock().unwrap().take().unwrap();
    assert_eq!(question.fingerprint, school.fingerprint());
    assert_eq!(question.server, typed.to_lowercase());
    assert_eq!(question.address, server.address);
    assert!(question.known_as.is_empty());
    assert_eq!(
        (trusted.rung, trusted.reason),
        (Rung::FirstUse, Reason::Confirmed)
    );
    assert_eq!((trusted.root, trusted.since), (school.fingerprint(), None));
    assert_eq!(
        (trusted.host.as_str(), trusted.port),
        ("school", server.address.port())
    );
    assert!(trusted.notices.is_empty());

    let again = alice
        .goes_to(&typed, &[&server], None, FirstUse::Refuse)
        .await
        .unwrap();
    assert_eq!(
        (again.rung, again.reason),
        (Rung::Pinned, Reason::Confirmed)
    );
    assert!(again.since.is_some());
    assert_eq!(alice.pins().len(), 1);
}

#[tokio::test]
async fn alice_declines_and_nothing_is_remembered() {
    let server = serve(&Authority::new("school")).await;
    let alice = Alice::new();
    let typed = format!("school:{}", server.address.port());
    let (ask, _) = answer(false);
    let error = alice
        .goes_to(&typed, &[&server], None, ask)
        .await
        .unwrap_err();
    assert!(matches!(error, TrustError::Declined { .. }), "{error}");
    assert_eq!(error.exit_code(), 4);
    assert!(alice.pins().is_empty());
}

#[tokio::test]
async fn a_script_refuses_what_is_unknown_unless_told_otherwise() {
    let school = Authority::new("school");
    let server = serve(&school).await;
    let alice = Alice::new();
    let typed = format!("school:{}", server.address.port());

    let error = alice
        .goes_to(&typed, &[&server], None, FirstUse::Refuse)
        .await
        .unwrap_err();
    match &error {
        TrustError::Unknown { fingerprint, .. } => assert_eq!(*fingerprint, school.fingerprint()),
        other => panic!("{other}"),
    }
    assert_eq!(error.exit_code(), 4);
    assert!(
        error
            .to_string()
            .contains(&school.fingerprint().to_string())
    );
    assert!(alice.pins().is_empty());

    let trusted = alice
        .goes_to(&typed, &[&server], None, FirstUse::AcceptNew)
        .await
        .unwrap();
    assert_eq!(
        (trusted.rung, trusted.reason),
        (Rung::FirstUse, Reason::AcceptedNew)
    );
    let fingerprint = school.fingerprint();
    assert_eq!(trusted.notices, [Notice::NewAccepted { fingerprint }]);
    assert_eq!(alice.pins(), [(typed, fingerprint, Reason::AcceptedNew)]);
}

#[tokio::test]
async fn her_own_machine_is_accepted_with_a_notice() {
    let school = Authority::new("school");
    let server = serve(&school).await;
    let alice = Alice::new();
    for host in ["localhost", "127.0.0.1"] {
        // By way of the real resolver.
        let address = format!("{host}:{}", server.address.port()).parse().unwrap();
        let trusted = decide(&alice.store, &address, None, FirstUse::Refuse)
            .await
            .unwrap();
        assert_eq!(trusted.reason, Reason::Loopback);
        assert_eq!(trusted.address, server.address);
        let fingerprint = school.fingerprint();
        assert_eq!(trusted.notices, [Notice::LoopbackAccepted { fingerprint }]);
        let again = decide(&alice.store, &address, None, FirstUse::Refuse)
            .await
            .unwrap();
        assert!(again.notices.is_empty());
        assert_eq!(again.rung, Rung::Pinned);
    }
}

#[tokio::test]
async fn the_question_names_the_server_under_its_other_address() {
    let school = Authority::new("school");
    let server = serve(&school).await;
    let alice = Alice::new();
    alice
        .store
        .pin("school", 443, school.fingerprint(), Reason::Confirmed)
        .unwrap();
    let typed = format!("192.168.1.20:{}", server.address.port());

    let error = alice
        .goes_to(&typed, &[&server], None, FirstUse::Refuse)
        .await
        .unwrap_err();
    assert!(matches!(error, TrustError::Unknown { known_as, .. } if known_as == ["school:443"]));
    let (ask, asked) = answer(true);
    alice.goes_to(&typed, &[&server], None, ask).await.unwrap();
    assert_eq!(
        asked.lock().unwrap().take().unwrap().known_as,
        ["school:443"]
    );
}

#[tokio::test]
async fn a_changed_key_is_refused_whatever_the_policy() {
    let school = Authority::new("school");
    let eve = Authority::new("school");
    let server = serve(&eve).await;
    let alice = Alice::new();
    let port = server.address.port();
    for host in ["school", "localhost"] {
        alice
            .store
            .pin(host, port, school.fingerprint(), Reason::Confirmed)
            .unwrap();
        let typed = format!("{host}:{port}");
        let (ask, asked) = answer(true);
        for policy in [FirstUse::AcceptNew, FirstUse::Refuse, ask] {
            let error = alice
                .goes_to(&typed, &[&server], None, policy)
                .await
                .unwrap_err();
            match &error {
                TrustError::Changed {
                    server,
                    old,
                    new,
                    learned,
                } => {
                    assert_eq!(*server, typed);
                    assert_eq!((*old, *new), (school.fingerprint(), eve.fingerprint()));
                    assert_eq!(*learned, Learned::Presented);
                }
                other => panic!("{other}"),
            }
            assert_eq!(error.exit_code(), 4);
            let text = error.to_string();
            assert!(
                text.contains(&format!("recado trust replace {typed}")),
                "{text}"
            );
            assert!(text.contains(&school.fingerprint().to_string()), "{text}");
            assert!(text.contains(&eve.fingerprint().to_string()), "{text}");
        }
        assert!(asked.lock().unwrap().is_none());
    }
}

#[tokio::test]
async fn after_trust_replace_the_new_key_is_the_known_one() {
    let school = Authority::new("school");
    let server = serve(&school).await;
    let alice = Alice::new();
    let port = server.address.port();
    let old = Authority::new("old").fingerprint();
    alice
        .store
        .pin("127.0.0.1", port, old, Reason::Confirmed)
        .unwrap();

    let address: ServerAddress = format!("127.0.0.1:{port}").parse().unwrap();
    let seen = probe(&address).await.unwrap();
    assert_eq!(
        (seen.root, seen.address),
        (school.fingerprint(), server.address)
    );
    alice.store.replace(&address, seen.root).unwrap();
    let trusted = decide(&alice.store, &address, None, FirstUse::Refuse)
        .await
        .unwrap();
    assert_eq!(
        (trusted.rung, trusted.reason),
        (Rung::Pinned, Reason::Replaced)
    );
}

#[tokio::test]
async fn a_given_root_decides_and_is_remembered() {
    let school = Authority::new("school");
    let server = serve(&school).await;
    let alice = Alice::new();
    let port = server.address.port();
    let pasted = format!("recado://school:{port}/{}", school.fingerprint().to_url());

    let trusted = alice
        .goes_to(&pasted, &[&server], None, FirstUse::Refuse)
        .await
        .unwrap();
    assert_eq!(
        (trusted.rung, trusted.reason, trusted.since),
        (Rung::Pinned, Reason::Given, None)
    );
    assert_eq!(
        alice.pins(),
        [(
            format!("school:{port}"),
            school.fingerprint(),
            Reason::Given
        )]
    );
    let same = Some(school.fingerprint());
    let again = alice
        .goes_to(&pasted, &[&server], same, FirstUse::Refuse)
        .await
        .unwrap();
    assert!(again.since.is_some());
}

#[tokio::test]
async fn a_given_root_that_is_not_the_servers_is_refused() {
    let school = Authority::new("school");
    let eve = Authority::new("eve");
    let server = serve(&eve).await;
    let alice = Alice::new();
    let port = server.address.port();
    let given = Some(school.fingerprint());
    for host in ["school", "localhost"] {
        let typed = format!("{host}:{port}");
        let error = alice
            .goes_to(&typed, &[&server], given, FirstUse::AcceptNew)
            .await;
        let error = error.unwrap_err();
        match &error {
            TrustError::Mismatch { given, found, .. } => {
                assert_eq!((*given, *found), (school.fingerprint(), eve.fingerprint()));
            }
            other => panic!("{other}"),
        }
        assert_eq!(error.exit_code(), 4);
    }
    assert!(alice.pins().is_empty());
}

#[tokio::test]
async fn a_given_root_that_is_not_the_remembered_one_is_a_changed_key() {
    let school = Authority::new("school");
    let other = Authority::new("other");
    let server = serve(&other).await;
    let alice = Alice::new();
    alice
        .store
        .pin("school", 443, school.fingerprint(), Reason::Confirmed)
        .unwrap();
    for typed in ["school", "school:443"] {
        let given = Some(other.fingerprint());
        let error = alice
            .goes_to(typed, &[&server], given, FirstUse::Refuse)
            .await
            .unwrap_err();
        assert!(
            matches!(
                error,
                TrustError::Changed {
                    learned: Learned::Given,
                    ..
                }
            ),
            "{error}"
        );
    }
    // Nobody was contacted.
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn two_given_roots_that_differ_are_wrong_use() {
    let alice = Alice::new();
    let school = Authority::new("school").fingerprint();
    let pasted = format!("recado://school:1/{}", school.to_url());
    let given = Some(Authority::new("other").fingerprint());
    let error = alice
        .goes_to(&pasted, &[], given, FirstUse::Refuse)
        .await
        .unwrap_err();
    assert!(matches!(error, TrustError::Conflict { .. }), "{error}");
    assert_eq!(error.exit_code(), 2);
}

#[tokio::test]
async fn a_web_server_beside_recado_does_not_matter() {
    let school = Authority::new("school");
    let web = TestServer::start(&Authority::serve_selfsigned().speaking(&[b"h2"])).await;
    let careless = TestServer::start(&Authority::serve_selfsigned().speaking(&[])).await;
    let plain = TestServer::answering(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let silent = TestServer::silent().await;
    let recado = serve(&school).await;
    for beside in [&web, &careless, &plain, &silent] {
        let alice = Alice::new();
        let both = [beside, &recado];
        let trusted = alice
            .goes_to("school", &both, None, FirstUse::AcceptNew)
            .await
            .unwrap();
        assert_eq!(trusted.address, recado.address);
        assert_eq!(alice.pins()[0].1, school.fingerprint());
    }
}

#[tokio::test]
async fn without_a_port_the_one_that_proves_a_pin_wins() {
    let school = Authority::new("school");
    let other = Authority::new("other");
    let (right, wrong) = (serve(&school).await, serve(&other).await);
    let alice = Alice::new();
    // Pinned at one of the default ports; now it answers at the other.
    alice
        .store
        .pin("school", 443, school.fingerprint(), Reason::Confirmed)
        .unwrap();
    for servers in [[&wrong, &right], [&right, &wrong]] {
        let trusted = alice
            .goes_to("school", &servers, None, FirstUse::Refuse)
            .await
            .unwrap();
        assert_eq!(
            (trusted.address, trusted.rung),
            (right.address, Rung::Pinned)
        );
    }
    // If the pinned one is away, the other one is a changed key, not a first meeting.
    let error = alice
        .goes_to("school", &[&wrong], None, FirstUse::AcceptNew)
        .await
        .unwrap_err();
    assert!(matches!(error, TrustError::Changed { .. }), "{error}");
}

#[tokio::test]
async fn of_two_known_servers_on_a_host_the_lower_port_wins() {
    let (one, two) = (Authority::new("one"), Authority::new("two"));
    let (first, second) = (serve(&one).await, serve(&two).await);
    let alice = Alice::new();
    alice
        .store
        .pin("school", 443, one.fingerprint(), Reason::Confirmed)
        .unwrap();
    alice
        .store
        .pin("school", 8443, two.fingerprint(), Reason::Confirmed)
        .unwrap();
    for _ in 0..4 {
        let both = [&first, &second];
        let trusted = alice
            .goes_to("school", &both, None, FirstUse::Refuse)
            .await
            .unwrap();
        assert_eq!(trusted.address, first.address);
    }
    // Not by luck: the other one is not even tried.
    assert_eq!(second.connections(), 0);
    let trusted = alice
        .goes_to("school", &[&second], None, FirstUse::Refuse)
        .await
        .unwrap();
    assert_eq!(trusted.root, two.fingerprint());
}

#[tokio::test]
async fn every_address_of_a_host_is_tried() {
    let school = Authority::new("school");
    let server = serve(&school).await;
    let silent = TestServer::silent().await;
    let alice = Alice::new();
    let address: ServerAddress = "school:1".parse().unwrap();
    let refused = SocketAddr::from(([127, 0, 0, 1], 1));
    let lane = Lane::from([silent.address, refused, server.address]);
    let limits = Limits {
        handshake: Duration::from_secs(60),
        ..Limits::default()
    };
    let lanes = std::future::ready(Ok(vec![lane]));
    let trusted = decide_among(
        lanes,
        &alice.store,
        &address,
        Given::default(),
        FirstUse::AcceptNew,
        &limits,
    )
    .await;
    assert_eq!(trusted.unwrap().address, server.address);
}

#[tokio::test]
async fn an_address_that_fails_at_once_costs_no_time() {
    let server = serve(&Authority::new("school")).await;
    let mut lane: Lane = (1..=7)
        .map(|port| SocketAddr::from(([127, 0, 0, 1], port)))
        .collect();
    lane.push_back(server.address);
    let start = Instant::now();
    let (seen, attempts) = race(vec![lane], &Limits::default(), |_| true)
        .await
        .unwrap();
    assert_eq!((seen.len(), attempts.len()), (1, 7));
    assert!(start.elapsed() < STAGGER * 7);
}

#[tokio::test]
async fn what_answers_but_is_not_recado_is_named() {
    let alice = Alice::new();
    let web = TestServer::start(&Authority::serve_selfsigned().speaking(&[b"h2"])).await;
    let plain = TestServer::answering(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    for (server, word) in [(&web, "not recado"), (&plain, "without encryption")] {
        let error = alice
            .goes_to("school", &[server], None, FirstUse::AcceptNew)
            .await;
        let error = error.unwrap_err();
        assert!(matches!(error, TrustError::NotRecado { .. }), "{error}");
        assert!(error.to_string().contains(word), "{error}");
        assert_eq!(error.exit_code(), 3);
    }
    let silent = TestServer::silent().await;
    let address: ServerAddress = "school".parse().unwrap();
    let lanes = std::future::ready(Ok(vec![Lane::from([silent.address])]));
    let limits = quick();
    let error = decide_among(
        lanes,
        &alice.store,
        &address,
        Given::default(),
        FirstUse::AcceptNew,
        &limits,
    );
    let error = error.await.unwrap_err();
    assert!(matches!(error, TrustError::Unreachable { .. }), "{error}");
    assert_eq!(error.exit_code(), 3);
    assert!(alice.pins().is_empty());
}

#[tokio::test]
async fn a_false_recado_is_never_trusted_on_first_use() {
    let school = Authority::new("school");
    let alice = Alice::new();
    let forged = [
        Authority::new("school")
            .serve(&Leaf::default())
            .with_root(&school),
        school.serve(&Leaf {
            names: vec!["localhost"],
            ..Leaf::default()
        }),
        school.serve(&Leaf::default()).with_another_key(),
        school.serve_itself(),
        Authority::serve_selfsigned(),
    ];
    for serving in forged {
        let server = TestServer::start(&serving).await;
        let error = alice
            .goes_to("localhost", &[&server], None, FirstUse::AcceptNew)
            .await;
        let error = error.unwrap_err();
        assert!(
            matches!(error, TrustError::BadCertificate { .. }),
            "{error}"
        );
        assert_eq!(error.exit_code(), 4);
    }
    assert!(alice.pins().is_empty());
}

#[tokio::test]
async fn dates_out_of_order_are_told_and_trusted() {
    let school = Authority::new("school");
    let leaf = Leaf {
        from: 2001,
        until: 2002,
        ..Leaf::default()
    };
    let server = TestServer::start(&school.serve(&leaf)).await;
    let alice = Alice::new();
    let trusted = alice
        .goes_to("school", &[&server], None, FirstUse::AcceptNew)
        .await
        .unwrap();
    let not_after = rcgen::date_time_ymd(2002, 1, 1).into();
    assert!(
        trusted
            .notices
            .contains(&Notice::Dates(DateFault::Expired { not_after }))
    );
}

#[tokio::test]
async fn what_another_process_pinned_meanwhile_decides() {
    let school = Authority::new("school");
    let server = serve(&school).await;
    let alice = Alice::new();
    let (store, port) = (alice.store.clone(), server.address.port());
    let ask = FirstUse::ask(async move |_| {
        let other = Authority::new("other").fingerprint();
        store.pin("school", port, other, Reason::Confirmed).unwrap();
        true
    });
    let error = alice
        .goes_to("school", &[&server], None, ask)
        .await
        .unwrap_err();
    assert!(matches!(error, TrustError::Changed { .. }), "{error}");
    assert_eq!(alice.pins().len(), 1);
}

#[tokio::test]
async fn a_name_without_address_is_unreachable() {
    let alice = Alice::new();
    let address = "name.invalid:1".parse().unwrap();
    let error = decide(&alice.store, &address, None, FirstUse::AcceptNew)
        .await
        .unwrap_err();
    assert!(matches!(&error, TrustError::Unresolved { host, .. } if host == "name.invalid"));
    assert_eq!(error.exit_code(), 3);
}

#[test]
fn deciding_can_be_a_task_of_its_own() {
    fn is_send(_: impl Send) {}
    let alice = Alice::new();
    let address = "school".parse().unwrap();
    is_send(decide(&alice.store, &address, None, FirstUse::Refuse));
}

#[test]
fn families_take_turns_and_lanes_are_bounded() {
    let v4 = |last| SocketAddr::from(([10, 0, 0, last], 443));
    let v6 = |last| SocketAddr::from(([0xfd00, 0, 0, 0, 0, 0, 0, last], 443));
    let mixed = [v6(1), v6(2), v6(1), v4(1)];
    assert_eq!(interleave(mixed.into_iter()), [v6(1), v4(1), v6(2)]);
    assert_eq!(interleave((0..200).map(v4)).len(), MOST_ADDRESSES);
}

#[test]
fn every_error_has_its_exit_code_and_says_what_to_do() {
    let address = SocketAddr::from(([127, 0, 0, 1], 1));
    let attempts = |failure| vec![Attempt { address, failure }];
    let of = |failure| TrustError::from_attempts("school".to_owned(), attempts(failure));
    assert_eq!(of(Failure::Refused).exit_code(), 3);
    assert_eq!(of(Failure::NotTls).exit_code(), 3);
    assert_eq!(
        of(Failure::Certificate(CertificateFault::Forged)).exit_code(),
        4
    );
    let text = of(Failure::Refused).to_string();
    assert!(text.contains("127.0.0.1:1: connection refused"), "{text}");
    assert!(text.contains("check that it is running"), "{text}");
}

#[tokio::test]
async fn who_only_looks_leaves_nothing_behind() {
    let school = Authority::new("school");
    let server = serve(&school).await;
    let alice = Alice::new();
    let look = async |host, given| {
        let typed = format!("{host}:{}", server.address.port());
        alice
            .goes_to(&typed, &[&server], given, FirstUse::OnlyLook)
            .await
    };
    let unknown = look("school", None).await.unwrap_err();
    assert!(matches!(unknown, TrustError::Unknown { .. }), "{unknown}");
    let given = look("school", Some(school.fingerprint())).await.unwrap();
    assert_eq!((given.reason, given.since), (Reason::Given, None));
    let here = look("127.0.0.1", None).await.unwrap();
    assert_eq!((here.reason, here.since), (Reason::Loopback, None));
    assert_eq!(alice.pins(), []);
}
