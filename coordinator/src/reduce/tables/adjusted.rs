//! The table `adjusted`: what is left of a correlation when what else is known of the languages is taken into account.

use babelquant_proto::rows::unsupported_cause;

/// The adjustments, in their order.
pub const ADJUSTMENTS: [&str; 4] = ["log_volume", "latin", "log_volume+latin", "family means"];

babelquant_proto::table! {
    /// A (model, predictor, outcome, components, config, adjustment) of the correlations at scope `all`. Languages of which a covariate is
    /// unknown are left out. p values are two-sided and corrected for nothing.
    AdjustedRow in "adjusted" version 2 {
        /// Model name as in the study.
        model: String ["key"],
        /// Column of `languages`.
        predictor: String ["key"],
        /// Column of `sensitivity`.
        outcome: String ["key"],
        /// Which tensors of the layers are quantized.
        components: String ["key"],
        /// How they are quantized.
        config: String ["key"],
        /// `log_volume`, `latin` and `log_volume+latin`: partial r with these held fixed (log10 of the training text by the study's
        /// `analysis.resource`; 1 where the language is written in Latin script, else 0). `family means`: r of the means over each language
        /// family, so that related languages count as one.
        adjustment: String ["key"],
        /// Languages of which the covariates are known; of `family means` families, a language of no known family one by itself.
        n: u64 ["languages"],
        /// Pearson's r of the same languages, unadjusted: what was adjusted.
        plain_r: Option<f64> ["1"],
        /// Its two-sided p by Student's t.
        plain_p: Option<f64> ["1"],
        /// Pearson's r so adjusted.
        pearson_r: Option<f64> ["1"],
        /// Its two-sided p by Student's t, n − 2 degrees of freedom less one for each covariate.
        pearson_p: Option<f64> ["1"],
        /// Lower end of Fisher's interval with n − 3, less one for each covariate.
        pearson_low: Option<f64> ["1"],
        /// Upper end.
        pearson_high: Option<f64> ["1"],
        /// Why a number is null.
        reason: Option<String> ["text"],
    }
}

impl AdjustedRow {
    /// Tensor and cause where the config does not fit a matrix.
    pub fn unsupported(&self) -> Option<&str> {
        unsupported_cause(self.reason.as_deref()?)
    }
}
