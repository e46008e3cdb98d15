//! From text to what the model reads: documents → tokens → windows → micro-batches of fixed shape.
//!
//! Pure functions of the documents, the tokenizer and the spec, so that every worker computes with the same shapes. Not the
//! cutting of shards (the study), not the model.

mod batch;
mod error;
mod shard;
#[cfg(test)]
mod tests;
mod tokenizer;
mod window;

pub use batch::{BatchWindow, MicroBatch, ScoredPosition, micro_batches};
pub use error::CorpusError;
pub use shard::{CorpusShape, TokenizedDocument, TokenizedShard};
pub use tokenizer::{Extent, Tokenizer, Tokens};
pub use window::{Window, windows};
