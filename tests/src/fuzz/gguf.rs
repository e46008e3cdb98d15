//! GGUF files as checkpoints of a small model: the header, and the tensors where a file holds all that the model needs.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use babelquant_worker::model::{Architecture, OtherCheckpoint};

static MODEL: LazyLock<(PathBuf, Architecture)> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/families/gpt2");
    let architecture = Architecture::read(&folder).expect("a golden model is one");
    (folder, architecture)
});

/// Opens the bytes as a file.
///
/// # Panics
/// A matrix has another number of values than the model's.
pub fn gguf(data: &[u8]) {
    let (folder, architecture) = &*MODEL;
    let folder_of_file = tempfile::tempdir().expect("there is room for a file");
    let path = folder_of_file.path().join("model.gguf");
    std::fs::write(&path, data).expect("there is room for a file");
    let Ok(file) = OtherCheckpoint::open(&path, (folder, architecture)) else { return };
    for layer in architecture.shape.stacked_layers() {
        for matrix in architecture.matrices(layer) {
            let lent = file.matrix(architecture, (layer, matrix)).expect("it was found complete");
            assert_eq!(lent.values.len(), matrix.rows() * matrix.columns, "{}", matrix.name);
        }
    }
}
