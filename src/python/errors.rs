//! Errors of the engine as exceptions of `sparkify_lake.errors`.
//!
//! The classes are written in Python, so that people can catch, pickle and read them; this only picks the class.
//!
//! Invariant: an [`ErrorKind`] and the class it is raised as have the same exit code.

use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyDict};

use crate::error::{Error, ErrorKind};

/// The exception for an error. Failing to make it is an exception too.
pub fn raise(py: Python<'_>, error: &Error) -> PyErr {
    let class = match error.kind() {
        ErrorKind::Usage => "UsageError",
        ErrorKind::DataRefused => "DataRefusedError",
        ErrorKind::NoInput => "NoInputError",
        ErrorKind::Internal => "InternalError",
        ErrorKind::Output => "OutputError",
        ErrorKind::Storage => "StorageError",
        ErrorKind::Retry => "RetryableError",
        ErrorKind::Protocol => "ProtocolError",
        ErrorKind::Access => "AccessDeniedError",
        ErrorKind::Configuration => "ConfigurationError",
        ErrorKind::Interrupted => return PyKeyboardInterrupt::new_err(error.message().to_owned()),
    };
    let make = || -> PyResult<PyErr> {
        let class = py.import("sparkify_lake.errors")?.getattr(class)?;
        let fields = PyDict::new(py);
        fields.set_item("cause", error.cause_text())?;
        fields.set_item("hint", error.hint_text())?;
        let context: Vec<(&str, &str)> =
            error.context_values().iter().map(|(name, value)| (*name, value.as_str())).collect();
        fields.set_item("context", context.into_py_dict(py)?)?;
        Ok(PyErr::from_value(class.call((error.message(),), Some(&fields))?))
    };
    make().unwrap_or_else(|failure| failure)
}
