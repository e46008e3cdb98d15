//! The table `hypotheses`: what was claimed before the run, and what became of it.

babelquant_proto::table! {
    /// A registered hypothesis at one model, scope and config, judged over the languages.
    HypothesisRow in "hypotheses" version 2 {
        /// The hypothesis.
        id: String ["key"],
        /// Model name as in the study.
        model: String ["key"],
        /// Which layers are quantized.
        scope: String ["key"],
        /// Which tensors of them.
        components: String ["key"],
        /// How they are quantized.
        config: String ["key"],
        /// What is claimed.
        claim: String ["text"],
        /// True: it stood in `run.json` before the first unit was measured.
        registered: bool ["truth"],
        /// Languages with both numbers.
        n: u64 ["languages"],
        /// The claim's correlation.
        estimate: Option<f64> ["1"],
        /// Lower end of its two-sided interval, on Fisher's scale.
        low: Option<f64> ["1"],
        /// Upper end.
        high: Option<f64> ["1"],
        /// How p was found: `every order`, `random orders`, `kendall`, `student` or `fisher z`.
        test: Option<String> ["text"],
        /// p on the claim's side.
        p: Option<f64> ["1"],
        /// p corrected for the family.
        p_corrected: Option<f64> ["1"],
        /// `holm`, `bh` or `none`.
        correction: String ["text"],
        /// The hypotheses whose tests are corrected together.
        family: String ["text"],
        /// How many tests they are, those without a p among them.
        family_tests: u64 ["tests"],
        /// The largest corrected p that supports the claim.
        alpha: f64 ["1"],
        /// The smallest |correlation| that would matter.
        effect: f64 ["1"],
        /// Probability of finding it in n languages where no other test of the family is significant: at alpha / family_tests, or at alpha
        /// without a correction.
        power: Option<f64> ["1"],
        /// `SUPPORTED`: p_corrected is at most alpha. `INSUFFICIENT DATA`: it is not, and the power is below 0.8, or there is no p. `NOT
        /// SUPPORTED` otherwise.
        verdict: String ["text"],
        /// Why a number is null or the data insufficient.
        reason: Option<String> ["text"],
    }
}
