//! One calculation, asked in a query or in a body.

use std::io::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

use hyper::HeaderMap;
use hyper::body::Incoming;
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use recado_calc::{Calculation, Operation, calculate};

use super::Shared;
use super::fields::{Fields, unknown_operation};
use super::json::{read_fields, write_member, write_string};
use super::negotiate::Format;
use super::problem::{self, Problem};
use super::query::{Plus, decode, read_pairs};
use super::reply::{Cache, JSON, PLAIN_TEXT, Reply};
use super::request_body::{self, BodyLimits};

/// The operation that a path segment names. An unknown one is 404: its resource does not exist.
pub(super) fn operation_of(segment: &str) -> Result<Operation, Problem> {
    // The usual names need neither decoding nor folding.
    if let Some(operation) = Operation::ALL
        .into_iter()
        .find(|known| known.as_str() == segment)
    {
        return Ok(operation);
    }
    let name = decode(segment, Plus::IsPlus)
        .map_err(|broken| Problem::new(&problem::MALFORMED_PATH, broken.detail()))?;
    name.parse()
        .map_err(|_| unknown_operation(&name).status(404))
}

/// `GET /v1/calc/{operation}`.
pub(super) fn answer_query(
    operation: Operation,
    query: Option<&str>,
    format: Format,
) -> Result<Reply, Problem> {
    let mut fields = Fields::of_query();
    read_pairs(
        query.unwrap_or_default(),
        &mut fields,
        &problem::MALFORMED_QUERY,
    )?;
    let calculation = compute(operation, &fields)?;
    Ok(reply(calculation, format, Cache::Day))
}

/// `POST /v1/calc`.
pub(super) async fn answer_body(
    shared: Arc<Shared>,
    client: IpAddr,
    headers: HeaderMap,
    body: &mut Incoming,
    format: Format,
) -> Result<Reply, Problem> {
    let limits = BodyLimits {
        bytes: shared.limits.single_body_bytes,
        time: shared.limits.body_time,
    };
    let media_type = media_type(&headers, &[MediaType::Json, MediaType::Form])?;
    let body = request_body::read(body, limits).await?;
    shared.rate.take_body(client, body.len())?;
    let fields = match media_type {
        MediaType::Json => read_fields(utf8(&body, &problem::MALFORMED_JSON)?)?,
        MediaType::Form => read_form(utf8(&body, &problem::MALFORMED_FORM)?)?,
    };
    Ok(reply(compute_body(&fields)?, format, Cache::No))
}

/// The body as text, or else a problem of this kind.
pub(super) fn utf8<'a>(body: &'a [u8], kind: &'static problem::Kind) -> Result<&'a str, Problem> {
    std::str::from_utf8(body).map_err(|_| Problem::new(kind, "The body is not UTF-8."))
}

/// Calculates what a body asks for.
pub(super) fn compute_body(fields: &Fields<'_>) -> Result<Calculation, Problem> {
    compute(fields.operation()?, fields)
}

/// Appends the answer's JSON object.
pub(super) fn write_json(json: &mut Vec<u8>, calculation: &Calculation) {
    // Everything but the texts is digits, signs, points and parentheses: nothing to escape.
    json.extend_from_slice(b"{\"operation\":\"");
    json.extend_from_slice(calculation.operation.as_str().as_bytes());
    // Writing to memory does not fail.
    let _ = write!(
        json,
        "\",\"x\":\"{}\",\"y\":\"{}\"",
        calculation.x, calculation.y
    );
    json.extend_from_slice(b",\"result\":");
    write_string(json, &calculation.result);
    json.extend_from_slice(if calculation.exact {
        b",\"exact\":true"
    } else {
        b",\"exact\":false"
    });
    if let Some(fraction) = &calculation.fraction {
        write_member(json, "fraction", fraction);
    }
    if let Some(repeating) = &calculation.repeating {
        write_member(json, "repeating", repeating);
    }
    json.push(b'}');
}

fn compute(operation: Operation, fields: &Fields<'_>) -> Result<Calculation, Problem> {
    let (x, y, precision) = (fields.x()?, fields.y()?, fields.precision()?);
    calculate(operation, x, y, precision).map_err(|error| {
        let problem = Problem::from_calculator(error.kind(), &error, error.limit());
        // The divisor is at fault; a result that is too large is nobody's.
        if *problem.kind == problem::DIVISION_BY_ZERO {
            problem.parameter("y")
        } else {
            problem
        }
    })
}

fn reply(calculation: Calculation, format: Format, cache: Cache) -> Reply {
    match format {
        Format::Json => {
            let mut json = Vec::with_capacity(192);
            write_json(&mut json, &calculation);
            Reply::ok(JSON, cache, json)
        }
        // The digits alone, so that a program can compare them byte for byte.
        Format::Text => Reply::ok(PLAIN_TEXT, cache, calculation.result),
    }
}

fn read_form(text: &str) -> Result<Fields<'_>, Problem> {
    let mut fields = Fields::of_body();
    read_pairs(text, &mut fields, &problem::MALFORMED_FORM)?;
    Ok(fields)
}

/// A media type that bodies come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MediaType {
    Json,
    Form,
}

impl MediaType {
    fn name(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
        }
    }
}

/// The body's media type, if it is one of `supported`.
pub(super) fn media_type(
    headers: &HeaderMap,
    supported: &[MediaType],
) -> Result<MediaType, Problem> {
    /// What a resource takes by POST (W3C Linked Data Platform, section 7.1).
    static ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");

    if headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        let detail = "The body has a Content-Encoding; send it without one.";
        return Err(Problem::new(&problem::UNSUPPORTED_MEDIA_TYPE, detail)
            .header(ACCEPT_ENCODING, HeaderValue::from_static("identity")));
    }
    let mut given = headers.get_all(CONTENT_TYPE).iter();
    if let (Some(value), None) = (given.next(), given.next())
        && let Ok(value) = value.to_str()
    {
        let essence = value.split(';').next().unwrap_or_default().trim();
        let found = supported
            .iter()
            .find(|media| essence.eq_ignore_ascii_case(media.name()));
        if let Some(found) = found {
            return Ok(*found);
        }
    }
    let takes_forms = supported.contains(&MediaType::Form);
    let (detail, accept_post) = if takes_forms {
        (
            "The Content-Type must be application/json or application/x-www-form-urlencoded.",
            "application/json, application/x-www-form-urlencoded",
        )
    } else {
        (
            "The Content-Type must be application/json.",
            "application/json",
        )
    };
    Err(Problem::new(&problem::UNSUPPORTED_MEDIA_TYPE, detail)
        .header(ACCEPT_POST.clone(), HeaderValue::from_static(accept_post)))
}
