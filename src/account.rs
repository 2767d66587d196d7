//! Every record accounted for: how many were read, what became of them, and where the bad ones are.
//!
//! It counts what the decoder reports; it judges nothing.
//!
//! Invariant: merging accounts in any order gives the same account, the list of first rejects included.

use std::collections::BTreeMap;

use crate::decode::{Reject, Tally};
use crate::fetch::Chunk;

/// How many rejects are kept with their place.
const LOCATED: usize = 20;

/// How many different reasons are told apart; keys are part of a reason.
const REASONS: usize = 1000;

/// Where a rejected record lies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Located {
    /// Which file of the listing.
    pub file: usize,
    /// Byte offset in the (decompressed) file.
    pub offset: u64,
    /// Line breaks before it; `None` when that takes reading the file once more.
    pub lines_before: Option<u64>,
    /// Reason code.
    pub reason: &'static str,
    /// The key it is about.
    pub key: Option<String>,
}

/// The accounting of one content's files, or of a part of them.
#[derive(Debug, Default)]
pub struct Account {
    /// The counts.
    pub tally: Tally,
    /// Quarantined records by reason.
    pub reasons: BTreeMap<String, u64>,
    /// The first rejects in the order of the listing.
    pub first: Vec<Located>,
    /// Files left out as a whole, with the reason.
    pub bad_files: Vec<(usize, &'static str)>,
}

impl Account {
    /// Takes in one reject of a chunk.
    pub fn reject(&mut self, chunk: &Chunk<'_>, reject: &Reject<'_>) {
        let reason = reject.reason.as_str();
        let key = reject.key.map(str::to_owned);
        let name = key.as_ref().map_or_else(|| reason.to_owned(), |key| format!("{reason}:{key}"));
        let name =
            if self.reasons.len() < REASONS || self.reasons.contains_key(&name) { name } else { reason.to_owned() };
        *self.reasons.entry(name).or_default() += 1;
        // The key in the wrong case that stands where the right one is missing.
        let key = match (key, reject.variant) {
            (Some(key), Some(variant)) => Some(format!("{key} (found {variant:?})")),
            (key, _) => key,
        };
        let lines_before = chunk.lines_before.map(|lines| lines + reject.line);
        self.locate(Located { file: chunk.file, offset: chunk.offset + reject.offset, lines_before, reason, key });
    }

    /// Takes in the account of another part.
    pub fn merge(&mut self, other: Self) {
        self.tally.merge(&other.tally);
        for (reason, count) in other.reasons {
            *self.reasons.entry(reason).or_default() += count;
        }
        for located in other.first {
            self.locate(located);
        }
        self.bad_files.extend(other.bad_files);
        self.bad_files.sort_unstable();
    }

    fn locate(&mut self, located: Located) {
        let position = self.first.partition_point(|known| *known < located);
        if position < LOCATED {
            self.first.insert(position, located);
            self.first.truncate(LOCATED);
        }
    }
}
