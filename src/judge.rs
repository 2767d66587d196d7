//! Whether what was read is good enough to be published.
//!
//! The rules of the bad-input catalogue on whole runs: every record accounted for, not too many of them bad, and at
//! least one usable. It changes nothing.
//!
//! Invariant: a run that passes has loaded something from every content it needed.

use crate::account::Account;
use crate::discover::Listing;
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{Content, Plan};
use crate::report::Records;

/// What was listed and what became of it.
#[derive(Debug, Default)]
pub struct Inputs {
    /// Song files.
    pub songs: Listing,
    /// Log files.
    pub logs: Listing,
    /// What became of the song objects.
    pub song_account: Account,
    /// What became of the events.
    pub log_account: Account,
}

impl Inputs {
    /// Both contents with their listing and account.
    #[must_use]
    pub fn each(&self) -> [(Content, &Listing, &Account); 2] {
        [(Content::Songs, &self.songs, &self.song_account), (Content::Logs, &self.logs, &self.log_account)]
    }
}

/// The counts of an account in the report's terms.
#[must_use]
pub fn records(account: &Account) -> Records {
    let tally = &account.tally;
    Records { read: tally.read, loaded: tally.rows, filtered: tally.filtered, quarantined: tally.quarantined }
}

/// Accepts or refuses what was read.
///
/// # Errors
/// [`ErrorKind::DataRefused`], naming the first bad record; [`ErrorKind::Internal`] when the books do not balance.
pub fn accept(plan: &Plan, inputs: &Inputs) -> Result<()> {
    for (content, listing, account) in inputs.each() {
        let source = match content {
            Content::Songs => &plan.songs,
            Content::Logs => &plan.logs,
        };
        let Some(source) = source else { continue };
        let records = records(account);
        if !records.is_balanced() {
            return Err(Error::new(ErrorKind::Internal, format!("the records of {} do not add up", source.shown))
                .cause(records.to_string()));
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
                .hint("is this the right folder? the tables are as they were"));
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
            .hint("repair the input, or raise --max-bad (a number or a share such as 5%)"));
        }
    }
    Ok(())
}
