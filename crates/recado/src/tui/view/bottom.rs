//! What is below the conversation: files under way, what recado has to say, and what is being written.

use ratatui::layout::{Position, Rect};

use super::Canvas;
use crate::chat::words::Words;
use crate::tui::layout::{Areas, composer_columns};
use crate::tui::state::{Completion, Stage, State, Transfer};
use crate::tui::theme::Role;
use crate::wrap;

/// Columns of a gauge.
const GAUGE: usize = 16;

/// The widest row of a file.
const WIDEST: u16 = 120;

/// From this width on a row of a file tells what carries it.
const WITH_ROUTE: u16 = 100;

pub(super) fn draw(canvas: &mut Canvas<'_>, state: &State, areas: &Areas) {
    transfers(canvas, state, areas.transfers);
    hint(canvas, state, areas.hint);
    rule(canvas, state, areas);
    composer(canvas, state, areas.composer);
}

/// The row and column of the composer's first row that is shown.
fn first_row(state: &State, area: Rect) -> (usize, usize, usize) {
    let (row, column) = state.composer.place(composer_columns(state.size));
    let first = (row + 1).saturating_sub(usize::from(area.height));
    (first, row, column)
}

pub(super) fn cursor(state: &State, areas: &Areas) -> Option<Position> {
    let area = areas.composer;
    let (first, row, column) = first_row(state, area);
    let x = u16::try_from(column + 2)
        .ok()?
        .min(area.width.checked_sub(1)?);
    let y = u16::try_from(row - first).ok()?;
    Some(Position::new(area.x + x, area.y + y))
}

fn composer(canvas: &mut Canvas<'_>, state: &State, area: Rect) {
    canvas.text(area, 0, 0, "›", Role::Sign);
    if state.composer.is_empty() {
        let text = state.words.text("tui-placeholder", &[]);
        let room = usize::from(area.width.saturating_sub(3));
        canvas.text(area, 2, 0, &wrap::cut(&text, room), Role::Faint);
        return;
    }
    let rows = state.composer.rows(composer_columns(state.size));
    let (first, ..) = first_row(state, area);
    for (y, row) in (0..area.height).zip(rows.iter().skip(first)) {
        let text = state.composer.text().get(row.clone()).unwrap_or_default();
        canvas.text(area, 2, y, text, Role::Text);
    }
}

fn rule(canvas: &mut Canvas<'_>, state: &State, areas: &Areas) {
    let area = areas.rule;
    canvas.rule(area, 0, "─", Role::Faint);
    let is_next = areas.messages.bottom() == area.y;
    if is_next && !areas.conversations.is_empty() {
        canvas.text(area, areas.title.x.saturating_sub(1), 0, "┴", Role::Faint);
    }
    if is_next && areas.title.right() < areas.people.x {
        canvas.text(area, areas.title.right(), 0, "┴", Role::Faint);
    }
    let words = state.words;
    let text = state.composer.text();
    let is_command = text.starts_with('/') && !text.starts_with("//");
    let label = match (&state.conversations.open().with, is_command) {
        (_, true) => words.text("tui-to-recado", &[]),
        (None, false) => words.text("tui-to-everyone", &[]),
        (Some(person), false) => words.text("tui-to-person", &[("name", &person.shown)]),
    };
    let room = usize::from(area.width.saturating_sub(6));
    let label = format!(" {} ", wrap::cut(&label, room));
    let used = 2 + canvas.text(area, 2, 0, &label, Role::Sign);
    let (right, role) = match state.window.unseen() {
        0 if state.window.is_at_end() => (words.text("tui-keys", &[]), Role::Faint),
        0 => (words.text("tui-keys-past", &[]), Role::New),
        count => (words.counted("tui-unseen", count as u64, &[]), Role::New),
    };
    if usize::from(area.width) > usize::from(used) + wrap::width(&right) + 4 {
        let rest = Rect {
            width: area.width.saturating_sub(1),
            ..area
        };
        canvas.put_right(rest, 0, &format!(" {right} "), canvas.theme.style(role));
    }
}

fn hint(canvas: &mut Canvas<'_>, state: &State, area: Rect) {
    let mut y = 0;
    if let Some(completion) = &state.completion {
        offered(canvas, completion, area);
        y += 1;
    }
    let role = match &state.hint {
        Some(hint) if hint.is_grave => Role::Bad,
        _ => Role::Waiting,
    };
    for (y, row) in (y..area.height).zip(state.hint_rows()) {
        canvas.text(area, 1, y, row, role);
    }
}

fn offered(canvas: &mut Canvas<'_>, completion: &Completion, area: Rect) {
    // From the first that leaves room for the chosen one.
    let names = completion.offered.iter().map(|offered| offered.trim());
    let wide = |text: &str| wrap::width(text) + 2;
    let chosen = completion.chosen.unwrap_or(0);
    let room = usize::from(area.width.saturating_sub(2));
    let mut first = 0;
    let widths: Vec<_> = names.clone().map(wide).collect();
    while first < chosen && widths.iter().take(chosen + 1).skip(first).sum::<usize>() > room {
        first += 1;
    }
    let mut x = 1;
    for (at, name) in names.enumerate().skip(first) {
        let role = match completion.chosen == Some(at) {
            true => Role::Chosen,
            false => Role::Faint,
        };
        x += canvas.text(area, x, 0, name, role) + 2;
    }
}

fn transfers(canvas: &mut Canvas<'_>, state: &State, area: Rect) {
    // What stands at the right is not sought far away.
    let area = Rect {
        width: area.width.min(WIDEST),
        ..area
    };
    let (shown, hidden) = state.transfers.shown(usize::from(area.height));
    let last = u16::try_from(shown.len()).unwrap_or(u16::MAX);
    for (y, transfer) in (0..).zip(shown) {
        self::transfer(canvas, state.words, transfer, area, y);
    }
    if hidden > 0 {
        let more = state.words.counted("tui-file-more", hidden as u64, &[]);
        canvas.text(area, 1, last, &more, Role::Waiting);
    }
}

fn transfer(canvas: &mut Canvas<'_>, words: Words, it: &Transfer, area: Rect, y: u16) {
    let (sign, id) = match it.is_incoming {
        true => ("↓", "tui-file-from"),
        false => ("↑", "tui-file-to"),
    };
    canvas.text(area, 1, y, sign, Role::Sign);
    let is_running = matches!(it.stage, Stage::Running { .. });
    let (right, role) = match &it.stage {
        Stage::Offered if it.is_incoming => {
            let number = it.number.to_string();
            let arguments = [("size", size(words, it)), ("offer", number)];
            let arguments = arguments
                .each_ref()
                .map(|(name, text)| (*name, text.as_str()));
            (words.text("tui-file-offered", &arguments), Role::New)
        }
        Stage::Offered => {
            let waiting = words.text("tui-file-waiting", &[]);
            (format!("{} · {waiting}", size(words, it)), Role::Waiting)
        }
        Stage::Running { is_relayed } => {
            let mut text = running(words, it);
            if *is_relayed && area.width >= WITH_ROUTE {
                text.push_str(" · ");
                text.push_str(&words.text("tui-file-relayed", &[]));
            }
            (text, Role::Text)
        }
        Stage::Done(what) => (what.clone(), Role::Good),
        Stage::Waiting(why) => (format!("{} · {why}", size(words, it)), Role::Waiting),
        Stage::Over(what) => (what.clone(), Role::Waiting),
        Stage::Failed(why) => (why.clone(), Role::Bad),
    };
    let right = wrap::cut(&right, usize::from(area.width) * 2 / 3);
    let taken = canvas.put_right(area, y, &format!("{right} "), canvas.theme.style(role));
    let mut left = area.width.saturating_sub(taken + 4);
    if is_running && usize::from(left) > GAUGE + 10 {
        let full = usize::try_from(it.thousandths()).unwrap_or(0) * GAUGE / 1000;
        let x = left.saturating_sub(GAUGE as u16) + 2;
        let used = canvas.text(area, x, y, &"█".repeat(full), Role::Good);
        canvas.text(area, x + used, y, &"░".repeat(GAUGE - full), Role::Faint);
        left = left.saturating_sub(GAUGE as u16 + 1);
    }
    let number = it.number.to_string();
    let arguments = [
        ("number", number.as_str()),
        ("file", &it.name),
        ("name", &it.with),
    ];
    let what = words.text(id, &arguments);
    canvas.text(area, 3, y, &wrap::cut(&what, usize::from(left)), Role::Text);
}

/// How much it is: `2 files, 5 B`.
fn size(words: Words, it: &Transfer) -> String {
    let size = words.0.bytes(it.size);
    match it.entries {
        None => size,
        Some(entries) => words.counted("tui-file-folder", entries, &[("size", &size)]),
    }
}

/// `63 % · 1.2 MB/s · 0:12 left`.
fn running(words: Words, it: &Transfer) -> String {
    let mut text = format!("{} %", it.thousandths() / 10);
    if let Some(rate) = it.rate() {
        text.push_str(&format!(" · {}/s", words.0.bytes(rate)));
    }
    if let Some(left) = it.left() {
        let time = match left {
            0..3600 => format!("{}:{:02}", left / 60, left % 60),
            3600..360_000 => format!("{}:{:02}:{:02}", left / 3600, left / 60 % 60, left % 60),
            _ => "∞".to_owned(),
        };
        let left = words.text("tui-file-left", &[("time", &time)]);
        text.push_str(&format!(" · {left}"));
    }
    text
}
