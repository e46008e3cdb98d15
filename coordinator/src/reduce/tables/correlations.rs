//! The table `correlations`: does a predictor go with an outcome over the languages of a model?

use babelquant_proto::rows::unsupported_cause;

babelquant_proto::table! {
    /// A (model, predictor, outcome, scope, components, config) over the languages where both are defined. p values are two-sided and not
    /// corrected for the number of rows.
    CorrelationRow in "correlations" version 1 {
        /// Model name as in the study.
        model: String ["key"],
        /// Column of `languages`.
        predictor: String ["key"],
        /// Column of `sensitivity`.
        outcome: String ["key"],
        /// Which layers are quantized.
        scope: String ["key"],
        /// Which tensors of those layers are quantized.
        components: String ["key"],
        /// How they are quantized.
        config: String ["key"],
        /// Languages.
        n: u64 ["languages"],
        /// Pearson's r.
        pearson_r: Option<f64> ["1"],
        /// Its two-sided p: I(1 − r²; (n−2)/2, 1/2).
        pearson_p: Option<f64> ["1"],
        /// Lower end of Fisher's interval tanh(atanh r ± z/√(n−3)).
        pearson_low: Option<f64> ["1"],
        /// Upper end.
        pearson_high: Option<f64> ["1"],
        /// Spearman's ρ: r of the midranks.
        spearman_rho: Option<f64> ["1"],
        /// Its two-sided p by Student's t, n−2 degrees of freedom.
        spearman_p: Option<f64> ["1"],
        /// Kendall's τ-b.
        kendall_tau: Option<f64> ["1"],
        /// Its two-sided p: exact without ties where n ≤ 33 or at most one pair is discordant or concordant, else normal.
        kendall_p: Option<f64> ["1"],
        /// The smallest |r| that a two-sided test at 5 % sees with 80 % power at this n.
        detectable_r: Option<f64> ["1"],
        /// Why a number is null.
        reason: Option<String> ["text"],
    }
}

impl CorrelationRow {
    /// Tensor and cause where the config does not fit a matrix of the scope.
    pub fn unsupported(&self) -> Option<&str> {
        unsupported_cause(self.reason.as_deref()?)
    }
}
