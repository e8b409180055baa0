//! Where a server is, as people type and paste it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use recado_proto::fingerprint::{Fingerprint, FingerprintError};
use recado_proto::ticket::TicketSecret;
use thiserror::Error;

/// The ports that are tried together when none is given.
pub const DEFAULT_PORTS: [u16; 2] = [443, 8443];

/// A server's address, and what a pasted one carried along: its fingerprint, a ticket's secret.
///
/// Parsed from `HOST`, `HOST:PORT`, `[IPv6]:PORT`, a bare IPv6 address, `https://HOST[:PORT][/…]`,
/// `recado://HOST[:PORT]/SHA256-…` and `recado://HOST[:PORT]/SHA256-…/SECRET`. The host is kept in
/// lower case, an IP address in its canonical form, without a trailing dot. `Display` shows host
/// and port, as `--server` takes them, and never the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    host: String,
    port: Option<u16>,
    fingerprint: Option<Fingerprint>,
    ticket: Option<TicketSecret>,
}

impl ServerAddress {
    /// An address put together from a host and a port that were parsed before.
    pub fn new(host: &str, port: Option<u16>) -> Result<Self, AddressError> {
        if port == Some(0) {
            return Err(AddressError::Port {
                text: "0".to_owned(),
            });
        }
        Ok(Self {
            host: parse_host(host)?,
            port,
            fingerprint: None,
            ticket: None,
        })
    }

    /// The host: a name in lower case, or an IP address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, if one was given.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The fingerprint of the root, if the address carried one.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.fingerprint
    }

    /// The secret, if the address was a ticket.
    pub fn ticket(&self) -> Option<&TicketSecret> {
        self.ticket.as_ref()
    }

    /// The ports to try: the given one, or the default ones together.
    pub fn candidate_ports(&self) -> Vec<u16> {
        match self.port {
            Some(port) => vec![port],
            None => DEFAULT_PORTS.to_vec(),
        }
    }

    /// Whether the host was written as this very machine: `localhost`, `127.x.y.z` or `::1`.
    ///
    /// A name that merely resolves there does not count: names are resolved by others.
    pub fn is_literal_loopback(&self) -> bool {
        if self.host == "localhost" {
            return true;
        }
        match self.host.parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) => address.is_loopback(),
            Ok(IpAddr::V6(address)) => address == Ipv6Addr::LOCALHOST,
            Err(_) => false,
        }
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => f.write_str(&host_and_port(&self.host, port)),
            None => f.write_str(&self.host),
        }
    }
}

impl FromStr for ServerAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        let Some((scheme, rest)) = text.split_once("://") else {
            if let Some(found) = text.find(['/', '?', '#', '@']) {
                let found = text.get(found..).and_then(|rest| rest.chars().next());
                return Err(AddressError::HostCharacter {
                    character: found.unwrap_or('/'),
                });
            }
            return parse_authority(text);
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        match scheme.to_ascii_lowercase().as_str() {
            // Where a browser stood does not matter: what is pasted names the server.
            "https" => parse_authority(authority),
            "recado" => parse_recado(authority, path),
            _ => Err(AddressError::Scheme {
                scheme: scheme.to_owned(),
            }),
        }
    }
}

/// Why a text is not a server's address. No variant carries a secret.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AddressError {
    /// There is no host in it.
    #[error("the server's address is empty; give HOST or HOST:PORT")]
    Empty,
    /// The host has a character that no host has.
    #[error(
        "{character:?} cannot stand in a server's address; give HOST, HOST:PORT, [IPv6]:PORT, https://… or recado://…"
    )]
    HostCharacter {
        /// The first such character.
        character: char,
    },
    /// The host is longer than any host.
    #[error("the host has {length} bytes; host names have at most {MAX_HOST}")]
    HostTooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// Brackets, or several colons, but no IPv6 address.
    #[error("{text:?} is not an IPv6 address; with a port, write [IPv6]:PORT")]
    Ipv6 {
        /// What stands in its place.
        text: String,
    },
    /// The port is not a number from 1 to 65535.
    #[error("{text:?} is not a port: ports are numbers from 1 to 65535")]
    Port {
        /// What stands in its place.
        text: String,
    },
    /// A URL, but of another kind.
    #[error("{scheme}:// is no address of a recado server; use https:// or recado://")]
    Scheme {
        /// The part before `://`.
        scheme: String,
    },
    /// A `recado://` address without the fingerprint that it is for.
    #[error(
        "the recado:// address is cut short: after HOST:PORT/ it carries SHA256-…; copy it whole"
    )]
    MissingFingerprint,
    /// A `recado://` address whose fingerprint cannot be read.
    #[error("the fingerprint in the recado:// address is damaged; copy it whole")]
    Fingerprint(#[source] FingerprintError),
    /// A ticket whose secret cannot be one.
    #[error("the secret at the end of the ticket is damaged; copy it whole")]
    Secret,
    /// More parts than a ticket has.
    #[error("the recado:// address has more parts than recado://HOST:PORT/SHA256-…/SECRET")]
    TooManyParts,
}

/// The longest host: a DNS name in text.
const MAX_HOST: usize = 253;

/// Writes host and port so that they read back: an IPv6 address in brackets.
pub(crate) fn host_and_port(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

fn parse_recado(authority: &str, path: &str) -> Result<ServerAddress, AddressError> {
    let mut address = parse_authority(authority)?;
    let path = path.strip_prefix('/').unwrap_or(path);
    let mut parts = path.split('/');
    let fingerprint = parts.next().filter(|part| !part.is_empty());
    let fingerprint = fingerprint.ok_or(AddressError::MissingFingerprint)?;
    address.fingerprint = Some(fingerprint.parse().map_err(AddressError::Fingerprint)?);
    // A slash at the end, as some programs add to addresses, says nothing.
    if let Some(secret) = parts.next().filter(|part| !part.is_empty()) {
        address.ticket = Some(secret.parse().map_err(|_| AddressError::Secret)?);
    }
    if parts.any(|part| !part.is_empty()) {
        return Err(AddressError::TooManyParts);
    }
    Ok(address)
}

/// Parses `HOST`, `HOST:PORT`, `[IPv6]`, `[IPv6]:PORT` and a bare IPv6 address.
fn parse_authority(text: &str) -> Result<ServerAddress, AddressError> {
    if let Some(inside) = text.strip_prefix('[') {
        let wrong = || AddressError::Ipv6 {
            text: text.to_owned(),
        };
        let (host, rest) = inside.split_once(']').ok_or_else(wrong)?;
        let port = match rest {
            "" => None,
            _ => Some(parse_port(rest.strip_prefix(':').ok_or_else(wrong)?)?),
        };
        return with_port(parse_ipv6(host)?, port);
    }
    match text.split_once(':') {
        None => with_port(parse_host(text)?, None),
        Some((_, rest)) if rest.contains(':') => with_port(parse_ipv6(text)?, None),
        Some((host, port)) => with_port(parse_host(host)?, Some(parse_port(port)?)),
    }
}

fn with_port(host: String, port: Option<u16>) -> Result<ServerAddress, AddressError> {
    Ok(ServerAddress {
        host,
        port,
        fingerprint: None,
        ticket: None,
    })
}

fn parse_port(text: &str) -> Result<u16, AddressError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(port) if port != 0 && digits => Ok(port),
        _ => Err(AddressError::Port {
            text: text.to_owned(),
        }),
    }
}

/// Parses an IPv6 address, with a zone if it has one (`fe80::1%eth0`).
fn parse_ipv6(text: &str) -> Result<String, AddressError> {
    let wrong = || AddressError::Ipv6 {
        text: text.to_owned(),
    };
    let (address, zone) = match text.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (text, None),
    };
    let address: Ipv6Addr = address.parse().map_err(|_| wrong())?;
    match zone {
        None => Ok(address.to_string()),
        Some(zone) => {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            if zone.is_empty() || !zone.bytes().all(allowed) {
                return Err(wrong());
            }
            Ok(format!("{address}%{zone}"))
        }
    }
}

/// Parses a host without a port. Names in other scripts stay as they were typed.
fn parse_host(text: &str) -> Result<String, AddressError> {
    if text.contains(':') {
        return parse_ipv6(text);
    }
    let refused = |character: char| {
        character.is_control()
            || character.is_whitespace()
            || (character.is_ascii()
                && !character.is_ascii_alphanumeric()
                && !matches!(character, '.' | '-' | '_'))
    };
    if let Some(character) = text.chars().find(|character| refused(*character)) {
        return Err(AddressError::HostCharacter { character });
    }
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Ok(address.to_string());
    }
    let host = text.strip_suffix('.').unwrap_or(text);
    if host.is_empty() {
        return Err(AddressError::Empty);
    }
    if host.len() > MAX_HOST {
        return Err(AddressError::HostTooLong { length: host.len() });
    }
    Ok(host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ServerAddress, AddressError> {
        text.parse()
    }

    #[test]
    fn what_people_type_is_understood() {
        let cases = [
            ("localhost", "localhost", None),
            ("LocalHost:8443", "localhost", Some(8443)),
            ("  sala-3.escola.br. ", "sala-3.escola.br", None),
            ("192.168.1.20:443", "192.168.1.20", Some(443)),
            ("::1", "::1", None),
            ("0:0:0:0:0:0:0:1", "::1", None),
            ("[::1]", "::1", None),
            ("[2001:DB8::7]:8443", "2001:db8::7", Some(8443)),
            ("[fe80::1%eth0]:8443", "fe80::1%eth0", Some(8443)),
            ("https://localhost", "localhost", None),
            (
                "HTTPS://Localhost:8443/v1/calc?x=1#top",
                "localhost",
                Some(8443),
            ),
            ("https://[::1]:8443/", "::1", Some(8443)),
            ("maçã.example", "maçã.example", None),
        ];
        for (text, host, port) in cases {
            let address = parse(text).unwrap();
            assert_eq!((address.host(), address.port()), (host, port), "{text}");
            assert_eq!(address.fingerprint(), None);
            assert_eq!(parse(&address.to_string()), Ok(address), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_its_cause() {
        let port = |text: &str| AddressError::Port {
            text: text.to_owned(),
        };
        let ipv6 = |text: &str| AddressError::Ipv6 {
            text: text.to_owned(),
        };
        let character = |character| AddressError::HostCharacter { character };
        let cases = [
            ("", AddressError::Empty),
            (".", AddressError::Empty),
            (":443", AddressError::Empty),
            ("https://", AddressError::Empty),
            ("a:", port("")),
            ("a:0", port("0")),
            ("a:65536", port("65536")),
            ("a:+443", port("+443")),
            ("a:http", port("http")),
            ("a:1:2", ipv6("a:1:2")),
            ("[::1", ipv6("[::1")),
            ("[::1]443", ipv6("[::1]443")),
            ("[localhost]:443", ipv6("localhost")),
            ("[fe80::1%]:443", ipv6("fe80::1%")),
            ("local host", character(' ')),
            ("alice@host", character('@')),
            ("https://alice@host/", character('@')),
            ("host/path", character('/')),
            ("ho\u{7}st", character('\u{7}')),
            (
                "http://host",
                AddressError::Scheme {
                    scheme: "http".to_owned(),
                },
            ),
            ("recado://host:1", AddressError::MissingFingerprint),
            ("recado://host:1/", AddressError::MissingFingerprint),
            (
                "recado://host:1/SHA256-AAAA",
                AddressError::Fingerprint(FingerprintError::Length { found: 3 }),
            ),
        ];
        for (text, error) in cases {
            assert_eq!(parse(text), Err(error), "{text:?}");
        }
        let long = "a".repeat(254);
        assert_eq!(parse(&long), Err(AddressError::HostTooLong { length: 254 }));
    }

    #[test]
    fn a_pasted_address_pins_and_a_ticket_carries_its_secret() {
        let root = Fingerprint::from_spki(b"root");
        let pasted = parse(&format!("recado://192.168.1.20:8443/{}", root.to_url())).unwrap();
        assert_eq!(pasted.fingerprint(), Some(root));
        assert!(pasted.ticket().is_none());

        let secret = TicketSecret::from_bytes([7; 16]);
        let text = secret.to_url();
        let ticket = format!("recado://192.168.1.20:8443/{}/{}", root.to_url(), *text);
        let ticket = parse(&ticket).unwrap();
        assert_eq!(ticket.ticket(), Some(&secret));
        assert!(!format!("{ticket:?} {ticket}").contains(text.as_str()));
    }

    #[test]
    fn a_damaged_ticket_is_refused_without_showing_its_secret() {
        let root = Fingerprint::from_spki(b"root").to_url();
        for damaged in [
            "s3cret",
            "BwcHBwcHBwcHBwcHBwcHB!",
            "BwcHBwcHBwcHBwcHBwcHBwc",
        ] {
            let damaged = parse(&format!("recado://a:1/{root}/{damaged}"));
            assert_eq!(damaged, Err(AddressError::Secret));
        }
        let more = format!("recado://a:1/{root}/BwcHBwcHBwcHBwcHBwcHBw/x");
        assert_eq!(parse(&more), Err(AddressError::TooManyParts));
        let without_scheme = parse(&format!("a:1/{root}/s3cret")).unwrap_err();
        assert!(!format!("{without_scheme:?} {without_scheme}").contains("s3cret"));
    }

    #[test]
    fn only_the_machine_s_own_literals_are_loopback() {
        for text in [
            "localhost",
            "LOCALHOST.:1",
            "127.0.0.1",
            "127.255.0.9:443",
            "::1",
            "[::1]:1",
        ] {
            assert!(parse(text).unwrap().is_literal_loopback(), "{text}");
        }
        for text in [
            "localhost.example",
            "127.1",
            "128.0.0.1",
            "::2",
            "::ffff:127.0.0.1",
            "0.0.0.0",
        ] {
            assert!(!parse(text).unwrap().is_literal_loopback(), "{text}");
        }
    }

    #[test]
    fn without_a_port_both_default_ports_are_candidates() {
        assert_eq!(parse("a").unwrap().candidate_ports(), [443, 8443]);
        assert_eq!(parse("a:9").unwrap().candidate_ports(), [9]);
        assert_eq!(ServerAddress::new("A", Some(9)), parse("a:9"));
        assert!(ServerAddress::new("a", Some(0)).is_err());
    }
}
