//! What a rule may need to know beyond the tensor. Not where it comes from.

/// Shape of a stored matrix [out, in], row-major.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatrixShape {
    /// Output dimension.
    pub rows: usize,
    /// Input dimension: the weights of a row lie side by side.
    pub columns: usize,
}

/// What a rule may need to know beyond the tensor.
#[derive(Debug, Clone, Copy)]
pub struct WeightContext<'a> {
    /// Biased excess kurtosis of the layer group that the tensor belongs to (dimensionless); `None` where it is undefined.
    pub group_kurtosis: Option<f64>,
    /// Moments of the matrix's inputs, for calibrated rules.
    pub inputs: Option<&'a InputMoments>,
    /// Seed of random rotations.
    pub seed: u64,
}

/// Moments of the inputs x [in] of a matrix over the tokens of a calibration set.
#[derive(Debug, Clone, PartialEq)]
pub struct InputMoments {
    /// Tokens.
    pub tokens: u64,
    /// Mean of x·xᵀ, [in, in] row-major, summed in f64.
    pub second: Vec<f32>,
    /// Mean of |x|, [in].
    pub mean_abs: Vec<f32>,
    /// Largest |x|, [in].
    pub max_abs: Vec<f32>,
}
