//! What a full screen does when things happen: stories of Alice, who sits before it.

use recado_client::history::{Edge, Outgoing, PastMessage, Place, Standing};
use recado_client::session::Comparison;
use recado_client::{
    CommandError, Event, LinkReport, LinkState, PackageFault, State as MessageState, Via,
};
use recado_proto::frame::Person as ProtoPerson;
use recado_proto::id::{MessageId, RemoteKey, StoreId};

use super::*;
use crate::chat::talk::{Own, Shown};
use crate::i18n::Language;
use crate::tui::input::handle;
use crate::tui::keys::{Heard, Key, Press};

mod files;

/// 2026-11-28 09:00 UTC.
const MORNING: i64 = 1_795_856_400_000;

const SIZE: Size = Size::new(80, 24);

struct Alice {
    state: State,
    /// What the state wished for and was not looked at yet.
    wished: Vec<Wish>,
}

fn person(name: &str) -> ProtoPerson {
    let mut key = [0; 32];
    key[..name.len()].copy_from_slice(name.as_bytes());
    let key = RemoteKey::from_bytes(key);
    let name = name.to_owned();
    ProtoPerson { name, key }
}

fn id(number: u32) -> MessageId {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    MessageId::from_bytes(bytes)
}

fn receipt(name: &str, number: u32) -> Receipt {
    Receipt {
        from: person(name).key,
        store: StoreId::from_bytes([0; 16]),
        number: number.into(),
    }
}

fn private(name: &str, number: u32, text: &str) -> Event {
    Event::Private {
        receipt: receipt(name, number),
        from: person(name),
        id: id(number),
        sent_at_ms: MORNING,
        text: text.to_owned(),
        replayed: false,
    }
}

fn global(name: &str, number: u32, text: &str) -> Event {
    Event::Global {
        from: person(name),
        id: id(number),
        sequence: number.into(),
        sent_at_ms: MORNING,
        text: text.to_owned(),
        via: Via::Udp,
        replayed: false,
        late: false,
        repaired: false,
        verified: true,
    }
}

/// The messages with these numbers, as the database gives them.
fn past(numbers: impl Iterator<Item = u32>, from: Option<&str>, to: Option<&str>) -> Vec<Item> {
    let message = |number: u32| {
        Item::Message(PastMessage {
            number: number.into(),
            id: id(number),
            from: from.map(str::to_owned),
            to: to.map(str::to_owned),
            is_global: to.is_none(),
            sent_at_ms: MORNING,
            text: format!("past {number}"),
            standing: if from.is_some() {
                Standing::Received
            } else {
                Standing::Stored
            },
            code: String::new(),
            reference: None,
            sequence: Some(number.into()),
            verified: true,
        })
    };
    numbers.map(message).collect()
}

impl Alice {
    /// Before a conversation with everyone in which nothing was said yet.
    fn new() -> Self {
        let mut alice = Self::with_past(0);
        alice.wished.clear();
        alice
    }

    /// In which so much was said.
    fn with_past(count: u32) -> Self {
        let clock = Clock::standing(|| MORNING);
        let mut state = State::new(Words(Language::English), clock, SIZE, "server", "");
        state.ready("Alice", "server");
        state.event(&Event::Roster(["Alice", "Bob"].map(person).to_vec()));
        state.correspondents(Vec::new());
        let latest = count.saturating_sub(PAGE as u32) + 1..=count;
        state.past(past(latest, Some("Bob"), None));
        let mut alice = Self {
            state,
            wished: Vec::new(),
        };
        alice.look();
        alice
    }

    fn look(&mut self) {
        while let Some(wish) = self.state.poll_wish() {
            self.wished.push(wish);
        }
    }

    /// What was wished for since the last time.
    fn wishes(&mut self) -> Vec<Wish> {
        self.look();
        std::mem::take(&mut self.wished)
    }

    fn press(&mut self, key: Key) {
        handle(&mut self.state, Heard::Press(key.into()));
    }

    fn press_with(&mut self, key: Key, ctrl: bool, alt: bool) {
        let press = Press {
            ctrl,
            alt,
            ..Press::from(key)
        };
        handle(&mut self.state, Heard::Press(press));
    }

    fn write(&mut self, text: &str) {
        handle(&mut self.state, Heard::Typed(text.to_owned()));
    }

    fn enter(&mut self, text: &str) -> Vec<Wish> {
        self.write(text);
        self.press(Key::Enter);
        self.wishes()
    }

    /// Does what the chat does with a message that is to be said.
    fn say(&mut self, number: u32, to: Option<&str>, text: &str) {
        self.state.entered(&Outgoing {
            id: id(number),
            to: to.map(str::to_owned),
            sent_at_ms: MORNING,
            text: text.to_owned(),
            reference: None,
        });
    }

    fn told(&mut self, number: u32, to: Option<&str>, state: MessageState) {
        self.state.state(&Own {
            id: id(number),
            to: to.map(str::to_owned),
            text: None,
            is_here: true,
            reference: None,
            state,
            was_stored: true,
        });
    }

    /// What is in the window, a word each.
    fn sees(&self) -> Vec<String> {
        let lines = self.state.window.lines().iter();
        let word = |line: &Line| match &line.content {
            Content::Message(message) => message.lines.join("/"),
            Content::Notice { lines, .. } => format!("({})", lines.join("/")),
            Content::Presence { who, more } => format!("{who:?}+{more}"),
        };
        lines.map(word).collect()
    }

    fn tags(&self) -> Vec<&str> {
        let messages = self.state.window.lines().iter().filter_map(Line::message);
        messages.map(|message| message.tag.as_str()).collect()
    }

    /// The last row that is looked at.
    fn stands_at(&self) -> String {
        let (at, _) = self.state.window.end().unwrap();
        self.sees()[at].clone()
    }

    /// The conversations with what is new in each.
    fn list(&self) -> Vec<(String, usize)> {
        let entries = self.state.conversations.entries().iter();
        let name = |entry: &Entry| {
            entry
                .with
                .as_ref()
                .map_or("#".to_owned(), |it| it.shown.clone())
        };
        entries.map(|entry| (name(entry), entry.unread)).collect()
    }

    fn hint(&self) -> String {
        let hint = self.state.hint.as_ref();
        hint.map_or(String::new(), |hint| hint.lines.join("/"))
    }
}

fn say(to: Option<&str>, text: &str) -> Wish {
    Wish::Act(Action::Say {
        to: to.map(str::to_owned),
        text: text.to_owned(),
        reference: None,
    })
}

fn take(name: &str, number: u32) -> Wish {
    Wish::Act(Action::Command(Command::Take(receipt(name, number))))
}

#[test]
fn a_private_message_counts_as_taken_once_it_was_looked_at() {
    let mut alice = Alice::new();
    assert_eq!(alice.state.event(&private("Bob", 1, "oi")), Shown::Later);
    assert_eq!(alice.state.event(&private("Carol", 2, "oi")), Shown::Later);
    assert!(alice.state.poll_bell());
    let list = [("#", 0), ("Carol", 1), ("Bob", 1)].map(|(n, c)| (n.to_owned(), c));
    assert_eq!(alice.list(), list);
    assert_eq!(alice.wishes(), []);
    alice.press_with(Key::Char('a'), false, true);
    let asked = alice.wishes();
    assert!(
        matches!(asked[..], [Wish::Act(Action::Ask(..))]),
        "{asked:?}"
    );
    alice.state.past(past(2..=2, Some("Carol"), Some("Alice")));
    assert_eq!(alice.wishes(), [take("Carol", 2)]);
    // What comes where she looks has been shown.
    assert_eq!(alice.state.event(&private("Carol", 3, "e?")), Shown::Now);
    assert_eq!(alice.list()[1].1, 0);
    assert_eq!(alice.sees(), ["past 2", "e?"]);
}

#[test]
fn what_comes_below_is_new_until_she_goes_there() {
    let mut alice = Alice::with_past(100);
    alice.press(Key::PageUp);
    let stood = alice.stands_at();
    alice.state.event(&global("Bob", 201, "new"));
    alice.say(202, None, "mine");
    alice.press(Key::PageUp);
    alice.state.event(&global("Bob", 203, "new too"));
    assert_eq!(alice.state.window.unseen(), 1);
    assert_eq!(alice.list()[0].1, 1);
    assert_ne!(alice.stands_at(), "new too");
    alice.press(Key::Escape);
    assert_eq!((alice.state.window.unseen(), alice.list()[0].1), (0, 0));
    assert_eq!(alice.stands_at(), "new too");
    // What she says herself takes her there.
    assert!(alice.sees().contains(&"mine".to_owned()) && alice.sees().contains(&stood));
}

#[test]
fn the_past_comes_page_by_page_and_ends() {
    let mut alice = Alice::with_past(500);
    let mut oldest = 301;
    alice.wishes();
    for (first, last) in [(101, 300), (1, 100)] {
        // She goes up until the next page is wanted.
        let asked = loop {
            alice.press(Key::PageUp);
            let asked = alice.wishes().into_iter().find_map(|wish| match wish {
                Wish::Act(Action::Ask(question, _)) => Some(question),
                _ => None,
            });
            if let Some(asked) = asked {
                break asked;
            }
        };
        let edge = Edge::Before(Place::Number(oldest));
        assert!(
            matches!(asked, Question::Page { edge: found, .. } if found == edge),
            "{asked:?}"
        );
        // It is asked for once.
        alice.press(Key::PageUp);
        let is_asked = |wish: &Wish| matches!(wish, Wish::Act(Action::Ask(..)));
        assert!(!alice.wishes().iter().any(is_asked));
        let stands_at = alice.stands_at();
        alice.state.past(past(first..=last, Some("Bob"), None));
        assert_eq!(
            alice.stands_at(),
            stands_at,
            "what comes above moves nothing"
        );
        oldest = first.into();
    }
    alice.press_with(Key::Home, true, false);
    assert_eq!(alice.sees()[0], "past 1");
    assert!(alice.state.window.is_whole());
    assert_eq!(alice.sees().len(), 500);
}

#[test]
fn what_is_held_is_bounded_and_the_rest_comes_again() {
    let mut alice = Alice::new();
    for number in 1..=5_000 {
        alice.state.event(&global("Bob", number, "x"));
    }
    assert_eq!(alice.sees().len(), 2_000);
    alice.wishes();
    alice.press_with(Key::Home, true, false);
    // It came while she watched, so its number is not known.
    let place = Place::Message(id(3_001));
    let wished = alice.wishes();
    let asked = wished.iter().find_map(|wish| match wish {
        Wish::Act(Action::Ask(Question::Page { edge, .. }, _)) => Some(*edge),
        _ => None,
    });
    assert_eq!(asked, Some(Edge::Before(place)));
    alice.state.past(past(2_801..=3_000, Some("Bob"), None));
    assert_eq!(alice.sees().len(), 2_000, "the newest were let go of");
    alice.state.event(&global("Bob", 5_001, "unseen"));
    assert!(!alice.sees().contains(&"unseen".to_owned()));
    assert_eq!(alice.state.window.unseen(), 1);
    // Back at the end, all of it is asked for again.
    alice.press(Key::Escape);
    let latest = |wish: &Wish| matches!(wish, Wish::Act(Action::Ask(Question::Latest { .. }, _)));
    assert!(alice.wishes().iter().any(latest));
}

#[test]
fn a_few_long_messages_are_as_much_as_many_short_ones() {
    let mut alice = Alice::new();
    for number in 1..=200 {
        alice
            .state
            .event(&global("Bob", number, &"x".repeat(65_536)));
    }
    assert_eq!(alice.sees().len(), 64);
}

#[test]
fn a_message_is_there_once_however_often_it_is_told() {
    let mut alice = Alice::new();
    alice.state.look_at_person(Some("Bob"));
    // It came while the page was on its way, and is in it.
    alice.state.event(&private("Bob", 7, "past 7"));
    alice.say(8, Some("Bob"), "mine");
    alice.state.past(past(6..=7, Some("Bob"), Some("Alice")));
    assert_eq!(alice.sees(), ["past 6", "past 7", "mine"]);
    alice.state.event(&private("Bob", 7, "past 7"));
    assert_eq!(alice.sees().len(), 3);
    // The same id from someone else is another message.
    alice.state.look_at(0);
    alice.state.past(Vec::new());
    alice.state.event(&global("Bob", 9, "Bob's"));
    alice.state.event(&global("mallory", 9, "mallory's"));
    assert_eq!(alice.sees(), ["Bob's", "mallory's"]);
}

#[test]
fn a_message_of_ones_own_tells_what_became_of_it() {
    use recado_client::Failure;
    let mut alice = Alice::new();
    alice.say(1, None, "to all");
    assert_eq!(alice.tags(), ["…"]);
    alice.told(1, None, MessageState::Queued);
    assert_eq!(alice.tags(), ["queued"]);
    // It comes back.
    alice.state.event(&global("Alice", 1, "to all"));
    assert_eq!(alice.tags(), ["udp"]);
    alice.told(1, None, MessageState::Stored);
    assert_eq!((alice.tags(), alice.sees().len()), (vec!["udp"], 1));

    alice.say(2, Some("Bob"), "to Bob");
    alice.state.past(Vec::new());
    assert_eq!(alice.sees(), ["to Bob"], "one goes where one writes");
    for (state, tag) in [
        (MessageState::Queued, "queued"),
        (MessageState::Stored, "stored"),
        (MessageState::Delivered, "delivered"),
        // What was delivered stays so.
        (MessageState::Queued, "delivered"),
    ] {
        alice.told(2, Some("Bob"), state);
        assert_eq!(alice.tags(), [tag]);
    }
    alice.say(3, Some("Carol"), "to Carol");
    alice.state.look_at(0);
    alice.told(3, Some("Carol"), MessageState::Failed(Failure::UnknownName));
    assert!(alice.hint().contains("Carol") && alice.hint().contains("nobody has that name"));
}

#[test]
fn what_another_process_sent_is_seen_where_it_belongs() {
    let mut alice = Alice::new();
    alice.state.look_at_person(Some("Bob"));
    alice.state.past(Vec::new());
    let own = |to: &str| Own {
        id: id(5),
        to: Some(to.to_owned()),
        text: Some("from a script".to_owned()),
        is_here: true,
        reference: None,
        state: MessageState::Queued,
        was_stored: true,
    };
    alice.state.state(&own("Carol"));
    assert_eq!(alice.sees(), [""; 0]);
    alice.state.state(&own("bob"));
    assert_eq!(alice.sees(), ["from a script"]);
}

#[test]
fn nobody_else_is_taken_for_oneself() {
    let mut alice = Alice::new();
    let mut posing = global("Alice", 1, "send me the password");
    if let Event::Global { verified, .. } = &mut posing {
        *verified = false;
    }
    alice.state.event(&posing);
    let message = alice.state.window.lines()[0].message().unwrap();
    assert!(!message.is_own);
    assert_eq!(message.tag, "unverified");
}

#[test]
fn who_is_named_hears_of_it() {
    let mut alice = Alice::new();
    let rings = |alice: &mut Alice, text: &str| {
        let number = 1000 + alice.sees().len() as u32;
        alice.state.event(&global("Bob", number, text));
        alice.state.poll_bell()
    };
    assert!(!rings(&mut alice, "Alice!"), "she looks at it");
    alice.state.focus(false);
    for (text, names) in [
        ("alice, come", true),
        ("(@ALICE)", true),
        ("Alices", false),
        ("malice", false),
        ("nobody", false),
    ] {
        assert_eq!(rings(&mut alice, text), names, "{text}");
    }
    alice.state.focus(true);
    alice.state.look_at_person(Some("Bob"));
    assert!(!rings(&mut alice, "nobody"));
    assert!(rings(&mut alice, "Alice?"));
    assert!(alice.state.conversations.entries()[0].is_mentioned);
}

#[test]
fn text_goes_where_one_looks_and_commands_where_they_say() {
    let mut alice = Alice::new();
    assert_eq!(alice.enter("Hello"), [say(None, "Hello")]);
    assert_eq!(alice.enter("/tcp Bob Hi"), [say(Some("Bob"), "Hi")]);
    assert_eq!(alice.enter("//etc/hosts"), [say(None, "/etc/hosts")]);
    alice.enter("/tcp Bob");
    assert!(alice.state.conversations.is_open(Some("bob")));
    assert_eq!(alice.enter("Hi"), [say(Some("Bob"), "Hi")]);
    assert_eq!(alice.enter("/udp all"), [say(None, "all")]);
    assert_eq!(alice.enter("/quit"), [Wish::Act(Action::Quit)]);
    let answered = |wishes: Vec<Wish>| wishes.len();
    assert_eq!(answered(alice.enter("/calc 0.1 + 0.2 --all")), 1);
    assert_eq!(answered(alice.enter("/who")), 1);
    assert_eq!(answered(alice.enter("/file Bob x")), 1);
    assert_eq!(answered(alice.enter("/block Bob")), 1);
    // What is wrong stays, to be changed.
    for (wrong, hint) in [
        ("/nonsense", "no command /nonsense"),
        ("/tcp", "Something is missing"),
        ("/calc 1 ^ 2", "add, subtract"),
        ("/file Bob", "Something is missing"),
    ] {
        assert_eq!(alice.enter(wrong), []);
        assert!(alice.hint().contains(hint), "{wrong}: {}", alice.hint());
        assert_eq!(alice.state.composer.text(), wrong);
        alice.press_with(Key::Char('u'), true, false);
    }
    alice.state.refused("too long");
    assert_eq!(alice.state.composer.text(), "/block Bob");
}

#[test]
fn a_paste_is_not_sent_before_it_is_entered() {
    let mut alice = Alice::new();
    handle(
        &mut alice.state,
        Heard::Paste("/quit\nrm -rf /\n".to_owned()),
    );
    assert_eq!(alice.wishes(), []);
    assert_eq!(alice.state.composer.text(), "/quit\nrm -rf /\n");
    handle(&mut alice.state, Heard::Paste("x".repeat(70_000)));
    assert!(alice.hint().contains("65,536"), "{}", alice.hint());
}

#[test]
fn an_interrupt_throws_the_text_away_first() {
    let mut alice = Alice::new();
    alice.write("half a");
    alice.press_with(Key::Char('c'), true, false);
    assert_eq!((alice.wishes(), alice.state.composer.text()), (vec![], ""));
    assert!(alice.hint().contains("Ctrl-C"));
    alice.press(Key::Up);
    assert_eq!(alice.state.composer.text(), "half a");
    alice.press_with(Key::Char('u'), true, false);
    alice.press_with(Key::Char('c'), true, false);
    assert_eq!(alice.wishes(), [Wish::Act(Action::Interrupt)]);
    alice.press_with(Key::Char('d'), true, false);
    assert_eq!(alice.wishes(), [Wish::Act(Action::Quit)]);
}

#[test]
fn tab_completes_as_far_as_all_agree_and_then_each_in_turn() {
    let mut alice = Alice::new();
    for name in ["Bob", "Bobby", "Carol"] {
        alice.state.event(&private(name, 1, "oi"));
    }
    alice.wishes();
    alice.write("/tcp b");
    alice.press(Key::Tab);
    assert_eq!(alice.state.composer.text(), "/tcp Bob");
    alice.press(Key::Tab);
    assert_eq!(alice.state.composer.text(), "/tcp Bob ");
    alice.press(Key::Tab);
    assert_eq!(alice.state.composer.text(), "/tcp Bobby ");
    alice.press(Key::BackTab);
    assert_eq!(alice.state.composer.text(), "/tcp Bob ");
    alice.write("x");
    assert_eq!(alice.state.completion, None);
    alice.press_with(Key::Char('u'), true, false);
    alice.write("/file Bob /tm");
    alice.press(Key::Tab);
    assert_eq!(alice.wishes(), [Wish::Paths("/tm".to_owned())]);
    alice.state.take_paths("/tm", vec!["/tmp/".to_owned()]);
    assert_eq!(alice.state.composer.text(), "/file Bob /tmp/");
    // An answer that comes too late changes nothing.
    alice.press(Key::Tab);
    alice.write("x");
    alice.state.take_paths("/tmp/", vec!["/tmp/y".to_owned()]);
    assert_eq!(alice.state.composer.text(), "/file Bob /tmp/x");
}

#[test]
fn a_search_leads_to_where_it_was_said() {
    let mut alice = Alice::with_past(500);
    alice.enter("/search past");
    alice
        .state
        .past(past([7, 9].into_iter(), Some("Carol"), Some("Alice")));
    alice.press(Key::Down);
    alice.press(Key::Enter);
    let wished = alice.wishes();
    let expected = Question::Page {
        conversation: recado_client::history::Conversation::With("Carol".to_owned()),
        edge: Edge::Before(Place::Number(8)),
        limit: PAGE,
    };
    let asked = Wish::Act(Action::Ask(expected, None));
    assert!(wished.contains(&asked), "{wished:?}");
    alice.state.past(past(1..=7, Some("Carol"), Some("Alice")));
    assert_eq!(alice.stands_at(), "past 7");
    assert!(alice.state.window.marked.is_some());
    // What follows is there further down.
    let newer = alice.wishes().into_iter().any(|wish| {
        let edge = Edge::After(Place::Number(7));
        matches!(wish, Wish::Act(Action::Ask(Question::Page { edge: found, .. }, _)) if found == edge)
    });
    assert!(newer);
    alice.state.past(past(8..=9, Some("Carol"), Some("Alice")));
    assert_eq!(alice.sees().len(), 9);
    alice.press(Key::PageDown);
    assert!(alice.state.window.is_at_end());
}

#[test]
fn an_answer_for_another_conversation_is_passed_over() {
    let mut alice = Alice::new();
    alice.state.look_at_person(Some("Bob"));
    alice.state.look_at_person(Some("Carol"));
    alice.state.past(past(1..=3, Some("Bob"), Some("Alice")));
    assert_eq!(alice.sees(), [""; 0]);
    alice.state.past(past(4..=4, Some("Carol"), Some("Alice")));
    assert_eq!(alice.sees(), ["past 4"]);
}

#[test]
fn those_who_come_and_go_in_a_row_stand_in_one_line() {
    let mut alice = Alice::new();
    for (name, online) in [("Bob", false), ("Bob", true), ("Carol", true)] {
        let person = person(name);
        alice.state.event(&Event::Presence { person, online });
    }
    assert_eq!(alice.sees(), [r#"[("Bob", true), ("Carol", true)]+0"#]);
    for at in 0..300 {
        let person = person(&format!("p{at}"));
        alice.state.event(&Event::Presence {
            person,
            online: true,
        });
    }
    assert_eq!(alice.sees().len(), 1);
    assert_eq!(alice.state.people.len(), 303);
}

#[test]
fn a_changed_key_is_told_loudly_in_its_conversation() {
    let mut alice = Alice::new();
    let (old, new) = (person("Bob").key, person("mallory").key);
    let name = "Bob".to_owned();
    alice.state.event(&Event::KeyChanged { name, old, new });
    assert!(alice.state.poll_bell());
    assert_eq!(alice.list()[1], ("Bob".to_owned(), 1));
    alice.state.look_at(1);
    alice.state.past(Vec::new());
    assert!(
        alice.sees()[0].contains("THE KEY OF Bob HAS CHANGED"),
        "{:?}",
        alice.sees()
    );
    assert!(alice.sees()[0].contains(&new.to_string()));
}

#[test]
fn a_code_is_told_where_one_writes_to_them_and_what_was_compared_is_marked() {
    let mut alice = Alice::new();
    let verify = |comparison| Wish::Act(Action::Verify("bob".to_owned(), comparison));
    assert_eq!(alice.enter("/verify bob"), [verify(None)]);
    let code = ["01234"; 8].join(" ");
    let compared = |here, there| {
        Ok(Verification {
            name: "Bob".to_owned(),
            key: person("Bob").key,
            code: code.clone(),
            here,
            there,
        })
    };
    alice
        .state
        .verification("bob", &compared(false, false), true);
    // What was said with him comes later, and the code stays.
    alice.state.past(past(1..=2, Some("Bob"), None));
    assert_eq!(alice.list(), [("#".to_owned(), 0), ("Bob".to_owned(), 0)]);
    assert!(alice.sees()[2].contains(&code), "{:?}", alice.sees());
    alice.wishes();

    let same = verify(Some(Comparison::Same));
    assert_eq!(alice.enter("/verificar bob sim"), [same]);
    assert_eq!(alice.enter("/verify bob perhaps"), []);
    assert!(alice.hint().contains("/verify bob"), "{}", alice.hint());
    alice.press_with(Key::Char('c'), true, false);
    alice.state.look_at(0);
    alice
        .state
        .verification("Bob", &compared(true, true), false);
    alice.state.verified(&["Bob".to_owned()]);
    assert!(alice.state.is_verified("bob") && !alice.state.is_verified("carol"));
    assert_eq!(
        alice.list()[1],
        ("Bob".to_owned(), 1),
        "told, not looked at"
    );

    let differs = Err(VerifyError::Differs(Box::new(
        compared(false, false).unwrap(),
    )));
    alice.state.verification("bob", &differs, true);
    assert!(
        alice.sees()[0].contains("NOT THE SAME"),
        "{:?}",
        alice.sees()
    );
    alice
        .state
        .verification("Eve", &Err(VerifyError::UnknownName), true);
    assert_eq!(alice.hint(), "Nobody is called Eve.");
    assert_eq!(alice.list().len(), 2);
}

#[test]
fn what_could_not_be_read_is_told_in_its_conversation() {
    let mut alice = Alice::new();
    let name = || "Bob".to_owned();
    let from = person("Bob");
    let id = id(1);
    for (event, word) in [
        (
            Event::Unreadable { from, id },
            "could not be read; it was asked for again",
        ),
        (
            Event::Resealed {
                name: name(),
                count: 1,
            },
            "1 message could not be read there",
        ),
        (
            Event::PackageRefused {
                name: name(),
                fault: PackageFault::OtherKey,
            },
            "somebody else's",
        ),
    ] {
        alice.state.event(&event);
        alice.state.look_at(1);
        alice.state.past(Vec::new());
        let seen = alice.sees();
        assert!(seen.last().unwrap().contains(word), "{seen:?}");
        alice.state.look_at(0);
        alice.state.past(Vec::new());
    }
}

#[test]
fn the_link_is_asked_about_while_someone_looks_and_not_else() {
    let mut alice = Alice::new();
    let begin = Instant::now();
    let link = Wish::Act(Action::Command(Command::Link));
    alice.state.is_used(begin);
    alice.state.is_used(begin + Duration::from_secs(1));
    assert_eq!(alice.wishes(), [link]);
    let report = |probes, answers| {
        Event::LinkReport(LinkReport {
            state: LinkState {
                up: true,
                down: false,
                rtt: None,
            },
            probes,
            answers,
            by_datagram: 0,
            by_frame: 0,
            repaired: 0,
            late: 0,
            rejected: 0,
        })
    };
    alice.state.event(&report(3, 1));
    assert_eq!((alice.state.loss, alice.sees().len()), (None, 0));
    alice.enter("/link");
    alice.state.event(&report(100, 90));
    assert_eq!((alice.state.loss, alice.sees().len()), (Some(10), 1));
    alice.state.is_used(begin + Duration::from_secs(60));
    assert_eq!(alice.wishes().len(), 1);
    assert_eq!(CommandError::Away.to_string(), "there is no connection now");
    alice.state.link_unknown();
    assert_eq!(alice.hint(), "");
}

#[test]
fn conversations_are_bounded_and_those_with_news_stay() {
    let mut alice = Alice::new();
    for at in 0..2_000u32 {
        alice.state.event(&private(&format!("p{at}"), at, "x"));
    }
    assert!(
        alice.list().len() <= MAX_LISTED + 1,
        "{}",
        alice.list().len()
    );
    // More than are kept as new are told as taken.
    let taken = |wish: &Wish| matches!(wish, Wish::Act(Action::Command(Command::Take(_))));
    let wished = alice.wishes();
    assert!(wished.iter().all(taken));
    assert_eq!(
        wished.len() + alice.state.conversations.untaken_for_test(),
        2_000
    );
}
