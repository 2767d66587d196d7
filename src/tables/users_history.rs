//! The `users_history` table: one row per user and period with the same level.
//!
//! Rule 16 of `docs/tables.md`, what the rows are: of a user's plays with the same `ts`, only the one that rule 4
//! prefers counts. Consecutive plays with the same level are a period: it begins with its first play and ends before the
//! first play of the next period, and has the names and the gender of its last play. With all pages, other events count
//! like plays.
//!
//! The periods of spans of time that do not overlap merge in any order. A span is a slice of songplays, or a month: a
//! late play splits or joins only the periods of this span, so those of all other spans can be reused.
//!
//! Invariant: the result depends on the set of events alone, and the periods of a user do not overlap.

use crate::schema::Table;
use crate::tables::columns::{Column, Columns};
use crate::tables::play_dictionary::{NULL_CODE, PlayDictionary};
use crate::tables::plays::{Play, profile};
use crate::tables::time::micros;
use crate::tables::users::UserRow;

/// A period in the numbers of one [`PlayDictionary`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodedPeriod {
    /// The time of its first play, in milliseconds.
    from: i64,
    /// The code of the user.
    user: u32,
    /// The profile of its last play.
    profile: u32,
}

/// No period of a user is known.
const NO_PERIOD: u32 = u32::MAX;

/// The periods of consecutive spans of time, joined as the spans are added.
#[derive(Debug, Default)]
pub struct PeriodSequence {
    periods: Vec<CodedPeriod>,
    /// The position of the last period of each user, by the code of the user.
    last: Vec<u32>,
}

/// The periods of plays that are sorted by time. All plays of a millisecond must be among them.
#[must_use]
pub fn of_plays(plays: &[Play], dictionary: &PlayDictionary) -> Vec<CodedPeriod> {
    let mut sequence = PeriodSequence::default();
    for same_time in plays.chunk_by(|a, b| a.ts() == b.ts()) {
        if let [play] = same_time {
            sequence.add_play(play, dictionary);
            continue;
        }
        let user = |play: &Play| dictionary.code(play, profile::USER_ID);
        let mut plays: Vec<&Play> = same_time.iter().collect();
        plays.sort_by(|a, b| user(a).cmp(&user(b)).then_with(|| dictionary.compare_rows(a, b)));
        for of_user in plays.chunk_by(|a, b| user(a) == user(b)) {
            if let Some(preferred) = of_user.last() {
                sequence.add_play(preferred, dictionary);
            }
        }
    }
    sequence.periods
}

impl PeriodSequence {
    fn add_play(&mut self, play: &Play, dictionary: &PlayDictionary) {
        let user = dictionary.code(play, profile::USER_ID);
        if user != NULL_CODE {
            self.add(CodedPeriod { from: play.ts(), user, profile: play.profile }, dictionary);
        }
    }

    /// Adds a period that is later than all periods of its user so far.
    fn add(&mut self, period: CodedPeriod, dictionary: &PlayDictionary) {
        let user = period.user as usize;
        if self.last.len() <= user {
            self.last.resize(user + 1, NO_PERIOD);
        }
        let Some(last) = self.last.get_mut(user) else { return };
        let level = |period: &CodedPeriod| dictionary.profile_code(period.profile, profile::LEVEL);
        match self.periods.get_mut(*last as usize) {
            Some(known) if level(known) == level(&period) => known.profile = period.profile,
            _ => {
                *last = u32::try_from(self.periods.len()).unwrap_or(NO_PERIOD);
                self.periods.push(period);
            }
        }
    }

    /// Adds the periods of the next span of time.
    pub fn append(&mut self, next: &[CodedPeriod], dictionary: &PlayDictionary) {
        for period in next {
            self.add(*period, dictionary);
        }
    }

    /// Returns true if there is no period.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.periods.is_empty()
    }

    /// The periods with their texts.
    #[must_use]
    pub fn resolve(&self, dictionary: &PlayDictionary) -> Vec<UserPeriod> {
        let periods = self.periods.iter().filter_map(|period| {
            let (user_id, row) = dictionary.user(period.profile, (period.from, None, None))?;
            let UserRow { level, first_name, last_name, gender, .. } = row;
            Some(UserPeriod { user_id, from: period.from, level, first_name, last_name, gender })
        });
        periods.collect()
    }
}

/// A period of a user with the same level, within one span of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserPeriod {
    /// The user.
    pub user_id: Box<str>,
    /// The time of its first play, in milliseconds.
    pub from: i64,
    /// The subscription, `free` or `paid`.
    pub level: Option<Box<str>>,
    /// Given name, as of its last play.
    pub first_name: Option<Box<str>>,
    /// Family name, as of its last play.
    pub last_name: Option<Box<str>>,
    /// As in the last play.
    pub gender: Option<Box<str>>,
}

/// Sorts the periods of spans of time that do not overlap by user and time.
pub fn sort(periods: &mut [UserPeriod]) {
    periods.sort_unstable_by(|a, b| a.user_id.cmp(&b.user_id).then(a.from.cmp(&b.from)));
}

/// A row of the table: periods of neighboring spans with the same level.
struct Row<'r> {
    first: &'r UserPeriod,
    last: &'r UserPeriod,
}

/// The table's columns, from periods that are sorted by [`sort`].
#[must_use]
pub fn columns(periods: &[UserPeriod]) -> Columns {
    let rows: Vec<Row<'_>> = periods
        .chunk_by(|a, b| a.user_id == b.user_id && a.level == b.level)
        .filter_map(|joined| Some(Row { first: joined.first()?, last: joined.last()? }))
        .collect();
    let next = |row: usize| rows.get(row + 1).map(|next| next.first);
    let of_user = |next: &&UserPeriod, row: &Row<'_>| next.user_id == row.first.user_id;
    let valid_to = || {
        let rows = rows.iter().enumerate();
        rows.map(|(number, row)| next(number).filter(|next| of_user(next, row)).map(|next| micros(next.from)))
    };
    let columns = vec![
        Column::text(rows.iter().map(|row| Some(&*row.first.user_id))),
        Column::text(rows.iter().map(|row| row.last.level.as_deref())),
        Column::text(rows.iter().map(|row| row.last.first_name.as_deref())),
        Column::text(rows.iter().map(|row| row.last.last_name.as_deref())),
        Column::text(rows.iter().map(|row| row.last.gender.as_deref())),
        Column::int64(rows.iter().map(|row| Some(micros(row.first.from)))),
        Column::int64(valid_to()),
        Column::boolean(valid_to().map(|valid_to| Some(valid_to.is_none()))),
    ];
    Columns { table: Table::UsersHistory, columns }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Match;
    use crate::decode::{Event, Text};
    use crate::tables::columns::ColumnValues;
    use crate::tables::plays::PlaysPartial;
    use crate::tables::song_index::SongIndex;

    /// The user, time, session, level and first name of a play.
    type Given = (&'static str, i64, i64, Option<&'static str>, &'static str);

    const FREE: Option<&str> = Some("free");
    const PAID: Option<&str> = Some("paid");

    fn event((user, ts, session, level, first_name): Given) -> Event<'static> {
        Event {
            is_play: true,
            ts,
            user_id: Text::plain(user),
            session_id: Some(session),
            item_in_session: None,
            first_name: Some(Text::plain(first_name)),
            last_name: None,
            gender: None,
            level: level.map(Text::plain),
            location: None,
            user_agent: None,
            song: None,
            artist: None,
            length: None,
        }
    }

    /// The table of plays that are read as spans of time, each in any order.
    fn table(spans: &[&[Given]]) -> Vec<(String, String, String, i64, Option<i64>)> {
        let mut periods = Vec::new();
        for span in spans {
            let index = SongIndex::new(Vec::new(), Match::TitleArtist);
            let mut partial = PlaysPartial::new(&index, span.len());
            span.iter().for_each(|given| partial.add(&event(*given)));
            let plays = partial.take_run();
            let dictionary = PlayDictionary::new(vec![partial.into_dictionary()]);
            let mut sequence = PeriodSequence::default();
            sequence.append(&of_plays(&plays, &dictionary), &dictionary);
            periods.extend(sequence.resolve(&dictionary));
        }
        sort(&mut periods);
        let Columns { columns, .. } = columns(&periods);
        let texts = |number: usize| -> Vec<String> {
            let column: &Column = &columns[number];
            let ColumnValues::Text { dictionary, keys } = &column.values else { panic!("not a text") };
            let mut keys = keys.iter();
            let levels = column.presence.levels().map_or_else(|| vec![1; column.rows()], <[i16]>::to_vec);
            let text = |level: &i16| {
                if *level == 1 { dictionary.text(*keys.next().unwrap()).to_owned() } else { "NULL".to_owned() }
            };
            levels.iter().map(text).collect()
        };
        let ColumnValues::Int64(from) = &columns[5].values else { panic!("not a time") };
        let ColumnValues::Int64(to) = &columns[6].values else { panic!("not a time") };
        let ColumnValues::Boolean(is_current) = &columns[7].values else { panic!("not a truth value") };
        let mut to = to.iter();
        let rows = texts(0).into_iter().zip(texts(1)).zip(texts(2)).zip(from).zip(is_current);
        rows.map(|((((user, level), name), from), is_current)| {
            (user, level, name, from / 1000, (!is_current).then(|| to.next().unwrap() / 1000))
        })
        .collect()
    }

    fn row(
        user: &str,
        level: &str,
        name: &str,
        from: i64,
        to: Option<i64>,
    ) -> (String, String, String, i64, Option<i64>) {
        (user.to_owned(), level.to_owned(), name.to_owned(), from, to)
    }

    #[test]
    fn a_period_lasts_until_the_level_changes_and_has_the_names_of_its_last_play() {
        let plays: [Given; 6] = [
            ("b", 7, 1, FREE, "B"),
            ("a", 1, 1, FREE, "old"),
            ("a", 3, 1, FREE, "new"),
            ("a", 5, 1, PAID, "A"),
            ("a", 8, 1, None, "A"),
            ("a", 9, 1, FREE, "A"),
        ];
        let rows = [
            row("a", "free", "new", 1, Some(5)),
            row("a", "paid", "A", 5, Some(8)),
            row("a", "NULL", "A", 8, Some(9)),
            row("a", "free", "A", 9, None),
            row("b", "free", "B", 7, None),
        ];
        assert_eq!(table(&[&plays]), rows);
    }

    #[test]
    fn of_plays_with_the_same_ts_only_the_preferred_one_counts() {
        for (plays, level) in [
            ([("a", 5, 1, FREE, "x"), ("a", 5, 2, PAID, "x")], "paid"),
            ([("a", 5, 2, FREE, "x"), ("a", 5, 1, PAID, "x")], "free"),
            ([("a", 5, 1, FREE, "x"), ("a", 5, 1, PAID, "x")], "paid"),
            ([("a", 5, 1, FREE, "x"), ("a", 5, 1, None, "x")], "free"),
        ] {
            for plays in [plays, [plays[1], plays[0]]] {
                assert_eq!(table(&[&plays]), [row("a", level, "x", 5, None)], "{plays:?}");
            }
        }
        let names: [Given; 3] = [("a", 5, 1, FREE, "x"), ("a", 5, 1, FREE, "z"), ("a", 5, 1, FREE, "y")];
        assert_eq!(table(&[&names]), [row("a", "free", "z", 5, None)]);
        // Other users have other ties, and a tie does not end a period.
        let plays: [Given; 5] = [
            ("a", 1, 1, PAID, "x"),
            ("a", 5, 1, FREE, "x"),
            ("b", 5, 9, FREE, "x"),
            ("a", 5, 2, PAID, "x"),
            ("b", 6, 1, PAID, "x"),
        ];
        let rows = [row("a", "paid", "x", 1, None), row("b", "free", "x", 5, Some(6)), row("b", "paid", "x", 6, None)];
        assert_eq!(table(&[&plays]), rows);
    }

    #[test]
    fn spans_of_time_merge_in_any_order() {
        let spans: [&[Given]; 3] = [
            &[("a", 1, 1, FREE, "1"), ("a", 2, 1, PAID, "2")],
            &[("a", 3, 1, PAID, "3"), ("b", 3, 1, FREE, "3")],
            &[("a", 4, 1, PAID, "4"), ("a", 5, 1, FREE, "5"), ("b", 5, 1, FREE, "5")],
        ];
        let whole = table(&[&spans.concat()]);
        assert_eq!(whole.len(), 4);
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            assert_eq!(table(&order.map(|span| spans[span])), whole, "{order:?}");
        }
    }
}
