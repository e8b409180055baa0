//! What is told of files, for programs: `docs/bots.md` describes it.

use recado_client::{About, OfferEvent, OfferState};
use serde_json::{Value, json};

/// The object for an event, and the reference that it gives back.
pub(super) fn object(event: &OfferEvent) -> (Value, Option<&str>) {
    match event {
        OfferEvent::Offered {
            about,
            first,
            replayed,
        } => {
            let mut object = json!({
                "type": "offer",
                "offer": about.offer.to_string(),
                "from": about.peer,
                "name": about.title,
                "size": about.size,
                "replayed": replayed,
            });
            if let Some(entries) = about.entries {
                object["entries"] = entries.into();
                object["first"] = first
                    .iter()
                    .map(|(path, size)| json!({ "path": path, "size": size }))
                    .collect();
            }
            (object, None)
        }
        OfferEvent::State { about, state } => (state_of(about, *state), about.reference.as_deref()),
        OfferEvent::Progress { about, done } => {
            let object = json!({
                "type": "progress",
                "offer": about.offer.to_string(),
                "done": done,
                "size": about.size,
            });
            (object, about.reference.as_deref())
        }
        OfferEvent::Received { about, path, hash } => {
            let object = json!({
                "type": "received",
                "offer": about.offer.to_string(),
                "from": about.peer,
                // A path that is not UTF-8 is shown as far as it is.
                "path": path.to_string_lossy(),
                "size": about.size,
                "hash": hex(hash),
            });
            (object, None)
        }
        OfferEvent::Refused {
            refusal,
            detail,
            reference,
        } => {
            let message = match detail.as_str() {
                "" => refusal.code().replace('_', " "),
                detail => format!("{}: {detail}", refusal.code().replace('_', " ")),
            };
            let object = json!({ "type": "error", "code": refusal.code(), "message": message });
            (object, reference.as_deref())
        }
        OfferEvent::Skipped { about, count } => {
            let object = json!({
                "type": "skipped",
                "offer": about.offer.to_string(),
                "count": count,
            });
            (object, about.reference.as_deref())
        }
        OfferEvent::All(all) => {
            let offers = all.iter().map(|(about, state)| state_of(about, *state));
            let object = json!({ "type": "offers", "items": offers.collect::<Vec<_>>() });
            (object, None)
        }
    }
}

fn state_of(about: &About, state: OfferState) -> Value {
    let mut object = json!({
        "type": "offer_state",
        "offer": about.offer.to_string(),
        "state": state.word(),
    });
    match state {
        OfferState::Running(route) => object["via"] = route.code().into(),
        OfferState::Waiting(pause) => object["code"] = pause.code().into(),
        OfferState::Failed(failure) => object["code"] = failure.code().into(),
        _ => {}
    }
    object
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
