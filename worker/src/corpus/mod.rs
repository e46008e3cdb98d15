//! From text to what the model reads: documents → tokens → examples (windows, or masked or halved chunks) → micro-batches of
//! fixed shape.
//!
//! Pure functions of the documents, the tokenizer and the spec, so that every worker computes with the same shapes. Not the
//! cutting of shards (the study), not the model.

mod batch;
mod corruption;
mod error;
mod example;
mod infill;
mod reader;
mod shard;
mod span;
#[cfg(test)]
mod tests;
mod tokenizer;
mod window;

pub use batch::{BatchRow, FreshToken, MicroBatch, ScoredPosition, Source, micro_batches};
pub use error::CorpusError;
pub use example::{Example, Scored};
pub use shard::{CorpusShape, TokenizedDocument, TokenizedShard};
pub use tokenizer::{Extent, LineBreaks, SentencePieceError, Tokenizer, Tokens};
pub use window::{Window, windows};
