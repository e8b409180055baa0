//! Any bytes at the datagram's door, and any plaintext behind it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use recado_proto::datagram::{EXPORTER_LENGTH, Header, SessionSecret, Side};
use recado_proto::frame::{ClientDatagram, ServerDatagram};
use recado_proto::id::ConnectionId;

fuzz_target!(|bytes: &[u8]| {
    let secret = || SessionSecret::new([7; EXPORTER_LENGTH]);
    let connection = ConnectionId(7);
    let (mut sealer, _) = secret().into_pair(Side::Client, connection);
    let (_, mut opener) = secret().into_pair(Side::Server, connection);

    let _ = Header::peek_connection(bytes);
    assert!(opener.open(&mut bytes.to_vec()).is_err(), "opened what nobody sealed");

    let mut sealed = Vec::new();
    if sealer.seal(bytes, &mut sealed).is_ok() {
        let opened = opener.open(&mut sealed).expect("what was sealed opens");
        assert_eq!(opened.plaintext, bytes);
    }
    if let Ok(Some(datagram)) = ClientDatagram::decode(bytes) {
        assert_eq!(ClientDatagram::decode(&datagram.clone().encode()).unwrap(), Some(datagram));
    }
    if let Ok(Some(datagram)) = ServerDatagram::decode(bytes) {
        assert_eq!(ServerDatagram::decode(&datagram.clone().encode()).unwrap(), Some(datagram));
    }
});
