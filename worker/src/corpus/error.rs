//! Why text cannot become batches.

use std::path::PathBuf;

use babelquant_proto::Protocol;
use thiserror::Error;

use super::tokenizer::SentencePieceError;

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
    /// The SentencePiece model cannot be used.
    #[error("cannot read the tokenizer {path}")]
    SentencePiece {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: SentencePieceError,
    },
    /// A folder without a tokenizer.
    #[error("{directory} has no tokenizer.json, spiece.model or sentencepiece.bpe.model")]
    NoTokenizer {
        /// The model's folder.
        directory: PathBuf,
    },
    /// The tokenizer refuses a text.
    #[error("cannot tokenize document {document}")]
    Tokenize {
        /// The document's id.
        document: String,
        /// The cause.
        source: tokenizers::Error,
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
    /// Windows that leave no room for the marks of an encoder–decoder's protocol.
    #[error("windows of {tokens} tokens are too short for {protocol}: at least {least} are needed")]
    ShortWindows {
        /// The protocol.
        protocol: Protocol,
        /// Longest window.
        tokens: u32,
        /// Least possible.
        least: u32,
    },
    /// A tokenizer that lacks sentinels.
    #[error(
        "windows of {tokens} tokens have up to {spans} masked spans, but the tokenizer ends before <extra_id_{sentinels}>: \
         choose shorter windows, or a model with more sentinels"
    )]
    Sentinels {
        /// Longest window.
        tokens: u32,
        /// Sentinels needed.
        spans: usize,
        /// Number of the first that is missing.
        sentinels: u32,
    },
    /// A token of the protocol that the model has no embedding for.
    #[error("the protocol uses token {token}, but the model's vocabulary ends at {vocabulary}")]
    Mark {
        /// The token.
        token: u32,
        /// Rows of the embedding.
        vocabulary: u32,
    },
}
