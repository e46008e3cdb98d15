//! Files of a model's directory: `safetensors` and torch files, an index, and `config.json`. They are opened as the worker opens them.

use std::fs;

use babelquant_worker::model::{Checkpoint, open};

/// A tensor `a` of two zeros.
const SHARD: &[u8] =
    b"\x36\0\0\0\0\0\0\0{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}\0\0\0\0\0\0\0\0";

/// The first byte chooses the file that the others are.
///
/// # Panics
/// A tensor lies outside of its file, or there are more layers than weights could be for.
pub fn checkpoint(data: &[u8]) {
    let Some((&kind, bytes)) = data.split_first() else { return };
    let folder = tempfile::tempdir().expect("there is room for a file");
    let write = |name: &str, bytes: &[u8]| {
        fs::write(folder.path().join(name), bytes).expect("there is room for a file");
    };
    match kind % 4 {
        0 => write("model.safetensors", bytes),
        1 => write("pytorch_model.bin", bytes),
        2 => {
            write("model.safetensors.index.json", bytes);
            write("shard", SHARD);
        }
        _ => {
            write("config.json", bytes);
            write("model.safetensors", SHARD);
            drop(open(folder.path()));
            return;
        }
    }
    if let Ok(checkpoint) = Checkpoint::open(folder.path(), &["model."]) {
        check(&checkpoint, bytes.len().max(SHARD.len()));
    }
}

fn check(checkpoint: &Checkpoint, length: usize) {
    let packed = checkpoint.packed();
    assert!(packed.is_none_or(|name| name.contains("weight")), "{packed:?}");
    for (name, stored) in checkpoint.tensors() {
        let values = stored.to_f32();
        assert!(stored.bytes.len() <= length, "{name}");
        assert_eq!(
            values.len(),
            stored.shape.iter().product::<usize>(),
            "{name} of {:?}",
            stored.shape
        );
        if let Some(&rows) = stored.shape.first() {
            assert_eq!(stored.rows(0..rows).to_f32().len(), values.len(), "{name}");
        }
    }
}
