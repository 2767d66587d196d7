//! The rules of the tables. `docs/tables.md` numbers and explains them; each is implemented once, in the file of
//! its table, most often as the order of two candidates for the same key.
//!
//! A part of the input becomes partials ([`songs`], [`artists`], [`plays`]); partials merge in any order and grouping;
//! the finished tables are [`columns::Columns`]. The folder is pure: no I/O, clock, randomness or environment.
//!
//! Invariant: the tables are a function of the set of records, not of their order or their division into parts.

pub mod artists;
pub mod columns;
pub(crate) mod file_months;
pub(crate) mod interner;
pub(crate) mod ordering;
pub mod partition_path;
pub mod play_dictionary;
pub mod plays;
pub mod song_index;
pub(crate) mod song_record;
pub mod songplays;
pub mod songs;
pub mod time;
pub mod users;
pub mod users_history;
