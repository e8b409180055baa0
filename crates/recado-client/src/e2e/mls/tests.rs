//! Members whose programs do what no recado does: what they seal is genuine, and is refused all the same.

use openmls::prelude::{LeafNodeIndex, LeafNodeParameters};
use recado_engine::Arrived;
use recado_proto::content::{Body, Content};
use recado_proto::id::MessageId;

use super::super::Place;
use super::*;
use crate::history::tests::people::Client;

const ID: MessageId = MessageId::from_bytes([42; 16]);

/// The one with the smaller key, who commits, and the other. They share a group, in which both have said something.
fn pair() -> (Client, Client) {
    let (one, other) = (Client::new("Alice", 1), Client::new("Bob", 2));
    let (mut small, mut large) = match rules::commits(&one.key, &other.key) {
        true => (one, other),
        false => (other, one),
    };
    small.begin_with(&mut large);
    say(&mut small, &mut large);
    say(&mut large, &mut small);
    (small, large)
}

/// Says something under number 1.
fn say(from: &mut Client, to: &mut Client) {
    let id = MessageId::from_bytes([1; 16]);
    let envelope = from.seal_for(to, 1, id, Body::Text("oi".to_owned()));
    let arrival = to.take(from.person(), from.store(), 1, id, envelope);
    assert!(matches!(arrival.what, Arrived::Text { .. }), "{arrival:?}");
}

/// Seals what `work` has made of the group's keys, as a renewal.
fn misbehave(
    one: &mut Client,
    other: &Client,
    work: impl FnOnce(&mut MlsGroup, &Provider<'_, '_>, &Vault) -> Vec<u8>,
) -> Vec<u8> {
    let peer = other.key;
    one.with_secrecy(|secrecy| {
        let name = secrecy.mls.current(peer)?.unwrap().name;
        let renewal = secrecy.mls.with(name, |keys, provider, vault| {
            let renewal = work(keys, provider, vault);
            keys.clear_pending_proposals(provider.state).unwrap();
            renewal
        })?;
        secrecy.seal(peer, (2, ID), 0, Body::Renewal(renewal.unwrap()))
    })
    .unwrap()
    .bytes
}

/// The envelope cannot be read, and has changed no key.
fn refuse(one: &mut Client, other: &mut Client, envelope: Vec<u8>) {
    let before = other.dump_keys();
    let arrival = other.take(one.person(), one.store(), 2, ID, envelope);
    assert_eq!(arrival.what, Arrived::Unreadable);
    assert_eq!(other.dump_keys(), before);
}

fn examined(one: &mut Client, other: &Client, package: &[u8]) -> openmls::key_packages::KeyPackage {
    let key = other.key;
    one.with_secrecy(|secrecy| Ok(secrecy.mls.examine(key, package).unwrap().0))
}

#[test]
fn the_larger_key_does_not_commit() {
    let (mut small, mut large) = pair();
    let envelope = misbehave(&mut large, &small, |keys, provider, vault| {
        commit(keys, provider, vault, &[]).unwrap().0
    });
    refuse(&mut large, &mut small, envelope);
}

#[test]
fn the_smaller_key_does_not_propose() {
    let (mut small, mut large) = pair();
    let envelope = misbehave(&mut small, &large, |keys, provider, vault| {
        propose(keys, provider, vault).unwrap().0
    });
    refuse(&mut small, &mut large, envelope);
}

#[test]
fn a_commit_adds_nobody() {
    let (mut small, mut large) = pair();
    let mut carol = Client::new("Carol", 3);
    let package = carol.package(false);
    let package = examined(&mut small, &carol, &package);
    let envelope = misbehave(&mut small, &large, |keys, provider, vault| {
        let added = keys.add_members(provider, &vault.key, &[package]);
        added.unwrap().0.to_bytes().unwrap()
    });
    refuse(&mut small, &mut large, envelope);
}

#[test]
fn a_commit_removes_nobody() {
    let (mut small, mut large) = pair();
    let envelope = misbehave(&mut small, &large, |keys, provider, vault| {
        let other = LeafNodeIndex::new(1 - keys.own_leaf_index().u32());
        let removed = keys.remove_members(provider, &vault.key, &[other]);
        removed.unwrap().0.to_bytes().unwrap()
    });
    refuse(&mut small, &mut large, envelope);
}

#[test]
fn a_commit_changes_no_credential() {
    let (mut small, mut large) = pair();
    let envelope = misbehave(&mut small, &large, |keys, provider, vault| {
        let identity = [&[1; 32][..], vault.own.as_bytes(), &[9; 16]].concat();
        let leaf = LeafNodeParameters::builder()
            .with_credential_with_key(CredentialWithKey {
                credential: BasicCredential::new(identity).into(),
                signature_key: vault.own.as_bytes().as_slice().into(),
            })
            .build();
        let bundle = keys
            .commit_builder()
            .leaf_node_parameters(leaf)
            .load_psks(provider.state)
            .unwrap()
            .build(&Crypto, &Crypto, &vault.key, |_| true)
            .unwrap()
            .stage_commit(provider)
            .unwrap();
        bundle.into_commit().to_bytes().unwrap()
    });
    refuse(&mut small, &mut large, envelope);
}

#[test]
fn a_proposal_is_of_new_keys_and_nothing_else() {
    let mut carol = Client::new("Carol", 3);
    let package = carol.package(false);
    for what in 0..3 {
        let (mut small, mut large) = pair();
        let package = examined(&mut large, &carol, &package);
        let envelope = misbehave(&mut large, &small, |keys, provider, vault| {
            let other = LeafNodeIndex::new(1 - keys.own_leaf_index().u32());
            let proposal = match what {
                0 => keys
                    .propose_add_member(provider, &vault.key, &package)
                    .map(|it| it.0)
                    .unwrap(),
                1 => keys
                    .propose_remove_member(provider, &vault.key, other)
                    .map(|it| it.0)
                    .unwrap(),
                _ => keys.leave_group(provider, &vault.key).unwrap(),
            };
            proposal.to_bytes().unwrap()
        });
        refuse(&mut large, &mut small, envelope);
    }
}

#[test]
fn a_renewal_is_read_inside_a_message_alone() {
    let (mut small, mut large) = pair();
    let mut bare = Vec::new();
    misbehave(&mut small, &large, |keys, provider, vault| {
        bare = commit(keys, provider, vault, &[]).unwrap().0;
        bare.clone()
    });
    let welcome = Vec::new();
    let message = bare;
    let envelope = Envelope::Mls { welcome, message }.encode();
    refuse(&mut small, &mut large, envelope);
    // As one for the past epoch too, where nobody could know whose it is.
    let (mut small, mut large) = pair();
    let mut bare = Vec::new();
    misbehave(&mut large, &small, |keys, provider, vault| {
        bare = propose(keys, provider, vault).unwrap().0;
        bare.clone()
    });
    // The group's name, then its epoch, 1.
    let at = bare.windows(8).rposition(|it| it == 1_u64.to_be_bytes());
    bare[at.unwrap() + 7] = 0;
    let welcome = Vec::new();
    let message = bare;
    let envelope = Envelope::Mls { welcome, message }.encode();
    refuse(&mut large, &mut small, envelope);
}

#[test]
fn a_renewal_is_of_the_same_group() {
    let (mut small, mut large) = pair();
    let (mut another, twin) = pair();
    let elsewhere = {
        let peer = twin.key;
        another.with_secrecy(|secrecy| {
            let name = secrecy.mls.current(peer)?.unwrap().name;
            let made = secrecy.mls.with(name, |keys, provider, vault| {
                commit(keys, provider, vault, &[]).unwrap().0
            })?;
            Ok(made.unwrap())
        })
    };
    let envelope = misbehave(&mut small, &large, |_, _, _| elsewhere);
    refuse(&mut small, &mut large, envelope);
    for nonsense in [vec![], b"no renewal".to_vec()] {
        let (mut small, mut large) = pair();
        let envelope = misbehave(&mut small, &large, |_, _, _| nonsense);
        refuse(&mut small, &mut large, envelope);
    }
}

/// What a member says is in the name of that member.
#[test]
fn a_member_says_nothing_in_anothers_name() {
    let change: [fn(&mut Content); 7] = [
        |content| content.sender = RemoteKey::from_bytes([9; 32]),
        |content| content.recipient = RemoteKey::from_bytes([9; 32]),
        |content| content.sender_name = "carol".to_owned(),
        |content| content.number = 3,
        |content| content.id = MessageId::from_bytes([43; 16]),
        |content| content.store = StoreId::from_bytes([9; 16]),
        |_| (),
    ];
    let last = change.len() - 1;
    for (at, change) in change.into_iter().enumerate() {
        let (mut small, mut large) = pair();
        let mut content = Content {
            id: ID,
            number: 2,
            store: small.store(),
            sender: small.key,
            recipient: large.key,
            sender_name: small.name.to_lowercase(),
            sent_at_ms: 0,
            resumes: 0,
            body: Body::Text("oi".to_owned()),
        };
        change(&mut content);
        let (peer, plaintext) = (large.key, content.encode().unwrap());
        let sealed = small.with_secrecy(|secrecy| secrecy.mls.seal(peer, &plaintext));
        let envelope = sealed.unwrap().bytes;
        match at == last {
            false => refuse(&mut small, &mut large, envelope),
            true => {
                let arrival = large.take(small.person(), small.store(), 2, ID, envelope);
                assert!(matches!(arrival.what, Arrived::Text { .. }));
            }
        }
    }
    // Nor what is not padded, or is no content.
    let (mut small, mut large) = pair();
    let peer = large.key;
    let sealed = small.with_secrecy(|secrecy| secrecy.mls.seal(peer, b"no content"));
    refuse(&mut small, &mut large, sealed.unwrap().bytes);
}

/// Whether Bob, whose lane from Alice has opened the generations up to 3, reads the first message in a group that she
/// has named so.
fn is_joined(generation: u64, store: Option<StoreId>, with_carol: bool) -> bool {
    let mut alice = Client::new("Alice", 1);
    let (mut bob, mut carol) = (Client::new("Bob", 2), Client::new("Carol", 3));
    let package = bob.package(false);
    let mut packages = vec![examined(&mut alice, &bob, &package)];
    if with_carol {
        let package = carol.package(false);
        packages.push(examined(&mut alice, &carol, &package));
    }
    let place = Place {
        store: alice.store(),
        number: 1,
        id: ID,
    };
    let content = Content {
        id: ID,
        number: 1,
        store: place.store,
        sender: alice.key,
        recipient: bob.key,
        sender_name: "alice".to_owned(),
        sent_at_ms: 0,
        resumes: 0,
        body: Body::Text("oi".to_owned()),
    };
    let plaintext = content.encode().unwrap();
    let name = GroupName::new(generation, store.unwrap_or(place.store), [5; 8]);
    let envelope = alice.with_secrecy(|secrecy| {
        let mls = &mut secrecy.mls;
        mls.state.enter(&name.owner());
        let (mut keys, welcome) = mls.make_group(name, &packages).unwrap();
        let message = keys.create_message(&mls.provider(), &mls.vault.key, &plaintext);
        let message = message.unwrap().to_bytes().unwrap();
        Ok(Envelope::Mls { welcome, message }.encode())
    });
    let from = (alice.key, "alice");
    let read = bob.with_secrecy(|secrecy| secrecy.open(from, place, &envelope, (0, 3)));
    read.is_ok()
}

#[test]
fn a_group_is_of_two_rising_and_named_by_its_maker() {
    assert!(is_joined(4, None, false));
    assert!(is_joined(rules::MAX_GENERATION, None, false));
    assert!(!is_joined(3, None, false), "this lane has opened one");
    assert!(!is_joined(rules::MAX_GENERATION + 1, None, false));
    assert!(!is_joined(4, Some(StoreId::from_bytes([9; 16])), false));
    assert!(!is_joined(4, None, true), "somebody else is in it");
}
