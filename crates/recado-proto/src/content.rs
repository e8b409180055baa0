//! What two people write to each other: the envelope that the server carries, and the content that is sealed in it.
//! `docs/protocol.md` §End to end says what is compared with what.

use prost::Message;

use crate::frame::{MAX_NAME_BYTES, Malformed, at_most, check_length, id};
use crate::id::{MessageId, RemoteKey, StoreId};
use crate::limits::{MAX_FILE_NOTE, MAX_RENEWAL, MAX_TEXT};
use crate::wire;

/// Lengths of a content once it is padded: all that a ciphertext tells of how long a text is. Powers of two, as a
/// text's length matters less the longer it is; at the end finer, as the longest text and what goes with it take 65,800
/// bytes.
pub const BUCKETS: [usize; 10] = [
    256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768, 49_152, 66_560,
];

/// Ends the content and begins the padding, which is zeros.
const END: u8 = 0x80;

/// What a private message carries, by scheme.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Envelope {
    /// MLS, in a group of two.
    Mls {
        /// Opens the group to the recipient; empty where they have it already.
        welcome: Vec<u8>,
        /// A private message of MLS.
        message: Vec<u8>,
    },
    /// To oneself.
    Own {
        /// Random.
        nonce: [u8; 12],
        /// With its tag.
        ciphertext: Vec<u8>,
    },
}

/// What is sealed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Content {
    /// The message's id.
    pub id: MessageId,
    /// Its number in the lane.
    pub number: u64,
    /// The lane's store.
    pub store: StoreId,
    /// Its sender's key.
    pub sender: RemoteKey,
    /// Its recipient's.
    pub recipient: RemoteKey,
    /// The sender's name, case-mapped.
    pub sender_name: String,
    /// By the sender's clock, in milliseconds since 1970.
    pub sent_at_ms: i64,
    /// The number of the lane for which the group was made, as it could not be read; 0 if that is not why.
    pub resumes: u64,
    /// What it says.
    pub body: Body,
}

/// What a content says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// A message, for people.
    Text(String),
    /// A note about a file, for programs.
    File(Vec<u8>),
    /// The sender has compared the two keys' code with the recipient.
    Verification,
    /// What renews the keys of the group, in the words of its scheme.
    Renewal(Vec<u8>),
}

impl Envelope {
    /// The bytes that a private message carries.
    pub fn encode(self) -> Vec<u8> {
        use wire::envelope::Content;
        let content = match self {
            Self::Mls { welcome, message } => Content::Mls(wire::MlsEnvelope { welcome, message }),
            Self::Own { nonce, ciphertext } => Content::Own(wire::OwnEnvelope {
                nonce: nonce.to_vec(),
                ciphertext,
            }),
        };
        let content = Some(content);
        wire::Envelope { content }.encode_to_vec()
    }

    /// Reads what a private message carried. `None` is an envelope of another version.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, Malformed> {
        use wire::envelope::Content;
        Ok(match wire::Envelope::decode(bytes)?.content {
            None => None,
            Some(Content::Mls(wire::MlsEnvelope { welcome, message })) => {
                Some(Self::Mls { welcome, message })
            }
            Some(Content::Own(own)) => Some(Self::Own {
                nonce: own
                    .nonce
                    .try_into()
                    .map_err(|nonce: Vec<u8>| Malformed::Length {
                        field: "nonce",
                        length: nonce.len(),
                    })?,
                ciphertext: own.ciphertext,
            }),
        })
    }
}

impl Content {
    /// The plaintext that is sealed: encoded, and padded to the next of [`BUCKETS`].
    ///
    /// # Errors
    /// [`Malformed`]: a text or note beyond its limit.
    pub fn encode(self) -> Result<Vec<u8>, Malformed> {
        use wire::content::Body as WireBody;
        let body = match self.body {
            Body::Text(text) => WireBody::Text(at_most("text", text, MAX_TEXT)?),
            Body::File(note) => {
                check_length("file", note.len(), MAX_FILE_NOTE)?;
                WireBody::File(note)
            }
            Body::Verification => WireBody::Verification(wire::Verification {}),
            Body::Renewal(renewal) => {
                check_length("renewal", renewal.len(), MAX_RENEWAL)?;
                WireBody::Renewal(renewal)
            }
        };
        let content = wire::Content {
            id: self.id.as_bytes().to_vec(),
            number: self.number,
            store: self.store.as_bytes().to_vec(),
            sender: self.sender.as_bytes().to_vec(),
            recipient: self.recipient.as_bytes().to_vec(),
            sender_name: at_most("sender_name", self.sender_name, MAX_NAME_BYTES)?,
            sent_at_ms: self.sent_at_ms,
            resumes: self.resumes,
            body: Some(body),
        };
        let length = content.encoded_len();
        let most = BUCKETS.last().copied().unwrap_or_default();
        let bucket = BUCKETS.into_iter().find(|bucket| *bucket > length);
        let Some(bucket) = bucket else {
            return Err(Malformed::TooLong {
                field: "content",
                length,
                limit: most,
            });
        };
        let mut padded = Vec::with_capacity(bucket);
        content.encode_raw(&mut padded);
        padded.push(END);
        padded.resize(bucket, 0);
        Ok(padded)
    }

    /// Reads a plaintext that was opened. `None` has a body of another version.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn decode(padded: &[u8]) -> Result<Option<Self>, Malformed> {
        use wire::content::Body as WireBody;
        let end = padded.iter().rposition(|byte| *byte != 0);
        let content = match end.and_then(|end| padded.split_at_checked(end)) {
            Some((content, [END, ..])) => wire::Content::decode(content)?,
            _ => return Err(Malformed::Missing("padding")),
        };
        let body = match content.body {
            None => return Ok(None),
            Some(WireBody::Text(text)) => Body::Text(at_most("text", text, MAX_TEXT)?),
            Some(WireBody::File(note)) => {
                check_length("file", note.len(), MAX_FILE_NOTE)?;
                Body::File(note)
            }
            Some(WireBody::Verification(_)) => Body::Verification,
            Some(WireBody::Renewal(renewal)) => {
                check_length("renewal", renewal.len(), MAX_RENEWAL)?;
                Body::Renewal(renewal)
            }
        };
        Ok(Some(Self {
            id: id("id", &content.id)?,
            number: content.number,
            store: id("store", &content.store)?,
            sender: id("sender", &content.sender)?,
            recipient: id("recipient", &content.recipient)?,
            sender_name: at_most("sender_name", content.sender_name, MAX_NAME_BYTES)?,
            sent_at_ms: content.sent_at_ms,
            resumes: content.resumes,
            body,
        }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn content(body: Body) -> Content {
        Content {
            id: MessageId::from_bytes([1; 16]),
            number: u64::MAX,
            store: StoreId::from_bytes([2; 16]),
            sender: RemoteKey::from_bytes([3; 32]),
            recipient: RemoteKey::from_bytes([4; 32]),
            sender_name: "\u{10348}".repeat(32),
            sent_at_ms: i64::MIN,
            resumes: u64::MAX,
            body,
        }
    }

    #[test]
    fn contents_go_there_and_back_in_a_few_lengths() {
        let text = |length| Body::Text("x".repeat(length));
        for (body, length) in [
            (text(0), 512),
            (text(1000), 2048),
            (text(MAX_TEXT), 66_560),
            (Body::File(vec![0; MAX_FILE_NOTE]), 66_560),
            (Body::Verification, 512),
            (Body::Renewal(vec![0; MAX_RENEWAL]), 8192),
        ] {
            let padded = content(body.clone()).encode().unwrap();
            assert_eq!(padded.len(), length);
            assert_eq!(Content::decode(&padded).unwrap(), Some(content(body)));
        }
        assert!(content(text(MAX_TEXT + 1)).encode().is_err());
        let note = Body::File(vec![0; MAX_FILE_NOTE + 1]);
        assert!(content(note).encode().is_err());
        let renewal = Body::Renewal(vec![0; MAX_RENEWAL + 1]);
        assert!(content(renewal).encode().is_err());
    }

    #[test]
    fn short_texts_have_all_one_length() {
        let mut short = content(Body::Text("Olá".to_owned()));
        short.sender_name = "alice".to_owned();
        let mut shorter = short.clone();
        shorter.body = Body::Text("x".to_owned());
        assert_eq!(short.encode().unwrap().len(), 256);
        assert_eq!(shorter.encode().unwrap().len(), 256);
    }

    #[test]
    fn what_is_not_padded_is_refused() {
        let padded = content(Body::Verification).encode().unwrap();
        let end = padded.iter().rposition(|byte| *byte != 0).unwrap();
        for wrong in [
            &[][..],
            &[0; 256],
            padded.split_at(end).0,
            &[&padded[..], &[1]].concat(),
        ] {
            assert!(Content::decode(wrong).is_err());
        }
    }

    #[test]
    fn envelopes_go_there_and_back_and_a_text_in_the_clear_is_none() {
        for envelope in [
            Envelope::Mls {
                welcome: vec![1],
                message: vec![2, 3],
            },
            Envelope::Own {
                nonce: [5; 12],
                ciphertext: vec![6; 40],
            },
        ] {
            let bytes = envelope.clone().encode();
            assert_eq!(Envelope::decode(&bytes).unwrap(), Some(envelope));
        }
        // Field 1 is the text of before; field 1000 one of a later version.
        assert_eq!(Envelope::decode(b"\x0a\x03Ol!").unwrap(), None);
        assert_eq!(Envelope::decode(&[0xc2, 0x3e, 0]).unwrap(), None);
        // A nonce of three bytes.
        assert!(Envelope::decode(&[0x1a, 5, 0x0a, 3, 1, 2, 3]).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = Envelope::decode(&bytes);
            let _ = Content::decode(&bytes);
        }
    }
}
