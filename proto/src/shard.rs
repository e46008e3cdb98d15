//! Shards: fixed runs of documents of one language, and their text on its way to a worker. Not how they are cut (the study).

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// One document: a run of text that is scored on its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Position among all documents of its language, from 0.
    pub index: u32,
    /// Its name in the corpus.
    pub id: String,
    /// Documents of one group are resampled together.
    pub group: String,
    /// The text, UTF-8.
    pub text: String,
}

/// A shard by the position of its language and its own position in the spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId {
    /// Index into `Spec::corpus`.
    pub language: u32,
    /// Index into that language's shards.
    pub shard: u32,
}

/// A fixed run of documents of one language, cut by the study, never by who runs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Index of the first document.
    pub first_document: u32,
    /// How many documents.
    pub documents: u32,
    /// Bytes of text.
    pub bytes: u64,
    /// Digest of the documents (`ShardText::digest_of`).
    pub digest: Digest,
}

/// A shard with its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardText {
    /// Which shard.
    pub id: ShardId,
    /// Its documents in order.
    pub documents: Vec<Document>,
}

impl ShardText {
    /// The digest of documents: of every index, id, group and text, each with its length before it.
    pub fn digest_of(documents: &[Document]) -> Digest {
        let mut hasher = blake3::Hasher::new();
        for document in documents {
            hasher.update(&document.index.to_le_bytes());
            for field in [&document.id, &document.group, &document.text] {
                hasher.update(&(field.len() as u64).to_le_bytes());
                hasher.update(field.as_bytes());
            }
        }
        hasher.finalize().into()
    }
}
