//! What keys do.

use super::keys::{Heard, Key, Press};
use super::layout::composer_columns;
use super::state::{Overlay, Road, Scroll, State, Wish};
use crate::chat::talk::Action;

/// Takes what was heard from the terminal.
pub(super) fn handle(state: &mut State, heard: Heard) {
    match heard {
        Heard::Press(press) => handle_press(state, press),
        Heard::Typed(text) => {
            state.hint = None;
            handle_typed(state, &text);
        }
        // A paste is text, whatever is in it: nothing of it is sent before it is entered.
        Heard::Paste(text) => {
            if let Overlay::None = state.overlay {
                insert(state, &text);
            }
        }
        Heard::Focus(has_focus) => state.focus(has_focus),
        // The theme's matter.
        Heard::Background { .. } => {}
    }
}

fn handle_typed(state: &mut State, text: &str) {
    match (&state.overlay, text) {
        (Overlay::Help(_), "q" | "?") | (Overlay::Search(_), "q") => state.overlay = Overlay::None,
        (Overlay::Help(_), " ") => scroll(state, Scroll::PageDown),
        (Overlay::Search(_), "j") => state.choose(1),
        (Overlay::Search(_), "k") => state.choose(-1),
        (Overlay::None, text) => insert(state, text),
        (Overlay::Help(_) | Overlay::Search(_), _) => {}
    }
}

fn insert(state: &mut State, text: &str) {
    state.completion = None;
    if state.composer.insert(text).is_err() {
        let limit = recado_proto::limits::MAX_TEXT as u64;
        let limit = state.words.0.number(limit);
        let text = state
            .words
            .text("chat-error-too-long", &[("limit", &limit)]);
        state.hint(&text, true);
    }
}

fn handle_press(state: &mut State, press: Press) {
    let Press {
        key,
        ctrl,
        alt,
        shift,
    } = press;
    if let (Key::Char('c'), true) = (key, ctrl) {
        return interrupt(state);
    }
    state.hint = None;
    if !matches!(key, Key::Tab | Key::BackTab) {
        state.completion = None;
    }
    if !matches!(state.overlay, Overlay::None) {
        return handle_overlay(state, press);
    }
    let columns = composer_columns(state.size);
    let composer = &mut state.composer;
    match (key, ctrl, alt) {
        (Key::Enter, false, false) if !shift => state.enter(),
        (Key::Enter, ..) | (Key::Char('j'), true, _) => insert(state, "\n"),
        (Key::Tab, ..) => state.complete(1),
        (Key::BackTab, ..) => state.complete(-1),
        (Key::Escape, ..) => state.go_to_newest(),
        (Key::F(1), ..) => state.overlay = Overlay::Help(0),
        (Key::F(3), ..) | (Key::Char('f'), true, _) => begin_search(state),
        (Key::Backspace, false, false) => composer.backspace(),
        (Key::Backspace, ..) | (Key::Char('w'), true, _) => composer.erase_word(),
        (Key::Delete, ..) => composer.delete(),
        (Key::Char('d'), true, _) if composer.is_empty() => state.wish(Wish::Act(Action::Quit)),
        (Key::Char('d'), true, _) => composer.delete(),
        (Key::Char('q'), true, _) => state.wish(Wish::Act(Action::Quit)),
        (Key::Char('u'), true, _) => composer.erase_to_start(),
        (Key::Char('k'), true, _) => composer.erase_to_end(),
        (Key::Char('a'), true, _) | (Key::Home, false, false) => composer.home(),
        (Key::Char('e'), true, _) | (Key::End, false, false) => composer.end(),
        (Key::Left, false, false) | (Key::Char('b'), true, _) => composer.left(),
        (Key::Right, false, false) => composer.right(),
        (Key::Left, ..) | (Key::Char('b'), false, true) => composer.word_left(),
        (Key::Right, ..) | (Key::Char('f'), false, true) => composer.word_right(),
        (Key::Up, false, false) => {
            let _ = composer.up(columns) || composer.older();
        }
        (Key::Down, false, false) => {
            let _ = composer.down(columns) || composer.newer();
        }
        (Key::Char('p'), true, _) => {
            composer.older();
        }
        (Key::Char('n'), true, _) => {
            composer.newer();
        }
        (Key::Up, ..) => state.look_further(-1),
        (Key::Down, ..) => state.look_further(1),
        (Key::PageUp, false, false) => scroll(state, Scroll::PageUp),
        (Key::PageDown, false, false) => scroll(state, Scroll::PageDown),
        (Key::PageUp, ..) => state.look_further(-1),
        (Key::PageDown, ..) => state.look_further(1),
        (Key::Home, ..) => scroll(state, Scroll::Top),
        (Key::End, ..) => state.go_to_newest(),
        (Key::Char('a'), false, true) => state.look_at_unread(),
        (Key::Char('k'), false, true) => scroll(state, Scroll::Up),
        (Key::Char('j'), false, true) => scroll(state, Scroll::Down),
        (Key::Char(digit @ '1'..='9'), false, true) => {
            let at = digit.to_digit(10).map_or(0, |digit| digit as usize - 1);
            if at < state.conversations.entries().len() {
                state.look_at(at);
            }
        }
        (Key::Char('l'), true, _) => {
            state.transfers.clear();
            state.wish(Wish::Redraw);
        }
        (Key::Char('z'), true, _) => state.wish(Wish::Stop),
        (Key::Char(_) | Key::F(_), ..) => {}
    }
}

/// Ctrl-C: what is being written is thrown away; with nothing written, it is the end.
fn interrupt(state: &mut State) {
    state.completion = None;
    if !matches!(state.overlay, Overlay::None) {
        state.overlay = Overlay::None;
    } else if state.composer.is_empty() || matches!(state.road, Road::Ending(_)) {
        state.wish(Wish::Act(Action::Interrupt));
    } else {
        state.composer.take();
        let text = state.words.text("tui-hint-interrupt", &[]);
        state.hint(&text, false);
    }
}

/// Puts the command where the words to look for follow; what was written is kept behind it.
fn begin_search(state: &mut State) {
    let command = match state.words.0 {
        crate::i18n::Language::English => "/search ",
        crate::i18n::Language::Portuguese => "/buscar ",
    };
    let text = state.composer.take();
    let text = text.strip_prefix(command).unwrap_or(&text);
    insert(state, &format!("{command}{text}"));
}

fn handle_overlay(state: &mut State, press: Press) {
    match press.key {
        Key::Escape | Key::F(1) => state.overlay = Overlay::None,
        Key::Enter => match state.overlay {
            Overlay::Search(_) => state.go_to_found(),
            Overlay::Help(_) | Overlay::None => state.overlay = Overlay::None,
        },
        Key::Up => scroll(state, Scroll::Up),
        Key::Down => scroll(state, Scroll::Down),
        Key::PageUp => scroll(state, Scroll::PageUp),
        Key::PageDown => scroll(state, Scroll::PageDown),
        Key::Home => scroll(state, Scroll::Top),
        Key::Char('z') if press.ctrl => state.wish(Wish::Stop),
        Key::Char('l') if press.ctrl => state.wish(Wish::Redraw),
        _ => {}
    }
}

/// Looks further up or down, in what is on top.
fn scroll(state: &mut State, way: Scroll) {
    let page = usize::from(state.size.height.saturating_sub(6).max(1));
    match &mut state.overlay {
        Overlay::None => state.scroll(way),
        Overlay::Help(row) => {
            let most = state.words.text("tui-help", &[]).lines().count();
            *row = match way {
                Scroll::Up => row.saturating_sub(1),
                Scroll::Down => (*row + 1).min(most.saturating_sub(page)),
                Scroll::PageUp => row.saturating_sub(page),
                Scroll::PageDown => (*row + page).min(most.saturating_sub(page)),
                Scroll::Top => 0,
            };
        }
        Overlay::Search(_) => {
            let page = isize::try_from(page).unwrap_or(isize::MAX);
            state.choose(match way {
                Scroll::Up => -1,
                Scroll::Down => 1,
                Scroll::PageUp => -page,
                Scroll::PageDown => page,
                Scroll::Top => isize::MIN,
            });
        }
    }
}
