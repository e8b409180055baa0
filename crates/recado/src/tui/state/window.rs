//! The part of a conversation that is held in memory and looked at: from where one stands up into the past, which the
//! database holds.

use std::collections::{BTreeMap, VecDeque};

use recado_client::history::{Edge, Place};

use super::message::{Content, Fate, Key, Line, Message};
use crate::chat::words::Words;
use crate::tui::layout::Columns;

/// Lines that are held at most: dozens of screens.
const MAX_LINES: usize = 2000;

/// Bytes of messages that are held at most: dozens of the longest, and thousands of ordinary ones.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Messages that are asked of the database at a time: more than a screen has rows, mostly.
pub(in crate::tui) const PAGE: usize = 200;

/// Who came and went that one line names.
const MAX_NAMED: usize = 6;

/// A part of a conversation.
pub(in crate::tui) struct Window {
    words: Words,
    lines: VecDeque<Line>,
    /// Bytes of their messages.
    bytes: usize,
    /// Where what is looked at ends.
    anchor: Anchor,
    /// Whether the database has more above, and below.
    older: More,
    newer: More,
    /// The line before which what is new begins.
    new_from: Option<i64>,
    /// Messages that came and stand below what is held or looked at.
    unseen: usize,
    /// The message that was looked for.
    pub(in crate::tui) marked: Option<Key>,
}

/// Where what is looked at ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Anchor {
    /// At the newest line, wherever that goes.
    Newest,
    /// Within this line, with so many of its rows below the end.
    At { serial: i64, below: usize },
}

/// Whether there is more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum More {
    No,
    Perhaps,
    Asked,
}

/// Which page was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::tui) enum Page {
    /// The newest.
    Newest,
    /// That around a message: those up to it.
    UpTo,
    Older,
    Newer,
}

impl Window {
    /// One that waits for its first page.
    pub(super) fn new(words: Words) -> Self {
        Self {
            words,
            lines: VecDeque::new(),
            bytes: 0,
            anchor: Anchor::Newest,
            older: More::Asked,
            newer: More::No,
            new_from: None,
            unseen: 0,
            marked: None,
        }
    }

    pub(in crate::tui) fn lines(&self) -> &VecDeque<Line> {
        &self.lines
    }

    /// Whether its first page has not come yet.
    pub(in crate::tui) fn is_loading(&self) -> bool {
        self.older == More::Asked
    }

    /// Whether nothing is above it.
    pub(in crate::tui) fn is_whole(&self) -> bool {
        self.older == More::No
    }

    /// Whether the newest message is looked at.
    pub(in crate::tui) fn is_at_end(&self) -> bool {
        self.anchor == Anchor::Newest && self.newer == More::No
    }

    /// Messages that came and are not looked at.
    pub(in crate::tui) fn unseen(&self) -> usize {
        self.unseen
    }

    // What comes.

    /// A message came, or was entered. False if it is there already: then what became of it is taken from this one.
    pub(super) fn push(&mut self, line: Line) -> bool {
        let words = self.words;
        if let Some(message) = line.message()
            && let Some(known) = self.find_mut(&message.key)
        {
            known.take_over(message, words);
            return false;
        }
        if self.is_told(&line) {
            return false;
        }
        let is_message = line.message().is_some();
        if self.newer != More::No {
            // It is in the database, and comes when one goes there.
            self.unseen += usize::from(is_message);
            return true;
        }
        if self.anchor != Anchor::Newest {
            self.unseen += usize::from(is_message);
        }
        self.append(line);
        self.trim();
        true
    }

    /// Someone came or went. Those who do so in a row stand in one line.
    pub(super) fn push_presence(&mut self, line: Line, name: &str, is_here: bool) {
        if self.newer == More::No
            && let Some(last) = self.lines.back_mut()
            && matches!(last.content, Content::Presence { .. })
            && let Content::Presence { who, more } = last.content_mut()
        {
            // Whoever comes back at once never went, for all one sees.
            who.retain(|(named, _)| named != name);
            who.push((name.to_owned(), is_here));
            if who.len() > MAX_NAMED {
                who.remove(0);
                *more += 1;
            }
            return;
        }
        self.push(line);
    }

    fn append(&mut self, mut line: Line) {
        line.serial = self.lines.back().map_or(0, |last| last.serial + 1);
        self.bytes += bytes(&line);
        self.lines.push_back(line);
    }

    fn prepend(&mut self, mut line: Line) {
        line.serial = self.lines.front().map_or(0, |first| first.serial - 1);
        self.bytes += bytes(&line);
        self.lines.push_front(line);
    }

    /// A message that is held, to be changed. The latest ones are looked at first.
    pub(super) fn find_mut(&mut self, key: &Key) -> Option<&mut Message> {
        let at = self
            .lines
            .iter()
            .rposition(|line| line.message().is_some_and(|message| message.key == *key))?;
        self.lines.get_mut(at)?.message_mut()
    }

    /// Lets go of what is furthest from where one stands.
    fn trim(&mut self) {
        while self.lines.len() > MAX_LINES || (self.bytes > MAX_BYTES && self.lines.len() > 1) {
            let from_end = match self.anchor {
                Anchor::Newest => usize::MAX,
                Anchor::At { serial, .. } => {
                    let at = self.lines.partition_point(|line| line.serial < serial);
                    let below = self.lines.len().saturating_sub(at);
                    if below > at { 0 } else { usize::MAX }
                }
            };
            let gone = if from_end == usize::MAX {
                self.older = self.older.more();
                self.lines.pop_front()
            } else {
                self.newer = self.newer.more();
                self.lines.pop_back()
            };
            self.bytes -= gone.map_or(0, |line| bytes(&line));
        }
    }

    // What the database gives.

    /// A page, the oldest first. `told` are the conversation's notices, of which those go into it that belong there by
    /// their time; `pending` are messages that may not be in the database yet.
    pub(super) fn take_page(
        &mut self,
        page: Page,
        mut lines: Vec<Line>,
        told: Vec<Line>,
        pending: Vec<Line>,
    ) {
        let is_full = lines.iter().filter(|line| line.message().is_some()).count() >= PAGE;
        let more = if is_full { More::Perhaps } else { More::No };
        let first = lines.first().filter(|_| is_full).map(|line| line.at);
        let last = lines.last().filter(|_| is_full).map(|line| line.at);
        let (since, until) = match page {
            Page::Newest => (first, None),
            Page::UpTo => (first, lines.last().map(|line| line.at)),
            Page::Older => (first, self.lines.front().map(|line| line.at)),
            Page::Newer => (self.lines.back().map(|line| line.at), last),
        };
        for notice in told {
            let is_within = since.is_none_or(|since| notice.at >= since)
                && until.is_none_or(|until| notice.at <= until);
            if is_within && (page == Page::Newest || !self.is_told(&notice)) {
                let after = lines.iter().rposition(|line| line.at <= notice.at);
                lines.insert(after.map_or(0, |at| at + 1), notice);
            }
        }
        match page {
            Page::Newest => {
                self.older = more;
                self.newer = More::No;
                self.replace(lines, pending);
            }
            Page::UpTo => {
                self.older = more;
                self.newer = More::Perhaps;
                self.lines.clear();
                self.bytes = 0;
                self.replace(lines, Vec::new());
                if let Some(last) = self.lines.back() {
                    let serial = last.serial;
                    self.anchor = Anchor::At { serial, below: 0 };
                }
            }
            Page::Older => {
                self.older = more;
                let known = self.keys();
                let before = self.lines.len();
                for line in lines.into_iter().rev() {
                    let is_known = line
                        .message()
                        .is_some_and(|message| known.contains_key(&message.key));
                    if !is_known {
                        self.prepend(line);
                    }
                }
                if self.lines.len() == before {
                    self.older = More::No;
                }
            }
            Page::Newer => {
                self.newer = more;
                let known = self.keys();
                for line in lines {
                    let is_known = line
                        .message()
                        .is_some_and(|message| known.contains_key(&message.key));
                    if !is_known {
                        self.append(line);
                    }
                }
                if self.newer == More::No {
                    for line in pending {
                        self.push(line);
                    }
                }
            }
        }
        self.trim();
    }

    /// Puts a page in the place of what is held; what came meanwhile and is not in it follows.
    fn replace(&mut self, page: Vec<Line>, pending: Vec<Line>) {
        let words = self.words;
        let mut before = std::mem::take(&mut self.lines);
        self.bytes = 0;
        for line in page {
            self.append(line);
        }
        let known = self.keys();
        before.retain(|line| !self.is_told(line));
        for line in before.drain(..).chain(pending) {
            match line.message().map(|message| known.get(&message.key)) {
                Some(Some(at)) => {
                    if let (Some(held), Some(message)) = (
                        self.lines.get_mut(*at).and_then(Line::message_mut),
                        line.message(),
                    ) {
                        held.take_over(message, words);
                    }
                }
                Some(None) | None => {
                    let is_twice = line.message().is_some_and(|message| {
                        let mut since = self.lines.iter().skip(known.len());
                        since.any(|line| line.message().is_some_and(|m| m.key == message.key))
                    });
                    if !is_twice {
                        self.append(line);
                    }
                }
            }
        }
    }

    /// Whether a notice is held already.
    fn is_told(&self, line: &Line) -> bool {
        let told = line.told();
        told.is_some() && self.lines.iter().rev().any(|held| held.told() == told)
    }

    fn keys(&self) -> BTreeMap<Key, usize> {
        let messages = self.lines.iter().enumerate();
        messages
            .filter_map(|(at, line)| Some((line.message()?.key.clone(), at)))
            .collect()
    }

    /// The page that is wanted for what is looked at, if one is.
    pub(super) fn wants(&mut self, columns: Columns, height: usize) -> Option<(Page, Edge)> {
        if self.newer == More::Perhaps && self.rows_below(columns, height) < height {
            let last = self.lines.iter().filter_map(Line::message);
            let last = last.filter_map(|message| message.number).max();
            self.newer = More::Asked;
            let edge = Edge::After(Place::Number(last.unwrap_or(0)));
            return Some((Page::Newer, edge));
        }
        if self.older == More::Perhaps && self.rows_above(columns, 2 * height) < 2 * height {
            let first = self.lines.iter().find_map(Line::message)?;
            let place = match first.number {
                // Those of a page stand in the server's order.
                Some(_) => {
                    let page = self.lines.iter().take(PAGE).filter_map(Line::message);
                    Place::Number(page.filter_map(|message| message.number).min()?)
                }
                None => Place::Message(first.key.id),
            };
            self.older = More::Asked;
            return Some((Page::Older, Edge::Before(place)));
        }
        None
    }

    /// Marks where what is new begins: before the last so many messages and notices that are news.
    pub(super) fn mark_new(&mut self, count: usize) {
        let mut messages = self.lines.iter().rev();
        let came = |line: &&Line| {
            line.message().is_some_and(|message| !message.is_own)
                || line.told().is_some_and(|told| told.is_news)
        };
        self.new_from = match count {
            0 => None,
            count => messages
                .by_ref()
                .filter(came)
                .nth(count - 1)
                .map(|line| line.serial),
        };
    }

    // Where one looks.

    /// The last line that is looked at, by its place, and how many of its rows are below.
    pub(in crate::tui) fn end(&self) -> Option<(usize, usize)> {
        let last = self.lines.len().checked_sub(1)?;
        match self.anchor {
            Anchor::Newest => Some((last, 0)),
            Anchor::At { serial, below } => {
                let at = self.lines.partition_point(|line| line.serial < serial);
                Some((at.min(last), if at > last { 0 } else { below }))
            }
        }
    }

    /// How many rows a line takes, what separates it from the one before included.
    pub(in crate::tui) fn rows_at(&self, at: usize, columns: Columns) -> usize {
        let Some(line) = self.lines.get(at) else {
            return 0;
        };
        line.rows(columns) + self.rulers_at(at)
    }

    /// The rows that separate a line from the one before.
    pub(in crate::tui) fn rulers_at(&self, at: usize) -> usize {
        usize::from(self.begins_day(at)) + usize::from(self.begins_new(at))
    }

    pub(in crate::tui) fn begins_day(&self, at: usize) -> bool {
        let day = |at: usize| self.lines.get(at).map(|line| line.at.day);
        at.checked_sub(1).and_then(day) != day(at)
    }

    pub(in crate::tui) fn begins_new(&self, at: usize) -> bool {
        self.new_from.is_some() && self.lines.get(at).map(|line| line.serial) == self.new_from
    }

    /// Rows above what is looked at, as far as it matters.
    fn rows_above(&self, columns: Columns, enough: usize) -> usize {
        let Some((last, below)) = self.end() else {
            return 0;
        };
        let mut rows = 0;
        for at in (0..=last).rev() {
            rows += self.rows_at(at, columns);
            if rows.saturating_sub(below) >= enough {
                break;
            }
        }
        rows.saturating_sub(below)
    }

    fn rows_below(&self, columns: Columns, enough: usize) -> usize {
        let Some((last, below)) = self.end() else {
            return 0;
        };
        let mut rows = below;
        for at in last + 1..self.lines.len() {
            if rows >= enough {
                break;
            }
            rows += self.rows_at(at, columns);
        }
        rows
    }

    /// Looks further up by so many rows, as far as something is held.
    pub(super) fn scroll_up(&mut self, mut rows: usize, columns: Columns, height: usize) {
        // The first row stays at the top.
        let above = self.rows_above(columns, height + rows);
        rows = rows.min(above.saturating_sub(height));
        let Some((mut at, mut below)) = self.end() else {
            return;
        };
        while rows > 0 {
            let left = self.rows_at(at, columns).saturating_sub(below);
            if rows < left {
                below += rows;
                break;
            }
            rows -= left;
            let Some(above) = at.checked_sub(1) else {
                break;
            };
            (at, below) = (above, 0);
        }
        self.stand(at, below);
    }

    /// Looks further down by so many rows.
    pub(super) fn scroll_down(&mut self, mut rows: usize, columns: Columns) {
        let Some((mut at, mut below)) = self.end() else {
            return;
        };
        while rows > 0 {
            if rows <= below {
                below -= rows;
                break;
            }
            rows -= below;
            if at + 1 >= self.lines.len() {
                below = 0;
                break;
            }
            at += 1;
            below = self.rows_at(at, columns);
        }
        self.stand(at, below);
    }

    fn stand(&mut self, at: usize, below: usize) {
        let is_last = at + 1 >= self.lines.len() && below == 0;
        match self.lines.get(at) {
            Some(line) if !(is_last && self.newer == More::No) => {
                let serial = line.serial;
                self.anchor = Anchor::At { serial, below };
            }
            _ => {
                self.follow();
            }
        }
    }

    /// Looks at the newest that is held. Whether that is the newest there is.
    pub(super) fn follow(&mut self) -> bool {
        self.anchor = Anchor::Newest;
        if self.newer == More::No {
            self.unseen = 0;
            return true;
        }
        false
    }

    /// Nothing is new any more.
    pub(super) fn forget_new(&mut self) {
        self.new_from = None;
    }

    /// Looks at the oldest that is held.
    pub(super) fn go_to_top(&mut self, columns: Columns, height: usize) {
        self.scroll_up(usize::MAX / 4, columns, height);
    }
}

impl More {
    /// Something was let go of.
    fn more(self) -> Self {
        match self {
            Self::Asked => Self::Asked,
            Self::No | Self::Perhaps => Self::Perhaps,
        }
    }
}

impl Message {
    /// Takes from a second telling of the same message what this one does not know.
    fn take_over(&mut self, other: &Self, words: Words) {
        if self.carried.is_none() {
            self.carried = other.carried;
        }
        self.number = self.number.or(other.number);
        self.is_mention |= other.is_mention;
        if self.fate.is_open(self.is_global) && other.fate != Fate::Entered {
            self.fate = other.fate.clone();
        }
        self.retag(words);
    }
}

fn bytes(line: &Line) -> usize {
    line.message().map_or(0, |message| message.bytes)
}
