//! A shard ready for the model: its documents as tokens with what their scores cover, and its batches.

use babelquant_proto::{Batch, Document, Protocol, Windows};
use rayon::prelude::*;

use super::example::Example;
use super::reader::Reader;
use super::{CorpusError, MicroBatch, Tokenizer, Tokens, micro_batches};

/// What shapes the batches of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CorpusShape {
    /// What the model reads and what is scored.
    pub protocol: Protocol,
    /// How documents are cut. An encoder's input, with its marks, is at most one window; there the stride has no meaning.
    pub windows: Windows,
    /// How rows are batched.
    pub batch: Batch,
    /// Rows of the model's embedding: token ids are below it.
    pub vocabulary: u32,
    /// Seed of the masks.
    pub seed: u64,
}

/// The documents of a shard in order and the batches that compute them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenizedShard {
    /// In the order of the shard; positions in batches count them from 0.
    pub documents: Vec<TokenizedDocument>,
    /// In the order in which they are computed and summed.
    pub batches: Vec<MicroBatch>,
}

/// A document as tokens. The sums count a token as often as it is scored: at most once under a causal protocol, and once for
/// every draw that masks it under span corruption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenizedDocument {
    /// Its tokens, after the protocol's prefix.
    pub tokens: Tokens,
    /// Scored tokens.
    pub scored_tokens: u64,
    /// UTF-8 bytes of the scored tokens.
    pub scored_bytes: u64,
    /// Unicode scalars whose first byte lies in a scored token.
    pub scored_chars: u64,
    /// Words whose first byte lies in a scored token.
    pub scored_words: u64,
}

impl TokenizedShard {
    /// Tokenizes `documents` and cuts them as `shape` says.
    ///
    /// # Errors
    /// The windows are impossible for the protocol, the tokenizer fails or lacks sentinels, or a token is outside the vocabulary.
    pub fn new(
        documents: &[Document],
        tokenizer: &Tokenizer,
        shape: CorpusShape,
    ) -> Result<Self, CorpusError> {
        let reader = Reader::new(tokenizer, shape)?;
        let read: Vec<Result<_, CorpusError>> = documents
            .par_iter()
            .map(|document| {
                let tokens = reader.tokens(document)?;
                let examples = reader.examples(&tokens.ids, &document.id);
                Ok((TokenizedDocument::new(tokens, &examples), examples))
            })
            .collect();
        let read = read.into_iter().collect::<Result<Vec<_>, _>>()?;
        let (documents, examples): (Vec<_>, Vec<_>) = read.into_iter().unzip();
        let batches = micro_batches(&examples, shape.batch);
        Ok(Self { documents, batches })
    }
}

impl TokenizedDocument {
    fn new(tokens: Tokens, examples: &[Example]) -> Self {
        let scored = examples.iter().flat_map(|example| &example.scored);
        let [scored_tokens, scored_bytes, scored_chars, scored_words] = [0; 4];
        let mut document = Self { tokens, scored_tokens, scored_bytes, scored_chars, scored_words };
        for scored in scored {
            let extent = document.tokens.extents[scored.token as usize];
            document.scored_tokens += 1;
            document.scored_bytes += u64::from(extent.bytes);
            document.scored_chars += u64::from(extent.chars);
            document.scored_words += u64::from(extent.words);
        }
        document
    }
}

#[cfg(test)]
mod tests {
    use babelquant_proto::{Marks, Stack};

    use super::super::tests::{documents, sentinel_tokenizer};
    use super::super::tokenizer::tests::byte_tokenizer;
    use super::super::windows;
    use super::*;

    const SHAPE: CorpusShape = CorpusShape {
        protocol: Protocol::Causal { prefix: None, newline: None },
        windows: Windows { tokens: 6, stride: 3 },
        batch: Batch { tokens: 12, head_rows: 1, head_columns: 1 },
        vocabulary: 259,
        seed: 0,
    };
    const MARKS: Marks = Marks { start: 0, end: 1 };

    fn sums(shard: &TokenizedShard) -> Vec<(u64, u64, u64)> {
        let documents = shard.documents.iter();
        documents.map(|d| (d.scored_tokens, d.scored_bytes, d.scored_chars)).collect()
    }

    #[test]
    fn sums_leave_out_the_first_token_only() {
        let texts = ["that is all", "", "a", "日本語と英語"];
        let shard = TokenizedShard::new(&documents(&texts), &byte_tokenizer(), SHAPE).unwrap();
        assert_eq!(sums(&shard), [(9, 9, 9), (0, 0, 0), (0, 0, 0), (17, 17, 5)]);
        let scored: usize = shard.batches.iter().map(|batch| batch.scored.len()).sum();
        assert_eq!(scored, 9 + 17);
        let rows: usize = shard.batches.iter().map(|batch| batch.rows).sum();
        let cut = [10, 0, 1, 18].map(|count| windows(count, SHAPE.windows).len());
        assert_eq!(rows, cut.into_iter().sum::<usize>());
    }

    #[test]
    fn a_prefix_lets_every_token_be_scored() {
        let protocol = Protocol::Causal { prefix: Some(258), newline: None };
        let shape = CorpusShape { protocol, ..SHAPE };
        let texts = ["that is all", "", "a", "日本語と英語"];
        let shard = TokenizedShard::new(&documents(&texts), &byte_tokenizer(), shape).unwrap();
        assert_eq!(sums(&shard), [(10, 11, 11), (0, 0, 0), (1, 1, 1), (18, 18, 6)]);
        for (document, text) in shard.documents.iter().zip(texts) {
            assert_eq!(document.tokens.ids.first(), (!text.is_empty()).then_some(&258));
            assert_eq!(document.tokens.extent_from(0).0, text.len() as u64);
        }
        let mut first = shard.batches.iter().flat_map(|batch| {
            let firsts = batch.fresh(Stack::Dec).into_iter().filter(|token| token.first);
            firsts.map(|token| (batch.ids[token.index], token.document)).collect::<Vec<_>>()
        });
        assert!(first.all(|(id, document)| id == 258 && document != 1));
    }

    #[test]
    fn line_breaks_become_the_protocol_s_token() {
        let protocol = Protocol::Causal { prefix: Some(258), newline: Some(258) };
        let shape = CorpusShape { protocol, ..SHAPE };
        let documents = documents(&["a\nb\n"]);
        let shard = TokenizedShard::new(&documents, &byte_tokenizer(), shape).unwrap();
        let ids = &shard.documents[0].tokens.ids;
        assert_eq!((ids.len(), [ids[0], ids[2], ids[4]]), (5, [258; 3]));
        assert_eq!(sums(&shard), [(4, 4, 4)]);
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
        let prefix = Protocol::Causal { prefix: Some(259), newline: None };
        let prefix = CorpusShape { protocol: prefix, ..SHAPE };
        check(prefix, "the protocol uses token 259, but the model's vocabulary ends at 259");
    }

    #[test]
    fn impossible_protocols_are_refused() {
        let (tokenizer, vocabulary) = sentinel_tokenizer(28);
        let check = |protocol: Protocol, tokens: u32, vocabulary: u32, expected: &str| {
            let windows = Windows { tokens, stride: 1 };
            let shape = CorpusShape { protocol, windows, vocabulary, ..SHAPE };
            let result = TokenizedShard::new(&documents(&["some text"]), &tokenizer, shape);
            assert_eq!(result.map_or_else(|error| error.to_string(), |_| String::new()), expected);
        };
        let masked = Protocol::SpanCorruption { draws: 5, marks: MARKS };
        let infill = Protocol::PrefixInfill { marks: MARKS };
        for (protocol, name) in [(masked, "span_corruption(5)"), (infill, "prefix_infill")] {
            for tokens in [0, 1, 2, 7] {
                let least = "at least 8 are needed";
                let message =
                    format!("windows of {tokens} tokens are too short for {name}: {least}");
                check(protocol, tokens, vocabulary, &message);
            }
            check(protocol, 8, vocabulary, "");
            check(protocol, 512, vocabulary, "");
            let message = |token: u32, end| {
                format!("the protocol uses token {token}, but the model's vocabulary ends at {end}")
            };
            check(protocol, 8, vocabulary - 1, &message(vocabulary - 1, vocabulary - 1));
        }
        let longer = "windows of 530 tokens have up to 29 masked spans, but the tokenizer ends before \
            <extra_id_28>: choose shorter windows, or a model with more sentinels";
        check(masked, 530, vocabulary, longer);
        check(infill, 530, vocabulary, "");
        let start = Protocol::PrefixInfill { marks: Marks { start: 9999, end: 1 } };
        let message = format!(
            "the protocol uses token 9999, but the model's vocabulary ends at {vocabulary}"
        );
        check(start, 64, vocabulary, &message);
    }
}
