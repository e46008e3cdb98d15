//! Windows over the tokens of a document: every token but the first is scored exactly once. Not how windows share a batch.

use std::ops::Range;

use babelquant_proto::Windows;

/// A run of a document's tokens that the model reads at once. Positions count from the start of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// First token.
    pub start: u32,
    /// End, exclusive.
    pub end: u32,
    /// First token that is scored here; the ones before it are context only.
    pub score_from: u32,
}

impl Window {
    /// Tokens in the window, at least 1.
    pub fn length(self) -> u32 {
        self.end - self.start
    }

    /// The tokens scored here.
    pub fn scored(self) -> Range<u32> {
        self.score_from.min(self.end)..self.end
    }

    /// The tokens that no earlier window holds: each token of a document is fresh in exactly one window. The first window's
    /// include the first token, which is read but never scored.
    pub fn fresh(self) -> Range<u32> {
        if self.start == 0 { 0..self.end } else { self.scored() }
    }
}

/// Cuts a document of T tokens (science D.3): windows of at most L = `shape.tokens` begin at multiples of S = `shape.stride`
/// until one reaches T, and each scores the tokens that no window before it holds, so with at least L − S tokens of context
/// after the first window. A document of one token has a window that scores nothing, an empty one has none.
///
/// # Panics
/// The stride is not in 1..L: a token without context could not be scored.
pub fn windows(tokens: u32, shape: Windows) -> Vec<Window> {
    assert!((1..shape.tokens).contains(&shape.stride), "windows have context: {shape:?}");
    if tokens == 0 {
        return Vec::new();
    }
    let mut window = Window { start: 0, end: tokens.min(shape.tokens), score_from: 1 };
    let mut windows = vec![window];
    while window.end < tokens {
        let start = window.start + shape.stride;
        let end = tokens.min(start.saturating_add(shape.tokens));
        window = Window { start, end, score_from: window.end };
        windows.push(window);
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(count: u32, tokens: u32, stride: u32) -> Vec<(u32, u32, u32)> {
        let windows = windows(count, Windows { tokens, stride });
        windows.into_iter().map(|window| (window.start, window.end, window.score_from)).collect()
    }

    #[test]
    fn examples() {
        assert_eq!(cut(0, 4, 2), []);
        assert_eq!(cut(1, 4, 2), [(0, 1, 1)]);
        assert_eq!(cut(4, 4, 2), [(0, 4, 1)]);
        assert_eq!(cut(5, 4, 2), [(0, 4, 1), (2, 5, 4)]);
        assert_eq!(cut(9, 4, 3), [(0, 4, 1), (3, 7, 4), (6, 9, 7)]);
        assert_eq!(cut(u32::MAX, u32::MAX, 1), [(0, u32::MAX, 1)]);
    }

    #[test]
    fn each_token_but_the_first_is_scored_once_with_context() {
        for (tokens, stride) in [(2, 1), (3, 1), (5, 2), (8, 4), (8, 7), (9, 8)] {
            for count in 1..60 {
                let windows = windows(count, Windows { tokens, stride });
                let scored: Vec<u32> = windows.iter().flat_map(|window| window.scored()).collect();
                assert_eq!(scored, (1..count).collect::<Vec<_>>(), "{tokens} {stride} {count}");
                let fresh: Vec<u32> = windows.iter().flat_map(|window| window.fresh()).collect();
                assert_eq!(fresh, (0..count).collect::<Vec<_>>());
                for window in &windows {
                    assert!(window.length() >= 1 && window.length() <= tokens);
                    assert!(
                        window.start == 0 || window.score_from - window.start >= tokens - stride
                    );
                    assert!(window.end == count || window.length() == tokens);
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "windows have context")]
    fn a_stride_of_the_whole_window_is_our_bug() {
        windows(9, Windows { tokens: 4, stride: 4 });
    }
}
