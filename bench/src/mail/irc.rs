//! IRC (RFC 2812): nothing is kept, and nothing acknowledged. What has arrived counts as both.

use std::io::{Read, Write};

use anyhow::{Context, Result, bail, ensure};

use super::dialect::{Dialect, Tally};
use super::load::Stream;

/// One end.
pub(super) struct Irc {
    other: String,
    partial: Vec<u8>,
}

impl Irc {
    pub(super) fn open(stream: &mut Stream, pair: u32, is_sender: bool) -> Result<Self> {
        let name = |is_sender: bool| format!("{}{pair}", if is_sender { 'a' } else { 'b' });
        let hello = format!("NICK {}\r\nUSER bench 0 * :bench\r\n", name(is_sender));
        stream.write_all(hello.as_bytes())?;
        // 376 or 422: the message of the day has ended, and with it the welcome.
        let (mut heard, mut buffer) = (String::new(), [0; 4096]);
        while !heard.contains(" 376 ") && !heard.contains(" 422 ") || !heard.ends_with('\n') {
            let length = stream.read(&mut buffer)?;
            ensure!(length > 0, "the server closed after {heard:?}");
            heard.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
        Ok(Self {
            other: name(!is_sender),
            partial: Vec::new(),
        })
    }
}

impl Dialect for Irc {
    fn say(&mut self, text: &[u8], out: &mut Vec<u8>) -> Result<()> {
        write!(out, "PRIVMSG {} :", self.other)?;
        out.extend_from_slice(text);
        out.extend_from_slice(b"\r\n");
        Ok(())
    }

    fn hear(&mut self, bytes: &[u8], tally: &mut Tally, out: &mut Vec<u8>) -> Result<()> {
        self.partial.extend_from_slice(bytes);
        let mut rest = self.partial.as_slice();
        while let Some(end) = rest.windows(2).position(|it| it == b"\r\n") {
            let line = str::from_utf8(&rest[..end])?;
            rest = &rest[end + 2..];
            if let Some(token) = line.strip_prefix("PING ") {
                write!(out, "PONG {token}\r\n")?;
                continue;
            }
            match line.split(' ').nth(1).context("an empty line")? {
                "PRIVMSG" => {
                    let (_, text) = line.split_once(" :").context("a message without text")?;
                    tally.arrive(text.as_bytes())?;
                    tally.settle(tally.arrived);
                }
                // What the server says of itself once someone has come.
                "MODE" | "NOTICE" => {}
                _ => bail!("{line}"),
            }
        }
        let taken = self.partial.len() - rest.len();
        self.partial.drain(..taken);
        Ok(())
    }
}
