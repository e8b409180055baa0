//! What is asked before a chat: trust, and a name.

use ratatui::layout::Position;

use super::Canvas;
use crate::chat::words::Words;
use crate::tui::opening::Dialog;
use crate::tui::theme::Role;
use crate::wrap;

/// The widest that is read with ease.
const WIDTH: u16 = 72;

/// A paragraph, and how it looks.
type Paragraph = (String, Role);

pub(super) fn draw(canvas: &mut Canvas<'_>, dialog: &Dialog, words: Words) -> Option<Position> {
    let (title, paragraphs) = content(dialog, words);
    let width = WIDTH.min(canvas.area().width);
    let columns = usize::from(width.saturating_sub(4)).max(2);
    let mut rows: Vec<(String, Role)> = Vec::new();
    for (text, role) in paragraphs {
        for line in text.split('\n') {
            for row in wrap::rows(line, columns) {
                let row = line.get(row).unwrap_or_default();
                rows.push((row.trim_end().to_owned(), role));
            }
        }
    }
    let height = u16::try_from(rows.len() + 2 + controls(dialog)).unwrap_or(u16::MAX);
    let area = canvas.boxed(width, height, &title);
    // Where not all fits, the end does: the fingerprint and the choice stand there.
    let fits = usize::from(area.height).saturating_sub(controls(dialog));
    let hidden = rows.len().saturating_sub(fits);
    for (y, (row, role)) in (0..).zip(rows.iter().skip(hidden)) {
        canvas.text(area, 0, y, row, *role);
    }
    let last = area.height.saturating_sub(1);
    match dialog {
        Dialog::Connecting { .. } => None,
        Dialog::Trust { trusts, .. } => {
            let mut x = 0;
            for (id, is_chosen) in [("tui-trust-no", !trusts), ("tui-trust-yes", *trusts)] {
                let text = format!(" {} ", words.text(id, &[]));
                let role = if is_chosen { Role::Chosen } else { Role::Text };
                x += canvas.text(area, x, last, &text, role) + 2;
            }
            let keys = words.text("tui-trust-keys", &[]);
            if usize::from(area.width) > usize::from(x) + wrap::width(&keys) {
                canvas.put_right(area, last, &keys, canvas.theme.style(Role::Faint));
            }
            None
        }
        Dialog::Name { typed, .. } => {
            canvas.text(area, 0, last, "›", Role::Sign);
            let room = usize::from(area.width.saturating_sub(3));
            let rows = typed.rows(room.max(2));
            let (row, column) = typed.place(room.max(2));
            let range = rows.get(row).cloned().unwrap_or(0..0);
            let text = typed.text().get(range).unwrap_or_default();
            canvas.text(area, 2, last, text, Role::Text);
            let x = u16::try_from(column + 2)
                .ok()?
                .min(area.width.checked_sub(1)?);
            Some(Position::new(area.x + x, area.y + last))
        }
    }
}

/// Rows of what is chosen or typed, and one above.
fn controls(dialog: &Dialog) -> usize {
    match dialog {
        Dialog::Connecting { .. } => 0,
        Dialog::Trust { .. } | Dialog::Name { .. } => 2,
    }
}

fn content(dialog: &Dialog, words: Words) -> (String, Vec<Paragraph>) {
    match dialog {
        Dialog::Connecting { server } => {
            let text = words.text("tui-connecting", &[("server", server)]);
            ("recado".to_owned(), vec![(text, Role::Text)])
        }
        Dialog::Trust {
            server,
            fingerprint,
            known_as,
            ..
        } => {
            let mut paragraphs = vec![
                (
                    words.text("tui-trust-server", &[("server", server)]),
                    Role::Text,
                ),
                (String::new(), Role::Text),
                (fingerprint.clone(), Role::Title),
                (String::new(), Role::Text),
                (words.text("tui-trust-explanation", &[]), Role::Text),
            ];
            if !known_as.is_empty() {
                let servers = known_as.join(", ");
                let text = words.text("trust-question-known", &[("servers", &servers)]);
                paragraphs.push((String::new(), Role::Text));
                paragraphs.push((text, Role::Waiting));
            }
            (words.text("tui-trust-title", &[]), paragraphs)
        }
        Dialog::Name { server, error, .. } => {
            let mut paragraphs = vec![(
                words.text("tui-name-explanation", &[("server", server)]),
                Role::Text,
            )];
            if let Some(error) = error {
                paragraphs.push((String::new(), Role::Text));
                paragraphs.push((error.clone(), Role::Bad));
            }
            paragraphs.push((String::new(), Role::Text));
            paragraphs.push((words.text("chat-name-prompt", &[]), Role::Title));
            (words.text("tui-name-title", &[]), paragraphs)
        }
    }
}
