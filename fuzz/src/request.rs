//! Requests to the HTTPS service, as they come out of TLS.

use std::net::Ipv4Addr;
use std::sync::Arc;

use recado_server::http::{HttpConfig, HttpService, Protocol, Transport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::sync::watch;

/// Any bytes as a query, a JSON or form body, a batch, or a whole stream, as the first byte says: each is answered, by
/// an answer or a refusal that can be read.
pub fn request(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else {
        return;
    };
    let post = |path: &str, media_type: &str| {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: {media_type}\r\n\
             Content-Length: {}\r\n\r\n",
            bytes.len()
        );
        [head.as_bytes(), bytes].concat()
    };
    let is_raw = kind % 5 == 4;
    let stream = match kind % 5 {
        0 => post("/v1/calc", "application/json"),
        1 => post("/v1/calc", "application/x-www-form-urlencoded"),
        2 => post("/v1/calc/batch", "application/json"),
        3 => [
            b"GET /v1/calc/add?",
            bytes,
            b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        ]
        .concat(),
        _ => bytes.to_vec(),
    };
    let answer = answer(&stream);
    let Some(head_length) = answer.windows(4).position(|it| it == b"\r\n\r\n") else {
        assert!(is_raw, "a request without an answer");
        return;
    };
    let (head, body) = answer.split_at(head_length);
    let head = std::str::from_utf8(head).expect("an answer's head is text");
    let status = head.strip_prefix("HTTP/1.1 ").and_then(|it| it.get(..3));
    let status: u16 = status.and_then(|it| it.parse().ok()).expect("a status");
    assert!(status < 500, "{head}");
    let is_json = head.contains("application/json") || head.contains("application/problem+json");
    if is_json && !is_raw {
        let body = serde_json::from_slice::<serde_json::Value>(&body[4..]);
        body.expect("what is called JSON is JSON");
    }
}

/// All that the service answers to a stream that ends.
fn answer(stream: &[u8]) -> Vec<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let service = HttpService::new(HttpConfig::default(), Arc::new(|| "".into()));
        let (mut client, server) = duplex(64 * 1024);
        let transport = Transport {
            protocol: Protocol::Http1,
            peer: (Ipv4Addr::LOCALHOST, 1).into(),
            is_of_ca: false,
        };
        let (_shutdown, is_shutting_down) = watch::channel(false);
        let mut answer = Vec::new();
        let talk = async {
            // The service may close before it has read everything.
            let _ = client.write_all(stream).await;
            let _ = client.shutdown().await;
            let _ = client.read_to_end(&mut answer).await;
        };
        tokio::join!(service.serve(server, transport, is_shutting_down), talk);
        answer
    })
}
