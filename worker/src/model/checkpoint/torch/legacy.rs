//! The format of torch before 1.6: pickles one after another, then the storages. Not how a pickle is read (`pickle`).

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::Found;
use super::TorchError;
use super::pickle::{Machine, Value};
use super::view::{Storage, View};

/// How such a file begins: torch's magic number, pickled.
pub(super) const MAGIC: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

/// The only version that there was.
const PROTOCOL_VERSION: i64 = 1001;

/// The tensors of a file with these bytes.
///
/// # Errors
/// It is malformed, incomplete, or holds more than tensors.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Found>, TorchError> {
    let mut pickles = Machine::new(bytes);
    pickles.input.take(MAGIC.len())?;
    check_system(&mut pickles)?;
    let tensors = pickles.state_dict()?;
    let keys = keys(&mut pickles)?;
    let named = pickles.storages.iter().map(|storage| (storage.key, *storage)).collect();
    let entries = entries(bytes, pickles.input.position(), &keys, &named)?;
    let locate = |(name, view): (&str, View<'_>)| match entries.get(view.storage.key) {
        Some(entry) => view.locate(name, entry.clone()),
        None => Err(error(view.storage.key, "is missing")),
    };
    tensors.into_iter().map(locate).collect()
}

/// Reads the version and what is said of the system that wrote the file.
fn check_system(pickles: &mut Machine<'_>) -> Result<(), TorchError> {
    if !matches!(pickles.object()?, Value::Integer(PROTOCOL_VERSION)) {
        return Err(pickles.input.malformed("it has another protocol version than 1001"));
    }
    let little = match pickles.object()? {
        Value::Dict(system) => pickles
            .pairs(system)
            .iter()
            .any(|pair| matches!(pair, [Value::Text("little_endian"), Value::Boolean(true)])),
        _ => false,
    };
    if little { Ok(()) } else { Err(pickles.input.malformed("it is not said to be little_endian")) }
}

/// Reads the names of the storages, in the order in which these follow.
fn keys<'a>(pickles: &mut Machine<'a>) -> Result<Vec<&'a str>, TorchError> {
    let no_keys = "it has something else where the names of the storages belong";
    let Value::List(list) = pickles.object()? else {
        return Err(pickles.input.malformed(no_keys));
    };
    let keys = pickles.list(list).iter().map(|key| match *key {
        Value::Text(key) => Ok(key),
        _ => Err(pickles.input.malformed(no_keys)),
    });
    keys.collect()
}

/// Where the values of the storages lie: from `end` on there are, for each key, their count in eight bytes and then they.
fn entries<'a>(
    bytes: &[u8],
    mut end: usize,
    keys: &[&'a str],
    named: &BTreeMap<&str, Storage<'_>>,
) -> Result<BTreeMap<&'a str, Range<usize>>, TorchError> {
    let mut entries = BTreeMap::new();
    for &key in keys {
        let beyond = || error(key, "ends beyond the end of the file: is the file complete?");
        let storage = named.get(key).ok_or_else(|| error(key, "belongs to no tensor"))?;
        let (count, rest) = bytes[end..].split_first_chunk().ok_or_else(beyond)?;
        if u64::from_le_bytes(*count) != storage.values as u64 {
            return Err(error(key, "has another number of values than the pickle says"));
        }
        let length = storage.bytes().filter(|&length| length <= rest.len()).ok_or_else(beyond)?;
        let start = end + count.len();
        end = start + length;
        if entries.insert(key, start..end).is_some() {
            return Err(error(key, "is there twice"));
        }
    }
    Ok(entries)
}

fn error(storage: &str, problem: &'static str) -> TorchError {
    TorchError::Storage { storage: storage.to_owned(), problem }
}
