//! Positions: the numbers by which each kind of position enters the model. What attention does with them stands in `attention`.

use candle_core::{DType, Device, Tensor};

use super::architecture::Rotary;
use super::error::ModelError;

/// ALiBi slopes (Press et al. 2022), one a head: powers of 2^(−8/n) for the largest power of two n ≤ heads, then odd powers of
/// 2^(−4/n) for the heads beyond it.
pub(super) fn alibi_slopes(heads: u32) -> Vec<f32> {
    let n = 1_u32 << heads.ilog2();
    let base = |n: u32| (-8.0 / f64::from(n)).exp2();
    let first = (1..=n).map(|power| base(n).powi(power as i32));
    let rest = (0..heads - n).map(|head| base(2 * n).powi(2 * head as i32 + 1));
    first.chain(rest).map(|slope| slope as f32).collect()
}

/// Rows `first`.. of the sinusoidal table, f32 [rows, width]: sines of row·10000^(−k/(width/2 − 1)), then the cosines, computed in
/// f32 as the published models were.
pub(super) fn sinusoidal(first: u32, rows: usize, width: usize) -> Vec<f32> {
    let half = width / 2;
    let step = 10_000_f64.ln() / (half.max(2) - 1) as f64;
    let frequencies: Vec<f32> = (0..half).map(|k| (k as f32 * -step as f32).exp()).collect();
    let mut table = Vec::with_capacity(rows * width);
    for row in 0..rows {
        let angle = |frequency: &f32| (first as usize + row) as f32 * frequency;
        table.extend(frequencies.iter().map(|f| angle(f).sin()));
        table.extend(frequencies.iter().map(|f| angle(f).cos()));
        table.extend((2 * half..width).map(|_| 0.0));
    }
    table
}

/// Turns the first `rotary.width` channels of every head; x [windows, heads, positions, head width], same shape and dtype back.
pub(super) fn rotate(rotary: &Rotary, x: &Tensor) -> Result<Tensor, ModelError> {
    let (_, _, positions, head_width) = x.dims4()?;
    let width = rotary.width as usize;
    let [cos, sin] = angles(rotary, positions, x.device())?;
    let cast = |table: Tensor| table.to_dtype(x.dtype());
    let turn = |x: &Tensor| candle_nn::rotary_emb::rope(x, &cast(cos)?, &cast(sin)?);
    if width == head_width {
        return Ok(turn(&x.contiguous()?)?);
    }
    let turned = turn(&x.narrow(3, 0, width)?.contiguous()?)?;
    Ok(Tensor::cat(&[&turned, &x.narrow(3, width, head_width - width)?], 3)?)
}

/// Cosines and sines, f32 [positions, width / 2] each.
fn angles(rotary: &Rotary, positions: usize, device: &Device) -> Result<[Tensor; 2], ModelError> {
    let pairs = rotary.frequencies.len();
    let scale = rotary.scale as f32;
    let angles = (0..positions).flat_map(|position| {
        rotary.frequencies.iter().map(move |frequency| position as f32 * frequency)
    });
    let angles: Vec<f32> = angles.collect();
    let table = |f: fn(f32) -> f32| {
        let values = angles.iter().map(|&angle| f(angle) * scale).collect();
        Tensor::from_vec(values, (positions, pairs), device)
    };
    Ok([table(f32::cos)?, table(f32::sin)?])
}

/// The direction in which a stack may look, which decides how distances share buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// Back only: all buckets are for keys at or before the query.
    Back,
    /// Both ways: the upper half of the buckets is for keys after the query.
    Both,
}

/// The bucket of a key at `offset` from its query (Raffel et al. 2020): half of the buckets of a direction hold one distance each,
/// the others grow with the logarithm up to `distance_max`. The logarithm is taken in f32, as the published models do.
pub(super) fn bucket(offset: i64, buckets: u32, distance_max: u32, direction: Direction) -> u32 {
    let (buckets, first, distance) = match direction {
        Direction::Both => {
            let half = buckets / 2;
            (half, if offset > 0 { half } else { 0 }, offset.unsigned_abs())
        }
        Direction::Back => (buckets, 0, (-offset).max(0).unsigned_abs()),
    };
    let exact = buckets / 2;
    if distance < u64::from(exact) {
        return first + distance as u32;
    }
    let grown = (distance as f32 / exact as f32).ln() / ((distance_max as f32 / exact as f32).ln());
    let grown = exact + (grown * (buckets - exact) as f32) as u32;
    first + grown.min(buckets - 1)
}

/// What is added to scores by the distance of key and query.
#[derive(Debug, Clone)]
pub(super) struct RelativeBias {
    heads: usize,
    distance_max: usize,
    /// By head, then by key − query from −distance_max to distance_max; farther ones share the ends.
    values: Vec<f32>,
}

impl RelativeBias {
    /// From a stored table [buckets, heads].
    pub(super) fn new(
        stored: &Tensor,
        distance_max: u32,
        direction: Direction,
    ) -> Result<Self, ModelError> {
        let rows: Vec<Vec<f32>> = stored.to_dtype(DType::F32)?.to_vec2()?;
        let heads = rows.first().map_or(0, Vec::len);
        let reach = i64::from(distance_max);
        let value = |head: usize, offset: i64| {
            rows[bucket(offset, rows.len() as u32, distance_max, direction) as usize][head]
        };
        let values = (0..heads).flat_map(|head| (-reach..=reach).map(move |offset| (head, offset)));
        let values = values.map(|(head, offset)| value(head, offset)).collect();
        Ok(Self { heads, distance_max: distance_max as usize, values })
    }

    /// The bias by head and key − query + `queries` − 1, [heads, queries + keys − 1].
    pub(super) fn spread(&self, queries: usize, keys: usize) -> Vec<f32> {
        let reach = self.distance_max as i64;
        let span = 2 * self.distance_max + 1;
        let offsets = || (0..queries + keys - 1).map(|place| place as i64 - (queries as i64 - 1));
        let at = |head: usize, offset: i64| {
            self.values[head * span + (offset.clamp(-reach, reach) + reach) as usize]
        };
        (0..self.heads).flat_map(|head| offsets().map(move |offset| at(head, offset))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_of_powers_of_two_and_beyond() {
        assert_eq!(alibi_slopes(16)[0], 2_f32.powf(-0.5));
        let slopes = alibi_slopes(112);
        assert!((slopes[0] - 0.917_004).abs() < 1e-7 && (slopes[111] - 0.016_316_777).abs() < 1e-9);
    }

    #[test]
    fn sines_and_cosines_stand_side_by_side() {
        let row = sinusoidal(2, 1, 1024);
        for (found, expected) in row.iter().zip([0.909_297_4_f32, 0.923_581_06, 0.936_462_46]) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
        assert!((row[512] + 0.416_146_8).abs() < 1e-6 && (row[513] + 0.383_403_2).abs() < 1e-6);
    }

    #[test]
    fn buckets_equal_the_published_ones() {
        let both = |offset| bucket(offset, 32, 128, Direction::Both);
        let back = |offset| bucket(offset, 32, 128, Direction::Back);
        let expected = [
            (-200, 15),
            (-64, 14),
            (-20, 10),
            (-8, 8),
            (-1, 1),
            (0, 0),
            (1, 17),
            (8, 24),
            (20, 26),
            (128, 31),
        ];
        for (offset, bucket) in expected {
            assert_eq!(both(offset), bucket, "{offset}");
        }
        for (offset, bucket) in [(-20, 17), (-64, 26), (-200, 31), (5, 0), (-15, 15)] {
            assert_eq!(back(offset), bucket, "{offset}");
        }
    }

    #[test]
    fn rotation_keeps_lengths_and_the_first_position() {
        let frequencies = vec![1.0, 0.1];
        let rotary = Rotary { width: 4, frequencies, scale: 1.0 };
        let x = Tensor::arange(0_f32, 36.0, &Device::Cpu).unwrap().reshape((1, 2, 3, 6)).unwrap();
        let turned = rotate(&rotary, &x).unwrap();
        let rows: Vec<f32> =
            turned.get(0).unwrap().get(1).unwrap().get(1).unwrap().to_vec1().unwrap();
        let (a, b) = (24.0_f32, 26.0_f32);
        let (sin, cos) = 1_f32.sin_cos();
        assert!((rows[0] - (a * cos - b * sin)).abs() < 1e-4, "{rows:?}");
        assert!((rows[2] - (b * cos + a * sin)).abs() < 1e-4 && rows[4..] == [28.0, 29.0]);
    }
}
