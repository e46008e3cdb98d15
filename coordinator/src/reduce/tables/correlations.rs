//! The table `correlations`: does a predictor go with an outcome over the languages of a model?

use babelquant_proto::rows::unsupported_cause;

babelquant_proto::table! {
    /// A (model, predictor, outcome, scope, components, config) over the languages where both are defined. p values are two-sided.
    CorrelationRow in "correlations" version 3 {
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
        /// The rows among which `pearson_p_holm` and `pearson_p_bh` correct: model, outcome, components and scope; every predictor and config
        /// of it.
        family: Option<String> ["key"],
        /// How many rows with a p the family has.
        family_tests: Option<u64> ["rows"],
        /// Holm's p (1979): at most α, some r of the family is called non-zero wrongly with probability at most α.
        pearson_p_holm: Option<f64> ["1"],
        /// Benjamini and Hochberg's p (1995): the expected share of wrong ones among those called non-zero at α is at most α.
        pearson_p_bh: Option<f64> ["1"],
        /// At `only(layer)`: Westfall and Young's p (1993), single step, over the layers of one predictor, outcome, components and config: the
        /// share of random orders of the languages, the same for all layers, under which some layer's |r| is as large as this one. Null
        /// at other scopes.
        pearson_p_max_t: Option<f64> ["1"],
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
        /// At scope `all`: how many languages such a test needs to see the r found here with 80 % power. Null where 2³⁰ would not do.
        languages_needed: Option<u64> ["languages"],
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
