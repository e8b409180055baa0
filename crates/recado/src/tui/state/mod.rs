//! What a full screen shows, and what becomes of it when something happens. Pure: time is handed in, and what is to be
//! done elsewhere is asked for by wishes.

mod clock;
mod completion;
mod composer;
mod conversations;
mod entering;
mod happening;
mod message;
mod search;
mod transfers;
mod window;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use ratatui::layout::Size;
use recado_client::history::{Correspondent, Item, Question, Verification};
use recado_client::session::VerifyError;
use recado_client::{Command, FileCommand, LinkState, Receipt};
use recado_proto::name::NameKeys;
use recado_proto::text::sanitise_line;

use super::layout::{Areas, Wanted as Room, composer_columns, composer_limit};
use crate::chat::marks::Marks;
use crate::chat::talk::Action;
use crate::chat::words::Words;
use crate::wrap;

pub(super) use clock::{Clock, Day, Moment};
pub(super) use completion::{Completion, paths};
pub(super) use composer::Composer;
pub(super) use conversations::{Conversations, Entry, Person};
pub(super) use message::{Carried, Content, Fate, Line, Message, Told};
pub(super) use search::{Found, Search};
pub(super) use transfers::{Stage, Transfer, Transfers};
pub(super) use window::Window;

use conversations::MAX_LISTED;
use window::{PAGE, Page};

/// How old what is known of the link may be while someone looks; nobody asks where nobody does.
const LINK_AGE: Duration = Duration::from_secs(10);

/// Probes of the link before their losses say something.
const PROBES: u64 = 20;

/// Rows of files that are shown at most.
const MAX_TRANSFER_ROWS: usize = 4;

/// Rows of a hint that are shown at most.
const MAX_HINT_ROWS: usize = 6;

/// Notices of a conversation that are held.
const MAX_NOTICES: usize = 20;

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
    /// Whose keys were verified by voice.
    marks: Marks,
    /// Everyone who is here, case-mapped.
    pub(super) people: BTreeMap<String, Here>,
    pub(super) composer: Composer,
    pub(super) completion: Option<Completion>,
    pub(super) overlay: Overlay,
    pub(super) hint: Option<Hint>,
    pub(super) transfers: Transfers,
    /// What was entered and may not be in the database yet, with its conversation.
    entering: Vec<(Option<String>, Line)>,
    /// What was told in the conversations with people, case-mapped: no history has it.
    notices: BTreeMap<String, VecDeque<Line>>,
    /// How many there were.
    told: u64,
    /// What the answers of the database are for, in order.
    asked: VecDeque<Purpose>,
    /// Whether each report on the link that will come was asked for by the person.
    link_asked: VecDeque<bool>,
    link_at: Option<Instant>,
    /// Rosters that the person asked for.
    asked_who: usize,
    /// Whether each list of offers that will come was asked for by the person.
    files_asked: VecDeque<bool>,
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
            marks: Marks::default(),
            people: BTreeMap::new(),
            composer: Composer::default(),
            completion: None,
            overlay: Overlay::None,
            hint: None,
            transfers: Transfers::default(),
            entering: Vec::new(),
            notices: BTreeMap::new(),
            told: 0,
            asked: VecDeque::new(),
            link_asked: VecDeque::new(),
            link_at: None,
            asked_who: 0,
            files_asked: VecDeque::new(),
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
        self.ask_files(false);
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

    /// Asks for the offers that are not over.
    fn ask_files(&mut self, is_by_person: bool) {
        self.files_asked.push_back(is_by_person);
        self.act(Action::Files(vec![FileCommand::List]));
    }

    /// Tells something in the conversation with this person, or in the one that is looked at.
    fn notice(&mut self, with: Option<&str>, text: &str, is_grave: bool) {
        match with {
            Some(name) => self.tell_of(name, text, is_grave, true),
            None => {
                let line = self.notice_line(text, is_grave, None);
                self.window.push(line);
            }
        }
    }

    /// Tells what the person has done in the conversation that it is about, where it is no news.
    fn note(&mut self, name: &str, text: &str) {
        self.tell_of(name, text, false, false);
    }

    fn tell_of(&mut self, name: &str, text: &str, is_grave: bool, is_news: bool) {
        self.told += 1;
        let number = self.told;
        let folded = fold(name);
        let is_open = self.conversations.is_open(Some(&folded));
        let is_news = is_news && !is_open;
        let line = self.notice_line(text, is_grave, Some(Told { number, is_news }));
        if is_open {
            self.window.push(line.clone());
        } else {
            let at = self.conversations.place(Some(name));
            if is_news {
                self.conversations.is_new(at, None, is_grave);
            }
        }
        let told = self.notices.entry(folded).or_default();
        told.push_back(line);
        if told.len() > MAX_NOTICES {
            told.pop_front();
        }
        if self.notices.len() > MAX_LISTED {
            let entries = self.conversations.entries();
            self.notices.retain(|folded, _| {
                let mut people = entries.iter().filter_map(|it| it.with.as_ref());
                people.any(|person| person.folded == *folded)
            });
        }
    }

    fn notice_line(&self, text: &str, is_grave: bool, told: Option<Told>) -> Line {
        let lines = text.lines().map(|line| sanitise_line(line).into_owned());
        let content = Content::Notice {
            lines: lines.collect(),
            is_grave,
            told,
        };
        Line::new(self.clock.at(self.clock.now()), content)
    }

    /// Says something until the next key.
    pub(super) fn hint(&mut self, text: &str, is_grave: bool) {
        let lines = text.lines().map(|line| sanitise_line(line).into_owned());
        self.hint = Some(Hint {
            lines: lines.collect(),
            is_grave,
        });
    }

    /// Says one more thing that went wrong.
    fn add_hint(&mut self, text: &str) {
        match &mut self.hint {
            Some(hint) if hint.is_grave && hint.lines.len() < MAX_HINT_ROWS => {
                hint.lines
                    .extend(text.lines().map(|line| sanitise_line(line).into_owned()));
            }
            _ => self.hint(text, true),
        }
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
                        told: None,
                    };
                    lines.push(Line::new(at, content));
                }
            }
        }
        let open = self.conversations.open();
        let folded = open.with.as_ref().map(|person| person.folded.clone());
        let of_open = self.entering.iter().filter(|(with, _)| *with == folded);
        let pending: Vec<_> = of_open.map(|(_, line)| line.clone()).collect();
        let told = folded.as_ref().and_then(|folded| self.notices.get(folded));
        let told = told.into_iter().flatten().cloned().collect();
        self.window.take_page(page, lines, told, pending);
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
            None => self.go_to_newest(),
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
            Scroll::Top => self.window.go_to_top(columns, height),
        }
        self.settle();
    }

    /// Looks at the newest message.
    pub(super) fn go_to_newest(&mut self) {
        if self.window.follow() {
            self.settle();
        } else {
            self.look_at(self.conversations.open_at());
        }
    }

    /// Someone is at the keyboard: what is known of the link is brought up to date now and then.
    pub(super) fn is_used(&mut self, now: Instant) {
        let is_old = self
            .link_at
            .is_none_or(|at| now.saturating_duration_since(at) >= LINK_AGE);
        self.transfers.are_seen(now);
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

    /// What is to be said of files that are not over, when the chat ends.
    pub(super) fn files_left(&self) -> Option<String> {
        match self.transfers.numbers(false).len() {
            0 => None,
            count => Some(self.words.counted("tui-files-left", count as u64, &[])),
        }
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
        self.marks.has_folded(folded)
    }

    /// Whose keys were verified by voice; nobody else's.
    pub(super) fn verified(&mut self, names: &[String]) {
        self.marks = Marks::of(names);
    }

    /// What was compared with someone: told where one writes to them, and looked at there if it was asked for.
    pub(super) fn verification(
        &mut self,
        name: &str,
        result: &Result<Verification, VerifyError>,
        asked: bool,
    ) {
        let text = self.words.verification(name, result);
        let (of, is_grave) = match result {
            Ok(verification) => (verification.name.as_str(), false),
            Err(VerifyError::Differs(verification)) => (verification.name.as_str(), true),
            Err(VerifyError::UnknownName | VerifyError::Away) => return self.hint(&text, true),
        };
        if asked && !self.conversations.is_open(Some(&fold(of))) {
            self.look_at_person(Some(of));
        }
        self.notice(Some(of), &text, is_grave);
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
