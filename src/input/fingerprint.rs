//! The identity of a file by its content: the number of its unpacked bytes and their CRC-64/NVME.
//!
//! Two files with equal fingerprints have the same content, regardless of their paths, names, times and compression. A
//! CRC can be computed in parts and combined, so threads that read different ranges of a file get the same fingerprint
//! as a single reader. Different files have equal fingerprints by chance with a probability of 1 in 2^64.
//!
//! Invariant: a fingerprint depends only on the unpacked bytes, not on chunks or threads.

use std::collections::BTreeMap;

use crc_fast::{CrcAlgorithm, Digest, checksum};
use serde::{Deserialize, Serialize};

use crate::input::read::Chunk;

/// The checksum that S3 also computes for objects; SIMD instructions make it faster than memory.
const CRC: CrcAlgorithm = CrcAlgorithm::Crc64Nvme;

/// The content of a file, or of its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The number of unpacked bytes.
    pub bytes: u64,
    /// CRC-64/NVME of the unpacked bytes; hexadecimal in JSON, because few readers have integers of 64 bits.
    #[serde(with = "hexadecimal")]
    pub crc64: u64,
}

mod hexadecimal {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde requires this signature")]
    pub(super) fn serialize<S: Serializer>(crc64: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{crc64:016x}"))
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(deserializer: D) -> Result<u64, D::Error> {
        u64::from_str_radix(&String::deserialize(deserializer)?, 16).map_err(D::Error::custom)
    }
}

impl Fingerprint {
    /// The fingerprint of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.len() as u64, crc64: checksum(CRC, bytes) }
    }

    /// The fingerprint of these bytes, followed by others.
    #[must_use]
    fn followed_by(self, next: Self) -> Self {
        let crc64 = product(self.crc64, power_of_byte(next.bytes)) ^ next.crc64;
        Self { bytes: self.bytes + next.bytes, crc64 }
    }
}

/// The polynomial of CRC-64/NVME, as all polynomials here with the coefficient of x^0 in the highest bit.
const POLYNOMIAL: u64 = 0x9a6c_9329_ac4b_c9b5;
const ONE: u64 = 1 << 63;

/// The product of two polynomials, modulo the polynomial of the CRC. (The crate's own way to combine two CRCs squares
/// matrices, which takes longer than the CRC of a chunk.)
fn product(left: u64, mut right: u64) -> u64 {
    let mut sum = 0;
    for power in 0..64 {
        if left & (ONE >> power) != 0 {
            sum ^= right;
        }
        right = (right >> 1) ^ (POLYNOMIAL * (right & 1));
    }
    sum
}

/// x^(8 * `bytes`), modulo the polynomial of the CRC: what this many bytes multiply the CRC before them by.
fn power_of_byte(mut bytes: u64) -> u64 {
    let (mut power, mut square) = (ONE, ONE >> 8);
    while bytes > 0 {
        if bytes & 1 == 1 {
            power = product(power, square);
        }
        square = product(square, square);
        bytes >>= 1;
    }
    power
}

/// Parts of files, whose fingerprints are combined when all parts are known.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct FileParts(Vec<FilePart>);

/// A part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct FilePart {
    file: usize,
    offset: u64,
    content: Fingerprint,
}

impl FileParts {
    /// Adds a chunk.
    pub fn add(&mut self, chunk: &Chunk<'_>) {
        let part = FilePart { file: chunk.file, offset: chunk.offset, content: Fingerprint::of(chunk.bytes) };
        match self.0.last_mut() {
            Some(last) if last.file == part.file && last.offset + last.content.bytes == part.offset => {
                last.content = last.content.followed_by(part.content);
            }
            _ => self.0.push(part),
        }
    }

    /// Adds the parts of another reader.
    pub fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Translates the numbers of the files.
    pub fn renumber(&mut self, number: impl Fn(usize) -> usize) {
        self.0.iter_mut().for_each(|part| part.file = number(part.file));
    }

    /// The fingerprints of all files that were read from their first byte on, by number.
    #[must_use]
    pub fn fingerprints(&self) -> BTreeMap<usize, Fingerprint> {
        let mut parts = self.0.clone();
        parts.sort_unstable();
        let mut files: BTreeMap<usize, Fingerprint> = BTreeMap::new();
        for part in parts {
            let file = files.entry(part.file).or_default();
            if file.bytes == part.offset {
                *file = file.followed_by(part.content);
            }
        }
        files
    }
}

/// Computes the fingerprint of a file that is read in order, and those of its beginnings of given lengths.
struct FingerprintReader<'l> {
    digest: Digest,
    bytes: u64,
    /// The lengths that are not reached yet, in ascending order.
    lengths: &'l [u64],
    beginnings: Vec<Fingerprint>,
}

impl<'l> FingerprintReader<'l> {
    /// Starts a file; `lengths` are in ascending order.
    fn new(lengths: &'l [u64]) -> Self {
        Self { digest: Digest::new(CRC), bytes: 0, lengths, beginnings: Vec::new() }
    }

    /// Adds the next bytes of the file.
    fn add(&mut self, mut bytes: &[u8]) {
        while let Some((length, longer)) = self.lengths.split_first()
            && *length <= self.bytes + bytes.len() as u64
        {
            let count = usize::try_from(length.saturating_sub(self.bytes)).unwrap_or(usize::MAX);
            let (before, after) = bytes.split_at(count.min(bytes.len()));
            self.update(before);
            self.beginnings.push(self.current());
            (bytes, self.lengths) = (after, longer);
        }
        self.update(bytes);
    }

    /// The fingerprint of the bytes so far, and those of the beginnings with the given lengths.
    fn finish(self) -> (Fingerprint, Vec<Fingerprint>) {
        (self.current(), self.beginnings)
    }

    fn update(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    fn current(&self) -> Fingerprint {
        Fingerprint { bytes: self.bytes, crc64: self.digest.finalize() }
    }
}

impl std::fmt::Debug for FingerprintReader<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("FingerprintReader").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// The content of a file that was read in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileContent {
    /// The file's number in the listing.
    pub file: usize,
    /// Its fingerprint.
    pub content: Fingerprint,
    /// The fingerprints of its beginnings of the given lengths.
    pub beginnings: Vec<Fingerprint>,
}

/// Computes the contents of files whose chunks are added in sequence, file by file.
#[derive(Debug)]
pub struct ContentReader<'l> {
    lengths: &'l [u64],
    current: Option<(usize, FingerprintReader<'l>)>,
    contents: Vec<FileContent>,
}

impl<'l> ContentReader<'l> {
    /// Starts without a file; `lengths` are the lengths of the wanted beginnings, in ascending order.
    #[must_use]
    pub const fn new(lengths: &'l [u64]) -> Self {
        Self { lengths, current: None, contents: Vec::new() }
    }

    /// Adds the next chunk.
    pub fn add(&mut self, chunk: &Chunk<'_>) {
        if self.current.as_ref().is_none_or(|(file, _)| *file != chunk.file) {
            self.finish_file();
        }
        let begin = || (chunk.file, FingerprintReader::new(self.lengths));
        self.current.get_or_insert_with(begin).1.add(chunk.bytes);
    }

    /// Returns the contents of all files.
    #[must_use]
    pub fn finish(mut self) -> Vec<FileContent> {
        self.finish_file();
        self.contents
    }

    fn finish_file(&mut self) {
        if let Some((file, reader)) = self.current.take() {
            let (content, beginnings) = reader.finish();
            self.contents.push(FileContent { file, content, beginnings });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::decode::framing::Framing;

    #[test]
    fn the_checksum_is_the_one_of_the_standard() {
        // The check value of CRC-64/NVME in the catalog of parametrized CRC algorithms.
        assert_eq!(Fingerprint::of(b"123456789"), Fingerprint { bytes: 9, crc64: 0xae8b_1486_0a79_9888 });
        assert_eq!(Fingerprint::of(b""), Fingerprint::default());
    }

    proptest! {
        #[test]
        fn two_fingerprints_are_combined_as_the_library_does(left: u64, right: u64, bytes in 0_u64..1 << 40) {
            let found = Fingerprint { bytes: 5, crc64: left }.followed_by(Fingerprint { bytes, crc64: right });
            prop_assert_eq!(found.crc64, crc_fast::checksum_combine(CRC, left, right, bytes));
        }

        #[test]
        fn parts_in_any_order_give_the_fingerprint_of_the_whole(
            files in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..4),
            cuts in prop::collection::vec(0_usize..300, 0..8),
            seed in any::<u64>(),
        ) {
            let mut chunks = Vec::new();
            for (file, bytes) in files.iter().enumerate() {
                let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).chain([bytes.len()]).collect();
                ends.sort_unstable();
                let mut start = 0;
                for end in ends {
                    chunks.push((file, start, &bytes[start..end]));
                    start = end;
                }
            }
            chunks.sort_by_key(|(file, start, _)| seed.wrapping_mul((file * 1000 + start) as u64 | 1).rotate_left(17));
            let mut halves = [FileParts::default(), FileParts::default()];
            for (number, (file, offset, bytes)) in chunks.into_iter().enumerate() {
                let offset = offset as u64;
                halves[number % 2].add(&Chunk { file, offset, lines_before: None, framing: Framing::Values, bytes });
            }
            let [mut parts, other] = halves;
            parts.merge(other);
            let whole: BTreeMap<usize, Fingerprint> =
                files.iter().enumerate().map(|(file, bytes)| (file, Fingerprint::of(bytes))).collect();
            prop_assert_eq!(parts.fingerprints(), whole);
        }

        #[test]
        fn beginnings_are_the_fingerprints_of_shorter_files(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
            mut lengths in prop::collection::vec(0_u64..400, 0..6),
            step in 1_usize..90,
        ) {
            lengths.sort_unstable();
            let mut reader = FingerprintReader::new(&lengths);
            bytes.chunks(step).for_each(|chunk| reader.add(chunk));
            let (whole, beginnings) = reader.finish();
            prop_assert_eq!(whole, Fingerprint::of(&bytes));
            // A beginning of no bytes is only found in a file with bytes.
            let reached = lengths.iter().filter(|length| !bytes.is_empty() && **length <= bytes.len() as u64);
            let expected: Vec<Fingerprint> =
                reached.map(|length| Fingerprint::of(&bytes[..usize::try_from(*length).unwrap()])).collect();
            prop_assert_eq!(beginnings, expected);
        }
    }
}
