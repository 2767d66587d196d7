//! The messages between the leader of a run and its workers, as bytes: shards to the workers, results to the leader.
//!
//! A shard is JSON. A result is JSON with attachments, which have the format of the state files of a lake. A shard
//! contains no secret: credentials are passed separately, or the worker finds its own.
//!
//! Invariant: both sides are the same release of the package, and a message is decoded to the value that was encoded.

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

/// The options that only the leader uses.
const LEADER_OPTIONS: [&str; 10] =
    ["adopt", "allow_shrink", "keep_gone", "max_bad", "rebuild", "retain", "shard_size", "since", "threads", "until"];

/// Returns the options that workers need.
#[must_use]
pub fn options(texts: &BTreeMap<&'static str, String>, executor: &dyn Executor) -> BTreeMap<String, String> {
    let needed = texts.iter().filter(|(name, _)| !LEADER_OPTIONS.contains(name));
    let threads = ("threads".to_owned(), executor.threads().to_string());
    needed.map(|(name, value)| ((*name).to_owned(), value.clone())).chain([threads]).collect()
}

/// A part of the work of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Shard {
    /// The version of the package that the leader has. A worker with another version rejects the shard.
    pub package: String,
    /// The options as text, without credentials and locations.
    pub options: BTreeMap<String, String>,
    /// The location of the lake.
    pub lake: String,
    /// The id of the run.
    pub run: String,
    /// The task.
    pub work: ShardWork,
}

/// A task for a worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ShardWork {
    /// Read song files.
    Songs(ShardFiles),
    /// Read log files; only the plays of the given months, or all plays.
    Plays(ShardFiles, Option<Vec<String>>),
    /// Write the files of a month from the plays that other shards have read.
    Month(MonthWork),
    /// Check that the worker reaches the lake; and sees this file on the leader's disk, if the lake is there.
    Examine(Option<String>),
}

/// The input files of a shard.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShardFiles {
    /// The number of the shard among those of its content.
    pub number: usize,
    /// The bucket that contains the files; `None` if they are on a disk.
    pub bucket: Option<String>,
    /// The files, in the order of the listing.
    pub files: Vec<FileWork>,
}

/// An input file as it was listed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FileWork {
    path: FilePath,
    size: u64,
    version: String,
}

/// A path; it is text unless it is not UTF-8.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum FilePath {
    Text(String),
    Bytes(Vec<u8>),
}

impl FileWork {
    /// Describes a listed file. A path on a disk is made absolute, because a worker may have another current folder.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`] when the current folder is unknown.
    pub fn new(file: &InputFile) -> Result<Self> {
        let (path, version) = match &file.version {
            Version::Tag(tag) => (file.path.clone(), tag.0.to_string()),
            Version::Modified(time) => {
                let path = std::path::absolute(&file.path)
                    .map_err(|error| Error::io(ErrorKind::Storage, "find", &file.path, &error))?;
                (path, time.to_string())
            }
        };
        let path = match path.to_str() {
            Some(text) => FilePath::Text(text.to_owned()),
            None => FilePath::Bytes(path.as_os_str().as_bytes().to_vec()),
        };
        Ok(Self { path, size: file.size, version })
    }

    /// Returns the file as it was listed.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] when the version is not one that [`Self::new`] writes.
    pub fn listed(&self, is_local: bool) -> Result<InputFile> {
        let version = if is_local {
            let time = self.version.parse();
            Version::Modified(
                time.map_err(|_| Error::new(ErrorKind::Internal, "a shard has an invalid modification time"))?,
            )
        } else {
            Version::Tag(Tag(self.version.as_str().into()))
        };
        let path = match &self.path {
            FilePath::Text(text) => text.into(),
            FilePath::Bytes(bytes) => OsString::from_vec(bytes.clone()).into(),
        };
        Ok(InputFile { path, size: self.size, version, is_missing: false })
    }
}

/// A month to write.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MonthWork {
    /// The month, as `2018-11`.
    pub month: String,
    /// The files with its plays.
    pub files: Vec<ShuffleFile>,
    /// The rows of the songs table.
    pub songs: StagedBlob,
    /// The number of these rows.
    pub song_rows: u64,
}

/// A blob in the stage: its name and its SHA-256.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StagedBlob(pub String, pub String);

/// The result of a shard.
#[derive(Debug, Serialize, Deserialize)]
pub enum ShardResult {
    /// Song files were read: statistics, and the number of records in the attachment.
    Songs(ReadStats, u64),
    /// Log files were read: statistics, the months of each file's plays, and the file with the plays.
    Plays(ReadStats, Vec<(usize, String)>, Option<ShuffleFile>),
    /// The files of a month are staged; the attachments are its users, the keys of its tracks, and the users' history
    /// if it is wanted.
    Month(FinishedMonth),
    /// The checks that failed.
    Examined(Vec<FailedCheck>),
    /// The result is too large to be returned directly and is in the stage.
    StagedBlob(StagedBlob),
    /// The shard failed.
    Failed(WorkerFailure),
}

/// A check that failed on a worker.
#[derive(Debug, Serialize, Deserialize)]
pub struct FailedCheck {
    /// The name of the check.
    pub name: String,
    /// Details of the failure.
    pub detail: String,
    /// The exit code of a run on this worker; 0 if the run would work.
    pub exit_code: u8,
}

/// A month whose files are staged.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct FinishedMonth {
    /// The month, as `2018-11`.
    pub month: String,
    /// The number of its plays.
    pub plays: Plays,
    /// The staged files.
    pub files: Vec<StagedEntry>,
}

/// An error of a worker, as a message.
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
    /// Returns the error of the worker.
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

/// The size, in bytes, of the length field at the start of a result.
const LENGTH_BYTES: usize = 8;

/// Encodes a result with its attachments.
///
/// # Errors
/// [`ErrorKind::Internal`] when it cannot be written as JSON.
pub fn to_bytes(result: &ShardResult, attachments: &[Bytes]) -> Result<Vec<u8>> {
    let lengths: Vec<usize> = attachments.iter().map(Bytes::len).collect();
    let head = serde_json::to_vec(&(result, lengths)).map_err(|error| {
        Error::new(ErrorKind::Internal, "the result of a shard cannot be encoded").cause(error.to_string())
    })?;
    let mut bytes = (head.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(&head);
    for part in attachments {
        bytes.extend_from_slice(part);
    }
    Ok(bytes)
}

/// Decodes a result and its attachments.
///
/// # Errors
/// [`ErrorKind::Internal`] when the bytes are not an encoded result.
pub fn from_bytes(bytes: &[u8]) -> Result<(ShardResult, Vec<Bytes>)> {
    let invalid = || Error::new(ErrorKind::Internal, "an executor returned bytes that are not a worker's result");
    let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>().ok_or_else(invalid)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
    let (head, mut rest) = rest.split_at_checked(length).ok_or_else(invalid)?;
    let (result, lengths): (ShardResult, Vec<usize>) = serde_json::from_slice(head).map_err(|_| invalid())?;
    let mut attachments = Vec::new();
    for length in lengths {
        let (part, after) = rest.split_at_checked(length).ok_or_else(invalid)?;
        attachments.push(Bytes::copy_from_slice(part));
        rest = after;
    }
    Ok((result, attachments))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_survives_encoding() {
        let made = FinishedMonth { month: "2018-11".to_owned(), ..FinishedMonth::default() };
        let bytes = to_bytes(&ShardResult::Month(made), &[Bytes::from_static(b"users"), Bytes::new()]).unwrap();
        let (result, attachments) = from_bytes(&bytes).unwrap();
        assert!(matches!(result, ShardResult::Month(made) if made.month == "2018-11"));
        assert_eq!(attachments, [Bytes::from_static(b"users"), Bytes::new()]);
        for cut in 0..bytes.len() {
            assert!(from_bytes(&bytes[..cut]).is_err(), "{cut}");
        }
    }

    #[test]
    fn an_error_survives_encoding() {
        for kind in ErrorKind::ALL {
            let error = Error::new(kind, "it failed").cause("why").hint("what to do");
            let back = WorkerFailure::from(&error).into_error();
            assert_eq!((back.kind(), back.to_string(), back.hint_text()), (kind, error.to_string(), error.hint_text()));
        }
    }

    #[test]
    fn a_path_that_is_not_utf_8_survives_encoding() {
        for name in [&b"/a/b.json"[..], b"/a/\xff.json"] {
            let path = OsString::from_vec(name.to_vec()).into();
            let file = InputFile { path, size: 7, version: Version::Modified(-5), is_missing: false };
            let json = serde_json::to_string(&FileWork::new(&file).unwrap()).unwrap();
            let back: FileWork = serde_json::from_str(&json).unwrap();
            assert_eq!(back.listed(true).unwrap(), file);
        }
    }
}
