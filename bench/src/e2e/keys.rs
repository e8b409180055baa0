//! Sealing and opening alone: MLS, its state in a database in memory, and what goes around it.

use std::time::{Duration, Instant};

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk};
use recado_client::history::workbench::Pair;
use recado_proto::content::BUCKETS;

use super::text;

/// Microseconds of a message.
pub(super) struct Keys {
    pub(super) seal_us: f64,
    pub(super) open_us: f64,
    /// Of its envelope.
    pub(super) bytes: usize,
}

impl Keys {
    /// So many messages, so many in one transaction.
    pub(super) fn measure(messages: usize, batch: usize) -> Self {
        let (mut pair, text) = (Pair::new(), text());
        let (mut sealing, mut opening) = (Duration::ZERO, Duration::ZERO);
        let (mut done, mut bytes) = (0, 0);
        while done < messages {
            let began = Instant::now();
            let envelopes = pair.seal(batch, &text);
            sealing += began.elapsed();
            let began = Instant::now();
            pair.open(&envelopes);
            opening += began.elapsed();
            done += envelopes.len();
            bytes = envelopes.first().map_or(0, Vec::len);
        }
        Self::of(sealing, opening, done, bytes)
    }

    fn of(sealing: Duration, opening: Duration, messages: usize, bytes: usize) -> Self {
        let of = |time: Duration| time.as_secs_f64() * 1e6 / messages as f64;
        Self {
            seal_us: of(sealing),
            open_us: of(opening),
            bytes,
        }
    }
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// The least that a ratchet with one key for each message can take: three steps of HKDF for each (the next secret, a key,
/// a nonce), and a cipher.
pub(super) fn bare(messages: usize) -> Keys {
    let plaintext = [0; BUCKETS[0]];
    let mut ratchets = [[7; 32]; 2];
    let (mut sealing, mut opening) = (Duration::ZERO, Duration::ZERO);
    let mut bytes = 0;
    for _ in 0..messages {
        let began = Instant::now();
        let mut sealed = plaintext.to_vec();
        let (key, nonce) = step(&mut ratchets[0]);
        let done = key.seal_in_place_append_tag(nonce, Aad::empty(), &mut sealed);
        done.expect("sealing");
        sealing += began.elapsed();
        bytes = sealed.len();
        let began = Instant::now();
        let (key, nonce) = step(&mut ratchets[1]);
        let opened = key.open_in_place(nonce, Aad::empty(), &mut sealed);
        assert_eq!(opened.expect("opening"), plaintext);
        opening += began.elapsed();
    }
    Keys::of(sealing, opening, messages, bytes)
}

fn step(secret: &mut [u8; 32]) -> (LessSafeKey, Nonce) {
    let prk = Prk::new_less_safe(HKDF_SHA256, secret);
    let (mut key, mut nonce, mut next) = ([0; 16], [0; 12], [0; 32]);
    for (label, into) in [
        (b"key", &mut key[..]),
        (b"non", &mut nonce[..]),
        (b"nxt", &mut next[..]),
    ] {
        let info = [&label[..]];
        let okm = prk.expand(&info, Length(into.len()));
        okm.and_then(|okm| okm.fill(into)).expect("expanding");
    }
    *secret = next;
    let key = UnboundKey::new(&AES_128_GCM, &key).expect("a key");
    (LessSafeKey::new(key), Nonce::assume_unique_for_key(nonce))
}
