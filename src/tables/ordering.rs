//! How values compare, wherever a table's rule says "smallest" or "latest".
//!
//! Invariant: NULL sorts before every value, text compares by bytes, and every order is total, so that no rule
//! depends on which of two candidates came first.

use std::cmp::Ordering;

use crate::decode::Text;

/// Optional doubles: NULL first, then by value; `-0.0` just before `0.0`. NaN cannot occur in JSON.
#[must_use]
pub fn floats(a: Option<f64>, b: Option<f64>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

/// The text with its escapes resolved, owned.
pub fn owned(text: Option<Text<'_>>, scratch: &mut String) -> Option<Box<str>> {
    text.map(|text| text.resolve(scratch).into())
}
