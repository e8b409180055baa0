//! What is told of files, line by line.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use recado_client::{About, FileCommand, OfferEvent, OfferState};
use recado_proto::id::OfferId;
use recado_proto::text::sanitise_line;

use crate::context::Context;
use crate::{files, terminal};

/// How often progress is told, where there is no bar to move.
const PROGRESS_TIME: Duration = Duration::from_secs(10);

/// Entries of a folder that are shown with its offer.
const SHOWN: usize = 10;

/// Offers, as commands: one for each path that was typed.
pub(super) fn offers(to: &str, paths: &str) -> Vec<FileCommand> {
    let paths = files::paths(paths).into_iter();
    let offer = |path| FileCommand::Offer {
        to: to.to_owned(),
        path,
        reference: None,
    };
    paths.map(offer).collect()
}

/// The words, and what was told when.
#[derive(Default)]
pub(super) struct FileWords {
    progress: BTreeMap<(OfferId, bool), Told>,
}

struct Told {
    at: Instant,
    done: u64,
}

impl FileWords {
    pub(super) fn event(&mut self, context: &Context, event: &OfferEvent) {
        let language = context.language;
        match event {
            OfferEvent::Offered {
                about,
                first,
                replayed,
            } => {
                let (title, peer) = (files::title(language, about), sanitise_line(&about.peer));
                let number = about.number.to_string();
                let arguments = [
                    ("title", title.as_str()),
                    ("peer", &peer),
                    ("number", &number),
                ];
                let mut text = context.text(
                    match replayed {
                        true => "file-offered-before",
                        false => "file-offered",
                    },
                    &arguments,
                );
                for (path, bytes) in first.iter().take(SHOWN) {
                    let size = files::size(language, *bytes);
                    text.push_str(&format!("\n    {} ({size})", sanitise_line(path)));
                }
                let more = about.entries.unwrap_or_default();
                let more = more.saturating_sub(first.len().min(SHOWN) as u64);
                if more > 0 {
                    let more = more.to_string();
                    text.push_str("\n    ");
                    text.push_str(&context.text("file-more", &[("count", &more)]));
                }
                terminal::tell(&text);
            }
            OfferEvent::State { about, state } => {
                self.progress.remove(&(about.offer, about.is_own));
                if let Some(text) = files::state(language, about, *state) {
                    match state {
                        OfferState::Failed(_) => terminal::tell(&text),
                        _ => context.notice(&text),
                    }
                }
            }
            OfferEvent::Progress { about, done } => self.progress(context, about, *done),
            OfferEvent::Received { about, path, .. } => {
                let (title, peer) = (files::title(language, about), sanitise_line(&about.peer));
                let path = path.display().to_string();
                terminal::tell(&context.text(
                    "file-received",
                    &[("title", &title), ("peer", &peer), ("path", &path)],
                ));
            }
            OfferEvent::Refused {
                refusal, detail, ..
            } => terminal::tell(&files::refusal(language, *refusal, detail)),
            OfferEvent::Skipped { about, count } => {
                let (title, count) = (files::title(language, about), count.to_string());
                terminal::tell(
                    &context.text("file-skipped", &[("title", &title), ("count", &count)]),
                );
            }
            OfferEvent::All(all) => {
                if all.is_empty() {
                    terminal::tell(&context.text("file-none", &[]));
                }
                for (about, state) in all {
                    let (title, peer) = (files::title(language, about), sanitise_line(&about.peer));
                    let number = about.number.to_string();
                    let id = match about.is_own {
                        true => "file-listed-own",
                        false => "file-listed-theirs",
                    };
                    let word = context.text(&format!("file-word-{}", state.word()), &[]);
                    terminal::tell(&context.text(
                        id,
                        &[
                            ("number", &number),
                            ("title", &title),
                            ("peer", &peer),
                            ("state", &word),
                        ],
                    ));
                }
            }
        }
    }

    fn progress(&mut self, context: &Context, about: &About, done: u64) {
        let at = Instant::now();
        let key = (about.offer, about.is_own);
        let Some(told) = self.progress.get_mut(&key) else {
            self.progress.insert(key, Told { at, done });
            return;
        };
        let passed = at - told.at;
        if passed < PROGRESS_TIME {
            return;
        }
        let rate = done.saturating_sub(told.done) as f64 / passed.as_secs_f64();
        (told.at, told.done) = (at, done);
        let percent = (done as f64 / about.size.max(1) as f64 * 100.0) as u64;
        let title = files::title(context.language, about);
        let rate = files::size(context.language, rate as u64);
        context.notice(&context.text(
            "file-progress",
            &[
                ("title", &title),
                ("percent", &percent.to_string()),
                ("rate", &rate),
            ],
        ));
    }
}
