//! Distortion: how far quantization moved the weights of a matrix, and what use it made of its grids. Not what becomes of the model.

use std::borrow::Cow;

use rayon::prelude::*;

use super::matrices::by_column;
use super::range::TASK_WEIGHTS;
use super::{Groups, Quantized};
use crate::statistics::moments;

/// Groups that one task takes at least; no result depends on it.
const TASK_GROUPS: usize = 256;
/// Sums side by side; fixed, so that wider registers change nothing.
const LANES: usize = 8;

/// How far quantized weights ŵ lie from the stored weights w, in f64.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Distortion {
    /// Mean of (ŵ − w)².
    pub mse: f64,
    /// 10·log10(Σw² / Σ(ŵ − w)²); `None` where one of the sums is 0.
    pub sqnr_db: Option<f64>,
    /// Largest |ŵ − w|.
    pub max_error: f64,
    /// What the grids were used for; `None` where weights of one grid do not lie side by side, or are off it.
    pub grids: Option<GridUse>,
}

/// What the grids of a matrix were used for, in the basis in which it was rounded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GridUse {
    /// Distinct values of a group over those that its grid has (or its weights, if fewer), mean over groups.
    pub codes_used: f64,
    /// Share of weights beyond the limits of their group.
    pub clipped: f64,
    /// Mean over groups of the limit of larger magnitude, α, over the population standard deviation of the matrix, σ; `None` where σ
    /// is 0.
    pub alpha_over_sigma: Option<f64>,
}

impl Distortion {
    /// The distortion of finite weights `stored` [out, in]; `None` where there are none. Weights that are to be multiplied by divided
    /// inputs are compared after the same division.
    pub fn of(stored: &[f32], quantized: &Quantized) -> Option<Self> {
        if stored.is_empty() {
            return None;
        }
        let (mut rounded, mut used) =
            (Cow::Borrowed(stored), Cow::Borrowed(&quantized.weights[..]));
        if let Some(divisor) = &quantized.input_divisor {
            rounded = Cow::Owned(by_column(stored, divisor, |weight, divisor| weight * divisor));
            used = Cow::Owned(by_column(&used, divisor, |weight, divisor| weight / divisor));
        }
        let groups = quantized.groups.as_ref();
        let grids = groups.map(|groups| GridUse::of(&rounded, &quantized.weights, groups));
        Some(Self::between(stored, &used, grids))
    }

    fn between(stored: &[f32], used: &[f32], grids: Option<GridUse>) -> Self {
        let tasks = stored.par_chunks(TASK_WEIGHTS).zip(used.par_chunks(TASK_WEIGHTS));
        let parts: Vec<Sums> = tasks.map(|(stored, used)| Sums::of(stored, used)).collect();
        let sums = parts.into_iter().fold(Sums::default(), Sums::plus);
        let ratio = sums.power / sums.error;
        Self {
            mse: sums.error / stored.len() as f64,
            sqnr_db: (sums.power > 0.0 && sums.error > 0.0).then(|| 10.0 * ratio.log10()),
            max_error: sums.max_error,
            grids,
        }
    }
}

/// Σw², Σ(ŵ − w)² and the largest |ŵ − w|.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    power: f64,
    error: f64,
    max_error: f64,
}

impl Sums {
    fn of(stored: &[f32], used: &[f32]) -> Self {
        let mut lanes = [Self::default(); LANES];
        for (stored, used) in stored.chunks(LANES).zip(used.chunks(LANES)) {
            for ((sums, &stored), &used) in lanes.iter_mut().zip(stored).zip(used) {
                let (weight, error) = (f64::from(stored), f64::from(used) - f64::from(stored));
                sums.power += weight * weight;
                sums.error += error * error;
                sums.max_error = sums.max_error.max(error.abs());
            }
        }
        lanes.into_iter().fold(Self::default(), Self::plus)
    }

    fn plus(self, other: Self) -> Self {
        Self {
            power: self.power + other.power,
            error: self.error + other.error,
            max_error: self.max_error.max(other.max_error),
        }
    }
}

impl GridUse {
    /// Of weights as they were before and after rounding.
    fn of(before: &[f32], after: &[f32], groups: &Groups) -> Self {
        let of_group = |(index, limits): (usize, &[f32; 2])| {
            let end = before.len().min((index + 1) * groups.length);
            let place = index * groups.length..end;
            Use::of(&before[place.clone()], &after[place], *limits)
        };
        let each = groups.limits.par_iter().enumerate().with_min_len(TASK_GROUPS).map(of_group);
        let each: Vec<Use> = each.collect();
        let count = groups.limits.len() as f64;
        let share = |used: &Use| {
            let most = used.weights.min(groups.codes as usize).max(1);
            used.values.len() as f64 / most as f64
        };
        let alpha = |[low, high]: &[f32; 2]| f64::from(low.abs().max(high.abs()));
        let mean_alpha = groups.limits.iter().map(alpha).sum::<f64>() / count;
        let sigma = moments::of(before).std().filter(|&sigma| sigma > 0.0);
        Self {
            codes_used: each.iter().map(share).sum::<f64>() / count,
            clipped: each.iter().map(|used| used.clipped).sum::<u64>() as f64 / before.len() as f64,
            alpha_over_sigma: sigma.map(|sigma| mean_alpha / sigma),
        }
    }
}

/// What one group made of its grid.
#[derive(Debug, Clone, Default)]
struct Use {
    weights: usize,
    clipped: u64,
    /// Distinct values, by their bits, ascending.
    values: Vec<u32>,
}

impl Use {
    /// A group is read in parallel where it is long.
    fn of(before: &[f32], after: &[f32], limits: [f32; 2]) -> Self {
        if before.len() <= TASK_WEIGHTS {
            return Self::of_run(before, after, limits);
        }
        let tasks = before.par_chunks(TASK_WEIGHTS).zip(after.par_chunks(TASK_WEIGHTS));
        tasks
            .map(|(before, after)| Self::of_run(before, after, limits))
            .reduce(Self::default, Self::merge)
    }

    fn of_run(before: &[f32], after: &[f32], [low, high]: [f32; 2]) -> Self {
        let clipped = before.iter().filter(|&&weight| weight < low || weight > high).count() as u64;
        let mut values = Vec::new();
        let mut last = None;
        for value in after {
            // Both zeros are one value.
            let bits = (value + 0.0).to_bits();
            if last.replace(bits) == Some(bits) {
                continue;
            }
            if let Err(place) = values.binary_search(&bits) {
                values.insert(place, bits);
            }
        }
        Self { weights: before.len(), clipped, values }
    }

    fn merge(mut self, other: Self) -> Self {
        self.values.extend(other.values);
        self.values.sort_unstable();
        self.values.dedup();
        let (weights, clipped) = (self.weights + other.weights, self.clipped + other.clipped);
        Self { weights, clipped, values: self.values }
    }
}
