//! Maps the name of a key to its slot, for the fast path: the known keys, and the first few unknown keys in the input.
//!
//! Invariant: the slot of a known key is its index in [`RecordSchema::KEYS`]. The hash table only suggests the slot to
//! compare first.

use std::marker::PhantomData;

use crate::decode::chunk_counts::UnknownKeys;
use crate::decode::coercion::RecordSchema;

/// The largest number of keys that get a slot: the bits of a `u32`.
pub const MAX_SLOTS: usize = 32;

const TABLE_SIZE: usize = 64;

/// The slots of the keys of one schema.
pub struct KeyNames<S> {
    /// The slot to compare first, by hash.
    table: [u8; TABLE_SIZE],
    multiplier: u32,
    /// Unknown keys have the slots after the known ones.
    unknown: Vec<UnknownKey>,
    schema: PhantomData<S>,
}

struct UnknownKey {
    name: Box<str>,
    count: u64,
}

impl<S: RecordSchema> KeyNames<S> {
    pub fn new() -> Self {
        // The first multiplier with which no two keys have the same hash. Both schemas have one; without it, lookups
        // would only be slower.
        let no_collision = |multiplier: &u32| {
            let mut taken = 0u64;
            S::KEYS.iter().all(|key| {
                let bit = 1u64 << hash(key.as_bytes(), *multiplier);
                let free = taken & bit == 0;
                taken |= bit;
                free
            })
        };
        let multiplier = (1..100_000).map(|n: u32| n.wrapping_mul(0x9E37_79B1) | 1).find(no_collision).unwrap_or(1);
        let mut table = [0; TABLE_SIZE];
        for (slot, key) in (0..).zip(S::KEYS) {
            if let Some(entry) = table.get_mut(hash(key.as_bytes(), multiplier)) {
                *entry = slot;
            }
        }
        Self { table, multiplier, unknown: Vec::new(), schema: PhantomData }
    }

    /// The slot of a key. None for an unknown key if no slot is free, or if it differs from a required key in case
    /// only: then the strict parser must read the record.
    #[inline]
    pub fn slot(&mut self, key: &[u8]) -> Option<usize> {
        let suggested = usize::from(*self.table.get(hash(key, self.multiplier))?);
        if S::KEYS.get(suggested)?.as_bytes() == key {
            return Some(suggested);
        }
        self.search_slot(key)
    }

    #[inline(never)]
    fn search_slot(&mut self, key: &[u8]) -> Option<usize> {
        if let Some(slot) = S::KEYS.iter().position(|known| known.as_bytes() == key) {
            return Some(slot);
        }
        if let Some(index) = self.unknown.iter().position(|unknown| unknown.name.as_bytes() == key) {
            return Some(S::KEYS.len() + index);
        }
        let room = S::KEYS.len() + self.unknown.len() < MAX_SLOTS;
        let variant = S::KEYS.iter().take(S::REQUIRED).any(|known| known.as_bytes().eq_ignore_ascii_case(key));
        if !room || variant {
            return None;
        }
        self.unknown.push(UnknownKey { name: str::from_utf8(key).ok()?.into(), count: 0 });
        Some(S::KEYS.len() + self.unknown.len() - 1)
    }

    /// Counts the unknown keys of an object, given one bit per slot.
    #[inline]
    pub fn count_unknown(&mut self, seen: u32) {
        let mut seen = seen >> S::KEYS.len();
        while seen != 0 {
            if let Some(unknown) = self.unknown.get_mut(seen.trailing_zeros() as usize) {
                unknown.count += 1;
            }
            seen &= seen - 1;
        }
    }

    /// Moves the counts to `keys`.
    pub fn flush_counts(&mut self, keys: &mut UnknownKeys) {
        for unknown in self.unknown.iter_mut().filter(|unknown| unknown.count > 0) {
            keys.add(&unknown.name, std::mem::take(&mut unknown.count));
        }
    }
}

#[inline]
fn hash(key: &[u8], multiplier: u32) -> usize {
    let (Some(&first), Some(&last)) = (key.first(), key.last()) else { return 0 };
    let [length, ..] = key.len().to_le_bytes();
    let mixed = u32::from_le_bytes([first, last, length, 0]);
    (mixed.wrapping_mul(multiplier) >> (u32::BITS - TABLE_SIZE.trailing_zeros())) as usize
}
