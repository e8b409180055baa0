//! Who comes late is told the last 20 as such, once, and then everything.

use std::time::Duration;

use recado_engine::Via;
use recado_sim::{LinkModel, Random, World, WorldConfig, check};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_newcomer_gets_the_last_twenty_and_then_the_rest_each_once() {
    for (loss, seed) in [(0, 1), (0, 2), (0, 3), (20, 4), (20, 5), (20, 6)] {
        let link = LinkModel::rough(loss);
        let mut world = World::new(
            seed,
            WorldConfig {
                link,
                backend: Duration::from_millis(40),
                lag: Duration::from_millis(1),
                ..WorldConfig::default()
            },
        );
        let mut random = Random::new(seed);
        world.arrive(&["Alice", "Bob"]);
        let mut newcomers = Vec::new();
        for number in 0..400 {
            world.say(random.choose(&["Alice", "Bob"]), &format!("{number}"));
            world.run_for(Duration::from_millis(10 + random.below(60)));
            if number % 50 == 17 {
                let name = format!("Newcomer{number}");
                world.join(&name);
                newcomers.push(name);
            }
        }
        world.run_for(30 * SECOND);
        for name in &newcomers {
            let shown = world.shown(name);
            let replayed: Vec<_> = shown.iter().filter(|it| it.replayed).collect();
            let number = replayed.len() as u64;
            let last = replayed.last().expect("something replayed").sequence;
            assert_eq!(number, last.min(20), "{name}");
            let sequences: Vec<_> = replayed.iter().map(|it| it.sequence).collect();
            assert_eq!(sequences, (last + 1 - number..=last).collect::<Vec<_>>());
            assert!(replayed.iter().all(|it| it.via == Via::Tcp && !it.late));
            // The others come after them, and none of them again.
            let later = shown.iter().skip(replayed.len());
            assert!(later.clone().all(|it| !it.replayed && it.sequence > last));
            let first = last + 1 - number;
            assert_eq!(
                check::is_complete_from(&world, name, first),
                Ok(()),
                "seed {seed}"
            );
            assert!(world.came_by(name, Via::Udp) > 0);
        }
        assert_eq!(newcomers.len(), 8);
    }
}

#[test]
fn the_first_to_come_is_told_nothing_of_before() {
    let mut world = World::new(1, WorldConfig::default());
    world.arrive(&["Alice"]);
    assert_eq!(world.shown("Alice"), []);
    world.say("Alice", "hello?");
    world.run_for(SECOND);
    world.arrive(&["Bob"]);
    let shown = world.shown("Bob");
    assert_eq!(shown.len(), 1);
    assert!(shown[0].replayed);
}
