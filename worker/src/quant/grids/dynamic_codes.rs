//! The signed eight-bit dynamic codes that bitsandbytes keeps block scales in: 127 negative values, 0 and 128 positive ones, denser
//! towards 0 (Dettmers et al. 2021). Not the blocks.

/// The 256 values, ascending.
///
/// Decade i of 7 holds the means of 2^i equal intervals of 0.1 … 1, times 10^(i−6), with both signs; 0 and 1 complete them.
pub(super) fn values() -> Vec<f32> {
    let mut values = vec![0.0, 1.0];
    for decade in 0..7_u32 {
        let count = 1_usize << decade;
        let bounds = equal_steps(count + 1);
        let power = 10_f64.powi(decade as i32 - 6) as f32;
        for pair in bounds.windows(2) {
            let value = power * ((pair[0] + pair[1]) / 2.0);
            values.extend([value, -value]);
        }
    }
    values.sort_by(f32::total_cmp);
    values
}

/// `count` numbers from 0.1 to 1 in f32, counted from the nearer end.
fn equal_steps(count: usize) -> Vec<f32> {
    let (start, end) = (0.1_f32, 1.0_f32);
    let step = (end - start) / (count - 1) as f32;
    let number = |index: usize| match index < count / 2 {
        true => step.mul_add(index as f32, start),
        false => (-step).mul_add((count - 1 - index) as f32, end),
    };
    (0..count).map(number).collect()
}

/// Values rounded to codes in blocks of 256 that share their largest magnitude; f32.
pub(super) fn round(scales: &[f32]) -> Vec<f32> {
    let values = values();
    let block = |block: &[f32]| -> Vec<f32> {
        let largest = block.iter().fold(0.0_f32, |largest, scale| largest.max(scale.abs()));
        let nearest = |scale: f32| nearest(&values, scale / largest.max(f32::MIN_POSITIVE));
        block.iter().map(|&scale| nearest(scale) * largest).collect()
    };
    scales.chunks(BLOCK).flat_map(block).collect()
}

/// Scales that share a scale of their own.
pub(super) const BLOCK: usize = 256;

/// The value nearest to x; the smaller of two.
fn nearest(values: &[f32], x: f32) -> f32 {
    let above = values.partition_point(|&value| value < x).min(values.len() - 1);
    let below = above.saturating_sub(1);
    match x - values[below] <= values[above] - x {
        true => values[below],
        false => values[above],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::tests::heavy42::{floats, study};

    #[test]
    fn the_table_is_that_of_bitsandbytes() {
        let (values, golden) = (values(), study()["tables"]["bnb_dynamic8_signed"].clone());
        assert_eq!(values.len() as u64, golden["len"].as_u64().unwrap());
        assert_eq!(values[..6], floats(&golden["first6"]));
        assert_eq!(values[250..], floats(&golden["last6"]));
        let [zero, smallest] = ["idx127", "idx128"].map(|key| golden[key].as_f64().unwrap() as f32);
        assert_eq!(values[127..129], [zero, smallest]);
        let count = |key: &str| golden[key].as_u64().unwrap() as usize;
        assert_eq!(values.iter().filter(|&&value| value < 0.0).count(), count("n_neg"));
        assert_eq!(values.iter().filter(|&&value| value > 0.0).count(), count("n_pos"));
    }
}
