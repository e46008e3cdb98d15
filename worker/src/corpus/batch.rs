//! Micro-batches: the windows of a shard in padded batches whose shapes follow from the shard alone, never from who computes
//! or how much memory is free, because the last bits of a matmul depend on its shape.

use std::cmp::Reverse;

use babelquant_proto::Batch;

use super::Window;

/// Windows side by side, right-padded to one length. The model's output for it is [rows, length, width].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MicroBatch {
    /// Token ids [rows, length]; padding has the id 0, and no causal model lets it reach a token before it.
    pub ids: Vec<u32>,
    /// Windows in the batch, at least 1.
    pub rows: usize,
    /// Padded length: the longest window, but 2 where rows × length would be 1.
    pub length: usize,
    /// The window of each row.
    pub windows: Vec<BatchWindow>,
    /// What is scored, in the order of rows and positions: per document this is the order of its tokens.
    pub scored: Vec<ScoredPosition>,
}

/// A row of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchWindow {
    /// Position of the document in the shard, from 0.
    pub document: usize,
    /// Its window.
    pub window: Window,
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

/// Batches of the windows of a shard's documents. `documents` holds each document's tokens and its windows. Windows go by
/// length, longest first, then by document and start; a batch takes them while rows × length stays within `batch.tokens`, and
/// one at least. A batch never has a single token: a matmul of one row rounds differently from the same row among others.
pub fn micro_batches(documents: &[(&[u32], &[Window])], batch: Batch) -> Vec<MicroBatch> {
    let mut all: Vec<BatchWindow> = Vec::new();
    for (document, (_, windows)) in documents.iter().enumerate() {
        all.extend(windows.iter().map(|&window| BatchWindow { document, window }));
    }
    all.sort_by_key(|row| (Reverse(row.window.length()), row.document, row.window.start));
    let mut batches = Vec::new();
    let mut rest = all.as_slice();
    while let Some(longest) = rest.first() {
        let rows = (batch.tokens / longest.window.length()).max(1) as usize;
        let (windows, later) = rest.split_at(rows.min(rest.len()));
        batches.push(MicroBatch::of(windows, documents));
        rest = later;
    }
    batches
}

impl MicroBatch {
    fn of(windows: &[BatchWindow], documents: &[(&[u32], &[Window])]) -> Self {
        let rows = windows.len();
        let longest = windows.iter().map(|row| row.window.length() as usize).max().unwrap_or(0);
        let length = if rows == 1 { longest.max(2) } else { longest };
        let mut ids = vec![0; rows * length];
        let mut scored = Vec::new();
        for ((at, row), padded) in windows.iter().enumerate().zip(ids.chunks_mut(length)) {
            let (tokens, window) = (documents[row.document].0, row.window);
            let read = &tokens[window.start as usize..window.end as usize];
            padded[..read.len()].copy_from_slice(read);
            scored.extend(window.scored().map(|token| ScoredPosition {
                document: row.document,
                index: (at * length) as u32 + (token - 1 - window.start),
                target: tokens[token as usize],
            }));
        }
        Self { ids, rows, length, windows: windows.to_vec(), scored }
    }

    /// The tokens that count in sums over activations, document by row: every token of a document once, in the window that
    /// reads it first. Positions are rows of the output seen as [rows × length, width].
    pub fn fresh(&self) -> impl Iterator<Item = (usize, std::ops::Range<usize>)> + '_ {
        self.windows.iter().enumerate().map(|(at, row)| {
            let fresh = row.window.fresh();
            let first = at * self.length + (fresh.start - row.window.start) as usize;
            (row.document, first..first + fresh.len())
        })
    }
}

#[cfg(test)]
mod tests {
    use babelquant_proto::Windows;

    use super::super::windows;
    use super::*;

    const BATCH: Batch = Batch { tokens: 20, head_rows: 1, head_columns: 1 };

    /// Documents of these lengths whose token t of document d is 1000·(d + 1) + t.
    fn documents(lengths: &[u32]) -> Vec<(Vec<u32>, Vec<Window>)> {
        let shape = Windows { tokens: 8, stride: 3 };
        let document = |(d, &count): (usize, &u32)| {
            ((0..count).map(|token| 1000 * (d as u32 + 1) + token).collect(), windows(count, shape))
        };
        lengths.iter().enumerate().map(document).collect()
    }

    fn batches(lengths: &[u32]) -> Vec<MicroBatch> {
        let documents = documents(lengths);
        let views: Vec<(&[u32], &[Window])> =
            documents.iter().map(|(t, w)| (&t[..], &w[..])).collect();
        micro_batches(&views, BATCH)
    }

    #[test]
    fn every_token_but_the_first_is_a_target_once_after_the_token_before_it() {
        let lengths = [5, 0, 30, 1, 8, 9, 2, 2, 17, 1];
        let mut seen: Vec<Vec<u32>> = vec![Vec::new(); lengths.len()];
        let mut fresh = vec![0; lengths.len()];
        for batch in batches(&lengths) {
            assert_eq!(batch.ids.len(), batch.rows * batch.length);
            assert_eq!(batch.windows.len(), batch.rows);
            assert!(batch.ids.len() >= 2);
            assert!(batch.rows == 1 || batch.ids.len() <= BATCH.tokens as usize);
            for scored in &batch.scored {
                assert_eq!(batch.ids[scored.index as usize] + 1, scored.target);
                assert_eq!(scored.target / 1000, scored.document as u32 + 1);
                seen[scored.document].push(scored.target % 1000);
            }
            for (document, positions) in batch.fresh() {
                fresh[document] += positions.len() as u32;
                assert!(batch.ids[positions].iter().all(|id| id / 1000 == document as u32 + 1));
            }
        }
        for (document, &count) in lengths.iter().enumerate() {
            assert_eq!(seen[document], (1..count).collect::<Vec<_>>(), "document {document}");
        }
        assert_eq!(fresh, lengths);
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
        let tokens = [7_u32; 30];
        let window = [Window { start: 0, end: 30, score_from: 1 }];
        let batches = micro_batches(&[(&tokens, &window), (&tokens, &window)], BATCH);
        assert_eq!(
            batches.iter().map(|batch| (batch.rows, batch.length)).collect::<Vec<_>>(),
            [(1, 30); 2]
        );
    }
}
