//! The one way in which a call waits.
//!
//! The work runs on a thread of its own; the calling thread sleeps without the interpreter lock and wakes every
//! [`TICK`] to let Python handle signals, to log what the run has noted and to report progress. An exception from any
//! of these stops the work and is raised once the work has ended.
//!
//! Invariant: when [`call`] returns, nothing of the call is still running: no thread, no file operation. So a process
//! may fork between calls, and after Ctrl-C nothing keeps working.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::{Error, ErrorKind, Result};
use crate::python::cluster::PyExecutor;
use crate::python::errors;
use crate::runtime::context::Context;
use crate::runtime::executor::Executor;
use crate::runtime::progress::{Level, Note, Progress};

/// How long Python waits at most before it may handle a signal.
const TICK: Duration = Duration::from_millis(100);

/// Does `work` and returns its result, or raises.
pub fn call<T: Send>(
    py: Python<'_>,
    on_tick: Option<Py<PyAny>>,
    work: impl FnOnce(&Context<'_>) -> Result<T> + Send,
) -> PyResult<T> {
    call_on(py, None, on_tick, work)
}

/// The same with an executor for `work`'s shards.
#[expect(clippy::needless_pass_by_value, reason = "the form in which Python hands it over")]
pub fn call_on<T: Send>(
    py: Python<'_>,
    executor: Option<&PyExecutor>,
    on_tick: Option<Py<PyAny>>,
    work: impl FnOnce(&Context<'_>) -> Result<T> + Send,
) -> PyResult<T> {
    let progress = Progress::default();
    let context = &Context {
        progress: Some(&progress),
        executor: executor.map(|executor| executor as &dyn Executor),
        ..Context::default()
    };
    let started = Instant::now();
    let (outcome, raised) = std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(1);
        // The lock satisfies `detach`; nobody else ever takes it.
        let receiver = Mutex::new(receiver);
        let job = move || {
            let outcome = catch_unwind(AssertUnwindSafe(|| work(context))).unwrap_or_else(|panic| Err(bug(&*panic)));
            // The receiver lives as long as this scope.
            drop(sender.send(outcome));
        };
        if let Err(error) = std::thread::Builder::new().name("sparkify-run".to_owned()).spawn_scoped(scope, job) {
            let refused = Error::new(ErrorKind::Storage, "the system refused a thread").cause(error.to_string());
            return (Err(refused), None);
        }
        let mut raised = None;
        loop {
            // A stopped job ends by itself within moments; until then only the job is waited for.
            let wait = || receiver.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(TICK);
            match py.detach(wait) {
                Ok(outcome) => return (outcome, raised),
                Err(RecvTimeoutError::Disconnected) => {
                    return (Err(Error::new(ErrorKind::Internal, "the run ended without a result")), raised);
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if raised.is_none() {
                let tick = || {
                    py.check_signals()?;
                    flush(py, &progress)?;
                    tick(py, on_tick.as_ref(), &progress, started)
                };
                if let Err(exception) = tick() {
                    context.cancel.cancel();
                    if let Some(executor) = executor {
                        executor.cancel(py);
                    }
                    raised = Some(exception);
                }
            }
        }
    });
    // What the run said since the last tick, also when it was shorter than one.
    let raised = raised.or_else(|| flush(py, &progress).err());
    // A signal that arrived in the last moments of a run that succeeded is Python's to handle, as ever.
    match (outcome, raised) {
        (Ok(value), None) => Ok(value),
        (_, Some(exception)) => Err(exception),
        (Err(error), None) => Err(errors::raise(py, &error)),
    }
}

fn tick(py: Python<'_>, on_tick: Option<&Py<PyAny>>, progress: &Progress, started: Instant) -> PyResult<()> {
    let Some(on_tick) = on_tick else { return Ok(()) };
    let snapshot = progress.snapshot();
    let values = PyDict::new(py);
    values.set_item("stage", snapshot.stage)?;
    values.set_item("done", snapshot.done)?;
    values.set_item("total", Some(snapshot.total).filter(|total| *total > 0))?;
    values.set_item("unit", snapshot.unit)?;
    values.set_item("elapsed", started.elapsed().as_secs_f64())?;
    on_tick.call1(py, (values,)).map(drop)
}

/// Hands the run's notes to `logging`. Where nobody has imported that, nobody can be listening.
fn flush(py: Python<'_>, progress: &Progress) -> PyResult<()> {
    let notes = progress.take_notes();
    if notes.is_empty() {
        return Ok(());
    }
    let modules = py.import("sys")?.getattr("modules")?;
    let logging = modules.call_method1("get", ("logging",))?;
    if logging.is_none() {
        return Ok(());
    }
    let logger = logging.call_method1("getLogger", ("sparkify_lake.engine",))?;
    for Note { level, text } in notes {
        let level = match level {
            Level::Debug => "debug",
            Level::Info => "info",
        };
        logger.call_method1(level, ("%s", text))?;
    }
    Ok(())
}

/// A panic as an error: the message is ours, so it holds no input.
fn bug(panic: &(dyn Any + Send)) -> Error {
    let text = panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned());
    Error::new(ErrorKind::Internal, "sparkify-lake has a bug")
        .cause(text)
        .hint("please report it with the command that you ran; the tables are whole")
}
