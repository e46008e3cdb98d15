//! Examples: what one row of a batch reads and what of it is scored, whatever the protocol. Not how a text becomes examples
//! (`reader`), and not their padding (`batch`).

use std::ops::Range;

use super::Window;

/// A run of a document as a model reads it at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Tokens that the encoder reads; none where there is no encoder.
    pub source: Vec<u32>,
    /// Tokens that the decoder reads, at least 1.
    pub ids: Vec<u32>,
    /// What is scored, in the order of positions.
    pub scored: Vec<Scored>,
    /// Positions of `ids` that no earlier example of the document holds: those that count in sums over activations. Position 0
    /// is among them only where it begins a sequence.
    pub fresh: Range<u32>,
}

/// A position of the decoder that predicts a token of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scored {
    /// The position, from 0.
    pub position: u32,
    /// The token to predict.
    pub target: u32,
    /// Where that token stands in its document, from 0.
    pub token: u32,
}

/// A token that a decoder shall predict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// Token of the document, scored.
    Text {
        /// Its id.
        id: u32,
        /// Where it stands in the document, from 0.
        token: u32,
    },
    /// Token that is none of the text: read as context, never scored.
    Mark(u32),
}

impl Example {
    /// A window of a document for a decoder that continues text.
    pub(super) fn of_window(ids: &[u32], window: Window) -> Self {
        let scored = |token: u32| Scored {
            position: token - 1 - window.start,
            target: ids[token as usize],
            token,
        };
        let fresh = window.fresh();
        Self {
            source: Vec::new(),
            ids: ids[window.start as usize..window.end as usize].to_vec(),
            scored: window.scored().map(scored).collect(),
            fresh: fresh.start - window.start..fresh.end - window.start,
        }
    }

    /// `source` for the encoder; the decoder reads `start` and all targets but the last, each position predicting its target.
    pub(super) fn restoring(source: Vec<u32>, start: u32, targets: &[Target]) -> Self {
        let ids = targets.iter().map(|target| target.id());
        let ids: Vec<u32> = std::iter::once(start).chain(ids).take(targets.len()).collect();
        let scored = |(target, position): (&Target, u32)| match *target {
            Target::Text { id, token } => Some(Scored { position, target: id, token }),
            Target::Mark(_) => None,
        };
        Self {
            source,
            scored: targets.iter().zip(0..).filter_map(scored).collect(),
            fresh: 0..ids.len() as u32,
            ids,
        }
    }

    /// Tokens that both stacks read.
    pub(super) fn length(&self) -> usize {
        self.source.len() + self.ids.len()
    }
}

impl Target {
    fn id(self) -> u32 {
        match self {
            Self::Text { id, .. } | Self::Mark(id) => id,
        }
    }

    /// The tokens of a run of a document as targets; `first` is the position of `ids[0]` in it.
    pub(super) fn text(ids: &[u32], first: usize) -> impl Iterator<Item = Self> + '_ {
        ids.iter().zip(first as u32..).map(|(&id, token)| Self::Text { id, token })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_predicts_each_token_from_the_one_before() {
        let ids = [10, 11, 12, 13, 14];
        let first = Example::of_window(&ids, Window { start: 0, end: 4, score_from: 1 });
        assert_eq!((&first.ids[..], first.fresh.clone()), (&ids[..4], 0..4));
        let scored = |position, target, token| Scored { position, target, token };
        assert_eq!(first.scored, [scored(0, 11, 1), scored(1, 12, 2), scored(2, 13, 3)]);
        let second = Example::of_window(&ids, Window { start: 2, end: 5, score_from: 4 });
        assert_eq!((&second.ids[..], second.fresh.clone()), (&ids[2..], 2..3));
        assert_eq!(second.scored, [scored(1, 14, 4)]);
        assert_eq!(second.length(), 3);
    }

    #[test]
    fn a_restored_text_is_read_one_position_late() {
        let targets = [Target::Mark(90), Target::Text { id: 7, token: 3 }, Target::Mark(1)];
        let example = Example::restoring(vec![5, 90, 1], 0, &targets);
        assert_eq!(example.ids, [0, 90, 7]);
        assert_eq!(example.scored, [Scored { position: 1, target: 7, token: 3 }]);
        assert_eq!((example.fresh.clone(), example.length()), (0..3, 6));
    }
}
