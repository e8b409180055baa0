//! What the operator does to Alice, Bob and whoever comes.

use recado_proto::frame::{
    Acknowledge, Failure, FailureCode, LaneOpened, OpenLane, PrivateMessage, PrivateRefusalCode,
};
use recado_proto::id::StoreId;
use recado_proto::ticket::TicketSecret;

use super::*;
use crate::operator::{
    BanTarget, Banned, InviteNumber, LimitSource, NewInvite, OperatorCommand, Who,
};

const LANE: u32 = 7;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Story {
    /// Has a command done, by a backend that answers at once.
    #[track_caller]
    fn operate(&mut self, command: OperatorCommand) -> Result<OperatorAnswer, OperatorError> {
        self.next += 1;
        let number = OperatorNumber(self.next);
        self.handle(Event::Operator { number, command });
        let (answered, result) = self.answers.pop().expect("no answer");
        assert_eq!(answered, number);
        result
    }

    /// Asks, and lets the backend think about it.
    fn ask(&mut self, command: OperatorCommand) {
        self.next += 1;
        let number = OperatorNumber(self.next);
        self.handle(Event::Operator { number, command });
    }

    fn closing(&mut self, session: SessionNumber) -> Option<ClosingCode> {
        let sent = self.sent(session);
        let code = sent.iter().find_map(|frame| match frame {
            ServerFrame::Closing(closing) => Some(closing.code),
            _ => None,
        });
        code.inspect(|_| assert!(self.closed.contains(&session)))
    }

    fn is_welcome(&mut self, session: SessionNumber) -> bool {
        matches!(self.sent(session).first(), Some(ServerFrame::Welcome(_)))
    }

    fn open_lane(&mut self, session: SessionNumber, to: &str) -> Option<LaneOpened> {
        self.sent(session);
        self.frame(
            session,
            ClientFrame::OpenLane(OpenLane {
                lane: LANE,
                store: StoreId::from_bytes([1; 16]),
                to: to.into(),
                key: None,
                lowest: 1,
            }),
        );
        match self.sent(session).remove(0) {
            ServerFrame::LaneOpened(opened) => Some(opened),
            _ => None,
        }
    }

    fn write(&mut self, session: SessionNumber, number: u64, text: &[u8]) {
        self.frame(
            session,
            ClientFrame::Private(PrivateMessage {
                lane: LANE,
                number,
                id: MessageId::from_bytes([number as u8; 16]),
                sent_at_ms: 1,
                envelope: text.to_vec(),
            }),
        );
    }

    /// Why messages were refused.
    fn refusal_codes(&mut self, session: SessionNumber) -> Vec<PrivateRefusalCode> {
        let sent = self.sent(session);
        let codes = sent.iter().filter_map(|frame| match frame {
            ServerFrame::PrivateRefused(refused) => Some(refused.code),
            _ => None,
        });
        codes.collect()
    }

    /// What a sender was told to have failed.
    fn failures(&mut self, session: SessionNumber) -> Vec<Failure> {
        let sent = self.sent(session);
        let failures = sent.iter().filter_map(|frame| match frame {
            ServerFrame::LaneProgress(progress) => Some(progress.failures.clone()),
            _ => None,
        });
        failures.flatten().collect()
    }

    fn people(&mut self, here: bool) -> Vec<(String, bool)> {
        let command = OperatorCommand::List {
            after: String::new(),
            here,
            most: 100,
        };
        match self.operate(command) {
            Ok(OperatorAnswer::People { people, .. }) => people
                .into_iter()
                .map(|it| (it.person.name, it.session.is_some()))
                .collect(),
            other => panic!("{other:?}"),
        }
    }
}

fn name(name: &str) -> Who {
    Who::Name(name.into())
}

fn gone(number: u64) -> Failure {
    let code = FailureCode::RecipientGone;
    Failure { number, code }
}

fn with_ticket(name: &str, secret: u8) -> ClientFrame {
    let ClientFrame::Hello(mut hello) = hello(name) else {
        unreachable!();
    };
    hello.ticket = Some(TicketSecret::from_bytes([secret; 16]));
    ClientFrame::Hello(hello)
}

fn invite(secret: u8, uses: u32, lifetime: Duration) -> OperatorCommand {
    OperatorCommand::Invite(NewInvite {
        hash: TicketSecret::from_bytes([secret; 16]).hash(),
        uses,
        lifetime,
    })
}

#[test]
fn who_is_kicked_is_told_and_may_come_back() {
    let mut story = Story::begin_with_alice_and_bob();
    let (alice, bob) = (SessionNumber(1), SessionNumber(2));
    let kicked = story.operate(OperatorCommand::Kick(name("BOB")));
    assert!(matches!(kicked, Ok(OperatorAnswer::Kicked(person)) if person.name == "Bob"));
    assert_eq!(story.closing(bob), Some(ClosingCode::Kicked));
    story.wait(Duration::from_secs(1));
    assert!(
        story
            .sent(alice)
            .iter()
            .any(|frame| matches!(frame, ServerFrame::Presence(it) if names(&it.left) == ["Bob"]))
    );
    let again = story.operate(OperatorCommand::Kick(name("Bob")));
    assert_eq!(again, Err(OperatorError::NotHere));
    let nobody = story.operate(OperatorCommand::Kick(name("Carol")));
    assert_eq!(nobody, Err(OperatorError::NoSuchName));
    assert_eq!(
        story.operate(OperatorCommand::Kick(name(""))),
        Err(OperatorError::NotAName)
    );
    let bob = story.join("Bob", 2);
    assert!(story.is_welcome(bob));
}

impl Story {
    fn begin_with_alice_and_bob() -> Self {
        let mut story = Story::begin(Registration::Lan);
        story.join("Alice", 1);
        story.join("Bob", 2);
        story
    }
}

#[test]
fn a_banned_person_is_told_and_stays_outside_and_keeps_the_name() {
    let mut story = Story::begin_with_alice_and_bob();
    let (alice, bob) = (SessionNumber(1), SessionNumber(2));
    let target = || BanTarget::Name("bob".into());
    let banned = story.operate(OperatorCommand::Ban(target()));
    let Ok(OperatorAnswer::Banned { ban, ended: 1, .. }) = banned else {
        panic!("{banned:?}");
    };
    assert!(matches!(&ban.banned, Banned::Key(person) if person.name == "Bob"));
    assert_eq!(story.closing(bob), Some(ClosingCode::Banned));
    assert_eq!(story.closing(alice), None);
    for (name, key) in [("Bob", 2), ("Robert", 2)] {
        let session = story.join(name, key);
        assert_eq!(story.refusal(session).code, RefusalCode::Banned, "{name}");
    }
    let poser = story.join("Bob", 3);
    assert_eq!(story.refusal(poser).code, RefusalCode::NameTaken);
    // It is so also after a restart.
    let mut story = story.restart();
    let bob = story.join("Bob", 2);
    assert_eq!(story.refusal(bob).code, RefusalCode::Banned);
    let unbanned = story.operate(OperatorCommand::Unban(BanTarget::Key(
        RemoteKey::from_bytes([2; 32]),
    )));
    assert!(matches!(
        unbanned,
        Ok(OperatorAnswer::Unbanned(Banned::Key(_)))
    ));
    let bob = story.join("Bob", 2);
    assert!(story.is_welcome(bob));
    let again = story.operate(OperatorCommand::Unban(target()));
    assert_eq!(again, Err(OperatorError::NotBanned));
}

impl Story {
    /// The server dies, and another begins with what is durable.
    fn restart(self) -> Self {
        let backend = self.backend;
        Story {
            backend,
            now: self.now,
            next: self.next,
            ..Story::begin(Registration::Lan)
        }
    }
}

#[test]
fn addresses_are_banned_by_network_and_names_before_anyone_has_them() {
    let mut story = Story::begin(Registration::Open);
    let at = |text: &str| -> IpAddr { text.parse().unwrap() };
    let here = story.connect_from(1, at("192.0.2.9"));
    story.frame(here, hello("Alice"));
    let waits = story.connect_from(2, at("2001:db8::5"));
    let ban = |network: &str| OperatorCommand::Ban(BanTarget::Network(network.parse().unwrap()));
    for network in ["192.0.2.77/24", "2001:db8::/64"] {
        story.operate(ban(network)).unwrap();
    }
    assert_eq!(story.closing(here), Some(ClosingCode::Banned));
    story.frame(waits, hello("Bob"));
    assert_eq!(story.refusal(waits).code, RefusalCode::Banned);
    // From elsewhere the same key is let in: it is not banned.
    let alice = story.connect_from(1, at("192.0.3.9"));
    story.frame(alice, hello("Alice"));
    assert!(story.is_welcome(alice));

    let admin = || BanTarget::Name("Admin".into());
    let banned = story.operate(OperatorCommand::Ban(admin()));
    assert!(matches!(banned, Ok(OperatorAnswer::Banned { .. })));
    let bob = story.connect_from(2, at("192.0.3.9"));
    story.frame(bob, hello("ADMIN"));
    assert_eq!(story.refusal(bob).code, RefusalCode::Banned);
    // Who has one that only looks like it keeps it, and comes and goes.
    let (here, address) = (story.connect_from(4, at("192.0.3.9")), at("192.0.3.9"));
    story.frame(here, hello("Marnie"));
    assert!(story.is_welcome(here));
    let alike = || BanTarget::Name("Mamie".into());
    story.operate(OperatorCommand::Ban(alike())).unwrap();
    let again = story.connect_from(4, address);
    story.frame(again, hello("Marnie"));
    assert!(story.is_welcome(again));
    story.operate(OperatorCommand::Unban(alike())).unwrap();
    let Ok(OperatorAnswer::Restrictions { bans, mutes }) =
        story.operate(OperatorCommand::Restrictions)
    else {
        panic!("no list");
    };
    assert_eq!((bans.len(), mutes.len()), (3, 0));
    assert_eq!(bans[0].banned, Banned::Name("Admin".into()));
    let written = Banned::Network("192.0.2.0/24".parse().unwrap());
    assert!(bans.iter().any(|ban| ban.banned == written));
    story.operate(OperatorCommand::Unban(admin())).unwrap();
    assert_eq!(
        story.operate(OperatorCommand::Ban(BanTarget::Name("all".into()))),
        Err(OperatorError::NotAName)
    );
}

#[test]
fn a_ban_that_comes_while_a_claim_is_with_the_backend_counts() {
    let mut story = Story::begin_with_alice_and_bob();
    story.waiting = Some(vec![]);
    let carol = story.join("Carol", 3);
    story.ask(OperatorCommand::Ban(BanTarget::Key(RemoteKey::from_bytes(
        [3; 32],
    ))));
    let asked = story.waiting.take().unwrap();
    // In the same commit, the claim before the ban and behind it.
    let mut answers: Vec<_> = asked
        .into_iter()
        .map(|request| story.backend.answer(story.now, request))
        .collect();
    answers.reverse();
    story.handle(Event::Backend(answers));
    assert_eq!(story.refusal(carol).code, RefusalCode::Banned);
}

#[test]
fn nobody_is_let_in_before_it_is_known_who_is_banned() {
    let mut story = Story::begin(Registration::Lan);
    story.waiting = Some(vec![]);
    let alice = story.join("Alice", 1);
    assert_eq!(story.sent(alice), []);
    // What is said meanwhile is out of turn.
    let hasty = story.join("Bob", 2);
    story.frame(hasty, ClientFrame::Ping);
    assert_eq!(story.closing(hasty), Some(ClosingCode::Protocol));
    // Nor is the operator answered.
    story.ask(OperatorCommand::Restrictions);
    assert_eq!(story.answers, []);
    story.fails = true;
    story.backend_answers();
    let unavailable = Err(OperatorError::Unavailable);
    assert_eq!(story.answers.pop().unwrap().1, unavailable);
    let refused = story.refusal(alice);
    assert_eq!(
        (refused.code, refused.retry_in_ms),
        (RefusalCode::Unavailable, 1_000)
    );
    story.ask(OperatorCommand::Stats);
    assert_eq!(story.answers.pop().unwrap().1, unavailable);
    (story.fails, story.waiting) = (false, Some(vec![]));
    story.wait(Duration::from_secs(1));
    story.ask(OperatorCommand::Restrictions);
    story.backend_answers();
    let restrictions = story.answers.pop().unwrap().1;
    assert!(matches!(
        restrictions,
        Ok(OperatorAnswer::Restrictions { .. })
    ));
    story.waiting = None;
    let alice = story.join("Alice", 1);
    assert!(story.is_welcome(alice));
}

#[test]
fn what_waits_for_one_who_is_banned_is_dropped_and_its_sender_learns_it() {
    let mut story = Story::begin_with_alice_and_bob();
    let (alice, bob) = (SessionNumber(1), SessionNumber(2));
    story.open_lane(alice, "Bob").unwrap();
    story.handle(Event::Disconnected { session: bob });
    (1..=2).for_each(|number| story.write(alice, number, b"text"));
    story.sent(alice);
    let banned = story.operate(OperatorCommand::Ban(BanTarget::Name("Bob".into())));
    assert!(matches!(
        banned,
        Ok(OperatorAnswer::Banned { dropped: 2, .. })
    ));
    assert_eq!(story.failures(alice), [gone(1), gone(2)]);
    story.write(alice, 3, b"text");
    assert_eq!(
        story.refusal_codes(alice),
        [PrivateRefusalCode::RecipientGone]
    );
    story.write(alice, 3, b"");
    story
        .operate(OperatorCommand::Unban(BanTarget::Name("Bob".into())))
        .unwrap();
    story.write(alice, 4, b"text");
    let bob = story.join("Bob", 2);
    let sent = story.sent(bob);
    let dropped = sent.iter().filter_map(|frame| match frame {
        ServerFrame::Private(message) => Some((message.number, message.dropped.is_some())),
        _ => None,
    });
    let dropped: Vec<_> = dropped.collect();
    assert_eq!(dropped, [(1, true), (2, true), (3, false), (4, false)]);
    let acknowledge = Acknowledge {
        lane: 0,
        up_to: 4,
        unreadable: vec![],
    };
    story.frame(bob, ClientFrame::Acknowledge(acknowledge));
    let settled = story
        .sent(alice)
        .into_iter()
        .any(|frame| matches!(frame, ServerFrame::LaneProgress(progress) if progress.settled == 4));
    assert!(settled);
}

/// What was taken in memory while the backend was busy with the release is dropped behind its commit.
#[test]
fn a_name_is_released_and_nothing_is_left_waiting_for_its_key() {
    let mut story = Story::begin_with_alice_and_bob();
    let (alice, bob) = (SessionNumber(1), SessionNumber(2));
    story.open_lane(alice, "Bob").unwrap();
    story.handle(Event::Disconnected { session: bob });
    story.write(alice, 1, b"text");
    story.sent(alice);
    story.waiting = Some(vec![]);
    story.ask(OperatorCommand::Release("bob".into()));
    story.write(alice, 2, b"text");
    story.write(alice, 3, b"text");
    story.backend_answers();
    let (_, released) = story.answers.pop().unwrap();
    assert!(matches!(
        released,
        Ok(OperatorAnswer::Released { dropped: 1, .. })
    ));
    while story.waiting.as_ref().is_some_and(|it| !it.is_empty()) {
        story.backend_answers();
    }
    story.waiting = None;
    let failures = story.failures(alice);
    assert_eq!(failures, [gone(1), gone(2), gone(3)]);
    story.write(alice, 4, b"text");
    assert_eq!(
        story.refusal_codes(alice),
        [PrivateRefusalCode::RecipientGone]
    );
    story.write(alice, 4, b"");
    // Carol has the name now. Alice's next session reaches her, and Bob under another name nobody by mistake.
    let carol = story.join("Bob", 3);
    assert!(story.is_welcome(carol));
    let bob = story.join("Robert", 2);
    assert!(story.is_welcome(bob));
    story.write(alice, 5, b"text");
    assert_eq!(
        story.refusal_codes(alice),
        [PrivateRefusalCode::RecipientGone]
    );
    let alice = story.join("Alice", 1);
    story.sent(carol);
    let opened = story.open_lane(alice, "Bob").unwrap();
    assert_eq!(opened.recipient.key, RemoteKey::from_bytes([3; 32]));
    story.write(alice, 1, b"text");
    assert!(
        story
            .sent(carol)
            .iter()
            .any(|frame| matches!(frame, ServerFrame::Private(_)))
    );
    let nobody = story.operate(OperatorCommand::Release("Carol".into()));
    assert_eq!(nobody, Err(OperatorError::NoSuchName));
}

#[test]
fn someone_whose_name_was_released_writes_under_the_new_one() {
    let mut story = Story::begin_with_alice_and_bob();
    let (alice, bob) = (SessionNumber(1), SessionNumber(2));
    story.open_lane(bob, "Alice").unwrap();
    story.write(bob, 1, b"text");
    story.sent(alice);
    story
        .operate(OperatorCommand::Release("Bob".into()))
        .unwrap();
    assert_eq!(story.closing(bob), Some(ClosingCode::Kicked));
    let bob = story.join("Robert", 2);
    story.open_lane(bob, "Alice").unwrap();
    story.write(bob, 2, b"text");
    let announced = story.sent(alice).into_iter().find_map(|frame| match frame {
        ServerFrame::IncomingLane(lane) => Some((lane.lane, lane.from.name)),
        _ => None,
    });
    assert_eq!(announced, Some((1, "Robert".into())));
    for lane in [0, 1] {
        let acknowledge = Acknowledge {
            lane,
            up_to: 2,
            unreadable: vec![],
        };
        story.frame(alice, ClientFrame::Acknowledge(acknowledge));
    }
    assert!(story.closing(alice).is_none());
    for session in [alice, bob] {
        story.handle(Event::Disconnected { session });
    }
    assert!(story.hub.lanes.is_empty());
}

#[test]
fn someone_who_is_muted_is_refused_politely_by_either_way() {
    let mut story = Story::begin_with_alice_and_bob();
    let (alice, bob) = (SessionNumber(1), SessionNumber(2));
    story.open_lane(alice, "Bob").unwrap();
    let muted = story.operate(OperatorCommand::Mute(name("Alice")));
    assert!(matches!(muted, Ok(OperatorAnswer::Muted(_))));
    story.sent(bob);
    story.write(alice, 1, b"text");
    assert_eq!(story.refusal_codes(alice), [PrivateRefusalCode::Muted]);
    story.frame(alice, ClientFrame::Global(global(1, "Olá")));
    story.handle(datagram(alice, 2));
    let refused: Vec<_> = story.sent(alice).into_iter().collect();
    assert!(matches!(
        refused.as_slice(),
        [ServerFrame::GlobalRefused(one), ServerFrame::GlobalRefused(two)]
            if one.code == GlobalRefusalCode::Muted && two.code == GlobalRefusalCode::Muted
    ));
    assert_eq!((story.sent(bob), story.fanned_out.len()), (vec![], 0));
    // What others write arrives, also after a restart.
    let mut story = story.restart();
    let alice = story.join("Alice", 1);
    story.open_lane(alice, "Bob").unwrap();
    story.write(alice, 1, b"text");
    assert_eq!(story.refusal_codes(alice), [PrivateRefusalCode::Muted]);
    let key = Who::Key(RemoteKey::from_bytes([1; 32]));
    story.operate(OperatorCommand::Unmute(key.clone())).unwrap();
    story.write(alice, 1, b"text");
    assert_eq!(story.refusal_codes(alice), []);
    let again = story.operate(OperatorCommand::Unmute(key));
    assert_eq!(again, Err(OperatorError::NotMuted));
}

#[test]
fn a_ticket_admits_as_many_keys_as_it_says_until_it_expires_or_is_taken_back() {
    let mut story = Story::begin(Registration::Invite);
    let alice = story.join("Alice", 1);
    assert_eq!(story.refusal(alice).code, RefusalCode::Registration);
    let made = story.operate(invite(7, 1, DAY));
    assert!(matches!(made, Ok(OperatorAnswer::Invited(it)) if it.number == InviteNumber(1)));
    let come = |story: &mut Story, name: &str, key, secret| {
        let session = story.connect(key);
        story.frame(session, with_ticket(name, secret));
        match story.sent(session).remove(0) {
            ServerFrame::Welcome(_) => None,
            ServerFrame::Refused(refused) => Some(refused.code),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(come(&mut story, "Alice", 1, 8), Some(RefusalCode::Ticket));
    assert_eq!(come(&mut story, "Alice", 1, 7), None);
    // The answer was lost; and what it has no more uses for does not matter to her any more.
    assert_eq!(come(&mut story, "Alice", 1, 7), None);
    assert_eq!(come(&mut story, "Alice", 1, 9), None);
    assert_eq!(come(&mut story, "Bob", 2, 7), Some(RefusalCode::Ticket));

    story.operate(invite(8, 2, DAY)).unwrap();
    assert_eq!(
        come(&mut story, "Alice", 2, 8),
        Some(RefusalCode::NameTaken)
    );
    assert_eq!(come(&mut story, "Bob", 2, 8), None);
    story
        .operate(OperatorCommand::Release("Bob".into()))
        .unwrap();
    // A key that it has admitted, it admits again.
    assert_eq!(come(&mut story, "Robert", 2, 8), None);
    story.backend.unix_seconds += DAY.as_secs();
    assert_eq!(come(&mut story, "Carol", 3, 8), Some(RefusalCode::Ticket));
    // A clock that is set back brings it back; but not for longer than the server has run since.
    story.backend.unix_seconds = 0;
    story.wait(DAY);
    assert_eq!(come(&mut story, "Carol", 3, 8), Some(RefusalCode::Ticket));

    story.operate(invite(10, 5, DAY)).unwrap();
    assert_eq!(come(&mut story, "Carol", 3, 10), None);
    let Ok(OperatorAnswer::Invites(invites)) = story.operate(OperatorCommand::Invites) else {
        panic!("no list");
    };
    let uses: Vec<_> = invites.iter().map(|it| (it.used, it.has_expired)).collect();
    assert_eq!(uses, [(1, true), (1, true), (1, false)]);
    story
        .operate(OperatorCommand::Revoke(InviteNumber(3)))
        .unwrap();
    assert_eq!(come(&mut story, "Dave", 4, 10), Some(RefusalCode::Ticket));
    let again = story.operate(OperatorCommand::Revoke(InviteNumber(3)));
    assert_eq!(again, Err(OperatorError::NoSuchInvite));
}

#[test]
fn from_elsewhere_a_ticket_admits_where_the_lan_may_join_and_nowhere_where_nobody_may() {
    for (registration, refused) in [
        (Registration::Lan, None),
        (Registration::Closed, Some(RefusalCode::Registration)),
    ] {
        let mut story = Story::begin(registration);
        story.operate(invite(7, 1, DAY)).unwrap();
        let session = story.connect_from(1, "198.51.100.1".parse().unwrap());
        story.frame(session, with_ticket("Alice", 7));
        let found = match story.sent(session).remove(0) {
            ServerFrame::Welcome(_) => None,
            ServerFrame::Refused(refused) => Some(refused.code),
            other => panic!("{other:?}"),
        };
        assert_eq!(found, refused, "{registration:?}");
    }
}

#[test]
fn who_tries_tickets_has_as_many_tries_as_new_names() {
    let mut story = Story::begin(Registration::Invite);
    let mut codes = Vec::new();
    for number in 0..302_u16 {
        let mut key = [9; 32];
        key[..2].copy_from_slice(&number.to_be_bytes());
        let address = Ipv4Addr::LOCALHOST.into();
        let session = story.connect_with(RemoteKey::from_bytes(key), address);
        story.frame(session, with_ticket("Alice", 1));
        codes.push(story.refusal(session).code);
    }
    assert_eq!(codes[299], RefusalCode::Ticket);
    assert_eq!(codes[300], RefusalCode::TooManyClaims);
}

#[test]
fn a_name_that_was_never_used_is_free_after_a_while() {
    let mut story = Story::begin_with_alice_and_bob();
    let (alice, bob) = (SessionNumber(1), SessionNumber(2));
    let carol = story.join("Carol", 3);
    let dave = story.join("Dave", 4);
    let age = |seconds| OperatorCommand::SetLimit {
        limit: Limit::UnusedNameAge,
        value: Some(seconds),
    };
    story.operate(age(3 * 60 * 60)).unwrap();
    // Alice has said something, Bob got a letter, and Dave stays. Carol has only looked in.
    story.frame(alice, ClientFrame::Global(global(1, "Olá")));
    story.open_lane(alice, "Bob").unwrap();
    story.write(alice, 1, b"text");
    story.open_lane(dave, "Carol").unwrap();
    for session in [alice, bob, carol] {
        story.handle(Event::Disconnected { session });
    }
    let pass = |story: &mut Story, hours: u64| {
        for _ in 0..hours * 60 * 3 {
            story.wait(Duration::from_secs(20));
            story.frame(dave, ClientFrame::Ping);
        }
    };
    let left = |story: &mut Story| -> Vec<_> {
        let people = story.people(false).into_iter();
        people.map(|(name, _)| name).collect()
    };
    pass(&mut story, 2);
    // She looks in again, and it counts from then on.
    let carol = story.join("Carol", 3);
    story.handle(Event::Disconnected { session: carol });
    pass(&mut story, 2);
    assert_eq!(left(&mut story), ["Alice", "Bob", "Carol", "Dave"]);
    pass(&mut story, 2);
    assert_eq!(left(&mut story), ["Alice", "Bob", "Dave"]);
    story.write(dave, 1, b"text");
    assert_eq!(
        story.refusal_codes(dave),
        [PrivateRefusalCode::RecipientGone]
    );
    let other = story.join("Carol", 6);
    assert!(story.is_welcome(other));
    story
        .operate(OperatorCommand::Ban(BanTarget::Name("Carol".into())))
        .unwrap();
    pass(&mut story, 5);
    assert_eq!(
        left(&mut story),
        ["Alice", "Bob", "Carol", "Dave"],
        "she is banned"
    );
}

#[test]
fn the_operator_lists_who_is_here_and_who_has_a_name() {
    let mut story = Story::begin_with_alice_and_bob();
    story.handle(Event::Disconnected {
        session: SessionNumber(2),
    });
    story.operate(OperatorCommand::Mute(name("Bob"))).unwrap();
    let everyone = [("Alice".to_owned(), true), ("Bob".to_owned(), false)];
    assert_eq!(story.people(false), everyone);
    assert_eq!(story.people(true), everyone[..1]);
    let page = |after: &str, here| OperatorCommand::List {
        after: after.into(),
        here,
        most: 1,
    };
    let Ok(OperatorAnswer::People { people, next }) = story.operate(page("alice", false)) else {
        panic!("no list");
    };
    assert_eq!((people.len(), people[0].muted), (1, true));
    assert_eq!(next.as_deref(), Some("bob"));
    let end = story.operate(page("bob", false));
    assert!(matches!(end, Ok(OperatorAnswer::People { next: None, .. })));
    let Ok(OperatorAnswer::Stats(stats)) = story.operate(OperatorCommand::Stats) else {
        panic!("no stats");
    };
    assert_eq!((stats.here, stats.durable.names, stats.mutes), (1, 2, 1));
}

#[test]
fn limits_are_set_for_good_and_taken_back() {
    let mut story = Story::begin_with_alice_and_bob();
    let set = |limit, value| OperatorCommand::SetLimit { limit, value };
    let value = |story: &mut Story, limit| {
        let Ok(OperatorAnswer::Limits(limits)) = story.operate(OperatorCommand::Limits) else {
            panic!("no limits");
        };
        let found = limits.iter().find(|it| it.limit == limit).unwrap();
        (found.value, found.default, found.source)
    };
    let limit = Limit::MailboxMessages;
    assert_eq!(
        value(&mut story, limit),
        (10_000, 10_000, LimitSource::Default)
    );
    story.operate(set(limit, Some(2))).unwrap();
    let mut story = story.restart();
    let alice = story.join("Alice", 1);
    assert_eq!(value(&mut story, limit), (2, 10_000, LimitSource::Set));
    story.open_lane(alice, "Bob").unwrap();
    (1..=3).for_each(|number| story.write(alice, number, b"text"));
    assert_eq!(
        story.refusal_codes(alice),
        [PrivateRefusalCode::MailboxFull]
    );
    story.operate(set(limit, None)).unwrap();
    story.write(alice, 3, b"text");
    assert_eq!(story.refusal_codes(alice), []);
    assert_eq!(
        story.operate(set(limit, Some(0))),
        Err(OperatorError::OutOfRange {
            least: 1,
            most: 1_000_000
        })
    );
    story.operate(set(Limit::GlobalBurst, Some(100))).unwrap();
    story.operate(set(Limit::GlobalRate, Some(1))).unwrap();
    (0..101).for_each(|id| story.handle(datagram(alice, id)));
    let refused = story.sent(alice).into_iter().find_map(|frame| match frame {
        ServerFrame::GlobalRefused(refused) => Some(refused.retry_in_ms),
        _ => None,
    });
    assert_eq!(refused, Some(1_001));
}

#[test]
fn what_was_given_at_the_start_counts_before_what_is_set() {
    let mut story = Story::begin(Registration::Lan);
    story.wait(Duration::ZERO);
    let limit = Limit::MessageAge;
    story.hub.config.fixed.insert(limit, 60);
    story.hub.apply_limits();
    let value = Some(120);
    let set = story.operate(OperatorCommand::SetLimit { limit, value });
    assert_eq!(set, Err(OperatorError::Fixed));
    let Ok(OperatorAnswer::Limits(limits)) = story.operate(OperatorCommand::Limits) else {
        panic!("no limits");
    };
    assert_eq!(
        (limits[0].value, limits[0].source),
        (60, LimitSource::Start)
    );
}

#[test]
fn a_sender_has_so_many_databases_and_no_more() {
    let mut story = Story::begin_with_alice_and_bob();
    let alice = SessionNumber(1);
    let open = |story: &mut Story, lane: u32, store: u8| {
        story.frame(
            alice,
            ClientFrame::OpenLane(OpenLane {
                lane,
                store: StoreId::from_bytes([store; 16]),
                to: "Bob".into(),
                key: None,
                lowest: 1,
            }),
        );
        match story.sent(alice).pop().unwrap() {
            ServerFrame::LaneOpened(_) => None,
            ServerFrame::LaneRefused(refused) => Some((refused.code, refused.retry_in_ms)),
            other => panic!("{other:?}"),
        }
    };
    story.sent(alice);
    story.handle(Event::Disconnected {
        session: SessionNumber(2),
    });
    // Each has a message that waits, but the third.
    for store in 0..16 {
        assert_eq!(open(&mut story, store.into(), store), None);
        if store != 2 {
            let message = PrivateMessage {
                lane: store.into(),
                number: 1,
                id: MessageId::from_bytes([store; 16]),
                sent_at_ms: 1,
                envelope: vec![1],
            };
            story.frame(alice, ClientFrame::Private(message));
            story.sent(alice);
        }
    }
    assert_eq!(open(&mut story, 16, 16), None, "the third makes room");
    let message = PrivateMessage {
        lane: 16,
        number: 1,
        id: MessageId::from_bytes([16; 16]),
        sent_at_ms: 1,
        envelope: vec![1],
    };
    story.frame(alice, ClientFrame::Private(message));
    story.sent(alice);
    let full = Some((recado_proto::frame::LaneRefusalCode::TooMany, 60_000));
    assert_eq!(open(&mut story, 17, 17), full);
    // What is said in the lane that had to go is taken back: it is not there any more.
    let lost = PrivateMessage {
        lane: 2,
        number: 1,
        id: MessageId::from_bytes([2; 16]),
        sent_at_ms: 1,
        envelope: vec![1],
    };
    story.frame(alice, ClientFrame::Private(lost));
    assert_eq!(story.refusal_codes(alice), [PrivateRefusalCode::Number]);
}
