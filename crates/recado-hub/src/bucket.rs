//! Token buckets: so much at once, then so much a second.

use std::collections::BTreeMap;
use std::time::Duration;

/// How large a bucket is and how fast it fills.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BucketConfig {
    /// Tokens in a full bucket.
    pub burst: u32,
    /// Time for one token to come.
    pub interval: Duration,
}

impl BucketConfig {
    /// Time for an empty bucket to fill: after it, an unused bucket need not be remembered.
    fn fill_time(&self) -> Duration {
        self.interval.saturating_mul(self.burst)
    }
}

/// One bucket, kept as the moment at which it will be full: exact, without drift (the generic cell rate
/// algorithm of ITU-T I.371).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Bucket {
    full_at: Duration,
}

impl Bucket {
    /// Takes one token.
    ///
    /// # Errors
    /// How long until there will be one.
    pub fn take(&mut self, now: Duration, config: &BucketConfig) -> Result<(), Duration> {
        self.take_many(now, config, 1)
    }

    /// Takes tokens together, or none of them.
    ///
    /// # Errors
    /// How long until there will be as many; of more than a bucket holds there never are.
    pub fn take_many(
        &mut self,
        now: Duration,
        config: &BucketConfig,
        tokens: u32,
    ) -> Result<(), Duration> {
        let full_at = self
            .full_at
            .max(now)
            .saturating_add(config.interval.saturating_mul(tokens));
        let wait = full_at.saturating_sub(now.saturating_add(config.fill_time()));
        if !wait.is_zero() {
            return Err(wait);
        }
        self.full_at = full_at;
        Ok(())
    }

    /// Gives back a token that was taken and not needed.
    pub fn give_back(&mut self, config: &BucketConfig) {
        self.full_at = self.full_at.saturating_sub(config.interval);
    }
}

/// Buckets by key, of which only so many are remembered.
#[derive(Debug)]
pub struct Buckets<K> {
    config: BucketConfig,
    most: usize,
    buckets: BTreeMap<K, Bucket>,
}

impl<K: Ord + Clone> Buckets<K> {
    /// At most `most` buckets of `config`.
    pub fn new(config: BucketConfig, most: usize) -> Self {
        Self {
            config,
            most,
            buckets: BTreeMap::new(),
        }
    }

    /// Buckets are like this from now on.
    pub fn set_config(&mut self, config: BucketConfig) {
        self.config = config;
    }

    /// What they are like.
    pub fn config(&self) -> BucketConfig {
        self.config
    }

    /// Takes one of the key's tokens.
    ///
    /// # Errors
    /// How long until there will be one. Where more keys are busy than are remembered, a new one waits
    /// for its turn like an empty bucket: a flood of addresses cannot make the limit forget.
    pub fn take(&mut self, now: Duration, key: &K) -> Result<(), Duration> {
        self.take_many(now, key, 1)
    }

    /// Takes several of the key's tokens together, or none of them.
    ///
    /// # Errors
    /// How long until there will be as many; as in [`Self::take`].
    pub fn take_many(&mut self, now: Duration, key: &K, tokens: u32) -> Result<(), Duration> {
        if let Some(bucket) = self.buckets.get_mut(key) {
            return bucket.take_many(now, &self.config, tokens);
        }
        if self.buckets.len() >= self.most {
            self.buckets.retain(|_, bucket| bucket.full_at > now);
        }
        if self.buckets.len() >= self.most {
            return Err(self.config.interval);
        }
        let mut bucket = Bucket::default();
        let taken = bucket.take_many(now, &self.config, tokens);
        self.buckets.insert(key.clone(), bucket);
        taken
    }

    /// Gives back a token that was taken and not needed.
    pub fn give_back(&mut self, key: &K) {
        if let Some(bucket) = self.buckets.get_mut(key) {
            bucket.give_back(&self.config);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: BucketConfig = BucketConfig {
        burst: 3,
        interval: Duration::from_millis(100),
    };

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_burst_then_a_steady_rate() {
        let mut bucket = Bucket::default();
        for _ in 0..3 {
            assert_eq!(bucket.take(at(0), &CONFIG), Ok(()));
        }
        assert_eq!(bucket.take(at(0), &CONFIG), Err(at(100)));
        assert_eq!(bucket.take(at(60), &CONFIG), Err(at(40)));
        assert_eq!(bucket.take(at(100), &CONFIG), Ok(()));
        assert_eq!(bucket.take(at(100), &CONFIG), Err(at(100)));
        bucket.give_back(&CONFIG);
        assert_eq!(bucket.take(at(100), &CONFIG), Ok(()));
    }

    #[test]
    fn keys_are_apart_and_their_number_is_bounded() {
        let mut buckets = Buckets::new(CONFIG, 2);
        for _ in 0..3 {
            assert_eq!(buckets.take(at(0), &"a"), Ok(()));
        }
        assert!(buckets.take(at(0), &"a").is_err());
        assert_eq!(buckets.take(at(0), &"b"), Ok(()));
        assert_eq!(
            buckets.take(at(0), &"c"),
            Err(at(100)),
            "both places are busy"
        );
        assert_eq!(
            buckets.take(at(100), &"c"),
            Ok(()),
            "b is full again and forgotten"
        );
        assert_eq!(buckets.take_many(at(200), &"a", 3), Err(at(100)));
        assert_eq!(buckets.take_many(at(200), &"a", 2), Ok(()));
    }
}
