//! The songplays table: one row per `NextSong` event, with its song if there is one.
//!
//! Rule 7 of `docs/tables.md`, how `songplay_id` is made: the time in milliseconds, shifted left by 20 bits, plus the
//! rank of the play among the plays of the same millisecond. The rank follows the order (`session_id`,
//! `item_in_session`, `user_id`, level, location, `user_agent`, song, artist, length), with NULL first. It depends on
//! the plays of one millisecond alone, so later days change no old id; unmatched plays that are dropped keep their
//! rank.
//!
//! How a play finds its song is rule 6, in [`crate::tables::song_index`].
//!
//! The table is made in slices of time, each of which becomes a row group (rule 14). Slices follow from the number of
//! plays per span of 2^[`BUCKET_BITS`] ms alone, so threads, chunks and memory do not decide where a row group ends.
//!
//! Invariant: all plays of a millisecond are in the same slice.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::config::Unmatched;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::Table;
use crate::tables::columns::{Column, Columns, RepeatedValues};
use crate::tables::play_dictionary::PlayDictionary;
use crate::tables::plays::{Key, NO_SONG, Play, profile};
use crate::tables::song_index::SongIndex;
use crate::tables::songs::SongRow;
use crate::tables::time::{Month, micros};
use crate::tables::users_history::{self, CodedPeriod};

/// Bits of `songplay_id` that hold the rank within a millisecond.
const RANK_BITS: u32 = 20;

/// Plays are counted per span of 2^16 ms, about 65 seconds.
const BUCKET_BITS: u32 = 16;

/// A slice ends when it has at least this many plays; it becomes one row group.
const MIN_SLICE_PLAYS: u64 = 131_072;

/// The number of plays per span of about a minute with events, by the start of the span. Slices are made from it. A
/// span at the end of a month has two entries, so the slices of a month do not depend on the other months of the run.
#[derive(Clone, Debug, Default)]
pub struct Histogram(BTreeMap<i64, u64>);

impl Histogram {
    /// Adds plays that are sorted by time.
    pub fn add(&mut self, run: &[Play]) {
        for group in run.chunk_by(|a, b| a.ts() >> BUCKET_BITS == b.ts() >> BUCKET_BITS) {
            let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
            let start = (first.ts() >> BUCKET_BITS) << BUCKET_BITS;
            // The span in which a month ends has two entries.
            let month = Month::start(last.ts());
            let before = if month > start { group.partition_point(|play| play.ts() < month) } else { 0 };
            let (before, after) = group.split_at(before);
            for (start, events) in [(start, before), (start.max(month), after)] {
                if !events.is_empty() {
                    *self.0.entry(start).or_default() += events.iter().filter(|event| event.is_play()).count() as u64;
                }
            }
        }
    }

    /// Adds the counts of another part.
    pub fn merge(&mut self, other: &Self) {
        for (start, plays) in &other.0 {
            *self.0.entry(*start).or_default() += plays;
        }
    }

    /// All slices in order of time. No slice crosses the end of a month.
    #[must_use]
    pub fn slices(&self) -> Vec<Slice> {
        let mut slices: Vec<Slice> = Vec::new();
        // Entries are in order of time, so each month is computed once.
        let (mut month, mut month_end) = (Month::of(0), i64::MIN);
        for (start, count) in &self.0 {
            let (start, end) = (*start, ((start >> BUCKET_BITS) + 1) << BUCKET_BITS);
            if start >= month_end {
                (month, month_end) = (Month::of(start), Month::end(start));
            }
            let until = end.min(month_end);
            match slices.last_mut() {
                Some(last) if last.month == month && last.plays < MIN_SLICE_PLAYS => {
                    last.span.end = until;
                    last.plays += count;
                }
                _ => slices.push(Slice { month, span: start..until, plays: *count }),
            }
        }
        slices
    }
}

/// A span of time within one month; it becomes one row group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// The partition of the slice.
    pub month: Month,
    /// The time span of its plays, in milliseconds since 1970.
    pub span: Range<i64>,
    /// The number of its plays.
    pub plays: u64,
}

/// The plays of one slice from all workers, in their final order after [`Self::sort`].
#[derive(Debug)]
pub struct SlicePlays<'d> {
    dictionary: &'d PlayDictionary,
    plays: Vec<Play>,
    /// Events of other pages, if they are wanted; in no particular order.
    others: Vec<Play>,
}

impl<'d> SlicePlays<'d> {
    /// An empty slice with capacity for `plays` plays; `dictionary` is that of all workers.
    #[must_use]
    pub fn new(dictionary: &'d PlayDictionary, plays: u64) -> Self {
        let plays = Vec::with_capacity(usize::try_from(plays).unwrap_or_default());
        Self { dictionary, plays, others: Vec::new() }
    }

    /// Adds plays of a worker.
    pub fn add(&mut self, worker: usize, plays: &[Play]) {
        for play in plays {
            let events = if play.is_play() { &mut self.plays } else { &mut self.others };
            events.push(self.dictionary.renumbered(worker, play));
        }
    }

    /// Sorts the plays into the order of the table (rule 7).
    pub fn sort(&mut self) {
        self.plays.sort_by(|a, b| a.key().cmp(&b.key()).then_with(|| self.dictionary.compare_texts(a, b)));
    }

    /// Number of plays.
    #[must_use]
    pub fn len(&self) -> usize {
        self.plays.len()
    }

    /// Returns true if there are no plays.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.plays.is_empty()
    }

    /// The times of the plays in order, with duplicates.
    pub fn times(&self) -> impl Iterator<Item = i64> {
        self.plays.iter().map(Play::ts)
    }

    /// Each profile once, with its latest play.
    #[must_use]
    pub fn profiles(&self) -> Vec<(u32, Key)> {
        let mut is_new = first_occurrence(self.dictionary.profile_count());
        // The plays are sorted by time, so the last play of a profile is its latest.
        let latest = self.plays.iter().rev().filter(|play| is_new(play.profile));
        latest.map(|play| (play.profile, play.key())).collect()
    }

    /// The periods of each user with the same level, for the `users_history` table.
    #[must_use]
    pub fn level_periods(&self) -> Vec<CodedPeriod> {
        if self.others.is_empty() {
            return users_history::of_plays(&self.plays, self.dictionary);
        }
        let mut events = [self.plays.as_slice(), self.others.as_slice()].concat();
        events.sort_by_key(Play::ts);
        users_history::of_plays(&events, self.dictionary)
    }

    /// Each track once.
    #[must_use]
    pub fn tracks(&self) -> Vec<u32> {
        let mut is_new = first_occurrence(self.dictionary.track_count());
        self.plays.iter().map(|play| play.track).filter(|track| is_new(*track)).collect()
    }

    /// The rows of songplays, sorted by `songplay_id`.
    ///
    /// # Errors
    /// [`ErrorKind::DataRefused`] if a millisecond has more plays than `songplay_id` can distinguish (2^20).
    pub fn rows(&self, index: &SongIndex, unmatched: Unmatched) -> Result<SongplaysRows<impl Iterator<Item = Column>>> {
        let dictionary = self.dictionary;
        let song = |play: &Play| Some(dictionary.song(play)).filter(|song| *song != NO_SONG);
        let ids = self.ids()?;
        let kept: Vec<(&Play, i64)> = self
            .plays
            .iter()
            .zip(ids)
            .filter(|(play, _)| unmatched == Unmatched::Keep || song(play).is_some())
            .collect();
        let plays = || kept.iter().map(|(play, _)| *play);
        let profiles = RepeatedValues::new(dictionary.profile_count(), plays().map(|play| Some(play.profile)));
        let songs = RepeatedValues::new(index.rows().len(), plays().map(song));
        let matched = plays().filter(|play| song(play).is_some()).count() as u64;
        let count = kept.len();
        let mut scratch = String::new();
        let mut by_profile = move |field| {
            let mut keys = vec![None; dictionary.text_count(field)];
            profiles.texts(|profile, texts| {
                let code = dictionary.profile_code(profile, field);
                let key = keys.get_mut(code as usize)?;
                *key = key.or_else(|| dictionary.text(field, code, &mut scratch).map(|text| texts.push(text)));
                *key
            })
        };
        let by_song = move |text: fn(&SongRow) -> Option<&str>| {
            songs.texts(|song, texts| text(index.rows().get(song as usize)?).map(|text| texts.push(text)))
        };
        let columns = Table::Songplays.file_fields().map(move |field| match field.name {
            "songplay_id" => Column::int64_without_null(kept.iter().map(|(_, id)| *id).collect()),
            "start_time" => Column::int64_without_null(kept.iter().map(|(play, _)| micros(play.ts())).collect()),
            "user_id" => by_profile(profile::USER_ID),
            "level" => by_profile(profile::LEVEL),
            "song_id" => by_song(|row| Some(&row.song_id)),
            "artist_id" => by_song(|row| row.artist_id.as_deref()),
            "session_id" => Column::int64(kept.iter().map(|(play, _)| play.session())),
            "location" => by_profile(profile::LOCATION),
            "user_agent" => by_profile(profile::USER_AGENT),
            // The writer refuses a column of another length.
            _ => Column::text([]),
        });
        Ok(SongplaysRows { count, matched, columns })
    }

    /// The `songplay_id` of each play (rule 7).
    fn ids(&self) -> Result<Vec<i64>> {
        let mut ids = Vec::with_capacity(self.plays.len());
        for same in self.plays.chunk_by(|a, b| a.ts() == b.ts()) {
            if same.len() > 1 << RANK_BITS {
                let ts = same.first().map_or(0, Play::ts);
                return Err(Error::new(
                    ErrorKind::DataRefused,
                    format!("{} plays have the same ts {ts}, more than songplay_id can distinguish", same.len()),
                )
                .cause(format!("a millisecond can have at most {} plays", 1 << RANK_BITS))
                .hint("check the clock that produced the ts of these events"));
            }
            ids.extend(same.iter().zip(0_i64..).map(|(play, rank)| (play.ts() << RANK_BITS) | rank));
        }
        Ok(ids)
    }
}

/// The rows of songplays in a slice.
#[derive(Debug)]
pub struct SongplaysRows<C> {
    /// The number of rows.
    pub count: usize,
    /// The number of rows with a song.
    pub matched: u64,
    /// The columns that are in files, in their order. Each is made when it is taken, so that a writer needs memory for one.
    pub columns: C,
}

impl<C: Iterator<Item = Column>> SongplaysRows<C> {
    /// All columns.
    pub fn into_columns(self) -> Columns {
        Columns { table: Table::Songplays, columns: self.columns.collect() }
    }
}

/// A predicate that is true for the first occurrence of each number below `count`.
fn first_occurrence(count: usize) -> impl FnMut(u32) -> bool {
    let mut is_seen = vec![false; count];
    move |number| is_seen.get_mut(number as usize).is_some_and(|seen| !std::mem::replace(seen, true))
}
