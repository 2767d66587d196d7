//! Predicts the next key of a record: the bytes between two values (comma, key, colon and the blanks around them).
//!
//! The fast path stores the bytes of one record and compares them with the next record. Invariant: `is_at` returns true
//! only if the bytes at that position are exactly the stored ones.

/// Longer sequences are not stored.
const MAX_BYTES: usize = 32;

/// The bytes before a value, and the slot of the key that they contain.
#[derive(Clone, Copy)]
pub struct KeyPrediction {
    bytes: [u8; MAX_BYTES],
    /// The lower and the upper half of `bytes`.
    halves: [u128; 2],
    /// The bits of `halves` to compare.
    masks: [u128; 2],
    len: usize,
    slot: usize,
}

impl KeyPrediction {
    /// No prediction.
    pub const NONE: Self = Self { bytes: [0; MAX_BYTES], halves: [0; 2], masks: [0; 2], len: 0, slot: 0 };

    /// Stores these bytes, unless there are too many.
    pub fn new(separator: &[u8], slot: usize) -> Self {
        let mut bytes = [0; MAX_BYTES];
        let Some(stored) = bytes.get_mut(..separator.len()) else {
            return Self::NONE;
        };
        stored.copy_from_slice(separator);
        let mut mask = [0; MAX_BYTES];
        mask.iter_mut().take(separator.len()).for_each(|byte| *byte = 0xFF);
        Self { bytes, halves: halves(&bytes), masks: halves(&mask), len: separator.len(), slot }
    }

    /// Returns true if the stored bytes are at this position.
    #[inline]
    pub fn is_at(&self, bytes: &[u8], at: usize) -> bool {
        if self.len == 0 {
            return false;
        }
        let Some(rest) = bytes.get(at..) else { return false };
        match rest.first_chunk::<MAX_BYTES>() {
            Some(window) => {
                let window = halves(window);
                let low = (window[0] ^ self.halves[0]) & self.masks[0];
                let high = (window[1] ^ self.halves[1]) & self.masks[1];
                low | high == 0
            }
            None => self.bytes.get(..self.len).is_some_and(|stored| rest.starts_with(stored)),
        }
    }

    #[inline]
    pub const fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub const fn slot(&self) -> usize {
        self.slot
    }
}

#[inline]
fn halves(bytes: &[u8; MAX_BYTES]) -> [u128; 2] {
    let (halves, _) = bytes.as_chunks::<16>();
    let [low, high] = halves else { return [0; 2] };
    [u128::from_le_bytes(*low), u128::from_le_bytes(*high)]
}
