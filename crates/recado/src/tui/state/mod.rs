//! What a full screen shows, and what becomes of it when something happens. Pure: time is handed in, and what is to be
//! done elsewhere is asked for by wishes.

mod clock;
mod completion;
mod composer;
mod conversations;
mod message;
mod search;
mod transfers;
mod window;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use ratatui::layout::Size;
use recado_client::history::{Correspondent, Item, Outgoing, Question};
use recado_client::{Command, Event, LinkState, Receipt, State as MessageState};
use recado_proto::frame::Person as ProtoPerson;
use recado_proto::name::NameKeys;
use recado_proto::text::sanitise_line;

use super::layout::{Areas, Wanted as Room, composer_columns, composer_limit};
use crate::chat::calculating::{Asked, Calculated};
use crate::chat::command::{Typed, parse};
use crate::chat::talk::{Action, Own, Shown};
use crate::chat::words::{Told, Words};
use crate::wrap;

pub(super) use clock::{Clock, Day, Moment};
pub(super) use completion::{Completion, paths};
pub(super) use composer::Composer;
pub(super) use conversations::{Conversations, Entry, Person};
pub(super) use message::{Carried, Content, Fate, Line, Message};
pub(super) use search::{Found, Search};
pub(super) use transfers::{Stage, Transfer, Transfers};
pub(super) use window::Window;

use conversations::MAX_LISTED;
use message::Key;
use search::MAX_FOUND;
use window::{PAGE, Page};

/// How old what is known of the link may be while someone looks; nobody asks where nobody does.
const LINK_AGE: Duration = Duration::from_secs(10);

/// Probes of the link before their losses say something.
const PROBES: u64 = 20;

/// Rows of files that are shown at most.
const MAX_TRANSFER_ROWS: usize = 4;

/// Rows of a hint that are shown at most.
const MAX_HINT_ROWS: usize = 6;

/// Notices that wait for a conversation to be looked at.
const MAX_WAITING_NOTICES: usize = 20;

/// The name under which a person is one.
pub(super) fn fold(name: &str) -> String {
    NameKeys::of(name).folded
}

/// Everything that is on the screen.
pub(super) struct State {
    pub(super) words: Words,
    clock: Clock,
    pub(super) size: Size,
    /// One's own name, as registered.
    own_name: String,
    /// The same, fit for a terminal.
    pub(super) me: String,
    pub(super) server: String,
    pub(super) road: Road,
    pub(super) link: Option<LinkState>,
    /// Probes of the link without an answer, in hundredths.
    pub(super) loss: Option<u64>,
    pub(super) conversations: Conversations,
    pub(super) window: Window,
    /// Whose keys were verified by voice, case-mapped.
    verified: BTreeSet<String>,
    /// Everyone who is here, case-mapped.
    pub(super) people: BTreeMap<String, Here>,
    pub(super) composer: Composer,
    pub(super) completion: Option<Completion>,
    pub(super) overlay: Overlay,
    pub(super) hint: Option<Hint>,
    pub(super) transfers: Transfers,
    /// What was entered and may not be in the database yet, with its conversation.
    entering: Vec<(Option<String>, Line)>,
    /// What is told in conversations that are not looked at.
    notices: BTreeMap<Option<String>, VecDeque<Line>>,
    /// What the answers of the database are for, in order.
    asked: VecDeque<Purpose>,
    /// Whether each report on the link that will come was asked for by the person.
    link_asked: VecDeque<bool>,
    link_at: Option<Instant>,
    /// Rosters that the person asked for.
    asked_who: usize,
    /// Where the path that is being looked up stands.
    path_from: Option<usize>,
    /// Which window the pages that were asked for belong to.
    generation: u64,
    /// New messages of the conversation that is being opened, and what is to be taken with them.
    opening: (usize, Vec<Receipt>),
    wishes: VecDeque<Wish>,
    rings: bool,
    has_focus: bool,
}

/// The way to the server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Road {
    /// The session is being opened.
    Opening,
    Open,
    /// There is none: why.
    Away(String),
    /// The end was asked for, and waits for so many messages.
    Ending(usize),
}

/// Someone who is here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Here {
    /// As registered.
    pub(super) name: String,
    /// Fit for a terminal.
    pub(super) shown: String,
}

/// What lies over the conversation.
#[derive(Debug)]
pub(super) enum Overlay {
    None,
    /// The help, from this row on.
    Help(usize),
    Search(Search),
}

/// Something that recado has to say, until the next key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Hint {
    /// Fit for a terminal.
    pub(super) lines: Vec<String>,
    pub(super) is_grave: bool,
}

/// What is to be done elsewhere.
#[derive(PartialEq, Debug)]
pub(super) enum Wish {
    Act(Action),
    /// The paths that begin like this; [`State::take_paths`] takes them.
    Paths(String),
    /// The process is to be stopped, as its shell expects.
    Stop,
    /// All is to be drawn anew.
    Redraw,
}

/// What the database is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Purpose {
    Page { page: Page, generation: u64 },
    Search,
}

impl State {
    pub(super) fn new(
        words: Words,
        clock: Clock,
        size: Size,
        server: &str,
        own_name: &str,
    ) -> Self {
        Self {
            words,
            clock,
            size,
            own_name: own_name.to_owned(),
            me: sanitise_line(own_name).into_owned(),
            server: sanitise_line(server).into_owned(),
            road: Road::Opening,
            link: None,
            loss: None,
            conversations: Conversations::new(),
            window: Window::new(words),
            verified: BTreeSet::new(),
            people: BTreeMap::new(),
            composer: Composer::default(),
            completion: None,
            overlay: Overlay::None,
            hint: None,
            transfers: Transfers::default(),
            entering: Vec::new(),
            notices: BTreeMap::new(),
            asked: VecDeque::new(),
            link_asked: VecDeque::new(),
            link_at: None,
            asked_who: 0,
            path_from: None,
            generation: 0,
            opening: (0, Vec::new()),
            wishes: VecDeque::new(),
            rings: false,
            has_focus: true,
        }
    }

    /// What is to be done elsewhere next.
    pub(super) fn poll_wish(&mut self) -> Option<Wish> {
        self.wishes.pop_front()
    }

    /// Whether the bell is to ring.
    pub(super) fn poll_bell(&mut self) -> bool {
        std::mem::take(&mut self.rings)
    }

    fn act(&mut self, action: Action) {
        self.wishes.push_back(Wish::Act(action));
    }

    pub(super) fn wish(&mut self, wish: Wish) {
        self.wishes.push_back(wish);
    }

    // Where everything is.

    pub(super) fn areas(&self) -> Areas {
        let columns = composer_columns(self.size);
        let rows = self.composer.rows(columns).len();
        let rows = u16::try_from(rows).unwrap_or(u16::MAX);
        let count = |rows: usize, most: usize| u16::try_from(rows.min(most)).unwrap_or(u16::MAX);
        let completion = usize::from(self.completion.is_some());
        Areas::of(
            self.size,
            Room {
                composer: rows.min(composer_limit(self.size)),
                transfers: count(self.transfers.len(), MAX_TRANSFER_ROWS),
                hint: count(self.hint_rows().len() + completion, MAX_HINT_ROWS),
            },
        )
    }

    /// The rows of the hint.
    pub(super) fn hint_rows(&self) -> Vec<&str> {
        let columns = usize::from(self.size.width.saturating_sub(2));
        let lines = self.hint.iter().flat_map(|hint| &hint.lines);
        lines
            .flat_map(|line| {
                let rows = wrap::rows(line, columns).into_iter();
                rows.filter_map(|row| line.get(row))
            })
            .collect()
    }

    pub(super) fn resize(&mut self, size: Size) {
        self.size = size;
        self.settle();
    }

    pub(super) fn focus(&mut self, has_focus: bool) {
        self.has_focus = has_focus;
    }

    /// Asks for what is wanted after something changed.
    fn settle(&mut self) {
        let areas = self.areas();
        let wanted = self
            .window
            .wants(areas.columns(), usize::from(areas.messages.height));
        if let Some((page, edge)) = wanted {
            let conversation = self.conversations.open().conversation();
            let question = Question::Page {
                conversation,
                edge,
                limit: PAGE,
            };
            self.ask_page(page, question);
        }
        if self.window.is_at_end() {
            let (_, receipts) = self.conversations.read_open();
            self.take_all(receipts);
        }
    }

    fn ask_page(&mut self, page: Page, question: Question) {
        let generation = self.generation;
        self.asked.push_back(Purpose::Page { page, generation });
        self.act(Action::Ask(question, None));
    }

    fn take_all(&mut self, receipts: Vec<Receipt>) {
        for receipt in receipts {
            self.act(Action::Command(Command::Take(receipt)));
        }
    }

    // What happens.

    /// The session is open: what was said before is asked for.
    pub(super) fn ready(&mut self, name: &str, server: &str) {
        name.clone_into(&mut self.own_name);
        self.me = sanitise_line(name).into_owned();
        self.server = sanitise_line(server).into_owned();
        self.road = Road::Open;
        self.act(Action::Correspondents(MAX_LISTED));
        self.look_at(0);
    }

    pub(super) fn back(&mut self) {
        if let Road::Away(_) = self.road {
            self.road = Road::Open;
        }
        let text = self.words.text("chat-back", &[]);
        self.notice(None, &text, false);
    }

    pub(super) fn away(&mut self, cause: String) {
        let text = self.words.text("chat-away", &[("cause", &cause)]);
        self.notice(None, &text, true);
        self.people.clear();
        if !matches!(self.road, Road::Ending(_)) {
            self.road = Road::Away(cause);
        }
    }

    pub(super) fn quitting(&mut self, count: usize) {
        self.road = Road::Ending(count);
    }

    /// Tells something in the conversation with this person, or in the one that is looked at.
    fn notice(&mut self, with: Option<&str>, text: &str, is_grave: bool) {
        let now = self.clock.now();
        let lines = text.lines().map(|line| sanitise_line(line).into_owned());
        let content = Content::Notice {
            lines: lines.collect(),
            is_grave,
        };
        let line = Line::new(self.clock.at(now), content);
        let folded = with.map(fold);
        if with.is_none() || self.conversations.is_open(folded.as_deref()) {
            self.window.push(line);
            return;
        }
        let waiting = self.notices.entry(folded).or_default();
        waiting.push_back(line);
        if waiting.len() > MAX_WAITING_NOTICES {
            waiting.pop_front();
        }
        let at = self.conversations.place(with);
        self.conversations.is_new(at, None, is_grave);
    }

    /// An event. Whether a private message has been shown: if not, it is wished for when it has.
    pub(super) fn event(&mut self, event: &Event) -> Shown {
        match event {
            Event::Private {
                receipt,
                from,
                id,
                sent_at_ms,
                text,
                replayed: _,
            } => {
                let key = Key {
                    id: *id,
                    from: Some(fold(&from.name)),
                };
                let message = Message {
                    is_global: false,
                    // All of it is meant for whoever reads it.
                    is_mention: false,
                    ..self.came(key, &from.name, text)
                };
                let line = Line::new(self.clock.at(*sent_at_ms), Content::Message(message));
                return self.take_private(&from.name, line, *receipt);
            }
            Event::Global { .. } => self.take_global(event),
            Event::Ready { link, .. } | Event::Link(link) => {
                self.link = Some(*link);
                if let Event::Link(_) = event
                    && let Some(told) = self.words.event(event)
                {
                    self.notice(None, &told.text, false);
                }
            }
            Event::LinkReport(report) => {
                self.link = Some(report.state);
                let lost = report.probes.saturating_sub(report.answers);
                // One that is still on its way is not lost; among many it does not count.
                let is_telling = report.probes >= PROBES;
                self.loss = is_telling.then(|| lost.saturating_mul(100) / report.probes);
                if self.link_asked.pop_front() == Some(true) {
                    self.tell(event);
                }
            }
            Event::Presence { person, online } => self.presence(person, *online),
            Event::Roster(people) => {
                let here = people.iter().map(|person| {
                    let here = Here {
                        name: person.name.clone(),
                        shown: sanitise_line(&person.name).into_owned(),
                    };
                    (fold(&person.name), here)
                });
                self.people = here.collect();
                if self.asked_who > 0 {
                    self.asked_who -= 1;
                    self.tell(event);
                }
            }
            Event::KeyChanged { name, .. } => {
                if let Some(told) = self.words.event(event) {
                    self.notice(Some(name), &told.text, true);
                    self.rings = true;
                }
            }
            Event::Missing { from, .. } | Event::Unreadable { from, .. } => {
                if let Some(told) = self.words.event(event) {
                    self.notice(Some(&from.name), &told.text, true);
                }
            }
            Event::Waiting { name, .. } => {
                if let Some(told) = self.words.event(event) {
                    self.notice(Some(name), &told.text, false);
                }
            }
            Event::Hole { .. } | Event::LogLost | Event::Blocked(_) => self.tell(event),
            Event::State { .. } | Event::Measured(_) | Event::Closed { .. } => {}
        }
        self.settle();
        Shown::Now
    }

    fn tell(&mut self, event: &Event) {
        if let Some(Told { text, .. }) = self.words.event(event) {
            self.notice(None, &text, false);
        }
    }

    /// A message that came from this person.
    fn came(&self, key: Key, name: &str, text: &str) -> Message {
        let lines = Message::said(text);
        let is_mention = self.is_mentioned(&lines);
        Message {
            key,
            number: None,
            from: sanitise_line(name).into_owned(),
            is_own: false,
            is_global: true,
            lines,
            fate: Fate::Came,
            carried: None,
            verified: true,
            is_mention,
            tag: String::new(),
            bytes: text.len(),
        }
    }

    /// Whether a text has one's own name as a word.
    fn is_mentioned(&self, lines: &[String]) -> bool {
        let own = self.own_name.to_lowercase();
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        lines.iter().any(|line| {
            let line = line.to_lowercase();
            line.match_indices(&own).any(|(at, _)| {
                let before = line.get(..at).and_then(|rest| rest.chars().next_back());
                let after = line
                    .get(at + own.len()..)
                    .and_then(|rest| rest.chars().next());
                !before.is_some_and(is_part) && !after.is_some_and(is_part)
            })
        }) && !own.is_empty()
    }

    fn take_private(&mut self, name: &str, line: Line, receipt: Receipt) -> Shown {
        let folded = fold(name);
        if !self.conversations.is_open(Some(&folded)) {
            self.rings = true;
            return self.is_new(Some(name), Some(receipt), false);
        }
        self.rings |= !self.has_focus;
        let is_seen = self.window.is_at_end();
        self.window.push(line);
        let shown = match is_seen {
            true => Shown::Now,
            false => self.is_new(Some(name), Some(receipt), false),
        };
        self.settle();
        shown
    }

    /// Counts a message that is not looked at.
    fn is_new(&mut self, name: Option<&str>, receipt: Option<Receipt>, is_mention: bool) -> Shown {
        let at = self.conversations.place(name);
        let mut taken: Vec<_> = self
            .conversations
            .is_new(at, receipt, is_mention)
            .into_iter()
            .collect();
        taken.extend(std::iter::from_fn(|| self.conversations.poll_dropped()));
        self.take_all(taken);
        Shown::Later
    }

    fn take_global(&mut self, event: &Event) {
        let Event::Global {
            from,
            id,
            sent_at_ms,
            text,
            via,
            replayed,
            late,
            repaired,
            verified,
            sequence: _,
        } = event
        else {
            return;
        };
        let is_own = *verified && fold(&from.name) == fold(&self.own_name);
        let key = Key {
            id: *id,
            from: (!is_own).then(|| fold(&from.name)),
        };
        let came = self.came(key, &from.name, text);
        let mut message = Message {
            is_own,
            is_mention: came.is_mention && !is_own,
            fate: if is_own { Fate::Stored } else { Fate::Came },
            carried: Some(Carried {
                via: *via,
                late: *late,
                repaired: *repaired,
                before: *replayed,
            }),
            verified: *verified,
            ..came
        };
        message.retag(self.words);
        let is_mention = message.is_mention;
        let is_news = !is_own && !*replayed;
        if !self.conversations.is_open(None) {
            if is_news {
                self.rings |= is_mention;
                self.is_new(None, None, is_mention);
            }
            return;
        }
        let line = Line::new(self.clock.at(*sent_at_ms), Content::Message(message));
        let is_seen = self.window.is_at_end();
        let is_fresh = self.window.push(line);
        if is_news && is_fresh {
            self.rings |= is_mention && !self.has_focus;
            if !is_seen {
                self.conversations.is_new(0, None, is_mention);
            }
        }
    }

    fn presence(&mut self, person: &ProtoPerson, is_here: bool) {
        let folded = fold(&person.name);
        let shown = sanitise_line(&person.name).into_owned();
        if is_here {
            let here = Here {
                name: person.name.clone(),
                shown: shown.clone(),
            };
            self.people.insert(folded.clone(), here);
        } else {
            self.people.remove(&folded);
        }
        // Told where it concerns someone: to everyone, and in the conversation with that person.
        if self.conversations.is_open(None) || self.conversations.is_open(Some(&folded)) {
            let content = Content::Presence {
                who: vec![(shown.clone(), is_here)],
                more: 0,
            };
            let line = Line::new(self.clock.at(self.clock.now()), content);
            self.window.push_presence(line, &shown, is_here);
        }
    }

    // One's own messages.

    /// A message was entered.
    pub(super) fn entered(&mut self, message: &Outgoing) {
        let line = self.own_line(message, Fate::Entered);
        let folded = message.to.as_deref().map(fold);
        let at = self.conversations.place(message.to.as_deref());
        self.entering.push((folded, line.clone()));
        if at == self.conversations.open_at() {
            self.window.push(line);
            self.to_newest();
        } else {
            self.look_at(at);
        }
    }

    fn own_line(&self, message: &Outgoing, fate: Fate) -> Line {
        let lines = Message::said(&message.text);
        let mut own = Message {
            key: Key {
                id: message.id,
                from: None,
            },
            number: None,
            from: self.me.clone(),
            is_own: true,
            is_global: message.to.is_none(),
            bytes: message.text.len(),
            lines,
            fate,
            carried: None,
            verified: true,
            is_mention: false,
            tag: String::new(),
        };
        own.retag(self.words);
        let content = Content::Message(own);
        Line::new(self.clock.at(message.sent_at_ms), content)
    }

    /// What became of a message of one's own.
    pub(super) fn state(&mut self, own: &Own) {
        let key = Key {
            id: own.id,
            from: None,
        };
        self.entering.retain(|(_, line)| {
            let message = line.message();
            message.is_none_or(|message| message.key != key)
        });
        let words = self.words;
        let fate = Fate::of(own.state, words);
        let folded = own.to.as_deref().map(fold);
        if let Some(message) = self.window.find_mut(&key) {
            // A global message that came back has been stored, whatever is told later.
            if message.fate.is_open(message.is_global) {
                message.fate = fate.clone();
                message.retag(words);
            }
        } else if let (Some(text), true) =
            (&own.text, self.conversations.is_open(folded.as_deref()))
        {
            // Another process entered it.
            let message = Outgoing {
                id: own.id,
                to: own.to.clone(),
                sent_at_ms: self.clock.now(),
                text: text.clone(),
                reference: None,
            };
            let line = self.own_line(&message, fate.clone());
            self.window.push(line);
        }
        // Where one looks it stands behind the message.
        let is_open = self.conversations.is_open(folded.as_deref());
        if let (MessageState::Failed(_), Fate::Failed(why), false) = (own.state, &fate, is_open) {
            let told = match &own.to {
                Some(to) => {
                    let to = sanitise_line(to);
                    self.words.text("chat-failed", &[("to", &to), ("why", why)])
                }
                None => self.words.text("chat-failed-global", &[("why", why)]),
            };
            self.hint(&told, true);
        }
    }

    /// The disk is full; these are not written down.
    pub(super) fn disk_full(&mut self, path: &str, lost: &[Outgoing]) {
        let mut text = self.words.text("chat-disk-full", &[("path", path)]);
        if !lost.is_empty() {
            text.push('\n');
            text.push_str(
                &self
                    .words
                    .counted("chat-disk-full-lost", lost.len() as u64, &[]),
            );
        }
        self.hint(&text, true);
        for lost in lost {
            let key = Key {
                id: lost.id,
                from: None,
            };
            self.entering
                .retain(|(_, line)| line.message().is_none_or(|message| message.key != key));
            let why = self.words.text("tui-not-written-down", &[]);
            let words = self.words;
            if let Some(message) = self.window.find_mut(&key) {
                message.fate = Fate::Failed(why);
                message.retag(words);
            }
        }
    }

    /// The answer to a calculation.
    pub(super) fn calculated(&mut self, calculated: &Calculated) {
        match self.words.calculated(calculated) {
            Ok(result) => self.notice(None, &result, false),
            Err(why) => self.hint(&why, true),
        }
    }

    /// Says something until the next key.
    pub(super) fn hint(&mut self, text: &str, is_grave: bool) {
        let lines = text.lines().map(|line| sanitise_line(line).into_owned());
        self.hint = Some(Hint {
            lines: lines.collect(),
            is_grave,
        });
    }

    fn hint_of(&mut self, id: &str, arguments: &[(&str, &str)]) {
        let text = self.words.text(id, arguments);
        self.hint(&text, false);
    }

    // What the database says.

    pub(super) fn correspondents(&mut self, found: Vec<Correspondent>) {
        self.conversations.take_correspondents(found);
    }

    pub(super) fn past(&mut self, items: Vec<Item>) {
        match self.asked.pop_front() {
            Some(Purpose::Page { page, generation }) if generation == self.generation => {
                self.take_page(page, items);
            }
            Some(Purpose::Search) => {
                if let Overlay::Search(search) = &mut self.overlay {
                    search.take(items, &self.own_name, &self.clock);
                }
            }
            Some(Purpose::Page { .. }) | None => {}
        }
        self.settle();
    }

    fn take_page(&mut self, page: Page, items: Vec<Item>) {
        let mut lines = Vec::with_capacity(items.len());
        for item in items {
            match item {
                Item::Message(past) => {
                    let at = self.clock.at(past.sent_at_ms);
                    let mut message = Message::of_past(past, &self.own_name, self.words);
                    message.is_mention =
                        message.is_global && !message.is_own && self.is_mentioned(&message.lines);
                    lines.push(Line::new(at, Content::Message(message)));
                }
                Item::Hole { first, last } => {
                    let at = lines.last().map_or(self.clock.at(0), |line: &Line| line.at);
                    let content = Content::Notice {
                        lines: vec![self.words.hole(first, last)],
                        is_grave: false,
                    };
                    lines.push(Line::new(at, content));
                }
            }
        }
        let open = self.conversations.open();
        let folded = open.with.as_ref().map(|person| person.folded.clone());
        let of_open = self.entering.iter().filter(|(with, _)| *with == folded);
        let mut pending: Vec<_> = of_open.map(|(_, line)| line.clone()).collect();
        if matches!(page, Page::Newest | Page::Newer) {
            pending.extend(self.notices.remove(&folded).into_iter().flatten());
        }
        self.window.take_page(page, lines, pending);
        if page == Page::Newest {
            let (count, receipts) = std::mem::take(&mut self.opening);
            self.window.mark_new(count);
            // They are on the screen now, or above it.
            self.take_all(receipts);
        }
    }

    // Where one looks.

    /// Looks at another conversation.
    pub(super) fn look_at(&mut self, at: usize) {
        // Of one that was left before its messages were there: it was looked at, and they are in the history.
        let (_, receipts) = std::mem::take(&mut self.opening);
        self.take_all(receipts);
        self.opening = self.conversations.look_at(at);
        self.begin_window();
        let conversation = self.conversations.open().conversation();
        let question = Question::Latest {
            conversation,
            limit: PAGE,
        };
        self.ask_page(Page::Newest, question);
        self.hint = None;
        self.overlay = Overlay::None;
    }

    fn begin_window(&mut self) {
        self.generation += 1;
        self.window = Window::new(self.words);
    }

    pub(super) fn look_at_person(&mut self, name: Option<&str>) {
        let at = self.conversations.place(name);
        self.look_at(at);
    }

    /// The next conversation down, or up, round the list.
    pub(super) fn look_further(&mut self, step: isize) {
        let count = self.conversations.entries().len();
        let at = self.conversations.open_at();
        let count_signed = isize::try_from(count).unwrap_or(isize::MAX);
        let next = isize::try_from(at).unwrap_or(0).saturating_add(step);
        let next = next.rem_euclid(count_signed.max(1));
        self.look_at(usize::try_from(next).unwrap_or(0));
    }

    /// The next conversation with something new; where there is none, the newest message.
    pub(super) fn look_at_unread(&mut self) {
        match self.conversations.next_unread() {
            Some(at) => self.look_at(at),
            None => self.to_newest(),
        }
    }

    pub(super) fn scroll(&mut self, screens: Scroll) {
        let areas = self.areas();
        let (columns, height) = (areas.columns(), usize::from(areas.messages.height));
        let page = height.saturating_sub(2).max(1);
        match screens {
            Scroll::PageUp => self.window.scroll_up(page, columns, height),
            Scroll::PageDown => self.window.scroll_down(page, columns),
            Scroll::Up => self.window.scroll_up(1, columns, height),
            Scroll::Down => self.window.scroll_down(1, columns),
            Scroll::Top => self.window.to_top(columns, height),
        }
        self.settle();
    }

    /// Looks at the newest message.
    pub(super) fn to_newest(&mut self) {
        if self.window.follow() {
            self.settle();
        } else {
            self.look_at(self.conversations.open_at());
        }
    }

    // What is entered.

    /// What was written is sent, or done.
    pub(super) fn enter(&mut self) {
        let text = self.composer.text().to_owned();
        let typed = parse(self.words.0, &text);
        if let Road::Ending(_) = self.road {
            return;
        }
        match typed {
            Typed::Empty => {
                self.to_newest();
                return;
            }
            Typed::Bare(text) => {
                let to = self.conversations.open().with.as_ref();
                let to = to.map(|person| person.name.clone());
                self.say(to, text);
            }
            Typed::Global(text) => self.say(None, text),
            Typed::Private { to, text } => self.say(Some(to), text),
            Typed::Towards { to, .. } => self.look_at_person(to.as_deref()),
            Typed::History(name) => match name {
                Some(name) if is_everyone(&name) => self.look_at_person(None),
                Some(name) => self.look_at_person(Some(&name)),
                None => self.hint_of("tui-hint-history", &[]),
            },
            Typed::Who => {
                self.asked_who += 1;
                self.act(Action::Command(Command::Who));
            }
            Typed::Link => {
                self.link_asked.push_back(true);
                self.act(Action::Command(Command::Link));
            }
            Typed::Search(words) => self.search(&words),
            Typed::Block(name) => self.act(Action::ToggleBlock(name)),
            Typed::Trust(name) => self.act(Action::Command(Command::Trust { name })),
            Typed::Calc(asked) => self.calculate(asked),
            Typed::CannotCalc(why) => {
                self.hint(&why, true);
                return;
            }
            Typed::Help => self.overlay = Overlay::Help(0),
            Typed::Quit => self.act(Action::Quit),
            Typed::Incomplete(command) => {
                let command = sanitise_line(&command).into_owned();
                self.hint_of("chat-hint-incomplete", &[("command", &command)]);
                return;
            }
            Typed::NotYet(command) => {
                let command = sanitise_line(&command).into_owned();
                self.hint_of("chat-hint-not-yet", &[("command", &command)]);
                return;
            }
            Typed::Unknown(command) => {
                let command = sanitise_line(&command).into_owned();
                self.hint_of("chat-hint-unknown", &[("command", &command)]);
                return;
            }
        }
        self.composer.take();
        self.completion = None;
    }

    fn say(&mut self, to: Option<String>, text: String) {
        self.window.forget_new();
        self.act(Action::Say {
            to,
            text,
            reference: None,
        });
    }

    fn calculate(&mut self, asked: Asked) {
        self.act(Action::Calculate(asked));
    }

    /// Looks for words.
    pub(super) fn search(&mut self, words: &str) {
        self.overlay = Overlay::Search(Search::new(words));
        self.asked.push_back(Purpose::Search);
        let question = Question::Words {
            words: words.to_owned(),
            limit: MAX_FOUND,
        };
        self.act(Action::Ask(question, None));
    }

    pub(super) fn choose(&mut self, step: isize) {
        if let Overlay::Search(search) = &mut self.overlay {
            search.go(step);
        }
    }

    /// Looks at the message that was found, where it was said.
    pub(super) fn go_to_found(&mut self) {
        let Overlay::Search(search) = &self.overlay else {
            return;
        };
        let Some(found) = search.chosen() else {
            self.overlay = Overlay::None;
            return;
        };
        let (key, number, with) = (found.key.clone(), found.number, found.with.clone());
        let at = self.conversations.place(with.as_deref());
        let (_, receipts) = self.conversations.look_at(at);
        self.take_all(receipts);
        self.begin_window();
        self.window.marked = Some(key);
        let place = recado_client::history::Place::Number(number.saturating_add(1));
        let question = Question::Page {
            conversation: self.conversations.open().conversation(),
            edge: recado_client::history::Edge::Before(place),
            limit: PAGE,
        };
        self.ask_page(Page::UpTo, question);
        self.overlay = Overlay::None;
    }

    /// A text could not be sent: it is there to be changed.
    pub(super) fn refused(&mut self, why: &str) {
        self.hint(why, true);
        if self.composer.is_empty() {
            self.composer.older();
        }
    }

    /// Completes what is being written; again and again, with the next that fits.
    pub(super) fn complete(&mut self, step: isize) {
        if let Some(mut completion) = self.completion.take() {
            let count = isize::try_from(completion.offered.len()).unwrap_or(isize::MAX);
            let at = match completion.chosen {
                Some(at) => isize::try_from(at).unwrap_or(0).saturating_add(step),
                None if step < 0 => -1,
                None => 0,
            };
            let at = usize::try_from(at.rem_euclid(count.max(1))).unwrap_or(0);
            if let Some(offered) = completion.offered.get(at) {
                self.composer.replace(completion.from, offered);
            }
            completion.chosen = Some(at);
            self.completion = Some(completion);
            return;
        }
        let cursor = self.composer.cursor();
        let before = self.composer.text().get(..cursor).unwrap_or_default();
        match completion::wanted(self.words.0, before, &self.names()) {
            completion::Wanted::Offered(completion) => self.offer(completion),
            completion::Wanted::Path { from, begun } => {
                self.wishes.push_back(Wish::Paths(begun));
                self.path_from = Some(from);
            }
            completion::Wanted::Nothing => {}
        }
    }

    /// Paths that begin like what is being written.
    pub(super) fn take_paths(&mut self, begun: &str, offered: Vec<String>) {
        let Some(from) = self.path_from.take() else {
            return;
        };
        let cursor = self.composer.cursor();
        let still = self.composer.text().get(from..cursor);
        if still == Some(begun) && !offered.is_empty() {
            self.offer(Completion {
                from,
                offered,
                chosen: None,
            });
        }
    }

    fn offer(&mut self, completion: Completion) {
        if let [only] = &completion.offered[..] {
            self.composer.replace(completion.from, only);
            return;
        }
        // As far as all agree.
        let common = common_beginning(&completion.offered);
        let cursor = self.composer.cursor();
        if common.len() > cursor.saturating_sub(completion.from) {
            self.composer.replace(completion.from, common);
        }
        self.completion = Some(completion);
    }

    /// Those who can be named: who is here, and who was written with.
    fn names(&self) -> Vec<String> {
        let mut names: BTreeMap<String, String> = self
            .people
            .iter()
            .map(|(folded, here)| (folded.clone(), here.name.clone()))
            .collect();
        for person in self
            .conversations
            .entries()
            .iter()
            .filter_map(|it| it.with.as_ref())
        {
            names.insert(person.folded.clone(), person.name.clone());
        }
        names.remove(&fold(&self.own_name));
        names.into_values().collect()
    }

    /// Someone is at the keyboard: what is known of the link is brought up to date now and then.
    pub(super) fn is_used(&mut self, now: Instant) {
        let is_old = self
            .link_at
            .is_none_or(|at| now.saturating_duration_since(at) >= LINK_AGE);
        if is_old && self.road == Road::Open {
            self.link_at = Some(now);
            self.link_asked.push_back(false);
            self.act(Action::Command(Command::Link));
        }
    }

    /// A report on the link was asked for by itself.
    #[cfg(test)]
    pub(super) fn link_asked_for_test(&mut self) {
        self.link_asked.push_back(false);
    }

    pub(super) fn own_name(&self) -> &str {
        &self.own_name
    }

    /// Nothing could be learnt of the link: there is no connection.
    pub(super) fn link_unknown(&mut self) {
        if self.link_asked.pop_front() == Some(true) {
            let text = self.words.text("chat-error-away", &[]);
            self.hint(&text, true);
        }
    }

    /// Whether someone's key was verified by voice.
    pub(super) fn is_verified(&self, folded: &str) -> bool {
        self.verified.contains(folded)
    }

    /// Someone's key was verified by voice, or is so no more.
    #[cfg_attr(not(test), expect(dead_code, reason = "keys cannot be verified yet"))]
    pub(super) fn verify(&mut self, name: &str, is_verified: bool) {
        match is_verified {
            true => self.verified.insert(fold(name)),
            false => self.verified.remove(&fold(name)),
        };
    }

    /// Whether someone is here.
    pub(super) fn is_here(&self, person: &Person) -> bool {
        self.people.contains_key(&person.folded)
    }
}

/// How far to look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scroll {
    PageUp,
    PageDown,
    Up,
    Down,
    Top,
}

fn is_everyone(name: &str) -> bool {
    recado_proto::name::RESERVED.contains(&name.to_lowercase().as_str())
}

fn common_beginning(texts: &[String]) -> &str {
    let Some(first) = texts.first() else {
        return "";
    };
    let common = texts.iter().fold(first.len(), |length, text| {
        let same = first.bytes().zip(text.bytes()).take_while(|(a, b)| a == b);
        length.min(same.count())
    });
    let mut end = common;
    while !first.is_char_boundary(end) {
        end -= 1;
    }
    first.get(..end).unwrap_or_default()
}
