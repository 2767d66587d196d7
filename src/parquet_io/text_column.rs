//! Encodes a text column whose texts repeat, without looking at the text of each row.
//!
//! The column writer of the parquet crate takes one text per row, and hashes and compares it to find its number in the
//! dictionary. The columns of a table already have numbers. So the crate writes two columns: one with each text once, of
//! which the dictionary page and the bounds are used, and one with the number of each row as an integer, of which the
//! data pages are used. A data page consists of positions in the dictionary, so its bytes do not depend on the type.
//!
//! Invariant: the bytes are the same as those of the crate's writer for texts; a test compares them.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use parquet::basic::{PageType, Repetition, Type as Physical};
use parquet::column::page::{CompressedPage, PageWriteSpec, PageWriter};
use parquet::column::writer::{ColumnCloseResult, ColumnWriter, get_column_writer};
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::LevelHistogram;
use parquet::file::properties::{EnabledStatistics, WriterPropertiesBuilder, WriterPropertiesPtr};
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::{ColumnDescPtr, SchemaDescriptor, Type as SchemaType};

use crate::tables::columns::{Dictionary, Presence};

/// The least number of rows per text. With fewer, the dictionary is most of the work.
const MIN_ROWS_PER_TEXT: usize = 4;
/// Above this size, the crate's writer gives up the dictionary (`DEFAULT_DICTIONARY_PAGE_SIZE_LIMIT`).
const MAX_DICTIONARY_BYTES: usize = 1 << 20;
/// Longer texts make the crate's writer end pages earlier, because a batch of them may not fit into a page.
const MAX_TEXT_BYTES: usize = 1000;
/// The bytes before each text in a dictionary page.
const LENGTH_BYTES: usize = 4;

/// Encodes text columns with one compression.
#[derive(Debug)]
pub(super) struct TextColumns {
    properties: WriterPropertiesPtr,
    number: ColumnDescPtr,
    number_properties: WriterPropertiesPtr,
}

/// One column of a row group, encoded.
pub(super) struct EncodedColumn {
    pub bytes: Bytes,
    pub close: ColumnCloseResult,
}

impl TextColumns {
    /// Creates the encoder; `properties` are those of the file.
    pub(super) fn new(properties: WriterPropertiesBuilder) -> ParquetResult<Self> {
        let number = SchemaType::primitive_type_builder("number", Physical::INT32)
            .with_repetition(Repetition::OPTIONAL)
            .build()?;
        let schema = SchemaType::group_type_builder("numbers").with_fields(vec![Arc::new(number)]).build()?;
        let without_bounds = properties.clone().set_statistics_enabled(EnabledStatistics::None);
        Ok(Self {
            properties: Arc::new(properties.build()),
            number: SchemaDescriptor::new(Arc::new(schema)).column(0),
            number_properties: Arc::new(without_bounds.build()),
        })
    }

    /// Encodes a column. Returns `None` if its texts are too many or too long, so that the crate's writer must do it.
    pub(super) fn encode(
        &self,
        column: ColumnDescPtr,
        dictionary: &Dictionary,
        keys: &[u32],
        presence: &Presence,
    ) -> ParquetResult<Option<EncodedColumn>> {
        if keys.is_empty() || !is_suitable(dictionary, keys.len()) {
            return Ok(None);
        }
        let distinct = Distinct::of(dictionary, keys);
        let nulls = presence.rows() - keys.len();
        let mut sink = TrackedWrite::new(Vec::with_capacity(1024 + keys.len()));

        // The NULLs are counted, and no row has to be there for that.
        let levels: Vec<i16> = [vec![1; distinct.texts.len()], vec![0; nulls]].concat();
        let dictionary_page = Pages::only(PageType::DICTIONARY_PAGE, &mut sink);
        let texts = match get_column_writer(column, Arc::clone(&self.properties), Box::new(dictionary_page)) {
            ColumnWriter::ByteArrayColumnWriter(mut writer) => {
                writer.write_batch(&distinct.texts, Some(&levels), None)?;
                writer.close()?
            }
            _ => return Err(ParquetError::General("a text column is not one of byte arrays".to_owned())),
        };

        let all_present;
        let levels = if let Some(levels) = presence.levels() {
            levels
        } else {
            all_present = vec![1; keys.len()];
            &all_present
        };
        let data_pages = Box::new(Pages::only(PageType::DATA_PAGE, &mut sink));
        let numbers = match get_column_writer(Arc::clone(&self.number), Arc::clone(&self.number_properties), data_pages)
        {
            ColumnWriter::Int32ColumnWriter(mut writer) => {
                writer.write_batch(&distinct.numbers, Some(levels), None)?;
                writer.close()?
            }
            _ => return Err(ParquetError::General("a column of numbers is not one of integers".to_owned())),
        };

        let metadata = texts.metadata.clone().into_builder();
        let (texts, pages) = (texts.metadata, numbers.metadata);
        let metadata = metadata
            .set_page_encoding_stats(pages.page_encoding_stats().cloned().unwrap_or_default())
            .set_total_compressed_size(texts.compressed_size() + pages.compressed_size())
            .set_total_uncompressed_size(texts.uncompressed_size() + pages.uncompressed_size())
            .set_num_values(pages.num_values())
            .set_data_page_offset(pages.data_page_offset())
            .set_unencoded_byte_array_data_bytes(Some(distinct.row_bytes))
            .set_definition_level_histogram(Some(LevelHistogram::from(vec![integer(nulls), integer(keys.len())])))
            .build()?;
        let close = ColumnCloseResult {
            bytes_written: u64::try_from(metadata.compressed_size()).unwrap_or_default(),
            rows_written: presence.rows() as u64,
            metadata,
            bloom_filter: None,
            column_index: None,
            offset_index: None,
        };
        Ok(Some(EncodedColumn { bytes: Bytes::from(sink.into_inner()?), close }))
    }
}

/// Whether the crate's writer would keep a dictionary for the column and end its pages by the number of rows.
fn is_suitable(dictionary: &Dictionary, rows: usize) -> bool {
    let lengths = || (0..).take(dictionary.len()).map(|key| dictionary.text(key).len());
    dictionary.len().saturating_mul(MIN_ROWS_PER_TEXT) <= rows
        && lengths().all(|length| length <= MAX_TEXT_BYTES)
        && lengths().map(|length| length + LENGTH_BYTES).sum::<usize>() < MAX_DICTIONARY_BYTES
}

/// The distinct texts of a column in the order of their first rows, and the number of each row.
struct Distinct {
    texts: Vec<ByteArray>,
    numbers: Vec<i32>,
    /// The bytes of the texts of all rows.
    row_bytes: i64,
}

impl Distinct {
    fn of(dictionary: &Dictionary, keys: &[u32]) -> Self {
        const UNSEEN: i32 = -1;
        let mut number_of_key = vec![UNSEEN; dictionary.len()];
        let mut number_of_text: HashMap<Bytes, i32> = HashMap::with_capacity(dictionary.len());
        let (mut texts, mut row_bytes) = (Vec::with_capacity(dictionary.len()), 0);
        let mut lengths: Vec<i64> = Vec::with_capacity(dictionary.len());
        let mut number = |key: u32| {
            let known = number_of_key.get_mut(key as usize)?;
            if *known == UNSEEN {
                // Different keys can have the same text.
                *known = match number_of_text.entry(dictionary.get(key)) {
                    Entry::Occupied(entry) => *entry.get(),
                    Entry::Vacant(entry) => {
                        let number = i32::try_from(texts.len()).ok()?;
                        lengths.push(integer(entry.key().len()));
                        texts.push(ByteArray::from(entry.key().clone()));
                        *entry.insert(number)
                    }
                };
            }
            row_bytes += lengths.get(usize::try_from(*known).ok()?)?;
            Some(*known)
        };
        let numbers = keys.iter().filter_map(|key| number(*key)).collect();
        Self { texts, numbers, row_bytes }
    }
}

/// Writes the pages of one type, and skips the others.
struct Pages<'s, W: Write> {
    kept: PageType,
    pages: SerializedPageWriter<'s, W>,
}

impl<'s, W: Write> Pages<'s, W> {
    fn only(kept: PageType, sink: &'s mut TrackedWrite<W>) -> Self {
        Self { kept, pages: SerializedPageWriter::new(sink) }
    }
}

impl<W: Write + Send> PageWriter for Pages<'_, W> {
    fn write_page(&mut self, page: CompressedPage) -> ParquetResult<PageWriteSpec> {
        if page.page_type() == self.kept {
            return self.pages.write_page(page);
        }
        let mut skipped = PageWriteSpec::new();
        skipped.page_type = page.page_type();
        Ok(skipped)
    }

    fn close(&mut self) -> ParquetResult<()> {
        self.pages.close()
    }
}

fn integer(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::config::Compression;
    use crate::parquet_io::writer::Encoder;
    use crate::schema::{Field, Type};
    use crate::tables::columns::RepeatedValues;

    const FIELD: Field = Field { name: "text", kind: Type::Text };

    /// Texts of very different lengths, of which some are equal.
    fn texts() -> impl Strategy<Value = Vec<Option<String>>> {
        let text = prop_oneof![
            2 => "[a-c]{0,2}",
            4 => "\\PC{0,40}",
            1 => "[äöü]{30,70}",
            1 => Just("\u{10ffff}".repeat(30)),
            1 => "[a-z]{990,1010}",
        ];
        prop::collection::vec(prop::option::weighted(0.9, text), 1..60)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn the_bytes_are_those_of_the_writer_for_texts(
            texts in texts(),
            rows in prop_oneof![3 => 1_usize..3_000, 1 => 20_000_usize..70_000],
            step in 1_u64..1_000,
            compression in prop::sample::select(vec![Compression::Snappy, Compression::Zstd, Compression::None]),
        ) {
            let count = texts.len() as u64;
            // Long runs of the same text, and texts in any order.
            let code = |row: u64| if row % 100 < 50 { row / 100 * step % count } else { row * step % count };
            let codes = (0..rows as u64).map(|row| u32::try_from(code(row)).ok());
            let column = RepeatedValues::new(texts.len(), codes)
                .texts(|code, dictionary| texts[code as usize].as_ref().map(|text| dictionary.push(text)));
            let columns = [column];
            let encoder = Encoder::for_fields([(&FIELD, "text")].into_iter(), compression).unwrap();
            let fast = encoder.encode_rows(rows, &columns, true).unwrap();
            let plain = encoder.encode_rows(rows, &columns, false).unwrap();
            prop_assert_eq!(fast.bytes, plain.bytes);
        }
    }
}
