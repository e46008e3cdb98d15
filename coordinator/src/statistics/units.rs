//! What a bootstrap of r resamples: units of rows, as the sums that a correlation is made of. Not which units a resample takes.

use super::clusters::Clusters;
use super::pairs::{Pairs, standardised};

/// How near to r, or to 0, a resample counts as equal to it: rounding, not chance.
pub(super) const EQUAL: f64 = 1e-12;

/// n, Σx, Σy, Σx², Σy², Σxy over rows.
pub(super) type Sums = [f64; 6];

/// A row, or a cluster of rows that are resampled together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unit {
    /// Sums over its rows, both columns standardised.
    pub(super) sums: Sums,
    /// A bit for the one value of x that all its rows have; no bit where they differ.
    pub(super) x_value: u32,
    /// The same of y.
    pub(super) y_value: u32,
}

/// The units of some rows. Their bits are told apart up to 32 of them.
pub(super) fn units(pairs: &Pairs, clusters: &Clusters) -> Vec<Unit> {
    let (x, y) = (standardised(&pairs.x), standardised(&pairs.y));
    let (x_values, y_values) = (bits(&pairs.x, clusters), bits(&pairs.y, clusters));
    let sums = |rows: &Vec<usize>| {
        rows.iter().fold([0.0; 6], |[n, sx, sy, sxx, syy, sxy], &row| {
            let (x, y) = (x[row], y[row]);
            [n + 1.0, sx + x, sy + y, sxx + x * x, syy + y * y, sxy + x * y]
        })
    };
    let values = x_values.into_iter().zip(y_values);
    let unit = |(rows, (x_value, y_value))| Unit { sums: sums(rows), x_value, y_value };
    clusters.members().iter().zip(values).map(unit).collect()
}

/// For each cluster a bit that it shares with the clusters of the same constant value.
fn bits(column: &[f64], clusters: &Clusters) -> Vec<u32> {
    let constant = |rows: &Vec<usize>| {
        let first = column[*rows.first()?];
        rows.iter().all(|&row| column[row] == first).then_some(first)
    };
    let constants: Vec<Option<f64>> = clusters.members().iter().map(constant).collect();
    let bit = |value: &Option<f64>| {
        let position = constants.iter().position(|other| value.is_some() && other == value);
        position.map_or(0, |position| 1_u32.checked_shl(position as u32).unwrap_or(0))
    };
    constants.iter().map(bit).collect()
}

/// r of rows with these sums; a little beyond ±1, or no number, where rounding takes it there.
#[inline(always)]
pub(super) fn correlation([n, x, y, xx, yy, xy]: Sums) -> f64 {
    (n * xy - x * y) / ((n * xx - x * x) * (n * yy - y * y)).sqrt()
}
