//! A run that cannot succeed returns the right kind of error with a hint, and changes no table.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use sparkify_lake::config::{Compression, Config, Match, Unmatched};
use sparkify_lake::decode::{Decoded, Decoder, Framing, Limits};
use sparkify_lake::error::{Error, ErrorKind};
use sparkify_lake::input::list::{InputFile, Listing, SelectedFiles, Version, modified};
use sparkify_lake::job::run::run;
use sparkify_lake::lake::Lake;
use sparkify_lake::location::Location;
use sparkify_lake::parquet_io::writer::Encoder;
use sparkify_lake::runtime::cancel::Cancel;
use sparkify_lake::runtime::context::Context;
use sparkify_lake::s3::settings::StoreSettings;
use sparkify_lake::s3::stores::Stores;
use sparkify_lake::sample::SampleSpec;
use sparkify_lake::schema::{ColumnNames, Table};
use sparkify_lake::tables::columns::{Column, Columns};
use sparkify_lake::tables::play_dictionary::PlayDictionary;
use sparkify_lake::tables::plays::{Play, PlaysPartial};
use sparkify_lake::tables::song_index::SongIndex;
use sparkify_lake::tables::songplays::SlicePlays;
use sparkify_lake::transform::external_sort::RunBuffer;
use sparkify_lake::transform::extract::Extractor;

use crate::test_folder::{SMALL, TestFolder, difference};

const TINY: SampleSpec = SampleSpec { songs: 10, events: 300, days: 2, ..SMALL };

/// The error of a run into the lake, which must not change a table.
fn refused(test: &TestFolder, config: Config) -> Error {
    let before = test.tables("lake");
    let error = run(config, &Context::default()).unwrap_err();
    assert_eq!(difference(&before, &test.tables("lake")), None, "{error}");
    error
}

#[test]
fn a_locked_lake_is_a_retryable_error() {
    let test = TestFolder::new(&TINY);
    test.run("lake").unwrap();
    let (place, cancel) = (Location::Local(test.lake("lake")), Cancel::default());
    let lock = Lake::open(&place, &Stores::new(&StoreSettings::default(), &cancel), &cancel).unwrap();
    let error = refused(&test, test.config("lake"));
    assert_eq!((error.kind(), error.kind().exit_code()), (ErrorKind::Retry, 75));
    drop(lock);
    test.run("lake").unwrap();
}

#[test]
fn foreign_files_are_not_touched() {
    let test = TestFolder::new(&TINY);
    let foreign = test.lake("lake").join("songs_table/year=2000/part-00000-4f9a.c000.snappy.parquet");
    fs::create_dir_all(foreign.parent().unwrap()).unwrap();
    fs::write(&foreign, "PAR1").unwrap();
    let error = refused(&test, test.config("lake"));
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.hint_text().unwrap().contains("--adopt"), "{error:?}");

    run(Config { adopt: true, ..test.config("lake") }, &Context::default()).unwrap();
    test.run("fresh").unwrap();
    assert_eq!(difference(&test.tables("lake"), &test.tables("fresh")), None, "adopted and replaced");

    fs::write(test.lake("lake").join("time_table/notes.txt"), "mine").unwrap();
    let error = refused(&test, test.config("lake"));
    assert!(error.to_string().contains("notes.txt"), "{error}");
}

#[test]
fn files_with_our_names_are_foreign_without_a_commit() {
    let test = TestFolder::new(&TINY);
    let foreign = test.lake("lake").join("artists_table/part-00000.snappy.parquet");
    fs::create_dir_all(foreign.parent().unwrap()).unwrap();
    fs::write(&foreign, "PAR1").unwrap();
    assert_eq!(refused(&test, test.config("lake")).kind(), ErrorKind::Protocol);
}

#[test]
fn a_lake_of_a_newer_format_is_not_touched() {
    let test = TestFolder::new(&TINY);
    test.run("lake").unwrap();
    for format in ["{\"format\":2}", "not json", ""] {
        fs::write(test.lake("lake").join("_etl/FORMAT"), format).unwrap();
        assert_eq!(refused(&test, test.config("lake")).kind(), ErrorKind::Protocol, "{format:?}");
    }
}

#[test]
fn an_output_that_cannot_be_a_lake_is_refused() {
    let test = TestFolder::new(&TINY);
    // There is a file instead of the lake's folder, then instead of a table's folder.
    fs::write(test.lake("lake"), "a file").unwrap();
    assert_eq!(refused(&test, test.config("lake")).kind(), ErrorKind::Output);
    fs::create_dir(test.lake("other")).unwrap();
    fs::write(test.lake("other").join("time_table"), "a file").unwrap();
    let error = test.run("other").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Output, "{error}");
    assert_eq!(test.tables("other").len(), 1);

    // Even root cannot create folders here.
    let output = Some("/proc/sparkify-lake".to_owned());
    let error = run(Config { output, ..test.config("lake") }, &Context::default()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Output | ErrorKind::Access), "{error:?}");
    assert!(error.to_string().contains("/proc/sparkify-lake"), "{error}");
}

#[test]
fn a_symlinked_table_folder_is_refused_before_anything_is_published() {
    let test = TestFolder::new(&TINY);
    let elsewhere = test.lake("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::create_dir(test.lake("lake")).unwrap();
    std::os::unix::fs::symlink(&elsewhere, test.lake("lake").join("songplays_table")).unwrap();
    let error = test.run("lake").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Output, "{error}");
    assert!(error.to_string().contains("symlink"), "{error}");
    assert!(test.tables("lake").keys().all(|path| path == "songplays_table/"), "{:?}", test.tables("lake").keys());
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}

#[test]
fn bad_input_is_refused_and_changes_no_table() {
    let test = TestFolder::new(&TINY);
    test.run("lake").unwrap();
    let log = test.input().join("log_data/2018/11/2018-11-01-events.json");
    let good = fs::read(&log).unwrap();

    fs::write(&log, [b"{\"page\":\"NextSong\"}\n".repeat(101).as_slice(), &good].concat()).unwrap();
    let error = refused(&test, test.config("lake"));
    assert_eq!((error.kind(), error.kind().exit_code()), (ErrorKind::DataRefused, 65));
    assert!(error.to_string().contains("2018-11-01-events.json"), "the first bad record is named: {error}");

    fs::write(&log, [b"{\"page\":\"NextSong\"}\n".as_slice(), &good].concat()).unwrap();
    let report = test.run("lake").unwrap();
    assert_eq!(report.rejects.len(), 1);
    assert_eq!((report.rejects[0].line, report.rejects[0].offset), (1, 0));

    // An input without usable records does not empty a table.
    for (file, entry) in [("log_data", "{\"page\":\"Home\"}"), ("song_data", "{}")] {
        let path = test.lake("only.json");
        fs::write(&path, entry).unwrap();
        let only = Some(path.to_str().unwrap().to_owned());
        let mut config = test.config("lake");
        let source = if file == "log_data" { &mut config.log_data } else { &mut config.song_data };
        *source = only;
        assert_eq!(refused(&test, config).kind(), ErrorKind::DataRefused, "{file}");
    }
}

#[test]
fn input_and_output_must_not_overlap() {
    let test = TestFolder::new(&TINY);
    let inside = Some(test.input().join("log_data/lake").to_str().unwrap().to_owned());
    for output in [inside, Some(test.input().to_str().unwrap().to_owned())] {
        let error = run(Config { output, ..test.config("lake") }, &Context::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
    }
    assert!(!test.input().join("log_data/lake").exists());
}

#[test]
fn a_file_that_changed_since_it_was_listed_ends_the_run() {
    let test = TestFolder::new(&TINY);
    let path = test.input().join("log_data/2018/11/2018-11-01-events.json");
    let metadata = fs::metadata(&path).unwrap();
    let version = Version::Modified(modified(&metadata));
    let listed = InputFile { path, size: metadata.len(), version, is_missing: false };
    let config = Config { chunk_size: 1 << 10, ..test.config("lake") };
    let read = |file: InputFile| {
        let listing = Listing { files: [file].into(), ..Listing::default() };
        Extractor { config: &config, scratch: None, context: &Context::default() }
            .songs(SelectedFiles { listing: &listing, selection: &listing.all() })
            .map(|_| ())
    };
    assert!(read(listed.clone()).is_ok());
    for file in [
        InputFile { size: listed.size + 1, ..listed.clone() },
        InputFile { version: Version::Modified(modified(&metadata) - 1), ..listed.clone() },
        InputFile { path: listed.path.with_file_name("gone.json"), ..listed.clone() },
    ] {
        assert_eq!(read(file).unwrap_err().kind(), ErrorKind::Retry);
    }
}

#[test]
fn a_file_that_grew_since_it_was_listed_is_read_to_the_last_complete_line_of_its_listed_size() {
    let song = |number: usize| {
        let (id, text) = (format!("SO{number:04}"), "x".repeat(number % 7));
        format!(r#"{{"song_id": "{id}", "title": "{text}", "artist_id": "AR", "duration": 1.5, "year": 0}}"#)
    };
    let pretty = |number: usize| song(number).replace(", ", ",\n  ");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("songs.json");
    for (records, chunk_size) in [
        ((0..40).map(song).collect::<Vec<_>>(), 1 << 10),
        ((0..40).map(pretty).collect(), 1 << 10),
        ((0..12).map(song).collect(), 1 << 20),
        ((0..12).map(pretty).collect(), 1 << 20),
    ] {
        let body = records.join("\n") + "\n";
        fs::write(&path, &body).unwrap();
        let config = Config { chunk_size, threads: 2, ..TestFolder::new(&TINY).config("lake") };
        for size in 0..body.len() {
            // The file was listed with this size, at another time.
            let file =
                InputFile { path: path.clone(), size: size as u64, version: Version::Modified(0), is_missing: false };
            let listing = Listing { files: [file].into(), ..Listing::default() };
            let (songs, stats) =
                Extractor { config: &config, scratch: Some(folder.path()), context: &Context::default() }
                    .songs(SelectedFiles { listing: &listing, selection: &listing.all() })
                    .unwrap();
            let mut end = 0;
            let complete = records.iter().take_while(|record| {
                end += record.len() + 1;
                end <= size
            });
            assert_eq!(songs.records.len(), complete.count(), "{size} bytes of {body:.80}");
            assert_eq!(stats.counts.quarantined, 0, "{size} bytes of {body:.80}");
        }
    }
}

#[test]
fn a_failing_disk_is_a_storage_error() {
    // This device is always full.
    let encoder = Encoder::new(Table::Users, &ColumnNames::default(), Compression::None).unwrap();
    let text = || Column::text(std::iter::repeat_n(Some("x"), 100_000));
    let columns = Columns { table: Table::Users, columns: (0..5).map(|_| text()).collect() };
    let batch = encoder.encode(&columns).unwrap();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let write = || -> sparkify_lake::error::Result<()> {
        let mut file = encoder.assemble(full)?;
        file.append(&batch)?;
        file.finish().map(drop)
    };
    assert_eq!(write().unwrap_err().kind(), ErrorKind::Storage);

    // The plays fit into the first buffer, but not into the second one, which has no folder to spill them to.
    let missing = Path::new("/nonexistent");
    let plays = || vec![Play::new((1, None, None), 0, 0)];
    assert!(RunBuffer::new(32, missing.to_owned()).add(0, plays()).is_ok());
    let error = RunBuffer::new(31, missing.to_owned()).add(0, plays()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Storage);
    assert!(error.to_string().contains("/nonexistent"), "{error}");
}

#[test]
fn system_errors_map_to_error_kinds() {
    use ErrorKind::{Access, Output, Storage};
    for (errno, kind, has_hint) in [
        (rustix::io::Errno::ACCESS, Access, true),
        (rustix::io::Errno::PERM, Access, true),
        (rustix::io::Errno::ROFS, Output, true),
        (rustix::io::Errno::NOSPC, Storage, true),
        (rustix::io::Errno::DQUOT, Storage, true),
        (rustix::io::Errno::FBIG, Storage, false),
        (rustix::io::Errno::IO, ErrorKind::NoInput, false),
        (rustix::io::Errno::NOENT, ErrorKind::NoInput, true),
    ] {
        let source = io::Error::from(errno);
        let error = Error::io(ErrorKind::NoInput, "read", Path::new("/a\nb"), &source);
        assert_eq!(error.kind(), kind, "{errno:?}");
        assert_eq!(error.hint_text().is_some(), has_hint, "{errno:?}");
        assert_eq!(error.cause_text(), Some(source.to_string().as_str()), "the cause is kept");
        assert!(error.to_string().starts_with("cannot read /a\\nb: "), "control characters are shown: {error}");
    }
}

#[test]
fn too_many_plays_in_a_millisecond_are_refused() {
    let index = SongIndex::new(Vec::new(), Match::TitleArtist);
    let mut plays = PlaysPartial::new(&index, 1000);
    let line = "{\"page\":\"NextSong\",\"ts\":1541000000000,\"userId\":\"1\"}\n";
    Decoder::new(Limits::default()).events(line.as_bytes(), Framing::Values, &mut |decoded| match decoded {
        Decoded::Row(event) => plays.add(event),
        Decoded::Reject(reject) => panic!("{reject}"),
    });
    let play = plays.take_run();
    let dictionary = PlayDictionary::new(vec![plays.into_dictionary()]);
    let mut gathered = SlicePlays::new(&dictionary, 0);
    gathered.add(0, &vec![play[0]; 1 << 20]);
    let columns = gathered.rows(&index, Unmatched::Keep).unwrap().into_columns();
    assert_eq!(columns.rows(), 1 << 20);
    gathered.add(0, &play);
    let error = gathered.rows(&index, Unmatched::Keep).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::DataRefused);
}
