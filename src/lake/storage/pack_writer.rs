//! The stage of a run in a bucket: small files packed into few objects, large ones alone.
//!
//! Thousands of files of a kilobyte are staged as a handful of objects, uploaded while the next are made. A copy of
//! everything stays in a scratch file on the local disk, from which the run itself publishes; only a recovery reads the
//! packs.
//!
//! Invariant: what [`StageStorage::seal`] returned for lies whole in the bucket.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::task::JoinHandle;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::commit_record::{Image, pack_name};
use crate::lake::storage::StageStorage;
use crate::s3::bucket::Bucket;
use crate::s3::object::Put;

/// A pack that reached this size is uploaded.
const PACK: usize = 16 << 20;

/// Packs on their way at the same time.
const UPLOADS: usize = 2;

/// A run's stage in a bucket.
#[derive(Debug)]
pub(in crate::lake) struct Spool {
    bucket: Bucket,
    /// The stage's key, without a slash at its end.
    stage: String,
    scratch: tempfile::TempDir,
    packs: Mutex<Packs>,
    /// Large files, by path.
    alone: Mutex<HashMap<String, File>>,
}

/// The packs so far; the last one is still growing.
#[derive(Debug)]
struct Packs {
    file: File,
    /// Where each pack begins in the file.
    starts: Vec<u64>,
    growing: Vec<u8>,
    uploads: Vec<JoinHandle<Result<()>>>,
}

impl Spool {
    pub(in crate::lake) fn new(bucket: &Bucket, stage: String) -> Result<Self> {
        let failed = |error: std::io::Error| {
            Error::io_unnamed(ErrorKind::Storage, "create a scratch file", &error)
                .hint("set TMPDIR to a folder with room")
        };
        let scratch = tempfile::Builder::new().prefix("sparkify-lake-").tempdir().map_err(failed)?;
        let file = tempfile::tempfile_in(scratch.path()).map_err(failed)?;
        let packs = Packs { file, starts: vec![0], growing: Vec::new(), uploads: Vec::new() };
        Ok(Self { bucket: bucket.clone(), stage, scratch, packs: Mutex::new(packs), alone: Mutex::default() })
    }

    fn packs(&self) -> MutexGuard<'_, Packs> {
        self.packs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Uploads the pack that is growing.
    fn close(&self, packs: &mut Packs) -> Result<()> {
        if packs.growing.is_empty() {
            return Ok(());
        }
        while packs.uploads.len() >= UPLOADS {
            let oldest = packs.uploads.remove(0);
            self.bucket.wait(finished(oldest))?;
        }
        let number = packs.starts.len() - 1;
        let start = packs.starts.last().copied().unwrap_or_default();
        let bytes = Bytes::from(std::mem::take(&mut packs.growing));
        packs.file.write_all_at(&bytes, start).map_err(spool_failed)?;
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

impl StageStorage for Spool {
    fn put(&self, _: &str, bytes: &[u8]) -> Result<(Image, Option<String>)> {
        let mut packs = self.packs();
        if !packs.growing.is_empty() && packs.growing.len() + bytes.len() > PACK {
            self.close(&mut packs)?;
        }
        let pack = u32::try_from(packs.starts.len() - 1).ok();
        let offset = packs.growing.len() as u64;
        packs.growing.extend_from_slice(bytes);
        Ok((Image { pack, offset }, None))
    }

    fn open(&self, _: &str) -> Result<File> {
        tempfile::tempfile_in(self.scratch.path()).map_err(spool_failed)
    }

    fn finish(&self, path: &str, file: File) -> Result<(Image, Option<String>)> {
        // One at a time: this holds the file in memory.
        let mut alone = self.alone.lock().unwrap_or_else(PoisonError::into_inner);
        let size = file.metadata().map_err(spool_failed)?.len();
        let bytes = Bytes::from(read(&file, 0, size)?);
        self.bucket.wait(finished(self.upload(format!("{}/tables/{path}", self.stage), bytes)))?;
        alone.insert(path.to_owned(), file);
        Ok((Image { pack: None, offset: 0 }, None))
    }

    fn discard(&self, _: &str, file: File) -> Result<()> {
        drop(file);
        Ok(())
    }

    fn adopt(&self, _: &str, _: u64) -> Result<(Image, Option<String>)> {
        Ok((Image { pack: None, offset: 0 }, None))
    }

    fn withdraw(&self, path: &str) -> Result<()> {
        self.bucket.wait(self.bucket.delete(&format!("{}/tables/{path}", self.stage), None)).map(drop)
    }

    /// Packs are on their way as soon as they are full.
    fn flush(&self) -> Result<()> {
        Ok(())
    }

    fn seal(&self) -> Result<()> {
        let mut packs = self.packs();
        self.close(&mut packs)?;
        for upload in std::mem::take(&mut packs.uploads) {
            self.bucket.wait(finished(upload))?;
        }
        Ok(())
    }

    fn scratch(&self) -> Result<PathBuf> {
        Ok(self.scratch.path().to_owned())
    }

    /// The local copy goes with the value. In the bucket every request takes time that a stopped run has not, and a
    /// failing store would only fail again: the next run forgets the stage.
    fn end(&self) {}

    fn read(&self, path: &str, image: Image, size: u64) -> Result<Vec<u8>> {
        let missing = || Error::new(ErrorKind::Internal, format!("{path} is not in the stage"));
        let Some(pack) = image.pack else {
            let alone = self.alone.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(file) = alone.get(path) {
                return read(file, 0, size);
            }
            drop(alone);
            // A worker staged it.
            let key = format!("{}/tables/{path}", self.stage);
            return Ok(self.bucket.wait(self.bucket.get(&key, None, None))?.to_vec());
        };
        let packs = self.packs();
        let start = packs.starts.get(pack as usize).copied().ok_or_else(missing)?;
        read(&packs.file, start + image.offset, size)
    }
}

/// What an upload's task returned.
async fn finished(upload: JoinHandle<Result<()>>) -> Result<()> {
    upload.await.unwrap_or_else(|error| {
        Err(Error::new(ErrorKind::Internal, "an upload ended without a result").cause(error.to_string()))
    })
}

fn read(file: &File, offset: u64, size: u64) -> Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(size).unwrap_or_default()];
    file.read_exact_at(&mut bytes, offset).map_err(spool_failed)?;
    Ok(bytes)
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
fn spool_failed(error: std::io::Error) -> Error {
    Error::io_unnamed(ErrorKind::Storage, "use a scratch file", &error).hint("set TMPDIR to a folder with room")
}
