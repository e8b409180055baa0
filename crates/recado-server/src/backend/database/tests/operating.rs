//! What the operator decides, against the backend in memory; and databases of older schemas.

use recado_hub::{
    BanTarget, Invite, InviteNumber, Limit, NewInvite, OperatorError, OperatorNumber,
    OperatorRecord, OperatorRequest, Who,
};
use recado_proto::ticket::TicketSecret;

use super::mail::Random;
use super::*;

pub(super) fn operator(request: OperatorRequest) -> BackendRequest {
    let number = OperatorNumber(1);
    BackendRequest::Operator { number, request }
}

fn secret(number: u64) -> TicketSecret {
    let mut secret = [0; 16];
    secret[..8].copy_from_slice(&number.to_be_bytes());
    TicketSecret::from_bytes(secret)
}

/// A claim that one of the tickets made so far may help.
pub(super) fn claim_with_ticket(random: &mut Random, made: u64, key: RemoteKey) -> BackendRequest {
    let name = ["Alice", "Bob", "Carol"][random.below(3) as usize];
    let BackendRequest::Claim {
        session,
        name,
        keys,
        key,
        ..
    } = request(name, key, false)
    else {
        unreachable!();
    };
    BackendRequest::Claim {
        session,
        name,
        keys,
        key,
        may_register: false,
        ticket: Some(Box::new(secret(random.below(made + 2)).hash())),
    }
}

/// Anything that an operator may want.
pub(super) fn any(random: &mut Random, made: &mut u64, key: RemoteKey) -> BackendRequest {
    let name = ["alice", "bob", "carol", "all"][random.below(4) as usize].to_owned();
    let who = match random.below(2) {
        0 => Who::Key(key),
        _ => Who::Name(name.clone()),
    };
    let network = ["192.0.2.0/24", "2001:db8::/48"][random.below(2) as usize];
    let target = match random.below(4) {
        0 => BanTarget::Key(key),
        1 => BanTarget::Network(network.parse().unwrap()),
        _ => BanTarget::Name(name.clone()),
    };
    let limit = Limit::ALL[random.below(Limit::ALL.len() as u64) as usize];
    operator(match random.below(16) {
        0 => return BackendRequest::Load,
        1 => OperatorRequest::Find(who),
        2 => OperatorRequest::Ban(target),
        3..=5 => OperatorRequest::Unban(target),
        6 => OperatorRequest::Mute(who),
        7 => OperatorRequest::Unmute(who),
        8 => OperatorRequest::Release(name),
        9 => OperatorRequest::SetLimit {
            limit,
            value: (random.below(2) == 0).then(|| random.below(100)),
        },
        10 => OperatorRequest::Names {
            after: ["", "alice"][random.below(2) as usize].to_owned(),
            most: 1 + random.below(3) as usize,
        },
        11 => OperatorRequest::Count,
        12 => OperatorRequest::Invites,
        13 => OperatorRequest::Revoke(InviteNumber(random.below(20))),
        _ => OperatorRequest::Invite(NewInvite {
            // None is made twice: a secret is drawn at random.
            hash: secret({
                *made += 1;
                *made
            })
            .hash(),
            uses: 1 + random.below(3) as u32,
            lifetime: Duration::from_secs(random.below(2_000)),
        }),
    })
}

#[test]
fn a_ticket_is_used_with_its_name_or_not_at_all() {
    let (home, mut database) = database();
    let invite = OperatorRequest::Invite(NewInvite {
        hash: secret(7).hash(),
        uses: 1,
        lifetime: Duration::from_secs(60),
    });
    let made = commit(&mut database, &[operator(invite)]).remove(0);
    let BackendAnswer::Operator {
        result: Ok(OperatorRecord::Invited(Invite {
            number, used: 0, ..
        })),
        ..
    } = made
    else {
        panic!("{made:?}");
    };
    let claim = |key, name: &str| {
        let BackendRequest::Claim {
            session,
            name,
            keys,
            ..
        } = request(name, key, false)
        else {
            unreachable!();
        };
        BackendRequest::Claim {
            session,
            name,
            keys,
            key,
            may_register: false,
            ticket: Some(Box::new(secret(7).hash())),
        }
    };
    // In one commit: the second comes too late.
    let answers = commit(&mut database, &[claim(ALICE, "Alice"), claim(BOB, "Bob")]);
    let outcomes: Vec<_> = answers.into_iter().map(outcome).collect();
    let expected = [ClaimOutcome::Registered, ClaimOutcome::NotAdmitted];
    assert_eq!(outcomes, expected);
    // The process dies before its answer is out; the key asks again.
    drop(database);
    let mut database = Database::open(&home.path().join("recado.db")).unwrap();
    let again = outcome(commit(&mut database, &[claim(ALICE, "Alice")]).remove(0));
    assert_eq!(again, ClaimOutcome::Owned("Alice".into()));
    let kept: Vec<u8> = database
        .connection
        .query_row("SELECT hash FROM invite", [], |row| row.get(0))
        .unwrap();
    assert_ne!(kept[..16], *secret(7).as_bytes());
    let revoked = commit(&mut database, &[operator(OperatorRequest::Revoke(number))]);
    assert!(matches!(
        &revoked[0],
        BackendAnswer::Operator { result: Ok(_), .. }
    ));
}

#[test]
fn a_ticket_s_number_is_never_used_again() {
    let (_home, mut database) = database();
    let invite = |number| {
        operator(OperatorRequest::Invite(NewInvite {
            hash: secret(number).hash(),
            uses: 1,
            lifetime: Duration::from_secs(60),
        }))
    };
    let revoke = operator(OperatorRequest::Revoke(InviteNumber(1)));
    let answers = commit(
        &mut database,
        &[invite(1), revoke.clone(), invite(2), revoke],
    );
    let numbers = answers.iter().map(|answer| match answer {
        BackendAnswer::Operator { result, .. } => match result {
            Ok(OperatorRecord::Invited(invite)) => Ok(invite.number.0),
            Ok(OperatorRecord::Revoked(number)) => Ok(number.0),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(*error),
        },
        other => panic!("{other:?}"),
    });
    let numbers: Vec<_> = numbers.collect();
    assert_eq!(
        numbers,
        [Ok(1), Ok(1), Ok(2), Err(OperatorError::NoSuchInvite)]
    );
}

#[test]
fn a_database_of_the_first_schema_is_brought_up_to_date() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("recado.db");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(MIGRATIONS[0]).unwrap();
    old.execute_batch(
        "INSERT INTO meta (key, value) VALUES ('service_seconds', '5000'), ('clean', '1');
         INSERT INTO name (folded, shown, key, claimed_at) VALUES ('alice', 'Alice', zeroblob(32), 7);
         INSERT INTO person (person, key) VALUES (1, zeroblob(32)), (2, x'0202020202020202020202020202020202020202020202020202020202020202');
         INSERT INTO lane (sender, store, recipient, accepted, accepted_id, settled) VALUES (1, zeroblob(16), 2, 0, x'', 0);
         PRAGMA user_version = 1;",
    )
    .unwrap();
    drop(old);
    let database = Database::open(&path).unwrap();
    let (used, seen_at): (i64, i64) = database
        .connection
        .query_row("SELECT used, seen_at FROM name", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert_eq!((used, seen_at), (0, 5_000));
    let lanes: Vec<i64> = database
        .connection
        .prepare("SELECT lanes FROM person ORDER BY person")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<rusqlite::Result<_>>()
        .unwrap();
    assert_eq!(lanes, [1, 0]);
}
