//! Decodes Parquet bytes into values. Only state files of earlier runs are read here.
//!
//! Invariant: [`read_columns`] returns exactly the columns of the requested fields, all of the same length; a file with
//! other columns is an error.

use bytes::Bytes;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{FileReader, SerializedFileReader};

use crate::error::{Error, ErrorKind, Result};
use crate::schema::Field;

/// The values of a column, one per row; `None` is NULL.
#[derive(Clone, Debug)]
pub enum NullableValues {
    /// 32-bit integers.
    Int32(Vec<Option<i32>>),
    /// 64-bit integers.
    Int64(Vec<Option<i64>>),
    /// Doubles.
    Float64(Vec<Option<f64>>),
    /// Texts.
    Text(Vec<Option<Box<str>>>),
}

/// Reads all columns of a file.
///
/// # Errors
/// [`ErrorKind::Protocol`] when the bytes are not a Parquet file with exactly these fields.
pub fn read_columns(bytes: Bytes, fields: &[Field]) -> Result<Vec<NullableValues>> {
    let read = || -> ParquetResult<Vec<NullableValues>> {
        let reader = SerializedFileReader::new(bytes)?;
        let schema = reader.metadata().file_metadata().schema_descr_ptr();
        let names = schema.columns().iter().map(|column| column.name().to_owned());
        if !names.eq(fields.iter().map(|field| field.name.to_owned())) {
            return Err(ParquetError::General("it has other columns".to_owned()));
        }
        let mut columns: Vec<NullableValues> = Vec::new();
        for group in 0..reader.num_row_groups() {
            let group = reader.get_row_group(group)?;
            let rows = usize::try_from(group.metadata().num_rows()).unwrap_or_default();
            for number in 0..fields.len() {
                let values = match group.get_column_reader(number)? {
                    ColumnReader::Int32ColumnReader(reader) => NullableValues::Int32(read_values(reader, rows, Ok)?),
                    ColumnReader::Int64ColumnReader(reader) => NullableValues::Int64(read_values(reader, rows, Ok)?),
                    ColumnReader::DoubleColumnReader(reader) => NullableValues::Float64(read_values(reader, rows, Ok)?),
                    ColumnReader::ByteArrayColumnReader(reader) => {
                        NullableValues::Text(read_values(reader, rows, text)?)
                    }
                    _ => return Err(ParquetError::General("a column has an unexpected type".to_owned())),
                };
                match (columns.get_mut(number), values) {
                    (None, values) => columns.push(values),
                    (Some(NullableValues::Int32(known)), NullableValues::Int32(more)) => known.extend(more),
                    (Some(NullableValues::Int64(known)), NullableValues::Int64(more)) => known.extend(more),
                    (Some(NullableValues::Float64(known)), NullableValues::Float64(more)) => known.extend(more),
                    (Some(NullableValues::Text(known)), NullableValues::Text(more)) => known.extend(more),
                    _ => return Err(ParquetError::General("a column changes its type between row groups".to_owned())),
                }
            }
        }
        Ok(columns)
    };
    read().map_err(|error| Error::new(ErrorKind::Protocol, "a state file cannot be read").cause(error.to_string()))
}

#[expect(clippy::needless_pass_by_value, reason = "the signature that `read_values` expects")]
fn text(bytes: ByteArray) -> ParquetResult<Box<str>> {
    Ok(bytes.as_utf8()?.into())
}

/// Reads all values of one column of a row group. State files have only optional, flat columns.
fn read_values<T: DataType, V>(
    mut reader: ColumnReaderImpl<T>,
    rows: usize,
    make: impl Fn(T::T) -> ParquetResult<V>,
) -> ParquetResult<Vec<Option<V>>> {
    let (mut levels, mut dense) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    while levels.len() < rows {
        let (read, _, _) = reader.read_records(rows - levels.len(), Some(&mut levels), None, &mut dense)?;
        if read == 0 {
            return Err(ParquetError::General("a column is truncated".to_owned()));
        }
    }
    let mut dense = dense.into_iter();
    levels.iter().map(|level| if *level == 1 { dense.next().map(&make).transpose() } else { Ok(None) }).collect()
}
