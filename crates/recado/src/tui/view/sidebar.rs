//! Conversations and people.

use ratatui::layout::Rect;

use super::Canvas;
use crate::chat::marks::MARK;
use crate::tui::layout::Areas;
use crate::tui::state::{Entry, State};
use crate::tui::theme::Role;
use crate::wrap;

pub(super) fn draw(canvas: &mut Canvas<'_>, state: &State, areas: &Areas) {
    let whole = canvas.area();
    let body_bottom = areas.messages.bottom();
    // The lines between the columns.
    let columns = [
        areas
            .title
            .x
            .checked_sub(1)
            .filter(|_| !areas.conversations.is_empty()),
        Some(areas.title.right()).filter(|x| *x < areas.people.x),
    ];
    for x in columns.into_iter().flatten() {
        for y in areas.title.y..body_bottom {
            canvas.text(whole, x, y, "│", Role::Faint);
        }
    }
    conversations(canvas, state, areas.conversations);
    people(canvas, state, areas.people);
}

fn conversations(canvas: &mut Canvas<'_>, state: &State, area: Rect) {
    let heading = state.words.text("tui-conversations", &[]);
    canvas.text(area, 1, 0, &heading, Role::Title);
    let rows = usize::from(area.height.saturating_sub(1));
    let open = state.conversations.open_at();
    // The one that is looked at is always seen.
    let first = (open + 1).saturating_sub(rows);
    let entries = state.conversations.entries().iter().enumerate();
    for (y, (at, entry)) in (1..).zip(entries.skip(first).take(rows)) {
        conversation(canvas, state, area, y, entry, at == open);
    }
}

fn conversation(
    canvas: &mut Canvas<'_>,
    state: &State,
    area: Rect,
    y: u16,
    entry: &Entry,
    is_open: bool,
) {
    let (sign, role, name) = match &entry.with {
        None => ("#", Role::Text, state.words.text("tui-everyone", &[])),
        Some(person) => {
            let (sign, role) = presence(state.is_here(person));
            (sign, role, person.shown.clone())
        }
    };
    let is_verified = entry
        .with
        .as_ref()
        .is_some_and(|person| state.is_verified(&person.folded));
    let count = match (entry.unread, entry.is_mentioned) {
        (0, _) => String::new(),
        (count, is_mentioned) => {
            let sign = if is_mentioned { "@" } else { "" };
            let count = if count > 999 {
                "999+".to_owned()
            } else {
                count.to_string()
            };
            format!(" {sign}{count} ")
        }
    };
    let style = match entry.is_mentioned {
        true => canvas.theme.style(Role::Mention),
        false => canvas.theme.style(Role::New),
    };
    let taken = canvas.put_right(area, y, &count, style);
    canvas.text(area, 1, y, sign, role);
    let mark = if is_verified { MARK } else { "" };
    let room = usize::from(area.width.saturating_sub(3 + taken)).saturating_sub(wrap::width(mark));
    let role = if entry.unread > 0 {
        Role::New
    } else {
        Role::Text
    };
    let used = canvas.text(area, 3, y, &wrap::cut(&name, room), role);
    canvas.text(area, 3 + used, y, mark, Role::Good);
    if is_open {
        let row = Rect {
            y: area.y + y,
            height: 1,
            ..area
        };
        // In one colour: turned round, each would be a ground of its own.
        let chosen = canvas.theme.style(Role::Chosen);
        canvas.style(row, chosen.fg(ratatui::style::Color::Reset));
    }
}

/// The sign of who is here, and of who is not.
pub(super) fn presence(is_here: bool) -> (&'static str, Role) {
    match is_here {
        true => ("●", Role::Good),
        false => ("○", Role::Faint),
    }
}

fn people(canvas: &mut Canvas<'_>, state: &State, area: Rect) {
    let count = state.people.len() as u64;
    let heading = match state.people.is_empty() {
        // There is no connection: nobody knows.
        true => state.words.text("tui-here-unknown", &[]),
        false => state.words.counted("tui-here", count, &[]),
    };
    canvas.text(area, 1, 0, &heading, Role::Title);
    let rows = usize::from(area.height.saturating_sub(1));
    let fits = state.people.len() <= rows;
    let shown = if fits { rows } else { rows.saturating_sub(1) };
    let room = usize::from(area.width.saturating_sub(4));
    for (y, (folded, here)) in (1..).zip(state.people.iter().take(shown)) {
        let (sign, role) = presence(true);
        canvas.text(area, 1, y, sign, role);
        let name = match here.shown == state.me {
            true => state.words.text("tui-you", &[("name", &here.shown)]),
            false => here.shown.clone(),
        };
        let mark = if state.is_verified(folded) { MARK } else { "" };
        let room = room.saturating_sub(wrap::width(mark));
        let used = canvas.text(area, 3, y, &wrap::cut(&name, room), Role::Text);
        canvas.text(area, 3 + used, y, mark, Role::Good);
    }
    if !fits {
        let more = state.people.len() - shown;
        let text = state.words.counted("tui-more", more as u64, &[]);
        let y = area.height.saturating_sub(1);
        canvas.text(area, 3, y, &wrap::cut(&text, room), Role::Faint);
    }
}
