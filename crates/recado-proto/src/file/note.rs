//! What the two people of an offer say to each other, within private messages.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use prost::Message;

use super::{MAX_ENTRIES, MAX_PATH, MAX_SIZE};
use crate::frame::{Malformed, at_most, check_length, id};
use crate::id::{OfferId, WrongLength};
use crate::wire;

pub use wire::CancelCode;

/// Addresses that one side tells: a machine has one or two in each network that it is in.
pub const MAX_ADDRESSES: usize = 8;

/// Bytes that the entries of a folder take in an offer, so that it fits a private message.
pub const MAX_FIRST_ENTRIES_BYTES: usize = 48 * 1024;

/// Bytes of an offered name; a file system's names have 255.
const MAX_NAME: usize = 1024;

/// What is said about an offer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileNote {
    /// Which one.
    pub offer: OfferId,
    /// What.
    pub body: NoteBody,
}

/// What is said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NoteBody {
    /// A file or a folder is offered.
    Offered(Offered),
    /// It is wanted. Where the receiver can be reached.
    Accepted(Vec<Address>),
    /// It is not.
    Declined,
    /// One side does not go on.
    Cancelled(CancelCode),
    /// Where one can be reached now.
    Here(Vec<Address>),
    /// All of it is received: BLAKE3 of the contents.
    Received([u8; 32]),
}

/// What is offered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offered {
    /// As its owner calls it; not fit for use as it is.
    pub name: String,
    /// Bytes of all contents.
    pub size: u64,
    /// Bytes that they take on a disk: without holes.
    pub stored: u64,
    /// What is in it, for a folder.
    pub folder: Option<FolderOffer>,
}

/// What is in a folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FolderOffer {
    /// Files, and empty folders.
    pub entries: u64,
    /// BLAKE3 of the whole list.
    pub list: [u8; 32],
    /// The first of them.
    pub first: Vec<ListEntry>,
}

/// A file in a folder, or an empty folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListEntry {
    /// From the folder, with slashes; not fit for use as it is.
    pub path: String,
    /// Bytes; 0 for a folder.
    pub size: u64,
    /// Whether it is an empty folder.
    pub is_folder: bool,
}

/// Where one side says that it can be reached.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Address(pub SocketAddr);

impl FileNote {
    /// The bytes that a private message carries.
    pub fn encode(&self) -> Vec<u8> {
        use wire::file_note::Body;
        let body = match self.body.clone() {
            NoteBody::Offered(offered) => Body::Offered(offered.into()),
            NoteBody::Accepted(addresses) => Body::Accepted(wire::Accepted {
                addresses: addresses.into_iter().map(Into::into).collect(),
            }),
            NoteBody::Declined => Body::Declined(wire::Declined {}),
            NoteBody::Cancelled(code) => Body::Cancelled(wire::Cancelled { code: code.into() }),
            NoteBody::Here(addresses) => Body::Here(wire::Here {
                addresses: addresses.into_iter().map(Into::into).collect(),
            }),
            NoteBody::Received(hash) => Body::Received(wire::Received {
                hash: hash.to_vec(),
            }),
        };
        let note = wire::FileNote {
            offer: self.offer.as_bytes().to_vec(),
            body: Some(body),
        };
        note.encode_to_vec()
    }

    /// Reads what a private message carried. `None` is a note of a later version.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, Malformed> {
        use wire::file_note::Body;
        let note = wire::FileNote::decode(bytes)?;
        let Some(body) = note.body else {
            return Ok(None);
        };
        Ok(Some(Self {
            offer: id("offer", &note.offer)?,
            body: match body {
                Body::Offered(offered) => NoteBody::Offered(offered.try_into()?),
                Body::Accepted(accepted) => NoteBody::Accepted(addresses(&accepted.addresses)?),
                Body::Declined(_) => NoteBody::Declined,
                Body::Cancelled(cancelled) => NoteBody::Cancelled(cancelled.code()),
                Body::Here(here) => NoteBody::Here(addresses(&here.addresses)?),
                Body::Received(received) => NoteBody::Received(hash("hash", &received.hash)?),
            },
        }))
    }
}

impl From<Offered> for wire::Offered {
    fn from(offered: Offered) -> Self {
        Self {
            name: offered.name,
            size: offered.size,
            stored: offered.stored,
            folder: offered.folder.map(|folder| wire::OfferedFolder {
                entries: folder.entries,
                list: folder.list.to_vec(),
                first: folder.first.into_iter().map(Into::into).collect(),
            }),
        }
    }
}

impl TryFrom<wire::Offered> for Offered {
    type Error = Malformed;

    fn try_from(offered: wire::Offered) -> Result<Self, Malformed> {
        let folder = match offered.folder {
            None => None,
            Some(folder) => {
                within("entries", folder.entries, MAX_ENTRIES)?;
                let first = folder.first.into_iter().map(TryInto::try_into);
                Some(FolderOffer {
                    entries: folder.entries,
                    list: hash("list", &folder.list)?,
                    first: first.collect::<Result<_, _>>()?,
                })
            }
        };
        within("size", offered.size, MAX_SIZE)?;
        Ok(Self {
            name: at_most("name", offered.name, MAX_NAME)?,
            size: offered.size,
            stored: offered.stored.min(offered.size),
            folder,
        })
    }
}

impl From<ListEntry> for wire::ListEntry {
    fn from(entry: ListEntry) -> Self {
        Self {
            path: entry.path,
            size: entry.size,
            is_folder: entry.is_folder,
        }
    }
}

impl TryFrom<wire::ListEntry> for ListEntry {
    type Error = Malformed;

    fn try_from(entry: wire::ListEntry) -> Result<Self, Malformed> {
        let most = if entry.is_folder { 0 } else { MAX_SIZE };
        within("size", entry.size, most)?;
        Ok(Self {
            path: at_most("path", entry.path, MAX_PATH)?,
            size: entry.size,
            is_folder: entry.is_folder,
        })
    }
}

impl From<Address> for wire::Address {
    fn from(Address(address): Address) -> Self {
        Self {
            ip: match address.ip() {
                IpAddr::V4(ip) => ip.octets().to_vec(),
                IpAddr::V6(ip) => ip.octets().to_vec(),
            },
            port: address.port().into(),
        }
    }
}

impl TryFrom<&wire::Address> for Address {
    type Error = Malformed;

    fn try_from(address: &wire::Address) -> Result<Self, Malformed> {
        let ip = address.ip.as_slice();
        let ip = match (<[u8; 4]>::try_from(ip), <[u8; 16]>::try_from(ip)) {
            (Ok(ip), _) => IpAddr::V4(Ipv4Addr::from(ip)),
            (_, Ok(ip)) => IpAddr::V6(Ipv6Addr::from(ip)),
            _ => return Err(wrong_length("ip", 16, ip.len())),
        };
        within("port", address.port.into(), u16::MAX.into())?;
        let port = u16::try_from(address.port).unwrap_or_default();
        Ok(Self(SocketAddr::new(ip, port)))
    }
}

fn addresses(addresses: &[wire::Address]) -> Result<Vec<Address>, Malformed> {
    check_length("addresses", addresses.len(), MAX_ADDRESSES)?;
    addresses.iter().map(TryInto::try_into).collect()
}

pub(super) fn hash(field: &'static str, bytes: &[u8]) -> Result<[u8; 32], Malformed> {
    bytes
        .try_into()
        .map_err(|_| wrong_length(field, 32, bytes.len()))
}

fn wrong_length(field: &'static str, expected: usize, found: usize) -> Malformed {
    let source = WrongLength { expected, found };
    Malformed::Id { field, source }
}

pub(super) fn within(field: &'static str, value: u64, most: u64) -> Result<(), Malformed> {
    if value > most {
        let number = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        return Err(Malformed::TooLong {
            field,
            length: number(value),
            limit: number(most),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(body: NoteBody) -> FileNote {
        let offer = OfferId::from_bytes([3; 16]);
        FileNote { offer, body }
    }

    #[test]
    fn notes_go_there_and_back() {
        let address = |text: &str| Address(text.parse().unwrap());
        let offered = |folder| {
            NoteBody::Offered(Offered {
                name: "férias".to_owned(),
                size: 5,
                stored: 4,
                folder,
            })
        };
        let entry = |path: &str, size, is_folder| ListEntry {
            path: path.to_owned(),
            size,
            is_folder,
        };
        let folder = FolderOffer {
            entries: 9,
            list: [7; 32],
            first: vec![entry("a/b.txt", 5, false), entry("c", 0, true)],
        };
        for body in [
            offered(None),
            offered(Some(folder)),
            NoteBody::Accepted(vec![
                address("192.168.1.2:40000"),
                address("[fd00::1]:40000"),
            ]),
            NoteBody::Declined,
            NoteBody::Cancelled(CancelCode::SourceChanged),
            NoteBody::Here(vec![]),
            NoteBody::Received([9; 32]),
        ] {
            let note = note(body);
            assert_eq!(FileNote::decode(&note.encode()).unwrap(), Some(note));
        }
    }

    #[test]
    fn what_no_client_says_is_refused() {
        let address = Address("10.0.0.1:2000".parse().unwrap());
        let many = note(NoteBody::Here(vec![address; MAX_ADDRESSES + 1]));
        assert!(FileNote::decode(&many.encode()).is_err());
        let refused = |offered: wire::Offered| {
            let note = wire::FileNote {
                offer: vec![3; 16],
                body: Some(wire::file_note::Body::Offered(offered)),
            };
            FileNote::decode(&note.encode_to_vec()).is_err()
        };
        let plain = wire::Offered::default();
        assert!(!refused(plain.clone()));
        assert!(refused(wire::Offered {
            size: u64::MAX,
            ..plain.clone()
        }));
        assert!(refused(wire::Offered {
            name: "x".repeat(MAX_NAME + 1),
            ..plain.clone()
        }));
        assert!(refused(wire::Offered {
            folder: Some(wire::OfferedFolder::default()),
            ..plain
        }));
        let later = wire::FileNote {
            offer: vec![3; 16],
            body: None,
        };
        assert!(matches!(FileNote::decode(&later.encode_to_vec()), Ok(None)));
        assert!(FileNote::decode(b"\xff").is_err());
    }
}
