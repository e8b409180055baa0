//! What lies over the conversation: help, and what was found.

use super::Canvas;
use super::messages::day;
use crate::chat::words::Words;
use crate::tui::state::{Found, Search, State};
use crate::tui::theme::Role;
use crate::wrap;

/// The widest that is read with ease.
const HELP: u16 = 76;

pub(super) fn help(canvas: &mut Canvas<'_>, words: Words, from: usize) {
    let text = words.text("tui-help", &[]);
    let lines: Vec<_> = text.lines().collect();
    let height = u16::try_from(lines.len() + 4).unwrap_or(u16::MAX);
    let whole = canvas.area();
    let height = height.min(whole.height.saturating_sub(2).max(3));
    let area = canvas.boxed(HELP, height, &words.text("tui-help-title", &[]));
    let rows = area.height.saturating_sub(2);
    let from = from.min(lines.len().saturating_sub(usize::from(rows)));
    for (y, line) in (0..rows).zip(lines.iter().skip(from)) {
        // Headings stand alone; a key or command and what it does are two columns.
        let role = if line.starts_with(' ') {
            Role::Text
        } else {
            Role::Title
        };
        canvas.text(area, 0, y, line, role);
    }
    let id = match lines.len() > usize::from(rows) {
        true => "tui-help-more",
        false => "tui-help-close",
    };
    let y = area.height.saturating_sub(1);
    canvas.text(area, 0, y, &words.text(id, &[]), Role::Faint);
}

pub(super) fn search(canvas: &mut Canvas<'_>, state: &State, search: &Search) {
    let words = state.words;
    let whole = canvas.area();
    let title = words.text("tui-search-title", &[("words", &search.words)]);
    let size = (whole.width, whole.height.saturating_sub(2).max(4));
    let area = canvas.boxed(size.0, size.1, &title);
    let last = area.height.saturating_sub(1);
    let Some(found) = &search.found else {
        canvas.text(
            area,
            0,
            0,
            &words.text("tui-search-looking", &[]),
            Role::Faint,
        );
        return;
    };
    if found.is_empty() {
        canvas.text(
            area,
            0,
            0,
            &words.text("chat-nothing-found", &[]),
            Role::Waiting,
        );
        canvas.text(
            area,
            0,
            last,
            &words.text("tui-help-close", &[]),
            Role::Faint,
        );
        return;
    }
    let count = words.counted("tui-search-found", found.len() as u64, &[]);
    canvas.text(area, 0, last, &count, Role::Faint);
    // Two rows for each: where and when, and what.
    let fits = usize::from(last / 2).max(1);
    let first = (search.chosen + 1).saturating_sub(fits);
    for (at, found) in found.iter().enumerate().skip(first).take(fits) {
        let y = u16::try_from((at - first) * 2).unwrap_or(0);
        if y + 1 >= last {
            break;
        }
        let is_chosen = at == search.chosen;
        let sign = if is_chosen { "›" } else { " " };
        canvas.text(area, 0, y, sign, Role::Sign);
        canvas.text(area, 2, y, &place(state, found), Role::Faint);
        let room = usize::from(area.width.saturating_sub(2));
        let text = wrap::cut(&found.text, room);
        let role = if is_chosen { Role::Chosen } else { Role::Text };
        canvas.text(area, 2, y + 1, &text, role);
    }
}

/// Where and when something was said, and by whom.
fn place(state: &State, found: &Found) -> String {
    let words = state.words;
    let conversation = match &found.with {
        None => format!("[UDP] {}", words.text("tui-everyone", &[])),
        Some(name) => {
            let name = recado_proto::text::sanitise_line(name);
            format!("[TCP] {name}")
        }
    };
    let day = day(words, found.at.day);
    let (hour, minute) = (found.at.hour, found.at.minute);
    format!(
        "{conversation} · {day} {hour:02}:{minute:02} · {}",
        found.from
    )
}
