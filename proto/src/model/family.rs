//! Families of models: which there are, and the conventions that their texts follow. Not their layers (the worker's `model`).

use std::path::Path;

use serde_json::Value;

use super::shape::number;
use super::{ModelError, read_json};
use crate::protocol::{Marks, Protocol};

/// A family of models that share one architecture and one way to read a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// BLOOM.
    Bloom,
    /// XGLM.
    Xglm,
    /// mT5 and T5 v1.1.
    Mt5,
    /// GPT-2 and mGPT.
    Gpt2,
    /// OPT.
    Opt,
    /// GPT-NeoX and Pythia.
    GptNeox,
    /// Llama 1 to 3.
    Llama,
    /// Mistral.
    Mistral,
    /// Qwen 2 and 2.5.
    Qwen2,
    /// Qwen 3.
    Qwen3,
    /// Gemma 2.
    Gemma2,
    /// Gemma 3, its text model.
    Gemma3,
    /// OLMo 2.
    Olmo2,
}

/// Maskings of a document unless a study says otherwise.
const DRAWS: u32 = 5;

impl Family {
    /// Every family with its `model_type`.
    const NAMES: [(&'static str, Self); 15] = [
        ("bloom", Self::Bloom),
        ("xglm", Self::Xglm),
        ("mt5", Self::Mt5),
        ("t5", Self::Mt5),
        ("gpt2", Self::Gpt2),
        ("opt", Self::Opt),
        ("gpt_neox", Self::GptNeox),
        ("llama", Self::Llama),
        ("mistral", Self::Mistral),
        ("qwen2", Self::Qwen2),
        ("qwen3", Self::Qwen3),
        ("gemma2", Self::Gemma2),
        ("gemma3", Self::Gemma3),
        ("gemma3_text", Self::Gemma3),
        ("olmo2", Self::Olmo2),
    ];

    /// Every family.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::NAMES.iter().map(|(_, family)| *family)
    }

    /// The family of the model in `directory`, with the part of its `config.json` that describes the text model.
    ///
    /// # Errors
    /// The file is unreadable, no JSON, or of an unknown family.
    pub fn read(directory: &Path) -> Result<(Self, Value), ModelError> {
        let path = directory.join("config.json");
        let config = Self::text_config(&read_json(&path)?).clone();
        let family = Self::of(&config).map_err(|reason| ModelError::Config { path, reason })?;
        Ok((family, config))
    }

    /// The part of a `config.json` that describes the text model.
    fn text_config(config: &Value) -> &Value {
        config.get("text_config").filter(|text| text.is_object()).unwrap_or(config)
    }

    /// The family of this `model_type`.
    fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, family)| *family)
    }

    /// The family of a configuration.
    ///
    /// # Errors
    /// It is none of these: the text says which there are.
    fn of(config: &Value) -> Result<Self, String> {
        let name = config.get("model_type").and_then(Value::as_str);
        name.and_then(Self::named).ok_or_else(|| {
            let known = Self::NAMES.map(|(name, _)| name).join(", ");
            let name = name.map_or_else(
                || "is missing".to_owned(),
                |name| format!("{name:?} is not supported"),
            );
            format!("model_type {name}; supported are {known}")
        })
    }

    /// True where an encoder reads what the decoder continues.
    pub fn is_encoder_decoder(self) -> bool {
        matches!(self, Self::Mt5)
    }

    /// Rows of the head where a configuration leaves them out, as those of the larger Gemma 3 do.
    pub(super) fn vocabulary(self) -> Option<u32> {
        (self == Self::Gemma3).then_some(262_208)
    }

    /// The keys under which the length of the table of positions stands; none where positions have no table.
    pub(super) fn position_keys(self) -> &'static [&'static str] {
        match self {
            Self::Xglm | Self::Opt => &["max_position_embeddings"],
            Self::Gpt2 => &["n_positions", "n_ctx", "max_position_embeddings"],
            Self::Bloom
            | Self::Mt5
            | Self::GptNeox
            | Self::Llama
            | Self::Mistral
            | Self::Qwen2
            | Self::Qwen3
            | Self::Gemma2
            | Self::Gemma3
            | Self::Olmo2 => &[],
        }
    }

    /// What the model reads beside a text, as it was trained (science §D.4).
    pub(super) fn protocol(self, config: &Value) -> Protocol {
        let token = |key: &str| {
            let id = config.get(key).and_then(|id| id.get(0).unwrap_or(id).as_u64());
            id.and_then(|id| u32::try_from(id).ok())
        };
        let vocabulary = number(config, &["vocab_size"]);
        let causal = |prefix| Protocol::Causal { prefix, newline: None };
        match self {
            Self::Bloom | Self::Qwen2 | Self::Qwen3 => causal(None),
            Self::Xglm => {
                let separator = Some(token("eos_token_id").unwrap_or(2));
                Protocol::Causal { prefix: separator, newline: separator }
            }
            Self::Opt => causal(Some(token("bos_token_id").unwrap_or(2))),
            // mGPT's configuration keeps GPT-2's number, which is another token of its own vocabulary.
            Self::Gpt2 => {
                causal(token("bos_token_id").filter(|&id| id != 50256 || vocabulary == Some(50257)))
            }
            Self::GptNeox => causal(Some(token("bos_token_id").unwrap_or(0))),
            Self::Llama | Self::Mistral => {
                causal(token("bos_token_id").or((vocabulary == Some(32000)).then_some(1)))
            }
            Self::Gemma2 | Self::Gemma3 => causal(Some(token("bos_token_id").unwrap_or(2))),
            Self::Olmo2 => causal(token("bos_token_id")),
            Self::Mt5 => Protocol::SpanCorruption {
                draws: DRAWS,
                marks: Marks {
                    start: token("decoder_start_token_id").unwrap_or(0),
                    end: token("eos_token_id").unwrap_or(1),
                },
            },
        }
    }
}
