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
        3 => {
            // What would end the target, or the line, is another request: see the raw ones.
            let visible = |byte: &u8| if *byte > b' ' { *byte } else { b'+' };
            let query: Vec<_> = bytes.iter().map(visible).collect();
            let end = b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
            [b"GET /v1/calc/add?", query.as_slice(), end].concat()
        }
        _ => bytes.to_vec(),
    };
    let answer = answer(&stream, is_raw);
    let Some(head_length) = answer.windows(4).position(|it| it == b"\r\n\r\n") else {
        assert!(is_raw, "a request without an answer");
        return;
    };
    let (head, body) = answer.split_at(head_length);
    let head = std::str::from_utf8(head).expect("an answer's head is text");
    let version = head.starts_with("HTTP/1.1 ") || head.starts_with("HTTP/1.0 ");
    let status = head.get(9..12).filter(|_| version);
    let status: u16 = status.and_then(|it| it.parse().ok()).expect("a status");
    assert!(status < 500, "{head}");
    let is_json = head.contains("application/json") || head.contains("application/problem+json");
    if is_json && !is_raw {
        let body = serde_json::from_slice::<serde_json::Value>(&body[4..]);
        body.expect("what is called JSON is JSON");
    }
}

/// All that the service answers to a stream. Where that has its own end, or may have none, the client ends it.
fn answer(stream: &[u8], ends: bool) -> Vec<u8> {
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
            if ends {
                let _ = client.shutdown().await;
            }
            // The service waits a while for the client to close first, so as not to cut off its own last word.
            while !is_whole(&answer) && matches!(client.read_buf(&mut answer).await, Ok(1..)) {}
            drop(client);
        };
        tokio::join!(service.serve(server, transport, is_shutting_down), talk);
        answer
    })
}

/// Whether all of an answer is there.
fn is_whole(answer: &[u8]) -> bool {
    let Some(head_length) = answer.windows(4).position(|it| it == b"\r\n\r\n") else {
        return false;
    };
    let (head, body) = answer.split_at(head_length);
    let head = String::from_utf8_lossy(head).to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.and_then(|it| it.parse().ok()).unwrap_or_default();
    body.len() - 4 >= length
}
