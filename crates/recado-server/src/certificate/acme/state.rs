//! What is remembered between runs, each part before it is used: a restart neither makes a second account nor a
//! second order, nor does it ask sooner than it may.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::data_folder::DataFolder;

/// The file in the data folder. It holds keys: its owner alone can read it.
const FILE: &str = "acme.json";

/// The wait after the first failure; each further one doubles it. So within an hour there are four attempts, and
/// Let's Encrypt allows five failed ones of a name.
const FIRST_WAIT: Duration = Duration::minutes(5);

/// The longest wait: a certificate is renewed with a third of its life left, which for the usual 90 days is 30.
const LONGEST_WAIT: Duration = Duration::hours(24);

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct State {
    /// The CA's directory. Nothing that follows means anything to another.
    pub(super) directory: String,
    /// The account's key (PKCS #8, base64), made before there is an account.
    pub(super) account_key: Option<String>,
    /// The account, as instant-acme writes it.
    pub(super) account: Option<serde_json::Value>,
    pub(super) order: Option<OpenOrder>,
    pub(super) issued: Option<Issued>,
    /// Attempts that have failed since the last that did not.
    #[serde(default)]
    pub(super) failures: u32,
    /// Seconds since 1970 before which there is no further attempt.
    #[serde(default)]
    pub(super) not_before: i64,
    /// What was asked for when an attempt failed last. Another question need not wait.
    #[serde(default)]
    failed_names: Vec<String>,
}

/// An order that was placed, with the key that its certificate will be for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct OpenOrder {
    pub(super) names: Vec<String>,
    pub(super) url: String,
    pub(super) key_pem: String,
}

/// A certificate as it came.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Issued {
    pub(super) names: Vec<String>,
    pub(super) chain_pem: String,
    pub(super) key_pem: String,
}

impl State {
    /// What is remembered for this CA. A file that cannot be understood is put aside: what it held can be had again.
    pub(super) fn load(folder: &DataFolder, directory: &str) -> std::io::Result<Self> {
        let remembered = folder.read(FILE)?.and_then(|text| {
            let state: Result<Self, _> = serde_json::from_str(&text);
            state
                .inspect_err(|error| tracing::warn!(%error, "{FILE} is damaged and is begun anew"))
                .ok()
        });
        Ok(remembered
            .filter(|state| state.directory == directory)
            .unwrap_or_else(|| Self {
                directory: directory.to_owned(),
                ..Self::default()
            }))
    }

    pub(super) fn save(&self, folder: &Arc<DataFolder>) -> std::io::Result<()> {
        folder.write(FILE, &serde_json::to_string(self)?)
    }

    /// When an attempt for these names may be made.
    pub(super) fn may_ask_at(&self, names: &[String]) -> OffsetDateTime {
        if self.failures == 0 || self.failed_names != names {
            return OffsetDateTime::UNIX_EPOCH;
        }
        OffsetDateTime::from_unix_timestamp(self.not_before).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// Notes a failure, and when the next attempt may be made; `asked` is how long the CA wants to be left alone.
    pub(super) fn fail(
        &mut self,
        names: &[String],
        now: OffsetDateTime,
        asked: Duration,
    ) -> OffsetDateTime {
        if self.failed_names != names {
            self.failures = 0;
            self.failed_names = names.to_vec();
        }
        let doublings = self.failures.min(16);
        self.failures += 1;
        let wait = (FIRST_WAIT * 2_i32.pow(doublings))
            .min(LONGEST_WAIT)
            .max(asked);
        let next = now + wait;
        self.not_before = next.unix_timestamp();
        next
    }

    /// Notes a success.
    pub(super) fn succeed(&mut self, issued: Issued) {
        self.order = None;
        self.issued = Some(issued);
        self.failures = 0;
        self.failed_names.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_another_question_does_not_wait() {
        let now = OffsetDateTime::now_utc().replace_nanosecond(0).unwrap();
        let names = ["a.example".to_owned()];
        let mut state = State::default();
        assert!(state.may_ask_at(&names) < now);
        for minutes in [5, 10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440] {
            let next = state.fail(&names, now, Duration::ZERO);
            assert_eq!(next - now, Duration::minutes(minutes));
            assert_eq!(state.may_ask_at(&names), next);
        }
        assert!(state.may_ask_at(&["b.example".to_owned()]) < now);
        let next = state.fail(&["b.example".to_owned()], now, Duration::hours(30));
        assert_eq!(
            next - now,
            Duration::hours(30),
            "the CA's own word counts more"
        );
    }

    #[test]
    fn another_directory_and_damage_begin_anew() {
        let home = tempfile::tempdir().unwrap();
        let folder = Arc::new(DataFolder::open(&home.path().join("data")).unwrap());
        let mut state = State::load(&folder, "https://ca.example/a").unwrap();
        state.account_key = Some("key".to_owned());
        state.save(&folder).unwrap();
        let again = State::load(&folder, "https://ca.example/a").unwrap();
        assert_eq!(again.account_key.as_deref(), Some("key"));
        let other = State::load(&folder, "https://ca.example/b").unwrap();
        assert_eq!(other.account_key, None);
        folder.write(FILE, "{").unwrap();
        let damaged = State::load(&folder, "https://ca.example/a").unwrap();
        assert_eq!(damaged.account_key, None);
    }
}
