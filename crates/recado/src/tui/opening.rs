//! What comes before a chat: finding the server, asking whether to trust it, asking for a name.

use std::pin::pin;

use ratatui::layout::Size;
use recado_client::address::ServerAddress;
use recado_client::files::FilesConfig;
use recado_client::home::Home;
use recado_client::session::{IncomingMail, Session};
use recado_client::trust::{FirstUse, Question, TrustStore, Trusted};
use tokio::sync::{mpsc, oneshot};

use super::keys::{Heard, Key, Press};
use super::screen::{Happening, Picture, Screen, size};
use super::state::Composer;
use super::theme::Theme;
use super::view;
use crate::chat::ending::Signals;
use crate::chat::open;
use crate::chat::words::Words;
use crate::context::{Context, Exit};
use crate::wording;

/// What is shown and asked.
pub(super) enum Dialog {
    Connecting {
        server: String,
    },
    /// Whether to trust a server that is not known.
    Trust {
        server: String,
        fingerprint: String,
        known_as: Vec<String>,
        /// What is chosen, until it is confirmed.
        trusts: bool,
    },
    /// Under which name.
    Name {
        server: String,
        typed: Box<Composer>,
        /// Why the last one could not be had.
        error: Option<String>,
    },
}

/// The end before a chat began: the exit, and what to say on the terminal.
pub(super) struct Left {
    pub(super) exit: Exit,
    pub(super) text: String,
}

impl From<Exit> for Left {
    fn from(exit: Exit) -> Self {
        let text = String::new();
        Self { exit, text }
    }
}

/// What a chat begins with.
pub(super) struct Opened {
    pub(super) trusted: Trusted,
    pub(super) session: Session,
    pub(super) name: String,
}

/// The screen before a chat.
pub(super) struct Opening<'a> {
    pub(super) context: &'a Context,
    pub(super) words: Words,
    pub(super) screen: Screen,
    pub(super) happenings: mpsc::Receiver<Happening>,
    pub(super) signals: Signals,
    pub(super) theme: Theme,
    pub(super) size: Size,
    pub(super) dialog: Dialog,
    pub(super) files: FilesConfig,
}

/// A question, and where the answer goes.
type Asked = (Question, oneshot::Sender<bool>);

impl Opening<'_> {
    /// Goes from an address to a session.
    pub(super) async fn open(
        &mut self,
        home: &Home,
        address: &ServerAddress,
        name: Option<&str>,
    ) -> Result<Opened, Left> {
        let trusted = self.decide(home, address).await?;
        let (server, files) = (trusted.server(), self.files.clone());
        let mut name = name.map(str::to_owned);
        let mut error = None;
        loop {
            let (given, is_typed) = match name.take() {
                Some(name) => (name, false),
                None => (self.ask_name(&server, error.take()).await?, true),
            };
            let incoming = IncomingMail::Taken;
            let opening = open(self.context, home, &trusted, &given, incoming, &files);
            let server = server.clone();
            self.show(Dialog::Connecting { server });
            match self.during(opening).await? {
                Ok(session) => {
                    return Ok(Opened {
                        trusted,
                        session,
                        name: given,
                    });
                }
                // Another name may be had.
                Err((text, Exit::Refused)) if is_typed => error = Some(text),
                Err((text, exit)) => return Err(Left { exit, text }),
            }
        }
    }

    /// Finds the server, and has the person decide where nothing else does.
    async fn decide(&mut self, home: &Home, address: &ServerAddress) -> Result<Trusted, Left> {
        let context = self.context;
        let (ask, mut questions) = mpsc::channel::<Asked>(1);
        let first_use = match context.common.accept_new {
            true => FirstUse::AcceptNew,
            false => FirstUse::ask(move |question| async move {
                let (answer, answered) = oneshot::channel();
                // Nobody to ask is a no.
                let _ = ask.send((question, answer)).await;
                answered.await.unwrap_or(false)
            }),
        };
        let store = TrustStore::new(home.clone());
        let given = context.given();
        let mut deciding = pin!(context.decide(&store, address, given, first_use));
        let mut answer: Option<oneshot::Sender<bool>> = None;
        loop {
            self.draw();
            tokio::select! {
                decided = &mut deciding => return decided.map_err(|error| Left {
                    exit: Exit::from_code(error.exit_code()),
                    text: wording::trust(context.language, &error),
                }),
                Some((question, sender)) = questions.recv() => {
                    answer = Some(sender);
                    self.dialog = Dialog::Trust {
                        server: question.server,
                        fingerprint: question.fingerprint.to_string(),
                        known_as: question.known_as,
                        trusts: false,
                    };
                }
                happening = self.happenings.recv() => {
                    if let Some(trusts) = self.answer(happening)? {
                        if let Some(answer) = answer.take() {
                            // Whoever asked waits for it.
                            let _ = answer.send(trusts);
                        }
                        let server = address.to_string();
                        self.dialog = Dialog::Connecting { server };
                    }
                }
                () = self.signals.next() => return Err(Exit::Interrupted.into()),
            }
        }
    }

    /// Shows what is going on for as long as something takes.
    async fn during<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Left> {
        let mut work = pin!(work);
        loop {
            self.draw();
            tokio::select! {
                done = &mut work => return Ok(done),
                happening = self.happenings.recv() => {
                    self.answer(happening)?;
                }
                () = self.signals.next() => return Err(Exit::Interrupted.into()),
            }
        }
    }

    /// Asks for a name.
    async fn ask_name(&mut self, server: &str, error: Option<String>) -> Result<String, Left> {
        self.dialog = Dialog::Name {
            server: server.to_owned(),
            typed: Box::default(),
            error,
        };
        loop {
            self.draw();
            tokio::select! {
                happening = self.happenings.recv() => {
                    if let Some(name) = self.name(happening)? {
                        return Ok(name);
                    }
                }
                () = self.signals.next() => return Err(Exit::Interrupted.into()),
            }
        }
    }

    /// What was typed as a name, once it is entered.
    fn name(&mut self, happening: Option<Happening>) -> Result<Option<String>, Left> {
        let Some(heard) = self.hear(happening)? else {
            return Ok(None);
        };
        let Dialog::Name { typed, .. } = &mut self.dialog else {
            return Ok(None);
        };
        match heard {
            Heard::Typed(text) | Heard::Paste(text) => {
                let line = text.lines().next().unwrap_or_default();
                // What is longer than any message is no name.
                let _ = typed.insert(line);
            }
            Heard::Press(Press { key, ctrl, .. }) => match (key, ctrl) {
                (Key::Enter, _) => return Ok(Some(typed.text().trim().to_owned())),
                (Key::Backspace, _) => typed.backspace(),
                (Key::Delete, _) => typed.delete(),
                (Key::Left, _) => typed.left(),
                (Key::Right, _) => typed.right(),
                (Key::Home, _) | (Key::Char('a'), true) => typed.home(),
                (Key::End, _) | (Key::Char('e'), true) => typed.end(),
                (Key::Char('u'), true) => typed.erase_to_start(),
                (Key::Char('w'), true) => typed.erase_word(),
                (Key::Char('d'), true) if typed.is_empty() => return Err(Exit::Done.into()),
                (Key::Escape, _) => return Err(Exit::Done.into()),
                _ => {}
            },
            Heard::Focus(_) | Heard::Background { .. } => {}
        }
        Ok(None)
    }

    /// Whether a server is to be trusted, once that is decided.
    fn answer(&mut self, happening: Option<Happening>) -> Result<Option<bool>, Left> {
        let Some(heard) = self.hear(happening)? else {
            return Ok(None);
        };
        let Dialog::Trust { trusts, .. } = &mut self.dialog else {
            return Ok(None);
        };
        match heard {
            Heard::Press(Press { key, .. }) => match key {
                Key::Enter => return Ok(Some(*trusts)),
                Key::Escape => return Ok(Some(false)),
                Key::Left | Key::Right | Key::Up | Key::Down | Key::Tab | Key::BackTab => {
                    *trusts = !*trusts;
                }
                _ => {}
            },
            // A letter chooses, and nothing more: what was typed for something else must not trust anyone.
            Heard::Typed(text) => {
                let language = self.context.language;
                if language.is_yes(&text) {
                    *trusts = true;
                } else if text.eq_ignore_ascii_case("n") {
                    *trusts = false;
                }
            }
            Heard::Paste(_) | Heard::Focus(_) | Heard::Background { .. } => {}
        }
        Ok(None)
    }

    /// What was heard, but for what concerns the screen itself.
    fn hear(&mut self, happening: Option<Happening>) -> Result<Option<Heard>, Left> {
        match happening {
            None | Some(Happening::Gone) => return Err(Exit::Failed.into()),
            Some(Happening::Resized(size)) => self.size = size,
            Some(Happening::Stop) => self.screen.stop(),
            Some(Happening::Continued) => {
                self.size = size();
                self.screen.renew();
            }
            Some(Happening::Paths { .. }) => {}
            Some(Happening::Heard(Heard::Background { is_light })) => self.theme.ground(is_light),
            Some(Happening::Heard(Heard::Press(Press {
                key: Key::Char('c'),
                ctrl: true,
                ..
            }))) => return Err(Exit::Interrupted.into()),
            Some(Happening::Heard(Heard::Press(Press {
                key: Key::Char('z'),
                ctrl: true,
                ..
            }))) => self.screen.stop(),
            Some(Happening::Heard(heard)) => return Ok(Some(heard)),
        }
        Ok(None)
    }

    fn show(&mut self, dialog: Dialog) {
        self.dialog = dialog;
        self.draw();
    }

    fn draw(&self) {
        let drawn = view::opening(&self.dialog, self.words, self.size, &self.theme);
        self.screen.show(Picture {
            buffer: drawn.buffer,
            cursor: drawn.cursor,
            bell: false,
        });
    }
}
