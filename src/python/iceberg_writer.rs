//! The writer of Iceberg metadata, which is a Python function.
//!
//! The function returns a generator: it yields the paths of files that it needs, gets their contents, and returns the
//! result at its end.
//!
//! Invariant: the interpreter lock is held only while Python code runs, so not while files are read.

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::exceptions::{PyException, PyStopIteration};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};
use crate::python::{convert, errors};
use crate::runtime::iceberg_writer::{IcebergCommit, IcebergWriter, ReadFiles};

/// A Python function that takes the name of an operation and its request.
#[derive(Debug)]
pub struct PyIcebergWriter {
    function: Py<PyAny>,
    is_needed: AtomicBool,
}

/// A step of an operation: the paths of files that it needs, or its result.
enum Step {
    Read(Vec<String>),
    Done(Py<PyAny>),
}

impl PyIcebergWriter {
    /// Takes the function.
    pub const fn new(function: Py<PyAny>) -> Self {
        Self { function, is_needed: AtomicBool::new(false) }
    }

    /// Imports the packages if commits will follow. The thread that waits for the run does this.
    ///
    /// # Errors
    /// An exception of a signal handler; any other one will be raised again by the first commit.
    pub fn import(&self, py: Python<'_>) -> PyResult<()> {
        if !self.is_needed.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        match self.function.call1(py, ("prepare", py.None())) {
            Err(exception) if !exception.is_instance_of::<PyException>(py) => Err(exception),
            _ => Ok(()),
        }
    }

    fn call<T>(
        &self,
        operation: &str,
        request: &Value,
        read: &ReadFiles<'_>,
        convert: impl Fn(&Bound<'_, PyAny>) -> PyResult<T>,
    ) -> Result<T> {
        let generator = Python::attach(|py| {
            let begin = || self.function.call1(py, (operation, convert::to_python(py, request)?));
            begin().map_err(|exception| failed(py, &exception))
        })?;
        let mut contents = None;
        loop {
            let step = Python::attach(|py| {
                next(generator.bind(py), contents.take()).map_err(|exception| failed(py, &exception))
            })?;
            match step {
                Step::Read(paths) => contents = Some(read(&paths)?),
                Step::Done(result) => {
                    return Python::attach(|py| convert(result.bind(py)).map_err(|exception| failed(py, &exception)));
                }
            }
        }
    }
}

/// Continues a generator with the contents of the files that it needs.
fn next(generator: &Bound<'_, PyAny>, contents: Option<Vec<Option<Vec<u8>>>>) -> PyResult<Step> {
    let py = generator.py();
    let bytes = |content: Option<Vec<u8>>| content.map(|content| PyBytes::new(py, &content));
    let contents = contents.map(|contents| PyList::new(py, contents.into_iter().map(bytes))).transpose()?;
    match generator.call_method1("send", (contents,)) {
        Ok(paths) => Ok(Step::Read(paths.extract()?)),
        Err(exception) if exception.is_instance_of::<PyStopIteration>(py) => {
            Ok(Step::Done(exception.value(py).getattr("value")?.unbind()))
        }
        Err(exception) => Err(exception),
    }
}

fn failed(py: Python<'_>, exception: &PyErr) -> Error {
    errors::from_exception(py, exception, |cause| {
        Error::new(ErrorKind::Retry, "the metadata of the Iceberg tables could not be made").cause(cause).hint(
            "run again, or run `sparkify-lake recover`; if it fails again, report it with the versions of pyiceberg \
                 and sparkify-lake",
        )
    })
}

/// The path and the content of a file.
type NewFile = (String, Vec<u8>);

impl IcebergWriter for PyIcebergWriter {
    fn prepare(&self) {
        self.is_needed.store(true, Ordering::Relaxed);
    }

    fn commit(&self, request: &Value, read: &ReadFiles<'_>) -> Result<Option<IcebergCommit>> {
        let convert = |result: &Bound<'_, PyAny>| {
            let found: Option<(Vec<NewFile>, Option<Vec<String>>)> = result.extract()?;
            Ok(found.map(|(files, needed)| IcebergCommit { files, needed }))
        };
        self.call("commit", request, read, convert)
    }

    fn published(&self, tables: &Value) -> Result<()> {
        Python::attach(|py| {
            let call = || self.function.call1(py, ("published", convert::to_python(py, tables)?));
            call().map(drop).map_err(|exception| failed(py, &exception))
        })
    }

    fn matches(&self, request: &Value, read: &ReadFiles<'_>) -> Result<bool> {
        self.call("matches", request, read, |result| result.extract())
    }
}
