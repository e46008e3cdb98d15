//! The output is the database: immutable objects, written once each, from which everything else is rebuilt on a restart.
//!
//! `Output` is the place and what anyone may read; `Store` is the one writer of a run: group commits to the journal, then
//! parts under `data/`, then the manifest; `Earlier` is a finished run of another study. Nothing here decides which unit is next or what a row means.

#[cfg(feature = "s3")]
mod bucket;
#[cfg(not(feature = "s3"))]
#[path = "bucket_absent.rs"]
mod bucket;
mod commits;
mod error;
mod journal;
mod manifest;
mod objects;
mod output;
mod parquet;
mod part;
mod pending;
mod reuse;
mod rows;
mod run_file;

pub(crate) use commits::Compacted;
pub use commits::Store;
pub use error::StoreError;
pub(crate) use error::told;
pub use journal::Entry;
pub use manifest::{DataFile, Manifest, QuarantinedUnit};
#[cfg(test)]
pub(crate) use objects::TRIES;
pub(crate) use output::check_engine;
pub use output::{AnalysisFile, Output};
pub use reuse::Earlier;
pub use run_file::RunFile;

#[cfg(test)]
mod tests;
