//! Alice offers, Bob answers; notes between them wait, come twice, or come from others.

use super::*;
use crate::Failure;

/// Two people's offers, and the notes between them.
struct Story {
    alice: Offers,
    bob: Offers,
    /// What each has said and the other has not heard.
    notes: BTreeMap<&'static str, Vec<FileNote>>,
    saved: BTreeMap<(&'static str, OfferKey), OfferRecord>,
    number: u64,
}

const OFFER: OfferId = OfferId::from_bytes([1; 16]);
const OWN: OfferKey = OfferKey {
    offer: OFFER,
    came: false,
};
const THEIRS: OfferKey = OfferKey {
    offer: OFFER,
    came: true,
};

fn person(name: &str) -> Person {
    let byte = name.as_bytes().first().copied().unwrap_or_default();
    Person {
        name: name.to_owned(),
        key: RemoteKey::from_bytes([byte; 32]),
    }
}

fn record(to: &str) -> OfferRecord {
    OfferRecord {
        key: OWN,
        number: 1,
        peer: to.to_lowercase(),
        name: to.to_owned(),
        remote: None,
        offered: Offered {
            name: "photo.jpg".to_owned(),
            size: 10,
            stored: 10,
            folder: None,
        },
        path: "/home/alice/photo.jpg".into(),
        snapshot: [5; 32],
        standing: Standing::Offered,
        reference: Some("7".to_owned()),
    }
}

impl Story {
    fn begin() -> Self {
        Self {
            alice: Offers::new(Vec::new(), BTreeSet::new()),
            bob: Offers::new(Vec::new(), BTreeSet::new()),
            notes: BTreeMap::new(),
            saved: BTreeMap::new(),
            number: 0,
        }
    }

    fn side(&mut self, who: &'static str) -> &mut Offers {
        match who {
            "Alice" => &mut self.alice,
            _ => &mut self.bob,
        }
    }

    /// Does what one side wants done; what it was besides notes and writing.
    fn drain(&mut self, who: &'static str) -> Vec<String> {
        let mut done = Vec::new();
        while let Some(output) = self.side(who).poll_output() {
            match output {
                OfferOutput::Save(record) => {
                    self.saved.insert((who, record.key), record);
                }
                OfferOutput::Note { note, .. } => self.notes.entry(who).or_default().push(note),
                OfferOutput::Event(OfferEvent::Offered {
                    about, replayed, ..
                }) => done.push(format!("offer {} {replayed}", about.title)),
                OfferOutput::Event(OfferEvent::State { state, .. }) => {
                    done.push(state.word().to_owned());
                }
                OfferOutput::Event(OfferEvent::Progress { done: bytes, .. }) => {
                    done.push(format!("{bytes} bytes"));
                }
                OfferOutput::Event(OfferEvent::Received { path, .. }) => {
                    done.push(format!("at {}", path.display()));
                }
                // The shell's.
                OfferOutput::Event(
                    OfferEvent::Refused { .. } | OfferEvent::Skipped { .. } | OfferEvent::All(_),
                ) => {}
                OfferOutput::Meet { addresses, .. } => {
                    done.push(format!("meet {}", addresses.len()))
                }
                OfferOutput::Stop(_) => done.push("stop".to_owned()),
                OfferOutput::Discard(_) => done.push("discard".to_owned()),
            }
        }
        done
    }

    /// One hears what the other has said; returns what that makes.
    fn hear(&mut self, who: &'static str, from: &'static str) -> Vec<String> {
        for note in self.notes.remove(from).unwrap_or_default() {
            self.number += 1;
            let (number, sender) = (self.number, person(from));
            self.side(who)
                .handle_note(&sender, &from.to_lowercase(), note, number);
        }
        self.drain(who)
    }

    /// The process ends and another begins, with what was written down.
    fn restart(&mut self, who: &'static str) -> Vec<String> {
        let records = self.saved.iter();
        let records =
            records.filter(|((side, _), record)| *side == who && !record.standing.is_over());
        let records = records.map(|(_, record)| record.clone()).collect();
        *self.side(who) = Offers::new(records, BTreeSet::new());
        self.drain(who)
    }

    fn offer(&mut self) {
        let record = record("Bob");
        self.saved.insert(("Alice", record.key), record.clone());
        self.alice.offer(record);
        assert_eq!(self.drain("Alice"), ["queued"]);
        assert_eq!(self.hear("Bob", "Alice"), ["offer photo.jpg false"]);
    }

    fn accept(&mut self) {
        let address = Address("192.168.1.2:4000".parse().unwrap());
        self.bob
            .accept(THEIRS, "/downloads".into(), vec![address])
            .unwrap();
        assert_eq!(self.drain("Bob"), ["accepted", "meet 0"]);
        let told = self.hear("Alice", "Bob");
        let (before, last) = told.split_at(told.len() - 2);
        assert!(before.iter().all(|it| it == "offered"), "{before:?}");
        assert_eq!(last, ["accepted", "meet 1"]);
    }
}

#[test]
fn an_offer_is_accepted_and_received() {
    let mut story = Story::begin();
    story.offer();
    story.alice.handle_sent(OFFER, None);
    assert_eq!(story.drain("Alice"), ["offered"]);
    story.accept();
    story.alice.tell_addresses(OWN, Vec::new());
    story.drain("Alice");
    assert_eq!(story.hear("Bob", "Alice"), ["meet 0"]);
    story.bob.handle_running(THEIRS, Route::Direct);
    story.bob.handle_progress(THEIRS, 5);
    story
        .bob
        .handle_received(THEIRS, Some("/downloads/photo.jpg".into()), [9; 32]);
    let told = [
        "running",
        "5 bytes",
        "stop",
        "received",
        "at /downloads/photo.jpg",
    ];
    assert_eq!(story.drain("Bob"), told);
    assert_eq!(story.hear("Alice", "Bob"), ["stop", "received"]);
    for side in ["Alice", "Bob"] {
        assert_eq!(story.restart(side), [""; 0], "nothing is left");
    }
}

#[test]
fn what_is_written_down_goes_on_after_a_restart() {
    let mut story = Story::begin();
    story.offer();
    assert_eq!(story.restart("Bob"), ["offer photo.jpg true"]);
    assert_eq!(story.restart("Alice"), [""; 0]);
    story.accept();
    assert_eq!(story.restart("Bob"), ["meet 0"]);
    assert_eq!(story.restart("Alice"), ["meet 0"]);
}

#[test]
fn what_is_said_twice_is_heard_once() {
    let mut story = Story::begin();
    story.offer();
    let offered = NoteBody::Offered(record("Bob").offered);
    let again = |body| FileNote { offer: OFFER, body };
    story.notes.insert("Alice", vec![again(offered)]);
    assert_eq!(story.hear("Bob", "Alice"), [""; 0]);
    story.accept();
    story
        .notes
        .insert("Bob", vec![again(NoteBody::Accepted(vec![]))]);
    assert_eq!(story.hear("Alice", "Bob"), [""; 0]);
    assert_eq!(
        story.bob.accept(THEIRS, "/elsewhere".into(), vec![]),
        Err(OfferError::Answered)
    );
}

#[test]
fn either_side_may_end_it_at_any_time() {
    // Declined.
    let mut story = Story::begin();
    story.offer();
    story.bob.cancel(THEIRS).unwrap();
    assert_eq!(story.drain("Bob"), ["stop", "declined", "discard"]);
    assert_eq!(story.hear("Alice", "Bob"), ["stop", "declined"]);
    assert_eq!(story.bob.cancel(THEIRS), Err(OfferError::Unknown));
    // Taken back before there was an answer.
    let mut story = Story::begin();
    story.offer();
    story.alice.cancel(OWN).unwrap();
    assert_eq!(story.drain("Alice"), ["stop", "cancelled"]);
    assert_eq!(story.hear("Bob", "Alice"), ["stop", "cancelled", "discard"]);
    // Under way, by either.
    for (who, other, key) in [("Alice", "Bob", OWN), ("Bob", "Alice", THEIRS)] {
        let mut story = Story::begin();
        story.offer();
        story.accept();
        story.side(who).cancel(key).unwrap();
        let told = story.drain(who);
        assert_eq!(told[..2], ["stop", "cancelled"]);
        assert_eq!(story.hear(other, who)[..2], ["stop", "cancelled"]);
    }
}

#[test]
fn why_it_failed_is_known_on_both_sides() {
    let mut story = Story::begin();
    story.offer();
    story.accept();
    story.alice.handle_failed(OWN, OfferFailure::SourceChanged);
    assert_eq!(story.drain("Alice"), ["stop", "failed"]);
    assert_eq!(story.hear("Bob", "Alice"), ["stop", "failed", "discard"]);
    let bobs = story.saved[&("Bob", THEIRS)].standing;
    assert_eq!(bobs, Standing::Failed(OfferFailure::SourceChanged));
    let mut story = Story::begin();
    story.offer();
    story.alice.handle_sent(OFFER, Some(Failure::UnknownName));
    assert_eq!(story.drain("Alice"), ["stop", "failed"]);
}

#[test]
fn nobody_answers_for_another() {
    let mut story = Story::begin();
    story.offer();
    let say = |offers: &mut Offers, from: &Person, peer: &str, body| {
        offers.handle_note(from, peer, FileNote { offer: OFFER, body }, 9);
    };
    let eve = person("Eve");
    for body in [
        NoteBody::Accepted(vec![]),
        NoteBody::Declined,
        NoteBody::Cancelled(CancelCode::Unspecified),
        NoteBody::Received([1; 32]),
    ] {
        say(&mut story.alice, &eve, "eve", body.clone());
        say(&mut story.bob, &eve, "eve", body);
    }
    assert_eq!(
        (story.drain("Alice").len(), story.drain("Bob").len()),
        (0, 0)
    );
    // Nor does one who has Bob's name and another key, once his is known.
    story.accept();
    let other = Person {
        key: eve.key,
        ..person("Bob")
    };
    say(&mut story.alice, &other, "bob", NoteBody::Received([1; 32]));
    assert_eq!(story.drain("Alice"), [""; 0]);
    // What was not accepted cannot be received.
    let mut story = Story::begin();
    story.offer();
    say(
        &mut story.alice,
        &person("Bob"),
        "bob",
        NoteBody::Received([1; 32]),
    );
    assert_eq!(story.drain("Alice"), [""; 0]);
}

#[test]
fn a_flood_of_offers_is_declined() {
    let mut story = Story::begin();
    for at in 0..=MAX_WAITING_OF_ONE {
        let offer = OfferId::from_bytes([at as u8 + 2; 16]);
        let body = NoteBody::Offered(record("Bob").offered);
        let note = FileNote { offer, body };
        story
            .bob
            .handle_note(&person("Alice"), "alice", note, at as u64);
    }
    assert_eq!(story.drain("Bob").len(), MAX_WAITING_OF_ONE);
    let said = &story.notes["Bob"];
    assert!(matches!(
        said[..],
        [FileNote {
            body: NoteBody::Declined,
            ..
        }]
    ));
}

#[test]
fn those_who_are_welcome_are_known_by_their_names() {
    let mut story = Story::begin();
    story.bob = Offers::new(Vec::new(), BTreeSet::from(["alice".to_owned()]));
    story.offer();
    assert!(story.bob.is_welcome(THEIRS));
    story.accept();
    assert!(!story.bob.is_welcome(THEIRS), "it is accepted");
    let mut story = Story::begin();
    story.offer();
    assert!(!story.bob.is_welcome(THEIRS));
}

#[test]
fn a_pause_is_told_once() {
    let mut story = Story::begin();
    story.offer();
    story.accept();
    story.alice.handle_running(OWN, Route::Relay);
    for _ in 0..3 {
        story.alice.handle_paused(OWN, Pause::Connection);
    }
    assert_eq!(story.drain("Alice"), ["running", "waiting"]);
    story.alice.handle_paused(OWN, Pause::DiskFull);
    assert_eq!(story.drain("Alice"), ["waiting"]);
}
