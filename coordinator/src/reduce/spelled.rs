//! A spelling with its meaning beside it, so that tables are sorted by meaning (layer 2 before layer 10), not by letters.

use std::str::FromStr;

/// A text and what it spells. Rows come from workers as text: one that does not parse keeps its text and sorts first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Spelled<T> {
    /// What the text spells.
    pub(crate) value: Option<T>,
    /// The text as it stands in the rows.
    pub(crate) text: String,
}

impl<T: FromStr> Spelled<T> {
    /// Reads `text`.
    pub(crate) fn new(text: &str) -> Self {
        Self { value: text.parse().ok(), text: text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use babelquant_proto::Layers;

    use super::*;

    #[test]
    fn scopes_sort_by_layer() {
        let mut scopes = ["only(10)", "all-but(1)", "all", "only(9)", "???", "only(2)"]
            .map(Spelled::<Layers>::new);
        scopes.sort();
        assert_eq!(
            scopes.map(|scope| scope.text),
            ["???", "all", "only(2)", "only(9)", "only(10)", "all-but(1)"]
        );
    }
}
