//! The days of the logs: their dates and their numbers of events. All times are UTC.
//!
//! Invariant: the numbers of events of all days add up to the events of the spec.

use crate::sample::SampleSpec;
use crate::sample::random::{Random, Stream};

/// 2018-11-01, a Thursday, in days since 1970-01-01.
const FIRST_DAY: u64 = 17_836;
const DAY_MS: u64 = 86_400_000;
/// The relative number of events on each day of the week, from Thursday on.
const WEEK: [u64; 7] = [110, 112, 62, 52, 96, 92, 118];

/// A day of the proleptic Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date {
    pub year: u64,
    pub month: u64,
    pub day: u64,
}

/// The number of events before each day, and the total.
pub(super) struct Calendar {
    /// Has one more element than there are days.
    starts: Vec<u64>,
}

impl Calendar {
    pub(super) fn new(spec: &SampleSpec) -> Self {
        let mut busyness = vec![0_u128];
        let mut sum = 0_u128;
        for (day, week_day) in (0..spec.days).zip(WEEK.iter().cycle()) {
            // Between 100 % and 149 % of the weight of the day.
            let share = week_day * (100 + Random::new(spec.seed, Stream::DayShare, u64::from(day)).below(50));
            sum += u128::from(share);
            busyness.push(sum);
        }
        let share = |before: u128| u128::from(spec.events) * before / sum.max(1);
        Self {
            starts: busyness.into_iter().map(|before| u64::try_from(share(before)).unwrap_or(spec.events)).collect(),
        }
    }

    /// The number of events of a day.
    pub(super) fn events(&self, day: u32) -> u64 {
        let place = day as usize;
        match (self.starts.get(place), self.starts.get(place + 1)) {
            (Some(start), Some(end)) => end - start,
            _ => 0,
        }
    }
}

/// The midnight at which a day of the log starts, in milliseconds.
pub(super) fn midnight(day: u32) -> u64 {
    (FIRST_DAY + u64::from(day)) * DAY_MS
}

/// The date of a day of the log.
pub(super) fn date(day: u32) -> Date {
    // Years begin in March, so that the leap day is the last day. There are 719,468 days from 0000-03-01 to 1970-01-01.
    let days = FIRST_DAY + u64::from(day) + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    Date { year: era * 400 + year_of_era + u64::from(month <= 2), month, day }
}

#[cfg(test)]
mod tests {
    use super::{Calendar, Date, date, midnight};
    use crate::sample::SampleSpec;
    use crate::sample::spec::MAX_DAYS;

    #[test]
    fn dates_follow_the_calendar() {
        let expected = [
            (0, 2018, 11, 1),
            (29, 2018, 11, 30),
            (30, 2018, 12, 1),
            (61, 2019, 1, 1),
            (485, 2020, 2, 29),
            (486, 2020, 3, 1),
            (MAX_DAYS - 1, 2099, 12, 31),
        ];
        for (number, year, month, day) in expected {
            assert_eq!(date(number), Date { year, month, day });
        }
        assert_eq!(midnight(0), 1_541_030_400_000);
    }

    #[test]
    fn shares_add_up() {
        for events in [0, 1, 7, 29, 20_000, u64::MAX / 1000] {
            for days in [1, 2, 30, 400] {
                let spec = SampleSpec { events, days, ..SampleSpec::default() };
                let calendar = Calendar::new(&spec);
                assert_eq!((0..days).map(|day| calendar.events(day)).sum::<u64>(), events);
            }
        }
    }
}
