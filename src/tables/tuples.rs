//! Tuples of texts, each distinct one kept once.
//!
//! An event repeats who its user is and what was played; both are interned as a whole, so that a play is two small
//! numbers instead of nine texts. Texts are kept as they stand in the input, escapes unresolved, because most tuples
//! are only ever compared with themselves.
//!
//! Invariant: equal input gives an equal id. The reverse does not hold: the same text may be escaped in two ways and
//! then has two ids, so ids are never compared where texts are meant.

use std::hash::{BuildHasher, Hasher};

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::decode::Text;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape<const N: usize> {
    lengths: [u32; N],
    /// One bit a field.
    present: u8,
    /// One bit a field.
    escaped: u8,
    /// A number that belongs to the tuple, as bits; `None` is NULL.
    number: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Entry<const N: usize> {
    start: usize,
    shape: Shape<N>,
}

/// The distinct tuples of `N` (at most 8) optional texts and an optional number.
#[derive(Debug)]
pub struct Tuples<const N: usize> {
    hasher: DefaultHashBuilder,
    table: HashTable<u32>,
    texts: String,
    entries: Vec<Entry<N>>,
}

impl<const N: usize> Default for Tuples<N> {
    fn default() -> Self {
        Self {
            hasher: DefaultHashBuilder::default(),
            table: HashTable::new(),
            texts: String::new(),
            entries: Vec::new(),
        }
    }
}

impl<const N: usize> Tuples<N> {
    /// The tuple's id, and whether it is new. Ids count up from 0.
    pub fn intern(&mut self, fields: &[Option<Text<'_>>; N], number: Option<f64>) -> (u32, bool) {
        let mut shape = Shape { lengths: [0; N], present: 0, escaped: 0, number: number.map(f64::to_bits) };
        let mut hasher = self.hasher.build_hasher();
        for ((position, field), length) in fields.iter().enumerate().zip(&mut shape.lengths) {
            if let Some(text) = field {
                shape.present |= 1 << position;
                shape.escaped |= u8::from(text.is_escaped()) << position;
                // Texts are at most 1 MiB long, the decoder sees to it.
                *length = u32::try_from(text.raw().len()).unwrap_or(u32::MAX);
                hasher.write(text.raw().as_bytes());
            }
        }
        hasher.write_u64(shape.number.unwrap_or(u64::MAX) ^ u64::from(shape.present));
        let hash = hasher.finish();
        let (texts, entries) = (&self.texts, &self.entries);
        let known = self.table.find(hash, |id| {
            entries.get(*id as usize).is_some_and(|entry| entry.shape == shape && equal(texts, entry, fields))
        });
        if let Some(id) = known {
            return (*id, false);
        }
        let id = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        self.entries.push(Entry { start: self.texts.len(), shape });
        for text in fields.iter().flatten() {
            self.texts.push_str(text.raw());
        }
        let (hasher, texts, entries) = (&self.hasher, &self.texts, &self.entries);
        self.table
            .insert_unique(hash, id, |id| entries.get(*id as usize).map_or(0, |entry| rehash(hasher, texts, entry)));
        (id, true)
    }

    /// A field of a tuple, its escapes resolved.
    pub fn text<'s>(&'s self, id: u32, field: usize, scratch: &'s mut String) -> Option<&'s str> {
        let entry = self.entries.get(id as usize)?;
        if entry.shape.present & (1 << field) == 0 {
            return None;
        }
        let start = entry.start + entry.shape.lengths.iter().take(field).map(|length| *length as usize).sum::<usize>();
        let raw = self.texts.get(start..start + *entry.shape.lengths.get(field)? as usize)?;
        Some(Text::from_json(raw, entry.shape.escaped & (1 << field) != 0).resolve(scratch))
    }

    /// The number of a tuple.
    #[must_use]
    pub fn number(&self, id: u32) -> Option<f64> {
        self.entries.get(id as usize)?.shape.number.map(f64::from_bits)
    }

    /// How many distinct tuples there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

fn equal<const N: usize>(texts: &str, entry: &Entry<N>, fields: &[Option<Text<'_>>; N]) -> bool {
    let mut rest = texts.as_bytes().get(entry.start..).unwrap_or_default();
    fields.iter().flatten().all(|text| match rest.split_at_checked(text.raw().len()) {
        Some((known, after)) => {
            rest = after;
            known == text.raw().as_bytes()
        }
        None => false,
    })
}

/// The same hash as [`Tuples::intern`] computes, from what is kept.
fn rehash<const N: usize>(hasher: &DefaultHashBuilder, texts: &str, entry: &Entry<N>) -> u64 {
    let mut hasher = hasher.build_hasher();
    let mut start = entry.start;
    for (position, length) in entry.shape.lengths.iter().enumerate() {
        if entry.shape.present & (1 << position) != 0 {
            let end = start + *length as usize;
            hasher.write(texts.as_bytes().get(start..end).unwrap_or_default());
            start = end;
        }
    }
    hasher.write_u64(entry.shape.number.unwrap_or(u64::MAX) ^ u64::from(entry.shape.present));
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_do_not_run_into_each_other() {
        let mut tuples = Tuples::<2>::default();
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
        let mut tuples = Tuples::<1>::default();
        for round in 0..2 {
            for number in 0..10_000_u32 {
                let text = number.to_string();
                assert_eq!(tuples.intern(&[Some(Text::from_json(&text, false))], None), (number, round == 0));
            }
        }
    }
}
