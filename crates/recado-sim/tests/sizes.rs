//! Texts that do not fit: the network's datagrams, the protocol's, or either.

use std::time::Duration;

use recado_engine::Via;
use recado_sim::{LinkModel, Random, World, WorldConfig, check};

const SECOND: Duration = Duration::from_secs(1);
const PEOPLE: [&str; 3] = ["Alice", "Bob", "Carol"];

#[test]
fn texts_too_long_for_a_datagram_go_over_tcp_and_keep_their_place() {
    for (seed, loss) in [(1, 0), (2, 20)] {
        let link = LinkModel::rough(loss);
        let mut world = World::new(
            seed,
            WorldConfig {
                link,
                ..WorldConfig::default()
            },
        );
        let mut random = Random::new(seed);
        world.arrive(&PEOPLE);
        for _ in 0..60 {
            let length = random.choose(&[1, 200, 1_000, 1_200, 5_000, 65_536]);
            world.say(random.choose(&PEOPLE), &"x".repeat(length));
            world.run_for(Duration::from_millis(random.below(4_000)));
        }
        world.run_for(30 * SECOND);
        for name in PEOPLE {
            assert_eq!(check::is_complete(&world, name), Ok(()));
            assert_eq!(check::is_truthful(&mut world, name), Ok(()));
            let shown = world.shown(name);
            let long = |it: &&recado_sim::Shown| it.text.len() > 1_167;
            assert!(shown.iter().filter(long).all(|it| it.via == Via::Tcp));
            assert!(shown.iter().any(|it| it.via == Via::Udp));
        }
    }
}

/// Probes fit where long messages do not: these are repaired, and the rest does not suffer.
#[test]
fn a_narrow_path_costs_only_what_does_not_fit() {
    let mut world = World::new(1, WorldConfig::default());
    world.arrive(&PEOPLE);
    let narrow = LinkModel {
        mtu: 600,
        ..LinkModel::QUIET
    };
    world.set_link("Bob", narrow);
    for number in 0..100 {
        let length = if number % 10 == 0 { 900 } else { 20 };
        world.say(PEOPLE[number % 3], &"x".repeat(length));
        world.run_for(2 * SECOND);
    }
    world.run_for(10 * SECOND);
    for name in PEOPLE {
        assert_eq!(check::is_complete(&world, name), Ok(()));
    }
    assert_eq!(world.links("Bob"), [], "the path passes datagrams");
    assert_eq!(world.came_by("Bob", Via::Tcp), 10);
    assert_eq!(world.came_by("Carol", Via::Udp), 100);
}
