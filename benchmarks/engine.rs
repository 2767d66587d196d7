//! The parts of the engine, each compared with a lower bound: the time to process the same bytes at all.
//!
//! `make parts` runs all groups, `make parts PART=decoder` runs one of them. The data is sample data, which has the
//! lengths, the repetitions and the irregularities of real data. `make bench` measures whole jobs.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a benchmark may end with a panic")]
#![expect(clippy::wildcard_imports, reason = "groups are modules of this file only for their names")]

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::sync::LazyLock;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use sparkify_lake::config::{Compression, Match, Unmatched};
use sparkify_lake::decode::{Decoded, Decoder, Event, Framing, Limits, Song, cut};
use sparkify_lake::distributed::protocol::FileWork;
use sparkify_lake::distributed::split;
use sparkify_lake::input::list::{InputFile, Version};
use sparkify_lake::parquet_io::writer::Encoder;
use sparkify_lake::s3::object::Tag;
use sparkify_lake::sample::{SampleSpec, write_sample};
use sparkify_lake::schema::{ColumnNames, Table};
use sparkify_lake::tables::partition_path::of_song;
use sparkify_lake::tables::play_dictionary::PlayDictionary;
use sparkify_lake::tables::plays::{Play, PlaysPartial};
use sparkify_lake::tables::song_index::SongIndex;
use sparkify_lake::tables::songplays::SlicePlays;
use sparkify_lake::tables::songs::{SongsPartial, file_columns};
use sparkify_lake::tables::time;
use sparkify_lake::transform::external_sort::RunBuffer;
use sparkify_lake::transform::finished_tables::FinishedTables;
use sparkify_lake::transform::write_tables::gather;

fn main() {
    divan::main();
}

/// Two days of the logs of a large service, and its songs.
static DATA: LazyLock<Data> = LazyLock::new(Data::make);

/// The inputs of the benchmarks.
struct Data {
    /// Lines of events with the keys in the producer's order, as large as a chunk of the job.
    events: Vec<u8>,
    /// The same lines, each with its keys in a random order.
    shuffled: Vec<u8>,
    /// All events.
    all_events: Vec<u8>,
    /// Song files.
    songs: Vec<Vec<u8>>,
    /// Plays in the order of the input.
    plays: Vec<Play>,
    /// The data of all tables.
    finished: FinishedTables,
}

impl Data {
    fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let spec = SampleSpec { songs: 15_000, events: 200_000, days: 2, users: 20_000, seed: 1 };
        write_sample(folder.path(), &spec, 2, &|| false, &|_| ()).unwrap();
        let (songs, logs) = (files(&folder.path().join("song_data")), files(&folder.path().join("log_data")));
        let mut partial = SongsPartial::default();
        for song in &songs {
            decode_song(&mut Decoder::new(Limits::default()), song, &mut |song| partial.add(song));
        }
        let index = SongIndex::new(partial.finish(), Match::TitleArtistDuration);
        let all_events = logs.concat();
        let mut partial = PlaysPartial::new(&index, 200_000);
        add_events(&all_events, &mut partial);
        let plays = partial.take_run();
        let runs = RunBuffer::new(usize::MAX, folder.path().to_owned());
        for remainder in 0..2 {
            let half = plays.iter().enumerate().filter(|(number, _)| number % 2 == remainder);
            runs.add(0, half.map(|(_, play)| *play).collect()).unwrap();
        }
        let dictionary = PlayDictionary::new(vec![partial.into_dictionary()]);
        let events = logs.first().and_then(|log| log.get(..1 << 20)).unwrap();
        let events = events.get(..cut(events).unwrap()).unwrap().to_vec();
        Self {
            shuffled: shuffle(&events),
            events,
            all_events,
            songs,
            plays,
            finished: FinishedTables { index, dimensions: Vec::new(), dictionary, runs: runs.finish() },
        }
    }
}

/// The contents of all files below a folder, by path.
fn files(folder: &Path) -> Vec<Vec<u8>> {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries.iter().flat_map(|path| if path.is_dir() { files(path) } else { vec![fs::read(path).unwrap()] }).collect()
}

/// The lines, each with its keys in a random order from a fixed seed.
fn shuffle(lines: &[u8]) -> Vec<u8> {
    let mut state = 1_u64;
    let mut shuffled = Vec::with_capacity(lines.len());
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(line).unwrap();
        let mut members: Vec<_> = object.into_iter().collect();
        for last in (1..members.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            members.swap(last, (state >> 33) as usize % (last + 1));
        }
        let members: Vec<String> = members.iter().map(|(key, value)| format!("{key:?}:{value}")).collect();
        shuffled.extend(format!("{{{}}}\n", members.join(",")).bytes());
    }
    shuffled
}

fn decode_song(decoder: &mut Decoder, bytes: &[u8], sink: &mut impl FnMut(&Song<'_>)) {
    decoder.songs(bytes, Framing::Values, &mut |decoded| match decoded {
        Decoded::Row(song) => sink(song),
        Decoded::Reject(reject) => panic!("{reject}"),
    });
}

fn decode_events(decoder: &mut Decoder, bytes: &[u8], sink: &mut impl FnMut(&Event<'_>)) {
    decoder.events(bytes, Framing::Values, &mut |decoded| match decoded {
        Decoded::Row(event) => sink(event),
        Decoded::Reject(reject) => panic!("{reject}"),
    });
}

fn add_events(bytes: &[u8], plays: &mut PlaysPartial<'_>) {
    decode_events(&mut Decoder::new(Limits::default()), bytes, &mut |event| plays.add(event));
}

/// From bytes of JSON to located records.
#[divan::bench_group]
mod decoder {
    use super::*;

    /// Only finds the lines.
    #[divan::bench]
    fn floor_of_lines(bencher: Bencher<'_, '_>) {
        let bytes = &DATA.events;
        bencher.counter(BytesCount::of_slice(bytes)).bench(|| memchr::memchr_iter(b'\n', black_box(bytes)).count());
    }

    /// Only checks that the bytes are UTF-8, as every decoder must.
    #[divan::bench]
    fn floor_of_utf8(bencher: Bencher<'_, '_>) {
        let bytes = &DATA.events;
        bencher.counter(BytesCount::of_slice(bytes)).bench(|| simdutf8::basic::from_utf8(black_box(bytes)).is_ok());
    }

    #[divan::bench]
    fn events(bencher: Bencher<'_, '_>) {
        events_of(bencher, &DATA.events);
    }

    #[divan::bench]
    fn events_with_shuffled_keys(bencher: Bencher<'_, '_>) {
        events_of(bencher, &DATA.shuffled);
    }

    fn events_of(bencher: Bencher<'_, '_>, bytes: &[u8]) {
        let mut decoder = Decoder::new(Limits::default());
        bencher.counter(BytesCount::of_slice(bytes)).bench_local(|| {
            decode_events(&mut decoder, black_box(bytes), &mut |event| {
                black_box(event);
            });
        });
    }

    /// One song per file.
    #[divan::bench]
    fn songs(bencher: Bencher<'_, '_>) {
        let mut decoder = Decoder::new(Limits::default());
        bencher.counter(ItemsCount::new(DATA.songs.len())).bench_local(|| {
            for song in &DATA.songs {
                decode_song(&mut decoder, black_box(song), &mut |song| {
                    black_box(song);
                });
            }
        });
    }
}

/// From records to sorted plays with their users and tracks.
#[divan::bench_group]
mod merge {
    use super::*;

    /// Only decodes the same events.
    #[divan::bench]
    fn floor_of_decoding(bencher: Bencher<'_, '_>) {
        let mut decoder = Decoder::new(Limits::default());
        bencher.counter(ItemsCount::new(DATA.plays.len())).bench_local(|| {
            decode_events(&mut decoder, &DATA.all_events, &mut |event| {
                black_box(event);
            });
        });
    }

    /// Decodes and adds plays whose users and tracks are already known.
    #[divan::bench]
    fn plays(bencher: Bencher<'_, '_>) {
        let mut plays = PlaysPartial::new(&DATA.finished.index, 200_000);
        add_events(&DATA.all_events, &mut plays);
        bencher.counter(ItemsCount::new(DATA.plays.len())).bench_local(|| {
            add_events(&DATA.all_events, &mut plays);
            plays.take_run()
        });
    }

    /// Merges a time slice of two sorted runs into the order of the table.
    #[divan::bench]
    fn slice_of_runs(bencher: Bencher<'_, '_>) {
        bencher.counter(ItemsCount::new(gathered().len())).bench(gathered);
    }

    /// Only sorts as many numbers, from two sorted halves.
    #[divan::bench]
    fn floor_of_sorting(bencher: Bencher<'_, '_>) {
        let plays = DATA.plays.get(..gathered().len()).unwrap();
        let half = |remainder| plays.iter().map(Play::ts).skip(remainder).step_by(2);
        let times: Vec<i64> = half(0).chain(half(1)).collect();
        bencher.counter(ItemsCount::new(times.len())).with_inputs(|| times.clone()).bench_values(|mut times| {
            times.sort_by_key(|time| *time);
            times
        });
    }
}

/// From songs to the names of their partition folders.
#[divan::bench_group]
mod partition {
    use super::*;

    #[divan::bench]
    fn folder_names(bencher: Bencher<'_, '_>) {
        let songs = DATA.finished.index.rows();
        bencher.counter(ItemsCount::new(songs.len())).bench(|| {
            for song in songs {
                black_box(of_song(song, &ColumnNames::default()));
            }
        });
    }

    /// Only allocates as many strings.
    #[divan::bench]
    fn floor_of_copying(bencher: Bencher<'_, '_>) {
        let names: Vec<String> =
            DATA.finished.index.rows().iter().map(|song| of_song(song, &ColumnNames::default())).collect();
        bencher.counter(ItemsCount::new(names.len())).bench(|| {
            for name in &names {
                black_box(name.clone());
            }
        });
    }
}

/// From columns to Parquet.
#[divan::bench_group]
mod writer {
    use super::*;

    /// A file with one song; lakes have one file per artist and year.
    #[divan::bench]
    fn file_of_one_row(bencher: Bencher<'_, '_>) {
        let encoder = Encoder::new(Table::Songs, &ColumnNames::default(), Compression::Snappy).unwrap();
        let songs = DATA.finished.index.rows().get(..1000).unwrap();
        bencher.counter(ItemsCount::new(songs.len())).bench(|| {
            for song in songs.chunks(1) {
                black_box(encoder.encode(&file_columns(song)).unwrap());
            }
        });
    }

    /// Only copies the bytes of these files.
    #[divan::bench]
    fn floor_of_copying_one_row(bencher: Bencher<'_, '_>) {
        let encoder = Encoder::new(Table::Songs, &ColumnNames::default(), Compression::Snappy).unwrap();
        let songs = DATA.finished.index.rows().get(..1000).unwrap();
        let files: Vec<_> = songs.chunks(1).map(|song| encoder.encode(&file_columns(song)).unwrap().bytes).collect();
        bencher.counter(ItemsCount::new(files.len())).bench(|| {
            for file in &files {
                black_box(file.to_vec());
            }
        });
    }

    /// A row group of songplays, from sorted plays.
    #[divan::bench]
    fn songplays(bencher: Bencher<'_, '_>) {
        let encoder = Encoder::new(Table::Songplays, &ColumnNames::default(), Compression::Snappy).unwrap();
        let gathered = gathered();
        bencher.counter(ItemsCount::new(gathered.len())).bench(|| {
            let rows = gathered.rows(&DATA.finished.index, Unmatched::Keep).unwrap();
            encoder.encode(&rows.into_columns()).unwrap()
        });
    }

    /// A row group of time.
    #[divan::bench]
    fn time(bencher: Bencher<'_, '_>) {
        let encoder = Encoder::new(Table::Time, &ColumnNames::default(), Compression::Snappy).unwrap();
        let gathered = gathered();
        bencher
            .counter(ItemsCount::new(gathered.len()))
            .bench(|| encoder.encode(&time::file_columns(gathered.times())).unwrap());
    }
}

/// The plays of the first full time slice: about 131,000, which are one row group.
fn gathered() -> SlicePlays<'static> {
    let slices = DATA.finished.runs.histogram.slices();
    let mut slices = slices.iter().map(|slice| gather(&DATA.finished, slice).unwrap());
    slices.find(|gathered| gathered.len() >= 131_072).unwrap()
}

/// Shards of a large simulated input: ten terabytes of logs in files of 128 MiB, for 400 slots.
mod planner {
    use super::*;

    fn files() -> Vec<InputFile> {
        let day = |number: usize| format!("2018/{:02}/{:02}", 1 + number / 6_800 % 12, 1 + number / 240 % 28);
        let file = |number| InputFile {
            path: format!("data/log_data/{}/part-{number:05}.json.gz", day(number)).into(),
            size: 128 << 20,
            version: Version::Tag(Tag("\"0123456789abcdef0123456789abcdef\"".into())),
            is_missing: false,
        };
        (0..81_920).map(file).collect()
    }

    /// The size of the JSON that describes a file.
    fn json_size(file: &InputFile) -> usize {
        serde_json::to_vec(&FileWork::new(file).unwrap()).unwrap().len()
    }

    #[divan::bench]
    fn shards(bencher: Bencher) {
        let files = files();
        let all: Vec<usize> = (0..files.len()).collect();
        bencher.counter(ItemsCount::new(files.len())).bench_local(|| {
            let target = split::target(split::weight(files.iter()), 400, None);
            let shards = split::divide(&files, black_box(&all), target);
            shards
                .iter()
                .map(|shard| shard.iter().filter_map(|&file| files.get(file)).map(json_size).sum::<usize>())
                .max()
        });
    }
}
