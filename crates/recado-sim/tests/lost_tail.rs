//! The last message of a burst is lost for one person: nothing that follows shows it, so the server's word does.

use std::time::Duration;

use recado_sim::{World, WorldConfig, check};

#[test]
fn a_lost_tail_shows_within_half_a_second_and_the_way() {
    let mut worst = Duration::ZERO;
    for seed in 1..=10 {
        for burst in [1, 2, 7, 40] {
            let mut world = World::new(seed, WorldConfig::default());
            world.arrive(&["Alice", "Bob", "Carol"]);
            let begin = world.now();
            for number in 1..burst {
                world.say("Alice", &format!("{number}"));
                world.run_for(Duration::from_millis(7));
            }
            // What was said before is through.
            world.run_for(Duration::from_millis(10));
            world.lose_down("Bob", 1);
            world.say("Alice", "the last");
            world.run_for(Duration::from_secs(5));
            let at = |name: &str| {
                let last = world.shown(name).iter().find(|it| it.text == "the last");
                last.map(|shown| shown.at)
            };
            let (carol, bob) = (at("Carol").unwrap(), at("Bob").unwrap());
            // The head (5 ms), the request and the answer (5 ms each).
            let took = bob - carol;
            worst = worst.max(took);
            assert!(
                took <= Duration::from_millis(515),
                "{took:?}, burst {burst}"
            );
            assert!(took > Duration::from_millis(5), "it was not lost");
            assert!(carol - begin < Duration::from_secs(1));
            assert_eq!(check::is_complete(&world, "Bob"), Ok(()));
            assert_eq!(world.link("Bob").repaired, 1);
        }
    }
    check::measured(&format!(
        "a lost tail was shown {worst:?} after the others had it, at most"
    ));
}
