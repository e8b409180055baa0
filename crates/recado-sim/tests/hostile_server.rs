//! A server that has gone bad puts words into people's mouths.

use std::time::Duration;

use recado_engine::State;
use recado_proto::frame::{IncomingGlobal, Person, Range, ServerFrame};
use recado_proto::id::{MessageId, RemoteKey};
use recado_sim::{World, WorldConfig};

const SECOND: Duration = Duration::from_secs(1);

/// A world in which Alice has said something, and that as the server has it.
fn after_a_word() -> (World, IncomingGlobal) {
    let mut world = World::new(1, WorldConfig::default());
    world.arrive(&["Alice", "Bob"]);
    world.say("Alice", "I owe Bob 5");
    world.run_for(SECOND);
    let said = world.said().remove(0).message;
    assert_eq!(world.shown("Bob").len(), 1);
    assert!(world.shown("Bob")[0].verified);
    (world, said)
}

/// What Bob is shown of a forged message: whether it counts as verified.
fn shown(world: &mut World, forged: IncomingGlobal) -> Option<bool> {
    let before = world.shown("Bob").len();
    world.forge("Bob", ServerFrame::Global(forged));
    world.run_for(SECOND);
    world.shown("Bob").get(before).map(|shown| shown.verified)
}

#[test]
fn a_changed_text_a_changed_time_or_another_id_is_not_verified() {
    let (mut world, genuine) = after_a_word();
    let mut sequence = 1;
    let mut forge = |change: &dyn Fn(&mut IncomingGlobal)| {
        let mut forged = genuine.clone();
        sequence += 1;
        forged.sequence = sequence;
        forged.message.id = MessageId::from_bytes([sequence as u8; 16]);
        change(&mut forged);
        shown(&mut world, forged)
    };
    assert_eq!(forge(&|_| {}), Some(false), "another id");
    assert_eq!(
        forge(&|it| it.message.text = "I owe Bob 500".into()),
        Some(false)
    );
    assert_eq!(forge(&|it| it.message.sent_at_ms += 1), Some(false));
    assert_eq!(
        forge(&|it| it.from.name = "Bob".into()),
        Some(false),
        "another's name"
    );
    let stranger = RemoteKey::from_bytes([7; 32]);
    assert_eq!(
        forge(&|it| it.from.key = stranger),
        Some(false),
        "another key"
    );
}

#[test]
fn a_genuine_message_under_another_number_is_not_shown_again() {
    let (mut world, mut genuine) = after_a_word();
    for number in [2, 3, 900] {
        genuine.sequence = number;
        assert_eq!(shown(&mut world, genuine.clone()), None, "{number}");
    }
    // Nor in what pretends to be history.
    world.forge("Bob", ServerFrame::GlobalHistory(vec![genuine]));
    world.run_for(SECOND);
    assert_eq!(world.shown("Bob").len(), 1);
}

#[test]
fn another_text_under_a_number_that_was_shown_is_not_shown() {
    let (mut world, mut genuine) = after_a_word();
    genuine.message.text = "I owe Bob 500".into();
    assert_eq!(shown(&mut world, genuine), None);
}

#[test]
fn a_forged_echo_does_not_make_a_message_stored() {
    let (mut world, genuine) = after_a_word();
    world.block_up("Alice");
    world.block_down("Alice");
    world.stall("Alice");
    let id = world.say("Alice", "is this stored?");
    let alice = Person {
        name: "Alice".into(),
        key: world.key("Alice"),
    };
    let mut forged = genuine;
    (forged.sequence, forged.from, forged.message.id) = (2, alice, id);
    world.forge("Alice", ServerFrame::Global(forged));
    world.run_for(SECOND);
    assert_eq!(world.states("Alice", &id), []);
    // What waited moves; the forged echo is the first of it.
    world.release("Alice");
    world.run_for(10 * SECOND);
    let states: Vec<_> = world
        .states("Alice", &id)
        .iter()
        .map(|it| it.state)
        .collect();
    assert_eq!(states, [State::Stored], "by its genuine echo");
    let forged = world.shown("Alice").iter().find(|it| it.id == id);
    assert!(!forged.unwrap().verified, "shown as what it is");
}

/// A hostile head or hole costs neither memory nor time, and is shown.
#[test]
fn numbers_beyond_reason_are_survived() {
    let (mut world, _) = after_a_word();
    world.forge("Bob", ServerFrame::GlobalHead(u64::MAX));
    world.run_for(SECOND);
    let all = Range {
        first: 0,
        last: u64::MAX,
    };
    world.forge("Bob", ServerFrame::GlobalGone(all));
    world.run_for(SECOND);
    assert_eq!(world.holes("Bob"), [(2, u64::MAX - 1)]);
    let requests = world.requests("Bob");
    world.run_for(60 * SECOND);
    assert_eq!(
        world.requests("Bob"),
        requests,
        "there is nothing left to ask for"
    );
}
