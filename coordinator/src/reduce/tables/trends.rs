//! The table `trends`: does a language lean on early or on late layers?

babelquant_proto::table! {
    /// A (model, language, components, config, stack) of which some layers were quantized alone. Columns `…_low` and `…_high` are the ends of
    /// the paired bootstrap interval over groups of documents: every draw takes the same groups for all layers.
    TrendRow in "trends" version 1 {
        /// Model name as in the study.
        model: String ["key"],
        /// Language.
        language: String ["key"],
        /// Which tensors of the layer are quantized.
        components: String ["key"],
        /// How they are quantized.
        config: String ["key"],
        /// `dec` or `enc`.
        stack: String ["key"],
        /// Layers of the stack that were quantized alone, L.
        layers: u64 ["layers"],
        /// Spearman's ρ over these layers of ΔNLL at `only(layer)` with the layer's number: above 0 where late layers do more harm. Noise draws
        /// it towards 0, its interval too.
        spearman_rho: Option<f64> ["1"],
        /// Lower end.
        spearman_rho_low: Option<f64> ["1"],
        /// Upper end.
        spearman_rho_high: Option<f64> ["1"],
        /// Mean ΔNLL at `only(layer)` over the first ⌈L/3⌉ of them.
        first_third: Option<f64> ["nat/token"],
        /// The same over the last ⌈L/3⌉.
        last_third: Option<f64> ["nat/token"],
        /// `last_third` − `first_third`: below 0 where early layers do more harm.
        thirds_difference: Option<f64> ["nat/token"],
        /// Lower end.
        thirds_difference_low: Option<f64> ["nat/token"],
        /// Upper end.
        thirds_difference_high: Option<f64> ["nat/token"],
        /// Why a number is null.
        reason: Option<String> ["text"],
    }
}
