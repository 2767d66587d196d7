//! The value of one member: its kind and its text, before conversion to a column.
//!
//! Nested arrays and objects are kept as bytes and never read further. Invariant: the text of a token follows the
//! grammar of its kind.

use crate::decode::number::same_number;
use crate::decode::text::Text;

/// The value of a member that a table uses.
#[derive(Clone, Copy, Debug)]
pub enum Token<'a> {
    /// The key is missing.
    Absent,
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number in JSON's grammar.
    Number(&'a str),
    /// A string; `lone_surrogate` if it contains half a surrogate pair.
    Text { text: Text<'a>, lone_surrogate: bool },
    /// An array or an object.
    Nested(&'a [u8]),
}

impl Token<'_> {
    /// Returns true if two values of a duplicate key are the same. Arrays and objects must have the same bytes.
    pub fn is_same_value(self, other: Self) -> bool {
        match (self, other) {
            (Self::Absent, Self::Absent) | (Self::Null, Self::Null) => true,
            (Self::Bool(left), Self::Bool(right)) => left == right,
            (Self::Number(left), Self::Number(right)) => same_number(left, right),
            (Self::Text { text: left, lone_surrogate: false }, Self::Text { text: right, lone_surrogate: false }) => {
                left == right
            }
            (Self::Text { text: left, lone_surrogate: true }, Self::Text { text: right, lone_surrogate: true }) => {
                left.raw() == right.raw()
            }
            (Self::Nested(left), Self::Nested(right)) => left == right,
            _ => false,
        }
    }

    /// Of two tokens with the same value, the one to keep: the smaller text, so that the order of the keys has no
    /// effect.
    pub fn smaller_spelling(self, other: Self) -> Self {
        match (self, other) {
            (Self::Number(left), Self::Number(right)) if right < left => other,
            (Self::Text { text: left, .. }, Self::Text { text: right, .. }) if right.raw() < left.raw() => other,
            _ => self,
        }
    }

    #[inline]
    pub const fn is_absent(self) -> bool {
        matches!(self, Self::Absent)
    }
}

/// The members of one object whose keys are used by a table.
#[derive(Clone, Copy, Debug)]
pub struct Members<'a> {
    /// Values by slot: the index of the key in [`RecordSchema::KEYS`](crate::decode::coercion::RecordSchema::KEYS).
    pub slots: [Token<'a>; MAX_USED],
    /// One bit per slot, set if the key is duplicated with different values.
    pub conflicts: u32,
    /// By slot: a key that differs from the required one in case only.
    pub variants: [Option<&'a str>; MAX_REQUIRED],
}

/// The largest [`RecordSchema::USED`](crate::decode::coercion::RecordSchema::USED).
pub const MAX_USED: usize = 14;
/// The largest [`RecordSchema::REQUIRED`](crate::decode::coercion::RecordSchema::REQUIRED).
pub const MAX_REQUIRED: usize = 3;

impl Members<'_> {
    pub const EMPTY: Self = Self { slots: [Token::Absent; MAX_USED], conflicts: 0, variants: [None; MAX_REQUIRED] };
}
