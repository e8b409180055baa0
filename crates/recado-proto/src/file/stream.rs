//! Frames of the connection that carries files: a byte that says what it is, a 4-byte big-endian length, a body.
//! Contents are not copied through here: of [`StreamFrame::Data`] only the header is read, and the bytes follow.

use prost::Message;

use super::note::{hash, within};
use super::{ListEntry, MAX_ENTRIES};
use crate::frame::{Malformed, id};
use crate::id::OfferId;
use crate::wire;

pub use wire::FileAbortCode as AbortCode;

/// Bytes of a frame's header.
pub const HEADER: usize = 5;

/// Bytes of a frame's body, but for contents: what is kept until it is whole.
pub const MAX_CONTROL: usize = 64 * 1024;

/// Bytes of a group at most: what is verified together, and what one frame of contents has.
pub const MAX_GROUP: u64 = 1 << 30;

/// What a frame is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// [`StreamFrame::Hello`].
    Hello,
    /// [`StreamFrame::List`].
    List,
    /// [`StreamFrame::Ready`].
    Ready,
    /// [`StreamFrame::Have`].
    Have,
    /// [`StreamFrame::Go`].
    Go,
    /// [`StreamFrame::Start`].
    Start,
    /// [`StreamFrame::Data`].
    Data,
    /// [`StreamFrame::Hole`].
    Hole,
    /// [`StreamFrame::Check`].
    Check,
    /// [`StreamFrame::Verified`].
    Verified,
    /// [`StreamFrame::Received`].
    Received,
    /// [`StreamFrame::Abort`].
    Abort,
    /// [`StreamFrame::Pulse`].
    Pulse,
    /// [`StreamFrame::End`].
    End,
}

impl Kind {
    const ALL: [Self; 14] = [
        Self::Hello,
        Self::List,
        Self::Ready,
        Self::Have,
        Self::Go,
        Self::Start,
        Self::Data,
        Self::Hole,
        Self::Check,
        Self::Verified,
        Self::Received,
        Self::Abort,
        Self::Pulse,
        Self::End,
    ];

    /// As it stands on the wire.
    const fn byte(self) -> u8 {
        match self {
            Self::Hello => 1,
            Self::List => 2,
            Self::Ready => 3,
            Self::Have => 4,
            Self::Go => 5,
            Self::Start => 6,
            Self::Data => 7,
            Self::Hole => 8,
            Self::Check => 9,
            Self::Verified => 10,
            Self::Received => 11,
            Self::Abort => 12,
            Self::Pulse => 13,
            Self::End => 14,
        }
    }
}

/// What a frame begins with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameHeader {
    /// What it is; `None` is a frame of a later version, to be passed over.
    pub kind: Option<Kind>,
    /// Bytes of its body.
    pub length: u32,
}

impl FrameHeader {
    /// Reads a header.
    ///
    /// # Errors
    /// [`Malformed`]: its body is longer than one of its kind may be.
    pub fn decode(header: [u8; HEADER]) -> Result<Self, Malformed> {
        let [byte, length @ ..] = header;
        let length = u32::from_be_bytes(length);
        let kind = Kind::ALL.into_iter().find(|kind| kind.byte() == byte);
        let most = match kind {
            Some(Kind::Data) => MAX_GROUP,
            _ => MAX_CONTROL as u64,
        };
        within("frame", length.into(), most)?;
        Ok(Self { kind, length })
    }

    /// The bytes of a header.
    pub fn encode(kind: Kind, length: u32) -> [u8; HEADER] {
        let [a, b, c, d] = length.to_be_bytes();
        [kind.byte(), a, b, c, d]
    }
}

/// A frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StreamFrame {
    /// The first of each side.
    Hello {
        /// The version that the side speaks.
        version: u32,
        /// What the connection is for.
        offer: OfferId,
    },
    /// Part of a folder's list.
    List(Vec<ListEntry>),
    /// The sender has said what it has to say, and asks what the receiver has.
    Ready,
    /// The chaining values of groups that the receiver has, in order.
    Have(Vec<[u8; 32]>),
    /// The receiver has said what it has.
    Go,
    /// Contents follow from this group on.
    Start(u64),
    /// So many bytes of contents follow, of one group.
    Data(u32),
    /// A whole group of zeros.
    Hole,
    /// The chaining value of the group that has been sent.
    Check([u8; 32]),
    /// So many bytes are verified.
    Verified(u64),
    /// All is received, verified and on the disk.
    Received([u8; 32]),
    /// It ends here.
    Abort(AbortCode),
    /// Nothing to say, and still there.
    Pulse,
    /// All contents have been sent: their hash.
    End([u8; 32]),
}

impl StreamFrame {
    /// Appends the frame; of contents, the header alone.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let (kind, body) = match self {
            Self::Hello { version, offer } => (
                Kind::Hello,
                wire::FileHello {
                    version: *version,
                    offer: offer.as_bytes().to_vec(),
                }
                .encode_to_vec(),
            ),
            Self::List(entries) => (
                Kind::List,
                wire::FileList {
                    entries: entries.iter().cloned().map(Into::into).collect(),
                }
                .encode_to_vec(),
            ),
            Self::Ready => (Kind::Ready, Vec::new()),
            Self::Have(values) => (Kind::Have, values.concat()),
            Self::Go => (Kind::Go, Vec::new()),
            Self::Start(group) => (
                Kind::Start,
                wire::FileStart { group: *group }.encode_to_vec(),
            ),
            Self::Data(length) => {
                out.extend_from_slice(&FrameHeader::encode(Kind::Data, *length));
                return;
            }
            Self::Hole => (Kind::Hole, Vec::new()),
            Self::Check(value) => (Kind::Check, value.to_vec()),
            Self::Verified(bytes) => (
                Kind::Verified,
                wire::FileVerified { bytes: *bytes }.encode_to_vec(),
            ),
            Self::Received(hash) => (Kind::Received, hash.to_vec()),
            Self::Abort(code) => (
                Kind::Abort,
                wire::FileAbort {
                    code: (*code).into(),
                }
                .encode_to_vec(),
            ),
            Self::Pulse => (Kind::Pulse, Vec::new()),
            Self::End(hash) => (Kind::End, hash.to_vec()),
        };
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&FrameHeader::encode(kind, length));
        out.extend_from_slice(&body);
    }

    /// Reads a frame's body; of contents there is none.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn decode(kind: Kind, length: u32, body: &[u8]) -> Result<Self, Malformed> {
        Ok(match kind {
            Kind::Hello => {
                let hello = wire::FileHello::decode(body)?;
                Self::Hello {
                    version: hello.version,
                    offer: id("offer", &hello.offer)?,
                }
            }
            Kind::List => {
                let list = wire::FileList::decode(body)?;
                let entries = list.entries.into_iter().map(TryInto::try_into);
                Self::List(entries.collect::<Result<_, _>>()?)
            }
            Kind::Ready => Self::Ready,
            Kind::Have => {
                let (values, rest) = body.as_chunks::<32>();
                if !rest.is_empty() {
                    return Err(Malformed::Missing("value"));
                }
                Self::Have(values.to_vec())
            }
            Kind::Go => Self::Go,
            Kind::Start => Self::Start(wire::FileStart::decode(body)?.group),
            Kind::Data => Self::Data(length),
            Kind::Hole => Self::Hole,
            Kind::Check => Self::Check(hash("check", body)?),
            Kind::Verified => Self::Verified(wire::FileVerified::decode(body)?.bytes),
            Kind::Received => Self::Received(hash("hash", body)?),
            Kind::Abort => Self::Abort(wire::FileAbort::decode(body)?.code()),
            Kind::Pulse => Self::Pulse,
            Kind::End => Self::End(hash("hash", body)?),
        })
    }
}

/// A list in frames that are not too long. An offer's `list` is BLAKE3 of all of them, one after the other, so their
/// borders are part of it: each has as many entries as fit half of a frame's body, and the last the rest.
pub fn list_parts(entries: &[ListEntry]) -> impl Iterator<Item = StreamFrame> + '_ {
    let mut rest = entries;
    std::iter::from_fn(move || {
        let mut bytes = 0usize;
        let fit = rest.iter().take_while(|entry| {
            // A path, a number, and what protobuf puts around them.
            bytes = bytes.saturating_add(entry.path.len()).saturating_add(24);
            bytes <= MAX_CONTROL / 2
        });
        let count = fit.count().max(1).min(rest.len());
        let (part, behind) = rest.split_at_checked(count)?;
        rest = behind;
        (!part.is_empty()).then(|| StreamFrame::List(part.to_vec()))
    })
    .take(usize::try_from(MAX_ENTRIES).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(frame: &StreamFrame) -> StreamFrame {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        let (header, body) = bytes.split_first_chunk().unwrap();
        let header = FrameHeader::decode(*header).unwrap();
        StreamFrame::decode(header.kind.unwrap(), header.length, body).unwrap()
    }

    #[test]
    fn frames_go_there_and_back() {
        let entry = |path: &str| ListEntry {
            path: path.to_owned(),
            size: 7,
            is_folder: false,
        };
        for frame in [
            StreamFrame::Hello {
                version: 1,
                offer: OfferId::from_bytes([3; 16]),
            },
            StreamFrame::List(vec![entry("a"), entry("b/c")]),
            StreamFrame::Ready,
            StreamFrame::Have(vec![[1; 32], [2; 32]]),
            StreamFrame::Go,
            StreamFrame::Start(5),
            StreamFrame::Data(1 << 20),
            StreamFrame::Hole,
            StreamFrame::Check([4; 32]),
            StreamFrame::Verified(77),
            StreamFrame::Received([5; 32]),
            StreamFrame::Abort(AbortCode::DiskFull),
            StreamFrame::Pulse,
            StreamFrame::End([6; 32]),
        ] {
            assert_eq!(there_and_back(&frame), frame);
        }
    }

    #[test]
    fn what_is_too_long_is_refused_before_it_is_read() {
        let header = |kind, length| FrameHeader::decode(FrameHeader::encode(kind, length));
        assert!(header(Kind::List, MAX_CONTROL as u32).is_ok());
        assert!(header(Kind::List, MAX_CONTROL as u32 + 1).is_err());
        assert!(header(Kind::Data, 1 << 30).is_ok());
        assert!(header(Kind::Data, (1 << 30) + 1).is_err());
        let later = FrameHeader::decode([99, 0, 0, 0, 3]).unwrap();
        assert_eq!((later.kind, later.length), (None, 3));
    }

    #[test]
    fn a_list_is_cut_so_that_each_part_fits() {
        let long = ListEntry {
            path: "x".repeat(4000),
            size: 7,
            is_folder: false,
        };
        let entries = vec![long; 100];
        let parts: Vec<_> = list_parts(&entries).collect();
        assert_eq!(parts.len(), 13);
        let mut joined = Vec::new();
        for part in &parts {
            let StreamFrame::List(part) = there_and_back(part) else {
                panic!("no list");
            };
            joined.extend(part);
        }
        assert_eq!(joined, entries);
        assert_eq!(list_parts(&[]).count(), 0);
    }
}
