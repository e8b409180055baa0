//! The way of datagrams in one direction.

use std::time::Duration;

use crate::random::Random;

/// How one direction treats datagrams. Chances are in percent.
#[derive(Clone, Copy, Debug)]
pub struct LinkModel {
    /// Time on the way, at least.
    pub latency: Duration,
    /// Time that may come on top, drawn for each datagram: what reorders them.
    pub jitter: Duration,
    /// Datagrams that are lost.
    pub loss: u32,
    /// Datagrams that arrive twice.
    pub duplicated: u32,
    /// Datagrams with a bit turned over.
    pub corrupted: u32,
    /// Longer ones, in bytes, are lost.
    pub mtu: usize,
    /// Bytes a second, with room for a tenth of a second's before what comes on top is lost; 0 is without end.
    pub rate: u64,
}

impl LinkModel {
    /// A quiet network at home: 5 ms, and nothing lost.
    pub const QUIET: Self = Self {
        latency: Duration::from_millis(5),
        jitter: Duration::ZERO,
        loss: 0,
        duplicated: 0,
        corrupted: 0,
        mtu: 1500,
        rate: 0,
    };

    /// A bad one: so much is lost, some is doubled and corrupted, and what follows within 20 ms may overtake.
    pub const fn rough(loss: u32) -> Self {
        Self {
            latency: Duration::from_millis(20),
            jitter: Duration::from_millis(20),
            loss,
            duplicated: 5,
            corrupted: 1,
            ..Self::QUIET
        }
    }
}

/// One direction, and what stands in its way now.
#[derive(Debug)]
pub struct Link {
    pub(crate) model: LinkModel,
    blocked: bool,
    /// When the block took something for the first time.
    pub(crate) swallowed: Option<Duration>,
    /// The next so many are lost.
    pub(crate) lose: u32,
    /// When what was sent has left, at the model's rate.
    free: Duration,
}

impl Link {
    /// A direction in which nothing stands in the way.
    pub fn new(model: LinkModel) -> Self {
        Self {
            model,
            blocked: false,
            swallowed: None,
            lose: 0,
            free: Duration::ZERO,
        }
    }

    /// From now on nothing arrives, or it does again.
    pub(crate) fn block(&mut self, blocked: bool) {
        self.blocked = blocked;
        self.swallowed = None;
    }

    /// When a datagram arrives, and as what: not at all, once or more often.
    pub fn carry(
        &mut self,
        now: Duration,
        random: &mut Random,
        datagram: &[u8],
    ) -> Vec<(Duration, Vec<u8>)> {
        let model = self.model;
        if self.lose > 0 {
            self.lose -= 1;
            return Vec::new();
        }
        if self.blocked {
            self.swallowed.get_or_insert(now);
            return Vec::new();
        }
        if datagram.len() > model.mtu || random.percent(model.loss) {
            return Vec::new();
        }
        let mut leaves = now;
        let nanos = datagram.len() as u64 * 1_000_000_000;
        if let Some(nanos) = nanos.checked_div(model.rate) {
            let begins = self.free.max(now);
            if begins - now > Duration::from_millis(100) {
                return Vec::new();
            }
            leaves = begins + Duration::from_nanos(nanos);
            self.free = leaves;
        }
        let copies = 1 + usize::from(random.percent(model.duplicated));
        let mut arrivals = Vec::with_capacity(copies);
        for _ in 0..copies {
            let mut bytes = datagram.to_vec();
            if random.percent(model.corrupted) {
                let bit = random.below(bytes.len() as u64 * 8);
                bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
            }
            arrivals.push((leaves + model.latency + random.up_to(model.jitter), bytes));
        }
        arrivals
    }
}
