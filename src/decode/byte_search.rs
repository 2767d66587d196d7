//! Searches for the next byte of a kind, several bytes at a time.
//!
//! Invariant: every search returns a position between the one that it gets and the length of the slice.

use wide::u8x16;

/// The UTF-8 byte order mark.
pub const BOM: [u8; 3] = [0xEF, 0xBB, 0xBF];

const HIGH_BITS: u64 = u64::from_le_bytes([0x80; 8]);

const fn repeat(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// The eight bytes at `at`; the first one is the lowest.
#[inline]
fn word(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|chunk| u64::from_le_bytes(*chunk))
}

/// The index of the first marked byte. Later marks may be wrong (a borrow), the first one never is.
#[inline]
fn first_marked(marks: u64) -> usize {
    (marks.trailing_zeros() / 8) as usize
}

/// Bytes of a string that are searched at once.
const BLOCK: usize = 16;

/// Marks the bytes of a block that end or interrupt a JSON string (quote, backslash, control characters), one bit each.
#[inline]
fn string_stops(block: [u8; BLOCK]) -> i32 {
    let block = u8x16::new(block);
    let controls = block.min(u8x16::splat(0x1F)).cmp_eq(block);
    (block.cmp_eq(u8x16::splat(b'"')) | block.cmp_eq(u8x16::splat(b'\\')) | controls).move_mask()
}

/// The position of the first quote, backslash or control character from `at` on, or the end.
#[inline]
pub fn string_stop(bytes: &[u8], mut at: usize) -> usize {
    while let Some(block) = bytes.get(at..).and_then(|rest| rest.first_chunk::<BLOCK>()) {
        let stops = string_stops(*block);
        if stops != 0 {
            return at + stops.trailing_zeros() as usize;
        }
        at += BLOCK;
    }
    while bytes.get(at).is_some_and(|byte| !matches!(byte, b'"' | b'\\' | ..0x20)) {
        at += 1;
    }
    at
}

/// The position of the first byte from `at` on that is not a decimal digit, or the end.
#[inline]
pub fn digits_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(word) = word(bytes, at) {
        let value = word ^ repeat(b'0');
        let others = (value.wrapping_add(repeat(0x76)) | value) & HIGH_BITS;
        if others != 0 {
            return at + first_marked(others);
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}

/// The position of the first byte from `at` on that is neither space nor tab, or the end.
#[inline]
pub fn blanks_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

/// The position of the first byte from `at` on that is not JSON white space, or the end.
#[inline]
pub fn space_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = bytes.get(at) {
        at += 1;
    }
    at
}

/// The position of the first line break (LF or CR) from `at` on, or the end.
#[inline]
pub fn line_end(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    memchr::memchr2(b'\n', b'\r', rest).map_or(bytes.len(), |found| at + found)
}

/// The number of line feeds.
pub fn count_newlines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

/// Returns true for LF and CR.
#[inline]
pub const fn is_line_break(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::{digits_end, string_stop};

    /// Every byte, at every position inside and after a word and several blocks, between all adjacent bytes that could
    /// cause a borrow.
    #[test]
    fn searches_of_several_bytes_match_searches_of_one() {
        for byte in 0..=255u8 {
            for before in [b'a', 0x7f, 0x80, 0xff, 0x21, b'0', b'9'] {
                for length in (0..20).chain(30..90) {
                    let mut bytes = vec![before; length];
                    bytes.push(byte);
                    bytes.extend([b'7'; 9]);
                    let stop = bytes.iter().position(|&b| b == b'"' || b == b'\\' || b < 0x20);
                    assert_eq!(string_stop(&bytes, 0), stop.unwrap_or(bytes.len()));
                    let other = bytes.iter().position(|b| !b.is_ascii_digit());
                    assert_eq!(digits_end(&bytes, 0), other.unwrap_or(bytes.len()));
                }
            }
        }
    }
}
