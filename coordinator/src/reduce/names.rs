//! Names interned as small numbers, so that millions of rows do not hold millions of strings.

use std::collections::BTreeMap;

/// Something for each model and language, in their order.
pub(super) type ByLanguage<T> = BTreeMap<(String, String), T>;

/// The texts seen so far; a number stands for one of them.
#[derive(Debug, Default)]
pub(super) struct Names {
    numbers: BTreeMap<String, u32>,
    texts: Vec<String>,
}

impl Names {
    /// The number of `text`. Numbers depend on the order of calls: they are looked up, never sorted by.
    pub(super) fn number(&mut self, text: &str) -> u32 {
        if let Some(&number) = self.numbers.get(text) {
            return number;
        }
        let number =
            u32::try_from(self.texts.len()).expect("fewer names than 2^32 fit into memory");
        self.numbers.insert(text.to_owned(), number);
        self.texts.push(text.to_owned());
        number
    }

    /// The number of `text`, if it was seen.
    pub(super) fn known(&self, text: &str) -> Option<u32> {
        self.numbers.get(text).copied()
    }

    /// The text of a number that `number` gave.
    pub(super) fn text(&self, number: u32) -> &str {
        &self.texts[number as usize]
    }

    /// The texts of a model's and a language's numbers.
    pub(super) fn pair(&self, model: u32, language: u32) -> (String, String) {
        (self.text(model).to_owned(), self.text(language).to_owned())
    }
}
