//! A TCP connection stands still while datagrams pass.

use std::time::Duration;

use recado_engine::{State, Via};
use recado_hub::BucketConfig;
use recado_sim::{LinkModel, Random, World, WorldConfig, check};

const SECOND: Duration = Duration::from_secs(1);
const PEOPLE: [&str; 3] = ["Alice", "Bob", "Carol"];

#[test]
fn half_a_minute_without_tcp_is_made_good_when_it_moves_again() {
    for (seed, loss) in [(1, 0), (2, 0), (3, 10), (4, 10), (5, 40)] {
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
        let told: Vec<_> = (0..5)
            .map(|n| world.tell("Alice", "Bob", &format!("{n}")))
            .collect();
        world.run_for(SECOND);
        world.stall("Bob");
        let begin = world.now();
        let while_stalled: Vec<_> = (5..10)
            .map(|n| world.tell("Alice", "Bob", &format!("{n}")))
            .collect();
        while world.now() < begin + 30 * SECOND {
            world.say(random.choose(&PEOPLE), "…");
            world.run_for(Duration::from_millis(random.below(400)));
        }
        let during = world.shown("Bob").iter();
        let during = during.filter(|it| it.at >= begin && it.via == Via::Udp);
        let (during, said) = (during.count(), world.said().len());
        // Until the session counts as gone; the share of that time is another with each seed.
        assert!(
            during * 100 > said * (50 - loss as usize) / 2,
            "{during} of {said}"
        );
        world.release("Bob");
        world.run_for(60 * SECOND);
        for name in PEOPLE {
            assert_eq!(check::is_complete(&world, name), Ok(()), "seed {seed}");
            assert_eq!(check::is_truthful(&mut world, name), Ok(()));
            assert_eq!((world.holes(name).len(), world.unechoed(name)), (0, 0));
        }
        let private: Vec<_> = world.private("Bob").iter().map(|it| it.1.clone()).collect();
        assert_eq!(private, (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
        for id in told.iter().chain(&while_stalled) {
            let last = world.states("Alice", id).last().map(|it| it.state);
            assert_eq!(last, Some(State::Delivered));
        }
    }
}

/// Bob asks for what is missing while so much waits for him that the server drops the answers.
#[test]
fn answers_that_were_dropped_are_asked_for_again() {
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
    world.arrive(&PEOPLE);
    world.stall_down("Bob");
    for _ in 0..60 {
        world.say("Alice", &"x".repeat(65_536));
        world.run_for(Duration::from_millis(20));
    }
    for _ in 0..20 {
        world.say("Alice", "…");
        world.run_for(Duration::from_millis(100));
    }
    assert!(world.requests("Bob") > 0);
    assert!(world.frames_dropped() > 20);
    world.release("Bob");
    world.run_for(10 * SECOND);
    assert_eq!(world.closed("Bob"), []);
    for name in PEOPLE {
        assert_eq!(check::is_complete(&world, name), Ok(()), "{name}");
    }
}
