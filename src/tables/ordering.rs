//! The order of values: what "smallest", "greatest" and "latest" mean in the rules (rule 9 of `docs/tables.md`).
//!
//! Invariant: NULL sorts before every value, text compares by bytes, and every order is total, so no rule depends on
//! which of two candidates comes first.

use std::cmp::Ordering;

use crate::decode::Text;

/// Compares optional doubles: NULL first, then by value, with `-0.0` just before `0.0`. NaN cannot occur in JSON.
#[must_use]
pub(crate) fn floats(a: Option<f64>, b: Option<f64>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

/// An owned copy of a text, with its escapes resolved.
pub(super) fn owned(text: Option<Text<'_>>, scratch: &mut String) -> Option<Box<str>> {
    text.map(|text| text.resolve(scratch).into())
}
