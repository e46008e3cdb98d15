//! The table `additivity`: do the effects of single layers add up to the effect of all layers?

babelquant_proto::table! {
    /// A (model, language, components, config) that was measured at scope `all` and at some `only(layer)`. Columns `…_low` and `…_high`
    /// are the ends of the paired bootstrap interval over groups of documents: every draw takes the same groups for all cells.
    AdditivityRow in "additivity" version 1 {
        /// Model name as in the study.
        model: String ["key"],
        /// Language.
        language: String ["key"],
        /// Which tensors are quantized.
        components: String ["key"],
        /// How they are quantized.
        config: String ["key"],
        /// Layers that have such components.
        layers: u64 ["layers"],
        /// Scored tokens.
        tokens: u64 ["tokens"],
        /// Sum over the layers of ΔNLL at `only(layer)`.
        sum_delta_nll: Option<f64> ["nat/token"],
        /// Lower end.
        sum_delta_nll_low: Option<f64> ["nat/token"],
        /// Upper end.
        sum_delta_nll_high: Option<f64> ["nat/token"],
        /// ΔNLL at `all`.
        all_delta_nll: Option<f64> ["nat/token"],
        /// Lower end.
        all_delta_nll_low: Option<f64> ["nat/token"],
        /// Upper end.
        all_delta_nll_high: Option<f64> ["nat/token"],
        /// `sum_delta_nll` − `all_delta_nll`: below 0 where layers do more harm together than one by one.
        difference: Option<f64> ["nat/token"],
        /// Lower end.
        difference_low: Option<f64> ["nat/token"],
        /// Upper end.
        difference_high: Option<f64> ["nat/token"],
        /// Why a number is null.
        reason: Option<String> ["text"],
    }
}
