//! The test vectors of `docs/protocol.md`, computed from the document's words by a program in another language.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Output};

use recado_proto::content::{Body, Content, Envelope};
use recado_proto::frame::{Acknowledge, ClientFrame, PrivateMessage};
use recado_proto::id::{MessageId, RemoteKey, StoreId};

const TEST: &str = "every_vector_follows_from_the_document_alone";

/// Says that the test could not do its work here, and why; in CI that is a failure.
fn skip(reason: &str) {
    // Not by a macro: the test harness would keep those from whoever counts what was skipped.
    let line = format!("skipped: {TEST}: {reason}\n");
    io::stderr().write_all(line.as_bytes()).unwrap();
    let ci = std::env::var("CI");
    assert_ne!(ci.as_deref(), Ok("true"), "CI must run {TEST}: {reason}");
}

/// A Python that has the package which the program needs; Debian's own, where another comes first.
fn python() -> Option<&'static str> {
    ["python3", "/usr/bin/python3"].into_iter().find(|python| {
        let asked = Command::new(python)
            .args(["-c", "import cryptography"])
            .output();
        asked.is_ok_and(|output| output.status.success())
    })
}

fn check(python: &str, docs: &Path, document: &Path) -> Output {
    let mut command = Command::new(python);
    command.arg(docs.join("protocol_vectors.py")).arg("--check");
    command.arg(document).output().unwrap()
}

/// The document with a digit changed in every line of its vectors, and how many those are.
fn changed(document: &str) -> (String, usize) {
    let (before, vectors) = document.split_once("\n## Test vectors\n").unwrap();
    let (mut changed, mut lines, mut in_block) = (before.to_owned(), 0, false);
    for line in vectors.lines() {
        changed.push('\n');
        in_block ^= line.starts_with("```");
        match line.char_indices().next_back() {
            Some((at, last)) if in_block && !line.starts_with("```") => {
                changed.push_str(&line[..at]);
                changed.push(if last == '0' { '1' } else { '0' });
                lines += 1;
            }
            _ => changed.push_str(line),
        }
    }
    (changed, lines)
}

#[test]
fn every_vector_follows_from_the_document_alone() {
    let Some(python) = python() else {
        return skip("there is no python3 with the package cryptography");
    };
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let document = docs.join("protocol.md");
    let checked = check(python, &docs, &document);
    let complaint = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{complaint}");

    // The control: each vector that is changed is missed, so the program computes all that there are.
    let (text, lines) = changed(&fs::read_to_string(&document).unwrap());
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("protocol.md");
    fs::write(&copy, text).unwrap();
    let checked = check(python, &docs, &copy);
    let complaint = String::from_utf8_lossy(&checked.stderr);
    assert_eq!(checked.status.code(), Some(1), "{complaint}");
    assert!(lines > 30, "{lines} lines of vectors");
    assert_eq!(complaint.lines().count(), lines, "{complaint}");
}

/// The bytes of the vector that has this name.
fn vector(document: &str, name: &str) -> Vec<u8> {
    let mut lines = document.lines();
    let digits = lines.find_map(|line| line.strip_prefix(&format!("{name:<18}")));
    let digits = digits
        .unwrap_or_else(|| panic!("no vector {name}"))
        .as_bytes();
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

#[test]
fn what_is_documented_is_what_is_said() {
    let document = include_str!("../../../docs/protocol.md");
    let envelope = Envelope::Mls {
        welcome: vec![4; 2],
        message: vec![5; 3],
    };
    let frames = [
        (
            "PrivateMessage",
            ClientFrame::Private(PrivateMessage {
                lane: 7,
                number: 300,
                id: MessageId::from_bytes([3; 16]),
                sent_at_ms: 5,
                envelope: envelope.encode(),
            }),
        ),
        (
            "Acknowledge",
            ClientFrame::Acknowledge(Acknowledge {
                lane: 7,
                up_to: 300,
                unreadable: vec![298, 300],
            }),
        ),
    ];
    for (name, frame) in frames {
        let mut said = Vec::new();
        frame.encode(&mut said).unwrap();
        assert_eq!(said, vector(document, name), "{name}");
    }
    let content = Content {
        id: MessageId::from_bytes([3; 16]),
        number: 300,
        store: StoreId::from_bytes([2; 16]),
        sender: RemoteKey::from_bytes([5; 32]),
        recipient: RemoteKey::from_bytes([6; 32]),
        sender_name: "conceição".to_owned(),
        sent_at_ms: 5,
        resumes: 0,
        body: Body::Text("Olá, B!".to_owned()),
    };
    assert_eq!(content.encode().unwrap(), vector(document, "content"));
}
