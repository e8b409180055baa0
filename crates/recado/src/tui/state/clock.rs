//! Times as the person's own clock and calendar show them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The clock of where the person is.
#[derive(Clone, Debug)]
pub(in crate::tui) struct Clock {
    zone: TimeZone,
    /// The wall clock, in milliseconds since 1970.
    now: fn() -> i64,
}

/// A time on it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(in crate::tui) struct Moment {
    pub(in crate::tui) day: Day,
    pub(in crate::tui) hour: i8,
    pub(in crate::tui) minute: i8,
}

/// A day of the calendar.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(in crate::tui) struct Day {
    pub(in crate::tui) year: i16,
    pub(in crate::tui) month: i8,
    pub(in crate::tui) day: i8,
    /// From Monday, 1, to Sunday, 7.
    pub(in crate::tui) weekday: i8,
}

impl Clock {
    /// Of this machine: its `TZ`, else its setting.
    pub(in crate::tui) fn of_machine() -> Self {
        Self {
            zone: TimeZone::system(),
            now: crate::chat::now_ms,
        }
    }

    /// One that stands still, in Greenwich.
    #[cfg(test)]
    pub(in crate::tui) fn standing(now: fn() -> i64) -> Self {
        let zone = TimeZone::UTC;
        Self { zone, now }
    }

    /// The time. It decides nothing but what is shown.
    pub(in crate::tui) fn now(&self) -> i64 {
        (self.now)()
    }

    /// A time in milliseconds since 1970. What no calendar has, as a hostile clock may send, is shown as 1970.
    pub(in crate::tui) fn at(&self, ms: i64) -> Moment {
        let timestamp = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
        let zoned = timestamp.to_zoned(self.zone.clone());
        Moment {
            day: Day {
                year: zoned.year(),
                month: zoned.month(),
                day: zoned.day(),
                weekday: zoned.weekday().to_monday_one_offset(),
            },
            hour: zoned.hour(),
            minute: zoned.minute(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_of_the_calendar_whatever_was_sent() {
        let clock = Clock::standing(|| 0);
        let moment = clock.at(1_795_219_200_123);
        let day = Day {
            year: 2026,
            month: 11,
            day: 21,
            weekday: 6,
        };
        assert_eq!((moment.day, moment.hour, moment.minute), (day, 0, 0));
        for hostile in [i64::MIN, i64::MAX] {
            assert_eq!(clock.at(hostile).day.year, 1970);
        }
        let east = Clock {
            zone: TimeZone::fixed(jiff::tz::offset(14)),
            now: || 0,
        };
        for hostile in [
            i64::MIN,
            i64::MAX,
            253_402_207_199_999,
            -377_705_023_201_000,
        ] {
            east.at(hostile);
        }
    }
}
