//! How long each phase of a run took, and the memory that the process needed.

use std::time::Instant;

use serde::Serialize;

/// One stage's time.
#[derive(Clone, Debug, Serialize)]
pub struct PhaseTime {
    /// One of [`crate::runtime::progress::PHASES`].
    pub name: &'static str,
    /// Seconds.
    pub seconds: f64,
}

/// Measures stages, one after the other.
#[derive(Debug)]
pub struct PhaseClock {
    started: Instant,
    lap: Instant,
    stages: Vec<PhaseTime>,
}

impl PhaseClock {
    /// Starts the clock.
    #[must_use]
    pub fn start() -> Self {
        let now = Instant::now();
        Self { started: now, lap: now, stages: Vec::new() }
    }

    /// Ends the stage that ran since the last call.
    pub fn end(&mut self, name: &'static str) {
        let now = Instant::now();
        self.stages.push(PhaseTime { name, seconds: (now - self.lap).as_secs_f64() });
        self.lap = now;
    }

    /// Total seconds and the stages.
    #[must_use]
    pub fn finish(self) -> (f64, Vec<PhaseTime>) {
        (self.started.elapsed().as_secs_f64(), self.stages)
    }
}

/// The process's largest resident memory so far, in bytes, where the system tells (Linux).
#[must_use]
pub fn peak_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
