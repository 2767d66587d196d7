//! Duplicate files: two files with the same bytes, whose records would count twice.
//!
//! In a bucket, files with the same size and `ETag` are duplicates. On a disk, only files of equal size are candidates:
//! the first chunk of each gets a checksum when it is read, and files with equal checksums are compared byte by byte.
//!
//! A missing file that comes back under another name is detected elsewhere: by [`crate::incremental::retained_input`].
//!
//! Invariant: files that are reported as duplicates have the same bytes (in a bucket: the same `ETag`, a checksum by
//! the store); files without records are never duplicates.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::input::list::{Listing, Version};
use crate::input::read::Chunk;

/// Bytes of two files that are compared in one step.
const COMPARED_BYTES: usize = 1 << 18;

/// The files that have the same size as another file, as a flag per file of the listing.
#[derive(Debug)]
pub struct SameSized(Vec<bool>);

impl SameSized {
    /// Compares the sizes of a listing. In a bucket, no checksums are needed, so the result is empty.
    #[must_use]
    pub fn new(listing: &Listing) -> Self {
        if listing.bucket.is_some() {
            return Self(Vec::new());
        }
        let mut sizes: HashMap<u64, u32> = HashMap::new();
        for file in listing.files.iter().filter(|file| !file.is_missing) {
            *sizes.entry(file.size).or_default() += 1;
        }
        let is_shared = |size: &u64| sizes.get(size).is_some_and(|count| *count > 1);
        Self(listing.files.iter().map(|file| !file.is_missing && is_shared(&file.size)).collect())
    }

    /// Takes the flags from a comparison that was made earlier.
    #[must_use]
    pub fn known(shared: Vec<bool>) -> Self {
        Self(shared)
    }

    /// Returns true if another file has the same size.
    #[must_use]
    pub fn has(&self, file: usize) -> bool {
        self.0.get(file).copied().unwrap_or_default()
    }

    /// The checksum of a chunk, if it is the first one of a candidate.
    #[must_use]
    pub fn head(&self, chunk: &Chunk<'_>) -> Option<FileHead> {
        if chunk.offset > 0 || !self.has(chunk.file) {
            return None;
        }
        let checksum = digest(&SHA256, chunk.bytes).as_ref().first_chunk().copied().map(u64::from_le_bytes)?;
        Some(FileHead { file: chunk.file, checksum })
    }
}

/// The checksum of the first chunk of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileHead {
    file: usize,
    /// The beginning of a SHA-256. It is short, because files with equal checksums are compared.
    checksum: u64,
}

impl FileHead {
    /// Translates the file's number.
    pub fn renumber(&mut self, number: impl Fn(usize) -> usize) {
        self.file = number(self.file);
    }
}

/// Returns the first file of the listing that duplicates an earlier one, and the earlier one. `heads` are the checksums
/// of all files; `has_records` is true for files that contain records.
///
/// # Errors
/// [`ErrorKind::Retry`] if two files cannot be compared.
pub fn first(
    listing: &Listing,
    heads: &[FileHead],
    has_records: impl Fn(usize) -> bool,
) -> Result<Option<(usize, usize)>> {
    if listing.bucket.is_some() {
        let mut seen: BTreeMap<(u64, &Version), usize> = BTreeMap::new();
        for (index, file) in
            listing.files.iter().enumerate().filter(|(index, file)| !file.is_missing && has_records(*index))
        {
            if let Some(other) = seen.insert((file.size, &file.version), index) {
                return Ok(Some((index, other)));
            }
        }
        return Ok(None);
    }
    let mut heads = heads.to_vec();
    heads.sort_unstable();
    // Files with equal first chunks and a later difference are rare, so each is compared with all earlier ones.
    let mut seen: HashMap<(u64, u64), Vec<usize>> = HashMap::new();
    for head in heads.into_iter().filter(|head| has_records(head.file)) {
        let Some(file) = listing.files.get(head.file) else { continue };
        let before = seen.entry((file.size, head.checksum)).or_default();
        for other in before.iter().copied() {
            let Some(earlier) = listing.files.get(other) else { continue };
            if are_equal(&file.path, &earlier.path, file.size)? {
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
    let mut windows = [vec![0; COMPARED_BYTES], vec![0; COMPARED_BYTES]];
    let mut at = 0;
    while at < size {
        let length = usize::try_from(size - at).unwrap_or(COMPARED_BYTES).min(COMPARED_BYTES);
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
            InputFile { path, size: body.len() as u64, version: Version::Modified(0), is_missing: false }
        });
        Listing { files: files.collect(), ..Listing::default() }
    }

    /// The duplicates after reading with chunks of at most `longest` bytes.
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
    fn duplicates_are_found_with_other_files_between_them() {
        assert_eq!(found(&[b"{}", b"{ }", b"[]", b"{}"], 9), (3, Some((3, 0))));
        assert_eq!(found(&[b"{}", b"{ }", b"[]", b"{}", b"[]"], 9), (4, Some((3, 0))));
        assert_eq!(found(&[b"{}", b"[]", b"{ }"], 9), (2, None));
        assert_eq!(found(&[b"", b"", b"\n", b"\n"], 9), (2, None), "files without records are not duplicates");
    }

    #[test]
    fn files_with_the_same_beginning_are_compared_to_their_end() {
        let long = [vec![b' '; COMPARED_BYTES + 7], b"{}".to_vec()].concat();
        let mut other = long.clone();
        *other.last_mut().unwrap() = b']';
        assert_eq!(found(&[&long, &other], 100), (2, None));
        assert_eq!(found(&[&long, &other, &long], 100), (3, Some((2, 0))));
        assert_eq!(
            found(&[&other, &long, &long], 100),
            (3, Some((2, 1))),
            "compared with all earlier files, not only the first"
        );
    }
}
