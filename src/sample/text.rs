//! JSON text as the two producers of the real data write it: Python's `json.dumps` for song files, PHP's `json_encode`
//! for event logs. Both escape all characters above ASCII; PHP also escapes the slash.
//!
//! The caller writes keys, commas and braces. Invariant: the appended text is ASCII, and only the buffer allocates
//! memory.

/// The producer whose escaping is used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Producer {
    /// `json.dumps`: a slash is not escaped.
    Python,
    /// `json_encode`: a slash is escaped as `\/`.
    Php,
}

/// Appends the content of a JSON string; the caller appends the quotes.
pub(super) fn push_escaped(out: &mut Vec<u8>, text: &str, producer: Producer) {
    let plain = |byte: u8| {
        matches!(byte, 0x20..0x7f) && byte != b'"' && byte != b'\\' && (byte != b'/' || producer == Producer::Python)
    };
    let mut rest = text;
    while !rest.is_empty() {
        let run = rest.bytes().position(|byte| !plain(byte)).unwrap_or(rest.len());
        let (copied, tail) = rest.split_at(run);
        out.extend_from_slice(copied.as_bytes());
        let mut characters = tail.chars();
        if let Some(character) = characters.next() {
            push_special(out, character);
        }
        rest = characters.as_str();
    }
}

#[expect(clippy::indexing_slicing, reason = "four bits index sixteen digits")]
fn push_special(out: &mut Vec<u8>, character: char) {
    match character {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '/' => out.extend_from_slice(b"\\/"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        _ => {
            for &unit in &*character.encode_utf16(&mut [0; 2]) {
                out.extend_from_slice(b"\\u");
                for shift in [12, 8, 4, 0] {
                    out.push(LOWER_HEX[usize::from(unit >> shift & 0xf)]);
                }
            }
        }
    }
}

const LOWER_HEX: [u8; 16] = *b"0123456789abcdef";

/// Appends a whole number.
#[expect(clippy::indexing_slicing, reason = "the largest number has twenty digits")]
pub(super) fn push_integer(out: &mut Vec<u8>, value: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    let mut rest = value;
    loop {
        start -= 1;
        digits[start] = digit(rest % 10);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

#[expect(clippy::cast_possible_truncation, reason = "a decimal digit fits a byte")]
const fn digit(value: u64) -> u8 {
    b'0' + value as u8
}

/// The decimal places of a length or a coordinate in the real data.
pub(super) const DECIMALS: u32 = 5;

/// Appends a number of hundred-thousandths as Python and PHP write this float: without trailing zeros, but with at
/// least one decimal place.
pub(super) fn push_decimal(out: &mut Vec<u8>, hundred_thousandths: i64) {
    if hundred_thousandths < 0 {
        out.push(b'-');
    }
    let value = hundred_thousandths.unsigned_abs();
    let unit = 10_u64.pow(DECIMALS);
    push_integer(out, value / unit);
    out.push(b'.');
    let mut rest = value % unit;
    let mut weight = unit / 10;
    loop {
        out.push(digit(rest / weight));
        rest %= weight;
        weight /= 10;
        if rest == 0 {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Producer, push_decimal, push_escaped, push_integer};

    fn written(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_is_escaped_as_the_producers_do() {
        let text = "a/b \"c\" d\\e \u{e8}\u{7535}\u{1f3b8}\n\u{1}";
        assert_eq!(
            written(|out| push_escaped(out, text, Producer::Python)),
            r#"a/b \"c\" d\\e \u00e8\u7535\ud83c\udfb8\n\u0001"#
        );
        assert_eq!(
            written(|out| push_escaped(out, text, Producer::Php)),
            r#"a\/b \"c\" d\\e \u00e8\u7535\ud83c\udfb8\n\u0001"#
        );
    }

    #[test]
    fn numbers_are_written_as_the_producers_do() {
        for (value, text) in [(0, "0"), (7, "7"), (10, "10"), (u64::MAX, "18446744073709551615")] {
            assert_eq!(written(|out| push_integer(out, value)), text);
        }
        for (value, text) in [
            (0, "0.0"),
            (22_700_000, "227.0"),
            (27_060_200, "270.602"),
            (21_870_000, "218.7"),
            (33_768_444, "337.68444"),
            (-12_242_005, "-122.42005"),
            (-7, "-0.00007"),
            (400_001, "4.00001"),
        ] {
            assert_eq!(written(|out| push_decimal(out, value)), text);
        }
    }
}
