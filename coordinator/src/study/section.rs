//! One section of a study file: takes typed values by key and names every mistake. Knows no particular key.

use std::fmt::Display;
use std::str::FromStr;

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::error::StudyError;

/// The keys of one section; `name` is empty for the top level.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) name: &'static str,
    pub(super) keys: &'static [&'static str],
}

/// A section whose keys are all known.
#[derive(Debug)]
pub(super) struct Section<'a> {
    file: &'a str,
    known: Known,
    table: Table,
}

impl<'a> Section<'a> {
    /// The section, if it has no unknown key; `all` are the sections of the file, for the hint.
    pub(super) fn new(
        file: &'a str,
        known: Known,
        table: Table,
        all: &[Known],
    ) -> Result<Self, StudyError> {
        match table.keys().find(|key| !known.keys.contains(&key.as_str())) {
            None => Ok(Self { file, known, table }),
            Some(key) => Err(StudyError::UnknownKey {
                file: file.to_owned(),
                section: known.title(),
                key: key.clone(),
                hint: hint(key, known, all),
            }),
        }
    }

    /// The section `known.name` inside this one; an absent section is an empty one.
    pub(super) fn section(&mut self, known: Known, all: &[Known]) -> Result<Self, StudyError> {
        let table = match self.table.remove(known.name) {
            None => Table::new(),
            Some(Value::Table(table)) => table,
            Some(value) => return Err(self.wrong(known.name, &value, "expected a section")),
        };
        Self::new(self.file, known, table, all)
    }

    /// The value of `key`, if it is there.
    pub(super) fn take<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>, StudyError> {
        let Some(value) = self.table.remove(key) else { return Ok(None) };
        let read = value.clone().try_into();
        read.map(Some).map_err(|error: toml::de::Error| self.wrong(key, &value, error.message()))
    }

    /// True where `key` is there and was not taken.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// A whole number of at least 1.
    pub(super) fn positive<T>(&mut self, key: &str) -> Result<Option<T>, StudyError>
    where
        T: DeserializeOwned + PartialOrd + Default + Display,
    {
        match self.take::<T>(key)? {
            Some(number) if number <= T::default() => {
                Err(self.wrong(key, &number, "expected at least 1"))
            }
            number => Ok(number),
        }
    }

    /// The spellings of `key`: one text or a list of texts, not empty.
    pub(super) fn spellings<T>(&mut self, key: &str) -> Result<Option<Vec<T>>, StudyError>
    where
        T: FromStr<Err: Display>,
    {
        let texts = match self.table.remove(key) {
            None => return Ok(None),
            Some(Value::String(text)) => vec![text],
            Some(value) => value
                .clone()
                .try_into::<Vec<String>>()
                .map_err(|_| self.wrong(key, &value, "expected a text or a list of texts"))?,
        };
        if texts.is_empty() {
            return Err(self.wrong(key, &"[]", "expected at least one"));
        }
        let parse = |text: &String| text.parse().map_err(|error| self.wrong(key, text, error));
        texts.iter().map(parse).collect::<Result<_, _>>().map(Some)
    }

    /// The error about a key that should be there.
    pub(super) fn missing(&self, key: &str, expected: &'static str) -> StudyError {
        StudyError::Missing { file: self.file.to_owned(), key: self.path(key), expected }
    }

    /// The error about the value of a key.
    pub(super) fn wrong(
        &self,
        key: &str,
        value: &impl Display,
        reason: impl Display,
    ) -> StudyError {
        StudyError::Value {
            file: self.file.to_owned(),
            key: self.path(key),
            value: value.to_string(),
            reason: reason.to_string(),
        }
    }

    fn path(&self, key: &str) -> String {
        match self.known.name {
            "" => key.to_owned(),
            name => format!("{name}.{key}"),
        }
    }
}

impl Known {
    fn title(self) -> String {
        match self.name {
            "" => "the top level".to_owned(),
            name => format!("[{name}]"),
        }
    }
}

/// Where the key belongs, or the nearest key of its section, or all keys of its section.
fn hint(key: &str, known: Known, all: &[Known]) -> String {
    if let Some(home) = all.iter().find(|section| section.keys.contains(&key)) {
        return format!("it belongs to {}", home.title());
    }
    nearest(key, known.keys).map_or_else(
        || format!("known are {}", known.keys.join(", ")),
        |nearest| format!("did you mean `{nearest}`?"),
    )
}

/// The known word that was probably meant.
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let distance = |other: &str| strsim::damerau_levenshtein(word, other);
    let nearest = known.iter().copied().min_by_key(|other| distance(other))?;
    (distance(nearest) <= 2 + word.len() / 3).then_some(nearest)
}
