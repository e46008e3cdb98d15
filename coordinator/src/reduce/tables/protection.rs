//! The table `protection`: is a set of layers worth more, left alone, than any other of its size?

/// What `control` says where the controls are all sets of a size.
pub const EVERY_SET: &str = "every set";

babelquant_proto::table! {
    /// A (model, language, components, config, scope `all-but(SET)`): ΔNLL with the set left as it is, beside that of control sets of
    /// equal size. A set with a name has a row even without controls, a list of layers only with random ones.
    ProtectionRow in "protection" version 1 {
        /// Model name as in the study.
        model: String ["key"],
        /// Language; null for the mean of ΔNLL over the languages.
        language: Option<String> ["key"],
        /// Which tensors are quantized.
        components: String ["key"],
        /// How they are quantized.
        config: String ["key"],
        /// The scope that leaves the set out.
        scope: String ["key"],
        /// The layers that are quantized: all but the set.
        layers: Option<String> ["key"],
        /// ΔNLL at scope `all`: with nothing protected; null where it was not measured.
        all_delta_nll: Option<f64> ["nat/token"],
        /// ΔNLL with the set protected.
        delta_nll: Option<f64> ["nat/token"],
        /// What the controls are: `random` sets, or `every set` of this size, where all were measured; null without controls.
        control: Option<String> ["key"],
        /// Control sets.
        controls: u64 ["sets"],
        /// Mean of ΔNLL over the controls.
        control_mean: Option<f64> ["nat/token"],
        /// Least ΔNLL of a control.
        control_min: Option<f64> ["nat/token"],
        /// Largest ΔNLL of a control.
        control_max: Option<f64> ["nat/token"],
        /// 1 + controls with a smaller ΔNLL.
        rank: Option<u64> ["1"],
        /// p of the set being no better than one taken at random, one-sided: with random controls (1 + controls at least as good) /
        /// (1 + controls), the exact Monte Carlo test (Barnard 1963); among every set, the share that is at least as good.
        p: Option<f64> ["1"],
        /// Why a number is null.
        reason: Option<String> ["text"],
    }
}
