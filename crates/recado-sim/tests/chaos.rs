//! Everything at once: people speak, move and come back while the network does whatever it likes; then it is calm.

use std::net::SocketAddr;
use std::time::Duration;

use recado_sim::{LinkModel, Random, StreamModel, World, WorldConfig, check};

const SECOND: Duration = Duration::from_secs(1);
const PEOPLE: [&str; 5] = ["Alice", "Bob", "Carol", "Dora", "Ed"];

/// What is wrong with someone now.
#[derive(Clone, Copy, Default)]
struct Trouble {
    up: bool,
    down: bool,
    stalled: Option<Duration>,
}

fn disturb(world: &mut World, random: &mut Random, name: &str, trouble: &mut Trouble) {
    match random.below(8) {
        0 => {
            trouble.up = !trouble.up;
            match trouble.up {
                true => world.block_up(name),
                false => world.unblock_up(name),
            }
        }
        1 => {
            trouble.down = !trouble.down;
            match trouble.down {
                true => world.block_down(name),
                false => world.unblock_down(name),
            }
        }
        2 if trouble.stalled.is_none() => {
            world.stall(name);
            trouble.stalled = Some(world.now());
        }
        3 => {
            let port = 1024 + random.below(60_000) as u16;
            let address = match random.percent(50) {
                true => SocketAddr::from(([203, 0, 113, random.below(250) as u8], port)),
                false => SocketAddr::from(([0xfd00, 0, 0, 0, 0, 0, 0, port], port)),
            };
            world.rebind(name, address);
        }
        4 => {
            let loss = random.choose(&[0, 5, 30, 60]);
            let mut model = LinkModel::rough(loss);
            model.latency = Duration::from_millis(random.below(120));
            world.set_link(name, model);
        }
        _ => {}
    }
}

fn calm(world: &mut World, name: &str, trouble: Trouble) {
    world.unblock_up(name);
    world.unblock_down(name);
    if trouble.stalled.is_some() {
        world.release(name);
    }
    world.set_link(name, LinkModel::QUIET);
}

#[test]
fn whatever_happens_everyone_ends_with_the_same() {
    for seed in 1..=40 {
        let config = WorldConfig {
            link: LinkModel::rough(5),
            stream: StreamModel {
                latency: Duration::from_millis(10),
                jitter: Duration::from_millis(60),
            },
            backend: Duration::from_millis(20),
            lag: Duration::from_millis(2),
            ..WorldConfig::default()
        };
        let mut world = World::new(seed, config);
        let mut random = Random::new(seed ^ 0xc4a05);
        world.arrive(&PEOPLE);
        let mut troubles = [Trouble::default(); PEOPLE.len()];
        let mut comes_and_goes = false;
        for step in 0..250 {
            let sender = random.choose(&PEOPLE);
            world.say(sender, &format!("{sender} in step {step}"));
            let at = random.below(PEOPLE.len() as u64) as usize;
            disturb(&mut world, &mut random, PEOPLE[at], &mut troubles[at]);
            if random.percent(5) {
                match comes_and_goes {
                    true => world.leave("Zoe"),
                    false => world.join("Zoe"),
                }
                comes_and_goes = !comes_and_goes;
            }
            world.run_for(Duration::from_millis(random.below(1_200)));
            // A connection that stands still for longer is cut off by TCP.
            for (name, trouble) in PEOPLE.iter().zip(&mut troubles) {
                let stalled = |since: Duration| world.now() - since > 20 * SECOND;
                if trouble.stalled.is_some_and(stalled) {
                    world.release(name);
                    trouble.stalled = None;
                }
            }
        }
        for (name, trouble) in PEOPLE.iter().zip(troubles) {
            calm(&mut world, name, trouble);
        }
        world.run_for(60 * SECOND);
        assert_eq!(world.said().len(), 250, "seed {seed}");
        let mut stored = 0;
        for name in PEOPLE {
            assert_eq!(check::is_complete(&world, name), Ok(()), "seed {seed}");
            assert_eq!(check::is_truthful(&mut world, name), Ok(()), "seed {seed}");
            assert_eq!((world.unechoed(name), world.holes(name).len()), (0, 0));
            let state = world.link(name).state;
            assert!(
                state.up && state.down,
                "{name} is back, seed {seed}: {state:?}"
            );
            stored += world.stored(name);
        }
        assert_eq!(stored, 250, "seed {seed}");
        assert_eq!(
            check::is_amplification_bounded(&world),
            Ok(()),
            "seed {seed}"
        );
        // In each of Zoe's sessions: the last few, then all from there on, each once.
        let zoe = world.shown("Zoe").to_vec();
        for session in 1..=zoe.last().map_or(0, |it| it.session) {
            let mut numbers: Vec<_> = zoe
                .iter()
                .filter(|it| it.session == session)
                .map(|it| it.sequence)
                .collect();
            numbers.sort();
            let twice = numbers.windows(2).find(|pair| pair[0] == pair[1]);
            assert_eq!(twice, None, "Zoe's session {session}, seed {seed}");
        }
    }
}
