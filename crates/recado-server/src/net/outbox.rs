//! What waits to be written to one session: bounded in bytes, and nothing while the session is idle.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

/// Bytes that may wait for one session: the roster of as many as there may be connections, all with the longest
/// names (16,384 × 168 bytes), the private messages that may wait, and half as much again. Who falls further behind
/// is disconnected.
const MAX_BYTES: usize = 5 * 1024 * 1024;

/// Frames that may wait for one session, which also bounds what many small ones cost.
const MAX_FRAMES: usize = 4096;

/// The queue between the hub and a session's writer.
#[derive(Default)]
pub(crate) struct Outbox {
    queue: Mutex<Queue>,
    changed: Notify,
    ended: Notify,
}

#[derive(Default)]
struct Queue {
    frames: VecDeque<Bytes>,
    bytes: usize,
    phase: Phase,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    #[default]
    Open,
    /// Nothing is added any more; what is there is still written.
    Draining,
    /// The connection is over.
    Ended,
}

/// The session does not keep up.
#[derive(Debug)]
pub(crate) struct TooSlow;

impl Outbox {
    /// Adds frames. After [`close`](Self::close) they are dropped.
    pub(crate) fn push(&self, frames: Bytes) -> Result<(), TooSlow> {
        self.update(|queue| {
            if queue.phase != Phase::Open {
                return Ok(());
            }
            let bytes = queue.bytes + frames.len();
            if bytes > MAX_BYTES || queue.frames.len() >= MAX_FRAMES {
                return Err(TooSlow);
            }
            queue.bytes = bytes;
            queue.frames.push_back(frames);
            Ok(())
        })
    }

    /// Whether so much waits that what may be dropped is to be dropped.
    pub(crate) fn is_half_full(&self) -> bool {
        let queue = self.lock();
        queue.bytes > MAX_BYTES / 2 || queue.frames.len() > MAX_FRAMES / 2
    }

    /// Drops what waits.
    pub(crate) fn clear(&self) {
        self.update(|queue| {
            queue.frames = VecDeque::new();
            queue.bytes = 0;
        });
    }

    /// Lets what is there be written, then the connection be closed.
    pub(crate) fn close(&self) {
        self.update(|queue| {
            if queue.phase == Phase::Open {
                queue.phase = Phase::Draining;
            }
        });
    }

    /// Ends the connection now: reader and writer stop.
    pub(crate) fn end(&self) {
        self.update(|queue| {
            queue.phase = Phase::Ended;
            queue.frames = VecDeque::new();
        });
        self.ended.notify_one();
    }

    /// Waits for frames; `None` once there will be none.
    pub(crate) async fn next_batch(&self) -> Option<VecDeque<Bytes>> {
        loop {
            let changed = self.changed.notified();
            {
                let mut queue = self.lock();
                if queue.phase == Phase::Ended {
                    return None;
                }
                if !queue.frames.is_empty() {
                    queue.bytes = 0;
                    return Some(std::mem::take(&mut queue.frames));
                }
                if queue.phase == Phase::Draining {
                    return None;
                }
            }
            changed.await;
        }
    }

    /// Waits until [`end`](Self::end); for the one writer.
    pub(crate) async fn ended_by_reader(&self) {
        loop {
            let changed = self.changed.notified();
            if self.lock().phase == Phase::Ended {
                return;
            }
            changed.await;
        }
    }

    /// Waits until [`end`](Self::end); for the one reader.
    pub(crate) async fn ended(&self) {
        self.ended.notified().await;
    }

    fn update<T>(&self, change: impl FnOnce(&mut Queue) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.notify_one();
        result
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(length: usize) -> Bytes {
        vec![0; length].into()
    }

    #[tokio::test]
    async fn what_was_pushed_before_the_end_is_drained() {
        let outbox = Outbox::default();
        outbox.push(frames(1)).unwrap();
        outbox.push(frames(2)).unwrap();
        outbox.close();
        outbox.push(frames(3)).unwrap();
        let lengths = |batch: VecDeque<Bytes>| batch.iter().map(|f| f.len()).collect();
        assert_eq!(outbox.next_batch().await.map(lengths), Some(vec![1, 2]));
        assert_eq!(outbox.next_batch().await.map(lengths), None);
    }

    #[tokio::test]
    async fn a_reader_that_does_not_keep_up_is_noticed() {
        let outbox = Outbox::default();
        outbox.push(frames(MAX_BYTES / 2)).unwrap();
        assert!(!outbox.is_half_full());
        outbox.push(frames(MAX_BYTES / 2)).unwrap();
        assert!(outbox.is_half_full());
        assert!(outbox.push(frames(1)).is_err());
        outbox.clear();
        outbox.push(frames(MAX_BYTES)).unwrap();
        outbox.next_batch().await.unwrap();
        for _ in 0..MAX_FRAMES {
            outbox.push(frames(0)).unwrap();
        }
        assert!(outbox.push(frames(0)).is_err());
        outbox.end();
        outbox.ended().await;
        assert!(outbox.next_batch().await.is_none());
    }
}
