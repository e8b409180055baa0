//! A server in memory, and clients for it.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::http::{HttpConfig, HttpLimits, HttpService, Protocol, Transport};

pub(super) const BOTH: [Protocol; 2] = [Protocol::Http1, Protocol::Http2];
pub(super) const PEER: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1));
pub(super) const JSON: &str = "application/json";
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// A server; its connections are streams in memory.
pub(super) struct Server {
    /// Whom connections come from.
    pub(super) peer: SocketAddr,
    /// Whether they were shown a CA's certificate.
    pub(super) is_of_ca: bool,
    pub(super) service: HttpService,
    pub(super) shutdown: watch::Sender<bool>,
}

impl Server {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(change: impl FnOnce(&mut HttpLimits)) -> Self {
        let mut config = HttpConfig::default();
        change(&mut config.limits);
        Self::of(HttpService::new(config, Arc::new(|| Arc::from("PEM\n"))))
    }

    pub(super) fn of(service: HttpService) -> Self {
        Self {
            peer: PEER,
            is_of_ca: false,
            service,
            shutdown: watch::Sender::new(false),
        }
    }

    /// A connection's client end, and the task that serves it, which outlives this value.
    pub(super) fn connect(&self, protocol: Protocol) -> (DuplexStream, JoinHandle<()>) {
        self.connect_narrow(protocol, 256 * 1024)
    }

    /// The same over a transport that holds so many bytes.
    pub(super) fn connect_narrow(
        &self,
        protocol: Protocol,
        bytes: usize,
    ) -> (DuplexStream, JoinHandle<()>) {
        let (client, server) = duplex(bytes);
        let service = self.service.clone();
        let shutdown = self.shutdown.clone();
        let transport = Transport {
            protocol,
            peer: self.peer,
            is_of_ca: self.is_of_ca,
        };
        let task = tokio::spawn(async move {
            service.serve(server, transport, shutdown.subscribe()).await;
        });
        (client, task)
    }

    pub(super) async fn client(&self, protocol: Protocol) -> Client {
        Client::new(self.connect(protocol).0, protocol).await
    }

    /// Sends raw bytes to an HTTP/1 connection and gives all that comes back until its end.
    pub(super) async fn raw(&self, sent: &[u8]) -> String {
        let (mut stream, _) = self.connect(Protocol::Http1);
        stream.write_all(sent).await.unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).await.unwrap();
        String::from_utf8(received).unwrap()
    }
}

/// One connection's client.
pub(super) enum Client {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Client {
    pub(super) async fn new(stream: DuplexStream, protocol: Protocol) -> Self {
        let io = TokioIo::new(stream);
        match protocol {
            Protocol::Http1 => {
                let (sender, connection) = http1::handshake(io).await.unwrap();
                tokio::spawn(connection);
                Self::Http1(sender)
            }
            Protocol::Http2 => {
                // Its window is narrow, so that a large answer does not fit.
                let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                    .initial_stream_window_size(64 * 1024)
                    .handshake(io)
                    .await
                    .unwrap();
                tokio::spawn(connection);
                Self::Http2(sender)
            }
        }
    }

    pub(super) async fn send(&mut self, ask: Ask<'_>) -> Reply {
        let (method, target) = (ask.method, ask.target);
        let answer = match self {
            Self::Http1(sender) => sender.send_request(ask.request("")).await,
            Self::Http2(sender) => {
                sender
                    .send_request(ask.request("https://recado.internal"))
                    .await
            }
        };
        let reply = Reply::of(answer.unwrap()).await;
        super::description::check(method, target, &reply);
        reply
    }

    pub(super) async fn get(&mut self, target: &str) -> Reply {
        self.send(Ask::get(target)).await
    }

    pub(super) async fn post(&mut self, target: &str, content_type: &str, body: &str) -> Reply {
        self.send(Ask::post(target, content_type, body)).await
    }
}

/// A request to be sent.
#[derive(Clone, Debug)]
pub(super) struct Ask<'a> {
    pub(super) method: &'a str,
    pub(super) target: &'a str,
    pub(super) headers: Vec<(&'a str, &'a str)>,
    pub(super) body: Bytes,
}

impl<'a> Ask<'a> {
    pub(super) fn new(method: &'a str, target: &'a str) -> Self {
        Self {
            method,
            target,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    pub(super) fn get(target: &'a str) -> Self {
        Self::new("GET", target)
    }

    pub(super) fn post(target: &'a str, content_type: &'a str, body: &str) -> Self {
        let ask = Self::new("POST", target).header("content-type", content_type);
        Self {
            body: Bytes::copy_from_slice(body.as_bytes()),
            ..ask
        }
    }

    pub(super) fn header(mut self, name: &'a str, value: &'a str) -> Self {
        self.headers.push((name, value));
        self
    }

    fn request(self, authority: &str) -> Request<Full<Bytes>> {
        let mut request = Request::builder()
            .method(self.method)
            .uri(format!("{authority}{}", self.target));
        if authority.is_empty() {
            request = request.header("host", "recado.internal");
        }
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        request.body(Full::new(self.body)).unwrap()
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Reply {
    pub(super) async fn of(response: hyper::Response<Incoming>) -> Self {
        let (parts, body) = response.into_parts();
        let body = text(body).await;
        Self {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Checks that it is a problem and gives its slug.
    pub(super) fn problem(&self) -> String {
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{self:?}"
        );
        assert_eq!(self.header("cache-control"), "no-store", "{self:?}");
        let json = self.json();
        assert_eq!(json["status"], self.status.as_u16(), "{self:?}");
        assert!(!json["title"].as_str().unwrap().is_empty());
        assert!(json["detail"].as_str().unwrap().ends_with('.'), "{self:?}");
        json["type"]
            .as_str()
            .unwrap()
            .strip_prefix("/problems/")
            .unwrap()
            .to_owned()
    }
}

pub(super) async fn text<B: Body>(body: B) -> String
where
    B::Error: std::fmt::Debug,
{
    let bytes = body.collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}
