//! The functions for Iceberg metadata, whose content the Python part makes.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyMapping};

use super::{bridge, configuration, convert};
use crate::job::iceberg;

/// Returns the newest published version of the lake at `output`, and its Iceberg metadata.
#[pyfunction]
fn iceberg_state(py: Python<'_>, options: &Bound<'_, PyMapping>) -> PyResult<Py<PyAny>> {
    let config = configuration(py, options)?;
    let state = bridge::call(py, None, |context| iceberg::state(&config, context))?;
    convert::to_python(py, &state)
}

/// Returns the files of a table at a version of the lake.
#[pyfunction]
fn iceberg_files(py: Python<'_>, options: &Bound<'_, PyMapping>, version: u64, folder: &str) -> PyResult<Py<PyAny>> {
    let config = configuration(py, options)?;
    let files = bridge::call(py, None, |context| iceberg::files(&config, version, folder, context))?;
    convert::to_python(py, &files)
}

/// Reads a file of the Iceberg metadata; `None` if it does not exist.
#[pyfunction]
fn iceberg_read<'py>(
    py: Python<'py>,
    options: &Bound<'py, PyMapping>,
    path: &str,
) -> PyResult<Option<Bound<'py, PyBytes>>> {
    let config = configuration(py, options)?;
    let bytes = bridge::call(py, None, |context| iceberg::read(&config, path, context))?;
    Ok(bytes.map(|bytes| PyBytes::new(py, &bytes)))
}

/// Writes the files of a commit, the last of which is the commit; returns false if another program has made it.
#[pyfunction]
fn iceberg_commit(py: Python<'_>, options: &Bound<'_, PyMapping>, files: Vec<(String, Vec<u8>)>) -> PyResult<bool> {
    let config = configuration(py, options)?;
    bridge::call(py, None, |context| iceberg::commit(&config, &files, context))
}

/// Removes files of the Iceberg metadata.
#[pyfunction]
fn iceberg_remove(py: Python<'_>, options: &Bound<'_, PyMapping>, paths: Vec<String>) -> PyResult<()> {
    let config = configuration(py, options)?;
    bridge::call(py, None, |context| iceberg::remove(&config, &paths, context))
}

/// Adds the functions to the module.
pub(super) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(iceberg_state, module)?)?;
    module.add_function(wrap_pyfunction!(iceberg_files, module)?)?;
    module.add_function(wrap_pyfunction!(iceberg_read, module)?)?;
    module.add_function(wrap_pyfunction!(iceberg_commit, module)?)?;
    module.add_function(wrap_pyfunction!(iceberg_remove, module)?)
}
