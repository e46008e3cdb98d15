//! Why text cannot become batches.

use std::path::PathBuf;

use thiserror::Error;

/// Why text cannot become batches.
#[derive(Debug, Error)]
pub enum CorpusError {
    /// The tokenizer file cannot be used.
    #[error("cannot read the tokenizer {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: tokenizers::Error,
    },
    /// A vocabulary whose entries cannot be counted in bytes of the text.
    #[error("tokenizer {path} is not byte-level: token {token:?} is no run of bytes")]
    NotByteLevel {
        /// The file.
        path: PathBuf,
        /// A token.
        token: String,
    },
    /// The tokenizer refuses a text.
    #[error("cannot tokenize document {document}")]
    Tokenize {
        /// The document's id.
        document: String,
        /// The cause.
        source: tokenizers::Error,
    },
    /// Tokens that do not stand for the text: its bytes and characters could not be counted.
    #[error("the tokens of document {document} cover {covered} of its {bytes} bytes")]
    Uncovered {
        /// The document's id.
        document: String,
        /// Bytes that the tokens stand for.
        covered: u64,
        /// Bytes of the text.
        bytes: u64,
    },
    /// A token that the model has no embedding for.
    #[error(
        "document {document} has token {token}, but the model's vocabulary ends at {vocabulary}"
    )]
    OutOfVocabulary {
        /// The document's id.
        document: String,
        /// The token.
        token: u32,
        /// Rows of the embedding.
        vocabulary: u32,
    },
    /// Windows that would score a token without context, or never end.
    #[error(
        "windows of {tokens} tokens cannot have a stride of {stride}: 1 to {tokens} - 1 is possible"
    )]
    Windows {
        /// Longest window.
        tokens: u32,
        /// Distance of their starts.
        stride: u32,
    },
}
