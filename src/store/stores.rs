//! The object stores of one call: runtime, credentials and buckets, opened when first needed.
//!
//! Invariant: a call that names no bucket starts no runtime, looks for no credentials and opens no connection.

use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind, Result};
use crate::store::bucket::Bucket;
use crate::store::settings::StoreSettings;

/// What was asked of the stores so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Usage {
    /// LIST requests.
    pub list: u64,
    /// GET requests.
    pub get: u64,
    /// PUT requests, parts of large objects included.
    pub put: u64,
    /// DELETE requests.
    pub delete: u64,
    /// HEAD and whatever else.
    pub other: u64,
    /// Bytes received in bodies.
    pub bytes_in: u64,
    /// Bytes sent in bodies.
    pub bytes_out: u64,
    /// Attempts beyond the first.
    pub retries: u64,
    /// Answers that asked to slow down.
    pub throttled: u64,
}

/// Everything remote that a call may touch.
#[derive(Debug)]
pub struct Stores {
    _settings: StoreSettings,
    _cancel: Cancel,
}

impl Stores {
    /// Opens nothing yet.
    #[must_use]
    pub fn new(settings: &StoreSettings, cancel: &Cancel) -> Self {
        Self { _settings: settings.clone(), _cancel: cancel.clone() }
    }

    /// Opens a bucket; the same one for the same name.
    ///
    /// # Errors
    /// [`ErrorKind::Access`] without credentials, [`ErrorKind::Configuration`] when region or endpoint do not fit.
    pub fn open(&self, bucket: &str) -> Result<Bucket> {
        Err(Error::new(ErrorKind::Internal, format!("not built yet: s3://{bucket}")))
    }

    /// What was asked so far.
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage::default()
    }

    /// Where the credentials came from; `None` while none were needed.
    #[must_use]
    pub fn credentials(&self) -> Option<String> {
        None
    }
}
