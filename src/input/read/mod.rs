//! Files to chunks of bytes, with their origin.
//!
//! [`local`] reads from a disk and [`remote`] from a bucket; [`chunks`] cuts the bytes of both. The bytes of a file
//! decide its format, not its name. Nothing is parsed except to find the boundaries between records.
//!
//! Invariant: the chunks of a file, in order, are its (decompressed) bytes, each byte once, and no chunk begins or ends
//! inside a record. A file that has changed since the listing ends the run, so a mix of two versions is never loaded.

mod buffer;
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

/// The selected files of a listing, as tasks for workers.
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
    /// Divides local files into tasks, or begins to fetch objects.
    ///
    /// # Errors
    /// Any error of the file system: large files are opened to determine their format.
    pub fn new(files: SelectedFiles<'l>, reading: Reading) -> Result<Self> {
        let SelectedFiles { listing, selection } = files;
        let supply = match &listing.bucket {
            None => Supply::Local(local::divide(listing, selection, reading)?),
            Some(bucket) => Supply::Remote(Prefetch::start(bucket, &listing.files, selection, reading)),
        };
        Ok(Self { listing, selected: selection.len(), reading, supply })
    }

    /// The number of tasks: how often [`FileFeed::read`] must be called.
    #[must_use]
    pub fn tasks(&self) -> usize {
        match &self.supply {
            Supply::Local(tasks) => tasks.len(),
            Supply::Remote(_) => self.selected,
        }
    }

    /// Passes the chunks of one task to `visit`. The task is number `task` of local files; of a bucket, it is the next
    /// object that has arrived.
    ///
    /// # Errors
    /// [`ErrorKind::Retry`](crate::error::ErrorKind::Retry) if a file has changed since the listing, and any error of
    /// the file system, the store or `visit`.
    pub fn read(&self, reader: &mut Reader, task: usize, cancel: &Cancel, visit: &mut Visit<'_>) -> Result<()> {
        match &self.supply {
            Supply::Local(tasks) => {
                tasks.get(task).map_or(Ok(()), |task| reader.read_local(self.listing, task, self.reading, visit))
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::buffer::ALIGNMENT;
    use super::*;
    use crate::error::shown;
    use crate::input::list;
    use crate::input::sources::{Content, Source};
    use crate::location::Location;
    use crate::s3::settings::StoreSettings;
    use crate::s3::stores::Stores;

    /// The kernel copies bytes slowly whose positions in the file and in memory differ by another number.
    #[test]
    fn positions_in_files_and_in_memory_differ_by_a_multiple_of_the_alignment() {
        let folder = tempfile::tempdir().unwrap();
        let records: Vec<String> = (0..2_000).map(|number| format!("{{\"ts\":{number}}}")).collect();
        let lines = records.join("\n") + "\n";
        let contents = [("array.json", format!("[{}]", records.join(","))), ("lines.json", lines)];
        for (name, content) in &contents {
            fs::write(folder.path().join(name), content).unwrap();
        }
        let root = Location::Local(folder.path().to_owned());
        let source = Source { content: Content::Logs, root, glob: None, shown: shown(folder.path()) };
        let cancel = Cancel::default();
        let stores = Stores::new(&StoreSettings::default(), &cancel);
        let listing = list::list(&source, false, 1, &stores, &cancel).unwrap();
        let selection = (0..listing.files.len()).collect();
        for (chunk_size, in_order) in [(4 << 10, false), (4 << 10, true), (1 << 20, false)] {
            let reading = Reading { chunk_size, verify_first: false, in_order, threads: 1, ahead: 0 };
            let feed = FileFeed::new(SelectedFiles { listing: &listing, selection: &selection }, reading).unwrap();
            let mut reader = Reader::default();
            let mut read = [Vec::new(), Vec::new()];
            let mut visit = |fetched: Fetched<'_>| {
                let Fetched::Chunk(chunk) = fetched else { panic!("{fetched:?}") };
                let in_memory = chunk.bytes.as_ptr().addr() as u64;
                assert_eq!((in_memory.wrapping_sub(chunk.offset)) % ALIGNMENT as u64, 0, "{chunk_size} {in_order}");
                assert_eq!(chunk.offset, read[chunk.file].len() as u64);
                read[chunk.file].extend_from_slice(chunk.bytes);
                Ok(())
            };
            for task in 0..feed.tasks() {
                feed.read(&mut reader, task, &cancel, &mut visit).unwrap();
            }
            for (bytes, (name, content)) in read.iter().zip(&contents) {
                assert!(bytes == content.as_bytes(), "{name} {chunk_size} {in_order}");
            }
        }
    }
}
