//! The journal's format: group commits as Arrow IPC files, one line an entry. Not when they are written or deleted (`commits`).

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{AsArray, BinaryArray, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, UInt64Type};
use arrow::error::ArrowError;
use arrow::ipc::reader::{FileReader, read_footer_length};
use arrow::ipc::writer::FileWriter;
use arrow::ipc::{root_as_footer, root_as_message};
use babelquant_proto::{Digest, UnitIndex};
use bytes::Bytes;

use super::error::StoreError;
use crate::scheduler::{Fault, Record};

/// Bytes before the description of a message in an IPC file: a mark, and its length.
const MESSAGE_PREFIX: usize = 8;

/// What a group commit keeps about one unit.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A verified result.
    Result {
        /// The unit.
        unit: UnitIndex,
        /// BLAKE3 of the payload.
        digest: Digest,
        /// Its rows, as they were sent.
        payload: Bytes,
    },
    /// A charge.
    Charge {
        /// The unit.
        unit: UnitIndex,
        /// The worker's name.
        worker: String,
        /// How it broke.
        fault: Fault,
    },
    /// The unit is given up.
    Quarantine {
        /// The unit.
        unit: UnitIndex,
        /// How it broke last.
        fault: Fault,
    },
}

impl Entry {
    /// The unit.
    pub fn unit(&self) -> UnitIndex {
        match self {
            Self::Result { unit, .. }
            | Self::Charge { unit, .. }
            | Self::Quarantine { unit, .. } => *unit,
        }
    }

    /// Size of the result.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Result { payload, .. } => payload.len(),
            Self::Charge { .. } | Self::Quarantine { .. } => 0,
        }
    }

    /// What the scheduler needs to know of it.
    pub fn record(&self) -> Record {
        match self.clone() {
            Self::Result { unit, .. } => Record::Done { unit },
            Self::Charge { unit, worker, fault } => Record::Charge { unit, worker, fault },
            Self::Quarantine { unit, fault } => Record::Quarantine { unit, fault },
        }
    }

    /// The columns `kind` and `blake3`.
    fn columns(&self) -> (String, Digest) {
        match self {
            Self::Result { digest, .. } => ("result".to_owned(), *digest),
            Self::Charge { fault, .. } => (format!("charge {fault}"), Digest::of(self.payload())),
            Self::Quarantine { fault, .. } => {
                (format!("quarantine {fault}"), Digest::of(self.payload()))
            }
        }
    }

    /// The column `payload`.
    fn payload(&self) -> &[u8] {
        match self {
            Self::Result { payload, .. } => payload,
            Self::Charge { worker, .. } => worker.as_bytes(),
            Self::Quarantine { .. } => &[],
        }
    }
}

/// An entry, and which bytes of its commit's object are its payload.
pub(super) type Placed = (Entry, Range<u64>);

/// The IPC file of a group commit.
pub(super) fn encode(entries: &[Entry]) -> Result<Bytes, ArrowError> {
    let columns: Vec<(String, Digest)> = entries.iter().map(Entry::columns).collect();
    let batch = RecordBatch::try_new(
        schema(),
        vec![
            Arc::new(UInt64Array::from_iter_values(entries.iter().map(|entry| entry.unit().0))),
            Arc::new(StringArray::from_iter_values(columns.iter().map(|(kind, _)| kind))),
            Arc::new(BinaryArray::from_iter_values(
                columns.iter().map(|(_, digest)| digest.as_bytes()),
            )),
            Arc::new(BinaryArray::from_iter_values(entries.iter().map(Entry::payload))),
        ],
    )?;
    let mut writer = FileWriter::try_new(Vec::new(), &batch.schema())?;
    writer.write(&batch)?;
    writer.into_inner().map(Bytes::from)
}

/// The entries of a group commit, each payload checked against its digest. They share the content's memory.
pub(super) fn decode(path: &str, content: &Bytes) -> Result<Vec<Placed>, StoreError> {
    let damaged = |reason: String| StoreError::Damaged { path: path.to_owned(), reason };
    let reader = FileReader::try_new(std::io::Cursor::new(content), None);
    let batches = reader.and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut end = payloads(path, content)?;
    let mut entries = Vec::new();
    for batch in batches.map_err(|error| damaged(error.to_string()))? {
        for row in 0..batch.num_rows() {
            let entry = entry(&batch, row, (content, end));
            let entry = entry.ok_or_else(|| damaged(format!("entry {row}")))?;
            entries.push(place(entry, &mut end));
        }
    }
    Ok(entries)
}

/// The entries of a group commit with their places in its object.
pub(super) fn placed(
    path: &str,
    content: &[u8],
    entries: Vec<Entry>,
) -> Result<Vec<Placed>, StoreError> {
    let mut end = payloads(path, content)?;
    Ok(entries.into_iter().map(|entry| place(entry, &mut end)).collect())
}

/// The place of an entry behind the last one, which then ends with it.
fn place(entry: Entry, end: &mut u64) -> Placed {
    let begin = *end;
    *end += entry.payload().len() as u64;
    (entry, begin..*end)
}

fn payloads(path: &str, content: &[u8]) -> Result<u64, StoreError> {
    payloads_begin(content).ok_or_else(|| StoreError::Damaged {
        path: path.to_owned(),
        reason: "it does not say where payloads begin".to_owned(),
    })
}

/// Where the payloads of a group commit begin, one right behind the other: they are the last buffer of the file's one record batch.
fn payloads_begin(content: &[u8]) -> Option<u64> {
    let (rest, trailer) = content.split_last_chunk()?;
    let footer = rest.len().checked_sub(read_footer_length(*trailer).ok()?)?;
    let footer = root_as_footer(&rest[footer..]).ok()?;
    let block = footer.recordBatches()?.iter().next()?;
    let description = usize::try_from(block.offset()).ok()?.checked_add(MESSAGE_PREFIX)?;
    let message = root_as_message(content.get(description..)?).ok()?;
    let payloads = message.header_as_record_batch()?.buffers()?.iter().next_back()?;
    let body = block.offset() + i64::from(block.metaDataLength());
    u64::try_from(body + payloads.offset()).ok()
}

/// The entry of a row, whose payload begins there in the content.
fn entry(batch: &RecordBatch, row: usize, (content, begin): (&Bytes, u64)) -> Option<Entry> {
    let column = |name| batch.column_by_name(name);
    let unit = UnitIndex(column("unit")?.as_primitive_opt::<UInt64Type>()?.value(row));
    let length = column("payload")?.as_binary_opt::<i32>()?.value(row).len();
    let begin = usize::try_from(begin).ok()?;
    let payload = content.slice_ref(content.get(begin..begin.checked_add(length)?)?);
    let digest = Digest::from_slice(column("blake3")?.as_binary_opt::<i32>()?.value(row))?;
    if Digest::of(&payload) != digest {
        return None;
    }
    match column("kind")?.as_string_opt::<i32>()?.value(row).split_once(' ') {
        None => Some(Entry::Result { unit, digest, payload }),
        Some(("charge", fault)) => {
            let worker = std::str::from_utf8(&payload).ok()?.to_owned();
            Some(Entry::Charge { unit, worker, fault: fault.parse().ok()? })
        }
        Some(("quarantine", fault)) => Some(Entry::Quarantine { unit, fault: fault.parse().ok()? }),
        Some(_) => None,
    }
}

fn schema() -> Arc<Schema> {
    Arc::new(Schema::new(vec![
        Field::new("unit", DataType::UInt64, false),
        Field::new("kind", DataType::Utf8, false),
        Field::new("blake3", DataType::Binary, false),
        Field::new("payload", DataType::Binary, false),
    ]))
}

#[cfg(test)]
mod tests {
    use babelquant_proto::FailureKind;

    use super::*;

    #[test]
    fn entries_round_trip_and_damage_is_found() {
        let payload = Bytes::from_static(b"rows of a unit");
        let fault = Fault::Reported(FailureKind::Crash);
        let worker = "w".to_owned();
        let entries = [
            Entry::Result { unit: UnitIndex(3), digest: Digest::of(&payload), payload },
            Entry::Charge { unit: UnitIndex(4), worker, fault },
            Entry::Quarantine { unit: UnitIndex(5), fault: Fault::LeaseLost },
        ];
        let content = encode(&entries).unwrap();
        let read = decode("x", &content).unwrap();
        assert_eq!(read, placed("x", &content, entries.to_vec()).unwrap());
        assert!(read.iter().map(|(entry, _)| entry).eq(&entries));
        for (entry, bytes) in read {
            assert_eq!(&content[bytes.start as usize..bytes.end as usize], entry.payload());
        }
        let at = content.windows(4).position(|bytes| bytes == b"rows").unwrap();
        let mut broken = content.to_vec();
        broken[at] ^= 1;
        assert!(matches!(decode("x", &broken.into()), Err(StoreError::Damaged { .. })));
    }
}
