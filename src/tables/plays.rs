//! The plays of a part of the event logs, with a dictionary of their users and tracks.
//!
//! A play is 32 bytes: its time, its session, its position in the session, the id of its user's [`profile`] and the id
//! of its track. A full buffer of plays becomes a sorted run; the dictionary stays in memory.
//!
//! Only `NextSong` events are plays (rule 3 of `docs/tables.md`). If the decoder also emits the others, they are kept
//! among the plays with the track [`OTHER_PAGE`], and only the `users_history` table uses them (rule 16).
//!
//! Invariant: a play's ids belong to the [`LocalDictionary`] of the same partial; runs are sorted by [`Play::key`].

use crate::decode::Event;
use crate::tables::interner::{Interned, Interner};
use crate::tables::song_index::SongIndex;

/// The positions of the fields in a profile: everything that an event contains about its user.
pub(crate) mod profile {
    pub(crate) const USER_ID: usize = 0;
    pub(crate) const LEVEL: usize = 1;
    pub(crate) const LOCATION: usize = 2;
    pub(crate) const USER_AGENT: usize = 3;
    pub(crate) const FIRST_NAME: usize = 4;
    pub(crate) const LAST_NAME: usize = 5;
    pub(crate) const GENDER: usize = 6;

    /// Number of fields.
    pub(crate) const FIELDS: usize = 7;

    /// The first fields are columns of songplays.
    pub(crate) const SONGPLAYS_FIELDS: usize = 4;
}

/// The song position of a track without a song.
pub const NO_SONG: u32 = u32::MAX;

/// The track of an event that is not a play.
const OTHER_PAGE: u32 = u32::MAX;

/// The latest play of a profile without plays.
pub const NEVER: Key = (i64::MIN, None, None);

/// The sort key of a play: (ts, session, position in the session), NULL first. Nearly always unique.
pub type Key = (i64, Option<i64>, Option<i64>);

/// One play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Play {
    /// The time in milliseconds, shifted left by two bits, which are set if session and item have a value. Times that
    /// the decoder accepts leave these bits free.
    stamp: i64,
    session: i64,
    item: i64,
    /// The id of the user's profile.
    pub profile: u32,
    /// The id of the track.
    pub track: u32,
}

const HAS_SESSION: i64 = 2;
const HAS_ITEM: i64 = 1;

impl Play {
    /// A play with the given key and ids.
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

    /// The same play with other ids.
    #[must_use]
    pub fn with_ids(self, profile: u32, track: u32) -> Self {
        Self { profile, track, ..self }
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn ts(&self) -> i64 {
        self.stamp >> 2
    }

    /// The number of the session.
    #[must_use]
    pub fn session(&self) -> Option<i64> {
        (self.stamp & HAS_SESSION != 0).then_some(self.session)
    }

    /// Returns false for an event of another page.
    #[must_use]
    pub fn is_play(&self) -> bool {
        self.track != OTHER_PAGE
    }

    /// The sort key. Plays with equal keys are ordered by their texts.
    #[must_use]
    pub fn key(&self) -> Key {
        (self.ts(), self.session(), (self.stamp & HAS_ITEM != 0).then_some(self.item))
    }

    /// The play as four words, for a file.
    #[must_use]
    pub fn to_words(self) -> [i64; 4] {
        let ids = u64::from(self.profile) << 32 | u64::from(self.track);
        [self.stamp, self.session, self.item, ids.cast_signed()]
    }

    /// The play of four words from [`Self::to_words`].
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "two 32-bit ids share one word")]
    pub fn from_words([stamp, session, item, ids]: [i64; 4]) -> Self {
        let ids = ids.cast_unsigned();
        Self { stamp, session, item, profile: (ids >> 32) as u32, track: ids as u32 }
    }
}

/// The users and tracks that the plays of one partial refer to.
#[derive(Debug, Default)]
pub struct LocalDictionary {
    /// Distinct combinations of the [`profile`] fields.
    pub profiles: Interner<{ profile::FIELDS }>,
    /// The latest play of each profile, or [`NEVER`].
    pub latest: Vec<Key>,
    /// Distinct (song title, artist name, length).
    pub tracks: Interner<2>,
    /// The song of each track: a position in [`SongIndex::rows`], or [`NO_SONG`].
    pub songs: Vec<u32>,
}

/// Plays that are looked up together: enough to overlap their waits for memory, few enough to stay in the nearest
/// cache.
const BATCH_PLAYS: usize = 64;

/// The number of sessions whose profile is remembered; a power of two. They fit into the nearest caches.
const RECENT_SESSIONS: usize = 1024;

/// The last profile of recent sessions. The events of a session nearly always have the same profile.
#[derive(Debug)]
struct RecentSessions(Vec<(i64, u32)>);

impl Default for RecentSessions {
    fn default() -> Self {
        Self(vec![(0, 0); RECENT_SESSIONS])
    }
}

impl RecentSessions {
    /// The profile that the last event of the session had. It is a guess: the place may belong to another session.
    fn profile(&self, session: Option<i64>) -> Option<u32> {
        let session = session?;
        self.0.get(place(session)).filter(|(recent, _)| *recent == session).map(|(_, profile)| *profile)
    }

    /// Remembers the profile of an event of the session.
    fn note(&mut self, session: Option<i64>, profile: u32) {
        if let Some(session) = session
            && let Some(recent) = self.0.get_mut(place(session))
        {
            *recent = (session, profile);
        }
    }
}

/// The place of a session. Sessions are counted, so the last ones have different places.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "only the lowest bits are needed")]
fn place(session: i64) -> usize {
    session as usize % RECENT_SESSIONS
}

/// The plays of one part of the event logs.
#[derive(Debug)]
pub struct PlaysPartial<'i> {
    index: &'i SongIndex,
    dictionary: LocalDictionary,
    plays: Vec<Play>,
    capacity: usize,
    /// The keys of the plays whose profiles and tracks wait in the queues of the dictionary, and whether they are plays.
    queued: Vec<(Key, bool)>,
    profiles: Vec<Interned>,
    tracks: Vec<Interned>,
    sessions: RecentSessions,
    title: String,
    artist: String,
}

impl<'i> PlaysPartial<'i> {
    /// An empty partial. It looks songs up in `index`; each buffer is allocated for `capacity` plays, because growing
    /// one would copy it repeatedly.
    #[must_use]
    pub fn new(index: &'i SongIndex, capacity: usize) -> Self {
        Self {
            index,
            dictionary: LocalDictionary::default(),
            plays: Vec::new(),
            capacity,
            queued: Vec::with_capacity(BATCH_PLAYS),
            profiles: Vec::with_capacity(BATCH_PLAYS),
            tracks: Vec::with_capacity(BATCH_PLAYS),
            sessions: RecentSessions::default(),
            title: String::new(),
            artist: String::new(),
        }
    }

    /// Adds one event.
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
        let guess = self.sessions.profile(event.session_id);
        self.dictionary.profiles.queue(&profile, None, guess);
        self.dictionary.tracks.queue(&[event.song, event.artist], event.length, None);
        self.queued.push(((event.ts, event.session_id, event.item_in_session), event.is_play));
        if self.queued.len() == BATCH_PLAYS {
            self.settle();
        }
    }

    /// Looks up the ids of the queued plays and moves the plays to the buffer.
    fn settle(&mut self) {
        if self.plays.is_empty() {
            self.plays.reserve_exact(self.capacity);
        }
        let dictionary = &mut self.dictionary;
        dictionary.profiles.settle(&mut self.profiles);
        dictionary.tracks.settle(&mut self.tracks);
        for (((key, is_play), profile), track) in self.queued.drain(..).zip(&self.profiles).zip(&self.tracks) {
            if track.is_new {
                let title = dictionary.tracks.text(track.id, 0, &mut self.title);
                let artist = dictionary.tracks.text(track.id, 1, &mut self.artist);
                let song = self.index.find(title, artist, dictionary.tracks.number(track.id));
                dictionary.songs.push(song.unwrap_or(NO_SONG));
            }
            self.sessions.note(key.1, profile.id);
            let played = if is_play { key } else { NEVER };
            if profile.is_new {
                dictionary.latest.push(played);
            } else if let Some(latest) = dictionary.latest.get_mut(profile.id as usize) {
                *latest = (*latest).max(played);
            }
            let track = if is_play { track.id } else { OTHER_PAGE };
            self.plays.push(Play::new(key, profile.id, track));
        }
    }

    /// The number of buffered plays.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.plays.len() + self.queued.len()
    }

    /// Takes the buffered plays, sorted, and leaves the buffer empty.
    ///
    /// The sort is stable, because a stable sort uses the sorted stretches of the input.
    pub fn take_run(&mut self) -> Vec<Play> {
        self.settle();
        let mut run = std::mem::take(&mut self.plays);
        run.sort_by_key(Play::key);
        run
    }

    /// The dictionary of all plays, after the last run is taken.
    #[must_use]
    pub fn into_dictionary(mut self) -> LocalDictionary {
        self.settle();
        self.dictionary
    }
}
