//! One value of a record, as found: its kind and its place, not yet its meaning.
//!
//! Not a document model: what is nested is kept as bytes and never looked into. Invariant: a token's text has
//! passed the grammar of its kind, so whoever reads it may rely on that.

use crate::decode::number::same_number;
use crate::decode::text::Text;

/// The value of a member that a table uses.
#[derive(Clone, Copy, Debug)]
pub enum Token<'a> {
    /// The key is not there.
    Absent,
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, in JSON's own grammar.
    Number(&'a str),
    /// A string; `lone` when it holds half a surrogate pair.
    Text { text: Text<'a>, lone: bool },
    /// An array or an object.
    Nested(&'a [u8]),
}

impl Token<'_> {
    /// Whether two values of one key agree. Arrays and objects agree only byte for byte.
    pub fn same(self, other: Self) -> bool {
        match (self, other) {
            (Self::Absent, Self::Absent) | (Self::Null, Self::Null) => true,
            (Self::Bool(left), Self::Bool(right)) => left == right,
            (Self::Number(left), Self::Number(right)) => same_number(left, right),
            (Self::Text { text: left, lone: false }, Self::Text { text: right, lone: false }) => left == right,
            (Self::Text { text: left, lone: true }, Self::Text { text: right, lone: true }) => {
                left.raw() == right.raw()
            }
            (Self::Nested(left), Self::Nested(right)) => left == right,
            _ => false,
        }
    }

    /// Of two values that agree, the one to keep, so that the order of the keys does not show.
    pub fn plainer(self, other: Self) -> Self {
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

/// What one object holds of the keys that tables use.
#[derive(Clone, Copy, Debug)]
pub struct Members<'a> {
    /// By slot: the place of the key in [`Schema::KEYS`](crate::decode::coercion::Schema::KEYS).
    pub slots: [Token<'a>; MAX_USED],
    /// A bit for each slot whose key came twice with values that differ.
    pub conflicts: u32,
    /// By slot: a key that differs from a required one in case only.
    pub variants: [Option<&'a str>; MAX_REQUIRED],
}

/// The most keys that any table uses of one kind of record.
pub const MAX_USED: usize = 14;
/// The most keys that any kind of record requires.
pub const MAX_REQUIRED: usize = 3;

impl Members<'_> {
    pub const EMPTY: Self = Self { slots: [Token::Absent; MAX_USED], conflicts: 0, variants: [None; MAX_REQUIRED] };
}
