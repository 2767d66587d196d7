//! The boundary to Python: the functions of `sparkify_lake._native`.
//!
//! Arguments and results are plain mappings; data frames are passed by pyo3-polars. This module makes no decisions:
//! [`crate::config`] checks the options, [`crate::job`] does the work, and [`bridge`] waits and handles signals.
//!
//! Invariant: every function that can block uses the bridge, so it can be interrupted within one tick.

mod bridge;
mod cluster;
mod convert;
mod errors;
mod iceberg_writer;

use std::collections::BTreeMap;
use std::path::Path;

use bridge::Helpers;
use cluster::PyExecutor;
use iceberg_writer::PyIcebergWriter;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyMapping};
use serde_json::json;

use crate::config::{Config, DEFAULTS};
use crate::error::{Error, ErrorKind};
use crate::job;
use crate::lake::table_presence;
use crate::runtime::progress::Phase;
use crate::sample::{SampleSpec, write_sample};
use crate::schema::{ColumnNames, Table};

/// An executor and the kernel that its workers call.
type ExecutorBinding<'py> = Option<(Bound<'py, PyAny>, Py<PyAny>)>;

/// Runs the job, with its shards on `executor` if one is given; `iceberg` makes the metadata of Iceberg tables. Returns
/// the report.
#[pyfunction]
#[pyo3(signature = (options, on_tick, executor = None, iceberg = None))]
fn run<'py>(
    py: Python<'py>,
    options: &Bound<'py, PyMapping>,
    on_tick: Option<Py<PyAny>>,
    executor: ExecutorBinding<'py>,
    iceberg: Option<Py<PyAny>>,
) -> PyResult<Py<PyAny>> {
    let config = configuration(py, options)?;
    let executor = executor.map(|(object, kernel)| PyExecutor::new(object, kernel)).transpose()?;
    let iceberg = iceberg.map(PyIcebergWriter::new);
    let helpers = Helpers { executor: executor.as_ref(), iceberg: iceberg.as_ref() };
    let report = bridge::call_on(py, helpers, on_tick, |context| job::run::run(config, context))?;
    convert::to_python(py, &report)
}

/// Executes a shard of a run that another process leads; `secrets` are credentials, if there are any.
#[pyfunction]
fn kernel<'py>(py: Python<'py>, shard: &[u8], secrets: &Bound<'py, PyMapping>) -> PyResult<Bound<'py, PyBytes>> {
    let secrets = convert::settings(secrets)?;
    let result = bridge::call(py, None, |context| crate::distributed::worker::work(shard, secrets, context))?;
    Ok(PyBytes::new(py, &result))
}

/// Returns what `run` would read and write; changes nothing.
#[pyfunction]
fn plan(py: Python<'_>, options: &Bound<'_, PyMapping>, on_tick: Option<Py<PyAny>>) -> PyResult<Py<PyAny>> {
    let config = configuration(py, options)?;
    let plan = bridge::call(py, on_tick, |context| job::plan::plan(config, context))?;
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
    let (frames, report) = bridge::call(py, on_tick, |context| {
        let columns = config.columns.clone();
        let (star, report) = job::build::build(config, context)?;
        Ok((convert::frames(&star, &columns)?, report))
    })?;
    let tables = PyDict::new(py);
    for (table, frame) in frames {
        tables.set_item(table.name(), pyo3_polars::PyDataFrame(frame))?;
    }
    Ok((tables, convert::to_python(py, &report)?))
}

/// Examines a location that a job would read or write, also from the workers of `executor`; returns the checks.
#[pyfunction]
#[pyo3(signature = (location, options, on_tick, executor = None))]
fn doctor<'py>(
    py: Python<'py>,
    location: &str,
    options: &Bound<'py, PyMapping>,
    on_tick: Option<Py<PyAny>>,
    executor: ExecutorBinding<'py>,
) -> PyResult<Py<PyAny>> {
    let config = configuration(py, options)?;
    let executor = executor.map(|(object, kernel)| PyExecutor::new(object, kernel)).transpose()?;
    let helpers = Helpers { executor: executor.as_ref(), iceberg: None };
    let diagnostics =
        bridge::call_on(py, helpers, on_tick, |context| job::doctor::examine(&config, location, context))?;
    convert::to_python(py, &diagnostics)
}

/// Compares the lake with its commit log; changes nothing.
#[pyfunction]
#[pyo3(signature = (options, on_tick, iceberg = None))]
fn check(
    py: Python<'_>,
    options: &Bound<'_, PyMapping>,
    on_tick: Option<Py<PyAny>>,
    iceberg: Option<Py<PyAny>>,
) -> PyResult<Py<PyAny>> {
    let config = configuration(py, options)?;
    let iceberg = iceberg.map(PyIcebergWriter::new);
    let helpers = Helpers { executor: None, iceberg: iceberg.as_ref() };
    let lake_check = bridge::call_on(py, helpers, on_tick, |context| job::check::check(&config, context))?;
    convert::to_python(py, &lake_check)
}

/// Returns the newest version of the lake from its commit log, and the changes of the input, if one is configured.
#[pyfunction]
fn status(py: Python<'_>, options: &Bound<'_, PyMapping>) -> PyResult<Py<PyAny>> {
    let config = configuration(py, options)?;
    let status = bridge::call(py, None, |context| job::status::status(config, context))?;
    convert::to_python(py, &status)
}

/// Returns the versions of the lake at `output`, from its commit log.
#[pyfunction]
fn history(py: Python<'_>, options: &Bound<'_, PyMapping>, on_tick: Option<Py<PyAny>>) -> PyResult<Py<PyAny>> {
    let config = configuration(py, options)?;
    let history = bridge::call(py, on_tick, |context| job::history::history(&config, context))?;
    convert::to_python(py, &history)
}

/// Returns the folders, the partitions and the column names of the lake at `output`, from its commit log.
#[pyfunction]
fn lake_tables(py: Python<'_>, options: &Bound<'_, PyMapping>) -> PyResult<Py<PyAny>> {
    let config = configuration(py, options)?;
    let tables = bridge::call(py, None, |context| job::tables::tables(&config, context))?;
    convert::to_python(py, &tables)
}

/// Completes the publication of a committed version; returns the comparison of the lake with its commit log.
#[pyfunction]
#[pyo3(signature = (options, on_tick, iceberg = None))]
fn recover(
    py: Python<'_>,
    options: &Bound<'_, PyMapping>,
    on_tick: Option<Py<PyAny>>,
    iceberg: Option<Py<PyAny>>,
) -> PyResult<Py<PyAny>> {
    let config = configuration(py, options)?;
    let iceberg = iceberg.map(PyIcebergWriter::new);
    let helpers = Helpers { executor: None, iceberg: iceberg.as_ref() };
    let lake_check = bridge::call_on(py, helpers, on_tick, |context| job::recover::recover(&config, context))?;
    convert::to_python(py, &lake_check)
}

/// Writes the sample data set to `directory`.
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
                .hint("use a whole number")
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
    let threads = crate::runtime::threads::available();
    let summary = bridge::call(py, on_tick, |context| {
        let started = std::time::Instant::now();
        let cancelled = || context.cancel.is_cancelled();
        let progress = |written: u64| {
            if let Some(progress) = context.progress {
                progress.reach(written);
            }
        };
        context.begin(Phase::Sample, 0);
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

/// Returns the default of every option, and of the numbers of the sample, as text.
#[pyfunction]
fn defaults(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let all = PyDict::new(py);
    for (name, default) in DEFAULTS {
        all.set_item(name, default)?;
    }
    let SampleSpec { songs, events, days, users, seed } = SampleSpec::default();
    let numbers =
        [("songs", songs), ("events", events), ("days", days.into()), ("users", users.into()), ("seed", seed)];
    for (name, default) in numbers {
        all.set_item(name, default.to_string())?;
    }
    Ok(all)
}

/// The star schema by table name: the columns with their types, and the columns that are in the path. With options,
/// columns have the names that these give them.
#[pyfunction]
#[pyo3(signature = (options=None))]
fn star_schema<'py>(py: Python<'py>, options: Option<&Bound<'py, PyMapping>>) -> PyResult<Bound<'py, PyDict>> {
    let names = match options {
        Some(options) => configuration(py, options)?.columns,
        None => ColumnNames::default(),
    };
    let tables = PyDict::new(py);
    for table in Table::ALL {
        let columns = PyDict::new(py);
        for field in table.fields() {
            columns.set_item(names.get(table, field.name), field.kind.name())?;
        }
        let described = PyDict::new(py);
        described.set_item("columns", columns)?;
        let in_path = table.partition_columns().iter().map(|column| names.get(table, column));
        described.set_item("partition_columns", in_path.collect::<Vec<_>>())?;
        tables.set_item(table.name(), described)?;
    }
    Ok(tables)
}

/// Returns the version of the package, and how the module was compiled.
#[pyfunction]
fn build_info(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let info = PyDict::new(py);
    info.set_item("version", env!("CARGO_PKG_VERSION"))?;
    info.set_item("profile", if cfg!(debug_assertions) { "dev" } else { "release" })?;
    info.set_item("target", format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS))?;
    Ok(info)
}

/// Returns the location of each table's folder, by table name; accesses no storage.
#[pyfunction]
fn lake_layout(py: Python<'_>, options: &Bound<'_, PyMapping>) -> PyResult<BTreeMap<&'static str, String>> {
    let config = configuration(py, options)?;
    table_presence::folders(&config).map_err(|error| errors::raise(py, &error))
}

/// Returns which tables of a lake exist.
#[pyfunction]
fn look(py: Python<'_>, options: &Bound<'_, PyMapping>) -> PyResult<Py<PyAny>> {
    let config = configuration(py, options)?;
    let presence = bridge::call(py, None, |context| table_presence::find_tables(&config, context))?;
    convert::to_python(py, &presence)
}

/// An option that the environment sets: its name, its value, and the origin of the value.
type FoundOption = (&'static str, String, String);

/// Returns the options that the environment variables and the profiles of AWS set, each with its value and its origin,
/// and why the files of the profiles cannot be used.
#[pyfunction]
#[pyo3(signature = (profile = None))]
fn aws_settings(py: Python<'_>, profile: Option<&str>) -> PyResult<(Vec<FoundOption>, Option<String>)> {
    let aws = bridge::call(py, None, |_| crate::s3::aws_settings::read_environment(profile))?;
    let settings = aws.settings().into_iter().map(|found| (found.option, found.value, found.origin));
    Ok((settings.collect(), aws.failure))
}

fn configuration(py: Python<'_>, options: &Bound<'_, PyMapping>) -> PyResult<Config> {
    let settings = convert::settings(options)?;
    Config::from_settings(&settings).map_err(|error| errors::raise(py, &error))
}

/// The module `sparkify_lake._native`.
#[pymodule(gil_used = false)]
#[pyo3(name = "_native")]
fn native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(run, module)?)?;
    module.add_function(wrap_pyfunction!(plan, module)?)?;
    module.add_function(wrap_pyfunction!(build, module)?)?;
    module.add_function(wrap_pyfunction!(doctor, module)?)?;
    module.add_function(wrap_pyfunction!(check, module)?)?;
    module.add_function(wrap_pyfunction!(status, module)?)?;
    module.add_function(wrap_pyfunction!(lake_tables, module)?)?;
    module.add_function(wrap_pyfunction!(recover, module)?)?;
    module.add_function(wrap_pyfunction!(sample, module)?)?;
    module.add_function(wrap_pyfunction!(defaults, module)?)?;
    module.add_function(wrap_pyfunction!(star_schema, module)?)?;
    module.add_function(wrap_pyfunction!(build_info, module)?)?;
    module.add_function(wrap_pyfunction!(lake_layout, module)?)?;
    module.add_function(wrap_pyfunction!(history, module)?)?;
    module.add_function(wrap_pyfunction!(look, module)?)?;
    module.add_function(wrap_pyfunction!(aws_settings, module)?)?;
    module.add_function(wrap_pyfunction!(kernel, module)?)?;
    Ok(())
}
