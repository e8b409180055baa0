//! The description in OpenAPI 3.1.

use std::collections::BTreeMap;

use recado_calc::Operation;
use recado_calc::limits::{
    self as calc, DEFAULT_PRECISION, MAX_EXACT_DIGITS, MAX_FRACTION_CHARS, MAX_OPERAND_BYTES,
    MAX_PLAIN_CHARS, MAX_PRECISION, MAX_REPEATING_DIGITS,
};
use serde_json::{Map, Value, json};

use super::super::HttpLimits;
use super::super::problem::{self, KINDS, Kind, LIMIT_NAMES};
use super::super::reply::{CSS, HTML, JAVASCRIPT, JSON, PEM, PLAIN_TEXT, PROBLEM_JSON, SVG};
use super::super::routes::Route;

/// A decimal number as a text.
const NUMBER: &str = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$";

/// A number as it is answered.
const CANONICAL: &str = r"^-?[0-9]+(\.[0-9]+)?(e[+-][0-9]+)?$";

/// What any request may meet.
const ANYWHERE: &[&Kind] = &[
    &problem::BAD_HOST,
    &problem::TOO_MANY_REQUESTS,
    &problem::INTERNAL_ERROR,
];

/// What a calculation may meet, wherever its parameters come from.
const CALCULATION: &[&Kind] = &[
    &problem::MISSING_PARAMETER,
    &problem::DUPLICATE_PARAMETER,
    &problem::UNKNOWN_PARAMETER,
    &problem::NOT_CALCULABLE,
    &problem::DIVISION_BY_ZERO,
    &problem::RESULT_OUT_OF_RANGE,
    &problem::EMPTY,
    &problem::NAN,
    &problem::INFINITY,
    &problem::DECIMAL_COMMA,
    &problem::THOUSANDS_SEPARATOR,
    &problem::NON_ASCII_DIGIT,
    &problem::CONTROL_CHARACTER,
    &problem::SPACE_FOR_PLUS,
    &problem::WHITE_SPACE,
    &problem::TRAILING_CHARACTERS,
    &problem::MALFORMED,
    &problem::TOO_MANY_DIGITS,
    &problem::EXPONENT_OUT_OF_RANGE,
    &problem::TEXT_TOO_LONG,
    &problem::PRECISION_NOT_WHOLE,
    &problem::PRECISION_OUT_OF_RANGE,
];

/// What a body may meet.
const BODY: &[&Kind] = &[
    &problem::MALFORMED_JSON,
    &problem::MALFORMED_BODY,
    &problem::BODY_TIMEOUT,
    &problem::BODY_TOO_LARGE,
    &problem::UNSUPPORTED_MEDIA_TYPE,
    &problem::NOT_ACCEPTABLE,
    &problem::UNKNOWN_PARAMETER,
];

/// The whole description.
pub(super) fn describe(limits: &HttpLimits) -> Value {
    let paths: Map<String, Value> = Route::ALL
        .into_iter()
        .filter_map(|route| Some((route.pattern().to_owned(), path(route, limits)?)))
        .collect();
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "recado",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Exact sums over HTTPS",
            "description": introduction(limits),
            "license": { "name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": { "schemas": schemas() },
    })
}

fn introduction(limits: &HttpLimits) -> String {
    let mut text = String::from(
        "Adds, subtracts, multiplies and divides decimal numbers exactly, with every digit.\n\n\
         There is no authentication, and no state: the same question always has the same answer. HEAD goes with every GET, \
         and OPTIONS answers with the methods of a path in `Allow`. Every refusal is a problem (RFC 9457) whose `type` \
         programs can go by; for a client that prefers `text/plain`, an answer is the bare result and a refusal its text.\n\n\
         What never becomes a request has an empty answer, and its connection is closed: a malformed head (400), one \
         beyond its limit (431), a target beyond 64 KiB (414).\n\n\
         ## Limits of calculations\n\n\
         A refusal that one of these causes names it in `limit_name`, in lower case, with its value in `limit`.\n\n",
    );
    for limit in calc::ALL {
        text += &format!(
            "- `{}` = {}: {}\n",
            limit.name,
            limit.value,
            plain(limit.about)
        );
    }
    text += "\n## Limits of the service\n\n";
    for limit in limits.described() {
        text += &format!(
            "- `{}` = {}: {}\n",
            limit.name,
            limit.value,
            plain(limit.about)
        );
    }
    text
}

/// A doc comment as running text: lines joined, links to other items without their brackets.
pub(super) fn plain(about: &str) -> String {
    let words: Vec<&str> = about.split_whitespace().collect();
    words.join(" ").replace("[`", "`").replace("`]", "`")
}

/// A path's methods; none for what is no path.
fn path(route: Route<'_>, limits: &HttpLimits) -> Option<Value> {
    Some(match route {
        Route::Operation(_) => json!({ "get": calculation_by_query() }),
        Route::Calculations => json!({ "post": calculation_by_body() }),
        Route::Batches => json!({ "post": batch(limits) }),
        Route::RootPem => resource(
            "rootCertificate",
            "The server's root certificate",
            "For clients that are to trust this server. It may be issued anew over the same key.",
            PEM,
        ),
        Route::ProblemKind(_) => json!({ "get": problem_kind() }),
        Route::OpenApi => resource(
            "description",
            "This description",
            "OpenAPI 3.1, made from what the service works with.",
            JSON,
        ),
        Route::Docs => resource(
            "documentation",
            "This description as a page",
            "For people. It loads nothing from elsewhere.",
            HTML,
        ),
        Route::Page => page(),
        Route::Script => resource(
            "script",
            "The calculator page's script",
            "It asks this API.",
            JAVASCRIPT,
        ),
        Route::Style => resource("style", "The pages' style sheet", "Light and dark.", CSS),
        Route::Icon => resource("icon", "The pages' icon", "For tabs.", SVG),
        Route::Service | Route::Unknown => return None,
    })
}

/// What is answered by GET without a question.
fn resource(id: &str, summary: &str, description: &str, content_type: &str) -> Value {
    json!({ "get": {
        "operationId": id,
        "summary": summary,
        "description": description,
        "responses": responses(
            json!({
                "description": summary,
                "headers": caching(),
                "content": { content_type: { "schema": { "type": "string" } } },
            }),
            ANYWHERE.iter().map(|kind| (kind.status, *kind)),
        ),
    }})
}

fn page() -> Value {
    let mut page = resource(
        "page",
        "The calculator as a web page",
        "In Portuguese for who prefers it by Accept-Language, else in English.",
        HTML,
    );
    page["get"]["parameters"] = json!([{
        "name": "lang",
        "in": "query",
        "required": false,
        "description": "`pt-BR` or `en`, in place of Accept-Language. Anything else is as if it were not there.",
        "schema": { "type": "string" },
    }]);
    page
}

fn calculation_by_query() -> Value {
    let number = |name: &str, what: &str| {
        json!({
            "name": name,
            "in": "query",
            "required": true,
            "description": format!("{what} A plus sign is written `%2B`, because in a query `+` is a space."),
            "schema": { "$ref": "#/components/schemas/NumberText" },
            "example": if name == "x" { "1" } else { "3" },
        })
    };
    let kinds = [
        ANYWHERE,
        CALCULATION,
        &[
            &problem::MALFORMED_PATH,
            &problem::MALFORMED_QUERY,
            &problem::NOT_ACCEPTABLE,
            &problem::NOT_FOUND,
        ],
    ];
    let kinds = kinds.concat().into_iter().map(|kind| (kind.status, kind));
    json!({
        "operationId": "calculate",
        "summary": "One calculation",
        "description": "The answer never changes, so it may be kept for a day.",
        "parameters": [
            {
                "name": "operation",
                "in": "path",
                "required": true,
                "description": "What to calculate.",
                "schema": { "$ref": "#/components/schemas/Operation" },
                "example": "divide",
            },
            number("x", "The first number."),
            number("y", "The second number."),
            {
                "name": "precision",
                "in": "query",
                "required": false,
                "description": PRECISION,
                "schema": { "type": "integer", "minimum": 1, "maximum": MAX_PRECISION },
            },
        ],
        // In a path an operation that does not exist is a resource that does not.
        "responses": responses(answer(), kinds.chain([(404, &problem::UNKNOWN_OPERATION)])),
    })
}

fn calculation_by_body() -> Value {
    let kinds = [
        ANYWHERE,
        BODY,
        CALCULATION,
        &[
            &problem::MALFORMED_FORM,
            &problem::UNKNOWN_OPERATION,
            &problem::WRONG_TYPE,
        ],
    ];
    json!({
        "operationId": "calculateFromBody",
        "summary": "One calculation, sent as JSON or as a form",
        "description": "The path has no query: a parameter there would be ignored, so it is refused.",
        "requestBody": {
            "required": true,
            "content": {
                "application/json": {
                    "schema": { "$ref": "#/components/schemas/Calculation" },
                    "example": { "operation": "divide", "x": "1", "y": "3" },
                },
                "application/x-www-form-urlencoded": {
                    "schema": { "$ref": "#/components/schemas/CalculationForm" },
                },
            },
        },
        "responses": responses(answer(), kinds.concat().into_iter().map(|kind| (kind.status, kind))),
    })
}

fn batch(limits: &HttpLimits) -> Value {
    let kinds = [ANYWHERE, BODY, &[&problem::BATCH_TOO_LONG, &problem::BUSY]];
    json!({
        "operationId": "calculateBatch",
        "summary": "Many calculations in one request",
        "description": format!(
            "The answer is an array of the same length, in the same order: an answer for each item, or a problem in its \
             place. After {} bytes of answers the remaining items are refused one by one (`batch-answer-too-large`).",
            limits.batch_answer_bytes,
        ),
        "requestBody": {
            "required": true,
            "content": { "application/json": {
                "schema": {
                    "type": "array",
                    "maxItems": limits.batch_items,
                    "items": {
                        "description": "A `Calculation`. Anything else has a problem in its place.",
                        "anyOf": [{ "$ref": "#/components/schemas/Calculation" }, {}],
                    },
                },
                "example": [
                    { "operation": "add", "x": "0.1", "y": "0.2" },
                    { "operation": "divide", "x": 1, "y": 0 },
                ],
            } },
        },
        "responses": responses(
            json!({
                "description": "An answer or a problem for each item.",
                "content": { JSON: { "schema": {
                    "type": "array",
                    "maxItems": limits.batch_items,
                    "items": { "oneOf": [
                        { "$ref": "#/components/schemas/Answer" },
                        { "$ref": "#/components/schemas/Problem" },
                    ] },
                } } },
            }),
            kinds.concat().into_iter().map(|kind| (kind.status, kind)),
        ),
    })
}

fn problem_kind() -> Value {
    let slugs: Vec<_> = KINDS.iter().map(|kind| kind.slug).collect();
    json!({
        "operationId": "problemKind",
        "summary": "What a problem's type means",
        "description": "A problem's `type` is a path of this service.",
        "parameters": [{
            "name": "kind",
            "in": "path",
            "required": true,
            "description": "The last part of the `type`.",
            "schema": { "type": "string", "enum": slugs },
        }],
        "responses": responses(
            json!({
                "description": "Its title, an empty line, and its explanation.",
                "headers": caching(),
                "content": { PLAIN_TEXT: { "schema": { "type": "string" } } },
            }),
            [ANYWHERE, &[&problem::NOT_FOUND]].concat().into_iter().map(|kind| (kind.status, kind)),
        ),
    })
}

fn answer() -> Value {
    json!({
        "description": "The answer. With `Accept: text/plain` it is the bare `result`, without a line break.",
        "headers": caching(),
        "content": {
            JSON: {
                "schema": { "$ref": "#/components/schemas/Answer" },
                "example": {
                    "operation": "divide", "x": "1", "y": "3",
                    "result": "0.3333333333333333333333333333333333", "exact": false,
                    "fraction": "1/3", "repeating": "0.(3)",
                },
            },
            PLAIN_TEXT: { "schema": { "type": "string", "pattern": CANONICAL } },
        },
    })
}

fn caching() -> Value {
    json!({ "Cache-Control": {
        "description": "How long the answer may be kept.",
        "schema": { "type": "string" },
    } })
}

/// The responses of a method: the good one, and a problem for each status that its kinds have.
fn responses(good: Value, kinds: impl Iterator<Item = (u16, &'static Kind)>) -> Value {
    let mut by_status: BTreeMap<u16, Vec<&Kind>> = BTreeMap::new();
    for (status, kind) in kinds {
        let here = by_status.entry(status).or_default();
        if !here.contains(&kind) {
            here.push(kind);
        }
    }
    let mut responses = Map::new();
    responses.insert("200".to_owned(), good);
    // Given before there is a request that could have a problem.
    for (status, what) in [
        (
            414,
            "The target is longer than 64 KiB. Empty; the connection is closed.",
        ),
        (
            431,
            "The head is larger than its limit. Empty; the connection is closed.",
        ),
    ] {
        responses.insert(status.to_string(), json!({ "description": what }));
    }
    for (status, kinds) in by_status {
        let types: Vec<_> = kinds.iter().map(|kind| type_of(kind)).collect();
        let titles: Vec<_> = kinds
            .iter()
            .map(|kind| format!("`{}`: {}.", kind.slug, kind.title))
            .collect();
        let mut problem = json!({
            "description": titles.join(" "),
            "content": {
                PROBLEM_JSON: { "schema": {
                    "allOf": [{ "$ref": "#/components/schemas/Problem" }],
                    "properties": { "type": { "enum": types }, "status": { "const": status } },
                } },
                PLAIN_TEXT: { "schema": { "type": "string" } },
            },
        });
        if [429, 503].contains(&status) {
            problem["headers"] = json!({ "Retry-After": {
                "description": "After how many seconds to repeat the request.",
                "schema": { "type": "integer", "minimum": 1 },
            } });
        }
        responses.insert(status.to_string(), problem);
    }
    responses.into()
}

fn type_of(kind: &Kind) -> String {
    format!("/problems/{}", kind.slug)
}

const PRECISION: &str = "How many significant digits to round to. Without it, a result that terminates is given \
    whole, and any other is rounded.";

fn schemas() -> Value {
    let operations: Vec<_> = Operation::ALL
        .into_iter()
        .flat_map(Operation::names)
        .collect();
    let english: Vec<_> = Operation::ALL
        .iter()
        .map(|operation| operation.as_str())
        .collect();
    let statuses: std::collections::BTreeSet<_> = KINDS.iter().map(|kind| kind.status).collect();
    let types: Vec<_> = KINDS.iter().map(|kind| type_of(kind)).collect();
    let canonical = |description: &str, pattern: &str, length: usize| json!({ "description": description, "type": "string", "pattern": pattern, "maxLength": length });
    // A sign, a point, and an exponent such as e-20000.
    let longest_number = MAX_PLAIN_CHARS.max(MAX_EXACT_DIGITS + 9);
    json!({
        "Operation": {
            "description": "An operation's name, in English or Portuguese, in any case.",
            "type": "string",
            "enum": operations,
        },
        "NumberText": {
            "description": "A decimal number, with a point: an optional sign, digits with at most one point, and an \
                optional exponent. Its limits are in the introduction.",
            "type": "string",
            "pattern": NUMBER,
            "maxLength": MAX_OPERAND_BYTES,
        },
        "Number": {
            "description": "A JSON number, whose digits are kept as they are written, or a text.",
            "oneOf": [{ "type": "number" }, { "$ref": "#/components/schemas/NumberText" }],
        },
        "Precision": {
            "description": PRECISION,
            "oneOf": [
                { "type": "integer", "minimum": 1, "maximum": MAX_PRECISION },
                { "type": "string", "pattern": "^0*([1-9][0-9]{0,2}|1000)$" },
                { "type": "null" },
            ],
            "default": DEFAULT_PRECISION,
        },
        "Calculation": {
            "description": "A calculation to be done.",
            "type": "object",
            "required": ["operation", "x", "y"],
            "additionalProperties": false,
            "properties": {
                "operation": { "$ref": "#/components/schemas/Operation" },
                "x": { "$ref": "#/components/schemas/Number" },
                "y": { "$ref": "#/components/schemas/Number" },
                "precision": { "$ref": "#/components/schemas/Precision" },
            },
        },
        "CalculationForm": {
            "description": "The same as a form.",
            "type": "object",
            "required": ["operation", "x", "y"],
            "additionalProperties": false,
            "properties": {
                "operation": { "$ref": "#/components/schemas/Operation" },
                "x": { "$ref": "#/components/schemas/NumberText" },
                "y": { "$ref": "#/components/schemas/NumberText" },
                "precision": { "type": "integer", "minimum": 1, "maximum": MAX_PRECISION },
            },
        },
        "Answer": {
            "description": "A calculation that was done.",
            "type": "object",
            "required": ["operation", "x", "y", "result", "exact"],
            "additionalProperties": false,
            "properties": {
                "operation": { "description": "Its English name.", "type": "string", "enum": english },
                "x": canonical("The first number in canonical form.", CANONICAL, longest_number),
                "y": canonical("The second number in canonical form.", CANONICAL, longest_number),
                "result": canonical(
                    &format!(
                        "The result in canonical form: plain notation to {MAX_PLAIN_CHARS} characters, else `d.ddde±N`."
                    ),
                    CANONICAL,
                    longest_number,
                ),
                "exact": {
                    "description": "Whether `result` is the true value; else it is rounded half-even.",
                    "type": "boolean",
                },
                "fraction": canonical(
                    "The true value, reduced. Only where `exact` is false and it fits.",
                    "^-?[0-9]+/[0-9]+$",
                    MAX_FRACTION_CHARS,
                ),
                "repeating": canonical(
                    "The true value with its repeating digits in parentheses. Only where it does not terminate and \
                     they fit.",
                    r"^-?[0-9]+\.[0-9]*\([0-9]+\)$",
                    // With a sign, a point and two parentheses.
                    MAX_PLAIN_CHARS + MAX_REPEATING_DIGITS + 4,
                ),
            },
        },
        "Problem": {
            "description": "A refusal (RFC 9457).",
            "type": "object",
            "required": ["type", "title", "status", "detail"],
            "additionalProperties": false,
            "properties": {
                "type": {
                    "description": "What kind it is: a path of this service, which explains it.",
                    "type": "string",
                    "enum": types,
                },
                "title": { "description": "The kind in words.", "type": "string" },
                "status": { "description": "The HTTP status.", "type": "integer", "enum": statuses },
                "detail": { "description": "What happened this time, and what to do.", "type": "string" },
                "parameter": {
                    "description": "The parameter at fault.",
                    "type": "string",
                    "enum": ["operation", "x", "y", "precision"],
                },
                "limit": { "description": "The limit that was passed.", "type": "integer" },
                "limit_name": { "description": "Its name.", "type": "string", "enum": LIMIT_NAMES },
            },
        },
    })
}
