//! Calibration text: which sets a study has and what stands in them. Held out: text that is evaluated too is refused. Not what
//! a worker makes of it.
//!
//! Every set has the same budget in bytes of UTF-8, cut here, so that the text is part of the study whatever a model's tokenizer
//! makes of it. Equal bytes are not equal tokens: a set gives as many tokens as its language's script and the tokenizer make of them.

mod overlap;

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use babelquant_proto::quant::CalibrationSet;
use babelquant_proto::{Calibration, Document, Language, LanguageCorpus, LanguageTag, ParseError};

use super::Texts;
use super::documents::Reading;
use super::error::CalibrationError;
use super::pattern::{LanguageFile, Pattern};
use overlap::Evaluated;

/// Bytes of a set where a study says nothing: some sixteen thousand tokens.
pub const CALIBRATION_BYTES: u64 = 64 << 10;
/// Most bytes of a set.
pub(super) const BYTES_MAX: u64 = 1 << 20;
/// Most bytes of all sets: every worker gets them in one message with the rest of the spec.
const TOTAL_BYTES_MAX: u64 = 8 << 20;

/// The calibration text of a study.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalibrationSource {
    /// The path pattern with its `{language}`.
    pub path: String,
    /// The sets of a config that names none.
    pub languages: Vec<SetChoice>,
    /// Budget of each set, in bytes.
    pub bytes: u64,
}

/// What a study names as calibration languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetChoice {
    /// One language.
    Language(LanguageTag),
    /// `each`: every calibration language, a set of its own. These are the languages that are listed or, where none is, the corpus's.
    Each,
    /// `mix`: the same languages in equal shares.
    Mix,
}

impl fmt::Display for SetChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Language(tag) => tag.with_script().fmt(f),
            Self::Each => f.write_str("each"),
            Self::Mix => f.write_str("mix"),
        }
    }
}

impl FromStr for SetChoice {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "each" => Ok(Self::Each),
            "mix" => Ok(Self::Mix),
            language => language.parse().map(Self::Language),
        }
    }
}

/// The calibration sets of a study, found but not read.
#[derive(Debug)]
pub(super) struct Sets {
    pattern: Pattern,
    bytes: u64,
    /// The calibration languages.
    files: Vec<LanguageFile>,
    /// The sets of a config that names none, each once.
    pub(super) open: Vec<CalibrationSet>,
}

impl CalibrationSource {
    /// The sets, for a corpus of these languages.
    ///
    /// # Errors
    /// The path is no pattern, or a language has no file.
    pub(super) fn sets(&self, corpus: &[LanguageCorpus]) -> Result<Sets, CalibrationError> {
        let pattern = Pattern::new(&self.path)?;
        let listed = self.languages.iter().filter_map(|choice| match choice {
            SetChoice::Language(tag) => Some(tag.clone()),
            SetChoice::Each | SetChoice::Mix => None,
        });
        let mut tags: Vec<LanguageTag> = listed.collect();
        let are_listed = !tags.is_empty();
        if !are_listed {
            tags = corpus.iter().map(|language| tag(&language.language)).collect();
        }
        let files = pattern.choose(&tags)?;
        let mut open = Vec::new();
        let mut add = |set| {
            if !open.contains(&set) {
                open.push(set);
            }
        };
        let each = || files.iter().map(|file| CalibrationSet::Language(file.language.clone()));
        if are_listed {
            each().for_each(&mut add);
        }
        for choice in &self.languages {
            match choice {
                SetChoice::Language(_) => {}
                SetChoice::Each => each().for_each(&mut add),
                SetChoice::Mix => add(CalibrationSet::Mix),
            }
        }
        Ok(Sets { pattern, bytes: self.bytes, files, open })
    }
}

impl Sets {
    /// The text of the `named` sets.
    ///
    /// # Errors
    /// A language has no file or too little text, text is evaluated too, or it is too much for a worker.
    pub(super) fn read(
        &self,
        named: BTreeSet<CalibrationSet>,
        texts: &Texts,
    ) -> Result<Vec<Calibration>, CalibrationError> {
        let total = self.bytes * named.len() as u64;
        if total > TOTAL_BYTES_MAX {
            let (sets, bytes, bytes_max) = (named.len(), self.bytes, TOTAL_BYTES_MAX);
            return Err(CalibrationError::TooMuch { sets, bytes, bytes_max });
        }
        let evaluated = Evaluated::new(texts);
        named.into_iter().map(|set| self.set(set, &evaluated)).collect()
    }

    fn set(
        &self,
        set: CalibrationSet,
        evaluated: &Evaluated<'_>,
    ) -> Result<Calibration, CalibrationError> {
        let files = match &set {
            CalibrationSet::Mix => self.files.clone(),
            CalibrationSet::Language(language) => {
                let known = self.files.iter().find(|file| file.language == *language);
                match known {
                    Some(file) => vec![file.clone()],
                    None => self.pattern.choose(&[tag(language)])?,
                }
            }
        };
        let share = self.bytes / files.len().max(1) as u64;
        let mut texts = Vec::new();
        for file in &files {
            texts.extend(self.text(&file.path, share, evaluated)?);
        }
        Ok(Calibration { set, texts })
    }

    /// The first `bytes` of a file's documents; the last one is cut where the budget ends.
    fn text(
        &self,
        path: &Path,
        bytes: u64,
        evaluated: &Evaluated<'_>,
    ) -> Result<Vec<String>, CalibrationError> {
        let reading = Reading { format: self.pattern.format, groups: None, lines_max: None };
        let documents = reading.documents(path)?;
        let found = documents.iter().map(|document| document.text.len() as u64).sum();
        if found < bytes {
            return Err(CalibrationError::TooLittle { path: path.to_owned(), found, bytes });
        }
        let mut texts = Vec::new();
        let mut left = bytes as usize;
        for Document { id, text, .. } in documents {
            if left == 0 {
                break;
            }
            if let Some(other) = evaluated.holds(&text) {
                return Err(CalibrationError::Evaluated { path: path.to_owned(), id, other });
            }
            let cut = up_to(&text, left);
            left = if cut.len() < text.len() { 0 } else { left - cut.len() };
            texts.push(cut.to_owned());
        }
        texts.retain(|text| !text.is_empty());
        Ok(texts)
    }
}

/// The longest beginning of `text` of at most `bytes` bytes.
fn up_to(text: &str, bytes: usize) -> &str {
    let fits = (0..=bytes.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    &text[..fits.unwrap_or(0)]
}

/// A canonical language as it would be written.
fn tag(language: &Language) -> LanguageTag {
    language.to_string().parse().expect("the spelling of a language is a tag")
}

#[cfg(test)]
mod tests;
