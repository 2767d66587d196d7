//! What a part of the logs says: its plays, the users and tracks they speak of.
//!
//! A play is 32 bytes: when, in which session, by whom (a [`Profile`](PROFILE_FIELDS) id) and what (a track id). Full
//! buffers of plays leave as sorted runs; users and tracks stay, they are dimensions.
//!
//! Invariant: a play's ids belong to the [`LocalDictionary`] of the same partial; runs are sorted by [`Play::key`].

use crate::decode::Event;
use crate::tables::interner::Interner;
use crate::tables::song_index::SongIndex;

/// The fields of an event that tell who acted, in the order of a profile.
pub const PROFILE_FIELDS: [&str; 7] =
    ["user_id", "level", "location", "user_agent", "first_name", "last_name", "gender"];

/// Stands for "no song".
pub const NO_SONG: u32 = u32::MAX;

/// When an event happened: (ts, session, position in the session), NULL first. Nearly always unique.
pub type Key = (i64, Option<i64>, Option<i64>);

/// One play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Play {
    /// The millisecond, and in its two lowest bits whether session and item hold a value. The decoder's widest window
    /// leaves room for both.
    stamp: i64,
    session: i64,
    item: i64,
    /// Who.
    pub profile: u32,
    /// What.
    pub track: u32,
}

const HAS_SESSION: i64 = 2;
const HAS_ITEM: i64 = 1;

impl Play {
    /// A play at the given time.
    #[must_use]
    pub fn new((ts, session, item): Key, profile: u32, track: u32) -> Self {
        let present = i64::from(session.is_some()) * HAS_SESSION + i64::from(item.is_some()) * HAS_ITEM;
        Self {
            stamp: (ts << 2) | present,
            session: session.unwrap_or_default(),
            item: item.unwrap_or_default(),
            profile,
            track,
        }
    }

    /// The same moment with other ids.
    #[must_use]
    pub fn with_ids(self, profile: u32, track: u32) -> Self {
        Self { profile, track, ..self }
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn ts(&self) -> i64 {
        self.stamp >> 2
    }

    /// The session's number.
    #[must_use]
    pub fn session(&self) -> Option<i64> {
        (self.stamp & HAS_SESSION != 0).then_some(self.session)
    }

    /// What plays are sorted by; what is equal here is ordered by its texts.
    #[must_use]
    pub fn key(&self) -> Key {
        (self.ts(), self.session(), (self.stamp & HAS_ITEM != 0).then_some(self.item))
    }

    /// The play as four numbers, for a file.
    #[must_use]
    pub fn to_words(self) -> [i64; 4] {
        let ids = u64::from(self.profile) << 32 | u64::from(self.track);
        [self.stamp, self.session, self.item, ids.cast_signed()]
    }

    /// The play that [`Self::to_words`] gave.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "two 32-bit ids share the last word")]
    pub fn from_words([stamp, session, item, ids]: [i64; 4]) -> Self {
        let ids = ids.cast_unsigned();
        Self { stamp, session, item, profile: (ids >> 32) as u32, track: ids as u32 }
    }
}

/// Who and what the plays of a partial speak of.
#[derive(Debug, Default)]
pub struct LocalDictionary {
    /// Distinct users with everything an event says of them.
    pub profiles: Interner<7>,
    /// The latest event of each profile.
    pub latest: Vec<Key>,
    /// Distinct (song, artist, length).
    pub tracks: Interner<2>,
    /// The song of each track: a position in the catalogue, or [`NO_SONG`].
    pub songs: Vec<u32>,
}

/// Plays that are looked up together: enough for their waits to overlap, few enough to stay in the nearest cache.
const BATCH: usize = 64;

/// The plays of one part of the logs.
#[derive(Debug)]
pub struct PlaysPartial<'c> {
    catalogue: &'c SongIndex,
    people: LocalDictionary,
    plays: Vec<Play>,
    room: usize,
    /// The moments of plays whose users and tracks are in the queue.
    waiting: Vec<Key>,
    profiles: Vec<(u32, bool)>,
    tracks: Vec<(u32, bool)>,
    song: String,
    artist: String,
}

impl<'c> PlaysPartial<'c> {
    /// No plays yet; songs are looked up in `catalogue`, and a buffer begins with room for `room` plays: a buffer that
    /// grows is copied, and takes new memory, again and again.
    #[must_use]
    pub fn new(catalogue: &'c SongIndex, room: usize) -> Self {
        Self {
            catalogue,
            people: LocalDictionary::default(),
            plays: Vec::new(),
            room,
            waiting: Vec::with_capacity(BATCH),
            profiles: Vec::with_capacity(BATCH),
            tracks: Vec::with_capacity(BATCH),
            song: String::new(),
            artist: String::new(),
        }
    }

    /// Takes in one NextSong event.
    pub fn add(&mut self, event: &Event<'_>) {
        let profile = [
            Some(event.user_id),
            event.level,
            event.location,
            event.user_agent,
            event.first_name,
            event.last_name,
            event.gender,
        ];
        self.people.profiles.queue(&profile, None);
        self.people.tracks.queue(&[event.song, event.artist], event.length);
        self.waiting.push((event.ts, event.session_id, event.item_in_session));
        if self.waiting.len() == BATCH {
            self.settle();
        }
    }

    /// Gives the waiting plays their ids.
    fn settle(&mut self) {
        if self.plays.is_empty() {
            self.plays.reserve_exact(self.room);
        }
        let people = &mut self.people;
        people.profiles.settle(&mut self.profiles);
        people.tracks.settle(&mut self.tracks);
        for ((key, (profile, is_new)), (track, is_new_track)) in
            self.waiting.drain(..).zip(&self.profiles).zip(&self.tracks)
        {
            if *is_new_track {
                let title = people.tracks.text(*track, 0, &mut self.song);
                let artist = people.tracks.text(*track, 1, &mut self.artist);
                let song = self.catalogue.find(title, artist, people.tracks.number(*track));
                people.songs.push(song.unwrap_or(NO_SONG));
            }
            if *is_new {
                people.latest.push(key);
            } else if let Some(latest) = people.latest.get_mut(*profile as usize) {
                *latest = (*latest).max(key);
            }
            self.plays.push(Play::new(key, *profile, *track));
        }
    }

    /// How many plays are buffered.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.plays.len() + self.waiting.len()
    }

    /// The buffered plays, sorted; the buffer is empty afterwards.
    ///
    /// A stable sort, because it takes the sorted stretches of the input as they are.
    pub fn take_run(&mut self) -> Vec<Play> {
        self.settle();
        let mut run = std::mem::take(&mut self.plays);
        run.sort_by_key(Play::key);
        run
    }

    /// Who and what all plays spoke of, once the last run is taken.
    #[must_use]
    pub fn into_people(mut self) -> LocalDictionary {
        self.settle();
        self.people
    }
}
