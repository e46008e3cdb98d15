//! The zip archive of a torch checkpoint: its entries, which lie in it uncompressed. Not what the pickle says (`pickle`).

use std::collections::BTreeMap;
use std::io::Cursor;
use std::ops::Range;

use zip::{CompressionMethod, ZipArchive};

use super::TorchError;

/// The entries of an archive: all uncompressed, none over another.
pub(super) struct Archive<'a> {
    bytes: &'a [u8],
    /// The folder that holds all of it.
    folder: String,
    entries: BTreeMap<String, Range<usize>>,
}

impl<'a> Archive<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, TorchError> {
        let mut zip = ZipArchive::new(Cursor::new(bytes))?;
        let mut archive = Self { bytes, folder: String::new(), entries: BTreeMap::new() };
        for index in 0..zip.len() {
            let entry = zip.by_index_raw(index)?;
            let name = entry.name()?.into_owned();
            let error = |problem| Err(TorchError::Entry { entry: name.clone(), problem });
            if entry.compression() != CompressionMethod::Stored || entry.encrypted() {
                return error("is compressed or encrypted: torch.save stores entries as they are");
            }
            let range = entry.data_start().and_then(|start| range(start, entry.size()));
            let Some(range) = range.filter(|range| range.end <= bytes.len()) else {
                return error("lies beyond the end of the file: is the file complete?");
            };
            if range.len() as u64 != entry.compressed_size() {
                return error("has two sizes");
            }
            archive.entries.insert(name, range);
        }
        if zip.has_overlapping_entries()? {
            return Err(archive.error("data", "lies over another"));
        }
        let pickles = archive.entries.keys().filter_map(|name| name.strip_suffix("/data.pkl"));
        match pickles.collect::<Vec<_>>()[..] {
            [folder] => archive.folder = folder.to_owned(),
            [] => return Err(archive.error("data.pkl", "is missing")),
            _ => return Err(archive.error("data.pkl", "is there twice")),
        }
        Ok(archive)
    }

    pub(super) fn error(&self, entry: &str, problem: &'static str) -> TorchError {
        TorchError::Entry { entry: entry.to_owned(), problem }
    }

    /// The entry of this name in the archive's folder.
    pub(super) fn entry(&self, name: &str) -> Result<Range<usize>, TorchError> {
        let entry = self.entries.get(&format!("{}/{name}", self.folder));
        entry.cloned().ok_or_else(|| self.error(name, "is missing"))
    }

    /// Newer versions of torch say which byte order the storages have.
    pub(super) fn check_byte_order(&self) -> Result<(), TorchError> {
        match self.entry("byteorder") {
            Ok(entry) if &self.bytes[entry.clone()] != b"little" => {
                Err(self.error("byteorder", "is not \"little\""))
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

fn range(start: u64, length: u64) -> Option<Range<usize>> {
    let end = start.checked_add(length)?;
    Some(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
}
