//! The table `regressions`: what ΔNLL of single layers goes with, several predictors at once.

use babelquant_proto::rows::unsupported_cause;

/// What `term` says of the constant.
pub const INTERCEPT: &str = "intercept";

babelquant_proto::table! {
    /// A (model, components, config, term) of the least-squares model of ΔNLL over the cells (language × layer) at scope `only(layer)`.
    /// Errors may depend on each other within a language and within a layer: V = V_language + V_layer − V_cell, each part with the factor
    /// G/(G−1) · (n−1)/(n−k); Student's t has min(languages, layers) − 1 degrees of freedom. Cells that lack ΔNLL or a predictor of the model
    /// are left out. p is two-sided and not corrected.
    RegressionRow in "regressions" version 3 {
        /// Model name as in the study.
        model: String ["key"],
        /// Which tensors of the layer are quantized.
        components: String ["key"],
        /// How they are quantized.
        config: String ["key"],
        /// `intercept`; `kurtosis` of the layer's MLP weights; `activation_share` of the layer in the language at `block_out`;
        /// `kurtosis_by_share`, the product of both z scores; `log_volume`, log10 of the language's training text by the study's `analysis.resource`; `latin`, 1
        /// where it is written in Latin script, else 0.
        term: String ["key"],
        /// Cells.
        n: u64 ["cells"],
        /// Languages of these cells.
        languages: u64 ["languages"],
        /// Languages with a ΔNLL that are not among them, with the terms of the model that are unknown of them; null where there are none.
        absent: Option<String> ["text"],
        /// Layers of these cells.
        layers: u64 ["layers"],
        /// Change of ΔNLL per population standard deviation (over the cells) of kurtosis, share and volume, per unit of their product, and from
        /// other scripts to Latin, the other terms held fixed; of the intercept ΔNLL where all terms are 0.
        coefficient: Option<f64> ["nat/token"],
        /// Lower end of coefficient ± quantile of Student's t · standard error.
        coefficient_low: Option<f64> ["nat/token"],
        /// Upper end.
        coefficient_high: Option<f64> ["nat/token"],
        /// √V.
        coefficient_se: Option<f64> ["nat/token"],
        /// Coefficient over standard error.
        t: Option<f64> ["1"],
        /// Its two-sided p.
        p: Option<f64> ["1"],
        /// Two-sided p by the wild cluster bootstrap where there are fewer than 15 languages or layers (Cameron, Gelbach and Miller 2008): errors
        /// of the model without the term, weighted by whole languages or layers, whichever are fewer; t with the same two-way variance. A
        /// sample whose variance is not positive counts as one of large |t|. Null where clusters are enough for Student's t.
        p_wild: Option<f64> ["1"],
        /// Which clusters were weighted, and with what: every vector of signs from 10 to 12, random signs above, Webb's six weights (2014) below.
        wild: Option<String> ["text"],
        /// R² of the whole model.
        r_squared: Option<f64> ["1"],
        /// Why a number is null, or the term is not in the model.
        reason: Option<String> ["text"],
    }
}

impl RegressionRow {
    /// Tensor and cause where the config does not fit a matrix.
    pub fn unsupported(&self) -> Option<&str> {
        unsupported_cause(self.reason.as_deref()?)
    }
}
