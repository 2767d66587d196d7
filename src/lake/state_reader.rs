//! Reads state files of a lake, for a run and for a dry run, which holds no lock.

use bytes::Bytes;

use crate::error::Result;
use crate::lake::checkpoint::StateFile;
use crate::lake::commit_record::{sha256, state_path};
use crate::lake::storage::LakeStorage;

/// Reads the state files of a lake.
#[derive(Clone, Copy, Debug)]
pub struct StateReader<'l> {
    pub(super) storage: &'l dyn LakeStorage,
}

impl StateReader<'_> {
    /// Reads a state file; `None` if it is missing or its checksum does not match.
    ///
    /// # Errors
    /// Any storage error.
    pub fn read(self, file: &StateFile) -> Result<Option<Bytes>> {
        let found = self.storage.read_optional(&state_path(&file.name))?;
        Ok(found.filter(|bytes| sha256(bytes) == file.sha256).map(Bytes::from))
    }

    /// The path of a state file for display.
    #[must_use]
    pub fn shown(self, file: &StateFile) -> String {
        self.storage.shown(&state_path(&file.name))
    }
}
