//! UDP is blocked in one direction or both, in the middle of a conversation.

use std::time::Duration;

use recado_engine::Via;
use recado_sim::{LinkModel, Random, World, WorldConfig, check};

const SECOND: Duration = Duration::from_secs(1);

/// What is blocked of Bob's: up, down.
const BLOCKS: [(bool, bool); 3] = [(true, false), (false, true), (true, true)];

fn noisy(latency: u64) -> WorldConfig {
    let latency = Duration::from_millis(latency);
    WorldConfig {
        link: LinkModel {
            latency,
            jitter: Duration::from_millis(3),
            ..LinkModel::QUIET
        },
        stream: recado_sim::StreamModel {
            latency: latency + Duration::from_millis(4),
            jitter: Duration::from_millis(3),
        },
        ..WorldConfig::default()
    }
}

/// Alice and Bob talk, one word each every 200 ms or so.
fn talk(world: &mut World, random: &mut Random, time: Duration) {
    let until = world.now() + time;
    while world.now() < until {
        for name in ["Alice", "Bob"] {
            world.say(name, "…");
            world.run_for(Duration::from_millis(50 + random.below(100)));
        }
    }
}

fn set(world: &mut World, (up, down): (bool, bool), blocked: bool) {
    match (up, blocked) {
        (true, true) => world.block_up("Bob"),
        (true, false) => world.unblock_up("Bob"),
        _ => {}
    }
    match (down, blocked) {
        (true, true) => world.block_down("Bob"),
        (true, false) => world.unblock_down("Bob"),
        _ => {}
    }
}

/// The longest time from when the server numbered something, after `since`, until Bob was shown it.
fn slowest(world: &World, since: Duration) -> Duration {
    let said = world.said();
    let shown = world.shown("Bob").iter();
    let took = shown.filter_map(|it| {
        let said = said[it.sequence as usize - 1].at;
        (said > since).then(|| it.at - said)
    });
    took.max().expect("something was said")
}

#[test]
fn a_block_is_noticed_within_a_second_carried_over_tcp_and_ends_by_itself() {
    for block in BLOCKS {
        let (mut noticed_worst, mut back_worst) = (Duration::ZERO, Duration::ZERO);
        for seed in 1..=8 {
            let mut world = World::new(seed, noisy(5 + seed));
            let mut random = Random::new(seed);
            world.arrive(&["Alice", "Bob", "Carol"]);
            talk(&mut world, &mut random, 5 * SECOND);
            assert_eq!(world.links("Bob"), [], "seed {seed}");

            let begin = world.now();
            set(&mut world, block, true);
            talk(&mut world, &mut random, 30 * SECOND);
            let passes = (!block.0, !block.1);
            let noticed = world.link_told("Bob", begin, passes);
            let noticed = noticed.expect("the block is noticed") - begin;
            noticed_worst = noticed_worst.max(noticed);
            assert!(noticed <= SECOND, "{block:?}, seed {seed}: {noticed:?}");
            // The other direction is not blamed, nor is anyone else.
            let told: Vec<_> = world.links("Bob").iter().collect();
            assert_eq!(told.len(), 1, "{block:?}, seed {seed}: {told:?}");
            assert_eq!(
                (world.links("Alice"), world.links("Carol")),
                (&[][..], &[][..])
            );
            // Once it is noticed, what comes that way comes by frame at once.
            let since = begin + noticed + SECOND / 2;
            let meanwhile = |via: Via| {
                let shown = world.shown("Bob").iter();
                shown.filter(|it| it.at > since && it.via == via).count()
            };
            let (udp, tcp) = (meanwhile(Via::Udp), meanwhile(Via::Tcp));
            match block.1 {
                true => assert!(udp == 0 && tcp > 100, "{udp} {tcp}"),
                false => assert!(tcp == 0 && udp > 100, "{udp} {tcp}"),
            }

            let late = slowest(&world, since);
            assert!(late <= Duration::from_millis(60), "{block:?}: {late:?}");

            let end = world.now();
            set(&mut world, block, false);
            talk(&mut world, &mut random, 20 * SECOND);
            let back = world.link_told("Bob", end, (true, true));
            let back = back.expect("datagrams pass again") - end;
            back_worst = back_worst.max(back);
            assert!(back <= Duration::from_millis(15_200), "{back:?}");
            world.run_for(5 * SECOND);
            let udp = world.came_by("Bob", Via::Udp);
            world.say("Alice", "after all");
            world.run_for(SECOND);
            assert_eq!(world.came_by("Bob", Via::Udp), udp + 1, "{block:?}");
            for name in ["Alice", "Bob", "Carol"] {
                assert_eq!(check::is_complete(&world, name), Ok(()), "seed {seed}");
                assert_eq!(check::is_truthful(&mut world, name), Ok(()));
                assert_eq!(world.unechoed(name), 0);
                world.stored(name);
            }
        }
        check::measured(&format!(
            "up, down blocked {block:?}: noticed {noticed_worst:?}, back {back_worst:?}"
        ));
    }
}

/// Nobody speaks but Alice, rarely: her word is what shows it.
#[test]
fn one_word_is_traffic_enough() {
    for seed in 1..=8 {
        let mut world = World::new(seed, noisy(20));
        world.arrive(&["Alice", "Bob"]);
        world.block_down("Bob");
        world.run_for(3 * SECOND);
        assert_eq!(world.links("Bob"), [], "nothing was sent, nothing is known");
        let said = world.now();
        world.say("Alice", "is Bob there?");
        world.run_for(5 * SECOND);
        let noticed = world.link_told("Bob", said, (true, false));
        let noticed = noticed.expect("noticed") - said;
        assert!(noticed <= SECOND, "seed {seed}: {noticed:?}");
        assert_eq!(check::is_complete(&world, "Bob"), Ok(()));
    }
}

/// The server gives up a path that has been silent for 45 s: the client must not claim any more that messages come by
/// datagram, as they do not.
#[test]
fn a_long_block_up_does_not_leave_a_false_word_of_the_other_direction() {
    let mut world = World::new(1, noisy(10));
    world.arrive(&["Alice", "Bob"]);
    world.block_up("Bob");
    world.say("Bob", "can you hear me?");
    let mut random = Random::new(1);
    talk(&mut world, &mut random, 100 * SECOND);
    let last = world.shown("Bob").last().cloned().unwrap();
    let down = world.link("Bob").state.down;
    assert_eq!(
        last.via == Via::Udp,
        down,
        "{:?} while down is {down}",
        last.via
    );
}

/// The control: a block that nobody has made is not noticed.
#[test]
fn nothing_is_noticed_where_nothing_is_blocked() {
    let mut world = World::new(1, noisy(10));
    world.arrive(&["Alice", "Bob", "Carol"]);
    talk(&mut world, &mut Random::new(1), 60 * SECOND);
    for name in ["Alice", "Bob", "Carol"] {
        assert_eq!(world.links(name), []);
    }
}

/// Where much is lost anyway, too: and bad luck is rarely taken for a block.
#[test]
fn a_block_is_noticed_within_a_second_of_traffic_on_a_lossy_link_too() {
    const SEEDS: u64 = 20;
    for (loss, block) in [5, 20]
        .into_iter()
        .flat_map(|loss| BLOCKS.map(|it| (loss, it)))
    {
        let (mut all, mut alarms) = (Vec::new(), 0);
        for seed in 1..=SEEDS {
            let link = LinkModel::rough(loss);
            let mut world = World::new(
                seed,
                WorldConfig {
                    link,
                    ..WorldConfig::default()
                },
            );
            let mut random = Random::new(seed);
            world.arrive(&["Alice", "Bob"]);
            talk(&mut world, &mut random, 20 * SECOND);
            alarms += world.links("Bob").len();

            let begin = world.now();
            set(&mut world, block, true);
            talk(&mut world, &mut random, 4 * SECOND);
            let swallowed = world.swallowed("Bob").expect("they talk");
            let links = world.links("Bob").iter();
            let mut links = links.filter(|(at, _)| *at >= begin);
            let told = links.find(|(_, link)| (!link.up || !block.0) && (!link.down || !block.1));
            let noticed = told.expect("noticed").0.saturating_sub(swallowed);
            assert!(
                noticed <= SECOND,
                "{loss} %, {block:?}, seed {seed}: {noticed:?}"
            );
            all.push(noticed);
            world.run_for(2 * SECOND);
            assert_eq!(check::is_complete(&world, "Bob"), Ok(()));
        }
        all.sort();
        check::measured(&format!(
            "loss {loss} %, blocked {block:?}: noticed after {:?}, at most {:?}; {alarms} false alarms in {} s",
            all[all.len() / 2],
            all[all.len() - 1],
            20 * SEEDS,
        ));
        assert!(alarms <= 2, "{alarms} false alarms at {loss} % loss");
    }
}

#[test]
fn silence_keeps_the_path_open() {
    for (seed, loss) in [(1, 0), (2, 20), (3, 20), (4, 40)] {
        let link = LinkModel::rough(loss);
        let mut world = World::new(
            seed,
            WorldConfig {
                link,
                ..WorldConfig::default()
            },
        );
        world.arrive(&["Alice", "Bob"]);
        world.run_for(600 * SECOND);
        world.set_link("Alice", LinkModel::QUIET);
        world.set_link("Bob", LinkModel::QUIET);
        world.run_for(31 * SECOND);
        world.say("Alice", "still there?");
        world.run_for(SECOND);
        assert_eq!(world.came_by("Bob", Via::Udp), 1, "seed {seed}");
        assert_eq!(world.globals_by_frame("Alice"), 0);
        if loss == 0 {
            let probes = world.link("Bob").probes;
            assert!((40..50).contains(&probes), "{probes} probes in ten minutes");
        }
    }
}

/// Nobody speaks: the probe that keeps the path open is what shows it, and the other direction is not blamed.
#[test]
fn a_block_up_in_silence_is_noticed_by_the_next_probe() {
    for seed in 1..=8 {
        let mut world = World::new(seed, noisy(20));
        world.arrive(&["Alice", "Bob"]);
        let begin = world.now();
        world.block_up("Bob");
        world.run_for(17 * SECOND);
        let told: Vec<_> = world
            .links("Bob")
            .iter()
            .map(|it| (it.1.up, it.1.down))
            .collect();
        assert_eq!(told, [(false, true)], "seed {seed}");
        let noticed = world.link_told("Bob", begin, (false, true)).unwrap() - begin;
        assert!(noticed <= 16 * SECOND, "{noticed:?}");
    }
}

#[test]
fn a_path_from_which_nothing_comes_is_given_up() {
    let mut world = World::new(1, noisy(10));
    world.arrive(&["Alice", "Bob"]);
    world.block_up("Bob");
    let mut random = Random::new(1);
    talk(&mut world, &mut random, 30 * SECOND);
    let via = |world: &World| world.shown("Bob").last().map(|it| it.via);
    assert_eq!(via(&world), Some(Via::Udp));
    talk(&mut world, &mut random, 30 * SECOND);
    assert_eq!(via(&world), Some(Via::Tcp));
    assert_eq!(check::is_complete(&world, "Bob"), Ok(()));
}
