//! SentencePiece models as the tokenizer that `transformers` makes of them. Unigram models only, in the two forms in which
//! models are published without a `tokenizer.json`.

mod charsmap;
mod message;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::Path;

use prost::Message;
use thiserror::Error;
use tokenizers::models::unigram::Unigram;
use tokenizers::normalizers::replace::{Replace, ReplacePattern};
use tokenizers::normalizers::{Precompiled, Sequence};
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::pre_tokenizers::sequence::Sequence as Steps;
use tokenizers::pre_tokenizers::whitespace::WhitespaceSplit;
use tokenizers::{AddedToken, NormalizerWrapper, Tokenizer};

use message::{Model, ModelType, Piece, PieceType};

/// T5's sentinels, where the model has none of its own.
const SENTINELS: u32 = 100;
/// Unused words at the end of XGLM's vocabulary.
const MADE_UP_WORDS: u32 = 7;

/// What XGLM pads with; the model file has no piece for it.
const PADDING: &str = "<pad>";

/// How a family numbers the pieces and splits a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// T5 and mT5: the id is the number of the piece; runs of whitespace vanish.
    T5,
    /// XGLM: fairseq's four special tokens come first; runs of spaces become one.
    Xglm,
}

/// Why a SentencePiece model cannot be used.
#[derive(Debug, Error)]
pub enum SentencePieceError {
    /// The file cannot be read.
    #[error("the file cannot be read")]
    Read(#[from] std::io::Error),
    /// The bytes are no SentencePiece model, or not all of one.
    #[error("the file is no SentencePiece model: it is damaged or its download is incomplete")]
    Decode(#[from] prost::DecodeError),
    /// A part is missing that every model has.
    #[error("the file has no {part}: it is empty or its download is incomplete")]
    Incomplete {
        /// The part.
        part: &'static str,
    },
    /// Another algorithm than the unigram model.
    #[error(
        "a SentencePiece model of type {model_type} cannot be converted: put the model's tokenizer.json beside it"
    )]
    ModelType {
        /// The type, as SentencePiece spells it.
        model_type: String,
    },
    /// A piece that no text can contain, or that cannot be weighed.
    #[error("piece {index} has the text {text:?} and the score {score}")]
    Piece {
        /// Its number.
        index: usize,
        /// Its text.
        text: String,
        /// Its score.
        score: f32,
    },
    /// The first pieces are not those of the form.
    #[error("pieces 0 to 2 are {found}, but fairseq's order is <unk>, <s>, </s>")]
    Fairseq {
        /// The pieces, comma-separated.
        found: String,
    },
    /// No piece stands for unknown characters.
    #[error("no piece stands for unknown characters")]
    Unknown,
    /// A setting that `transformers` ignores, so that its ids would not be the model's.
    #[error(
        "the model was trained with {setting}, which is not supported: put the model's tokenizer.json beside it"
    )]
    Setting {
        /// The setting, as SentencePiece spells it.
        setting: &'static str,
    },
    /// The table of the normaliser is damaged.
    #[error("the normaliser's table of characters is damaged")]
    Charsmap,
    /// The converted model is refused.
    #[error("the model cannot be converted")]
    Convert(#[source] tokenizers::Error),
}

impl Form {
    /// The name of its file in a model's folder.
    pub(super) fn file(self) -> &'static str {
        match self {
            Self::T5 => "spiece.model",
            Self::Xglm => "sentencepiece.bpe.model",
        }
    }

    /// Reads and converts a model.
    pub(super) fn read(self, path: &Path) -> Result<Tokenizer, SentencePieceError> {
        self.convert(&Model::decode(fs::read(path)?.as_slice())?)
    }

    fn convert(self, model: &Model) -> Result<Tokenizer, SentencePieceError> {
        check(model)?;
        let (vocabulary, unknown) = self.vocabulary(model)?;
        let byte_fallback = model.trainer().byte_fallback();
        let unigram = Unigram::from(vocabulary, Some(unknown), byte_fallback);
        let mut tokenizer = Tokenizer::new(unigram.map_err(SentencePieceError::Convert)?);
        tokenizer.with_normalizer(Some(Sequence::new(self.normalizers(model)?)));
        let words = Metaspace::new('▁', PrependScheme::Always, true);
        match self {
            Self::T5 => {
                let steps = vec![WhitespaceSplit.into(), words.into()];
                tokenizer.with_pre_tokenizer(Some(Steps::new(steps)))
            }
            Self::Xglm => tokenizer.with_pre_tokenizer(Some(words)),
        };
        tokenizer.add_tokens(&self.added_tokens(model));
        Ok(tokenizer)
    }

    /// The pieces by id with their scores, and the id of the unknown piece.
    fn vocabulary(self, model: &Model) -> Result<(Vec<(String, f64)>, usize), SentencePieceError> {
        let scored = |piece: &Piece| (piece.piece().to_owned(), f64::from(piece.score()));
        let bare = |name: String| (name, 0.0);
        let (mut vocabulary, pieces, unknown) = match self {
            Self::T5 => {
                let unknown = |piece: &Piece| piece.r#type() == PieceType::Unknown;
                let unknown = model.pieces.iter().position(unknown);
                (vec![], &model.pieces[..], unknown.ok_or(SentencePieceError::Unknown)?)
            }
            Self::Xglm => {
                let first: Vec<&str> = model.pieces.iter().take(3).map(Piece::piece).collect();
                if first != ["<unk>", "<s>", "</s>"] {
                    return Err(SentencePieceError::Fairseq { found: first.join(", ") });
                }
                let special = ["<s>", PADDING, "</s>", "<unk>"].map(str::to_owned);
                (special.map(bare).into(), &model.pieces[3..], 3)
            }
        };
        vocabulary.extend(pieces.iter().map(scored));
        vocabulary.extend(self.appended(model).into_iter().map(bare));
        Ok((vocabulary, unknown))
    }

    /// What the family adds after the pieces.
    fn appended(self, model: &Model) -> Vec<String> {
        match self {
            Self::T5
                if model.pieces.iter().any(|piece| piece.piece().ends_with("<extra_id_0>")) =>
            {
                Vec::new()
            }
            Self::T5 => (0..SENTINELS).rev().map(|n| format!("<extra_id_{n}>")).collect(),
            Self::Xglm => (0..MADE_UP_WORDS).map(|n| format!("<madeupword{n}>")).collect(),
        }
    }

    /// What is one token wherever a text spells it out.
    fn added_tokens(self, model: &Model) -> Vec<AddedToken> {
        let special = |name: &str| AddedToken::from(name, true);
        let mut added: Vec<AddedToken> = match self {
            Self::T5 => vec![],
            Self::Xglm => vec![special(PADDING)],
        };
        for piece in &model.pieces {
            match piece.r#type() {
                PieceType::Unknown | PieceType::Control => added.push(special(piece.piece())),
                PieceType::UserDefined => {
                    added.push(AddedToken::from(piece.piece(), false).normalized(false));
                }
                PieceType::Normal | PieceType::Unused | PieceType::Byte => {}
            }
        }
        added.extend(self.appended(model).iter().map(|name| special(name)));
        added
    }

    fn normalizers(self, model: &Model) -> Result<Vec<NormalizerWrapper>, SentencePieceError> {
        let mut normalizers = Vec::new();
        let table = model.normalizer().precompiled_charsmap().to_vec();
        if !table.is_empty() {
            charsmap::check(&table)?;
            let precompiled = Precompiled::from(&table);
            normalizers.push(precompiled.map_err(|_| SentencePieceError::Charsmap)?.into());
        }
        match self {
            // Whitespace is dropped where the words are split.
            Self::T5 => {}
            Self::Xglm => {
                let spaces = Replace::new(ReplacePattern::Regex(" {2,}".to_owned()), " ");
                normalizers.push(spaces.map_err(SentencePieceError::Convert)?.into());
            }
        }
        Ok(normalizers)
    }
}

/// Refuses models whose ids the conversion would get wrong.
fn check(model: &Model) -> Result<(), SentencePieceError> {
    let parts = [
        (!model.pieces.is_empty(), "pieces"),
        (model.trainer_spec.is_some(), "settings of its trainer"),
        (model.normalizer_spec.is_some(), "normaliser"),
    ];
    if let Some(&(_, part)) = parts.iter().find(|(there, _)| !there) {
        return Err(SentencePieceError::Incomplete { part });
    }
    match model.trainer().model_type() {
        ModelType::Unigram => {}
        other @ (ModelType::Bpe | ModelType::Word | ModelType::Char) => {
            let model_type = format!("{other:?}").to_uppercase();
            return Err(SentencePieceError::ModelType { model_type });
        }
    }
    let settings = [
        (!model.normalizer().add_dummy_prefix(), "add_dummy_prefix=false"),
        (!model.normalizer().remove_extra_whitespaces(), "remove_extra_whitespaces=false"),
        (!model.normalizer().escape_whitespaces(), "escape_whitespaces=false"),
        (model.trainer().treat_whitespace_as_suffix(), "treat_whitespace_as_suffix=true"),
    ];
    if let Some(&(_, setting)) = settings.iter().find(|(refused, _)| *refused) {
        return Err(SentencePieceError::Setting { setting });
    }
    for (index, piece) in model.pieces.iter().enumerate() {
        let (text, score) = (piece.piece(), piece.score());
        if text.is_empty() || !score.is_finite() {
            return Err(SentencePieceError::Piece { index, text: text.to_owned(), score });
        }
    }
    Ok(())
}
