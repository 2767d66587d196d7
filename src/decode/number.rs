//! JSON numbers: their grammar, and their conversion to column values.
//!
//! The conversions only accept tokens that `scan_number` has accepted. Invariant: a conversion is exact or rejected,
//! except that a decimal number is rounded to the nearest double.

use crate::decode::byte_search::digits_end;
use crate::decode::reject_reason::Reason;

/// The end of the number that begins at `at`, strictly by RFC 8259. The error is the position where the grammar breaks.
#[inline]
pub fn scan_number(bytes: &[u8], at: usize) -> Result<usize, usize> {
    let whole = if bytes.get(at) == Some(&b'-') { at + 1 } else { at };
    let mut end = match bytes.get(whole) {
        Some(b'0') => whole + 1,
        Some(b'1'..=b'9') => digits_end(bytes, whole + 1),
        _ => return Err(whole),
    };
    if bytes.get(end) == Some(&b'.') {
        end = required_digits_end(bytes, end + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(end) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        end = required_digits_end(bytes, end + 1 + sign)?;
    }
    Ok(end)
}

/// The end of the digits at `at`; there must be at least one.
#[inline]
fn required_digits_end(bytes: &[u8], at: usize) -> Result<usize, usize> {
    let end = digits_end(bytes, at);
    if end == at { Err(at) } else { Ok(end) }
}

/// Returns true if `text` is exactly one number.
pub fn is_number(text: &str) -> bool {
    scan_number(text.as_bytes(), 0) == Ok(text.len())
}

/// The whole number of a number token, and whether it was written in another form (`9.0`, `9e0`).
#[inline]
pub fn integer(token: &str) -> Result<(i64, bool), Reason> {
    let (negative, digits) = match token.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, token),
    };
    // 18 digits always fit, so nothing wraps.
    if digits.len() <= 18 {
        let mut value = 0i64;
        for byte in digits.bytes() {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return scaled_integer(negative, digits).map(|value| (value, true));
            }
            value = value.wrapping_mul(10).wrapping_add(i64::from(digit));
        }
        return Ok((if negative { -value } else { value }, false));
    }
    let coerced = digits.bytes().any(|byte| !byte.is_ascii_digit());
    scaled_integer(negative, digits).map(|value| (value, coerced))
}

/// The exact value of `digits`, which may have a fraction and an exponent.
fn scaled_integer(negative: bool, digits: &str) -> Result<i64, Reason> {
    let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let significant = || whole.bytes().chain(fraction.bytes());
    let length = whole.len() + fraction.len();
    let zeros = significant().rev().take_while(|&digit| digit == b'0').count();
    if zeros == length {
        return Ok(0);
    }
    // An exponent outside the range of i64 has the same result as the nearest i64.
    let nearest = if exponent.starts_with('-') { i64::MIN } else { i64::MAX };
    let exponent = exponent.parse().unwrap_or(nearest);
    let shift = i64::try_from(fraction.len()).unwrap_or(i64::MAX) - i64::try_from(zeros).unwrap_or(0);
    let scale = exponent.saturating_sub(shift);
    if scale < 0 {
        return Err(Reason::NonIntegral);
    }
    let mut value = 0i128;
    for digit in significant().take(length - zeros) {
        value = value * 10 + i128::from(digit - b'0');
        if value > 1 << 64 {
            return Err(Reason::OutOfRange);
        }
    }
    let power = u32::try_from(scale).ok().and_then(|scale| 10i128.checked_pow(scale));
    let value = power.and_then(|power| value.checked_mul(power)).ok_or(Reason::OutOfRange)?;
    i64::try_from(if negative { -value } else { value }).map_err(|_| Reason::OutOfRange)
}

/// The double nearest to a number token; rejected if it is infinite.
#[inline]
pub fn float(token: &str) -> Result<f64, Reason> {
    match fast_float2::parse::<f64, _>(token) {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(_) => Err(Reason::OutOfRange),
        Err(_) => Err(Reason::Type),
    }
}

/// The canonical text of a number token: the digits of a whole number without `.0`, otherwise the shortest text that
/// parses to the same double.
pub fn canonical(token: &str) -> Result<String, Reason> {
    let digits = token.strip_prefix('-').unwrap_or(token);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(if digits == "0" { digits.to_owned() } else { token.to_owned() });
    }
    match integer(token) {
        Ok((value, _)) => Ok(value.to_string()),
        Err(_) => Ok(float(token)?.to_string()),
    }
}

/// Returns true if two number tokens have the same value.
pub fn same_number(left: &str, right: &str) -> bool {
    left == right || matches!((canonical(left), canonical(right)), (Ok(left), Ok(right)) if left == right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_strict() {
        for good in ["0", "-0", "9", "10", "1.5", "0.5", "1e9", "1E+9", "1.0e-9", "-12.34", "12345678901234567890"] {
            assert!(is_number(good), "{good}");
        }
        for bad in ["", "-", "+9", "09", "-09", ".5", "5.", "1e", "1e+", "0x1", "NaN", "Infinity", "1_0", " 1", "1 "] {
            assert!(!is_number(bad), "{bad}");
        }
    }

    #[test]
    fn whole_numbers_are_exact_or_rejected() {
        assert_eq!(integer("9"), Ok((9, false)));
        assert_eq!(integer("-0"), Ok((0, false)));
        assert_eq!(integer("9.0"), Ok((9, true)));
        assert_eq!(integer("9e0"), Ok((9, true)));
        assert_eq!(integer("0.9e1"), Ok((9, true)));
        assert_eq!(integer("900e-2"), Ok((9, true)));
        assert_eq!(integer("0e999999999999999999999"), Ok((0, true)));
        assert_eq!(integer("9.7"), Err(Reason::NonIntegral));
        assert_eq!(integer("1e-400"), Err(Reason::NonIntegral));
        assert_eq!(integer("1e-99999999999999999999"), Err(Reason::NonIntegral));
        assert_eq!(integer("1e400"), Err(Reason::OutOfRange));
        assert_eq!(integer("9223372036854775807"), Ok((i64::MAX, false)));
        assert_eq!(integer("-9223372036854775808"), Ok((i64::MIN, false)));
        assert_eq!(integer("9223372036854775808"), Err(Reason::OutOfRange));
        assert_eq!(integer("9223372036854775807.000"), Ok((i64::MAX, true)));
        assert_eq!(integer("99999999999999999999999999999999999999999999"), Err(Reason::OutOfRange));
        assert_eq!(integer("1541121934796"), Ok((1_541_121_934_796, false)));
    }

    #[test]
    fn doubles_round_to_nearest_and_never_to_infinity() {
        assert_eq!(float("182.85669"), Ok(182.85669));
        assert_eq!(float("5e-324"), Ok(5e-324));
        assert_eq!(float("1e-400"), Ok(0.0));
        assert!(float("-0.0").is_ok_and(|zero| zero == 0.0 && zero.is_sign_negative()));
        assert_eq!(float("1e400"), Err(Reason::OutOfRange));
        assert_eq!(float("-1e400"), Err(Reason::OutOfRange));
    }

    #[test]
    fn equal_numbers_have_the_same_canonical_text() {
        let cases = [
            ("26", "26"),
            ("26.0", "26"),
            ("2.6e1", "26"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("112.50", "112.5"),
            ("-3", "-3"),
            ("0.1000000000000000055", "0.1"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
        ];
        for (token, text) in cases {
            assert_eq!(canonical(token).as_deref(), Ok(text), "{token}");
        }
        assert_eq!(canonical("1e400"), Err(Reason::OutOfRange));
    }

    #[test]
    fn numbers_are_compared_by_value() {
        assert!(same_number("1", "1.0") && same_number("1.50", "1.5") && same_number("1e400", "1e400"));
        assert!(!same_number("1", "2") && !same_number("9007199254740993", "9007199254740992"));
        assert!(!same_number("1e400", "1e401") && !same_number("1", "1.5"));
    }
}
