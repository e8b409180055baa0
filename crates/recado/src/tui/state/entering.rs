//! What is entered: messages and commands, searches, and what Tab makes of it.

use std::collections::BTreeMap;

use recado_client::history::{Edge, Place, Question};
use recado_client::{Command, FileCommand};
use recado_proto::name::RESERVED;
use recado_proto::text::sanitise_line;

use super::completion::Known;
use super::search::MAX_FOUND;
use super::window::{PAGE, Page};
use super::{Completion, Overlay, Purpose, Road, Search, State, Wish, completion, fold};
use crate::chat::calculating::Asked;
use crate::chat::command::{Said, Typed, parse};
use crate::chat::talk::Action;

impl State {
    /// What was written is sent, or done.
    pub(in crate::tui) fn enter(&mut self) {
        let text = self.composer.text().to_owned();
        let typed = parse(self.words.0, &text);
        if let Road::Ending(_) = self.road {
            return;
        }
        match typed {
            Typed::Empty => {
                self.go_to_newest();
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
            Typed::Verify { name, said } => {
                let comparison = match said {
                    Said::Nothing => None,
                    Said::Compared(comparison) => Some(comparison),
                    Said::Unclear => {
                        self.hint_of("verify-what", &[("name", &sanitise_line(&name))]);
                        return;
                    }
                };
                self.act(Action::Verify(name, comparison));
            }
            Typed::Calc(asked) => self.calculate(asked),
            Typed::Files(commands) if commands[..] == [FileCommand::List] => self.ask_files(true),
            Typed::Files(commands) => self.act(Action::Files(commands)),
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
    pub(in crate::tui) fn search(&mut self, words: &str) {
        self.overlay = Overlay::Search(Search::new(words));
        self.asked.push_back(Purpose::Search);
        let question = Question::Words {
            words: words.to_owned(),
            limit: MAX_FOUND,
        };
        self.act(Action::Ask(question, None));
    }

    pub(in crate::tui) fn choose(&mut self, step: isize) {
        if let Overlay::Search(search) = &mut self.overlay {
            search.go(step);
        }
    }

    /// Looks at the message that was found, where it was said.
    pub(in crate::tui) fn go_to_found(&mut self) {
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
        let place = Place::Number(number.saturating_add(1));
        let question = Question::Page {
            conversation: self.conversations.open().conversation(),
            edge: Edge::Before(place),
            limit: PAGE,
        };
        self.ask_page(Page::UpTo, question);
        self.overlay = Overlay::None;
    }

    /// A text could not be sent: it is there to be changed.
    pub(in crate::tui) fn refused(&mut self, why: &str) {
        self.hint(why, true);
        if self.composer.is_empty() {
            self.composer.older();
        }
    }

    /// Completes what is being written; again and again, with the next that fits.
    pub(in crate::tui) fn complete(&mut self, step: isize) {
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
        let known = Known {
            names: self.names(),
            asked: self.transfers.numbers(true),
            offers: self.transfers.numbers(false),
        };
        match completion::wanted(self.words.0, before, &known) {
            completion::Wanted::Offered(completion) => self.offer(completion),
            completion::Wanted::Path { from, begun } => {
                self.wishes.push_back(Wish::Paths(begun));
                self.path_from = Some(from);
            }
            completion::Wanted::Nothing => {}
        }
    }

    /// Paths that begin like what is being written.
    pub(in crate::tui) fn take_paths(&mut self, begun: &str, offered: Vec<String>) {
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
}

fn is_everyone(name: &str) -> bool {
    RESERVED.contains(&name.to_lowercase().as_str())
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
