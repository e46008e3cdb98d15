//! Span corruption (Raffel et al. 2020): masked spans of a chunk become sentinels for the encoder, and the decoder restores
//! them. Not which spans are masked (`span`).

use std::ops::Range;

use babelquant_proto::Marks;

use super::example::{Example, Target};
use super::span::{Noise, generator};

/// Span corruption with everything that it needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SpanCorruption {
    /// Tokens of the text that are read at once.
    pub(super) chunk: usize,
    /// Sentinels in order, one for each span of a chunk.
    pub(super) sentinels: Vec<u32>,
    pub(super) marks: Marks,
    pub(super) draws: u32,
    pub(super) seed: u64,
}

impl SpanCorruption {
    /// The examples of a document of tokens `ids`, by chunk, then by draw. A chunk of one token has none.
    pub(super) fn examples(&self, ids: &[u32], document: &str) -> Vec<Example> {
        let mut examples = Vec::new();
        for (chunk, part) in ids.chunks(self.chunk).enumerate() {
            let Some(noise) = Noise::of(part.len()) else { continue };
            for draw in 0..self.draws {
                let mask = noise.mask(&mut generator(self.seed, document, chunk, draw));
                examples.push(self.example(part, chunk * self.chunk, &mask));
            }
        }
        examples
    }

    /// The chunk `ids`, which begins at token `first` of its document, with the spans `mask` masked.
    fn example(&self, ids: &[u32], first: usize, mask: &[Range<usize>]) -> Example {
        let (mut source, mut targets) = (Vec::new(), Vec::new());
        let mut kept = 0;
        for (span, &sentinel) in mask.iter().zip(&self.sentinels) {
            source.extend_from_slice(&ids[kept..span.start]);
            source.push(sentinel);
            targets.push(Target::Mark(sentinel));
            targets.extend(Target::text(&ids[span.clone()], first + span.start));
            kept = span.end;
        }
        source.extend_from_slice(&ids[kept..]);
        source.push(self.marks.end);
        targets.push(Target::Mark(self.marks.end));
        Example::restoring(source, self.marks.start, &targets)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const MARKS: Marks = Marks { start: 0, end: 1 };

    fn corruption(limit: u32) -> SpanCorruption {
        let noise = Noise::longest(limit).unwrap();
        let sentinels = (1000..).take(noise.spans).collect();
        SpanCorruption { chunk: noise.length, sentinels, marks: MARKS, draws: 4, seed: 11 }
    }

    /// The decoder's targets: what it reads next, and last the end.
    fn targets(example: &Example) -> Vec<u32> {
        [&example.ids[1..], &[MARKS.end]].concat()
    }

    /// Puts what the decoder restores in the place of each sentinel.
    fn restored(example: &Example) -> Vec<u32> {
        let (&end, source) = example.source.split_last().unwrap();
        assert_eq!(end, MARKS.end);
        let targets = targets(example);
        let is_text = |id: &&u32| **id >= 5000;
        let span = |sentinel: u32| {
            let at = targets.iter().position(|&id| id == sentinel).unwrap();
            targets[at + 1..].iter().take_while(is_text).copied().collect()
        };
        let piece = |&id: &u32| if is_text(&&id) { vec![id] } else { span(id) };
        source.iter().flat_map(piece).collect()
    }

    #[test]
    fn sources_and_targets_are_the_reference_s() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/spans.json");
        let golden: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let corruption = corruption(2000);
        for expected in golden["examples"].as_array().unwrap() {
            let mask: Vec<bool> =
                expected["mask"].as_str().unwrap().chars().map(|flag| flag == '1').collect();
            let ids: Vec<u32> = (5000..).take(mask.len()).collect();
            let mut at = 0;
            let mut spans = Vec::new();
            for run in mask.chunk_by(|left, right| left == right) {
                spans.extend(run[0].then_some(at..at + run.len()));
                at += run.len();
            }
            let example = corruption.example(&ids, 0, &spans);
            let list = |key: &str| -> Vec<u32> {
                let ids = expected[key].as_array().unwrap().iter();
                ids.map(|id| id.as_u64().unwrap() as u32).collect()
            };
            assert_eq!(example.source, list("source"));
            assert_eq!(example.ids, list("decoder_input"));
            assert_eq!(targets(&example), list("targets"));
        }
    }

    #[test]
    fn every_draw_restores_the_text_and_scores_each_masked_token_once() {
        for (limit, lengths) in [(8, 0..60), (9, 0..60), (64, 0..200), (512, 560..580)] {
            let corruption = corruption(limit);
            for length in lengths {
                let ids: Vec<u32> = (5000..5000 + length).collect();
                let examples = corruption.examples(&ids, "a document");
                let chunks = ids.chunks(corruption.chunk).filter(|part| part.len() > 1);
                let expected = chunks.flat_map(|part| [part; 4]);
                assert!(examples.iter().map(restored).eq(expected.map(<[u32]>::to_vec)));
                for example in &examples {
                    assert!(example.source.len().max(example.ids.len()) <= limit as usize);
                    check_scored(example, &ids);
                }
            }
        }
    }

    fn check_scored(example: &Example, ids: &[u32]) {
        let targets = targets(example);
        let hidden: Vec<u32> = example.scored.iter().map(|scored| scored.target).collect();
        let text = targets.iter().copied().filter(|&id| id >= 5000);
        assert!(text.eq(hidden.iter().copied()) && hidden.is_sorted());
        assert!(hidden.iter().all(|id| !example.source.contains(id)));
        for scored in &example.scored {
            assert_eq!(ids[scored.token as usize], scored.target);
            assert_eq!(targets[scored.position as usize], scored.target);
        }
    }

    #[test]
    fn draws_and_chunks_differ() {
        let corruption = SpanCorruption { draws: 50, ..corruption(64) };
        let ids: Vec<u32> = (5000..5000 + 3 * corruption.chunk as u32).collect();
        let examples = corruption.examples(&ids, "a document");
        let positions = |example: &Example| -> Vec<u32> {
            let tokens = example.scored.iter().map(|scored| scored.token);
            tokens.map(|token| token % corruption.chunk as u32).collect()
        };
        let mut masks: Vec<Vec<u32>> = examples.iter().map(positions).collect();
        masks.sort();
        masks.dedup();
        assert_eq!(masks.len(), 150);
    }

    /// So it is with T5: with a single span, the last part is the masked one.
    #[test]
    fn short_texts_are_masked_at_their_end_in_every_draw() {
        let corruption = corruption(64);
        for length in 2..=30 {
            let ids: Vec<u32> = (5000..5000 + length).collect();
            let mut examples = corruption.examples(&ids, "a document");
            examples.dedup();
            assert_eq!(examples.len(), 1);
            assert_eq!(examples[0].scored.last().unwrap().token, length - 1);
        }
    }

    #[test]
    fn no_draws_no_examples() {
        let corruption = SpanCorruption { draws: 0, ..corruption(64) };
        assert_eq!(corruption.examples(&[5000; 100], "a document"), []);
    }
}
