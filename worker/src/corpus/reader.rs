//! How a model of a protocol reads a document: its tokens, and the examples they are cut into. Not the sums over them (`shard`).

use babelquant_proto::{Document, Marks, Protocol, Windows};

use super::corruption::SpanCorruption;
use super::example::Example;
use super::infill::PrefixInfill;
use super::span::{Noise, SOURCE_MIN};
use super::{CorpusError, CorpusShape, Extent, LineBreaks, Tokenizer, Tokens, windows};

/// A protocol with the tokens and lengths that it needs from tokenizer and windows.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    tokenizer: &'a Tokenizer,
    vocabulary: u32,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Continue { windows: Windows, prefix: Option<u32>, newline: Option<u32> },
    Restore(SpanCorruption),
    Infill(PrefixInfill),
}

impl<'a> Reader<'a> {
    /// Checks that documents can be read as `shape` says.
    pub(super) fn new(tokenizer: &'a Tokenizer, shape: CorpusShape) -> Result<Self, CorpusError> {
        let (Windows { tokens, stride }, vocabulary) = (shape.windows, shape.vocabulary);
        let (way, marks) = match shape.protocol {
            Protocol::Causal { prefix, newline } => {
                if !(1..tokens).contains(&stride) {
                    return Err(CorpusError::Windows { tokens, stride });
                }
                let marks = prefix.into_iter().chain(newline).collect();
                (Way::Continue { windows: shape.windows, prefix, newline }, marks)
            }
            Protocol::SpanCorruption { draws, marks } => {
                let noise = long_enough(shape, Noise::longest(tokens))?;
                let sentinels = sentinels(tokenizer, tokens, noise.spans)?;
                let used = with_marks(&sentinels, marks);
                let (chunk, seed) = (noise.length, shape.seed);
                (Way::Restore(SpanCorruption { chunk, sentinels, marks, draws, seed }), used)
            }
            Protocol::PrefixInfill { marks } => {
                let chunk = long_enough(shape, Some(PrefixInfill::longest(tokens)))?;
                let sentinels = sentinels(tokenizer, tokens, 1)?;
                let used = with_marks(&sentinels, marks);
                (Way::Infill(PrefixInfill { chunk, sentinel: sentinels[0], marks }), used)
            }
        };
        match marks.into_iter().find(|&token| token >= vocabulary) {
            Some(token) => Err(CorpusError::Mark { token, vocabulary }),
            None => Ok(Self { tokenizer, vocabulary, way }),
        }
    }

    /// The tokens of a document; a prefix before them stands for no text. An empty text has none.
    pub(super) fn tokens(&self, document: &Document) -> Result<Tokens, CorpusError> {
        let (prefix, newline) = match self.way {
            Way::Continue { prefix, newline, .. } => (prefix, newline),
            Way::Restore(_) | Way::Infill(_) => (None, None),
        };
        let line_breaks = newline.map_or(LineBreaks::AsText, LineBreaks::Token);
        let mut tokens = self.tokenizer.encode_lines(&document.text, line_breaks, &document.id)?;
        let vocabulary = self.vocabulary;
        if let Some(&token) = tokens.ids.iter().find(|&&id| id >= vocabulary) {
            let document = document.id.clone();
            return Err(CorpusError::OutOfVocabulary { document, token, vocabulary });
        }
        if let Some(prefix) = prefix.filter(|_| !tokens.ids.is_empty()) {
            tokens.ids.insert(0, prefix);
            tokens.extents.insert(0, Extent::default());
        }
        Ok(tokens)
    }

    /// What the model reads of a document of tokens `ids`, in the order of the text.
    pub(super) fn examples(&self, ids: &[u32], document: &str) -> Vec<Example> {
        match &self.way {
            Way::Continue { windows: shape, .. } => {
                let windows = windows(ids.len() as u32, *shape).into_iter();
                windows.map(|window| Example::of_window(ids, window)).collect()
            }
            Way::Restore(corruption) => corruption.examples(ids, document),
            Way::Infill(infill) => infill.examples(ids),
        }
    }
}

fn long_enough<T>(shape: CorpusShape, longest: Option<T>) -> Result<T, CorpusError> {
    let (tokens, protocol) = (shape.windows.tokens, shape.protocol);
    let error = CorpusError::ShortWindows { protocol, tokens, least: SOURCE_MIN };
    longest.filter(|_| tokens >= SOURCE_MIN).ok_or(error)
}

/// The first `count` sentinels.
fn sentinels(tokenizer: &Tokenizer, tokens: u32, count: usize) -> Result<Vec<u32>, CorpusError> {
    let sentinel = |number| {
        let missing = CorpusError::Sentinels { tokens, spans: count, sentinels: number };
        tokenizer.sentinel(number).ok_or(missing)
    };
    (0..count as u32).map(sentinel).collect()
}

fn with_marks(sentinels: &[u32], marks: Marks) -> Vec<u32> {
    [sentinels, &[marks.start, marks.end]].concat()
}
