//! Why a record was turned away.
//!
//! This is the vocabulary of the quarantine, not a judge: which fault a record gets is decided in `careful`,
//! `event` and `song`. Invariant: the variants stand in the order in which faults win, so the smaller of two
//! reasons is the one that is reported.

/// The fault of one record. `as_str` gives the code that reports and quarantine files carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The record is larger than [`Limits::max_record`](crate::decode::Limits::max_record).
    LineTooLong,
    /// Not JSON by RFC 8259, or a record that the next one begins in the middle of.
    Syntax,
    /// The input ends inside the record.
    TruncatedTail,
    /// A run of NUL bytes where a record should be: what a crashed logger leaves behind.
    NulPadding,
    /// Well-formed JSON, but not an object.
    NotAnObject,
    /// An object with something else behind it on the same line.
    TrailingBytes,
    /// Arrays and objects nested deeper than [`Limits::max_depth`](crate::decode::Limits::max_depth).
    TooDeep,
    /// More members than [`Limits::max_keys`](crate::decode::Limits::max_keys).
    TooManyKeys,
    /// A string that is not UTF-8 (surrogates in CESU-8 included).
    InvalidUtf8,
    /// A raw control character inside a string.
    ControlChar,
    /// A key that a table uses, twice, with different values.
    DuplicateKey,
    /// A required key is not there.
    MissingRequired,
    /// A required key is `null`.
    NullRequired,
    /// A value of a type that the column cannot take without loss.
    Type,
    /// A string longer than [`Limits::max_string`](crate::decode::Limits::max_string).
    StringTooLong,
    /// A `\u` escape of half a surrogate pair.
    LoneSurrogate,
    /// A fraction where a whole number belongs.
    NonIntegral,
    /// A number that its column cannot hold.
    OutOfRange,
    /// A time outside [`Limits::ts_window`](crate::decode::Limits::ts_window).
    TsImplausible,
    /// A play by nobody.
    EmptyUserId,
    /// A partition value with a NUL character in it.
    PartitionNul,
    /// A partition value that is the name of the NULL partition.
    ReservedPartitionValue,
    /// A partition value whose folder name would be longer than file systems allow.
    PartitionValueTooLong,
}

impl Reason {
    /// The code of this reason in reports, in snake case.
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
