//! What is told of files, in the person's words.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use recado_client::{About, OfferEvent, OfferState};
use recado_proto::id::OfferId;
use recado_proto::text::sanitise_line;

use super::words::{Told, Words};
use crate::files;

/// How often progress is told, where there is no bar to move.
const PROGRESS_TIME: Duration = Duration::from_secs(10);

/// Entries of a folder that are shown with its offer.
const SHOWN: usize = 10;

impl Words {
    /// What is told of an event; nothing of progress, and of what goes without saying.
    pub(crate) fn file(self, event: &OfferEvent) -> Option<Told> {
        let language = self.0;
        Some(match event {
            OfferEvent::Offered {
                about,
                first,
                replayed,
            } => Told::answer(self.offer(about, first, *replayed)),
            OfferEvent::State { about, state } => {
                let text = files::state(language, about, *state)?;
                match state {
                    OfferState::Failed(_) => Told::answer(text),
                    _ => Told::notice(text),
                }
            }
            OfferEvent::Received { about, path, .. } => {
                let (title, peer) = (files::title(language, about), sanitise_line(&about.peer));
                let path = path.display().to_string();
                let arguments = [
                    ("title", title.as_str()),
                    ("peer", &peer),
                    ("path", &sanitise_line(&path)),
                ];
                Told::answer(self.text("file-received", &arguments))
            }
            OfferEvent::Refused {
                refusal, detail, ..
            } => Told::answer(files::refusal(language, *refusal, detail)),
            OfferEvent::Skipped { about, count } => {
                Told::answer(files::skipped(language, about, *count))
            }
            OfferEvent::All(all) if all.is_empty() => Told::answer(self.text("file-none", &[])),
            OfferEvent::All(all) => {
                let lines = all.iter().map(|(about, state)| self.listed(about, *state));
                Told::answer(lines.collect::<Vec<_>>().join("\n"))
            }
            OfferEvent::Progress { .. } => return None,
        })
    }

    /// An offer, and what is in a folder.
    fn offer(self, about: &About, first: &[(String, u64)], replayed: bool) -> String {
        let (title, peer) = (files::title(self.0, about), sanitise_line(&about.peer));
        let number = about.number.to_string();
        let arguments = [
            ("title", title.as_str()),
            ("peer", &peer),
            ("number", &number),
        ];
        let id = match replayed {
            true => "file-offered-before",
            false => "file-offered",
        };
        let mut text = self.text(id, &arguments);
        for (path, bytes) in first.iter().take(SHOWN) {
            let size = self.0.bytes(*bytes);
            text.push_str(&format!("\n    {} ({size})", sanitise_line(path)));
        }
        let more = about.entries.unwrap_or_default();
        let more = more.saturating_sub(first.len().min(SHOWN) as u64);
        if more > 0 {
            text.push_str("\n    ");
            text.push_str(&self.counted("file-more", more, &[]));
        }
        text
    }

    fn listed(self, about: &About, state: OfferState) -> String {
        let (title, peer) = (files::title(self.0, about), sanitise_line(&about.peer));
        let number = about.number.to_string();
        let id = match about.is_own {
            true => "file-listed-own",
            false => "file-listed-theirs",
        };
        let mut word = self.text(&format!("file-word-{}", state.word()), &[]);
        let more = match state {
            OfferState::Running(route) => Some(format!("file-route-{}", route.code())),
            OfferState::Waiting(pause) => Some(format!("file-pause-{}", pause.code())),
            _ => None,
        };
        if let Some(id) = more {
            word = format!("{word}, {}", self.text(&id, &[]));
        }
        let arguments = [
            ("number", number.as_str()),
            ("title", &title),
            ("peer", &peer),
            ("state", &word),
        ];
        self.text(id, &arguments)
    }
}

/// What is told line by line: progress, too, but seldom.
#[derive(Default)]
pub(super) struct FileProgress(BTreeMap<(OfferId, bool), Reached>);

/// How far it was when that was told.
struct Reached {
    at: Instant,
    done: u64,
}

impl FileProgress {
    pub(super) fn event(&mut self, words: Words, event: &OfferEvent) -> Option<Told> {
        match event {
            OfferEvent::Progress { about, done } => {
                return self.progress(words, about, *done).map(Told::notice);
            }
            OfferEvent::State { about, .. } => {
                self.0.remove(&(about.offer, about.is_own));
            }
            _ => {}
        }
        words.file(event)
    }

    fn progress(&mut self, words: Words, about: &About, done: u64) -> Option<String> {
        let at = Instant::now();
        let key = (about.offer, about.is_own);
        let Some(reached) = self.0.get_mut(&key) else {
            self.0.insert(key, Reached { at, done });
            return None;
        };
        let passed = at - reached.at;
        if passed < PROGRESS_TIME {
            return None;
        }
        let rate = done.saturating_sub(reached.done) as f64 / passed.as_secs_f64();
        (reached.at, reached.done) = (at, done);
        let percent = (done as f64 / about.size.max(1) as f64 * 100.0) as u64;
        let title = files::title(words.0, about);
        let rate = words.0.bytes(rate as u64);
        let arguments = [
            ("title", title.as_str()),
            ("percent", &percent.to_string()),
            ("rate", &rate),
        ];
        Some(words.text("file-progress", &arguments))
    }
}
