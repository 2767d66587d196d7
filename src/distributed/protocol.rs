//! What crosses between the process that leads a run and its workers, as bytes: shards there, results back.
//!
//! JSON, and behind it in a result the partials, in the form that the state of a lake has. A shard holds no secret:
//! credentials travel by another way, or are found where the worker is.
//!
//! Invariant: what is read is what was written, by the same release of the package.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::distributed::shuffle::ShuffleFile;
use crate::error::{Error, ErrorKind, Result};
use crate::input::list::{InputFile, Version};
use crate::lake::StagedEntry;
use crate::lake::read_summary::Plays;
use crate::quality::read_stats::ReadStats;
use crate::runtime::executor::Executor;
use crate::s3::object::Tag;

/// Options of the run that are nobody's business but its leader's.
const LEADER_OPTIONS: [&str; 9] =
    ["adopt", "allow_shrink", "keep_gone", "max_bad", "rebuild", "shard_size", "since", "threads", "until"];

/// The options of a run that workers need.
#[must_use]
pub fn options(texts: &BTreeMap<&'static str, String>, executor: &dyn Executor) -> BTreeMap<String, String> {
    let needed = texts.iter().filter(|(name, _)| !LEADER_OPTIONS.contains(name));
    let threads = ("threads".to_owned(), executor.threads().to_string());
    needed.map(|(name, value)| ((*name).to_owned(), value.clone())).chain([threads]).collect()
}

/// A part of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Shard {
    /// The release that made it; another one would do other work.
    pub package: String,
    /// The options, as text; no credentials, no locations.
    pub options: BTreeMap<String, String>,
    /// The lake.
    pub lake: String,
    /// The run.
    pub run: String,
    /// What to do.
    pub work: ShardWork,
}

/// What a worker can do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ShardWork {
    /// Read song files.
    Songs(Files),
    /// Read log files; of the months that are named, or of all.
    Plays(Files, Option<Vec<String>>),
    /// Make a month from the plays that others read.
    Month(MonthWork),
    /// See whether the lake can be reached; and a file of the leader's disk, if that is where the lake is.
    Examine(Option<String>),
}

/// Input files.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Files {
    /// Which part of its content this is.
    pub number: usize,
    /// Where they lie, if not on a disk.
    pub bucket: Option<String>,
    /// In the order of the listing.
    pub files: Vec<FileWork>,
}

/// An input file, frozen when it was listed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FileWork {
    path: Name,
    size: u64,
    version: String,
    /// Whether another file of the input has its size.
    pub has_twin: bool,
}

/// A path: nearly always text.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Name {
    Text(String),
    Bytes(Vec<u8>),
}

impl FileWork {
    /// The file as it was listed; a path on a disk is made absolute, as a worker may stand elsewhere.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`] when the current folder is not known.
    pub fn new(file: &InputFile, has_twin: bool) -> Result<Self> {
        let (path, version) = match &file.version {
            Version::Tag(tag) => (file.path.clone(), tag.0.to_string()),
            Version::Modified(time) => {
                let path = std::path::absolute(&file.path)
                    .map_err(|error| Error::io(ErrorKind::Storage, "find", &file.path, &error))?;
                (path, time.to_string())
            }
        };
        let path = match path.to_str() {
            Some(text) => Name::Text(text.to_owned()),
            None => Name::Bytes(path.as_os_str().as_bytes().to_vec()),
        };
        Ok(Self { path, size: file.size, version, has_twin })
    }

    /// The file as it was listed.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] when it was not [`Self::new`] that made this.
    pub fn listed(&self, is_local: bool) -> Result<InputFile> {
        let version = if is_local {
            let time = self.version.parse();
            Version::Modified(time.map_err(|_| Error::new(ErrorKind::Internal, "a shard names no time of a file"))?)
        } else {
            Version::Tag(Tag(self.version.as_str().into()))
        };
        let path = match &self.path {
            Name::Text(text) => text.into(),
            Name::Bytes(bytes) => OsString::from_vec(bytes.clone()).into(),
        };
        Ok(InputFile { path, size: self.size, version, is_missing: false })
    }
}

/// A month to be made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MonthWork {
    /// As `2018-11`.
    pub month: String,
    /// Where its plays lie.
    pub files: Vec<ShuffleFile>,
    /// The rows of the songs table: their name in the stage, and their checksum.
    pub songs: StagedBlob,
    /// How many they are.
    pub song_rows: u64,
}

/// Something that was left in the stage: its name, the checksum of its bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StagedBlob(pub String, pub String);

/// What became of a shard.
#[derive(Debug, Serialize, Deserialize)]
pub enum ShardResult {
    /// Song files were read; behind it their records, so many.
    Songs(ReadStats, u64),
    /// Log files were read: which months each fed, and where their plays lie.
    Plays(ReadStats, Vec<(usize, String)>, Option<ShuffleFile>),
    /// A month is staged; behind it its users, and the keys of what was played.
    Month(FinishedMonth),
    /// The checks that were made.
    Examined(Vec<FailedCheck>),
    /// The result was too large to be carried, and lies in the stage.
    StagedBlob(StagedBlob),
    /// Nothing: why not.
    Failed(WorkerFailure),
}

/// A check that a worker made.
#[derive(Debug, Serialize, Deserialize)]
pub struct FailedCheck {
    /// Its name.
    pub name: String,
    /// What was seen.
    pub detail: String,
    /// 0, or why a run would fail.
    pub exit_code: u8,
}

/// A month that was made.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct FinishedMonth {
    /// As `2018-11`.
    pub month: String,
    /// Its plays.
    pub plays: Plays,
    /// Its files.
    pub files: Vec<StagedEntry>,
}

/// An error on its way.
#[derive(Debug, Serialize, Deserialize)]
pub struct WorkerFailure {
    exit_code: u8,
    message: String,
    cause: Option<String>,
    hint: Option<String>,
}

impl From<&Error> for WorkerFailure {
    fn from(error: &Error) -> Self {
        Self {
            exit_code: error.kind().exit_code(),
            message: error.message().to_owned(),
            cause: error.cause_text().map(str::to_owned),
            hint: error.hint_text().map(str::to_owned),
        }
    }
}

impl WorkerFailure {
    /// The error that it was.
    #[must_use]
    pub fn into_error(self) -> Error {
        let kind = ErrorKind::from_exit_code(self.exit_code);
        let mut error = Error::new(kind.unwrap_or(ErrorKind::Internal), self.message);
        if let Some(cause) = self.cause {
            error = error.cause(cause);
        }
        match self.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

/// Bytes of the length in front of a result.
const LENGTH: usize = 8;

/// A result as bytes: what is told, and what lies behind it.
///
/// # Errors
/// [`ErrorKind::Internal`] when it cannot be told.
pub fn to_bytes(told: &ShardResult, behind: &[Bytes]) -> Result<Vec<u8>> {
    let lengths: Vec<usize> = behind.iter().map(Bytes::len).collect();
    let head = serde_json::to_vec(&(told, lengths)).map_err(|error| {
        Error::new(ErrorKind::Internal, "the result of a shard cannot be told").cause(error.to_string())
    })?;
    let mut bytes = (head.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(&head);
    for part in behind {
        bytes.extend_from_slice(part);
    }
    Ok(bytes)
}

/// A result from its bytes.
///
/// # Errors
/// [`ErrorKind::Internal`] when they are none.
pub fn from_bytes(bytes: &[u8]) -> Result<(ShardResult, Vec<Bytes>)> {
    let unlike = || Error::new(ErrorKind::Internal, "an executor gave back something else than a worker's result");
    let (length, rest) = bytes.split_first_chunk::<LENGTH>().ok_or_else(unlike)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
    let (head, mut rest) = rest.split_at_checked(length).ok_or_else(unlike)?;
    let (told, lengths): (ShardResult, Vec<usize>) = serde_json::from_slice(head).map_err(|_| unlike())?;
    let mut behind = Vec::new();
    for length in lengths {
        let (part, after) = rest.split_at_checked(length).ok_or_else(unlike)?;
        behind.push(Bytes::copy_from_slice(part));
        rest = after;
    }
    Ok((told, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_comes_back_as_it_was() {
        let made = FinishedMonth { month: "2018-11".to_owned(), ..FinishedMonth::default() };
        let bytes = to_bytes(&ShardResult::Month(made), &[Bytes::from_static(b"users"), Bytes::new()]).unwrap();
        let (told, behind) = from_bytes(&bytes).unwrap();
        assert!(matches!(told, ShardResult::Month(made) if made.month == "2018-11"));
        assert_eq!(behind, [Bytes::from_static(b"users"), Bytes::new()]);
        for cut in 0..bytes.len() {
            assert!(from_bytes(&bytes[..cut]).is_err(), "{cut}");
        }
    }

    #[test]
    fn an_error_comes_back_as_it_was() {
        for kind in ErrorKind::ALL {
            let error = Error::new(kind, "it failed").cause("why").hint("what to do");
            let back = WorkerFailure::from(&error).into_error();
            assert_eq!((back.kind(), back.to_string(), back.hint_text()), (kind, error.to_string(), error.hint_text()));
        }
    }

    #[test]
    fn a_path_that_is_no_text_comes_back_as_it_was() {
        for name in [&b"/a/b.json"[..], b"/a/\xff.json"] {
            let path = OsString::from_vec(name.to_vec()).into();
            let file = InputFile { path, size: 7, version: Version::Modified(-5), is_missing: false };
            let json = serde_json::to_string(&FileWork::new(&file, true).unwrap()).unwrap();
            let back: FileWork = serde_json::from_str(&json).unwrap();
            assert_eq!(back.listed(true).unwrap(), file);
        }
    }
}
