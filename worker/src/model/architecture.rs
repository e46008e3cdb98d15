//! Architecture: what a decoder consists of, read from `config.json`. A family is the difference from a base; BLOOM is the base.

use std::ops::Range;
use std::path::Path;
use std::{fs, iter};

use babelquant_proto::{Role, Shape};
use serde_json::Value;

use super::error::ModelError;

/// A decoder's parts and the names of its tensors.
#[derive(Debug, Clone, PartialEq)]
pub struct Architecture {
    /// Layers, width, vocabulary.
    pub shape: Shape,
    /// Attention heads; the width is a multiple.
    pub heads: u32,
    /// Width of the MLP.
    pub mlp_width: u32,
    /// ε of every norm.
    pub norm_epsilon: f64,
    /// Where the residual branches start.
    pub residual: Residual,
    /// The matrices of a layer, in the order of the forward pass.
    pub matrices: Vec<Matrix>,
    /// Tensor names.
    pub names: Names,
}

/// Where the residual branches start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Residual {
    /// At the input of the norm.
    BeforeNorm,
    /// At its output.
    AfterNorm,
}

/// One matrix of a layer: [out, in], with a bias [out].
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// Its place in the computation.
    pub slot: Slot,
    /// Its name in the layer, without `.weight`.
    pub name: &'static str,
    /// How its rows are stored.
    pub layout: Layout,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
}

/// A matrix's place in the computation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// Queries, keys and values in one.
    Qkv,
    /// Attention's output projection.
    AttnO,
    /// First matrix of the MLP.
    MlpUp,
    /// Second matrix of the MLP.
    MlpDown,
}

/// How the rows of a matrix are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// As they are used.
    Plain,
    /// [heads, 3, head width]: queries, keys and values of one head together.
    QkvByHead {
        /// Heads.
        heads: usize,
    },
}

/// Tensor names; the layers' names follow `layer_prefix` and the layer's number.
#[derive(Debug, Clone, PartialEq)]
pub struct Names {
    /// Before a layer's number.
    pub layer_prefix: &'static str,
    /// Embedding, tied to the head.
    pub embedding: &'static str,
    /// Norm after the embedding.
    pub embedding_norm: &'static str,
    /// Norm before attention.
    pub attn_norm: &'static str,
    /// Norm before the MLP.
    pub mlp_norm: &'static str,
    /// Norm before the head.
    pub final_norm: &'static str,
}

impl Architecture {
    /// Reads the architecture from `directory/config.json`.
    ///
    /// # Errors
    /// The file is missing or no JSON, the family is unknown, or a number makes no sense.
    pub fn read(directory: &Path) -> Result<Self, ModelError> {
        let path = directory.join("config.json");
        let text =
            fs::read(&path).map_err(|source| ModelError::Read { path: path.clone(), source })?;
        let error = |reason: String| ModelError::Config { path: path.clone(), reason };
        let config: Value =
            serde_json::from_slice(&text).map_err(|e| error(format!("no JSON: {e}")))?;
        let shape = Shape::read(directory)?;
        match config.get("model_type").and_then(Value::as_str) {
            Some("bloom") => Self::bloom(shape, &config).map_err(error),
            other => {
                Err(error(format!("model_type {other:?} is not supported; supported: \"bloom\"")))
            }
        }
    }

    fn bloom(shape: Shape, config: &Value) -> Result<Self, String> {
        let heads = number(config, &["n_head", "num_attention_heads"])?;
        let hidden = shape.hidden;
        if !hidden.is_multiple_of(heads) {
            return Err(format!("hidden_size {hidden} is no multiple of n_head {heads}"));
        }
        let epsilon = config.get("layer_norm_epsilon").and_then(Value::as_f64).unwrap_or(1e-5);
        let after = config.get("apply_residual_connection_post_layernorm").and_then(Value::as_bool);
        let residual = if after == Some(true) { Residual::AfterNorm } else { Residual::BeforeNorm };
        Ok(Self {
            shape,
            heads,
            mlp_width: 4 * hidden,
            norm_epsilon: epsilon,
            residual,
            matrices: bloom_matrices(hidden as usize, heads as usize),
            names: Names {
                layer_prefix: "h.",
                embedding: "word_embeddings.weight",
                embedding_norm: "word_embeddings_layernorm",
                attn_norm: "input_layernorm",
                mlp_norm: "post_attention_layernorm",
                final_norm: "ln_f",
            },
        })
    }

    /// Width of one head.
    pub fn head_width(&self) -> usize {
        (self.shape.hidden / self.heads) as usize
    }

    /// The full name of a tensor of a layer.
    pub fn layer_name(&self, layer: u32, name: &str) -> String {
        format!("{}{layer}.{name}", self.names.layer_prefix)
    }

    /// The layer that a tensor belongs to, and its name there.
    pub fn split_name<'a>(&self, name: &'a str) -> Option<(u32, &'a str)> {
        let (number, rest) = name.strip_prefix(self.names.layer_prefix)?.split_once('.')?;
        Some((number.parse().ok()?, rest))
    }
}

fn bloom_matrices(hidden: usize, heads: usize) -> Vec<Matrix> {
    let matrix =
        |slot, name, rows, columns| Matrix { slot, name, layout: Layout::Plain, rows, columns };
    vec![
        Matrix {
            layout: Layout::QkvByHead { heads },
            ..matrix(Slot::Qkv, "self_attention.query_key_value", 3 * hidden, hidden)
        },
        matrix(Slot::AttnO, "self_attention.dense", hidden, hidden),
        matrix(Slot::MlpUp, "mlp.dense_h_to_4h", 4 * hidden, hidden),
        matrix(Slot::MlpDown, "mlp.dense_4h_to_h", hidden, 4 * hidden),
    ]
}

fn number(config: &Value, keys: &[&str]) -> Result<u32, String> {
    let value = keys.iter().find_map(|key| config.get(key)).and_then(Value::as_u64);
    let number = value.and_then(|value| u32::try_from(value).ok()).filter(|&value| value > 0);
    number.ok_or_else(|| format!("{} is missing or no positive number", keys.join(" (or ")))
}

impl Matrix {
    /// The stored rows that play `role`; empty where the matrix does not.
    pub fn role_rows(&self, role: Role) -> Vec<Range<usize>> {
        let whole = || iter::once(0..self.rows).collect();
        match (self.slot, role) {
            (Slot::Qkv, Role::AttnQ) => self.layout.qkv_rows(self.rows, 0),
            (Slot::Qkv, Role::AttnK) => self.layout.qkv_rows(self.rows, 1),
            (Slot::Qkv, Role::AttnV) => self.layout.qkv_rows(self.rows, 2),
            (Slot::AttnO, Role::AttnO)
            | (Slot::MlpUp, Role::MlpUp)
            | (Slot::MlpDown, Role::MlpDown) => whole(),
            (Slot::Qkv | Slot::AttnO | Slot::MlpUp | Slot::MlpDown, _) => Vec::new(),
        }
    }
}

impl Layout {
    /// The rows of queries (0), keys (1) or values (2) among `rows`.
    fn qkv_rows(self, rows: usize, part: usize) -> Vec<Range<usize>> {
        match self {
            Self::Plain => iter::once(part * rows / 3..(part + 1) * rows / 3).collect(),
            Self::QkvByHead { heads } => {
                let width = rows / (3 * heads);
                let first = |head: usize| (3 * head + part) * width;
                (0..heads).map(|head| first(head)..first(head) + width).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qkv_rows_interleave_by_head() {
        let matrix = &bloom_matrices(8, 2)[0];
        assert_eq!(matrix.role_rows(Role::AttnQ), [0..4, 12..16]);
        assert_eq!(matrix.role_rows(Role::AttnV), [8..12, 20..24]);
        assert!(matrix.role_rows(Role::MlpUp).is_empty());
    }
}
