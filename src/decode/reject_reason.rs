//! The reasons for rejecting a record. `docs/bad_input.md` lists them for users.
//!
//! `strict`, `coercion`, `event` and `song` decide which reason applies. Invariant: the variants are listed by
//! priority; of several faults of the record as a whole, or of its strings, the smallest reason is reported. Among
//! faulty values the order of the keys decides (see [`decode`](crate::decode)).

/// The reason for rejecting one record. `as_str` returns the code in reports and quarantine files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The record is larger than [`Limits::max_record`](crate::decode::Limits::max_record).
    LineTooLong,
    /// Not JSON (RFC 8259), or the next record begins in the middle of it.
    Syntax,
    /// The input ends inside the record.
    TruncatedTail,
    /// A run of NUL bytes instead of a record, as a crashed logger writes it.
    NulPadding,
    /// Well-formed JSON, but not an object.
    NotAnObject,
    /// An object with something else after it on the same line.
    TrailingBytes,
    /// Arrays and objects nested deeper than [`Limits::max_depth`](crate::decode::Limits::max_depth).
    TooDeep,
    /// More members than [`Limits::max_keys`](crate::decode::Limits::max_keys).
    TooManyKeys,
    /// A string that is not UTF-8 (this includes surrogates in CESU-8).
    InvalidUtf8,
    /// A raw control character inside a string.
    ControlChar,
    /// A key that a table uses occurs twice with different values.
    DuplicateKey,
    /// A required key is missing.
    MissingRequired,
    /// A required key is `null`.
    NullRequired,
    /// A value of a type that cannot be converted to the column's type without loss.
    Type,
    /// A string longer than [`Limits::max_string`](crate::decode::Limits::max_string).
    StringTooLong,
    /// A `\u` escape of half a surrogate pair.
    LoneSurrogate,
    /// A fraction where a whole number belongs.
    NonIntegral,
    /// A number outside the range of its column.
    OutOfRange,
    /// A time outside [`Limits::ts_window`](crate::decode::Limits::ts_window).
    TsImplausible,
    /// A play with an empty user id.
    EmptyUserId,
    /// A partition value that contains a NUL character.
    PartitionNul,
    /// A partition value that is reserved for NULL.
    ReservedPartitionValue,
    /// A partition value whose folder name would exceed the length limit of file systems.
    PartitionValueTooLong,
}

impl Reason {
    /// The code of this reason in reports and quarantine files, in snake case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LineTooLong => "line_too_long",
            Self::Syntax => "syntax",
            Self::TruncatedTail => "truncated_tail",
            Self::NulPadding => "nul_padding",
            Self::NotAnObject => "not_an_object",
            Self::TrailingBytes => "trailing_bytes",
            Self::TooDeep => "too_deep",
            Self::TooManyKeys => "too_many_keys",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::ControlChar => "control_char",
            Self::DuplicateKey => "duplicate_key",
            Self::MissingRequired => "missing_required",
            Self::NullRequired => "null_required",
            Self::Type => "type",
            Self::StringTooLong => "string_too_long",
            Self::LoneSurrogate => "lone_surrogate",
            Self::NonIntegral => "non_integral",
            Self::OutOfRange => "out_of_range",
            Self::TsImplausible => "ts_implausible",
            Self::EmptyUserId => "empty_user_id",
            Self::PartitionNul => "partition_nul",
            Self::ReservedPartitionValue => "reserved_partition_value",
            Self::PartitionValueTooLong => "partition_value_too_long",
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}
