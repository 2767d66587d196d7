//! Random input for the readers of files that other programs wrote. Tests only.
//!
//! Each execution has its own seed, and a failure prints it. `FUZZ_SECONDS` sets the length of a loop and begins at a
//! different seed each time; `FUZZ_SEED` sets the first seed.
//!
//! Invariant: the same seed gives the same input.

#![expect(clippy::disallowed_methods, reason = "tests read their length and seed from the environment")]
#![expect(clippy::print_stderr, reason = "tests print the number of executions")]

use std::env;
use std::str::FromStr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Length of a loop in seconds, unless `FUZZ_SECONDS` sets it.
const DEFAULT_SECONDS: f64 = 0.3;

/// The random number generator `SplitMix64`.
pub struct Random(u64);

impl Random {
    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; a `bound` of 0 counts as 1.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 16).unwrap() % bound.max(1)
    }

    /// One of `all`.
    pub fn of<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        &all[self.below(all.len())]
    }

    /// Damages bytes one to four times: flips a bit, changes a byte, removes, doubles or moves a part, or inserts a
    /// token.
    pub fn damage(&mut self, bytes: &mut Vec<u8>, tokens: &[&[u8]]) {
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            let end = (at + 1 + self.below(12)).min(bytes.len());
            let part: Vec<u8> = bytes.get(at..end).unwrap_or_default().to_vec();
            match self.below(6) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                1 if at < bytes.len() => bytes[at] = self.next().to_le_bytes()[0],
                2 => drop(bytes.drain(at..end.max(at))),
                3 => drop(bytes.splice(at..at, part)),
                4 => {
                    let to = self.below(bytes.len() + 1);
                    drop(bytes.splice(to..to, part));
                }
                _ => {
                    let token = self.of(tokens).to_vec();
                    drop(bytes.splice(at..at, token));
                }
            }
        }
    }
}

/// Prints the seed if an execution fails.
struct Execution<'n>(&'n str, u64);

impl Drop for Execution<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{} failed: set FUZZ_SEED={} to repeat it", self.0, self.1);
        }
    }
}

/// Executes `one` repeatedly, and prints the number of executions.
pub fn fuzz(name: &str, mut one: impl FnMut(&mut Random)) {
    let seconds: Option<f64> = variable("FUZZ_SECONDS");
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() << 32;
    let first: u64 = variable("FUZZ_SEED").unwrap_or_else(|| if seconds.is_some() { clock() } else { 1 });
    let (begun, time) = (Instant::now(), Duration::from_secs_f64(seconds.unwrap_or(DEFAULT_SECONDS)));
    let mut executions = 0;
    while executions == 0 || begun.elapsed() < time {
        let execution = Execution(name, first + executions);
        one(&mut Random(execution.1));
        executions += 1;
    }
    eprintln!("{name}: {executions} executions from seed {first}");
}

fn variable<T: FromStr>(name: &str) -> Option<T> {
    env::var(name).ok()?.parse().ok()
}
