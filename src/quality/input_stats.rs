//! What became of the input of a run: the counts of both contents, the months that the log files feed, and where the
//! rejects were written.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::input::input_files::InputFiles;
use crate::input::sources::Content;
use crate::quality::read_stats::ReadStats;
use crate::tables::time::Month;

/// What became of the files that a run has read.
#[derive(Debug, Default)]
pub struct InputStats {
    /// Counts of the song files.
    pub songs: ReadStats,
    /// Counts of the log files.
    pub logs: ReadStats,
    /// The months of the plays of each log file that was read, by the file's number.
    pub months: BTreeSet<(usize, Month)>,
    /// Where the rejects were written, if there were any.
    pub quarantine: Option<String>,
}

impl InputStats {
    /// The counts of a content.
    #[must_use]
    pub const fn of(&self, content: Content) -> &ReadStats {
        match content {
            Content::Songs => &self.songs,
            Content::Logs => &self.logs,
        }
    }

    /// Writes the rejects of both contents, and notes that `place` holds them.
    ///
    /// # Errors
    /// [`crate::error::ErrorKind::Storage`] when the rejects cannot be read back, and `put`'s.
    pub fn write_rejects(
        &mut self,
        files: &InputFiles,
        place: String,
        put: &mut dyn FnMut(&str, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut any = false;
        for (content, listing) in files.each() {
            let shown = |file| listing.shown(file).unwrap_or_default();
            any |= self.of(content).write_rejects(content.name(), &shown, put)?;
        }
        self.quarantine = any.then_some(place);
        Ok(())
    }
}
