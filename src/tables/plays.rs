//! What a part of the logs says: its plays, the users and tracks they speak of.
//!
//! A play is 32 bytes: when, in which session, by whom (a [`Profile`](PROFILE_FIELDS) id) and what (a track id). Full
//! buffers of plays leave as sorted runs; users and tracks stay, they are dimensions.
//!
//! Invariant: a play's ids belong to the [`People`] of the same partial; runs are sorted by [`Play::key`].

use super::catalogue::Catalogue;
use super::tuples::Tuples;
use crate::decode::Event;

/// The fields of an event that tell who acted, in the order of a profile.
pub const PROFILE_FIELDS: [&str; 7] =
    ["user_id", "level", "location", "user_agent", "first_name", "last_name", "gender"];

/// Stands for a missing number, and sorts before every other: the decoder refuses this one value of 2^64.
pub const NULL: i64 = i64::MIN;

/// Stands for "no song".
pub const NO_SONG: u32 = u32::MAX;

/// One play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Play {
    /// Milliseconds since 1970.
    pub ts: i64,
    /// Session number or [`NULL`].
    pub session: i64,
    /// Position in the session or [`NULL`].
    pub item: i64,
    /// Who.
    pub profile: u32,
    /// What.
    pub track: u32,
}

impl Play {
    /// What plays are sorted by; nearly always unique, the rest of the order compares texts.
    #[must_use]
    pub fn key(&self) -> (i64, i64, i64) {
        (self.ts, self.session, self.item)
    }
}

/// Who and what the plays of a partial speak of.
#[derive(Debug, Default)]
pub struct People {
    /// Distinct users with everything an event says of them.
    pub profiles: Tuples<7>,
    /// The latest event of each profile, by (ts, session, item).
    pub latest: Vec<(i64, i64, i64)>,
    /// Distinct (song, artist, length).
    pub tracks: Tuples<2>,
    /// The song of each track: a position in the catalogue, or [`NO_SONG`].
    pub songs: Vec<u32>,
}

/// The plays of one part of the logs.
#[derive(Debug, Default)]
pub struct PlaysPartial {
    /// Who and what.
    pub people: People,
    plays: Vec<Play>,
    song: String,
    artist: String,
}

impl PlaysPartial {
    /// Takes in one NextSong event.
    pub fn add(&mut self, event: &Event<'_>, catalogue: &Catalogue) {
        let profile = [
            Some(event.user_id),
            event.level,
            event.location,
            event.user_agent,
            event.first_name,
            event.last_name,
            event.gender,
        ];
        let people = &mut self.people;
        let (profile, is_new) = people.profiles.intern(&profile, None);
        let (track, is_new_track) = people.tracks.intern(&[event.song, event.artist], event.length);
        if is_new_track {
            let title = event.song.map(|text| text.resolve(&mut self.song));
            let artist = event.artist.map(|text| text.resolve(&mut self.artist));
            people.songs.push(catalogue.find(title, artist, event.length).unwrap_or(NO_SONG));
        }
        let play = Play {
            ts: event.ts,
            session: event.session_id.unwrap_or(NULL),
            item: event.item_in_session.unwrap_or(NULL),
            profile,
            track,
        };
        if is_new {
            people.latest.push(play.key());
        } else if let Some(latest) = people.latest.get_mut(profile as usize) {
            *latest = (*latest).max(play.key());
        }
        self.plays.push(play);
    }

    /// How many plays are buffered.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.plays.len()
    }

    /// The buffered plays, sorted; the buffer is empty afterwards.
    ///
    /// A stable sort, because it takes the sorted stretches of the input as they are.
    pub fn take_run(&mut self) -> Vec<Play> {
        let mut run = std::mem::take(&mut self.plays);
        run.sort_by_key(Play::key);
        run
    }
}
