//! A shard ready for the model: its documents as tokens with what their scores cover, and its batches.

use babelquant_proto::{Batch, Document, Windows};
use rayon::prelude::*;

use super::{CorpusError, MicroBatch, Tokenizer, Tokens, Window, micro_batches, windows};

/// What shapes the batches of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CorpusShape {
    /// How documents are cut.
    pub windows: Windows,
    /// How windows are batched.
    pub batch: Batch,
    /// Rows of the model's embedding: token ids are below it.
    pub vocabulary: u32,
}

/// The documents of a shard in order and the batches that compute them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenizedShard {
    /// In the order of the shard; positions in batches count them from 0.
    pub documents: Vec<TokenizedDocument>,
    /// In the order in which they are computed and summed.
    pub batches: Vec<MicroBatch>,
}

/// A document as tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenizedDocument {
    /// Its tokens.
    pub tokens: Tokens,
    /// Its windows.
    pub windows: Vec<Window>,
    /// Scored tokens: every token but the first.
    pub scored_tokens: u64,
    /// UTF-8 bytes of the scored tokens.
    pub scored_bytes: u64,
    /// Unicode scalars whose first byte lies in a scored token.
    pub scored_chars: u64,
}

impl TokenizedShard {
    /// Tokenizes `documents` and cuts them as `shape` says.
    ///
    /// # Errors
    /// The windows are impossible, the tokenizer fails, or a token is outside the vocabulary.
    pub fn new(
        documents: &[Document],
        tokenizer: &Tokenizer,
        shape: CorpusShape,
    ) -> Result<Self, CorpusError> {
        let Windows { tokens, stride } = shape.windows;
        if !(1..tokens).contains(&stride) {
            return Err(CorpusError::Windows { tokens, stride });
        }
        let tokenized: Vec<Result<TokenizedDocument, CorpusError>> = documents
            .par_iter()
            .map(|document| TokenizedDocument::new(document, tokenizer, shape))
            .collect();
        let documents = tokenized.into_iter().collect::<Result<Vec<_>, _>>()?;
        let cut: Vec<(&[u32], &[Window])> = documents
            .iter()
            .map(|document| (&document.tokens.ids[..], &document.windows[..]))
            .collect();
        let batches = micro_batches(&cut, shape.batch);
        Ok(Self { documents, batches })
    }
}

impl TokenizedDocument {
    fn new(
        document: &Document,
        tokenizer: &Tokenizer,
        shape: CorpusShape,
    ) -> Result<Self, CorpusError> {
        let tokens = tokenizer.encode(&document.text, &document.id)?;
        let vocabulary = shape.vocabulary;
        if let Some(&token) = tokens.ids.iter().find(|&&id| id >= vocabulary) {
            let document = document.id.clone();
            return Err(CorpusError::OutOfVocabulary { document, token, vocabulary });
        }
        let (scored_bytes, scored_chars) = tokens.extent_from(1);
        Ok(Self {
            windows: windows(tokens.ids.len() as u32, shape.windows),
            scored_tokens: tokens.ids.len().saturating_sub(1) as u64,
            scored_bytes,
            scored_chars,
            tokens,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tokenizer::tests::byte_tokenizer;
    use super::*;

    const SHAPE: CorpusShape = CorpusShape {
        windows: Windows { tokens: 6, stride: 3 },
        batch: Batch { tokens: 12, head_rows: 1, head_columns: 1 },
        vocabulary: 259,
    };

    fn documents(texts: &[&str]) -> Vec<Document> {
        let document = |(index, text): (usize, &&str)| Document {
            index: index as u32,
            id: format!("d{index}"),
            group: String::new(),
            text: (*text).to_owned(),
        };
        texts.iter().enumerate().map(document).collect()
    }

    #[test]
    fn sums_leave_out_the_first_token_only() {
        let texts = ["that is all", "", "a", "日本語と英語"];
        let shard = TokenizedShard::new(&documents(&texts), &byte_tokenizer(), SHAPE).unwrap();
        let sums: Vec<(u64, u64, u64)> = shard
            .documents
            .iter()
            .map(|d| (d.scored_tokens, d.scored_bytes, d.scored_chars))
            .collect();
        assert_eq!(sums, [(9, 9, 9), (0, 0, 0), (0, 0, 0), (17, 17, 5)]);
        let scored: usize = shard.batches.iter().map(|batch| batch.scored.len()).sum();
        assert_eq!(scored, 9 + 17);
        assert_eq!(shard.documents[3].windows, windows(18, SHAPE.windows));
    }

    #[test]
    fn mistakes_name_the_document() {
        let tokenizer = byte_tokenizer();
        let check = |shape: CorpusShape, expected: &str| {
            let error =
                TokenizedShard::new(&documents(&["ok", "that"]), &tokenizer, shape).unwrap_err();
            assert_eq!(error.to_string(), expected);
        };
        let small = CorpusShape { vocabulary: 256, ..SHAPE };
        check(small, "document d1 has token 256, but the model's vocabulary ends at 256");
        let wide = CorpusShape { windows: Windows { tokens: 6, stride: 6 }, ..SHAPE };
        check(wide, "windows of 6 tokens cannot have a stride of 6: 1 to 6 - 1 is possible");
    }
}
