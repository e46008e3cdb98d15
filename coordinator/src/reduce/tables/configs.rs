//! The table `configs`: what a config costs in bits and in likelihood where every layer is quantized.

use babelquant_proto::rows::unsupported_cause;

babelquant_proto::table! {
    /// A (model, components, config) at scope `all`. Columns `…_low` and `…_high` are the ends of the bootstrap interval over groups of
    /// documents; languages that share groups are resampled together.
    ConfigRow in "configs" version 1 {
        /// Model name as in the study.
        model: String ["key"],
        /// Which tensors of the layers are quantized.
        components: String ["key"],
        /// How they are quantized.
        config: String ["key"],
        /// Weights that it changes; of a matrix of several roles those of the roles in `components`, in equal parts. A table that serves
        /// lookup and head counts once.
        weights: u64 ["weights"],
        /// Storage of these weights, scales included: Σ bits / Σ weights over `quantization`.
        bits_per_weight: Option<f64> ["bit/weight"],
        /// Storage of the whole model, every weight that is not quantized counted with 16 bits: Σ bits / parameters.
        model_bits_per_weight: Option<f64> ["bit/weight"],
        /// 10·log10(Σ w² / Σ (quantized − w)²) over these weights.
        sqnr_db: Option<f64> ["dB"],
        /// Languages measured.
        languages: u64 ["languages"],
        /// Mean over languages of ΔNLL.
        mean_delta_nll: Option<f64> ["nat/token"],
        /// Lower end.
        mean_delta_nll_low: Option<f64> ["nat/token"],
        /// Upper end.
        mean_delta_nll_high: Option<f64> ["nat/token"],
        /// Largest ΔNLL of a language.
        worst_delta_nll: Option<f64> ["nat/token"],
        /// Lower end of that language's interval; that it is the worst one is not resampled.
        worst_delta_nll_low: Option<f64> ["nat/token"],
        /// Upper end of that language's interval.
        worst_delta_nll_high: Option<f64> ["nat/token"],
        /// That language; of equals the first by its code.
        worst_language: Option<String> ["key"],
        /// True where no other config of the same components has at most as many `model_bits_per_weight` and at most the `mean_delta_nll`,
        /// one of them less.
        on_mean_front: bool ["flag"],
        /// The same for `worst_delta_nll`.
        on_worst_front: bool ["flag"],
        /// Why a number is null; `unsupported: TENSOR: WHY` where the config does not fit a matrix.
        reason: Option<String> ["text"],
    }
}

impl ConfigRow {
    /// Tensor and cause where the config does not fit a matrix.
    pub fn unsupported(&self) -> Option<&str> {
        unsupported_cause(self.reason.as_deref()?)
    }
}
