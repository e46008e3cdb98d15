//! The correlation without each cluster of rows in turn: what one language, or one family, does to it.

use super::clusters::Clusters;
use super::correlation::product_moment;
use super::pairs::Pairs;
use super::power::LEVEL;

/// The correlations that leave one cluster out, and what they say about r.
#[derive(Debug, Clone, PartialEq)]
pub struct Jackknife {
    /// r without each cluster; `None` where what is left has none.
    pub left_out: Vec<Option<f64>>,
    /// The summary, where every one is defined.
    pub summary: Option<Leverage>,
}

/// Statistics over the correlations that leave one of m clusters out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Leverage {
    /// Their mean r̄.
    pub mean: f64,
    /// (m−1)(r̄ − r): how much r is biased by the sample's size.
    pub bias: f64,
    /// √((m−1)/m · Σ(r₍ᵢ₎ − r̄)²), the jackknife's standard error.
    pub error: f64,
    /// ΣDᵢ³ / (6(ΣDᵢ²)^1.5), Dᵢ = r̄ − r₍ᵢ₎: the acceleration of the BCa interval; `None` where all are equal.
    pub acceleration: Option<f64>,
}

/// Leaves each cluster out in turn (science §E.5).
pub fn jackknife(pairs: &Pairs, clusters: &Clusters) -> Jackknife {
    let without = |rows: &Vec<usize>| {
        let left = pairs.without(rows).ok()?;
        Some(product_moment(&left.x, &left.y))
    };
    let left_out: Vec<Option<f64>> = clusters.members().iter().map(without).collect();
    let defined: Option<Vec<f64>> = left_out.iter().copied().collect();
    let r = product_moment(&pairs.x, &pairs.y);
    let summary = defined.filter(|defined| defined.len() > 1).map(|defined| leverage(r, &defined));
    Jackknife { left_out, summary }
}

/// The one without which a test at 5 % has another verdict, given p of all and p without each, which is 1 where the others have none; of
/// several the one that changes p most.
pub fn decisive(p: f64, without: impl Iterator<Item = Option<f64>>) -> Option<usize> {
    let without = without.map(|left| left.unwrap_or(1.0)).enumerate();
    let changes = without.filter(|(_, left)| (p <= LEVEL) != (*left <= LEVEL));
    let far = |left: f64| (left - p).abs();
    changes.max_by(|a, b| far(a.1).total_cmp(&far(b.1))).map(|(at, _)| at)
}

fn leverage(r: f64, left_out: &[f64]) -> Leverage {
    let m = left_out.len() as f64;
    let mean = left_out.iter().sum::<f64>() / m;
    let power = |exponent: i32| left_out.iter().map(|r| (mean - r).powi(exponent)).sum::<f64>();
    let acceleration = power(3) / (6.0 * power(2).powf(1.5));
    Leverage {
        mean,
        bias: (m - 1.0) * (mean - r),
        error: ((m - 1.0) / m * power(2)).sqrt(),
        acceleration: acceleration.is_finite().then_some(acceleration),
    }
}
