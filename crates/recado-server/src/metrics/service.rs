//! `/metrics`, `/healthz` and `/readyz`, in plain HTTP, for this machine alone.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::timeout;

use super::Metrics;
use crate::hub_task::ShellEvent;

/// Connections at a time: a few scrapers, and whoever looks after the process. Others wait to be accepted.
const CONNECTIONS: usize = 16;

/// How long one may last: a scrape is one request, and comes again in its own time.
const CONNECTION_TIME: Duration = Duration::from_secs(60);

/// The wait after the system refused a connection for want of something, as files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What OpenMetrics text is called.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What a request is answered from.
pub(crate) struct Watched {
    pub(crate) metrics: Metrics,
    /// The server is to stop, or has been told to.
    pub(crate) stop: watch::Receiver<bool>,
    /// Closed when there is no hub any more.
    pub(crate) events: mpsc::Sender<ShellEvent>,
}

/// Answers for ever.
pub(crate) async fn serve(listener: TcpListener, watched: Arc<Watched>) -> Infallible {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return std::future::pending().await; // It is never closed.
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let watched = watched.clone();
                tokio::spawn(async move {
                    let _ = timeout(CONNECTION_TIME, answer_all(stream, watched)).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection for metrics could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn answer_all(stream: TcpStream, watched: Arc<Watched>) {
    let answer = service_fn(move |request: Request<_>| {
        let answer = answer(&watched, request.method(), request.uri().path());
        std::future::ready(Ok::<_, Infallible>(answer))
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), answer)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection for metrics broke");
    }
}

fn answer(watched: &Watched, method: &Method, path: &str) -> Response<Full<Bytes>> {
    const TEXT: &str = "text/plain; charset=utf-8";
    let is_ready = !*watched.stop.borrow() && !watched.events.is_closed();
    let (status, content_type, body) = match path {
        _ if method != Method::GET && method != Method::HEAD => (
            StatusCode::METHOD_NOT_ALLOWED,
            TEXT,
            "GET only\n".to_owned(),
        ),
        "/metrics" => (StatusCode::OK, OPEN_METRICS, watched.metrics.encode()),
        "/healthz" => (StatusCode::OK, TEXT, "alive\n".to_owned()),
        "/readyz" if is_ready => (StatusCode::OK, TEXT, "ready\n".to_owned()),
        "/readyz" => (
            StatusCode::SERVICE_UNAVAILABLE,
            TEXT,
            "stopping\n".to_owned(),
        ),
        _ => (
            StatusCode::NOT_FOUND,
            TEXT,
            "/metrics, /healthz, /readyz\n".to_owned(),
        ),
    };
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
