//! The figures of the last versions: the values that expectations compared. Each commit record has those of the versions
//! before it, so a report can show how a figure developed, and no other record is read.
//!
//! Invariant: a history has at most as many versions as the commit log keeps, the oldest first.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A value as a fraction, serialized as `[part, whole]`: 12 NULLs of 320 rows, or 320 rows (of 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figure(pub u64, pub u64);

impl Figure {
    /// The value; 0 for a part of nothing.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of rows and seconds are below 2^53")]
    pub fn value(self) -> f64 {
        if self.1 == 0 { 0.0 } else { self.0 as f64 / self.1 as f64 }
    }
}

/// The figures of a version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionFigures {
    /// The number of the version.
    pub version: u64,
    /// When the run began that committed it; RFC 3339, UTC.
    pub committed_at: String,
    /// The figures, by names such as `songplays.rows`.
    pub values: BTreeMap<String, Figure>,
}

/// The history at a new version: that of the version before, and the new figures if there are any; at most the last
/// `kept` versions.
pub(super) fn history(before: &[VersionFigures], new: VersionFigures, kept: u64) -> Vec<VersionFigures> {
    let mut history = before.to_vec();
    if !new.values.is_empty() {
        history.push(new);
    }
    let too_many = history.len().saturating_sub(usize::try_from(kept).unwrap_or(usize::MAX));
    history.drain(..too_many);
    history
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_has_the_last_versions() {
        let values = BTreeMap::from([("songs.rows".to_owned(), Figure(5, 1))]);
        let mut known = Vec::new();
        for version in 1..=10 {
            let new = VersionFigures { version, values: values.clone(), ..VersionFigures::default() };
            known = history(&known, new, 7);
        }
        let versions: Vec<u64> = known.iter().map(|figures| figures.version).collect();
        assert_eq!(versions, (4..=10).collect::<Vec<_>>());
        // A run without expectations keeps the history.
        assert_eq!(history(&known, VersionFigures::default(), 7), known);
    }
}
