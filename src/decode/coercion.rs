//! From tokens to columns: the rules that songs and events share.
//!
//! Not a schema of tables, and no grammar: it reads tokens that are already well formed. Invariant: every value
//! is taken without loss or refused with the reason and the key, and what was changed in form is counted.

use std::cell::{Cell, OnceCell};

use crate::decode::limits::Limits;
use crate::decode::number::{canonical, float, integer, is_number};
use crate::decode::reject_reason::Reason;
use crate::decode::text::Text;
use crate::decode::token::{MAX_USED, Members, Token};

/// A kind of record: which keys it has, and what becomes of them.
pub trait Schema {
    /// The typed record.
    type Row<'a>: Copy;

    /// All keys that the producer writes. Those that tables use come first, in the order in which their faults
    /// win, and of those the required ones come first.
    const KEYS: &'static [&'static str];
    /// How many of `KEYS` tables use.
    const USED: usize;
    /// How many of `KEYS` are required.
    const REQUIRED: usize;

    /// What becomes of a well-formed object. `spill` holds text that is not in the input as such.
    fn judge<'a>(members: &Members<'a>, limits: &Limits, spill: &'a Spill) -> Verdict<Self::Row<'a>>;
}

/// The outcome of one well-formed object.
pub enum Verdict<T> {
    /// A row, and how many of its values were coerced.
    Row(T, u32),
    /// Not wanted, and nothing wrong with it.
    Filtered,
    /// Turned away.
    Fault(Fault),
}

/// Why an object was turned away, and the slot of the key at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub reason: Reason,
    pub slot: usize,
}

/// Room for the text of numbers that stand where text belongs, one place for each slot.
#[derive(Default)]
pub struct Spill {
    texts: [OnceCell<String>; MAX_USED],
    used: Cell<bool>,
}

impl Spill {
    /// Makes room for the next record.
    #[inline]
    pub fn clear(&mut self) {
        if self.used.take() {
            self.texts = Default::default();
        }
    }

    fn keep(&self, slot: usize, text: String) -> &str {
        self.used.set(true);
        self.texts.get(slot).map_or("", |place| place.get_or_init(|| text))
    }
}

/// Reads the members of one object, and counts what it coerces. The three conversions are always inlined: with the
/// slot a constant most of each disappears, which is a tenth of the time that a record takes.
pub struct Reader<'m, 'a> {
    members: &'m Members<'a>,
    limits: &'m Limits,
    spill: &'a Spill,
    coerced: u32,
}

impl<'m, 'a> Reader<'m, 'a> {
    #[inline]
    pub const fn new(members: &'m Members<'a>, limits: &'m Limits, spill: &'a Spill) -> Self {
        Self { members, limits, spill, coerced: 0 }
    }

    /// How many values were coerced so far.
    #[inline]
    pub const fn coerced(&self) -> u32 {
        self.coerced
    }

    #[inline]
    pub fn token(&self, slot: usize) -> Token<'a> {
        self.members.slots.get(slot).copied().unwrap_or(Token::Absent)
    }

    /// Refuses keys that came twice with values that differ: the first of them in slot order.
    #[inline]
    pub fn no_conflict(&self) -> Result<(), Fault> {
        if self.members.conflicts == 0 {
            return Ok(());
        }
        Err(Fault { reason: Reason::DuplicateKey, slot: self.members.conflicts.trailing_zeros() as usize })
    }

    /// Refuses this one key if it came twice with values that differ.
    #[inline]
    pub fn no_conflict_at(&self, slot: usize) -> Result<(), Fault> {
        if self.members.conflicts >> slot & 1 == 0 {
            return Ok(());
        }
        Err(Fault { reason: Reason::DuplicateKey, slot })
    }

    /// Refuses a required key that is missing or null.
    #[inline]
    pub fn required(&self, slot: usize) -> Result<(), Fault> {
        match self.token(slot) {
            Token::Absent => Err(Fault { reason: Reason::MissingRequired, slot }),
            Token::Null => Err(Fault { reason: Reason::NullRequired, slot }),
            _ => Ok(()),
        }
    }

    /// A text column. A number becomes its canonical text.
    #[expect(clippy::inline_always, reason = "on the way of every value of every record")]
    #[inline(always)]
    pub fn text(&mut self, slot: usize) -> Result<Option<Text<'a>>, Fault> {
        match self.token(slot) {
            Token::Absent | Token::Null => Ok(None),
            Token::Text { text, lone: false } if text.raw().len() <= self.limits.max_string => Ok(Some(text)),
            Token::Text { text, lone } => self.odd_text(slot, text, lone).map(Some),
            Token::Number(token) => self.number_as_text(slot, token).map(Some),
            Token::Bool(_) | Token::Nested(_) => Err(Fault { reason: Reason::Type, slot }),
        }
    }

    #[cold]
    fn odd_text(&self, slot: usize, text: Text<'a>, lone: bool) -> Result<Text<'a>, Fault> {
        if text.resolved_len() > self.limits.max_string {
            return Err(Fault { reason: Reason::StringTooLong, slot });
        }
        if lone {
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
        Ok(Text::plain(self.spill.keep(slot, text)))
    }

    /// A whole-number column. Text with a number in it is taken if nothing is lost.
    #[expect(clippy::inline_always, reason = "on the way of every value of every record")]
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

    /// A double column. Text with a number in it is taken.
    #[expect(clippy::inline_always, reason = "on the way of every value of every record")]
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
