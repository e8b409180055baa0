//! Whoever operates a server: which one, and how it is asked and told.

use std::path::{Path, PathBuf};

use recado_server::admin_client::{self, CallError};
use recado_server::admin_protocol::{Refusal, Request};
use serde::Serialize;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::cli::{Operating, OutputFormat};
use crate::context::{Context, Exit};
use crate::{terminal, wording};

/// The data folder of a server that runs as a service.
const SERVICE_FOLDER: &str = "/var/lib/recado";

/// What the commands work with.
pub(crate) struct Operator<'a> {
    pub(crate) context: &'a Context,
    pub(crate) folder: PathBuf,
    pub(crate) output: OutputFormat,
}

impl<'a> Operator<'a> {
    pub(crate) fn new(context: &'a Context, operating: Operating) -> Self {
        let folder = match operating.data_dir {
            Some(folder) => folder,
            None => data_folder(context),
        };
        Self {
            context,
            folder,
            output: operating.output,
        }
    }

    /// Asks the server. Says why there is no answer.
    pub(crate) async fn ask<T>(&self, request: Request) -> Result<T, Exit>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let folder = self.folder.clone();
        let asked = tokio::task::spawn_blocking(move || admin_client::call(&folder, &request));
        match asked.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.complain(&error)),
            // A panic has been told by itself.
            Err(_) => Err(Exit::Failed),
        }
    }

    fn complain(&self, error: &CallError) -> Exit {
        let context = self.context;
        let folder = |id: &str, folder: &Path| {
            context.text(id, &[("folder", &folder.display().to_string())])
        };
        let (text, exit) = match error {
            CallError::NoServer { folder: at } => {
                (folder("admin-no-server", at), Exit::Unreachable)
            }
            CallError::NotAllowed { folder: at } => (folder("admin-not-allowed", at), Exit::Failed),
            CallError::NotHere => (context.text("admin-not-here", &[]), Exit::Failed),
            CallError::Broken { .. } => (wording::chain(error), Exit::Failed),
            CallError::Refused(refusal) => self.refusal(refusal),
        };
        context.complain(&text);
        exit
    }

    /// Why the server did nothing.
    fn refusal(&self, refusal: &Refusal) -> (String, Exit) {
        let id = format!("admin-refused-{}", refusal.error);
        let detail = recado_proto::text::sanitise_line(&refusal.detail);
        let language = self.context.language;
        let text = match language.has(&id) {
            true => language.text(&id, &[("detail", &detail)]),
            // A later server may know more reasons.
            false => detail.into_owned(),
        };
        let exit = match refusal.error.as_str() {
            "bad-request" | "not-a-name" | "not-a-key" | "not-a-network" | "no-such-limit"
            | "out-of-range" => Exit::WrongUse,
            _ => Exit::Failed,
        };
        (text, exit)
    }

    /// Writes a line to stdout: an object for programs, or words.
    pub(crate) fn say(&self, object: &impl Serialize, words: impl FnOnce() -> String) {
        let line = match self.output {
            OutputFormat::Json => serde_json::to_string(object).unwrap_or_default(),
            OutputFormat::Text => words(),
        };
        // Nobody reading any more is no failure of what was asked.
        let _ = terminal::say(&line);
    }

    /// Tells that something is done: programs by the answer, people in words.
    pub(crate) fn done(&self, answer: &impl Serialize, id: &str, arguments: &[(&str, &str)]) {
        match self.output {
            OutputFormat::Json => self.say(answer, String::new),
            OutputFormat::Text => self.context.notice(&self.context.text(id, arguments)),
        }
    }
}

/// The data folder of the server on this machine that is meant where none was named.
pub(crate) fn data_folder(context: &Context) -> PathBuf {
    find(&context.home.join("server"), Path::new(SERVICE_FOLDER))
}

/// The folder that is meant where none was named: of the server that runs; else one that is there; one's own first.
fn find(own: &Path, service: &Path) -> PathBuf {
    let folders = [own, service];
    let served = folders
        .iter()
        .find(|folder| admin_client::is_served(folder));
    let there = || folders.iter().find(|folder| folder.is_dir());
    served.or_else(there).unwrap_or(&own).to_path_buf()
}

/// RFC 3339, UTC.
pub(crate) fn time_text(unix_seconds: u64) -> Option<String> {
    let seconds = i64::try_from(unix_seconds).ok()?;
    let moment = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
    moment.format(&Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_s_own_folder_comes_first_and_the_service_s_where_there_is_no_other() {
        let home = tempfile::tempdir().unwrap();
        let (own, service) = (home.path().join("own"), home.path().join("service"));
        assert_eq!(find(&own, &service), own);
        std::fs::create_dir(&service).unwrap();
        assert_eq!(find(&own, &service), service);
        std::fs::create_dir(&own).unwrap();
        assert_eq!(find(&own, &service), own);
        std::fs::create_dir(service.join("admin")).unwrap();
        std::fs::write(service.join("admin/socket"), "").unwrap();
        assert_eq!(find(&own, &service), service);
    }
}
