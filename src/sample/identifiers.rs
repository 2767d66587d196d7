//! The identifiers of songs, artists and tracks, in the format of the Million Song Dataset.
//!
//! Invariant: no two songs, artists or tracks have the same identifier. No list of used identifiers is needed, because
//! the digits are a bijection of the number of the song, artist or track.

use crate::sample::random::{Random, Stream};

/// Numbers below this limit have unique identifiers: nine hexadecimal digits.
const IDENTIFIERS: u64 = 1 << 36;
/// The limit of songs; more would need longer identifiers, because each song may have two files.
pub(super) const MAX_SONGS: u64 = IDENTIFIERS / 2;
/// The approximate number of songs per folder, if there are enough songs for 26 folders.
const SONGS_PER_FOLDER: u64 = 32;

/// Generates unique identifiers in the format of the Million Song Dataset.
pub(super) struct Identifiers {
    seed: u64,
    first_letters: u64,
    second_letters: u64,
}

impl Identifiers {
    pub(super) const fn new(seed: u64, songs: u64) -> Self {
        let second_letters = letters_for(songs / (26 * SONGS_PER_FOLDER));
        let first_letters = letters_for(songs / (26 * 26 * SONGS_PER_FOLDER));
        Self { seed, first_letters, second_letters }
    }

    /// The letters after `TR` name the folders, so a sample with few songs uses few different letters.
    pub(super) fn track(&self, number: u64) -> [u8; 18] {
        let (mut id, mut random) = self.identifier(*b"TR_____12", Stream::TrackIdentifier, number);
        id[2] = letter(random.below(self.first_letters));
        id[3] = letter(random.below(self.second_letters));
        id
    }

    pub(super) fn song(&self, number: u64) -> [u8; 18] {
        self.identifier(*b"SO_____12", Stream::SongIdentifier, number).0
    }

    pub(super) fn artist(&self, number: u64) -> [u8; 18] {
        self.identifier(*b"AR_____11", Stream::ArtistIdentifier, number).0
    }

    /// The pattern with random letters for `_`, followed by nine digits that make it unique; and the rest of the
    /// stream.
    #[expect(clippy::indexing_slicing, reason = "the pattern has nine letters, the table sixteen digits")]
    fn identifier(&self, pattern: [u8; 9], kind: Stream, number: u64) -> ([u8; 18], Random) {
        let mut random = Random::new(self.seed, kind, number);
        let mut id = [0; 18];
        let (head, digits) = id.split_at_mut(pattern.len());
        head.copy_from_slice(&pattern);
        for place in &mut head[2..7] {
            *place = letter(random.below(26));
        }
        let start = Random::new(self.seed, kind, u64::MAX).next();
        let mut rest = scatter(number.wrapping_add(start));
        for place in digits.iter_mut().rev() {
            *place = UPPER_HEX[usize::from(rest.to_le_bytes()[0] & 0xf)];
            rest >>= 4;
        }
        (id, random)
    }
}

/// A bijection on 36 bits: each step is invertible, so different numbers have different results.
const fn scatter(number: u64) -> u64 {
    let mask = IDENTIFIERS - 1;
    let mut value = number & mask;
    value ^= value >> 18;
    value = value.wrapping_mul(0x9_E377_9B97) & mask;
    value ^= value >> 17;
    value = value.wrapping_mul(0xB_F584_76D1) & mask;
    value ^ (value >> 18)
}

const UPPER_HEX: [u8; 16] = *b"0123456789ABCDEF";

const fn letters_for(full_folders: u64) -> u64 {
    if full_folders >= 26 { 26 } else { full_folders + 1 }
}

const fn letter(number: u64) -> u8 {
    b'A' + number.to_le_bytes()[0] % 26
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::Identifiers;

    #[test]
    fn identifiers_are_unique_and_look_right() {
        let identifiers = Identifiers::new(5, 20_000);
        for (make, prefix) in [
            (Identifiers::track as fn(&Identifiers, u64) -> [u8; 18], b"TR"),
            (Identifiers::song, b"SO"),
            (Identifiers::artist, b"AR"),
        ] {
            let made: HashSet<_> = (0..20_000).map(|number| make(&identifiers, number)).collect();
            assert_eq!(made.len(), 20_000);
            for id in made {
                assert!(id.starts_with(prefix) && id[2..7].iter().all(u8::is_ascii_uppercase));
                assert!(id[7..].iter().all(u8::is_ascii_hexdigit));
            }
        }
    }

    #[test]
    fn few_songs_use_few_folders() {
        for (songs, most) in [(0, 26), (500, 26), (15_000, 26 * 19), (1_000_000, 26 * 26 * 26)] {
            let identifiers = Identifiers::new(5, songs);
            let folders: HashSet<_> =
                (0..songs.min(50_000)).map(|number| identifiers.track(number)[2..5].to_vec()).collect();
            assert!(
                folders.len() <= most && folders.len() * 2 >= usize::try_from(songs).unwrap().min(most),
                "{}",
                folders.len()
            );
        }
    }
}
