//! The body of an answer on its way out.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use super::activity::InFlight;

/// How much of a body is handed to the connection at once. 16 KiB: one HTTP/2 frame, one TLS
/// record. The connection takes what it is given whatever its client has room for, so that a large
/// body in one piece would escape its flow control.
const CHUNK: usize = 16 * 1024;

/// A body in memory. While it lives, its request counts as under way.
pub(super) struct AnswerBody {
    rest: Bytes,
    _in_flight: InFlight,
    _permit: Option<OwnedSemaphorePermit>,
}

impl AnswerBody {
    pub(super) fn new(
        body: Bytes,
        in_flight: InFlight,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Self {
        Self {
            rest: body,
            _in_flight: in_flight,
            _permit: permit,
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.rest.len().min(CHUNK);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}
