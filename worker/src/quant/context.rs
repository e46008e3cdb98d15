//! What a rule may need to know beyond the tensor. Not where it comes from.

use super::InputMoments;

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
