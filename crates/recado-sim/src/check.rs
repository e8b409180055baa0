//! What must hold at the end of every story. Each check says what is wrong, so that a story can also tell that it fails
//! where it must.

use recado_engine::Via;

use crate::client::Shown;
use crate::world::World;

/// That someone who was here all along was shown every message the server numbered, each once, and that their history is
/// the server's log.
///
/// # Errors
/// The first difference.
pub fn is_complete(world: &World, name: &str) -> Result<(), String> {
    is_complete_from(world, name, 1)
}

/// The same for someone who is to have everything from one number on.
///
/// # Errors
/// The first difference.
pub fn is_complete_from(world: &World, name: &str, first: u64) -> Result<(), String> {
    let said: Vec<_> = world.said().into_iter().map(|said| said.message).collect();
    let said: Vec<_> = said.iter().filter(|said| said.sequence >= first).collect();
    let history = world.history(name);
    let history: Vec<_> = history
        .iter()
        .filter(|shown| shown.sequence >= first)
        .collect();
    for (shown, said) in history.iter().zip(&said) {
        if (shown.sequence, shown.id) != (said.sequence, said.message.id) {
            return Err(format!(
                "{name} has {} where the log has {}",
                shown.sequence, said.sequence
            ));
        }
        if shown.text != said.message.text || shown.sender != said.from.name || !shown.verified {
            return Err(format!("{name} has {} otherwise", shown.sequence));
        }
    }
    if history.len() != said.len() {
        let (has, of) = (history.len(), said.len());
        return Err(format!("{name} has {has} of {of}"));
    }
    Ok(())
}

/// That each message tells the truth of what carried it and of what had come before it, and that the link's report
/// counts the same.
///
/// # Errors
/// The first lie.
pub fn is_truthful(world: &mut World, name: &str) -> Result<(), String> {
    let lies = |shown: &&Shown| {
        shown
            .carrier
            .is_some_and(|carrier| carrier != shown.via && !shown.replayed)
    };
    if let Some(lie) = world.shown(name).iter().find(lies) {
        return Err(format!("{name}: {lie:?}"));
    }
    let mut newest = 0;
    for shown in world.shown(name).iter().filter(|it| !it.replayed) {
        if shown.late != (shown.sequence < newest) {
            return Err(format!("{name}: {shown:?} after {newest}"));
        }
        newest = newest.max(shown.sequence);
    }
    let report = world.link(name);
    let (told, seen) = (
        (report.by_datagram, report.by_frame),
        (
            world.came_last_by(name, Via::Udp) as u64,
            world.came_last_by(name, Via::Tcp) as u64,
        ),
    );
    if told != seen {
        return Err(format!("{name}: counted {told:?}, shown {seen:?}"));
    }
    Ok(())
}

/// That no address ever got more than three times what it sent before it had proved that it listens.
///
/// # Errors
/// The first that did.
pub fn is_amplification_bounded(world: &World) -> Result<(), String> {
    match world.ledger().exceeded().first() {
        None => Ok(()),
        Some((address, account)) => Err(format!("{address}: {account:?}")),
    }
}

/// Tells whoever runs the tests with `--nocapture` what was measured.
#[expect(
    clippy::print_stdout,
    reason = "the test harness keeps it unless it is asked for"
)]
pub fn measured(what: &str) {
    println!("{what}");
}
