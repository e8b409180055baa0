//! What must hold for whatever comes from outside: each function takes any input, and panics where recado does not
//! keep its word. `cargo xtask fuzz` looks for such inputs; the tests run those that are kept in `corpus/`.

mod envelope;
mod request;

use recado_calc::{Number, Operation, Precision, calculate};
use recado_proto::datagram::{EXPORTER_LENGTH, Header, SessionSecret, Side};
use recado_proto::file::{FileNote, FrameHeader, HEADER, StreamFrame};
use recado_proto::frame::{ClientDatagram, ClientFrame, Malformed, ServerDatagram, ServerFrame};
use recado_proto::framing::FrameSplitter;
use recado_proto::id::ConnectionId;
use recado_proto::name::{Name, suggest};
use recado_proto::relay::{PREAMBLE, RelayToken};
use recado_proto::text::{sanitise_block, sanitise_line};

pub use envelope::envelope;
pub use request::request;

/// Any bytes at the datagram's door, and any plaintext behind it.
pub fn datagram(bytes: &[u8]) {
    let secret = || SessionSecret::new([7; EXPORTER_LENGTH]);
    let connection = ConnectionId(7);
    let (mut sealer, _) = secret().into_pair(Side::Client, connection);
    let (_, mut opener) = secret().into_pair(Side::Server, connection);

    let _ = Header::peek_connection(bytes);
    let opened = opener.open(&mut bytes.to_vec()).is_ok();
    assert!(!opened, "opened what nobody sealed");

    let mut sealed = Vec::new();
    if sealer.seal(bytes, &mut sealed).is_ok() {
        let opened = opener.open(&mut sealed).expect("what was sealed opens");
        assert_eq!(opened.plaintext, bytes);
    }
    if let Ok(Some(datagram)) = ClientDatagram::decode(bytes) {
        let again = ClientDatagram::decode(&datagram.clone().encode()).expect("our own reads back");
        assert_eq!(again, Some(datagram));
    }
    if let Ok(Some(datagram)) = ServerDatagram::decode(bytes) {
        let again = ServerDatagram::decode(&datagram.clone().encode()).expect("our own reads back");
        assert_eq!(again, Some(datagram));
    }
}

/// Any byte stream, after a first byte that says into pieces of what length it is cut: frames.
pub fn frames(bytes: &[u8]) {
    let Some((cut, stream)) = bytes.split_first() else {
        return;
    };
    let mut splitter = FrameSplitter::default();
    for piece in stream.chunks(usize::from(*cut).max(1)) {
        let pushed = splitter.push(piece, |frame| {
            if let Some(frame) = ClientFrame::decode(frame)? {
                let mut again = Vec::new();
                frame
                    .clone()
                    .encode(&mut again)
                    .expect("what was read can be sent");
                let again = ClientFrame::decode(&again[4..]).expect("our own reads back");
                assert_eq!(again, Some(frame));
            }
            Ok::<_, Malformed>(())
        });
        if pushed.is_err() {
            break;
        }
    }
    if let Ok(Some(frame)) = ServerFrame::decode(stream) {
        // Bare: without the limit of a frame's length.
        let mut again = Vec::new();
        if frame.clone().encode(&mut again).is_ok() {
            let again = ServerFrame::decode(&again[4..]).expect("our own reads back");
            assert_eq!(again, Some(frame));
        }
    }
}

/// Any bytes as what is said about files, and on the connection that carries them.
pub fn files(bytes: &[u8]) {
    if let Ok(Some(note)) = FileNote::decode(bytes) {
        let again = FileNote::decode(&note.encode()).expect("our own reads back");
        assert_eq!(again, Some(note));
    }
    if let Some(preamble) = bytes.first_chunk::<PREAMBLE>()
        && let Some(token) = RelayToken::from_preamble(preamble)
    {
        assert_eq!(&*token.preamble(), preamble);
    }
    let mut rest = bytes;
    while let Some((header, behind)) = rest.split_first_chunk::<HEADER>() {
        let Ok(header) = FrameHeader::decode(*header) else {
            break;
        };
        // Contents are not kept: only what is left of the input is there.
        let length = (header.length as usize).min(behind.len());
        let (body, next) = behind.split_at(length);
        rest = next;
        let Some(kind) = header.kind else {
            continue;
        };
        let Ok(frame) = StreamFrame::decode(kind, header.length, body) else {
            continue;
        };
        let mut again = Vec::new();
        frame.encode(&mut again);
        let (header, body) = again.split_first_chunk::<HEADER>().expect("a header");
        // What protobuf makes of it may be longer than it was, as of numbers; never more than is taken again.
        if let Ok(header) = FrameHeader::decode(*header) {
            let kind = header.kind.expect("a kind of our own");
            let read = StreamFrame::decode(kind, header.length, body).expect("our own reads back");
            assert_eq!(read, frame);
        }
    }
}

/// Any line as a request over the admin socket.
pub fn operator(line: &[u8]) {
    use recado_server::admin_protocol::{MAX_REQUEST, Request};

    let Ok(request) = Request::parse(line) else {
        return;
    };
    assert!(line.len() <= MAX_REQUEST);
    let again = serde_json::to_vec(&request).expect("what was read can be written");
    // What was written by escapes may be longer, or shorter.
    if again.len() <= MAX_REQUEST {
        assert_eq!(Request::parse(&again), Ok(request), "our own reads back");
    }
}

/// Any text as a calculation: operation, operands and perhaps a precision, each behind a line break.
pub fn number(text: &str) {
    let mut lines = text.split('\n');
    let mut next = || lines.next().unwrap_or_default();
    let (operation, x, y, precision) = (next(), next(), next(), next());
    let read: Vec<_> = [x, y].iter().flat_map(|it| it.parse::<Number>()).collect();
    for number in &read {
        let again = number.to_string().parse::<Number>();
        assert_eq!(again.as_ref(), Ok(number), "canonical text reads back");
    }
    if let (Ok(operation), [x, y]) = (operation.parse::<Operation>(), &read[..]) {
        let digits = precision.parse::<u64>().ok();
        let precision = digits.and_then(|digits| Precision::try_from(digits).ok());
        let _ = calculate(operation, x.clone(), y.clone(), precision);
    }
}

/// Any text before a terminal, and as a name.
pub fn text(text: &str) {
    let line = sanitise_line(text);
    assert!(!line.chars().any(char::is_control), "{line:?}");
    assert_eq!(sanitise_line(&line), line, "what is clean stays");
    for line in sanitise_block(text) {
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
    if let Ok(name) = Name::parse(text) {
        assert_eq!(Name::parse(name.as_str()).as_ref(), Ok(&name));
        assert_eq!(sanitise_line(name.as_str()), name.as_str());
        let _ = name.keys();
    }
    if let Some(name) = suggest(text) {
        assert!(Name::parse(name.as_str()).is_ok());
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// Runs a target on every input that is kept for it.
    fn run(target: &str, body: impl Fn(&[u8])) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("corpus")
            .join(target);
        let mut inputs = 0;
        for input in fs::read_dir(folder).unwrap() {
            let bytes = fs::read(input.unwrap().path()).unwrap();
            body(&bytes);
            inputs += 1;
        }
        assert!(inputs > 0, "nothing is kept for {target}");
    }

    fn text(body: fn(&str)) -> impl Fn(&[u8]) {
        move |bytes| body(std::str::from_utf8(bytes).unwrap())
    }

    #[test]
    fn kept_datagrams() {
        run("datagram", super::datagram);
    }

    #[test]
    fn kept_envelopes() {
        run("envelope", super::envelope);
    }

    #[test]
    fn kept_frames() {
        run("frames", super::frames);
    }

    #[test]
    fn kept_requests() {
        run("request", super::request);
    }

    #[test]
    fn kept_files() {
        run("files", super::files);
    }

    #[test]
    fn kept_numbers() {
        run("number", text(super::number));
    }

    #[test]
    fn kept_operator_s_requests() {
        run("operator", super::operator);
    }

    #[test]
    fn kept_texts() {
        run("text", text(super::text));
    }
}
