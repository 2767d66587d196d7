//! The dictionary of all plays of a run: every profile and track with one number for the whole run.
//!
//! Each worker numbers its profiles and tracks separately; here the numbers of one worker follow after those of the
//! previous one. Profiles are dictionary-encoded: each distinct text of a field is stored once, and a profile is seven
//! small codes. So a row of songplays is written by copying numbers, and each text is read once per slice of the table.
//!
//! Invariant: two codes of a field are equal exactly if their texts are equal.

use std::cmp::Ordering;

use crate::config::Match;
use crate::decode::Text;
use crate::tables::interner::Interner;
use crate::tables::ordering;
use crate::tables::plays::{Key, LocalDictionary, NO_SONG, Play, profile};
use crate::tables::song_index::track_key;
use crate::tables::users::{User, UserRow};

/// The code of NULL.
pub const NULL_CODE: u32 = u32::MAX;

/// The users and tracks that the plays of all workers refer to.
#[derive(Debug, Default)]
pub struct PlayDictionary {
    texts: [Interner<1>; profile::FIELDS],
    profiles: Vec<[u32; profile::FIELDS]>,
    songs: Vec<u32>,
    workers: Vec<WorkerPart>,
}

/// The first numbers of a worker, and its tracks.
#[derive(Debug)]
struct WorkerPart {
    first_profile: u32,
    first_track: u32,
    tracks: Interner<2>,
}

impl PlayDictionary {
    /// Joins the dictionaries of the workers, in their order.
    #[must_use]
    pub fn new(parts: Vec<LocalDictionary>) -> Self {
        let mut dictionary = Self::default();
        let mut scratch = String::new();
        for part in parts {
            let (first_profile, first_track) = (number(dictionary.profiles.len()), number(dictionary.songs.len()));
            for id in 0..number(part.profiles.len()) {
                let mut codes = [NULL_CODE; profile::FIELDS];
                for ((field, code), texts) in codes.iter_mut().enumerate().zip(&mut dictionary.texts) {
                    if let Some(text) = part.profiles.text(id, field, &mut scratch) {
                        *code = texts.intern(&[Some(Text::plain(text))], None).id;
                    }
                }
                dictionary.profiles.push(codes);
            }
            dictionary.songs.extend(part.songs);
            dictionary.workers.push(WorkerPart { first_profile, first_track, tracks: part.tracks });
        }
        dictionary
    }

    /// A play of a worker, with the numbers of the run instead of the worker's numbers.
    #[must_use]
    pub fn renumbered(&self, worker: usize, play: &Play) -> Play {
        let (profile, track) =
            self.workers.get(worker).map_or((0, 0), |worker| (worker.first_profile, worker.first_track));
        play.with_ids(play.profile.saturating_add(profile), play.track.saturating_add(track))
    }

    /// The code of a field of a play's profile, or [`NULL_CODE`].
    #[must_use]
    pub fn code(&self, play: &Play, field: usize) -> u32 {
        self.profile_code(play.profile, field)
    }

    /// The code of a field of a profile, or [`NULL_CODE`].
    #[must_use]
    pub fn profile_code(&self, profile_id: u32, field: usize) -> u32 {
        self.profiles.get(profile_id as usize).and_then(|codes| codes.get(field)).copied().unwrap_or(NULL_CODE)
    }

    /// The number of distinct texts of a field.
    #[must_use]
    pub fn text_count(&self, field: usize) -> usize {
        self.texts.get(field).map_or(0, Interner::len)
    }

    /// The text of a code of a field.
    pub fn text<'s>(&'s self, field: usize, code: u32, scratch: &'s mut String) -> Option<&'s str> {
        self.texts.get(field)?.text(code, 0, scratch)
    }

    /// The song of a play: a position in [`crate::tables::song_index::SongIndex::rows`], or [`NO_SONG`].
    #[must_use]
    pub fn song(&self, play: &Play) -> u32 {
        self.songs.get(play.track as usize).copied().unwrap_or(NO_SONG)
    }

    /// The number of profiles.
    #[must_use]
    pub fn profile_count(&self) -> usize {
        self.profiles.len()
    }

    /// The number of tracks.
    #[must_use]
    pub fn track_count(&self) -> usize {
        self.songs.len()
    }

    /// A profile as a row of the users table; `latest` is its latest play.
    #[must_use]
    pub fn user(&self, profile_id: u32, latest: Key) -> Option<User> {
        let codes = self.profiles.get(profile_id as usize)?;
        let mut scratch = String::new();
        let mut text = |field: usize| {
            let code = codes.get(field).copied().filter(|code| *code != NULL_CODE)?;
            self.text(field, code, &mut scratch).map(Box::<str>::from)
        };
        let user_id = text(profile::USER_ID)?;
        Some((user_id, UserRow::of_profile(latest, text)))
    }

    /// The [`track_key`] of a track; `None` if no song can match it.
    #[must_use]
    pub fn track_key(&self, track: u32, matching: Match) -> Option<u64> {
        let (tracks, track) = self.track(track)?;
        let (mut title, mut artist) = (String::new(), String::new());
        let title = tracks.text(track, 0, &mut title);
        track_key(matching, title, tracks.text(track, 1, &mut artist), tracks.number(track))
    }

    /// The order of plays with the same time, session and position in the session: by their texts, then by the length
    /// of the track (rule 7 of `docs/tables.md`).
    #[must_use]
    pub fn compare_texts(&self, a: &Play, b: &Play) -> Ordering {
        let mut order = Ordering::Equal;
        let (mut left, mut right) = (String::new(), String::new());
        for field in 0..profile::SONGPLAYS_FIELDS {
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

    /// The order of two plays of a user in which the later one has the user's values (rule 4 of `docs/tables.md`).
    #[must_use]
    pub fn compare_rows(&self, a: &Play, b: &Play) -> Ordering {
        const FIELDS: [usize; 4] = [profile::LEVEL, profile::FIRST_NAME, profile::LAST_NAME, profile::GENDER];
        let mut order = a.key().cmp(&b.key());
        let (mut left, mut right) = (String::new(), String::new());
        for field in FIELDS {
            let (a, b) = (self.code(a, field), self.code(b, field));
            if a != b {
                order = order.then_with(|| self.text(field, a, &mut left).cmp(&self.text(field, b, &mut right)));
            }
        }
        order
    }

    /// The tracks of the worker that a track comes from, and its number among them.
    fn track(&self, track: u32) -> Option<(&Interner<2>, u32)> {
        let next = self.workers.partition_point(|worker| worker.first_track <= track);
        let worker = self.workers.get(next.checked_sub(1)?)?;
        Some((&worker.tracks, track - worker.first_track))
    }
}

/// Profiles and tracks have 32-bit numbers; memory ends long before the four billion numbers.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
