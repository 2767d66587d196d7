//! From the name of a key to its slot: the known keys, and the first few unknown ones that the input has.
//!
//! Not the count that reports show; that is the tally's. Invariant: the slots of known keys are their places in
//! [`Schema::KEYS`], whatever the hash does: it only says where to look first.

use std::marker::PhantomData;

use crate::decode::chunk_counts::UnknownKeys;
use crate::decode::coercion::Schema;

/// How many different keys are told apart: as many as a `u32` has bits.
pub const SLOTS: usize = 32;

const TABLE: usize = 64;

/// The slots of one schema.
pub struct KeyNames<S> {
    /// By hash: the slot to try.
    table: [u8; TABLE],
    multiplier: u32,
    /// Unknown keys take the slots behind the known ones.
    unknown: Vec<Unknown>,
    schema: PhantomData<S>,
}

struct Unknown {
    name: Box<str>,
    count: u64,
}

impl<S: Schema> KeyNames<S> {
    pub fn new() -> Self {
        // The first multiplier that gives each key a place of its own. There is one; if not, the table only
        // helps less.
        let spread = |multiplier: &u32| {
            let mut taken = 0u64;
            S::KEYS.iter().all(|key| {
                let bit = 1u64 << hash(key.as_bytes(), *multiplier);
                let free = taken & bit == 0;
                taken |= bit;
                free
            })
        };
        let multiplier = (1..100_000).map(|n: u32| n.wrapping_mul(0x9E37_79B1) | 1).find(spread).unwrap_or(1);
        let mut table = [0; TABLE];
        for (slot, key) in (0..).zip(S::KEYS) {
            if let Some(place) = table.get_mut(hash(key.as_bytes(), multiplier)) {
                *place = slot;
            }
        }
        Self { table, multiplier, unknown: Vec::new(), schema: PhantomData }
    }

    /// The slot of a key. None for an unknown one that there is no room for, or that has to be looked at with care
    /// because only its case is wrong.
    #[inline]
    pub fn slot(&mut self, key: &[u8]) -> Option<usize> {
        let first = usize::from(*self.table.get(hash(key, self.multiplier))?);
        if S::KEYS.get(first)?.as_bytes() == key {
            return Some(first);
        }
        self.other_slot(key)
    }

    #[inline(never)]
    fn other_slot(&mut self, key: &[u8]) -> Option<usize> {
        if let Some(slot) = S::KEYS.iter().position(|known| known.as_bytes() == key) {
            return Some(slot);
        }
        if let Some(place) = self.unknown.iter().position(|unknown| unknown.name.as_bytes() == key) {
            return Some(S::KEYS.len() + place);
        }
        let room = S::KEYS.len() + self.unknown.len() < SLOTS;
        let variant = S::KEYS.iter().take(S::REQUIRED).any(|known| known.as_bytes().eq_ignore_ascii_case(key));
        if !room || variant {
            return None;
        }
        self.unknown.push(Unknown { name: str::from_utf8(key).ok()?.into(), count: 0 });
        Some(S::KEYS.len() + self.unknown.len() - 1)
    }

    /// Counts the unknown ones among the keys of an object: a bit for each slot.
    #[inline]
    pub fn count(&mut self, seen: u32) {
        let mut seen = seen >> S::KEYS.len();
        while seen != 0 {
            if let Some(unknown) = self.unknown.get_mut(seen.trailing_zeros() as usize) {
                unknown.count += 1;
            }
            seen &= seen - 1;
        }
    }

    /// Moves the counts to a tally.
    pub fn hand_over(&mut self, keys: &mut UnknownKeys) {
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
    (mixed.wrapping_mul(multiplier) >> (u32::BITS - TABLE.trailing_zeros())) as usize
}
