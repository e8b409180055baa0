//! Tamper, replay, reorder, wrong key, epochs: between a client's and a server's end.

use proptest::prelude::*;

use super::*;

const CONNECTION: ConnectionId = ConnectionId(0x0102_0304_0506_0708);

fn secret(byte: u8) -> SessionSecret {
    SessionSecret::new([byte; EXPORTER_LENGTH])
}

/// Alice's sealer, and the server's opener for it.
fn alice_to_server() -> (Sealer, Opener) {
    let (sealer, _) = secret(7).into_pair(Side::Client, CONNECTION);
    let (_, opener) = secret(7).into_pair(Side::Server, CONNECTION);
    (sealer, opener)
}

fn sealed(sealer: &mut Sealer, text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    sealer.seal(text.as_bytes(), &mut out).unwrap();
    out
}

fn open(opener: &mut Opener, datagram: &[u8]) -> Result<(u64, bool, String), OpenError> {
    let mut bytes = datagram.to_vec();
    opener.open(&mut bytes).map(|opened| {
        let text = String::from_utf8(opened.plaintext.to_vec()).unwrap();
        (opened.sequence, opened.newest, text)
    })
}

#[test]
fn what_alice_seals_the_server_opens_once() {
    let (mut alice, mut server) = alice_to_server();
    let datagram = sealed(&mut alice, "Olá, todos!");
    assert_eq!(datagram.len(), HEADER + "Olá, todos!".len() + TAG);
    assert_eq!(datagram[0] & 0xc0, 0);
    assert_eq!(Header::peek_connection(&datagram), Some(CONNECTION));
    assert_eq!(
        open(&mut server, &datagram),
        Ok((0, true, "Olá, todos!".into()))
    );
    assert_eq!(open(&mut server, &datagram), Err(OpenError::Replayed));
    assert_eq!(server.rejected(), 1);
}

#[test]
fn reordered_datagrams_open_and_say_that_they_are_late() {
    let (mut alice, mut server) = alice_to_server();
    let datagrams: Vec<_> = ["um", "dois", "três"]
        .map(|text| sealed(&mut alice, text))
        .into();
    assert_eq!(
        open(&mut server, &datagrams[2]),
        Ok((2, true, "três".into()))
    );
    assert_eq!(
        open(&mut server, &datagrams[0]),
        Ok((0, false, "um".into()))
    );
    assert_eq!(
        open(&mut server, &datagrams[1]),
        Ok((1, false, "dois".into()))
    );
    for datagram in &datagrams {
        assert_eq!(open(&mut server, datagram), Err(OpenError::Replayed));
    }
}

#[test]
fn any_changed_bit_is_noticed_and_costs_the_true_datagram_nothing() {
    let (mut alice, mut server) = alice_to_server();
    let datagram = sealed(&mut alice, "Olá");
    for at in 0..datagram.len() {
        for bit in 0..8 {
            let mut forged = datagram.clone();
            forged[at] ^= 1 << bit;
            assert!(open(&mut server, &forged).is_err(), "byte {at} bit {bit}");
        }
    }
    for length in 0..datagram.len() {
        assert!(
            open(&mut server, &datagram[..length]).is_err(),
            "cut to {length}"
        );
    }
    assert_eq!(open(&mut server, &datagram), Ok((0, true, "Olá".into())));
}

#[test]
fn another_key_side_or_session_opens_nothing() {
    let (mut alice, _) = alice_to_server();
    let datagram = sealed(&mut alice, "Olá");
    let (_, mut other_key) = secret(8).into_pair(Side::Server, CONNECTION);
    assert_eq!(open(&mut other_key, &datagram), Err(OpenError::Forged));
    // What a client sent, sent back to a client.
    let (_, mut reflected) = secret(7).into_pair(Side::Client, CONNECTION);
    assert_eq!(open(&mut reflected, &datagram), Err(OpenError::Forged));
    let (_, mut other_session) = secret(7).into_pair(Side::Server, ConnectionId(9));
    assert_eq!(open(&mut other_session, &datagram), Err(OpenError::Foreign));
}

#[test]
fn a_forged_sequence_far_ahead_does_not_move_the_window() {
    let (mut alice, mut server) = alice_to_server();
    let datagram = sealed(&mut alice, "Olá");
    for sequence in [1, 1024, 1 << 23, 1 << 24, u64::MAX] {
        let mut forged = datagram.clone();
        forged[9..17].copy_from_slice(&u64::to_be_bytes(sequence));
        assert!(open(&mut server, &forged).is_err());
    }
    assert_eq!(open(&mut server, &datagram), Ok((0, true, "Olá".into())));
}

#[test]
fn epochs_follow_one_another_and_only_neighbours_open() {
    let (mut alice, mut server) = alice_to_server();
    let epoch = 1 << 23;
    alice.skip_to(epoch - 2);
    let before_late = sealed(&mut alice, "antes, tarde");
    let before = sealed(&mut alice, "antes");
    let after = sealed(&mut alice, "depois");
    assert_eq!(
        open(&mut server, &before),
        Ok((epoch - 1, true, "antes".into()))
    );
    assert_eq!(
        open(&mut server, &after),
        Ok((epoch, true, "depois".into()))
    );
    assert_eq!(
        open(&mut server, &before_late).map(|o| o.2),
        Ok("antes, tarde".into())
    );
    alice.skip_to(3 * epoch);
    let distant = sealed(&mut alice, "longe");
    assert_eq!(open(&mut server, &distant), Err(OpenError::Epoch));
}

#[test]
fn the_last_sequence_is_refused_rather_than_wrapped() {
    let (mut alice, _) = alice_to_server();
    alice.skip_to(u64::MAX);
    assert_eq!(alice.seal(b"x", &mut Vec::new()), Err(SealError::Exhausted));
}

#[test]
fn the_longest_plaintext_fits_and_no_longer_one() {
    let (mut alice, mut server) = alice_to_server();
    let mut out = Vec::new();
    assert!(alice.seal(&[1; MAX_PLAINTEXT], &mut out).is_ok());
    assert_eq!(out.len(), crate::limits::MAX_DATAGRAM);
    assert!(server.open(&mut out).is_ok());
    let too_long = alice.seal(&[1; MAX_PLAINTEXT + 1], &mut out);
    assert_eq!(too_long, Err(SealError::TooLong(MAX_PLAINTEXT + 1)));
}

#[test]
fn checks_differ_by_side_and_by_secret() {
    let (client, server) = (secret(7).check(Side::Client), secret(7).check(Side::Server));
    assert!(client.matches(secret(7).check(Side::Client).as_bytes()));
    assert!(!client.matches(server.as_bytes()));
    assert!(!client.matches(secret(8).check(Side::Client).as_bytes()));
    assert!(!client.matches(&[]));
}

/// The figures of `docs/protocol.md` §Test vectors.
#[test]
fn the_documented_vector() {
    let (mut alice, _) = alice_to_server();
    let hex: String = sealed(&mut alice, "Olá")
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    let protocol = include_str!("../../../../docs/protocol.md");
    assert!(
        protocol.contains(&hex),
        "docs/protocol.md lacks the vector {hex}"
    );
}

proptest! {
    #[test]
    fn no_bytes_make_the_opener_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..1300)) {
        let (_, mut server) = alice_to_server();
        prop_assert!(server.open(&mut bytes).is_err());
    }

    #[test]
    fn well_formed_headers_over_noise_do_not_open(
        sequence in any::<u64>(),
        noise in prop::collection::vec(any::<u8>(), 16..200),
    ) {
        let (_, mut server) = alice_to_server();
        let mut bytes = Header { connection: CONNECTION, sequence }.encode().to_vec();
        bytes.extend(noise);
        prop_assert!(server.open(&mut bytes).is_err());
    }
}
