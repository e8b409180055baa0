//! Where everything stands on the screen. Pure, and the same for what is drawn and what is scrolled.

use ratatui::layout::{Rect, Size};

/// ` 12:34 `.
pub(super) const TIME: u16 = 7;

/// ` │ `.
pub(super) const BAR: u16 = 3;

/// The widest text that is read with ease; what stands behind it is not sought far away.
const WIDEST: u16 = 100;

/// What the text of a notice stands behind: the time, and a sign.
pub(super) const NOTICE: u16 = TIME + 2;

/// From this width on there is a column of conversations, and one of people of its own.
const WITH_SIDEBAR: u16 = 56;
const WITH_PEOPLE: u16 = 110;

/// The columns of a conversation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Columns {
    pub(super) total: u16,
    pub(super) name: u16,
    pub(super) text: u16,
}

impl Columns {
    pub(super) fn of(total: u16) -> Self {
        let name = match total {
            0..40 => 6,
            40..70 => 10,
            70..100 => 12,
            _ => 16,
        };
        let text = total.saturating_sub(TIME + name + BAR);
        let text = text.clamp(2, WIDEST);
        Self { total, name, text }
    }

    /// Those of a notice.
    pub(super) fn notice(self) -> usize {
        usize::from(self.total.saturating_sub(NOTICE).max(2))
    }
}

/// What needs room beside the conversation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Wanted {
    /// Rows of what is being written.
    pub(super) composer: u16,
    /// Rows of files under way.
    pub(super) transfers: u16,
    /// Rows of what recado has to say.
    pub(super) hint: u16,
}

/// The parts of the screen. One without room is empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Areas {
    pub(super) header: Rect,
    pub(super) conversations: Rect,
    /// Below the conversations, or beside the messages.
    pub(super) people: Rect,
    pub(super) title: Rect,
    pub(super) messages: Rect,
    pub(super) transfers: Rect,
    pub(super) hint: Rect,
    /// The line above what is being written.
    pub(super) rule: Rect,
    pub(super) composer: Rect,
}

/// The room that what is being written may take.
pub(super) fn composer_limit(size: Size) -> u16 {
    (size.height / 3).clamp(1, 12)
}

/// The columns that what is being written has, behind its sign.
pub(super) fn composer_columns(size: Size) -> usize {
    usize::from(size.width.saturating_sub(2).max(2))
}

impl Areas {
    pub(super) fn of(size: Size, wanted: Wanted) -> Self {
        let Size { width, height } = size;
        let mut bottom = height;
        let mut from_bottom = |rows: u16, least_above: u16| {
            let rows = rows.min(bottom.saturating_sub(least_above));
            bottom -= rows;
            Rect::new(0, bottom, width, rows)
        };
        // The rest keeps a title and a few rows, where there are any to be had.
        let composer = from_bottom(wanted.composer.max(1), 0);
        let rule = from_bottom(1, 2);
        let hint = from_bottom(wanted.hint, 5);
        let transfers = from_bottom(wanted.transfers, 8);
        let header = Rect::new(0, 0, width, u16::from(bottom > 4));
        let body = Rect::new(0, header.height, width, bottom - header.height);
        let sidebar_width = match width {
            0..WITH_SIDEBAR => 0,
            _ => (width / 4).clamp(16, 26),
        };
        let people_width = if width < WITH_PEOPLE { 0 } else { 22 };
        let sidebar = Rect {
            width: sidebar_width,
            ..body
        };
        // Lines of their own stand between.
        let left = if sidebar_width == 0 {
            0
        } else {
            sidebar_width + 1
        };
        let right = if people_width == 0 {
            0
        } else {
            people_width + 1
        };
        let middle = Rect {
            x: left,
            width: width - left - right,
            ..body
        };
        let title = Rect {
            height: middle.height.min(1),
            ..middle
        };
        let messages = Rect {
            y: title.bottom(),
            height: middle.height - title.height,
            ..middle
        };
        let (conversations, people) = if people_width > 0 {
            let people = Rect {
                x: width - people_width,
                width: people_width,
                ..body
            };
            (sidebar, people)
        } else {
            let people_height = sidebar.height / 2;
            let split = sidebar.height - people_height;
            let above = Rect {
                height: split,
                ..sidebar
            };
            let below = Rect {
                y: sidebar.y + split,
                height: people_height,
                ..sidebar
            };
            (above, below)
        };
        Self {
            header,
            conversations,
            people,
            title,
            messages,
            transfers,
            hint,
            rule,
            composer,
        }
    }

    /// The columns of the conversation; the last one of its area is left free.
    pub(super) fn columns(&self) -> Columns {
        Columns::of(self.messages.width.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_has_its_parts_within_it_and_apart() {
        let wanted = Wanted {
            composer: 4,
            transfers: 3,
            hint: 2,
        };
        for width in [1, 2, 20, 55, 56, 80, 109, 110, 200, 1000] {
            for height in [1, 2, 3, 5, 10, 24, 60, 500] {
                let size = Size::new(width, height);
                let areas = Areas::of(size, wanted);
                let parts = [
                    areas.header,
                    areas.conversations,
                    areas.people,
                    areas.title,
                    areas.messages,
                    areas.transfers,
                    areas.hint,
                    areas.rule,
                    areas.composer,
                ];
                let whole = Rect::new(0, 0, width, height);
                for (at, part) in parts.iter().enumerate() {
                    assert_eq!(part.intersection(whole), *part, "{size:?} {at}");
                    for other in parts.get(at + 1..).unwrap_or_default() {
                        let common = part.intersection(*other);
                        assert!(common.is_empty(), "{size:?} {part:?} {other:?}");
                    }
                }
                assert!(!areas.composer.is_empty(), "{size:?}");
            }
        }
        let usual = Areas::of(Size::new(80, 24), Wanted::default());
        assert_eq!(usual.messages, Rect::new(21, 2, 59, 20));
        assert_eq!(usual.columns().text, 38);
    }
}
