//! `recado chat` as a full screen: conversations, messages with what became of them, who is here, and what is being
//! written. `state` knows what is, `view` draws it and decides nothing, `input` says what keys do, `screen` is the
//! terminal, and `face` ties them to the chat.

mod face;
mod input;
mod keys;
mod layout;
mod opening;
mod screen;
mod state;
mod theme;
mod view;

use recado_client::session::IncomingMail;
use recado_client::trust::TrustStore;

use crate::chat::ending::Signals;
use crate::chat::files_config;
use crate::chat::talk::{self, talk};
use crate::chat::words::Words;
use crate::cli;
use crate::context::{Context, Exit};
use crate::terminal;
use face::TuiFace;
use opening::{Dialog, Left, Opened, Opening};
use screen::Screen;
use state::{Clock, State};
use theme::Theme;

pub(crate) use screen::is_possible;

/// Runs a chat on the whole terminal, to its end.
pub(crate) async fn run(context: &Context, arguments: &cli::Chat) -> Exit {
    let home = match context.client_home() {
        Ok(home) => home,
        Err(exit) => return exit,
    };
    let address = match context.server_address(&TrustStore::new(home.clone())) {
        Ok(address) => address,
        Err(exit) => return exit,
    };
    let variable = |name: &str| std::env::var(name).ok();
    let theme = Theme::of(arguments.theme, context.color_on_stdout(), variable);
    // The theme has decided; what draws must not decide again.
    ratatui::crossterm::style::force_color_output(true);
    let opened = Signals::of_terminal().and_then(|signals| {
        let (screen, happenings) = Screen::open(theme.asks())?;
        Ok((signals, screen, happenings))
    });
    let (signals, screen, happenings) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            let cause = error.to_string();
            context.complain(&context.text("tui-no-screen", &[("cause", &cause)]));
            return Exit::Failed;
        }
    };
    let words = Words(context.language);
    let server = address.to_string();
    let mut opening = Opening {
        context,
        words,
        screen,
        happenings,
        signals,
        theme,
        size: screen::size(),
        dialog: Dialog::Connecting { server },
        files: files_config(&home, arguments),
    };
    let name = arguments.name.as_deref();
    let opened = opening.open(&home, &address, name).await;
    let Opening {
        screen,
        happenings,
        signals,
        theme,
        size,
        ..
    } = opening;
    let Opened {
        trusted,
        session,
        name,
    } = match opened {
        Ok(opened) => opened,
        Err(Left { exit, text }) => {
            drop(screen);
            if !text.is_empty() {
                context.complain(&text);
            }
            return exit;
        }
    };
    let mut state = State::new(words, Clock::of_machine(), size, &trusted.server(), &name);
    let notices = context.trust_notices(&trusted);
    if !notices.is_empty() {
        state.hint(&notices.join("\n"), false);
    }
    let sender = screen.sender();
    let mut face = TuiFace::new(state, theme, screen, sender);
    let opening = talk::Opening {
        trusted: &trusted,
        incoming: IncomingMail::Taken,
        // What was said before is on the screen anyway.
        shows_history: false,
    };
    let exit = talk(opening, session, &mut face, happenings, signals).await;
    for text in face.leave() {
        terminal::tell(&text);
    }
    exit
}
