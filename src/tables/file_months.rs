//! The months of the plays of each file, and the selection of plays when only some months are rebuilt.
//!
//! Invariant: the months of all plays are recorded, once per file, even if the play's month is not selected.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::tables::time::Month;

/// The months of the plays of each file, of one worker.
#[derive(Clone, Debug, Default)]
pub struct FileMonths {
    /// Pairs of a file's number and a month of its plays.
    pub months: BTreeSet<(usize, Month)>,
    /// The file, the month's time span and the result for the last play: most plays have the same as the play before.
    last: (usize, Range<i64>, bool),
}

impl FileMonths {
    /// Records a play of a file. Returns true if its month is in `wanted`, or if there is no selection.
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
    fn months_are_recorded_and_selected() {
        let (day, mut file_months) = (86_400_000, FileMonths::default());
        let february = BTreeSet::from([Month { year: 1970, month: 2 }]);
        let plays = [(0, 0), (0, 30 * day), (0, 31 * day), (1, 31 * day), (1, 59 * day), (1, 58 * day)];
        let wanted: Vec<bool> = plays.iter().map(|(file, ts)| file_months.note(*file, *ts, Some(&february))).collect();
        assert_eq!(wanted, [false, false, true, true, false, true]);
        let months: Vec<(usize, i32)> = file_months.months.iter().map(|(file, month)| (*file, month.month)).collect();
        assert_eq!(months, [(0, 1), (0, 2), (1, 2), (1, 3)]);
        assert!(FileMonths::default().note(7, 0, None));
    }
}
