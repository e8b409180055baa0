//! How notes travel until private messages have a place of their own for them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const MARK: &str = "\0recado file\0";

pub(crate) fn wrap(note: &[u8]) -> String {
    format!("{MARK}{}", STANDARD.encode(note))
}

pub(crate) fn unwrap(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text.strip_prefix(MARK)?).ok()
}
