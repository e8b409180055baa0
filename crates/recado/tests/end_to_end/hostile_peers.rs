//! Whoever else may find the port: none of them disturbs a conversation, or fills the log.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, UdpSocket};

use nix::sys::signal::Signal;
use nix::sys::socket::{setsockopt, sockopt};
use recado_client::session::new_message_id;
use recado_proto::alpn;
use recado_proto::frame::{ClientFrame, ClosingCode, GlobalMessage, ServerFrame};
use recado_proto::id::Signature;
use serde_json::json;

use crate::common::{Bot, Home, PATIENCE, Proxy, RawChat, RawIdentity, Server, Wire, hello, tls};

fn tcp(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.socket()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends bytes; gives all that comes back before the server closes.
fn answer_to(server: &Server, bytes: &[u8]) -> Vec<u8> {
    let mut stream = tcp(server);
    let _ = stream.write_all(bytes);
    to_end(&mut stream)
}

/// Everything to the end of a connection, which must come in time.
fn to_end(stream: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("the server does not close"),
        // A reset is an end too.
        _ => bytes,
    }
}

/// A conversation goes on.
fn talks(a: &mut Bot, b: &Bot, text: &str) {
    a.say_to_all(text);
    b.find_where(|event| event["text"] == text);
    a.find_where(|event| event["text"] == text);
}

#[test]
fn what_is_neither_tls_nor_http_is_closed_without_a_word() {
    let mut server = Server::start();
    let home = Home::new();
    let (mut a, b) = (
        Bot::join(&home, &server.address(), "A"),
        Bot::join(&home, &server.address(), "B"),
    );
    for bytes in [
        &b"\0"[..],
        b"\x01",
        b"\x01\x02token",
        b"\x80\x2e\x01",
        b"\xff",
        b" ",
        b"\n",
        b"\x17\x03\x03\0\x01x",
    ] {
        assert_eq!(answer_to(&server, bytes), b"", "{bytes:?}");
    }
    // What begins like TLS and is none gets an alert (RFC 8446 §6) at the most.
    for bytes in [
        &b"\x16garbage"[..],
        &[0x16; 40_000],
        b"\x16\x03\x01\xff\xff",
        b"\x16\x03\x01\0\x05\x01\0\0\x01\0",
    ] {
        let answer = answer_to(&server, &[bytes, &[0; 70_000]].concat());
        assert!(
            answer.is_empty() || answer[0] == 0x15,
            "{bytes:?}: {answer:?}"
        );
        assert!(answer.len() < 100);
    }
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"PRI * HTTP/2.0\r\n",
        b"SSH-2.0-x\r\n",
        b"x",
    ] {
        let answer = String::from_utf8(answer_to(&server, bytes)).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.contains("https-required"), "{answer}");
    }
    talks(&mut a, &b, "unimpressed");
    assert_short_log(&mut server, 2);
}

#[test]
fn tls_that_is_not_for_us_is_refused_within_tls() {
    let mut server = Server::start();
    let identity = RawIdentity::new();
    // No protocol in common: an alert, in the handshake.
    for names in [&[&b"imap"[..]][..], &[b"recado/2", b"h3"], &[b"recado/1x"]] {
        assert!(tls(&server, names, Some(&identity)).is_err(), "{names:?}");
    }
    // A chat without a key: in TLS 1.3 the refusal comes behind the handshake.
    let mut nobody = tls(&server, &[alpn::CHAT], None).unwrap();
    let refused = nobody.read(&mut [0; 16]).unwrap_err();
    assert!(
        refused.to_string().contains("CertificateRequired"),
        "{refused}"
    );
    // A browser is not asked for one, and an offer of several is answered by the first of ours.
    for (names, chosen) in [
        (&[alpn::HTTP_1_1][..], Some(alpn::HTTP_1_1)),
        (&[b"x", alpn::HTTP_1_1, alpn::H2], Some(alpn::H2)),
        (&[alpn::H2, alpn::HTTP], Some(alpn::HTTP)),
        (&[], None),
    ] {
        let stream = tls(&server, names, None).unwrap();
        assert_eq!(stream.conn.alpn_protocol(), chosen);
    }
    assert_short_log(&mut server, 0);
}

#[test]
fn frames_that_are_none_end_their_session_and_no_other() {
    let mut server = Server::start();
    let home = Home::new();
    let mut a = Bot::join(&home, &server.address(), "A");
    let b = Bot::join(&home, &server.address(), "B");

    let bytes = |frame: ClientFrame| {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes).unwrap();
        bytes
    };
    let framed = |body: &[u8]| [&(body.len() as u32).to_be_bytes(), body].concat();
    // Of what was never sent.
    let acknowledge = || framed(b"\x22\x02\x08\x01");

    // Before Hello, and in its place.
    for wrong in [
        131_073_u32.to_be_bytes().to_vec(),
        u32::MAX.to_be_bytes().to_vec(),
        b"GET / HTTP/1.1\r\nHost: recado\r\n\r\n".to_vec(),
        framed(b"\xff\xff\xff\xff"),
        framed(b"\x0a\x05\x1a\x03\xff\xfe\xfd"),
        acknowledge(),
        bytes(ClientFrame::DatagramConfirm(vec![0; 16])),
        vec![0xff; 300_000],
    ] {
        let mut raw = RawChat::open(&server);
        raw.send_bytes(&wrong);
        ends_with_protocol(&mut raw, &wrong);
    }
    // In an open session.
    for (at, wrong) in [
        131_073_u32.to_be_bytes().to_vec(),
        framed(&[0x0a]),
        framed(b"\x1a\x02\x0a\x00"),
        acknowledge(),
        bytes(hello("again", 1)),
        bytes(ClientFrame::DatagramConfirm(vec![0; 16])),
        bytes(ClientFrame::DatagramConfirm(vec![0; 15])),
    ]
    .iter()
    .enumerate()
    {
        let mut raw = RawChat::open(&server);
        raw.hello(&format!("mallory{at}"));
        raw.send_bytes(wrong);
        ends_with_protocol(&mut raw, wrong);
    }
    // Frames without a body, or of a later version, are none of these.
    let mut raw = RawChat::open(&server);
    raw.send_bytes(&framed(b""));
    raw.send_bytes(&framed(b"\xfa\x3f\x02hi"));
    assert_eq!(raw.hello("mallory").name, "mallory");

    // A version that nobody speaks, and names that are none.
    let mut raw = RawChat::open(&server);
    raw.send(hello("x", 999));
    assert!(matches!(raw.next(), Some(ServerFrame::Refused(_))));
    assert_eq!(raw.next(), None);
    for name in ["", "A", "todos", "a\u{1b}[2Jb"] {
        let mut raw = RawChat::open(&server);
        raw.send(hello(name, 1));
        assert!(
            matches!(raw.next(), Some(ServerFrame::Refused(_))),
            "{name:?}"
        );
        assert_eq!(raw.next(), None);
    }
    talks(&mut a, &b, "unimpressed");
    assert_short_log(&mut server, 25);
}

#[track_caller]
fn ends_with_protocol(raw: &mut RawChat, sent: &[u8]) {
    let shown = &sent[..sent.len().min(16)];
    loop {
        match raw.next() {
            Some(ServerFrame::Closing(closing)) => {
                assert_eq!(closing.code, ClosingCode::Protocol, "{shown:?}");
                assert_eq!(raw.next(), None, "{shown:?}");
                return;
            }
            Some(ServerFrame::Roster(_) | ServerFrame::Presence(_)) => {}
            other => panic!("{shown:?} is answered by {other:?}"),
        }
    }
}

#[test]
fn who_says_nothing_is_closed_in_the_end() {
    let mut server = Server::start();
    // At every step where there is something to say.
    let mut silent = tcp(&server);
    let mut stuck = tcp(&server);
    stuck.write_all(b"\x16").unwrap();
    let mut midway = tcp(&server);
    midway.write_all(b"\x16\x03\x01\x01\x00\x01\x00").unwrap();
    let mut half_a_frame = RawChat::open(&server);
    half_a_frame.send_bytes(&[0, 0, 0, 9, 1]);
    let mut after_handshake = RawChat::open(&server);
    let mut http = tls(&server, &[alpn::HTTP_1_1], None).unwrap();
    http.sock.set_read_timeout(Some(PATIENCE)).unwrap();

    // None of it is in the way of others.
    let mut a = Bot::join(&Home::new(), &server.address(), "A");
    a.say_to_all("Olá");
    assert_eq!(a.find("global")["via"], "udp");

    for stream in [&mut silent, &mut stuck, &mut midway] {
        to_end(stream);
    }
    ends_with_protocol(&mut after_handshake, b"nothing");
    ends_with_protocol(&mut half_a_frame, b"half a frame");
    to_end(&mut http);
    assert_short_log(&mut server, 5);
}

#[test]
fn who_never_reads_is_cut_off_and_holds_up_nobody() {
    let mut server = Server::start();
    let home = Home::new();
    let mut a = Bot::join(&home, &server.address(), "A");
    let b = Bot::join(&home, &server.address(), "B");
    let stream = TcpStream::connect(server.socket()).unwrap();
    setsockopt(&stream, sockopt::RcvBuf, &4096).unwrap();
    let mut sleeper = RawChat::over(stream, &server);
    sleeper.hello("sleeper");
    a.sees("sleeper", true);

    // Far more than the server and both kernels keep for one who does not read. Each may say so much and no more
    // at once, so many come and go.
    for number in 0..60 {
        let mut chatterbox = RawChat::open(&server);
        chatterbox.hello(&format!("chatterbox-{number}"));
        for length in [56_000, 40_000] {
            chatterbox.send(ClientFrame::Global(GlobalMessage {
                id: new_message_id().unwrap(),
                sent_at_ms: 0,
                text: "z".repeat(length),
                signature: Signature::from_bytes([0; 64]),
            }));
            while !matches!(chatterbox.next().unwrap(), ServerFrame::Global(global) if global.message.text.len() == length)
            {
            }
        }
    }
    talks(&mut a, &b, "meanwhile");
    a.sees("sleeper", false);
    talks(&mut a, &b, "awake");
    drop(sleeper);
    assert_short_log(&mut server, 63);
}

#[test]
fn datagrams_that_do_not_authenticate_get_no_answer_and_change_nothing() {
    let mut server = Server::start();
    let proxy = Proxy::before(&server);
    let home = Home::new();
    let mut a = Bot::join(&home, &proxy.address(), "A");
    let mut b = Bot::join(&home, &proxy.address(), "B");
    talks(&mut a, &b, "the original");
    let recorded: Vec<Vec<u8>> = proxy
        .datagrams()
        .into_iter()
        .filter(|datagram| datagram.to_server)
        .map(|datagram| datagram.bytes)
        .collect();
    // Two probes at least and the message.
    assert!(recorded.len() >= 5, "{}", recorded.len());

    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    stranger.connect(server.socket()).unwrap();
    stranger.set_nonblocking(true).unwrap();
    let mut sent = 0;
    let mut send = |datagram: &[u8]| {
        stranger.send(datagram).unwrap();
        sent += 1;
    };
    for original in &recorded {
        // Replayed, cut short, made longer, touched anywhere, and from a connection that is not there.
        send(original);
        for length in [0, 1, 8, 16, 17, 32, 33, original.len() - 1] {
            send(&original[..length.min(original.len())]);
        }
        send(&[original.as_slice(), b"\0"].concat());
        for at in (0..original.len()).step_by(7).chain([original.len() - 1]) {
            let mut touched = original.clone();
            touched[at] ^= 0x80;
            send(&touched);
        }
        let mut unknown = original.clone();
        unknown[1..9].fill(0x5a);
        send(&unknown);
    }
    send(&[0; 1200]);
    send(&[1; 1201]);
    send(&[0xc0; 1400]);
    send(b"GET / HTTP/1.1\r\n\r\n");
    assert!(sent > 50, "{sent}");

    // The server takes datagrams in order, so these come behind all that.
    b.say_to_all("behind it");
    let global = b.find("global");
    assert_eq!(
        (&global["text"], &global["via"]),
        (&json!("behind it"), &json!("udp"))
    );
    assert_eq!(global["seq"], 2, "a replayed message is none");
    let global = a.find("global");
    assert_eq!((&global["seq"], &global["via"]), (&json!(2), &json!("udp")));
    let answered = stranger.recv(&mut [0; 2048]);
    assert!(
        answered.is_err_and(|error| error.kind() == ErrorKind::WouldBlock),
        "it was answered"
    );

    talks(&mut a, &b, "still here");
    assert_short_log(&mut server, 2);
}

#[test]
fn datagrams_that_come_twice_are_shown_once() {
    let server = Server::start();
    let proxy = Proxy::with(Wire::Stuttering, &server);
    let home = Home::new();
    let mut a = Bot::join(&home, &proxy.address(), "A");
    let b = Bot::join(&home, &proxy.address(), "B");
    for number in 1..=20 {
        a.say_to_all(&format!("{number}"));
        for bot in [&a, &b] {
            let global = bot.find("global");
            assert_eq!(global["seq"], number);
            assert_eq!(global["text"], format!("{number}"));
            assert_eq!(global["via"], "udp");
        }
    }
}

/// Stops the server; beyond what every server says it may have said two lines for each session, and a few.
#[track_caller]
fn assert_short_log(server: &mut Server, sessions: usize) {
    let ended = server.end(Signal::SIGTERM);
    ended.says(0, &[]);
    let most = 3 * sessions + 12;
    let lines = ended.stderr.len();
    assert!(
        lines <= most,
        "{lines} lines, at most {most}:\n{}",
        ended.stderr.join("\n")
    );
    for line in &ended.stderr {
        assert!(
            !line.contains("panicked") && !line.contains(char::is_control),
            "{line:?}"
        );
    }
}
