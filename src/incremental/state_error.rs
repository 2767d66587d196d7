//! Why an incremental run cannot go on.

use crate::error::Error;

/// A run that builds upon an earlier one failed.
#[derive(Debug)]
pub enum StateError {
    /// The state that earlier runs left is missing or damaged: the whole input has to be read instead.
    Unusable,
    /// Anything else.
    Failed(Error),
}

impl From<Error> for StateError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// The result of what reads the state of earlier runs.
pub type StateResult<T> = Result<T, StateError>;
