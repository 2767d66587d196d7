//! An executor that is a Python object: shards go out as bytes, results come in as they are done.
//!
//! Invariant: Python is held only while its own code runs; what it raises becomes an error of ours, in one sentence.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyIterator, PyList};

use crate::error::{Error, ErrorKind, Result};
use crate::runtime::executor::Executor;

/// An object with `name`, `slots`, `threads`, `map(kernel, shards)` and `cancel()`, and the kernel that it is to call.
#[derive(Debug)]
pub struct PyExecutor {
    object: Py<PyAny>,
    kernel: Py<PyAny>,
    name: String,
    slots: usize,
    threads: usize,
}

impl PyExecutor {
    /// Asks the object who it is.
    pub fn new(object: Bound<'_, PyAny>, kernel: Py<PyAny>) -> PyResult<Self> {
        Ok(Self {
            name: object.getattr("name")?.extract()?,
            slots: object.getattr("slots")?.extract()?,
            threads: object.getattr("threads")?.extract()?,
            object: object.unbind(),
            kernel,
        })
    }

    /// Ends what is under way, from any thread.
    pub fn cancel(&self, py: Python<'_>) {
        // The call is ending already, with a reason of its own.
        drop(self.object.call_method0(py, "cancel"));
    }

    /// Ends what is under way, and waits for it: a generator tidies up in its `finally`.
    fn end(&self, results: &Py<PyIterator>) {
        Python::attach(|py| {
            self.cancel(py);
            // Other iterators have nothing to close, and the error that ends the call is known.
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
            begin().map_err(|exception| self.failed(py, &exception))
        })
    }

    fn next(&self, results: &Py<PyIterator>) -> Result<Option<(usize, Vec<u8>)>> {
        Python::attach(|py| {
            let next = || -> PyResult<Option<(usize, Vec<u8>)>> {
                results.bind(py).clone().next().transpose()?.map(|result| result.extract()).transpose()
            };
            next().map_err(|exception| self.failed(py, &exception))
        })
    }

    /// What Python raised, as an error: ours as it was, another's by its first line.
    fn failed(&self, py: Python<'_>, exception: &PyErr) -> Error {
        let value = exception.value(py);
        let text = |name: &str| value.getattr(name).ok()?.extract::<String>().ok();
        let exit_code = value.getattr("exit_code").ok().and_then(|code| code.extract::<u8>().ok());
        let kind = exit_code.and_then(ErrorKind::from_exit_code);
        let mut error = if let (Some(kind), Some(message)) = (kind, text("message")) {
            Error::new(kind, message)
        } else {
            let said = value.str().map(|text| text.to_string()).unwrap_or_default();
            let class = value.get_type().name().map(|name| name.to_string()).unwrap_or_default();
            let first = said.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
            return Error::new(ErrorKind::Retry, format!("{} did not do the work", self.name))
                .cause(format!("{class}: {first}"))
                .hint("its own log says more; nothing was changed, and a run may be tried again");
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
                self.end(&results);
                return Err(error);
            }
        }
        Ok(())
    }
}
