//! What the service has: its resources, their methods, and who answers.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use hyper::body::{Body as _, Incoming};
use hyper::header::{ALLOW, CONTENT_DISPOSITION, CONTENT_LANGUAGE, HOST, HeaderValue};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Version};

use super::negotiate::{self, Format, Preferences};
use super::page::{self, Language};
use super::problem::{self, KINDS, Problem};
use super::reply::{CSS, Cache, HTML, JAVASCRIPT, JSON, PEM, PLAIN_TEXT, Reply, SVG};
use super::request_body;
use super::{Shared, batch, calc};

/// What is to be answered.
pub(super) enum Answer {
    /// The answer itself.
    Now(Result<Reply, Problem>),
    /// The work that ends in it.
    Later(Pin<Box<dyn Future<Output = Result<Reply, Problem>> + Send>>),
}

/// The resource that a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route<'a> {
    /// `/v1/calc/{operation}`, with the operation as it was sent.
    Operation(&'a str),
    /// `/v1/calc`.
    Calculations,
    /// `/v1/calc/batch`.
    Batches,
    /// `/root.pem`.
    RootPem,
    /// `/problems/{kind}`.
    ProblemKind(&'a str),
    /// `/openapi.json`.
    OpenApi,
    /// `/docs`.
    Docs,
    /// `/`.
    Page,
    /// `/page.js`.
    Script,
    /// `/style.css`.
    Style,
    /// `/icon.svg`.
    Icon,
    /// `*`, the service as a whole, which OPTIONS may ask about.
    Service,
    /// None.
    Unknown,
}

impl Route<'static> {
    /// Every resource, in the order in which people look for them, with a placeholder for what varies.
    pub(super) const ALL: [Self; 11] = [
        Self::Operation("{operation}"),
        Self::Calculations,
        Self::Batches,
        Self::ProblemKind("{kind}"),
        Self::RootPem,
        Self::OpenApi,
        Self::Docs,
        Self::Page,
        Self::Script,
        Self::Style,
        Self::Icon,
    ];
}

impl<'a> Route<'a> {
    /// Finds a path's resource. A match and not a router: there are few, none overlap, and routers
    /// cost a boxed future and a boxed body for each request.
    pub(super) fn of(path: &'a str) -> Self {
        if let Some(operation) = path.strip_prefix("/v1/calc/") {
            return match operation {
                "batch" => Self::Batches,
                "" => Self::Unknown,
                _ if operation.contains('/') => Self::Unknown,
                _ => Self::Operation(operation),
            };
        }
        match path {
            "/v1/calc" => Self::Calculations,
            "/root.pem" => Self::RootPem,
            "/openapi.json" => Self::OpenApi,
            "/docs" => Self::Docs,
            "/" => Self::Page,
            "/page.js" => Self::Script,
            "/style.css" => Self::Style,
            "/icon.svg" => Self::Icon,
            "*" => Self::Service,
            _ => match path.strip_prefix("/problems/") {
                Some(slug) => Self::ProblemKind(slug),
                None => Self::Unknown,
            },
        }
    }

    /// The route as it is logged: without what was sent.
    pub(super) fn pattern(self) -> &'static str {
        match self {
            Self::Operation(_) => "/v1/calc/{operation}",
            Self::Calculations => "/v1/calc",
            Self::Batches => "/v1/calc/batch",
            Self::RootPem => "/root.pem",
            Self::ProblemKind(_) => "/problems/{kind}",
            Self::OpenApi => "/openapi.json",
            Self::Docs => "/docs",
            Self::Page => "/",
            Self::Script => "/page.js",
            Self::Style => "/style.css",
            Self::Icon => "/icon.svg",
            Self::Service => "*",
            Self::Unknown => "unknown",
        }
    }

    /// Its methods, as the Allow header has them.
    pub(super) fn allow(self) -> &'static str {
        match self {
            Self::Operation(_)
            | Self::RootPem
            | Self::ProblemKind(_)
            | Self::OpenApi
            | Self::Docs
            | Self::Page
            | Self::Script
            | Self::Style
            | Self::Icon => "GET, HEAD, OPTIONS",
            Self::Calculations | Self::Batches => "OPTIONS, POST",
            Self::Service | Self::Unknown => "GET, HEAD, OPTIONS, POST",
        }
    }
}

/// Answers a request, or begins to. A body that nobody read is read before the answer is given.
pub(super) fn answer(
    shared: &Arc<Shared>,
    peer: IpAddr,
    parts: Parts,
    mut body: Incoming,
    preferences: Preferences,
) -> Answer {
    let is_unread = request_body::is_unread(&body, &parts.headers);
    let client = shared.rate.client(peer, &parts.headers);
    let may_ask = shared.rate.take_request(client);
    match may_ask.and_then(|()| begin(shared, parts, preferences)) {
        Ok(Begun::Now(reply)) if !is_unread => Answer::Now(Ok(reply)),
        Err(problem) if !is_unread => Answer::Now(Err(problem)),
        begun => {
            let shared = Arc::clone(shared);
            Answer::Later(Box::pin(async move {
                let answer = match begun {
                    Ok(Begun::Now(reply)) => Ok(reply),
                    Ok(Begun::Calculation(headers, format)) => {
                        calc::answer_body(shared, client, headers, &mut body, format).await
                    }
                    Ok(Begun::Batch(headers)) => {
                        batch::answer(shared, client, headers, &mut body).await
                    }
                    Err(problem) => Err(problem),
                };
                // One whose body took too long has had its time.
                let has_time =
                    !matches!(&answer, Err(problem) if problem.kind == &problem::BODY_TIMEOUT);
                if is_unread && has_time && !body.is_end_stream() {
                    request_body::discard(&mut body).await;
                }
                answer
            }))
        }
    }
}

/// How far a request's head brings its answer.
enum Begun {
    /// To its end.
    Now(Reply),
    /// A calculation is in the body.
    Calculation(HeaderMap, Format),
    /// A batch is in the body.
    Batch(HeaderMap),
}

fn begin(shared: &Shared, parts: Parts, preferences: Preferences) -> Result<Begun, Problem> {
    if parts.version == Version::HTTP_11 && parts.headers.get_all(HOST).iter().count() != 1 {
        let detail = "An HTTP/1.1 request needs exactly one Host header.";
        return Err(Problem::new(&problem::BAD_HOST, detail));
    }
    let route = Route::of(parts.uri.path());
    let is_get = parts.method == Method::GET || parts.method == Method::HEAD;
    let format = || preferences.result().ok_or_else(not_acceptable);
    let reply = match route {
        // An operation's name decides whether there is a resource, whatever the method.
        Route::Operation(name) => match calc::operation_of(name)? {
            operation if is_get => calc::answer_query(operation, parts.uri.query(), format()?)?,
            _ => other_method(route, &parts.method)?,
        },
        Route::Calculations if parts.method == Method::POST => {
            refuse_query(&parts)?;
            return Ok(Begun::Calculation(parts.headers, format()?));
        }
        Route::Batches if parts.method == Method::POST => {
            refuse_query(&parts)?;
            if !preferences.takes_json() {
                return Err(not_acceptable());
            }
            return Ok(Begun::Batch(parts.headers));
        }
        Route::RootPem if is_get => {
            let pem = (shared.root_pem)();
            Reply::ok(PEM, Cache::AskFirst, pem.as_bytes().to_vec()).header(
                CONTENT_DISPOSITION,
                "attachment; filename=\"recado-root.pem\"",
            )
        }
        Route::OpenApi if is_get => Reply::ok(
            JSON,
            Cache::AskFirst,
            shared.documentation().openapi.clone(),
        ),
        Route::Docs if is_get => {
            Reply::ok(HTML, Cache::AskFirst, shared.documentation().page.clone())
        }
        Route::Page if is_get => {
            let language = Language::of_query(parts.uri.query())
                .unwrap_or_else(|| negotiate::language(&parts.headers));
            Reply::ok(HTML, Cache::AskFirst, page::page(language))
                .header(CONTENT_LANGUAGE, language.tag())
        }
        Route::Script if is_get => Reply::ok(JAVASCRIPT, Cache::AskFirst, page::SCRIPT),
        Route::Style if is_get => Reply::ok(CSS, Cache::AskFirst, page::STYLE),
        Route::Icon if is_get => Reply::ok(SVG, Cache::AskFirst, page::ICON),
        Route::ProblemKind(slug) => match KINDS.iter().find(|kind| kind.slug == slug) {
            Some(kind) if is_get => {
                let text = format!("{}\n\n{}\n", kind.title, kind.about);
                Reply::ok(PLAIN_TEXT, Cache::Day, text)
            }
            Some(_) => other_method(route, &parts.method)?,
            None => return Err(not_found()),
        },
        Route::Unknown => return Err(not_found()),
        _ => other_method(route, &parts.method)?,
    };
    Ok(Begun::Now(reply))
}

fn other_method(route: Route<'_>, method: &Method) -> Result<Reply, Problem> {
    let allow = route.allow();
    if method == Method::OPTIONS {
        return Ok(Reply::options(allow));
    }
    let detail = match route {
        Route::Calculations if method == Method::GET => {
            "Calculations are asked for by POST here, or by GET at /v1/calc/{operation}, for example /v1/calc/add?x=0.1&y=0.2.".to_owned()
        }
        _ => format!("The methods here are {allow}."),
    };
    Err(Problem::new(&problem::METHOD_NOT_ALLOWED, detail)
        .header(ALLOW, HeaderValue::from_static(allow)))
}

/// What is sent by POST is in the body; parameters beside it would be ignored, so they are refused.
fn refuse_query(parts: &Parts) -> Result<(), Problem> {
    match parts.uri.query() {
        None | Some("") => Ok(()),
        Some(_) => Err(Problem::new(
            &problem::UNKNOWN_PARAMETER,
            "A POST takes its parameters in the body and none in the query.",
        )),
    }
}

fn not_acceptable() -> Problem {
    Problem::new(
        &problem::NOT_ACCEPTABLE,
        "The Accept header excludes every representation that there is.",
    )
}

fn not_found() -> Problem {
    Problem::new(
        &problem::NOT_FOUND,
        "There is nothing at this path. A calculation is at /v1/calc/{operation}, for example /v1/calc/add?x=0.1&y=0.2.",
    )
}
