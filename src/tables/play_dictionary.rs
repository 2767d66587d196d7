//! Everybody and everything that the plays of a run speak of, under one number each.
//!
//! Each worker numbers its profiles and tracks by itself; here one worker's stand behind another's. What a profile says
//! is coded: each distinct text is kept once for the run, and a profile is seven small numbers. So writing a play moves
//! numbers, and a text is looked at once for each part of the table that holds it.
//!
//! Invariant: equal codes of a field are equal texts, and the other way round.

use std::cmp::Ordering;

use crate::config::Match;
use crate::decode::Text;
use crate::tables::interner::Interner;
use crate::tables::ordering;
use crate::tables::plays::{Key, LocalDictionary, NO_SONG, PROFILE_FIELDS, Play};
use crate::tables::song_index::track_key;
use crate::tables::users::UserRow;

/// How many of [`crate::tables::plays::PROFILE_FIELDS`] songplays shows: user id, level, location, user agent.
pub const SHOWN: usize = 4;

/// All fields of a profile.
const FIELDS: usize = PROFILE_FIELDS.len();

/// Stands for NULL where a code is expected.
pub const NULL: u32 = u32::MAX;

/// Who and what the plays of all workers speak of.
#[derive(Debug, Default)]
pub struct PlayDictionary {
    texts: [Interner<1>; FIELDS],
    profiles: Vec<[u32; FIELDS]>,
    songs: Vec<u32>,
    workers: Vec<Worker>,
}

/// Where a worker's numbers begin, and its tracks as the events name them.
#[derive(Debug)]
struct Worker {
    first_profile: u32,
    first_track: u32,
    tracks: Interner<2>,
}

impl PlayDictionary {
    /// Joins what the workers know, in their order.
    #[must_use]
    pub fn new(parts: Vec<LocalDictionary>) -> Self {
        let mut cast = Self::default();
        let mut scratch = String::new();
        for people in parts {
            let (first_profile, first_track) = (number(cast.profiles.len()), number(cast.songs.len()));
            for profile in 0..number(people.profiles.len()) {
                let mut codes = [NULL; FIELDS];
                for ((field, code), texts) in codes.iter_mut().enumerate().zip(&mut cast.texts) {
                    if let Some(text) = people.profiles.text(profile, field, &mut scratch) {
                        *code = texts.intern(&[Some(Text::plain(text))], None).0;
                    }
                }
                cast.profiles.push(codes);
            }
            cast.songs.extend(people.songs);
            cast.workers.push(Worker { first_profile, first_track, tracks: people.tracks });
        }
        cast
    }

    /// A play of a worker with the run's numbers in place of the worker's.
    #[must_use]
    pub fn adopt(&self, worker: usize, play: &Play) -> Play {
        let (profile, track) =
            self.workers.get(worker).map_or((0, 0), |worker| (worker.first_profile, worker.first_track));
        play.with_ids(play.profile.saturating_add(profile), play.track.saturating_add(track))
    }

    /// The code of a field of a play's profile, or [`NULL`].
    #[must_use]
    pub fn code(&self, play: &Play, field: usize) -> u32 {
        self.profiles.get(play.profile as usize).and_then(|codes| codes.get(field)).copied().unwrap_or(NULL)
    }

    /// How many distinct texts a field has.
    #[must_use]
    pub fn texts(&self, field: usize) -> usize {
        self.texts.get(field).map_or(0, Interner::len)
    }

    /// The text with a code of a field.
    pub fn text<'s>(&'s self, field: usize, code: u32, scratch: &'s mut String) -> Option<&'s str> {
        self.texts.get(field)?.text(code, 0, scratch)
    }

    /// The song of a play: a position in the catalogue, or [`NO_SONG`].
    #[must_use]
    pub fn song(&self, play: &Play) -> u32 {
        self.songs.get(play.track as usize).copied().unwrap_or(NO_SONG)
    }

    /// How many profiles and how many tracks there are.
    #[must_use]
    pub fn len(&self) -> (usize, usize) {
        (self.profiles.len(), self.songs.len())
    }

    /// A profile as a user, with the user's id; `latest` is its latest event.
    #[must_use]
    pub fn user(&self, profile: u32, latest: Key) -> Option<(Box<str>, UserRow)> {
        let codes = self.profiles.get(profile as usize)?;
        let mut scratch = String::new();
        let mut text = |field: usize| {
            let code = codes.get(field).copied().filter(|code| *code != NULL)?;
            self.text(field, code, &mut scratch).map(Box::<str>::from)
        };
        let user_id = text(0)?;
        Some((user_id, UserRow { latest, level: text(1), first_name: text(4), last_name: text(5), gender: text(6) }))
    }

    /// The key by which songs are matched to a track; `None` for one that no song can match.
    #[must_use]
    pub fn track_key(&self, track: u32, matching: Match) -> Option<u64> {
        let (tracks, track) = self.track(track)?;
        let (mut title, mut artist) = (String::new(), String::new());
        let title = tracks.text(track, 0, &mut title);
        track_key(matching, title, tracks.text(track, 1, &mut artist), tracks.number(track))
    }

    /// The order of plays whose time, session and position are the same: by what they say.
    #[must_use]
    pub fn tie(&self, a: &Play, b: &Play) -> Ordering {
        let mut order = Ordering::Equal;
        let (mut left, mut right) = (String::new(), String::new());
        for field in 0..SHOWN {
            let (a, b) = (self.code(a, field), self.code(b, field));
            if a != b {
                order = order.then_with(|| self.text(field, a, &mut left).cmp(&self.text(field, b, &mut right)));
            }
        }
        if a.track == b.track {
            return order;
        }
        let (Some((a, track_a)), Some((b, track_b))) = (self.track(a.track), self.track(b.track)) else { return order };
        for field in 0..2 {
            order = order.then_with(|| a.text(track_a, field, &mut left).cmp(&b.text(track_b, field, &mut right)));
        }
        order.then_with(|| ordering::floats(a.number(track_a), b.number(track_b)))
    }

    /// The tracks of the worker that a track came from, and its number among them.
    fn track(&self, track: u32) -> Option<(&Interner<2>, u32)> {
        let behind = self.workers.partition_point(|worker| worker.first_track <= track);
        let worker = self.workers.get(behind.checked_sub(1)?)?;
        Some((&worker.tracks, track - worker.first_track))
    }
}

/// A run's profiles and tracks are numbered with 32 bits; four billion of them would fill any memory first.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
