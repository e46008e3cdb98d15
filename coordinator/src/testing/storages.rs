//! Every storage that a test can be run on: memory, a directory of this machine, and a bucket where there is one. Not compiled into the
//! programs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use object_store::memory::InMemory;
use tempfile::TempDir;

use crate::store::Output;

/// Names a bucket and a prefix, `s3://bucket/prefix`; the variables of the programs say where it is.
const BUCKET: &str = "BABELQUANT_TEST_S3";

/// An empty output of its own, that can be opened again.
pub(crate) struct Storage {
    pub(crate) output: Output,
    /// Removed with it.
    _folder: Option<TempDir>,
}

/// One of each kind.
pub(crate) fn storages() -> Vec<Storage> {
    let folder = tempfile::tempdir().unwrap();
    let directory = Output::open(folder.path().to_str().unwrap(), &[]).unwrap();
    let mut storages = vec![
        Storage { output: Output::of(Arc::new(InMemory::new())), _folder: None },
        Storage { output: directory, _folder: Some(folder) },
    ];
    storages.extend(bucket().map(|output| Storage { output, _folder: None }));
    storages
}

/// A prefix of the bucket that nobody else has.
fn bucket() -> Option<Output> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let (_, location) = std::env::vars().find(|(name, _)| name == BUCKET)?;
    let options: Vec<_> =
        std::env::vars().map(|(key, value)| (key.to_lowercase(), value)).collect();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let location = format!("{location}/{}-{number}", std::process::id());
    Some(Output::open(&location, &options).unwrap())
}
