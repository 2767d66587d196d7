//! Tests of an entire sample: the same bytes with any number of threads, the paths of the real files, the JSON of the
//! producers. `oddities` checks the unusual values.

mod oddities;

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use crate::sample::{SampleSpec, SampleSummary, write_sample};

const SONG_KEYS: &str = "num_songs artist_id artist_latitude artist_longitude artist_location artist_name song_id \
    title duration year";
const EVENT_KEYS: &str = "artist auth firstName gender itemInSession lastName length level location method page \
    registration sessionId song status ts userAgent userId";

struct Sample {
    summary: SampleSummary,
    folder: tempfile::TempDir,
}

impl Sample {
    fn new(spec: &SampleSpec, threads: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let summary = write_sample(folder.path(), spec, threads, &|| false, &|_| ()).unwrap().unwrap();
        Self { summary, folder }
    }

    /// All files, by their path below the sample.
    fn files(&self) -> BTreeMap<PathBuf, String> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.folder.path().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let text = fs::read_to_string(&path).unwrap();
                    files.insert(path.strip_prefix(self.folder.path()).unwrap().to_path_buf(), text);
                }
            }
        }
        files
    }

    fn songs(&self) -> Vec<Value> {
        let files = self.files();
        let songs = files.iter().filter(|(path, _)| path.starts_with("song_data"));
        songs.map(|(_, text)| serde_json::from_str(text).unwrap()).collect()
    }

    fn lines(&self) -> Vec<String> {
        let files = self.files();
        let logs = files.iter().filter(|(path, _)| path.starts_with("log_data"));
        logs.flat_map(|(_, text)| text.split('\n').map(str::to_owned)).collect()
    }

    fn events(&self) -> Vec<Value> {
        self.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn small() -> SampleSpec {
    SampleSpec { songs: 700, events: 12_000, days: 9, users: 60, seed: 42 }
}

/// The keys of an object in the order of the text. No value of a sample holds a text that looks like a key.
fn keys(text: &str) -> Vec<&str> {
    let before_colon = text.match_indices("\":").map(|(end, _)| &text[..end]);
    before_colon.map(|head| head.rsplit('"').next().unwrap()).collect()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[expect(clippy::cast_precision_loss, reason = "counts of a small sample")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

#[test]
fn threads_do_not_change_a_byte() {
    let one = Sample::new(&small(), 1);
    for threads in [0, 2, 8] {
        let other = Sample::new(&small(), threads);
        assert_eq!(one.summary, other.summary);
        assert!(one.files() == other.files(), "{threads} threads");
    }
}

#[test]
fn another_seed_is_another_sample() {
    let one = Sample::new(&small(), 2).lines();
    let other = Sample::new(&SampleSpec { seed: 43, ..small() }, 2).lines();
    assert!(one.iter().zip(&other).all(|(left, right)| left != right));
}

#[test]
fn the_summary_and_the_progress_are_correct() {
    let folder = tempfile::tempdir().unwrap();
    let most = AtomicU64::new(0);
    let progress = |bytes| {
        most.fetch_max(bytes, Ordering::Relaxed);
    };
    let summary = write_sample(folder.path(), &small(), 3, &|| false, &progress).unwrap().unwrap();
    let sample = Sample { summary, folder };
    let files = sample.files();
    let bytes: usize = files.values().map(String::len).sum();
    let song_files = files.keys().filter(|path| path.starts_with("song_data")).count();
    let expected = SampleSummary {
        songs: 700,
        song_files: song_files as u64,
        events: sample.lines().len() as u64,
        log_files: 9,
        bytes: bytes as u64,
    };
    assert_eq!(summary, expected);
    assert_eq!(summary.events, 12_000);
    assert_eq!(most.into_inner(), summary.bytes);
    assert_eq!(files.len(), song_files + 9);
}

#[test]
fn files_have_the_paths_of_the_real_ones() {
    let files = Sample::new(&small(), 2).files();
    for path in files.keys() {
        let parts: Vec<&str> = path.iter().map(|part| part.to_str().unwrap()).collect();
        match parts[..] {
            ["song_data", first, second, third, name] => {
                assert!(name.starts_with(&format!("TR{first}{second}{third}")), "{name}");
                assert_eq!((name.len(), Path::new(name).extension().unwrap().to_str()), (23, Some("json")));
            }
            ["log_data", "2018", "11", name] => {
                assert!(name.starts_with("2018-11-0") && name.ends_with("-events.json"), "{name}");
            }
            _ => unreachable!("{}", path.display()),
        }
    }
}

#[test]
fn every_line_is_plain_json_with_the_keys_in_order() {
    let sample = Sample::new(&small(), 2);
    for (path, text) in sample.files() {
        assert!(text.bytes().all(|byte| (0x20..0x7f).contains(&byte) || byte == b'\n'), "{}", path.display());
        assert!(!text.ends_with('\n'));
        let expected = if path.starts_with("song_data") { SONG_KEYS } else { EVENT_KEYS };
        for line in text.split('\n') {
            assert!(serde_json::from_str::<Value>(line).unwrap().is_object());
            assert!(keys(line).into_iter().eq(expected.split_whitespace()), "{line}");
        }
    }
}

#[test]
fn lines_are_about_as_long_as_the_real_ones() {
    let sample = Sample::new(&SampleSpec { users: 3000, events: 30_000, ..small() }, 2);
    let lines = sample.lines();
    let average = share(lines.iter().map(String::len).sum(), lines.len());
    assert!((470.0..500.0).contains(&average), "{average}");
    let files = sample.files();
    let songs: Vec<&String> =
        files.iter().filter(|(path, _)| path.starts_with("song_data")).map(|(_, text)| text).collect();
    let average = share(songs.iter().map(|text| text.len()).sum(), songs.len());
    assert!((250.0..300.0).contains(&average), "{average}");
}

#[test]
fn small_and_odd_specs_work() {
    let tiny = SampleSpec { songs: 0, events: 0, days: 1, users: 1, seed: 0 };
    let empty = Sample::new(&tiny, 4);
    assert_eq!(empty.summary, SampleSummary::default());
    assert!(empty.folder.path().join("song_data").is_dir() && empty.folder.path().join("log_data").is_dir());
    for spec in [
        SampleSpec { songs: 1, ..tiny.clone() },
        SampleSpec { events: 1, ..tiny.clone() },
        SampleSpec { events: 3000, ..tiny.clone() },
        SampleSpec { songs: 3, events: 7, days: 40, ..tiny },
        SampleSpec { songs: 65, events: 100, days: 3, users: u32::MAX, seed: u64::MAX },
    ] {
        let sample = Sample::new(&spec, 2);
        assert_eq!((sample.summary.songs, sample.summary.events), (spec.songs, spec.events));
        assert_eq!(sample.lines().len() as u64, spec.events);
        assert!(sample.summary.song_files >= spec.songs);
        assert!(sample.summary.log_files <= spec.events.min(u64::from(spec.days)));
        assert!(sample.lines().iter().all(|line| !line.is_empty()));
    }
}

#[test]
fn invalid_specs_are_rejected() {
    let folder = tempfile::tempdir().unwrap();
    for spec in [
        SampleSpec { days: 0, ..small() },
        SampleSpec { days: u32::MAX, ..small() },
        SampleSpec { users: 0, ..small() },
        SampleSpec { songs: u64::MAX, ..small() },
    ] {
        let error = write_sample(folder.path(), &spec, 1, &|| false, &|_| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_sample_can_be_cancelled() {
    let spec = SampleSpec { events: 1_000_000, ..small() };
    for after in [0, 1, 5] {
        let folder = tempfile::tempdir().unwrap();
        let asked = AtomicU64::new(0);
        let cancelled = || asked.fetch_add(1, Ordering::Relaxed) >= after;
        assert!(write_sample(folder.path(), &spec, 2, &cancelled, &|_| ()).unwrap().is_none());
        assert!(asked.into_inner() < 20);
    }
}

#[test]
fn the_error_contains_the_path() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("song_data"), "in the way").unwrap();
    let error = write_sample(folder.path(), &small(), 2, &|| false, &|_| ()).unwrap_err();
    assert!(error.to_string().contains("song_data"), "{error}");

    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("log_data")).unwrap();
    fs::write(folder.path().join("log_data/2018"), "in the way").unwrap();
    let error = write_sample(folder.path(), &small(), 2, &|| false, &|_| ()).unwrap_err();
    assert!(error.to_string().contains("2018-11-0"), "{error}");
}
