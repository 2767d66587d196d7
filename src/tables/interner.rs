//! Interner: tuples of texts to small ids, with each distinct tuple stored once.
//!
//! Events repeat the values of their user and their track. Both are interned as tuples, so a play is two small numbers
//! instead of nine texts. Texts are stored as in the input, with unresolved escapes, because most tuples are only
//! compared with tuples of the same input.
//!
//! A tuple is encoded as bytes: a header with one word per field (the length of the text, and whether it is escaped)
//! and the bits of the number, then the texts. Equal tuples have equal bytes. The stored tuples exceed the caches of a
//! core, so a lookup waits for memory two or three times. Therefore lookups are made in batches ([`Interner::queue`],
//! [`Interner::settle`]), in which the waits of different tuples overlap.
//!
//! Invariant: equal input gives an equal id. The reverse does not hold: the same text can be escaped in two ways and
//! then has two ids, so equality of texts never follows from ids.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::decode::Text;

/// Bytes of a word in the header.
const WORD_BYTES: usize = 4;

/// Bytes of the number.
const NUMBER_BYTES: usize = 8;
/// The bits of a missing number: those of a NaN, which JSON does not have.
const NO_NUMBER: u64 = u64::MAX;

/// An entry of the hash table.
#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u64,
    id: u32,
    /// Where the tuple begins in [`Interner::bytes`], so that a lookup need not read [`Interner::ends`]; [`FAR`] after
    /// 4 GiB.
    start: u32,
}

/// The start of a tuple that has to be looked up.
const FAR: u32 = u32::MAX;

/// A queued tuple.
#[derive(Clone, Copy, Debug)]
enum Queued {
    /// The id of a tuple that is known to be the same.
    Known(u32),
    /// Its hash, the end of its bytes, and the id and the start of a stored tuple with the same hash.
    Unknown { hash: u64, end: usize, candidate: u32, start: u32 },
}

/// The result of a lookup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interned {
    /// The id of the tuple.
    pub id: u32,
    /// Whether the tuple was not known before.
    pub is_new: bool,
}

/// The distinct tuples of `N` optional texts and an optional number.
#[derive(Debug, Default)]
pub struct Interner<const N: usize> {
    hasher: DefaultHashBuilder,
    table: HashTable<Slot>,
    bytes: Vec<u8>,
    /// The end of each tuple in `bytes`.
    ends: Vec<usize>,
    queue: Vec<Queued>,
    queued: Vec<u8>,
}

impl<const N: usize> Interner<N> {
    /// Adds a tuple to the queue for [`Self::settle`]. If it equals the stored tuple with the id `guess`, it is neither
    /// copied nor hashed.
    #[inline]
    pub fn queue(&mut self, fields: &[Option<Text<'_>>; N], number: Option<f64>, guess: Option<u32>) {
        match guess.filter(|id| self.is_same(*id, fields, number)) {
            Some(id) => self.queue.push(Queued::Known(id)),
            None => self.queue_copy(fields, number),
        }
    }

    /// Returns true if the stored tuple with this id has the given contents.
    #[inline]
    fn is_same(&self, id: u32, fields: &[Option<Text<'_>>; N], number: Option<f64>) -> bool {
        let Some((words, rest)) = self.bytes(id).and_then(|tuple| tuple.split_at_checked(N * WORD_BYTES)) else {
            return false;
        };
        let Some((bits, mut texts)) = rest.split_first_chunk::<NUMBER_BYTES>() else { return false };
        let (words, _) = words.as_chunks::<WORD_BYTES>();
        *bits == number.map_or(NO_NUMBER, f64::to_bits).to_le_bytes()
            && fields.iter().zip(words).all(|(field, stored)| {
                if header_word(*field).to_le_bytes() != *stored {
                    return false;
                }
                let text = field.map_or("", |text| text.raw()).as_bytes();
                let Some((stored, rest)) = texts.split_at_checked(text.len()) else { return false };
                texts = rest;
                stored == text
            })
    }

    fn queue_copy(&mut self, fields: &[Option<Text<'_>>; N], number: Option<f64>) {
        let start = self.queued.len();
        for field in fields {
            self.queued.extend_from_slice(&header_word(*field).to_le_bytes());
        }
        self.queued.extend_from_slice(&number.map_or(NO_NUMBER, f64::to_bits).to_le_bytes());
        for text in fields.iter().flatten() {
            self.queued.extend_from_slice(text.raw().as_bytes());
        }
        let hash = self.hasher.hash_one(self.queued.get(start..).unwrap_or_default());
        self.queue.push(Queued::Unknown { hash, end: self.queued.len(), candidate: 0, start: FAR });
    }

    /// Looks up all tuples of the queue and adds the new ones. `found` gets one entry per tuple, in order; ids count up
    /// from 0.
    pub fn settle(&mut self, found: &mut Vec<Interned>) {
        found.clear();
        // Each step is made for all tuples before the next one. The tuples are independent, so their waits for memory
        // overlap.
        for queued_tuple in &mut self.queue {
            if let Queued::Unknown { hash, candidate, start, .. } = queued_tuple
                && let Some(slot) = self.table.find(*hash, |slot| slot.hash == *hash)
            {
                (*candidate, *start) = (slot.id, slot.start);
            }
        }
        let (queue, queued) = (std::mem::take(&mut self.queue), std::mem::take(&mut self.queued));
        let mut start = 0;
        for queued_tuple in &queue {
            found.push(match *queued_tuple {
                Queued::Known(id) => Interned { id, is_new: false },
                Queued::Unknown { hash, end, candidate, start: stored } => {
                    let tuple = queued.get(start..end).unwrap_or_default();
                    start = end;
                    // The header has all lengths, so a tuple that begins like this one ends like it.
                    let stored = self.bytes.get(stored as usize..).filter(|_| stored != FAR).unwrap_or_default();
                    if stored.starts_with(tuple) {
                        Interned { id: candidate, is_new: false }
                    } else {
                        self.find_or_add(hash, tuple)
                    }
                }
            });
        }
        (self.queue, self.queued) = (queue, queued);
        self.queue.clear();
        self.queued.clear();
    }

    fn find_or_add(&mut self, hash: u64, tuple: &[u8]) -> Interned {
        if let Some(slot) = self.table.find(hash, |slot| slot.hash == hash && self.bytes(slot.id) == Some(tuple)) {
            return Interned { id: slot.id, is_new: false };
        }
        let id = u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
        let start = u32::try_from(self.bytes.len()).unwrap_or(FAR);
        self.bytes.extend_from_slice(tuple);
        self.ends.push(self.bytes.len());
        self.table.insert_unique(hash, Slot { hash, id, start }, |slot| slot.hash);
        Interned { id, is_new: true }
    }

    /// Looks up one tuple without a batch.
    pub fn intern(&mut self, fields: &[Option<Text<'_>>; N], number: Option<f64>) -> Interned {
        let mut found = Vec::with_capacity(1);
        self.queue(fields, number, None);
        self.settle(&mut found);
        found.pop().unwrap_or_default()
    }

    fn bytes(&self, id: u32) -> Option<&[u8]> {
        let id = id as usize;
        let start = id.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        self.bytes.get(start..*self.ends.get(id)?)
    }

    /// A field of a tuple, with its escapes resolved.
    pub fn text<'s>(&'s self, id: u32, field: usize, scratch: &'s mut String) -> Option<&'s str> {
        let tuple = self.bytes(id)?;
        let (words, _) = tuple.get(..N * WORD_BYTES)?.as_chunks::<WORD_BYTES>();
        let mut start = N * WORD_BYTES + NUMBER_BYTES;
        let mut words = words.iter().map(|word| u32::from_le_bytes(*word).checked_sub(1));
        start += words.by_ref().take(field).flatten().map(|word| (word >> 1) as usize).sum::<usize>();
        let word = words.next()??;
        let raw = tuple.get(start..start + (word >> 1) as usize)?;
        Some(Text::from_json(std::str::from_utf8(raw).ok()?, word & 1 == 1).resolve(scratch))
    }

    /// The number of a tuple.
    #[must_use]
    pub fn number(&self, id: u32) -> Option<f64> {
        let bits = self.bytes(id)?.get(N * WORD_BYTES..)?.first_chunk::<NUMBER_BYTES>()?;
        Some(u64::from_le_bytes(*bits)).filter(|bits| *bits != NO_NUMBER).map(f64::from_bits)
    }

    /// All tuples as bytes: their number, the end of each, and their contents.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 * (self.ends.len() + 1) + self.bytes.len());
        for number in std::iter::once(self.ends.len()).chain(self.ends.iter().copied()) {
            bytes.extend_from_slice(&(number as u64).to_le_bytes());
        }
        bytes.extend_from_slice(&self.bytes);
        bytes
    }

    /// The tuples of [`Self::to_bytes`], for lookups by id; `None` if the bytes are invalid. Lookups by content do not
    /// find these tuples.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let word = |position: usize| {
            let word = bytes.get(position.checked_mul(8)?..)?.first_chunk::<8>()?;
            usize::try_from(u64::from_le_bytes(*word)).ok()
        };
        let count = word(0)?;
        let ends = (1..=count).map(word).collect::<Option<Vec<usize>>>()?;
        let bytes = bytes.get(8 * (count + 1)..)?;
        let is_valid = ends.is_sorted() && ends.last().copied().unwrap_or_default() == bytes.len();
        is_valid.then(|| Self { bytes: bytes.to_vec(), ends, ..Self::default() })
    }

    /// The number of distinct tuples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns true if there are no tuples.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

/// The word of a field in the header of a tuple.
#[inline]
fn header_word(field: Option<Text<'_>>) -> u32 {
    field.map_or(0, |text| {
        // The decoder limits texts to 1 MiB.
        let length = u32::try_from(text.raw().len()).unwrap_or(u32::MAX >> 2);
        ((length << 1) | u32::from(text.is_escaped())) + 1
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_guess_never_changes_an_id(
            tuples in prop::collection::vec(
                (prop::option::of("[ab]{0,2}"), any::<bool>(), prop::option::of("[ab]{0,2}"),
                 prop::option::of(0_u8..2), prop::option::of(0_u32..12)),
                1..80,
            ),
            batch in 1_usize..9,
        ) {
            let (mut guessing, mut plain) = (Interner::<2>::default(), Interner::<2>::default());
            let (mut with_guesses, mut without) = (Vec::new(), Vec::new());
            for batch in tuples.chunks(batch) {
                for (first, is_escaped, second, number, guess) in batch {
                    let fields = [
                        first.as_deref().map(|text| Text::from_json(text, *is_escaped)),
                        second.as_deref().map(|text| Text::from_json(text, false)),
                    ];
                    guessing.queue(&fields, number.map(f64::from), *guess);
                    plain.queue(&fields, number.map(f64::from), None);
                }
                guessing.settle(&mut with_guesses);
                plain.settle(&mut without);
                prop_assert_eq!(&with_guesses, &without);
            }
        }
    }

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
        .map(|fields| tuples.intern(fields, None).id)
        .collect();
        assert_eq!(ids, [0, 1, 2, 3, 4, 5]);
        assert_eq!(
            tuples.intern(&[a, b], Some(1.0)),
            Interned { id: 6, is_new: true },
            "the number belongs to the tuple"
        );
        assert_eq!(tuples.intern(&[a, b], None), Interned { id: 0, is_new: false });
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
                let interned = tuples.intern(&[Some(Text::from_json(&text, false))], None);
                assert_eq!(interned, Interned { id: number, is_new: round == 0 });
            }
        }
    }
}
