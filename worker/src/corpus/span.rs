//! Which tokens of a chunk are masked: the random spans of T5 (Raffel et al. 2020, §3.1.4). Not what replaces them
//! (`corruption`).

use std::ops::Range;

use babelquant_proto::random::below;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Shortest encoder input for which a mask can be near 15 %.
pub(super) const SOURCE_MIN: u32 = 8;

/// How much of a chunk is masked; its length decides that alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Noise {
    /// Tokens of the chunk, at least 2.
    pub(super) length: usize,
    /// Masked tokens: round(0.15·length), at least one and not all.
    pub(super) masked: usize,
    /// Spans they stand in: round(masked / 3), at least one. So there are always more kept tokens than spans.
    pub(super) spans: usize,
}

impl Noise {
    /// The noise of a chunk of `length` tokens; fewer than 2 cannot be masked.
    pub(super) fn of(length: usize) -> Option<Self> {
        if length < 2 {
            return None;
        }
        let masked = round(15 * length, 100).clamp(1, length - 1);
        Some(Self { length, masked, spans: round(masked, 3).max(1) })
    }

    /// The noise of the longest chunk whose encoder input has at most `limit` tokens; its decoder input is shorter.
    pub(super) fn longest(limit: u32) -> Option<Self> {
        let fits = |length: usize| {
            Self::of(length).filter(|noise| noise.source_length() <= limit as usize)
        };
        // The source never shrinks with the length, and keeps more than half of the tokens.
        let (mut shorter, mut longer) = (2, 2 * limit as usize);
        while shorter + 1 < longer {
            let middle = shorter.midpoint(longer);
            *if fits(middle).is_some() { &mut shorter } else { &mut longer } = middle;
        }
        fits(shorter)
    }

    /// Encoder tokens: what is kept, a sentinel for each span, the end.
    pub(super) fn source_length(self) -> usize {
        self.length - self.masked + self.spans + 1
    }

    /// The masked spans in order, all masks of this noise being equally likely.
    pub(super) fn mask(self, random: &mut ChaCha8Rng) -> Vec<Range<usize>> {
        let masked = segments(&cuts(self.masked, self.spans, random));
        let kept = segments(&cuts(self.length - self.masked, self.spans, random));
        alternate(&kept, &masked)
    }
}

/// A generator for the mask of one draw over one chunk of a document. It depends on nothing else, so neither on the shard nor on
/// who computes it.
pub(super) fn generator(seed: u64, document: &str, chunk: usize, draw: u32) -> ChaCha8Rng {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"babelquant spans 1");
    hasher.update(&seed.to_le_bytes());
    hasher.update(&(document.len() as u64).to_le_bytes());
    hasher.update(document.as_bytes());
    hasher.update(&(chunk as u64).to_le_bytes());
    hasher.update(&draw.to_le_bytes());
    ChaCha8Rng::from_seed(hasher.finalize().into())
}

/// `numerator / denominator` to the nearest whole number, ties to the even one, as Python and NumPy round; in f64 the product
/// 0.15·n meets every tie. (T5's TensorFlow code multiplies in f32 and so rounds up at some ties: one token more, from n = 190.)
fn round(numerator: usize, denominator: usize) -> usize {
    let (whole, rest) = (numerator / denominator, numerator % denominator);
    match (2 * rest).cmp(&denominator) {
        std::cmp::Ordering::Less => whole,
        std::cmp::Ordering::Equal => whole + whole % 2,
        std::cmp::Ordering::Greater => whole + 1,
    }
}

/// Where `items` tokens are cut into `parts`, by token but the first: shuffled (Fisher–Yates), so every composition of `items`
/// into `parts` positive terms is equally likely.
fn cuts(items: usize, parts: usize, random: &mut ChaCha8Rng) -> Vec<bool> {
    let mut cuts: Vec<bool> = (1..items).map(|index| index < parts).collect();
    for last in (1..cuts.len()).rev() {
        cuts.swap(last, below(last + 1, random));
    }
    cuts
}

/// Lengths of the parts of a run of tokens: `cuts[t]` says that token t + 1 begins a new part.
fn segments(cuts: &[bool]) -> Vec<usize> {
    cuts.split(|&cut| cut).map(|part| part.len() + 1).collect()
}

/// Where the masked parts lie if kept and masked ones take turns, a kept one first.
fn alternate(kept: &[usize], masked: &[usize]) -> Vec<Range<usize>> {
    let mut end = 0;
    let span = |(kept, masked): (&usize, &usize)| {
        let start = end + kept;
        end = start + masked;
        start..end
    };
    kept.iter().zip(masked).map(span).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::Value;

    use super::*;

    fn golden() -> Value {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/spans.json");
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn numbers(row: &Value) -> Vec<usize> {
        row.as_array().unwrap().iter().map(|number| number.as_u64().unwrap() as usize).collect()
    }

    fn flags(text: &Value) -> Vec<bool> {
        text.as_str().unwrap().chars().map(|flag| flag == '1').collect()
    }

    /// Decoder targets: what is masked, a sentinel for each span, the end.
    fn target_length(noise: Noise) -> usize {
        noise.masked + noise.spans + 1
    }

    fn mask_of(length: usize, document: &str, draw: u32) -> Vec<Range<usize>> {
        Noise::of(length).unwrap().mask(&mut generator(7, document, 0, draw))
    }

    #[test]
    fn counts_and_lengths_are_the_reference_s() {
        let golden = golden();
        for row in golden["counts"].as_array().unwrap() {
            let [length, masked, spans] = numbers(row)[..] else { panic!("{row}") };
            assert_eq!(Noise::of(length), Some(Noise { length, masked, spans }));
        }
        for row in golden["chunks"].as_array().unwrap() {
            let [limit, length, targets] = numbers(row)[..] else { panic!("{row}") };
            let noise = Noise::longest(limit as u32).unwrap();
            assert_eq!((noise.length, target_length(noise)), (length, targets), "{limit}");
            assert!(noise.source_length() <= limit && target_length(noise) <= limit);
        }
        let known = [512, 256, 1024].map(|limit| Noise::longest(limit).unwrap());
        assert_eq!(known.map(|noise| noise.length), [568, 284, 1137]);
        assert_eq!(known.map(target_length), [114, 58, 229]);
        assert_eq!(known.map(Noise::source_length), [512, 256, 1024]);
    }

    #[test]
    fn masks_from_the_same_shuffles_are_the_reference_s() {
        let golden = golden();
        let examples = golden["examples"].as_array().unwrap();
        assert!(examples.len() >= 40);
        for example in examples {
            let [kept, masked] =
                ["kept_flags", "masked_flags"].map(|key| segments(&flags(&example[key])));
            let mut mask = vec![false; example["length"].as_u64().unwrap() as usize];
            for span in alternate(&kept, &masked) {
                mask[span].fill(true);
            }
            assert_eq!(mask, flags(&example["mask"]), "{example}");
        }
    }

    #[test]
    fn too_short_is_no_panic() {
        assert_eq!([0, 1].map(Noise::of), [None; 2]);
        assert_eq!([0, 1, 2].map(Noise::longest), [None; 3]);
        assert_eq!(Noise::longest(3).map(|noise| noise.length), Some(2));
        let huge = Noise::longest(u32::MAX).unwrap();
        assert!(huge.source_length() == u32::MAX as usize && huge.length > 4_700_000_000);
    }

    #[test]
    fn spans_are_apart_and_as_many_as_counted() {
        for length in 2..700 {
            let noise = Noise::of(length).unwrap();
            assert!(noise.spans <= noise.masked && noise.spans <= length - noise.masked);
            let mask = mask_of(length, "d", 3);
            assert_eq!(mask.len(), noise.spans);
            assert_eq!(mask.iter().map(Range::len).sum::<usize>(), noise.masked);
            assert!(mask[0].start > 0 && mask.iter().all(|span| !span.is_empty()));
            assert!(mask.is_sorted_by(|left, right| left.end < right.start));
            assert_eq!(mask.last().unwrap().end, length);
        }
    }

    #[test]
    fn fifteen_percent_in_spans_of_three() {
        for length in [300, 568, 1137, 5000] {
            let noise = Noise::of(length).unwrap();
            assert!((noise.masked as f64 / length as f64 - 0.15).abs() < 0.002, "{length}");
            assert!((noise.masked as f64 / noise.spans as f64 - 3.0).abs() < 0.05, "{length}");
        }
    }

    #[test]
    fn a_mask_depends_on_seed_document_chunk_and_draw_alone() {
        let mask = |seed, document, chunk, draw| {
            Noise::of(568).unwrap().mask(&mut generator(seed, document, chunk, draw))
        };
        let all = [(7, "a", 0, 0), (8, "a", 0, 0), (7, "b", 0, 0), (7, "a", 1, 0), (7, "a", 0, 1)];
        let masks = all.map(|(seed, document, chunk, draw)| mask(seed, document, chunk, draw));
        let different: BTreeSet<Vec<usize>> =
            masks.iter().map(|mask| mask.iter().map(|span| span.start).collect()).collect();
        assert_eq!(different.len(), all.len());
        assert_eq!(masks[0], mask(7, "a", 0, 0));
    }

    /// Where the spans start that BLAKE3, ChaCha8 and the shuffle give when each is written anew from its specification: they are
    /// part of what a study's numbers mean.
    #[test]
    fn the_masks_of_today_are_those_of_tomorrow() {
        let starts = |draw| -> Vec<usize> {
            mask_of(100, "flores/eng/0001", draw).iter().map(|span| span.start).collect()
        };
        assert_eq!(starts(0), [5, 33, 48, 54, 97]);
        assert_eq!(starts(1), [14, 22, 30, 89, 99]);
    }

    /// Pearson's χ² against equal probabilities, with the number of compositions enumerated.
    #[test]
    fn all_compositions_are_equally_likely() {
        // One degree of freedom less than compositions; the bounds are p = 0.001.
        for (items, parts, compositions, bound) in
            [(6, 3, 10, 27.88), (5, 2, 4, 16.27), (7, 4, 20, 43.82)]
        {
            let mut seen: BTreeMap<Vec<usize>, f64> = BTreeMap::new();
            for draw in 0..10_000 {
                let random = &mut generator(1, "uniform", items, draw);
                *seen.entry(segments(&cuts(items, parts, random))).or_default() += 1.0;
            }
            assert!(seen.keys().all(|c| c.len() == parts && c.iter().sum::<usize>() == items));
            assert_eq!(seen.len(), compositions);
            let expected = 10_000.0 / compositions as f64;
            let square: f64 = seen.values().map(|n| (n - expected).powi(2) / expected).sum();
            assert!(square < bound, "{items} {parts}: {square}");
        }
    }

    #[test]
    fn all_masks_are_equally_likely() {
        // 33 tokens: 5 masked in 2 spans, 28 kept in 2 parts, so 4 · 27 masks. The bound is p = 0.001 of 107 degrees of freedom.
        let mut seen: BTreeMap<Vec<usize>, f64> = BTreeMap::new();
        for draw in 0..20_000 {
            let key = mask_of(33, "uniform", draw).into_iter().flat_map(|s| [s.start, s.end]);
            *seen.entry(key.collect()).or_default() += 1.0;
        }
        assert_eq!(seen.len(), 4 * 27);
        let expected = 20_000.0 / 108.0;
        let square: f64 = seen.values().map(|n| (n - expected).powi(2) / expected).sum();
        assert!(square < 156.6, "{square}");
    }
}
