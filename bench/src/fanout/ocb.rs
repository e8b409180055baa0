//! OCB2-AES128 as Mumble seals UDP packets with it: one byte of the nonce, three of the tag, then the
//! ciphertext. Sealing only: what comes back is counted, not opened.

use anyhow::{Result, ensure};
use aws_lc_rs::cipher::{AES_128, EncryptingKey, UnboundCipherKey};

const BLOCK: usize = 16;

pub(super) struct Ocb {
    key: EncryptingKey,
    nonce: [u8; BLOCK],
}

impl Ocb {
    pub(super) fn new(key: [u8; BLOCK], nonce: [u8; BLOCK]) -> Result<Self> {
        let key = EncryptingKey::ecb(UnboundCipherKey::new(&AES_128, &key)?)?;
        Ok(Self { key, nonce })
    }

    /// Seals a packet under the next nonce.
    pub(super) fn seal(&mut self, plaintext: &[u8]) -> Result<Vec<u8>> {
        for byte in &mut self.nonce {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                break;
            }
        }
        let (ciphertext, tag) = self.encrypt(plaintext)?;
        let mut packet = vec![self.nonce[0], tag[0], tag[1], tag[2]];
        packet.extend_from_slice(&ciphertext);
        Ok(packet)
    }

    /// Rogaway, "Efficient Instantiations of Tweakable Blockciphers", §OCB1 (known as OCB2), without data
    /// that is only authenticated.
    fn encrypt(&self, plaintext: &[u8]) -> Result<(Vec<u8>, [u8; BLOCK])> {
        ensure!(!plaintext.is_empty(), "nothing to seal");
        let mut delta = self.block(self.nonce)?;
        let mut checksum = [0; BLOCK];
        let mut out = Vec::with_capacity(plaintext.len());
        let whole = (plaintext.len() - 1) / BLOCK * BLOCK;
        let (blocks, last) = plaintext.split_at(whole);
        for block in blocks.as_chunks().0 {
            delta = double(delta);
            out.extend_from_slice(&xor(self.block(xor(*block, delta))?, delta));
            checksum = xor(checksum, *block);
        }
        delta = double(delta);
        let mut length = [0; BLOCK];
        // At most 128.
        length[BLOCK - 1] = (last.len() * 8) as u8;
        let pad = self.block(xor(length, delta))?;
        let mut padded = pad;
        padded[..last.len()].copy_from_slice(last);
        checksum = xor(checksum, padded);
        out.extend_from_slice(&xor(padded, pad)[..last.len()]);
        delta = xor(delta, double(delta));
        Ok((out, self.block(xor(delta, checksum))?))
    }

    fn block(&self, mut block: [u8; BLOCK]) -> Result<[u8; BLOCK]> {
        self.key.encrypt(&mut block)?;
        Ok(block)
    }
}

fn xor(left: [u8; BLOCK], right: [u8; BLOCK]) -> [u8; BLOCK] {
    (u128::from_ne_bytes(left) ^ u128::from_ne_bytes(right)).to_ne_bytes()
}

/// In GF(2^128).
fn double(block: [u8; BLOCK]) -> [u8; BLOCK] {
    let number = u128::from_be_bytes(block);
    let carry = if number >> 127 == 1 { 0x87 } else { 0 };
    (number << 1 ^ carry).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From Krovetz and Rogaway's draft of OCB2 (draft-krovetz-ocb-00), which Mumble's own tests use.
    #[test]
    fn the_draft_s_vectors() {
        let key: [u8; BLOCK] = std::array::from_fn(|at| at as u8);
        let ocb = Ocb::new(key, key).unwrap();
        let plaintext: Vec<u8> = (0..40).collect();
        let (ciphertext, tag) = ocb.encrypt(&plaintext).unwrap();
        let tag_expected = [
            0x9d, 0xb0, 0xcd, 0xf8, 0x80, 0xf7, 0x3e, 0x3e, 0x10, 0xd4, 0xeb, 0x32, 0x17, 0x76,
            0x66, 0x88,
        ];
        let ciphertext_expected = [
            0xf7, 0x5d, 0x6b, 0xc8, 0xb4, 0xdc, 0x8d, 0x66, 0xb8, 0x36, 0xa2, 0xb0, 0x8b, 0x32,
            0xa6, 0x36, 0x9f, 0x1c, 0xd3, 0xc5, 0x22, 0x8d, 0x79, 0xfd, 0x6c, 0x26, 0x7f, 0x5f,
            0x6a, 0xa7, 0xb2, 0x31, 0xc7, 0xdf, 0xb9, 0xd5, 0x99, 0x51, 0xae, 0x9c,
        ];
        assert_eq!(tag, tag_expected);
        assert_eq!(ciphertext, ciphertext_expected);
    }
}
