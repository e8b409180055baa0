//! How notes travel until private messages have a place of their own for them: as texts that nobody is shown. Their ids
//! show what they are, so that what becomes of them is nobody else's business, also after a restart.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use recado_proto::id::MessageId;

/// What no text that a person writes begins with.
const MARK: &str = "\0recado file note\0";

/// Bytes of an id that are drawn; the others follow from them.
const DRAWN: usize = 8;

pub(crate) fn wrap(note: &[u8]) -> String {
    format!("{MARK}{}", STANDARD.encode(note))
}

pub(crate) fn unwrap(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text.strip_prefix(MARK)?).ok()
}

/// The id of a note, or of an offer, that another id stands for.
pub(crate) fn note_id(id: &MessageId) -> MessageId {
    let mut bytes = *id.as_bytes();
    let (drawn, rest) = bytes.split_at_mut(DRAWN);
    let hash = digest(&SHA256, &[MARK.as_bytes(), drawn].concat());
    for (to, from) in rest.iter_mut().zip(hash.as_ref()) {
        *to = *from;
    }
    MessageId::from_bytes(bytes)
}

pub(crate) fn is_note(id: &MessageId) -> bool {
    note_id(id) == *id
}
