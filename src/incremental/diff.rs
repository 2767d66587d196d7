//! Compares the listed input files with the manifest of an earlier version.
//!
//! Invariant: only names, sizes and modification times or tags are compared. Every listed file is either new, changed
//! or unchanged, and every file of the manifest is changed, unchanged or missing.

use std::collections::BTreeMap;

use crate::input::file_identity;
use crate::input::list::{InputFile, Listing, Selection};
use crate::input::sources::Source;
use crate::lake::checkpoint::{Manifest, ManifestEntry};

/// The files of one content, by how they differ from the manifest. Listed files are identified by their number.
#[derive(Debug, Default)]
pub(crate) struct InputDiff<'m> {
    /// Listed files that the manifest does not contain.
    pub(crate) new: Vec<usize>,
    /// Listed files that differ from their entry in the manifest, with that entry.
    pub(crate) changed: Vec<(usize, &'m ManifestEntry)>,
    /// Listed files that match the manifest: number and entry by name.
    pub(crate) unchanged: BTreeMap<&'m str, (usize, &'m ManifestEntry)>,
    /// Entries of the manifest without a listed file, by name.
    pub(crate) missing: BTreeMap<&'m str, &'m ManifestEntry>,
}

impl<'m> InputDiff<'m> {
    /// Compares a listing with a manifest whose files were listed at `listed_at`, by the paths below their locations. A
    /// file whose entry is not `is_usable` counts as changed.
    #[must_use]
    pub(crate) fn new(
        source: &Source,
        listing: &Listing,
        manifest: &'m Manifest,
        listed_at: i128,
        is_usable: impl Fn(&ManifestEntry) -> bool,
    ) -> Self {
        let files = listing.files.iter().enumerate();
        let mut files: Vec<(String, usize, &InputFile)> =
            files.map(|(index, file)| (file_identity::name(source, file), index, file)).collect();
        // In the order of the manifest, so that one pass over both finds all differences. Listings are nearly in this order.
        files.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let mut diff = Self::default();
        let (mut unchanged, mut missing) = (Vec::new(), Vec::new());
        let mut entries = manifest.files.iter().map(|(name, entry)| (name.as_str(), entry)).peekable();
        for (name, index, file) in &files {
            while let Some(entry) = entries.next_if(|(known, _)| known < &name.as_str()) {
                missing.push(entry);
            }
            match entries.next_if(|(known, _)| known == name) {
                None => diff.new.push(*index),
                Some((name, entry))
                    if file_identity::is_unchanged(file, (entry.size, &entry.version), listed_at)
                        && is_usable(entry) =>
                {
                    unchanged.push((name, (*index, entry)));
                }
                Some((_, entry)) => diff.changed.push((*index, entry)),
            }
        }
        missing.extend(entries);
        // Back to the order of the listing.
        diff.new.sort_unstable();
        diff.changed.sort_unstable_by_key(|(index, _)| *index);
        (diff.unchanged, diff.missing) = (unchanged.into_iter().collect(), missing.into_iter().collect());
        diff
    }

    /// Returns true if nothing has changed.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.new.is_empty() && self.changed.is_empty() && self.missing.is_empty()
    }

    /// Returns the new and changed files.
    #[must_use]
    pub(crate) fn to_read(&self) -> Selection {
        let mut files: Vec<usize> =
            self.new.iter().copied().chain(self.changed.iter().map(|(index, _)| *index)).collect();
        files.sort_unstable();
        files.into()
    }

    /// Returns the earlier entries of changed and missing files.
    pub(crate) fn outdated_entries(&self) -> impl Iterator<Item = &'m ManifestEntry> {
        self.changed.iter().map(|(_, entry)| *entry).chain(self.missing.values().copied())
    }
}
