//! The operations of the package, one outline per file.
//!
//! [`run`] is the job itself; `pipeline` is the part of it that reads the input and stages the tables.

pub mod build;
pub mod check;
pub mod doctor;
mod expectations;
pub mod history;
mod list_input;
mod notes;
pub(crate) mod pipeline;
pub mod plan;
pub mod recover;
pub mod run;
pub mod status;
pub mod tables;
