//! Frames there and back, and what is refused.

use proptest::prelude::*;

use super::*;
use crate::framing::FrameSplitter;
use crate::id::{KeyPackageReference, OfferId, StoreId};
use crate::limits::MAX_KEY_PACKAGES;
use crate::relay::RelayToken;

fn person_named(name: &str) -> Person {
    Person {
        name: name.into(),
        key: RemoteKey::from_bytes([7; 32]),
    }
}

fn global(text: &str) -> GlobalMessage {
    GlobalMessage {
        id: MessageId::from_bytes([1; 16]),
        sent_at_ms: -5,
        text: text.into(),
        signature: Signature::from_bytes([2; 64]),
    }
}

fn client_round_trip(frame: ClientFrame) {
    let mut bytes = Vec::new();
    frame.clone().encode(&mut bytes).unwrap();
    assert_eq!(ClientFrame::decode(&bytes[4..]).unwrap(), Some(frame));
}

fn server_round_trip(frame: ServerFrame) {
    let mut bytes = Vec::new();
    frame.clone().encode(&mut bytes).unwrap();
    assert_eq!(ServerFrame::decode(&bytes[4..]).unwrap(), Some(frame));
}

#[test]
fn every_client_frame_goes_there_and_back() {
    client_round_trip(ClientFrame::Hello(Hello {
        version_min: 1,
        version_max: 2,
        name: "Conceição".into(),
        software: "recado 0.1.0".into(),
        ticket: Some(crate::ticket::TicketSecret::from_bytes([9; 16])),
    }));
    client_round_trip(ClientFrame::DatagramConfirm(vec![3; 16]));
    for key in [None, Some(RemoteKey::from_bytes([7; 32]))] {
        client_round_trip(ClientFrame::OpenLane(OpenLane {
            lane: 1,
            store: StoreId::from_bytes([8; 16]),
            to: "B".into(),
            key,
            lowest: 3,
        }));
    }
    client_round_trip(ClientFrame::Private(PrivateMessage {
        lane: 1,
        number: 3,
        id: MessageId::from_bytes([1; 16]),
        sent_at_ms: i64::MAX,
        envelope: vec![1, 2, 3],
    }));
    client_round_trip(ClientFrame::OutcomesNoted(OutcomesNoted {
        lane: 1,
        up_to: 2,
    }));
    client_round_trip(ClientFrame::Acknowledge(Acknowledge {
        lane: 2,
        up_to: u64::MAX,
        unreadable: vec![1, 300],
    }));
    client_round_trip(ClientFrame::Block(Block {
        name: "B".into(),
        blocked: true,
    }));
    client_round_trip(ClientFrame::RelayRequest(RelayRequest {
        offer: OfferId::from_bytes([4; 16]),
        peer: RemoteKey::from_bytes([7; 32]),
    }));
    client_round_trip(ClientFrame::Ping);
    client_round_trip(ClientFrame::Pong);
    client_round_trip(ClientFrame::Global(global("Olá, todos!")));
    client_round_trip(ClientFrame::GlobalRequest(vec![Range {
        first: 1,
        last: u64::MAX,
    }]));
    client_round_trip(ClientFrame::DatagramsLost);
    client_round_trip(ClientFrame::DatagramProbe);
    client_round_trip(ClientFrame::ListKeyPackages);
    client_round_trip(ClientFrame::TakeKeyPackage(7));
    for last_resort in [None, Some(stored_key_package(9))] {
        client_round_trip(ClientFrame::PutKeyPackages(PutKeyPackages {
            packages: vec![stored_key_package(1), stored_key_package(2)],
            last_resort,
            replaces: true,
        }));
    }
}

fn stored_key_package(number: u8) -> StoredKeyPackage {
    StoredKeyPackage {
        reference: KeyPackageReference::from_bytes([number; 16]),
        package: vec![number; 450],
    }
}

#[test]
fn every_server_frame_goes_there_and_back() {
    server_round_trip(ServerFrame::Welcome(Welcome {
        version: 1,
        session: SessionId::from_bytes([4; 16]),
        connection: ConnectionId(u64::MAX),
        datagram_check: vec![5; 16],
        name: "A".into(),
        log: LogId::from_bytes([6; 8]),
        log_sequence: 9,
    }));
    server_round_trip(ServerFrame::Refused(Refused {
        code: RefusalCode::NameConfusable,
        rule: String::new(),
        resembles: "Al".into(),
        retry_in_ms: 1,
    }));
    let people = vec![person_named("A"), person_named("B")];
    server_round_trip(ServerFrame::Roster(Roster {
        people: people.clone(),
        last: true,
    }));
    server_round_trip(ServerFrame::Presence(Presence {
        joined: people,
        left: vec![],
    }));
    let failures = vec![Failure {
        number: 2,
        code: FailureCode::Expired,
    }];
    server_round_trip(ServerFrame::LaneOpened(LaneOpened {
        lane: 1,
        recipient: person_named("B"),
        accepted: 4,
        accepted_id: Some(MessageId::from_bytes([1; 16])),
        stored: 4,
        settled: 3,
        failures: failures.clone(),
    }));
    server_round_trip(ServerFrame::LaneRefused(LaneRefused {
        lane: 1,
        code: LaneRefusalCode::OtherKey,
        holder: Some(person_named("B")),
        retry_in_ms: 0,
    }));
    server_round_trip(ServerFrame::LaneProgress(LaneProgress {
        lane: 1,
        stored: 5,
        settled: 3,
        failures,
    }));
    server_round_trip(ServerFrame::PrivateRefused(PrivateRefused {
        lane: 1,
        expected: 6,
        code: PrivateRefusalCode::MailboxFull,
        retry_in_ms: 1000,
    }));
    server_round_trip(ServerFrame::IncomingLane(IncomingLane {
        lane: 1,
        from: person_named("A"),
        store: StoreId::from_bytes([8; 16]),
        settled: 0,
    }));
    for dropped in [None, Some(FailureCode::Expired)] {
        server_round_trip(ServerFrame::Private(IncomingPrivate {
            lane: 1,
            number: 1,
            id: MessageId::from_bytes([1; 16]),
            sent_at_ms: 0,
            envelope: vec![1, 2, 3],
            dropped,
        }));
    }
    server_round_trip(ServerFrame::Blocked(Blocked {
        name: "B".into(),
        blocked: true,
        done: true,
    }));
    server_round_trip(ServerFrame::GlobalTaken(MessageId::from_bytes([1; 16])));
    server_round_trip(ServerFrame::RelayGranted(RelayGranted {
        offer: OfferId::from_bytes([4; 16]),
        token: RelayToken::from_bytes([5; 32]),
    }));
    server_round_trip(ServerFrame::RelayRefused(RelayRefused {
        offer: OfferId::from_bytes([4; 16]),
        code: RelayRefusalCode::Alone,
        retry_in_ms: 5,
    }));
    server_round_trip(ServerFrame::Ping);
    server_round_trip(ServerFrame::Pong);
    server_round_trip(ServerFrame::Global(IncomingGlobal {
        sequence: 1,
        from: person_named("A"),
        message: global("Olá, todos!"),
    }));
    server_round_trip(ServerFrame::Closing(Closing {
        code: ClosingCode::TakenOver,
        detail: "another session".into(),
    }));
    server_round_trip(ServerFrame::GlobalHead(u64::MAX));
    server_round_trip(ServerFrame::GlobalGone(Range { first: 3, last: 3 }));
    server_round_trip(ServerFrame::GlobalHistory(vec![IncomingGlobal {
        sequence: 1,
        from: person_named("A"),
        message: global("Olá, todos!"),
    }]));
    server_round_trip(ServerFrame::GlobalRefused(GlobalRefused {
        id: MessageId::from_bytes([1; 16]),
        retry_in_ms: 20,
        code: GlobalRefusalCode::Muted,
    }));
    server_round_trip(ServerFrame::ProbeHeard(7));
    server_round_trip(ServerFrame::PathUnconfirmed);
    for last_resort in [None, Some(KeyPackageReference::from_bytes([9; 16]))] {
        server_round_trip(ServerFrame::KeyPackagesHeld(KeyPackagesHeld {
            references: vec![KeyPackageReference::from_bytes([1; 16])],
            last_resort,
            retry_in_ms: 0,
        }));
    }
    server_round_trip(ServerFrame::KeyPackagesLow(3));
    server_round_trip(ServerFrame::KeyPackage(KeyPackage {
        lane: 1,
        package: vec![1, 2, 3],
        last_resort: true,
    }));
    server_round_trip(ServerFrame::KeyPackageRefused(KeyPackageRefused {
        lane: 1,
        code: KeyPackageRefusalCode::None,
        retry_in_ms: 1000,
    }));
    server_round_trip(ServerFrame::KeyPackagesReady(1));
}

#[test]
fn datagrams_go_there_and_back() {
    let datagram = ClientDatagram::Probe(Probe {
        nonce: 1,
        challenge: u64::MAX,
        report: true,
    });
    let read = ClientDatagram::decode(&datagram.clone().encode()).unwrap();
    assert_eq!(read, Some(datagram));
    let datagram = ServerDatagram::ProbeAnswer(ProbeAnswer {
        nonce: 1,
        challenge: 2,
        confirmed: true,
    });
    let read = ServerDatagram::decode(&datagram.clone().encode()).unwrap();
    assert_eq!(read, Some(datagram));
}

#[test]
fn a_body_of_a_later_version_is_ignored() {
    // Field 1000, length-delimited, empty.
    assert!(matches!(ClientFrame::decode(&[0xc2, 0x3e, 0]), Ok(None)));
    assert!(matches!(ServerFrame::decode(&[0xc2, 0x3e, 0]), Ok(None)));
}

#[test]
fn limits_are_held() {
    let backwards = wire::Range { first: 2, last: 1 };
    assert!(matches!(
        Range::try_from(backwards),
        Err(Malformed::Backwards)
    ));
    let mut bytes = Vec::new();
    let range = Range { first: 1, last: 1 };
    let many = ClientFrame::GlobalRequest(vec![range; MAX_RANGES + 1]);
    many.encode(&mut bytes).unwrap();
    assert!(ClientFrame::decode(&bytes[4..]).is_err());
    bytes.clear();
    let long = "x".repeat(MAX_TEXT + 1);
    ClientFrame::Global(global(&long))
        .encode(&mut bytes)
        .unwrap();
    let refused = ClientFrame::decode(&bytes[4..]);
    assert!(matches!(
        refused,
        Err(Malformed::TooLong { field: "text", .. })
    ));

    bytes.clear();
    let many = PutKeyPackages {
        packages: vec![stored_key_package(1); MAX_KEY_PACKAGES + 1],
        last_resort: None,
        replaces: false,
    };
    ClientFrame::PutKeyPackages(many)
        .encode(&mut bytes)
        .unwrap();
    assert!(ClientFrame::decode(&bytes[4..]).is_err());

    bytes.clear();
    let full = Roster {
        people: vec![person_named(&"\u{10348}".repeat(32)); MAX_PEOPLE_PER_FRAME],
        last: false,
    };
    server_round_trip(ServerFrame::Roster(full));
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = ClientFrame::decode(&bytes);
        let _ = ServerFrame::decode(&bytes);
        let _ = ClientDatagram::decode(&bytes);
        let _ = ServerDatagram::decode(&bytes);
        let _ = FrameSplitter::default().push(&bytes, |frame| {
            ClientFrame::decode(frame).map(drop)
        });
    }
}
