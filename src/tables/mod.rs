//! The rules of the five tables, each written once: as the order of two candidates for the same key.
//!
//! A part of the input becomes partials ([`songs`], [`artists`], [`plays`]); partials merge in any order and grouping;
//! the finished tables are [`columns::Columns`]. No store, no clock, no randomness, no environment is known here.
//!
//! Invariant: the tables are a function of the set of records, not of their order or their division into parts.

pub mod artists;
pub mod cast;
pub mod catalogue;
pub mod columns;
pub mod feeds;
pub mod order;
pub mod plays;
pub mod records;
pub mod songplays;
pub mod songs;
pub mod time;
pub mod tuples;
pub mod users;
