//! How many datagrams pass, measured by a client in each direction by itself.

use recado_sim::{LinkModel, World, WorldConfig};

fn world(link: LinkModel) -> World {
    let config = WorldConfig {
        link,
        ..WorldConfig::default()
    };
    let mut world = World::new(1, config);
    world.arrive(&["Alice", "Bob"]);
    world
}

#[test]
fn on_a_quiet_link_everything_passes() {
    let mut world = world(LinkModel::QUIET);
    let measured = world.measure("Bob");
    let passed = (measured.sent, measured.heard, measured.answered);
    assert_eq!(passed, (20, 20, 20));
    assert_eq!(measured.rtt, world.link("Bob").state.rtt);
    assert_eq!(world.links("Bob"), []);
}

#[test]
fn on_a_lossy_link_some_is_lost_each_way() {
    let mut world = world(LinkModel::rough(20));
    let (mut heard, mut answered) = (0, 0);
    for _ in 0..50 {
        let measured = world.measure("Bob");
        heard += measured.heard;
        answered += measured.answered;
    }
    // Of 1,000: 80 and 64 % are expected.
    assert!((750..850).contains(&heard), "{heard}");
    assert!((590..690).contains(&answered), "{answered}");
}

#[test]
fn a_block_shows_in_its_direction() {
    let mut world = world(LinkModel::QUIET);
    world.block_down("Bob");
    let measured = world.measure("Bob");
    assert_eq!((measured.heard, measured.answered), (20, 0));
    world.unblock_down("Bob");
    world.block_up("Bob");
    let measured = world.measure("Bob");
    assert_eq!((measured.heard, measured.answered), (0, 0));
}
