//! What identifies an input file: its name below the source, its size, and its version.
//!
//! An incremental run reads a file again when [`is_unchanged`] says no.
//!
//! Invariant: nothing here opens a file.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use chrono::DateTime;

use crate::input::input_files::InputFiles;
use crate::input::list::{InputFile, Version};
use crate::input::sources::Source;
use crate::location::{Location, resolved};

/// Whether a listed file is the one that the ledger knows; `listed_at` is when the ledger's files were listed.
///
/// A file counts as changed whose time is behind the listing, or so coarse that a change behind it may have got the same.
#[must_use]
pub fn is_unchanged(file: &InputFile, (size, known): (u64, &str), listed_at: i128) -> bool {
    size == file.size && known == version(file) && is_settled(file, listed_at)
}

/// How long a file's time may stay the same while it changes: a tick of the kernel, and more.
const TICK: Duration = Duration::from_millis(20);

/// Waits for a tick if a file changed so shortly before the run that a change behind its listing could get the same
/// time. Reading begins behind that tick, so what is read is what that time means from then on.
#[expect(clippy::disallowed_methods, reason = "once in a run, and shorter than the time to notice Ctrl-C")]
pub fn outwait_fresh_files(inputs: &InputFiles, started_at: &str) {
    let Some(started_at) = nanoseconds(started_at) else { return };
    let is_fresh = |file: &InputFile| matches!(&file.version, Version::Modified(time) if *time > started_at - TICK_NS);
    if inputs.each().iter().any(|(_, listing)| listing.files.iter().any(is_fresh)) {
        std::thread::sleep(TICK);
    }
}

const TICK_NS: i128 = TICK.as_nanos().cast_signed();
const SECOND: i128 = 1_000_000_000;

/// Whether a later change of the file must have another time, or tag; `listed_at` is cut to milliseconds.
fn is_settled(file: &InputFile, listed_at: i128) -> bool {
    match &file.version {
        // A clock that ticks in whole seconds, or in two of them.
        Version::Modified(time) if time % SECOND == 0 => *time <= listed_at - 2 * SECOND,
        Version::Modified(time) => *time <= listed_at + SECOND / 1000,
        Version::Tag(_) => true,
    }
}

/// A time of a record, in nanoseconds since 1970.
#[must_use]
pub fn nanoseconds(time: &str) -> Option<i128> {
    DateTime::parse_from_rfc3339(time).ok()?.timestamp_nanos_opt().map(i128::from)
}

/// What tells two states of a file apart, as text.
#[must_use]
pub fn version(file: &InputFile) -> String {
    match &file.version {
        Version::Modified(nanoseconds) => nanoseconds.to_string(),
        Version::Tag(tag) => tag.0.to_string(),
    }
}

/// Where a source lies, spelt in one way.
#[must_use]
pub fn location(source: &Source) -> String {
    match &source.root {
        Location::Local(root) => resolved(root).to_string_lossy().into_owned(),
        root @ Location::Object(_) => root.to_string(),
    }
}

/// The path of a file below its source.
#[must_use]
pub fn name(source: &Source, file: &InputFile) -> String {
    let root = match &source.root {
        Location::Local(root) => root.as_path(),
        Location::Object(root) => Path::new(&root.key),
    };
    let bytes = match below(&file.path, root) {
        // A source may be the file itself.
        [] => file.path.file_name().map_or(&[][..], OsStr::as_encoded_bytes),
        below => below,
    };
    str::from_utf8(bytes).map_or_else(|_| bytes.escape_ascii().to_string(), str::to_owned)
}

/// The part of a path below a folder. The names of all files are asked for more than once in a run, and listed paths
/// begin with their root as it is spelt.
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
