//! recado: a session over TCP alone, without datagrams.

use std::io::{Read, Write};
use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use recado_proto::frame::{Acknowledge, ClientFrame, Hello, OpenLane, PrivateMessage, ServerFrame};
use recado_proto::framing::FrameSplitter;
use recado_proto::id::{MessageId, StoreId};
use recado_proto::{PROTOCOL_VERSION, alpn};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ClientConfig, RootCertStore};

use super::dialect::{Dialect, Tally};
use super::load::Stream;

/// The lane of a sender, who has but one.
const LANE: u32 = 1;

/// TLS with an identity of its own.
pub(super) fn config(roots: Arc<RootCertStore>) -> Result<ClientConfig> {
    let key = KeyPair::generate_for(&PKCS_ED25519)?;
    let certificate = CertificateParams::new([])?.self_signed(&key)?;
    let mut config = ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
        .with_root_certificates(roots)
        .with_client_auth_cert(
            vec![certificate.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )?;
    config.alpn_protocols = vec![alpn::CHAT.to_vec()];
    Ok(config)
}

/// One end.
pub(super) struct Chat {
    splitter: FrameSplitter,
    store: [u8; StoreId::LENGTH],
    number: u64,
    sent_at_ms: i64,
}

impl Chat {
    /// Opens a session, and the sender's lane.
    pub(super) fn open(stream: &mut Stream, pair: u32, is_sender: bool) -> Result<Self> {
        let name = |is_sender: bool| {
            let role = if is_sender { "sender" } else { "recipient" };
            format!("{role}{pair}")
        };
        let mut store = [0; StoreId::LENGTH];
        aws_lc_rs::rand::fill(&mut store)?;
        let now = time::OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
        let mut chat = Self {
            splitter: FrameSplitter::default(),
            store,
            number: 0,
            sent_at_ms: i64::try_from(now)?,
        };
        let hello = ClientFrame::Hello(Hello {
            version_min: PROTOCOL_VERSION,
            version_max: PROTOCOL_VERSION,
            name: name(is_sender),
            software: "recado-bench".to_owned(),
            ticket: None,
        });
        chat.ask(stream, hello, |frame| {
            matches!(frame, ServerFrame::Welcome(_))
        })?;
        if is_sender {
            let open = ClientFrame::OpenLane(OpenLane {
                lane: LANE,
                store: StoreId::from_bytes(store),
                to: name(false),
                key: None,
                lowest: 1,
            });
            chat.ask(stream, open, |frame| {
                matches!(frame, ServerFrame::LaneOpened(_))
            })?;
        }
        Ok(chat)
    }

    /// Waits for the answer; what else comes is for others to look at.
    fn ask(
        &mut self,
        stream: &mut Stream,
        question: ClientFrame,
        is_answer: impl Fn(&ServerFrame) -> bool,
    ) -> Result<()> {
        let mut out = Vec::new();
        question.encode(&mut out)?;
        stream.write_all(&out)?;
        let mut buffer = [0; 16 * 1024];
        let mut answered = false;
        while !answered {
            let length = stream.read(&mut buffer)?;
            ensure!(length > 0, "the server closed the session");
            self.splitter.push(&buffer[..length], |frame| {
                match ServerFrame::decode(frame)? {
                    Some(
                        refusal @ (ServerFrame::Refused(_)
                        | ServerFrame::LaneRefused(_)
                        | ServerFrame::Closing(_)),
                    ) => bail!("{refusal:?}"),
                    Some(frame) => answered |= is_answer(&frame),
                    None => {}
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}

impl Dialect for Chat {
    fn say(&mut self, text: &[u8], out: &mut Vec<u8>) -> Result<()> {
        self.number += 1;
        let mut id = self.store;
        id[8..].copy_from_slice(&self.number.to_be_bytes());
        let message = ClientFrame::Private(PrivateMessage {
            lane: LANE,
            number: self.number,
            id: MessageId::from_bytes(id),
            sent_at_ms: self.sent_at_ms,
            envelope: text.to_vec(),
        });
        Ok(message.encode(out)?)
    }

    fn hear(&mut self, bytes: &[u8], tally: &mut Tally, out: &mut Vec<u8>) -> Result<()> {
        let mut taken = None;
        self.splitter.push(bytes, |frame| {
            match ServerFrame::decode(frame)? {
                Some(ServerFrame::Private(message)) => {
                    tally.arrive(&message.envelope)?;
                    taken = Some((message.lane, message.number));
                }
                Some(ServerFrame::LaneProgress(progress)) => {
                    ensure!(progress.failures.is_empty(), "{:?}", progress.failures);
                    tally.store(progress.stored);
                    tally.settle(progress.settled);
                }
                Some(ServerFrame::Ping) => ClientFrame::Pong.encode(out)?,
                Some(refusal @ (ServerFrame::PrivateRefused(_) | ServerFrame::Closing(_))) => {
                    bail!("{refusal:?}")
                }
                _ => {}
            }
            Ok(())
        })?;
        if let Some((lane, up_to)) = taken {
            let acknowledge = Acknowledge {
                lane,
                up_to,
                unreadable: Vec::new(),
            };
            ClientFrame::Acknowledge(acknowledge).encode(out)?;
        }
        Ok(())
    }
}
