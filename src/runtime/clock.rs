//! The time of each phase of a run, a clock that does not stop, and the peak memory of the process.

use std::time::{Duration, Instant};

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

/// A moment on a clock that does not stop while the process is stopped or the machine sleeps. (`Instant` stops in a
/// suspended machine; both stop in a virtual machine that its host has paused.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(Duration);

impl Moment {
    /// This moment.
    #[must_use]
    pub fn now() -> Self {
        #[cfg(target_os = "linux")]
        let clock = rustix::time::ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        let clock = rustix::time::ClockId::Monotonic;
        let now = rustix::time::clock_gettime(clock);
        Self(Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0)))
    }

    /// The time since this moment.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        Self::now().0.saturating_sub(self.0)
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
