//! How much one address may ask for.

use std::time::Duration;

use tokio::time::advance;

use super::harness::{Ask, BOTH, JSON, Server};
use crate::http::{HttpConfig, HttpService, Protocol};

const SUM: &str = "/v1/calc/add?x=1&y=2";

fn server_for(peer: &str) -> Server {
    let mut server = Server::new();
    server.peer = peer.parse().unwrap();
    server
}

#[tokio::test(start_paused = true)]
async fn a_class_behind_one_address_is_served_and_a_flood_is_not() {
    let server = server_for("192.0.2.1:1000");
    for _ in 0..200 {
        let mut pupil = server.client(Protocol::Http2).await;
        for target in ["/", "/page.js", "/style.css", "/icon.svg"] {
            assert_eq!(pupil.get(target).await.status, 200);
        }
        for _ in 0..16 {
            assert_eq!(pupil.get(SUM).await.status, 200);
        }
    }
    for protocol in BOTH {
        let mut mallory = server.client(protocol).await;
        for _ in 0..3 {
            let reply = mallory.get(SUM).await;
            assert_eq!(
                (reply.status.as_u16(), &*reply.problem()),
                (429, "too-many-requests")
            );
            assert_eq!(reply.header("retry-after"), "1");
        }
        let reply = mallory
            .send(Ask::get(SUM).header("accept", "text/plain"))
            .await;
        assert_eq!(
            (reply.status.as_u16(), reply.header("retry-after")),
            (429, "1")
        );
        let reply = mallory
            .post("/v1/calc", JSON, r#"{"operation":"add","x":1,"y":2}"#)
            .await;
        assert_eq!(reply.status, 429);
    }
    // One a millisecond comes back.
    advance(Duration::from_millis(5)).await;
    let mut pupil = server.client(Protocol::Http1).await;
    let mut served = 0;
    while pupil.get(SUM).await.status == 200 {
        served += 1;
    }
    assert_eq!(served, 5);
}

#[tokio::test(start_paused = true)]
async fn an_ipv6_network_counts_as_one_and_others_are_not_touched() {
    let mut server = server_for("[2001:db8::1]:1000");
    let mut mallory = server.client(Protocol::Http1).await;
    for _ in 0..4_000 {
        mallory.get(SUM).await;
    }
    for (peer, status) in [
        ("[2001:db8::ffff]:1000", 429),
        ("[2001:db8:0:1::1]:1000", 200),
        ("192.0.2.1:1000", 200),
        ("127.0.0.1:1000", 200),
    ] {
        server.peer = peer.parse().unwrap();
        let mut bob = server.client(Protocol::Http1).await;
        assert_eq!(bob.get(SUM).await.status, status, "{peer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_counts_by_its_size() {
    let server = server_for("192.0.2.1:1000");
    let mut alice = server.client(Protocol::Http1).await;
    let item = format!(r#"{{"operation":"add","x":{},"y":1}}"#, "1".repeat(986));
    let batch = format!("[{}]", vec![item; 1_000].join(","));
    let tokens = 1 + batch.len() / 1024;
    for _ in 0..4_000 / tokens {
        assert_eq!(alice.post("/v1/calc/batch", JSON, &batch).await.status, 200);
    }
    let reply = alice.post("/v1/calc/batch", JSON, &batch).await;
    assert_eq!(reply.problem(), "too-many-requests");
    // What is small enough still goes.
    assert_eq!(alice.get(SUM).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn whom_a_trusted_proxy_speaks_for_is_counted() {
    let config = HttpConfig {
        trusted_proxies: vec!["127.0.0.1".parse().unwrap()],
        ..HttpConfig::default()
    };
    let pem = std::sync::Arc::from("PEM\n");
    let service = HttpService::new(
        config,
        std::sync::Arc::new(move || std::sync::Arc::clone(&pem)),
    );
    let mut proxy = Server::of(service).client(Protocol::Http1).await;
    let asked_for = |client| Ask::get(SUM).header("x-forwarded-for", client);
    for _ in 0..4_000 {
        assert_eq!(proxy.send(asked_for("192.0.2.1")).await.status, 200);
    }
    assert_eq!(proxy.send(asked_for("192.0.2.1")).await.status, 429);
    assert_eq!(proxy.send(asked_for("192.0.2.2")).await.status, 200);
}
