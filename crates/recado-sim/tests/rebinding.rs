//! Addresses change in the middle of a conversation, and others pretend that they did.

use std::net::SocketAddr;
use std::time::Duration;

use recado_engine::Via;
use recado_sim::{LinkModel, Random, World, WorldConfig, check};

const SECOND: Duration = Duration::from_secs(1);
const PEOPLE: [&str; 3] = ["Alice", "Bob", "Carol"];

fn address(number: u64) -> SocketAddr {
    let number = number as u16;
    match number % 2 {
        0 => SocketAddr::from(([198, 51, 100, (number % 250) as u8], 1024 + number)),
        _ => SocketAddr::from(([0x2001, 0xdb8, 0, number, 0, 0, 0, 7], 1024 + number)),
    }
}

fn world(seed: u64, loss: u32) -> World {
    let link = match loss {
        0 => LinkModel::QUIET,
        loss => LinkModel::rough(loss),
    };
    let mut world = World::new(
        seed,
        WorldConfig {
            link,
            ..WorldConfig::default()
        },
    );
    world.arrive(&PEOPLE);
    world
}

fn everyone_has_everything(world: &mut World) {
    for name in PEOPLE {
        assert_eq!(check::is_complete(world, name), Ok(()));
        assert_eq!(check::is_truthful(world, name), Ok(()));
        world.stored(name);
    }
    assert_eq!(check::is_amplification_bounded(world), Ok(()));
}

#[test]
fn who_moves_again_and_again_loses_nothing() {
    for (loss, seeds) in [(0, 1..=4), (10, 5..=8)] {
        for seed in seeds {
            let mut world = world(seed, loss);
            let mut random = Random::new(seed);
            for step in 0..60 {
                if step % 3 == 0 {
                    world.rebind("Bob", address(seed * 100 + step));
                }
                world.say(random.choose(&PEOPLE), &format!("step {step}"));
                world.run_for(Duration::from_millis(random.below(4_000)));
            }
            world.run_for(60 * SECOND);
            everyone_has_everything(&mut world);
            let udp = world.came_by("Bob", Via::Udp);
            assert!(udp > 5, "{udp} of 60 came by datagram");
        }
    }
}

/// Bob only listens, and moves to IPv6: how long until what is said comes by datagram again?
#[test]
fn one_who_listens_is_followed_to_a_new_address() {
    let mut worst = Duration::ZERO;
    for seed in 1..=5 {
        let mut world = world(seed, 0);
        world.rebind("Bob", address(seed * 2 + 1));
        assert!(world.address("Bob").is_ipv6());
        let moved = world.now();
        for number in 0..300 {
            world.say("Alice", &format!("{number}"));
            world.run_for(Duration::from_millis(100));
        }
        world.run_for(5 * SECOND);
        everyone_has_everything(&mut world);
        let first = world
            .shown("Bob")
            .iter()
            .find(|it| it.via == Via::Udp && it.at > moved + Duration::from_millis(50));
        let took = first.expect("by datagram again").at - moved;
        worst = worst.max(took);
        assert!(took <= 2 * SECOND, "seed {seed}: {took:?}");
        assert_eq!(world.links("Bob"), [], "datagrams always passed");
    }
    check::measured(&format!("one who listens was followed within {worst:?}"));
}

/// Bob moves and speaks: his own datagram is the first from there.
#[test]
fn one_who_speaks_is_followed_to_a_new_address() {
    // The next probe that keeps the path open, in 15 s at most, tells of the move.
    let worst = follow_a_speaker();
    check::measured(&format!("one who speaks was followed within {worst:?}"));
    assert!(worst <= Duration::from_millis(15_500), "{worst:?}");
}

/// Datagrams pass all the time, and the server hears of the move by the first of them.
#[test]
fn one_who_speaks_is_followed_at_once() {
    let worst = follow_a_speaker();
    assert!(worst <= 2 * SECOND, "{worst:?}");
}

fn follow_a_speaker() -> Duration {
    let mut worst = Duration::ZERO;
    for seed in 1..=5 {
        let mut world = world(seed, 0);
        world.rebind("Bob", address(seed * 2));
        let moved = world.now();
        for number in 0..300 {
            world.say("Bob", &format!("{number}"));
            world.run_for(Duration::from_millis(100));
        }
        world.run_for(5 * SECOND);
        everyone_has_everything(&mut world);
        // The server knew at once that its datagrams have nowhere to go: nothing was lost first.
        assert_eq!(world.link("Bob").repaired, 0);
        let first = world.shown("Bob").iter().find(|it| it.via == Via::Udp);
        worst = worst.max(first.expect("by datagram again").at - moved);
    }
    worst
}

/// A NAT that takes another port for nearly each datagram: nothing is lost, and the two sides do not play ping-pong.
#[test]
fn a_nat_that_never_settles_makes_no_storm() {
    let mut world = world(1, 0);
    world.tap();
    let begin = world.now();
    let mut step = 0;
    while world.now() < begin + 60 * SECOND {
        step += 1;
        world.rebind("Bob", address(step));
        if step % 100 == 0 {
            world.say(PEOPLE[step as usize / 100 % 3], "…");
        }
        world.run_for(Duration::from_millis(11));
    }
    let sent = world.tapped().len();
    assert!(sent < 60 * 20, "{sent} datagrams in a minute");
    world.run_for(30 * SECOND);
    everyone_has_everything(&mut world);
}

#[test]
fn recorded_datagrams_from_elsewhere_move_nothing() {
    for seed in 1..=4 {
        let mut world = world(seed, 0);
        let mallory = address(9_000);
        world.tap();
        for number in 0..50 {
            world.say(PEOPLE[number % 3], &format!("{number}"));
            world.run_for(SECOND / 2);
        }
        let recorded = world.tapped().to_vec();
        assert!(recorded.len() >= 50);
        let rejected = world.rejected();
        for (_, datagram) in &recorded {
            world.inject(mallory, datagram);
            world.run_for(Duration::from_millis(3));
        }
        assert_eq!(world.rejected() - rejected, recorded.len() as u64);
        assert_eq!(world.ledger().account(mallory).sent, 0);
        for name in PEOPLE {
            let udp = world.came_by(name, Via::Udp);
            world.say("Alice", "still there");
            world.run_for(SECOND);
            assert_eq!(world.came_by(name, Via::Udp), udp + 1, "{name}");
        }
        everyone_has_everything(&mut world);
    }
}

/// Mallory keeps back what Bob sent, and brings it when newer ones have come: it opens, and moves nothing.
#[test]
fn late_datagrams_from_elsewhere_move_nothing() {
    for seed in 1..=4 {
        let mut world = world(seed, 0);
        let mallory = address(9_000);
        world.tap();
        world.block_up("Bob");
        (0..5).for_each(|number| {
            world.say("Bob", &format!("{number}"));
        });
        world.unblock_up("Bob");
        let kept = world.tapped().to_vec();
        assert_eq!(kept.len(), 5);
        world.say("Bob", "newer");
        world.run_for(SECOND / 10);
        kept.iter()
            .for_each(|(_, datagram)| world.inject(mallory, datagram));
        world.run_for(SECOND / 10);
        assert!(world.ledger().account(mallory).received > 0, "they open");
        let udp = world.came_by("Bob", Via::Udp);
        world.say("Alice", "still there?");
        world.run_for(SECOND);
        assert_eq!(world.came_by("Bob", Via::Udp), udp + 1, "seed {seed}");
        assert_eq!(world.ledger().account(mallory).sent, 0);
        world.run_for(20 * SECOND);
        everyone_has_everything(&mut world);
    }
}

/// Mallory copies what Bob sends and is always first: the path moves there, but never more than an echo of what came, and
/// Bob gets everything all the same.
#[test]
fn copies_that_come_first_gain_no_more_than_three_times_what_they_bring() {
    for seed in 1..=4 {
        let mut world = World::new(seed, WorldConfig::default());
        let mut random = Random::new(seed);
        // Where Bob is silent, nothing but his probes moves his path.
        let speakers = if seed % 2 == 0 {
            &PEOPLE[..]
        } else {
            &["Alice", "Carol"]
        };
        world.tap();
        let mut taken = 0;
        PEOPLE.iter().for_each(|name| world.join(name));
        for step in 0..20_000 {
            if step >= 2_000 && step % 50 == 0 {
                world.say(random.choose(speakers), &format!("{step}"));
            }
            // Bob's datagrams are on their way for 5 ms: Mallory's copies come first.
            let fresh = world.tapped()[taken..].to_vec();
            taken += fresh.len();
            for (from, datagram) in fresh {
                if from == world.address("Bob") {
                    // Sometimes each from another address, so that each is a first packet.
                    let sender = match seed {
                        1 | 2 => 9_000,
                        _ => 9_000 + random.below(2) * random.below(50),
                    };
                    world.inject(address(sender), &datagram);
                }
            }
            world.run_for(Duration::from_millis(1));
        }
        let mut brought = 0;
        for number in 9_000..9_050 {
            let account = world.ledger().account(address(number));
            assert!(account.sent <= 3 * account.received, "{account:?}");
            brought += account.received;
        }
        assert!(brought > 0, "nothing was copied");
        world.run_for(30 * SECOND);
        everyone_has_everything(&mut world);
    }
}

/// Whatever does not authenticate is not answered, wherever it comes from.
#[test]
fn noise_is_not_answered() {
    let mut world = world(1, 0);
    let mut random = Random::new(1);
    world.tap();
    world.say("Bob", "record this");
    let (_, recorded) = world.tapped()[0].clone();
    let mallory = address(9_000);
    for _ in 0..2_000 {
        let mut noise = recorded.clone();
        match random.below(3) {
            0 => noise.truncate(random.below(noise.len() as u64) as usize),
            1 => noise.extend(std::iter::repeat_n(7, random.below(2_000) as usize + 1)),
            _ => {
                let at = random.below(noise.len() as u64) as usize;
                noise[at] ^= 1 << random.below(8);
            }
        }
        world.inject(mallory, &noise);
    }
    world.run_for(SECOND);
    let account = world.ledger().account(mallory);
    assert_eq!((account.sent, account.received), (0, 0));
    assert!(world.rejected() >= 2_000);
    everyone_has_everything(&mut world);
}

/// The control: the books notice an address that gets too much.
#[test]
fn the_ledger_notices_amplification() {
    let mut ledger = recado_sim::Ledger::default();
    let (session, there) = (recado_hub::SessionNumber(1), address(2));
    ledger.received(there, 100);
    ledger.sent(there, 300);
    assert_eq!(ledger.exceeded(), []);
    ledger.path(session, Some(there));
    ledger.sent(there, 10_000);
    assert_eq!(ledger.exceeded(), []);
    ledger.path(session, None);
    ledger.sent(there, 1);
    assert_eq!(ledger.exceeded().len(), 1);
}
