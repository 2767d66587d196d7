//! The events of one day: sessions that begin, overlap and end, as lines in the order of time.
//!
//! Only the open sessions are in memory. Invariant: a day is a pure function of the spec and the number of the day, has
//! exactly the requested number of events, and its times never decrease.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use crate::sample::SampleSpec;
use crate::sample::catalog::{Catalog, Song};
use crate::sample::people::People;
use crate::sample::random::{Random, Stream};
use crate::sample::session::{Page, Session, Standing, stay};
use crate::sample::text::{Producer, push_decimal, push_escaped, push_integer};

/// The percentage of plays of a song in the catalog, with its exact title, artist and length. The real data has almost
/// none; a demonstration needs more.
const MATCHED_PERCENT: u64 = 30;
/// The percentage of plays of another edition of a song in the catalog: only the length differs.
const OTHER_EDITION_PERCENT: u64 = 3;
/// One of this many events has the same millisecond as the event before, in another session.
const SAME_MILLISECOND_ONE_IN: u64 = 250;
/// The relative number of events in each hour of the day (UTC); most users live in America.
const HOURS: [u64; 24] =
    [46, 42, 36, 34, 31, 30, 29, 28, 31, 33, 37, 44, 50, 56, 66, 72, 74, 71, 66, 62, 58, 57, 52, 49];

pub(super) const HOUR_MS: u64 = 3_600_000;

/// The sources of a day's events, shared by all days.
#[derive(Clone, Copy)]
pub(super) struct Sources<'w> {
    pub spec: &'w SampleSpec,
    pub catalog: &'w Catalog<'w>,
    pub people: &'w People<'w>,
}

/// The events of one day, one at a time.
pub(super) struct Day<'w> {
    sources: Sources<'w>,
    number: u32,
    random: Random,
    clock: Clock,
    sessions_opened: u64,
    /// The open sessions. The places of closed sessions are reused.
    sessions: Vec<Session<'w>>,
    free_places: Vec<usize>,
    /// The time of the next event of each open session.
    due: BinaryHeap<Reverse<(u64, usize)>>,
    standings: HashMap<u64, Standing>,
    song: Song,
}

impl<'w> Day<'w> {
    /// `start` is the midnight at which the day begins, in milliseconds since 1970.
    pub(super) fn new(sources: Sources<'w>, number: u32, start: u64, events: u64) -> Self {
        Self {
            sources,
            number,
            random: Random::new(sources.spec.seed, Stream::Day, u64::from(number)),
            clock: Clock::new(start, events),
            sessions_opened: 0,
            sessions: Vec::new(),
            free_places: Vec::new(),
            due: BinaryHeap::new(),
            standings: HashMap::new(),
            song: Song::default(),
        }
    }

    /// Appends the next event, without a line end.
    pub(super) fn write_event(&mut self, out: &mut Vec<u8>) {
        let time = self.clock.tick(&mut self.random);
        // The next session with an event up to this time is used; without one, a new session begins. So the number of
        // sessions follows the clock.
        loop {
            let place = match self.due.peek() {
                Some(&Reverse((due, place))) if due <= time => {
                    self.due.pop();
                    place
                }
                _ => self.open_session(),
            };
            if self.act(place, time, out) {
                return;
            }
        }
    }

    /// Appends the next event of a session; false if the session has ended.
    fn act(&mut self, place: usize, time: u64, out: &mut Vec<u8>) -> bool {
        let Some(session) = self.sessions.get_mut(place) else {
            return false;
        };
        let Some(standing) = self.standings.get_mut(&session.user.number) else {
            return false;
        };
        let Some(page) = session.next_page(*standing, &mut self.random) else {
            standing.open_sessions -= 1;
            self.free_places.push(place);
            return false;
        };
        let song = (page == Page::NextSong).then_some(&mut self.song);
        let song = song.map(|song| {
            choose_song(self.sources.catalog, song, &mut self.random);
            &*song
        });
        push_event(out, session, page, standing.pays, song, time, &mut self.random);
        session.settle(page, standing);
        let stay = stay(page, song.map_or(0, |song| song.duration), &mut self.random);
        self.due.push(Reverse((time + stay, place)));
        true
    }

    #[expect(clippy::indexing_slicing, reason = "a free place is one of the sessions'")]
    fn open_session(&mut self) -> usize {
        let number = self.draw_user();
        let user = self.sources.people.user(number);
        let standing = self.standings.entry(number).or_insert_with(|| Standing {
            pays: user.pays_at_start_of(self.number),
            change_due: user.changes_on(self.number),
            open_sessions: 0,
        });
        standing.open_sessions += 1;
        // Unique among all days, without the number of sessions of earlier days.
        let id = self.sessions_opened * u64::from(self.sources.spec.days) + u64::from(self.number) + 1;
        self.sessions_opened += 1;
        let session = Session::open(id, user, standing.pays, &mut self.random);
        if let Some(place) = self.free_places.pop() {
            self.sessions[place] = session;
            place
        } else {
            self.sessions.push(session);
            self.sessions.len() - 1
        }
    }

    /// A user without an open session, if there is one after a few draws: there may be more sessions than users.
    fn draw_user(&mut self) -> u64 {
        let mut number = self.sources.people.draw(&mut self.random);
        for _ in 0..8 {
            if self.standings.get(&number).is_none_or(|standing| standing.open_sessions == 0) {
                break;
            }
            number = self.sources.people.draw(&mut self.random);
        }
        number
    }
}

fn choose_song(catalog: &Catalog<'_>, song: &mut Song, random: &mut Random) {
    let drawn = random.below(100);
    if drawn >= MATCHED_PERCENT + OTHER_EDITION_PERCENT || catalog.songs() == 0 {
        catalog.describe_outside(random.rank(catalog.outside_songs(), 16), song);
        return;
    }
    catalog.describe(random.rank(catalog.songs(), 16), song);
    if drawn >= MATCHED_PERCENT {
        song.duration += 1 + random.below(1_000_000);
    }
}

fn push_event(
    out: &mut Vec<u8>,
    session: &Session<'_>,
    page: Page,
    pays: bool,
    song: Option<&Song>,
    time: u64,
    random: &mut Random,
) {
    let user = session.logged_in.then_some(&session.user);
    let (page, method, status) = page.in_the_log();
    out.extend_from_slice(b"{\"artist\":");
    push_title(out, song.map(|song| (song.artist_name.as_str(), song.artist_is_number)), random);
    out.extend_from_slice(if user.is_some() { b",\"auth\":\"Logged In\"" } else { b",\"auth\":\"Logged Out\"" });
    out.extend_from_slice(b",\"firstName\":");
    push_text(out, user.map(|user| user.first_name));
    out.extend_from_slice(b",\"gender\":");
    push_text(out, user.map(|user| if user.gender == b'F' { "F" } else { "M" }));
    out.extend_from_slice(b",\"itemInSession\":");
    push_integer(out, session.items);
    out.extend_from_slice(b",\"lastName\":");
    push_text(out, user.map(|user| user.last_name));
    out.extend_from_slice(b",\"length\":");
    match song {
        Some(song) => push_decimal(out, song.duration.cast_signed()),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(if pays { b",\"level\":\"paid\"" } else { b",\"level\":\"free\"" });
    out.extend_from_slice(b",\"location\":");
    push_text(out, user.map(|user| user.metro));
    out.extend_from_slice(b",\"method\":\"");
    out.extend_from_slice(method.as_bytes());
    out.extend_from_slice(b"\",\"page\":\"");
    out.extend_from_slice(page.as_bytes());
    out.extend_from_slice(b"\",\"registration\":");
    match user {
        Some(user) => {
            push_integer(out, user.registration);
            out.extend_from_slice(b".0");
        }
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"sessionId\":");
    push_integer(out, session.id);
    out.extend_from_slice(b",\"song\":");
    push_title(out, song.map(|song| (song.title.as_str(), song.title_is_number)), random);
    out.extend_from_slice(b",\"status\":");
    out.extend_from_slice(status.as_bytes());
    out.extend_from_slice(b",\"ts\":");
    push_integer(out, time);
    match user {
        Some(user) => {
            out.extend_from_slice(b",\"userAgent\":\"");
            out.extend_from_slice(user.escaped_agent.as_bytes());
            out.extend_from_slice(b"\",\"userId\":");
            let quote: &[u8] = if session.user_as_number { b"" } else { b"\"" };
            out.extend_from_slice(quote);
            push_integer(out, user.number);
            out.extend_from_slice(quote);
        }
        None => out.extend_from_slice(b",\"userAgent\":null,\"userId\":\"\""),
    }
    out.push(b'}');
}

fn push_text(out: &mut Vec<u8>, text: Option<&str>) {
    match text {
        Some(text) => {
            out.push(b'"');
            push_escaped(out, text, Producer::Php);
            out.push(b'"');
        }
        None => out.extend_from_slice(b"null"),
    }
}

/// Appends a title or a name. A number is written without quotes in half of the cases.
fn push_title(out: &mut Vec<u8>, title: Option<(&str, bool)>, random: &mut Random) {
    match title {
        Some((number, true)) if random.one_in(2) => out.extend_from_slice(number.as_bytes()),
        other => push_text(out, other.map(|(text, _)| text)),
    }
}

/// The times of the events of a day: ascending, with more events in busy hours.
struct Clock {
    start: u64,
    events: u64,
    ticks: u64,
    hour: usize,
    /// The sum of the hours before this one, each weighted and in milliseconds.
    before: u64,
    previous: u64,
}

impl Clock {
    const fn new(start: u64, events: u64) -> Self {
        Self { start, events, ticks: 0, hour: 0, before: 0, previous: start }
    }

    #[expect(clippy::indexing_slicing, reason = "the hour stays below the number of hours")]
    fn tick(&mut self, random: &mut Random) -> u64 {
        let again = self.ticks > 0 && random.one_in(SAME_MILLISECOND_ONE_IN);
        // The day is divided into one part of equal weight per event.
        let within = u128::from(random.next() >> 32);
        let part = (u128::from(self.ticks) << 32) | within;
        let whole = u128::from(self.events.max(1)) << 32;
        let total = HOURS.iter().sum::<u64>() * HOUR_MS;
        let position = u64::try_from(part * u128::from(total) / whole).unwrap_or(total).min(total - 1);
        while position >= self.before + HOURS[self.hour] * HOUR_MS && self.hour + 1 < HOURS.len() {
            self.before += HOURS[self.hour] * HOUR_MS;
            self.hour += 1;
        }
        self.ticks += 1;
        if !again {
            let into_hour = (position - self.before) / HOURS[self.hour];
            self.previous = self.start + self.hour as u64 * HOUR_MS + into_hour;
        }
        self.previous
    }
}

#[cfg(test)]
mod tests {
    use super::{Clock, HOUR_MS};
    use crate::sample::random::{Random, Stream};

    #[test]
    fn the_clock_never_goes_back_and_stays_in_the_day() {
        for events in [1, 2, 24, 1000, 100_000] {
            let mut clock = Clock::new(5000, events);
            let mut random = Random::new(1, Stream::Day, events);
            let times: Vec<u64> = (0..events).map(|_| clock.tick(&mut random)).collect();
            assert!(times.is_sorted());
            assert!(times.iter().all(|&time| (5000..5000 + 24 * HOUR_MS).contains(&time)));
        }
    }
}
