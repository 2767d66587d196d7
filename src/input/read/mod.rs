//! Files to chunks of bytes, with their origin.
//!
//! [`local`] reads a disk, [`remote`] a bucket; what both find is cut into chunks here. What a file is, its bytes say,
//! not its name. Nothing is parsed beyond finding where one record may end and the next begin.
//!
//! Invariant: the chunks of a file, in order, are its (decompressed) bytes, each byte once, and no chunk begins or
//! ends inside a record. A file that is not what was listed ends the run: nothing half-read is loaded.

mod chunks;
mod local;
mod ranges;
mod remote;

pub use chunks::{Chunk, Fetched, Listed, Reader, Reading, Visit};
use local::ReadTask;
use remote::Prefetch;
pub use remote::requests;

use crate::error::Result;
use crate::input::list::{Listing, SelectedFiles};
use crate::runtime::cancel::Cancel;

/// The files of a listing, as tasks for workers.
#[derive(Debug)]
pub struct FileFeed<'l> {
    listing: &'l Listing,
    selected: usize,
    reading: Reading,
    supply: Supply,
}

#[derive(Debug)]
enum Supply {
    Local(Vec<ReadTask>),
    Remote(Prefetch),
}

impl<'l> FileFeed<'l> {
    /// Divides the selected files into pieces of work, or begins to fetch them.
    ///
    /// # Errors
    /// The operating system's, when a large file cannot be opened to see what it is.
    pub fn new(files: SelectedFiles<'l>, reading: Reading) -> Result<Self> {
        let SelectedFiles { listing, selection } = files;
        let supply = match &listing.bucket {
            None => Supply::Local(local::divide(listing, selection, reading)?),
            Some(bucket) => Supply::Remote(Prefetch::start(bucket, &listing.files, selection, reading)),
        };
        Ok(Self { listing, selected: selection.len(), reading, supply })
    }

    /// How many times [`FileFeed::read`] has to be called.
    #[must_use]
    pub fn tasks(&self) -> usize {
        match &self.supply {
            Supply::Local(work) => work.len(),
            Supply::Remote(_) => self.selected,
        }
    }

    /// Reads one piece of work, chunk by chunk. On a disk `task` says which; of a bucket it is whatever has arrived.
    ///
    /// # Errors
    /// [`ErrorKind::Retry`] when a file changed since it was listed, the operating system's and the store's errors, and
    /// `visit`'s.
    pub fn read(&self, reader: &mut Reader, task: usize, cancel: &Cancel, visit: &mut Visit<'_>) -> Result<()> {
        match &self.supply {
            Supply::Local(work) => {
                work.get(task).map_or(Ok(()), |work| reader.read_local(self.listing, work, self.reading, visit))
            }
            Supply::Remote(prefetch) => {
                let read = match prefetch.next(cancel)? {
                    Some(arrived) => reader.read_arrived(self.listing, arrived, self.reading, visit),
                    None => Ok(()),
                };
                if read.is_err() {
                    prefetch.stop();
                }
                read
            }
        }
    }
}
