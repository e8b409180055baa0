//! NATS with JetStream: one stream in files, a durable consumer for each recipient, who acknowledges for all before
//! (`docs.nats.io/reference/reference-protocols`).

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::dialect::{Dialect, Tally};
use super::load::Stream;

const STREAM: &str = "mail";

/// More than is ever on the way to one recipient.
const MAX_UNACKNOWLEDGED: u32 = 1_000;

/// One end.
pub(super) struct Nats {
    pair: u32,
    is_sender: bool,
    partial: Vec<u8>,
}

/// What a server says.
enum Said<'a> {
    Message { reply: &'a str, body: &'a [u8] },
    Ping,
    Other(&'a str),
}

/// What the server says before TLS begins.
pub(super) fn greet(tcp: &mut TcpStream) -> Result<()> {
    let mut byte = [0];
    while byte != [b'\n'] {
        tcp.read_exact(&mut byte)?;
    }
    Ok(())
}

impl Nats {
    pub(super) fn open(stream: &mut Stream, pair: u32, is_sender: bool) -> Result<Self> {
        let mut nats = Self {
            pair,
            is_sender,
            partial: Vec::new(),
        };
        let inbox = nats.inbox();
        let options = json!({"verbose": false, "pedantic": false, "lang": "rust", "version": "1"});
        write!(stream, "CONNECT {options}\r\nSUB {inbox} 1\r\n")?;
        if is_sender {
            return Ok(nats);
        }
        if pair == 0 {
            let request = json!({
                "name": STREAM, "subjects": [format!("{STREAM}.*")], "storage": "file",
                "retention": "limits", "num_replicas": 1,
            });
            nats.ask(stream, &format!("STREAM.CREATE.{STREAM}"), &request)?;
        }
        let request = json!({
            "stream_name": STREAM,
            "config": {
                "durable_name": format!("recipient{pair}"),
                "deliver_subject": format!("deliver.{pair}"),
                "filter_subject": format!("{STREAM}.{pair}"),
                "ack_policy": "all",
                "max_ack_pending": MAX_UNACKNOWLEDGED,
            },
        });
        write!(stream, "SUB deliver.{pair} 2\r\n")?;
        let subject = format!("CONSUMER.DURABLE.CREATE.{STREAM}.recipient{pair}");
        nats.ask(stream, &subject, &request)?;
        Ok(nats)
    }

    fn inbox(&self) -> String {
        let role = if self.is_sender {
            "sender"
        } else {
            "recipient"
        };
        format!("_INBOX.{role}{}", self.pair)
    }

    /// A request to JetStream, and its answer.
    fn ask(&mut self, stream: &mut Stream, subject: &str, request: &Value) -> Result<()> {
        let request = request.to_string();
        write!(
            stream,
            "PUB $JS.API.{subject} {} {}\r\n{request}\r\n",
            self.inbox(),
            request.len()
        )?;
        let mut answer = None;
        let mut buffer = [0; 4096];
        while answer.is_none() {
            let length = stream.read(&mut buffer)?;
            ensure!(length > 0, "the server closed the connection");
            self.take(&buffer[..length], |said| {
                if let Said::Message { body, .. } = said {
                    answer = Some(serde_json::from_slice::<Value>(body)?);
                }
                Ok(())
            })?;
        }
        let answer = answer.context("no answer")?;
        ensure!(answer.get("error").is_none(), "{subject}: {answer}");
        Ok(())
    }

    fn take(&mut self, bytes: &[u8], mut take: impl FnMut(Said<'_>) -> Result<()>) -> Result<()> {
        self.partial.extend_from_slice(bytes);
        let mut rest = self.partial.as_slice();
        while let Some(end) = rest.windows(2).position(|it| it == b"\r\n") {
            let (line, after) = (str::from_utf8(&rest[..end])?, &rest[end + 2..]);
            let words: Vec<_> = line.split(' ').collect();
            match words[..] {
                ["MSG", _, _, ref more @ .., size] => {
                    let size: usize = size.parse()?;
                    if after.len() < size + 2 {
                        break;
                    }
                    let reply = more.first().copied().unwrap_or_default();
                    let body = &after[..size];
                    take(Said::Message { reply, body })?;
                    rest = &after[size + 2..];
                    continue;
                }
                ["PING"] => take(Said::Ping)?,
                _ => take(Said::Other(line))?,
            }
            rest = after;
        }
        let taken = self.partial.len() - rest.len();
        self.partial.drain(..taken);
        Ok(())
    }
}

impl Dialect for Nats {
    fn say(&mut self, text: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let (pair, inbox) = (self.pair, self.inbox());
        write!(out, "PUB {STREAM}.{pair} {inbox} {}\r\n", text.len())?;
        out.extend_from_slice(text);
        out.extend_from_slice(b"\r\n");
        Ok(())
    }

    fn hear(&mut self, bytes: &[u8], tally: &mut Tally, out: &mut Vec<u8>) -> Result<()> {
        let is_sender = self.is_sender;
        let mut newest = None;
        self.take(bytes, |said| {
            match said {
                Said::Message { body, .. } if is_sender => {
                    let text = str::from_utf8(body)?;
                    ensure!(text.contains("\"seq\":"), "{text}");
                    tally.settle(tally.settled + 1);
                }
                Said::Message { reply, body } => {
                    tally.arrive(body)?;
                    newest = Some(reply.to_owned());
                }
                Said::Ping => out.extend_from_slice(b"PONG\r\n"),
                Said::Other(line) if line.starts_with("INFO ") => {}
                Said::Other(line) => bail!("{line}"),
            }
            Ok(())
        })?;
        if let Some(reply) = newest {
            write!(out, "PUB {reply} 4\r\n+ACK\r\n")?;
        }
        Ok(())
    }
}
