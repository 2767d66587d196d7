//! The users: their names and properties, and their level on a given day.
//!
//! Invariant: a user is a pure function of the seed and the user's number, so any day can be generated without the days
//! before it. The level at the end of a day is the level at the start of the next day.

use crate::sample::random::{Random, Stream};
use crate::sample::words::Words;

/// The earliest registration, 2018-07-01T00:00:00Z, in milliseconds since 1970.
const FIRST_REGISTRATION: u64 = 1_530_403_200_000;
/// The last registration is before the first event.
const REGISTRATION_SPAN: u64 = 122 * 86_400_000;

/// The source of all users.
pub(super) struct People<'w> {
    words: &'w Words,
    seed: u64,
    users: u64,
    days: u32,
    stride: u64,
}

/// The user's values in events.
#[derive(Clone, Copy)]
pub(super) struct User<'w> {
    pub number: u64,
    pub first_name: &'static str,
    pub last_name: &'static str,
    pub gender: u8,
    pub metro: &'static str,
    /// The user agent, escaped for a JSON string.
    pub escaped_agent: &'w str,
    pub registration: u64,
    starts_paid: bool,
    /// The days on which the level changes.
    changes: [Option<u32>; 2],
}

impl User<'_> {
    /// The level before the first event of a day.
    pub(super) fn pays_at_start_of(&self, day: u32) -> bool {
        let changed = self.changes.iter().flatten().filter(|&&change| change < day).count();
        self.starts_paid ^ (changed % 2 == 1)
    }

    /// Whether the user changes the level on that day.
    pub(super) fn changes_on(&self, day: u32) -> bool {
        self.pays_at_start_of(day) != self.pays_at_start_of(day.saturating_add(1))
    }
}

impl<'w> People<'w> {
    pub(super) fn new(words: &'w Words, seed: u64, users: u32, days: u32) -> Self {
        let users = u64::from(users);
        let start = Random::new(seed, Stream::User, u64::MAX).below(users);
        // The last candidate is one more than a multiple of the number of users, so there is always a match.
        let stride = (start..=users + 1).find(|&stride| greatest_common_divisor(stride, users) == 1).unwrap_or(1);
        Self { words, seed, users, days, stride }
    }

    /// The number of a random user, from 1 on. Active users are drawn more often.
    pub(super) const fn draw(&self, random: &mut Random) -> u64 {
        // The ranks are scattered over all numbers, because the most active users are not the oldest ones.
        random.rank(self.users, 4) * self.stride % self.users + 1
    }

    pub(super) fn user(&self, number: u64) -> User<'w> {
        let words = self.words;
        let mut random = Random::new(self.seed, Stream::User, number);
        let is_woman = random.percent(55);
        let first_name = random.pick(if is_woman { &words.women } else { &words.men });
        let place = random.below(words.escaped_agents.len() as u64);
        let days = u64::from(self.days);
        let first = self.day(random.below(days));
        let second = self.day(random.below(days));
        let (starts_paid, changes) = match random.below(100) {
            0..52 => (false, [None, None]),
            52..80 => (true, [None, None]),
            80..92 => (false, [Some(first), None]),
            92..95 => (true, [Some(first), None]),
            95..98 => (false, [Some(first), Some(second)]),
            _ => (true, [Some(first), Some(second)]),
        };
        User {
            number,
            first_name,
            last_name: random.pick(&words.surnames),
            gender: if is_woman { b'F' } else { b'M' },
            metro: random.pick(&words.metros),
            escaped_agent: usize::try_from(place)
                .ok()
                .and_then(|place| words.escaped_agents.get(place))
                .map_or("", String::as_str),
            registration: FIRST_REGISTRATION + random.below(REGISTRATION_SPAN),
            starts_paid,
            changes,
        }
    }

    fn day(&self, drawn: u64) -> u32 {
        u32::try_from(drawn).unwrap_or(self.days)
    }
}

const fn greatest_common_divisor(left: u64, right: u64) -> u64 {
    let (mut left, mut right) = (left, right);
    while right != 0 {
        (left, right) = (right, left % right);
    }
    left
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::People;
    use crate::sample::random::{Random, Stream};
    use crate::sample::words::Words;

    #[test]
    fn levels_continue_from_day_to_day() {
        let words = Words::new();
        let people = People::new(&words, 1, 2000, 30);
        let mut with_a_change = 0;
        for number in 1..=2000 {
            let user = people.user(number);
            let levels: Vec<bool> = (0..=30).map(|day| user.pays_at_start_of(day)).collect();
            let changes = levels.windows(2).filter(|pair| pair[0] != pair[1]).count();
            assert_eq!(changes, (0..30).filter(|&day| user.changes_on(day)).count());
            with_a_change += usize::from(changes > 0);
        }
        assert!((300..500).contains(&with_a_change), "{with_a_change}");
    }

    #[test]
    fn every_user_can_be_drawn() {
        let words = Words::new();
        for users in [1, 2, 3, 10, 96, 97] {
            let people = People::new(&words, 9, users, 1);
            let mut random = Random::new(1, Stream::Day, 0);
            let drawn: HashSet<u64> = (0..20_000).map(|_| people.draw(&mut random)).collect();
            assert_eq!(drawn, (1..=u64::from(users)).collect());
        }
    }
}
