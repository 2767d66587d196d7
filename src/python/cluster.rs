//! An executor that is a Python object: it gets shards as bytes, and yields each result when it is ready.
//!
//! Invariant: the interpreter lock is held only while Python code runs. An exception becomes an [`Error`] of one sentence.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyIterator, PyList};

use crate::error::{Error, ErrorKind, Result};
use crate::runtime::executor::Executor;

/// A Python object with `name`, `slots`, `threads`, `map(kernel, shards)` and `cancel()`, and the kernel that its workers
/// call.
#[derive(Debug)]
pub struct PyExecutor {
    object: Py<PyAny>,
    kernel: Py<PyAny>,
    name: String,
    slots: usize,
    threads: usize,
}

impl PyExecutor {
    /// Reads the name, slots and threads of the object.
    pub fn new(object: Bound<'_, PyAny>, kernel: Py<PyAny>) -> PyResult<Self> {
        Ok(Self {
            name: object.getattr("name")?.extract()?,
            slots: object.getattr("slots")?.extract()?,
            threads: object.getattr("threads")?.extract()?,
            object: object.unbind(),
            kernel,
        })
    }

    /// Stops the running shards; can be called from any thread.
    pub fn cancel(&self, py: Python<'_>) {
        // The call is ending already, for another reason, so an exception here is ignored.
        drop(self.object.call_method0(py, "cancel"));
    }

    /// Stops the running shards and waits for them: a generator cleans up in its `finally`.
    fn stop(&self, results: &Py<PyIterator>) {
        Python::attach(|py| {
            self.cancel(py);
            // An iterator that is not a generator has no `close`; the error that ends the call is known already.
            drop(results.call_method0(py, "close"));
        });
    }

    fn begin(&self, shards: &[Vec<u8>]) -> Result<Py<PyIterator>> {
        Python::attach(|py| {
            let begin = || -> PyResult<Py<PyIterator>> {
                let shards = PyList::new(py, shards.iter().map(|shard| PyBytes::new(py, shard)))?;
                let results = self.object.bind(py).call_method1("map", (&self.kernel, shards))?;
                Ok(results.try_iter()?.unbind())
            };
            begin().map_err(|exception| self.to_error(py, &exception))
        })
    }

    fn next(&self, results: &Py<PyIterator>) -> Result<Option<(usize, Vec<u8>)>> {
        Python::attach(|py| {
            let next = || -> PyResult<Option<(usize, Vec<u8>)>> {
                results.bind(py).clone().next().transpose()?.map(|result| result.extract()).transpose()
            };
            next().map_err(|exception| self.to_error(py, &exception))
        })
    }

    /// Converts an exception: one of this package keeps its fields, any other is described by its first line.
    fn to_error(&self, py: Python<'_>, exception: &PyErr) -> Error {
        let value = exception.value(py);
        let text = |name: &str| value.getattr(name).ok()?.extract::<String>().ok();
        let exit_code = value.getattr("exit_code").ok().and_then(|code| code.extract::<u8>().ok());
        let kind = exit_code.and_then(ErrorKind::from_exit_code);
        let mut error = if let (Some(kind), Some(message)) = (kind, text("message")) {
            Error::new(kind, message)
        } else {
            let message = value.str().map(|text| text.to_string()).unwrap_or_default();
            let class = value.get_type().name().map(|name| name.to_string()).unwrap_or_default();
            let first_line = message.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
            return Error::new(ErrorKind::Retry, format!("{} did not do the work", self.name))
                .cause(format!("{class}: {first_line}"))
                .hint("see the log of the executor; no table was changed, run again");
        };
        if let Some(cause) = text("cause") {
            error = error.cause(cause);
        }
        match text("hint") {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

impl Executor for PyExecutor {
    fn name(&self) -> &str {
        &self.name
    }

    fn slots(&self) -> usize {
        self.slots
    }

    fn threads(&self) -> usize {
        self.threads
    }

    fn map(&self, shards: Vec<Vec<u8>>, take: &mut dyn FnMut(usize, &[u8]) -> Result<()>) -> Result<()> {
        let results = self.begin(&shards)?;
        drop(shards);
        while let Some((number, bytes)) = self.next(&results)? {
            if let Err(error) = take(number, &bytes) {
                self.stop(&results);
                return Err(error);
            }
        }
        Ok(())
    }
}
