//! Converts values between Rust and Python: settings to Rust, reports and data frames to Python.
//!
//! No other module knows data frames. This one does no input, output or other work.
//!
//! Invariant: a frame has exactly the columns, types and order that [`crate::schema`] defines.

use polars::prelude::{
    BooleanChunked, Column as FrameColumn, DataFrame, DataType, Float64Chunked, Int32Chunked, Int64Chunked, IntoColumn,
    NamedFrom, NewChunkedArray, PlSmallStr, PolarsError, PolarsResult, StringChunked, TimeUnit, TimeZone,
};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyList, PyMapping, PyString, PyTuple};
use serde::Serialize;

use crate::config::Settings;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{ColumnNames, Field, Table, Type};
use crate::tables::columns::{Column, ColumnValues, Columns};
use crate::transform::in_memory::Star;

/// Converts Python options to text: numbers in their printed form, flags as `true` and `false`, lists with commas. `None`
/// means not set. A `Secret` is revealed only here, and nowhere in Python.
pub fn settings(options: &Bound<'_, PyMapping>) -> PyResult<Settings> {
    let mut settings = Settings::new();
    for item in options.items()?.iter() {
        let (name, value): (String, Bound<'_, PyAny>) = item.extract()?;
        if !value.is_none() {
            settings.insert(name, text(&value)?);
        }
    }
    Ok(settings)
}

fn text(value: &Bound<'_, PyAny>) -> PyResult<String> {
    if let Ok(flag) = value.cast::<PyBool>() {
        return Ok(flag.is_true().to_string());
    }
    if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        let parts = value.try_iter()?.map(|part| text(&part?)).collect::<PyResult<Vec<String>>>()?;
        return Ok(parts.join(","));
    }
    if let Some(reveal) = value.getattr_opt("reveal")? {
        return reveal.call0()?.extract();
    }
    Ok(value.str()?.cast::<PyString>()?.to_str()?.to_owned())
}

/// Converts a report to Python dicts and lists.
pub fn to_python(py: Python<'_>, value: &impl Serialize) -> PyResult<Py<PyAny>> {
    let json = serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned());
    Ok(py.import("json")?.call_method1("loads", (json,))?.unbind())
}

/// Converts the tables to data frames; a table without rows becomes a frame without rows.
///
/// # Errors
/// [`ErrorKind::Internal`] when a column does not have the type of its field.
pub fn frames(star: &Star, columns: &ColumnNames) -> Result<Vec<(Table, DataFrame)>> {
    star.tables.iter().map(|table| Ok((*table, frame(star, *table, columns).map_err(bug)?))).collect()
}

fn frame(star: &Star, table: Table, columns: &ColumnNames) -> PolarsResult<DataFrame> {
    let mut frame = empty(table, columns)?;
    for batch in star.table(table) {
        frame.vstack_mut(&from_columns(batch, columns)?)?;
    }
    frame.rechunk_mut();
    Ok(frame)
}

fn empty(table: Table, columns: &ColumnNames) -> PolarsResult<DataFrame> {
    let columns = table
        .fields()
        .iter()
        .map(|field| {
            let name = PlSmallStr::from_str(columns.get(table, field.name));
            FrameColumn::new_empty(name, &data_type(field.kind))
        })
        .collect();
    DataFrame::new_infer_height(columns)
}

fn data_type(kind: Type) -> DataType {
    match kind {
        Type::Int32 => DataType::Int32,
        Type::Int64 => DataType::Int64,
        Type::Float64 => DataType::Float64,
        Type::Boolean => DataType::Boolean,
        Type::Text => DataType::String,
        Type::Timestamp => DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC)),
    }
}

fn from_columns(batch: &Columns, columns: &ColumnNames) -> PolarsResult<DataFrame> {
    let fields = batch.table.fields();
    if fields.len() != batch.columns.len() {
        return Err(PolarsError::ShapeMismatch("the batch does not have the columns of the table".into()));
    }
    let name = |field: &Field| PlSmallStr::from_str(columns.get(batch.table, field.name));
    let columns = fields.iter().zip(&batch.columns).map(|(field, column)| from_column(name(field), field.kind, column));
    DataFrame::new_infer_height(columns.collect())
}

fn from_column(name: PlSmallStr, kind: Type, column: &Column) -> FrameColumn {
    let levels = column.presence.levels();
    match &column.values {
        ColumnValues::Int32(values) => match levels {
            None => Int32Chunked::new(name, values).into_column(),
            Some(levels) => Int32Chunked::from_iter_options(name, spread(levels, values)).into_column(),
        },
        ColumnValues::Int64(values) => {
            let numbers = match levels {
                None => Int64Chunked::new(name, values),
                Some(levels) => Int64Chunked::from_iter_options(name, spread(levels, values)),
            };
            if kind == Type::Timestamp {
                numbers.into_datetime(TimeUnit::Microseconds, Some(TimeZone::UTC)).into_column()
            } else {
                numbers.into_column()
            }
        }
        ColumnValues::Float64(values) => match levels {
            None => Float64Chunked::new(name, values).into_column(),
            Some(levels) => Float64Chunked::from_iter_options(name, spread(levels, values)).into_column(),
        },
        ColumnValues::Boolean(values) => match levels {
            None => BooleanChunked::new(name, values).into_column(),
            Some(levels) => BooleanChunked::from_iter_options(name, spread(levels, values)).into_column(),
        },
        ColumnValues::Text { dictionary, keys } => match levels {
            None => StringChunked::from_iter_values(name, keys.iter().map(|key| dictionary.text(*key))).into_column(),
            Some(levels) => {
                let rows = spread(levels, keys).map(|key| key.map(|key| dictionary.text(key)));
                StringChunked::from_iter_options(name, rows).into_column()
            }
        },
    }
}

/// Yields one item per row: the next dense value if the row has one, otherwise `None`.
fn spread<'v, T: Copy>(levels: &'v [i16], values: &'v [T]) -> impl Iterator<Item = Option<T>> + 'v {
    let mut values = values.iter().copied();
    levels.iter().map(move |level| if *level == 1 { values.next() } else { None })
}

#[expect(clippy::needless_pass_by_value, reason = "the signature that map_err expects")]
fn bug(error: PolarsError) -> Error {
    Error::new(ErrorKind::Internal, "a table cannot be converted to a data frame").cause(error.to_string())
}
