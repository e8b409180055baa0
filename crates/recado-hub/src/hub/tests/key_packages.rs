//! Key packages: Bob leaves some, and others begin to write to him.

use recado_proto::frame::{
    KeyPackage, KeyPackageRefusalCode, KeyPackageRefused, KeyPackagesHeld, OpenLane,
    StoredKeyPackage,
};
use recado_proto::id::{KeyPackageReference, StoreId};
use recado_proto::limits::MAX_KEY_PACKAGES;

use super::*;

const LANE: u32 = 7;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn stored(number: u8) -> StoredKeyPackage {
    StoredKeyPackage {
        reference: KeyPackageReference::from_bytes([number; 16]),
        package: vec![number],
    }
}

fn put(numbers: std::ops::Range<u8>, last_resort: Option<u8>) -> PutKeyPackages {
    PutKeyPackages {
        packages: numbers.map(stored).collect(),
        last_resort: last_resort.map(stored),
        replaces: false,
    }
}

impl Story {
    /// What the server says that it has of a session's own: how many, and which last resort.
    fn held(&mut self, session: SessionNumber) -> (Vec<u8>, Option<u8>) {
        let first = |reference: &KeyPackageReference| reference.as_bytes()[0];
        match self.sent(session).as_slice() {
            [ServerFrame::KeyPackagesHeld(held)] if held.retry_in_ms == 0 => {
                let numbers = held.references.iter().map(first).collect();
                (numbers, held.last_resort.as_ref().map(first))
            }
            other => panic!("{other:?}"),
        }
    }

    fn puts(&mut self, session: SessionNumber, put: PutKeyPackages) -> (Vec<u8>, Option<u8>) {
        self.sent(session);
        self.frame(session, ClientFrame::PutKeyPackages(put));
        self.held(session)
    }

    fn lists(&mut self, session: SessionNumber) -> (Vec<u8>, Option<u8>) {
        self.sent(session);
        self.frame(session, ClientFrame::ListKeyPackages);
        self.held(session)
    }

    /// What someone who has an open lane gets: a number, and whether it is the last resort.
    fn takes(&mut self, session: SessionNumber) -> Result<(u8, bool), KeyPackageRefused> {
        self.sent(session);
        self.frame(session, ClientFrame::TakeKeyPackage(LANE));
        let sent = self.sent(session);
        let answer = sent.iter().find_map(|frame| match frame {
            ServerFrame::KeyPackage(KeyPackage {
                lane: LANE,
                package,
                last_resort,
            }) => Some(Ok((package[0], *last_resort))),
            ServerFrame::KeyPackageRefused(refused) => Some(Err(*refused)),
            _ => None,
        });
        answer.unwrap_or_else(|| panic!("{sent:?}"))
    }

    /// Someone joins, and opens a lane to Bob.
    fn writer(&mut self, name: &str, key: u8) -> SessionNumber {
        let session = self.join(name, key);
        self.frame(
            session,
            ClientFrame::OpenLane(OpenLane {
                lane: LANE,
                store: StoreId::from_bytes([key; 16]),
                to: "Bob".into(),
                key: None,
                lowest: 1,
            }),
        );
        session
    }
}

#[test]
fn each_is_handed_out_once_and_then_the_last_resort_again_and_again() {
    let mut story = Story::begin(Registration::Lan);
    let bob = story.join("Bob", 2);
    assert_eq!(story.lists(bob), (vec![], None));
    assert_eq!(story.puts(bob, put(1..3, Some(9))), (vec![1, 2], Some(9)));
    let (alice, carol) = (story.writer("Alice", 1), story.writer("Carol", 3));
    assert_eq!(story.takes(alice), Ok((1, false)));
    assert_eq!(story.takes(carol), Ok((2, false)));
    // Bob is here, and learns that few are left.
    let sent = story.sent(bob);
    let low = sent.iter().filter_map(|frame| match frame {
        ServerFrame::KeyPackagesLow(left) => Some(*left),
        _ => None,
    });
    assert_eq!(low.collect::<Vec<_>>(), [1, 0]);
    for writer in [alice, carol, alice] {
        assert_eq!(story.takes(writer), Ok((9, true)));
    }
    assert_eq!(story.lists(bob), (vec![], Some(9)));
}

#[test]
fn a_hoarder_gets_a_few_and_leaves_the_rest_to_others() {
    let mut story = Story::begin(Registration::Lan);
    let bob = story.join("Bob", 2);
    story.puts(bob, put(1..30, Some(99)));
    let (mallory, alice) = (story.writer("Mallory", 66), story.writer("Alice", 1));
    let got: Vec<_> = (0..100).map(|_| story.takes(mallory).unwrap().0).collect();
    assert_eq!(got[..4], [1, 2, 3, 4]);
    assert!(got[4..].iter().all(|number| *number == 99));
    assert_eq!(story.takes(alice), Ok((5, false)));
    // Another session of the same key does not help; time does.
    story.handle(Event::Disconnected { session: mallory });
    let mallory = story.writer("Mallory", 66);
    assert_eq!(story.takes(mallory), Ok((99, true)));
    story.now += Duration::from_secs(10 * 60);
    assert_eq!(story.takes(mallory), Ok((6, false)));
    // All together there is an end, too.
    let refused = (0..300).find_map(|_| story.takes(mallory).err()).unwrap();
    assert_eq!(refused.code, KeyPackageRefusalCode::TooMany);
    assert!((1..=1000).contains(&refused.retry_in_ms));
    story.now += Duration::from_secs(1);
    assert!(story.takes(mallory).is_ok());
    assert!(story.takes(alice).is_ok());
}

#[test]
fn who_finds_none_is_told_when_there_are_some() {
    let mut story = Story::begin(Registration::Lan);
    let bob = story.join("Bob", 2);
    let (alice, carol) = (story.writer("Alice", 1), story.writer("Carol", 3));
    for writer in [alice, carol] {
        let refused = story.takes(writer).unwrap_err();
        assert_eq!(
            (refused.lane, refused.code),
            (LANE, KeyPackageRefusalCode::None)
        );
    }
    story.handle(Event::Disconnected { session: carol });
    story.sent(alice);
    story.puts(bob, put(1..2, None));
    let ready = [ServerFrame::KeyPackagesReady(LANE)];
    assert_eq!(story.sent(alice), ready);
    assert_eq!(story.sent(carol), []);
    assert_eq!(story.takes(alice), Ok((1, false)));
    // Told once.
    story.puts(bob, put(2..3, None));
    assert_eq!(story.sent(alice), []);
}

#[test]
fn they_are_replaced_and_grow_too_old() {
    let mut story = Story::begin(Registration::Lan);
    let bob = story.join("Bob", 2);
    story.puts(bob, put(1..4, Some(9)));
    let replaced = PutKeyPackages {
        replaces: true,
        ..put(4..6, None)
    };
    assert_eq!(story.puts(bob, replaced), (vec![4, 5], None));
    story.now += 40 * DAY;
    let bob = story.join("Bob", 2);
    assert_eq!(
        story.puts(bob, put(6..7, Some(8))),
        (vec![4, 5, 6], Some(8))
    );
    story.now += 44 * DAY;
    let bob = story.join("Bob", 2);
    assert_eq!(story.lists(bob), (vec![6], Some(8)));
    story.now += 40 * DAY;
    let alice = story.writer("Alice", 1);
    let refused = story.takes(alice).unwrap_err();
    assert_eq!(refused.code, KeyPackageRefusalCode::None);
}

#[test]
fn a_stock_has_an_end() {
    let mut story = Story::begin(Registration::Lan);
    let bob = story.join("Bob", 2);
    let most = u8::try_from(MAX_KEY_PACKAGES).unwrap();
    story.puts(bob, put(0..most, None));
    let (held, _) = story.puts(bob, put(most..most + 3, None));
    assert_eq!(held, (3..most + 3).collect::<Vec<_>>());
    // The same again takes its own place.
    let (held, _) = story.puts(bob, put(most..most + 1, None));
    assert_eq!(held.len(), MAX_KEY_PACKAGES);
}

#[test]
fn a_flood_and_a_full_disk_are_told_to_come_back() {
    let mut story = Story::begin(Registration::Lan);
    let bob = story.join("Bob", 2);
    let alice = story.writer("Alice", 1);
    story.sent(bob);
    story.fails = true;
    story.frame(bob, ClientFrame::ListKeyPackages);
    let unavailable = |frames: Vec<ServerFrame>| match frames.as_slice() {
        [ServerFrame::KeyPackagesHeld(KeyPackagesHeld { retry_in_ms, .. })] => *retry_in_ms > 0,
        other => panic!("{other:?}"),
    };
    assert!(unavailable(story.sent(bob)));
    let refused = story.takes(alice).unwrap_err();
    assert_eq!(refused.code, KeyPackageRefusalCode::Unavailable);
    story.fails = false;
    // A backend that is slow is asked by each session once at a time.
    story.waiting = Some(vec![]);
    for _ in 0..5 {
        story.frame(bob, ClientFrame::ListKeyPackages);
    }
    assert_eq!(story.waiting.take().map(|asked| asked.len()), Some(1));
    assert_eq!(story.sent(bob).len(), 4);
}

#[test]
fn a_lane_that_is_not_open_has_no_key_packages() {
    let mut story = Story::begin(Registration::Lan);
    let alice = story.join("Alice", 1);
    story.sent(alice);
    story.frame(alice, ClientFrame::TakeKeyPackage(LANE));
    match story.sent(alice).as_slice() {
        [ServerFrame::Closing(closing)] => assert_eq!(closing.code, ClosingCode::Protocol),
        other => panic!("{other:?}"),
    }
}
