//! How the input differs from what a version was made from: the listing beside the ledger.
//!
//! Invariant: nothing is looked at but names, sizes and times; every listed file is either read or unchanged, and every
//! file of the ledger either unchanged or left.

use std::collections::{BTreeMap, HashMap};

use crate::commit::base::{Ledger, LedgerFile};
use crate::discover::Listing;
use crate::ledger;
use crate::plan::Source;

/// The files of one content, sorted out.
#[derive(Debug, Default)]
pub struct Delta<'l> {
    /// Files that are new, or not what they were; by number.
    pub read: Vec<usize>,
    /// How many of them are new.
    pub new: usize,
    /// Files that are what they were; by name, with their number and what is known of them.
    pub unchanged: BTreeMap<&'l str, (usize, &'l LedgerFile)>,
    /// What is known of files that have changed or gone.
    pub left: Vec<&'l LedgerFile>,
}

impl<'l> Delta<'l> {
    /// Compares; `None` when the ledger is that of another place. `wants` says of a known file whether what is known of
    /// it is good enough.
    #[must_use]
    pub fn new(
        source: &Source,
        listing: &Listing,
        ledger: &'l Ledger,
        listed_at: i128,
        wants: impl Fn(&LedgerFile) -> bool,
    ) -> Option<Self> {
        if ledger.location != ledger::location(source) {
            return None;
        }
        let mut known: HashMap<&str, &LedgerFile> =
            ledger.files.iter().map(|(name, file)| (name.as_str(), file)).collect();
        let mut delta = Self::default();
        for (index, file) in listing.files.iter().enumerate() {
            let name = ledger::name(source, file);
            let Some((name, known)) = known.remove_entry(name.as_str()) else {
                delta.new += 1;
                delta.read.push(index);
                continue;
            };
            if ledger::is_same(known, file, listed_at) && wants(known) {
                delta.unchanged.insert(name, (index, known));
            } else {
                delta.read.push(index);
                delta.left.push(known);
            }
        }
        delta.left.extend(known.into_values());
        Some(delta)
    }

    /// Whether nothing has changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.read.is_empty() && self.left.is_empty()
    }
}
