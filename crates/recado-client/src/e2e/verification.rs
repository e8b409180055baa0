//! The code that two people compare by voice.

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2;
use recado_proto::fingerprint::Fingerprint;
use recado_proto::id::RemoteKey;

/// What the code is for; then the server's root.
const LABEL: &[u8] = b"recado verification v1\0";

/// How often a key is hashed. An impostor has to do this for each key that they try.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(65_536).expect("not zero");

/// Digits for each of the two keys: an impostor tries 10^20 keys, some 2^66, until one has the digits of another.
const DIGITS: u32 = 20;

/// Digits that are said together.
const GROUP: usize = 5;

/// The code of two keys at one server, the same on both sides: 40 digits, in groups of five. It takes some 30
/// milliseconds, on purpose.
pub fn code(root: &Fingerprint, one: &RemoteKey, other: &RemoteKey) -> String {
    let digits = half(root, one.min(other)) + &half(root, one.max(other));
    let digits = digits.into_bytes();
    let groups = digits.chunks(GROUP).map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(" ")
}

/// The digits of one key.
fn half(root: &Fingerprint, key: &RemoteKey) -> String {
    let salt = [LABEL, root.as_bytes()].concat();
    let mut stretched = [0; 32];
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        ITERATIONS,
        &salt,
        key.as_bytes(),
        &mut stretched,
    );
    let mut number = [0; 16];
    number.copy_from_slice(stretched.split_at(16).0);
    let number = u128::from_be_bytes(number) % 10_u128.pow(DIGITS);
    format!("{number:0width$}", width = DIGITS as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: Fingerprint = Fingerprint::from_bytes([1; 32]);
    const ALICE: RemoteKey = RemoteKey::from_bytes([5; 32]);
    const BOB: RemoteKey = RemoteKey::from_bytes([9; 32]);

    #[test]
    fn both_sides_have_the_same_and_others_have_another() {
        let shared = code(&ROOT, &ALICE, &BOB);
        assert_eq!(shared, code(&ROOT, &BOB, &ALICE));
        assert_eq!(shared.split(' ').map(str::len).collect::<Vec<_>>(), [5; 8]);
        assert!(shared.bytes().all(|it| it == b' ' || it.is_ascii_digit()));
        let other_root = Fingerprint::from_bytes([2; 32]);
        assert_ne!(shared, code(&other_root, &ALICE, &BOB));
        // The half of a key is the same whoever the other is: an impostor has to match it alone.
        let mallory = RemoteKey::from_bytes([7; 32]);
        let with_mallory = code(&ROOT, &ALICE, &mallory);
        assert_eq!(shared[..23], with_mallory[..23]);
        assert_ne!(shared, with_mallory);
    }

    /// The vector of `docs/protocol.md`, which another program computes from the document.
    #[test]
    fn the_code_is_the_documented_one() {
        let document = include_str!("../../../../docs/protocol.md");
        let line = format!("code              {}", code(&ROOT, &ALICE, &BOB));
        assert!(document.lines().any(|it| it == line), "{line}");
    }
}
