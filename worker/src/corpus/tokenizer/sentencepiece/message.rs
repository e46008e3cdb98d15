//! The fields of a SentencePiece model file that we read, as protobuf messages. Names, numbers and defaults are the format's.

/// A model file.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Model {
    /// The vocabulary; a piece's number is its id.
    #[prost(message, repeated, tag = "1")]
    pub(super) pieces: Vec<Piece>,
    #[prost(message, optional, tag = "2")]
    pub(super) trainer_spec: Option<Trainer>,
    #[prost(message, optional, tag = "3")]
    pub(super) normalizer_spec: Option<Normalizer>,
}

/// An entry of the vocabulary.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Piece {
    #[prost(string, optional, tag = "1")]
    pub(super) piece: Option<String>,
    /// Its log-probability.
    #[prost(float, optional, tag = "2")]
    pub(super) score: Option<f32>,
    #[prost(enumeration = "PieceType", optional, tag = "3", default = "Normal")]
    pub(super) r#type: Option<i32>,
}

/// What a piece is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(super) enum PieceType {
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

/// How the model was trained.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Trainer {
    #[prost(enumeration = "ModelType", optional, tag = "3", default = "Unigram")]
    pub(super) model_type: Option<i32>,
    #[prost(bool, optional, tag = "24")]
    pub(super) treat_whitespace_as_suffix: Option<bool>,
    #[prost(bool, optional, tag = "35")]
    pub(super) byte_fallback: Option<bool>,
}

/// The algorithm that splits a text into pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(super) enum ModelType {
    Unigram = 1,
    Bpe = 2,
    Word = 3,
    Char = 4,
}

/// How a text is changed before it is split.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Normalizer {
    /// The rules, compiled.
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(super) precompiled_charsmap: Option<Vec<u8>>,
    #[prost(bool, optional, tag = "3", default = "true")]
    pub(super) add_dummy_prefix: Option<bool>,
    #[prost(bool, optional, tag = "4", default = "true")]
    pub(super) remove_extra_whitespaces: Option<bool>,
    #[prost(bool, optional, tag = "5", default = "true")]
    pub(super) escape_whitespaces: Option<bool>,
}

impl Model {
    /// The trainer's settings, the format's defaults where the file has none.
    pub(super) fn trainer(&self) -> Trainer {
        self.trainer_spec.clone().unwrap_or_default()
    }

    /// The normaliser's settings, the format's defaults where the file has none.
    pub(super) fn normalizer(&self) -> Normalizer {
        self.normalizer_spec.clone().unwrap_or_default()
    }
}
