//! One client says far more than its share, over narrow lines.

use std::collections::BTreeMap;
use std::time::Duration;

use recado_sim::{LinkModel, World, WorldConfig, check};

const SECOND: Duration = Duration::from_secs(1);
const PEOPLE: [&str; 4] = ["Alice", "Bob", "Carol", "Mallory"];

/// Lines of 50 KB a second: the burst of a flood fits, a flood would not.
fn narrow() -> WorldConfig {
    WorldConfig {
        link: LinkModel {
            rate: 50_000,
            ..LinkModel::QUIET
        },
        ..WorldConfig::default()
    }
}

/// Everyone says something every 100 ms for 20 s; how late Bob saw what Alice said: at most, and in the middle.
fn conversation(world: &mut World, flood: usize) -> (Duration, Duration) {
    world.arrive(&PEOPLE);
    let text = "x".repeat(120);
    let mut flooded = 0;
    let mut said = BTreeMap::new();
    for _ in 0..200 {
        // As fast as a loop that has just begun.
        for _ in 0..(flood - flooded).min(100) {
            world.say("Mallory", &text);
            flooded += 1;
        }
        said.insert(world.say("Alice", "…"), world.now());
        world.say("Bob", "…");
        world.run_for(Duration::from_millis(100));
    }
    world.run_for(60 * SECOND);
    let shown = world.shown("Bob").iter();
    let mut late: Vec<_> = shown
        .filter_map(|it| Some(it.at - *said.get(&it.id)?))
        .collect();
    late.sort();
    assert_eq!(late.len(), 200);
    (late[199], late[100])
}

#[test]
fn a_flood_does_not_lose_or_delay_what_others_say() {
    for seed in 1..=2 {
        let mut calm = World::new(seed, narrow());
        let (calm_worst, calm_middle) = conversation(&mut calm, 0);
        let mut flooded = World::new(seed, narrow());
        let (worst, middle) = conversation(&mut flooded, 400);
        check::measured(&format!(
            "seed {seed}: {calm_middle:?} and at most {calm_worst:?} before, {middle:?} and {worst:?} in a flood"
        ));
        assert!(
            middle <= calm_middle + Duration::from_millis(5),
            "{middle:?}"
        );
        // The burst that a share allows, 100 messages of 350 bytes, takes 0.7 s of the line, once; more comes by frame.
        assert!(
            worst <= calm_worst + Duration::from_millis(700),
            "{worst:?}"
        );
        for name in PEOPLE {
            assert_eq!(check::is_complete(&flooded, name), Ok(()), "seed {seed}");
            assert_eq!(flooded.unechoed(name), 0);
        }
        assert_eq!(flooded.said().len(), 800);
        assert_eq!(flooded.stored("Mallory"), 400, "the flooder loses nothing");
        let mallory = flooded.key("Mallory");
        let said = flooded.said();
        let theirs = said.iter().filter(|it| it.message.from.key == mallory);
        let times: Vec<_> = theirs.map(|it| it.at).collect();
        // The burst at once; the rest at 20 a second.
        assert!(
            times[399] - times[0] >= Duration::from_millis(299 * 50),
            "a share is a share"
        );
        assert!(times[399] - times[0] <= 20 * SECOND, "and it is used");
    }
}

/// Who is told to wait does not ask for everything that waits each time that one is taken.
#[test]
fn a_flooder_that_waits_does_not_flood_with_repeats() {
    let mut world = World::new(1, narrow());
    world.arrive(&PEOPLE);
    let before = world.frames_taken();
    for _ in 0..400 {
        world.say("Mallory", "…");
    }
    world.run_for(60 * SECOND);
    assert_eq!(world.stored("Mallory"), 400);
    let frames = world.frames_taken() - before;
    check::measured(&format!("400 messages at once cost {frames} frames"));
    assert!(frames < 4_000, "{frames} frames for 400 messages");
}
