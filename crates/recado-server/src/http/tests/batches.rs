//! Batches: items, bounds and turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::harness::{Ask, BOTH, FORM, JSON, Server};
use crate::http::Protocol;

#[tokio::test]
async fn each_item_has_its_own_answer() {
    for protocol in BOTH {
        let mut alice = Server::new().client(protocol).await;
        let sent = r#"[
            {"operation":"add","x":0.1,"y":"0.2"},
            {"operation":"divide","x":1,"y":0},
            {"operation":"divide","x":2,"y":3,"precision":5},
            {"operation":"add","x":1},
            {"operation":"add","x":1,"y":2,"x":3},
            17,
            [],
            {"operation":"multiplicação","x":2,"y":3}
        ]"#;
        let reply = alice.post("/v1/calc/batch", JSON, sent).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("content-type"), JSON);
        assert_eq!(reply.header("cache-control"), "no-store");
        assert!(reply.body.starts_with(
            r#"[{"operation":"add","x":"0.1","y":"0.2","result":"0.3","exact":true},{"type":"/problems/division-by-zero","title":"Division by zero","status":422,"#
        ), "{}", reply.body);
        let reply = reply.json();
        let items: Vec<_> = reply
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["result"].as_str().or(item["type"].as_str()).unwrap())
            .collect();
        assert_eq!(
            items,
            [
                "0.3",
                "/problems/division-by-zero",
                "0.66667",
                "/problems/missing-parameter",
                "/problems/duplicate-parameter",
                "/problems/malformed-json",
                "/problems/malformed-json",
                "6",
            ]
        );
        assert_eq!(alice.post("/v1/calc/batch", JSON, " [ ] ").await.body, "[]");
    }
}

#[tokio::test]
async fn a_batch_has_its_bounds() {
    let item = r#"{"operation":"add","x":1,"y":2}"#;
    let batch = |items: usize| format!("[{}]", vec![item; items].join(","));
    let server = Server::with(|limits| limits.batch_answer_bytes = 200);
    for protocol in BOTH {
        let mut alice = Server::new().client(protocol).await;
        let reply = alice.post("/v1/calc/batch", JSON, &batch(1_000)).await;
        assert_eq!(reply.json().as_array().unwrap().len(), 1_000);
        let reply = alice.post("/v1/calc/batch", JSON, &batch(1_001)).await;
        assert_eq!(
            (&*reply.problem(), reply.status.as_u16()),
            ("batch-too-long", 422)
        );
        assert_eq!(
            (&reply.json()["limit"], &reply.json()["limit_name"]),
            (&1_000.into(), &"max_batch_items".into())
        );

        for (content_type, body, kind, status) in [
            (JSON, item, "malformed-json", 400),
            (JSON, "[", "malformed-json", 400),
            (JSON, "[1,]", "malformed-json", 400),
            (JSON, "[1]]", "malformed-json", 400),
            (JSON, "", "malformed-json", 400),
            (JSON, r#""[]""#, "malformed-json", 400),
            (FORM, "[]", "unsupported-media-type", 415),
        ] {
            let reply = alice.post("/v1/calc/batch", content_type, body).await;
            assert_eq!(
                (&*reply.problem(), reply.status.as_u16()),
                (kind, status),
                "{body}"
            );
        }
        let ask = Ask::post("/v1/calc/batch", JSON, "[]").header("accept", "text/csv");
        assert_eq!(alice.send(ask).await.problem(), "not-acceptable");

        let reply = server
            .client(protocol)
            .await
            .post("/v1/calc/batch", JSON, &batch(9))
            .await
            .json();
        let answered = reply
            .as_array()
            .unwrap()
            .iter()
            .take_while(|item| item["exact"] == true);
        assert_eq!(answered.count(), 4);
        assert_eq!(reply[4]["type"], "/problems/batch-answer-too-large");
        assert_eq!(reply[8]["limit"], 200);
    }
}

#[tokio::test]
async fn a_large_answer_arrives_whole() {
    let x = "7".repeat(400);
    let item = format!(r#"{{"operation":"divide","x":{x},"y":{x}3,"precision":400}}"#);
    let batch = format!("[{}]", vec![&*item; 1_000].join(","));
    for protocol in BOTH {
        let reply = Server::new()
            .client(protocol)
            .await
            .post("/v1/calc/batch", JSON, &batch)
            .await;
        assert!(reply.body.len() > 1024 * 1024, "{}", reply.body.len());
        assert_eq!(reply.header("content-length"), reply.body.len().to_string());
        assert_eq!(reply.json().as_array().unwrap().len(), 1_000);
    }
}

#[tokio::test]
async fn others_are_answered_while_a_batch_computes() {
    let server = Server::with(|limits| limits.batch_slice = Duration::ZERO);
    let mut alice = server.client(Protocol::Http1).await;
    let mut bob = server.client(Protocol::Http2).await;
    let item = r#"{"operation":"divide","x":1,"y":7}"#;
    let batch = format!("[{}]", vec![item; 1_000].join(","));
    let is_done = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&is_done);
    let batch = tokio::spawn(async move {
        let reply = alice.post("/v1/calc/batch", JSON, &batch).await;
        flag.store(true, Ordering::Relaxed);
        reply
    });
    let mut answered = 0;
    while !is_done.load(Ordering::Relaxed) {
        assert_eq!(bob.get("/v1/calc/add?x=1&y=2").await.status, 200);
        answered += 1;
    }
    assert!(answered > 50, "{answered}");
    assert_eq!(batch.await.unwrap().status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_batch_waits_for_its_turn_and_not_for_ever() {
    let server = Server::with(|limits| limits.batches_at_once = 1);
    // Mallory has the only turn: a large batch whose body does not come.
    let (mut mallory, _task) = server.connect(Protocol::Http1);
    let head = "POST /v1/calc/batch HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n[";
    mallory.write_all(head.as_bytes()).await.unwrap();
    tokio::task::yield_now().await;
    let mut alice = server.client(Protocol::Http2).await;
    let reply = alice.post("/v1/calc/batch", JSON, "[]").await;
    assert_eq!((&*reply.problem(), reply.status.as_u16()), ("busy", 503));
    assert_eq!(reply.header("retry-after"), "5");
    // Single calculations are not concerned.
    assert_eq!(alice.get("/v1/calc/add?x=1&y=2").await.status, 200);
    let mut received = String::new();
    mallory.read_to_string(&mut received).await.unwrap();
    assert!(received.starts_with("HTTP/1.1 408 "), "{received}");
    assert_eq!(alice.post("/v1/calc/batch", JSON, "[]").await.body, "[]");
}
