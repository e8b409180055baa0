//! The conversation that is looked at.

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::Canvas;
use super::sidebar::presence;
use crate::chat::marks::MARK;
use crate::chat::words::Words;
use crate::tui::layout::{Areas, BAR, Columns, NOTICE, TIME};
use crate::tui::state::{Carried, Content, Day, Fate, Line, Message, Moment, State};
use crate::tui::theme::Role;
use crate::wrap;

/// A row: pieces of text, each at its column.
#[derive(Default)]
struct Row(Vec<(u16, String, Style)>);

impl Row {
    fn piece(&mut self, x: u16, text: impl Into<String>, style: Style) {
        self.0.push((x, text.into(), style));
    }
}

pub(super) fn draw(canvas: &mut Canvas<'_>, state: &State, areas: &Areas) {
    title(canvas, state, areas.title);
    let area = areas.messages;
    let columns = areas.columns();
    let window = &state.window;
    let Some((end, below)) = window.end() else {
        let id = match window.is_loading() {
            true => return,
            false => "tui-nothing-yet",
        };
        let text = state.words.text(id, &[]);
        let room = usize::from(area.width.saturating_sub(2));
        let y = area.height.saturating_sub(1);
        canvas.text(area, 1, y, &wrap::cut(&text, room), Role::Faint);
        return;
    };
    // From the last row up; what is below the end is not drawn.
    let (top, bottom) = (i64::from(area.top()), i64::from(area.bottom()));
    let mut y = bottom + i64::try_from(below).unwrap_or(i64::MAX / 2);
    for at in (0..=end).rev() {
        let rows = line_rows(canvas, state, columns, at);
        y -= i64::try_from(rows.len()).unwrap_or(0);
        for (row, place) in rows.iter().zip(y..) {
            if (top..bottom).contains(&place) {
                let offset = u16::try_from(place - top).unwrap_or(0);
                for (x, text, style) in &row.0 {
                    canvas.put(area, *x, offset, text, area.width, *style);
                }
            }
        }
        if y <= top {
            return;
        }
    }
    if window.is_whole() && y > top {
        let text = state.words.text("tui-beginning", &[]);
        let offset = u16::try_from(y - top - 1).unwrap_or(0);
        let row = ruler_row(canvas, columns.total, &text, Role::Faint);
        for (x, text, style) in &row.0 {
            canvas.put(area, *x, offset, text, area.width, *style);
        }
    }
}

fn title(canvas: &mut Canvas<'_>, state: &State, area: Rect) {
    let words = state.words;
    let (way, name, right) = match &state.conversations.open().with {
        None => {
            let count = state.people.len() as u64;
            let right = match count {
                0 => String::new(),
                count => words.counted("tui-title-here", count, &[]),
            };
            (
                "[UDP]",
                words.text("tui-everyone", &[]),
                (right, Role::Faint),
            )
        }
        Some(person) => {
            let (sign, role) = presence(state.is_here(person));
            let right = match (state.people.is_empty(), state.is_here(person)) {
                (true, _) => String::new(),
                (_, true) => format!("{sign} {}", words.text("tui-title-is-here", &[])),
                (_, false) => format!("{sign} {}", words.text("tui-title-is-away", &[])),
            };
            let mark = match state.is_verified(&person.folded) {
                true => MARK,
                false => "",
            };
            ("[TCP]", format!("{}{mark}", person.shown), (right, role))
        }
    };
    let used = canvas.text(area, 1, 0, way, Role::Faint);
    let room = usize::from(area.width.saturating_sub(used + 3));
    let used = used + 2 + canvas.text(area, used + 2, 0, &wrap::cut(&name, room), Role::Title);
    let room = usize::from(area.width.saturating_sub(used + 2));
    let (text, role) = right;
    if wrap::width(&text) < room {
        canvas.put_right(area, 0, &format!("{text} "), canvas.theme.style(role));
    }
}

/// The rows of a line, with what separates it from the one before: as many as the window counts.
fn line_rows(canvas: &Canvas<'_>, state: &State, columns: Columns, at: usize) -> Vec<Row> {
    let window = &state.window;
    let Some(line) = window.lines().get(at) else {
        return Vec::new();
    };
    let mut rows = Vec::new();
    if window.begins_day(at) {
        let text = day(state.words, line.at.day);
        rows.push(ruler_row(canvas, columns.total, &text, Role::Faint));
    }
    if window.begins_new(at) {
        let text = state.words.text("tui-new", &[]);
        rows.push(ruler_row(canvas, columns.total, &text, Role::New));
    }
    match &line.content {
        Content::Message(message) => {
            let is_marked = window.marked.as_ref() == Some(&message.key);
            message_rows(canvas, columns, line, message, is_marked, &mut rows);
        }
        Content::Notice {
            lines, is_grave, ..
        } => {
            notice_rows(canvas, columns, line, lines, *is_grave, &mut rows);
        }
        Content::Presence { who, more } => {
            let mut row = Row::default();
            row.piece(1, time(line.at), canvas.theme.style(Role::Faint));
            row.piece(TIME, "—", canvas.theme.style(Role::Faint));
            let text = presences(state.words, who, *more);
            let text = wrap::cut(&text, columns.notice());
            row.piece(NOTICE, text, canvas.theme.style(Role::Faint));
            rows.push(row);
        }
    }
    rows
}

fn message_rows(
    canvas: &Canvas<'_>,
    columns: Columns,
    line: &Line,
    message: &Message,
    is_marked: bool,
    rows: &mut Vec<Row>,
) {
    let theme = canvas.theme;
    let faint = theme.style(Role::Faint);
    let bar_at = TIME + columns.name;
    let text_at = bar_at + BAR;
    let width = usize::from(columns.text);
    let name = match message.verified {
        true => message.from.clone(),
        false => format!("?{}", message.from),
    };
    let mut first = Row::default();
    first.piece(1, time(line.at), faint);
    let name_style = match message.verified {
        true => theme.name(&message.from, message.is_own),
        false => theme.style(Role::Bad),
    };
    if message.has_name_row(columns) {
        let room = usize::from(columns.total.saturating_sub(TIME));
        first.piece(TIME, wrap::cut(&name, room), name_style);
        rows.push(std::mem::take(&mut first));
    } else {
        let wide = u16::try_from(wrap::width(&name)).unwrap_or(columns.name);
        first.piece(TIME + columns.name.saturating_sub(wide), name, name_style);
    }
    let text_style = match (is_marked, message.is_mention) {
        (true, _) => theme.style(Role::Chosen),
        (false, true) => theme.style(Role::Mention),
        (false, false) => theme.style(Role::Text),
    };
    let mut last = 0;
    let mut row = first;
    for (at, line) in message.lines.iter().enumerate() {
        for (piece, range) in wrap::rows(line, width).into_iter().enumerate() {
            if at + piece > 0 {
                rows.push(std::mem::take(&mut row));
            }
            row.piece(bar_at + 1, "│", faint);
            // Spaces at its end are nothing to be seen, underlined or turned round.
            let text = line.get(range).unwrap_or_default();
            last = wrap::width(text);
            row.piece(text_at, text.trim_end(), text_style);
        }
    }
    if !message.tag.is_empty() {
        if !message.fits_tag(last, width) {
            rows.push(std::mem::take(&mut row));
            row.piece(bar_at + 1, "│", faint);
        }
        let (text, role) = (wrap::cut(&message.tag, width), tag(message));
        let wide = u16::try_from(wrap::width(&text)).unwrap_or(0);
        row.piece(
            (text_at + columns.text).saturating_sub(wide),
            text,
            theme.style(role),
        );
    }
    rows.push(row);
    if let Fate::Failed(why) = &message.fate {
        let why = Message::why(why);
        for range in wrap::rows(&why, width) {
            let mut row = Row::default();
            row.piece(bar_at + 1, "│", faint);
            row.piece(
                text_at,
                why.get(range).unwrap_or_default(),
                theme.style(Role::Bad),
            );
            rows.push(row);
        }
    }
}

/// How the word for what became of a message, or for what carried it, looks.
fn tag(message: &Message) -> Role {
    let is_usual = |carried: Carried| !carried.repaired && !carried.late;
    match (&message.fate, message.carried) {
        _ if !message.verified => Role::Bad,
        (Fate::Queued, _) => Role::Waiting,
        (Fate::Delivered, _) => Role::Good,
        (_, Some(carried)) if !is_usual(carried) => Role::Waiting,
        (Fate::Came | Fate::Entered | Fate::Stored | Fate::Failed(_), _) => Role::Faint,
    }
}

fn notice_rows(
    canvas: &Canvas<'_>,
    columns: Columns,
    line: &Line,
    lines: &[String],
    is_grave: bool,
    rows: &mut Vec<Row>,
) {
    let theme = canvas.theme;
    let (sign, role) = match is_grave {
        true => ("!", Role::Bad),
        false => ("—", Role::Faint),
    };
    let before = rows.len();
    for text in lines {
        for range in wrap::rows(text, columns.notice()) {
            let mut row = Row::default();
            if rows.len() == before {
                row.piece(1, time(line.at), theme.style(Role::Faint));
                row.piece(TIME, sign, theme.style(role));
            }
            let text = text.get(range).unwrap_or_default();
            row.piece(NOTICE, text, theme.style(role));
            rows.push(row);
        }
    }
    if rows.len() == before {
        rows.push(Row::default());
    }
}

/// Who came and went: `Bob and Carol joined, Dave left`.
fn presences(words: Words, who: &[(String, bool)], more: usize) -> String {
    let mut parts: Vec<String> = Vec::new();
    for group in who.chunk_by(|one, other| one.1 == other.1) {
        let names: Vec<_> = group.iter().map(|(name, _)| name.as_str()).collect();
        let is_here = group.first().is_some_and(|(_, is_here)| *is_here);
        let id = if is_here { "tui-joined" } else { "tui-left" };
        let names_joined = names.join(", ");
        parts.push(words.counted(id, names.len() as u64, &[("names", &names_joined)]));
    }
    let mut text = parts.join(" · ");
    if more > 0 {
        let more = words.counted("tui-presence-more", more as u64, &[]);
        text = format!("{more} · {text}");
    }
    text
}

fn time(at: Moment) -> String {
    format!("{:02}:{:02}", at.hour, at.minute)
}

pub(super) fn day(words: Words, day: Day) -> String {
    let weekday = words.text(&format!("weekday-{}", day.weekday), &[]);
    let month = words.text(&format!("month-{}", day.month), &[]);
    words.text(
        "tui-day",
        &[
            ("weekday", &weekday),
            ("day", &day.day.to_string()),
            ("month", &month),
            ("year", &day.year.to_string()),
        ],
    )
}

fn ruler_row(canvas: &Canvas<'_>, columns: u16, text: &str, role: Role) -> Row {
    let text = wrap::cut(text, usize::from(columns.saturating_sub(4)));
    let wide = wrap::width(&text) + 2;
    let sides = usize::from(columns).saturating_sub(wide);
    let left = "─".repeat(sides / 2);
    let right = "─".repeat(sides - sides / 2);
    let mut row = Row::default();
    row.piece(
        0,
        format!("{left} {text} {right}"),
        canvas.theme.style(role),
    );
    row
}
