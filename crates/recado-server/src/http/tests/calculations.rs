//! Single calculations: what is answered and what is refused.

use super::harness::{Ask, BOTH, FORM, JSON, Server};
use crate::http::problem::KINDS;

const SUM: &str = r#"{"operation":"add","x":"0.1","y":"0.2","result":"0.3","exact":true}"#;
const THIRD: &str = r#"{"operation":"divide","x":"1","y":"3","result":"0.3333333333333333333333333333333333","exact":false,"fraction":"1/3","repeating":"0.(3)"}"#;
const THIRD_OF_4: &str = r#"{"operation":"divide","x":"1","y":"3","result":"0.3333","exact":false,"fraction":"1/3","repeating":"0.(3)"}"#;

#[tokio::test]
async fn alice_calculates_in_every_way() {
    for protocol in BOTH {
        let mut alice = Server::new().client(protocol).await;
        for (target, body) in [
            ("/v1/calc/add?x=0.1&y=0.2", SUM),
            ("/v1/calc/soma?y=0.2&x=0.1", SUM),
            ("/v1/calc/add?&x=%30.10&&y=2e-1&", SUM),
            ("/v1/calc/add?%78=0.1&y=+0.2&precision=34", ""),
            ("/v1/calc/add?x=0.1&y=%2B0.2", SUM),
            ("/v1/calc/divide?x=1&y=3", THIRD),
            ("/v1/calc/divis%C3%A3o?x=1&y=3&precision=34", THIRD),
            ("/v1/calc/DIVISAO?x=1&y=3&precision=4", THIRD_OF_4),
        ] {
            let reply = alice.get(target).await;
            if body.is_empty() {
                assert_eq!(reply.problem(), "space-for-plus", "{target}");
                continue;
            }
            assert_eq!(reply.status, 200, "{target}: {reply:?}");
            assert_eq!(reply.body, body, "{target}");
            assert_eq!(reply.header("content-type"), JSON);
            assert_eq!(
                reply.header("cache-control"),
                "public, max-age=86400, immutable"
            );
            assert_eq!(reply.header("content-length"), body.len().to_string());
        }
        for (content_type, sent, body) in [
            (JSON, r#"{"operation":"add","x":"0.1","y":"0.2"}"#, SUM),
            (
                JSON,
                r#" { "y" : 0.2 , "x" : 0.1 , "operation" : "soma" } "#,
                SUM,
            ),
            (
                JSON,
                r#"{"operation":"add","x":1E-1,"y":"\u0030.2","precision":null}"#,
                SUM,
            ),
            (
                JSON,
                r#"{"\u006fperation":"divis\u00e3o","x":1,"y":3}"#,
                THIRD,
            ),
            (
                JSON,
                r#"{"operation":"divide","x":1,"y":3,"precision":4}"#,
                THIRD_OF_4,
            ),
            (
                JSON,
                r#"{"operation":"divide","x":1,"y":3,"precision":"4"}"#,
                THIRD_OF_4,
            ),
            (
                "APPLICATION/json ; charset=utf-8",
                r#"{"operation":"add","x":0.1,"y":0.2}"#,
                SUM,
            ),
            (FORM, "operation=add&x=0.1&y=0.2", SUM),
            (
                FORM,
                "operation=divis%C3%A3o&x=1&y=3&precision=4",
                THIRD_OF_4,
            ),
            (FORM, "operation=divisão&x=1&y=3&precision=4", THIRD_OF_4),
        ] {
            let reply = alice.post("/v1/calc", content_type, sent).await;
            assert_eq!(reply.status, 200, "{sent}: {reply:?}");
            assert_eq!(reply.body, body, "{sent}");
            assert_eq!(reply.header("content-type"), JSON);
            assert_eq!(reply.header("cache-control"), "no-store");
        }
    }
}

#[tokio::test]
async fn numbers_keep_all_their_digits() {
    let mut alice = Server::new().client(BOTH[0]).await;
    let long = "12345678901234567890123456789012345678901234567890.0000000000000000000000000001";
    for body in [
        format!(r#"{{"operation":"add","x":{long},"y":0}}"#),
        format!(r#"{{"operation":"add","x":"{long}","y":-0.0}}"#),
    ] {
        assert_eq!(
            alice.post("/v1/calc", JSON, &body).await.json()["result"],
            long
        );
    }
}

#[tokio::test]
async fn plain_text_is_bare() {
    for protocol in BOTH {
        let mut alice = Server::new().client(protocol).await;
        for (target, status, body) in [
            ("/v1/calc/add?x=0.1&y=0.2", 200, "0.3"),
            (
                "/v1/calc/divide?x=1&y=0",
                422,
                "y: Division by zero has no result: divide by another number.\n",
            ),
            ("/v1/calc/add?x=1", 400, "y: y is missing.\n"),
        ] {
            let reply = alice
                .send(Ask::get(target).header("accept", "text/plain"))
                .await;
            assert_eq!((reply.status.as_u16(), &*reply.body), (status, body));
            assert_eq!(reply.header("content-type"), "text/plain; charset=utf-8");
            assert_eq!(reply.header("vary"), "accept");
        }
        let ask =
            Ask::post("/v1/calc", FORM, "operation=add&x=1&y=2").header("accept", "text/plain");
        assert_eq!(alice.send(ask).await.body, "3");
        let reply = alice
            .send(Ask::get("/v1/calc/add?x=1&y=2").header("accept", "image/png"))
            .await;
        assert_eq!(
            (reply.status.as_u16(), &*reply.problem()),
            (406, "not-acceptable")
        );
    }
}

/// What is refused: the target or body, the status, the kind, the parameter and the limit.
type Refusal<'a> = (
    &'a str,
    u16,
    &'a str,
    Option<&'a str>,
    Option<(&'a str, u64)>,
);

#[tokio::test]
async fn what_is_wrong_with_a_query_is_said() {
    let digits = format!("/v1/calc/add?x={}&y=1", "9".repeat(1_001));
    let text = format!("/v1/calc/add?x={}&y=1", "0".repeat(12_001));
    let refusals: &[Refusal<'_>] = &[
        ("/v1/calc/add", 400, "missing-parameter", Some("x"), None),
        ("/v1/calc/add?", 400, "missing-parameter", Some("x"), None),
        (
            "/v1/calc/add?x=1",
            400,
            "missing-parameter",
            Some("y"),
            None,
        ),
        (
            "/v1/calc/add?x=1&y=2&x=1",
            400,
            "duplicate-parameter",
            Some("x"),
            None,
        ),
        (
            "/v1/calc/add?x=1&y=2&precision=3&precision=3",
            400,
            "duplicate-parameter",
            Some("precision"),
            None,
        ),
        (
            "/v1/calc/add?x=1&y=2&precison=3",
            400,
            "unknown-parameter",
            None,
            None,
        ),
        (
            "/v1/calc/add?x=1&y=2&operation=add",
            400,
            "unknown-parameter",
            None,
            None,
        ),
        ("/v1/calc/add?X=1&y=2", 400, "unknown-parameter", None, None),
        (
            "/v1/calc/add?x=1&y=2&=",
            400,
            "unknown-parameter",
            None,
            None,
        ),
        ("/v1/calc/add?x=1&y=2%", 400, "malformed-query", None, None),
        ("/v1/calc/add?x=1&y=%zz", 400, "malformed-query", None, None),
        ("/v1/calc/add?x=1&%ff=2", 400, "malformed-query", None, None),
        ("/v1/calc/%ff?x=1&y=2", 400, "malformed-path", None, None),
        ("/v1/calc/add%?x=1&y=2", 400, "malformed-path", None, None),
        (
            "/v1/calc/power?x=1&y=2",
            404,
            "unknown-operation",
            None,
            None,
        ),
        ("/v1/calc/+?x=1&y=2", 404, "unknown-operation", None, None),
        ("/v1/calc/add?x=&y=2", 422, "empty", Some("x"), None),
        ("/v1/calc/add?x&y=2", 422, "empty", Some("x"), None),
        ("/v1/calc/add?x=1&y=NaN", 422, "nan", Some("y"), None),
        (
            "/v1/calc/add?x=1&y=-Infinity",
            422,
            "infinity",
            Some("y"),
            None,
        ),
        (
            "/v1/calc/add?x=1,5&y=2",
            422,
            "decimal-comma",
            Some("x"),
            None,
        ),
        (
            "/v1/calc/add?x=1,000,000&y=2",
            422,
            "thousands-separator",
            Some("x"),
            None,
        ),
        (
            "/v1/calc/add?x=1&y=%D9%A3",
            422,
            "non-ascii-digit",
            Some("y"),
            None,
        ),
        (
            "/v1/calc/add?x=1%00&y=2",
            422,
            "control-character",
            Some("x"),
            None,
        ),
        (
            "/v1/calc/add?x=1e+5&y=2",
            422,
            "space-for-plus",
            Some("x"),
            None,
        ),
        (
            "/v1/calc/add?x=1%202&y=2",
            422,
            "white-space",
            Some("x"),
            None,
        ),
        (
            "/v1/calc/add?x=1x&y=2",
            422,
            "trailing-characters",
            Some("x"),
            None,
        ),
        ("/v1/calc/add?x=one&y=2", 422, "malformed", Some("x"), None),
        (
            &digits,
            422,
            "too-many-digits",
            Some("x"),
            Some(("max_operand_digits", 1_000)),
        ),
        (
            &text,
            422,
            "text-too-long",
            Some("x"),
            Some(("max_operand_bytes", 12_000)),
        ),
        (
            "/v1/calc/add?x=1&y=1e1000000000",
            422,
            "exponent-out-of-range",
            Some("y"),
            Some(("max_operand_exponent", 10_000)),
        ),
        (
            "/v1/calc/divide?x=1&y=-0.0",
            422,
            "division-by-zero",
            Some("y"),
            None,
        ),
        (
            "/v1/calc/multiply?x=9e10000&y=9e10000",
            422,
            "result-out-of-range",
            None,
            Some(("max_result_exponent", 20_000)),
        ),
        (
            "/v1/calc/add?x=1&y=2&precision=",
            422,
            "precision-not-whole",
            Some("precision"),
            None,
        ),
        (
            "/v1/calc/add?x=1&y=2&precision=3.5",
            422,
            "precision-not-whole",
            Some("precision"),
            None,
        ),
        (
            "/v1/calc/add?x=1&y=2&precision=1001",
            422,
            "precision-out-of-range",
            Some("precision"),
            Some(("max_precision", 1_000)),
        ),
    ];
    for protocol in BOTH {
        let mut alice = Server::new().client(protocol).await;
        for refusal in refusals {
            check(&alice.get(refusal.0).await, refusal);
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_body_is_said() {
    let json: &[Refusal<'_>] = &[
        ("", 400, "malformed-json", None, None),
        ("{", 400, "malformed-json", None, None),
        ("nonsense", 400, "malformed-json", None, None),
        ("3", 400, "malformed-json", None, None),
        ("null", 400, "malformed-json", None, None),
        (r#""text""#, 400, "malformed-json", None, None),
        ("[]", 400, "malformed-json", None, None),
        (
            r#"{"operation":"add","x":1,"y":2}}"#,
            400,
            "malformed-json",
            None,
            None,
        ),
        (
            r#"{"operation":"add","x":1,"y":2,}"#,
            400,
            "malformed-json",
            None,
            None,
        ),
        (
            r#"{"operation":"add","x":01,"y":2}"#,
            400,
            "malformed-json",
            None,
            None,
        ),
        (
            r#"{"operation":"add","x":.5,"y":2}"#,
            400,
            "malformed-json",
            None,
            None,
        ),
        (
            r#"{"operation":"add","x":+5,"y":2}"#,
            400,
            "malformed-json",
            None,
            None,
        ),
        (
            r#"{"operation":"add","x":NaN,"y":2}"#,
            400,
            "malformed-json",
            None,
            None,
        ),
        (
            r#"{"operation":"add","x":"\ud800","y":2}"#,
            400,
            "malformed-json",
            None,
            None,
        ),
        (
            r#"{"\ud800":"add","x":"1","y":2}"#,
            400,
            "malformed-json",
            None,
            None,
        ),
        (
            "{\"operation\":\"add\",\"x\":\"1\u{0}\",\"y\":2}",
            400,
            "malformed-json",
            None,
            None,
        ),
        ("{}", 400, "missing-parameter", Some("operation"), None),
        (
            r#"{"operation":"add","x":1}"#,
            400,
            "missing-parameter",
            Some("y"),
            None,
        ),
        (
            r#"{"operation":"add","x":1,"y":2,"x":1}"#,
            400,
            "duplicate-parameter",
            Some("x"),
            None,
        ),
        (
            r#"{"operation":"add","x":1,"y":2,"z":{"x":[1]}}"#,
            400,
            "unknown-parameter",
            None,
            None,
        ),
        (
            r#"{"operation":"power","x":1,"y":2}"#,
            422,
            "unknown-operation",
            Some("operation"),
            None,
        ),
        (
            r#"{"operation":1,"x":1,"y":2}"#,
            422,
            "wrong-type",
            Some("operation"),
            None,
        ),
        (
            r#"{"operation":null,"x":1,"y":2}"#,
            422,
            "wrong-type",
            Some("operation"),
            None,
        ),
        (
            r#"{"operation":"add","x":null,"y":2}"#,
            422,
            "wrong-type",
            Some("x"),
            None,
        ),
        (
            r#"{"operation":"add","x":1,"y":true}"#,
            422,
            "wrong-type",
            Some("y"),
            None,
        ),
        (
            r#"{"operation":"add","x":1,"y":[2]}"#,
            422,
            "wrong-type",
            Some("y"),
            None,
        ),
        (
            r#"{"operation":"add","x":{"$ne":1},"y":2}"#,
            422,
            "wrong-type",
            Some("x"),
            None,
        ),
        (
            r#"{"operation":"add","x":1,"y":2,"precision":{}}"#,
            422,
            "wrong-type",
            Some("precision"),
            None,
        ),
        (
            r#"{"operation":"add","x":1,"y":2,"precision":3.0}"#,
            422,
            "precision-not-whole",
            Some("precision"),
            None,
        ),
        (
            r#"{"operation":"add","x":1,"y":2,"precision":0}"#,
            422,
            "precision-out-of-range",
            Some("precision"),
            Some(("max_precision", 1_000)),
        ),
        (
            r#"{"operation":"add","x":"1 000","y":2}"#,
            422,
            "thousands-separator",
            Some("x"),
            None,
        ),
        (
            r#"{"operation":"add","x":1e99999,"y":2}"#,
            422,
            "exponent-out-of-range",
            Some("x"),
            Some(("max_operand_exponent", 10_000)),
        ),
        (
            r#"{"operation":"divide","x":1,"y":0e5}"#,
            422,
            "division-by-zero",
            Some("y"),
            None,
        ),
    ];
    let form: &[Refusal<'_>] = &[
        ("", 400, "missing-parameter", Some("operation"), None),
        ("operation=add&x=1&y=%", 400, "malformed-form", None, None),
        ("operation=add&x=1&y=%ff", 400, "malformed-form", None, None),
        (
            "operation=add&x=1&y=2&y=2",
            400,
            "duplicate-parameter",
            Some("y"),
            None,
        ),
        (
            "operation=add&x=1&y=2&z=2",
            400,
            "unknown-parameter",
            None,
            None,
        ),
        (
            "operation=power&x=1&y=2",
            422,
            "unknown-operation",
            Some("operation"),
            None,
        ),
        (
            "operation=add&x=1&y=1e+5",
            422,
            "space-for-plus",
            Some("y"),
            None,
        ),
        (
            "operation=divide&x=1&y=0",
            422,
            "division-by-zero",
            Some("y"),
            None,
        ),
    ];
    for protocol in BOTH {
        let mut alice = Server::new().client(protocol).await;
        for (content_type, refusals) in [(JSON, json), (FORM, form)] {
            for refusal in refusals {
                check(
                    &alice.post("/v1/calc", content_type, refusal.0).await,
                    refusal,
                );
            }
            let mut ask = Ask::post("/v1/calc", content_type, "");
            ask.body = bytes::Bytes::from_static(b"{\"operation\":\"add\",\"x\":\"\xff\",\"y\":2}");
            let kind = if content_type == JSON {
                "malformed-json"
            } else {
                "malformed-form"
            };
            check(
                &alice.send(ask).await,
                &("not UTF-8", 400, kind, None, None),
            );
        }
    }
}

fn check(reply: &super::harness::Reply, &(sent, status, kind, parameter, limit): &Refusal<'_>) {
    assert_eq!(
        (&*reply.problem(), reply.status.as_u16()),
        (kind, status),
        "{sent}: {reply:?}"
    );
    let json = reply.json();
    assert_eq!(json["parameter"].as_str(), parameter, "{sent}: {reply:?}");
    let found = json["limit_name"].as_str().zip(json["limit"].as_u64());
    assert_eq!(found, limit, "{sent}: {reply:?}");
    assert!(KINDS.iter().any(|known| known.slug == kind), "{kind}");
}

#[tokio::test]
async fn a_misspelt_parameter_is_quoted_safely() {
    let mut mallory = Server::new().client(BOTH[0]).await;
    let reply = mallory
        .get("/v1/calc/add?x=1&y=2&%E2%80%AE%1B%22%3C=3")
        .await;
    assert_eq!(
        reply.json()["detail"],
        r#"There is no parameter "\u{202e}\u{1b}\"<"; there are x, y and precision."#
    );
}

#[tokio::test]
async fn bodies_of_other_types_are_refused() {
    let sum = r#"{"operation":"add","x":1,"y":2}"#;
    for protocol in BOTH {
        let mut alice = Server::new().client(protocol).await;
        for headers in [
            vec![],
            vec![("content-type", "")],
            vec![("content-type", "text/json")],
            vec![("content-type", "application/json2")],
            vec![("content-type", "multipart/form-data; boundary=x")],
            vec![("content-type", JSON), ("content-type", FORM)],
        ] {
            let mut ask = Ask::post("/v1/calc", JSON, sum);
            ask.headers = headers;
            let reply = alice.send(ask).await;
            assert_eq!(
                (&*reply.problem(), reply.status.as_u16()),
                ("unsupported-media-type", 415)
            );
            assert_eq!(
                reply.header("accept-post"),
                "application/json, application/x-www-form-urlencoded"
            );
        }
        let reply = alice
            .send(Ask::post("/v1/calc", JSON, sum).header("content-encoding", "gzip"))
            .await;
        assert_eq!(
            (&*reply.problem(), reply.status.as_u16()),
            ("unsupported-media-type", 415)
        );
        assert_eq!(reply.header("accept-encoding"), "identity");
        let reply = alice.post("/v1/calc?x=1", JSON, sum).await;
        assert_eq!(
            (&*reply.problem(), reply.status.as_u16()),
            ("unknown-parameter", 400)
        );
    }
}
