//! The table `replication`: one correlation in several models.

babelquant_proto::table! {
    /// A (predictor, outcome, scope, components, config) in one of the models that have it, for those that at least two have:
    /// Pearson's r of `correlations`, and one verdict over the models.
    ReplicationRow in "replication" version 1 {
        /// Column of `languages`.
        predictor: String ["key"],
        /// Column of `sensitivity`.
        outcome: String ["key"],
        /// Which layers are quantized, by the same name in every model.
        scope: String ["key"],
        /// Which tensors of those layers are quantized.
        components: String ["key"],
        /// How they are quantized.
        config: String ["key"],
        /// Model name as in the study.
        model: String ["key"],
        /// Models that have it.
        models: u64 ["models"],
        /// Languages.
        n: u64 ["languages"],
        /// Pearson's r in this model.
        pearson_r: Option<f64> ["1"],
        /// Lower end of Fisher's interval.
        pearson_low: Option<f64> ["1"],
        /// Upper end.
        pearson_high: Option<f64> ["1"],
        /// Over all models: `replicates` where every interval excludes 0 on the same side, `same sign` where every r has one sign,
        /// `does not` elsewhere; null where an r is undefined.
        verdict: Option<String> ["text"],
        /// Why a number or the verdict is null.
        reason: Option<String> ["text"],
    }
}
