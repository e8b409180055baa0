//! What is sealed for someone, as a server that lies can change it.

use std::cell::RefCell;

use recado_client::e2e::look_at;
use recado_client::history::workbench::Door;
use recado_proto::content::{Content, Envelope};

thread_local! {
    static DOOR: RefCell<Door> = RefCell::new(Door::new());
}

/// Any bytes as an envelope, as what is inside one, or as a key package; or as changes of one that was sealed, as the
/// first byte says: what is read is what was sealed.
pub fn envelope(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else {
        return;
    };
    DOOR.with_borrow_mut(|door| {
        let number = usize::from(*kind / 4) % door.count();
        match kind % 4 {
            0 => {
                plain(bytes);
                assert!(!door.bring(number, bytes), "read what nobody sealed");
            }
            1 => {
                let changed = change(door.envelope(number), bytes);
                let is_read = door.bring(number, &changed);
                assert!(is_read || changed != door.envelope(number));
            }
            2 => {
                // As one envelope in the place of another.
                let other = (number + 1) % door.count();
                let changed = change(door.envelope(other), bytes);
                assert!(!door.bring(number, &changed), "read in another place");
            }
            _ => assert!(!door.offer(bytes), "a key package that nobody made"),
        }
    });
}

/// What can be read of an envelope, and of a content, without keys.
fn plain(bytes: &[u8]) {
    let _ = look_at(bytes);
    if let Ok(Some(envelope)) = Envelope::decode(bytes) {
        let again = Envelope::decode(&envelope.clone().encode()).expect("our own reads back");
        assert_eq!(again, Some(envelope));
    }
    if let Ok(Some(content)) = Content::decode(bytes) {
        let again = content.clone().encode().expect("what was read can be sent");
        let again = Content::decode(&again).expect("our own reads back");
        assert_eq!(again, Some(content));
    }
}

/// Applies changes of four bytes each: where, in two of them, what, and a value.
fn change(envelope: &[u8], changes: &[u8]) -> Vec<u8> {
    let mut changed = envelope.to_vec();
    let (changes, _) = changes.as_chunks();
    for [high, low, what, value] in changes {
        let at = usize::from(u16::from_be_bytes([*high, *low])) % (changed.len() + 1);
        match what % 4 {
            0 if at < changed.len() => changed[at] ^= value,
            1 => changed.insert(at, *value),
            2 => {
                let end = changed.len().min(at + usize::from(*value));
                changed.drain(at..end);
            }
            3 => changed.truncate(at),
            _ => {}
        }
    }
    changed
}
