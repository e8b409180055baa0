//! One answer before it is put on a connection, and the headers that all answers carry.

use bytes::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use tokio::sync::OwnedSemaphorePermit;

use super::activity::InFlight;
use super::answer::AnswerBody;
use super::negotiate::Format;
use super::problem::Problem;

/// The content type of results.
pub(super) const JSON: &str = "application/json";
/// The content type of problems.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";
/// The content type of bare texts.
pub(super) const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

/// RFC 8555's registered type for PEM certificates. (`application/x-pem-file` is registered nowhere.)
pub(super) const PEM: &str = "application/pem-certificate-chain";
/// The content types of pages and what belongs to them.
pub(super) const HTML: &str = "text/html; charset=utf-8";
pub(super) const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
pub(super) const CSS: &str = "text/css; charset=utf-8";
pub(super) const SVG: &str = "image/svg+xml";

/// What is no page loads nothing, and nothing may frame it.
pub(super) const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";
/// A page loads what this server has and nothing else, runs no script of its own text, and makes no HTML
/// out of text.
const PAGE_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'";
/// Operands are in the query, so addresses go nowhere.
pub(super) const REFERRER_POLICY: &str = "no-referrer";
/// Other sites may not embed an answer as an image, a script or the like.
pub(super) const RESOURCE_POLICY: &str = "same-origin";

/// For half a year a browser does not come without HTTPS: long enough to last from visit to visit, short enough to
/// be over one day for an operator who gives the name up.
const STRICT_TRANSPORT: &str = "max-age=15552000";

/// How long an answer may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cache {
    /// Not at all: refusals, and answers to POST.
    No,
    /// By everyone for a day, without asking again: a pure result. A day and not a year, so that a
    /// defect in the arithmetic, once mended, does not live on in caches.
    Day,
    /// By everyone, asking each time: the root certificate may be re-issued, and pages change with the
    /// program.
    AskFirst,
}

impl Cache {
    fn control(self) -> &'static str {
        match self {
            Self::No => "no-store",
            Self::Day => "public, max-age=86400, immutable",
            Self::AskFirst => "no-cache",
        }
    }
}

/// An answer: status, body, and what its headers are made from.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    /// None for an answer without content.
    content_type: Option<&'static str>,
    cache: Cache,
    body: Bytes,
    /// A header of its own.
    header: Option<Box<(HeaderName, HeaderValue)>>,
    /// What is held until the answer is sent.
    permit: Option<OwnedSemaphorePermit>,
}

impl Reply {
    /// 200 with a body.
    pub(super) fn ok(content_type: &'static str, cache: Cache, body: impl Into<Bytes>) -> Self {
        Self {
            status: StatusCode::OK,
            content_type: Some(content_type),
            cache,
            body: body.into(),
            header: None,
            permit: None,
        }
    }

    /// 204 with the methods of a resource: the answer to OPTIONS.
    pub(super) fn options(allow: &'static str) -> Self {
        Self {
            status: StatusCode::NO_CONTENT,
            content_type: None,
            cache: Cache::No,
            body: Bytes::new(),
            header: Some(Box::new((header::ALLOW, HeaderValue::from_static(allow)))),
            permit: None,
        }
    }

    /// A refusal.
    pub(super) fn refusal(problem: Problem, format: Format) -> Self {
        let (content_type, body) = match format {
            Format::Json => (PROBLEM_JSON, problem.to_json()),
            Format::Text => (PLAIN_TEXT, problem.to_text().into_bytes()),
        };
        Self {
            status: StatusCode::from_u16(problem.status)
                .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            content_type: Some(content_type),
            cache: Cache::No,
            body: body.into(),
            header: problem.header,
            permit: None,
        }
    }

    /// The same with a header of its own.
    pub(super) fn header(self, name: HeaderName, value: &'static str) -> Self {
        Self {
            header: Some(Box::new((name, HeaderValue::from_static(value)))),
            ..self
        }
    }

    /// The same, holding a permit until it is sent.
    pub(super) fn holding(self, permit: OwnedSemaphorePermit) -> Self {
        Self {
            permit: Some(permit),
            ..self
        }
    }

    /// The answer as hyper takes it. For HEAD it has the headers of the whole and no body: HTTP/1
    /// would see to that by itself, HTTP/2 does not.
    pub(super) fn into_response(
        self,
        is_head: bool,
        is_of_ca: bool,
        in_flight: InFlight,
    ) -> Response<AnswerBody> {
        let mut headers = HeaderMap::with_capacity(12);
        if let Some(content_type) = self.content_type {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        headers.insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static(self.cache.control()),
        );
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        let (policy, vary) = if self.content_type == Some(HTML) {
            (PAGE_SECURITY_POLICY, "accept-language")
        } else {
            (CONTENT_SECURITY_POLICY, "accept")
        };
        headers.insert(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(policy),
        );
        headers.insert(header::VARY, HeaderValue::from_static(vary));
        headers.insert(
            header::REFERRER_POLICY,
            HeaderValue::from_static(REFERRER_POLICY),
        );
        headers.insert(
            &CROSS_ORIGIN_RESOURCE_POLICY,
            HeaderValue::from_static(RESOURCE_POLICY),
        );
        if is_of_ca {
            headers.insert(
                header::STRICT_TRANSPORT_SECURITY,
                HeaderValue::from_static(STRICT_TRANSPORT),
            );
        }
        if let Some(own) = self.header {
            headers.insert(own.0, own.1);
        }
        let mut body = self.body;
        if is_head && !body.is_empty() {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
            body = Bytes::new();
        }
        let mut response = Response::new(AnswerBody::new(body, in_flight, self.permit));
        *response.status_mut() = self.status;
        *response.headers_mut() = headers;
        response
    }
}

static CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");
