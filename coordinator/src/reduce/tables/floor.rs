//! The table `floor`: what the dtype of the computation changes by itself.

babelquant_proto::table! {
    /// A (model, language): the baseline in the study's dtype beside the same model in f32. Only studies of another dtype have rows.
    FloorRow in "floor" version 1 {
        /// Model name as in the study.
        model: String ["key"],
        /// Language.
        language: String ["key"],
        /// Documents scored.
        documents: u64 ["documents"],
        /// Scored tokens.
        tokens: u64 ["tokens"],
        /// Σ (NLL in the study's dtype − NLL in f32) / Σ tokens.
        delta_nll: Option<f64> ["nat/token"],
        /// Mean over documents of |NLL in the study's dtype − NLL in f32| / tokens.
        document_abs_delta_nll: Option<f64> ["nat/token"],
        /// Σ KL(study's dtype ‖ f32) / Σ tokens.
        kl: Option<f64> ["nat/token"],
        /// Share of scored tokens on which both dtypes rank the same token first.
        top1_agreement: Option<f64> ["1"],
        /// The larger of |delta_nll| and √Σδ² / Σ tokens over the documents' differences δ, which do not cancel there: a |ΔNLL| of
        /// `sensitivity` below it may be rounding.
        floor: Option<f64> ["nat/token"],
        /// Why a number is null.
        reason: Option<String> ["text"],
    }
}
