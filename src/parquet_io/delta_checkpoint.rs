//! Checkpoints of Delta logs: actions as nested rows of Parquet.
//!
//! The columns are those of the [Delta protocol](https://github.com/delta-io/delta/blob/master/PROTOCOL.md#checkpoint-schema)
//! that a table without optional features needs. Each action is one row, in the column of its kind.
//!
//! Invariant: [`decode`] returns the actions that [`encode`] got, and the bytes depend only on them.

use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, ConvertedType, Repetition};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::Type;
use serde_json::{Map, Value, json};

use crate::error::{Error, ErrorKind, Result};

const SCHEMA: &str = "message schema {
    optional group txn { optional binary appId (UTF8); optional int64 version; optional int64 lastUpdated; }
    optional group add {
        optional binary path (UTF8);
        optional group partitionValues (MAP) {
            repeated group key_value { required binary key (UTF8); optional binary value (UTF8); }
        }
        optional int64 size; optional int64 modificationTime; optional boolean dataChange; optional binary stats (UTF8);
    }
    optional group remove { optional binary path (UTF8); optional int64 deletionTimestamp; optional boolean dataChange; }
    optional group metaData {
        optional binary id (UTF8); optional binary name (UTF8); optional binary description (UTF8);
        optional group format {
            optional binary provider (UTF8);
            optional group options (MAP) {
                repeated group key_value { required binary key (UTF8); optional binary value (UTF8); }
            }
        }
        optional binary schemaString (UTF8);
        optional group partitionColumns (LIST) { repeated group list { optional binary element (UTF8); } }
        optional group configuration (MAP) {
            repeated group key_value { required binary key (UTF8); optional binary value (UTF8); }
        }
        optional int64 createdTime;
    }
    optional group protocol { optional int32 minReaderVersion; optional int32 minWriterVersion; }
}";

/// The values of a leaf column with their definition and repetition levels.
#[derive(Default)]
struct Leaf {
    values: Vec<Value>,
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
}

/// Encodes actions as a checkpoint.
///
/// # Errors
/// [`ErrorKind::Internal`] when an action does not have the columns of a checkpoint.
pub fn encode(actions: &[Value]) -> Result<Vec<u8>> {
    let encode = || -> ParquetResult<Vec<u8>> {
        let schema = Arc::new(parse_message_type(SCHEMA)?);
        let mut leaves = Vec::new();
        for action in actions {
            let mut number = 0;
            for field in schema.get_fields() {
                add(field, action.get(field.name()), (0, 0, 0), &mut leaves, &mut number);
            }
        }
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
        let mut group = writer.next_row_group()?;
        for leaf in &leaves {
            let Some(mut column) = group.next_column()? else { break };
            write(column.untyped(), leaf)?;
            column.close()?;
        }
        group.close()?;
        writer.into_inner()
    };
    encode().map_err(|error| Error::new(ErrorKind::Internal, "cannot encode a checkpoint").cause(error.to_string()))
}

/// Decodes the actions of a checkpoint, without their NULLs.
///
/// # Errors
/// [`ErrorKind::Protocol`] when the bytes are not a checkpoint.
pub fn decode(bytes: Vec<u8>) -> Result<Vec<Value>> {
    let decode = || -> ParquetResult<Vec<Value>> {
        let reader = SerializedFileReader::new(Bytes::from(bytes))?;
        reader.get_row_iter(None)?.map(|row| Ok(without_nulls(row?.to_json_value()))).collect()
    };
    decode().map_err(|error| Error::new(ErrorKind::Protocol, "cannot read a checkpoint").cause(error.to_string()))
}

fn without_nulls(value: Value) -> Value {
    match value {
        // The value of a partition may be NULL.
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| if name == "partitionValues" { (name, value) } else { (name, without_nulls(value)) })
            .collect::<Map<_, _>>()
            .into(),
        other => other,
    }
}

/// Adds a value to the leaves of a field; `levels` are the definition level and the repetition level of the value, and
/// the number of repeated fields above it. `number` is that of the next leaf.
fn add(
    field: &Type,
    value: Option<&Value>,
    (definition, repetition, depth): (i16, i16, i16),
    leaves: &mut Vec<Leaf>,
    number: &mut usize,
) {
    let value = value.filter(|value| !value.is_null());
    let repetition_of_field = field.get_basic_info().repetition();
    if repetition_of_field == Repetition::REPEATED {
        let elements = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let first = *number;
        for (index, element) in elements.iter().enumerate() {
            *number = first;
            let repetition = if index == 0 { repetition } else { depth + 1 };
            add_fields(field, Some(element), (definition + 1, repetition, depth + 1), leaves, number);
        }
        if elements.is_empty() {
            add_fields(field, None, (definition, repetition, depth + 1), leaves, number);
        }
        return;
    }
    let is_defined = repetition_of_field == Repetition::OPTIONAL && value.is_some();
    let levels = (definition + i16::from(is_defined), repetition, depth);
    if field.is_group() {
        let elements = value.map(|value| elements(field, value));
        return add_fields(field, elements.as_ref().or(value), levels, leaves, number);
    }
    if leaves.len() == *number {
        leaves.push(Leaf::default());
    }
    if let Some(leaf) = leaves.get_mut(*number) {
        leaf.definitions.push(levels.0);
        leaf.repetitions.push(repetition);
        leaf.values.extend(value.cloned());
    }
    *number += 1;
}

fn add_fields(
    group: &Type,
    value: Option<&Value>,
    levels: (i16, i16, i16),
    leaves: &mut Vec<Leaf>,
    number: &mut usize,
) {
    for field in group.get_fields() {
        add(field, value.and_then(|value| value.get(field.name())), levels, leaves, number);
    }
}

/// A map or a list in the form that its repeated group has; other values unchanged.
fn elements(field: &Type, value: &Value) -> Value {
    match (field.get_basic_info().converted_type(), value) {
        (ConvertedType::MAP, Value::Object(entries)) => {
            let entries: Vec<Value> = entries.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
            json!({ "key_value": entries })
        }
        (ConvertedType::LIST, Value::Array(elements)) => {
            let elements: Vec<Value> = elements.iter().map(|element| json!({ "element": element })).collect();
            json!({ "list": elements })
        }
        _ => value.clone(),
    }
}

fn write(column: &mut ColumnWriter<'_>, leaf: &Leaf) -> ParquetResult<()> {
    let levels = (Some(leaf.definitions.as_slice()), Some(leaf.repetitions.as_slice()));
    let wrong = || ParquetError::General("a value does not have the type of its column".to_owned());
    let numbers = || leaf.values.iter().map(|value| value.as_i64().ok_or_else(wrong));
    match column {
        ColumnWriter::Int64ColumnWriter(target) => {
            target.write_batch(&numbers().collect::<ParquetResult<Vec<_>>>()?, levels.0, levels.1)
        }
        ColumnWriter::Int32ColumnWriter(target) => {
            let narrow = |number: ParquetResult<i64>| i32::try_from(number?).map_err(|_| wrong());
            target.write_batch(&numbers().map(narrow).collect::<ParquetResult<Vec<_>>>()?, levels.0, levels.1)
        }
        ColumnWriter::BoolColumnWriter(target) => {
            let values = leaf.values.iter().map(|value| value.as_bool().ok_or_else(wrong));
            target.write_batch(&values.collect::<ParquetResult<Vec<_>>>()?, levels.0, levels.1)
        }
        ColumnWriter::ByteArrayColumnWriter(target) => {
            let values = leaf.values.iter().map(|value| value.as_str().map(ByteArray::from).ok_or_else(wrong));
            target.write_batch(&values.collect::<ParquetResult<Vec<_>>>()?, levels.0, levels.1)
        }
        _ => Err(wrong()),
    }
    .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_read_back() {
        let actions = [
            json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}),
            json!({"metaData": {
                "id": "0", "name": "songs", "format": {"provider": "parquet", "options": {}}, "schemaString": "{}",
                "partitionColumns": ["year", "artist_id"], "configuration": {}, "createdTime": 5,
            }}),
            json!({"metaData": {"id": "1", "partitionColumns": [], "configuration": {"a": "b", "c": "d"}}}),
            json!({"txn": {"appId": "x", "version": 3, "lastUpdated": 4}}),
            json!({"add": {
                "path": "year=1/artist_id=A%252FB/x", "partitionValues": {"artist_id": "A/B", "year": null},
                "size": 7, "modificationTime": 1, "dataChange": true, "stats": "{\"numRecords\":1}",
            }}),
            json!({"add": {"path": "y", "partitionValues": {}, "size": 8, "modificationTime": 2, "dataChange": false}}),
            json!({"remove": {"path": "z", "deletionTimestamp": 9, "dataChange": true}}),
        ];
        assert_eq!(decode(encode(&actions).unwrap()).unwrap(), actions);
        assert!(encode(&[json!({"add": {"size": "large"}})]).is_err());
        assert!(decode(b"PAR1".to_vec()).is_err());
    }
}
