//! What the service says of itself: an OpenAPI description, and a page made from it.
//!
//! Both are made from what the service works with, the routes, the kinds of problem and the limits, so
//! that they cannot say anything else. The tests of all other answers hold them against it.

mod openapi;
mod page;

use bytes::Bytes;

use super::HttpLimits;

/// The description and the page, as they are sent.
#[derive(Debug)]
pub(super) struct Documentation {
    pub(super) openapi: Bytes,
    pub(super) page: Bytes,
}

impl Documentation {
    /// Of a service under these limits.
    pub(super) fn new(limits: &HttpLimits) -> Self {
        let description = openapi::describe(limits);
        Self {
            page: page::write(&description, limits).into(),
            openapi: format!("{description:#}\n").into(),
        }
    }
}
