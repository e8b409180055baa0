//! What there is beside calculations, and what all answers have in common.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::harness::{Ask, BOTH, JSON, Server};
use crate::http::problem::KINDS;
use crate::http::{HttpConfig, HttpService};

#[tokio::test]
async fn every_resource_has_its_methods() {
    for protocol in BOTH {
        let mut alice = Server::new().client(protocol).await;
        for (target, allow) in [
            ("/v1/calc/add?x=1&y=2", "GET, HEAD, OPTIONS"),
            ("/v1/calc", "OPTIONS, POST"),
            ("/v1/calc/batch", "OPTIONS, POST"),
            ("/root.pem", "GET, HEAD, OPTIONS"),
            ("/problems/not-found", "GET, HEAD, OPTIONS"),
            ("/", "GET, HEAD, OPTIONS"),
            ("/docs", "GET, HEAD, OPTIONS"),
            ("/openapi.json", "GET, HEAD, OPTIONS"),
            ("/page.js", "GET, HEAD, OPTIONS"),
        ] {
            for method in [
                "GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW",
            ] {
                let reply = alice.send(Ask::new(method, target)).await;
                if method == "OPTIONS" {
                    assert_eq!(reply.status, 204, "{method} {target}");
                    assert_eq!(reply.header("allow"), allow, "{method} {target}");
                    assert_eq!(reply.header("content-type"), "");
                    assert_eq!(reply.body, "");
                } else if allow.contains(method) {
                    assert_ne!(reply.status, 405, "{method} {target}");
                    assert_eq!(reply.header("allow"), "");
                } else {
                    assert_eq!(reply.status, 405, "{method} {target}");
                    assert_eq!(reply.header("allow"), allow, "{method} {target}");
                    if method != "HEAD" {
                        assert_eq!(reply.problem(), "method-not-allowed");
                    }
                }
            }
        }
        for target in [
            "/v1",
            "/v1/calc/",
            "/v1/calc/add/",
            "/v1/calc/add/1",
            "/V1/calc/add",
            "/problems",
            "/problems/",
            "/problems/none",
            "/root.pem/",
            "//root.pem",
            "/v1/calc/../../root.pem",
        ] {
            for method in ["GET", "POST", "OPTIONS", "BREW"] {
                let reply = alice.send(Ask::new(method, target)).await;
                assert_eq!(
                    (&*reply.problem(), reply.status.as_u16()),
                    ("not-found", 404),
                    "{method} {target}"
                );
            }
        }
        let reply = alice.send(Ask::new("POST", "/v1/calc/power")).await;
        assert_eq!(
            (&*reply.problem(), reply.status.as_u16()),
            ("unknown-operation", 404)
        );
    }
    let reply = Server::new()
        .raw(b"OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        .await;
    assert!(reply.starts_with("HTTP/1.1 204 "), "{reply}");
    assert!(
        reply.contains("\r\nallow: GET, HEAD, OPTIONS, POST\r\n"),
        "{reply}"
    );
    let reply = Server::new()
        .raw(b"CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\nConnection: close\r\n\r\n")
        .await;
    assert!(reply.starts_with("HTTP/1.1 404 "), "{reply}");
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    for protocol in BOTH {
        let mut alice = Server::new().client(protocol).await;
        for target in [
            "/v1/calc/add?x=1&y=2",
            "/v1/calc/divide?x=1&y=0",
            "/v1/calc/power",
            "/v1/calc",
            "/root.pem",
            "/problems/not-found",
            "/",
            "/nowhere",
        ] {
            let mut get = alice.get(target).await;
            let mut head = alice.send(Ask::new("HEAD", target)).await;
            assert_eq!(head.body, "", "{target}");
            assert_eq!(head.status, get.status, "{target}");
            get.headers.remove("date");
            head.headers.remove("date");
            if target == "/v1/calc" {
                // Only its detail differs.
                get.headers.remove("content-length");
                head.headers.remove("content-length");
            } else {
                assert_eq!(get.header("content-length"), get.body.len().to_string());
            }
            assert_eq!(head.headers, get.headers, "{target}");
        }
    }
}

#[tokio::test]
async fn all_answers_carry_the_security_headers() {
    for protocol in BOTH {
        let mut alice = Server::new().client(protocol).await;
        for ask in [
            Ask::get("/v1/calc/add?x=1&y=2"),
            Ask::get("/v1/calc/add?x=1"),
            Ask::get("/nowhere"),
            Ask::get("/root.pem"),
            Ask::get("/problems/not-found"),
            Ask::new("OPTIONS", "/v1/calc"),
            Ask::new("DELETE", "/v1/calc"),
            Ask::post("/v1/calc/batch", JSON, "[]"),
            Ask::post("/v1/calc", JSON, "{"),
            Ask::get("/"),
            Ask::get("/docs"),
            Ask::get("/page.js"),
        ] {
            let is_page = ["/", "/docs"].contains(&ask.target);
            let reply = alice.send(ask.clone()).await;
            for (name, value) in [
                ("x-content-type-options", "nosniff"),
                (
                    "content-security-policy",
                    if is_page {
                        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
                    } else {
                        "default-src 'none'; frame-ancestors 'none'"
                    },
                ),
                ("referrer-policy", "no-referrer"),
                ("cross-origin-resource-policy", "same-origin"),
                ("vary", if is_page { "accept-language" } else { "accept" }),
                ("server", ""),
                ("strict-transport-security", ""),
            ] {
                assert_eq!(reply.header(name), value, "{ask:?}");
            }
            assert!(!reply.header("cache-control").is_empty(), "{ask:?}");
            assert!(!reply.header("date").is_empty(), "{ask:?}");
        }
    }
}

#[tokio::test]
async fn a_browser_is_told_to_come_by_https_alone_only_under_a_certificate_of_a_ca() {
    let mut server = Server::new();
    server.is_of_ca = true;
    for protocol in BOTH {
        let mut alice = server.client(protocol).await;
        for target in ["/", "/v1/calc/add?x=1&y=2", "/nowhere"] {
            let reply = alice.get(target).await;
            assert_eq!(
                reply.header("strict-transport-security"),
                "max-age=15552000"
            );
        }
    }
}

#[tokio::test]
async fn the_root_certificate_is_the_present_one() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let root_pem = move || Arc::from(format!("PEM {}\n", counter.fetch_add(1, Ordering::Relaxed)));
    let server = Server::of(HttpService::new(HttpConfig::default(), Arc::new(root_pem)));
    for protocol in BOTH {
        let mut bob = server.client(protocol).await;
        for _ in 0..2 {
            let count = asked.load(Ordering::Relaxed);
            let reply = bob.get("/root.pem").await;
            assert_eq!(reply.body, format!("PEM {count}\n"));
            assert_eq!(
                reply.header("content-type"),
                "application/pem-certificate-chain"
            );
            assert_eq!(reply.header("cache-control"), "no-cache");
        }
    }
}

#[tokio::test]
async fn the_page_is_in_the_language_that_is_preferred() {
    for protocol in BOTH {
        let mut alice = Server::new().client(protocol).await;
        for (target, accept, language) in [
            ("/", "pt-BR,pt;q=0.9,en;q=0.8", "pt-BR"),
            ("/", "en,pt;q=0.9", "en"),
            ("/?lang=pt-BR", "en", "pt-BR"),
            ("/?lang=xx", "pt", "pt-BR"),
        ] {
            let reply = alice
                .send(Ask::get(target).header("accept-language", accept))
                .await;
            assert_eq!(
                reply.header("content-language"),
                language,
                "{target} {accept}"
            );
            assert!(reply.body.contains(&format!("<html lang=\"{language}\">")));
        }
        let script = alice.get("/page.js").await;
        assert_eq!(
            script.header("content-type"),
            "text/javascript; charset=utf-8"
        );
        let icon = alice.get("/icon.svg").await;
        assert_eq!(icon.header("content-type"), "image/svg+xml");
    }
}

#[tokio::test]
async fn every_type_of_problem_is_explained() {
    let mut bob = Server::new().client(BOTH[1]).await;
    for kind in KINDS {
        let reply = bob.get(&format!("/problems/{}", kind.slug)).await;
        assert_eq!(reply.status, 200, "{}", kind.slug);
        assert_eq!(reply.header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(reply.body, format!("{}\n\n{}\n", kind.title, kind.about));
        assert!(
            kind.about.ends_with('.') && !kind.title.ends_with('.'),
            "{}",
            kind.slug
        );
    }
}

#[tokio::test]
async fn a_defect_is_answered_and_the_connection_goes_on() {
    for protocol in BOTH {
        let service = HttpService::new(HttpConfig::default(), Arc::new(|| panic!("on purpose")));
        let mut bob = Server::of(service).client(protocol).await;
        let reply = bob.get("/root.pem").await;
        assert_eq!(
            (&*reply.problem(), reply.status.as_u16()),
            ("internal-error", 500)
        );
        assert!(!reply.body.contains("on purpose"));
        assert_eq!(bob.get("/v1/calc/add?x=1&y=2").await.status, 200);
    }
}
