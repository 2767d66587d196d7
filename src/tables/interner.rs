//! Interner of texts, each distinct one kept once.
//!
//! An event repeats who its user is and what was played; both are interned as a whole, so that a play is two small
//! numbers instead of nine texts. Texts are kept as they stand in the input, escapes unresolved, because most tuples
//! are only ever compared with themselves.
//!
//! A tuple is written as bytes: a header of a word for each field (how long the text is, and whether it is escaped) and
//! one for the number, then the texts. Equal tuples are equal bytes. The known ones fill more memory than the caches
//! near a core hold, so a lookup waits for memory two or three times, and lookups come in batches ([`Interner::queue`],
//! [`Interner::settle`]): the waits of different tuples pass at the same time.
//!
//! Invariant: equal input gives an equal id. The reverse does not hold: the same text may be escaped in two ways and
//! then has two ids, so ids are never compared where texts are meant.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::decode::Text;

/// Bytes of a header's word.
const WORD: usize = 4;

/// Bytes of the number. JSON has no NaN, so the bits of one stand for NULL.
const NUMBER: usize = 8;
const NO_NUMBER: u64 = u64::MAX;

/// A tuple of the table, found by its hash.
#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u64,
    id: u32,
}

/// A tuple that waits to be looked up: its hash, where its bytes end, and what may be its id.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    hash: u64,
    end: usize,
    candidate: u32,
}

/// The distinct tuples of `N` optional texts and an optional number.
#[derive(Debug, Default)]
pub struct Interner<const N: usize> {
    hasher: DefaultHashBuilder,
    table: HashTable<Slot>,
    bytes: Vec<u8>,
    /// Where the bytes of each tuple end.
    ends: Vec<usize>,
    queue: Vec<Waiting>,
    queued: Vec<u8>,
}

impl<const N: usize> Interner<N> {
    /// Puts a tuple into the queue of those that [`Self::settle`] looks up.
    pub fn queue(&mut self, fields: &[Option<Text<'_>>; N], number: Option<f64>) {
        let start = self.queued.len();
        for field in fields {
            let word = field.map_or(0, |text| {
                // Texts are at most 1 MiB long, the decoder sees to it.
                let length = u32::try_from(text.raw().len()).unwrap_or(u32::MAX >> 2);
                ((length << 1) | u32::from(text.is_escaped())) + 1
            });
            self.queued.extend_from_slice(&word.to_le_bytes());
        }
        self.queued.extend_from_slice(&number.map_or(NO_NUMBER, f64::to_bits).to_le_bytes());
        for text in fields.iter().flatten() {
            self.queued.extend_from_slice(text.raw().as_bytes());
        }
        let hash = self.hasher.hash_one(self.queued.get(start..).unwrap_or_default());
        self.queue.push(Waiting { hash, end: self.queued.len(), candidate: 0 });
    }

    /// Empties the queue into `found`: of each tuple its id, and whether it is new. Ids count up from 0.
    pub fn settle(&mut self, found: &mut Vec<(u32, bool)>) {
        found.clear();
        // Each step by itself for all tuples: none depends on another, so their waits for memory overlap.
        for waiting in &mut self.queue {
            let slot = self.table.find(waiting.hash, |slot| slot.hash == waiting.hash);
            waiting.candidate = slot.map_or(u32::MAX, |slot| slot.id);
        }
        let (queue, queued) = (std::mem::take(&mut self.queue), std::mem::take(&mut self.queued));
        let mut start = 0;
        for waiting in &queue {
            let tuple = queued.get(start..waiting.end).unwrap_or_default();
            start = waiting.end;
            let is_known = self.bytes(waiting.candidate) == Some(tuple);
            found.push(if is_known { (waiting.candidate, false) } else { self.find_or_add(waiting.hash, tuple) });
        }
        (self.queue, self.queued) = (queue, queued);
        self.queue.clear();
        self.queued.clear();
    }

    fn find_or_add(&mut self, hash: u64, tuple: &[u8]) -> (u32, bool) {
        if let Some(slot) = self.table.find(hash, |slot| slot.hash == hash && self.bytes(slot.id) == Some(tuple)) {
            return (slot.id, false);
        }
        let id = u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(tuple);
        self.ends.push(self.bytes.len());
        self.table.insert_unique(hash, Slot { hash, id }, |slot| slot.hash);
        (id, true)
    }

    /// The id of a tuple, looked up at once.
    pub fn intern(&mut self, fields: &[Option<Text<'_>>; N], number: Option<f64>) -> (u32, bool) {
        let mut found = Vec::with_capacity(1);
        self.queue(fields, number);
        self.settle(&mut found);
        found.pop().unwrap_or_default()
    }

    fn bytes(&self, id: u32) -> Option<&[u8]> {
        let id = id as usize;
        let start = id.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        self.bytes.get(start..*self.ends.get(id)?)
    }

    /// A field of a tuple, its escapes resolved.
    pub fn text<'s>(&'s self, id: u32, field: usize, scratch: &'s mut String) -> Option<&'s str> {
        let tuple = self.bytes(id)?;
        let (words, _) = tuple.get(..N * WORD)?.as_chunks::<WORD>();
        let mut start = N * WORD + NUMBER;
        let mut words = words.iter().map(|word| u32::from_le_bytes(*word).checked_sub(1));
        start += words.by_ref().take(field).flatten().map(|word| (word >> 1) as usize).sum::<usize>();
        let word = words.next()??;
        let raw = tuple.get(start..start + (word >> 1) as usize)?;
        Some(Text::from_json(std::str::from_utf8(raw).ok()?, word & 1 == 1).resolve(scratch))
    }

    /// The number of a tuple.
    #[must_use]
    pub fn number(&self, id: u32) -> Option<f64> {
        let bits = self.bytes(id)?.get(N * WORD..)?.first_chunk::<NUMBER>()?;
        Some(u64::from_le_bytes(*bits)).filter(|bits| *bits != NO_NUMBER).map(f64::from_bits)
    }

    /// All tuples as bytes: how many there are, where each ends, and what they hold.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 * (self.ends.len() + 1) + self.bytes.len());
        for number in std::iter::once(self.ends.len()).chain(self.ends.iter().copied()) {
            bytes.extend_from_slice(&(number as u64).to_le_bytes());
        }
        bytes.extend_from_slice(&self.bytes);
        bytes
    }

    /// The tuples that [`Self::to_bytes`] gave, to be read by their ids; `None` when it did not. Others can be added,
    /// but not found again among these.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let word = |position: usize| {
            let word = bytes.get(position.checked_mul(8)?..)?.first_chunk::<8>()?;
            usize::try_from(u64::from_le_bytes(*word)).ok()
        };
        let count = word(0)?;
        let ends = (1..=count).map(word).collect::<Option<Vec<usize>>>()?;
        let bytes = bytes.get(8 * (count + 1)..)?;
        let is_whole = ends.is_sorted() && ends.last().copied().unwrap_or_default() == bytes.len();
        is_whole.then(|| Self { bytes: bytes.to_vec(), ends, ..Self::default() })
    }

    /// How many distinct tuples there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_do_not_run_into_each_other() {
        let mut tuples = Interner::<2>::default();
        let a = Some(Text::from_json("ab", false));
        let b = Some(Text::from_json("c", false));
        let ids: Vec<u32> = [
            [a, b],
            [Some(Text::from_json("a", false)), Some(Text::from_json("bc", false))],
            [a, None],
            [None, a],
            [Some(Text::from_json("", false)), a],
            [Some(Text::from_json("ab", true)), b],
        ]
        .iter()
        .map(|fields| tuples.intern(fields, None).0)
        .collect();
        assert_eq!(ids, [0, 1, 2, 3, 4, 5]);
        assert_eq!(tuples.intern(&[a, b], Some(1.0)), (6, true), "the number belongs to the tuple");
        assert_eq!(tuples.intern(&[a, b], None), (0, false));
        let mut scratch = String::new();
        assert_eq!(tuples.text(4, 0, &mut scratch), Some(""));
        assert_eq!(tuples.text(3, 0, &mut scratch), None);
        assert_eq!(tuples.text(1, 1, &mut scratch), Some("bc"));
    }

    #[test]
    fn many_tuples_stay_distinct() {
        let mut tuples = Interner::<1>::default();
        for round in 0..2 {
            for number in 0..10_000_u32 {
                let text = number.to_string();
                assert_eq!(tuples.intern(&[Some(Text::from_json(&text, false))], None), (number, round == 0));
            }
        }
    }
}
