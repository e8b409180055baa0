//! Alice sends to Bob, over connections that end, by people who do not keep their word.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use recado_proto::file::FolderOffer;
use recado_proto::fingerprint::Fingerprint;
use recado_proto::id::RemoteKey;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::*;
use crate::files::source::Scan;
use crate::files::tls::PeerTls;
use crate::home::Home;
use crate::identity::Identity;

const PATIENCE: Duration = Duration::from_secs(60);
const MIB: usize = 1 << 20;

/// Alice, Bob, and their disks.
struct Story {
    alice: (PeerTls, RemoteKey),
    bob: (PeerTls, RemoteKey),
    disk: tempfile::TempDir,
    offer: OfferId,
}

/// What was told.
#[derive(Default)]
struct Told {
    done: Vec<u64>,
    received: Option<Finished>,
}

impl Watch for Told {
    fn progress(&mut self, done: u64) {
        self.done.push(done);
    }

    async fn received(&mut self, finished: &Finished) {
        self.received = Some(finished.clone());
    }
}

fn person(name: &str) -> (PeerTls, RemoteKey) {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).unwrap();
    let root = Fingerprint::from_bytes([7; 32]);
    let identity = Identity::open(&home, &root, name).unwrap();
    let key = RemoteKey::from_bytes(identity.public_key());
    (PeerTls::new(&identity), key)
}

/// A connection whose bytes pass through a hand: it lets so many pass from Alice, then does to the next what it likes.
async fn wire(
    passes: u64,
    then: impl FnOnce(&mut Vec<u8>) -> bool + Send + 'static,
) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (alice, near) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (far, bob) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (mut from_alice, mut to_alice) = near.unwrap().0.into_split();
    let (mut from_bob, mut to_bob) = far.unwrap().into_split();
    let back = tokio::spawn(async move { tokio::io::copy(&mut from_bob, &mut to_alice).await });
    tokio::spawn(async move {
        let (mut then, mut passed) = (Some(then), 0);
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(read @ 1..) = from_alice.read(&mut buffer).await {
            let mut bytes = buffer[..read].to_vec();
            passed += read as u64;
            if passed > passes && then.take().is_some_and(|then| !then(&mut bytes)) {
                back.abort();
                return;
            }
            if to_bob.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
    (alice.unwrap(), bob.unwrap().0)
}

impl Story {
    fn begin() -> Self {
        let disk = tempfile::tempdir().unwrap();
        for folder in ["alice", "bob"] {
            fs::create_dir(disk.path().join(folder)).unwrap();
        }
        Self {
            alice: person("alice"),
            bob: person("bob"),
            disk,
            offer: OfferId::from_bytes([3; 16]),
        }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.disk.path().join(path)
    }

    /// A file of Alice's.
    fn write(&self, name: &str, size: usize) -> Vec<u8> {
        let contents: Vec<u8> = (0..size).map(|at| (at * 7 % 251) as u8).collect();
        fs::write(self.path("alice").join(name), &contents).unwrap();
        contents
    }

    fn sending(&self, name: &str) -> Sending {
        let scan = Scan::new(&self.path("alice").join(name)).unwrap();
        let (offered, snapshot) = (scan.offered.clone(), scan.snapshot);
        Sending::new(scan.open(&snapshot).unwrap(), offered)
    }

    fn receiving(&self, offered: &Offered) -> Receiving {
        Receiving::new(Target {
            offer: self.offer,
            offered: offered.clone(),
            folder: self.path("bob"),
        })
    }

    async fn channels(&self, (alice, bob): (TcpStream, TcpStream)) -> (Channel, Channel) {
        let opened = timeout(PATIENCE, async {
            tokio::try_join!(
                Channel::connect(alice, &self.alice.0, self.bob.1),
                Channel::accept(bob, &self.bob.0, Some(self.alice.1)),
            )
        });
        opened.await.unwrap().unwrap()
    }

    /// One connection.
    async fn connect(
        &self,
        sending: &mut Sending,
        receiving: &mut Receiving,
        wire: (TcpStream, TcpStream),
    ) -> (
        Result<[u8; 32], TransferError>,
        Result<Finished, TransferError>,
        Told,
    ) {
        let (mut alice, mut bob) = self.channels(wire).await;
        let (mut hers, mut his) = (Told::default(), Told::default());
        let send = async {
            let sent = sending.run(&mut alice, &mut hers).await;
            alice
                .close(sent.as_ref().err().map(TransferError::code))
                .await;
            sent
        };
        let receive = async {
            let received = receiving.run(&mut bob, |_, _| Ok(()), &mut his).await;
            bob.close(received.as_ref().err().map(TransferError::code))
                .await;
            received
        };
        let (sent, received) = timeout(PATIENCE, async { tokio::join!(send, receive) })
            .await
            .unwrap();
        (sent, received, his)
    }

    /// Sends it all over one good connection.
    async fn send(&self, name: &str) -> PathBuf {
        let mut sending = self.sending(name);
        let mut receiving = self.receiving(&sending.offered.clone());
        let wire = wire(u64::MAX, |_| true).await;
        let (sent, received, told) = self.connect(&mut sending, &mut receiving, wire).await;
        let finished = received.unwrap();
        assert_eq!(sent.unwrap(), finished.hash);
        assert_eq!(told.received.as_ref(), Some(&finished));
        assert!(told.done.is_sorted(), "{:?}", told.done);
        finished.path
    }
}

#[tokio::test]
async fn files_of_every_size_arrive_whole() {
    for size in [0, 1, 100_000, MIB, 3 * MIB + 1] {
        let story = Story::begin();
        let contents = story.write("a.bin", size);
        let path = story.send("a.bin").await;
        assert_eq!(fs::read(&path).unwrap(), contents);
        assert_eq!(path.file_name().unwrap(), "a.bin");
    }
}

#[tokio::test]
async fn a_folder_arrives_with_everything_in_it() {
    let story = Story::begin();
    let top = story.path("alice/things");
    fs::create_dir_all(top.join("empty/er")).unwrap();
    let mut contents = Vec::new();
    for at in 0..3_000 {
        let folder = top.join(format!("{:02}", at % 50));
        fs::create_dir_all(&folder).unwrap();
        let text = "x".repeat(at % 700);
        let file = folder.join(format!("{at}.txt"));
        fs::write(&file, &text).unwrap();
        contents.push((file.strip_prefix(&top).unwrap().to_owned(), text));
    }
    let path = story.send("things").await;
    assert_eq!(path.file_name().unwrap(), "things");
    for (file, text) in contents {
        assert_eq!(fs::read_to_string(path.join(file)).unwrap(), text);
    }
    assert!(path.join("empty/er").is_dir());
}

#[tokio::test]
async fn a_connection_that_ends_loses_nothing_that_was_verified() {
    let story = Story::begin();
    let contents = story.write("a", 9 * MIB + 5);
    let mut sending = story.sending("a");
    let mut receiving = story.receiving(&sending.offered.clone());
    let mut verified = 0;
    for cut in [10_000, 2_500_000, 1_200_000, 3_333_333] {
        let wire = wire(cut, |_| false).await;
        let (sent, received, told) = story.connect(&mut sending, &mut receiving, wire).await;
        assert!(sent.is_err() && received.is_err());
        if let Some(first) = told.done.first() {
            assert!(*first >= verified, "{first} after {verified}");
        }
        verified = told.done.last().copied().unwrap_or(verified);
    }
    assert!(verified > 0);
    // Both programs ended: what is known is on the disk.
    let mut sending = story.sending("a");
    let mut receiving = story.receiving(&sending.offered.clone());
    let wire = wire(u64::MAX, |_| true).await;
    let (_, received, told) = story.connect(&mut sending, &mut receiving, wire).await;
    assert!(told.done[0] >= verified, "{:?} after {verified}", told.done);
    assert_eq!(fs::read(received.unwrap().path).unwrap(), contents);
}

#[tokio::test]
async fn a_byte_that_changes_on_the_way_is_never_taken() {
    let story = Story::begin();
    let contents = story.write("a", 3 * MIB);
    let mut sending = story.sending("a");
    let mut receiving = story.receiving(&sending.offered.clone());
    for at in [2_000, 60_000, 1_500_000] {
        let wire = wire(at, |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x40;
            true
        });
        let (sent, received, _) = story
            .connect(&mut sending, &mut receiving, wire.await)
            .await;
        assert!(sent.is_err());
        let tls = matches!(received, Err(TransferError::Channel(ChannelError::Tls(_))));
        assert!(tls, "{received:?}");
    }
    let wire = wire(u64::MAX, |_| true).await;
    let (_, received, _) = story.connect(&mut sending, &mut receiving, wire).await;
    assert_eq!(fs::read(received.unwrap().path).unwrap(), contents);
}

#[tokio::test]
async fn a_part_that_was_damaged_is_mended() {
    let story = Story::begin();
    let contents = story.write("a", 5 * MIB);
    let mut sending = story.sending("a");
    let mut receiving = story.receiving(&sending.offered.clone());
    let cut = wire(4_000_000, |_| false).await;
    story
        .connect(&mut sending, &mut receiving, cut)
        .await
        .1
        .unwrap_err();
    drop(receiving);
    let part = story
        .path("bob")
        .join(crate::files::part::part_name(&story.offer));
    let mut bytes = fs::read(&part).unwrap();
    bytes[MIB + 5] ^= 1;
    fs::write(&part, bytes).unwrap();
    let mut receiving = story.receiving(&sending.offered.clone());
    let wire = wire(u64::MAX, |_| true).await;
    let (_, received, told) = story.connect(&mut sending, &mut receiving, wire).await;
    assert_eq!(told.done[0], MIB as u64);
    assert_eq!(fs::read(received.unwrap().path).unwrap(), contents);
}

#[tokio::test]
async fn a_source_that_changes_on_the_way_is_said_and_not_received() {
    let story = Story::begin();
    story.write("a", 8 * MIB);
    let mut sending = story.sending("a");
    let mut receiving = story.receiving(&sending.offered.clone());
    let path = story.path("alice/a");
    let wire = wire(1_000_000, move |_| {
        let changed = fs::OpenOptions::new().write(true).open(&path).unwrap();
        changed.set_len(7 * MIB as u64).unwrap();
        true
    });
    let (sent, received, _) = story
        .connect(&mut sending, &mut receiving, wire.await)
        .await;
    let changed = matches!(sent, Err(TransferError::Source(SourceError::Changed(_))));
    assert!(changed, "{sent:?}");
    let told = matches!(
        received,
        Err(TransferError::Channel(ChannelError::Aborted(
            AbortCode::SourceChanged
        )))
    );
    assert!(told, "{received:?}");
    assert!(!story.path("bob/a").exists());
}

#[tokio::test]
async fn only_the_person_who_is_meant_is_talked_to() {
    let story = Story::begin();
    let eve = person("eve");
    for (client, server) in [(&eve.0, &story.bob.0), (&story.alice.0, &eve.0)] {
        let (near, far) = wire(u64::MAX, |_| true).await;
        let (connected, accepted) = tokio::join!(
            async {
                // In TLS 1.3 a client learns that it was refused when it reads.
                let mut channel = Channel::connect(near, client, story.bob.1).await?;
                channel.frame().await.map(drop)
            },
            Channel::accept(far, server, Some(story.alice.1)),
        );
        assert!(connected.is_err() && accepted.is_err());
    }
}

/// Bob's side of a connection with someone who sends these frames and bytes, whatever was agreed.
async fn hostile(
    story: &Story,
    offered: Offered,
    frames: Vec<(StreamFrame, Vec<u8>)>,
) -> TransferError {
    let (mut alice, mut bob) = story.channels(wire(u64::MAX, |_| true).await).await;
    let mut receiving = story.receiving(&offered);
    let say = async {
        alice.queue(&StreamFrame::Ready).unwrap();
        for (frame, bytes) in frames {
            if alice.queue(&frame).is_err() || alice.queue_contents(&bytes).is_err() {
                break;
            }
            if alice.flush().await.is_err() {
                break;
            }
        }
        while alice.frame().await.is_ok() {}
        drop(alice);
    };
    let mut told = Told::default();
    let take = async {
        let taken = receiving.run(&mut bob, |_, _| Ok(()), &mut told).await;
        bob.close(taken.as_ref().err().map(TransferError::code))
            .await;
        taken
    };
    let taken = timeout(PATIENCE, async { tokio::join!(say, take).1 })
        .await
        .unwrap();
    let names = fs::read_dir(story.path("bob")).unwrap();
    let visible = names.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        !name.to_string_lossy().starts_with(".recado-")
    });
    assert_eq!(visible.count(), 0, "something became a file");
    taken.unwrap_err()
}

fn file(size: u64) -> Offered {
    Offered {
        name: "a".to_owned(),
        size,
        stored: size,
        folder: None,
    }
}

#[tokio::test]
async fn a_hostile_sender_gets_nothing_onto_the_disk_that_was_not_agreed() {
    let no_bytes = |frame| (frame, Vec::new());
    let data = |length: usize| (StreamFrame::Data(length as u32), vec![7; length]);
    let hash = |length: usize| *blake3::hash(&vec![7; length]).as_bytes();
    let start = || no_bytes(StreamFrame::Start(0));
    let check = |value| no_bytes(StreamFrame::Check(value));
    let value = {
        let mut tree = recado_engine::files::Tree::new(5);
        tree.update(&[7; 5]).unwrap().value
    };
    let cases: Vec<(&str, Offered, Vec<_>)> = vec![
        ("more than was offered", file(5), vec![start(), data(6)]),
        (
            "less than was offered",
            file(5),
            vec![start(), data(4), no_bytes(StreamFrame::End(hash(4)))],
        ),
        (
            "a group that is not compared",
            file(5),
            vec![start(), data(5), no_bytes(StreamFrame::End(hash(5)))],
        ),
        (
            "a wrong chaining value",
            file(5),
            vec![start(), data(5), check([9; 32])],
        ),
        (
            "a wrong hash",
            file(5),
            vec![
                start(),
                data(5),
                check(value),
                no_bytes(StreamFrame::End([9; 32])),
            ],
        ),
        (
            "a hole where there is a file",
            file(5),
            vec![start(), data(2), no_bytes(StreamFrame::Hole)],
        ),
        (
            "more behind the end",
            file(5),
            vec![start(), data(5), check(value), data(5)],
        ),
        (
            "a beginning that Bob has not",
            file(5),
            vec![no_bytes(StreamFrame::Start(1))],
        ),
        (
            "a list that nobody offered",
            file(5),
            vec![no_bytes(StreamFrame::Ready)],
        ),
        (
            "frames of the receiver's",
            file(5),
            vec![no_bytes(StreamFrame::Go)],
        ),
    ];
    for (case, offered, frames) in cases {
        let story = Story::begin();
        let error = hostile(&story, offered, frames).await;
        assert_eq!(error.code(), AbortCode::Protocol, "{case}: {error:?}");
    }
}

#[tokio::test]
async fn a_stream_without_end_ends() {
    let story = Story::begin();
    let frames = std::iter::once((StreamFrame::Start(0), Vec::new()))
        .chain((0..200).map(|_| (StreamFrame::Data(MIB as u32), vec![7; MIB])))
        .collect();
    let error = hostile(&story, file(2 * MIB as u64), frames).await;
    assert_eq!(error.code(), AbortCode::Protocol, "{error:?}");
    let part = story
        .path("bob")
        .join(crate::files::part::part_name(&story.offer));
    assert!(part.metadata().unwrap().len() <= 2 * MIB as u64);
}

#[tokio::test]
async fn a_list_that_is_not_the_one_offered_is_refused() {
    let story = Story::begin();
    let entry = |path: &str| ListEntry {
        path: path.to_owned(),
        size: 1,
        is_folder: false,
    };
    let offered = Offered {
        folder: Some(FolderOffer {
            entries: 2,
            list: [1; 32],
            first: vec![entry("a"), entry("b")],
        }),
        ..file(2)
    };
    let (mut alice, mut bob) = story.channels(wire(u64::MAX, |_| true).await).await;
    alice
        .queue(&StreamFrame::List(vec![entry("a"), entry(".bashrc")]))
        .unwrap();
    alice.queue(&StreamFrame::Ready).unwrap();
    alice.flush().await.unwrap();
    let mut receiving = story.receiving(&offered);
    let error = receiving
        .run(&mut bob, |_, _| Ok(()), &mut Told::default())
        .await;
    assert_eq!(error.unwrap_err().code(), AbortCode::Protocol);
    // A list that is longer than was said.
    let (mut alice, mut bob) = story.channels(wire(u64::MAX, |_| true).await).await;
    let list = StreamFrame::List(vec![entry("a"), entry("b"), entry("c")]);
    alice.queue(&list).unwrap();
    alice.flush().await.unwrap();
    let error = receiving
        .run(&mut bob, |_, _| Ok(()), &mut Told::default())
        .await;
    assert_eq!(error.unwrap_err().code(), AbortCode::Protocol);
    assert!(fs::read_dir(story.path("bob")).unwrap().next().is_none());
}

#[tokio::test]
async fn a_receiver_that_lies_about_what_it_has_harms_only_itself() {
    let story = Story::begin();
    story.write("a", 3 * MIB);
    for values in [vec![[9; 32]; 2], vec![[9; 32]; 4]] {
        let mut sending = story.sending("a");
        let (mut alice, mut bob) = story.channels(wire(u64::MAX, |_| true).await).await;
        let lie = async {
            assert_eq!(bob.frame().await.unwrap(), StreamFrame::Ready);
            bob.queue(&StreamFrame::Have(values.clone())).unwrap();
            bob.queue(&StreamFrame::Go).unwrap();
            bob.flush().await.unwrap();
            let next = bob.frame().await;
            drop(bob);
            next
        };
        let mut told = Told::default();
        let send = async {
            let sent = sending.run(&mut alice, &mut told).await;
            alice
                .close(sent.as_ref().err().map(TransferError::code))
                .await;
        };
        let (next, ()) = timeout(PATIENCE, async { tokio::join!(lie, send) })
            .await
            .unwrap();
        match values.len() {
            2 => assert_eq!(next.unwrap(), StreamFrame::Start(0)),
            _ => assert!(matches!(
                next,
                Err(ChannelError::Aborted(AbortCode::Protocol))
            )),
        }
    }
}

#[tokio::test]
async fn the_place_is_told_before_it_is_taken() {
    let story = Story::begin();
    story.write("a", 10);
    let mut sending = story.sending("a");
    let mut receiving = story.receiving(&sending.offered.clone());
    let (mut alice, mut bob) = story.channels(wire(u64::MAX, |_| true).await).await;
    let asked = Arc::new(AtomicU64::new(0));
    let count = asked.clone();
    let choose = move |path: &Path, _: &[u8; 32]| {
        assert!(!path.exists());
        count.fetch_add(1, Ordering::Relaxed);
        Ok(())
    };
    let (mut hers, mut his) = (Told::default(), Told::default());
    let (sent, received) = tokio::join!(
        sending.run(&mut alice, &mut hers),
        receiving.run(&mut bob, choose, &mut his),
    );
    assert_eq!(sent.unwrap(), received.unwrap().hash);
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn what_is_all_there_is_put_in_its_place_though_the_connection_is_lost() {
    let story = Story::begin();
    let contents = story.write("a", 10);
    let mut sending = story.sending("a");
    let mut receiving = story.receiving(&sending.offered.clone());
    let (mut alice, mut bob) = story.channels(wire(u64::MAX, |_| true).await).await;
    let (lost, is_lost) = std::sync::mpsc::channel::<()>();
    let (told, is_told) = tokio::sync::oneshot::channel::<()>();
    let mut told = Some(told);
    let choose = move |_: &Path, _: &[u8; 32]| {
        let _ = told.take().unwrap().send(());
        // The disk is slow: meanwhile Alice goes.
        is_lost.recv().unwrap();
        Ok(())
    };
    let (mut hers, mut his) = (Told::default(), Told::default());
    let send = async move {
        tokio::select! {
            _ = sending.run(&mut alice, &mut hers) => panic!("Bob has said too much"),
            _ = is_told => {}
        }
        drop(alice);
        // Bob's end has seen it.
        tokio::time::sleep(Duration::from_millis(100)).await;
        lost.send(()).unwrap();
    };
    let receive = receiving.run(&mut bob, choose, &mut his);
    let ((), received) = timeout(PATIENCE, async { tokio::join!(send, receive) })
        .await
        .unwrap();
    let finished = received.unwrap();
    assert_eq!(his.received.as_ref(), Some(&finished));
    assert_eq!(fs::read(finished.path).unwrap(), contents);
}
