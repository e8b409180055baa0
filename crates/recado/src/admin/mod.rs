//! `recado admin`: operating a server of this machine.

mod limits;
mod operator;

use std::path::PathBuf;

use recado_proto::text::sanitise_line;
use recado_server::admin_protocol::{
    BackedUp, BanLifted, BanLine, BanSet, Bans, Mutes, People, PersonLine, PersonName, Released,
    Request, Stats, Target,
};
use serde::Serialize;

use crate::cli::{self, AdminCommand, OutputFormat, Who, Whom};
use crate::context::{Context, Exit};
use crate::{terminal, wording};
pub(crate) use operator::Operator;

/// Does what is asked.
pub(crate) async fn run(context: &Context, arguments: cli::Admin) -> Exit {
    let operator = Operator::new(context, arguments.operating);
    let done = match arguments.command {
        AdminCommand::List { here } => list(&operator, here).await,
        AdminCommand::Kick(who) => kick(&operator, who).await,
        AdminCommand::Ban(whom) => ban(&operator, whom).await,
        AdminCommand::Unban(whom) => unban(&operator, whom).await,
        AdminCommand::Bans => bans(&operator).await,
        AdminCommand::Mute(who) => mute(&operator, who).await,
        AdminCommand::Unmute(who) => unmute(&operator, who).await,
        AdminCommand::Mutes => mutes(&operator).await,
        AdminCommand::Release { name } => release(&operator, name).await,
        AdminCommand::Limits { limit, value } => limits::run(&operator, limit, value).await,
        AdminCommand::Stats => stats(&operator).await,
        AdminCommand::Backup { file } => back_up(&operator, file).await,
        AdminCommand::Restore { file } => restore(&operator, file).await,
    };
    match done {
        Ok(()) => Exit::Done,
        Err(exit) => exit,
    }
}

/// A line each: `NAME KEY here ADDRESS udp|tcp` or `NAME KEY away - -`, and then `banned` and `muted` where they are.
async fn list(operator: &Operator<'_>, here: bool) -> Result<(), Exit> {
    let mut after = String::new();
    loop {
        let page: People = operator.ask(Request::List { here, after }).await?;
        for person in &page.people {
            operator.say(person, || person_line(person));
        }
        match page.next {
            Some(next) => after = next,
            None => return Ok(()),
        }
    }
}

fn person_line(person: &PersonLine) -> String {
    let standing = match &person.session {
        Some(session) => format!("here {} {}", session.address, session.link),
        None => "away - -".to_owned(),
    };
    let mut line = format!("{} {} {standing}", person.name, person.key);
    for (is_so, word) in [(person.banned, " banned"), (person.muted, " muted")] {
        if is_so {
            line.push_str(word);
        }
    }
    line
}

async fn kick(operator: &Operator<'_>, who: Who) -> Result<(), Exit> {
    let kicked: PersonName = operator.ask(Request::Kick(target(who))).await?;
    operator.done(&kicked, "admin-kicked", &[("name", &shown(&kicked))]);
    Ok(())
}

async fn ban(operator: &Operator<'_>, whom: Whom) -> Result<(), Exit> {
    let set: BanSet = operator.ask(Request::Ban(target_of_ban(whom))).await?;
    let (ended, dropped) = (set.ended.to_string(), set.dropped.to_string());
    let arguments = [
        ("what", banned(&set.ban)),
        ("ended", ended),
        ("dropped", dropped),
    ];
    let arguments = arguments.each_ref().map(|(id, text)| (*id, text.as_str()));
    let is_nobody_s = set.ban.key.is_none() && set.ban.address.is_none();
    match is_nobody_s {
        // It may be a slip.
        true => operator.done(&set, "admin-banned-name", &arguments[..1]),
        false => operator.done(&set, "admin-banned", &arguments),
    }
    Ok(())
}

async fn unban(operator: &Operator<'_>, whom: Whom) -> Result<(), Exit> {
    let lifted: BanLifted = operator.ask(Request::Unban(target_of_ban(whom))).await?;
    operator.done(&lifted, "admin-unbanned", &[("what", &banned(&lifted.ban))]);
    Ok(())
}

/// A line each: `key KEY NAME SINCE`, `name - NAME SINCE` or `address ADDR/BITS - SINCE`.
async fn bans(operator: &Operator<'_>) -> Result<(), Exit> {
    let Bans { bans } = operator.ask(Request::Bans {}).await?;
    for ban in &bans {
        operator.say(ban, || {
            let (kind, what) = match (&ban.key, &ban.address) {
                (Some(key), _) => ("key", key.as_str()),
                (None, Some(address)) => ("address", address.as_str()),
                (None, None) => ("name", "-"),
            };
            let name = ban.name.as_deref().unwrap_or("-");
            let since = ban.since.as_deref().unwrap_or("-");
            format!("{kind} {what} {name} {since}")
        });
    }
    Ok(())
}

async fn mute(operator: &Operator<'_>, who: Who) -> Result<(), Exit> {
    let muted: PersonName = operator.ask(Request::Mute(target(who))).await?;
    operator.done(&muted, "admin-muted", &[("name", &shown(&muted))]);
    Ok(())
}

async fn unmute(operator: &Operator<'_>, who: Who) -> Result<(), Exit> {
    let unmuted: PersonName = operator.ask(Request::Unmute(target(who))).await?;
    operator.done(&unmuted, "admin-unmuted", &[("name", &shown(&unmuted))]);
    Ok(())
}

/// A line each: `KEY NAME SINCE`.
async fn mutes(operator: &Operator<'_>) -> Result<(), Exit> {
    let Mutes { mutes } = operator.ask(Request::Mutes {}).await?;
    for mute in &mutes {
        operator.say(mute, || {
            let name = if mute.name.is_empty() {
                "-"
            } else {
                &mute.name
            };
            format!("{} {name} {}", mute.key, mute.since)
        });
    }
    Ok(())
}

async fn release(operator: &Operator<'_>, name: String) -> Result<(), Exit> {
    let released: Released = operator.ask(Request::Release { name }).await?;
    let dropped = released.dropped.to_string();
    let arguments = [("name", released.name.as_str()), ("dropped", &dropped)];
    operator.done(&released, "admin-released", &arguments);
    Ok(())
}

/// A line each: what is counted, and how much of it there is.
async fn stats(operator: &Operator<'_>) -> Result<(), Exit> {
    let stats: Stats = operator.ask(Request::Stats {}).await?;
    if operator.output == OutputFormat::Json {
        operator.say(&stats, String::new);
        return Ok(());
    }
    if let Ok(serde_json::Value::Object(members)) = serde_json::to_value(&stats) {
        for (name, value) in members {
            let value = match value {
                serde_json::Value::String(text) => text,
                other => other.to_string(),
            };
            let _ = terminal::say(&format!("{name} {value}"));
        }
    }
    Ok(())
}

async fn back_up(operator: &Operator<'_>, file: PathBuf) -> Result<(), Exit> {
    let made = operator.back_up(file).await?;
    let arguments = [("path", made.path.as_str())];
    operator.done(&made, "admin-backed-up", &arguments);
    Ok(())
}

/// What `--output json` tells of a restore.
#[derive(Serialize)]
struct RestoredLine {
    folder: String,
    replaced: Option<String>,
    has_identity: bool,
    made_at: Option<String>,
}

async fn restore(operator: &Operator<'_>, file: PathBuf) -> Result<(), Exit> {
    let context = operator.context;
    let folder = operator.folder.clone();
    let restored = tokio::task::spawn_blocking(move || recado_server::restore(&folder, &file));
    let restored = match restored.await {
        Ok(Ok(restored)) => restored,
        Ok(Err(error)) => {
            context.complain(&wording::chain(&error));
            return Err(Exit::Failed);
        }
        // A panic has been told by itself.
        Err(_) => return Err(Exit::Failed),
    };
    let folder = restored.folder.display().to_string();
    let replaced = restored.replaced.map(|path| path.display().to_string());
    let line = RestoredLine {
        made_at: restored.made_at.and_then(operator::time_text),
        folder: folder.clone(),
        replaced: replaced.clone(),
        has_identity: restored.has_identity,
    };
    let made_at = line.made_at.clone().unwrap_or_else(|| "?".to_owned());
    let arguments = [("folder", folder.as_str()), ("date", &made_at)];
    operator.done(&line, "admin-restored", &arguments);
    if let Some(replaced) = &replaced {
        context.notice(&context.text("admin-replaced", &[("path", replaced)]));
    }
    Ok(())
}

fn target(who: Who) -> Target {
    let Who { name, key } = who;
    let address = None;
    Target { name, key, address }
}

fn target_of_ban(whom: Whom) -> Target {
    let Whom { name, key, address } = whom;
    Target { name, key, address }
}

/// Someone as people call them.
fn shown(person: &PersonName) -> String {
    let name = match person.name.as_str() {
        "" => &person.key,
        name => name,
    };
    sanitise_line(name).into_owned()
}

/// What is banned, as people call it.
fn banned(ban: &BanLine) -> String {
    let what = ban.name.as_ref().or(ban.key.as_ref());
    let what = what.or(ban.address.as_ref());
    what.map_or_else(String::new, |what| sanitise_line(what).into_owned())
}

impl Operator<'_> {
    /// Has the server make a backup; or, where none runs, makes it.
    async fn back_up(&self, file: PathBuf) -> Result<BackedUp, Exit> {
        let path = std::path::absolute(&file).unwrap_or(file);
        let request = Request::Backup {
            path: path.display().to_string(),
        };
        if recado_server::admin_client::is_served(&self.folder) {
            return self.ask(request).await;
        }
        let (folder, target) = (self.folder.clone(), path.clone());
        let made =
            tokio::task::spawn_blocking(move || recado_server::back_up_offline(&folder, &target));
        match made.await {
            Ok(Ok(bytes)) => Ok(BackedUp {
                path: path.display().to_string(),
                bytes,
            }),
            Ok(Err(error)) => {
                self.context.complain(&wording::chain(&error));
                Err(Exit::Failed)
            }
            Err(_) => Err(Exit::Failed),
        }
    }
}
