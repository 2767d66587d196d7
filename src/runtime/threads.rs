//! Worker threads that exist exactly as long as the work.
//!
//! Scoped threads instead of a pool: no thread remains after a run, whether it succeeds, fails or is stopped, and a
//! process may fork between two runs.
//!
//! Invariant: when a function of this module returns, every thread that it started has ended; except that of a library
//! that does not start.

use std::panic::resume_unwind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::runtime::cancel::Cancel;

/// How long a library may take to start; usually less than a millisecond.
const LIBRARY_START_TIMEOUT: Duration = Duration::from_secs(2);

/// The number of threads that the machine, or its container, runs at the same time.
#[must_use]
pub fn available() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Runs `work` once on each of `threads` threads (the caller's included) and returns the results in thread order.
///
/// # Errors
/// [`ErrorKind::Storage`] if the operating system cannot start a thread. A panic in `work` continues in the caller.
pub fn on_each<T: Send>(threads: usize, work: impl Fn(usize) -> T + Sync) -> Result<Vec<T>> {
    std::thread::scope(|scope| {
        let mut others = Vec::new();
        let mut failure = None;
        for index in 1..threads.max(1) {
            let work = &work;
            match std::thread::Builder::new().name(format!("sparkify-{index}")).spawn_scoped(scope, move || work(index))
            {
                Ok(handle) => others.push(handle),
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        let mut results = vec![work(0)];
        for handle in others {
            results.push(handle.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        match failure {
            None => Ok(results),
            Some(error) => Err(not_started(error)),
        }
    })
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
fn not_started(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Storage, "the operating system cannot start another thread")
        .cause(error.to_string())
        .hint("lower --threads, or raise the limit of processes (ulimit -u)")
}

/// Checks that the operating system can start `threads` more threads, for a library that panics if it cannot.
///
/// # Errors
/// [`ErrorKind::Storage`] if it cannot.
pub fn must_be_available(threads: usize) -> Result<()> {
    let gate = Mutex::new(());
    std::thread::scope(|scope| {
        // Closed until all threads have started, so that they exist at the same time.
        let closed = gate.lock();
        for _ in 0..threads {
            let builder = std::thread::Builder::new().name("sparkify-test".to_owned());
            builder.spawn_scoped(scope, || drop(gate.lock())).map_err(not_started)?;
        }
        drop(closed);
        Ok(())
    })
}

/// Starts a library that starts more threads, and panics if it cannot start one of them. It may then wait forever
/// for those that it has started, so it is started on a separate thread, which is left alone in this case.
///
/// # Errors
/// [`ErrorKind::Storage`] if the library does not start.
pub fn start_library<T: Send + 'static>(start: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let (sender, receiver) = channel();
    let builder = std::thread::Builder::new().name("sparkify-start".to_owned());
    let thread = builder.spawn(move || drop(sender.send(start()))).map_err(not_started)?;
    // A process that was paused waits once more.
    for _ in 0..2 {
        match receiver.recv_timeout(LIBRARY_START_TIMEOUT) {
            Ok(started) => {
                drop(thread.join());
                return Ok(started);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    Err(not_started(std::io::ErrorKind::WouldBlock.into()))
}

/// Processes the tasks `0..tasks` on `threads` threads. Each thread creates its state with `begin`, passes it to `work`
/// with one task at a time and, when no task remains, to `end`. Returns the states in thread order.
///
/// # Errors
/// The first error of any thread stops the others at their next task; a stop by `cancel` is also an error.
pub fn for_tasks<S: Send>(
    threads: usize,
    tasks: usize,
    cancel: &Cancel,
    begin: impl Fn(usize) -> S + Sync,
    work: impl Fn(&mut S, usize) -> Result<()> + Sync,
    end: impl Fn(&mut S) -> Result<()> + Sync,
) -> Result<Vec<S>> {
    let queue = TaskQueue::new(tasks);
    let parts = on_each(threads.min(tasks), |thread| {
        let mut state = begin(thread);
        let mut all = || {
            while let Some(task) = queue.take() {
                cancel.check()?;
                work(&mut state, task)?;
            }
            end(&mut state)
        };
        match all() {
            Ok(()) => Ok(state),
            Err(error) => {
                queue.stop();
                Err(error)
            }
        }
    })?;
    parts.into_iter().collect()
}

/// Runs two functions at the same time, the first one on this thread.
///
/// # Errors
/// [`ErrorKind::Storage`] if the operating system cannot start a thread.
pub fn both<A, B: Send>(first: impl FnOnce() -> A, second: impl FnOnce() -> B + Send) -> Result<(A, B)> {
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().name("sparkify-1".to_owned());
        let second = builder.spawn_scoped(scope, second).map_err(not_started)?;
        Ok((first(), second.join().unwrap_or_else(|panic| resume_unwind(panic))))
    })
}

/// A queue of the task numbers `0..tasks`; each number goes to one worker.
#[derive(Debug)]
struct TaskQueue {
    next: AtomicUsize,
    tasks: usize,
}

impl TaskQueue {
    fn new(tasks: usize) -> Self {
        Self { next: AtomicUsize::new(0), tasks }
    }

    /// The next number that no worker has.
    fn take(&self) -> Option<usize> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        (index < self.tasks).then_some(index)
    }

    /// Empties the queue, because a worker failed.
    fn stop(&self) {
        self.next.store(usize::MAX / 2, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_does_not_start_is_an_error() {
        assert_eq!(start_library(|| 7).unwrap(), 7);
        let fails = || -> () { panic!("no thread can be started") };
        assert_eq!(start_library(fails).unwrap_err().kind(), ErrorKind::Storage);
        let waits = || loop {
            std::thread::park();
        };
        assert_eq!(start_library(waits).map(|(): ()| ()).unwrap_err().kind(), ErrorKind::Storage);
    }

    #[test]
    fn every_task_is_taken_once() {
        let tasks = TaskQueue::new(1000);
        let parts = on_each(4, |_| std::iter::from_fn(|| tasks.take()).collect::<Vec<_>>()).unwrap();
        let mut all: Vec<usize> = parts.into_iter().flatten().collect();
        all.sort_unstable();
        assert_eq!(all, (0..1000).collect::<Vec<_>>());
    }
}
