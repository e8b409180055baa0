//! Files on a full screen: what is offered, what becomes of it, and what is told of that.

use recado_client::{
    About, Failure, FileCommand, OfferEvent, OfferFailure, OfferState, Pause, Refusal, Route, Which,
};
use recado_proto::id::OfferId;

use super::*;

fn about(number: u64, is_own: bool) -> About {
    About {
        offer: OfferId::from_bytes([0; 16]),
        number,
        is_own,
        peer: "Bob".to_owned(),
        title: "a.txt".to_owned(),
        size: 1000,
        entries: None,
        reference: None,
    }
}

impl Alice {
    fn file(&mut self, event: OfferEvent) {
        self.state.event(&Event::File(event));
    }

    fn file_stands(&mut self, about: &About, state: OfferState) {
        let about = about.clone();
        self.file(OfferEvent::State { about, state });
    }

    fn offered(&mut self, about: &About, replayed: bool) {
        let (about, first) = (about.clone(), Vec::new());
        self.file(OfferEvent::Offered {
            about,
            first,
            replayed,
        });
    }

    /// The rows of files.
    fn files(&self) -> Vec<(u64, Stage)> {
        let (shown, _) = self.state.transfers.shown(usize::MAX);
        let row = |it: &&Transfer| (it.number, it.stage.clone());
        shown.iter().map(row).collect()
    }

    /// How the only file stands.
    fn stage(&self) -> Stage {
        let [(_, stage)] = &self.files()[..] else {
            panic!("{:?}", self.files());
        };
        stage.clone()
    }
}

#[test]
fn an_offer_of_ones_own_tells_how_far_it_is() {
    let mut alice = Alice::new();
    let file = about(4, true);
    alice.file_stands(&file, OfferState::Queued);
    assert_eq!(alice.stage(), Stage::Waiting("on its way".to_owned()));
    // She knows what she does: it is in its conversation, and is no news.
    assert_eq!(alice.list()[1], ("Bob".to_owned(), 0));
    assert!(!alice.state.poll_bell());
    alice.file_stands(&file, OfferState::Offered);
    assert_eq!(alice.stage(), Stage::Offered);
    alice.file_stands(&file, OfferState::Accepted);
    assert_eq!(alice.stage(), Stage::Waiting("accepted".to_owned()));
    alice.file_stands(&file, OfferState::Running(Route::Relay));
    alice.file(OfferEvent::Progress {
        about: file.clone(),
        done: 500,
    });
    assert_eq!(alice.stage(), Stage::Running { is_relayed: true });
    assert_eq!(alice.state.transfers.shown(1).0[0].thousandths(), 500);
    alice.file_stands(&file, OfferState::Waiting(Pause::Connection));
    let why = "there is no connection".to_owned();
    assert_eq!(alice.stage(), Stage::Waiting(why));
    alice.file_stands(&file, OfferState::Running(Route::Direct));
    assert_eq!(alice.stage(), Stage::Running { is_relayed: false });
    alice.file_stands(&file, OfferState::Received);
    assert_eq!(alice.stage(), Stage::Done("received".to_owned()));
    assert_eq!(alice.list()[1], ("Bob".to_owned(), 1));
    // What was told of it stands in its conversation, however often that is opened.
    let told = [
        "(a.txt (1.0 kB) is offered to Bob. /cancel 4 takes it back.)",
        "(a.txt (1.0 kB) to Bob: received)",
    ];
    for _ in 0..2 {
        alice.state.look_at_person(Some("Bob"));
        alice.state.past(Vec::new());
        assert_eq!(alice.sees(), told);
        alice.state.look_at(0);
        alice.state.past(Vec::new());
        assert_eq!(alice.sees(), [""; 0]);
    }
    for (number, end, stage) in [
        (5, OfferState::Declined, Stage::Over("declined".to_owned())),
        (
            6,
            OfferState::Cancelled,
            Stage::Over("cancelled".to_owned()),
        ),
        (
            7,
            OfferState::Failed(OfferFailure::Undelivered(Failure::UnknownName)),
            Stage::Failed("nobody has that name".to_owned()),
        ),
    ] {
        let file = about(number, true);
        alice.file_stands(&file, OfferState::Queued);
        alice.file_stands(&file, end);
        assert_eq!(alice.files()[0], (number, stage));
    }
    assert_eq!(alice.list()[1], ("Bob".to_owned(), 3));
    // They go when they were seen.
    alice.press_with(Key::Char('l'), true, false);
    assert_eq!(alice.files(), []);
}

#[test]
fn an_offer_is_seen_answered_and_received() {
    let mut alice = Alice::new();
    let file = about(9, false);
    alice.offered(&file, true);
    assert!(alice.state.poll_bell());
    assert_eq!(alice.stage(), Stage::Offered);
    assert_eq!(alice.list()[1], ("Bob".to_owned(), 1));
    alice.write("/accept ");
    alice.press(Key::Tab);
    assert_eq!(alice.state.composer.text(), "/accept 9");
    alice.wishes();
    alice.press(Key::Enter);
    let accept = FileCommand::Accept {
        which: Which::Number(9),
        reference: None,
    };
    assert_eq!(alice.wishes(), [Wish::Act(Action::Files(vec![accept]))]);
    alice.file_stands(&file, OfferState::Accepted);
    alice.file_stands(&file, OfferState::Running(Route::Direct));
    // The place comes by itself, and is told once.
    alice.file_stands(&file, OfferState::Received);
    assert_eq!(alice.stage(), Stage::Running { is_relayed: false });
    alice.file(OfferEvent::Received {
        about: file.clone(),
        path: "/tmp/\u{1b}[2Ja.txt".into(),
        hash: [0; 32],
    });
    assert_eq!(
        alice.stage(),
        Stage::Done("in /tmp/\u{fffd}[2Ja.txt".to_owned())
    );
    alice.write("/decline ");
    alice.press(Key::Tab);
    assert_eq!(alice.state.composer.text(), "/decline ", "it is over");
    alice.press_with(Key::Char('u'), true, false);
    // One that she does not want.
    let unwanted = about(10, false);
    alice.offered(&unwanted, false);
    alice.file_stands(&unwanted, OfferState::Declined);
    assert_eq!(alice.files()[0], (10, Stage::Over("declined".to_owned())));
    assert_eq!(alice.list()[1], ("Bob".to_owned(), 3));
    alice.state.look_at_person(Some("Bob"));
    alice.state.past(Vec::new());
    assert_eq!(
        alice.sees(),
        [
            "((again) Bob offers a.txt (1.0 kB). /accept 9 takes it, /decline 9 does not.)",
            "(a.txt (1.0 kB) from Bob is in /tmp/\u{fffd}[2Ja.txt)",
            "(Bob offers a.txt (1.0 kB). /accept 10 takes it, /decline 10 does not.)",
            "(a.txt (1.0 kB) from Bob: declined)",
        ]
    );
}

#[test]
fn offers_that_still_wait_are_there_after_a_start_and_listed_when_asked_for() {
    let mut alice = Alice::new();
    let list = || Wish::Act(Action::Files(vec![FileCommand::List]));
    let all = vec![
        (about(2, true), OfferState::Offered),
        (about(3, false), OfferState::Running(Route::Relay)),
    ];
    // Asked for by itself at the start.
    alice.file(OfferEvent::All(all.clone()));
    let rows = [
        (2, Stage::Offered),
        (3, Stage::Running { is_relayed: true }),
    ];
    assert_eq!(alice.files(), rows);
    assert_eq!(alice.sees(), [""; 0]);
    assert_eq!(alice.enter("/files"), [list()]);
    alice.file(OfferEvent::All(all));
    let (own, theirs) = (
        "2: a.txt (1.0 kB) to Bob: waiting for an answer",
        "3: a.txt (1.0 kB) from Bob: under way, by way of the server, which cannot read it",
    );
    assert_eq!(alice.sees(), [format!("({own}/{theirs})")]);
    assert_eq!(alice.files(), rows);
    let left = alice.state.files_left().unwrap();
    assert!(
        left.starts_with("2 files are on offer or under way"),
        "{left}"
    );
    // What cannot be done is said, all of it, until the next key.
    for detail in ["a", "b"] {
        alice.file(OfferEvent::Refused {
            refusal: Refusal::Unreadable,
            detail: detail.to_owned(),
            reference: None,
        });
    }
    let why = "is not there, or cannot be read";
    assert_eq!(alice.hint(), format!("a {why}/b {why}"));
    alice.write("x");
    assert_eq!(alice.hint(), "");
}

#[test]
fn notices_stand_among_the_messages_of_their_time() {
    let mut alice = Alice::new();
    alice.state.look_at_person(Some("Bob"));
    alice.state.past(past(1..=2, Some("Bob"), Some("Alice")));
    let file = about(1, false);
    alice.offered(&file, false);
    let said = alice.sees();
    alice.state.look_at(0);
    alice.state.past(Vec::new());
    alice.state.look_at_person(Some("Bob"));
    // Told once more while the page is on its way.
    alice.file_stands(&file, OfferState::Cancelled);
    alice.state.past(past(1..=2, Some("Bob"), Some("Alice")));
    let seen = alice.sees();
    assert_eq!(seen.len(), said.len() + 1);
    assert!(said.iter().all(|line| seen.contains(line)), "{seen:?}");
}
