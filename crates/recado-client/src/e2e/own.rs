//! To oneself: MLS has no group of one, so that a key of one's own seals what one keeps at the server for oneself.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use recado_proto::content::Envelope;
use rusqlite::{OptionalExtension as _, Transaction};
use zeroize::Zeroizing;

use super::{SealedEnvelope, Vault, draw, no_randomness};

/// What the ciphertext is for; then the server's root and one's own key.
const LABEL: &[u8] = b"recado own message v1\0";

/// Over one transaction.
pub(super) struct Own<'t> {
    vault: &'t Vault,
    transaction: &'t Transaction<'t>,
}

impl<'t> Own<'t> {
    pub(super) fn new(vault: &'t Vault, transaction: &'t Transaction<'t>) -> Self {
        Self { vault, transaction }
    }

    pub(super) fn seal(&self, plaintext: &[u8]) -> rusqlite::Result<SealedEnvelope> {
        let key = match self.key()? {
            Some(key) => key,
            None => self.make_key()?,
        };
        let mut nonce = [0; 12];
        draw(&mut nonce)?;
        let ciphertext = seal_with(&key, nonce, &self.binding(), plaintext);
        let ciphertext = ciphertext.ok_or_else(no_randomness)?;
        Ok(SealedEnvelope {
            bytes: Envelope::Own { nonce, ciphertext }.encode(),
            welcomes: None,
        })
    }

    pub(super) fn open(
        &self,
        nonce: &[u8; 12],
        mut ciphertext: Vec<u8>,
    ) -> rusqlite::Result<Option<Zeroizing<Vec<u8>>>> {
        let Some(key) = self.key()?.and_then(|key| cipher(&key)) else {
            return Ok(None);
        };
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let aad = Aad::from(self.binding());
        let opened = key.open_in_place(nonce, aad, &mut ciphertext);
        let length = opened.map(|plaintext| plaintext.len());
        let mut plaintext = Zeroizing::new(ciphertext);
        Ok(length.ok().map(|length| {
            plaintext.truncate(length);
            plaintext
        }))
    }

    fn binding(&self) -> Vec<u8> {
        let (root, key) = (self.vault.root.as_bytes(), self.vault.own.as_bytes());
        [LABEL, root, key].concat()
    }

    fn key(&self) -> rusqlite::Result<Option<Zeroizing<[u8; 32]>>> {
        self.transaction
            .prepare_cached("SELECT key FROM own_key")?
            .query_row([], |row| row.get(0).map(Zeroizing::new))
            .optional()
    }

    fn make_key(&self) -> rusqlite::Result<Zeroizing<[u8; 32]>> {
        let mut key = Zeroizing::new([0; 32]);
        draw(&mut *key)?;
        self.transaction
            .execute("INSERT INTO own_key (only, key) VALUES (1, ?1)", [*key])?;
        Ok(key)
    }
}

/// Nothing only where the cryptographic library fails.
fn seal_with(key: &[u8; 32], nonce: [u8; 12], binding: &[u8], plaintext: &[u8]) -> Option<Vec<u8>> {
    let mut sealed = plaintext.to_vec();
    let nonce = Nonce::assume_unique_for_key(nonce);
    cipher(key)?
        .seal_in_place_append_tag(nonce, Aad::from(binding), &mut sealed)
        .ok()?;
    Some(sealed)
}

fn cipher(key: &[u8; 32]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key)
        .ok()
        .map(LessSafeKey::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector of `docs/protocol.md`, which another program computes from the document.
    #[test]
    fn a_message_to_oneself_is_sealed_as_documented() {
        let binding = [LABEL, &[1; 32], &[5; 32]].concat();
        let sealed = seal_with(&[8; 32], [6; 12], &binding, "Olá".as_bytes()).unwrap();
        let hex: String = sealed.iter().map(|byte| format!("{byte:02x}")).collect();
        let document = include_str!("../../../../docs/protocol.md");
        let line = format!("own ciphertext    {hex}");
        assert!(document.lines().any(|it| it == line), "{line}");
    }
}
