//! Rows as bytes: the record batch of an Arrow IPC stream, without compression (with it, mutated input can abort the process). Hash before
//! decoding. In place of the schema, which both sides have and which would be most of the bytes, stands the start of its digest. What all rows
//! have in common stands once, behind the batches: so their buffers begin at multiples of 8 and are read where they are.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::ipc::reader::read_record_batch;
use arrow::ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteOptions, write_message};
use arrow::ipc::{MetadataVersion, root_as_message};
use bytes::Bytes;

use super::column::RowError;
use super::common::{Sent, take_out};
use super::table::{Fingerprint, Row};

/// Bytes that a column's buffers begin at a multiple of: a unit has few rows, and with Arrow's usual 64 most of its bytes are padding.
const ALIGNMENT: usize = 8;
/// What every message of an IPC stream begins with, before the length of its description.
const CONTINUATION: [u8; 4] = [0xff; 4];

/// The rows as bytes.
///
/// # Errors
/// A number is not finite, or the rows are of more than one unit.
pub fn encode<R: Row>(rows: &[R]) -> Result<Bytes, RowError> {
    let mut bytes = Vec::new();
    let common = append(rows, &mut bytes)?;
    bytes.extend(common);
    Ok(bytes.into())
}

/// The rows of two tables, one after the other: what a unit returns that fills both.
///
/// # Errors
/// A number is not finite, or the rows are of more than one unit.
pub fn encode_both<A: Row, B: Row>(first: &[A], second: &[B]) -> Result<Bytes, RowError> {
    let mut bytes = Vec::new();
    let common = [append(first, &mut bytes)?, append(second, &mut bytes)?];
    bytes.extend(common.concat());
    Ok(bytes.into())
}

/// Appends the columns in which rows may differ, and returns the others.
fn append<R: Row>(rows: &[R], bytes: &mut Vec<u8>) -> Result<Vec<u8>, RowError> {
    let (batch, common) = take_out::<R>(&R::to_batch(rows)?)?;
    let options = IpcWriteOptions::try_new(ALIGNMENT, false, MetadataVersion::V5)?;
    let mut dictionaries = DictionaryTracker::new(false);
    let (_, encoded) = IpcDataGenerator::default().encode(
        &batch,
        &mut dictionaries,
        &options,
        &mut Default::default(),
    )?;
    bytes.extend(R::layout().fingerprint);
    write_message(bytes, encoded, &options)?;
    Ok(common)
}

/// The rows that `encode` wrote.
///
/// # Errors
/// The bytes are no such rows, or more than them. A panic of the decoder over malformed bytes is caught and reported as an error.
pub fn decode<R: Row>(bytes: &[u8]) -> Result<Vec<R>, RowError> {
    guarded(|| sent::<R>(bytes)?.rows())
}

/// The rows of both tables that `encode_both` wrote.
///
/// # Errors
/// As `decode`.
pub fn decode_both<A: Row, B: Row>(bytes: &[u8]) -> Result<(Vec<A>, Vec<B>), RowError> {
    guarded(|| {
        let (first, second) = sent_both::<A, B>(bytes)?;
        Ok((first.rows()?, second.rows()?))
    })
}

/// As `decode`, without a look at numbers: of bytes that were decoded before.
///
/// # Errors
/// The bytes are no such batch, or more than it.
pub fn decode_batch<R: Row>(bytes: &[u8]) -> Result<RecordBatch, RowError> {
    guarded(|| sent::<R>(bytes)?.batch())
}

/// As `decode_both`, without a look at numbers.
///
/// # Errors
/// As `decode_batch`.
pub fn decode_both_batches<A: Row, B: Row>(
    bytes: &[u8],
) -> Result<(RecordBatch, RecordBatch), RowError> {
    guarded(|| {
        let (first, second) = sent_both::<A, B>(bytes)?;
        Ok((first.batch()?, second.batch()?))
    })
}

fn sent<R: Row>(bytes: &[u8]) -> Result<Sent<R>, RowError> {
    let mut rest = Buffer::from(bytes);
    let own = next::<R>(&mut rest)?;
    let sent = Sent::read(own, &mut rest, bytes.len())?;
    ended(&rest).map(|()| sent)
}

fn sent_both<A: Row, B: Row>(bytes: &[u8]) -> Result<(Sent<A>, Sent<B>), RowError> {
    let mut rest = Buffer::from(bytes);
    let (first, second) = (next::<A>(&mut rest)?, next::<B>(&mut rest)?);
    let size = bytes.len();
    let sent = (Sent::read(first, &mut rest, size)?, Sent::read(second, &mut rest, size)?);
    ended(&rest).map(|()| sent)
}

/// The columns in which rows may differ, from the batch at the start of `bytes`, which then begin after it.
fn next<R: Row>(bytes: &mut Buffer) -> Result<RecordBatch, RowError> {
    let layout = R::layout();
    if *take(bytes, size_of::<Fingerprint>())? != layout.fingerprint {
        return Err(RowError::Layout { table: R::TABLE.name });
    }
    if *take(bytes, CONTINUATION.len())? != CONTINUATION {
        return Err(RowError::Malformed);
    }
    let description = take_counted(bytes)?;
    let message = root_as_message(&description).map_err(|_| RowError::Malformed)?;
    let batch = message.header_as_record_batch().ok_or(RowError::Malformed)?;
    let body = usize::try_from(message.bodyLength()).map_err(|_| RowError::Malformed)?;
    let body = take(bytes, body)?;
    // Buffers that lie over each other would make any number of rows of few bytes.
    let buffers = batch.buffers().into_iter().flatten();
    let lengths: Option<Vec<u64>> = buffers.map(|one| u64::try_from(one.length()).ok()).collect();
    let total = lengths.and_then(|lengths| lengths.into_iter().try_fold(0_u64, u64::checked_add));
    if total.is_none_or(|total| total > body.len() as u64) {
        return Err(RowError::Malformed);
    }
    let (schema, dictionaries) = (Arc::clone(&layout.own), HashMap::new());
    Ok(read_record_batch(&body, batch, schema, &dictionaries, None, &message.version())?)
}

/// The bytes that stand behind their number.
pub(super) fn take_counted(bytes: &mut Buffer) -> Result<Buffer, RowError> {
    let count = take(bytes, size_of::<u32>())?;
    let count = u32::from_le_bytes(count.as_slice().try_into().expect("so many were taken"));
    take(bytes, count as usize)
}

/// The first bytes, which `bytes` then lack.
fn take(bytes: &mut Buffer, count: usize) -> Result<Buffer, RowError> {
    if count > bytes.len() {
        return Err(RowError::Malformed);
    }
    let taken = bytes.slice_with_length(0, count);
    bytes.advance(count);
    Ok(taken)
}

fn ended(rest: &Buffer) -> Result<(), RowError> {
    match rest.len() {
        0 => Ok(()),
        bytes => Err(RowError::Trailing { bytes }),
    }
}

fn guarded<T>(read: impl FnOnce() -> Result<T, RowError>) -> Result<T, RowError> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or(Err(RowError::Malformed))
}

#[cfg(test)]
mod tests {
    use arrow::ipc::reader::StreamReader;
    use arrow::ipc::writer::StreamWriter;

    use super::*;
    use crate::rows::{DocumentRow, TokenRow};

    fn documents() -> Vec<DocumentRow> {
        let row = |document| DocumentRow {
            document,
            language: "xho_Latn".to_owned(),
            base_nll_sum: 0.5 * f64::from(document),
            nll_sum: (document != 1).then_some(-2.0),
            ..DocumentRow::default()
        };
        (0..3).map(row).collect()
    }

    fn tokens() -> Vec<TokenRow> {
        let row = TokenRow { kl_counts: Some(vec![3, 0, 7]), tokens: 10, ..TokenRow::default() };
        vec![row]
    }

    /// What stands behind the fingerprint is a message that Arrow reads after the schema of the columns that are not in common.
    #[test]
    fn the_batch_is_arrows_own() {
        let own = &DocumentRow::layout().own;
        let mut writer = StreamWriter::try_new(Vec::new(), own).unwrap();
        let mut stream = std::mem::take(writer.get_mut());
        stream.extend(&encode(&documents()).unwrap()[size_of::<Fingerprint>()..]);
        let read = StreamReader::try_new(&*stream, None).unwrap().next().unwrap().unwrap();
        assert_eq!((read.num_rows(), read.schema_ref()), (3, own));
        let whole = DocumentRow::to_batch(&documents()).unwrap();
        for (field, column) in own.fields().iter().zip(read.columns()) {
            assert_eq!(Some(column), whole.column_by_name(field.name()), "{}", field.name());
        }
    }

    #[test]
    fn rows_are_read_as_they_were_wherever_their_bytes_stand() {
        let bytes = encode_both(&documents(), &tokens()).unwrap();
        for offset in 0..8 {
            let shifted = [&[0; 8][..offset], &bytes].concat();
            let read = decode_both(&shifted[offset..]).unwrap();
            assert_eq!(read, (documents(), tokens()));
        }
        assert_eq!(decode::<TokenRow>(&encode::<TokenRow>(&[]).unwrap()).unwrap(), []);
    }

    #[test]
    fn other_bytes_are_refused() {
        let bytes = encode(&documents()).unwrap();
        let refused = |bytes: &[u8]| decode::<DocumentRow>(bytes).unwrap_err();
        let other = encode(&tokens()).unwrap();
        assert!(matches!(refused(&other), RowError::Layout { table: "documents" }));
        assert!(matches!(refused(&[&*bytes, &[0]].concat()), RowError::Trailing { bytes: 1 }));
        for end in 0..bytes.len() {
            assert!(matches!(refused(&bytes[..end]), RowError::Malformed), "{end} bytes");
        }
    }
}
