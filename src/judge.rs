//! Whether what was read is good enough to be published.
//!
//! The rules of the bad-input catalogue on whole runs: every record accounted for, not too many of them bad, and at
//! least one usable. It changes nothing.
//!
//! Invariant: a run that passes has loaded something from every content it needed.

use std::collections::{BTreeMap, BTreeSet};

use crate::account::Account;
use crate::commit::base::Ledger;
use crate::discover::{InputFile, Listing, Selection};
use crate::duplicates;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger;
use crate::outcome::Outcome;
use crate::plan::{Content, Plan};
use crate::tables::time::Month;

/// What was listed and what became of it.
#[derive(Debug, Default)]
pub struct Inputs {
    /// Song files.
    pub songs: Listing,
    /// Log files.
    pub logs: Listing,
    /// The song files that are read; all of them where nothing is said.
    pub song_selection: Option<Selection>,
    /// The log files that are read, likewise.
    pub log_selection: Option<Selection>,
    /// What became of the song objects.
    pub song_account: Account,
    /// What became of the events.
    pub log_account: Account,
    /// The months of the plays of log files that were read, by number.
    pub months: BTreeSet<(usize, Month)>,
    /// Where the rejects were written, if there were any.
    pub quarantine: Option<String>,
}

impl Inputs {
    /// Writes the rejects of both contents, and notes that `place` holds them.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`] when they cannot be read back, and `put`'s.
    pub fn write_rejects(&mut self, place: String, put: &mut dyn FnMut(&str, &[u8]) -> Result<()>) -> Result<()> {
        let mut any = false;
        for (content, listing, account) in self.each() {
            any |= account.write_rejects(content.name(), &|file| listing.shown(file).unwrap_or_default(), put)?;
        }
        self.quarantine = any.then_some(place);
        Ok(())
    }

    /// The files of a content that are read.
    #[must_use]
    pub fn selection(&self, content: Content) -> Selection {
        let (listing, selection) = match content {
            Content::Songs => (&self.songs, &self.song_selection),
            Content::Logs => (&self.logs, &self.log_selection),
        };
        selection.clone().unwrap_or_else(|| listing.all())
    }

    /// The files of a content.
    #[must_use]
    pub const fn listing(&self, content: Content) -> &Listing {
        match content {
            Content::Songs => &self.songs,
            Content::Logs => &self.logs,
        }
    }

    /// The same, to be added to.
    pub const fn listing_mut(&mut self, content: Content) -> &mut Listing {
        match content {
            Content::Songs => &mut self.songs,
            Content::Logs => &mut self.logs,
        }
    }

    /// Both contents with their listing and account.
    #[must_use]
    pub fn each(&self) -> [(Content, &Listing, &Account); 2] {
        [(Content::Songs, &self.songs, &self.song_account), (Content::Logs, &self.logs, &self.log_account)]
    }
}

/// Accepts or refuses what the tables are to be made from: what was read, and what earlier runs have read.
///
/// # Errors
/// [`ErrorKind::DataRefused`], naming the first bad record; [`ErrorKind::Internal`] when the books do not balance.
pub fn accept(plan: &Plan, inputs: &Inputs, outcome: &Outcome, ledgers: &BTreeMap<String, Ledger>) -> Result<()> {
    for (content, listing, account) in inputs.each() {
        let source = match content {
            Content::Songs => &plan.songs,
            Content::Logs => &plan.logs,
        };
        let Some(source) = source else { continue };
        let records = outcome.records.get(content.name()).copied().unwrap_or_default();
        if let Some(count) = account.files.iter().find(|count| !count.is_balanced()) {
            let file = listing.shown(count.file).unwrap_or_default();
            return Err(Error::new(ErrorKind::Internal, format!("the records of {file} do not add up")));
        }
        // A song that is there twice is one song; a play that is there twice would be two.
        if content == Content::Logs && !plan.config.allow_duplicates {
            let ledger = ledgers.get(content.name());
            let has_records = |file: &InputFile| {
                let known = ledger.and_then(|ledger| ledger.files.get(&ledger::name(source, file)));
                known.is_some_and(|file| file.read() > 0)
            };
            refuse_duplicates(listing, account, has_records)?;
        }
        let first = account.first.first().and_then(|located| {
            let file = listing.shown(located.file)?;
            Some(format!("the first is in {file} at byte {}: {}", located.offset, located.reason))
        });
        if records.loaded == 0 {
            let what = match content {
                Content::Songs => "song",
                Content::Logs => "NextSong event",
            };
            let cause = first.unwrap_or_else(|| format!("{} files hold {} records", listing.files.len(), records.read));
            return Err(Error::new(ErrorKind::DataRefused, format!("no usable {what} in {}", source.shown))
                .cause(cause)
                .hint(with_place("is this the right folder? the tables are as they were", inputs)));
        }
        let allowed = plan.config.max_bad.allowed(records.read);
        if records.quarantined > allowed {
            return Err(Error::new(
                ErrorKind::DataRefused,
                format!(
                    "{} of {} records in {} are bad, more than the {allowed} allowed",
                    records.quarantined, records.read, source.shown
                ),
            )
            .cause(first.unwrap_or_default())
            .hint(with_place("repair the input, or raise --max-bad (a number or a share such as 5%)", inputs)));
        }
    }
    Ok(())
}

/// Refuses a file that is there twice.
fn refuse_duplicates(listing: &Listing, account: &Account, has_records: impl Fn(&InputFile) -> bool) -> Result<()> {
    let counts = |file: usize| listing.files.get(file).is_some_and(&has_records);
    let Some((file, other)) = duplicates::first(listing, &account.heads, counts)? else {
        return Ok(());
    };
    let (file, other) = (listing.shown(file).unwrap_or_default(), listing.shown(other).unwrap_or_default());
    Err(Error::new(ErrorKind::DataRefused, format!("{file} is the same as {other}: duplicate_input"))
        .hint("remove one of them; or say --allow-duplicates, and its plays count twice")
        .context("path", file))
}

/// A hint that also says where the rejects are.
fn with_place(hint: &str, inputs: &Inputs) -> String {
    match &inputs.quarantine {
        Some(place) => format!("{hint}; the bad records are in {place}"),
        None => hint.to_owned(),
    }
}
