//! What every command works with: language, folders, the way to a server. And how a command ends.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use etcetera::BaseStrategy;
use recado_client::address::ServerAddress;
use recado_client::home::{Home, HomeError};
use recado_client::trust::{
    Authorities, FirstUse, Given, Notice, Question, TrustError, TrustStore, Trusted, decide,
};
use recado_proto::ticket::TicketSecret;

use crate::cli::{Color, Common};
use crate::i18n::Language;
use crate::{terminal, wording};

/// How the program ends, as scripts see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    /// 0.
    Done,
    /// 1.
    Failed,
    /// 2.
    WrongUse,
    /// 3: trying again may help.
    Unreachable,
    /// 4: do not try again.
    NotTrusted,
    /// 5: name or admission.
    Refused,
    /// 130.
    Interrupted,
}

impl Exit {
    /// The number that scripts see.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::WrongUse => 2,
            Self::Unreachable => 3,
            Self::NotTrusted => 4,
            Self::Refused => 5,
            Self::Interrupted => 130,
        }
    }

    /// From the code that a client's error names.
    pub(crate) fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Done,
            2 => Self::WrongUse,
            3 => Self::Unreachable,
            4 => Self::NotTrusted,
            5 => Self::Refused,
            130 => Self::Interrupted,
            _ => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// What every command works with.
pub(crate) struct Context {
    pub(crate) language: Language,
    pub(crate) common: Common,
    /// The folder that holds `client/` and `server/`.
    pub(crate) home: PathBuf,
}

impl Context {
    /// Finds the folders. Says why if it cannot.
    pub(crate) fn new(common: Common, language: Language) -> Result<Self, Exit> {
        if let Some(lang) = &common.lang
            && Language::parse(lang).is_none()
        {
            terminal::complain(&language.text("error-language", &[("lang", lang)]));
            return Err(Exit::WrongUse);
        }
        let home = match &common.home {
            Some(home) => home.clone(),
            None => match default_home() {
                Some(home) => home,
                None => {
                    terminal::complain(&language.text("error-no-home", &[]));
                    return Err(Exit::Failed);
                }
            },
        };
        Ok(Self {
            language,
            common,
            home,
        })
    }

    /// A text in the person's language.
    pub(crate) fn text(&self, id: &str, arguments: &[(&str, &str)]) -> String {
        self.language.text(id, arguments)
    }

    /// Tells the person something on stderr, unless they want quiet.
    pub(crate) fn notice(&self, text: &str) {
        if !self.common.quiet {
            terminal::tell(text);
        }
    }

    /// Tells of an error on stderr.
    pub(crate) fn complain(&self, text: &str) {
        terminal::complain(&format!("{}{text}", self.text("error-prefix", &[])));
    }

    /// Whether there is a person who can be asked.
    pub(crate) fn is_interactive(&self) -> bool {
        std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// Whether stderr gets colour.
    pub(crate) fn color_on_stderr(&self) -> bool {
        self.has_color(std::io::stderr().is_terminal())
    }

    /// Whether stdout gets colour.
    pub(crate) fn color_on_stdout(&self) -> bool {
        self.has_color(std::io::stdout().is_terminal())
    }

    fn has_color(&self, is_terminal: bool) -> bool {
        match self.common.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                !no_color && is_terminal
            }
        }
    }

    /// The client's folder.
    pub(crate) fn client_home(&self) -> Result<Home, Exit> {
        Home::open(&self.home).map_err(|error| {
            self.complain(&wording::home(self.language, &error));
            Exit::Failed
        })
    }

    /// The same, for whoever examines it.
    pub(crate) fn home_if_usable(&self) -> Result<Home, HomeError> {
        Home::open(&self.home)
    }

    /// The server that was named, or this machine.
    pub(crate) fn named_server(&self) -> Result<ServerAddress, Exit> {
        match &self.common.server {
            Some(address) => Ok(address.clone()),
            None => ServerAddress::new("localhost", None).map_err(|_| Exit::Failed),
        }
    }

    /// What admits a new name, if the server was given by a ticket.
    pub(crate) fn ticket(&self) -> Option<TicketSecret> {
        self.common.server.as_ref()?.ticket().cloned()
    }

    /// The server to use: as given, or the last one used, or this machine.
    pub(crate) fn server_address(&self, store: &TrustStore) -> Result<ServerAddress, Exit> {
        if let Some(address) = &self.common.server {
            return Ok(address.clone());
        }
        if self.is_interactive() {
            match store.last_used() {
                Ok(Some(address)) => {
                    let server = address.to_string();
                    self.notice(&self.text("notice-last-server", &[("server", &server)]));
                    return Ok(address);
                }
                Ok(None) => {}
                Err(error) => {
                    self.complain(&wording::store(self.language, &error));
                    return Err(Exit::Failed);
                }
            }
        }
        self.named_server()
    }

    /// What is known of the server beside its address.
    pub(crate) fn given(&self) -> Given {
        Given {
            fingerprint: self.common.fingerprint,
            authorities: match &self.common.ca {
                Some(path) => Authorities::File(path.clone()),
                None => Authorities::Platform,
            },
        }
    }

    /// Finds the server, and decides whether to trust it. Says why if not.
    pub(crate) async fn trusted(&self, home: &Home) -> Result<Trusted, Exit> {
        let store = TrustStore::new(home.clone());
        let address = self.server_address(&store)?;
        let first_use = if self.common.accept_new {
            FirstUse::AcceptNew
        } else if self.is_interactive() {
            let language = self.language;
            FirstUse::ask(move |question| ask_first_use(language, question))
        } else {
            FirstUse::Refuse
        };
        let decided = self.decide(&store, &address, self.given(), first_use).await;
        let trusted = decided.map_err(|error| {
            self.complain(&wording::trust(self.language, &error));
            Exit::from_code(error.exit_code())
        })?;
        for text in self.trust_notices(&trusted) {
            terminal::tell(&text);
        }
        Ok(trusted)
    }

    /// Decides, and remembers the server as the last one used. Says nothing.
    pub(crate) async fn decide(
        &self,
        store: &TrustStore,
        address: &ServerAddress,
        given: Given,
        first_use: FirstUse,
    ) -> Result<Trusted, TrustError> {
        let trusted = decide(store, address, given, first_use).await?;
        if let Ok(used) = ServerAddress::new(&trusted.host, Some(trusted.port)) {
            // Without it the server is named the next time.
            let _ = store.set_last_used(&used);
        }
        Ok(trusted)
    }

    /// What a person should be told about a server that is trusted.
    pub(crate) fn trust_notices(&self, trusted: &Trusted) -> Vec<String> {
        let is_told = |notice: &&Notice| match notice {
            // A clock that is wrong is said also to those who want quiet.
            Notice::Dates(_) => true,
            Notice::LoopbackAccepted { .. }
            | Notice::NewAccepted { .. }
            | Notice::Vouched { .. } => !self.common.quiet,
        };
        let notices = trusted.notices.iter().filter(is_told);
        notices
            .map(|notice| wording::trust_notice(self.language, notice, trusted))
            .collect()
    }
}

/// The folder for recado's own data where none is named: the platform's, and `recado` in it.
pub(crate) fn default_home() -> Option<PathBuf> {
    let base = etcetera::choose_base_strategy().ok()?;
    Some(base.data_dir().join("recado"))
}

/// Shows the fingerprint of an unknown server, and takes yes or no.
async fn ask_first_use(language: Language, question: Question) -> bool {
    let fingerprint = question.fingerprint.to_string();
    let server = question.server.as_str();
    let mut text = language.text(
        "trust-question",
        &[("server", server), ("fingerprint", &fingerprint)],
    );
    if !question.known_as.is_empty() {
        let known = question.known_as.join(", ");
        text.push('\n');
        text.push_str(&language.text("trust-question-known", &[("servers", &known)]));
    }
    text.push('\n');
    text.push_str(&language.text("trust-question-answer", &[]));
    text.push(' ');
    let answer = tokio::task::spawn_blocking(move || {
        let mut stderr = std::io::stderr();
        stderr.write_all(text.as_bytes()).ok()?;
        stderr.flush().ok()?;
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).ok()?;
        Some(language.is_yes(&line))
    });
    matches!(answer.await, Ok(Some(true)))
}
