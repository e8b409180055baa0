//! HTTPS to a trusted server, for the calculator and whatever else its API offers.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{ACCEPT, CONTENT_TYPE, DATE, HOST, USER_AGENT};
use hyper_util::rt::TokioIo;
use recado_proto::SERVER_NAME;
use thiserror::Error;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use tokio::time::timeout;

use crate::connect::{Alpn, Limits, connect_within};
use crate::trust::ladder::{TrustError, Trusted};

pub use hyper::Method;

/// How long a request may take from being sent to the last byte of its answer.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest answer that is taken, in bytes. A calculation's has at most a few thousand.
pub const MAX_RESPONSE: usize = 1024 * 1024;

/// A request to the server's API.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Path and query, beginning with `/`, percent-encoded.
    pub target: String,
    /// What kinds of answer are understood (`Accept`); anything if `None`.
    pub accept: Option<String>,
    /// The body, if there is one.
    pub body: Option<Body>,
}

/// A request's body.
#[derive(Clone, Debug)]
pub struct Body {
    /// What kind of body it is.
    pub content_type: String,
    /// The body.
    pub bytes: Bytes,
}

/// An answer, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// What kind of body it has, if it says so in ASCII.
    pub content_type: Option<String>,
    /// The server's clock, if it tells it.
    pub date: Option<OffsetDateTime>,
    /// The body, whole: at most [`MAX_RESPONSE`] bytes.
    pub body: Bytes,
}

/// Why a request has no answer.
#[derive(Debug, Error)]
pub enum HttpsError {
    /// No connection could be made, or the server is not trusted.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The request cannot be written as HTTP: the caller's mistake.
    #[error("the request is malformed")]
    Malformed(#[source] hyper::http::Error),
    /// No whole answer within [`REQUEST_TIMEOUT`].
    #[error("the server did not answer in time; try again later")]
    Timeout,
    /// The connection broke, or what came back is not HTTP.
    #[error("the connection to the server broke; try again")]
    Broken(#[source] hyper::Error),
    /// The answer is longer than [`MAX_RESPONSE`].
    #[error("the server's answer is longer than {MAX_RESPONSE} bytes")]
    TooLong,
}

impl HttpsError {
    /// The exit code that scripts rely on: 3, retrying may help; 4, not trusted; 1, anything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Trust(error) => error.exit_code(),
            Self::Timeout | Self::Broken(_) => 3,
            Self::Malformed(_) | Self::TooLong => 1,
        }
    }
}

/// A client that keeps its connection between requests, one request at a time.
#[derive(Debug)]
pub struct HttpsClient {
    trusted: Trusted,
    sender: Option<SendRequest<Full<Bytes>>>,
    limits: Limits,
    request_timeout: Duration,
}

impl HttpsClient {
    /// A client for a trusted server; it connects when it is first used.
    pub fn new(trusted: Trusted) -> Self {
        Self {
            trusted,
            sender: None,
            limits: Limits::default(),
            request_timeout: REQUEST_TIMEOUT,
        }
    }

    /// Sends a request and takes its answer, over the connection of the last one if that is open.
    ///
    /// If the server closed that connection meanwhile, the request is repeated once over a new one.
    /// The server may have seen it twice then: only send what may be repeated.
    pub async fn request(&mut self, request: &Request) -> Result<Response, HttpsError> {
        let message = message(request)?;
        if let Some(sender) = self.sender.take().filter(|sender| !sender.is_closed()) {
            match self.exchange(sender, message.clone()).await {
                // Ended without an answer, as kept connections do; not a fault of the request.
                Err(HttpsError::Broken(error)) => {
                    tracing::debug!(%error, "the kept connection was closed");
                }
                answer => return answer,
            }
        }
        let connection = connect_within(&self.trusted, Alpn::Http, None, &self.limits).await?;
        let (sender, driver) = http1::Builder::new()
            .max_headers(MAX_HEADERS)
            .handshake(TokioIo::new(connection.stream))
            .await
            .map_err(HttpsError::Broken)?;
        // Ends by itself when the sender is dropped or the server closes.
        tokio::spawn(async move {
            if let Err(error) = driver.await {
                tracing::debug!(%error, "an HTTPS connection ended");
            }
        });
        self.exchange(sender, message).await
    }

    /// One request and its answer; the connection is kept only after a whole answer.
    async fn exchange(
        &mut self,
        mut sender: SendRequest<Full<Bytes>>,
        message: hyper::Request<Full<Bytes>>,
    ) -> Result<Response, HttpsError> {
        let exchange = async {
            sender.ready().await.map_err(HttpsError::Broken)?;
            let response = sender
                .send_request(message)
                .await
                .map_err(HttpsError::Broken)?;
            let status = response.status().as_u16();
            let content_type = response.headers().get(CONTENT_TYPE);
            let content_type = content_type.and_then(|kind| Some(kind.to_str().ok()?.to_owned()));
            let date = response.headers().get(DATE);
            let date = date.and_then(|date| parse_date(date.to_str().ok()?));
            let body = Limited::new(response.into_body(), MAX_RESPONSE)
                .collect()
                .await;
            let body = body.map_err(body_error)?.to_bytes();
            Ok::<_, HttpsError>(Response {
                status,
                content_type,
                date,
                body,
            })
        };
        let response = timeout(self.request_timeout, exchange)
            .await
            .map_err(|_| HttpsError::Timeout)??;
        self.sender = Some(sender);
        Ok(response)
    }
}

/// The most header lines that are taken in an answer.
const MAX_HEADERS: usize = 64;

/// Sends one request over a connection of its own.
pub async fn request(trusted: &Trusted, request: &Request) -> Result<Response, HttpsError> {
    HttpsClient::new(trusted.clone()).request(request).await
}

fn message(request: &Request) -> Result<hyper::Request<Full<Bytes>>, HttpsError> {
    let mut builder = hyper::Request::builder()
        .method(&request.method)
        .uri(&request.target)
        // The name by which the server is proven; the typed address may be none of its names.
        .header(HOST, SERVER_NAME)
        .header(USER_AGENT, concat!("recado/", env!("CARGO_PKG_VERSION")));
    if let Some(accept) = &request.accept {
        builder = builder.header(ACCEPT, accept);
    }
    let body = match &request.body {
        Some(Body {
            content_type,
            bytes,
        }) => {
            builder = builder.header(CONTENT_TYPE, content_type);
            bytes.clone()
        }
        None => Bytes::new(),
    };
    builder.body(Full::new(body)).map_err(HttpsError::Malformed)
}

/// A date of HTTP (RFC 9110, section 5.6.7), in the one form that is still written.
fn parse_date(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc2822).ok()
}

fn body_error(error: Box<dyn std::error::Error + Send + Sync>) -> HttpsError {
    if error.is::<LengthLimitError>() {
        return HttpsError::TooLong;
    }
    match error.downcast::<hyper::Error>() {
        Ok(error) => HttpsError::Broken(*error),
        // `Limited` gives its own error or the body's, both looked for above.
        Err(_) => HttpsError::TooLong,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::test_server::{Authority, Leaf, TestServer};

    fn get(target: &str) -> Request {
        Request {
            method: Method::GET,
            target: target.to_owned(),
            accept: None,
            body: None,
        }
    }

    async fn class() -> (TestServer, HttpsClient) {
        let school = Authority::new("school");
        let server = TestServer::start(&school.serve(&Leaf::default())).await;
        let client = HttpsClient::new(server.trusted(school.fingerprint()));
        (server, client)
    }

    #[test]
    fn the_date_of_an_answer_is_read() {
        let date = parse_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(date.unix_timestamp(), 784_111_777);
        for nonsense in ["", "yesterday", "Sun, 99 Nov 1994 08:49:37 GMT"] {
            assert_eq!(parse_date(nonsense), None, "{nonsense}");
        }
    }

    #[tokio::test]
    async fn alice_asks_twice_over_one_connection() {
        let (server, mut alice) = class().await;
        let answer = alice.request(&get("/echo?x=1")).await.unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!(answer.content_type.as_deref(), Some("text/plain"));
        assert_eq!(answer.body, "GET /echo?x=1 recado.internal - - ");
        let request = Request {
            method: Method::POST,
            target: "/echo".to_owned(),
            accept: Some("text/plain".to_owned()),
            body: Some(Body {
                content_type: "application/json".to_owned(),
                bytes: Bytes::from_static(b"{}"),
            }),
        };
        let answer = alice.request(&request).await.unwrap();
        assert_eq!(
            answer.body,
            "POST /echo recado.internal text/plain application/json {}"
        );
        assert_eq!(server.connections(), 1);
    }

    #[tokio::test]
    async fn a_kept_connection_that_was_closed_is_opened_again_once() {
        let (server, mut alice) = class().await;
        for _ in 0..3 {
            assert_eq!(
                alice.request(&get("/then-close")).await.unwrap().status,
                200
            );
        }
        assert_eq!(server.connections(), 3);
        // Closed without an answer, over the kept connection and over the new one: told, not tried
        // for ever.
        alice.request(&get("/echo")).await.unwrap();
        let error = alice.request(&get("/drop")).await.unwrap_err();
        assert!(matches!(error, HttpsError::Broken(_)), "{error}");
        assert_eq!(error.exit_code(), 3);
        assert_eq!(server.connections(), 5);
        assert_eq!(alice.request(&get("/echo")).await.unwrap().status, 200);
    }

    #[tokio::test]
    async fn errors_of_the_api_are_answers() {
        let (_server, mut alice) = class().await;
        assert_eq!(alice.request(&get("/nowhere")).await.unwrap().status, 404);
    }

    #[tokio::test]
    async fn an_endless_answer_is_cut_off() {
        let (_server, mut alice) = class().await;
        assert_eq!(
            alice
                .request(&get("/long?1048576"))
                .await
                .unwrap()
                .body
                .len(),
            MAX_RESPONSE
        );
        let error = alice.request(&get("/long?1048577")).await.unwrap_err();
        assert!(matches!(error, HttpsError::TooLong), "{error}");
    }

    #[tokio::test]
    async fn a_server_that_never_answers_is_given_up() {
        let (_server, mut alice) = class().await;
        alice.request_timeout = Duration::from_millis(100);
        let error = alice.request(&get("/never")).await.unwrap_err();
        assert!(matches!(error, HttpsError::Timeout), "{error}");
    }

    #[tokio::test]
    async fn a_request_that_is_no_http_is_the_callers_mistake() {
        let (server, mut alice) = class().await;
        let error = alice.request(&get("/a b")).await.unwrap_err();
        assert!(matches!(error, HttpsError::Malformed(_)), "{error}");
        assert_eq!(server.connections(), 0);
    }

    #[tokio::test]
    async fn another_root_gets_no_request() {
        let (_server, alice) = class().await;
        let mut trusted = alice.trusted.clone();
        trusted.root = Authority::new("elsewhere").fingerprint();
        let error = request(&trusted, &get("/echo")).await.unwrap_err();
        assert!(
            matches!(error, HttpsError::Trust(TrustError::Changed { .. })),
            "{error}"
        );
        assert_eq!(error.exit_code(), 4);
    }
}
