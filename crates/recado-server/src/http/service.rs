//! A connection's requests: each is answered, whatever happens, and logged.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use hyper::body::Incoming;
use hyper::service::Service;
use hyper::{Method, Request, Response};

use super::activity::{Activity, InFlight};
use super::answer::AnswerBody;
use super::negotiate::Preferences;
use super::problem::{self, Problem};
use super::reply::Reply;
use super::routes::{self, Answer, Route};
use super::{Shared, Transport};
use crate::metrics::HttpMetrics;

/// The service of one connection.
pub(super) struct ConnectionService {
    shared: Arc<Shared>,
    transport: Transport,
    activity: Arc<Activity>,
}

impl ConnectionService {
    pub(super) fn new(shared: Arc<Shared>, transport: Transport, activity: Arc<Activity>) -> Self {
        Self {
            shared,
            transport,
            activity,
        }
    }
}

impl Service<Request<Incoming>> for ConnectionService {
    type Response = Response<AnswerBody>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let (parts, body) = request.into_parts();
        let preferences = Preferences::of(&parts.headers);
        let exchange = Exchange {
            in_flight: InFlight::begin(&self.activity),
            preferences,
            is_head: parts.method == Method::HEAD,
            is_of_ca: self.transport.is_of_ca,
            method: method_name(&parts.method),
            route: Route::of(parts.uri.path()).pattern(),
            started: (self.shared.metrics.is_some() || tracing::enabled!(tracing::Level::DEBUG))
                .then(Instant::now),
            metrics: self.shared.metrics.clone(),
        };
        // Nothing that a panic may have left half done is used again: what is shared is read only,
        // or tokio's.
        let answer = catch_unwind(AssertUnwindSafe(|| {
            routes::answer(
                &self.shared,
                self.transport.peer.ip(),
                parts,
                body,
                preferences,
            )
        }));
        match answer {
            Ok(Answer::Now(answer)) => Answering::Done(Some(exchange.finish(answer))),
            Ok(Answer::Later(work)) => Answering::Working {
                work,
                exchange: Some(exchange),
            },
            Err(_) => Answering::Done(Some(exchange.finish(Err(defect())))),
        }
    }
}

/// An answer, or the work that ends in it.
pub(super) enum Answering {
    /// Answered; taken by the first poll.
    Done(Option<Response<AnswerBody>>),
    /// Being worked on; the exchange is taken when it is done.
    Working {
        work: Pin<Box<dyn Future<Output = Result<Reply, Problem>> + Send>>,
        exchange: Option<Exchange>,
    },
}

impl Future for Answering {
    type Output = Result<Response<AnswerBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = match &mut *self {
            Self::Done(response) => response.take(),
            Self::Working { work, exchange } => {
                let answer = match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
                    Ok(Poll::Pending) => return Poll::Pending,
                    Ok(Poll::Ready(answer)) => answer,
                    Err(_) => Err(defect()),
                };
                exchange.take().map(|exchange| exchange.finish(answer))
            }
        };
        match response {
            Some(response) => Poll::Ready(Ok(response)),
            None => Poll::Pending, // Polled after its end, which hyper does not do.
        }
    }
}

/// What is known of a request from its head on, for its answer and its log line.
pub(super) struct Exchange {
    in_flight: InFlight,
    preferences: Preferences,
    is_head: bool,
    is_of_ca: bool,
    method: &'static str,
    route: &'static str,
    /// None when nobody wants to know how long it took.
    started: Option<Instant>,
    metrics: Option<Arc<HttpMetrics>>,
}

impl Exchange {
    fn finish(self, answer: Result<Reply, Problem>) -> Response<AnswerBody> {
        let reply = answer.unwrap_or_else(|problem| {
            if *problem.kind == problem::INTERNAL_ERROR {
                tracing::error!(method = self.method, route = self.route, "handler panicked");
            }
            Reply::refusal(problem, self.preferences.problem())
        });
        if let Some(started) = self.started {
            let time = started.elapsed();
            if let Some(metrics) = &self.metrics {
                metrics.answered(self.route, reply.status.as_u16(), time);
            }
            // Never the path or the query: operands are private.
            tracing::debug!(
                method = self.method,
                route = self.route,
                status = reply.status.as_u16(),
                micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX),
                "request"
            );
        }
        reply.into_response(self.is_head, self.is_of_ca, self.in_flight)
    }
}

fn defect() -> Problem {
    Problem::new(
        &problem::INTERNAL_ERROR,
        "The server failed on this request. The request is not at fault.",
    )
}

/// A method as it is logged: methods are any text that a client sends.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::OPTIONS => "OPTIONS",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::HeaderMap;

    #[tokio::test]
    async fn a_panic_in_work_becomes_a_problem() {
        let activity = Arc::new(Activity::default());
        let exchange = Exchange {
            in_flight: InFlight::begin(&activity),
            preferences: Preferences::of(&HeaderMap::new()),
            is_head: false,
            is_of_ca: false,
            method: "POST",
            route: "/v1/calc",
            started: None,
            metrics: None,
        };
        let work = Box::pin(async { panic!("on purpose") });
        let response = Answering::Working {
            work,
            exchange: Some(exchange),
        }
        .await
        .unwrap();
        assert_eq!(response.status(), 500);
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json"
        );
        assert_eq!(activity.in_flight(), 1);
        drop(response);
        assert_eq!(activity.in_flight(), 0);
    }
}
