//! Stories of Alice, Bob and the hub, with a backend that answers at once.

mod key_packages;
mod model;
mod operating;
mod private;

use std::net::Ipv4Addr;

use recado_proto::datagram::{EXPORTER_LENGTH, SessionSecret, Side};
use recado_proto::frame::{IncomingGlobal, Presence, RelayRefusalCode, RelayRequest};
use recado_proto::framing::FrameSplitter;
use recado_proto::id::{ConnectionId, MessageId, OfferId, SessionId, Signature};

use super::*;
use crate::event::DatagramChecks;
use crate::memory_backend::MemoryBackend;
use crate::operator::{OperatorAnswer, OperatorError, OperatorNumber};
use crate::relay::{RELAY_PATIENCE, RelayNumber};

/// A hub, and what it had the shell do.
struct Story {
    hub: Hub,
    now: Duration,
    backend: MemoryBackend,
    frames: BTreeMap<SessionNumber, Vec<ServerFrame>>,
    closed: Vec<SessionNumber>,
    opened: Vec<SessionNumber>,
    lost: Vec<SessionNumber>,
    probed: Vec<SessionNumber>,
    relays: Vec<RelayNumber>,
    fanned_out: Vec<IncomingGlobal>,
    answers: Vec<(OperatorNumber, Result<OperatorAnswer, OperatorError>)>,
    next: u64,
    /// Whether the backend fails.
    fails: bool,
    /// What the backend was asked and has not answered, where it is slow.
    waiting: Option<Vec<BackendRequest>>,
}

impl Story {
    fn begin(registration: Registration) -> Self {
        let log = LogId::from_bytes([9; 8]);
        Self {
            hub: Hub::new(HubConfig {
                registration,
                log,
                globals: HubConfig::GLOBALS,
                private: PrivateConfig {
                    // Most stories are told without it.
                    acknowledge_time: Duration::ZERO,
                    ..PrivateConfig::default()
                },
                relays: RelayConfig::default(),
                tokens: TokenSource::new([7; 32]),
                fixed: BTreeMap::new(),
            }),
            now: Duration::from_secs(1),
            backend: MemoryBackend::default(),
            frames: BTreeMap::new(),
            closed: vec![],
            opened: vec![],
            lost: vec![],
            probed: vec![],
            relays: vec![],
            fanned_out: vec![],
            answers: vec![],
            next: 0,
            fails: false,
            waiting: None,
        }
    }

    fn handle(&mut self, event: Event) {
        self.hub.handle(self.now, event);
        self.drain();
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.hub.handle_timeout(self.now);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.hub.poll_output() {
            match output {
                Output::Send {
                    session, frames, ..
                } => {
                    let list = self.frames.entry(session).or_default();
                    let mut splitter = FrameSplitter::default();
                    let taken = splitter.push(&frames, |frame| {
                        list.extend(ServerFrame::decode(frame).unwrap());
                        Ok::<_, recado_proto::framing::FrameTooLong>(())
                    });
                    taken.unwrap();
                }
                Output::Close { session, .. } => self.closed.push(session),
                Output::Backend(request) => {
                    if let Some(waiting) = &mut self.waiting {
                        waiting.push(request);
                        continue;
                    }
                    let answer = match self.fails {
                        true => request.unavailable(),
                        false => self.backend.answer(self.now, request),
                    };
                    self.hub.handle(self.now, Event::Backend(vec![answer]));
                }
                Output::OpenDatagrams { session } => self.opened.push(session),
                Output::DatagramsLost { session } => self.lost.push(session),
                Output::ProbeBack { session } => self.probed.push(session),
                Output::OpenRelay { number, .. } => self.relays.push(number),
                Output::OperatorAnswer { number, result } => self.answers.push((number, result)),
                Output::FanOut { plaintext } => match ServerDatagram::decode(&plaintext) {
                    Ok(Some(ServerDatagram::Global(global))) => self.fanned_out.push(global),
                    other => panic!("{other:?}"),
                },
            }
        }
    }

    fn connect_from(&mut self, key: u8, address: IpAddr) -> SessionNumber {
        self.connect_with(RemoteKey::from_bytes([key; 32]), address)
    }

    fn connect_with(&mut self, key: RemoteKey, address: IpAddr) -> SessionNumber {
        self.next += 1;
        let session = SessionNumber(self.next);
        let first = key.as_bytes()[0];
        self.handle(Event::Connected {
            session,
            key,
            address,
            id: SessionId::from_bytes([first; 16]),
            connection: ConnectionId(self.next),
            checks: checks(first),
        });
        session
    }

    fn connect(&mut self, key: u8) -> SessionNumber {
        self.connect_from(key, Ipv4Addr::LOCALHOST.into())
    }

    fn join(&mut self, name: &str, key: u8) -> SessionNumber {
        let session = self.connect(key);
        self.frame(session, hello(name));
        session
    }

    fn frame(&mut self, session: SessionNumber, frame: ClientFrame) {
        self.handle(Event::Frame { session, frame });
    }

    /// What was sent to a session since this was last asked.
    fn sent(&mut self, session: SessionNumber) -> Vec<ServerFrame> {
        self.frames.remove(&session).unwrap_or_default()
    }

    fn refusal(&mut self, session: SessionNumber) -> Refused {
        match self.sent(session).as_slice() {
            [ServerFrame::Refused(refused)] => refused.clone(),
            other => panic!("{other:?}"),
        }
    }
}

fn checks(key: u8) -> DatagramChecks {
    let secret = SessionSecret::new([key; EXPORTER_LENGTH]);
    DatagramChecks {
        server: secret.check(Side::Server),
        client: secret.check(Side::Client),
    }
}

fn hello(name: &str) -> ClientFrame {
    ClientFrame::Hello(Hello {
        version_min: 1,
        version_max: 1,
        name: name.into(),
        software: "a test".into(),
        ticket: None,
    })
}

fn global(id: u8, text: &str) -> GlobalMessage {
    GlobalMessage {
        id: MessageId::from_bytes([id; 16]),
        sent_at_ms: 1,
        text: text.into(),
        signature: Signature::from_bytes([0; 64]),
    }
}

fn names(people: &[Person]) -> Vec<&str> {
    people.iter().map(|person| person.name.as_str()).collect()
}

#[test]
fn a_newcomer_is_welcomed_with_the_roster_and_everyone_learns_of_it() {
    let mut story = Story::begin(Registration::Lan);
    let alice = story.join("Alice", 1);
    story.wait(Duration::from_secs(1));
    story.sent(alice);
    let bob = story.join("Bob", 2);
    let frames = story.sent(bob);
    let [
        ServerFrame::Welcome(welcome),
        ServerFrame::Roster(roster),
        rest @ ..,
    ] = frames.as_slice()
    else {
        panic!("{frames:?}");
    };
    assert_eq!((welcome.name.as_str(), welcome.version), ("Bob", 1));
    assert!(checks(2).server.matches(&welcome.datagram_check));
    assert!(roster.last);
    assert_eq!(names(&roster.people), ["Alice", "Bob"]);
    for told in [rest.to_vec(), story.sent(alice)] {
        let [ServerFrame::Presence(Presence { joined, left })] = told.as_slice() else {
            panic!("{told:?}");
        };
        assert_eq!((names(joined), left.len()), (vec!["Bob"], 0));
    }
    story.handle(Event::Disconnected { session: bob });
    story.wait(Duration::from_secs(1));
    let told = story.sent(alice);
    let [ServerFrame::Presence(Presence { joined, left })] = told.as_slice() else {
        panic!("{told:?}");
    };
    assert_eq!((joined.len(), names(left)), (0, vec!["Bob"]));
}

#[test]
fn presence_is_coalesced_to_the_last_change_of_each() {
    let mut story = Story::begin(Registration::Lan);
    let alice = story.join("Alice", 1);
    story.wait(Duration::from_secs(1));
    story.join("Bob", 2);
    story.sent(alice);
    let carol = story.join("Carol", 3);
    story.join("Dora", 4);
    // Ed comes in between and sees Carol: he must learn that she went.
    let ed = story.join("Ed", 5);
    story.sent(ed);
    story.handle(Event::Disconnected { session: carol });
    assert_eq!(story.sent(alice), []);
    assert!(story.hub.poll_timeout().is_some());
    story.wait(Duration::from_millis(100));
    for told in [story.sent(alice), story.sent(ed)] {
        let [
            ServerFrame::Presence(presence),
            ServerFrame::Presence(after),
        ] = told.as_slice()
        else {
            panic!("{told:?}");
        };
        // Who knew nothing of Carol learns that she was here, too.
        let changes = (names(&presence.joined), presence.left.len());
        assert_eq!(changes, (vec!["Carol", "Dora", "Ed"], 0));
        assert_eq!((after.joined.len(), names(&after.left)), (0, vec!["Carol"]));
    }
}

#[test]
fn a_name_is_refused_with_its_reason() {
    let mut story = Story::begin(Registration::Lan);
    story.join("Alice", 1);
    let mallory = story.join("alice", 2);
    let refused = story.refusal(mallory);
    assert_eq!(refused.code, RefusalCode::NameTaken);
    for (name, rule) in [
        ("", "empty"),
        ("-x", "first_character"),
        ("todos", "reserved"),
    ] {
        let session = story.join(name, 3);
        let refused = story.refusal(session);
        assert_eq!(refused.code, RefusalCode::NameInvalid);
        assert_eq!(refused.rule, rule);
    }
    let session = story.connect(4);
    let mut later = hello("Bob");
    if let ClientFrame::Hello(hello) = &mut later {
        (hello.version_min, hello.version_max) = (2, 9);
    }
    story.frame(session, later);
    assert_eq!(story.refusal(session).code, RefusalCode::Version);
    assert_eq!(story.closed.len(), 5);
}

#[test]
fn from_outside_the_lan_only_names_that_are_registered_get_in() {
    let mut story = Story::begin(Registration::Lan);
    let outside: IpAddr = "203.0.113.9".parse().unwrap();
    let alice = story.connect_from(1, outside);
    story.frame(alice, hello("Alice"));
    assert_eq!(story.refusal(alice).code, RefusalCode::Registration);
    story.join("Alice", 1);
    let alice = story.connect_from(1, outside);
    story.frame(alice, hello("Alice"));
    assert!(matches!(story.sent(alice)[0], ServerFrame::Welcome(_)));
}

#[test]
fn a_class_gets_in_at_once_and_a_flood_of_names_does_not() {
    let mut story = Story::begin(Registration::Open);
    for pupil in 0..200 {
        let session = story.connect(pupil);
        story.frame(session, hello(&format!("Pupil{pupil}")));
        assert!(
            matches!(story.sent(session)[0], ServerFrame::Welcome(_)),
            "{pupil}"
        );
    }
    let mut refused = 0;
    for extra in 0..200u8 {
        let mut key = [extra; 32];
        key[31] = 255;
        let key = RemoteKey::from_bytes(key);
        let session = story.connect_with(key, Ipv4Addr::LOCALHOST.into());
        story.frame(session, hello(&format!("Extra{extra}")));
        if let [ServerFrame::Refused(refusal)] = story.sent(session).as_slice() {
            assert_eq!(refusal.code, RefusalCode::TooManyClaims);
            assert!(refusal.retry_in_ms > 0);
            refused += 1;
        }
    }
    assert_eq!(refused, 100);
    // Those who have a name come and go as they like.
    let back = story.join("Pupil7", 7);
    assert!(matches!(story.sent(back)[0], ServerFrame::Welcome(_)));
}

#[test]
fn a_global_message_goes_by_datagram_or_by_frame() {
    let mut story = Story::begin(Registration::Lan);
    let (alice, bob) = (story.join("Alice", 1), story.join("Bob", 2));
    // Only confirmed keys open datagrams, and only a confirmed path takes global messages.
    story.handle(Event::Path {
        session: alice,
        up: true,
    });
    let confirm = checks(1).client.as_bytes().to_vec();
    story.frame(alice, ClientFrame::DatagramConfirm(confirm));
    assert_eq!(story.opened, [alice]);
    story.handle(Event::Path {
        session: alice,
        up: true,
    });
    let (_, _) = (story.sent(alice), story.sent(bob));

    let message = global(1, "Olá, todos!");
    story.handle(Event::Datagram {
        session: alice,
        message: message.clone(),
    });
    assert_eq!(story.fanned_out[0].sequence, 1);
    assert_eq!(story.fanned_out[0].from.name, "Alice");
    assert_eq!(story.fanned_out[0].message, message);
    assert_eq!(story.sent(alice), [], "by datagram");
    assert!(matches!(story.sent(bob).as_slice(), [ServerFrame::Global(g)] if g.sequence == 1));

    // Too long for a datagram: everyone gets a frame.
    story.frame(bob, ClientFrame::Global(global(2, &"x".repeat(2000))));
    assert_eq!(story.fanned_out.len(), 1);
    for session in [alice, bob] {
        assert!(
            matches!(story.sent(session).as_slice(), [ServerFrame::Global(g)] if g.sequence == 2)
        );
    }
}

#[test]
fn a_second_session_of_a_key_takes_over() {
    let mut story = Story::begin(Registration::Lan);
    let (bob, first) = (story.join("Bob", 2), story.join("Alice", 1));
    story.wait(Duration::from_secs(1));
    story.sent(first);
    story.sent(bob);
    let second = story.join("Alice", 1);
    assert!(matches!(
        story.sent(first).as_slice(),
        [ServerFrame::Closing(Closing {
            code: ClosingCode::TakenOver,
            ..
        })]
    ));
    assert_eq!(story.closed, [first]);
    // The end of the old connection changes nothing for the new one.
    story.handle(Event::Disconnected { session: first });
    story.wait(Duration::from_secs(1));
    story.frame(second, ClientFrame::Ping);
    assert!(story.sent(second).contains(&ServerFrame::Pong));
    assert_eq!(story.hub.people(), 2);
    let told = story.sent(bob);
    let [ServerFrame::Presence(presence)] = told.as_slice() else {
        panic!("{told:?}");
    };
    let changes = (names(&presence.joined), presence.left.len());
    assert_eq!(changes, (vec!["Alice"], 0), "Alice was never away");
}

#[test]
fn frames_out_of_turn_end_the_session() {
    let mut story = Story::begin(Registration::Lan);
    let silent = story.connect(1);
    story.frame(silent, ClientFrame::Ping);
    assert_eq!(story.closed, [silent]);
    story.frame(silent, hello("Alice"));
    assert_eq!(story.hub.people(), 0, "what comes after is ignored");

    let twice = story.join("Alice", 1);
    story.frame(twice, hello("Alice"));
    let wrong = story.join("Bob", 2);
    story.frame(wrong, ClientFrame::DatagramConfirm(vec![0; 16]));
    let noise = story.join("Carol", 3);
    let detail = "not a protobuf message".into();
    story.handle(Event::Malformed {
        session: noise,
        detail,
    });
    assert_eq!(story.closed, [silent, twice, wrong, noise]);
    assert_eq!(story.hub.people(), 0);
}

#[test]
fn who_stays_silent_is_let_go() {
    let mut story = Story::begin(Registration::Lan);
    let silent = story.connect(1);
    let alice = story.join("Alice", 2);
    story.wait(GREETING_TIME - Duration::from_millis(1));
    assert_eq!(story.closed, []);
    story.wait(Duration::from_millis(1));
    assert_eq!(story.closed, [silent]);
    story.wait(GREETING_TIME);
    assert_eq!(story.closed, [silent]);
    assert!(!story.sent(alice).is_empty());
}

#[test]
fn a_stop_is_told_to_all_and_nobody_comes_in_after() {
    let mut story = Story::begin(Registration::Lan);
    let alice = story.join("Alice", 1);
    story.sent(alice);
    story.handle(Event::Shutdown);
    let late = story.connect(2);
    for session in [alice, late] {
        assert!(matches!(
            story.sent(session).as_slice(),
            [ServerFrame::Closing(Closing {
                code: ClosingCode::Shutdown,
                ..
            })]
        ));
    }
    assert_eq!(story.closed, [alice, late]);
}

#[test]
fn a_token_comes_back_from_who_left_before_the_answer() {
    let mut story = Story::begin(Registration::Lan);
    story.join("Alice", 1);
    for _ in 0..2 * CLAIMS.burst {
        let session = story.connect(1);
        let frame = hello("Alice");
        // The connection ends while the answer is on its way.
        story.hub.handle(story.now, Event::Frame { session, frame });
        story.hub.handle(story.now, Event::Disconnected { session });
        story.drain();
    }
    let bob = story.join("Bob", 2);
    assert!(matches!(story.sent(bob)[0], ServerFrame::Welcome(_)));
}

fn sequences(frames: &[ServerFrame]) -> Vec<u64> {
    let sequence = |frame: &ServerFrame| match frame {
        ServerFrame::Global(global) => Some(global.sequence),
        _ => None,
    };
    frames.iter().filter_map(sequence).collect()
}

fn datagram(session: SessionNumber, id: u8) -> Event {
    let message = global(id, "Olá");
    Event::Datagram { session, message }
}

#[test]
fn what_was_lost_is_repaired_and_the_end_of_a_burst_is_told() {
    let mut story = Story::begin(Registration::Lan);
    let (alice, bob) = (story.join("Alice", 1), story.join("Bob", 2));
    for id in 1..=5 {
        story.handle(datagram(alice, id));
    }
    story.sent(bob);
    story.wait(HEAD_TIME - Duration::from_millis(1));
    assert!(!story.sent(bob).contains(&ServerFrame::GlobalHead(5)));
    story.wait(Duration::from_millis(1));
    assert_eq!(story.sent(bob), [ServerFrame::GlobalHead(5)]);
    story.wait(Duration::from_secs(10));
    assert_eq!(story.sent(bob), [], "it is told once");

    let ranges = vec![Range { first: 2, last: 3 }, Range { first: 5, last: 9 }];
    story.frame(bob, ClientFrame::GlobalRequest(ranges));
    assert_eq!(sequences(&story.sent(bob)), [2, 3, 5]);
    let ranges = vec![Range { first: 0, last: 1 }];
    story.frame(bob, ClientFrame::GlobalRequest(ranges));
    let frames = story.sent(bob);
    assert_eq!(sequences(&frames), [1]);
    let gone = ServerFrame::GlobalGone(Range { first: 0, last: 0 });
    assert!(frames.contains(&gone));
}

#[test]
fn a_repeated_message_is_numbered_once_and_comes_back() {
    let mut story = Story::begin(Registration::Lan);
    let (alice, bob) = (story.join("Alice", 1), story.join("Bob", 2));
    story.handle(datagram(alice, 1));
    let (_, _) = (story.sent(alice), story.sent(bob));
    story.frame(alice, ClientFrame::Global(global(1, "Olá")));
    assert_eq!(sequences(&story.sent(alice)), [1]);
    assert_eq!(story.sent(bob), []);
    // The same id of another sender is another message.
    story.handle(datagram(bob, 1));
    assert_eq!(sequences(&story.sent(alice)), [2]);
}

#[test]
fn a_newcomer_learns_what_was_said_last() {
    let mut story = Story::begin(Registration::Lan);
    let alice = story.join("Alice", 1);
    for id in 1..=30 {
        story.handle(datagram(alice, id));
    }
    let bob = story.join("Bob", 2);
    let frames = story.sent(bob);
    let ServerFrame::Welcome(welcome) = &frames[0] else {
        panic!("{frames:?}");
    };
    assert_eq!(welcome.log_sequence, 30);
    let history = frames.iter().find_map(|frame| match frame {
        ServerFrame::GlobalHistory(history) => Some(history),
        _ => None,
    });
    let history: Vec<_> = history
        .unwrap()
        .iter()
        .map(|global| global.sequence)
        .collect();
    assert_eq!(history, (11..=30).collect::<Vec<_>>());
}

#[test]
fn who_says_too_much_is_told_when_to_go_on() {
    let mut story = Story::begin(Registration::Lan);
    let (alice, bob) = (story.join("Alice", 1), story.join("Bob", 2));
    for id in 0..=100 {
        story.handle(datagram(alice, id));
    }
    assert_eq!(sequences(&story.sent(bob)).len(), 100);
    let frames = story.sent(alice);
    let Some(ServerFrame::GlobalRefused(refused)) = frames.last() else {
        panic!("{frames:?}");
    };
    assert_eq!(refused.id, MessageId::from_bytes([100; 16]));
    // Others are not held up, and neither is Alice, when she waits as told.
    story.handle(datagram(bob, 1));
    assert_eq!(sequences(&story.sent(alice)), [101]);
    story.now += Duration::from_millis(refused.retry_in_ms);
    story.handle(datagram(alice, 100));
    assert_eq!(sequences(&story.sent(bob)), [101, 102]);
    // A long text costs more.
    story.frame(
        alice,
        ClientFrame::Global(global(200, &"x".repeat(64 * 1024))),
    );
    assert!(matches!(
        story.sent(alice).last(),
        Some(ServerFrame::GlobalRefused(_))
    ));
}

#[test]
fn a_client_that_hears_no_datagrams_gets_frames() {
    let mut story = Story::begin(Registration::Lan);
    let alice = story.join("Alice", 1);
    let confirm = checks(1).client.as_bytes().to_vec();
    story.frame(alice, ClientFrame::DatagramConfirm(confirm));
    story.handle(Event::Path {
        session: alice,
        up: true,
    });
    story.frame(alice, ClientFrame::DatagramProbe);
    assert_eq!(story.probed, [alice]);
    story.frame(alice, ClientFrame::DatagramsLost);
    story.frame(alice, ClientFrame::DatagramProbe);
    assert_eq!((&story.lost, &story.probed), (&vec![alice], &vec![alice]));
    story.sent(alice);
    story.handle(datagram(alice, 1));
    assert_eq!(sequences(&story.sent(alice)), [1]);
    story.handle(Event::ProbeHeard {
        session: alice,
        nonce: 7,
    });
    assert_eq!(story.sent(alice), [ServerFrame::ProbeHeard(7)]);
}

#[test]
fn two_people_get_a_relay_and_one_who_left_gets_none() {
    let mut story = Story::begin(Registration::Lan);
    let (alice, bob) = (story.join("Alice", 1), story.join("Bob", 2));
    let ask = |key| {
        ClientFrame::RelayRequest(RelayRequest {
            offer: OfferId::from_bytes([9; 16]),
            peer: RemoteKey::from_bytes([key; 32]),
        })
    };
    story.frame(alice, ask(2));
    story.frame(bob, ask(1));
    for session in [alice, bob] {
        let last = story.sent(session).pop();
        assert!(
            matches!(last, Some(ServerFrame::RelayGranted(_))),
            "{last:?}"
        );
    }
    assert_eq!(story.relays, [RelayNumber(0)]);
    story.handle(Event::RelayClosed(RelayNumber(0)));
    story.frame(bob, ask(1));
    story.handle(Event::Disconnected { session: bob });
    story.frame(alice, ask(2));
    assert_eq!(story.relays.len(), 1);
    story.wait(RELAY_PATIENCE / 2);
    story.frame(alice, ClientFrame::Pong);
    story.wait(RELAY_PATIENCE / 2);
    let told = story.sent(alice);
    assert!(told.iter().any(|frame| matches!(
        frame,
        ServerFrame::RelayRefused(refused) if refused.code == RelayRefusalCode::Alone
    )));
}
