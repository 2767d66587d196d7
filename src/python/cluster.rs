//! An executor that is a Python object: it gets shards as bytes, and yields each result when it is ready.
//!
//! Invariant: the interpreter lock is held only while Python code runs. An exception becomes an [`Error`] of one sentence.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyIterator, PyList};

use crate::error::{Error, ErrorKind, Result};
use crate::python::errors;
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

    fn to_error(&self, py: Python<'_>, exception: &PyErr) -> Error {
        errors::from_exception(py, exception, |cause| {
            Error::new(ErrorKind::Retry, format!("{} did not do the work", self.name))
                .cause(cause)
                .hint("see the log of the executor; no table was changed, run again")
        })
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
