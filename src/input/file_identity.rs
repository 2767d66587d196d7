//! The identity of an input file: its name below the source, its size, and its version.
//!
//! An incremental run reads a file again unless [`is_unchanged`] is true.
//!
//! Invariant: nothing here opens a file.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use chrono::DateTime;

use crate::input::input_files::InputFiles;
use crate::input::list::{InputFile, Version};
use crate::input::sources::Source;
use crate::location::{Location, resolved};

/// Returns true if a listed file is the same as a file of a manifest, given by its size and version; `listed_at` is the
/// time when the files of the manifest were listed.
///
/// A file also counts as changed if its modification time is later than that listing, or so coarse that a change after
/// the listing may have got the same time. The copy of a missing file does not change.
#[must_use]
pub fn is_unchanged(file: &InputFile, (size, known): (u64, &str), listed_at: i128) -> bool {
    size == file.size && known == version(file) && (file.is_missing || is_settled(file, listed_at))
}

/// How long the modification time of a file may stay the same while the file changes: more than a tick of the kernel's
/// clock.
const CLOCK_TICK: Duration = Duration::from_millis(20);

/// Waits for a clock tick if a file changed so shortly before the run that a change after its listing could get the
/// same modification time. Reading begins after the tick, so any later change gets another time.
#[expect(clippy::disallowed_methods, reason = "once per run, and shorter than the interval of checks for Ctrl-C")]
pub fn outwait_fresh_files(inputs: &InputFiles, started_at: &str) {
    let Some(started_at) = nanoseconds(started_at) else { return };
    let is_fresh =
        |file: &InputFile| matches!(&file.version, Version::Modified(time) if *time > started_at - CLOCK_TICK_NS);
    if inputs.each().iter().any(|(_, listing)| listing.files.iter().any(is_fresh)) {
        std::thread::sleep(CLOCK_TICK);
    }
}

const CLOCK_TICK_NS: i128 = CLOCK_TICK.as_nanos().cast_signed();
const SECOND: i128 = 1_000_000_000;

/// Returns true if any later change of the file gets another modification time or `ETag`; `listed_at` is cut to
/// milliseconds.
fn is_settled(file: &InputFile, listed_at: i128) -> bool {
    match &file.version {
        // File systems may store whole seconds, or only even ones.
        Version::Modified(time) => is_before(*time, listed_at) || (*time > listed_at && is_old(&file.path, listed_at)),
        Version::Tag(_) => true,
    }
}

/// Returns true if a time of a file system is so long before the listing that any later change has another time. File
/// systems may store whole seconds, or only even ones.
const fn is_before(time: i128, listed_at: i128) -> bool {
    if time % SECOND == 0 { time <= listed_at - 2 * SECOND } else { time <= listed_at + SECOND / 1000 }
}

/// Returns true if the file has not changed since the listing, by the time of its last change of any kind: programs can
/// set the modification time, even to the future, but not this time.
fn is_old(path: &Path, listed_at: i128) -> bool {
    let changed_at = |metadata: Metadata| i128::from(metadata.ctime()) * SECOND + i128::from(metadata.ctime_nsec());
    std::fs::metadata(path).is_ok_and(|metadata| is_before(changed_at(metadata), listed_at - CLOCK_TICK_NS))
}

/// An RFC 3339 time, such as those of commit records, in nanoseconds since 1970.
#[must_use]
pub fn nanoseconds(time: &str) -> Option<i128> {
    DateTime::parse_from_rfc3339(time).ok()?.timestamp_nanos_opt().map(i128::from)
}

/// The version of a file as text, as manifests store it.
#[must_use]
pub fn version(file: &InputFile) -> String {
    match &file.version {
        Version::Modified(nanoseconds) => nanoseconds.to_string(),
        Version::Tag(tag) => tag.0.to_string(),
    }
}

/// The location of a source in a normalized form.
#[must_use]
pub fn location(source: &Source) -> String {
    match &source.root {
        Location::Local(root) => resolved(root).to_string_lossy().into_owned(),
        root @ Location::Object(_) => root.to_string(),
    }
}

/// The path of a file below its source; the file name if the source is the file itself.
#[must_use]
pub fn name(source: &Source, file: &InputFile) -> String {
    let root = match &source.root {
        Location::Local(root) => root.as_path(),
        Location::Object(root) => Path::new(&root.key),
    };
    let bytes = match below(&file.path, root) {
        [] => file.path.file_name().map_or(&[][..], OsStr::as_encoded_bytes),
        below => below,
    };
    // The path of a listed file never begins with two slashes, so no other file has this name.
    str::from_utf8(bytes).map_or_else(|_| format!("//{}", bytes.escape_ascii()), str::to_owned)
}

/// The name of a file that an earlier run has read from `location`, for a run whose source is `source`: its path below the
/// source, or its whole path if it is elsewhere. The result is what [`name`] returns for the path with this name.
#[must_use]
pub fn name_in(source: &Source, earlier_location: &str, earlier_name: &str) -> String {
    let location = location(source);
    if earlier_location == location || earlier_name.starts_with("//") {
        return earlier_name.to_owned();
    }
    let whole = if earlier_name.starts_with('/') || earlier_name.contains("://") {
        earlier_name.to_owned()
    } else {
        format!("{}/{earlier_name}", earlier_location.trim_end_matches('/'))
    };
    // The location may have been another one in between.
    let root = match &source.root {
        Location::Local(root) => root.to_string_lossy().into_owned(),
        root @ Location::Object(_) => root.to_string(),
    };
    let roots = [location, root];
    let below = roots.iter().find_map(|root| whole.strip_prefix(root.trim_end_matches('/'))?.strip_prefix('/'));
    below.map(|below| below.trim_start_matches('/').to_owned()).filter(|below| !below.is_empty()).unwrap_or(whole)
}

/// The part of a path below a folder. This compares bytes, because a run computes the names of all files several times,
/// and listed paths begin with the exact bytes of their root.
fn below<'p>(path: &'p Path, root: &Path) -> &'p [u8] {
    let (bytes, start) = (path.as_os_str().as_encoded_bytes(), root.as_os_str().as_encoded_bytes());
    match bytes.strip_prefix(start) {
        Some(rest) if rest.first() == Some(&b'/') => {
            let slashes = rest.iter().take_while(|byte| **byte == b'/').count();
            rest.get(slashes..).unwrap_or_default()
        }
        _ => path.strip_prefix(root).unwrap_or(path).as_os_str().as_encoded_bytes(),
    }
}
