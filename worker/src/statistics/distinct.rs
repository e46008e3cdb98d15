//! The distinct values of 16-bit tensors with how often each comes: what is asked of many weights is asked of these. Not a statistic.

use super::counts;
use super::population::Population;
use super::stored::StoredValues;

/// The values of tensors taken together, from the smallest to the largest, each with how often it comes.
#[derive(Debug, Clone, PartialEq)]
pub struct Distinct {
    /// The finite values, each once.
    pub values: Vec<f32>,
    /// How often each comes.
    pub counts: Vec<u64>,
    /// How many values are NaN or infinite; they are nowhere else.
    pub nonfinite: u64,
}

impl Distinct {
    /// The distinct values of `tensors`; `None` where one of them is stored in f32, which has too many to be worth it, or where
    /// there is no tensor.
    pub fn of(tensors: &[StoredValues<'_>]) -> Option<Self> {
        let counted = tensors.iter().map(|tensor| match tensor {
            StoredValues::F32(_) => None,
            StoredValues::F16(bytes) => Some(counts::of_f16(bytes)),
            StoredValues::Bf16(bytes) => Some(counts::of_bf16(bytes)),
        });
        let counted: Vec<Population> = counted.collect::<Option<_>>()?;
        let population = counted.into_iter().reduce(|all, one| all.merge(&one))?;
        let (values, counts) =
            population.rising().map(|bucket| (bucket.edge, bucket.count)).unzip();
        Some(Self { values, counts, nonfinite: population.nonfinite })
    }
}

#[cfg(test)]
mod tests {
    use half::f16;

    use super::*;

    #[test]
    fn tensors_are_counted_together() {
        let bytes = |values: &[f32]| -> Vec<u8> {
            values.iter().flat_map(|&value| f16::from_f32(value).to_le_bytes()).collect()
        };
        let (a, b) = (bytes(&[1.0, -0.5, 1.0]), bytes(&[f32::NAN, 1.0, 2.0]));
        let both = Distinct::of(&[StoredValues::F16(&a), StoredValues::F16(&b)]).unwrap();
        assert_eq!((both.values, both.counts), (vec![-0.5, 1.0, 2.0], vec![1, 3, 1]));
        assert_eq!(both.nonfinite, 1);
        assert_eq!(Distinct::of(&[StoredValues::F16(&a), StoredValues::F32(&[0; 4])]), None);
        assert_eq!(Distinct::of(&[]), None);
    }
}
