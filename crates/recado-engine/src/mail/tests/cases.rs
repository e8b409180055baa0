//! What a server says, and what comes of it: case by case.

use recado_proto::frame::{LaneRefusalCode, LaneRefused};

use super::*;
use crate::event::WaitReason;

const SECOND: Duration = Duration::from_secs(1);

/// Alice, in a session; her own key packages are confirmed if `has_stock`.
fn alice(has_stock: bool) -> Process {
    let mut alice = Process::new(Database::new(1), false);
    alice.mail.handle_connected(Duration::ZERO);
    alice.drain();
    if has_stock {
        stock(&mut alice);
    }
    alice
}

/// The server has what she puts.
fn stock(alice: &mut Process) {
    let held = |references| {
        ServerFrame::KeyPackagesHeld(KeyPackagesHeld {
            references,
            ..KeyPackagesHeld::default()
        })
    };
    alice.frame(held(Vec::new()));
    alice.commit();
    let put = alice.frames.iter().find_map(|frame| match frame {
        ClientFrame::PutKeyPackages(put) => Some(put.packages[0].reference),
        _ => None,
    });
    alice.frame(held(vec![put.expect("something to put")]));
    alice.frames.clear();
}

impl Process {
    /// Everything that is written down, and what follows from that.
    fn settle(&mut self) {
        while self.committing.is_some() {
            self.commit();
        }
    }

    fn later(&mut self, now: Duration) {
        self.mail.handle_timeout(now);
        self.drain();
        self.settle();
    }

    fn hear(&mut self, now: Duration, frame: ServerFrame) {
        let heard = self.mail.handle_frame(now, frame, || panic!("an old copy"));
        assert_eq!(heard, Ok(None));
        self.drain();
        self.settle();
    }

    /// Her one lane, just opened.
    fn open_lane(&mut self) {
        let opened = LaneOpened {
            lane: 1,
            recipient: person(BOB),
            accepted: 0,
            accepted_id: None,
            stored: 0,
            settled: 0,
            failures: Vec::new(),
        };
        self.hear(Duration::ZERO, ServerFrame::LaneOpened(opened));
    }

    fn asks_for_a_package(&mut self) -> bool {
        let frames = std::mem::take(&mut self.frames);
        frames.contains(&ClientFrame::TakeKeyPackage(1))
    }

    fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }
}

fn refused(code: KeyPackageRefusalCode, retry_in_ms: u64) -> ServerFrame {
    ServerFrame::KeyPackageRefused(KeyPackageRefused {
        lane: 1,
        code,
        retry_in_ms,
    })
}

fn incoming(key: RemoteKey, settled: u64) -> ServerFrame {
    ServerFrame::IncomingLane(IncomingLane {
        lane: 0,
        from: Person {
            name: "Bob".to_owned(),
            key,
        },
        store: StoreId::from_bytes([2; 16]),
        settled,
    })
}

/// Sealed by Bob in his first group, for Alice's first life.
fn message(number: u64) -> ServerFrame {
    let id = MessageId::from_bytes([number as u8; 16]);
    let group = (StoreId::from_bytes([2; 16]), 1);
    ServerFrame::Private(IncomingPrivate {
        lane: 0,
        number,
        id,
        sent_at_ms: 0,
        envelope: seal(group, 0, number, id, false),
        dropped: None,
    })
}

#[test]
fn whoever_has_no_keys_yet_is_asked_again_and_waited_for_aloud_after_a_while() {
    let mut alice = alice(true);
    alice.enter(0);
    alice.open_lane();
    assert!(alice.asks_for_a_package());
    // Who has just come for the first time has some on the way.
    alice.hear(Duration::ZERO, refused(KeyPackageRefusalCode::None, 60_000));
    alice.later(2 * SECOND);
    assert!(!alice.asks_for_a_package());
    alice.later(3 * SECOND);
    assert!(alice.asks_for_a_package());
    assert_eq!(alice.take_events(), []);
    alice.hear(3 * SECOND, refused(KeyPackageRefusalCode::None, 60_000));
    let waiting = Event::Waiting {
        name: "Bob".to_owned(),
        why: WaitReason::NoKeys,
    };
    assert_eq!(alice.take_events(), [waiting]);
    alice.later(60 * SECOND);
    assert!(!alice.asks_for_a_package());
    // The server says when there are some.
    alice.hear(60 * SECOND, ServerFrame::KeyPackagesReady(1));
    assert!(alice.asks_for_a_package());
    let package = KeyPackage {
        lane: 1,
        package: vec![0],
        last_resort: false,
    };
    alice.hear(60 * SECOND, ServerFrame::KeyPackage(package));
    let sent = |frame: &ClientFrame| matches!(frame, ClientFrame::Private(_));
    assert!(alice.frames.iter().any(sent), "{:?}", alice.frames);
}

#[test]
fn too_many_at_once_are_told_at_once_and_asked_for_when_said() {
    let mut alice = alice(true);
    alice.enter(0);
    alice.open_lane();
    assert!(alice.asks_for_a_package());
    alice.hear(
        Duration::ZERO,
        refused(KeyPackageRefusalCode::TooMany, 5000),
    );
    let waiting = Event::Waiting {
        name: "Bob".to_owned(),
        why: WaitReason::Rate,
    };
    assert_eq!(alice.take_events(), [waiting]);
    alice.later(4 * SECOND);
    assert!(!alice.asks_for_a_package());
    alice.later(5 * SECOND);
    assert!(alice.asks_for_a_package());
}

#[test]
fn a_lower_number_is_acknowledged_again_as_the_server_did_not_count_it() {
    let mut alice = alice(true);
    alice.hear(Duration::ZERO, incoming(BOB, 0));
    for number in 1..=3 {
        alice.hear(Duration::ZERO, message(number));
    }
    // The server is restored, and hears of 3 before it has sent 2.
    alice.mail.handle_disconnected();
    alice.mail.handle_connected(Duration::ZERO);
    alice.drain();
    alice.frames.clear();
    let acknowledged = |alice: &mut Process| {
        let frames = std::mem::take(&mut alice.frames).into_iter();
        let up_to = frames.filter_map(|frame| match frame {
            ClientFrame::Acknowledge(acknowledge) => Some(acknowledge.up_to),
            _ => None,
        });
        up_to.collect::<Vec<_>>()
    };
    alice.hear(Duration::ZERO, incoming(BOB, 1));
    assert_eq!(acknowledged(&mut alice), [3]);
    for number in 2..=3 {
        alice.hear(Duration::ZERO, message(number));
        assert_eq!(acknowledged(&mut alice), [3]);
    }
    assert_eq!(alice.database.inbox.len(), 3);
}

#[test]
fn what_cannot_be_read_is_said_once_there_are_key_packages_for_it() {
    let mut alice = alice(false);
    // She has lost her keys: what was sealed for her first life does not open.
    alice.database.lose_keys();
    alice.hear(Duration::ZERO, incoming(BOB, 0));
    alice.hear(Duration::ZERO, message(1));
    let unreadable = |frame: &ClientFrame| matches!(frame, ClientFrame::Acknowledge(_));
    assert!(!alice.frames.iter().any(unreadable), "{:?}", alice.frames);
    let held = ServerFrame::KeyPackagesHeld(KeyPackagesHeld::default());
    alice.hear(Duration::ZERO, held);
    let put = alice.frames.iter().find_map(|frame| match frame {
        ClientFrame::PutKeyPackages(put) => Some(put.packages[0].reference),
        _ => None,
    });
    let held = KeyPackagesHeld {
        references: put.into_iter().collect(),
        ..KeyPackagesHeld::default()
    };
    alice.hear(Duration::ZERO, ServerFrame::KeyPackagesHeld(held));
    let said = alice.frames.iter().find_map(|frame| match frame {
        ClientFrame::Acknowledge(acknowledge) => Some(acknowledge.unreadable.clone()),
        _ => None,
    });
    assert_eq!(said, Some(vec![1]));
}

/// Bob's name has another key: in whatever way the server says so, nothing goes there, and nothing of it is shown.
#[test]
fn another_key_stops_everything_until_it_is_trusted() {
    const MALLORY: RemoteKey = RemoteKey::from_bytes([66; 32]);
    let mallory = Person {
        name: "Bob".to_owned(),
        key: MALLORY,
    };
    let refused = ServerFrame::LaneRefused(LaneRefused {
        lane: 1,
        code: LaneRefusalCode::OtherKey,
        holder: Some(mallory.clone()),
        retry_in_ms: 0,
    });
    let opened = ServerFrame::LaneOpened(LaneOpened {
        lane: 1,
        recipient: mallory.clone(),
        accepted: 0,
        accepted_id: None,
        stored: 0,
        settled: 0,
        failures: Vec::new(),
    });
    for news in [refused, opened, incoming(MALLORY, 0)] {
        let mut database = Database::new(1);
        database.key = Some(BOB);
        let mut alice = Process::new(database, false);
        alice.mail.handle_connected(Duration::ZERO);
        alice.drain();
        alice.enter(0);
        alice.settle();
        alice.hear(Duration::ZERO, news.clone());
        let events = alice.take_events();
        let changed = Event::KeyChanged {
            name: "Bob".to_owned(),
            old: BOB,
            new: MALLORY,
        };
        assert_eq!(events.iter().filter(|it| **it == changed).count(), 1);
        let failed = |event: &&Event| {
            let State::Failed(Failure::KeyChanged) = (match event {
                Event::State { state, .. } => *state,
                _ => return false,
            }) else {
                return false;
            };
            true
        };
        assert_eq!(events.iter().filter(failed).count(), 1, "{events:?}");
        // What is entered now fails too, and what comes is kept and not shown.
        alice.frames.clear();
        alice.enter(1);
        alice.settle();
        let failed_now = alice.take_events();
        assert_eq!(
            failed_now.iter().filter(failed).count(),
            1,
            "{failed_now:?}"
        );
        if !matches!(news, ServerFrame::IncomingLane(_)) {
            alice.hear(Duration::ZERO, incoming(MALLORY, 0));
        }
        alice.hear(Duration::ZERO, message(1));
        assert_eq!(alice.take_events(), []);
        assert_eq!(alice.database.inbox.len(), 1);
        let sent = |frame: &ClientFrame| {
            matches!(
                frame,
                ClientFrame::Private(_) | ClientFrame::TakeKeyPackage(_)
            )
        };
        assert!(!alice.frames.iter().any(sent), "{:?}", alice.frames);

        assert!(alice.mail.trust("bob"));
        alice.drain();
        alice.settle();
        assert_eq!(alice.take_events(), [Event::Trusted { key: MALLORY }]);
        assert_eq!(alice.database.key, Some(MALLORY));
        assert!(!alice.mail.trust("bob"), "there is nothing more to trust");
        alice.hear(Duration::ZERO, message(2));
        let shown = alice.take_events();
        assert!(matches!(shown[..], [Event::Private { .. }]), "{shown:?}");
    }
}

#[test]
fn a_lane_to_another_name_is_a_fault() {
    let mut alice = alice(true);
    alice.enter(0);
    alice.settle();
    let opened = LaneOpened {
        lane: 1,
        recipient: person(ALICE),
        accepted: 0,
        accepted_id: None,
        stored: 0,
        settled: 0,
        failures: Vec::new(),
    };
    let frame = ServerFrame::LaneOpened(opened);
    let heard = alice.mail.handle_frame(Duration::ZERO, frame, || panic!());
    assert_eq!(heard, Err(Fault::Name));
}

#[test]
fn someone_is_met_once_their_key_is_known_or_nobody_is() {
    for found in [true, false] {
        let mut alice = alice(true);
        alice.mail.meet("Bob");
        alice.drain();
        match found {
            true => alice.open_lane(),
            false => alice.hear(
                Duration::ZERO,
                ServerFrame::LaneRefused(LaneRefused {
                    lane: 1,
                    code: LaneRefusalCode::NoSuchName,
                    holder: None,
                    retry_in_ms: 0,
                }),
            ),
        }
        let name = "Bob".to_owned();
        assert_eq!(alice.take_events(), [Event::Met { name, found }]);
        assert!(!alice.asks_for_a_package(), "there is nothing to seal");
    }
}
