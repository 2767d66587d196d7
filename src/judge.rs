//! Whether what was read is good enough to be published.
//!
//! The rules of the bad-input catalogue on whole runs: every record accounted for, not too many of them bad, and at
//! least one usable. It changes nothing.
//!
//! Invariant: a run that passes has loaded something from every content it needed.

use crate::account::Account;
use crate::discover::Listing;
use crate::duplicates;
use crate::error::{Error, ErrorKind, Result};
use crate::outcome::{BadFile, LocatedReject, Outcome, Records};
use crate::plan::{Content, Plan};

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

    /// What reading told; plays and partitions are for others to say.
    #[must_use]
    pub fn outcome(&self, plan: &Plan) -> Outcome {
        let mut outcome = Outcome { quarantine: self.quarantine.clone(), ..Outcome::default() };
        for ((content, listing, account), source) in self.each().into_iter().zip([&plan.songs, &plan.logs]) {
            if source.is_none() {
                continue;
            }
            let name = || content.name().to_owned();
            outcome.records.insert(name(), records(account));
            outcome.reasons.insert(name(), account.reasons.clone());
            outcome.coerced.insert(name(), account.tally.coerced);
            let unknown = account.tally.unknown_keys.iter().map(|(key, count)| (key.to_owned(), count)).collect();
            outcome.unknown_keys.insert(name(), unknown);
            outcome.rejects.extend(account.first.iter().filter_map(|located| {
                Some(LocatedReject {
                    file: listing.shown(located.file)?,
                    line: account.line(located),
                    offset: located.offset,
                    reason: located.reason.to_owned(),
                    key: located.key.clone(),
                })
            }));
            let bad = |&(file, reason): &(usize, &str)| {
                Some(BadFile { file: listing.shown(file)?, reason: reason.to_owned() })
            };
            outcome.bad_files.extend(account.bad_files.iter().filter_map(bad));
            let told = account.files.iter().filter(|count| count.read > 0).count() + account.bad_files.len();
            outcome.silent.insert(name(), listing.files.len().saturating_sub(told) as u64);
        }
        outcome.filtered.insert("page".to_owned(), self.log_account.tally.filtered);
        outcome
    }

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
        if let Some(count) = account.files.iter().find(|count| !count.is_balanced()) {
            let file = listing.shown(count.file).unwrap_or_default();
            return Err(Error::new(ErrorKind::Internal, format!("the records of {file} do not add up")));
        }
        // A song that is there twice is one song; a play that is there twice would be two.
        if content == Content::Logs && !plan.config.allow_duplicates {
            refuse_duplicates(listing, account)?;
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
fn refuse_duplicates(listing: &Listing, account: &Account) -> Result<()> {
    let Some((file, other)) = duplicates::first(listing, &account.heads, |file| account.has_records(file))? else {
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
