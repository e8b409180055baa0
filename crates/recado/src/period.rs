//! Lengths of time as operators write them: `90s`, `30m`, `12h`, `7d`, `2w`.

use std::fmt;
use std::str::FromStr;

/// A length of time, in whole seconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Period(u64);

/// Units and their seconds, from the longest.
const UNITS: [(char, u64); 5] = [
    ('w', 7 * 24 * 60 * 60),
    ('d', 24 * 60 * 60),
    ('h', 60 * 60),
    ('m', 60),
    ('s', 1),
];

impl Period {
    /// So many seconds.
    pub(crate) fn from_seconds(seconds: u64) -> Self {
        Self(seconds)
    }

    pub(crate) fn seconds(self) -> u64 {
        self.0
    }
}

/// In the longest unit that leaves nothing over, but no weeks: `30d` is what people write.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut units = UNITS.iter().skip(1);
        let whole = units.find(|(_, seconds)| self.0.is_multiple_of(*seconds) && self.0 > 0);
        let (unit, seconds) = whole.copied().unwrap_or(('s', 1));
        write!(f, "{}{unit}", self.0 / seconds)
    }
}

/// What is no length of time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("write a number and s, m, h, d or w, as in 12h or 7d")]
pub(crate) struct NotAPeriod;

impl FromStr for Period {
    type Err = NotAPeriod;

    fn from_str(text: &str) -> Result<Self, NotAPeriod> {
        let unit = text.chars().next_back().ok_or(NotAPeriod)?;
        let found = UNITS.iter().find(|(name, _)| *name == unit);
        let (_, seconds) = found.ok_or(NotAPeriod)?;
        let digits = text.strip_suffix(unit).ok_or(NotAPeriod)?;
        // A sign is no digit, though it parses.
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotAPeriod);
        }
        let count: u64 = digits.parse().map_err(|_| NotAPeriod)?;
        count.checked_mul(*seconds).map(Self).ok_or(NotAPeriod)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_read_and_written() {
        for (text, seconds, written) in [
            ("90s", 90, "90s"),
            ("0s", 0, "0s"),
            ("30m", 1_800, "30m"),
            ("24h", 86_400, "1d"),
            ("2w", 1_209_600, "14d"),
            ("36h", 129_600, "36h"),
        ] {
            let period: Period = text.parse().unwrap();
            assert_eq!(period, Period::from_seconds(seconds), "{text}");
            assert_eq!(period.to_string(), written);
        }
        for wrong in [
            "",
            "7",
            "d",
            "-7d",
            "+7d",
            "7 d",
            "7D",
            "1.5h",
            "9é",
            "99999999999999999999w",
        ] {
            assert_eq!(wrong.parse::<Period>(), Err(NotAPeriod), "{wrong}");
        }
    }
}
