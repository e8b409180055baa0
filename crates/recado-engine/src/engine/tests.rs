//! Alice's engine against a server played by hand.

use std::sync::Arc;

use recado_proto::datagram::EXPORTER_LENGTH;
use recado_proto::fingerprint::Fingerprint;
use recado_proto::frame::{Closing, ClosingCode, ProbeAnswer, Range};
use recado_proto::id::{ConnectionId, RemoteKey, SessionId, Signature, StoreId};
use recado_proto::limits::MAX_TEXT;

use super::*;
use crate::event::check_text;
use crate::lasting::ECHO_TIME;
use crate::{ClientConfig, CommandError};

const ROOT: Fingerprint = Fingerprint::from_bytes([1; 32]);
const CONNECTION: ConnectionId = ConnectionId(7);

struct Story {
    alice: Engine,
    server: (Sealer, Opener),
    now: Duration,
    frames: Vec<ClientFrame>,
    datagrams: Vec<ClientDatagram>,
    events: Vec<Event>,
    key: RemoteKey,
    pair: Arc<aws_lc_rs::signature::Ed25519KeyPair>,
}

fn secret() -> SessionSecret {
    SessionSecret::new([5; EXPORTER_LENGTH])
}

fn welcome() -> Welcome {
    Welcome {
        version: PROTOCOL_VERSION,
        session: SessionId::from_bytes([2; 16]),
        connection: CONNECTION,
        datagram_check: secret().check(Side::Server).as_bytes().to_vec(),
        name: "Alice".into(),
        log: LogId::from_bytes([3; 8]),
        log_sequence: 0,
    }
}

fn key_pair(seed: u8) -> (RemoteKey, Arc<aws_lc_rs::signature::Ed25519KeyPair>) {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
    let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    let key = RemoteKey::try_from(pair.public_key().as_ref()).unwrap();
    (key, Arc::new(pair))
}

fn lasting() -> Box<Lasting> {
    let (key, pair) = key_pair(1);
    let config = ClientConfig {
        root: ROOT,
        key,
        sign: Box::new(move |content| Signature::try_from(pair.sign(content).as_ref()).unwrap()),
        manual: false,
        draw: Box::new(|| StoreId::from_bytes([0; 16])),
    };
    Box::new(Lasting::new(config, std::iter::empty()))
}

impl Story {
    fn begin() -> Self {
        let now = Duration::from_secs(10);
        let mut alice = Engine::new(now, lasting(), welcome(), secret())
            .map_err(|(error, _)| error)
            .unwrap();
        alice.become_reachable();
        let (key, pair) = key_pair(1);
        let mut story = Self {
            alice,
            server: secret().into_pair(Side::Server, CONNECTION),
            now,
            frames: vec![],
            datagrams: vec![],
            events: vec![],
            key,
            pair,
        };
        story.drain();
        story
    }

    /// Alice with a roster and, if `datagrams` pass, a confirmed link.
    fn ready(datagrams: bool) -> Self {
        let mut story = Self::begin();
        story.roster();
        if datagrams {
            story.confirm();
        } else {
            story.wait(Duration::from_secs(1));
        }
        assert_eq!(story.events(), [ready(datagrams, story.alice.link.rtt())]);
        story.frames.clear();
        story.datagrams.clear();
        story
    }

    /// The same Alice in another session.
    fn reconnect(self, welcome: Welcome) -> Self {
        let lasting = self.alice.into_lasting();
        let alice = Engine::new(self.now, lasting, welcome, secret());
        let mut alice = alice.map_err(|(error, _)| error).unwrap();
        alice.become_reachable();
        let mut story = Self {
            alice,
            server: secret().into_pair(Side::Server, CONNECTION),
            frames: vec![],
            datagrams: vec![],
            events: vec![],
            ..self
        };
        story.drain();
        story
    }

    fn roster(&mut self) {
        let people = vec![self.person("Alice"), self.person("Bob")];
        self.frame(ServerFrame::Roster(Roster { people, last: true }));
    }

    fn confirm(&mut self) {
        for confirmed in [false, true] {
            let Some(ClientDatagram::Probe(probe)) = self.datagrams.last().cloned() else {
                panic!("no probe");
            };
            assert_eq!(probe.challenge, if confirmed { 99 } else { 0 });
            self.datagram(ServerDatagram::ProbeAnswer(ProbeAnswer {
                nonce: probe.nonce,
                challenge: 99,
                confirmed,
            }));
        }
    }

    /// Answers the last probe, and the one that follows if the first is not confirmed.
    fn server_answers(&mut self, challenge: u64, confirm: bool) {
        for confirmed in [false, true] {
            let probe = self
                .datagrams
                .iter()
                .rev()
                .find_map(|datagram| match datagram {
                    ClientDatagram::Probe(probe) => Some(probe.clone()),
                    ClientDatagram::Global(_) => None,
                });
            self.datagram(ServerDatagram::ProbeAnswer(ProbeAnswer {
                nonce: probe.unwrap().nonce,
                challenge,
                confirmed: confirmed && confirm,
            }));
        }
    }

    fn person(&self, name: &str) -> Person {
        let key = match name {
            "Alice" => self.key,
            _ => key_pair(name.as_bytes()[0]).0,
        };
        let name = name.into();
        Person { name, key }
    }

    fn frame(&mut self, frame: ServerFrame) {
        self.alice.handle_frame(self.now, frame);
        self.drain();
    }

    fn datagram(&mut self, datagram: ServerDatagram) {
        let mut bytes = Vec::new();
        self.server.0.seal(&datagram.encode(), &mut bytes).unwrap();
        self.alice.handle_datagram(self.now, &mut bytes);
        self.drain();
    }

    fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.alice.poll_timeout().filter(|at| *at <= until) {
            self.now = at;
            self.alice.handle_timeout(at);
            self.drain();
        }
        self.now = until;
    }

    fn say(&mut self, id: u8, text: &str) {
        let id = MessageId::from_bytes([id; 16]);
        self.alice.say(self.now, id, 5, text.into(), None);
        self.drain();
    }

    fn unechoed(&self) -> usize {
        self.alice.lasting().global.len()
    }

    /// A global message as the server would number it, signed by `pair`.
    fn numbered(&self, sequence: u64, id: u8, text: &str) -> IncomingGlobal {
        let id = MessageId::from_bytes([id; 16]);
        let content = global::signed_content(&ROOT, &self.key, &id, 5, text);
        IncomingGlobal {
            sequence,
            from: self.person("Alice"),
            message: GlobalMessage {
                id,
                sent_at_ms: 5,
                text: text.into(),
                signature: Signature::try_from(self.pair.sign(&content).as_ref()).unwrap(),
            },
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.alice.poll_output() {
            match output {
                Output::Frame(frame) => self.frames.push(frame),
                Output::Datagram(mut bytes) => {
                    let opened = self.server.1.open(&mut bytes).unwrap();
                    let datagram = ClientDatagram::decode(opened.plaintext).unwrap();
                    self.datagrams.push(datagram.unwrap());
                }
                Output::Event(event) => self.events.push(event),
            }
        }
    }

    fn events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }
}

fn ready(open: bool, rtt: Option<Duration>) -> Event {
    Event::Ready {
        name: "Alice".into(),
        link: link(open, open, rtt),
    }
}

fn link(up: bool, down: bool, rtt: Option<Duration>) -> LinkState {
    LinkState { up, down, rtt }
}

fn state(id: u8, state: State) -> Event {
    Event::State {
        id: MessageId::from_bytes([id; 16]),
        reference: None,
        state,
    }
}

#[test]
fn ready_comes_with_the_roster_and_a_confirmed_link() {
    let mut story = Story::begin();
    assert!(matches!(
        story.frames.as_slice(),
        [ClientFrame::DatagramConfirm(_)]
    ));
    story.confirm();
    assert_eq!(story.events(), []);
    story.roster();
    assert_eq!(story.events(), [ready(true, Some(Duration::ZERO))]);
}

#[test]
fn without_datagrams_ready_comes_after_a_second_and_probing_goes_on() {
    let mut story = Story::begin();
    story.roster();
    story.wait(Duration::from_millis(999));
    assert_eq!(story.events(), []);
    // Ten, and three of the first moments.
    assert!((12..=14).contains(&story.datagrams.len()));
    story.wait(Duration::from_millis(1));
    assert_eq!(story.events(), [ready(false, None)]);
    story.datagrams.clear();
    story.wait(Duration::from_secs(60));
    // Ever more rarely: after 1, 3, 7, 15, 30, 45 and 60 s.
    assert_eq!(story.datagrams.len(), 7);
    story.confirm();
    let open = Event::Link(link(true, true, Some(Duration::ZERO)));
    assert_eq!(story.events().last(), Some(&open));
    story.say(1, "Olá");
    assert!(matches!(
        story.datagrams.last(),
        Some(ClientDatagram::Global(_))
    ));
}

#[test]
fn what_came_before_ready_is_told_after_it() {
    let mut story = Story::begin();
    story.roster();
    let carol = story.person("Carol");
    let joined = vec![carol.clone()];
    let left = vec![];
    story.frame(ServerFrame::Presence(Presence { joined, left }));
    assert_eq!(story.events(), []);
    story.confirm();
    let came = Event::Presence {
        person: carol,
        online: true,
    };
    assert_eq!(story.events()[1..], [came]);
}

#[test]
fn a_global_message_is_stored_when_its_own_echo_comes() {
    let mut story = Story::ready(true);
    story.say(1, "Olá, todos!");
    let Some(ClientDatagram::Global(sent)) = story.datagrams.last().cloned() else {
        panic!("not by datagram");
    };
    assert_eq!(story.frames, []);
    assert_eq!(sent, story.numbered(1, 1, "Olá, todos!").message);
    story.datagram(ServerDatagram::Global(story.numbered(1, 1, "Olá, todos!")));
    let events = story.events();
    assert!(
        matches!(
            events.as_slice(),
            [
                Event::Global {
                    sequence: 1,
                    via: Via::Udp,
                    verified: true,
                    ..
                },
                Event::State {
                    state: State::Stored,
                    ..
                }
            ]
        ),
        "{events:?}"
    );
    assert_eq!(story.unechoed(), 0);
    story.wait(ECHO_TIME);
    assert_eq!((story.events(), story.frames.len()), (vec![], 0));
}

#[test]
fn a_message_comes_once_whatever_carries_it() {
    let mut story = Story::ready(true);
    story.datagram(ServerDatagram::Global(story.numbered(2, 2, "dois")));
    story.frame(ServerFrame::Global(story.numbered(2, 2, "dois")));
    story.frame(ServerFrame::Global(story.numbered(1, 1, "um")));
    let sequences: Vec<_> = story
        .events()
        .into_iter()
        .map(|event| match event {
            Event::Global { sequence, via, .. } => (sequence, via),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(sequences, [(2, Via::Udp), (1, Via::Tcp)]);
}

#[test]
fn without_an_echo_a_global_message_is_repeated_by_frame_and_fails_at_last() {
    let mut story = Story::ready(true);
    story.say(1, "Olá");
    let sent = story.numbered(1, 1, "Olá").message;
    story.wait(ECHO_TIME);
    assert_eq!(story.frames[0], ClientFrame::Global(sent.clone()));
    story.wait(GIVE_UP);
    assert!(
        story
            .frames
            .iter()
            .filter(|frame| **frame == ClientFrame::Global(sent.clone()))
            .count()
            > 10
    );
    let failed = state(1, State::Failed(Failure::NoEcho));
    assert!(story.events().contains(&failed));
    assert_eq!(story.unechoed(), 0);
}

#[test]
fn who_is_told_to_wait_waits_and_then_repeats() {
    let mut story = Story::ready(true);
    story.say(1, "Olá");
    let refused = GlobalRefused {
        id: MessageId::from_bytes([1; 16]),
        retry_in_ms: 2000,
        code: GlobalRefusalCode::Rate,
    };
    story.frame(ServerFrame::GlobalRefused(refused));
    story.wait(Duration::from_millis(1999));
    assert_eq!(story.frames, []);
    story.wait(Duration::from_millis(1));
    assert!(matches!(story.frames.as_slice(), [ClientFrame::Global(_)]));
    story.frame(ServerFrame::Global(story.numbered(1, 1, "Olá")));
    let events = story.events();
    assert_eq!(events.last(), Some(&state(1, State::Stored)), "{events:?}");
}

#[test]
fn what_someone_says_who_is_muted_has_failed() {
    let mut story = Story::ready(true);
    story.say(1, "Olá");
    let refused = GlobalRefused {
        id: MessageId::from_bytes([1; 16]),
        retry_in_ms: 60_000,
        code: GlobalRefusalCode::Muted,
    };
    story.frame(ServerFrame::GlobalRefused(refused));
    let failed = state(1, State::Failed(Failure::Muted));
    assert_eq!(story.events().last(), Some(&failed));
    // Told once, also where it was repeated meanwhile; and the next waits for nothing.
    story.frame(ServerFrame::GlobalRefused(refused));
    assert_eq!(story.events(), []);
    assert_eq!(story.unechoed(), 0);
}

#[test]
fn what_is_missing_is_asked_for_and_what_is_gone_is_a_hole() {
    let mut story = Story::ready(true);
    story.datagram(ServerDatagram::Global(story.numbered(1, 1, "um")));
    story.datagram(ServerDatagram::Global(story.numbered(4, 4, "quatro")));
    story.wait(Duration::from_millis(30));
    let request = |first, last| ClientFrame::GlobalRequest(vec![Range { first, last }]);
    assert_eq!(story.frames, [request(2, 3)]);
    story.frame(ServerFrame::GlobalGone(Range { first: 2, last: 2 }));
    story.frame(ServerFrame::Global(story.numbered(3, 3, "três")));
    let events = story.events();
    let hole = Event::Hole { first: 2, last: 2 };
    assert!(
        matches!(
            events.as_slice(),
            [
                Event::Global { sequence: 1, late: false, .. },
                Event::Global { sequence: 4, late: false, .. },
                found,
                Event::Global { sequence: 3, late: true, via: Via::Tcp, .. },
            ] if *found == hole
        ),
        "{events:?}"
    );
    // A tail that was lost shows by the head.
    story.frames.clear();
    story.frame(ServerFrame::GlobalHead(6));
    story.wait(Duration::from_millis(30));
    assert!(story.frames.contains(&request(5, 6)));
}

#[test]
fn history_is_shown_once_and_as_such() {
    let mut story = Story::begin();
    story.roster();
    let history = vec![story.numbered(1, 1, "um"), story.numbered(2, 2, "dois")];
    story.frame(ServerFrame::GlobalHistory(history));
    story.confirm();
    let events = story.events();
    assert!(
        matches!(
            events.as_slice(),
            [
                Event::Ready { .. },
                Event::Global {
                    sequence: 1,
                    replayed: true,
                    ..
                },
                Event::Global {
                    sequence: 2,
                    replayed: true,
                    ..
                },
            ]
        ),
        "{events:?}"
    );
}

#[test]
fn without_a_link_or_too_long_a_global_message_goes_by_frame() {
    let mut story = Story::ready(false);
    story.say(1, "Olá");
    assert!(matches!(story.frames.as_slice(), [ClientFrame::Global(_)]));
    let mut story = Story::ready(true);
    story.say(1, &"x".repeat(1200));
    assert!(matches!(story.frames.as_slice(), [ClientFrame::Global(_)]));
}

#[test]
fn a_forged_global_message_is_shown_as_unverified_and_settles_nothing() {
    let mut story = Story::ready(true);
    story.say(1, "Olá");
    let mut forged = story.numbered(1, 1, "Olá");
    forged.message.text = "Adeus".into();
    story.datagram(ServerDatagram::Global(forged));
    // A true signature of another key, under Bob's name.
    let mut renamed = story.numbered(2, 2, "Eu sou o Bob");
    renamed.from.name = "Bob".into();
    story.datagram(ServerDatagram::Global(renamed));
    let events = story.events();
    assert!(
        matches!(
            events.as_slice(),
            [
                Event::Global {
                    verified: false,
                    ..
                },
                Event::Global {
                    verified: false,
                    ..
                }
            ]
        ),
        "{events:?}"
    );
    assert_eq!(story.unechoed(), 1);
}

#[test]
fn the_next_session_goes_on_where_the_last_one_ended() {
    let mut story = Story::ready(true);
    story.datagram(ServerDatagram::Global(story.numbered(1, 1, "um")));
    story.say(2, "dois");
    story.alice.end(None, "gone".into());
    let mut welcome = welcome();
    welcome.log_sequence = 4;
    let mut story = story.reconnect(welcome);
    story.roster();
    let before = story.numbered(1, 1, "um");
    story.frame(ServerFrame::GlobalHistory(vec![before]));
    story.wait(Duration::from_millis(200));
    let asked = ClientFrame::GlobalRequest(vec![Range { first: 2, last: 4 }]);
    assert!(story.frames.contains(&asked), "{:?}", story.frames);
    let again = story.frames.iter().any(
        |frame| matches!(frame, ClientFrame::Global(message) if message.id == MessageId::from_bytes([2; 16])),
    );
    assert!(again, "what had not come back is said again");
    story.confirm();
    let shown = |event: &Event| matches!(event, Event::Global { .. });
    assert!(!story.events().iter().any(shown), "history is known");
}

#[test]
fn a_new_log_is_told_and_followed_from_its_beginning() {
    let mut story = Story::ready(true);
    story.datagram(ServerDatagram::Global(story.numbered(1, 1, "um")));
    let mut welcome = welcome();
    welcome.log = LogId::from_bytes([4; 8]);
    welcome.log_sequence = 2;
    let mut story = story.reconnect(welcome);
    story.roster();
    story.confirm();
    assert!(story.events().contains(&Event::LogLost));
    story.wait(Duration::from_millis(200));
    let asked = ClientFrame::GlobalRequest(vec![Range { first: 1, last: 2 }]);
    assert!(story.frames.contains(&asked), "{:?}", story.frames);
}

#[test]
fn a_message_is_not_shown_again_under_another_number() {
    let mut story = Story::ready(true);
    story.datagram(ServerDatagram::Global(story.numbered(1, 1, "um")));
    story.datagram(ServerDatagram::Global(story.numbered(2, 1, "um")));
    assert_eq!(story.events().len(), 1);
}

/// Alice's probes since this was last asked: nonce and challenge.
fn probes(story: &mut Story) -> Vec<(u64, u64)> {
    let probe = |datagram| match datagram {
        ClientDatagram::Probe(probe) => Some((probe.nonce, probe.challenge)),
        ClientDatagram::Global(_) => None,
    };
    std::mem::take(&mut story.datagrams)
        .into_iter()
        .filter_map(probe)
        .collect()
}

#[test]
fn a_block_in_both_directions_is_noticed_within_a_second_of_traffic() {
    let mut story = Story::ready(true);
    story.say(1, "Olá");
    story.wait(Duration::from_millis(900));
    assert!((9..=11).contains(&probes(&mut story).len()));
    let rtt = story.alice.link.rtt();
    assert_eq!(story.events(), [Event::Link(link(false, false, rtt))]);
    assert!(story.frames.contains(&ClientFrame::DatagramsLost));
    story.frames.clear();
    story.say(2, "Olá de novo");
    assert!(matches!(story.frames.as_slice(), [ClientFrame::Global(_)]));
    // It comes back by itself.
    story.wait(Duration::from_secs(1));
    story.server_answers(77, true);
    assert_eq!(
        story.events().last(),
        Some(&Event::Link(link(true, true, story.alice.link.rtt())))
    );
    story.say(3, "Olá outra vez");
    assert!(matches!(
        story.datagrams.last(),
        Some(ClientDatagram::Global(_))
    ));
}

#[test]
fn bad_luck_a_moment_before_does_not_put_off_that_a_block_is_noticed() {
    let mut story = Story::ready(true);
    story.say(1, "Olá");
    story.wait(Duration::from_millis(350));
    // One message was lost, and datagrams pass.
    let (nonce, _) = probes(&mut story)[0];
    story.frame(ServerFrame::ProbeHeard(nonce));
    story.datagram(ServerDatagram::Global(story.numbered(1, 2, "Olá")));
    story.events();
    story.say(3, "Olá de novo");
    // From here on they do not. What came before says nothing of that.
    story.wait(Duration::from_millis(810));
    let rtt = story.alice.link.rtt();
    assert_eq!(story.events(), [Event::Link(link(false, false, rtt))]);
}

#[test]
fn each_direction_is_judged_by_itself() {
    // Nothing reaches the server; what it sends comes.
    let mut story = Story::ready(true);
    story.say(1, "Olá");
    story.wait(Duration::from_millis(400));
    assert!(story.frames.contains(&ClientFrame::DatagramProbe));
    story.datagram(ServerDatagram::ProbeAnswer(ProbeAnswer {
        nonce: 0,
        challenge: 99,
        confirmed: true,
    }));
    story.wait(Duration::from_millis(500));
    let rtt = story.alice.link.rtt();
    assert_eq!(story.events(), [Event::Link(link(false, true, rtt))]);
    assert!(!story.frames.contains(&ClientFrame::DatagramsLost));

    // What Alice sends reaches the server; nothing comes.
    let mut story = Story::ready(true);
    story.frame(ServerFrame::GlobalHead(1));
    story.wait(Duration::from_millis(300));
    for (nonce, _) in probes(&mut story) {
        story.frame(ServerFrame::ProbeHeard(nonce));
    }
    story.wait(Duration::from_millis(300));
    let rtt = story.alice.link.rtt();
    assert_eq!(story.events(), [Event::Link(link(true, false, rtt))]);
    assert!(story.frames.contains(&ClientFrame::DatagramsLost));
    story.datagrams.clear();
    story.say(2, "Olá");
    assert!(matches!(
        story.datagrams.last(),
        Some(ClientDatagram::Global(_))
    ));
}

#[test]
fn an_idle_link_that_dies_is_noticed_at_the_next_probe() {
    let mut story = Story::ready(true);
    story.wait(Duration::from_secs(17));
    let rtt = story.alice.link.rtt();
    assert_eq!(story.events(), [Event::Link(link(false, false, rtt))]);
}

#[test]
fn answers_cannot_make_a_client_probe_without_end() {
    let mut story = Story::begin();
    for _ in 0..50 {
        let Some(ClientDatagram::Probe(probe)) = story.datagrams.last().cloned() else {
            panic!("no probe");
        };
        // A NAT that gives each datagram another port: never confirmed.
        story.datagram(ServerDatagram::ProbeAnswer(ProbeAnswer {
            nonce: probe.nonce,
            challenge: 5,
            confirmed: false,
        }));
    }
    assert_eq!(story.datagrams.len(), 2);
}

#[test]
fn texts_have_limits() {
    assert_eq!(check_text(""), Err(CommandError::Empty));
    let long = "x".repeat(MAX_TEXT + 1);
    let too_long = CommandError::TooLong(MAX_TEXT + 1);
    assert_eq!(check_text(&long), Err(too_long));
    assert_eq!(check_text(&long[1..]), Ok(()));
}

#[test]
fn a_server_with_other_keys_or_another_version_is_not_accepted() {
    let now = Duration::ZERO;
    let mut other = welcome();
    other.datagram_check[0] ^= 1;
    let refused = Engine::new(now, lasting(), other, secret());
    let refused = refused.err().map(|(error, _)| error);
    assert_eq!(refused, Some(WelcomeError::DatagramKeys));
    let mut other = welcome();
    other.version = 2;
    let refused = Engine::new(now, lasting(), other, secret());
    let refused = refused.err().map(|(error, _)| error);
    assert_eq!(refused, Some(WelcomeError::Version(2)));
}

#[test]
fn the_server_says_why_it_closes() {
    let mut story = Story::ready(true);
    story.frame(ServerFrame::Closing(Closing {
        code: ClosingCode::TakenOver,
        detail: "elsewhere".into(),
    }));
    let closed = Event::Closed {
        code: Some(ClosingCode::TakenOver),
        detail: "elsewhere".into(),
    };
    assert_eq!(story.events(), [closed]);
    story.roster();
    assert_eq!(story.events(), []);
}
