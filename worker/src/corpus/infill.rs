//! Prefix infilling: the encoder reads the first half of a chunk and a sentinel, the decoder is scored on the second half.

use babelquant_proto::Marks;

use super::example::{Example, Target};

/// Prefix infilling with everything that it needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PrefixInfill {
    /// Tokens of the text that are read at once, at least 2.
    pub(super) chunk: usize,
    /// Stands for the second half.
    pub(super) sentinel: u32,
    pub(super) marks: Marks,
}

impl PrefixInfill {
    /// The longest chunk n whose encoder input ⌊n/2⌋ + 2 and decoder input 1 + ⌈n/2⌉ have at most `limit` tokens.
    pub(super) fn longest(limit: u32) -> usize {
        (2 * limit as usize).saturating_sub(3)
    }

    /// The examples of a document of tokens `ids`, by chunk. A chunk of one token has none.
    pub(super) fn examples(&self, ids: &[u32]) -> Vec<Example> {
        let chunks = ids.chunks(self.chunk).enumerate().filter(|(_, part)| part.len() >= 2);
        let example = |(chunk, part): (usize, &[u32])| {
            let (read, restored) = part.split_at(part.len() / 2);
            let source = [read, &[self.sentinel, self.marks.end]].concat();
            let mut targets = vec![Target::Mark(self.sentinel)];
            targets.extend(Target::text(restored, chunk * self.chunk + read.len()));
            Example::restoring(source, self.marks.start, &targets)
        };
        chunks.map(example).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFILL: PrefixInfill =
        PrefixInfill { chunk: 13, sentinel: 99, marks: Marks { start: 0, end: 1 } };

    #[test]
    fn the_second_half_follows_the_first() {
        let examples = INFILL.examples(&[10, 11, 12, 13, 14]);
        assert_eq!(examples.len(), 1);
        assert_eq!(examples[0].source, [10, 11, 99, 1]);
        assert_eq!(examples[0].ids, [0, 99, 12, 13]);
        let scored: Vec<[u32; 3]> =
            examples[0].scored.iter().map(|s| [s.position, s.target, s.token]).collect();
        assert_eq!(scored, [[1, 12, 2], [2, 13, 3], [3, 14, 4]]);
    }

    #[test]
    fn lengths_stay_within_the_limit_and_nothing_is_lost() {
        for (limit, count) in [(8, 0), (8, 1), (8, 2), (8, 13), (8, 14), (8, 15), (9, 200)] {
            let infill = PrefixInfill { chunk: PrefixInfill::longest(limit), ..INFILL };
            let ids: Vec<u32> = (1000..1000 + count).collect();
            let (mut read, mut tokens) = (Vec::new(), Vec::new());
            for example in infill.examples(&ids) {
                assert!(example.source.len() <= limit as usize, "{limit} {count}");
                assert!(example.ids.len() <= limit as usize, "{limit} {count}");
                assert_eq!(example.ids[..2], [0, 99]);
                let (text, marks) = example.source.split_at(example.source.len() - 2);
                assert_eq!(marks, [99, 1]);
                read.extend_from_slice(text);
                read.extend(example.scored.iter().map(|scored| scored.target));
                tokens.extend(example.scored.iter().map(|scored| scored.token));
            }
            let left_out = usize::from(ids.len() % infill.chunk == 1);
            assert_eq!(read, ids[..ids.len() - left_out], "{limit} {count}");
            assert!(tokens.is_sorted() && tokens.iter().all(|&t| (t as usize) < ids.len()));
        }
    }

    #[test]
    fn a_longer_chunk_would_not_fit() {
        for limit in 8..40 {
            let longer = PrefixInfill { chunk: PrefixInfill::longest(limit) + 1, ..INFILL };
            let examples = longer.examples(&vec![5; longer.chunk]);
            assert!(examples[0].source.len().max(examples[0].ids.len()) > limit as usize);
        }
    }
}
