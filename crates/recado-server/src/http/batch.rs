//! `POST /v1/calc/batch`: many calculations in one request.
//!
//! A batch's cost is bounded by its parts: 1 MiB of operands, 1,000 items, each within the
//! calculator's own limits, 4 MiB of answers. It computes in slices of a millisecond and lets other
//! connections have the thread in between, and only so many batches are under way at once.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use hyper::HeaderMap;
use hyper::body::Incoming;
use hyper::header::{HeaderValue, RETRY_AFTER};
use tokio::time::timeout;

use super::Shared;
use super::calc::{MediaType, compute_body, media_type, utf8, write_json};
use super::json::{read_fields, read_items};
use super::problem::{self, Problem};
use super::reply::{Cache, JSON, Reply};
use super::request_body::{self, BodyLimits};

/// Answers a batch: an array of the same length, each item an answer or a problem.
pub(super) async fn answer(
    shared: Arc<Shared>,
    client: IpAddr,
    headers: HeaderMap,
    body: &mut Incoming,
) -> Result<Reply, Problem> {
    let limits = &shared.limits;
    media_type(&headers, &[MediaType::Json])?;
    let body_limits = BodyLimits {
        bytes: limits.batch_body_bytes,
        time: limits.body_time,
    };
    // A small batch (the usual one) waits for its turn when it is there; the body of a large one
    // already needs it, so that bodies in waiting cannot fill the memory.
    let is_small = hyper::body::Body::size_hint(&body)
        .upper()
        .is_some_and(|bytes| bytes <= limits.single_body_bytes as u64);
    let (body, permit) = if is_small {
        (
            request_body::read(body, body_limits).await?,
            turn(&shared).await?,
        )
    } else {
        let permit = turn(&shared).await?;
        (request_body::read(body, body_limits).await?, permit)
    };
    shared.rate.take_body(client, body.len())?;
    let items = read_items(utf8(&body, &problem::MALFORMED_JSON)?, limits.batch_items)?;

    let mut json = Vec::with_capacity(128 * items.len() + 2);
    let mut slice = Instant::now();
    json.push(b'[');
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            json.push(b',');
        }
        match answer_item(item, json.len(), limits.batch_answer_bytes) {
            Ok(calculation) => write_json(&mut json, &calculation),
            Err(problem) => problem.write_json(&mut json),
        }
        if slice.elapsed() >= limits.batch_slice {
            tokio::task::yield_now().await;
            slice = Instant::now();
        }
    }
    json.push(b']');
    Ok(Reply::ok(JSON, Cache::No, json).holding(permit))
}

fn answer_item(
    item: &str,
    written: usize,
    limit: usize,
) -> Result<recado_calc::Calculation, Problem> {
    if written >= limit {
        let detail = format!(
            "The answers to the earlier items already have {limit} bytes. Send this one in another batch."
        );
        return Err(
            Problem::new(&problem::BATCH_ANSWER_TOO_LARGE, detail).limit(
                "max_batch_answer_bytes",
                u64::try_from(limit).unwrap_or(u64::MAX),
            ),
        );
    }
    compute_body(&read_fields(item)?)
}

/// Waits for one of the batches that may be under way at once.
async fn turn(shared: &Shared) -> Result<tokio::sync::OwnedSemaphorePermit, Problem> {
    let permit = Arc::clone(&shared.batches).acquire_owned();
    match timeout(shared.limits.batch_wait, permit).await {
        Ok(Ok(permit)) => Ok(permit),
        Ok(Err(_)) | Err(_) => {
            let detail = "Too many batches are being computed. Repeat the request later.";
            Err(Problem::new(&problem::BUSY, detail)
                .header(RETRY_AFTER, HeaderValue::from_static("5")))
        }
    }
}
