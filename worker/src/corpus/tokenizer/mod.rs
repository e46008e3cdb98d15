//! The tokenizer of a model: ids, and how much of the text each stands for. Not the tokens that a family puts before a text.

mod byte_level;
mod extent;
mod sentencepiece;
#[cfg(test)]
pub(super) mod tests;

use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use byte_level::ByteVocabulary;
use extent::Covering;
use sentencepiece::Form;

pub use extent::{Extent, Tokens};
pub use sentencepiece::SentencePieceError;

use super::CorpusError;

/// A model's tokenizer.
#[derive(Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// The bytes behind every token, where the whole vocabulary is runs of bytes.
    bytes: Option<ByteVocabulary>,
}

/// What a line break of the text becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineBreaks {
    /// Text like any other.
    AsText,
    /// This token, where the model was trained on lines that it ended: each `\n`, with a `\r` before it, becomes the token and
    /// the lines are encoded one by one.
    Token(u32),
}

impl Tokenizer {
    /// Reads the tokenizer of a model's folder: `tokenizer.json`, or without one the SentencePiece model of T5's form
    /// (`spiece.model`) or of XGLM's (`sentencepiece.bpe.model`). Truncation and padding that a file asks for are switched off:
    /// a document is scored whole.
    ///
    /// # Errors
    /// No such file is there, or the first of them cannot be used.
    pub fn open(directory: &Path) -> Result<Self, CorpusError> {
        let path = directory.join("tokenizer.json");
        if path.is_file() {
            let inner = json(&path).map_err(|source| CorpusError::Read { path, source })?;
            return Ok(Self { bytes: ByteVocabulary::of(&inner), inner });
        }
        for form in [Form::T5, Form::Xglm] {
            let path = directory.join(form.file());
            if path.is_file() {
                let failed = |source| CorpusError::SentencePiece { path: path.clone(), source };
                return Ok(Self { inner: form.read(&path).map_err(failed)?, bytes: None });
            }
        }
        Err(CorpusError::NoTokenizer { directory: directory.to_owned() })
    }

    /// The id of a token by its spelling.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The id of T5's sentinel `n`, which mT5's own vocabulary spells with the mark of a word's start.
    pub fn sentinel(&self, n: u32) -> Option<u32> {
        let sentinel = format!("<extra_id_{n}>");
        self.id(&sentinel).or_else(|| self.id(&format!("▁{sentinel}")))
    }

    /// The tokens of `text`, without the special tokens that the tokenizer would add. `document` is named in errors.
    ///
    /// # Errors
    /// The tokenizer fails.
    pub fn encode(&self, text: &str, document: &str) -> Result<Tokens, CorpusError> {
        self.encode_lines(text, LineBreaks::AsText, document)
    }

    /// The tokens of `text` as [`Tokenizer::encode`] gives them, but for its line breaks.
    ///
    /// # Errors
    /// The tokenizer fails.
    pub fn encode_lines(
        &self,
        text: &str,
        line_breaks: LineBreaks,
        document: &str,
    ) -> Result<Tokens, CorpusError> {
        let failed = |source| CorpusError::Tokenize { document: document.to_owned(), source };
        let mut covering = Covering::new(text);
        match line_breaks {
            LineBreaks::AsText => self.cover(text, &mut covering).map_err(failed)?,
            LineBreaks::Token(id) => {
                for line in text.split_inclusive('\n') {
                    let words = line.strip_suffix('\n');
                    let words = words.map_or(line, |line| line.strip_suffix('\r').unwrap_or(line));
                    self.cover(words, &mut covering).map_err(failed)?;
                    if line.ends_with('\n') {
                        covering.push(id, line.len() - words.len());
                        covering.end_part(line.len() - words.len());
                    }
                }
            }
        }
        Ok(covering.finish())
    }

    /// Adds the tokens of the next `part` of the text.
    fn cover(&self, part: &str, covering: &mut Covering) -> tokenizers::Result<()> {
        if let Some(bytes) = &self.bytes {
            let encoding = self.inner.encode_fast(part, false)?;
            if bytes.spells(encoding.get_ids(), part) {
                let mut end = 0;
                for &id in encoding.get_ids() {
                    end += bytes.of_token(id).len();
                    covering.push(id, end);
                }
                covering.end_part(part.len());
                return Ok(());
            }
        }
        let encoding = self.inner.encode(part, false)?;
        for (&id, &(_, end)) in encoding.get_ids().iter().zip(encoding.get_offsets()) {
            covering.push(id, end);
        }
        covering.end_part(part.len());
        Ok(())
    }
}

/// The part of a `tokenizer.json` on whose damage the `tokenizers` crate panics.
#[derive(Debug, Deserialize)]
struct Fragile {
    #[serde(rename = "decoder")]
    _decoder: Option<Value>,
}

fn json(path: &Path) -> tokenizers::Result<tokenizers::Tokenizer> {
    let text = fs::read_to_string(path)?;
    serde_json::from_str::<Fragile>(&text)?;
    let mut inner: tokenizers::Tokenizer = text.parse()?;
    inner.with_truncation(None)?;
    inner.with_padding(None);
    Ok(inner)
}
