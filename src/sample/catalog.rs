//! The songs: those of the catalog, which have a song file, and other songs, which are only played.
//!
//! Invariant: a song is a pure function of the seed and its number, so that an event of any day has the same title,
//! artist and length as the song file, without a table in memory.

use crate::sample::identifiers::Identifiers;
use crate::sample::random::{Random, Stream, mix};
use crate::sample::text::{Producer, push_decimal, push_escaped, push_integer};
use crate::sample::words::{PLACES, Place, Words};

/// One second in hundred-thousandths of a second.
const SECOND: u64 = 100_000;
/// One of this many songs has a second file.
const REPEATED_ONE_IN: u64 = 97;
/// The percentage of songs whose artist has no other song, unless it is one of the popular artists.
const OWN_ARTIST_PERCENT: u64 = 72;
/// The number of songs per popular artist, which is an artist with several songs.
const SONGS_PER_POPULAR_ARTIST: u64 = 5;
/// The first number of the artists that are not in the catalog.
const OUTSIDE_ARTISTS: u64 = 1 << 40;

/// A song, in buffers that are reused for the next song.
#[derive(Default)]
pub(super) struct Song {
    pub title: String,
    pub artist_name: String,
    /// In hundred-thousandths of a second.
    pub duration: u64,
    /// Whether the title is a number such as 22, which a producer may write without quotes.
    pub title_is_number: bool,
    pub artist_is_number: bool,
    artist: u64,
    variant: u64,
}

/// The first or the second file of a song.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Copy {
    First,
    Repeat,
}

/// The source of all songs.
pub(super) struct Catalog<'w> {
    words: &'w Words,
    seed: u64,
    songs: u64,
    popular_artists: u64,
    identifiers: Identifiers,
}

impl<'w> Catalog<'w> {
    pub(super) const fn new(words: &'w Words, seed: u64, songs: u64) -> Self {
        let popular_artists = songs / SONGS_PER_POPULAR_ARTIST + 1;
        Self { words, seed, songs, popular_artists, identifiers: Identifiers::new(seed, songs) }
    }

    pub(super) const fn songs(&self) -> u64 {
        self.songs
    }

    /// The number of songs that are played and are not in the catalog.
    pub(super) const fn outside_songs(&self) -> u64 {
        self.songs.saturating_mul(4).saturating_add(5000)
    }

    /// Whether the song has a second file.
    pub(super) const fn is_repeated(&self, number: u64) -> bool {
        mix(self.seed ^ mix(number)).is_multiple_of(REPEATED_ONE_IN)
    }

    /// Fills `song` with a song of the catalog. The returned stream generates the other values of its file.
    pub(super) fn describe(&self, number: u64, song: &mut Song) -> Random {
        let mut random = Random::new(self.seed, Stream::Song, number);
        let artist = if random.percent(OWN_ARTIST_PERCENT) { number } else { random.rank(self.popular_artists, 64) };
        self.fill(song, artist, &mut random);
        random
    }

    /// Fills `song` with a song that is not in the catalog. About half of these songs have an artist of the catalog.
    pub(super) fn describe_outside(&self, number: u64, song: &mut Song) {
        let mut random = Random::new(self.seed, Stream::OutsideSong, number);
        let artist = if self.songs > 0 && random.one_in(2) {
            random.rank(self.songs, 16)
        } else {
            OUTSIDE_ARTISTS + random.rank(self.outside_songs(), 16)
        };
        self.fill(song, artist, &mut random);
    }

    fn fill(&self, song: &mut Song, artist: u64, random: &mut Random) {
        song.artist = artist;
        song.duration = duration(random);
        song.title.clear();
        song.title_is_number = random.one_in(400);
        if song.title_is_number {
            push_number(&mut song.title, 2 + random.below(2000));
        } else {
            push_title(&mut song.title, self.words, random);
        }
        song.variant = if random.percent(88) { 0 } else { 1 + random.below(4) };
        self.name_artist(song);
    }

    fn name_artist(&self, song: &mut Song) {
        let mut random = Random::new(self.seed, Stream::Artist, song.artist);
        let name = &mut song.artist_name;
        name.clear();
        song.artist_is_number = random.one_in(400);
        if song.artist_is_number {
            push_number(name, 2 + random.below(998));
        } else {
            push_artist(name, song.variant, self.words, &mut random);
        }
    }

    /// Appends the song file of a song; `song` is a buffer.
    pub(super) fn write_song(&self, number: u64, copy: Copy, song: &mut Song, out: &mut Vec<u8>) {
        let mut random = self.describe(number, song);
        let mut year = if random.percent(55) { 1950 + random.below(61).max(random.below(61)) } else { 0 };
        let mut location = Location::of(self.seed, song.artist);
        if random.percent(12) {
            location = location.variant(&mut random);
        }
        if copy == Copy::Repeat {
            match random.below(3) {
                0 => year = if year == 0 { 1950 + random.below(61) } else { 0 },
                1 => song.title.push_str(" (Single Version)"),
                _ => {}
            }
            song.title_is_number &= !song.title.ends_with(')');
        }
        out.extend_from_slice(b"{\"num_songs\": 1, \"artist_id\": \"");
        out.extend_from_slice(&self.identifiers.artist(song.artist));
        out.extend_from_slice(b"\", \"artist_latitude\": ");
        push_coordinate(out, location.coordinates.map(|(latitude, _)| latitude));
        out.extend_from_slice(b", \"artist_longitude\": ");
        push_coordinate(out, location.coordinates.map(|(_, longitude)| longitude));
        out.extend_from_slice(b", \"artist_location\": ");
        push_text(out, location.name, false);
        out.extend_from_slice(b", \"artist_name\": ");
        push_text(out, &song.artist_name, song.artist_is_number);
        out.extend_from_slice(b", \"song_id\": \"");
        out.extend_from_slice(&self.identifiers.song(number));
        out.extend_from_slice(b"\", \"title\": ");
        push_text(out, &song.title, song.title_is_number);
        out.extend_from_slice(b", \"duration\": ");
        push_decimal(out, song.duration.cast_signed());
        out.extend_from_slice(b", \"year\": ");
        push_integer(out, year);
        out.push(b'}');
    }

    /// The track ID of a song file: TR, five letters, eleven hexadecimal digits.
    pub(super) fn track(&self, number: u64, copy: Copy) -> [u8; 18] {
        self.identifiers.track(2 * number + u64::from(copy == Copy::Repeat))
    }
}

fn push_text(out: &mut Vec<u8>, text: &str, is_number: bool) {
    if is_number {
        out.extend_from_slice(text.as_bytes());
    } else {
        out.push(b'"');
        push_escaped(out, text, Producer::Python);
        out.push(b'"');
    }
}

fn push_coordinate(out: &mut Vec<u8>, coordinate: Option<i64>) {
    match coordinate {
        Some(value) => push_decimal(out, value),
        None => out.extend_from_slice(b"null"),
    }
}

/// About four minutes; one of 50 songs is three times as long.
const fn duration(random: &mut Random) -> u64 {
    let usual = 30 * SECOND + random.below(140 * SECOND) + random.below(140 * SECOND) + random.below(140 * SECOND);
    if random.one_in(50) { usual * 3 } else { usual }
}

fn push_number(text: &mut String, number: u64) {
    let mut digits = Vec::with_capacity(4);
    push_integer(&mut digits, number);
    text.extend(digits.into_iter().map(char::from));
}

fn push_all(text: &mut String, parts: &[&str]) {
    for part in parts {
        text.push_str(part);
    }
}

fn push_title(title: &mut String, words: &Words, random: &mut Random) {
    let adjective = random.pick(&words.adjectives);
    let noun = random.pick(&words.nouns);
    let other = random.pick(&words.nouns);
    let verb = random.pick(&words.verbs);
    match random.below(100) {
        0..18 => push_all(title, &[adjective, " ", noun]),
        18..28 => push_all(title, &["The ", adjective, " ", noun]),
        28..38 => push_all(title, &[verb, " The ", noun]),
        38..46 => push_all(title, &[noun, " Of The ", adjective, " ", other]),
        46..54 => push_all(title, &["Don't ", verb, " My ", noun]),
        54..60 => push_all(title, &["I'll ", verb, " You (In The ", noun, ")"]),
        60..65 => push_all(title, &[verb, " Me Like A ", noun]),
        65..70 => push_all(title, &[noun]),
        70..75 => push_all(title, &[noun, "'s ", other]),
        75..79 => push_all(title, &[adjective, " ", noun, " / ", other]),
        79..83 => push_all(title, &["\"", adjective, "\" ", noun]),
        83..87 => push_all(title, &[noun, " (feat. ", random.pick(&words.surnames), ")"]),
        87..91 => push_all(title, &["Where Did The ", adjective, " ", noun, " Go?"]),
        91..97 => push_all(title, &[noun, " & ", other]),
        _ => title.push_str(random.pick(&words.foreign_titles)),
    }
    if random.percent(40) {
        title.push_str(random.pick(&words.title_endings));
    }
}

fn push_artist(name: &mut String, variant: u64, words: &Words, random: &mut Random) {
    let first = if random.one_in(2) { random.pick(&words.women) } else { random.pick(&words.men) };
    let surname = random.pick(&words.surnames);
    let adjective = random.pick(&words.adjectives);
    let noun = random.pick(&words.nouns);
    let guest = random.pick(&words.surnames);
    let guest_first = random.pick(&words.men);
    match random.below(100) {
        0..40 => push_all(name, &[first, " ", surname]),
        40..58 => push_all(name, &["The ", adjective, " ", noun, "s"]),
        58..68 => push_all(name, &[adjective, " ", noun]),
        68..74 => push_all(name, &[surname, " & ", guest]),
        74..79 => push_all(name, &["DJ ", noun]),
        79..83 => push_all(name, &[first, " \"", noun, "\" ", surname]),
        83..87 => push_all(name, &[noun, "/", random.pick(&words.nouns)]),
        87..91 => push_all(name, &["The ", surname, " Trio"]),
        91..97 => push_all(name, &[adjective, " ", noun, " with ", first, " ", surname]),
        _ => name.push_str(random.pick(&words.foreign_artists)),
    }
    match variant {
        0 => {}
        1 => push_all(name, &[" feat. ", guest_first, " ", guest]),
        2 => push_all(name, &[" & His Orchestra"]),
        3 => push_all(name, &[" / ", guest]),
        _ => name.make_ascii_uppercase(),
    }
}

/// The location of an artist in a song file.
#[derive(Clone, Copy)]
struct Location {
    place: Place,
    name: &'static str,
    coordinates: Option<(i64, i64)>,
}

impl Location {
    /// The location in most files of an artist; it is often empty.
    fn of(seed: u64, artist: u64) -> Self {
        let mut random = Random::new(seed, Stream::Artist, !artist);
        let place: Place = random.pick(&PLACES);
        let coordinates = random.percent(70).then_some((place.latitude, place.longitude));
        match random.below(100) {
            0..40 => Self { place, name: "", coordinates: None },
            40..41 => Self { place, name: "", coordinates },
            41..75 => Self { place, name: place.long, coordinates },
            _ => Self { place, name: place.short, coordinates },
        }
    }

    /// A different location for the same artist, as some of the artist's files have.
    const fn variant(self, random: &mut Random) -> Self {
        let place = self.place;
        let exact = Some((place.latitude, place.longitude));
        match random.below(4) {
            0 => Self { place, name: "", coordinates: None },
            1 => Self { place, name: place.short, coordinates: exact },
            2 => Self { place, name: place.long, coordinates: None },
            _ => Self { place, name: place.long, coordinates: exact },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Catalog, Song};
    use crate::sample::words::Words;

    #[test]
    fn a_song_does_not_depend_on_earlier_calls() {
        let words = Words::new();
        let catalog = Catalog::new(&words, 5, 1000);
        let (mut fresh, mut used) = (Song::default(), Song::default());
        for number in 0..1000 {
            catalog.describe_outside(number, &mut used);
            catalog.describe(number, &mut used);
            fresh = Song { title: String::new(), artist_name: String::new(), ..fresh };
            catalog.describe(number, &mut fresh);
            assert_eq!(fresh.title, used.title);
            assert_eq!(fresh.artist_name, used.artist_name);
            assert_eq!(fresh.duration, used.duration);
        }
    }
}
