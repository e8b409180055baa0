//! Eight people talk over networks that lose, double, corrupt and reorder: in the end everyone has the same.

use std::time::Duration;

use recado_engine::Via;
use recado_sim::{LinkModel, Random, World, WorldConfig, check};

const PEOPLE: [&str; 8] = [
    "Alice", "Bob", "Carol", "Dora", "Ed", "Fay", "Gil", "Heitor",
];

/// 200 messages within about four minutes, by anyone, alone and in little bursts; then a minute of silence.
fn talk(world: &mut World, seed: u64) {
    let mut random = Random::new(seed ^ 0x7a1c);
    world.arrive(&PEOPLE);
    for number in 0..200 {
        let sender = random.choose(&PEOPLE);
        world.say(sender, &format!("{sender} says {number}"));
        let pause = match random.below(3) {
            0 => Duration::from_millis(random.below(30)),
            _ => Duration::from_millis(random.below(3_000)),
        };
        world.run_for(pause);
    }
    world.run_for(Duration::from_secs(60));
}

fn rough(loss: u32) -> WorldConfig {
    WorldConfig {
        link: LinkModel::rough(loss),
        lag: Duration::from_micros(300),
        ..WorldConfig::default()
    }
}

fn everyone_has_everything(world: &mut World) -> Result<(), String> {
    assert_eq!(world.said().len(), 200, "each message was numbered once");
    let mut stored = 0;
    for name in PEOPLE {
        check::is_complete(world, name)?;
        check::is_truthful(world, name)?;
        assert_eq!(world.holes(name), []);
        stored += world.stored(name);
    }
    assert_eq!(stored, 200);
    check::is_amplification_bounded(world)
}

#[test]
fn whatever_is_lost_everyone_ends_with_the_same() {
    for loss in [0, 5, 20, 50] {
        for seed in 1..=3 {
            let mut world = World::new(seed, rough(loss));
            talk(&mut world, seed);
            let complete = everyone_has_everything(&mut world);
            assert_eq!(complete, Ok(()), "loss {loss} %, seed {seed}");
            let by = |world: &World, via| -> usize {
                PEOPLE.iter().map(|name| world.came_by(name, via)).sum()
            };
            let (udp, tcp) = (by(&world, Via::Udp), by(&world, Via::Tcp));
            assert_eq!(udp + tcp, 1600);
            let repaired: u64 = PEOPLE.iter().map(|name| world.link(name).repaired).sum();
            check::measured(&format!(
                "loss {loss} %, seed {seed}: {udp} udp, {tcp} tcp, {repaired} repaired"
            ));
            match loss {
                0 => assert!(udp > 1500, "{udp} by datagram"),
                5 => assert!(udp > 1300 && repaired > 20, "{udp} by datagram, {repaired}"),
                20 => assert!(udp > 800 && tcp > 100, "{udp} by datagram"),
                _ => assert!(tcp > 400, "{tcp} by frame"),
            }
        }
    }
}

#[test]
fn where_nothing_is_lost_or_overtakes_nothing_is_repaired_or_late() {
    for seed in 1..=3 {
        let mut world = World::new(seed, WorldConfig::default());
        talk(&mut world, seed);
        assert_eq!(everyone_has_everything(&mut world), Ok(()), "seed {seed}");
        for name in PEOPLE {
            let report = world.link(name);
            assert_eq!((report.by_datagram, report.by_frame), (200, 0), "{name}");
            assert_eq!((report.repaired, report.late, report.rejected), (0, 0, 0));
            assert_eq!(world.requests(name), 0);
            assert!(world.shown(name).iter().all(|shown| !shown.late));
            assert_eq!(world.globals_by_frame(name), 0);
        }
    }
}

/// The control: without repair the same check fails, so it is able to.
#[test]
fn without_repair_the_check_of_completeness_fails() {
    let mut world = World::new(1, rough(20));
    world.lose_requests();
    talk(&mut world, 1);
    let complete = everyone_has_everything(&mut world);
    assert!(complete.is_err(), "{complete:?}");
}

#[test]
fn the_same_seed_tells_the_same_story_and_another_seed_another() {
    let story = |seed| {
        let mut world = World::new(seed, rough(20));
        talk(&mut world, 1);
        PEOPLE.map(|name| world.shown(name).to_vec())
    };
    assert_eq!(story(5), story(5));
    assert_ne!(story(5), story(6));
}
