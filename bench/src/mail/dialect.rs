//! What a server's protocol makes of messages: bytes in, bytes out.

use anyhow::{Context, Result, ensure};

use super::load::TEXT;

/// Digits of the number that a text begins with.
const DIGITS: usize = 16;

/// One end of a pair, once it is open.
pub(super) trait Dialect: Send {
    /// Appends the next message to the other end.
    fn say(&mut self, text: &[u8], out: &mut Vec<u8>) -> Result<()>;

    /// Takes what has come, and appends what is to be answered.
    fn hear(&mut self, bytes: &[u8], tally: &mut Tally, out: &mut Vec<u8>) -> Result<()>;
}

/// How far a pair is: everything up to these numbers.
#[derive(Default, Debug)]
pub(super) struct Tally {
    pub(super) sent: u64,
    /// With the recipient.
    pub(super) arrived: u64,
    /// Acknowledged to the sender by the server.
    pub(super) stored: u64,
    /// As above, and that the recipient acknowledged is known to the sender, where a server tells.
    pub(super) settled: u64,
}

impl Tally {
    /// The text of the next message.
    pub(super) fn next(&mut self) -> [u8; TEXT] {
        self.sent += 1;
        let mut text = [b'a'; TEXT];
        for (digit, shift) in text.iter_mut().take(DIGITS).zip((0..DIGITS).rev()) {
            *digit = b"0123456789abcdef"[(self.sent >> (4 * shift)) as usize & 15];
        }
        text
    }

    /// A text has come: it must be the next.
    pub(super) fn arrive(&mut self, text: &[u8]) -> Result<()> {
        ensure!(text.len() == TEXT, "a message of {} bytes", text.len());
        let number = str::from_utf8(&text[..DIGITS])
            .ok()
            .and_then(|digits| u64::from_str_radix(digits, 16).ok())
            .context("a message without a number")?;
        let expected = self.arrived + 1;
        ensure!(number == expected, "message {number} came, not {expected}");
        self.arrived = number;
        Ok(())
    }

    pub(super) fn store(&mut self, up_to: u64) {
        self.stored = self.stored.max(up_to);
    }

    pub(super) fn settle(&mut self, up_to: u64) {
        self.store(up_to);
        self.settled = self.settled.max(up_to);
    }

    /// Messages that have not arrived, or of which the sender does not know that the server has them.
    pub(super) fn outstanding(&self) -> u64 {
        self.sent - self.arrived.min(self.stored)
    }

    pub(super) fn is_done(&self) -> bool {
        self.arrived == self.sent && self.settled == self.sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_come_next_is_noticed() {
        let mut tally = Tally::default();
        let texts = [tally.next(), tally.next(), tally.next()];
        assert!(tally.arrive(&texts[1]).is_err());
        tally.arrive(&texts[0]).unwrap();
        assert!(tally.arrive(&texts[0]).is_err());
        assert!(tally.arrive(&texts[1][1..]).is_err());
        tally.arrive(&texts[1]).unwrap();
        assert_eq!(tally.outstanding(), 3);
        tally.store(2);
        assert_eq!(tally.outstanding(), 1);
        tally.arrive(&texts[2]).unwrap();
        tally.store(3);
        assert!(tally.outstanding() == 0 && !tally.is_done());
        tally.settle(3);
        assert!(tally.is_done());
    }
}
