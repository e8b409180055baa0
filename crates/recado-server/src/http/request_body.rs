//! Reading a request's body within a size and a time.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::HeaderMap;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONNECTION, EXPECT, HeaderValue};
use tokio::time::timeout;

use super::problem::{self, Problem};

/// How much of a body that nobody wants is still read, and how long, before the answer is given. A client
/// that is still sending when its stream or connection is reset may lose the answer.
const DISCARDED_BYTES: usize = 1024 * 1024;
const DISCARD_TIME: Duration = Duration::from_secs(1);

/// What a body may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct BodyLimits {
    pub(super) bytes: usize,
    pub(super) time: Duration,
}

/// Reads a whole body.
///
/// A body that is given up leaves its rest in the way of the next request, so that the answer says
/// `Connection: close`; HTTP/2, which has no such need, leaves that header out.
pub(super) async fn read(body: &mut Incoming, limits: BodyLimits) -> Result<Bytes, Problem> {
    let whole = match timeout(limits.time, collect(body, limits.bytes)).await {
        Ok(whole) => whole,
        Err(_) => {
            let seconds = limits.time.as_secs();
            let detail = format!("The body did not arrive within {seconds} seconds.");
            return Err(Problem::new(&problem::BODY_TIMEOUT, detail)
                .limit("max_body_seconds", seconds)
                .header(CONNECTION, HeaderValue::from_static("close")));
        }
    };
    match whole {
        Ok(whole) => Ok(whole),
        Err(Fault::TooLarge) => {
            let limit = limits.bytes;
            let detail = format!("The body is larger than {limit} bytes.");
            Err(Problem::new(&problem::BODY_TOO_LARGE, detail)
                .limit("max_body_bytes", u64::try_from(limit).unwrap_or(u64::MAX))
                .header(CONNECTION, HeaderValue::from_static("close")))
        }
        Err(Fault::Broken) => Err(Problem::new(
            &problem::MALFORMED_BODY,
            "The body ended early, or its transfer encoding is broken.",
        )),
    }
}

enum Fault {
    TooLarge,
    Broken,
}

/// Collects data frames up to `limit` bytes. A length declared larger is refused without reading.
async fn collect(body: &mut Incoming, limit: usize) -> Result<Bytes, Fault> {
    if body.size_hint().lower() > limit as u64 {
        return Err(Fault::TooLarge);
    }
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Fault::Broken)?.into_data() else {
            continue; // Trailers say nothing here.
        };
        if data.len() > limit - first.len() - whole.len() {
            return Err(Fault::TooLarge);
        }
        if whole.is_empty() && first.is_empty() {
            // Nearly always all there is: not copied.
            first = data;
        } else {
            if whole.is_empty() {
                whole.extend_from_slice(&std::mem::take(&mut first));
            }
            whole.extend_from_slice(&data);
        }
    }
    Ok(if whole.is_empty() {
        first
    } else {
        whole.freeze()
    })
}

/// Whether something of a body is still to come that an answer has to wait for.
pub(super) fn is_unread(body: &Incoming, headers: &HeaderMap) -> bool {
    // A client that asked first, and was not told to continue, sends nothing.
    !body.is_end_stream() && !headers.contains_key(EXPECT)
}

/// Reads what is left of a body for nothing, within bounds.
pub(super) async fn discard(body: &mut Incoming) {
    let _ = timeout(DISCARD_TIME, discard_bytes(body)).await;
}

/// Reads up to [`DISCARDED_BYTES`] for nothing.
async fn discard_bytes(body: &mut Incoming) {
    let mut discarded = 0;
    while let Some(Ok(frame)) = body.frame().await {
        discarded += frame.data_ref().map_or(0, Bytes::len);
        if discarded > DISCARDED_BYTES {
            return;
        }
    }
}
