//! The API's description: it names everything that there is, and every other test's answers hold it to that.

use std::sync::LazyLock;

use serde_json::Value;

use super::harness::{BOTH, Reply, Server};
use crate::http::HttpLimits;
use crate::http::documentation::Documentation;
use crate::http::problem::{HTTPS_REQUIRED, KINDS};
use crate::http::routes::Route;

static DESCRIPTION: LazyLock<Value> = LazyLock::new(|| {
    let documentation = Documentation::new(&HttpLimits::default());
    serde_json::from_slice(&documentation.openapi).unwrap()
});

/// Fails unless this answer is described. Every request of these tests comes by here.
pub(super) fn check(method: &str, target: &str, reply: &Reply) {
    let path = target.split('?').next().unwrap();
    let route = Route::of(path);
    let method = match method {
        "HEAD" => "get".to_owned(),
        other => other.to_ascii_lowercase(),
    };
    let status = reply.status.as_u16();
    let operation = &DESCRIPTION["paths"][route.pattern()][&method];
    if operation.is_null() {
        // It has no such method, or there is no such resource.
        assert!(
            [204, 404, 405].contains(&status),
            "{method} {target}: {status}"
        );
        return;
    }
    let response = &operation["responses"][status.to_string()];
    let content_type = reply.header("content-type");
    let content = &response["content"][content_type];
    assert!(
        !content.is_null(),
        "{method} {target}: {status} {content_type} is not described"
    );
    if content_type == "application/problem+json" && !reply.body.is_empty() {
        let types = content["schema"]["properties"]["type"]["enum"]
            .as_array()
            .unwrap();
        let kind = &reply.json()["type"];
        assert!(
            types.contains(kind),
            "{method} {target}: {status} {kind} is not described"
        );
    }
}

#[test]
fn every_resource_and_method_is_described() {
    let paths = DESCRIPTION["paths"].as_object().unwrap();
    assert_eq!(paths.len(), Route::ALL.len());
    for route in Route::ALL {
        assert_eq!(Route::of(route.pattern()), route);
        let methods = paths[route.pattern()].as_object().unwrap();
        let mut described: Vec<_> = methods
            .keys()
            .map(|name| name.to_ascii_uppercase())
            .collect();
        described.push("OPTIONS".to_owned());
        if methods.contains_key("get") {
            described.push("HEAD".to_owned());
        }
        described.sort();
        assert_eq!(described.join(", "), route.allow(), "{}", route.pattern());
    }
}

#[test]
fn every_kind_of_problem_is_described_where_it_can_occur() {
    let operations = DESCRIPTION["paths"].as_object().unwrap().values();
    let responses: String = operations
        .flat_map(|path| path.as_object().unwrap().values())
        .map(|operation| operation["responses"].to_string())
        .collect();
    for kind in KINDS {
        let named = responses.contains(&format!("\"/problems/{}\"", kind.slug));
        // These two are no answers to a request: one comes before there is HTTPS, the other belongs to an item.
        let is_elsewhere = [
            HTTPS_REQUIRED.slug,
            "batch-answer-too-large",
            "method-not-allowed",
        ];
        assert_eq!(named, !is_elsewhere.contains(&kind.slug), "{}", kind.slug);
    }
}

#[test]
fn every_limit_is_described_with_its_value_and_its_reason() {
    let introduction = DESCRIPTION["info"]["description"].as_str().unwrap();
    for limit in recado_calc::limits::ALL {
        let line = format!("- `{}` = {}: ", limit.name, limit.value);
        let (_, about) = introduction.split_once(&line).unwrap();
        assert!(about.lines().next().unwrap().ends_with('.'), "{line}");
    }
    for (name, value) in [
        ("head_time", "10s"),
        ("batch_slice", "1ms"),
        ("single_body_bytes", "65536"),
        ("batch_items", "1000"),
        ("h2_streams", "100"),
    ] {
        assert!(
            introduction.contains(&format!("- `{name}` = {value}: ")),
            "{name}"
        );
    }
    assert_eq!(
        introduction.matches("\n- `").count(),
        recado_calc::limits::ALL.len() + HttpLimits::default().described().len()
    );
}

#[test]
fn every_reference_leads_somewhere() {
    fn follow(value: &Value) {
        match value {
            Value::Object(members) => {
                if let Some(reference) = members.get("$ref") {
                    let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
                    assert!(DESCRIPTION.pointer(pointer).is_some(), "{pointer}");
                }
                members.values().for_each(follow);
            }
            Value::Array(items) => items.iter().for_each(follow),
            _ => {}
        }
    }
    follow(&DESCRIPTION);
}

#[tokio::test]
async fn the_description_and_its_page_are_served() {
    for protocol in BOTH {
        let mut alice = Server::new().client(protocol).await;
        let description = alice.get("/openapi.json").await;
        assert_eq!(description.header("content-type"), "application/json");
        assert_eq!(description.json(), *DESCRIPTION);
        assert_eq!(description.json()["openapi"], "3.1.1");

        let page = alice.get("/docs").await;
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        for route in Route::ALL {
            assert!(
                page.body
                    .contains(&format!("<code>{}</code>", route.pattern()))
            );
        }
        for kind in KINDS {
            assert!(
                page.body
                    .contains(&format!("<code>{}</code></a>", kind.slug))
            );
        }
        assert!(
            page.body
                .contains("<code>MAX_OPERAND_DIGITS</code></td><td>1000</td>")
        );
        assert!(
            page.body
                .contains("<code>head_time</code></td><td>10s</td>")
        );
        // Nothing from elsewhere, and nothing that the policy would refuse.
        for forbidden in ["://", "<script", "style=", " on"] {
            let found = page.body.match_indices(forbidden).find(|(at, _)| {
                // Words of a text, outside of tags, may say what they like.
                page.body[..*at].rfind('<') > page.body[..*at].rfind('>')
            });
            assert_eq!(found, None, "{forbidden}");
        }
        let policy = page.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"),
            "{policy}"
        );
        assert_eq!(
            alice.get("/style.css").await.header("content-type"),
            "text/css; charset=utf-8"
        );
    }
}
