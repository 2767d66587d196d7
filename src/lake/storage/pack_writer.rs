//! The staging area of a run in a bucket: many small files per pack, and large files as separate objects.
//!
//! Thousands of files of about one kilobyte become a few objects, which are uploaded while the next files are written.
//! A copy of everything stays in scratch files on the local disk, from which the run itself publishes; only a recovery
//! reads the packs.
//!
//! Invariant: after [`StageStorage::seal`] has returned, all staged files are complete in the bucket.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::task::JoinHandle;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::commit_record::{Image, pack_name};
use crate::lake::storage::{StageStorage, StagedImage};
use crate::s3::bucket::Bucket;
use crate::s3::object::Put;

/// A pack is uploaded before it exceeds this size; only a pack with a single file can be larger.
const MAX_PACK_BYTES: usize = 16 << 20;

/// Uploads of packs that run at the same time.
const MAX_UPLOADS: usize = 2;

/// The staging area of a run in a bucket.
#[derive(Debug)]
pub(in crate::lake) struct PackWriter {
    bucket: Bucket,
    /// The prefix of the staging area's keys, without a trailing slash.
    stage: String,
    scratch: tempfile::TempDir,
    packs: Mutex<Packs>,
    /// Large files, by path.
    large: Mutex<HashMap<String, File>>,
}

/// The packs so far; the last one is not complete yet.
#[derive(Debug)]
struct Packs {
    file: File,
    /// The offset in the scratch file at which each pack begins.
    starts: Vec<u64>,
    /// The bytes of the last pack.
    current: Vec<u8>,
    uploads: Vec<JoinHandle<Result<()>>>,
}

impl PackWriter {
    pub(in crate::lake) fn new(bucket: &Bucket, stage: String) -> Result<Self> {
        let failed = |error: std::io::Error| {
            Error::io_unnamed(ErrorKind::Storage, "create a scratch file", &error)
                .hint("set TMPDIR to a folder with enough free space")
        };
        let scratch = tempfile::Builder::new().prefix("sparkify-lake-").tempdir().map_err(failed)?;
        let file = tempfile::tempfile_in(scratch.path()).map_err(failed)?;
        let packs = Packs { file, starts: vec![0], current: Vec::new(), uploads: Vec::new() };
        Ok(Self { bucket: bucket.clone(), stage, scratch, packs: Mutex::new(packs), large: Mutex::default() })
    }

    fn packs(&self) -> MutexGuard<'_, Packs> {
        self.packs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the upload of the last pack and begins a new one.
    fn upload_pack(&self, packs: &mut Packs) -> Result<()> {
        if packs.current.is_empty() {
            return Ok(());
        }
        while packs.uploads.len() >= MAX_UPLOADS {
            let oldest = packs.uploads.remove(0);
            self.bucket.wait(finished(oldest))?;
        }
        let number = packs.starts.len() - 1;
        let start = packs.starts.last().copied().unwrap_or_default();
        let bytes = Bytes::from(std::mem::take(&mut packs.current));
        packs.file.write_all_at(&bytes, start).map_err(scratch_error)?;
        packs.starts.push(start + bytes.len() as u64);
        let key = format!("{}/{}", self.stage, pack_name(u32::try_from(number).unwrap_or(u32::MAX)));
        packs.uploads.push(self.upload(key, bytes));
        Ok(())
    }

    fn upload(&self, key: String, bytes: Bytes) -> JoinHandle<Result<()>> {
        let bucket = self.bucket.clone();
        self.bucket.spawn(async move { bucket.put(&key, bytes, Put::Always).await.map(drop) })
    }
}

impl StageStorage for PackWriter {
    fn put(&self, _: &str, bytes: &[u8]) -> Result<StagedImage> {
        let mut packs = self.packs();
        if !packs.current.is_empty() && packs.current.len() + bytes.len() > MAX_PACK_BYTES {
            self.upload_pack(&mut packs)?;
        }
        let pack = u32::try_from(packs.starts.len() - 1).ok();
        let offset = packs.current.len() as u64;
        packs.current.extend_from_slice(bytes);
        Ok(StagedImage { image: Image { pack, offset }, stamp: None })
    }

    fn open(&self, _: &str) -> Result<File> {
        tempfile::tempfile_in(self.scratch.path()).map_err(scratch_error)
    }

    fn finish(&self, _: &str, path: &str, file: File) -> Result<StagedImage> {
        // One at a time, because the file is in memory meanwhile.
        let mut large = self.large.lock().unwrap_or_else(PoisonError::into_inner);
        let size = file.metadata().map_err(scratch_error)?.len();
        let bytes = Bytes::from(read(&file, 0, size)?);
        self.bucket.wait(finished(self.upload(format!("{}/tables/{path}", self.stage), bytes)))?;
        large.insert(path.to_owned(), file);
        Ok(StagedImage::separate(None))
    }

    fn discard(&self, _: &str, file: File) -> Result<()> {
        drop(file);
        Ok(())
    }

    fn adopt(&self, _: &str, _: u64) -> Result<StagedImage> {
        Ok(StagedImage::separate(None))
    }

    fn remove_staged(&self, path: &str) -> Result<()> {
        self.bucket.wait(self.bucket.delete(&format!("{}/tables/{path}", self.stage), None)).map(drop)
    }

    /// Nothing to do: full packs are already being uploaded.
    fn flush(&self) -> Result<()> {
        Ok(())
    }

    fn seal(&self) -> Result<()> {
        let mut packs = self.packs();
        self.upload_pack(&mut packs)?;
        for upload in std::mem::take(&mut packs.uploads) {
            self.bucket.wait(finished(upload))?;
        }
        Ok(())
    }

    fn scratch(&self) -> Result<PathBuf> {
        Ok(self.scratch.path().to_owned())
    }

    /// The local copy is removed when this value is dropped. In the bucket nothing is removed: requests take time that
    /// a stopped run does not have, and a failing store would fail again. A later run removes the staging area.
    fn clean_up(&self) {}

    fn read(&self, path: &str, image: Image, size: u64) -> Result<Vec<u8>> {
        let missing = || Error::new(ErrorKind::Internal, format!("{path} is not in the staging area"));
        let Some(pack) = image.pack else {
            let large = self.large.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(file) = large.get(path) {
                return read(file, 0, size);
            }
            drop(large);
            // A worker uploaded it.
            let key = format!("{}/tables/{path}", self.stage);
            return Ok(self.bucket.wait(self.bucket.get(&key, None, None))?.to_vec());
        };
        let packs = self.packs();
        let start = packs.starts.get(pack as usize).copied().ok_or_else(missing)?;
        read(&packs.file, start + image.offset, size)
    }
}

/// The result of an upload.
async fn finished(upload: JoinHandle<Result<()>>) -> Result<()> {
    upload.await.unwrap_or_else(|error| {
        Err(Error::new(ErrorKind::Internal, "an upload ended without a result").cause(error.to_string()))
    })
}

fn read(file: &File, offset: u64, size: u64) -> Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(size).unwrap_or_default()];
    file.read_exact_at(&mut bytes, offset).map_err(scratch_error)?;
    Ok(bytes)
}

#[expect(clippy::needless_pass_by_value, reason = "map_err requires this signature")]
fn scratch_error(error: std::io::Error) -> Error {
    Error::io_unnamed(ErrorKind::Storage, "use a scratch file", &error)
        .hint("set TMPDIR to a folder with enough free space")
}
