//! Connections: deadlines, sizes, malformed input and shutdown.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::harness::{BOTH, Client, JSON, PEER, Server};
use crate::http::{Protocol, Transport};

const SUM: &[u8] = b"GET /v1/calc/add?x=1&y=2 HTTP/1.1\r\nHost: h\r\n\r\n";
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

/// Reads one answer's bytes, without waiting for the end of the connection.
async fn some(stream: &mut DuplexStream) -> String {
    let mut received = vec![0; 64 * 1024];
    let length = stream.read(&mut received).await.unwrap();
    received.truncate(length);
    String::from_utf8(received).unwrap()
}

/// How long the connection still lives, in seconds.
async fn lives(task: JoinHandle<()>) -> u64 {
    let since = Instant::now();
    timeout(Duration::from_secs(1_000), task)
        .await
        .expect("the connection ends")
        .unwrap();
    since.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn a_slow_head_is_cut() {
    let server = Server::new();
    for (protocol, first) in [
        (Protocol::Http1, &b""[..]),
        (
            Protocol::Http1,
            b"GET /v1/calc/add?x=1&y=2 HTTP/1.1\r\nHost:",
        ),
        (Protocol::Http2, b""),
        (Protocol::Http2, &PREFACE[..10]),
        (Protocol::Http2, PREFACE),
    ] {
        let (mut mallory, task) = server.connect(protocol);
        mallory.write_all(first).await.unwrap();
        assert_eq!(lives(task).await, 10, "{protocol:?} {first:?}");
    }
    // A byte now and then does not help.
    let (mut mallory, task) = server.connect(Protocol::Http1);
    let drip = async {
        for byte in SUM {
            if mallory.write_all(&[*byte]).await.is_err() {
                break;
            }
            sleep(Duration::from_secs(1)).await;
        }
    };
    let (lived, ()) = tokio::join!(lives(task), drip);
    assert_eq!(lived, 10);
}

#[tokio::test(start_paused = true)]
async fn a_slow_second_head_is_cut_too() {
    let (mut mallory, task) = Server::new().connect(Protocol::Http1);
    mallory.write_all(SUM).await.unwrap();
    assert!(some(&mut mallory).await.starts_with("HTTP/1.1 200 "));
    sleep(Duration::from_secs(30)).await;
    mallory.write_all(b"GET /").await.unwrap();
    assert_eq!(lives(task).await, 10);
}

#[tokio::test(start_paused = true)]
async fn a_connection_may_rest_for_a_minute() {
    let server = Server::new();
    for protocol in BOTH {
        let (stream, task) = server.connect(protocol);
        let mut alice = Client::new(stream, protocol).await;
        for _ in 0..3 {
            assert_eq!(alice.get("/v1/calc/add?x=1&y=2").await.status, 200);
            sleep(Duration::from_secs(50)).await;
        }
        assert_eq!(lives(task).await, 10, "{protocol:?}");
        // And leaves nothing behind.
        assert_eq!(Arc::strong_count(&server.service.shared), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_is_refused() {
    for (protocol, target, size) in [
        (Protocol::Http1, "/v1/calc", 10),
        (Protocol::Http1, "/v1/calc/batch", 100_000),
    ] {
        let (mut mallory, task) = Server::new().connect(protocol);
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: h\r\nContent-Type: {JSON}\r\nContent-Length: {size}\r\n\r\n["
        );
        mallory.write_all(head.as_bytes()).await.unwrap();
        assert_eq!(lives(task).await, 30);
        let received = some(&mut mallory).await;
        assert!(received.starts_with("HTTP/1.1 408 "), "{received}");
        assert!(received.contains("\r\nconnection: close\r\n"), "{received}");
        assert!(received.contains("/problems/body-timeout"), "{received}");
        assert!(
            received.contains(r#""limit":30,"limit_name":"max_body_seconds""#),
            "{received}"
        );
    }
}

#[tokio::test]
async fn a_body_has_its_size() {
    let server = Server::new();
    let sum = r#"{"operation":"add","x":1,"y":2}"#;
    let largest = format!("{sum}{}", " ".repeat(64 * 1024 - sum.len()));
    for protocol in BOTH {
        let reply = server
            .client(protocol)
            .await
            .post("/v1/calc", JSON, &largest)
            .await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        for (target, body, limit) in [
            ("/v1/calc", format!("{largest} "), 64 * 1024),
            ("/v1/calc/batch", " ".repeat(1024 * 1024 + 1), 1024 * 1024),
        ] {
            let reply = server
                .client(protocol)
                .await
                .post(target, JSON, &body)
                .await;
            assert_eq!(
                (&*reply.problem(), reply.status.as_u16()),
                ("body-too-large", 413)
            );
            assert_eq!(reply.json()["limit"], limit);
            assert_eq!(reply.json()["limit_name"], "max_body_bytes");
        }
    }
    // Without a length it is counted as it comes.
    let head = "POST /v1/calc HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    let sum = [r#"{"operation":"#, r#""add","x":0.1,"#, r#""y":0.2}"#]
        .map(chunk)
        .concat();
    let reply = server.raw(format!("{head}{sum}0\r\n\r\n").as_bytes()).await;
    assert!(
        reply.starts_with("HTTP/1.1 200 ") && reply.ends_with(r#""result":"0.3","exact":true}"#),
        "{reply}"
    );
    let reply = server
        .raw(format!("{head}{}0\r\nx: y\r\n\r\n", chunk(&largest)).as_bytes())
        .await;
    assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
    let large = chunk(&" ".repeat(20_000)).repeat(4);
    let reply = server
        .raw(format!("{head}{large}0\r\n\r\n").as_bytes())
        .await;
    assert!(reply.starts_with("HTTP/1.1 413 "), "{reply}");
    // Who asks first is told at once, and not to continue.
    let head = "POST /v1/calc HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 100000\r\nExpect: 100-continue\r\n\r\n";
    let reply = server.raw(head.as_bytes()).await;
    assert!(reply.starts_with("HTTP/1.1 413 "), "{reply}");
    let (mut alice, _task) = server.connect(Protocol::Http1);
    alice
        .write_all(head.replace("100000", "31").as_bytes())
        .await
        .unwrap();
    assert_eq!(some(&mut alice).await, "HTTP/1.1 100 Continue\r\n\r\n");
    alice
        .write_all(br#"{"operation":"add","x":1,"y":2}"#)
        .await
        .unwrap();
    assert!(some(&mut alice).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn malformed_requests_are_refused() {
    let server = Server::new();
    let many = "a: b\r\n".repeat(101);
    let long = format!("a: {}\r\n", "b".repeat(33 * 1024));
    let endless = "b".repeat(70 * 1024);
    for (sent, status, kind) in [
        // Requests: problems of ours.
        (
            "GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
            400,
            Some("bad-host"),
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n",
            400,
            Some("bad-host"),
        ),
        ("GET /nowhere HTTP/1.0\r\n\r\n", 404, Some("not-found")),
        (
            "POST /v1/calc HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n",
            400,
            Some("malformed-json"),
        ),
        (
            "POST /v1/calc HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            400,
            Some("malformed-body"),
        ),
        // Not requests: hyper's answers, without a body.
        ("nonsense\r\n\r\n", 400, None),
        ("GET /\r\n\r\n", 400, None),
        ("GET / HTTP/3.0\r\n\r\n", 400, None),
        ("G\u{e9}T / HTTP/1.1\r\n\r\n", 400, None),
        ("GET / HTTP/1.1\r\nHost: h\r\na b: c\r\n\r\n", 400, None),
        (
            "POST /v1/calc HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n",
            400,
            None,
        ),
        (
            "POST /v1/calc HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            400,
            None,
        ),
        (
            "POST /v1/calc HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n",
            400,
            None,
        ),
        (
            &format!("GET / HTTP/1.1\r\nHost: h\r\n{many}\r\n"),
            431,
            None,
        ),
        (
            &format!("GET / HTTP/1.1\r\nHost: h\r\n{long}\r\n"),
            431,
            None,
        ),
        (
            &format!("GET / HTTP/1.1\r\nHost: h\r\na: {endless}"),
            431,
            None,
        ),
        (
            &format!("GET /{endless} HTTP/1.1\r\nHost: h\r\n\r\n"),
            431,
            None,
        ),
    ] {
        let reply = server.raw(sent.as_bytes()).await;
        let shown = &sent[..sent.len().min(80)];
        assert!(
            reply.starts_with(&format!("HTTP/1.1 {status} "))
                || reply.starts_with(&format!("HTTP/1.0 {status} ")),
            "{shown:?}: {reply:?}"
        );
        match kind {
            Some(kind) => assert!(
                reply.contains(&format!("\"/problems/{kind}\"")),
                "{shown:?}: {reply}"
            ),
            None => assert!(reply.ends_with("\r\n\r\n"), "{shown:?}: {reply}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_taken_is_given_up() {
    let item = r#"{"operation":"divide","x":1,"y":7,"precision":1000}"#;
    let batch = format!("[{}]", vec![item; 1_000].join(","));
    let server = Server::new();
    // Over HTTP/1 the transport is full, and a byte taken now and then does not help.
    let (mut mallory, task) = server.connect_narrow(Protocol::Http1, 4 * 1024);
    let head = format!(
        "POST /v1/calc/batch HTTP/1.1\r\nHost: h\r\nContent-Type: {JSON}\r\nContent-Length: {}\r\n\r\n",
        batch.len()
    );
    mallory.write_all(head.as_bytes()).await.unwrap();
    mallory.write_all(batch.as_bytes()).await.unwrap();
    let drip = async {
        while let Ok(1..) = mallory.read(&mut [0; 1]).await {
            sleep(Duration::from_secs(1)).await;
        }
    };
    let (lived, ()) = tokio::join!(lives(task), drip);
    assert_eq!(lived, 120);
    assert_eq!(server.service.shared.batches.available_permits(), 64);

    // Over HTTP/2 the stream's window is: it is reset, the connection goes on.
    let mut alice = server.client(Protocol::Http2).await;
    let Client::Http2(sender) = &mut alice else {
        unreachable!()
    };
    let request = hyper::Request::post("https://h/v1/calc/batch")
        .header("content-type", JSON)
        .body(http_body_util::Full::new(bytes::Bytes::from(batch)))
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(server.service.shared.batches.available_permits(), 63);
    for _ in 0..3 {
        sleep(Duration::from_secs(40)).await;
        assert_eq!(alice.get("/v1/calc/add?x=1&y=2").await.status, 200);
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!(server.service.shared.batches.available_permits(), 64);
    http_body_util::BodyExt::collect(response.into_body())
        .await
        .expect_err("the stream is reset");
    assert_eq!(alice.get("/v1/calc/add?x=1&y=2").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn shutdown_closes_what_rests_at_once() {
    for protocol in BOTH {
        for has_asked in [false, true] {
            let server = Server::new();
            let (stream, task) = server.connect(protocol);
            let mut alice = Client::new(stream, protocol).await;
            if has_asked {
                assert_eq!(alice.get("/v1/calc/add?x=1&y=2").await.status, 200);
            }
            server.shutdown.send_replace(true);
            assert_eq!(lives(task).await, 0, "{protocol:?} {has_asked}");
        }
    }
    // A server that is gone is one that shuts down.
    let Server {
        service, shutdown, ..
    } = Server::new();
    let (_stream, io) = tokio::io::duplex(1024);
    let gone = shutdown.subscribe();
    drop(shutdown);
    let transport = Transport {
        protocol: Protocol::Http1,
        peer: PEER,
        is_of_ca: false,
    };
    let task = tokio::spawn(async move { service.serve(io, transport, gone).await });
    assert_eq!(lives(task).await, 0);
}

#[tokio::test(start_paused = true)]
async fn shutdown_lets_what_is_under_way_end() {
    let body = br#"{"operation":"add","x":0.1,"y":0.2}"#;
    let server = Server::new();
    let (mut alice, task) = server.connect(Protocol::Http1);
    let head = format!(
        "POST /v1/calc HTTP/1.1\r\nHost: h\r\nContent-Type: {JSON}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    alice.write_all(head.as_bytes()).await.unwrap();
    alice.write_all(&body[..9]).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    server.shutdown.send_replace(true);
    sleep(Duration::from_secs(20)).await;
    alice.write_all(&body[9..]).await.unwrap();
    // More requests are not answered.
    alice.write_all(SUM).await.unwrap();
    let mut received = String::new();
    alice.read_to_string(&mut received).await.unwrap();
    assert!(received.starts_with("HTTP/1.1 200 "), "{received}");
    assert!(received.contains("\r\nconnection: close\r\n"), "{received}");
    assert!(
        received.ends_with(r#""result":"0.3","exact":true}"#),
        "{received}"
    );
    assert_eq!(lives(task).await, 0);

    // HTTP/2: a batch that is being computed arrives.
    let server = Server::with(|limits| limits.batch_slice = Duration::ZERO);
    let (stream, task) = server.connect(Protocol::Http2);
    let mut alice = Client::new(stream, Protocol::Http2).await;
    let batch = format!(
        "[{}]",
        vec![r#"{"operation":"divide","x":1,"y":7}"#; 1_000].join(",")
    );
    let answer = tokio::spawn(async move { alice.post("/v1/calc/batch", JSON, &batch).await });
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    assert!(
        server.service.shared.batches.available_permits() < 64,
        "the batch has begun"
    );
    server.shutdown.send_replace(true);
    let reply = answer.await.unwrap();
    assert_eq!(reply.json().as_array().unwrap().len(), 1_000);
    assert_eq!(lives(task).await, 0);
}

#[tokio::test(start_paused = true)]
async fn shutdown_does_not_wait_for_the_silent() {
    let server = Server::new();
    let silent = [
        (Protocol::Http1, &b"GET /v1"[..]),
        (Protocol::Http2, &PREFACE[..10]),
        (Protocol::Http2, PREFACE),
        (Protocol::Http2, &[PREFACE, SETTINGS].concat()),
    ]
    .map(|(protocol, sent)| (server.connect(protocol), sent.to_vec()));
    let mut connections = Vec::new();
    for ((mut stream, task), sent) in silent {
        stream.write_all(&sent).await.unwrap();
        connections.push((stream, task));
    }
    sleep(Duration::from_secs(1)).await;
    server.shutdown.send_replace(true);
    let since = Instant::now();
    for (_stream, task) in connections {
        lives(task).await;
        assert!(
            since.elapsed() <= Duration::from_secs(3),
            "{:?}",
            since.elapsed()
        );
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let third = b"GET /nowhere HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let reply = Server::new().raw(&[SUM, SUM, third].concat()).await;
    let statuses: Vec<_> = reply.matches("HTTP/1.1 ").collect();
    assert_eq!(statuses.len(), 3, "{reply}");
    assert!(
        reply.rfind("HTTP/1.1 404 ") > reply.rfind("HTTP/1.1 200 "),
        "{reply}"
    );
}

#[tokio::test]
async fn a_refused_head_is_read_to_its_end_so_that_the_answer_arrives() {
    let (mut mallory, task) = Server::new().connect_narrow(Protocol::Http1, 4096);
    let head = format!(
        "GET /v1/calc/add?x={} HTTP/1.1\r\nHost: h\r\n\r\n",
        "1".repeat(300_000)
    );
    mallory.write_all(head.as_bytes()).await.unwrap();
    mallory.shutdown().await.unwrap();
    let received = some(&mut mallory).await;
    assert!(received.starts_with("HTTP/1.1 431 "), "{received}");
    task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_refused_head_has_an_end() {
    let (mallory, task) = Server::new().connect(Protocol::Http1);
    let (mut answer, mut endless) = tokio::io::split(mallory);
    let flood = async { while endless.write_all(&[b'x'; 4096]).await.is_ok() {} };
    let mut received = Vec::new();
    let (_, read) = tokio::join!(flood, answer.read_to_end(&mut received));
    read.unwrap();
    assert!(received.starts_with(b"HTTP/1.1 431 "));
    task.await.unwrap();

    // One that sends no more, and does not close either.
    let (mut mallory, task) = Server::new().connect(Protocol::Http1);
    mallory.write_all(&[b'x'; 64 * 1024]).await.unwrap();
    assert_eq!(lives(task).await, 10);
}

/// An HTTP/2 frame.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The error code of the GOAWAY frame that ends a connection.
async fn goaway(mut stream: DuplexStream) -> u32 {
    let mut received = Vec::new();
    stream.read_to_end(&mut received).await.unwrap();
    let mut rest = received.as_slice();
    let mut code = None;
    while let [a, b, c, kind, _, _, _, _, _, tail @ ..] = rest {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        if *kind == 7 {
            code = Some(u32::from_be_bytes(tail[4..8].try_into().unwrap()));
        }
        rest = &tail[length..];
    }
    code.expect("the connection ends with GOAWAY")
}

#[tokio::test]
async fn streams_opened_and_reset_at_once_end_the_connection() {
    const ENHANCE_YOUR_CALM: u32 = 0xb;
    let (mut mallory, task) = Server::new().connect(Protocol::Http2);
    let mut flood = [PREFACE, SETTINGS].concat();
    for stream in (1..2_000).step_by(2) {
        // GET / over https, from the static table alone (RFC 7541, appendix A), with an authority of one letter.
        flood.extend(frame(1, 5, stream, b"\x82\x84\x87\x41\x01h"));
        flood.extend(frame(3, 0, stream, &8u32.to_be_bytes()));
    }
    mallory.write_all(&flood).await.unwrap();
    assert_eq!(goaway(mallory).await, ENHANCE_YOUR_CALM);
    task.await.unwrap();
}

#[tokio::test]
async fn a_head_without_end_ends_the_connection() {
    const ENHANCE_YOUR_CALM: u32 = 0xb;
    let (mut mallory, task) = Server::new().connect(Protocol::Http2);
    mallory
        .write_all(&[PREFACE, SETTINGS, &frame(1, 1, 1, b"\x82\x84\x87\x41\x01h")].concat())
        .await
        .unwrap();
    // CONTINUATION after CONTINUATION, none of them the last (VU#421644).
    let more = frame(
        9,
        0,
        1,
        &[&b"\x40\x01a\x7f\x81\x7e"[..], &[b'a'; 255]].concat(),
    );
    for _ in 0..10_000 {
        if mallory.write_all(&more).await.is_err() {
            break;
        }
    }
    assert_eq!(goaway(mallory).await, ENHANCE_YOUR_CALM);
    task.await.unwrap();
}
