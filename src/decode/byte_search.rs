//! Finding the next interesting byte, eight at a time.
//!
//! Not a parser: it knows bytes, not JSON. Invariant: every function returns a position between the one it was
//! given and the length of the slice, and looks at no byte twice.

/// The UTF-8 byte order mark.
pub const BOM: [u8; 3] = [0xEF, 0xBB, 0xBF];

const ONES: u64 = u64::from_le_bytes([0x01; 8]);
const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);

const fn every(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// Eight bytes, the first of them lowest.
#[inline]
fn word(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|chunk| u64::from_le_bytes(*chunk))
}

/// The index of the lowest marked byte. Marks above the lowest may be wrong (a borrow), the lowest never is.
#[inline]
fn lowest(marks: u64) -> usize {
    (marks.trailing_zeros() / 8) as usize
}

/// Marks the bytes of `word` that end or interrupt a JSON string: quote, backslash, control characters.
#[inline]
fn string_marks(word: u64) -> u64 {
    let quote = word ^ every(b'"');
    let backslash = word ^ every(b'\\');
    let quotes = quote.wrapping_sub(ONES) & !quote;
    let backslashes = backslash.wrapping_sub(ONES) & !backslash;
    let controls = word.wrapping_sub(every(0x20)) & !word;
    (quotes | backslashes | controls) & HIGHS
}

/// The position of the first quote, backslash or control character from `at` on, or the end.
#[inline]
pub fn string_stop(bytes: &[u8], mut at: usize) -> usize {
    while let Some(word) = word(bytes, at) {
        let marks = string_marks(word);
        if marks != 0 {
            return at + lowest(marks);
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

/// The position of the first byte from `at` on that is no decimal digit, or the end.
#[inline]
pub fn digits_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(word) = word(bytes, at) {
        let value = word ^ every(b'0');
        let others = (value.wrapping_add(every(0x76)) | value) & HIGHS;
        if others != 0 {
            return at + lowest(others);
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

/// The position of the first byte from `at` on that is not JSON's white space, or the end.
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

/// How many line feeds there are.
pub fn newlines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

/// Whether a byte breaks a line.
#[inline]
pub const fn is_break(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::{digits_end, string_stop};

    /// Every byte, at every place in and behind a word, between every pair of neighbours that could borrow.
    #[test]
    fn words_and_bytes_agree() {
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
