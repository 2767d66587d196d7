//! Raises errors of the engine as exceptions of `sparkify_lake.errors`, and converts exceptions to errors.
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

/// Converts an exception: one of this package keeps its fields; for any other, `describe` gets its class and first line.
pub fn from_exception(py: Python<'_>, exception: &PyErr, describe: impl FnOnce(String) -> Error) -> Error {
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
        return describe(format!("{class}: {first_line}"));
    };
    if let Some(cause) = text("cause") {
        error = error.cause(cause);
    }
    match text("hint") {
        Some(hint) => error.hint(hint),
        None => error,
    }
}
