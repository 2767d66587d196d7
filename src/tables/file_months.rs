//! Which months a file's plays lie in; and, where only some months are wanted, which plays are.
//!
//! Invariant: every month of every play that was asked about is noted once for its file, wanted or not.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::tables::time::Month;

/// The months of files, as one worker sees them.
#[derive(Clone, Debug, Default)]
pub struct FileMonths {
    /// Each file's number with a month of its plays.
    pub months: BTreeSet<(usize, Month)>,
    /// The file, the span of time and the answer of the last play: most plays are like the one before.
    last: (usize, Range<i64>, bool),
}

impl FileMonths {
    /// Notes a play of a file; says whether it is wanted: `wanted` names the months, or all are.
    pub fn note(&mut self, file: usize, ts: i64, wanted: Option<&BTreeSet<Month>>) -> bool {
        let (known, span, is_wanted) = &self.last;
        if *known == file && span.contains(&ts) {
            return *is_wanted;
        }
        let month = Month::of(ts);
        let is_wanted = wanted.is_none_or(|wanted| wanted.contains(&month));
        self.months.insert((file, month));
        self.last = (file, Month::start(ts)..Month::end(ts), is_wanted);
        is_wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_noted_and_chosen() {
        let (day, mut feeds) = (86_400_000, FileMonths::default());
        let february = BTreeSet::from([Month { year: 1970, month: 2 }]);
        let plays = [(0, 0), (0, 30 * day), (0, 31 * day), (1, 31 * day), (1, 59 * day), (1, 58 * day)];
        let wanted: Vec<bool> = plays.iter().map(|(file, ts)| feeds.note(*file, *ts, Some(&february))).collect();
        assert_eq!(wanted, [false, false, true, true, false, true]);
        let months: Vec<(usize, i32)> = feeds.months.iter().map(|(file, month)| (*file, month.month)).collect();
        assert_eq!(months, [(0, 1), (0, 2), (1, 2), (1, 3)]);
        assert!(FileMonths::default().note(7, 0, None));
    }
}
