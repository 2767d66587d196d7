//! The flag that stops a run.
//!
//! Every phase checks it between two units of work, and a unit takes less than 100 milliseconds. No thread is killed,
//! so no incomplete file remains under a final name.
//!
//! Invariant: once set, the flag stays set; a run that sees it ends with [`ErrorKind::Interrupted`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, ErrorKind, Result};

/// A shared stop flag; clones see the same flag.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Requests that the run stops.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Returns true if a stop was requested.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Fails if a stop was requested.
    ///
    /// # Errors
    /// [`ErrorKind::Interrupted`] if the flag is set.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() {
            return Err(Error::new(ErrorKind::Interrupted, "the run was stopped before it changed any table"));
        }
        Ok(())
    }
}
