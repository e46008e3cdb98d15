//! Text in, training windows out: the data split, the tokenizer and the sampler. No tensor here.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use rayon::prelude::*;
use tokenizers::models::{TrainerWrapper, bpe::BPE, bpe::BpeTrainer};
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::pre_tokenizers::{byte_level::ByteLevel, sequence::Sequence};
use tokenizers::{AddedToken, SplitDelimiterBehavior, Tokenizer};

use crate::model::VOCABULARY;
use crate::random::Random;

pub(crate) const END: u32 = 2;
const SPECIAL_TOKENS: [&str; 4] = ["<unk>", "<s>", "</s>", "<pad>"];
/// BLOOM's pre-tokenizer: a word with the space before it; what it does not match stands alone.
const WORD: &str = r" ?[^(\s|[.,!?…。，、।۔،])]+";
const LANGUAGES: &str = "eng fra deu ara heb jpn zho kor rus hin tha vie fin tur";

/// The rows of one language, split by the file they come from.
#[derive(Debug)]
pub(crate) struct Language {
    pub(crate) name: &'static str,
    pub(crate) train: Vec<String>,
    pub(crate) held_out: Vec<String>,
}

impl Language {
    fn train_bytes(&self) -> usize {
        self.train.iter().map(String::len).sum()
    }
}

/// Reads every language; the files held out are the same in all of them.
pub(crate) fn read_corpus(folder: &Path, seed: u64) -> Result<Vec<Language>> {
    let read = |name: &str| {
        let path = folder.join(name).with_extension("txt");
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let rows = read("rows")?;
    let is_held_out: Vec<bool> = rows.lines().map(|row| is_held_out(row, seed)).collect();
    let language = |name: &'static str| -> Result<Language> {
        let text = read(name)?;
        let lines = text.lines().zip(&is_held_out).filter(|(line, _)| !line.trim().is_empty());
        let (held_out, train): (Vec<_>, Vec<_>) = lines.partition(|(_, held_out)| **held_out);
        let owned = |rows: Vec<(&str, _)>| rows.into_iter().map(|(row, _)| row.into()).collect();
        Ok(Language { name, train: owned(train), held_out: owned(held_out) })
    };
    LANGUAGES.split(' ').map(language).collect()
}

/// Holds out one file in fifty, by the FNV-1a hash of its name.
fn is_held_out(row: &str, seed: u64) -> bool {
    let file = row.split('#').next().unwrap_or(row);
    let step = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    let hash = file.bytes().fold(0xcbf2_9ce4_8422_2325 ^ seed, step);
    Random(hash).bits().is_multiple_of(50)
}

/// Trains BLOOM's kind of byte-level BPE on as many bytes of each language as the smallest has.
pub(crate) fn train_tokenizer(corpus: &[Language]) -> Result<Tokenizer> {
    let bytes_max = corpus.iter().map(Language::train_bytes).min().context("no language")?;
    let sample = corpus.iter().flat_map(|language| {
        language.train.iter().scan(0, move |bytes, row| {
            *bytes += row.len();
            (*bytes <= bytes_max).then_some(row.as_str())
        })
    });
    let words = SplitPattern::Regex(WORD.into());
    let split = Split::new(words, SplitDelimiterBehavior::Isolated, false).map_err(own)?;
    let bytes = ByteLevel::new(false, true, false);
    let mut tokenizer = Tokenizer::new(BPE::default());
    tokenizer.with_pre_tokenizer(Some(Sequence::new(vec![split.into(), bytes.into()])));
    tokenizer.with_decoder(Some(bytes));
    let trainer = BpeTrainer::builder()
        .vocab_size(VOCABULARY)
        .show_progress(false)
        .special_tokens(SPECIAL_TOKENS.map(|token| AddedToken::from(token, true)).to_vec())
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    tokenizer.train(&mut TrainerWrapper::from(trainer), sample).map_err(own)?;
    ensure!(tokenizer.get_vocab_size(true) == VOCABULARY, "the corpus is too small");
    ensure!(tokenizer.token_to_id(SPECIAL_TOKENS[2]) == Some(END), "</s> is not token {END}");
    Ok(tokenizer)
}

/// Turns the boxed error of `tokenizers` into ours.
pub(crate) fn own(error: tokenizers::Error) -> anyhow::Error {
    anyhow::Error::from_boxed(error)
}

pub(crate) fn encode(tokenizer: &Tokenizer, row: &str) -> Result<Vec<u32>> {
    Ok(tokenizer.encode_fast(row, false).map_err(own)?.get_ids().to_vec())
}

/// Draws training windows: whole rows of random languages, each closed by `</s>`.
#[derive(Debug)]
pub(crate) struct Sampler {
    languages: Vec<Rows>,
    random: Random,
}

/// The tokens of one language's rows, in an order that is drawn anew after each pass.
#[derive(Debug)]
struct Rows {
    rows: Vec<Vec<u32>>,
    next: usize,
    /// Chance of a row of this language: inverse to its bytes, so that all give as many bytes.
    share: f64,
}

impl Sampler {
    pub(crate) fn new(
        corpus: &[Language],
        tokenizer: &Tokenizer,
        mut random: Random,
    ) -> Result<Self> {
        let inverse = |language: &Language| 1.0 / language.train_bytes() as f64;
        let total: f64 = corpus.iter().map(inverse).sum();
        let mut languages = Vec::new();
        for language in corpus {
            let rows = language.train.par_iter().map(|row| encode(tokenizer, row));
            let mut rows = rows.collect::<Result<Vec<_>>>()?;
            random.shuffle(&mut rows);
            languages.push(Rows { rows, next: 0, share: inverse(language) / total });
        }
        Ok(Self { languages, random })
    }

    /// Tokens of one pass through all languages.
    pub(crate) fn tokens(&self) -> usize {
        self.languages.iter().flat_map(|it| &it.rows).map(Vec::len).sum()
    }

    /// Appends the next row of a random language.
    fn append_row(&mut self, window: &mut Vec<u32>) {
        let mut left = self.random.unit();
        let chosen = self.languages.iter().position(|language| {
            left -= language.share;
            left <= 0.0
        });
        let language = &mut self.languages[chosen.unwrap_or(0)];
        if language.next == language.rows.len() {
            self.random.shuffle(&mut language.rows);
            language.next = 0;
        }
        window.extend_from_slice(&language.rows[language.next]);
        window.push(END);
        language.next += 1;
    }

    /// A window of `length` tokens that begins with a row; every second one has `</s>` before it.
    pub(crate) fn window(&mut self, length: usize) -> Vec<u32> {
        let mut window = if self.random.unit() < 0.5 { vec![END] } else { Vec::new() };
        while window.len() < length {
            self.append_row(&mut window);
        }
        window.truncate(length);
        window
    }
}
