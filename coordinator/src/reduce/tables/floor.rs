//! The table `floor`: what the dtype of the computation and the engine change by themselves.

/// `compared` where the dtype is compared with f32.
pub const DTYPE: &str = "dtype";

babelquant_proto::table! {
    /// A (model, language): the baseline in the study's dtype beside the same model in f32, and on one engine class beside another one. Only
    /// studies of another dtype and runs of several engine classes have rows.
    FloorRow in "floor" version 2 {
        /// Model name as in the study.
        model: String ["key"],
        /// Language.
        language: String ["key"],
        /// What is compared: `dtype` with f32, or two engine classes, `A | B`.
        compared: String ["key"],
        /// Documents scored in both ways.
        documents: u64 ["documents"],
        /// Scored tokens.
        tokens: u64 ["tokens"],
        /// Σ (NLL in the study's dtype − NLL in f32) / Σ tokens, or of engines NLL on A − NLL on B.
        delta_nll: Option<f64> ["nat/token"],
        /// Mean over documents of the |difference of NLL| / tokens.
        document_abs_delta_nll: Option<f64> ["nat/token"],
        /// Σ KL(study's dtype ‖ f32) / Σ tokens; null between engines.
        kl: Option<f64> ["nat/token"],
        /// Share of scored tokens on which both dtypes rank the same token first; null between engines.
        top1_agreement: Option<f64> ["1"],
        /// The larger of |delta_nll| and √(Σδ²·N/n) / T over the n documents' differences δ, which do not cancel there, where the language has
        /// N documents of T tokens: a |ΔNLL| of `sensitivity` below it may be rounding.
        floor: Option<f64> ["nat/token"],
        /// Why a number is null.
        reason: Option<String> ["text"],
    }
}
