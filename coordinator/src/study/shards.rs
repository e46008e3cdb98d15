//! Cuts the documents of a language into shards. Where a shard ends depends on the documents alone, never on who runs it.

use std::collections::BTreeMap;

use babelquant_proto::{Document, LanguageCorpus, Shard, ShardId, ShardText};

/// The default byte budget of a shard: some ten thousand tokens, so that a worker's kept hidden states
/// (tokens × width × layers × 4 bytes) stay near 1 GB for a model of BLOOM-560M's shape.
pub const SHARD_BYTES: u64 = 64 << 10;

/// Most documents of a shard: sentences make shards of a few thousand tokens, so that a language of 2,000 sentences is 16
/// pieces of work and a unit's rows fit in one message many times over.
pub const SHARD_DOCUMENTS_MAX: usize = 128;

/// The text of every shard; a whole corpus in memory.
pub type Texts = BTreeMap<ShardId, ShardText>;

/// Cuts documents so that a shard holds at most `SHARD_DOCUMENTS_MAX` of them and at most `bytes_max` bytes of text; a longer
/// document is a shard of its own.
pub(super) fn cut(documents: Vec<Document>, bytes_max: u64) -> Vec<Vec<Document>> {
    let mut shards: Vec<Vec<Document>> = Vec::new();
    let mut bytes = 0;
    for document in documents {
        let length = document.text.len() as u64;
        match shards.last_mut() {
            Some(shard) if shard.len() < SHARD_DOCUMENTS_MAX && bytes + length <= bytes_max => {
                bytes += length;
                shard.push(document);
            }
            _ => {
                bytes = length;
                shards.push(vec![document]);
            }
        }
    }
    shards
}

/// Adds the language at position `language` of the spec: its shards to the result, their text to `texts`.
pub(super) fn describe(
    file: (u32, babelquant_proto::Language),
    shards: Vec<Vec<Document>>,
    texts: &mut Texts,
) -> LanguageCorpus {
    let (position, language) = file;
    let mut corpus = LanguageCorpus { language, shards: Vec::new() };
    for (shard, documents) in (0..).zip(shards) {
        corpus.shards.push(Shard {
            first_document: documents.first().map_or(0, |document| document.index),
            documents: documents.len() as u32,
            bytes: documents.iter().map(|document| document.text.len() as u64).sum(),
            digest: ShardText::digest_of(&documents),
        });
        let id = ShardId { language: position, shard };
        texts.insert(id, ShardText { id, documents });
    }
    corpus
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(lengths: &[usize], bytes_max: u64) -> Vec<usize> {
        let document = |(index, &length): (u32, &usize)| Document {
            index,
            id: index.to_string(),
            group: String::new(),
            text: "x".repeat(length),
        };
        let documents = (0..).zip(lengths).map(document).collect();
        cut(documents, bytes_max).iter().map(Vec::len).collect()
    }

    #[test]
    fn shards_keep_to_both_budgets() {
        assert_eq!(sizes(&[4, 4, 4, 20, 1, 1], 8), [2, 1, 1, 2]);
        assert_eq!(sizes(&[1; 258], 1000), [128, 128, 2]);
        assert_eq!(sizes(&[8], 8), [1]);
        assert!(sizes(&[], 8).is_empty());
    }
}
