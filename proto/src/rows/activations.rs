//! The table `activations`: sums over the values at a named point, pooled per shard and for some points per document.

use std::fmt;

crate::table! {
    /// Sums over all values (tokens × channels) at one point of one layer; merge rows by the formulas of parallel moments.
    ActivationRow in "activations" version 2 {
        /// Model name as in the study.
        model: String ["key" common],
        /// The engine class that made it: what decides its numbers' last bits.
        engine: String ["key" common],
        /// Language.
        language: String ["key" common],
        /// Shard of the language.
        shard: u32 ["key"],
        /// Document of the language; null for the sum over the shard.
        document: Option<u32> ["key"],
        /// Group of the document; null for the sum over the shard.
        group: Option<String> ["key"],
        /// `dec` or `enc`.
        stack: String ["key"],
        /// Layer number from 0; null for points outside the layers (embed_out, final_norm_out).
        layer: Option<u32> ["key"],
        /// Named activation point, such as `block_out`.
        point: String ["key"],
        /// Tokens summed over; a token in the overlap of two windows counts once, in the window that scores it.
        tokens: u64 ["tokens"],
        /// Values summed over: tokens × channels.
        values: u64 ["values"],
        /// Sum of |x|.
        sum_abs: f64 ["activation"],
        /// Mean of x.
        mean: f64 ["activation"],
        /// Sum of (x − mean)².
        m2: f64 ["activation²"],
        /// Sum of (x − mean)³.
        m3: f64 ["activation³"],
        /// Sum of (x − mean)⁴.
        m4: f64 ["activation⁴"],
        /// Largest |x|.
        max_abs: f64 ["activation"],
        /// Values with |x| ≥ 6.
        outliers_6: u64 ["values"],
        /// Values at the first token of a document.
        first_values: u64 ["values"],
        /// Sum of |x| at the first token of a document.
        first_sum_abs: f64 ["activation"],
    }
}

/// A named point of the forward pass (science: stable identifiers over all families).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Point {
    /// The embedding as block 0 receives it.
    EmbedOut,
    /// Input of attention, after its norm.
    AttnIn,
    /// Attention branch after its output projection, before a norm of its own and the residual add.
    AttnOut,
    /// Input of cross-attention, after its norm.
    CrossIn,
    /// Cross-attention branch after its output projection, before the residual add.
    CrossOut,
    /// Residual stream between attention (and cross-attention) and MLP; parallel branches have none.
    ResidMid,
    /// Input of the MLP, after its norm.
    MlpIn,
    /// Input of the MLP's last matrix, after the nonlinearity and the gate.
    MlpAct,
    /// MLP branch after its last matrix and bias, before a norm of its own and the residual add.
    MlpOut,
    /// Output of the block: the residual stream after it.
    BlockOut,
    /// Output of the final norm: what the head reads.
    FinalNormOut,
}

impl Point {
    /// Every point, in the order of the forward pass.
    pub const ALL: [Self; 11] = [
        Self::EmbedOut,
        Self::AttnIn,
        Self::AttnOut,
        Self::CrossIn,
        Self::CrossOut,
        Self::ResidMid,
        Self::MlpIn,
        Self::MlpAct,
        Self::MlpOut,
        Self::BlockOut,
        Self::FinalNormOut,
    ];

    /// Its name in the column `point`.
    pub fn name(self) -> &'static str {
        match self {
            Self::EmbedOut => "embed_out",
            Self::AttnIn => "attn_in",
            Self::AttnOut => "attn_out",
            Self::CrossIn => "cross_in",
            Self::CrossOut => "cross_out",
            Self::ResidMid => "resid_mid",
            Self::MlpIn => "mlp_in",
            Self::MlpAct => "mlp_act",
            Self::MlpOut => "mlp_out",
            Self::BlockOut => "block_out",
            Self::FinalNormOut => "final_norm_out",
        }
    }

    /// True for the points that are kept per document.
    pub fn per_document(self) -> bool {
        matches!(self, Self::BlockOut | Self::MlpOut)
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
