//! The songplays table: every NextSong event once, with its song if there is one.
//!
//! The rules (PRODUCT, 6 and 7): a play keeps its place in the table whatever the files' order. `songplay_id` is the
//! millisecond shifted left by 20 bits plus the play's rank among the plays of that millisecond, in the order
//! (`session_id`, `item_in_session`, `user_id`, level, location, `user_agent`, song, artist, length), NULL first. It
//! depends on the events of its own millisecond alone, so later days change no old id; unmatched plays that are dropped
//! keep their rank.
//!
//! A table of millions of plays is made in slices of time. Slices follow from the number of plays in each
//! [`BUCKET`] alone, so neither threads nor chunks nor memory decide where a row group ends.
//!
//! Invariant: all plays of a millisecond lie in the same slice.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::config::Unmatched;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::Table;
use crate::tables::columns::{Column, Columns};
use crate::tables::play_dictionary::{NULL, PlayDictionary};
use crate::tables::plays::{Key, NO_SONG, Play};
use crate::tables::song_index::SongIndex;
use crate::tables::songs::SongRow;
use crate::tables::time::{Month, micros};

/// Bits of `songplay_id` that hold the rank within a millisecond.
const RANK_BITS: u32 = 20;

/// Plays are counted by spans of 2^16 ms, about a minute.
const BUCKET: u32 = 16;

/// A slice ends when it holds at least this many plays; it becomes one row group.
const SLICE: u64 = 131_072;

/// How many plays fall into each minute or so of each month, by where it begins: what slices are made from. No entry
/// counts plays of two months, so a month's slices are the same whichever other months are made with it.
#[derive(Clone, Debug, Default)]
pub struct Histogram(BTreeMap<i64, u64>);

impl Histogram {
    /// Counts a run of plays, sorted by time.
    pub fn add(&mut self, run: &[Play]) {
        for group in run.chunk_by(|a, b| a.ts() >> BUCKET == b.ts() >> BUCKET) {
            let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
            let start = (first.ts() >> BUCKET) << BUCKET;
            // The minute in which a month ends has two entries.
            let month = Month::start(last.ts());
            let before = if month > start { group.partition_point(|play| play.ts() < month) } else { 0 };
            let behind = group.len() - before;
            for (start, plays) in [(start, before), (start.max(month), behind)] {
                if plays > 0 {
                    *self.0.entry(start).or_default() += plays as u64;
                }
            }
        }
    }

    /// Takes in the counts of another part.
    pub fn merge(&mut self, other: &Self) {
        for (start, plays) in &other.0 {
            *self.0.entry(*start).or_default() += plays;
        }
    }

    /// The slices of all time, in order; none crosses the end of a month.
    #[must_use]
    pub fn slices(&self) -> Vec<Slice> {
        let mut slices: Vec<Slice> = Vec::new();
        let mut plays = 0;
        // Entries come in order, so a month is looked up once.
        let (mut month, mut month_end) = (Month::of(0), i64::MIN);
        for (start, count) in &self.0 {
            let (start, end) = (*start, ((start >> BUCKET) + 1) << BUCKET);
            if start >= month_end {
                (month, month_end) = (Month::of(start), Month::end(start));
            }
            let until = end.min(month_end);
            match slices.last_mut() {
                Some(last) if last.month == month && plays < SLICE => last.span.end = until,
                _ => {
                    slices.push(Slice { month, span: start..until });
                    plays = 0;
                }
            }
            plays += count;
        }
        slices
    }
}

/// A span of time within one month, in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// The partition.
    pub month: Month,
    /// Its plays' times.
    pub span: Range<i64>,
}

/// The plays of one slice, gathered from all workers and in their final order.
#[derive(Debug)]
pub struct Gathered<'c> {
    cast: &'c PlayDictionary,
    plays: Vec<Play>,
}

impl<'c> Gathered<'c> {
    /// Room for plays that speak of `cast`.
    #[must_use]
    pub fn new(cast: &'c PlayDictionary) -> Self {
        Self { cast, plays: Vec::new() }
    }

    /// Takes in plays of a worker.
    pub fn add(&mut self, worker: usize, plays: &[Play]) {
        self.plays.extend(plays.iter().map(|play| self.cast.adopt(worker, play)));
    }

    /// Puts the plays into their order.
    pub fn sort(&mut self) {
        self.plays.sort_by(|a, b| a.key().cmp(&b.key()).then_with(|| self.cast.tie(a, b)));
    }

    /// Number of plays.
    #[must_use]
    pub fn len(&self) -> usize {
        self.plays.len()
    }

    /// Whether there is no play.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.plays.is_empty()
    }

    /// The plays' times in order, with repetitions.
    pub fn times(&self) -> impl Iterator<Item = i64> {
        self.plays.iter().map(Play::ts)
    }

    /// Who acted: each profile once, with its latest event.
    #[must_use]
    pub fn profiles(&self) -> Vec<(u32, Key)> {
        let mut is_new = first_time(self.cast.len().0);
        // Sorted by time: the last play of each.
        let latest = self.plays.iter().rev().filter(|play| is_new(play.profile));
        latest.map(|play| (play.profile, play.key())).collect()
    }

    /// What was played: each track once.
    #[must_use]
    pub fn tracks(&self) -> Vec<u32> {
        let mut is_new = first_time(self.cast.len().1);
        self.plays.iter().map(|play| play.track).filter(|track| is_new(*track)).collect()
    }

    /// The rows of songplays, sorted by `songplay_id`, and how many of them have a song.
    ///
    /// # Errors
    /// [`ErrorKind::DataRefused`] when more plays share a millisecond than `songplay_id` can tell apart (2^20).
    pub fn columns(&self, catalogue: &SongIndex, unmatched: Unmatched) -> Result<(Columns, u64)> {
        let cast = self.cast;
        let song = |play: &Play| Some(cast.song(play)).filter(|song| *song != NO_SONG);
        let ids = self.ids()?;
        let kept: Vec<(&Play, i64)> = self
            .plays
            .iter()
            .zip(ids)
            .filter(|(play, _)| unmatched == Unmatched::Keep || song(play).is_some())
            .collect();
        let plays = || kept.iter().map(|(play, _)| *play);
        let matched = plays().filter(|play| song(play).is_some()).count() as u64;
        let mut scratch = String::new();
        let mut by_profile = |field| {
            let codes = plays().map(|play| Some(cast.code(play, field)).filter(|code| *code != NULL));
            Column::recoded(cast.texts(field), codes, |code, texts| {
                cast.text(field, code, &mut scratch).map(|text| texts.push(text))
            })
        };
        let by_song = |text: fn(&SongRow) -> Option<&str>| {
            let rows = catalogue.rows();
            Column::recoded(rows.len(), plays().map(song), |song, texts| {
                text(rows.get(song as usize)?).map(|text| texts.push(text))
            })
        };
        let columns = vec![
            Column::int64(kept.iter().map(|(_, id)| Some(*id))),
            Column::int64(plays().map(|play| Some(micros(play.ts())))),
            by_profile(0),
            by_profile(1),
            by_song(|row| Some(&row.song_id)),
            by_song(|row| row.artist_id.as_deref()),
            Column::int64(plays().map(Play::session)),
            by_profile(2),
            by_profile(3),
        ];
        Ok((Columns { table: Table::Songplays, columns }, matched))
    }

    fn ids(&self) -> Result<Vec<i64>> {
        let mut ids = Vec::with_capacity(self.plays.len());
        for same in self.plays.chunk_by(|a, b| a.ts() == b.ts()) {
            if same.len() > 1 << RANK_BITS {
                let ts = same.first().map_or(0, Play::ts);
                return Err(Error::new(
                    ErrorKind::DataRefused,
                    format!("{} plays share the millisecond {ts}, more than a songplay_id can tell apart", same.len()),
                )
                .hint("check the clock that stamped these events"));
            }
            ids.extend(same.iter().zip(0_i64..).map(|(play, rank)| (play.ts() << RANK_BITS) | rank));
        }
        Ok(ids)
    }
}

/// Says of each number below `count` whether it comes for the first time.
fn first_time(count: usize) -> impl FnMut(u32) -> bool {
    let mut is_seen = vec![false; count];
    move |number| is_seen.get_mut(number as usize).is_some_and(|seen| !std::mem::replace(seen, true))
}
