//! MQTT 3.1.1: QoS 1 both ways, in sessions that last (`docs.oasis-open.org/mqtt/mqtt/v3.1.1`).

use std::io::{Read, Write};

use anyhow::{Result, bail, ensure};

use super::dialect::{Dialect, Tally};
use super::load::Stream;

/// Packet types with their flags (§2.2).
const CONNECT: u8 = 0x10;
const PUBLISH: u8 = 0x30;
const AT_LEAST_ONCE: u8 = 0x02;
const PUBACK: u8 = 0x40;
const SUBSCRIBE: u8 = 0x82;

/// One end.
pub(super) struct Mqtt {
    topic: String,
    packet: u16,
    partial: Vec<u8>,
}

impl Mqtt {
    pub(super) fn open(stream: &mut Stream, pair: u32, is_sender: bool) -> Result<Self> {
        let client = format!("{}{pair}", if is_sender { 'a' } else { 'b' });
        let mut connect = b"\x00\x04MQTT\x04\x00\x00\x00".to_vec();
        string(&client, &mut connect)?;
        ask(stream, CONNECT, &connect, &[0x20, 2, 0, 0])?;
        let topic = format!("mail/{pair}");
        if !is_sender {
            let mut subscribe = vec![0, 1];
            string(&topic, &mut subscribe)?;
            subscribe.push(1);
            ask(stream, SUBSCRIBE, &subscribe, &[0x90, 3, 0, 1, 1])?;
        }
        Ok(Self {
            topic,
            packet: 0,
            partial: Vec::new(),
        })
    }
}

impl Dialect for Mqtt {
    fn say(&mut self, text: &[u8], out: &mut Vec<u8>) -> Result<()> {
        // From 1 to the highest, and again.
        self.packet = self.packet.checked_add(1).unwrap_or(1);
        out.push(PUBLISH | AT_LEAST_ONCE);
        length(2 + self.topic.len() + 2 + text.len(), out)?;
        string(&self.topic, out)?;
        out.extend_from_slice(&self.packet.to_be_bytes());
        out.extend_from_slice(text);
        Ok(())
    }

    fn hear(&mut self, bytes: &[u8], tally: &mut Tally, out: &mut Vec<u8>) -> Result<()> {
        self.partial.extend_from_slice(bytes);
        let mut rest = self.partial.as_slice();
        while let [kind, length, more @ ..] = rest {
            ensure!(*length < 0x80, "a packet longer than any expected");
            let Some((body, more)) = more.split_at_checked(usize::from(*length)) else {
                break;
            };
            rest = more;
            match (*kind, body) {
                (PUBACK, [_, _]) => tally.settle(tally.settled + 1),
                (kind, [high, low, body @ ..]) if kind & !0x08 == PUBLISH | AT_LEAST_ONCE => {
                    let topic = usize::from(u16::from_be_bytes([*high, *low]));
                    let Some((id, text)) =
                        body.get(topic..).and_then(|body| body.split_at_checked(2))
                    else {
                        bail!("a message without its packet's number");
                    };
                    tally.arrive(text)?;
                    out.extend_from_slice(&[PUBACK, 2]);
                    out.extend_from_slice(id);
                }
                _ => bail!("packet {kind:#x} of {length}"),
            }
        }
        let taken = self.partial.len() - rest.len();
        self.partial.drain(..taken);
        Ok(())
    }
}

fn ask(stream: &mut Stream, kind: u8, body: &[u8], answer: &[u8]) -> Result<()> {
    let mut packet = vec![kind];
    length(body.len(), &mut packet)?;
    packet.extend_from_slice(body);
    stream.write_all(&packet)?;
    let mut heard = vec![0; answer.len()];
    stream.read_exact(&mut heard)?;
    ensure!(heard == answer, "{heard:?} and not {answer:?}");
    Ok(())
}

/// §2.2.3, of one byte: all here is short.
fn length(length: usize, out: &mut Vec<u8>) -> Result<()> {
    ensure!(length < 0x80, "a packet longer than any expected");
    out.push(length as u8);
    Ok(())
}

/// §1.5.3.
fn string(text: &str, out: &mut Vec<u8>) -> Result<()> {
    out.extend_from_slice(&u16::try_from(text.len())?.to_be_bytes());
    out.extend_from_slice(text.as_bytes());
    Ok(())
}
