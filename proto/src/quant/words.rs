//! The words of a config's spelling, one after the other. Not a grammar: that stands with each type.

use std::str::FromStr;

/// What is left of a spelling whose words are joined by `-`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// True where nothing is left.
    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Consumes `words` (one or several, with their hyphens) if they stand next.
    pub(super) fn take(&mut self, words: &str) -> bool {
        let Some(rest) = self.0.strip_prefix(words) else { return false };
        match rest.strip_prefix('-') {
            Some(rest) if !rest.is_empty() => self.0 = rest,
            None if rest.is_empty() => self.0 = rest,
            Some(_) | None => return false,
        }
        true
    }

    /// Consumes the next word if it is a `T` after `prefix`.
    pub(super) fn take_after<T: FromStr>(&mut self, prefix: &str) -> Option<T> {
        let end = self.0.find('-').unwrap_or(self.0.len());
        let word = &self.0[..end];
        let value = word.strip_prefix(prefix)?.parse().ok()?;
        self.take(word).then_some(value)
    }
}
