//! Links that are slow and otherwise in perfect order: by satellite, from another continent, in a full Wi-Fi.

use std::time::Duration;

use recado_engine::Via;
use recado_sim::{LinkModel, Random, StreamModel, World, WorldConfig, check};

const SECOND: Duration = Duration::from_secs(1);

fn world(round_trip: u64) -> World {
    let latency = Duration::from_millis(round_trip / 2);
    let mut world = World::new(
        1,
        WorldConfig {
            link: LinkModel {
                latency,
                ..LinkModel::QUIET
            },
            stream: StreamModel {
                latency,
                jitter: Duration::ZERO,
            },
            ..WorldConfig::default()
        },
    );
    world.join("Alice");
    world.join("Bob");
    world.run_for(5 * SECOND);
    world
}

fn talk(world: &mut World) {
    for number in 0..30 {
        world.say("Alice", &format!("{number}"));
        world.run_for(Duration::from_millis(700));
    }
    world.run_for(10 * SECOND);
    assert_eq!(check::is_complete(world, "Bob"), Ok(()));
}

#[test]
fn whoever_is_ready_knows_that_datagrams_pass() {
    for round_trip in [20, 60, 90, 120, 200, 300] {
        let world = world(round_trip);
        let (_, link) = world.ready("Bob")[0];
        assert!(link.up && link.down, "{round_trip} ms: {link:?}");
    }
}

#[test]
fn a_slow_link_is_not_called_blocked() {
    for round_trip in [20, 100, 200, 280, 400, 600] {
        let mut world = world(round_trip);
        let begin = world.links("Alice").len();
        talk(&mut world);
        let told = &world.links("Alice")[begin..];
        assert!(
            told.is_empty(),
            "{round_trip} ms: {} changes, {:?}",
            told.len(),
            told[0]
        );
        assert_eq!(world.came_by("Bob", Via::Udp), 30, "{round_trip} ms");
    }
}

#[test]
fn below_the_wait_for_an_echo_nothing_is_repeated() {
    for round_trip in [20, 100, 200, 280] {
        let mut world = world(round_trip);
        talk(&mut world);
        assert_eq!(world.globals_by_frame("Alice"), 0, "{round_trip} ms");
        assert_eq!(world.requests("Bob"), 0);
    }
}

/// A frame may be faster than a datagram that was sent before it, by a little: that is no loss.
#[test]
fn what_is_only_on_its_way_is_not_asked_for() {
    let link = LinkModel {
        latency: Duration::from_millis(15),
        ..LinkModel::QUIET
    };
    let mut world = World::new(
        1,
        WorldConfig {
            link,
            ..WorldConfig::default()
        },
    );
    let mut random = Random::new(1);
    world.arrive(&["Alice", "Bob"]);
    for number in 0..400 {
        world.say("Alice", &format!("{number}"));
        world.run_for(Duration::from_millis(random.below(120)));
    }
    world.run_for(5 * SECOND);
    assert_eq!(check::is_complete(&world, "Bob"), Ok(()));
    let (requests, repaired) = (world.requests("Bob"), world.link("Bob").repaired);
    assert_eq!(
        (requests, repaired),
        (0, 0),
        "of 400, none of which was lost"
    );
}
