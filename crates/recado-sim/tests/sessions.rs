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
fn what_has_no_outcome_at_the_end_of_a_session_has_it_in_the_next() {
    let mut world = World::new(1, config());
    world.arrive(&["Alice", "Bob"]);
    let (settled, private) = (world.say("Alice", "one"), world.tell("Alice", "Bob", "two"));
    world.run_for(SECOND);
    world.leave("Bob");
    let waiting = world.tell("Alice", "Bob", "three");
    world.run_for(SECOND);
    let unheard = world.say("Alice", "four");
    assert_eq!(world.unechoed("Alice"), 1);
    world.leave("Alice");
    world.run_for(SECOND);
    let states = |world: &World, id| {
        let states = world.states("Alice", &id);
        states.iter().map(|it| it.state).collect::<Vec<_>>()
    };
    assert_eq!(states(&world, settled), [State::Stored]);
    assert_eq!(states(&world, private).last(), Some(&State::Delivered));
    assert_eq!(states(&world, waiting), [State::Stored]);
    assert_eq!(states(&world, unheard), []);
    assert_eq!(world.closed("Alice"), [None]);
    world.arrive(&["Alice", "Bob"]);
    assert_eq!(states(&world, waiting), [State::Stored, State::Delivered]);
    assert_eq!(states(&world, unheard), [State::Stored]);
    let private: Vec<_> = world
        .private("Bob")
        .iter()
        .map(|it| it.1.as_str())
        .collect();
    assert_eq!(private, ["two", "three"]);
    assert_eq!(check::is_complete(&world, "Alice"), Ok(()));
}

#[test]
fn what_is_meant_for_the_absent_waits_for_them_and_for_nobody_fails() {
    let mut world = World::new(2, config());
    world.arrive(&["Alice", "Bob"]);
    world.leave("Bob");
    let nobody = world.tell("Alice", "Nobody", "?");
    for text in ["1", "2", "3"] {
        world.tell("Alice", "Bob", text);
    }
    world.run_for(SECOND);
    assert_eq!(
        world.states("Alice", &nobody)[0].state,
        State::Failed(Failure::UnknownName)
    );
    assert_eq!(world.private("Bob").len(), 0);
    world.arrive(&["Bob"]);
    let private: Vec<_> = world
        .private("Bob")
        .iter()
        .map(|it| it.1.as_str())
        .collect();
    assert_eq!(private, ["1", "2", "3"]);
}

/// A connection that stands still is noticed, and left; what was sent meanwhile arrives by the next.
#[test]
fn a_dead_connection_is_noticed_and_nothing_is_lost() {
    let mut world = World::new(3, config());
    world.arrive(&["Alice", "Bob"]);
    world.stall("Alice");
    let id = world.tell("Alice", "Bob", "through the tunnel");
    world.run_for(9 * SECOND);
    assert_eq!(world.closed("Alice"), [None], "noticed while it waited");
    world.run_for(30 * SECOND);
    world.release("Alice");
    world.run_for(5 * SECOND);
    let states = world.states("Alice", &id);
    assert_eq!(states.last().map(|it| it.state), Some(State::Delivered));
    assert_eq!(world.private("Bob").len(), 1);
}

#[test]
fn a_second_device_takes_over_and_nobody_sees_anyone_leave() {
    for seed in 1..=5 {
        let mut world = World::new(seed, config());
        world.arrive(&["Alice", "Bob", "Carol"]);
        let stored = world.say("Alice", "before");
        world.run_for(SECOND);
        world.join_from("Alice", "Alice's phone");
        world.say("Bob", "meanwhile");
        world.run_for(2 * SECOND);
        assert_eq!(world.closed("Alice"), [Some(ClosingCode::TakenOver)]);
        assert_eq!(world.states("Alice", &stored)[0].state, State::Stored);
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
