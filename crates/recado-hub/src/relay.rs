//! Who gets a relayed connection: two people who both asked for it, naming each other and the same offer.
//!
//! The hub never learns what is carried, nor how much; the shell tells when a relay has ended.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use recado_proto::frame::{
    RelayGranted, RelayRefusalCode, RelayRefused, RelayRequest, ServerFrame,
};
use recado_proto::id::{OfferId, RemoteKey};
use recado_proto::relay::TokenSource;

use crate::bucket::{BucketConfig, Buckets};
use crate::event::{Output, Outputs};
use crate::millis;
use crate::session::SessionNumber;

/// How long one who has asked waits for the other, and a token for its connection: a few round trips of a phone on a
/// bad line.
pub const RELAY_PATIENCE: Duration = Duration::from_secs(30);

/// People whose share of requests is remembered: as many as there may be connections.
const MAX_ASKING: usize = 16_384;

/// A relay's number in this server, never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RelayNumber(pub u64);

/// How many relays there may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RelayConfig {
    /// In all: two connections and four pipes' ends each.
    pub total: usize,
    /// Of one person: more than their client carries at a time.
    pub per_person: usize,
    /// How often one person may ask.
    pub requests: BucketConfig,
}

impl Default for RelayConfig {
    fn default() -> Self {
        Self {
            total: 256,
            per_person: 16,
            requests: BucketConfig {
                burst: 64,
                interval: Duration::from_secs(1),
            },
        }
    }
}

/// Those who wait, and those who have one.
pub(crate) struct Relays {
    config: RelayConfig,
    tokens: TokenSource,
    next: u64,
    /// Who has asked, and for what.
    asked: BTreeMap<Ask, Waiting>,
    /// When patience with each ends, in order; those that are over already are still in it.
    deadlines: VecDeque<(Duration, Ask)>,
    requests: Buckets<RemoteKey>,
    open: BTreeMap<RelayNumber, [RemoteKey; 2]>,
    by_person: BTreeMap<RemoteKey, usize>,
}

/// In this order, so that one person's stand together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Ask {
    from: RemoteKey,
    offer: OfferId,
    to: RemoteKey,
}

impl Ask {
    /// All that one person can ask for.
    fn range(from: RemoteKey) -> std::ops::RangeInclusive<Self> {
        let bound = |byte| Self {
            from,
            offer: OfferId::from_bytes([byte; OfferId::LENGTH]),
            to: RemoteKey::from_bytes([byte; RemoteKey::LENGTH]),
        };
        bound(0)..=bound(u8::MAX)
    }
}

struct Waiting {
    session: SessionNumber,
    until: Duration,
}

impl Relays {
    pub(crate) fn new(config: RelayConfig, tokens: TokenSource) -> Self {
        Self {
            requests: Buckets::new(config.requests, MAX_ASKING),
            config,
            tokens,
            next: 0,
            asked: BTreeMap::new(),
            deadlines: VecDeque::new(),
            open: BTreeMap::new(),
            by_person: BTreeMap::new(),
        }
    }

    /// One asks. The other's request, if it waits, makes a pair of them.
    pub(crate) fn ask(
        &mut self,
        now: Duration,
        session: SessionNumber,
        from: RemoteKey,
        request: RelayRequest,
        out: &mut Outputs,
    ) {
        let RelayRequest { offer, peer } = request;
        if let Err(wait) = self.requests.take(now, &from) {
            return refuse(session, offer, RelayRefusalCode::Rate, wait, out);
        }
        let ask = Ask {
            offer,
            from,
            to: peer,
        };
        let other = Ask {
            offer,
            from: peer,
            to: from,
        };
        let is_waiting = self.asked.contains_key(&other);
        if self.is_full(&from) || (is_waiting && self.is_full(&peer)) {
            let code = RelayRefusalCode::TooMany;
            return refuse(session, offer, code, self.config.requests.interval, out);
        }
        let Some(waiting) = self.asked.remove(&other).filter(|_| ask != other) else {
            let until = now.saturating_add(RELAY_PATIENCE);
            self.asked.insert(ask, Waiting { session, until });
            self.deadlines.push_back((until, ask));
            return;
        };
        // Of one who asked twice the first request is over, too.
        self.asked.remove(&ask);
        let number = RelayNumber(self.next);
        self.next = self.next.saturating_add(1);
        self.open.insert(number, [from, peer]);
        for key in [from, peer] {
            let count = self.by_person.entry(key).or_default();
            *count = count.saturating_add(1);
        }
        let tokens = [self.tokens.draw(), self.tokens.draw()];
        for (session, token) in [session, waiting.session].into_iter().zip(&tokens) {
            let token = token.clone();
            out.send(
                session,
                ServerFrame::RelayGranted(RelayGranted { offer, token }),
            );
        }
        out.push(Output::OpenRelay { number, tokens });
    }

    /// A relay has ended, or its connections did not come.
    pub(crate) fn closed(&mut self, number: RelayNumber) {
        for key in self.open.remove(&number).into_iter().flatten() {
            if let Some(count) = self.by_person.get_mut(&key) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    self.by_person.remove(&key);
                }
            }
        }
    }

    /// A session of this key has ended: nobody waits in it any more.
    pub(crate) fn leave(&mut self, session: SessionNumber, key: RemoteKey) {
        let asked = self.asked.range(Ask::range(key));
        let of_session = asked.filter(|(_, waiting)| waiting.session == session);
        for ask in of_session.map(|(ask, _)| *ask).collect::<Vec<_>>() {
            self.asked.remove(&ask);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.deadlines.front().map(|(until, _)| *until)
    }

    /// Tells those who have waited for long enough.
    pub(crate) fn handle_timeout(&mut self, now: Duration, out: &mut Outputs) {
        while let Some((until, ask)) = self.deadlines.front().copied()
            && until <= now
        {
            self.deadlines.pop_front();
            if let Some(waiting) = self.asked.get(&ask).filter(|it| it.until == until) {
                let code = RelayRefusalCode::Alone;
                refuse(waiting.session, ask.offer, code, Duration::ZERO, out);
                self.asked.remove(&ask);
            }
        }
    }

    /// Whether this person can have no more, waiting ones included.
    fn is_full(&self, key: &RemoteKey) -> bool {
        let waiting = self.asked.range(Ask::range(*key)).count();
        let open = self.by_person.get(key).copied().unwrap_or_default();
        self.open.len() >= self.config.total
            || open.saturating_add(waiting) > self.config.per_person
    }
}

fn refuse(
    session: SessionNumber,
    offer: OfferId,
    code: RelayRefusalCode,
    wait: Duration,
    out: &mut Outputs,
) {
    let retry_in_ms = match code {
        RelayRefusalCode::Alone => 0,
        _ => millis(wait).saturating_add(1),
    };
    out.send(
        session,
        ServerFrame::RelayRefused(RelayRefused {
            offer,
            code,
            retry_in_ms,
        }),
    );
}

#[cfg(test)]
mod tests {
    use recado_proto::frame::Malformed;
    use recado_proto::framing::FrameSplitter;
    use recado_proto::relay::RelayToken;

    use super::*;

    const ALICE: (SessionNumber, RemoteKey) = (SessionNumber(1), RemoteKey::from_bytes([1; 32]));
    const BOB: (SessionNumber, RemoteKey) = (SessionNumber(2), RemoteKey::from_bytes([2; 32]));
    const EVE: (SessionNumber, RemoteKey) = (SessionNumber(3), RemoteKey::from_bytes([3; 32]));

    fn offer(number: u8) -> OfferId {
        OfferId::from_bytes([number; 16])
    }

    fn second(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    struct Story {
        relays: Relays,
        out: Outputs,
    }

    #[derive(PartialEq, Eq, Debug)]
    enum Told {
        Granted(SessionNumber, RelayToken),
        Refused(SessionNumber, RelayRefusalCode),
        Opened(RelayNumber, [RelayToken; 2]),
    }

    impl Story {
        fn begin(config: RelayConfig) -> Self {
            Self {
                relays: Relays::new(config, TokenSource::new([7; 32])),
                out: Outputs::default(),
            }
        }

        fn ask(
            &mut self,
            at: u64,
            who: (SessionNumber, RemoteKey),
            number: u8,
            whom: (SessionNumber, RemoteKey),
        ) -> Vec<Told> {
            let request = RelayRequest {
                offer: offer(number),
                peer: whom.1,
            };
            self.relays
                .ask(second(at), who.0, who.1, request, &mut self.out);
            self.told()
        }

        fn told(&mut self) -> Vec<Told> {
            let mut told = Vec::new();
            while let Some(output) = self.out.pop() {
                match output {
                    Output::Send {
                        session, frames, ..
                    } => {
                        let mut splitter = FrameSplitter::default();
                        let pushed = splitter.push(&frames, |frame| {
                            told.push(match ServerFrame::decode(frame)? {
                                Some(ServerFrame::RelayGranted(granted)) => {
                                    Told::Granted(session, granted.token)
                                }
                                Some(ServerFrame::RelayRefused(refused)) => {
                                    Told::Refused(session, refused.code)
                                }
                                other => panic!("{other:?}"),
                            });
                            Ok::<_, Malformed>(())
                        });
                        pushed.unwrap();
                    }
                    Output::OpenRelay { number, tokens } => told.push(Told::Opened(number, tokens)),
                    other => panic!("{other:?}"),
                }
            }
            told
        }
    }

    #[test]
    fn two_who_name_each_other_get_a_token_each() {
        let mut story = Story::begin(RelayConfig::default());
        assert_eq!(story.ask(1, ALICE, 1, BOB), []);
        assert_eq!(story.ask(2, EVE, 1, BOB), [], "whom Bob does not name");
        assert_eq!(story.ask(2, BOB, 2, ALICE), [], "another offer");
        let told = story.ask(3, BOB, 1, ALICE);
        let [
            Told::Granted(BOB_SESSION, bobs),
            Told::Granted(ALICE_SESSION, alices),
            opened,
        ] = &told[..]
        else {
            panic!("{told:?}");
        };
        const ALICE_SESSION: SessionNumber = ALICE.0;
        const BOB_SESSION: SessionNumber = BOB.0;
        assert_ne!(bobs, alices);
        let tokens = [bobs.clone(), alices.clone()];
        assert_eq!(*opened, Told::Opened(RelayNumber(0), tokens));
        // What was granted is over: it is asked for anew.
        assert_eq!(story.ask(4, BOB, 1, ALICE), []);
    }

    #[test]
    fn nobody_is_joined_with_themselves() {
        let mut story = Story::begin(RelayConfig::default());
        assert_eq!(story.ask(1, ALICE, 1, ALICE), []);
        assert_eq!(story.ask(2, ALICE, 1, ALICE), []);
    }

    #[test]
    fn who_waits_alone_is_told_and_who_left_waits_no_more() {
        let mut story = Story::begin(RelayConfig::default());
        story.ask(1, ALICE, 1, BOB);
        story.ask(2, BOB, 2, ALICE);
        story.relays.leave(BOB.0, BOB.1);
        assert_eq!(story.relays.deadline(), Some(second(31)));
        story.relays.handle_timeout(second(30), &mut story.out);
        assert_eq!(story.told(), []);
        story.relays.handle_timeout(second(31), &mut story.out);
        let alone = Told::Refused(ALICE.0, RelayRefusalCode::Alone);
        assert_eq!(story.told(), [alone]);
        assert_eq!(story.ask(32, ALICE, 2, BOB), [], "Bob's session is over");
    }

    #[test]
    fn relays_are_limited_in_all_and_of_one_person_and_requests_in_time() {
        let config = RelayConfig {
            total: 3,
            per_person: 2,
            requests: BucketConfig {
                burst: 8,
                interval: second(1),
            },
        };
        let mut story = Story::begin(config);
        for number in 1..=2 {
            story.ask(1, ALICE, number, BOB);
            assert_eq!(story.ask(1, BOB, number, ALICE).len(), 3);
        }
        story.ask(1, ALICE, 3, BOB);
        let full = |session| [Told::Refused(session, RelayRefusalCode::TooMany)];
        assert_eq!(story.ask(1, ALICE, 4, BOB), full(ALICE.0));
        story.relays.closed(RelayNumber(0));
        story.relays.closed(RelayNumber(0));
        assert_eq!(story.ask(1, BOB, 3, ALICE).len(), 3);
        for number in 5..=9 {
            story.ask(1, BOB, number, EVE);
        }
        let rate = [Told::Refused(BOB.0, RelayRefusalCode::Rate)];
        assert_eq!(story.ask(1, BOB, 10, EVE), rate);
    }
}
