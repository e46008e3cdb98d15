//! The table `sensitivity`: what one config at one scope does to one language.

use babelquant_proto::rows::unsupported_cause;

use crate::study::Outcome;

/// The worst documents of `worst_share` are one in so many, rounded up.
pub const WORST_ONE_IN: usize = 100;

babelquant_proto::table! {
    /// A cell: one (model, language, scope, components, config) over all its documents. Columns `…_low` and `…_high` are the ends of the
    /// paired bootstrap interval over groups of documents, at the confidence of the analysis.
    SensitivityRow in "sensitivity" version 4 {
        /// Model name as in the study.
        model: String ["key"],
        /// Language.
        language: String ["key"],
        /// Which layers are quantized.
        scope: String ["key"],
        /// The layers of the model that the scope holds, as a list; null where rows do not agree on them, and every number with it.
        layers: Option<String> ["key"],
        /// Which tensors of those layers are quantized.
        components: String ["key"],
        /// How they are quantized.
        config: String ["key"],
        /// `dec` or `enc` where the scope is one layer alone, `only(layer)`; else null.
        stack: Option<String> ["key"],
        /// That layer's number from 0; else null.
        layer: Option<u32> ["key"],
        /// Documents scored.
        documents: u64 ["documents"],
        /// Groups of documents: the units that intervals and standard error resample.
        groups: u64 ["groups"],
        /// Scored tokens.
        tokens: u64 ["tokens"],
        /// UTF-8 bytes of the scored tokens.
        bytes: u64 ["bytes"],
        /// Unicode scalars of the scored tokens.
        chars: u64 ["chars"],
        /// Σ baseline NLL / Σ tokens.
        base_nll_per_token: Option<f64> ["nat/token"],
        /// Σ NLL / Σ tokens, quantized model.
        nll_per_token: Option<f64> ["nat/token"],
        /// ΔNLL: Σ (NLL − baseline NLL) / Σ tokens.
        delta_nll: Option<f64> ["nat/token"],
        /// Lower end.
        delta_nll_low: Option<f64> ["nat/token"],
        /// Upper end.
        delta_nll_high: Option<f64> ["nat/token"],
        /// Standard error of ΔNLL over G groups: sqrt(G/(G−1) · Σ(δ_g − ΔNLL·n_g)²) / Σn.
        delta_nll_se: Option<f64> ["nat/token"],
        /// Two-sided p of ΔNLL = 0, by Student's t = ΔNLL/SE with `groups` − 1 degrees of freedom; not corrected for the number of cells.
        delta_nll_p: Option<f64> ["1"],
        /// The cells among which `delta_nll_p_holm`, `_bh` and `_max_t` correct: model, components, config and design; every language of
        /// it. Null for a config that changes nothing, and where there is no p.
        family: Option<String> ["key"],
        /// How many cells with a p the family has.
        family_cells: Option<u64> ["cells"],
        /// Holm's p (1979): at most α, some cell of the family is called non-zero wrongly with probability at most α.
        delta_nll_p_holm: Option<f64> ["1"],
        /// Benjamini and Hochberg's p (1995): the expected share of wrong ones among those called non-zero at α is at most α.
        delta_nll_p_bh: Option<f64> ["1"],
        /// Westfall and Young's p (1993), single step: the share of random signs of the groups under which some cell of the family has
        /// |Σδ_g| / √Σδ_g² as large as this one. Signs are the same in all layers, and in all languages with the same groups.
        delta_nll_p_max_t: Option<f64> ["1"],
        /// What moves this language's scores although nothing is quantized, the largest `floor` of the table `floor`: a smaller |ΔNLL| may be
        /// rounding. Null where there is no floor: the dtype is f32, and one engine class scored every document, or no two of them the same one.
        floor: Option<f64> ["nat/token"],
        /// m: the relative change of perplexity, up or down, that the analysis calls near-lossless.
        margin: f64 ["1"],
        /// p of ΔNLL not lying between ln(1 − m) and ln(1 + m): the larger of two one-sided p by Student's t (Schuirmann 1987).
        near_lossless_p: Option<f64> ["1"],
        /// True where that p is at most 1 − confidence: the damage was shown to be within the margin. False says only that it was not.
        near_lossless: Option<bool> ["flag"],
        /// Share of Σ max(δ, 0) over documents that the ⌈documents/100⌉ largest δ = NLL − baseline NLL carry.
        worst_share: Option<f64> ["1"],
        /// Σ (NLL − baseline NLL) / (ln 2 · Σ bytes).
        delta_bits_per_byte: Option<f64> ["bit/byte"],
        /// Lower end.
        delta_bits_per_byte_low: Option<f64> ["bit/byte"],
        /// Upper end.
        delta_bits_per_byte_high: Option<f64> ["bit/byte"],
        /// exp(ΔNLL) − 1: relative increase of perplexity.
        relative_perplexity: Option<f64> ["1"],
        /// Lower end.
        relative_perplexity_low: Option<f64> ["1"],
        /// Upper end.
        relative_perplexity_high: Option<f64> ["1"],
        /// Σ KL(base ‖ quantized) / Σ tokens.
        kl: Option<f64> ["nat/token"],
        /// Lower end.
        kl_low: Option<f64> ["nat/token"],
        /// Upper end.
        kl_high: Option<f64> ["nat/token"],
        /// Share of scored tokens on which both models rank the same token first.
        top1_agreement: Option<f64> ["1"],
        /// Lower end.
        top1_agreement_low: Option<f64> ["1"],
        /// Upper end.
        top1_agreement_high: Option<f64> ["1"],
        /// Relative error of the hidden states after the first quantized layer, √(Σ (x − b)² / Σ b²) over tokens and channels, x of the
        /// quantized model and b of the baseline.
        next_relative_error: Option<f64> ["1"],
        /// Lower end.
        next_relative_error_low: Option<f64> ["1"],
        /// Upper end.
        next_relative_error_high: Option<f64> ["1"],
        /// Their cosine, Σ x·b / √(Σ x²·Σ b²).
        next_cosine: Option<f64> ["1"],
        /// `next_relative_error` after the last layer, before the final norm.
        last_relative_error: Option<f64> ["1"],
        /// Lower end.
        last_relative_error_low: Option<f64> ["1"],
        /// Upper end.
        last_relative_error_high: Option<f64> ["1"],
        /// `next_cosine` after the last layer.
        last_cosine: Option<f64> ["1"],
        /// Why a number is null; `unsupported: TENSOR: WHY` where the config does not fit a matrix of the scope.
        reason: Option<String> ["text"],
    }
}

impl SensitivityRow {
    /// Tensor and cause where the config does not fit a matrix of the scope.
    pub fn unsupported(&self) -> Option<&str> {
        unsupported_cause(self.reason.as_deref()?)
    }

    /// The outcome's value; null where it is undefined.
    pub fn outcome(&self, outcome: Outcome) -> Option<f64> {
        match outcome {
            Outcome::DeltaNll => self.delta_nll,
            Outcome::DeltaBitsPerByte => self.delta_bits_per_byte,
            Outcome::RelativePerplexity => self.relative_perplexity,
            Outcome::Kl => self.kl,
            Outcome::Top1Agreement => self.top1_agreement,
        }
    }
}
