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

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Range;

use super::catalogue::Catalogue;
use super::columns::{Column, Columns, DictionaryBuilder};
use super::order;
use super::plays::{NO_SONG, People, Play};
use super::time::{Month, micros};
use crate::config::Unmatched;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::Table;

/// Bits of `songplay_id` that hold the rank within a millisecond.
const RANK_BITS: u32 = 20;

/// Plays are counted by spans of 2^16 ms, about a minute.
const BUCKET: u32 = 16;

/// A slice ends when it holds at least this many plays; it becomes one row group.
const SLICE: u64 = 131_072;

/// How many plays fall into each minute or so: what slices are made from.
#[derive(Clone, Debug, Default)]
pub struct Histogram(BTreeMap<i64, u64>);

impl Histogram {
    /// Counts a run of plays, sorted by time.
    pub fn add(&mut self, run: &[Play]) {
        for group in run.chunk_by(|a, b| a.ts() >> BUCKET == b.ts() >> BUCKET) {
            if let Some(first) = group.first() {
                *self.0.entry(first.ts() >> BUCKET).or_default() += group.len() as u64;
            }
        }
    }

    /// Takes in the counts of another part.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, plays) in &other.0 {
            *self.0.entry(*bucket).or_default() += plays;
        }
    }

    /// The slices of all time, in order; none crosses the end of a month.
    #[must_use]
    pub fn slices(&self) -> Vec<Slice> {
        let mut slices: Vec<Slice> = Vec::new();
        let mut plays = 0;
        // Buckets come in order, so a month is looked up once.
        let (mut month, mut month_end) = (Month::of(0), i64::MIN);
        for (bucket, count) in &self.0 {
            let (mut start, end) = (bucket << BUCKET, (bucket + 1) << BUCKET);
            while start < end {
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
                start = until;
            }
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

/// The plays of one slice, gathered from all parts and in their final order.
#[derive(Debug, Default)]
pub struct Gathered<'p> {
    plays: Vec<Play>,
    profiles: Vec<Tuple<'p>>,
    tracks: Vec<Tuple<'p>>,
}

impl<'p> Gathered<'p> {
    /// Takes in plays whose ids belong to `people`.
    pub fn add(&mut self, people: &'p People, plays: &[Play]) {
        // Each id is given a new one, valid in this slice alone.
        let mut profiles = vec![u32::MAX; people.profiles.len()];
        let mut tracks = vec![u32::MAX; people.tracks.len()];
        self.plays.extend(plays.iter().map(|play| {
            let profile = local(&mut profiles, play.profile, people, &mut self.profiles);
            let track = local(&mut tracks, play.track, people, &mut self.tracks);
            Play::new(play.key(), profile, track)
        }));
    }

    /// Puts the plays into their order.
    pub fn sort(&mut self) {
        let (profiles, tracks) = (&self.profiles, &self.tracks);
        let mut scratch = Scratch::default();
        self.plays.sort_by(|a, b| a.key().cmp(&b.key()).then_with(|| tie(profiles, tracks, a, b, &mut scratch)));
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

    /// The rows of songplays, sorted by `songplay_id`, and how many of them have a song.
    ///
    /// # Errors
    /// [`ErrorKind::DataRefused`] when more plays share a millisecond than `songplay_id` can tell apart (2^20).
    pub fn columns(&self, catalogue: &Catalogue, unmatched: Unmatched) -> Result<(Columns, u64)> {
        let songs: Vec<u32> = self
            .tracks
            .iter()
            .map(|(people, track)| people.songs.get(*track as usize).copied().unwrap_or(NO_SONG))
            .collect();
        let song = |play: &Play| songs.get(play.track as usize).copied().filter(|song| *song != NO_SONG);
        let ids = self.ids()?;
        let kept: Vec<(&Play, i64)> = self
            .plays
            .iter()
            .zip(ids)
            .filter(|(play, _)| unmatched == Unmatched::Keep || song(play).is_some())
            .collect();
        let plays = || kept.iter().map(|(play, _)| *play);
        let matched = plays().filter(|play| song(play).is_some()).count() as u64;
        let by_profile = |field| {
            let (dictionary, keys) = dictionary(&self.profiles, |people, id, scratch, texts| {
                people.profiles.text(id, field, scratch).map(|text| texts.push(text))
            });
            Column::coded(dictionary, plays().map(|play| keys.get(play.profile as usize).copied().flatten()))
        };
        let by_song = |text: fn(&super::songs::SongRow) -> Option<&str>| {
            let (dictionary, keys) = dictionary(&self.tracks, |people, id, _, texts| {
                let song = people.songs.get(id as usize).filter(|song| **song != NO_SONG)?;
                text(catalogue.rows().get(*song as usize)?).map(|text| texts.push(text))
            });
            Column::coded(dictionary, plays().map(|play| keys.get(play.track as usize).copied().flatten()))
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

/// A tuple of one part.
type Tuple<'p> = (&'p People, u32);

/// Room for two texts with their escapes resolved.
type Scratch = (String, String);

/// The order of plays whose time, session and position are the same: by what they say.
fn tie(profiles: &[Tuple<'_>], tracks: &[Tuple<'_>], a: &Play, b: &Play, scratch: &mut Scratch) -> Ordering {
    let mut order = Ordering::Equal;
    if let (Some(a), Some(b)) = (profiles.get(a.profile as usize), profiles.get(b.profile as usize)) {
        // user_id, level, location, user_agent: the names do not appear in a play.
        for field in 0..4 {
            order = order.then_with(|| {
                let (left, right) = (&mut scratch.0, &mut scratch.1);
                a.0.profiles.text(a.1, field, left).cmp(&b.0.profiles.text(b.1, field, right))
            });
        }
    }
    if let (Some(a), Some(b)) = (tracks.get(a.track as usize), tracks.get(b.track as usize)) {
        for field in 0..2 {
            order = order.then_with(|| {
                let (left, right) = (&mut scratch.0, &mut scratch.1);
                a.0.tracks.text(a.1, field, left).cmp(&b.0.tracks.text(b.1, field, right))
            });
        }
        order = order.then_with(|| order::floats(a.0.tracks.number(a.1), b.0.tracks.number(b.1)));
    }
    order
}

fn local<'p>(known: &mut [u32], id: u32, people: &'p People, all: &mut Vec<Tuple<'p>>) -> u32 {
    let Some(known) = known.get_mut(id as usize) else { return u32::MAX };
    if *known == u32::MAX {
        *known = u32::try_from(all.len()).unwrap_or(u32::MAX);
        all.push((people, id));
    }
    *known
}

/// A text of each tuple, as a dictionary and a key for each tuple.
fn dictionary<'p>(
    tuples: &[Tuple<'p>],
    text: impl Fn(&'p People, u32, &mut String, &mut DictionaryBuilder) -> Option<u32>,
) -> (super::columns::Dictionary, Vec<Option<u32>>) {
    let mut texts = DictionaryBuilder::default();
    let mut scratch = String::new();
    let keys = tuples.iter().map(|(people, id)| text(people, *id, &mut scratch, &mut texts)).collect();
    (texts.finish(), keys)
}
