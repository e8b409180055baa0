//! A promise broken on purpose, in a build of its own: what the campaigns must notice.

use std::time::Duration;

use recado_hub::{BackendAnswer, BackendRequest, Durable};

/// Between an answer and the commit that it speaks of.
pub(super) const HEAD_START: Duration = Duration::from_millis(200);

/// What the commits of a batch will say, if it has nothing else.
pub(super) fn premature(batch: &[BackendRequest]) -> Option<Vec<BackendAnswer>> {
    let answer = |request: &BackendRequest| {
        let BackendRequest::Commit(lanes) = request else {
            return None;
        };
        let committed = lanes.iter().map(|lane| {
            let durable = Durable::committed(lane.accepted, lane.accepted_id, lane.settled);
            (lane.lane, durable)
        });
        Some(BackendAnswer::Committed(Ok(committed.collect())))
    };
    batch.iter().map(answer).collect()
}
