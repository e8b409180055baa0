//! A shard of the datagram fan-out: it alone owns its sessions' keys, sequences and addresses. Runs beside
//! the hub and is commanded by it; knows nothing of sockets.

use std::collections::BTreeMap;
use std::time::Duration;

use recado_proto::datagram::{Header, Opener, Sealer};
use recado_proto::frame::{ClientDatagram, GlobalMessage, ServerDatagram};
use recado_proto::id::ConnectionId;

use crate::path::Path;
use crate::session::SessionNumber;

/// Room for members grows by an eighth, not to the double of what is needed.
const GROWTH: usize = 8;

/// The sessions of one shard. `A` is where a datagram came from and goes to, as the shell knows it.
pub struct Shard<A> {
    /// Side by side, in no order that means anything: a message to everyone goes through all of them.
    members: Vec<Member<A>>,
    /// Where each of them is.
    by_connection: BTreeMap<ConnectionId, usize>,
    by_session: BTreeMap<SessionNumber, usize>,
    /// Draws challenges.
    random: Box<dyn FnMut() -> u64 + Send>,
    rejected: u64,
}

struct Member<A> {
    session: SessionNumber,
    sealer: Sealer,
    path: Option<Path<A>>,
    /// Apart, as it is large and sending does not need it.
    opener: Box<Opener>,
}

/// A message on its way to everyone; see [`Shard::fan_out`].
pub struct FanOut<'a, A> {
    plaintext: &'a [u8],
    members: std::slice::IterMut<'a, Member<A>>,
}

/// What came of a datagram.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Received<A> {
    /// Nothing is to be done, and nothing is to be answered.
    Nothing,
    /// `out` is to be sent there. If `path` is there, that session's path is now confirmed, or not any more.
    Answer {
        /// Where to.
        to: A,
        /// The session, and whether global messages can reach it by datagram.
        path: Option<(SessionNumber, bool)>,
        /// The session that asks for a report, and its probe's nonce.
        heard: Option<(SessionNumber, u64)>,
    },
    /// The session's path has moved and is not confirmed; there is nothing to send.
    PathLost(SessionNumber),
    /// A message for everyone.
    Global {
        /// Its sender.
        session: SessionNumber,
        /// The message.
        message: GlobalMessage,
        /// Whether the sender's path was lost with it: it came from a new address.
        path_lost: bool,
    },
}

impl<A: Copy + PartialEq> Shard<A> {
    /// No sessions yet. `random` draws unguessable numbers.
    pub fn new(random: Box<dyn FnMut() -> u64 + Send>) -> Self {
        Self {
            members: Vec::new(),
            by_connection: BTreeMap::new(),
            by_session: BTreeMap::new(),
            random,
            rejected: 0,
        }
    }

    /// Takes over a session's datagrams.
    pub fn add(&mut self, session: SessionNumber, sealer: Sealer, opener: Opener) {
        self.remove(session);
        let at = self.members.len();
        if at == self.members.capacity() {
            self.members
                .reserve_exact((at / GROWTH).saturating_add(GROWTH));
        }
        self.by_session.insert(session, at);
        self.by_connection.insert(sealer.connection(), at);
        self.members.push(Member {
            session,
            sealer,
            path: None,
            opener: Box::new(opener),
        });
    }

    /// Sends a session no more global messages until its path is confirmed again.
    pub fn unconfirm(&mut self, session: SessionNumber) {
        let member = self
            .by_session
            .get(&session)
            .and_then(|at| self.members.get_mut(*at));
        if let Some(path) = member.and_then(|member| member.path.as_mut()) {
            path.unconfirm((self.random)().max(1));
        }
    }

    /// Forgets a session and its keys.
    pub fn remove(&mut self, session: SessionNumber) {
        let Some(at) = self.by_session.remove(&session) else {
            return;
        };
        if at >= self.members.len() {
            return;
        }
        let removed = self.members.swap_remove(at);
        self.by_connection.remove(&removed.sealer.connection());
        // The last has taken its place.
        if let Some(moved) = self.members.get(at) {
            self.by_session.insert(moved.session, at);
            self.by_connection.insert(moved.sealer.connection(), at);
        }
    }

    /// Takes a datagram, opening it in place. Whatever does not authenticate changes nothing but a
    /// count and is answered by nothing.
    pub fn handle_datagram(
        &mut self,
        now: Duration,
        from: A,
        datagram: &mut [u8],
        out: &mut Vec<u8>,
    ) -> Received<A> {
        let length = datagram.len();
        let member = Header::peek_connection(datagram)
            .and_then(|connection| self.by_connection.get(&connection))
            .and_then(|at| self.members.get_mut(*at));
        let Some(member) = member else {
            self.rejected = self.rejected.saturating_add(1);
            return Received::Nothing;
        };
        let Ok(opened) = member.opener.open(datagram) else {
            self.rejected = self.rejected.saturating_add(1);
            return Received::Nothing;
        };
        let mut path_lost = false;
        if opened.newest
            && member
                .path
                .as_ref()
                .is_none_or(|path| path.address() != from)
        {
            path_lost = member.path.as_ref().is_some_and(Path::confirmed);
            let challenge = (self.random)().max(1);
            member.path = Some(Path::new(now, from, challenge));
        }
        // A late datagram from an address that is not the session's says nothing of where it is now.
        let path = member.path.as_mut().filter(|path| path.address() == from);
        let lost = |lost| {
            if lost {
                Received::PathLost(member.session)
            } else {
                Received::Nothing
            }
        };
        match ClientDatagram::decode(opened.plaintext) {
            Err(_) | Ok(None) => lost(path_lost),
            Ok(Some(ClientDatagram::Global(message))) => {
                if let Some(path) = path {
                    path.received(now, length);
                }
                Received::Global {
                    session: member.session,
                    message,
                    path_lost,
                }
            }
            Ok(Some(ClientDatagram::Probe(probe))) => {
                let Some(path) = path else {
                    return lost(path_lost);
                };
                path.received(now, length);
                let before = path.confirmed();
                let answer = path.handle_probe(&probe);
                let plaintext = ServerDatagram::ProbeAnswer(answer).encode();
                if member.sealer.seal(&plaintext, out).is_err() || !path.may_send(out.len()) {
                    return lost(path_lost);
                }
                let changed = path_lost || before != answer.confirmed;
                Received::Answer {
                    to: from,
                    path: changed.then_some((member.session, answer.confirmed)),
                    heard: probe.report.then_some((member.session, probe.nonce)),
                }
            }
        }
    }

    /// Seals an answer that nobody asked for by datagram into `out`, and says where to: for a client that does
    /// not know whether datagrams come.
    pub fn probe_back(&mut self, session: SessionNumber, out: &mut Vec<u8>) -> Option<A> {
        let member = self.members.get_mut(*self.by_session.get(&session)?)?;
        let path = member.path.as_ref().filter(|path| path.confirmed())?;
        let plaintext = ServerDatagram::ProbeAnswer(path.answer(0)).encode();
        member.sealer.seal(&plaintext, out).ok()?;
        Some(path.address())
    }

    /// Gives up the paths whose clients have been silent for too long, and names their sessions.
    pub fn expire(&mut self, now: Duration) -> Vec<SessionNumber> {
        let mut expired = Vec::new();
        for member in &mut self.members {
            if let Some(path) = member.path.as_mut().filter(|path| path.is_stale(now)) {
                path.unconfirm((self.random)().max(1));
                expired.push(member.session);
            }
        }
        expired
    }

    /// Seals `plaintext` for every session whose path is confirmed, one after the other, as it is asked for.
    pub fn fan_out<'a>(&'a mut self, plaintext: &'a [u8]) -> FanOut<'a, A> {
        FanOut {
            plaintext,
            members: self.members.iter_mut(),
        }
    }

    /// How many datagrams were rejected: of no session here, forged, replayed or malformed.
    pub fn rejected(&self) -> u64 {
        self.rejected
    }
}

impl<A: Copy + PartialEq> FanOut<'_, A> {
    /// Seals the next datagram into `out`, which is emptied first, and says where to; `None` when everyone has theirs.
    pub fn seal_next(&mut self, out: &mut Vec<u8>) -> Option<A> {
        for member in &mut self.members {
            if let Some(path) = &member.path
                && path.confirmed()
                && member.sealer.seal(self.plaintext, out).is_ok()
            {
                return Some(path.address());
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use recado_proto::datagram::{EXPORTER_LENGTH, SessionSecret, Side};
    use recado_proto::frame::{Probe, ProbeAnswer};

    use super::*;

    const NOW: Duration = Duration::from_secs(100);
    const ALICE: SessionNumber = SessionNumber(1);
    const CONNECTION: ConnectionId = ConnectionId(77);

    struct Alice {
        sealer: Sealer,
        opener: Opener,
    }

    impl Alice {
        fn probe(&mut self, nonce: u64, challenge: u64) -> Vec<u8> {
            let mut out = Vec::new();
            let probe = ClientDatagram::Probe(Probe {
                nonce,
                challenge,
                report: false,
            });
            self.sealer.seal(&probe.encode(), &mut out).unwrap();
            out
        }

        fn answer(&mut self, datagram: &[u8]) -> ProbeAnswer {
            let mut bytes = datagram.to_vec();
            let opened = self.opener.open(&mut bytes).unwrap();
            match ServerDatagram::decode(opened.plaintext).unwrap() {
                Some(ServerDatagram::ProbeAnswer(answer)) => answer,
                other => panic!("{other:?}"),
            }
        }
    }

    fn shard_with_alice() -> (Shard<&'static str>, Alice) {
        let secret = || SessionSecret::new([7; EXPORTER_LENGTH]);
        let mut drawn = 100;
        let mut shard = Shard::new(Box::new(move || {
            drawn += 1;
            drawn
        }));
        let (sealer, opener) = secret().into_pair(Side::Server, CONNECTION);
        shard.add(ALICE, sealer, opener);
        let (sealer, opener) = secret().into_pair(Side::Client, CONNECTION);
        (shard, Alice { sealer, opener })
    }

    fn confirm(shard: &mut Shard<&'static str>, alice: &mut Alice, from: &'static str) {
        let mut out = Vec::new();
        shard.handle_datagram(NOW, from, &mut alice.probe(1, 0), &mut out);
        let challenge = alice.answer(&out).challenge;
        let confirmed = shard.handle_datagram(NOW, from, &mut alice.probe(2, challenge), &mut out);
        let path = Some((ALICE, true));
        assert_eq!(
            confirmed,
            Received::Answer {
                to: from,
                path,
                heard: None
            }
        );
        assert!(alice.answer(&out).confirmed);
    }

    fn reached(shard: &mut Shard<&'static str>) -> Vec<&'static str> {
        let mut fan_out = shard.fan_out(b"x");
        std::iter::from_fn(|| fan_out.seal_next(&mut Vec::new())).collect()
    }

    #[test]
    fn an_address_gets_global_messages_once_it_has_echoed_its_challenge() {
        let (mut shard, mut alice) = shard_with_alice();
        assert_eq!(reached(&mut shard), [""; 0]);
        let mut out = Vec::new();
        let first = shard.handle_datagram(NOW, "home", &mut alice.probe(1, 0), &mut out);
        assert_eq!(
            first,
            Received::Answer {
                to: "home",
                path: None,
                heard: None
            }
        );
        let answer = alice.answer(&out);
        assert!(!answer.confirmed && answer.nonce == 1);
        assert_eq!(reached(&mut shard), [""; 0]);
        // A guess does not confirm.
        let guess = alice.probe(2, answer.challenge + 1);
        shard.handle_datagram(NOW, "home", &mut guess.clone(), &mut out);
        assert!(!alice.answer(&out).confirmed);
        confirm(&mut shard, &mut alice, "home");
        assert_eq!(reached(&mut shard), ["home"]);
        shard.remove(ALICE);
        assert_eq!(reached(&mut shard), [""; 0]);
    }

    #[test]
    fn a_path_moves_with_the_newest_datagram_and_must_be_confirmed_anew() {
        let (mut shard, mut alice) = shard_with_alice();
        confirm(&mut shard, &mut alice, "home");
        let (late, newest) = (alice.probe(3, 0), alice.probe(4, 0));
        let mut out = Vec::new();
        let moved = shard.handle_datagram(NOW, "café", &mut newest.clone(), &mut out);
        let path = Some((ALICE, false));
        assert_eq!(
            moved,
            Received::Answer {
                to: "café",
                path,
                heard: None
            }
        );
        assert_eq!(reached(&mut shard), [""; 0]);
        // The late one comes from where Alice was: nothing goes back there.
        assert_eq!(
            shard.handle_datagram(NOW, "home", &mut late.clone(), &mut out),
            Received::Nothing
        );
        confirm(&mut shard, &mut alice, "café");
        assert_eq!(reached(&mut shard), ["café"]);
    }

    #[test]
    fn a_replayed_datagram_from_elsewhere_moves_nothing() {
        let (mut shard, mut alice) = shard_with_alice();
        let recorded = alice.probe(1, 0);
        let mut out = Vec::new();
        shard.handle_datagram(NOW, "home", &mut recorded.clone(), &mut out);
        confirm(&mut shard, &mut alice, "home");
        let replayed = shard.handle_datagram(NOW, "attacker", &mut recorded.clone(), &mut out);
        assert_eq!(replayed, Received::Nothing);
        assert_eq!(reached(&mut shard), ["home"]);
        assert_eq!(shard.rejected(), 1);
    }

    #[test]
    fn noise_and_unknown_connections_are_counted_and_not_answered() {
        let (mut shard, _) = shard_with_alice();
        let mut out = Vec::new();
        for mut noise in [vec![], vec![1; 40], vec![0xff; 1200], vec![0; 2000]] {
            let received = shard.handle_datagram(NOW, "attacker", &mut noise, &mut out);
            assert_eq!(received, Received::Nothing);
        }
        assert_eq!(shard.rejected(), 4);
        assert!(out.is_empty());
    }

    #[test]
    fn a_client_that_hears_nothing_or_is_silent_gets_no_datagrams() {
        let (mut shard, mut alice) = shard_with_alice();
        confirm(&mut shard, &mut alice, "home");
        let mut out = Vec::new();
        assert_eq!(shard.probe_back(ALICE, &mut out), Some("home"));
        let answer = alice.answer(&out);
        assert!(answer.confirmed && answer.nonce == 0);
        shard.unconfirm(ALICE);
        assert_eq!(reached(&mut shard), [""; 0]);
        assert_eq!(shard.probe_back(ALICE, &mut out), None);
        // The challenge of before proves nothing any more.
        let old = alice.probe(3, answer.challenge);
        shard.handle_datagram(NOW, "home", &mut old.clone(), &mut out);
        assert!(!alice.answer(&out).confirmed);
        confirm(&mut shard, &mut alice, "home");
        assert_eq!(reached(&mut shard), ["home"]);

        assert_eq!(shard.expire(NOW + Duration::from_secs(44)), []);
        assert_eq!(shard.expire(NOW + Duration::from_secs(45)), [ALICE]);
        assert_eq!(shard.expire(NOW + Duration::from_secs(99)), []);
        assert_eq!(reached(&mut shard), [""; 0]);
        confirm(&mut shard, &mut alice, "home");
        assert_eq!(reached(&mut shard), ["home"]);
    }
}
