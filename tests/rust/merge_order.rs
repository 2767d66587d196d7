//! A table depends only on the set of records, not on the order in which partial results are merged.
//!
//! Records are generated from only a few values, so they often collide: copies with differences, ties up to the last
//! criterion, the same text in two escaped forms. The records are shuffled and divided into parts, and the parts are
//! merged in any order and grouping. The finished table must be the same as with a single part.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::{Index, select};
use sparkify_lake::config::{Compression, Match, Unmatched};
use sparkify_lake::decode::{Decoded, Decoder, Framing, Limits};
use sparkify_lake::parquet_io::writer::Encoder;
use sparkify_lake::runtime::cancel::Cancel;
use sparkify_lake::schema::{ColumnNames, Table};
use sparkify_lake::tables::artists::ArtistsPartial;
use sparkify_lake::tables::play_dictionary::PlayDictionary;
use sparkify_lake::tables::plays::{Play, PlaysPartial};
use sparkify_lake::tables::song_index::SongIndex;
use sparkify_lake::tables::songplays::{Histogram, Slice};
use sparkify_lake::tables::songs::SongsPartial;
use sparkify_lake::tables::time::Month;
use sparkify_lake::tables::users_history::{PeriodSequence, UserPeriod};
use sparkify_lake::tables::{artists, songs, time, users, users_history};
use sparkify_lake::transform::external_sort::RunBuffer;
use sparkify_lake::transform::finished_tables::FinishedTables;
use sparkify_lake::transform::write_tables::gather;

/// JSON texts. The second and the third have the same value, and so do null and a missing member.
const TEXTS: [&str; 6] = [r#""""#, r#""a\u00e9""#, r#""aé""#, r#""b""#, "null", ""];
const IDS: [&str; 4] = [r#""A""#, r#""\u0041""#, r#""B""#, r#""C""#];
const NUMBERS: [&str; 6] = ["0", "-0.0", "1.5", "2", "null", ""];
const INTEGERS: [&str; 5] = ["0", "1", "2", "null", ""];

/// A member of an object; an empty value means that the member is missing.
fn member(key: &'static str, values: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(values).prop_map(move |value| if value.is_empty() { String::new() } else { format!(",\"{key}\":{value}") })
}

fn song() -> impl Strategy<Value = String> {
    let song = (select(&IDS[..]), member("title", &TEXTS), member("artist_id", &TEXTS), member("year", &INTEGERS));
    let artist = (member("artist_name", &TEXTS), member("artist_location", &TEXTS), member("duration", &NUMBERS));
    let place = (member("artist_latitude", &NUMBERS), member("artist_longitude", &NUMBERS));
    (song, artist, place).prop_map(
        |((id, title, artist_id, year), (name, location, duration), (latitude, longitude))| {
            format!("{{\"song_id\":{id}{title}{artist_id}{year}{name}{location}{duration}{latitude}{longitude}}}\n")
        },
    )
}

/// A few times around the end of a year, which often collide.
const TIMES: [i64; 5] = [1_546_300_799_999, 1_546_300_800_000, 1_546_300_800_001, 1_543_622_400_000, 1_577_836_800_000];

fn event() -> impl Strategy<Value = String> {
    let when = (select(&TIMES[..]), member("sessionId", &INTEGERS), member("itemInSession", &INTEGERS));
    let who = (select(&IDS[..]), member("level", &TEXTS), member("firstName", &TEXTS), member("gender", &TEXTS));
    let details = (member("location", &TEXTS), member("userAgent", &TEXTS), member("lastName", &TEXTS));
    let what = (member("song", &TEXTS), member("artist", &TEXTS), member("length", &NUMBERS));
    (when, who, details, what).prop_map(
        |((ts, session, item), (user, level, first, gender), (location, agent, last), (song, artist, length))| {
            format!(
                "{{\"page\":\"NextSong\",\"ts\":{ts},\"userId\":{user}{session}{item}{level}{first}{gender}\
                 {location}{agent}{last}{song}{artist}{length}}}\n"
            )
        },
    )
}

/// How records are distributed to parts, and how parts are merged.
#[derive(Clone, Debug)]
struct Division {
    parts: usize,
    /// For each record, the part that gets it.
    assignment: Vec<Index>,
    /// For each merge, the two parts to merge.
    merges: Vec<(Index, Index)>,
    /// How many records a worker reads before it turns its plays into a sorted run.
    run: usize,
    /// Whether sorted runs are written to disk.
    to_disk: bool,
}

fn division() -> impl Strategy<Value = Division> {
    let assignment = prop::collection::vec(any::<Index>(), 60);
    let merges = prop::collection::vec(any::<(Index, Index)>(), 8);
    (1..6_usize, assignment, merges, 1..9_usize, any::<bool>())
        .prop_map(|(parts, assignment, merges, run, to_disk)| Division { parts, assignment, merges, run, to_disk })
}

impl Division {
    const NONE: Self = Self { parts: 1, assignment: Vec::new(), merges: Vec::new(), run: usize::MAX, to_disk: false };

    fn parts(&self, records: &[String]) -> Vec<Vec<String>> {
        let mut parts = vec![Vec::new(); self.parts];
        for (number, record) in records.iter().enumerate() {
            let part = self.assignment.get(number).map_or(0, |index| index.index(self.parts));
            parts[part].push(record.clone());
        }
        parts
    }

    fn merge<P>(&self, mut parts: Vec<P>, merge: impl Fn(&mut P, P)) -> P {
        for (left, right) in &self.merges {
            if parts.len() > 1 {
                let right = parts.swap_remove(right.index(parts.len()));
                let left = left.index(parts.len());
                merge(&mut parts[left], right);
            }
        }
        let mut whole = parts.remove(0);
        for part in parts {
            merge(&mut whole, part);
        }
        whole
    }
}

/// The songs and artists of divided records.
fn dimensions(records: &[String], division: &Division) -> (SongsPartial, ArtistsPartial) {
    let part = |records: Vec<String>| {
        let (mut songs, mut artists) = (SongsPartial::default(), ArtistsPartial::default());
        let counts =
            Decoder::new(Limits::default()).songs(records.concat().as_bytes(), Framing::Values, &mut |decoded| {
                match decoded {
                    Decoded::Row(song) => {
                        songs.add(song);
                        artists.add(song);
                    }
                    Decoded::Reject(reject) => panic!("{reject}"),
                }
            });
        assert_eq!(counts.rows, records.len() as u64);
        (songs, artists)
    };
    let parts = division.parts(records).into_iter().map(part).collect();
    division.merge(parts, |(songs, artists), (more_songs, more_artists)| {
        songs.merge(more_songs);
        artists.merge(more_artists);
    })
}

/// The files of users, `users_history`, time and songplays of divided records, the last two slice by slice.
fn facts(records: &[String], songs: &[String], matching: Match, division: &Division) -> Vec<bytes::Bytes> {
    let (songs, _) = dimensions(songs, &Division::NONE);
    let index = SongIndex::new(songs.finish(), matching);
    let scratch = tempfile::tempdir().unwrap();
    let runs = RunBuffer::new(if division.to_disk { 0 } else { usize::MAX }, scratch.path().to_owned());
    let mut people = Vec::new();
    for (worker, records) in division.parts(records).iter().enumerate() {
        let mut plays = PlaysPartial::new(&index, 1000);
        for records in records.chunks(division.run) {
            let counts =
                Decoder::new(Limits::default()).events(records.concat().as_bytes(), Framing::Values, &mut |decoded| {
                    match decoded {
                        Decoded::Row(event) => plays.add(event),
                        Decoded::Reject(reject) => panic!("{reject}"),
                    }
                });
            assert_eq!(counts.rows, records.len() as u64);
            runs.add(worker, plays.take_run()).unwrap();
        }
        people.push(plays.into_dictionary());
    }
    let encode = |table, columns| {
        Encoder::new(table, &ColumnNames::default(), Compression::None).unwrap().encode(&columns).unwrap().bytes
    };
    let mut files = vec![encode(Table::Users, users::columns(&users::finish(&people)))];
    let finished =
        FinishedTables { index, dimensions: Vec::new(), dictionary: PlayDictionary::new(people), runs: runs.finish() };
    let slices = finished.runs.histogram.slices();
    let mut plays = 0;
    let (mut sequence, mut months) = (PeriodSequence::default(), BTreeMap::<Month, PeriodSequence>::new());
    for slice in &slices {
        let gathered = gather(&finished, slice).unwrap();
        for periods in [&mut sequence, months.entry(slice.month).or_default()] {
            periods.append(&gathered.level_periods(), &finished.dictionary);
        }
        files.push(encode(Table::Time, time::file_columns(gathered.times())));
        for unmatched in [Unmatched::Keep, Unmatched::Drop] {
            let rows = gathered.rows(&finished.index, unmatched).unwrap();
            assert!(unmatched == Unmatched::Keep || rows.count as u64 == rows.matched);
            files.push(encode(Table::Songplays, rows.into_columns()));
        }
        plays += gathered.len();
    }
    assert_eq!(plays, records.len(), "every play is in exactly one slice");
    let history = |mut periods: Vec<UserPeriod>| {
        users_history::sort(&mut periods);
        encode(Table::UsersHistory, users_history::columns(&periods))
    };
    let by_month = months.values().rev().flat_map(|periods| periods.resolve(&finished.dictionary)).collect();
    files.push(history(sequence.resolve(&finished.dictionary)));
    assert!(files.last() == Some(&history(by_month)), "the periods of months merge to those of all plays");
    files
}

fn records(record: impl Strategy<Value = String>) -> impl Strategy<Value = (Vec<String>, Vec<String>)> {
    prop::collection::vec(record, 1..40).prop_flat_map(|records| (Just(records.clone()), Just(records).prop_shuffle()))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn songs_and_artists_merge_in_any_order((given, shuffled) in records(song()), division in division()) {
        let rows = |(songs, artists): (SongsPartial, ArtistsPartial)| (songs.finish(), artists.finish());
        let (songs, artists) = rows(dimensions(&given, &Division::NONE));
        let (other_songs, other_artists) = rows(dimensions(&shuffled, &division));
                // The debug format also shows fields that are not columns, and distinguishes -0.0 from 0.0.
        prop_assert_eq!(format!("{songs:?}"), format!("{other_songs:?}"));
        prop_assert_eq!(format!("{:?}", songs::columns(&songs)), format!("{:?}", songs::columns(&other_songs)));
        let columns = (artists::columns(&artists), artists::columns(&other_artists));
        prop_assert_eq!(format!("{:?}", columns.0), format!("{:?}", columns.1));
        let mut keys: Vec<&str> = songs.iter().map(|row| &*row.song_id).collect();
        keys.sort_unstable();
        prop_assert!(keys.windows(2).all(|pair| pair[0] != pair[1]), "one row per key: {keys:?}");
        prop_assert!(artists.windows(2).all(|pair| pair[0].artist_id < pair[1].artist_id));
    }

    #[test]
    fn plays_merge_in_any_order(
        (given, shuffled) in records(event()),
        songs in prop::collection::vec(song(), 0..12),
        matching in select(&[Match::TitleArtistDuration, Match::TitleArtist][..]),
        division in division(),
    ) {
        let whole = facts(&given, &songs, matching, &Division::NONE);
        let divided = facts(&shuffled, &songs, matching, &division);
        prop_assert!(whole == divided, "{} files and {}", whole.len(), divided.len());
    }
}

/// Enough plays for several slices: bursts of up to 50,000 plays, in one millisecond or in sequence.
fn bursts() -> impl Strategy<Value = Vec<Vec<Play>>> {
    let month_ends = [1_541_030_400_000_i64, 1_543_622_400_000, 1_546_300_800_000];
    let burst = (select(month_ends.to_vec()), -200_000..200_000_i64, 1..50_000_u32, prop_oneof![Just(0), 1..40_i64]);
    let burst = burst.prop_map(|(end, offset, plays, step)| {
        (0..i64::from(plays)).map(|play| Play::new((end + offset + play * step, None, Some(play)), 0, 0)).collect()
    });
    prop::collection::vec(burst, 1..14)
}

fn slices(runs: &[Vec<Play>]) -> Vec<Slice> {
    let mut histogram = Histogram::default();
    for run in runs {
        let mut part = Histogram::default();
        part.add(run);
        histogram.merge(&part);
    }
    histogram.slices()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(40) })]

    #[test]
    fn slices_divide_the_plays_by_time(runs in bursts()) {
        let slices = slices(&runs);
        let mut times: Vec<i64> = runs.iter().flatten().map(Play::ts).collect();
        times.sort_unstable();
        for slice in &slices {
            prop_assert!(slice.span.start < slice.span.end);
            let months = (Month::of(slice.span.start), Month::of(slice.span.end - 1));
            prop_assert_eq!(months, (slice.month, slice.month), "a slice is part of one month");
        }
        for pair in slices.windows(2) {
            prop_assert!(pair[0].span.end <= pair[1].span.start, "in order, without overlap");
        }
                // Spans have whole milliseconds and do not overlap, so this also proves that no millisecond is divided.
        let count = |span: &std::ops::Range<i64>| {
            times.partition_point(|ts| *ts < span.end) - times.partition_point(|ts| *ts < span.start)
        };
        prop_assert_eq!(slices.iter().map(|slice| count(&slice.span)).sum::<usize>(), times.len());
                // Memory is bounded: without its last span of 2^16 ms, a slice has less than 2^17 plays.
        for slice in &slices {
            let last = (slice.span.end - 1) >> 16 << 16;
            prop_assert!(count(&(slice.span.start..last.max(slice.span.start))) < 131_072, "{slice:?}");
        }
    }

        /// A month that is built separately, by a later run or another machine, has the same row groups.
    #[test]
    fn slices_of_a_month_do_not_depend_on_other_months(runs in bursts()) {
        let whole = slices(&runs);
        for month in whole.iter().map(|slice| slice.month).collect::<BTreeSet<_>>() {
            let its = |play: &&Play| Month::of(play.ts()) == month;
            let alone: Vec<Vec<Play>> = runs.iter().map(|run| run.iter().filter(its).copied().collect()).collect();
            let alone = slices(&alone);
            let among: Vec<&Slice> = whole.iter().filter(|slice| slice.month == month).collect();
            prop_assert_eq!(among, alone.iter().collect::<Vec<_>>());
        }
    }

    /// Events of other pages are in a slice, too, and do not change which plays are in it.
    #[test]
    fn events_of_other_pages_move_no_play_to_another_slice(runs in bursts(), others in bursts()) {
        let is_other = |play: &Play| play.with_ids(0, u32::MAX);
        let others: Vec<Vec<Play>> = others.iter().map(|run| run.iter().map(is_other).collect()).collect();
        let times: Vec<i64> = runs.iter().flatten().map(Play::ts).collect();
        let plays_of = |slices: &[Slice]| -> Vec<Vec<i64>> {
            let plays = slices.iter().map(|slice| {
                let mut plays: Vec<i64> = times.iter().copied().filter(|ts| slice.span.contains(ts)).collect();
                plays.sort_unstable();
                plays
            });
            plays.filter(|plays| !plays.is_empty()).collect()
        };
        let both = slices(&[runs.clone(), others.clone()].concat());
        prop_assert!(plays_of(&both) == plays_of(&slices(&runs)));
        let in_slices = |play: &Play| both.iter().filter(|slice| slice.span.contains(&play.ts())).count();
        prop_assert!(others.iter().flatten().all(|other| in_slices(other) == 1));
    }

    #[test]
    fn slices_do_not_depend_on_runs(runs in bursts(), length in 1..90_000_usize) {
        let mut plays: Vec<Play> = runs.concat();
        plays.sort_by_key(Play::key);
        let mut divided: Vec<Vec<Play>> = plays.chunks(length).map(<[Play]>::to_vec).collect();
        divided.reverse();
        prop_assert_eq!(slices(&runs), slices(&divided));
        prop_assert_eq!(slices(&runs), slices(&[plays]));
    }
}

#[test]
fn every_clone_sees_a_cancellation() {
    let cancel = Cancel::default();
    let clone = cancel.clone();
    assert!(clone.check().is_ok());
    cancel.cancel();
    assert!(clone.check().is_err());
}
