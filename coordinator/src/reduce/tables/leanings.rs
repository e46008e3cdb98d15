//! The table `leanings`: do some languages lean on other layers than others do?

babelquant_proto::table! {
    /// A (model, components, config, stack, contrast) of which some layers were quantized alone: the mean over some languages of a number of
    /// `trends` less its mean over others, each language counted once. Columns `…_low` and `…_high` are the ends of the bootstrap interval
    /// over groups of documents, languages that share groups resampled together: the interval speaks of these languages, not of others
    /// like them.
    LeaningRow in "leanings" version 1 {
        /// Model name as in the study.
        model: String ["key"],
        /// Which tensors of the layer are quantized.
        components: String ["key"],
        /// How they are quantized.
        config: String ["key"],
        /// `dec` or `enc`.
        stack: String ["key"],
        /// `low - high resource` (volume at most, and above, the median of these languages), `unseen - seen` (volume 0, and above; only
        /// where some volume is 0), `other scripts - Latin`.
        contrast: String ["key"],
        /// The column of the covariates that gives volumes; null for contrasts that need none.
        resource: Option<String> ["key"],
        /// The languages before the minus, apart by commas.
        first: String ["key"],
        /// The languages behind it.
        second: String ["key"],
        /// Languages of which the covariate is unknown: they stand in neither group.
        left_out: u64 ["languages"],
        /// Mean `spearman_rho` of the first less that of the second: below 0 where early layers matter more to the first, whatever the size
        /// of the damage.
        spearman_difference: Option<f64> ["1"],
        /// Lower end.
        spearman_difference_low: Option<f64> ["1"],
        /// Upper end.
        spearman_difference_high: Option<f64> ["1"],
        /// The same of `thirds_difference`; a language that is hurt more everywhere counts for more in it.
        thirds_difference: Option<f64> ["nat/token"],
        /// Lower end.
        thirds_difference_low: Option<f64> ["nat/token"],
        /// Upper end.
        thirds_difference_high: Option<f64> ["nat/token"],
        /// Why a number is null.
        reason: Option<String> ["text"],
    }
}
