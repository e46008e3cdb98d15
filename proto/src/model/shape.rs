//! The numbers of `config.json` that planning needs. Not what the layers consist of (the worker's `model`).

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Family, ModelError};
use crate::layer::{Layer, Stack};

/// Layers, widths and limits of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Blocks of the encoder; 0 for a decoder-only model.
    pub encoder_layers: u32,
    /// Blocks of the decoder.
    pub layers: u32,
    /// Width of the residual stream.
    pub hidden: u32,
    /// Rows of the output head.
    pub vocabulary: u32,
    /// Tokens that the table of positions has room for; `None` where positions have no table.
    pub positions: Option<u32>,
}

impl Shape {
    /// Reads the shape from `directory/config.json`.
    ///
    /// # Errors
    /// The file is unreadable, no JSON, of an unknown family, or lacks a key.
    pub fn read(directory: &Path) -> Result<Self, ModelError> {
        let (family, config) = Family::read(directory)?;
        Self::of(directory, family, &config)
    }

    /// The shape that the configuration of the model in `directory` describes.
    ///
    /// # Errors
    /// It lacks a key.
    pub fn of(directory: &Path, family: Family, config: &Value) -> Result<Self, ModelError> {
        let path = directory.join("config.json");
        let get = |keys: &[&str], key: &'static str| {
            number(config, keys).ok_or(ModelError::Missing { path: path.clone(), key })
        };
        let layers = get(
            &["n_layer", "num_hidden_layers", "num_layers"],
            "n_layer (or num_hidden_layers, num_layers)",
        )?;
        let encoder_decoder = family.is_encoder_decoder();
        let decoder_layers = number(config, &["num_decoder_layers"]).filter(|_| encoder_decoder);
        Ok(Self {
            encoder_layers: if encoder_decoder { layers } else { 0 },
            layers: decoder_layers.unwrap_or(layers),
            hidden: get(
                &["hidden_size", "n_embed", "n_embd", "d_model"],
                "hidden_size (or n_embed, n_embd, d_model)",
            )?,
            vocabulary: match family.vocabulary() {
                Some(usual) if config.get("vocab_size").is_none() => usual,
                Some(_) | None => get(&["vocab_size"], "vocab_size")?,
            },
            positions: match family.position_keys() {
                [] => None,
                keys => Some(get(keys, "max_position_embeddings (or n_positions)")?),
            },
        })
    }

    /// Every layer in the order of the forward pass: the encoder's, then the decoder's.
    pub fn stacked_layers(&self) -> impl DoubleEndedIterator<Item = Layer> + Clone + use<> {
        let encoder = (0..self.encoder_layers).map(|index| Layer { stack: Stack::Enc, index });
        encoder.chain((0..self.layers).map(Layer::dec))
    }

    /// How many layers both stacks have.
    pub fn depth(&self) -> u32 {
        self.encoder_layers + self.layers
    }

    /// A layer's place in [`Shape::stacked_layers`].
    pub fn position(&self, layer: Layer) -> u32 {
        match layer.stack {
            Stack::Enc => layer.index,
            Stack::Dec => self.encoder_layers + layer.index,
        }
    }

    /// True where the model has this layer.
    pub fn has(&self, layer: Layer) -> bool {
        match layer.stack {
            Stack::Enc => layer.index < self.encoder_layers,
            Stack::Dec => layer.index < self.layers,
        }
    }
}

/// The first of `keys` that holds a positive number.
pub(super) fn number(config: &Value, keys: &[&str]) -> Option<u32> {
    let value = keys.iter().find_map(|key| config.get(key).filter(|value| !value.is_null()));
    value
        .and_then(Value::as_u64)
        .and_then(|number| u32::try_from(number).ok())
        .filter(|&number| number > 0)
}
