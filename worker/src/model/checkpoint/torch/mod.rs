//! What a torch checkpoint declares. Nothing of it is run, and nothing but its pickle is read.

mod archive;
mod cursor;
mod legacy;
mod pickle;
mod view;

use thiserror::Error;
use zip::result::ZipError;

use super::Found;
use archive::Archive;
use pickle::Machine;
use view::View;

/// Why a file is no torch checkpoint that can be read.
#[derive(Debug, Error)]
pub(super) enum TorchError {
    /// No zip archive.
    #[error("it is no zip archive as torch.save writes them")]
    Archive(#[from] ZipError),
    /// An entry is missing or not as torch writes it.
    #[error("its entry {entry} {problem}")]
    Entry {
        /// The entry's name.
        entry: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A storage is missing or not as torch before 1.6 writes it.
    #[error("its storage {storage} {problem}")]
    Storage {
        /// The storage's name.
        storage: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The pickle names something that is no part of a state dict.
    #[error("its pickle names {global}, which no plain state dict does; nothing of it was run")]
    Global {
        /// Module and name.
        global: String,
    },
    /// The pickle has an opcode that state dicts do without.
    #[error(
        "its pickle has opcode {opcode:#04x} at byte {position}, which no plain state dict has"
    )]
    Opcode {
        /// The opcode.
        opcode: u8,
        /// Where in the pickle.
        position: usize,
    },
    /// The pickle is malformed.
    #[error("its pickle is malformed before byte {position}: {problem}")]
    Malformed {
        /// Where in the pickle.
        position: usize,
        /// What is wrong.
        problem: &'static str,
    },
    /// Another object than a dict.
    #[error("it holds something else than a dict: save the model's state_dict() by itself")]
    NoDict,
    /// A dict of more than tensors.
    #[error(
        "it holds what is no tensor ({}): save the model's state_dict() by itself",
        crate::model::error::listed(.names)
    )]
    NoTensors {
        /// The entries that are no tensors.
        names: Vec<String>,
    },
    /// A tensor does not fit its storage.
    #[error("its tensor {tensor} {problem}")]
    Tensor {
        /// The tensor.
        tensor: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// The tensors of a file with these bytes.
///
/// # Errors
/// It is no torch checkpoint, or more than one of tensors.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Found>, TorchError> {
    if bytes.starts_with(legacy::MAGIC) {
        return legacy::read(bytes);
    }
    let archive = Archive::open(bytes)?;
    archive.check_byte_order()?;
    let tensors = Machine::new(&bytes[archive.entry("data.pkl")?]).state_dict()?;
    let locate = |(name, view): (&str, View<'_>)| {
        let entry = archive.entry(&format!("data/{}", view.storage.key))?;
        view.locate(name, entry)
    };
    tensors.into_iter().map(locate).collect()
}
