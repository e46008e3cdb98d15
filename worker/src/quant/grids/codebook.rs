//! Tables of 16 values over blocks of the flattened tensor: NF4 (Dettmers et al. 2023) and the FP4 of bitsandbytes.
//!
//! v = w · (1 / max|block|); the nearest value, by midpoints: a midpoint itself goes to the lower value; ŵ = value · max|block|.

use babelquant_proto::quant::{BlockScales, Code};

use super::dynamic_codes;
use crate::quant::range::Range;
use crate::quant::walk::{Block, walk};
use crate::quant::{Groups, QuantError, Quantized};

/// Quantiles of a normal distribution, scaled to ±1.
const NF4: [f32; 16] = [
    -1.0,
    -0.696_192_8,
    -0.525_073_05,
    -0.394_917_5,
    -0.284_441_38,
    -0.184_773_43,
    -0.091_050_036,
    0.0,
    0.079_580_3,
    0.160_930_2,
    0.246_112_3,
    0.337_915_24,
    0.440_709_83,
    0.562_617,
    0.722_956_84,
    1.0,
];

/// One sign, two exponent bits and one mantissa bit, as bitsandbytes reads them.
const FP4: [f32; 16] = [
    -1.0,
    -2.0 / 3.0,
    -0.5,
    -1.0 / 3.0,
    -0.25,
    -1.0 / 6.0,
    -0.005_208_333_5,
    0.0,
    0.0,
    0.005_208_333_5,
    1.0 / 6.0,
    0.25,
    1.0 / 3.0,
    0.5,
    2.0 / 3.0,
    1.0,
];

/// Smallest magnitude that a block is divided by.
const MAGNITUDE_MIN: f32 = 1e-38;

/// The weights in blocks of `length`, row after row; a block may hold parts of two rows.
pub(super) fn quantize(
    weights: &[f32],
    code: Code,
    length: usize,
    scales: BlockScales,
) -> Result<Quantized, QuantError> {
    let (values, codes) = match code {
        Code::Nf4 => (&NF4, 16),
        Code::Fp4 => (&FP4, 15),
    };
    let scale = match scales {
        BlockScales::Plain => Scale::Magnitude,
        BlockScales::Double => Scale::One,
    };
    let (mut rounded, groups) =
        walk(weights, length, codes, &Table { values, midpoints: midpoints(values), scale })?;
    let scale_bits = match scales {
        BlockScales::Plain => 32.0,
        BlockScales::Double => {
            let scales = doubly_quantized(&groups);
            for (block, scale) in rounded.chunks_mut(length).zip(scales) {
                block.iter_mut().for_each(|value| *value *= scale);
            }
            8.0 + 32.0 / dynamic_codes::BLOCK as f64
        }
    };
    let bits_per_weight = 4.0 + scale_bits / length as f64;
    Ok(Quantized::on_grids(rounded, bits_per_weight, groups))
}

/// The bounds between the values of a table.
fn midpoints(values: &[f32; 16]) -> [f32; 15] {
    std::array::from_fn(|index| (values[index] + values[index + 1]) / 2.0)
}

/// What a value of the table is multiplied by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    /// The largest magnitude of its block.
    Magnitude,
    /// Nothing yet.
    One,
}

/// A table and the bounds between its values.
struct Table<'a> {
    values: &'a [f32; 16],
    midpoints: [f32; 15],
    scale: Scale,
}

impl Block for Table<'_> {
    #[inline(always)]
    fn round(&self, weights: &[f32], output: &mut [f32]) -> Result<[f32; 2], QuantError> {
        let magnitude = Range::of_run(weights)?.magnitude();
        let inverse = 1.0 / magnitude.max(MAGNITUDE_MIN);
        let scale = if self.scale == Scale::Magnitude { magnitude } else { 1.0 };
        for (value, weight) in output.iter_mut().zip(weights) {
            let scaled = (weight * inverse).clamp(-1.0, 1.0);
            let mut nearest = self.values[0];
            for (midpoint, above) in self.midpoints.iter().zip(&self.values[1..]) {
                nearest = if scaled > *midpoint { *above } else { nearest };
            }
            *value = nearest * scale;
        }
        Ok([-magnitude, magnitude])
    }
}

/// The blocks' magnitudes as they come back from eight bits: each less their mean, as a dynamic code.
fn doubly_quantized(groups: &Groups) -> Vec<f32> {
    let magnitudes: Vec<f32> = groups.limits.iter().map(|limits| limits[1]).collect();
    let sum: f64 = magnitudes.iter().map(|&magnitude| f64::from(magnitude)).sum();
    let offset = (sum / magnitudes.len().max(1) as f64) as f32;
    let apart: Vec<f32> = magnitudes.iter().map(|magnitude| magnitude - offset).collect();
    dynamic_codes::round(&apart).into_iter().map(|code| code + offset).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::tests::heavy42::{floats, study, vector};

    #[test]
    fn tables_and_midpoints_are_those_of_bitsandbytes() {
        let tables = &study()["tables"];
        assert_eq!(NF4[..], floats(&tables["nf4_code"]));
        assert_eq!(midpoints(&NF4)[..], floats(&tables["nf4_midpoints"]));
        let mut fp4 = floats(&tables["bnb_fp4_code_bitorder"]);
        fp4.sort_by(f32::total_cmp);
        assert_eq!(FP4[..], fp4);
    }

    #[test]
    fn double_scales_are_those_of_bitsandbytes() {
        let golden = vector("nf4_bs64_double");
        let limits = floats(&golden["absmax"]).into_iter().map(|scale| [-scale, scale]).collect();
        let scales = doubly_quantized(&Groups { length: 64, codes: 16, limits });
        assert_eq!(scales, floats(&golden["scales_first4"]));
        // As their codes say: table[q8] · absmax2 + offset.
        let [offset, largest] =
            ["offset", "absmax2"].map(|key| golden[key].as_f64().unwrap() as f32);
        let codes: Vec<usize> = serde_json::from_value(golden["q8"].clone()).unwrap();
        let table = dynamic_codes::values();
        let decoded: Vec<f32> = codes.iter().map(|&code| table[code] * largest + offset).collect();
        assert_eq!(scales, decoded);
    }
}
