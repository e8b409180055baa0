//! What stands in a conversation: messages, gaps and notices.

use std::cell::Cell;

use recado_client::history::{PastMessage, Standing};
use recado_client::{State, Via};
use recado_proto::id::MessageId;
use recado_proto::text::{sanitise_block, sanitise_line};

use super::clock::Moment;
use crate::chat::words::Words;
use crate::tui::layout::Columns;
use crate::wrap;

/// A line of a conversation, however many rows it takes.
#[derive(Clone, Debug)]
pub(in crate::tui) struct Line {
    /// Its place in the window: lines further down have higher ones.
    pub(in crate::tui) serial: i64,
    pub(in crate::tui) at: Moment,
    pub(in crate::tui) content: Content,
    /// How many rows it takes in so many columns, once that was asked.
    rows: Cell<Option<(Columns, usize)>>,
}

#[derive(Clone, Debug)]
pub(in crate::tui) enum Content {
    Message(Message),
    /// Told by recado itself: its lines, each fit for a terminal.
    Notice {
        lines: Vec<String>,
        is_grave: bool,
        /// What tells it from others, where it belongs to a conversation and is shown again there.
        told: Option<Told>,
    },
    /// Who came and went, in order; and how many more before them.
    Presence {
        who: Vec<(String, bool)>,
        more: usize,
    },
}

/// A notice that stays in its conversation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::tui) struct Told {
    pub(in crate::tui) number: u64,
    /// Whether it was counted as something new.
    pub(in crate::tui) is_news: bool,
}

/// A message.
#[derive(Clone, Debug)]
pub(in crate::tui) struct Message {
    pub(in crate::tui) key: Key,
    /// Its number in the database, if it was read from there.
    pub(in crate::tui) number: Option<u64>,
    /// The sender's name, fit for a terminal.
    pub(in crate::tui) from: String,
    pub(in crate::tui) is_own: bool,
    pub(in crate::tui) is_global: bool,
    /// What it says, line by line, each fit for a terminal.
    pub(in crate::tui) lines: Vec<String>,
    pub(in crate::tui) fate: Fate,
    /// What carried it, if that was seen.
    pub(in crate::tui) carried: Option<Carried>,
    /// Whether it is known to be from whom it says.
    pub(in crate::tui) verified: bool,
    /// Whether it names the person who reads it.
    pub(in crate::tui) is_mention: bool,
    /// The word for what became of it or for what carried it, which stands behind it; or nothing.
    pub(in crate::tui) tag: String,
    /// Bytes that it takes.
    pub(in crate::tui) bytes: usize,
}

/// What tells a message from others: an id is its sender's choice.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(in crate::tui) struct Key {
    pub(in crate::tui) id: MessageId,
    /// The sender, case-mapped; `None` is oneself.
    pub(in crate::tui) from: Option<String>,
}

/// What became of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::tui) enum Fate {
    /// It came from someone else.
    Came,
    /// It is being written down.
    Entered,
    Queued,
    Stored,
    Delivered,
    /// Why, in the person's words.
    Failed(String),
}

/// What carried a message to everyone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::tui) struct Carried {
    pub(in crate::tui) via: Via,
    pub(in crate::tui) late: bool,
    pub(in crate::tui) repaired: bool,
    /// Said before one came.
    pub(in crate::tui) before: bool,
}

impl Line {
    pub(super) fn new(at: Moment, content: Content) -> Self {
        Self {
            serial: 0,
            at,
            content,
            rows: Cell::new(None),
        }
    }

    pub(in crate::tui) fn message(&self) -> Option<&Message> {
        match &self.content {
            Content::Message(message) => Some(message),
            Content::Notice { .. } | Content::Presence { .. } => None,
        }
    }

    /// The notice that it is, if it is one that stays.
    pub(super) fn told(&self) -> Option<Told> {
        match &self.content {
            Content::Notice { told, .. } => *told,
            Content::Message(_) | Content::Presence { .. } => None,
        }
    }

    /// The message, to be changed.
    pub(super) fn message_mut(&mut self) -> Option<&mut Message> {
        self.rows.set(None);
        match &mut self.content {
            Content::Message(message) => Some(message),
            Content::Notice { .. } | Content::Presence { .. } => None,
        }
    }

    /// The content, to be changed.
    pub(super) fn content_mut(&mut self) -> &mut Content {
        self.rows.set(None);
        &mut self.content
    }

    /// How many rows it takes.
    pub(in crate::tui) fn rows(&self, columns: Columns) -> usize {
        if let Some((known, rows)) = self.rows.get()
            && known == columns
        {
            return rows;
        }
        let rows = match &self.content {
            Content::Message(message) => message.rows(columns),
            Content::Notice { lines, .. } => lines
                .iter()
                .map(|line| wrap::rows(line, columns.notice()).len())
                .sum(),
            // Cut to one.
            Content::Presence { .. } => 1,
        };
        let rows = rows.max(1);
        self.rows.set(Some((columns, rows)));
        rows
    }
}

impl Message {
    /// Whether the name stands on a row of its own, because it is longer than its column: names are never cut here, as
    /// what is left of two may be the same.
    pub(in crate::tui) fn has_name_row(&self, columns: Columns) -> bool {
        wrap::width(&self.from) + usize::from(!self.verified) > usize::from(columns.name)
    }

    /// Whether the word behind it has room in its last row.
    pub(in crate::tui) fn fits_tag(&self, last_row: usize, columns: usize) -> bool {
        self.tag.is_empty() || last_row + 1 + wrap::width(&self.tag) <= columns
    }

    /// Finds the word that stands behind it; after every change.
    pub(super) fn retag(&mut self, words: Words) {
        let state = |id| words.text(id, &[]);
        self.tag = match (&self.fate, self.carried) {
            _ if !self.verified => words.text("tui-unverified", &[]),
            (Fate::Entered, _) => "…".to_owned(),
            (Fate::Queued, _) => state("state-queued"),
            (Fate::Delivered, _) => state("state-delivered"),
            (Fate::Stored, None) if !self.is_global => state("state-stored"),
            (Fate::Came | Fate::Stored | Fate::Failed(_), Some(carried)) => carried.text(words),
            // What was said to everyone is there to be seen.
            (Fate::Came | Fate::Stored | Fate::Failed(_), None) => String::new(),
        };
    }

    fn rows(&self, columns: Columns) -> usize {
        let width = usize::from(columns.text);
        let (mut text, mut last) = (0, 0);
        for line in &self.lines {
            let rows = wrap::rows(line, width);
            text += rows.len();
            last = rows.last().map_or(0, |row| {
                wrap::width(line.get(row.clone()).unwrap_or_default())
            });
        }
        let tag = usize::from(!self.fits_tag(last, width));
        let why = match &self.fate {
            Fate::Failed(why) => wrap::rows(&Self::why(why), width).len(),
            _ => 0,
        };
        text + tag + why + usize::from(self.has_name_row(columns))
    }

    /// What is shown of why it failed.
    pub(in crate::tui) fn why(why: &str) -> String {
        format!("✗ {why}")
    }

    /// What it says, as given by its sender.
    pub(super) fn said(text: &str) -> Vec<String> {
        sanitise_block(text).map(|line| line.into_owned()).collect()
    }

    /// One of the past.
    pub(super) fn of_past(past: PastMessage, own_name: &str, words: Words) -> Self {
        let is_own = past.from.is_none();
        let from = past.from.as_deref().unwrap_or(own_name);
        let mut message = Self {
            key: Key {
                id: past.id,
                from: past.from.as_deref().map(super::fold),
            },
            number: Some(past.number),
            from: sanitise_line(from).into_owned(),
            is_own,
            is_global: past.is_global,
            lines: Self::said(&past.text),
            fate: match past.standing {
                Standing::Received => Fate::Came,
                Standing::Queued => Fate::Queued,
                Standing::Stored => Fate::Stored,
                Standing::Delivered => Fate::Delivered,
                Standing::Failed => Fate::Failed(words.failure(&past.code)),
            },
            carried: None,
            verified: past.verified,
            is_mention: false,
            bytes: past.text.len(),
            tag: String::new(),
        };
        message.retag(words);
        message
    }
}

impl Carried {
    fn text(self, words: Words) -> String {
        let via = match self.via {
            Via::Udp => "udp",
            Via::Tcp => "tcp",
        };
        match (self.repaired, self.late, self.before) {
            (true, ..) => words.text("tui-repaired", &[]),
            (false, true, _) => words.text("tui-late", &[("via", via)]),
            (false, false, true) => words.text("tui-before", &[]),
            (false, false, false) => via.to_owned(),
        }
    }
}

impl Fate {
    /// Of a state that was told.
    pub(super) fn of(state: State, words: Words) -> Self {
        match state {
            State::Queued => Self::Queued,
            State::Stored => Self::Stored,
            State::Delivered => Self::Delivered,
            State::Failed(why) => Self::Failed(words.failure(why.code())),
        }
    }

    /// Whether it may still change.
    pub(super) fn is_open(&self, is_global: bool) -> bool {
        match self {
            Self::Entered | Self::Queued => true,
            Self::Stored => !is_global,
            Self::Came | Self::Delivered | Self::Failed(_) => false,
        }
    }
}
