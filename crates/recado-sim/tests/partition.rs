//! Ten minutes without datagrams, and a connection that stands still for so long that not all can be had any more.

use std::time::Duration;

use recado_engine::Via;
use recado_hub::BucketConfig;
use recado_sim::{LinkModel, Random, World, WorldConfig, check};

const SECOND: Duration = Duration::from_secs(1);
const PEOPLE: [&str; 8] = [
    "Alice", "Bob", "Carol", "Dora", "Ed", "Fay", "Gil", "Heitor",
];

#[test]
fn ten_minutes_without_datagrams_lose_nothing() {
    for seed in 1..=2 {
        let link = LinkModel::rough(2);
        let mut world = World::new(
            seed,
            WorldConfig {
                link,
                ..WorldConfig::default()
            },
        );
        let mut random = Random::new(seed);
        let people = &PEOPLE[..4];
        world.arrive(people);
        let cut_off = ["Bob", "Carol"];
        let talk = |world: &mut World, random: &mut Random, time: Duration| {
            let until = world.now() + time;
            while world.now() < until {
                world.say(random.choose(people), "…");
                world.run_for(Duration::from_millis(random.below(2_000)));
            }
        };
        talk(&mut world, &mut random, 10 * SECOND);
        for name in cut_off {
            world.block_up(name);
            world.block_down(name);
        }
        let begin = world.now();
        talk(&mut world, &mut random, 600 * SECOND);
        for name in cut_off {
            assert!(world.link_told(name, begin, (false, false)).is_some());
            assert!(!world.link(name).state.up);
            world.unblock_up(name);
            world.unblock_down(name);
        }
        let end = world.now();
        talk(&mut world, &mut random, 60 * SECOND);
        for name in cut_off {
            let back = world.link_told(name, end, (true, true));
            let back = back.expect("datagrams pass again") - end;
            check::measured(&format!("seed {seed}: {name} was back after {back:?}"));
            assert!(back < 50 * SECOND, "{back:?}");
        }
        world.run_for(20 * SECOND);
        for name in people {
            assert_eq!(check::is_complete(&world, name), Ok(()), "seed {seed}");
            assert_eq!(check::is_truthful(&mut world, name), Ok(()));
            assert_eq!((world.holes(name).len(), world.unechoed(name)), (0, 0));
            assert!(world.link(name).state.up);
            world.stored(name);
        }
    }
}

/// Bob's connection stands still for 55 s and his datagrams are blocked, while seven people say all that they may: more
/// than the server keeps.
#[test]
fn what_is_not_kept_any_more_is_shown_as_a_hole_and_the_rest_is_complete() {
    let mut world = World::new(1, WorldConfig::default());
    world.arrive(&PEOPLE);
    world.say("Bob", "before");
    world.run_for(SECOND);
    world.block_up("Bob");
    world.block_down("Bob");
    world.stall("Bob");
    let speakers: Vec<_> = PEOPLE.into_iter().filter(|name| *name != "Bob").collect();
    for round in 0..55 * 20 + 95 {
        speakers.iter().for_each(|name| {
            world.say(name, "…");
        });
        if round >= 95 {
            world.run_for(Duration::from_millis(50));
        }
    }
    let said = world.said().len() as u64;
    assert!(said > 2048 + 4096 + 500, "only {said} were said");
    world.release("Bob");
    world.run_for(30 * SECOND);

    let shown = world.history("Bob");
    let holes: u64 = world
        .holes("Bob")
        .iter()
        .map(|(first, last)| last - first + 1)
        .sum();
    assert!(holes > 0, "no hole of {said}");
    assert_eq!(
        shown.len() as u64 + holes,
        said,
        "a number is shown or a hole"
    );
    let in_hole = |number: u64| {
        let holes = world.holes("Bob").iter();
        holes
            .clone()
            .any(|(first, last)| (*first..=*last).contains(&number))
    };
    let numbers: Vec<_> = shown.iter().map(|it| it.sequence).collect();
    let expected: Vec<_> = (1..=said).filter(|number| !in_hole(*number)).collect();
    assert_eq!(numbers, expected);
    // What the server still keeps is not among the holes.
    assert!((said - 4095..=said).all(|number| !in_hole(number)));
    check::measured(&format!(
        "of {said}, {} are shown and {holes} are a hole",
        shown.len()
    ));
    for name in speakers {
        assert_eq!(check::is_complete(&world, name), Ok(()), "{name}");
        assert_eq!(world.unechoed(name), 0);
    }
    world.run_for(20 * SECOND);
    world.unblock_up("Bob");
    world.unblock_down("Bob");
    world.run_for(40 * SECOND);
    let udp = world.came_by("Bob", Via::Udp);
    world.say("Alice", "after all");
    world.run_for(SECOND);
    assert_eq!(world.came_by("Bob", Via::Udp), udp + 1);
}

/// The server knows that Bob hears no datagrams; his connection stands still too, and more is said than may wait for it.
#[test]
fn frames_that_were_dropped_as_too_many_waited_are_repaired() {
    let mut world = World::new(
        1,
        WorldConfig {
            globals: BucketConfig {
                burst: 10_000,
                interval: Duration::from_millis(1),
            },
            ..WorldConfig::default()
        },
    );
    world.arrive(&["Alice", "Bob"]);
    world.block_down("Bob");
    world.say("Alice", "…");
    world.run_for(2 * SECOND);
    assert!(!world.link("Bob").state.down);
    world.stall("Bob");
    // Less than it takes until the connection counts as dead.
    for _ in 0..3_500 {
        world.say("Alice", "…");
        world.run_for(Duration::from_millis(2));
    }
    let dropped = world.frames_dropped();
    assert!(dropped > 1_000, "{dropped} dropped");
    world.release("Bob");
    world.run_for(20 * SECOND);
    assert_eq!(world.holes("Bob"), []);
    assert_eq!(world.closed("Bob"), []);
    assert_eq!(check::is_complete(&world, "Bob"), Ok(()));
    assert!(world.link("Bob").repaired > 1_000);
}
