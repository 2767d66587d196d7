//! The one flag that stops a run.
//!
//! Every stage asks it between two pieces of work, none of which takes longer than some tens of milliseconds; nobody
//! is killed, so nothing half-done is left behind under a final name.
//!
//! Invariant: once set it stays set; a run that sees it ends with [`ErrorKind::Interrupted`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, ErrorKind, Result};

/// A shared stop flag; clones see the same flag.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks the run to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether someone asked.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Ends the caller's work when someone asked.
    ///
    /// # Errors
    /// [`ErrorKind::Interrupted`] once the flag is set.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() {
            return Err(Error::new(ErrorKind::Interrupted, "the run was stopped before it changed any table"));
        }
        Ok(())
    }
}
