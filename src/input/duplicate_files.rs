//! Files that are there twice: what one of them says would count twice.
//!
//! In a bucket size and `ETag` tell. On a disk only files of equal size are looked at: a checksum of their first chunk
//! is taken when it is read anyway, and where that is the same too, the files are compared.
//!
//! A file that is gone and came back under another name is not looked for here: [`crate::incremental::retained_input`] knows it.
//!
//! Invariant: files that are called the same have the same bytes (in a bucket: the same `ETag`, the store's own
//! checksum), and a file without a record is nobody's double.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::input::list::{Listing, Version};
use crate::input::read::Chunk;

/// Bytes of two files that are compared at a time.
const WINDOW: usize = 1 << 18;

/// The files whose size another one has as well.
#[derive(Debug)]
pub struct SameSized(Vec<bool>);

impl SameSized {
    /// Looks at the sizes; in a bucket no chunk has to be.
    #[must_use]
    pub fn new(listing: &Listing) -> Self {
        if listing.bucket.is_some() {
            return Self(Vec::new());
        }
        let mut sizes: HashMap<u64, u32> = HashMap::new();
        for file in listing.files.iter().filter(|file| !file.is_gone) {
            *sizes.entry(file.size).or_default() += 1;
        }
        let is_shared = |size: &u64| sizes.get(size).is_some_and(|count| *count > 1);
        Self(listing.files.iter().map(|file| !file.is_gone && is_shared(&file.size)).collect())
    }

    /// For files of which is known whether they share their size.
    #[must_use]
    pub fn known(shared: Vec<bool>) -> Self {
        Self(shared)
    }

    /// Whether a file shares its size.
    #[must_use]
    pub fn has(&self, file: usize) -> bool {
        self.0.get(file).copied().unwrap_or_default()
    }

    /// What there is to remember of a chunk.
    #[must_use]
    pub fn head(&self, chunk: &Chunk<'_>) -> Option<FileHead> {
        if chunk.offset > 0 || !self.has(chunk.file) {
            return None;
        }
        let checksum = digest(&SHA256, chunk.bytes).as_ref().first_chunk().copied().map(u64::from_le_bytes)?;
        Some(FileHead { file: chunk.file, checksum })
    }
}

/// The beginning of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileHead {
    file: usize,
    /// Short: what is equal here is compared.
    checksum: u64,
}

impl FileHead {
    /// Gives the file another number.
    pub fn renumber(&mut self, number: impl Fn(usize) -> usize) {
        self.file = number(self.file);
    }
}

/// The first file in the listing that is the same as one before it, and that one. `heads` are those of all files;
/// `counts` says whether a file holds anything.
///
/// # Errors
/// The operating system's, when two files cannot be compared.
pub fn first(listing: &Listing, heads: &[FileHead], counts: impl Fn(usize) -> bool) -> Result<Option<(usize, usize)>> {
    if listing.bucket.is_some() {
        let mut seen: BTreeMap<(u64, &Version), usize> = BTreeMap::new();
        for (index, file) in listing.files.iter().enumerate().filter(|(index, file)| !file.is_gone && counts(*index)) {
            if let Some(other) = seen.insert((file.size, &file.version), index) {
                return Ok(Some((index, other)));
            }
        }
        return Ok(None);
    }
    let mut heads = heads.to_vec();
    heads.sort_unstable();
    // Files that begin alike and differ further on are rare: each is compared with all of those before it.
    let mut seen: HashMap<(u64, u64), Vec<usize>> = HashMap::new();
    for head in heads.into_iter().filter(|head| counts(head.file)) {
        let Some(file) = listing.files.get(head.file) else { continue };
        let before = seen.entry((file.size, head.checksum)).or_default();
        for other in before.iter().copied() {
            let Some(same_sized) = listing.files.get(other) else { continue };
            if are_equal(&file.path, &same_sized.path, file.size)? {
                return Ok(Some((head.file, other)));
            }
        }
        before.push(head.file);
    }
    Ok(None)
}

fn are_equal(left: &Path, right: &Path, size: u64) -> Result<bool> {
    let open = |path: &Path| File::open(path).map_err(|error| Error::io(ErrorKind::Retry, "compare", path, &error));
    let files = [(open(left)?, left), (open(right)?, right)];
    let mut windows = [vec![0; WINDOW], vec![0; WINDOW]];
    let mut at = 0;
    while at < size {
        let length = usize::try_from(size - at).unwrap_or(WINDOW).min(WINDOW);
        for ((file, path), window) in files.iter().zip(&mut windows) {
            file.read_exact_at(window.get_mut(..length).unwrap_or_default(), at)
                .map_err(|error| Error::io(ErrorKind::Retry, "compare", path, &error))?;
        }
        let [left, right] = &windows;
        if left.get(..length) != right.get(..length) {
            return Ok(false);
        }
        at += length as u64;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Framing;
    use crate::input::list::InputFile;

    fn listing(folder: &Path, bodies: &[&[u8]]) -> Listing {
        let files = bodies.iter().enumerate().map(|(number, body)| {
            let path = folder.join(format!("{number}.json"));
            std::fs::write(&path, body).unwrap();
            InputFile { path, size: body.len() as u64, version: Version::Modified(0), is_gone: false }
        });
        Listing { files: files.collect(), ..Listing::default() }
    }

    /// As after reading with a chunk of at most `longest` bytes.
    fn found(bodies: &[&[u8]], longest: usize) -> (usize, Option<(usize, usize)>) {
        let folder = tempfile::tempdir().unwrap();
        let listing = listing(folder.path(), bodies);
        let same_sized = SameSized::new(&listing);
        let heads: Vec<FileHead> = bodies
            .iter()
            .enumerate()
            .rev()
            .filter(|(_, body)| !body.is_empty())
            .filter_map(|(file, body)| {
                let bytes = &body[..longest.min(body.len())];
                same_sized.head(&Chunk { file, offset: 0, lines_before: None, framing: Framing::Values, bytes })
            })
            .collect();
        (heads.len(), first(&listing, &heads, |file| !bodies[file].trim_ascii().is_empty()).unwrap())
    }

    #[test]
    fn the_same_bytes_are_found_whatever_lies_between() {
        assert_eq!(found(&[b"{}", b"{ }", b"[]", b"{}"], 9), (3, Some((3, 0))));
        assert_eq!(found(&[b"{}", b"{ }", b"[]", b"{}", b"[]"], 9), (4, Some((3, 0))));
        assert_eq!(found(&[b"{}", b"[]", b"{ }"], 9), (2, None));
        assert_eq!(found(&[b"", b"", b"\n", b"\n"], 9), (2, None), "what holds nothing counts nothing twice");
    }

    #[test]
    fn files_that_begin_alike_are_compared_to_their_end() {
        let long = [vec![b' '; WINDOW + 7], b"{}".to_vec()].concat();
        let mut other = long.clone();
        *other.last_mut().unwrap() = b']';
        assert_eq!(found(&[&long, &other], 100), (2, None));
        assert_eq!(found(&[&long, &other, &long], 100), (3, Some((2, 0))));
        assert_eq!(found(&[&other, &long, &long], 100), (3, Some((2, 1))), "with all before it, not with the first");
    }
}
