//! Runs the engine for a call from Python, interruptibly. Every call that can block goes through here.
//!
//! The work runs on a separate thread. The calling thread sleeps without the interpreter lock and wakes every
//! [`TICK`] to let Python handle signals, to log the notes of the run, and to report progress. An exception in any of
//! these stops the work, and is raised when the work has ended.
//!
//! Invariant: when [`call`] returns, no thread and no file operation of the call is still running. So a process can fork
//! between calls, and nothing continues after Ctrl-C.

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
use crate::python::iceberg_writer::PyIcebergWriter;
use crate::runtime::context::Context;
use crate::runtime::executor::Executor;
use crate::runtime::iceberg_writer::IcebergWriter;
use crate::runtime::progress::{Level, Note, Progress};

/// Upper bound for the time until Python can handle a signal.
const TICK: Duration = Duration::from_millis(100);

/// Runs `work` and returns its result, or raises an exception.
pub fn call<T: Send>(
    py: Python<'_>,
    on_tick: Option<Py<PyAny>>,
    work: impl FnOnce(&Context<'_>) -> Result<T> + Send,
) -> PyResult<T> {
    call_on(py, Helpers::default(), on_tick, work)
}

/// The Python objects that do a part of the work.
#[derive(Clone, Copy, Debug, Default)]
pub struct Helpers<'h> {
    /// The executor of the shards.
    pub executor: Option<&'h PyExecutor>,
    /// The writer of Iceberg metadata.
    pub iceberg: Option<&'h PyIcebergWriter>,
}

/// Like [`call`], with Python objects that do a part of `work`.
#[expect(clippy::needless_pass_by_value, reason = "the form in which Python passes it")]
pub fn call_on<T: Send>(
    py: Python<'_>,
    helpers: Helpers<'_>,
    on_tick: Option<Py<PyAny>>,
    work: impl FnOnce(&Context<'_>) -> Result<T> + Send,
) -> PyResult<T> {
    let progress = Progress::default();
    let context = &Context {
        progress: Some(&progress),
        executor: helpers.executor.map(|executor| executor as &dyn Executor),
        iceberg: helpers.iceberg.map(|writer| writer as &dyn IcebergWriter),
        ..Context::default()
    };
    let started = Instant::now();
    let (result, raised) = std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(1);
        // `detach` requires the mutex; only this thread locks it.
        let receiver = Mutex::new(receiver);
        let job = move || {
            let result = catch_unwind(AssertUnwindSafe(|| work(context))).unwrap_or_else(|panic| Err(bug(&*panic)));
            // The receiver lives as long as this scope, so sending cannot fail.
            drop(sender.send(result));
        };
        if let Err(error) = std::thread::Builder::new().name("sparkify-run".to_owned()).spawn_scoped(scope, job) {
            return (Err(no_thread(error.to_string())), None);
        }
        let mut raised = None;
        loop {
            // A stopped job ends within moments; until then this thread only waits for it.
            let wait = || receiver.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(TICK);
            match py.detach(wait) {
                Ok(result) => return (result, raised),
                Err(RecvTimeoutError::Disconnected) => {
                    return (Err(Error::new(ErrorKind::Internal, "the run ended without a result")), raised);
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if raised.is_none() {
                let tick = || {
                    py.check_signals()?;
                    flush(py, &progress)?;
                    helpers.iceberg.map_or(Ok(()), |writer| writer.import(py))?;
                    tick(py, on_tick.as_ref(), &progress, started)
                };
                if let Err(exception) = tick() {
                    context.cancel.cancel();
                    if let Some(executor) = helpers.executor {
                        executor.cancel(py);
                    }
                    raised = Some(exception);
                }
            }
        }
    });
    // The notes since the last tick; a short run has no tick at all.
    let raised = raised.or_else(|| flush(py, &progress).err());
    // If a signal arrives just before a run succeeds, Python handles it as usual after the call.
    match (result, raised) {
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

/// Passes the notes of the run to `logging`, if it was imported; otherwise there cannot be a handler.
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

fn no_thread(cause: String) -> Error {
    Error::new(ErrorKind::Storage, "the operating system cannot start another thread")
        .cause(cause)
        .hint("raise the limit of processes and threads (ulimit -u, or the limit of the container)")
}

/// Converts a panic to an error. The messages of panics are written in this package, so they contain no input.
fn bug(panic: &(dyn Any + Send)) -> Error {
    let text = panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned());
    // Libraries panic if they cannot start a thread.
    if text.starts_with("OS can't spawn worker thread") {
        return no_thread(text);
    }
    Error::new(ErrorKind::Internal, "sparkify-lake has a bug")
        .cause(text)
        .hint("report it with the command that you ran; the tables are complete")
}
