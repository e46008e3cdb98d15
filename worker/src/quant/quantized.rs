//! What quantization leaves: the weights, and what they cost. Not what is measured of it.

/// Quantized and dequantized weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantized {
    /// [out, in], row-major. Where `input_divisor` is given, they are to be multiplied by inputs divided by it.
    pub weights: Vec<f32>,
    /// Bits of storage a weight takes: codes, scales and zero points.
    pub bits_per_weight: f64,
    /// The groups that share a grid; `None` where weights of one group do not lie side by side, or are off their grid.
    pub groups: Option<Groups>,
    /// What inputs are divided by before they are quantized, [in].
    pub input_divisor: Option<Vec<f32>>,
}

/// Runs of weights that share a grid, in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct Groups {
    /// Weights in a group; the last one may have fewer.
    pub length: usize,
    /// Values that a grid has.
    pub codes: u32,
    /// For each group the smallest and the largest weight that is not clipped.
    pub limits: Vec<[f32; 2]>,
}
