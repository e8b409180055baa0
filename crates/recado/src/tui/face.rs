//! The full screen as a face of a chat: what happens goes into the state, and what that wishes comes out.

use std::io;
use std::time::Duration;

use recado_client::history::{Correspondent, Item, Outgoing, Verification};
use recado_client::session::{SessionError, VerifyError};
use recado_client::trust::Trusted;
use recado_client::{Command, CommandError, Event};
use recado_proto::frame::ClosingCode;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::input;
use super::keys::Heard;
use super::screen::{Happening, Picture, Screen, size};
use super::state::{State, Wish, paths};
use super::theme::Theme;
use super::view;
use crate::chat::calculating::Calculated;
use crate::chat::talk::{Action, Face, Own, Shown};
use crate::wording;

/// Time between two pictures at least: as often as an eye notices, whatever happens meanwhile.
const FRAME: Duration = Duration::from_millis(25);

/// Time between two rings of the bell at least.
const BELL: Duration = Duration::from_secs(1);

/// The face.
pub(super) struct TuiFace {
    state: State,
    theme: Theme,
    screen: Screen,
    /// Where what was looked up goes.
    happenings: mpsc::Sender<Happening>,
    /// When the next picture is to be drawn, if something has changed.
    draws_at: Option<Instant>,
    drawn_at: Instant,
    rang_at: Option<Instant>,
    /// What is to be said once the screen is left.
    last_words: Vec<String>,
}

impl TuiFace {
    pub(super) fn new(
        state: State,
        theme: Theme,
        screen: Screen,
        happenings: mpsc::Sender<Happening>,
    ) -> Self {
        let now = Instant::now();
        Self {
            state,
            theme,
            screen,
            happenings,
            draws_at: Some(now),
            drawn_at: now,
            rang_at: None,
            last_words: Vec::new(),
        }
    }

    /// Leaves the screen; what is to be said then.
    pub(super) fn leave(mut self) -> Vec<String> {
        self.last_words.extend(self.state.files_left());
        self.last_words
    }

    fn change(&mut self) -> io::Result<()> {
        let at = (self.drawn_at + FRAME).max(Instant::now());
        self.draws_at.get_or_insert(at);
        Ok(())
    }

    fn look_up(&self, begun: String) {
        let happenings = self.happenings.clone();
        tokio::task::spawn_blocking(move || {
            let found = paths(&begun);
            // Nobody to tell is nobody who waits.
            let _ = happenings.blocking_send(Happening::Paths { begun, found });
        });
    }
}

impl Face for TuiFace {
    type Input = Happening;
    const IS_SCREEN: bool = true;

    fn ready(&mut self, name: &str, trusted: &Trusted) -> io::Result<()> {
        self.state.ready(name, &trusted.server());
        self.change()
    }

    fn back(&mut self) -> io::Result<()> {
        self.state.back();
        self.change()
    }

    fn away(&mut self, code: Option<ClosingCode>, detail: &str) -> io::Result<()> {
        let cause = self.state.words.away(code, detail);
        self.state.away(cause);
        self.change()
    }

    fn input(&mut self, happening: Happening) -> io::Result<Action> {
        self.change()?;
        match happening {
            Happening::Heard(Heard::Background { is_light }) => self.theme.ground(is_light),
            Happening::Heard(heard) => {
                input::handle(&mut self.state, heard);
                self.state.is_used(std::time::Instant::now());
            }
            Happening::Resized(size) => self.state.resize(size),
            Happening::Stop => self.screen.stop(),
            Happening::Continued => {
                self.state.resize(size());
                self.screen.renew();
            }
            Happening::Paths { begun, found } => self.state.take_paths(&begun, found),
            Happening::Gone => return Ok(Action::Quit),
        }
        Ok(Action::Nothing)
    }

    fn wish(&mut self) -> Option<Action> {
        loop {
            match self.state.poll_wish()? {
                Wish::Act(action) => return Some(action),
                Wish::Paths(begun) => self.look_up(begun),
                Wish::Stop => self.screen.stop(),
                Wish::Redraw => self.screen.renew(),
            }
        }
    }

    fn draws_at(&self) -> Option<Instant> {
        self.draws_at
    }

    fn draw(&mut self) -> io::Result<()> {
        let now = Instant::now();
        (self.draws_at, self.drawn_at) = (None, now);
        let rings = self.state.poll_bell()
            && self
                .rang_at
                .is_none_or(|at| now.saturating_duration_since(at) >= BELL);
        if rings {
            self.rang_at = Some(now);
        }
        let drawn = view::chat(&self.state, &self.theme);
        self.screen.show(Picture {
            buffer: drawn.buffer,
            cursor: drawn.cursor,
            bell: rings,
        });
        Ok(())
    }

    fn entered(&mut self, message: &Outgoing) -> io::Result<()> {
        self.state.entered(message);
        self.change()
    }

    fn refused(&mut self, error: CommandError, _reference: Option<String>) -> io::Result<()> {
        let why = wording::command(self.state.words.0, error);
        self.state.refused(&why);
        self.change()
    }

    fn answer(&mut self, command: &Command, result: Result<(), CommandError>) -> io::Result<()> {
        // What was asked by itself is not answered to anyone.
        if let (Command::Link | Command::Take(_), Err(CommandError::Away)) = (command, result) {
            self.state.link_unknown();
            return self.change();
        }
        if let Some(text) = self.state.words.answer(command, result) {
            self.state.hint(&text, result.is_err());
        }
        self.change()
    }

    fn event(&mut self, event: &Event) -> io::Result<Shown> {
        let shown = self.state.event(event);
        self.change()?;
        Ok(shown)
    }

    fn state(&mut self, own: &Own) -> io::Result<()> {
        self.state.state(own);
        self.change()
    }

    fn past(&mut self, items: Vec<Item>, _reference: Option<String>) -> io::Result<()> {
        self.state.past(items);
        self.change()
    }

    fn correspondents(&mut self, found: Vec<Correspondent>) -> io::Result<()> {
        self.state.correspondents(found);
        self.change()
    }

    fn calculated(&mut self, calculated: &Calculated) -> io::Result<()> {
        self.state.calculated(calculated);
        self.change()
    }

    fn verification(
        &mut self,
        name: &str,
        result: &Result<Verification, VerifyError>,
        asked: bool,
    ) -> io::Result<()> {
        self.state.verification(name, result, asked);
        self.change()
    }

    fn verified(&mut self, names: &[String]) -> io::Result<()> {
        self.state.verified(names);
        self.change()
    }

    fn nothing_to_acknowledge(&mut self, _reference: Option<String>) -> io::Result<()> {
        Ok(())
    }

    fn disk_full(&mut self, path: &str, lost: &[Outgoing]) -> io::Result<()> {
        self.state.disk_full(path, lost);
        self.change()
    }

    fn quitting(&mut self, count: usize) -> io::Result<()> {
        self.state.quitting(count);
        self.change()
    }

    fn left(&mut self, count: usize) -> io::Result<()> {
        if count > 0 {
            let text = self
                .state
                .words
                .counted("chat-left-queued", count as u64, &[]);
            self.last_words.push(text);
        }
        Ok(())
    }

    fn ended(&mut self, code: ClosingCode, detail: &str) -> io::Result<()> {
        self.last_words.push(self.state.words.ended(code, detail));
        Ok(())
    }

    fn failed(&mut self, error: &SessionError) -> io::Result<()> {
        let text = self.state.words.failed(error, self.state.own_name());
        self.last_words.push(text);
        Ok(())
    }
}
