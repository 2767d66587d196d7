//! The input files of a run: the listings of both contents, and the files that are read.

use crate::input::list::{Listing, Selection};
use crate::input::sources::Content;

/// The listed files of both contents, and the selections that the run reads.
#[derive(Debug, Default)]
pub struct InputFiles {
    /// Song files.
    pub songs: Listing,
    /// Log files.
    pub logs: Listing,
    /// The song files that are read; `None` means all of them.
    pub song_selection: Option<Selection>,
    /// The log files that are read; `None` means all of them.
    pub log_selection: Option<Selection>,
}

impl InputFiles {
    /// The selection of a content: the files that are read.
    #[must_use]
    pub fn selection(&self, content: Content) -> Selection {
        let (listing, selection) = match content {
            Content::Songs => (&self.songs, &self.song_selection),
            Content::Logs => (&self.logs, &self.log_selection),
        };
        selection.clone().unwrap_or_else(|| listing.all())
    }

    /// The listing of a content.
    #[must_use]
    pub const fn listing(&self, content: Content) -> &Listing {
        match content {
            Content::Songs => &self.songs,
            Content::Logs => &self.logs,
        }
    }

    /// The listing of a content, to add missing files to it.
    pub const fn listing_mut(&mut self, content: Content) -> &mut Listing {
        match content {
            Content::Songs => &mut self.songs,
            Content::Logs => &mut self.logs,
        }
    }

    /// Both contents with their listings.
    #[must_use]
    pub const fn each(&self) -> [(Content, &Listing); 2] {
        [(Content::Songs, &self.songs), (Content::Logs, &self.logs)]
    }
}
