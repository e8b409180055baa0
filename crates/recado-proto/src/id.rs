//! Ids: random, fixed in length, each its own type so that none is taken for another.

use std::fmt;
use std::str::FromStr;

/// Declares an id of `$length` random bytes, shown as lower-case hexadecimal.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $length:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $length]);

        impl $name {
            /// Its length in bytes.
            pub const LENGTH: usize = $length;

            /// Takes bytes that the caller drew at random, or received.
            pub const fn from_bytes(bytes: [u8; $length]) -> Self {
                Self(bytes)
            }

            /// The bytes as they stand on the wire.
            pub const fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = WrongLength;

            fn try_from(bytes: &[u8]) -> Result<Self, WrongLength> {
                <[u8; $length]>::try_from(bytes)
                    .map(Self)
                    .map_err(|_| WrongLength { expected: $length, found: bytes.len() })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(f, &self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = WrongLength;

            fn from_str(text: &str) -> Result<Self, WrongLength> {
                let wrong = WrongLength { expected: $length, found: text.len() / 2 };
                let mut bytes = [0u8; $length];
                let mut digits = text.bytes().map(|digit| char::from(digit).to_digit(16));
                for byte in &mut bytes {
                    let (Some(Some(high)), Some(Some(low))) = (digits.next(), digits.next()) else {
                        return Err(wrong);
                    };
                    *byte = u8::try_from(high << 4 | low).map_err(|_| wrong)?;
                }
                if digits.next().is_some() {
                    return Err(wrong);
                }
                Ok(Self(bytes))
            }
        }
    };
}

id!(
    /// Names a message for as long as it lives; drawn by its sender.
    MessageId,
    16
);
id!(
    /// Names an offer of files for as long as anybody remembers it; drawn by whoever offers.
    OfferId,
    16
);
id!(
    /// Names a client's database, whose numbers of private messages are its own; drawn by the client.
    StoreId,
    16
);
id!(
    /// Names a session in the context of its datagram keys; drawn by the server.
    SessionId,
    16
);
id!(
    /// Names a log of global messages; a new one whenever continuity is lost; drawn by the server.
    LogId,
    8
);
id!(
    /// Names a key package at the server; drawn by its owner.
    KeyPackageReference,
    16
);
id!(
    /// Another's Ed25519 public key, which is who they are.
    RemoteKey,
    32
);
id!(
    /// An Ed25519 signature (RFC 8032).
    Signature,
    64
);

/// Names a session in datagrams, both ways; drawn by the server.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnectionId(pub u64);

/// Bytes or digits that are not as many as the id has, or not hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected {expected} bytes, found {found}")]
pub struct WrongLength {
    /// The id's length in bytes.
    pub expected: usize,
    /// The length of what was given, in bytes.
    pub found: usize,
}

fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_goes_there_and_back() {
        let id = MessageId::from_bytes(*b"0123456789abcdef");
        assert_eq!(id.to_string(), "30313233343536373839616263646566");
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn what_is_not_an_id_is_refused() {
        for text in [
            "",
            "30",
            "3031323334353637383961626364656g",
            "é0",
            &"0".repeat(33),
        ] {
            assert!(text.parse::<MessageId>().is_err(), "{text}");
        }
        assert!(MessageId::try_from(&[0u8; 15][..]).is_err());
    }
}
