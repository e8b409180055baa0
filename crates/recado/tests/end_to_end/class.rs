//! A class: two hundred people behind one address, all at once.

use std::collections::BTreeSet;
use std::time::Duration;

use recado_client::address::ServerAddress;
use recado_client::history::Outgoing;
use recado_client::home::Home as ClientHome;
use recado_client::https::{HttpsClient, Method, Request};
use recado_client::identity::Identity;
use recado_client::session::{IncomingMail, Session, SessionConfig, Update, new_message_id};
use recado_client::trust::{FirstUse, TrustStore, decide};
use recado_client::{Command, Event, State};
use recado_proto::name::Name;
use tokio::task::JoinSet;

use crate::common::{Home, Server};

const PEOPLE: usize = 200;

/// Messages that a few of them write to everyone.
const MESSAGES: usize = 5;

/// For all of it, on a slow machine that has other things to do.
const CLASS_TIME: Duration = Duration::from_secs(240);

#[test]
fn two_hundred_chat_and_calculate_behind_one_address_and_none_is_refused() {
    let server = Server::start();
    let home = Home::new();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let class = hold(server.address(), ClientHome::open(home.path()).unwrap());
    runtime
        .block_on(async { tokio::time::timeout(CLASS_TIME, class).await })
        .expect("the class takes too long");
}

async fn hold(server: String, home: ClientHome) {
    let server: ServerAddress = server.parse().unwrap();
    let store = TrustStore::new(home.clone());
    let trusted = decide(&store, &server, None, FirstUse::AcceptNew)
        .await
        .unwrap();

    // Everyone comes, and calculates, at the same moment.
    let mut arriving = JoinSet::new();
    let mut calculating = JoinSet::new();
    for number in 0..PEOPLE {
        let (trusted, home) = (trusted.clone(), home.clone());
        let mut client = HttpsClient::new(trusted.clone());
        arriving.spawn(async move {
            let name = format!("aluno-{number:03}");
            let folded = Name::parse(&name).unwrap().keys().folded;
            let identity = Identity::open(&home, &trusted.root, &folded).unwrap();
            let opened = Session::open(SessionConfig {
                trusted,
                identity,
                name,
                incoming: IncomingMail::Taken,
                ticket: None,
                files: None,
            });
            let mut session = opened.await.unwrap();
            let first = session.update().await;
            let is_ready = matches!(first, Some(Update::Event(Event::Ready { .. })));
            assert!(is_ready, "{first:?}");
            (number, session)
        });
        calculating.spawn(async move {
            let request = Request {
                method: Method::GET,
                target: format!("/v1/calc/multiply?x={number}&y=1.5"),
                accept: Some("text/plain".to_owned()),
                body: None,
            };
            let answer = client.request(&request).await.unwrap();
            assert_eq!(answer.status, 200);
            let halves = 3 * number;
            let product = if halves % 2 == 0 {
                format!("{}", halves / 2)
            } else {
                format!("{}.5", halves / 2)
            };
            assert_eq!(answer.body, product);
        });
    }
    let mut sessions = arriving.join_all().await;
    assert_eq!(calculating.join_all().await.len(), PEOPLE);
    sessions.sort_by_key(|(number, _)| *number);

    // Some write to everyone, each to their neighbour, and everyone has it all.
    let mut texts = BTreeSet::new();
    for (number, session) in &sessions {
        if number % (PEOPLE / MESSAGES) == 0 {
            let text = format!("pergunta de {number}");
            session.enter(message(None, &text)).await.unwrap();
            texts.insert(text);
        }
        let neighbour = format!("aluno-{:03}", (number + 1) % PEOPLE);
        let whisper = message(Some(neighbour), "psst");
        session.enter(whisper).await.unwrap();
    }
    let mut listening = JoinSet::new();
    for (number, mut session) in sessions {
        let mut missing = texts.clone();
        listening.spawn(async move {
            let (mut whispered, mut delivered) = (false, false);
            while !missing.is_empty() || !whispered || !delivered {
                match session.update().await.expect("the session stays open") {
                    Update::Event(Event::Global { text, verified, .. }) => {
                        assert!(
                            verified && missing.remove(&text),
                            "{text} was expected once"
                        );
                    }
                    Update::Event(Event::Private { receipt, from, .. }) => {
                        let neighbour = (number + PEOPLE - 1) % PEOPLE;
                        assert_eq!(from.name, format!("aluno-{neighbour:03}"));
                        session.command(Command::Take(receipt)).await.unwrap();
                        whispered = true;
                    }
                    Update::Event(Event::State { state, .. }) => {
                        assert!(!matches!(state, State::Failed(_)), "{state:?}");
                        delivered |= state == State::Delivered;
                    }
                    Update::Event(_) => {}
                    other => panic!("{number}: {other:?}"),
                }
            }
            // Kept open until all have all.
            session
        });
    }
    assert_eq!(listening.join_all().await.len(), PEOPLE);
}

fn message(to: Option<String>, text: &str) -> Outgoing {
    Outgoing {
        id: new_message_id().unwrap(),
        to,
        sent_at_ms: 0,
        text: text.to_owned(),
        reference: None,
    }
}
