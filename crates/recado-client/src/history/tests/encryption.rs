//! Stories of Alice, Bob and a server that does as it likes: `docs/protocol.md` §End to end, case by case.

use proptest::prelude::*;
use recado_engine::groups::{MESSAGES_PER_EPOCH, commits};
use recado_engine::{Arrival, PackageFault, Sealed};
use recado_proto::content::Envelope;
use recado_proto::fingerprint::Fingerprint;
use recado_proto::frame::PutKeyPackages;
use recado_proto::id::KeyPackageReference;

use super::people::SENT_AT_MS;
use super::*;
use crate::e2e::{Outside, look_at};

fn said(text: &str) -> Body {
    Body::Text(text.to_owned())
}

/// Two people and their lanes. The first has the smaller key: it commits.
pub(super) struct Pair {
    pub(super) small: Client,
    pub(super) large: Client,
    /// The last numbers of the lanes of each.
    numbers: [u64; 2],
}

/// What travels under a number.
#[derive(Clone, Debug)]
pub(super) struct Parcel {
    pub(super) number: u64,
    id: MessageId,
    envelope: Vec<u8>,
}

pub(super) const SMALL: usize = 0;
pub(super) const LARGE: usize = 1;

impl Pair {
    /// They know each other, and neither has begun.
    fn new() -> Self {
        let (one, other) = (Client::new("Alice", 1), Client::new("Bob", 2));
        let (mut small, mut large) = match commits(&one.key, &other.key) {
            true => (one, other),
            false => (other, one),
        };
        small.remember(&large);
        large.remember(&small);
        Self {
            small,
            large,
            numbers: [0, 0],
        }
    }

    /// The first has begun.
    pub(super) fn begun() -> Self {
        let mut pair = Self::new();
        pair.begin(SMALL);
        pair
    }

    fn both(&mut self, who: usize) -> (&mut Client, &mut Client) {
        match who {
            SMALL => (&mut self.small, &mut self.large),
            _ => (&mut self.large, &mut self.small),
        }
    }

    fn begin(&mut self, who: usize) {
        let (one, other) = self.both(who);
        one.begin_with(other);
    }

    /// Enters and seals something, as the engine does.
    pub(super) fn seal(&mut self, who: usize, text: &str) -> Parcel {
        self.numbers[who] += 1;
        let number = self.numbers[who];
        let (one, other) = self.both(who);
        let mut bytes = [who as u8; 16];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        let id = MessageId::from_bytes(bytes);
        let message = Outgoing {
            id,
            to: Some(other.name.clone()),
            sent_at_ms: SENT_AT_MS,
            text: text.to_owned(),
            reference: None,
        };
        assert!(one.database.enter(&message).unwrap());
        let entry = one.rows_where("SELECT max(number) FROM message");
        let write = Write::Number {
            entry: u64::try_from(entry).unwrap(),
            peer: fold(&other.name),
            number,
        };
        match one.commit(&[write]).remove(0) {
            Answer::Sealed(sealed) => parcel(number, *sealed),
            other => panic!("{other:?}"),
        }
    }

    /// The same in a new store, whose numbers begin again.
    fn seal_again(&mut self, who: usize, text: &str) -> Parcel {
        self.numbers[who] = 40;
        self.seal(who, text)
    }

    /// What renews the keys, if it is due.
    pub(super) fn renew(&mut self, who: usize) -> Option<Parcel> {
        self.numbers[who] += 1;
        let number = self.numbers[who];
        let (one, other) = self.both(who);
        let peer = fold(&other.name);
        match one.commit(&[Write::Handshake { peer, number }]).remove(0) {
            Answer::Sealed(sealed) => Some(parcel(number, *sealed)),
            Answer::Empty(_) => None,
            other => panic!("{other:?}"),
        }
    }

    /// The other takes what one has sent.
    pub(super) fn take(&mut self, who: usize, parcel: &Parcel) -> Arrival {
        let (one, other) = self.both(who);
        let Parcel {
            number,
            id,
            envelope,
        } = parcel.clone();
        other.take(one.person(), one.store(), number, id, envelope)
    }

    pub(super) fn say(&mut self, who: usize, text: &str) -> Arrival {
        let parcel = self.seal(who, text);
        let arrival = self.take(who, &parcel);
        assert_eq!(arrival.what, super::text(text));
        arrival
    }

    /// Everything of one's lane is stored and settled.
    pub(super) fn settle(&mut self, who: usize) {
        let number = self.numbers[who];
        self.progress(who, number, number);
    }

    pub(super) fn progress(&mut self, who: usize, stored: u64, settled: u64) {
        let (one, other) = self.both(who);
        one.commit(&[Write::Progress {
            peer: fold(&other.name),
            stored,
            settled,
        }]);
    }

    fn requeue(&mut self, who: usize, from: u64) {
        let (one, other) = self.both(who);
        one.commit(&[Write::Requeue {
            peer: fold(&other.name),
            from,
        }]);
    }

    /// Messages go to and fro until keys are to be renewed.
    pub(super) fn talk_until_due(&mut self) {
        for round in 0..MESSAGES_PER_EPOCH {
            let who = usize::from(round % 2 == 1);
            if self.say(who, "blá").handshake_due {
                return;
            }
        }
        panic!("nothing was due");
    }
}

fn parcel(number: u64, sealed: Sealed) -> Parcel {
    Parcel {
        number,
        id: sealed.id,
        envelope: sealed.envelope,
    }
}

/// The epoch in which it was sealed, and whether it opens its group.
fn epoch(parcel: &Parcel) -> (u64, u64, bool) {
    match look_at(&parcel.envelope) {
        Some(Outside::Mls {
            generation,
            epoch,
            has_welcome,
            ..
        }) => (generation, epoch, has_welcome),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_one_seals_the_other_reads_and_the_welcome_goes_along_until_something_arrived() {
    let mut pair = Pair::begun();
    let first = pair.seal(SMALL, "um");
    let second = pair.seal(SMALL, "dois");
    assert_eq!([epoch(&first), epoch(&second)], [(1, 1, true); 2]);
    // The first was dropped for its age; the second opens the group as well.
    assert_eq!(pair.take(SMALL, &second).what, text("dois"));
    assert!(pair.take(SMALL, &second).has_group);
    pair.progress(SMALL, 2, 2);
    let third = pair.seal(SMALL, "três");
    assert_eq!(epoch(&third), (1, 1, false));
    assert_eq!(pair.take(SMALL, &third).what, text("três"));
    // And back, in the same group.
    let answer = pair.seal(LARGE, "quatro");
    assert_eq!(epoch(&answer), (1, 1, false));
    assert_eq!(pair.take(LARGE, &answer).what, text("quatro"));
}

#[test]
fn who_begins_at_once_can_be_read_and_both_go_on_in_one_group() {
    let mut pair = Pair::new();
    pair.begin(SMALL);
    pair.begin(LARGE);
    let crossing = [pair.seal(SMALL, "oi"), pair.seal(LARGE, "olá")];
    assert_eq!(pair.take(SMALL, &crossing[SMALL]).what, text("oi"));
    assert_eq!(pair.take(LARGE, &crossing[LARGE]).what, text("olá"));
    // The group of the smaller key counts: the larger seals in it, which tells the smaller that the other is over.
    assert_eq!(pair.small.rows("mls_group"), 2);
    pair.say(LARGE, "no seu grupo");
    assert_eq!(pair.small.rows("mls_group"), 1);
    pair.say(SMALL, "no meu");
    assert_eq!(pair.large.rows("mls_group"), 1);
    let keys = |client: &Client| client.rows_where("SELECT count(DISTINCT owner) FROM mls_state");
    // One group, and key packages that nobody has used.
    assert_eq!((keys(&pair.small), keys(&pair.large)), (2, 2));
}

#[test]
fn keys_are_renewed_by_the_smaller_key_alone_once_its_commit_is_stored() {
    let mut pair = Pair::begun();
    pair.say(SMALL, "um");
    pair.settle(SMALL);
    assert!(pair.renew(SMALL).is_none(), "nothing is due");
    pair.talk_until_due();
    let commit = pair.renew(SMALL).unwrap();
    assert!(pair.renew(SMALL).is_none(), "one is under way");
    // Until it is stored, both go on in the old epoch.
    let old = pair.seal(SMALL, "na época velha");
    assert_eq!(epoch(&old).1, 1);
    let number = commit.number;
    pair.progress(SMALL, number, number - 1);
    // The process ends before that is known to the engine, and hears it again.
    pair.small.reopen();
    pair.progress(SMALL, number, number - 1);
    let new = pair.seal(SMALL, "na nova");
    assert_eq!(epoch(&new).1, 2);
    let crossing = pair.seal(LARGE, "de antes");
    assert_eq!(epoch(&crossing).1, 1);

    assert_eq!(pair.take(SMALL, &commit).what, Arrived::Handshake);
    assert_eq!(pair.take(SMALL, &commit).what, Arrived::Known);
    assert_eq!(pair.take(SMALL, &old).what, text("na época velha"));
    assert_eq!(pair.take(SMALL, &new).what, text("na nova"));
    assert_eq!(pair.take(LARGE, &crossing).what, text("de antes"));
    let answer = pair.seal(LARGE, "na nova também");
    assert_eq!(epoch(&answer).1, 2);
    assert_eq!(pair.take(LARGE, &answer).what, text("na nova também"));
}

#[test]
fn the_larger_key_proposes_and_goes_on_until_the_other_commits() {
    let mut pair = Pair::begun();
    pair.say(SMALL, "um");
    pair.settle(SMALL);
    pair.talk_until_due();
    let proposal = pair.renew(LARGE).unwrap();
    assert!(pair.renew(LARGE).is_none(), "one proposal an epoch");
    let meanwhile = pair.seal(LARGE, "entretanto");
    pair.settle(LARGE);
    let arrival = pair.take(LARGE, &proposal);
    assert_eq!(
        (arrival.what, arrival.handshake_due),
        (Arrived::Handshake, true)
    );
    assert_eq!(pair.take(LARGE, &meanwhile).what, text("entretanto"));
    let commit = pair.renew(SMALL).unwrap();
    let behind = pair.seal(SMALL, "atrás do compromisso");
    pair.progress(SMALL, commit.number, 0);
    let leaf = |client: &Client| {
        client.rows_where("SELECT count(*) FROM mls_state WHERE substr(key, 1, 1) = x'0e'")
    };
    assert_eq!(leaf(&pair.large), 1, "the keys that were proposed wait");
    assert_eq!(pair.take(SMALL, &commit).what, Arrived::Handshake);
    assert_eq!(leaf(&pair.large), 0, "they have become the leaf's");
    assert_eq!(pair.take(SMALL, &behind).what, text("atrás do compromisso"));
    for (who, text) in [(SMALL, "nova"), (LARGE, "época")] {
        let parcel = pair.seal(who, text);
        assert_eq!(epoch(&parcel).1, 2);
        assert_eq!(pair.take(who, &parcel).what, super::text(text));
    }
    // A proposal that crossed a commit is passed over.
    assert_eq!(pair.renew(LARGE).map(|it| it.number), None);
}

#[test]
fn a_proposal_that_crosses_a_commit_is_passed_over() {
    let mut pair = Pair::begun();
    pair.say(SMALL, "um");
    pair.settle(SMALL);
    pair.talk_until_due();
    let commit = pair.renew(SMALL).unwrap();
    let proposal = pair.renew(LARGE).unwrap();
    pair.progress(SMALL, commit.number, 0);
    assert_eq!(pair.take(LARGE, &proposal).what, Arrived::Handshake);
    assert_eq!(pair.take(SMALL, &commit).what, Arrived::Handshake);
    pair.say(SMALL, "segue");
    pair.say(LARGE, "segue");
}

#[test]
fn what_is_passed_over_costs_nothing_of_what_follows() {
    let mut pair = Pair::begun();
    pair.say(SMALL, "um");
    for _ in 0..500 {
        pair.seal(SMALL, "nunca chega");
    }
    pair.say(SMALL, "chega");
}

#[test]
fn a_server_that_swaps_replays_or_relabels_is_not_read() {
    let mut pair = Pair::begun();
    let parcels: Vec<_> = ["um", "dois", "três"]
        .map(|text| pair.seal(SMALL, text))
        .into();
    let unreadable = |arrival: Arrival| assert_eq!(arrival.what, Arrived::Unreadable);
    // Places exchanged.
    let swapped = Parcel {
        envelope: parcels[1].envelope.clone(),
        ..parcels[0].clone()
    };
    unreadable(pair.take(SMALL, &swapped));
    // From now on nothing of the lane is opened, though it could be.
    unreadable(pair.take(SMALL, &parcels[1]));
    assert_eq!(pair.large.rows("mls_group"), 0, "nothing was changed");
    // Nor in another group that was made before the sender knew of it.
    pair.begin(SMALL);
    let parcel = pair.seal(SMALL, "quatro");
    unreadable(pair.take(SMALL, &parcel));
    // The sender makes one for it.
    pair.requeue(SMALL, 1);
    pair.begin(SMALL);
    let again = pair.seal(SMALL, "um");
    assert_eq!(pair.take(SMALL, &again).what, text("um"));
    assert_eq!(pair.say(SMALL, "dois").what, text("dois"));

    let mut pair = Pair::begun();
    let first = pair.seal(SMALL, "um");
    assert_eq!(pair.take(SMALL, &first).what, text("um"));
    let second = pair.seal(SMALL, "dois");
    let (small, large) = pair.both(SMALL);
    let (person, store) = (small.person(), small.store());
    let mut take = |person: &Person, store, id| {
        let number = second.number;
        let envelope = second.envelope.clone();
        large.take(person.clone(), store, number, id, envelope).what
    };
    // Under another id, from another store, as someone else's, and under another name.
    let mallory = Client::new("Mallory", 66);
    let renamed = Person {
        name: "Carol".to_owned(),
        ..person.clone()
    };
    let other_store = StoreId::from_bytes([7; 16]);
    assert_eq!(take(&person, other_store, second.id), Arrived::Unreadable);
    assert_eq!(
        take(&mallory.person(), store, second.id),
        Arrived::Unreadable
    );
    assert_eq!(take(&renamed, store, second.id), Arrived::Unreadable);
}

#[test]
fn an_envelope_comes_to_a_place_once() {
    let mut pair = Pair::begun();
    let first = pair.seal(SMALL, "um");
    assert_eq!(pair.take(SMALL, &first).what, text("um"));
    // The same again, as after a connection that was lost.
    assert_eq!(pair.take(SMALL, &first).what, Arrived::Known);
    // The same under the next number, with its own id or a new one.
    let mut replayed = first.clone();
    replayed.number = 2;
    assert_eq!(pair.take(SMALL, &replayed).what, Arrived::Unreadable);
    replayed.number = 3;
    replayed.id = id(99);
    assert_eq!(pair.take(SMALL, &replayed).what, Arrived::Unreadable);
}

#[test]
fn a_welcome_that_comes_again_or_from_elsewhere_opens_nothing() {
    let mut pair = Pair::new();
    // By a last resort: its private half stays, and could open the group again.
    let package = pair.large.package(true);
    let begun = pair.small.begin(&pair.large, package);
    assert_eq!(begun, Answer::Begun(Ok(())));
    let first = pair.seal(SMALL, "um");
    let second = pair.seal(SMALL, "dois");
    // Through another's lane.
    let (from, store) = (Client::new("Mallory", 66).person(), pair.small.store());
    let Parcel { id, envelope, .. } = first.clone();
    let arrival = pair.large.take(from, store, 1, id, envelope);
    assert_eq!(arrival.what, Arrived::Unreadable);
    assert_eq!(pair.take(SMALL, &first).what, text("um"));
    // The group is over, and its welcome comes again behind it.
    let peer = pair.small.key;
    pair.large.with_secrecy(|secrecy| {
        use crate::e2e::Scheme as _;
        secrecy.scheme().forget(peer)
    });
    assert_eq!(pair.take(SMALL, &second).what, Arrived::Unreadable);
}

#[test]
fn a_last_resort_is_weak_and_whoever_joined_by_it_renews_at_once() {
    for who in [SMALL, LARGE] {
        let mut pair = Pair::new();
        let (one, other) = pair.both(who);
        // The other side is the one who joins.
        let package = one.package(true);
        assert_eq!(other.begin(one, package), Answer::Begun(Ok(())));
        let joiner = who;
        let maker = 1 - who;
        let first = pair.seal(maker, "um");
        let arrival = pair.take(maker, &first);
        assert_eq!((arrival.what, arrival.handshake_due), (text("um"), true));
        let renewal = pair.renew(joiner).unwrap();
        let arrival = pair.take(joiner, &renewal);
        assert_eq!(arrival.what, Arrived::Handshake);
        if joiner == SMALL {
            pair.settle(SMALL);
        } else {
            // The maker commits to what was proposed.
            assert!(arrival.handshake_due);
            let commit = pair.renew(SMALL).unwrap();
            pair.settle(SMALL);
            assert_eq!(pair.take(SMALL, &commit).what, Arrived::Handshake);
        }
        assert!(!pair.say(maker, "dois").handshake_due);
        assert!(pair.renew(joiner).is_none());
    }
}

#[test]
fn two_who_got_the_same_last_resort_are_both_read() {
    let (mut bob, mut alice, mut carol) = (
        Client::new("Bob", 2),
        Client::new("Alice", 1),
        Client::new("Carol", 3),
    );
    let package = bob.package(true);
    for (writer, number) in [(&mut alice, 1), (&mut carol, 2)] {
        writer.remember(&bob);
        let begun = writer.begin(&bob, package.clone());
        assert_eq!(begun, Answer::Begun(Ok(())));
        let envelope = writer.seal_for(&bob, 1, id(number), said("olá"));
        let arrival = bob.take(writer.person(), writer.store(), 1, id(number), envelope);
        assert_eq!(arrival.what, text("olá"));
    }
}

#[test]
fn a_key_package_for_one_use_is_used_once() {
    let (mut bob, mut alice, mut carol) = (
        Client::new("Bob", 2),
        Client::new("Alice", 1),
        Client::new("Carol", 3),
    );
    let package = bob.package(false);
    let mut what = Vec::new();
    for (writer, number) in [(&mut alice, 1), (&mut carol, 2)] {
        writer.remember(&bob);
        let begun = writer.begin(&bob, package.clone());
        assert_eq!(begun, Answer::Begun(Ok(())));
        let envelope = writer.seal_for(&bob, 1, id(number), said("olá"));
        let arrival = bob.take(writer.person(), writer.store(), 1, id(number), envelope);
        what.push(arrival.what);
    }
    assert_eq!(what, [text("olá"), Arrived::Unreadable]);
}

#[test]
fn a_key_package_that_is_not_the_names_is_refused() {
    let mut alice = Client::new("Alice", 1);
    let mut bob = Client::new("Bob", 2);
    let mut mallory = Client::new("Mallory", 66);
    let mut elsewhere = Client::at("Bob", 2, Fingerprint::from_bytes([9; 32]));
    alice.remember(&bob);
    let good = bob.package(false);
    let mut changed = good.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    for (package, fault) in [
        (mallory.package(false), PackageFault::OtherKey),
        (elsewhere.package(false), PackageFault::OtherKey),
        (changed, PackageFault::Malformed),
        (good[..100].to_vec(), PackageFault::Malformed),
        (vec![], PackageFault::Malformed),
        (b"no key package".to_vec(), PackageFault::Malformed),
    ] {
        assert_eq!(alice.begin(&bob, package), Answer::Begun(Err(fault)));
        assert!(!alice.can_write_to(&bob));
    }
    assert_eq!(alice.rows("mls_state"), 0, "nothing was left behind");
    assert_eq!(alice.begin(&bob, good), Answer::Begun(Ok(())));
}

#[test]
fn keys_for_another_root_are_erased_and_new_ones_are_made() {
    let mut pair = Pair::begun();
    pair.say(SMALL, "um");
    let put = pair.large.stock(&KeyPackagesHeld::default()).unwrap();
    let references: Vec<_> = put.packages.iter().map(|it| it.reference).collect();
    let held = KeyPackagesHeld {
        references,
        last_resort: put.last_resort.map(|it| it.reference),
        retry_in_ms: 0,
    };
    assert_eq!(pair.large.stock(&held), None, "nothing is missing");
    // The same server has begun again, with another root, and the histories were carried over.
    let root = Fingerprint::from_bytes([9; 32]);
    for client in [&mut pair.small, &mut pair.large] {
        client.state();
        client.move_to(root);
        let (state, _) = client.state();
        assert!(state.outgoing.iter().all(|lane| !lane.has_group));
        assert_eq!(client.rows("mls_group"), 0);
    }
    let put = pair.large.stock(&held).unwrap();
    assert!(put.replaces && put.packages.len() == held.references.len());
    pair.begin(SMALL);
    pair.say(SMALL, "dois");
    pair.say(LARGE, "três");
}

#[test]
fn who_lost_their_keys_gets_everything_again_in_order() {
    let mut pair = Pair::begun();
    pair.say(SMALL, "um");
    let copy = pair.large.copy();
    pair.settle(SMALL);
    pair.say(SMALL, "dois");
    pair.talk_until_due();
    let commit = pair.renew(SMALL).unwrap();
    pair.settle(SMALL);
    assert_eq!(pair.take(SMALL, &commit).what, Arrived::Handshake);

    // The larger goes on with an older copy, of before the commit.
    let lost: Vec<_> = ["três", "quatro"].map(|text| pair.seal(SMALL, text)).into();
    pair.large = copy;
    for parcel in &lost {
        assert_eq!(pair.take(SMALL, parcel).what, Arrived::Unreadable);
    }
    // What is behind them waits for the new group too, though a new message says that there is one.
    pair.requeue(SMALL, lost[0].number);
    assert!(!pair.small.can_write_to(&pair.large));
    let fed = pair.small.feed();
    let ids: Vec<_> = fed.iter().map(|entry| entry.id).collect();
    assert_eq!(ids, [lost[0].id, lost[1].id]);
    assert!(fed.iter().all(|entry| entry.seals == 1));
    pair.begin(SMALL);
    let (small, large) = pair.both(SMALL);
    for (entry, number) in fed.iter().zip(1000..) {
        let peer = fold(&large.name);
        let entry = entry.entry;
        let write = Write::Number {
            entry,
            peer,
            number,
        };
        let Answer::Sealed(sealed) = small.commit(&[write]).remove(0) else {
            panic!("not sealed");
        };
        let again = parcel(number, *sealed);
        assert_eq!((epoch(&again).0, epoch(&again).2), (2, true));
        let arrival = large.take(
            small.person(),
            small.store(),
            again.number,
            again.id,
            again.envelope,
        );
        assert!(matches!(arrival.what, Arrived::Text { .. }), "{arrival:?}");
    }
    let question = Question::Latest {
        conversation: Conversation::Any,
        limit: 2,
    };
    assert_eq!(pair.large.ask(&question), ["três", "quatro"]);
}

#[test]
fn an_old_copy_forgets_all_keys_before_it_seals() {
    let mut pair = Pair::begun();
    pair.say(SMALL, "um");
    pair.settle(SMALL);
    pair.small.stock(&KeyPackagesHeld::default());
    let small = &mut pair.small;
    small.restart(StoreId::from_bytes([7; 16]));
    for table in ["mls_state", "mls_group", "key_package", "under_way"] {
        assert_eq!(small.rows(table), 0, "{table}");
    }
    assert!(!small.can_write_to(&pair.large));
    // Its next group is above all that it knew, and its other side goes on in it, though it was in another.
    pair.begin(SMALL);
    let first = pair.seal_again(SMALL, "de novo");
    assert_eq!(epoch(&first), (2, 1, true));
    assert_eq!(pair.take(SMALL, &first).what, text("de novo"));
    let answer = pair.seal(LARGE, "olá");
    assert_eq!(epoch(&answer).0, 2);
    assert_eq!(pair.take(LARGE, &answer).what, text("olá"));
}

#[test]
fn a_new_store_of_the_other_side_counts_though_its_generation_is_lower() {
    let mut pair = Pair::new();
    let old = pair.small.copy();
    for _ in 0..3 {
        pair.begin(LARGE);
    }
    let first = pair.seal(LARGE, "um");
    assert_eq!(epoch(&first).0, 3);
    assert_eq!(pair.take(LARGE, &first).what, text("um"));
    pair.say(SMALL, "dois");
    // The smaller goes on with a copy that knows no group, as another store.
    pair.small = old;
    pair.small.restart(StoreId::from_bytes([7; 16]));
    pair.begin(SMALL);
    let again = pair.seal_again(SMALL, "três");
    assert_eq!(epoch(&again).0, 1);
    assert_eq!(pair.take(SMALL, &again).what, text("três"));
    let answer = pair.seal(LARGE, "quatro");
    assert_eq!(epoch(&answer).0, 1);
    assert_eq!(pair.take(LARGE, &answer).what, text("quatro"));
}

#[test]
fn what_is_not_encrypted_is_not_read() {
    let mut pair = Pair::begun();
    for (number, envelope) in [
        // A text, as it was sent before there was encryption.
        b"\x0a\x04Ol\xc3\xa1".to_vec(),
        b"garbage".to_vec(),
        vec![0; 70_000],
        Envelope::Own {
            nonce: [0; 12],
            ciphertext: vec![0; 300],
        }
        .encode(),
        Envelope::Mls {
            welcome: vec![1; 900],
            message: vec![2; 400],
        }
        .encode(),
    ]
    .into_iter()
    .enumerate()
    {
        let parcel = Parcel {
            number: number as u64 + 1,
            id: id(number as u8),
            envelope,
        };
        assert_eq!(pair.take(SMALL, &parcel).what, Arrived::Unreadable);
    }
    // Nobody is remembered for what could not be read.
    let known = pair.large.rows_where("SELECT count(*) FROM message");
    assert_eq!(known, 0);
}

#[test]
fn notes_go_like_messages_and_are_not_shown() {
    let mut pair = Pair::begun();
    let note = OutgoingNote {
        id: id(1),
        to: pair.large.name.clone(),
        sent_at_ms: SENT_AT_MS,
        note: b"a file is offered".to_vec(),
        reference: None,
    };
    let (small, large) = pair.both(SMALL);
    small
        .database
        .write(|transaction| outbox::enter_note(transaction, outbox::FILE, &note))
        .unwrap();
    let fed = small.feed();
    assert_eq!(fed[0].kind, Kind::Note);
    let write = Write::Number {
        entry: fed[0].entry,
        peer: fold(&large.name),
        number: 1,
    };
    let Answer::Sealed(sealed) = small.commit(&[write]).remove(0) else {
        panic!("not sealed");
    };
    let numbered = small.state().0.outgoing.remove(0).numbered;
    assert_eq!(
        (numbered[0].kind, numbered[0].entry),
        (Kind::Note, fed[0].entry)
    );
    let parcel = parcel(1, *sealed);
    let came = Arrived::Note {
        note: note.note.clone(),
        sent_at_ms: SENT_AT_MS,
    };
    assert_eq!(pair.take(SMALL, &parcel).what, came);
    let (_, untaken) = pair.large.state();
    assert_eq!(untaken[0].what, UntakenBody::Note(note.note.clone()));
    // Neither side shows it, and both forget what it said once it is done.
    let question = Question::Latest {
        conversation: Conversation::Any,
        limit: 10,
    };
    assert_eq!(pair.large.ask(&question), [""; 0]);
    assert_eq!(pair.small.ask(&question), [""; 0]);
    pair.large.commit(&[Write::Take(untaken[0].receipt)]);
    pair.progress(SMALL, 1, 1);
    for client in [&pair.small, &pair.large] {
        assert_eq!(
            client.rows_where("SELECT count(*) FROM message WHERE note <> x''"),
            0
        );
    }
    assert_eq!(pair.take(SMALL, &parcel).what, Arrived::Known);
}

#[test]
fn two_people_compare_a_code() {
    let mut pair = Pair::begun();
    let verification = |one: &Client, other: &Client| {
        let vault = one.vault();
        one.database
            .read(|connection| super::super::people::verification(connection, &vault, &other.name))
            .unwrap()
            .unwrap()
    };
    let (here, there) = (
        verification(&pair.small, &pair.large),
        verification(&pair.large, &pair.small),
    );
    assert_eq!(here.code, there.code);
    assert!(!here.is_verified());
    for who in [SMALL, LARGE] {
        let (one, other) = pair.both(who);
        for _ in 0..2 {
            one.database
                .write(|transaction| {
                    super::super::people::compared_here(transaction, &other.name, id(who as u8), 0)
                })
                .unwrap();
        }
        let fed = one.feed();
        assert_eq!(fed.len(), 1, "said once");
        let write = Write::Number {
            entry: fed[0].entry,
            peer: fold(&other.name),
            number: 1,
        };
        let Answer::Sealed(sealed) = one.commit(&[write]).remove(0) else {
            panic!("not sealed");
        };
        // The larger has heard of the smaller by now.
        assert_eq!(verification(one, other).is_verified(), who == LARGE);
        let parcel = parcel(1, *sealed);
        assert_eq!(pair.take(who, &parcel).what, Arrived::Verification);
        assert_eq!(pair.take(who, &parcel).what, Arrived::Known);
    }
    assert!(verification(&pair.small, &pair.large).is_verified());
    assert!(verification(&pair.large, &pair.small).is_verified());
    let verified = |client: &Client| {
        client
            .database
            .read(super::super::people::verified)
            .unwrap()
    };
    assert_eq!(verified(&pair.small), [pair.large.name.clone()]);
    // Another key undoes it.
    let impostor = Client::new(&pair.large.name, 66);
    pair.small.remember(&impostor);
    assert_eq!(verified(&pair.small), [""; 0]);
    assert!(!verification(&pair.small, &pair.large).here);
}

#[test]
fn what_comes_under_another_key_is_kept_and_not_shown_until_that_is_trusted() {
    let mut pair = Pair::begun();
    pair.say(SMALL, "um");
    let (receipt, _) = (pair.large.state().1[0].receipt, ());
    pair.large.commit(&[Write::Take(receipt)]);
    // Someone with the same name and another key.
    let mut impostor = Client::new(&pair.small.name, 66);
    impostor.begin_with(&mut pair.large);
    let envelope = impostor.seal_for(&pair.large, 1, id(50), said("sou eu"));
    let (person, store) = (impostor.person(), impostor.store());
    let arrival = pair.large.take(person, store, 1, id(50), envelope);
    assert_eq!(arrival.what, text("sou eu"));
    let (state, untaken) = pair.large.state();
    assert_eq!(state.outgoing[0].key, Some(pair.small.key), "not replaced");
    assert_eq!(untaken, []);
    pair.large.remember(&impostor);
    assert_eq!(pair.large.state().1.len(), 1);
}

#[test]
fn a_stock_is_filled_and_replaced_and_its_last_resort_renewed() {
    let mut bob = Client::new("Bob", 2);
    let put = bob.stock(&KeyPackagesHeld::default()).unwrap();
    let references = |put: &PutKeyPackages| -> Vec<KeyPackageReference> {
        put.packages.iter().map(|it| it.reference).collect()
    };
    assert_eq!(put.packages.len(), 64);
    assert!(put.packages.iter().all(|it| it.package.len() < 500));
    let last_resort = put.last_resort.as_ref().map(|it| it.reference);
    assert!(last_resort.is_some() && !put.replaces);
    let mut held = KeyPackagesHeld {
        references: references(&put),
        last_resort,
        retry_in_ms: 0,
    };
    assert_eq!(bob.stock(&held), None);
    held.references.drain(..3);
    let filled = bob.stock(&held).unwrap();
    assert_eq!((filled.packages.len(), filled.last_resort), (3, None));
    assert!(!filled.replaces);
    // One that is not known here: one of the two is a copy.
    held.references[0] = KeyPackageReference::from_bytes([0; 16]);
    let replaced = bob.stock(&held).unwrap();
    assert!(replaced.replaces && replaced.packages.len() == 64);
    assert!(replaced.last_resort.is_some());
    // Used, or half of its life over.
    held = KeyPackagesHeld {
        references: references(&replaced),
        last_resort: replaced.last_resort.as_ref().map(|it| it.reference),
        retry_in_ms: 0,
    };
    assert_eq!(bob.stock(&held), None);
    for spoil in [
        "UPDATE key_package SET is_used = 1 WHERE last_resort = 1",
        "UPDATE key_package SET is_used = 0, made_ms = made_ms - 43 * 86400000 WHERE last_resort = 1",
    ] {
        bob.database
            .read(|connection| connection.execute(spoil, []))
            .unwrap();
        let renewed = bob.stock(&held).unwrap();
        assert_eq!(renewed.packages.len(), 0);
        assert!(renewed.last_resort.is_some() && !renewed.replaces);
    }
    // After 84 days nothing of them is left.
    let before = bob.rows("mls_state");
    bob.database
        .read(|connection| {
            connection.execute(
                "UPDATE key_package SET made_ms = made_ms - 85 * 86400000",
                [],
            )
        })
        .unwrap();
    bob.stock(&KeyPackagesHeld::default());
    assert!(before > 65);
    assert_eq!(bob.rows("mls_state"), 65);
    assert_eq!(bob.rows("key_package"), 65);
}

#[test]
fn short_messages_have_all_one_length() {
    let mut pair = Pair::begun();
    pair.say(SMALL, "um");
    pair.settle(SMALL);
    let lengths = ["", "x", "Olá, Bob! Como vai?", &"x".repeat(50)]
        .map(|text| pair.seal(SMALL, text).envelope.len());
    assert_eq!(lengths, [lengths[0]; 4]);
    let long = pair.seal(SMALL, &"x".repeat(65_536));
    assert!(long.envelope.len() < 67_000);
    assert_eq!(pair.take(SMALL, &long).what, text(&"x".repeat(65_536)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_changed_on_the_way_opens_nothing_and_changes_nothing(
        at in any::<prop::sample::Index>(), bit in 0..8u32, cut: bool,
    ) {
        let mut pair = Pair::begun();
        let parcel = pair.seal(SMALL, "um");
        let mut changed = parcel.clone();
        let at = at.index(changed.envelope.len());
        match cut {
            true => changed.envelope.truncate(at),
            false => changed.envelope[at] ^= 1 << bit,
        }
        let dump = pair.large.dump_keys();
        // Numbers that were passed do not close the lane: the same keys are tried again below.
        pair.large.commit(&[Write::Miss {
            from: pair.small.person(),
            store: pair.small.store(),
            up_to: 1,
        }]);
        let arrival = pair.take(SMALL, &changed);
        if changed.envelope.is_empty() {
            prop_assert_eq!(arrival.what, Arrived::Nothing);
        } else if arrival.what != text("um") {
            prop_assert_eq!(arrival.what, Arrived::Unreadable);
            prop_assert_eq!(pair.large.dump_keys(), dump);
            prop_assert_eq!(pair.take(SMALL, &parcel).what, text("um"));
        }
    }
}
