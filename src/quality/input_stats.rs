//! The results of reading: the counts of both contents, the months of the plays of each log file, and where the
//! rejected records were written.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::input::input_files::InputFiles;
use crate::input::sources::Content;
use crate::quality::read_stats::ReadStats;
use crate::tables::time::Month;

/// The results of reading the input files of a run.
#[derive(Debug, Default)]
pub struct InputStats {
    /// Statistics of the song files.
    pub songs: ReadStats,
    /// Statistics of the log files.
    pub logs: ReadStats,
    /// The months of the plays of each log file that was read, with the file's number in the listing.
    pub months: BTreeSet<(usize, Month)>,
    /// The folder of the rejected records, if there are any.
    pub quarantine: Option<String>,
}

impl InputStats {
    /// The statistics of a content.
    #[must_use]
    pub const fn of(&self, content: Content) -> &ReadStats {
        match content {
            Content::Songs => &self.songs,
            Content::Logs => &self.logs,
        }
    }

    /// Writes the rejected records of both contents with `put`, and records that they are in `folder`.
    ///
    /// # Errors
    /// [`crate::error::ErrorKind::Storage`] if the records cannot be read back, and any error of `put`.
    pub fn write_rejects(
        &mut self,
        files: &InputFiles,
        folder: String,
        put: &mut dyn FnMut(&str, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut any = false;
        for (content, listing) in files.each() {
            let shown = |file| listing.shown(file).unwrap_or_default();
            any |= self.of(content).write_rejects(content.name(), &shown, put)?;
        }
        self.quarantine = any.then_some(folder);
        Ok(())
    }
}
