//! The doorway to Python: the functions of `sparkify_lake._native`.
//!
//! Plain mappings come in, plain mappings go out, frames cross through pyo3-polars. Here nothing is decided: options
//! are read by [`crate::config`], the work is done by [`crate::run`], waiting and signals are the [`bridge`]'s.
//!
//! Invariant: no function blocks without the bridge, so each can be interrupted within a tick.

mod bridge;
mod cluster;
mod convert;
mod errors;

use std::collections::BTreeMap;
use std::path::Path;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyMapping};
use serde_json::json;

use cluster::PyExecutor;

use crate::config::{Config, DEFAULTS};
use crate::error::{Error, ErrorKind};
use crate::lookup;
use crate::progress::Stage;
use crate::run as engine;
use crate::sample::{SampleSpec, write_sample};
use crate::schema::Table;

/// An executor with the kernel that it is to call.
type Crew<'py> = Option<(Bound<'py, PyAny>, Py<PyAny>)>;

/// Runs the job, its shards on `executor` if that is given; returns the report.
#[pyfunction]
#[pyo3(signature = (options, on_tick, executor = None))]
fn run<'py>(
    py: Python<'py>,
    options: &Bound<'py, PyMapping>,
    on_tick: Option<Py<PyAny>>,
    executor: Crew<'py>,
) -> PyResult<Py<PyAny>> {
    let config = configuration(py, options)?;
    let executor = executor.map(|(object, kernel)| PyExecutor::new(object, kernel)).transpose()?;
    let report = bridge::call_on(py, executor.as_ref(), on_tick, |control| engine::run(config, control))?;
    convert::to_python(py, &report)
}

/// Works on a shard of somebody else's run; `secrets` are credentials, if any were given.
#[pyfunction]
fn kernel<'py>(py: Python<'py>, shard: &[u8], secrets: &Bound<'py, PyMapping>) -> PyResult<Bound<'py, PyBytes>> {
    let secrets = convert::settings(secrets)?;
    let result = bridge::call(py, None, |control| crate::shards::kernel::work(shard, secrets, control))?;
    Ok(PyBytes::new(py, &result))
}

/// Resolves what `run` would read and write; touches nothing.
#[pyfunction]
fn plan(py: Python<'_>, options: &Bound<'_, PyMapping>, on_tick: Option<Py<PyAny>>) -> PyResult<Py<PyAny>> {
    let config = configuration(py, options)?;
    let plan = bridge::call(py, on_tick, |control| engine::preview(config, control))?;
    convert::to_python(py, &plan)
}

/// Builds the tables in memory; returns them by name, and the report.
#[pyfunction]
fn build<'py>(
    py: Python<'py>,
    options: &Bound<'py, PyMapping>,
    on_tick: Option<Py<PyAny>>,
) -> PyResult<(Bound<'py, PyDict>, Py<PyAny>)> {
    let config = configuration(py, options)?;
    let (frames, report) = bridge::call(py, on_tick, |control| {
        let (star, report) = engine::build(config, control)?;
        Ok((convert::frames(&star)?, report))
    })?;
    let tables = PyDict::new(py);
    for (table, frame) in frames {
        tables.set_item(table.name(), pyo3_polars::PyDataFrame(frame))?;
    }
    Ok((tables, convert::to_python(py, &report)?))
}

/// Examines a place that a job would read or write, from the workers of `executor`, too; returns the checks.
#[pyfunction]
#[pyo3(signature = (location, options, on_tick, executor = None))]
fn doctor<'py>(
    py: Python<'py>,
    location: &str,
    options: &Bound<'py, PyMapping>,
    on_tick: Option<Py<PyAny>>,
    executor: Crew<'py>,
) -> PyResult<Py<PyAny>> {
    let config = configuration(py, options)?;
    let executor = executor.map(|(object, kernel)| PyExecutor::new(object, kernel)).transpose()?;
    let examination =
        bridge::call_on(py, executor.as_ref(), on_tick, |control| crate::doctor::examine(&config, location, control))?;
    convert::to_python(py, &examination)
}

/// Compares the lake with its log; changes nothing.
#[pyfunction]
fn check(py: Python<'_>, options: &Bound<'_, PyMapping>, on_tick: Option<Py<PyAny>>) -> PyResult<Py<PyAny>> {
    let config = configuration(py, options)?;
    let checkup = bridge::call(py, on_tick, |control| engine::check(&config, control))?;
    convert::to_python(py, &checkup)
}

/// Tells the newest version of the lake from its log, and what has arrived since at an input that is named.
#[pyfunction]
fn status(py: Python<'_>, options: &Bound<'_, PyMapping>) -> PyResult<Py<PyAny>> {
    let config = configuration(py, options)?;
    let status = bridge::call(py, None, |control| engine::status(config, control))?;
    convert::to_python(py, &status)
}

/// Publishes what an earlier run committed and did not finish; returns what the lake is then.
#[pyfunction]
fn recover(py: Python<'_>, options: &Bound<'_, PyMapping>, on_tick: Option<Py<PyAny>>) -> PyResult<Py<PyAny>> {
    let config = configuration(py, options)?;
    let checkup = bridge::call(py, on_tick, |control| engine::recover(&config, control))?;
    convert::to_python(py, &checkup)
}

/// Makes the sample data set below `directory`.
#[pyfunction]
fn sample(
    py: Python<'_>,
    directory: &str,
    options: &Bound<'_, PyMapping>,
    on_tick: Option<Py<PyAny>>,
) -> PyResult<Py<PyAny>> {
    let settings = convert::settings(options)?;
    let default = SampleSpec::default();
    let number = |name: &'static str, default: u64| -> PyResult<u64> {
        let Some(text) = settings.get(name) else { return Ok(default) };
        text.parse().map_err(|_| {
            let error = Error::new(ErrorKind::Usage, format!("{name} cannot be {text:?}"))
                .hint("it takes a whole number")
                .context("option", name);
            errors::raise(py, &error)
        })
    };
    let small = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    let spec = SampleSpec {
        songs: number("songs", default.songs)?,
        events: number("events", default.events)?,
        days: small(number("days", default.days.into())?),
        users: small(number("users", default.users.into())?),
        seed: number("seed", default.seed)?,
    };
    let threads = crate::threads::available();
    let summary = bridge::call(py, on_tick, |control| {
        let started = std::time::Instant::now();
        let cancelled = || control.cancel.is_cancelled();
        let progress = |written: u64| {
            if let Some(progress) = control.progress {
                progress.reach(written);
            }
        };
        control.begin(Stage::Sample, 0);
        let made = write_sample(Path::new(directory), &spec, threads, &cancelled, &progress).map_err(|error| {
            match error.kind() {
                std::io::ErrorKind::InvalidInput => Error::new(ErrorKind::Usage, error.to_string()),
                _ => Error::io(ErrorKind::Storage, "write the sample to", Path::new(directory), &error),
            }
        })?;
        let Some(made) = made else { return Err(Error::new(ErrorKind::Interrupted, "the sample was not finished")) };
        Ok(json!({
            "songs": made.songs, "song_files": made.song_files, "events": made.events, "log_files": made.log_files,
            "bytes": made.bytes, "seconds": started.elapsed().as_secs_f64(),
        }))
    })?;
    convert::to_python(py, &summary)
}

/// The default of every option and of the sample's numbers, as text.
#[pyfunction]
fn defaults(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let known = PyDict::new(py);
    for (name, default) in DEFAULTS {
        known.set_item(name, default)?;
    }
    let SampleSpec { songs, events, days, users, seed } = SampleSpec::default();
    let numbers =
        [("songs", songs), ("events", events), ("days", days.into()), ("users", users.into()), ("seed", seed)];
    for (name, default) in numbers {
        known.set_item(name, default.to_string())?;
    }
    Ok(known)
}

/// The star schema by table name: the columns with their types, and the columns that are in the path.
#[pyfunction]
fn star_schema(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let tables = PyDict::new(py);
    for table in Table::ALL {
        let columns = PyDict::new(py);
        for field in table.fields() {
            columns.set_item(field.name, field.kind.name())?;
        }
        let described = PyDict::new(py);
        described.set_item("columns", columns)?;
        described.set_item("partition_columns", table.partition_columns().to_vec())?;
        tables.set_item(table.name(), described)?;
    }
    Ok(tables)
}

/// The version and how the module was compiled.
#[pyfunction]
fn build_info(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let info = PyDict::new(py);
    info.set_item("version", env!("CARGO_PKG_VERSION"))?;
    info.set_item("profile", if cfg!(debug_assertions) { "dev" } else { "release" })?;
    info.set_item("target", format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS))?;
    Ok(info)
}

/// The location of each table's folder, by table name; touches nothing.
#[pyfunction]
fn lake_layout(py: Python<'_>, options: &Bound<'_, PyMapping>) -> PyResult<BTreeMap<&'static str, String>> {
    let config = configuration(py, options)?;
    lookup::folders(&config).map_err(|error| errors::raise(py, &error))
}

/// Looks which tables of a lake are there.
#[pyfunction]
fn look(py: Python<'_>, options: &Bound<'_, PyMapping>) -> PyResult<Py<PyAny>> {
    let config = configuration(py, options)?;
    let sight = bridge::call(py, None, |control| lookup::look(&config, control))?;
    convert::to_python(py, &sight)
}

fn configuration(py: Python<'_>, options: &Bound<'_, PyMapping>) -> PyResult<Config> {
    let settings = convert::settings(options)?;
    Config::from_settings(&settings).map_err(|error| errors::raise(py, &error))
}

/// `sparkify_lake._native`.
#[pymodule(gil_used = false)]
#[pyo3(name = "_native")]
fn native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(run, module)?)?;
    module.add_function(wrap_pyfunction!(plan, module)?)?;
    module.add_function(wrap_pyfunction!(build, module)?)?;
    module.add_function(wrap_pyfunction!(doctor, module)?)?;
    module.add_function(wrap_pyfunction!(check, module)?)?;
    module.add_function(wrap_pyfunction!(status, module)?)?;
    module.add_function(wrap_pyfunction!(recover, module)?)?;
    module.add_function(wrap_pyfunction!(sample, module)?)?;
    module.add_function(wrap_pyfunction!(defaults, module)?)?;
    module.add_function(wrap_pyfunction!(star_schema, module)?)?;
    module.add_function(wrap_pyfunction!(build_info, module)?)?;
    module.add_function(wrap_pyfunction!(lake_layout, module)?)?;
    module.add_function(wrap_pyfunction!(look, module)?)?;
    module.add_function(wrap_pyfunction!(kernel, module)?)?;
    Ok(())
}
