//! The HTTPS service's HTTP layer: the exact calculator, the root certificate, and the problems that
//! both can answer with.
//!
//! A connection comes in already decrypted, its protocol decided by ALPN, and is served by hyper's
//! HTTP/1.1 or HTTP/2 state machine under this module's own deadlines ([`HttpLimits`]).
//!
//! | Route | Answer |
//! |---|---|
//! | `GET /` | the calculator as a web page, with `/page.js`, `/style.css` and `/icon.svg` |
//! | `GET /v1/calc/{operation}?x=&y=[&precision=]` | one calculation |
//! | `POST /v1/calc` | one calculation, from a JSON or form body |
//! | `POST /v1/calc/batch` | an array of up to 1,000, item by item an answer or a problem |
//! | `GET /root.pem` | the root certificate |
//! | `GET /problems/{kind}` | what a problem's `type` means |
//! | `GET /openapi.json`, `GET /docs` | all this for programs and for people |
//!
//! Every refusal is `application/problem+json` (RFC 9457), or its bare text for a client that
//! prefers `text/plain`. The exceptions are what never becomes a request: a malformed request line
//! or header (400), a head beyond the limit (431) or a target beyond 64 KiB (414) is answered by
//! hyper itself, with an empty body and the connection closed; an HTTP/2 violation ends its stream
//! or connection with an error code; a head that does not arrive in time ends the connection.

mod activity;
mod answer;
mod batch;
mod calc;
mod connection;
mod documentation;
mod fields;
mod json;
mod limits;
mod negotiate;
mod page;
mod plain_http;
mod problem;
mod query;
mod rate;
mod reply;
mod request_body;
mod routes;
mod service;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, watch};

use self::documentation::Documentation;
use self::rate::RateLimit;
use crate::metrics::HttpMetrics;

pub use self::limits::{HttpConfig, HttpLimits};
pub use self::plain_http::plain_http_answer;
pub use self::rate::{NoNetwork, TrustedProxy};

/// Gives the present root certificate as PEM text, for `GET /root.pem`.
pub type RootPem = Arc<dyn Fn() -> Arc<str> + Send + Sync>;

/// Which HTTP a connection speaks; its ALPN has decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1, and HTTP/1.0: `http/1.1`, `recado-http/1` or no ALPN.
    Http1,
    /// HTTP/2: `h2`.
    Http2,
}

/// What is known of a connection beside its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Transport {
    /// Which HTTP it speaks.
    pub protocol: Protocol,
    /// Its other end.
    pub peer: SocketAddr,
    /// The certificate that it was shown is a CA's, so that a browser may be told to come by HTTPS alone. With one of
    /// recado's own root that would lock out whoever has not installed it.
    pub is_of_ca: bool,
}

/// The HTTP service, shared by all its connections; cheap to clone.
#[derive(Clone)]
pub struct HttpService {
    shared: Arc<Shared>,
}

/// What all connections share.
struct Shared {
    limits: HttpLimits,
    /// Made when it is first asked for.
    documentation: OnceLock<Documentation>,
    rate: RateLimit,
    metrics: Option<Arc<HttpMetrics>>,
    root_pem: RootPem,
    /// One permit for each batch that holds memory; see [`HttpLimits::batches_at_once`].
    batches: Arc<Semaphore>,
}

impl Shared {
    fn documentation(&self) -> &Documentation {
        self.documentation
            .get_or_init(|| Documentation::new(&self.limits))
    }
}

impl HttpService {
    /// A service under these limits. `root_pem` is called for each `GET /root.pem`, so that its
    /// content may change.
    pub fn new(config: HttpConfig, root_pem: RootPem) -> Self {
        let batches = Arc::new(Semaphore::new(config.limits.batches_at_once));
        Self {
            shared: Arc::new(Shared {
                documentation: OnceLock::new(),
                rate: RateLimit::new(&config),
                metrics: config.metrics,
                limits: config.limits,
                root_pem,
                batches,
            }),
        }
    }

    /// From now on these proxies' word on whom they speak for is taken, and no others'.
    pub fn trust_proxies(&self, proxies: Vec<TrustedProxy>) {
        self.shared.rate.trust(proxies);
    }

    /// Serves one connection to its end, or until `shutdown` turns true (or its sender is gone):
    /// then it takes no more requests, finishes those under way and closes.
    ///
    /// Every wait in it has a limit ([`HttpLimits`]); the whole drain is bounded by the caller, who
    /// ends it at once by dropping the future.
    pub async fn serve<IO>(&self, io: IO, transport: Transport, shutdown: watch::Receiver<bool>)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        connection::serve(Arc::clone(&self.shared), io, transport, shutdown).await;
    }
}

impl fmt::Debug for HttpService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpService")
            .field("limits", &self.shared.limits)
            .finish_non_exhaustive()
    }
}
