//! Micro-batches: the examples of a shard in padded batches whose shapes follow from the shard alone, never from who computes
//! or how much memory is free, because the last bits of a matmul depend on its shape.

use std::cmp::Reverse;
use std::ops::Range;

use babelquant_proto::{Batch, Stack};

use super::Example;

/// Examples side by side, right-padded to one length. The decoder's output for it is [rows, length, width].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MicroBatch {
    /// What the decoder reads, [rows, length]; padding has the id 0, and no causal model lets it reach a token before it.
    pub ids: Vec<u32>,
    /// Examples in the batch, at least 1.
    pub rows: usize,
    /// Padded length: the longest example, but 2 where rows × length would be 1.
    pub length: usize,
    /// What the encoder reads, where there is one.
    pub source: Option<Source>,
    /// The example of each row.
    pub examples: Vec<BatchRow>,
    /// What is scored, in the order of rows and positions: per document this is the order of its tokens, for a masked document
    /// by chunk and draw.
    pub scored: Vec<ScoredPosition>,
}

/// The encoder's side of a batch; its output is [rows, length, width].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Token ids [rows, length]; padding has the id 0, and only `lengths` tells it from tokens.
    pub ids: Vec<u32>,
    /// Padded length, as that of the decoder.
    pub length: usize,
    /// Real length of each row.
    pub lengths: Vec<u32>,
}

/// A row of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchRow {
    /// Position of the document in the shard, from 0.
    pub document: usize,
    /// Real length of what the decoder reads.
    pub length: u32,
    /// The decoder's positions that no earlier example of the document holds.
    pub fresh: Range<u32>,
}

/// A hidden state that predicts a token which is scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScoredPosition {
    /// Position of the document in the shard, from 0.
    pub document: usize,
    /// Row in [rows × length, width], the output of the batch seen as a matrix.
    pub index: u32,
    /// The token to predict.
    pub target: u32,
}

/// A token that counts in sums over activations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreshToken {
    /// Row in [rows × length, width], the states of its stack seen as a matrix.
    pub index: usize,
    /// Position of the document in the shard, from 0.
    pub document: usize,
    /// True for the first token of a sequence.
    pub first: bool,
}

/// Batches of a shard's `examples`, given by document. They go by length (of both stacks), longest first, then by document and
/// as the document has them; a batch takes them while rows × (length + source length) stays within `batch.tokens`, and one at
/// least. A batch never has a single token: a matmul of one row rounds differently from the same row among others.
pub fn micro_batches(examples: &[Vec<Example>], batch: Batch) -> Vec<MicroBatch> {
    let all = examples.iter().enumerate();
    let mut all: Vec<(usize, &Example)> = all
        .flat_map(|(document, own)| own.iter().map(move |example| (document, example)))
        .collect();
    // The sort is stable.
    all.sort_by_key(|(_, example)| Reverse(example.length()));
    let mut batches = Vec::new();
    let mut rest = all.as_slice();
    while !rest.is_empty() {
        let (taken, later) = rest.split_at(rows(rest, batch.tokens as usize));
        batches.push(MicroBatch::of(taken));
        rest = later;
    }
    batches
}

/// How many of `examples` share a batch of at most `tokens` padded tokens: one at least.
fn rows(examples: &[(usize, &Example)], tokens: usize) -> usize {
    let (mut longest, mut longest_source) = (0, 0);
    let fits = |&(index, (_, example)): &(usize, &(usize, &Example))| {
        longest = longest.max(example.ids.len());
        longest_source = longest_source.max(example.source.len());
        (index + 1) * (longest + longest_source) <= tokens
    };
    examples.iter().enumerate().take_while(fits).count().max(1)
}

impl MicroBatch {
    fn of(taken: &[(usize, &Example)]) -> Self {
        let (ids, length) = padded(taken.iter().map(|(_, example)| &example.ids[..]));
        let (source, source_length) = padded(taken.iter().map(|(_, example)| &example.source[..]));
        let row = |&(document, example): &(usize, &Example)| BatchRow {
            document,
            length: example.ids.len() as u32,
            fresh: example.fresh.clone(),
        };
        let scored = taken.iter().enumerate().flat_map(|(row, &(document, example))| {
            example.scored.iter().map(move |scored| ScoredPosition {
                document,
                index: (row * length) as u32 + scored.position,
                target: scored.target,
            })
        });
        let lengths = taken.iter().map(|(_, example)| example.source.len() as u32).collect();
        Self {
            ids,
            length,
            rows: taken.len(),
            source: taken.iter().any(|(_, example)| !example.source.is_empty()).then_some(Source {
                ids: source,
                length: source_length,
                lengths,
            }),
            examples: taken.iter().map(row).collect(),
            scored: scored.collect(),
        }
    }

    /// The tokens of a stack that count in sums over activations, row by row: of the decoder every token of a document once, in
    /// the example that reads it first, under span corruption once for every draw that reads it; of the encoder all that it reads.
    pub fn fresh(&self, stack: Stack) -> Vec<FreshToken> {
        let rows = self.examples.iter();
        match (stack, &self.source) {
            (Stack::Dec, _) => {
                fresh_tokens(rows.map(|row| (row.document, row.fresh.clone())), self.length)
            }
            (Stack::Enc, Some(source)) => {
                let rows = rows.zip(&source.lengths);
                fresh_tokens(rows.map(|(row, &length)| (row.document, 0..length)), source.length)
            }
            (Stack::Enc, None) => Vec::new(),
        }
    }
}

/// The positions of each row, of `length` padded tokens, as rows of a matrix.
fn fresh_tokens(rows: impl Iterator<Item = (usize, Range<u32>)>, length: usize) -> Vec<FreshToken> {
    let tokens = rows.enumerate().flat_map(|(row, (document, positions))| {
        positions.map(move |position| FreshToken {
            index: row * length + position as usize,
            document,
            first: position == 0,
        })
    });
    tokens.collect()
}

/// `rows` in a matrix, right-padded with 0 to the longest; to two tokens where the matrix would be one token.
fn padded<'a>(rows: impl ExactSizeIterator<Item = &'a [u32]> + Clone) -> (Vec<u32>, usize) {
    let longest = rows.clone().map(<[u32]>::len).max().unwrap_or(0);
    let length = if rows.len() == 1 { longest.max(2) } else { longest };
    let mut ids = vec![0; rows.len() * length];
    for (row, padded) in rows.zip(ids.chunks_mut(length.max(1))) {
        padded[..row.len()].copy_from_slice(row);
    }
    (ids, length)
}

#[cfg(test)]
mod tests {
    use babelquant_proto::Windows;

    use super::super::example::Target;
    use super::super::{Window, windows};
    use super::*;

    const BATCH: Batch = Batch { tokens: 20, head_rows: 1, head_columns: 1 };

    /// Documents of these lengths whose token t of document d is 1000·(d + 1) + t.
    fn documents(lengths: &[u32]) -> Vec<Vec<Example>> {
        let document = |(d, &count): (usize, &u32)| {
            let ids: Vec<u32> = (0..count).map(|token| 1000 * (d as u32 + 1) + token).collect();
            let windows = windows(count, Windows { tokens: 8, stride: 3 }).into_iter();
            windows.map(|window| Example::of_window(&ids, window)).collect()
        };
        lengths.iter().enumerate().map(document).collect()
    }

    fn batches(lengths: &[u32]) -> Vec<MicroBatch> {
        micro_batches(&documents(lengths), BATCH)
    }

    /// An example per document, of these source and decoder lengths: document d reads 1000·(d + 1) + position in both stacks.
    fn restoring(lengths: &[(u32, u32)]) -> Vec<Vec<Example>> {
        let example = |(d, &(source, decoder)): (usize, &(u32, u32))| {
            let first = 1000 * (d as u32 + 1);
            let ids: Vec<u32> = (first + 1..first + decoder).collect();
            let mut targets: Vec<Target> = Target::text(&ids, 1).collect();
            targets.push(Target::Mark(1));
            vec![Example::restoring((first..first + source).collect(), first, &targets)]
        };
        lengths.iter().enumerate().map(example).collect()
    }

    #[test]
    fn every_token_but_the_first_is_a_target_once_after_the_token_before_it() {
        let lengths = [5, 0, 30, 1, 8, 9, 2, 2, 17, 1];
        let mut seen: Vec<Vec<u32>> = vec![Vec::new(); lengths.len()];
        let mut fresh: Vec<Vec<u32>> = vec![Vec::new(); lengths.len()];
        for batch in batches(&lengths) {
            assert_eq!(batch.ids.len(), batch.rows * batch.length);
            assert_eq!(batch.examples.len(), batch.rows);
            assert!(batch.ids.len() >= 2);
            assert!(batch.rows == 1 || batch.ids.len() <= BATCH.tokens as usize);
            assert_eq!((&batch.source, batch.fresh(Stack::Enc).len()), (&None, 0));
            for scored in &batch.scored {
                assert_eq!(batch.ids[scored.index as usize] + 1, scored.target);
                assert_eq!(scored.target / 1000, scored.document as u32 + 1);
                seen[scored.document].push(scored.target % 1000);
            }
            for token in batch.fresh(Stack::Dec) {
                let id = batch.ids[token.index];
                assert_eq!(id / 1000, token.document as u32 + 1);
                assert_eq!(token.first, id % 1000 == 0);
                fresh[token.document].push(id % 1000);
            }
        }
        for (document, &count) in lengths.iter().enumerate() {
            assert_eq!(seen[document], (1..count).collect::<Vec<_>>(), "document {document}");
            assert_eq!(fresh[document], (0..count).collect::<Vec<_>>(), "document {document}");
        }
    }

    #[test]
    fn shapes_go_from_long_to_short() {
        let shapes = |lengths: &[u32]| -> Vec<(usize, usize)> {
            batches(lengths).iter().map(|batch| (batch.rows, batch.length)).collect()
        };
        assert_eq!(shapes(&[3, 8, 8, 8, 3]), [(2, 8), (2, 8), (1, 3)]);
        assert_eq!(shapes(&[1]), [(1, 2)]);
        assert_eq!(shapes(&[1, 1]), [(2, 1)]);
        assert_eq!(shapes(&[0]), []);
    }

    #[test]
    fn a_window_longer_than_the_budget_has_a_batch_of_its_own() {
        let window = Window { start: 0, end: 30, score_from: 1 };
        let long = vec![Example::of_window(&[7; 30], window)];
        let batches = micro_batches(&[long.clone(), long], BATCH);
        assert_eq!(
            batches.iter().map(|batch| (batch.rows, batch.length)).collect::<Vec<_>>(),
            [(1, 30); 2]
        );
    }

    #[test]
    fn both_stacks_share_the_budget() {
        let shapes = |lengths: &[(u32, u32)]| -> Vec<(usize, usize, usize)> {
            let batches = micro_batches(&restoring(lengths), BATCH);
            let source = |batch: &MicroBatch| batch.source.as_ref().unwrap().length;
            batches.iter().map(|batch| (batch.rows, batch.length, source(batch))).collect()
        };
        assert_eq!(shapes(&[(7, 3), (7, 3), (7, 3)]), [(2, 3, 7), (1, 3, 7)]);
        // Rows as long as each other, but padded they would take 2 × (7 + 7) tokens.
        assert_eq!(shapes(&[(7, 3), (3, 7)]), [(1, 3, 7), (1, 7, 3)]);
        assert_eq!(shapes(&[(30, 4), (2, 2)]), [(1, 4, 30), (1, 2, 2)]);
        assert_eq!(shapes(&[(1, 1)]), [(1, 2, 2)]);
        assert_eq!(shapes(&[(1, 1), (1, 1)]), [(2, 1, 1)]);
        assert_eq!(shapes(&[(3, 1)]), [(1, 2, 3)]);
    }

    #[test]
    fn rows_hold_their_example_and_nothing_else() {
        let lengths: Vec<(u32, u32)> = (0..40).map(|d| (1 + d * 7 % 11, 1 + d * 5 % 9)).collect();
        let mut documents = Vec::new();
        for batch in micro_batches(&restoring(&lengths), BATCH) {
            let source = batch.source.as_ref().unwrap();
            let tokens = batch.ids.len() + source.ids.len();
            assert!(batch.rows == 1 || tokens <= BATCH.tokens as usize);
            assert!(batch.ids.len() >= 2 && source.ids.len() >= 2);
            let ids = batch.ids.chunks(batch.length).zip(source.ids.chunks(source.length));
            for ((row, &source), (ids, read)) in batch.examples.iter().zip(&source.lengths).zip(ids)
            {
                documents.push(row.document);
                assert_eq!((source, row.length), lengths[row.document]);
                let first = 1000 * (row.document as u32 + 1);
                for (ids, length) in [(ids, row.length), (read, source)] {
                    let (real, padding) = ids.split_at(length as usize);
                    assert!(real.iter().copied().eq(first..first + length));
                    assert!(padding.iter().all(|&id| id == 0));
                }
            }
            let all = |ids: &[u32]| -> Vec<(usize, u32)> {
                let real = ids.iter().enumerate().filter(|&(_, &id)| id != 0);
                real.map(|(index, &id)| (index, id)).collect()
            };
            let check = |fresh: Vec<FreshToken>, ids: &[u32]| {
                let expected = all(ids).into_iter().map(|(index, id)| {
                    let (document, first) = (id as usize / 1000 - 1, id % 1000 == 0);
                    FreshToken { index, document, first }
                });
                assert_eq!(fresh, expected.collect::<Vec<_>>());
            };
            check(batch.fresh(Stack::Dec), &batch.ids);
            check(batch.fresh(Stack::Enc), &source.ids);
            for scored in &batch.scored {
                assert_eq!(batch.ids[scored.index as usize] + 1, scored.target);
                assert_eq!(scored.document as u32 + 1, scored.target / 1000);
            }
            let scored: u32 = batch.examples.iter().map(|row| row.length - 1).sum();
            assert_eq!(batch.scored.len(), scored as usize);
            assert!(batch.scored.is_sorted_by_key(|scored| scored.index));
        }
        let mut expected: Vec<usize> = (0..lengths.len()).collect();
        expected.sort_by_key(|&d| (Reverse(lengths[d].0 + lengths[d].1), d));
        assert_eq!(documents, expected);
    }
}
