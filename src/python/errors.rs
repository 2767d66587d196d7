//! Raises errors of the engine as exceptions of `sparkify_lake.errors`.
//!
//! The classes are written in Python, so that users can catch, pickle and read them; this module only selects the class.
//!
//! Invariant: an [`ErrorKind`] and its exception class have the same exit code.

use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyDict};

use crate::error::{Error, ErrorKind};

/// Returns the exception for an error; if it cannot be created, the exception that this caused.
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
