//! A JSON string as in the input: the bytes between its quotes, with unresolved escapes.
//!
//! Most text is compared or stored only once, so the caller resolves the escapes if it needs to. Invariant: a `Text`
//! from the decoder contains only valid escapes, and no half of a surrogate pair.

/// Borrowed text whose escapes are validated but not resolved.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    raw: &'a str,
    escaped: bool,
}

impl<'a> Text<'a> {
    /// Text without escapes: a backslash in it is a backslash.
    #[must_use]
    #[inline]
    pub const fn plain(raw: &'a str) -> Self {
        Self { raw, escaped: false }
    }

    /// Text from the bytes between the quotes of a JSON string.
    #[inline]
    pub(crate) const fn from_json(raw: &'a str, escaped: bool) -> Self {
        Self { raw, escaped }
    }

    /// The unresolved text, as in the input.
    #[must_use]
    #[inline]
    pub const fn raw(self) -> &'a str {
        self.raw
    }

    /// Returns true if `raw` contains escapes.
    #[must_use]
    #[inline]
    pub const fn is_escaped(self) -> bool {
        self.escaped
    }

    /// Returns true for the empty text. Every escape resolves to a character, so checking `raw` is enough.
    #[must_use]
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.raw.is_empty()
    }

    /// The resolved text. It is stored in `scratch` if the text has escapes.
    #[must_use]
    #[inline]
    pub fn resolve<'s>(self, scratch: &'s mut String) -> &'s str
    where
        'a: 's,
    {
        if !self.escaped {
            return self.raw;
        }
        scratch.clear();
        unescape(self.raw, scratch);
        scratch
    }

    /// The length of the resolved text in bytes.
    pub(super) fn resolved_len(self) -> usize {
        if self.escaped { self.resolve(&mut String::new()).len() } else { self.raw.len() }
    }
}

/// Texts are equal if their resolved texts are.
impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        if !self.escaped && !other.escaped {
            return self.raw == other.raw;
        }
        self.resolve(&mut String::new()) == other.resolve(&mut String::new())
    }
}

/// Appends the resolved text of `raw`. The parsers have rejected escapes that JSON does not have; here, the character
/// after the backslash is appended for them.
fn unescape(raw: &str, out: &mut String) {
    out.reserve(raw.len());
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let mut after = after.chars();
        let simple = match after.next() {
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                let (resolved, used) = unicode_escape(after.as_str());
                out.push(resolved);
                rest = after.as_str().get(used..).unwrap_or_default();
                continue;
            }
            Some(itself) => itself,
            None => '\\',
        };
        out.push(simple);
        rest = after.as_str();
    }
    out.push_str(rest);
}

/// The character of a `\u` escape, given the text after `\u`, and the number of bytes that it takes (10 for a pair).
fn unicode_escape(digits: &str) -> (char, usize) {
    let Some(first) = hex4(digits.as_bytes()) else {
        return (char::REPLACEMENT_CHARACTER, 0);
    };
    if !(0xD800..0xE000).contains(&first) {
        return (char::from_u32(first.into()).unwrap_or(char::REPLACEMENT_CHARACTER), 4);
    }
    let second = digits.get(4..).and_then(|tail| tail.strip_prefix("\\u")).and_then(|tail| hex4(tail.as_bytes()));
    match second {
        Some(second) if first < 0xDC00 && (0xDC00..0xE000).contains(&second) => {
            let code = 0x1_0000 + ((u32::from(first) - 0xD800) << 10) + (u32::from(second) - 0xDC00);
            (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 10)
        }
        _ => (char::REPLACEMENT_CHARACTER, 4),
    }
}

/// The value of the four hex digits that `bytes` begins with.
#[inline]
pub(super) fn hex4(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.first_chunk::<4>()?;
    digits.iter().try_fold(0u16, |value, &digit| {
        let digit = char::from(digit).to_digit(16)?;
        Some(value << 4 | u16::try_from(digit).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use super::Text;

    fn resolved(raw: &str) -> String {
        Text::from_json(raw, raw.contains('\\')).resolve(&mut String::new()).to_owned()
    }

    #[test]
    fn escapes_are_resolved_as_in_rfc_8259() {
        assert_eq!(resolved(r#"\"\\\/\b\f\n\r\t"#), "\"\\/\u{8}\u{c}\n\r\t");
        assert_eq!(resolved(r"caf\u00e9 \u00C9"), "café É");
        assert_eq!(resolved(r"\ud83d\ude00!"), "😀!");
        assert_eq!(resolved(r"\u0000"), "\0");
        assert_eq!(resolved("plain é"), "plain é");
    }

    #[test]
    fn invalid_escapes_are_resolved_without_a_panic() {
        assert_eq!(resolved(r"\ud83d"), "\u{fffd}");
        assert_eq!(resolved(r"\ude00\ud83d"), "\u{fffd}\u{fffd}");
        assert_eq!(resolved(r"\u12"), "\u{fffd}12");
        assert_eq!(resolved("end\\"), "end\\");
    }

    #[test]
    fn plain_text_keeps_its_backslashes() {
        assert_eq!(Text::plain(r"a\nb").resolve(&mut String::new()), r"a\nb");
    }

    #[test]
    fn equality_compares_the_resolved_text() {
        assert_eq!(Text::plain("é"), Text::from_json(r"\u00e9", true));
        assert_ne!(Text::plain("e"), Text::from_json(r"\u00e9", true));
    }
}
