//! The table `disparity`: how unequally a config harms languages.

use babelquant_proto::rows::unsupported_cause;

/// What `contrast` says of the language with the largest ΔNLL against the one with the smallest.
pub const EXTREMES: &str = "worst - best";
/// The contrast of languages of little training text with those of much.
pub const BY_RESOURCE: &str = "low - high resource";

babelquant_proto::table! {
    /// A (model, components, config, contrast) at scope `all`: the mean over some languages less the mean over others, each language counted
    /// once. Columns `…_low` and `…_high` are the ends of the bootstrap interval over groups of documents, languages that share groups
    /// resampled together: the interval speaks of these languages, not of others like them.
    DisparityRow in "disparity" version 2 {
        /// Model name as in the study.
        model: String ["key"],
        /// Which tensors of the layers are quantized.
        components: String ["key"],
        /// How they are quantized.
        config: String ["key"],
        /// `worst - best` (the language of the largest and of the smallest ΔNLL; which they are is not resampled, so that chance alone
        /// makes it positive), `low - high resource` (volume at most, and above, the median of these languages), `unseen - seen`
        /// (volume 0, and above; only where some volume is 0), `other scripts - Latin`.
        contrast: String ["key"],
        /// The column of the covariates that gives volumes; null for contrasts that need none.
        resource: Option<String> ["key"],
        /// The languages before the minus, apart by commas.
        first: String ["key"],
        /// The languages behind it.
        second: String ["key"],
        /// Languages of which the covariate is unknown, or every unit of the config was given up: they stand in neither group.
        left_out: u64 ["languages"],
        /// Mean ΔNLL of the first less that of the second.
        delta_nll_difference: Option<f64> ["nat/token"],
        /// Lower end.
        delta_nll_difference_low: Option<f64> ["nat/token"],
        /// Upper end.
        delta_nll_difference_high: Option<f64> ["nat/token"],
        /// The same of Δ bits per byte, for the same languages: a token of theirs may stand for more or fewer bytes.
        delta_bits_per_byte_difference: Option<f64> ["bit/byte"],
        /// Lower end.
        delta_bits_per_byte_difference_low: Option<f64> ["bit/byte"],
        /// Upper end.
        delta_bits_per_byte_difference_high: Option<f64> ["bit/byte"],
        /// Why a number is null; `unsupported: TENSOR: WHY` where the config does not fit a matrix.
        reason: Option<String> ["text"],
    }
}

impl DisparityRow {
    /// Tensor and cause where the config does not fit a matrix.
    pub fn unsupported(&self) -> Option<&str> {
        unsupported_cause(self.reason.as_deref()?)
    }
}
