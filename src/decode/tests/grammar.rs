//! JSON by RFC 8259, in the style of JSON test suites: texts to accept (`y_`) and to reject (`n_`).
//!
//! Each text is the value of a key that no table uses, so that only the grammar decides.

use crate::decode::Framing;
use crate::decode::tests::{Kind, codes};

#[rustfmt::skip]
const ACCEPTED: &[(&str, &str)] = &[
    ("y_array_empty", "[]"), ("y_array_blanks", "[ \t ]"), ("y_array_of_arrays", "[[],[[]]]"),
    ("y_array_of_everything", r#"[null,true,false,1,"a",{},[]]"#), ("y_array_blank_before_comma", "[1 , 2]"),
    ("y_array_one_null", "[null]"), ("y_array_trailing_blank", "[1] "), ("y_array_one_string", r#"["a"]"#),
    ("y_object_empty", "{}"), ("y_object_blanks", "{ \t }"), ("y_object_nested", r#"{"a":{"b":{"c":[]}}}"#),
    ("y_object_duplicate_key", r#"{"a":1,"a":2}"#), ("y_object_empty_key", r#"{"":0}"#),
    ("y_object_escaped_key", r#"{"a\u0000b\n":0}"#), ("y_object_blanks_everywhere", r#"{ "a" : 1 , "b" : 2 }"#),
    ("y_number_zero", "0"), ("y_number_minus_zero", "-0"), ("y_number_minus_one", "-1"), ("y_number_fraction", "1.5"),
    ("y_number_leading_zero_fraction", "0.5"), ("y_number_exponent", "1e5"), ("y_number_capital_exponent", "1E5"),
    ("y_number_plus_exponent", "1e+5"), ("y_number_minus_exponent", "1e-5"), ("y_number_fraction_exponent", "1.5e5"),
    ("y_number_zero_exponent", "0e0"), ("y_number_exponent_zeros", "1e0005"), ("y_number_huge", "1e9999"),
    ("y_number_tiny", "1e-9999"), ("y_number_many_digits", "123456789012345678901234567890123456789"),
    ("y_number_many_decimals", "0.1234567890123456789012345678901234567890"),
    ("y_string_empty", r#""""#), ("y_string_escapes", r#""\"\\\/\b\f\n\r\t""#), ("y_string_unicode_escape", r#""\u00e9""#),
    ("y_string_capital_hex", r#""\u00E9""#), ("y_string_pair", r#""\ud83d\ude00""#), ("y_string_escaped_nul", r#""\u0000""#),
    ("y_string_backslash_u", r#""\\u0041""#), ("y_string_utf8", "\"é€😀\""), ("y_string_delete", "\"\u{7f}\""),
    ("y_string_line_separator", "\"\u{2028}\u{2029}\""), ("y_string_noncharacter", "\"\u{ffff}\u{10ffff}\""),
    ("y_string_lone_surrogate_is_grammatical", r#""\ud800""#), ("y_string_mark", "\"\u{feff}\""),
    ("y_string_brackets", r#""[{]}""#), ("y_string_comment", r#""/* */ // #""#), ("y_string_long", "\"0123456789abcdef0123456789\""),
    ("y_array_deep_mixed", r#"[{"a":[{}]}]"#), ("y_number_minus_fraction", "-0.1"), ("y_number_minus_all", "-1E-2"),
    ("y_number_zeros", "0.0e-0"), ("y_number_beyond_64_bits", "18446744073709551616"),
    ("y_string_escaped_controls", r#""\u0001\u001f""#), ("y_string_two_pairs", r#""\ud83d\ude00\ud83d\ude01""#),
    ("y_string_backslash_last", r#""a\\""#), ("y_string_reversed_pair_is_grammatical", r#""\ude00\ud83d""#),
    ("y_object_empty_values", r#"{"a":{},"b":[],"c":""}"#), ("y_object_utf8_key", "{\"é\":1}"),
    ("y_literal_null", "null"), ("y_literal_true", "true"), ("y_literal_false", "false"),
];

#[rustfmt::skip]
const REJECTED: &[(&str, &str)] = &[
    ("n_nothing", ""), ("n_array_trailing_comma", "[1,]"), ("n_array_leading_comma", "[,1]"), ("n_array_two_commas", "[1,,2]"),
    ("n_array_only_comma", "[,]"), ("n_array_no_comma", "[1 2]"), ("n_array_colon", "[1:2]"), ("n_array_unclosed", "[1"),
    ("n_array_closed_twice", "[1]]"), ("n_array_closed_by_brace", "[1}"), ("n_array_inner_unclosed", "[[1]"),
    ("n_array_star", "[*]"), ("n_array_elision", "[1,,]"),
    ("n_object_trailing_comma", r#"{"a":1,}"#), ("n_object_no_colon", r#"{"a" 1}"#), ("n_object_two_colons", r#"{"a"::1}"#),
    ("n_object_no_value", r#"{"a":}"#), ("n_object_key_only", r#"{"a"}"#), ("n_object_bare_key", "{a:1}"),
    ("n_object_number_key", "{1:1}"), ("n_object_single_quotes", "{'a':1}"), ("n_object_comma_for_colon", r#"{"a",1}"#),
    ("n_object_only_comma", "{,}"), ("n_object_no_comma", r#"{"a":1 "b":2}"#), ("n_object_unclosed", r#"{"a":1"#),
    ("n_object_closed_by_bracket", r#"{"a":1]"#), ("n_object_comment", r#"{"a":/**/1}"#), ("n_object_null_key", "{null:1}"),
    ("n_object_semicolon", r#"{"a":1;"b":2}"#),
    ("n_object_two_commas", r#"{"a":1,,"b":2}"#), ("n_object_leading_comma", r#"{,"a":1}"#),
    ("n_object_two_values", r#"{"a":1 2}"#), ("n_object_two_keys", r#"{"a" "b":1}"#), ("n_object_array_key", "{[]:1}"),
    ("n_object_true_key", "{true:1}"), ("n_number_minus_inf", "-inf"), ("n_number_minus_nan", "-NaN"),
    ("n_number_blank_after_minus", "- 1"), ("n_number_exponent_blank", "1e 5"), ("n_number_exponent_dot", "1e.5"),
    ("n_number_octal", "0o17"), ("n_number_decimal_comma", "1,5"), ("n_number_exponent_only_minus", "1E-"),
    ("n_string_escape_v", r#""\v""#), ("n_string_escape_apostrophe", r#""\'""#), ("n_string_two_hex", r#""\u12""#),
    ("n_literal_capital_false", "False"), ("n_literal_joined", "truefalse"), ("n_literal_nil", "nil"),
    ("n_number_leading_zero", "09"), ("n_number_minus_leading_zero", "-09"), ("n_number_plus", "+9"), ("n_number_two_zeros", "00"),
    ("n_number_dot_first", ".5"), ("n_number_minus_dot", "-.5"), ("n_number_dot_last", "5."), ("n_number_dot_exponent", "5.e1"),
    ("n_number_only_minus", "-"), ("n_number_two_minus", "--1"), ("n_number_no_exponent", "1e"), ("n_number_no_exponent_digits", "1e+"),
    ("n_number_two_exponents", "1e1e1"), ("n_number_exponent_fraction", "1e1.5"), ("n_number_two_dots", "1.2.3"),
    ("n_number_hex", "0x1F"), ("n_number_nan", "NaN"), ("n_number_infinity", "Infinity"), ("n_number_minus_infinity", "-Infinity"),
    ("n_number_letter", "1a"), ("n_number_underscore", "1_000"), ("n_number_full_width", "１"), ("n_number_blank_inside", "1 000"),
    ("n_string_single_quotes", "'a'"), ("n_string_unclosed", r#""a"#), ("n_string_bare", "abc"), ("n_string_escape_x", r#""\x41""#),
    ("n_string_escape_a", r#""\a""#), ("n_string_escape_zero", r#""\0""#), ("n_string_escape_capital_u", r#""\U0041""#),
    ("n_string_short_unicode", r#""\u00e""#), ("n_string_bad_hex", r#""\u00eg""#), ("n_string_no_hex", r#""\u""#),
    ("n_string_half_pair_bad", r#""\ud83d\uzzzz""#), ("n_string_escaped_quote_unclosed", r#""\""#),
    ("n_string_escaped_blank", r#""\ ""#), ("n_string_escaped_utf8", "\"\\é\""), ("n_string_then_letter", r#""a"b"#),
    ("n_string_typographic_quotes", "“a”"), ("n_string_backquotes", "`a`"),
    ("n_literal_capital", "True"), ("n_literal_short", "nul"), ("n_literal_long", "nulll"), ("n_literal_upper", "NULL"),
    ("n_literal_truth", "truth"), ("n_literal_undefined", "undefined"), ("n_literal_none", "None"),
    ("n_blank_form_feed", "\u{c}1"), ("n_blank_vertical_tab", "\u{b}1"), ("n_blank_no_break", "\u{a0}1"),
    ("n_blank_mark", "\u{feff}1"), ("n_blank_nul", "\u{0}1"), ("n_two_values", "1 2"),
];

/// An event of another page with this value, between two valid ones. It is filtered if the value is well formed.
fn lines(value: &str) -> String {
    let line = |value: &str| format!("{{\"page\":\"Home\",\"x\":{value},\"y\":0}}\n");
    [line("1"), line(value), line("2")].concat()
}

#[test]
fn the_grammar_accepts_all_of_json() {
    for (name, value) in ACCEPTED {
        let (codes, filtered) = codes(Kind::Events, lines(value).as_bytes(), Framing::Values);
        assert_eq!((codes, filtered), (vec![], 3), "{name}: {value}");
    }
    assert_eq!(ACCEPTED.len(), 61);
}

#[test]
fn the_grammar_rejects_everything_else() {
    for (name, value) in REJECTED {
        let (codes, filtered) = codes(Kind::Events, lines(value).as_bytes(), Framing::Values);
        assert_eq!((codes, filtered), (vec!["syntax".to_owned()], 2), "{name}: {value}");
    }
    assert_eq!(REJECTED.len(), 102);
}

#[test]
fn white_space_between_tokens_may_break_lines() {
    let file = "{\"page\"\n:\r\n\"Home\"\r,\n\t\"x\": [\n1\n,\n2\n]\n}\n";
    assert_eq!(codes(Kind::Events, file.as_bytes(), Framing::Values), (vec![], 1));
}
