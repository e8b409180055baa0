//! The file that a name travels in: an [age](https://age-encryption.org/v1) file, sealed with a passphrase. Inside:
//!
//! ```text
//! {"format":"recado-name","version":1,"name":"…","root":"SHA256:…","servers":["HOST:PORT",…]}
//! the key file, three lines
//! the database, to the end; or nothing
//! ```

use std::io::{self, Read, Write};

use age::{DecryptError, Decryptor, Encryptor, scrypt};
use recado_proto::fingerprint::Fingerprint;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Passphrase;
use crate::address::ServerAddress;

const FORMAT: &str = "recado-name";
const VERSION: u32 = 1;

/// scrypt's N is two to the power of this: about a second and 256 MiB for each guess at a passphrase, as age's own
/// tool has it. Unit tests guess nothing, and do not wait.
const WORK_FACTOR: u8 = if cfg!(test) { 4 } else { 18 };

/// The longest first line: a name of 128 bytes, a fingerprint, and hundreds of addresses.
const MAX_HEADER: usize = 64 * 1024;

/// The longest line of a key file, with room for later ones.
const MAX_KEY_LINE: usize = 256;
const KEY_LINES: usize = 3;

/// What a file says before the database.
pub(super) struct Bundle {
    /// The name, in its folded form.
    pub(super) name: String,
    /// The server's root.
    pub(super) root: Fingerprint,
    /// The server's addresses, each with a port.
    pub(super) servers: Vec<ServerAddress>,
    /// The content of the key file.
    pub(super) key: Zeroizing<Vec<u8>>,
}

/// Why a file cannot be opened.
#[derive(Debug)]
pub(super) enum Fault {
    WrongPassphrase,
    Foreign,
    Damaged,
    Newer,
    Io(io::Error),
}

impl From<io::Error> for Fault {
    /// age tells of broken and missing pieces as errors of these kinds.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Self::Damaged,
            _ => Self::Io(error),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Header {
    #[serde(flatten)]
    kind: Kind,
    name: String,
    root: String,
    servers: Vec<String>,
}

/// What a later version's first line says too.
#[derive(Serialize, Deserialize)]
struct Kind {
    format: String,
    version: u32,
}

/// What seals. Slow, on purpose.
pub(super) fn sealing(passphrase: Passphrase) -> io::Result<Encryptor> {
    let mut recipient = scrypt::Recipient::new(passphrase.0);
    recipient.set_work_factor(WORK_FACTOR);
    Encryptor::with_recipients(std::iter::once(&recipient as _)).map_err(io::Error::other)
}

/// Writes a whole file.
pub(super) fn write<Out: Write>(
    sealing: Encryptor,
    out: Out,
    bundle: &Bundle,
    database: &mut dyn Read,
) -> io::Result<Out> {
    let header = Header {
        kind: Kind {
            format: FORMAT.to_owned(),
            version: VERSION,
        },
        name: bundle.name.clone(),
        root: bundle.root.to_string(),
        servers: bundle.servers.iter().map(ToString::to_string).collect(),
    };
    let mut sealed = sealing.wrap_output(out)?;
    sealed.write_all(serde_json::to_string(&header)?.as_bytes())?;
    sealed.write_all(b"\n")?;
    sealed.write_all(&bundle.key)?;
    io::copy(database, &mut sealed)?;
    sealed.finish()
}

/// Opens a file: what it says, and the reader of its database. Slow, on purpose.
pub(super) fn open(file: impl Read, passphrase: Passphrase) -> Result<(Bundle, impl Read), Fault> {
    let sealed = Decryptor::new(file).map_err(classify)?;
    if !sealed.is_scrypt() {
        return Err(Fault::Foreign);
    }
    let mut identity = scrypt::Identity::new(passphrase.0);
    identity.set_max_work_factor(WORK_FACTOR);
    let mut content = sealed
        .decrypt(std::iter::once(&identity as _))
        .map_err(classify)?;
    let header = read_line(&mut content, MAX_HEADER)?;
    let kind: Kind = serde_json::from_slice(&header).map_err(|_| Fault::Foreign)?;
    if kind.format != FORMAT {
        return Err(Fault::Foreign);
    }
    if kind.version > VERSION {
        return Err(Fault::Newer);
    }
    let header: Header = serde_json::from_slice(&header).map_err(|_| Fault::Damaged)?;
    let root = header.root.parse().map_err(|_| Fault::Damaged)?;
    let mut servers = Vec::with_capacity(header.servers.len());
    for server in &header.servers {
        servers.push(server.parse().map_err(|_| Fault::Damaged)?);
    }
    // Sized at once: a growing buffer would leave pieces of the key in freed memory.
    let mut key = Zeroizing::new(Vec::with_capacity(KEY_LINES * (MAX_KEY_LINE + 1)));
    for _ in 0..KEY_LINES {
        key.extend_from_slice(&read_line(&mut content, MAX_KEY_LINE)?);
        key.push(b'\n');
    }
    let bundle = Bundle {
        name: header.name,
        root,
        servers,
        key,
    };
    Ok((bundle, content))
}

/// A line of at most so many bytes, without its end. Read byte by byte, from a chunk in memory that is erased, and
/// into a buffer that is: it may be a key.
fn read_line(content: &mut impl Read, longest: usize) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let mut line = Zeroizing::new(Vec::with_capacity(longest));
    let mut byte = Zeroizing::new([0]);
    loop {
        content.read_exact(byte.as_mut_slice())?;
        match byte[0] {
            b'\n' => return Ok(line),
            _ if line.len() == longest => return Err(Fault::Damaged),
            other => line.push(other),
        }
    }
}

fn classify(error: DecryptError) -> Fault {
    match error {
        DecryptError::DecryptionFailed
        | DecryptError::KeyDecryptionFailed
        | DecryptError::NoMatchingKeys => Fault::WrongPassphrase,
        DecryptError::ExcessiveWork { .. } | DecryptError::UnknownFormat => Fault::Newer,
        DecryptError::InvalidMac => Fault::Damaged,
        DecryptError::Io(error) => error.into(),
        _ => Fault::Foreign,
    }
}
