//! The time of each phase of a run, and the peak memory of the process.

use std::time::Instant;

use serde::Serialize;

/// The time of one phase.
#[derive(Clone, Debug, Serialize)]
pub struct PhaseTime {
    /// One of [`crate::runtime::progress::PHASES`].
    pub name: &'static str,
    /// Wall-clock seconds.
    pub seconds: f64,
}

/// Measures consecutive phases.
#[derive(Debug)]
pub struct PhaseClock {
    started: Instant,
    phase_started: Instant,
    phases: Vec<PhaseTime>,
}

impl PhaseClock {
    /// Starts the clock.
    #[must_use]
    pub fn start() -> Self {
        let now = Instant::now();
        Self { started: now, phase_started: now, phases: Vec::new() }
    }

    /// Ends the phase that began with the last call.
    pub fn end(&mut self, name: &'static str) {
        let now = Instant::now();
        self.phases.push(PhaseTime { name, seconds: (now - self.phase_started).as_secs_f64() });
        self.phase_started = now;
    }

    /// The total time in seconds, and the phases.
    #[must_use]
    pub fn finish(self) -> (f64, Vec<PhaseTime>) {
        (self.started.elapsed().as_secs_f64(), self.phases)
    }
}

/// The peak resident memory of the process in bytes; `None` on systems other than Linux.
#[must_use]
pub fn peak_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
