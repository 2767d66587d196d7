//! What stands between two values: comma, key, colon and the blanks around them, as one string of bytes.
//!
//! Not a parser: it remembers what one has read, and compares. Invariant: `is_at` is true only where exactly
//! those bytes stand.

/// The longest glue that is remembered.
const MAX: usize = 32;

/// The bytes in front of a value, and the slot of the key that is in them.
#[derive(Clone, Copy)]
pub struct KeyPrediction {
    bytes: [u8; MAX],
    /// Both halves as numbers, and the bits of them that count.
    halves: [u128; 2],
    masks: [u128; 2],
    len: usize,
    slot: usize,
}

impl KeyPrediction {
    /// Nothing is remembered.
    pub const NONE: Self = Self { bytes: [0; MAX], halves: [0; 2], masks: [0; 2], len: 0, slot: 0 };

    /// Remembers these bytes, unless there are too many.
    pub fn new(glue: &[u8], slot: usize) -> Self {
        let mut bytes = [0; MAX];
        let Some(place) = bytes.get_mut(..glue.len()) else {
            return Self::NONE;
        };
        place.copy_from_slice(glue);
        let mut mask = [0; MAX];
        mask.iter_mut().take(glue.len()).for_each(|byte| *byte = 0xFF);
        Self { bytes, halves: halves(&bytes), masks: halves(&mask), len: glue.len(), slot }
    }

    /// Whether these bytes stand at `at`.
    #[inline]
    pub fn is_at(&self, bytes: &[u8], at: usize) -> bool {
        if self.len == 0 {
            return false;
        }
        let Some(rest) = bytes.get(at..) else { return false };
        match rest.first_chunk::<MAX>() {
            Some(window) => {
                let window = halves(window);
                let low = (window[0] ^ self.halves[0]) & self.masks[0];
                let high = (window[1] ^ self.halves[1]) & self.masks[1];
                low | high == 0
            }
            None => self.bytes.get(..self.len).is_some_and(|glue| rest.starts_with(glue)),
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
fn halves(bytes: &[u8; MAX]) -> [u128; 2] {
    let (halves, _) = bytes.as_chunks::<16>();
    let [low, high] = halves else { return [0; 2] };
    [u128::from_le_bytes(*low), u128::from_le_bytes(*high)]
}
