//! The random number generator `SplitMix64`, with an independent stream for each song, artist, user and day.
//!
//! Not for secrets. Invariant: a stream depends only on the seed, its kind and its index, and uses only integers. It
//! does not change with the platform, the number of threads or the version of a dependency.

/// The purpose of a stream. The numbers are part of the format: changing one changes every sample.
#[derive(Clone, Copy)]
pub(super) enum Stream {
    Song = 1,
    Artist = 2,
    OutsideSong = 3,
    User = 4,
    Day = 5,
    DayShare = 6,
    TrackIdentifier = 7,
    SongIdentifier = 8,
    ArtistIdentifier = 9,
}

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The last step of `SplitMix64`: a bijection on 64 bits in which every input bit affects the entire output.
pub(super) const fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// One stream of random numbers.
pub(super) struct Random {
    state: u64,
}

impl Random {
    /// The stream with the number `index` of its kind.
    pub(super) const fn new(seed: u64, stream: Stream, index: u64) -> Self {
        let of_seed = mix(seed.wrapping_add(GOLDEN));
        let of_kind = mix(of_seed ^ (stream as u64).wrapping_mul(GOLDEN));
        Self { state: mix(of_kind ^ index.wrapping_mul(GOLDEN)) }
    }

    /// 64 random bits.
    pub(super) const fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// A number in `0..limit`; 0 if the limit is 0.
    pub(super) const fn below(&mut self, limit: u64) -> u64 {
        ((self.next() as u128 * limit as u128) >> 64) as u64
    }

    /// True in one of `count` draws on average.
    pub(super) const fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    /// True in `percent` of 100 draws on average.
    pub(super) const fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// An element of a list; the default value if the list is empty.
    pub(super) fn pick<T: Copy + Default>(&mut self, list: &[T]) -> T {
        let place = usize::try_from(self.below(list.len() as u64)).unwrap_or_default();
        list.get(place).copied().unwrap_or_default()
    }

    /// A rank in `0..count` with a probability proportional to 1 / (rank + flat): Zipf's law with a flat head. `flat`
    /// is rounded down to a power of two.
    ///
    /// Draws a power of two, then a number up to the next one, and accepts it with the probability of the law. This
    /// needs no logarithm, whose last bit could differ between platforms, and no table of `count` elements.
    pub(super) const fn rank(&mut self, count: u64, flat: u64) -> u64 {
        if count <= 1 {
            return 0;
        }
        let flat = if flat == 0 { 0 } else { flat.ilog2() };
        let start = 1_u64 << flat;
        let end = start.saturating_add(count);
        let octaves = ((end - 1).ilog2() - flat) as u64 + 1;
        loop {
            let low = start << self.below(octaves);
            let drawn = low + self.below(low);
            if drawn < end && self.below(drawn) < low {
                return drawn - start;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Random, Stream};

    #[test]
    fn a_stream_never_changes() {
        // These numbers are constants: a change of them changes every sample.
        let mut random = Random::new(1, Stream::Song, 0);
        let drawn: Vec<u64> = (0..3).map(|_| random.next()).collect();
        assert_eq!(drawn, [825_971_408_479_201_008, 5_728_486_194_924_192_429, 12_195_047_730_207_523_859]);
    }

    #[test]
    fn streams_of_other_kinds_and_indices_differ() {
        let first = |stream, index| Random::new(7, stream, index).next();
        assert_ne!(first(Stream::Song, 0), first(Stream::Artist, 0));
        assert_ne!(first(Stream::Song, 0), first(Stream::Song, 1));
    }

    #[test]
    fn draws_stay_below_their_limit() {
        let mut random = Random::new(3, Stream::Day, 9);
        for limit in [0, 1, 2, 3, 10, 1000, u64::MAX] {
            for _ in 0..200 {
                let drawn = random.below(limit);
                assert!(drawn < limit || limit == 0 && drawn == 0);
            }
        }
    }

    #[test]
    fn ranks_stay_in_range_and_fall_off() {
        let mut random = Random::new(3, Stream::Day, 0);
        for count in [0, 1, 2, 3, 7, 96, 1000] {
            for flat in [0, 1, 4, 64] {
                assert!((0..500).all(|_| random.rank(count, flat) < count.max(1)));
            }
        }
        let mut seen = [0_u32; 1000];
        for _ in 0..100_000 {
            seen[usize::try_from(random.rank(1000, 1)).unwrap()] += 1;
        }
        assert!(seen.iter().all(|&count| count > 0));
        assert!(seen[0] > 5 * seen[20] && seen[20] > 5 * seen[900]);
    }
}
