//! Everything that programs are told and may ask, held against the schema that describes it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::CommandFactory;
use recado_client::https::HttpsError;
use recado_client::trust::{Reason, Rung};
use recado_client::{
    About, Failure, LinkMeasurement, LinkReport, OfferEvent, OfferFailure, OfferState,
    PackageFault, Pause, Receipt, Refusal, Route, WaitReason,
};
use recado_proto::fingerprint::Fingerprint;
use recado_proto::frame::Blocked;
use recado_proto::id::{OfferId, RemoteKey, StoreId};

use super::*;
use crate::calculator::CalculatorError;
use crate::cli::Cli;
use crate::i18n::Language;

const ID: MessageId = MessageId::from_bytes([7; 16]);

fn context() -> Context {
    let matches = Cli::command().get_matches_from(["recado", "chat", "--json", "--home", "."]);
    let cli = Cli::from_matches(&matches).unwrap();
    Context::new(cli.common, Language::English).unwrap_or_else(|_| panic!("no context"))
}

fn bob() -> Person {
    let key = RemoteKey::from_bytes([1; 32]);
    let name = "Bob".to_owned();
    Person { name, key }
}

fn link_state() -> LinkState {
    LinkState {
        up: true,
        down: false,
        rtt: Some(Duration::from_micros(321)),
    }
}

/// Everything that is told of files.
fn file_events() -> Vec<OfferEvent> {
    let about = About {
        offer: OfferId::from_bytes([7; 16]),
        number: 3,
        is_own: false,
        peer: "Bob".to_owned(),
        title: "photos".to_owned(),
        size: 12,
        entries: Some(2),
        reference: Some("7".to_owned()),
    };
    let first = vec![("photos/a".to_owned(), 5), ("photos/b".to_owned(), 7)];
    let states = [
        OfferState::Queued,
        OfferState::Offered,
        OfferState::Accepted,
        OfferState::Running(Route::Direct),
        OfferState::Running(Route::Relay),
        OfferState::Waiting(Pause::Connection),
        OfferState::Waiting(Pause::DiskFull),
        OfferState::Received,
        OfferState::Declined,
        OfferState::Cancelled,
    ];
    let failures = OfferFailure::ALL.map(OfferState::Failed);
    let states: Vec<_> = states.into_iter().chain(failures).collect();
    let mut events = vec![
        OfferEvent::Offered {
            about: about.clone(),
            first,
            replayed: true,
        },
        OfferEvent::Offered {
            about: About {
                entries: None,
                ..about.clone()
            },
            first: Vec::new(),
            replayed: false,
        },
        OfferEvent::Progress {
            about: about.clone(),
            done: 5,
        },
        OfferEvent::Received {
            about: about.clone(),
            path: "/downloads/photos".into(),
            hash: [7; 32],
        },
        OfferEvent::Skipped {
            about: about.clone(),
            count: 1,
        },
        OfferEvent::All(states.iter().map(|state| (about.clone(), *state)).collect()),
    ];
    events.extend(states.into_iter().map(|state| OfferEvent::State {
        about: about.clone(),
        state,
    }));
    events.extend(Refusal::ALL.map(|refusal| OfferEvent::Refused {
        refusal,
        detail: "/a".to_owned(),
        reference: None,
    }));
    events
}

/// One of each, but for those that are told by other ways.
fn events() -> Vec<Event> {
    let (key, text) = (bob().key, "Olá\n{}".to_owned());
    let global = |via, flag| Event::Global {
        from: bob(),
        id: ID,
        sequence: u64::MAX,
        sent_at_ms: i64::MAX,
        text: text.clone(),
        via,
        replayed: flag,
        late: flag,
        repaired: flag,
        verified: !flag,
    };
    let receipt = Receipt {
        from: key,
        store: StoreId::from_bytes([0; 16]),
        number: 1,
    };
    let refused = |fault| Event::PackageRefused {
        name: "Bob".to_owned(),
        fault,
    };
    let mut events = vec![
        Event::Ready {
            name: "Alice".to_owned(),
            link: link_state(),
        },
        Event::Presence {
            person: bob(),
            online: false,
        },
        Event::Roster(vec![bob()]),
        Event::Private {
            receipt,
            from: bob(),
            id: ID,
            sent_at_ms: 0,
            text: text.clone(),
            replayed: true,
        },
        Event::Missing {
            from: bob(),
            count: 2,
        },
        Event::Waiting {
            name: "Bob".to_owned(),
            why: WaitReason::MailboxFull,
        },
        Event::Waiting {
            name: "Bob".to_owned(),
            why: WaitReason::Rate,
        },
        Event::Waiting {
            name: "Bob".to_owned(),
            why: WaitReason::Storage,
        },
        Event::Waiting {
            name: "Bob".to_owned(),
            why: WaitReason::NoKeys,
        },
        Event::KeyChanged {
            name: "Bob".to_owned(),
            old: key,
            new: RemoteKey::from_bytes([2; 32]),
        },
        Event::Blocked(Blocked {
            name: "Bob".to_owned(),
            blocked: true,
            done: true,
        }),
        Event::Blocked(Blocked {
            name: "Bob".to_owned(),
            blocked: true,
            done: false,
        }),
        global(Via::Udp, false),
        global(Via::Tcp, true),
        Event::Hole { first: 3, last: 9 },
        Event::LogLost,
        Event::Link(link_state()),
        Event::LinkReport(LinkReport {
            state: link_state(),
            probes: 9,
            answers: 8,
            by_datagram: 7,
            by_frame: 6,
            repaired: 5,
            late: 4,
            rejected: 3,
        }),
        Event::Measured(LinkMeasurement {
            sent: 1,
            heard: 1,
            answered: 1,
            rtt: None,
        }),
        Event::State {
            id: ID,
            reference: None,
            state: State::Queued,
        },
        Event::Unreadable {
            from: bob(),
            id: ID,
        },
        Event::Closed {
            code: None,
            detail: String::new(),
        },
        Event::Note {
            receipt,
            from: bob(),
            id: ID,
            sent_at_ms: 0,
            note: vec![1],
            replayed: false,
        },
        Event::NoteState {
            id: ID,
            reference: None,
            state: State::Stored,
        },
        Event::Confirmed { from: bob() },
        Event::Trusted { key },
        Event::Met {
            name: "Bob".to_owned(),
            found: true,
        },
        Event::Resealed {
            name: "Bob".to_owned(),
            count: 2,
        },
        refused(PackageFault::Malformed),
        refused(PackageFault::OtherKey),
        refused(PackageFault::Lifetime),
    ];
    events.extend(file_events().into_iter().map(Event::File));
    events
}

/// A new event is one more sample.
fn is_sampled(event: &Event) -> usize {
    match event {
        Event::Ready { .. } => 0,
        Event::Presence { .. } => 1,
        Event::Roster(_) => 2,
        Event::Private { .. } => 3,
        Event::Missing { .. } => 4,
        Event::Waiting { .. } => 5,
        Event::KeyChanged { .. } => 6,
        Event::Blocked(_) => 7,
        Event::Global { .. } => 8,
        Event::Hole { .. } => 9,
        Event::LogLost => 10,
        Event::Link(_) => 11,
        Event::LinkReport(_) => 12,
        Event::Measured(_) => 13,
        Event::State { .. } => 14,
        Event::Unreadable { .. } => 15,
        Event::Closed { .. } => 16,
        Event::Note { .. } => 17,
        Event::NoteState { .. } => 18,
        Event::Confirmed { .. } => 19,
        Event::Trusted { .. } => 20,
        Event::Met { .. } => 21,
        Event::Resealed { .. } => 22,
        Event::PackageRefused { .. } => 23,
        Event::File(_) => 24,
    }
}

fn past(is_global: bool, standing: Standing) -> Item {
    let is_own = standing != Standing::Received;
    Item::Message(PastMessage {
        number: 1,
        id: ID,
        from: (!is_own).then(|| "Bob".to_owned()),
        to: (!is_global && is_own).then(|| "Bob".to_owned()),
        is_global,
        sent_at_ms: 1_795_219_200_123,
        text: "Olá".to_owned(),
        standing,
        code: if standing == Standing::Failed {
            "blocked"
        } else {
            ""
        }
        .to_owned(),
        reference: is_own.then(|| "[1]".to_owned()),
        sequence: is_global.then_some(1),
        verified: true,
    })
}

fn verification() -> Verification {
    Verification {
        name: "Bob".to_owned(),
        key: bob().key,
        code: ["01234"; 8].join(" "),
        here: true,
        there: false,
    }
}

/// What the face tells when everything that there is has happened.
fn told() -> Vec<Value> {
    let context = context();
    let kept = Arc::new(Mutex::new(Vec::new()));
    let mut face = JsonFace::new(&context, Paper::Kept(kept.clone()));
    let root = Fingerprint::from_bytes([9; 32]);
    let trusted = Trusted {
        root,
        address: ([127, 0, 0, 1], 8443).into(),
        host: "localhost".to_owned(),
        port: 8443,
        rung: Rung::Pinned,
        reason: Reason::Loopback,
        since: None,
        notices: Vec::new(),
    };
    face.ready("Alice", &trusted).unwrap();
    let events = events();
    let sampled: BTreeSet<_> = events.iter().map(is_sampled).collect();
    assert!(sampled.iter().copied().eq(0..=24));
    // With marks, and without.
    for marked in [&["BOB".to_owned()][..], &[]] {
        face.verified(marked).unwrap();
        for event in &events {
            face.event(event).unwrap();
        }
        face.past(vec![past(false, Standing::Received)], None)
            .unwrap();
    }
    for result in [
        Ok(verification()),
        Err(VerifyError::UnknownName),
        Err(VerifyError::Away),
        Err(VerifyError::Differs(Box::new(verification()))),
    ] {
        face.verification("Bob", &result, false).unwrap();
    }
    let states = [State::Queued, State::Stored, State::Delivered].into_iter();
    for state in states.chain(Failure::ALL.map(State::Failed)) {
        face.state(&Own {
            id: ID,
            to: None,
            text: None,
            is_here: true,
            reference: Some("7".to_owned()),
            state,
            was_stored: true,
        })
        .unwrap();
    }
    let mut items = vec![Item::Hole { first: 1, last: 1 }];
    for standing in [
        Standing::Queued,
        Standing::Stored,
        Standing::Delivered,
        Standing::Failed,
        Standing::Received,
    ] {
        items.push(past(false, standing));
        if standing != Standing::Delivered {
            items.push(past(true, standing));
        }
    }
    face.past(items, Some("{}".to_owned())).unwrap();
    let name = || "Bob".to_owned();
    face.answer(&Command::Trust { name: name() }, Ok(()))
        .unwrap();
    for error in [
        CommandError::Empty,
        CommandError::TooLong(1),
        CommandError::NameTooLong,
        CommandError::Away,
        CommandError::NoOtherKey,
    ] {
        face.answer(&Command::Trust { name: name() }, Err(error))
            .unwrap();
        face.refused(error, None).unwrap();
    }
    for code in [
        None,
        Some(ClosingCode::Shutdown),
        Some(ClosingCode::TooSlow),
    ] {
        face.away(code, "gone").unwrap();
    }
    face.back().unwrap();
    for code in [
        ClosingCode::TakenOver,
        ClosingCode::Kicked,
        ClosingCode::Banned,
    ] {
        face.ended(code, "why").unwrap();
    }
    face.ended(ClosingCode::Protocol, "why").unwrap();
    face.failed(&SessionError::Local("why".to_owned())).unwrap();
    face.disk_full("/disk", &[]).unwrap();
    face.left(3).unwrap();
    face.nothing_to_acknowledge(None).unwrap();
    face.input(Input::Fault(Fault::TooLong)).unwrap();
    face.input(Input::Fault(Fault::NotText)).unwrap();
    for body in [
        r#"{"operation":"divide","x":"1","y":"3","result":"0.3","exact":false,"fraction":"1/3","repeating":"0.(3)"}"#,
        r#"{"operation":"add","x":"1","y":"3","result":"4","exact":true}"#,
    ] {
        let members: Map<String, Value> = serde_json::from_str(body).unwrap();
        let answer = Answer::Result(crate::calculator::Outcome {
            members,
            json: body.to_owned(),
            shown: serde_json::from_str(body).unwrap(),
        });
        calculate(&mut face, Ok(answer));
    }
    let problem = r#"{"type":"/problems/division-by-zero","detail":"no"}"#;
    let refused = Answer::Refused(serde_json::from_str(problem).unwrap());
    calculate(&mut face, Ok(refused));
    calculate(&mut face, Err(CalculatorError::Https(HttpsError::Timeout)));
    let lines = kept.lock().unwrap().clone();
    let object = |line: String| serde_json::from_str(&line).unwrap();
    lines.into_iter().map(object).collect()
}

fn calculate(face: &mut JsonFace<'_>, answer: Result<Answer, CalculatorError>) {
    let asked = Asked {
        calculation: Calculation {
            method: Method::POST,
            operation: "add".to_owned(),
            x: "1".to_owned(),
            y: "2".to_owned(),
            precision: None,
        },
        say_to: SayTo::Nobody,
        reference: Some("null".to_owned()),
    };
    face.calculated(&Calculated { asked, answer }).unwrap();
}

#[test]
fn everything_that_is_told_is_as_the_schema_says_and_nothing_that_it_says_is_missing() {
    let told = told();
    let mut types = BTreeSet::new();
    for object in &told {
        assert_eq!(schema::fault("out", object), None, "{object}");
        types.insert(object["type"].as_str().unwrap().to_owned());
    }
    let described = schema::schema()["$defs"]["out"]["oneOf"]
        .as_array()
        .unwrap();
    let described: BTreeSet<_> = described
        .iter()
        .map(|part| part["$ref"].as_str().unwrap().replace("#/$defs/", ""))
        .collect();
    assert_eq!(types, described);
}

#[test]
fn every_type_is_in_the_guide() {
    let guide = include_str!("../../../../../docs/bots.md");
    let parts = schema::schema()["$defs"].as_object().unwrap();
    for (name, part) in parts {
        let kind = &part["properties"]["type"];
        let kinds = kind["enum"].as_array().cloned().unwrap_or_default();
        for kind in kinds.iter().chain([&kind["const"]]) {
            let kind = kind.as_str().unwrap_or("ready");
            assert!(guide.contains(&format!("| `{kind}`")), "{kind} of {name}");
        }
        for member in part["properties"].as_object().into_iter().flatten() {
            assert!(
                guide.contains(&format!("`{}`", member.0)),
                "{} of {name}",
                member.0
            );
        }
    }
}

#[test]
fn requests_that_the_schema_allows_are_understood_and_others_are_not() {
    let context = context();
    let kept = Arc::new(Mutex::new(Vec::new()));
    let mut face = JsonFace::new(&context, Paper::Kept(kept.clone()));
    let id = "00000000000000000000000000000000";
    for (line, is_understood) in [
        (
            r#"{"type":"private","to":"B","text":"x","ref":[1],"more":1}"#.to_owned(),
            true,
        ),
        (r#"{"type":"private","to":"B"}"#.to_owned(), false),
        (r#"{"type":"global","text":"x"}"#.to_owned(), true),
        (r#"{"type":"global","text":7}"#.to_owned(), false),
        (r#"{"type":"who"}"#.to_owned(), true),
        (r#"{"type":"link"}"#.to_owned(), true),
        (r#"{"type":"quit"}"#.to_owned(), true),
        (r#"{"type":"dance"}"#.to_owned(), false),
        (
            r#"{"type":"calc","operation":"add","x":0.1,"y":"2"}"#.to_owned(),
            true,
        ),
        (
            r#"{"type":"calc","operation":"add","x":[],"y":"2"}"#.to_owned(),
            false,
        ),
        (
            r#"{"type":"calc","operation":"add","x":1}"#.to_owned(),
            false,
        ),
        (
            r#"{"type":"calc","operation":"add","x":1,"y":2,"precision":5}"#.to_owned(),
            true,
        ),
        (
            r#"{"type":"calc","operation":"add","x":1,"y":2,"precision":"5"}"#.to_owned(),
            false,
        ),
        (r#"{"type":"history"}"#.to_owned(), true),
        (
            r#"{"type":"history","with":null,"limit":5}"#.to_owned(),
            true,
        ),
        (r#"{"type":"history","with":"B"}"#.to_owned(), true),
        (r#"{"type":"history","with":5}"#.to_owned(), false),
        (r#"{"type":"history","limit":-5}"#.to_owned(), false),
        (r#"{"type":"search","words":"x"}"#.to_owned(), true),
        (r#"{"type":"search"}"#.to_owned(), false),
        (r#"{"type":"trust","name":"B"}"#.to_owned(), true),
        (r#"{"type":"verify","name":"B"}"#.to_owned(), true),
        (
            r#"{"type":"verify","name":"B","same":true}"#.to_owned(),
            true,
        ),
        (
            r#"{"type":"verify","name":"B","same":true,"code":"1"}"#.to_owned(),
            true,
        ),
        (r#"{"type":"verify","name":"B","same":1}"#.to_owned(), false),
        (r#"{"type":"verify","name":"B","code":1}"#.to_owned(), false),
        (r#"{"type":"verify"}"#.to_owned(), false),
        (
            r#"{"type":"block","name":"B","blocked":false}"#.to_owned(),
            true,
        ),
        (
            r#"{"type":"block","name":"B","blocked":1}"#.to_owned(),
            false,
        ),
        (r#"{"type":"file","to":"B","path":"/a"}"#.to_owned(), true),
        (r#"{"type":"file","to":"B"}"#.to_owned(), false),
        (r#"{"type":"offers"}"#.to_owned(), true),
        (format!(r#"{{"type":"accept","offer":"{id}"}}"#), true),
        (format!(r#"{{"type":"decline","offer":"{id}"}}"#), true),
        (format!(r#"{{"type":"cancel","offer":"{id}"}}"#), true),
        (r#"{"type":"accept","offer":"1"}"#.to_owned(), false),
        (format!(r#"{{"type":"ack","id":"{id}"}}"#), true),
        (r#"{"type":"ack","id":"1"}"#.to_owned(), false),
    ] {
        let object = serde_json::from_str(&line).unwrap();
        assert_eq!(
            schema::fault("in", &object).is_none(),
            is_understood,
            "{line}"
        );
        kept.lock().unwrap().clear();
        face.input(Input::Line(line.clone())).unwrap();
        assert_eq!(kept.lock().unwrap().is_empty(), is_understood, "{line}");
    }
}

#[test]
fn digits_of_a_calculation_are_kept_as_they_were_written() {
    let context = context();
    let mut face = JsonFace::new(&context, Paper::Kept(Arc::default()));
    let line = r#"{"type":"calc","operation":"add","x":0.1000000000000000000000000000000000001,"y":1e-300,"ref":1}"#;
    match face.input(Input::Line(line.to_owned())).unwrap() {
        Action::Calculate(asked) => {
            let (x, y) = (asked.calculation.x, asked.calculation.y);
            assert_eq!(x, "0.1000000000000000000000000000000000001");
            assert_eq!(
                (y.as_str(), asked.reference.as_deref()),
                ("1e-300", Some("1"))
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn times_are_rfc_3339_whatever_was_sent() {
    assert_eq!(moment(1_795_219_200_123), "2026-11-21T00:00:00.123Z");
    for hostile in [i64::MIN, i64::MAX] {
        assert_eq!(moment(hostile), "1970-01-01T00:00:00Z");
    }
}
