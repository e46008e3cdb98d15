//! Text that is evaluated, so that calibration text can be held apart from it. Compares lines, not meanings: a translation of
//! an evaluated text passes.

use std::collections::HashMap;

use super::super::Texts;

/// Shorter lines may meet by chance, such as a date or a heading.
const CHARACTERS_MIN: usize = 20;

/// The lines of the evaluated corpus.
#[derive(Debug)]
pub(super) struct Evaluated<'a> {
    /// The document of each line.
    lines: HashMap<&'a str, &'a str>,
}

impl<'a> Evaluated<'a> {
    pub(super) fn new(texts: &'a Texts) -> Self {
        let documents = texts.values().flat_map(|text| &text.documents);
        let lines = documents
            .flat_map(|document| lines(&document.text).map(|line| (line, document.id.as_str())));
        Self { lines: lines.collect() }
    }

    /// The evaluated document that shares a line with `text`.
    pub(super) fn holds(&self, text: &str) -> Option<String> {
        lines(text).find_map(|line| self.lines.get(line)).map(|id| (*id).to_owned())
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| line.chars().nth(CHARACTERS_MIN - 1).is_some())
}
