//! Converts tokens to column values: the rules that songs and events share.
//!
//! The tokens are already well formed. Invariant: every value is converted without loss or rejected with a reason and a
//! key, and every value whose type or form changed is counted as coerced.

use std::cell::{Cell, OnceCell};

use crate::decode::limits::Limits;
use crate::decode::number::{canonical, float, integer, is_number};
use crate::decode::reject_reason::Reason;
use crate::decode::text::Text;
use crate::decode::token::{MAX_USED, Members, Token};

/// A kind of record: its keys, and the conversion to a typed row.
pub trait RecordSchema {
    /// The typed row.
    type Row<'a>: Copy;

    /// All keys that the producer writes. The keys that tables use come first, the required ones of them before the
    /// others. If several keys have the same fault, the first of them is reported.
    const KEYS: &'static [&'static str];
    /// The number of `KEYS` that tables use.
    const USED: usize;
    /// The number of `KEYS` that are required.
    const REQUIRED: usize;

    /// Converts a well-formed object. `number_texts` holds the text of numbers, which the row may borrow.
    fn convert<'a>(members: &Members<'a>, limits: &Limits, number_texts: &'a NumberTexts) -> Conversion<Self::Row<'a>>;
}

/// The result of converting one well-formed object.
pub enum Conversion<T> {
    /// A row, and the number of its values that were coerced.
    Row { row: T, coerced: u32 },
    /// A valid object that no table uses.
    Filtered,
    /// A row of an object that counts as filtered.
    FilteredRow(T),
    /// A rejected object.
    Fault(Fault),
}

/// The reason for rejecting an object, and the slot of the faulty key. Of several bad strings, the smallest fault is
/// reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    pub reason: Reason,
    pub slot: usize,
}

/// The text of numbers in text columns, one text per slot.
#[derive(Default)]
pub struct NumberTexts {
    texts: [OnceCell<String>; MAX_USED],
    used: Cell<bool>,
}

impl NumberTexts {
    /// Discards the texts of the previous record.
    #[inline]
    pub fn clear(&mut self) {
        if self.used.take() {
            self.texts = Default::default();
        }
    }

    fn store(&self, slot: usize, text: String) -> &str {
        self.used.set(true);
        self.texts.get(slot).map_or("", |stored| stored.get_or_init(|| text))
    }
}

/// Reads the members of one object, and counts coerced values. The three conversions are always inlined: the slot is
/// then a constant, and the compiler removes most of their code. This saves a tenth of the time per record.
pub struct MemberReader<'m, 'a> {
    members: &'m Members<'a>,
    limits: &'m Limits,
    number_texts: &'a NumberTexts,
    coerced: u32,
}

impl<'m, 'a> MemberReader<'m, 'a> {
    #[inline]
    pub const fn new(members: &'m Members<'a>, limits: &'m Limits, number_texts: &'a NumberTexts) -> Self {
        Self { members, limits, number_texts, coerced: 0 }
    }

    /// The number of values coerced so far.
    #[inline]
    pub const fn coerced(&self) -> u32 {
        self.coerced
    }

    #[inline]
    pub fn token(&self, slot: usize) -> Token<'a> {
        self.members.slots.get(slot).copied().unwrap_or(Token::Absent)
    }

    /// Rejects duplicate keys with different values; reports the first of them in slot order.
    #[inline]
    pub fn check_conflicts(&self) -> Result<(), Fault> {
        if self.members.conflicts == 0 {
            return Ok(());
        }
        Err(Fault { reason: Reason::DuplicateKey, slot: self.members.conflicts.trailing_zeros() as usize })
    }

    /// Rejects this key if it is duplicated with different values.
    #[inline]
    pub fn check_conflict_at(&self, slot: usize) -> Result<(), Fault> {
        if self.members.conflicts >> slot & 1 == 0 {
            return Ok(());
        }
        Err(Fault { reason: Reason::DuplicateKey, slot })
    }

    /// Rejects a required key that is missing or null.
    #[inline]
    pub fn check_required(&self, slot: usize) -> Result<(), Fault> {
        match self.token(slot) {
            Token::Absent => Err(Fault { reason: Reason::MissingRequired, slot }),
            Token::Null => Err(Fault { reason: Reason::NullRequired, slot }),
            _ => Ok(()),
        }
    }

    /// A text column. A number becomes its canonical text (rule 8 of `docs/tables.md`).
    #[expect(clippy::inline_always, reason = "runs for every value of every record")]
    #[inline(always)]
    pub fn text(&mut self, slot: usize) -> Result<Option<Text<'a>>, Fault> {
        match self.token(slot) {
            Token::Absent | Token::Null => Ok(None),
            Token::Text { text, lone_surrogate: false } if text.raw().len() <= self.limits.max_string => Ok(Some(text)),
            Token::Text { text, lone_surrogate } => self.checked_text(slot, text, lone_surrogate).map(Some),
            Token::Number(token) => self.number_as_text(slot, token).map(Some),
            Token::Bool(_) | Token::Nested(_) => Err(Fault { reason: Reason::Type, slot }),
        }
    }

    #[cold]
    fn checked_text(&self, slot: usize, text: Text<'a>, lone_surrogate: bool) -> Result<Text<'a>, Fault> {
        if text.resolved_len() > self.limits.max_string {
            return Err(Fault { reason: Reason::StringTooLong, slot });
        }
        if lone_surrogate {
            return Err(Fault { reason: Reason::LoneSurrogate, slot });
        }
        Ok(text)
    }

    #[cold]
    fn number_as_text(&mut self, slot: usize, token: &str) -> Result<Text<'a>, Fault> {
        let text = canonical(token).map_err(|reason| Fault { reason, slot })?;
        if text.len() > self.limits.max_string {
            return Err(Fault { reason: Reason::StringTooLong, slot });
        }
        self.coerced += 1;
        Ok(Text::plain(self.number_texts.store(slot, text)))
    }

    /// A whole-number column. Text that contains a number is converted if nothing is lost.
    #[expect(clippy::inline_always, reason = "runs for every value of every record")]
    #[inline(always)]
    pub fn integer(&mut self, slot: usize) -> Result<Option<i64>, Fault> {
        match self.token(slot) {
            Token::Absent | Token::Null => Ok(None),
            Token::Number(token) => match integer(token) {
                Ok((value, coerced)) => {
                    self.coerced += u32::from(coerced);
                    Ok(Some(value))
                }
                Err(reason) => Err(Fault { reason, slot }),
            },
            token => {
                let value = self.number_in_text(slot, token, |token| integer(token).map(|(value, _)| value))?;
                Ok(Some(value))
            }
        }
    }

    /// A double column. Text that contains a number is converted.
    #[expect(clippy::inline_always, reason = "runs for every value of every record")]
    #[inline(always)]
    pub fn float(&mut self, slot: usize) -> Result<Option<f64>, Fault> {
        match self.token(slot) {
            Token::Absent | Token::Null => Ok(None),
            Token::Number(token) => float(token).map(Some).map_err(|reason| Fault { reason, slot }),
            token => self.number_in_text(slot, token, float).map(Some),
        }
    }

    #[cold]
    fn number_in_text<T>(
        &mut self,
        slot: usize,
        token: Token<'a>,
        read: fn(&str) -> Result<T, Reason>,
    ) -> Result<T, Fault> {
        let Token::Text { text, .. } = token else {
            return Err(Fault { reason: Reason::Type, slot });
        };
        let mut scratch = String::new();
        let number = text.resolve(&mut scratch);
        if !is_number(number) {
            return Err(Fault { reason: Reason::Type, slot });
        }
        let value = read(number).map_err(|reason| Fault { reason, slot })?;
        self.coerced += 1;
        Ok(value)
    }
}
