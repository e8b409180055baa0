//! The screen, drawn from what is. Nothing is decided here, and nothing changed.

mod bottom;
mod dialog;
mod messages;
mod overlay;
mod sidebar;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect, Size};
use ratatui::style::Style;

use super::layout::Areas;
use super::opening::Dialog;
use super::state::{Overlay, Road, State};
use super::theme::{Role, Theme};
use crate::chat::words::Words;
use crate::wrap;

/// A screen, drawn; and where the cursor stands.
pub(super) struct Drawn {
    pub(super) buffer: Buffer,
    pub(super) cursor: Option<Position>,
}

/// Draws a chat.
pub(super) fn chat(state: &State, theme: &Theme) -> Drawn {
    let mut canvas = Canvas::new(state.size, theme);
    let areas = state.areas();
    header(&mut canvas, state, &areas);
    sidebar::draw(&mut canvas, state, &areas);
    messages::draw(&mut canvas, state, &areas);
    bottom::draw(&mut canvas, state, &areas);
    let mut cursor = bottom::cursor(state, &areas);
    match &state.overlay {
        Overlay::None => {}
        Overlay::Help(row) => {
            overlay::help(&mut canvas, state.words, *row);
            cursor = None;
        }
        Overlay::Search(search) => {
            overlay::search(&mut canvas, state, search);
            cursor = None;
        }
    }
    let buffer = canvas.buffer;
    Drawn { buffer, cursor }
}

/// Draws what is asked before a chat.
pub(super) fn opening(dialog: &Dialog, words: Words, size: Size, theme: &Theme) -> Drawn {
    let mut canvas = Canvas::new(size, theme);
    let cursor = dialog::draw(&mut canvas, dialog, words);
    let buffer = canvas.buffer;
    Drawn { buffer, cursor }
}

fn header(canvas: &mut Canvas<'_>, state: &State, areas: &Areas) {
    let (words, area) = (state.words, areas.header);
    let (mut right, mut role) = match &state.road {
        Road::Opening => (words.text("tui-opening", &[]), Role::Waiting),
        Road::Away(_) => (words.text("tui-away", &[]), Role::Bad),
        Road::Ending(count) => (
            words.counted("tui-ending", *count as u64, &[]),
            Role::Waiting,
        ),
        Road::Open => (link(state), Role::Faint),
    };
    // Where there is no list that shows it.
    let unread = state.conversations.unread();
    if areas.conversations.is_empty() && unread > 0 {
        (right, role) = (words.counted("tui-unread", unread as u64, &[]), Role::New);
    }
    let taken = canvas.put_right(area, 0, &format!("{right} "), canvas.theme.style(role));
    let title = canvas.theme.style(Role::Title);
    let room = area.width.saturating_sub(taken + 1);
    let used = canvas.put(area, 1, 0, "recado", room.saturating_sub(1), title);
    let who = format!("{} · {}", state.me, state.server);
    let room = usize::from(room.saturating_sub(used + 3));
    canvas.text(area, used + 3, 0, &wrap::cut(&who, room), Role::Text);
}

/// How messages to everyone travel, and how well.
fn link(state: &State) -> String {
    let words = state.words;
    let Some(link) = state.link else {
        return String::new();
    };
    let mut text = match (link.up, link.down) {
        (true, true) => "UDP".to_owned(),
        (false, true) => "↑TCP ↓UDP".to_owned(),
        (true, false) => "↑UDP ↓TCP".to_owned(),
        (false, false) => "TCP".to_owned(),
    };
    if let Some(rtt) = link.rtt.filter(|_| link.up || link.down) {
        let ms = words.0.decimal(rtt.as_secs_f64() * 1000.0);
        text.push_str(&format!(" {ms} ms"));
    }
    if let Some(loss) = state.loss.filter(|loss| *loss > 0) {
        let loss = words.text("tui-loss", &[("percent", &loss.to_string())]);
        text.push_str(&format!(" · {loss}"));
    }
    text
}

/// What is drawn on.
struct Canvas<'a> {
    buffer: Buffer,
    theme: &'a Theme,
}

impl<'a> Canvas<'a> {
    fn new(size: Size, theme: &'a Theme) -> Self {
        let area = Rect::new(0, 0, size.width, size.height);
        let buffer = Buffer::empty(area);
        Self { buffer, theme }
    }

    fn area(&self) -> Rect {
        *self.buffer.area()
    }

    /// Writes at a place within an area, in at most so many columns. How many it took.
    fn put(&mut self, area: Rect, x: u16, y: u16, text: &str, room: u16, style: Style) -> u16 {
        if x >= area.width || y >= area.height {
            return 0;
        }
        let room = room.min(area.width - x);
        let (from, row) = (area.x + x, area.y + y);
        let text = text.replace('\t', " ");
        let (end, _) = self
            .buffer
            .set_stringn(from, row, text, usize::from(room), style);
        end.saturating_sub(from)
    }

    /// The same, as far as the area goes.
    fn text(&mut self, area: Rect, x: u16, y: u16, text: &str, role: Role) -> u16 {
        self.put(area, x, y, text, area.width, self.theme.style(role))
    }

    /// Writes at the right end of a row. How many columns it took.
    fn put_right(&mut self, area: Rect, y: u16, text: &str, style: Style) -> u16 {
        let text = wrap::cut(text, usize::from(area.width));
        let wide = u16::try_from(wrap::width(&text)).unwrap_or(area.width);
        self.put(area, area.width.saturating_sub(wide), y, &text, wide, style)
    }

    /// Fills a row with a sign.
    fn rule(&mut self, area: Rect, y: u16, sign: &str, role: Role) {
        let text = sign.repeat(usize::from(area.width));
        self.text(area, 0, y, &text, role);
    }

    fn style(&mut self, area: Rect, style: Style) {
        let area = area.intersection(self.area());
        self.buffer.set_style(area, style);
    }

    fn clear(&mut self, area: Rect) {
        let area = area.intersection(self.area());
        for row in area.rows() {
            for place in row.positions() {
                if let Some(cell) = self.buffer.cell_mut(place) {
                    cell.reset();
                }
            }
        }
    }

    /// A box in the middle, of at most this size, and what is within it.
    fn boxed(&mut self, width: u16, height: u16, title: &str) -> Rect {
        let whole = self.area();
        let (width, height) = (width.min(whole.width), height.min(whole.height));
        // What is left and right of it would only be in the way.
        self.clear(Rect {
            y: 1,
            height: whole.height.saturating_sub(1),
            ..whole
        });
        let outer = Rect::new(
            (whole.width - width) / 2,
            (whole.height - height) / 2,
            width,
            height,
        );
        let role = Role::Faint;
        let last = height.saturating_sub(1);
        let edge = "─".repeat(usize::from(width.saturating_sub(2)));
        self.text(outer, 0, 0, &format!("┌{edge}┐"), role);
        for y in 1..last {
            self.text(outer, 0, y, "│", role);
            self.text(outer, width.saturating_sub(1), y, "│", role);
        }
        self.text(outer, 0, last, &format!("└{edge}┘"), role);
        let title = wrap::cut(&format!(" {title} "), usize::from(width.saturating_sub(4)));
        self.text(outer, 2, 0, &title, Role::Title);
        Rect {
            x: outer.x + 2,
            y: outer.y + 1,
            width: width.saturating_sub(4),
            height: height.saturating_sub(2),
        }
        .intersection(whole)
    }
}

#[cfg(test)]
mod tests;
