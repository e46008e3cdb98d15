//! The analysis part of a study: how rows are reduced. It may change without a new measurement; nothing here reaches a worker.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::covariates::Covariates;

/// How the measurements are reduced to statistics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Analysis {
    /// Resamples of each bootstrap interval.
    pub bootstrap_draws: u32,
    /// Coverage of intervals, such as 0.95.
    pub confidence: f64,
    /// Seed of the resampling.
    pub seed: u64,
    /// Per-language predictors that are correlated with the outcomes.
    pub predictors: Vec<Predictor>,
    /// Per-language outcomes, for each scope and config.
    pub outcomes: Vec<Outcome>,
    /// How many of the most kurtotic layers `outlier_share` sums over (the earlier study: 3).
    pub outlier_layers: u32,
    /// Relative change of perplexity, up or down, within which a config counts as near-lossless: above 0, below 1.
    pub margin: f64,
    /// What the study itself says of its languages; it comes before the bundled table.
    pub covariates: Covariates,
    /// The column of the covariates that tells languages of little training text from those of much.
    pub resource: String,
}

impl Default for Analysis {
    fn default() -> Self {
        Self {
            bootstrap_draws: 1000,
            confidence: 0.95,
            seed: 1,
            predictors: Predictor::ALL.to_vec(),
            outcomes: Outcome::ALL.to_vec(),
            outlier_layers: 3,
            margin: 0.005,
            covariates: Covariates::default(),
            resource: "mc4_billion_tokens".to_owned(),
        }
    }
}

impl Analysis {
    /// The largest p that counts: 1 − confidence.
    pub fn level(&self) -> f64 {
        1.0 - self.confidence
    }
}

/// A number per (model, language) that might predict an outcome; its spelling is its column in `analysis/languages.parquet`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Predictor {
    /// Σ aᵢκᵢ / Σ aᵢ, a = mean |x| at block_out (the earlier study's, residual included).
    WeightedKurtosisBlockOut,
    /// The same at mlp_out (the MLP branch alone).
    WeightedKurtosisMlpOut,
    /// Σ aᵢ ln(κᵢ + 3) / Σ aᵢ at block_out.
    WeightedLogKurtosisBlockOut,
    /// The same at mlp_out.
    WeightedLogKurtosisMlpOut,
    /// Share of activation (block_out) in the k most kurtotic layers.
    OutlierShareBlockOut,
    /// Share of activation (mlp_out) in the k most kurtotic layers.
    OutlierShareMlpOut,
    /// Share of activation (block_out) in the first third of the layers.
    EarlyShareBlockOut,
    /// Share of activation (mlp_out) in the first third of the layers.
    EarlyShareMlpOut,
    /// Scored tokens per Unicode scalar.
    Fertility,
    /// UTF-8 bytes per scored token.
    BytesPerToken,
}

impl Predictor {
    /// Every predictor.
    pub const ALL: [Self; 10] = [
        Self::WeightedKurtosisBlockOut,
        Self::WeightedKurtosisMlpOut,
        Self::WeightedLogKurtosisBlockOut,
        Self::WeightedLogKurtosisMlpOut,
        Self::OutlierShareBlockOut,
        Self::OutlierShareMlpOut,
        Self::EarlyShareBlockOut,
        Self::EarlyShareMlpOut,
        Self::Fertility,
        Self::BytesPerToken,
    ];

    /// Its only spelling: in study files, columns and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::WeightedKurtosisBlockOut => "weighted_kurtosis_block_out",
            Self::WeightedKurtosisMlpOut => "weighted_kurtosis_mlp_out",
            Self::WeightedLogKurtosisBlockOut => "weighted_log_kurtosis_block_out",
            Self::WeightedLogKurtosisMlpOut => "weighted_log_kurtosis_mlp_out",
            Self::OutlierShareBlockOut => "outlier_share_block_out",
            Self::OutlierShareMlpOut => "outlier_share_mlp_out",
            Self::EarlyShareBlockOut => "early_share_block_out",
            Self::EarlyShareMlpOut => "early_share_mlp_out",
            Self::Fertility => "fertility",
            Self::BytesPerToken => "bytes_per_token",
        }
    }
}

impl fmt::Display for Predictor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A number per (model, language, scope, config) that says how much quantization changed the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// (Σ nll − Σ base nll) / Σ tokens, nat per token.
    DeltaNll,
    /// (Σ nll − Σ base nll) / (ln 2 · Σ bytes), bit per byte.
    DeltaBitsPerByte,
    /// exp(ΔNLL) − 1: the relative increase of perplexity (the earlier study's "degradation").
    RelativePerplexity,
    /// Σ KL(base ‖ quantized) / Σ tokens, nat per token.
    Kl,
    /// Share of scored tokens on which both models rank the same token first.
    Top1Agreement,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 5] = [
        Self::DeltaNll,
        Self::DeltaBitsPerByte,
        Self::RelativePerplexity,
        Self::Kl,
        Self::Top1Agreement,
    ];

    /// 1 where more of it is worse, −1 where it is better.
    pub fn direction_of_harm(self) -> f64 {
        match self {
            Self::Top1Agreement => -1.0,
            Self::DeltaNll | Self::DeltaBitsPerByte | Self::RelativePerplexity | Self::Kl => 1.0,
        }
    }

    /// Its only spelling: in study files, columns and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::DeltaNll => "delta_nll",
            Self::DeltaBitsPerByte => "delta_bits_per_byte",
            Self::RelativePerplexity => "relative_perplexity",
            Self::Kl => "kl",
            Self::Top1Agreement => "top1_agreement",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn study_files_spell_predictors_and_outcomes_by_name() {
        for predictor in Predictor::ALL {
            assert_eq!(serde_json::to_value(predictor).unwrap(), predictor.name());
        }
        for outcome in Outcome::ALL {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.name());
        }
    }
}
