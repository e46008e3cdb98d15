//! Tensors one by one and together, each read once to count it and at most once more to look into a few buckets.

use std::borrow::Cow;
use std::slice;

use rayon::prelude::*;

use super::collect::{Collected, Wanted, collect};
use super::l_moments::LMoments;
use super::population::Population;
use super::stored::StoredValues;
use super::summary::{Questions, WeightStatistics};
use super::{coarse, counts, sorted};

/// So many f32 and more are counted in buckets; fewer are sorted.
const COARSE_FROM: u64 = 1 << 20;

/// The largest share of λ2 that may be estimated; a Gaussian has 2·10⁻⁸. Values that are fewer or less smooth are sorted.
const ESTIMATED_SHARE_MAX: f64 = 1e-7;

/// Statistics of tensors and of all their weights together.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupStatistics {
    /// Of each tensor, in the order given.
    pub tensors: Vec<WeightStatistics>,
    /// Of the concatenation.
    pub group: WeightStatistics,
}

/// Statistics of one tensor.
pub fn of_tensor(tensor: StoredValues<'_>) -> WeightStatistics {
    let tensors = [tensor];
    let questions = ask(Cow::Owned(count(tensor, floats(&tensors) >= COARSE_FROM)), &tensors);
    let values = [collect(tensor, &questions.wanted)];
    answer(&questions, &values, &tensors)
}

/// Statistics of each tensor and of the group, for any formats. All are exact up to f64 rounding, but for the L-ratios of
/// 2^20 and more f32: those are within 10⁻¹⁰ where values are spread evenly at the scale of 2^-10 of their size, and exact
/// where they do not look so.
pub fn of_group(tensors: &[StoredValues<'_>]) -> GroupStatistics {
    let coarse = floats(tensors) >= COARSE_FROM;
    let populations: Vec<Population> =
        tensors.par_iter().map(|tensor| count(*tensor, coarse)).collect();
    let ask_each = || -> Vec<Questions<'_>> {
        let each = populations.par_iter().zip(tensors);
        each.map(|(one, tensor)| ask(Cow::Borrowed(one), slice::from_ref(tensor))).collect()
    };
    let (group, each) = rayon::join(|| ask(merge(&populations), tensors), ask_each);
    let wanted: Wanted =
        each.iter().chain([&group]).flat_map(|questions| &questions.wanted).copied().collect();
    let values: Vec<Vec<f32>> =
        tensors.par_iter().map(|tensor| collect(*tensor, &wanted)).collect();
    let answer_each = || {
        let each = each.par_iter().zip(&values).zip(tensors);
        each.map(|((one, values), tensor)| {
            answer(one, slice::from_ref(values), slice::from_ref(tensor))
        })
        .collect()
    };
    let (group, tensors) = rayon::join(|| answer(&group, &values, tensors), answer_each);
    GroupStatistics { tensors, group }
}

/// How many values of `tensors` are f32.
fn floats(tensors: &[StoredValues<'_>]) -> u64 {
    let floats = tensors.iter().filter(|tensor| matches!(tensor, StoredValues::F32(_)));
    floats.map(|tensor| tensor.count() as u64).sum()
}

fn count(tensor: StoredValues<'_>, coarse: bool) -> Population {
    match tensor {
        StoredValues::F16(bytes) => counts::of_f16(bytes),
        StoredValues::Bf16(bytes) => counts::of_bf16(bytes),
        StoredValues::F32(bytes) if coarse => coarse::of(bytes),
        StoredValues::F32(_) => sorted::of(&[tensor]),
    }
}

/// All populations together, in their order.
fn merge(populations: &[Population]) -> Cow<'_, Population> {
    match populations {
        [] => Cow::Owned(Population::exact(Vec::new(), 0)),
        [one] => Cow::Borrowed(one),
        [first, second, rest @ ..] => {
            Cow::Owned(rest.iter().fold(first.merge(second), |all, one| all.merge(one)))
        }
    }
}

/// The questions of a population of `tensors`, sorted if its buckets are not precise enough.
fn ask<'a>(population: Cow<'a, Population>, tensors: &[StoredValues<'_>]) -> Questions<'a> {
    let l_moments = LMoments::of(&population);
    let few = population.count() < COARSE_FROM && !population.exact;
    if few || l_moments.estimated_share() > ESTIMATED_SHARE_MAX {
        return ask_sorted(tensors);
    }
    Questions::of(population, l_moments)
}

fn ask_sorted(tensors: &[StoredValues<'_>]) -> Questions<'static> {
    let population = sorted::of(tensors);
    let l_moments = LMoments::of(&population);
    Questions::of(Cow::Owned(population), l_moments)
}

/// The answers from the `values` collected in `tensors`, which are sorted if these are spread unevenly.
fn answer(
    questions: &Questions<'_>,
    values: &[Vec<f32>],
    tensors: &[StoredValues<'_>],
) -> WeightStatistics {
    let collected = Collected::new(values, &questions.wanted);
    if collected.is_even() {
        return questions.answer(&collected);
    }
    ask_sorted(tensors).answer(&Collected::default())
}
