//! A sender repeats what it did not see come back. Everyone sees it once.

use std::time::Duration;

use recado_engine::State;
use recado_hub::BucketConfig;
use recado_sim::{World, WorldConfig, check};

const SECOND: Duration = Duration::from_secs(1);

/// Alice's word reaches the server, and nothing comes back to her for 40 s: she repeats it again and again.
/// `others` are said meanwhile; Alice herself is shown her word only if it is still kept when she is back.
fn one_word_repeated(others: usize, is_kept: bool) -> World {
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
    world.arrive(&["Alice", "Bob", "Carol"]);
    world.stall("Alice");
    world.block_down("Alice");
    let id = world.say("Alice", "once");
    world.run_for(SECOND);
    world.block_up("Alice");
    for _ in 0..others {
        world.say("Bob", "…");
        world.run_for(Duration::from_millis(9));
    }
    world.run_for(20 * SECOND);
    world.release("Alice");
    world.unblock_up("Alice");
    world.unblock_down("Alice");
    world.run_for(20 * SECOND);
    assert!(world.globals_by_frame("Alice") >= 2, "it was repeated");
    let states: Vec<_> = world
        .states("Alice", &id)
        .iter()
        .map(|it| it.state)
        .collect();
    assert_eq!(states, [State::Stored]);
    for name in ["Alice", "Bob", "Carol"] {
        let times = world.shown(name).iter().filter(|it| it.id == id).count();
        let expected = usize::from(is_kept || name != "Alice");
        assert_eq!(times, expected, "{name} was shown it {times} times");
    }
    world
}

#[test]
fn what_is_repeated_is_numbered_and_shown_once() {
    let world = one_word_repeated(100, true);
    for name in ["Alice", "Bob", "Carol"] {
        assert_eq!(check::is_complete(&world, name), Ok(()));
    }
    assert_eq!(world.said().len(), 101);
}

/// Meanwhile so much was said that the server does not keep it any more; it remembers that it was numbered.
#[test]
fn what_is_repeated_is_shown_once_also_when_much_was_said_since() {
    one_word_repeated(4_200, false);
}
