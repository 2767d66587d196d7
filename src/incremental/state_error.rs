//! The errors of an incremental run: unusable state of earlier runs, or any other error.

use crate::error::Error;

/// Why the entire input is read if the state cannot be used.
pub(crate) const UNUSABLE_STATE: &str = "the state that earlier runs left is missing or damaged";

/// An error of an incremental run.
#[derive(Debug)]
pub(crate) enum StateError {
    /// The state of earlier runs is missing or damaged: the entire input has to be read instead.
    Unusable,
    /// Any other error.
    Failed(Error),
}

impl From<Error> for StateError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// The result of a function that reads the state of earlier runs.
pub(crate) type StateResult<T> = Result<T, StateError>;
