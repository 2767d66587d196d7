//! Searches for the next byte of a kind, eight bytes at a time.
//!
//! Invariant: every search returns a position between the one that it gets and the length of the slice, and reads no
//! byte twice.

/// The UTF-8 byte order mark.
pub const BOM: [u8; 3] = [0xEF, 0xBB, 0xBF];

const LOW_BITS: u64 = u64::from_le_bytes([0x01; 8]);
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

/// Marks the bytes of `word` that end or interrupt a JSON string: quote, backslash, control characters.
#[inline]
fn string_marks(word: u64) -> u64 {
    let quote = word ^ repeat(b'"');
    let backslash = word ^ repeat(b'\\');
    let quotes = quote.wrapping_sub(LOW_BITS) & !quote;
    let backslashes = backslash.wrapping_sub(LOW_BITS) & !backslash;
    let controls = word.wrapping_sub(repeat(0x20)) & !word;
    (quotes | backslashes | controls) & HIGH_BITS
}

/// The position of the first quote, backslash or control character from `at` on, or the end.
#[inline]
pub fn string_stop(bytes: &[u8], mut at: usize) -> usize {
    while let Some(word) = word(bytes, at) {
        let marks = string_marks(word);
        if marks != 0 {
            return at + first_marked(marks);
        }
        at += 8;
    }
    while let Some(&byte) = bytes.get(at)
        && byte != b'"'
        && byte != b'\\'
        && byte >= 0x20
    {
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

    /// Every byte, at every position inside and after a word, between all adjacent bytes that could cause a borrow.
    #[test]
    fn word_search_matches_byte_search() {
        for byte in 0..=255u8 {
            for before in [b'a', 0x7f, 0x80, 0xff, 0x21, b'0', b'9'] {
                for length in 0..20 {
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
