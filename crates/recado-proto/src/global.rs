//! What the sender of a global message signs, so that nobody, the server included, can put words
//! into the mouth of someone whose key is remembered. `docs/protocol.md` §Signatures.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

use crate::fingerprint::Fingerprint;
use crate::id::{MessageId, RemoteKey, Signature};

/// The label of a global message's signature.
const LABEL: &[u8] = b"recado global message v1";

/// The bytes that are signed: 64 spaces (as TLS 1.3 does, RFC 8446 §4.4.3, so that no other
/// protocol's message can begin so), the label, a zero byte, the length of the root's hash in two bytes
/// and that hash, the sender's key, the id, the time in eight bytes, and the text to the end.
/// Numbers are big-endian.
pub fn signed_content(
    root: &Fingerprint,
    sender: &RemoteKey,
    id: &MessageId,
    sent_at_ms: i64,
    text: &str,
) -> Vec<u8> {
    let root = root.as_bytes();
    let mut content = Vec::with_capacity(256);
    content.resize(64, b' ');
    content.extend_from_slice(LABEL);
    content.push(0);
    // A SHA-256 hash: its length always fits.
    content.extend_from_slice(&u16::try_from(root.len()).unwrap_or(u16::MAX).to_be_bytes());
    content.extend_from_slice(root);
    content.extend_from_slice(sender.as_bytes());
    content.extend_from_slice(id.as_bytes());
    content.extend_from_slice(&sent_at_ms.to_be_bytes());
    content.extend_from_slice(text.as_bytes());
    content
}

/// Whether `signature` is the sender's over this message to the server of this root.
pub fn verify(
    root: &Fingerprint,
    sender: &RemoteKey,
    id: &MessageId,
    sent_at_ms: i64,
    text: &str,
    signature: &Signature,
) -> bool {
    let content = signed_content(root, sender, id, sent_at_ms, text);
    UnparsedPublicKey::new(&ED25519, sender.as_bytes())
        .verify(&content, signature.as_bytes())
        .is_ok()
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

    use super::*;

    #[test]
    fn a_signature_holds_for_its_own_message_only() {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let alice = RemoteKey::try_from(pair.public_key().as_ref()).unwrap();
        let (root, other_root) = (
            Fingerprint::from_bytes([1; 32]),
            Fingerprint::from_bytes([2; 32]),
        );
        let (id, other_id) = (
            MessageId::from_bytes([3; 16]),
            MessageId::from_bytes([4; 16]),
        );
        let content = signed_content(&root, &alice, &id, 5, "Olá, todos!");
        let signature = Signature::try_from(pair.sign(&content).as_ref()).unwrap();

        assert!(verify(&root, &alice, &id, 5, "Olá, todos!", &signature));
        assert!(!verify(
            &other_root,
            &alice,
            &id,
            5,
            "Olá, todos!",
            &signature
        ));
        assert!(!verify(
            &root,
            &alice,
            &other_id,
            5,
            "Olá, todos!",
            &signature
        ));
        assert!(!verify(&root, &alice, &id, 6, "Olá, todos!", &signature));
        assert!(!verify(&root, &alice, &id, 5, "Olá, todos", &signature));
        let bob = RemoteKey::from_bytes([9; 32]);
        assert!(!verify(&root, &bob, &id, 5, "Olá, todos!", &signature));
    }
}
