//! Encodes columns as Parquet bytes.
//!
//! A batch of rows becomes one row group, encoded on the thread that has the rows. The row groups of a large file are
//! encoded separately and appended in order. This module opens no file and knows no path.
//!
//! The settings were chosen by measurement: no page index; no dictionary in files with few rows (it costs more than the
//! rows) or for columns whose values rarely repeat; always chunk statistics; every column optional; timestamps as INT64
//! microseconds adjusted to UTC, which Spark, DuckDB, Polars and pyarrow all read.
//!
//! Invariant: the bytes depend only on the columns and the compression, not on the clock, threads or randomness.

use std::borrow::Borrow;
use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression as Codec, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::column::writer::{ColumnCloseResult, ColumnWriter, ColumnWriterImpl};
use parquet::data_type::{ByteArray, ByteArrayType, DataType};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, SchemaDescriptor, Type as SchemaType, TypePtr};

use crate::config::Compression;
use crate::error::{Error, ErrorKind, Result};
use crate::parquet_io::file_stats::{self, FileSummary};
use crate::parquet_io::text_column::{EncodedColumn, TextColumns};
use crate::schema::{ColumnNames, Field, Table, Type};
use crate::tables::columns::{Column, ColumnValues, Columns, Dictionary, Presence};

/// Files with at most this many rows are written without dictionaries.
const MAX_ROWS_WITHOUT_DICTIONARY: usize = 64;

/// Encodes the rows of one table.
#[derive(Debug)]
pub struct Encoder {
    schema: TypePtr,
    columns: SchemaDescriptor,
    without_dictionary: WriterPropertiesPtr,
    with_dictionary: WriterPropertiesPtr,
    texts: TextColumns,
}

/// One encoded batch of rows: a complete Parquet file with one row group.
#[derive(Debug)]
pub struct Encoded {
    /// The bytes of the file.
    pub bytes: Bytes,
    /// The number of rows in it.
    pub rows: usize,
    group: Option<Arc<RowGroupMetaData>>,
}

impl Encoded {
    /// The number of rows, and the columns' statistics if they are needed.
    #[must_use]
    pub fn summary(&self, needs_stats: bool) -> FileSummary {
        let group = self.group.as_ref().filter(|_| needs_stats);
        FileSummary { rows: self.rows as u64, stats: group.map(|group| file_stats::of_row_group(group)) }
    }
}

impl Encoder {
    /// Creates an encoder for the columns of `table` that its files contain (partition columns are in the path).
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] when the fields do not form a Parquet schema.
    pub fn new(table: Table, names: &ColumnNames, compression: Compression) -> Result<Self> {
        let fields = table.file_fields().map(|field| (field, names.get(table, field.name)));
        Self::for_fields(fields, compression)
    }

    /// Creates an encoder for columns of the given fields with their names in the file.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub(crate) fn for_fields<'f>(
        fields: impl Iterator<Item = (&'f Field, &'f str)>,
        compression: Compression,
    ) -> Result<Self> {
        let fields: Vec<(&Field, &str)> = fields.collect();
        let codec = match compression {
            Compression::Snappy => Codec::SNAPPY,
            Compression::Zstd => Codec::ZSTD(ZstdLevel::default()),
            Compression::None => Codec::UNCOMPRESSED,
        };
        let properties = |dictionary| {
            let properties = WriterProperties::builder()
                .set_writer_version(WriterVersion::PARQUET_1_0)
                .set_compression(codec)
                .set_dictionary_enabled(dictionary)
                .set_statistics_enabled(EnabledStatistics::Chunk)
                .set_offset_index_disabled(true);
            let distinct = fields.iter().filter(|(field, _)| is_nearly_distinct(field));
            distinct.fold(properties, |properties, (_, name)| {
                properties.set_column_dictionary_enabled(ColumnPath::from(*name), false)
            })
        };
        let schema = schema(&fields).map_err(bug)?;
        Ok(Self {
            columns: SchemaDescriptor::new(Arc::clone(&schema)),
            schema,
            without_dictionary: Arc::new(properties(false).build()),
            with_dictionary: Arc::new(properties(true).build()),
            texts: TextColumns::new(properties(true)).map_err(bug)?,
        })
    }

    /// Encodes a batch of rows.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`]: encoding in memory fails only because of a bug.
    pub fn encode(&self, columns: &Columns) -> Result<Encoded> {
        self.encode_columns(columns.rows(), &columns.columns)
    }

    /// Encodes columns of `rows` rows each, in the order of the fields. A column is taken when the one before it is encoded,
    /// so an iterator that makes them needs memory for one.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub(crate) fn encode_columns(
        &self,
        rows: usize,
        columns: impl IntoIterator<Item = impl Borrow<Column>>,
    ) -> Result<Encoded> {
        self.encode_rows(rows, columns, true)
    }

    /// Like [`Self::encode_columns`]; columns of texts are encoded [from their keys](TextColumns) or as texts.
    pub(super) fn encode_rows(
        &self,
        rows: usize,
        columns: impl IntoIterator<Item = impl Borrow<Column>>,
        from_keys: bool,
    ) -> Result<Encoded> {
        let has_dictionary = rows > MAX_ROWS_WITHOUT_DICTIONARY;
        let properties = if has_dictionary { &self.with_dictionary } else { &self.without_dictionary };
        let encode = move || -> ParquetResult<Encoded> {
            let buffer = Vec::with_capacity(1024 + rows * 8);
            let mut writer = SerializedFileWriter::new(buffer, Arc::clone(&self.schema), Arc::clone(properties))?;
            let mut group = writer.next_row_group()?;
            for (number, column) in columns.into_iter().enumerate() {
                let column = column.borrow();
                if has_dictionary
                    && from_keys
                    && let Some(EncodedColumn { bytes, close }) = self.encode_texts(number, column)?
                {
                    group.append_column(&bytes, close)?;
                    continue;
                }
                let Some(mut target) = group.next_column()? else {
                    return Err(ParquetError::General("there are more columns than fields".to_owned()));
                };
                write_column(target.untyped(), column)?;
                target.close()?;
            }
            let group = group.close()?;
            Ok(Encoded { bytes: Bytes::from(writer.into_inner()?), rows, group: Some(group) })
        };
        encode().map_err(bug)
    }

    /// Encodes a text column from its keys, if possible.
    fn encode_texts(&self, number: usize, column: &Column) -> ParquetResult<Option<EncodedColumn>> {
        match &column.values {
            ColumnValues::Text { dictionary, keys } if number < self.columns.num_columns() => {
                self.texts.encode(self.columns.column(number), dictionary, keys, &column.presence)
            }
            _ => Ok(None),
        }
    }

    /// Starts a file with several row groups.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`] when `target` cannot be written to.
    pub fn assemble<W: Write + Send>(&self, target: W) -> Result<Assembler<W>> {
        let writer = SerializedFileWriter::new(target, Arc::clone(&self.schema), Arc::clone(&self.with_dictionary));
        Ok(Assembler { writer: writer.map_err(failed)? })
    }
}

/// A Parquet file to which encoded batches are appended.
pub struct Assembler<W: Write + Send> {
    writer: SerializedFileWriter<W>,
}

impl<W: Write + Send> Assembler<W> {
    /// Appends a batch as a row group. Its bytes are copied, not encoded again.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`] when the target cannot be written to.
    pub fn append(&mut self, encoded: &Encoded) -> Result<()> {
        let Some(group) = &encoded.group else { return Ok(()) };
        let mut splice = || -> ParquetResult<()> {
            let mut target = self.writer.next_row_group()?;
            for column in group.columns() {
                let close = ColumnCloseResult {
                    bytes_written: u64::try_from(column.compressed_size()).unwrap_or_default(),
                    rows_written: u64::try_from(group.num_rows()).unwrap_or_default(),
                    metadata: column.clone(),
                    bloom_filter: None,
                    column_index: None,
                    offset_index: None,
                };
                target.append_column(&encoded.bytes, close)?;
            }
            target.close()?;
            Ok(())
        };
        splice().map_err(failed)
    }

    /// Returns the number of bytes written so far.
    pub fn bytes_written(&self) -> usize {
        self.writer.bytes_written()
    }

    /// Writes the footer and returns the target.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`] when the target cannot be written to.
    pub fn finish(self) -> Result<W> {
        self.writer.into_inner().map_err(failed)
    }
}

fn write_column(target: &mut ColumnWriter<'_>, column: &Column) -> ParquetResult<()> {
    let presence = &column.presence;
    match (target, &column.values) {
        (ColumnWriter::Int32ColumnWriter(target), ColumnValues::Int32(values)) => {
            write_values(target, values, presence)
        }
        (ColumnWriter::Int64ColumnWriter(target), ColumnValues::Int64(values)) => {
            write_values(target, values, presence)
        }
        (ColumnWriter::DoubleColumnWriter(target), ColumnValues::Float64(values)) => {
            write_values(target, values, presence)
        }
        (ColumnWriter::BoolColumnWriter(target), ColumnValues::Boolean(values)) => {
            write_values(target, values, presence)
        }
        (ColumnWriter::ByteArrayColumnWriter(target), ColumnValues::Text { dictionary, keys }) => {
            write_texts(target, dictionary, keys, presence)
        }
        _ => Err(ParquetError::General("a column does not have the type of its field".to_owned())),
    }
}

fn write_values<T: DataType>(
    target: &mut ColumnWriterImpl<'_, T>,
    values: &[T::T],
    presence: &Presence,
) -> ParquetResult<()> {
    let all_present;
    let levels = if let Some(levels) = presence.levels() {
        levels
    } else {
        all_present = vec![1_i16; presence.rows()];
        &all_present
    };
    target.write_batch(values, Some(levels), None)?;
    Ok(())
}

/// Rows per call of the writer. The text handles of this many rows fit into the L1 cache.
const TEXT_BATCH_ROWS: usize = 1024;

fn write_texts(
    target: &mut ColumnWriterImpl<'_, ByteArrayType>,
    dictionary: &Dictionary,
    keys: &[u32],
    presence: &Presence,
) -> ParquetResult<()> {
    let texts: Vec<ByteArray> =
        (0_u32..).take(dictionary.len()).map(|key| ByteArray::from(dictionary.get(key))).collect();
    let all_present = [1; TEXT_BATCH_ROWS];
    let mut values = Vec::with_capacity(TEXT_BATCH_ROWS.min(presence.rows()));
    let mut keys = keys.iter();
    let mut row = 0;
    while row < presence.rows() {
        let until = presence.rows().min(row + TEXT_BATCH_ROWS);
        let levels = match presence.levels() {
            Some(levels) => levels.get(row..until),
            None => all_present.get(..until - row),
        }
        .unwrap_or_default();
        let present = levels.iter().filter(|level| **level == 1).count();
        values.clear();
        values.extend(keys.by_ref().take(present).filter_map(|key| texts.get(*key as usize)).cloned());
        target.write_batch(&values, Some(levels), None)?;
        row = until;
    }
    Ok(())
}

/// Returns true if the values rarely repeat, so that a dictionary would only be a second copy of them.
fn is_nearly_distinct(field: &Field) -> bool {
    matches!(field.kind, Type::Timestamp | Type::Float64) || field.name == "songplay_id"
}

fn schema(fields: &[(&Field, &str)]) -> ParquetResult<TypePtr> {
    let fields =
        fields.iter().map(|(field, name)| column_type(field.kind, name).map(Arc::new)).collect::<ParquetResult<_>>()?;
    Ok(Arc::new(SchemaType::group_type_builder("schema").with_fields(fields).build()?))
}

fn column_type(kind: Type, name: &str) -> ParquetResult<SchemaType> {
    let (physical, logical) = match kind {
        Type::Int32 => (Physical::INT32, None),
        Type::Int64 => (Physical::INT64, None),
        Type::Float64 => (Physical::DOUBLE, None),
        Type::Boolean => (Physical::BOOLEAN, None),
        Type::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Type::Timestamp => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
    };
    SchemaType::primitive_type_builder(name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical)
        .build()
}

#[expect(clippy::needless_pass_by_value, reason = "the signature that map_err expects")]
fn bug(error: ParquetError) -> Error {
    Error::new(ErrorKind::Internal, "a table could not be encoded").cause(error.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "the signature that map_err expects")]
fn failed(error: ParquetError) -> Error {
    let action = "write a table file";
    if let ParquetError::External(source) = &error
        && let Some(source) = source.downcast_ref::<std::io::Error>()
    {
        return Error::io_unnamed(ErrorKind::Storage, action, source);
    }
    Error::new(ErrorKind::Storage, format!("cannot {action}")).cause(error.to_string())
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field as Value;
    use proptest::prelude::*;

    use super::*;

    /// A value of any column, as a reader returns it; NaN is compared by its bits.
    fn value(kind: Type) -> BoxedStrategy<Value> {
        let value = match kind {
            Type::Int32 => any::<i32>().prop_map(Value::Int).boxed(),
            Type::Int64 => any::<i64>().prop_map(Value::Long).boxed(),
            Type::Float64 => prop_oneof![any::<f64>(), Just(f64::NAN), Just(-0.0), Just(f64::NEG_INFINITY)]
                .prop_map(Value::Double)
                .boxed(),
            Type::Boolean => any::<bool>().prop_map(Value::Bool).boxed(),
            Type::Text => any::<String>().prop_map(Value::Str).boxed(),
            Type::Timestamp => any::<i64>().prop_map(Value::TimestampMicros).boxed(),
        };
        prop_oneof![1 => Just(Value::Null), 4 => value].boxed()
    }

    /// A table and one or more rows of it; a row has one value for each column of the table's files.
    fn rows() -> impl Strategy<Value = (Table, Vec<Vec<Value>>)> {
        prop::sample::select(&Table::ALL[..]).prop_flat_map(|table| {
            let row: Vec<_> = table.file_fields().map(|field| value(field.kind)).collect();
            (Just(table), prop_oneof![prop::collection::vec(row.clone(), 1), prop::collection::vec(row, 1..80)])
        })
    }

    fn column(kind: Type, values: &[&Value]) -> Column {
        let texts = values.iter().map(|value| if let Value::Str(text) = value { Some(text.as_str()) } else { None });
        let integers = values.iter().map(|value| match value {
            Value::Long(number) | Value::TimestampMicros(number) => Some(*number),
            _ => None,
        });
        match kind {
            Type::Text => Column::text(texts),
            Type::Int64 | Type::Timestamp => Column::int64(integers),
            Type::Int32 => {
                Column::int32(values.iter().map(|value| if let Value::Int(one) = value { Some(*one) } else { None }))
            }
            Type::Boolean => {
                Column::boolean(values.iter().map(|value| if let Value::Bool(one) = value { Some(*one) } else { None }))
            }
            Type::Float64 => Column::float64(
                values.iter().map(|value| if let Value::Double(one) = value { Some(*one) } else { None }),
            ),
        }
    }

    proptest! {
        #[test]
        fn written_values_are_read_back((table, rows) in rows(), compression in prop::sample::select(
            vec![Compression::Snappy, Compression::Zstd, Compression::None],
        )) {
            let columns = table
                .file_fields()
                .enumerate()
                .map(|(number, field)| column(field.kind, &rows.iter().map(|row| &row[number]).collect::<Vec<_>>()))
                .collect();
            let encoder = Encoder::new(table, &ColumnNames::default(), compression).unwrap();
            let encoded = encoder.encode(&Columns { table, columns }).unwrap();
            prop_assert_eq!(encoded.rows, rows.len());
            let reader = SerializedFileReader::new(encoded.bytes).unwrap();
            let read: Vec<Vec<Value>> = reader
                .get_row_iter(None)
                .unwrap()
                .map(|row| row.unwrap().into_columns().into_iter().map(|(_, value)| value).collect())
                .collect();
            // The debug format distinguishes -0.0 from 0.0, and a NaN is equal to itself.
            prop_assert_eq!(format!("{read:?}"), format!("{rows:?}"));
        }
    }
}
