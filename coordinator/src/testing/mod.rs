//! What the unit tests of several rooms share: a small study that is made up. Not compiled into the programs.

pub(crate) mod faulty;
mod made_up;

use babelquant_proto::{Document, ShardId, ShardText, Spec};

pub(crate) use made_up::{document_rows, payload, spec, token_row};

/// A text for every shard; its documents have one letter each.
pub(crate) fn texts(spec: &Spec) -> crate::study::Texts {
    let mut texts = crate::study::Texts::new();
    for (language, corpus) in (0..).zip(&spec.corpus) {
        for (shard, described) in (0..).zip(&corpus.shards) {
            let id = ShardId { language, shard };
            let first = described.first_document;
            let documents = (first..first + described.documents).map(|index| Document {
                index,
                id: (index + 1).to_string(),
                group: String::new(),
                text: "x".to_owned(),
            });
            texts.insert(id, ShardText { id, documents: documents.collect() });
        }
    }
    texts
}
