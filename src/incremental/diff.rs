//! How the input differs from what a version was made from: the listing beside the ledger.
//!
//! Invariant: nothing is looked at but names, sizes and times; every listed file is either read or unchanged, and every
//! file of the ledger either unchanged or left.

use std::collections::BTreeMap;

use crate::input::file_identity;
use crate::input::list::{Listing, Selection};
use crate::input::sources::Source;
use crate::lake::checkpoint::{Manifest, ManifestEntry};

/// The files of one content, sorted out; listed ones by their numbers.
#[derive(Debug, Default)]
pub struct InputDiff<'l> {
    /// Files that the ledger does not know.
    pub new: Vec<usize>,
    /// Files that are not what they were, with what they were.
    pub changed: Vec<(usize, &'l ManifestEntry)>,
    /// Files that are what they were; by name, with their number and what is known of them.
    pub unchanged: BTreeMap<&'l str, (usize, &'l ManifestEntry)>,
    /// Files that are no longer there, by name.
    pub gone: BTreeMap<&'l str, &'l ManifestEntry>,
}

impl<'l> InputDiff<'l> {
    /// Compares; `None` when the ledger is that of another place. `wants` says of a known file whether what is known of
    /// it is good enough.
    #[must_use]
    pub fn new(
        source: &Source,
        listing: &Listing,
        ledger: &'l Manifest,
        listed_at: i128,
        wants: impl Fn(&ManifestEntry) -> bool,
    ) -> Option<Self> {
        if ledger.location != file_identity::location(source) {
            return None;
        }
        let mut delta =
            Self { gone: ledger.files.iter().map(|(name, file)| (name.as_str(), file)).collect(), ..Self::default() };
        for (index, file) in listing.files.iter().enumerate() {
            match delta.gone.remove_entry(file_identity::name(source, file).as_str()) {
                None => delta.new.push(index),
                Some((name, known))
                    if file_identity::is_unchanged(file, (known.size, &known.version), listed_at) && wants(known) =>
                {
                    delta.unchanged.insert(name, (index, known));
                }
                Some((_, known)) => delta.changed.push((index, known)),
            }
        }
        Some(delta)
    }

    /// Whether nothing has changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.new.is_empty() && self.changed.is_empty() && self.gone.is_empty()
    }

    /// The files that are new, or not what they were.
    #[must_use]
    pub fn to_read(&self) -> Selection {
        let mut read: Vec<usize> =
            self.new.iter().copied().chain(self.changed.iter().map(|(index, _)| *index)).collect();
        read.sort_unstable();
        read.into()
    }

    /// What was known of files that have changed or gone.
    pub fn left(&self) -> impl Iterator<Item = &'l ManifestEntry> {
        self.changed.iter().map(|(_, known)| *known).chain(self.gone.values().copied())
    }
}
