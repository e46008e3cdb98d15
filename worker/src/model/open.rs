//! A model's files, opened and found complete. Nothing is loaded.

use std::path::Path;

use super::architecture::Architecture;
use super::checkpoint::Checkpoint;
use super::error::ModelError;

/// What the model in `directory` consists of, and its checkpoint, which holds all of it and nothing else.
///
/// # Errors
/// The directory holds no supported model, or tensors are missing, misshapen or unknown (all such are listed).
pub fn open(directory: &Path) -> Result<(Architecture, Checkpoint), ModelError> {
    let architecture = Architecture::read(directory)?;
    let checkpoint = Checkpoint::open(directory, architecture.names.prefixes)?;
    checkpoint.check_complete(&architecture.tensors(), &|name| architecture.ignores(name))?;
    Ok((architecture, checkpoint))
}
