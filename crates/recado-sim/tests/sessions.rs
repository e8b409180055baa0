//! Sessions end and are taken over; people come and go by the hundred.

use std::time::Duration;

use recado_engine::{Failure, State};
use recado_proto::frame::ClosingCode;
use recado_sim::{Random, World, WorldConfig, check};

const SECOND: Duration = Duration::from_secs(1);

fn config() -> WorldConfig {
    WorldConfig {
        backend: Duration::from_millis(15),
        lag: Duration::from_millis(1),
        ..WorldConfig::default()
    }
}

#[test]
fn what_has_no_outcome_at_the_end_of_a_session_failed_and_the_rest_did_not() {
    let mut world = World::new(1, config());
    world.arrive(&["Alice", "Bob"]);
    let (settled, private) = (world.say("Alice", "one"), world.tell("Alice", "Bob", "two"));
    world.run_for(SECOND);
    world.acknowledges("Bob", false);
    let waiting = world.tell("Alice", "Bob", "three");
    world.run_for(SECOND);
    let unheard = world.say("Alice", "four");
    assert_eq!(world.unsettled("Alice"), 2);
    world.leave("Alice");
    world.run_for(SECOND);
    let state = |world: &World, id| {
        let states = world.states("Alice", &id);
        assert_eq!(states.len(), 1);
        states[0].state
    };
    assert_eq!(state(&world, settled), State::Stored);
    assert_eq!(state(&world, private), State::Delivered);
    let lost = State::Failed(Failure::ConnectionLost);
    assert_eq!(
        (state(&world, waiting), state(&world, unheard)),
        (lost, lost)
    );
    assert_eq!(world.closed("Alice"), [None]);
    assert_eq!(world.roster("Bob"), ["Bob"]);
}

#[test]
fn who_leaves_without_acknowledging_fails_what_waited_for_them() {
    let mut world = World::new(2, config());
    world.arrive(&["Alice", "Bob"]);
    world.acknowledges("Bob", false);
    let ids = [
        world.tell("Alice", "Bob", "1"),
        world.tell("Alice", "Bob", "2"),
    ];
    world.run_for(SECOND);
    world.leave("Bob");
    let absent = world.tell("Alice", "Bob", "3");
    world.run_for(SECOND);
    for id in ids {
        let states = world.states("Alice", &id);
        assert_eq!(states.len(), 1);
        assert_eq!(states[0].state, State::Failed(Failure::ConnectionLost));
    }
    assert_eq!(
        world.states("Alice", &absent)[0].state,
        State::Failed(Failure::NotConnected)
    );
}

#[test]
fn a_second_device_takes_over_and_nobody_sees_anyone_leave() {
    for seed in 1..=5 {
        let mut world = World::new(seed, config());
        world.arrive(&["Alice", "Bob", "Carol"]);
        let stored = world.say("Alice", "before");
        world.run_for(SECOND);
        world.join_from("Alice", "Alice's phone");
        let hanging = world.tell("Alice", "Nobody", "too late?");
        world.say("Bob", "meanwhile");
        world.run_for(2 * SECOND);
        assert_eq!(world.closed("Alice"), [Some(ClosingCode::TakenOver)]);
        assert_eq!(world.states("Alice", &stored)[0].state, State::Stored);
        assert_eq!(world.states("Alice", &hanging).len(), 1);
        assert_eq!(world.people(), 3);
        for name in ["Bob", "Carol", "Alice's phone"] {
            assert_eq!(world.roster(name), ["Alice", "Bob", "Carol"], "{name}");
        }
        let left = |(name, online): &&(String, bool)| name == "Alice" && !online;
        assert_eq!(world.presence("Bob").iter().find(left), None);
        let said = world.say("Alice's phone", "from here now");
        world.run_for(SECOND);
        assert_eq!(world.states("Alice's phone", &said)[0].state, State::Stored);
        for name in ["Bob", "Carol"] {
            assert_eq!(check::is_complete(&world, name), Ok(()));
        }
        let udp = world.links("Alice's phone").len();
        assert_eq!(udp, 0, "the phone's datagrams pass from the beginning");
    }
}

/// 200 people come, go, come back and are cut off at random. In the end each of those who are here knows exactly these.
#[test]
fn after_much_coming_and_going_everyone_knows_who_is_here() {
    for seed in 1..=2 {
        let mut world = World::new(seed, config());
        let mut random = Random::new(seed);
        let names: Vec<_> = (0..200).map(|number| format!("Pupil{number}")).collect();
        let mut here = vec![false; names.len()];
        for step in 0..600 {
            let who = random.below(200) as usize;
            match (here[who], step < 300 && random.percent(75)) {
                (false, _) => world.join(&names[who]),
                (true, true) => {}
                (true, false) if random.percent(30) => {
                    // Back before anyone has noticed that they were gone.
                    world.leave(&names[who]);
                    world.join(&names[who]);
                    continue;
                }
                (true, false) => {
                    world.leave(&names[who]);
                    here[who] = false;
                    continue;
                }
            }
            here[who] = true;
            world.run_for(Duration::from_millis(random.below(40)));
        }
        world.run_for(5 * SECOND);
        // Whoever comes now is told whom the server takes to be here.
        world.arrive(&["Witness"]);
        let mut expected: Vec<_> = names
            .iter()
            .zip(&here)
            .filter(|(_, here)| **here)
            .map(|(name, _)| name.clone())
            .collect();
        expected.push("Witness".into());
        expected.sort();
        assert!((50..150).contains(&expected.len()), "{}", expected.len());
        assert_eq!(world.people(), expected.len());
        for name in &expected {
            assert_eq!(world.roster(name), expected, "{name}, seed {seed}");
        }
    }
}
