//! Pairs of numbers whose correlation is defined, and what can be made of them. No statistic of them stands here.

use std::fmt;

/// Why a correlation of two columns is undefined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undefined {
    /// Fewer than three pairs.
    TooFew(usize),
    /// Every value of the first column is the same.
    ConstantX,
    /// Every value of the second column is the same.
    ConstantY,
}

impl fmt::Display for Undefined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFew(n) => write!(f, "{n} languages: a correlation needs 3"),
            Self::ConstantX => f.write_str("the predictor is constant"),
            Self::ConstantY => f.write_str("the outcome is constant"),
        }
    }
}

/// Pairs whose correlation is defined: at least three, neither column constant, every number finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Pairs {
    /// First column.
    pub(super) x: Vec<f64>,
    /// Second column.
    pub(super) y: Vec<f64>,
}

impl Pairs {
    /// The pairs, if every correlation of them is defined.
    ///
    /// # Errors
    /// There are too few of them or a column is constant.
    pub fn new(pairs: &[(f64, f64)]) -> Result<Self, Undefined> {
        let (x, y) = pairs.iter().copied().unzip();
        Self::of_columns(x, y)
    }

    fn of_columns(x: Vec<f64>, y: Vec<f64>) -> Result<Self, Undefined> {
        debug_assert!(x.iter().chain(&y).all(|value| value.is_finite()), "a pair is not finite");
        match x.len() {
            n @ 0..3 => Err(Undefined::TooFew(n)),
            _ if constant(&x) => Err(Undefined::ConstantX),
            _ if constant(&y) => Err(Undefined::ConstantY),
            _ => Ok(Self { x, y }),
        }
    }

    /// How many pairs.
    pub fn count(&self) -> usize {
        self.x.len()
    }

    /// The first column.
    pub fn x(&self) -> &[f64] {
        &self.x
    }

    /// The second column.
    pub fn y(&self) -> &[f64] {
        &self.y
    }

    /// The midranks of both columns, whose Pearson correlation is Spearman's.
    #[must_use]
    pub fn ranks(&self) -> Self {
        Self { x: midranks(&self.x), y: midranks(&self.y) }
    }

    /// The pairs without those at these positions.
    ///
    /// # Errors
    /// What is left has no correlation.
    pub fn without(&self, positions: &[usize]) -> Result<Self, Undefined> {
        let kept = |values: &[f64]| {
            let values = values.iter().enumerate();
            values.filter(|(at, _)| !positions.contains(at)).map(|(_, value)| *value).collect()
        };
        Self::of_columns(kept(&self.x), kept(&self.y))
    }
}

/// True where every value is the same.
pub(super) fn constant(values: &[f64]) -> bool {
    values.iter().all(|value| *value == values[0])
}

/// The Euclidean norm.
pub(super) fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// A column as its mean and what is left of it: `norm` times `standardised`, whose Euclidean norm is 1.
#[derive(Debug)]
pub(super) struct Centred {
    pub(super) mean: f64,
    pub(super) norm: f64,
    pub(super) standardised: Vec<f64>,
}

impl Centred {
    /// Deviations are scaled by the largest before they are squared, so that neither tiny nor huge columns leave the range of f64. The
    /// column is not constant.
    pub(super) fn of(values: &[f64]) -> Self {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let deviations: Vec<f64> = values.iter().map(|value| value - mean).collect();
        let largest = deviations.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
        let scaled: Vec<f64> = deviations.iter().map(|deviation| deviation / largest).collect();
        let norm = norm(&scaled);
        let standardised = scaled.iter().map(|value| value / norm).collect();
        Self { mean, norm: largest * norm, standardised }
    }
}

/// Deviations from the mean, divided by their Euclidean norm. The column is not constant.
pub(super) fn standardised(values: &[f64]) -> Vec<f64> {
    Centred::of(values).standardised
}

/// z scores: deviations from the mean in population standard deviations; `None` where every value is the same.
pub fn z_scores(values: &[f64]) -> Option<Vec<f64>> {
    let root = (values.len() as f64).sqrt();
    let scores = || standardised(values).into_iter().map(|value| root * value).collect();
    (!constant(values)).then(scores)
}

/// Ranks from 1; tied values share the mean of their ranks.
fn midranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for tied in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = first as f64 + (tied.len() as f64 + 1.0) / 2.0;
        tied.iter().for_each(|&index| ranks[index] = rank);
        first += tied.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undefined_says_why() {
        let check = |pairs: &[(f64, f64)]| Pairs::new(pairs).err().map(|why| why.to_string());
        assert_eq!(check(&[(1.0, 2.0), (2.0, 3.0)]).unwrap(), "2 languages: a correlation needs 3");
        assert_eq!(
            check(&[(0.1, 2.0), (0.1, 3.0), (0.1, 4.0)]).unwrap(),
            "the predictor is constant"
        );
        assert_eq!(
            check(&[(1.0, 0.1), (2.0, 0.1), (3.0, 0.1)]).unwrap(),
            "the outcome is constant"
        );
        assert_eq!(check(&[(1.0, 1.0), (2.0, 1.0), (3.0, 2.0)]), None);
    }

    #[test]
    fn ranks_and_what_is_left() {
        let pairs = Pairs::new(&[(5.0, 1.0), (2.0, 1.0), (5.0, 0.0), (7.0, 3.0)]).unwrap();
        let ranks = pairs.ranks();
        assert_eq!((ranks.x(), ranks.y()), (&[2.5, 1.0, 2.5, 4.0][..], &[2.5, 2.5, 1.0, 4.0][..]));
        assert_eq!(z_scores(&[3.0, 1.0, 3.0, 1.0]).unwrap(), [1.0, -1.0, 1.0, -1.0]);
        assert_eq!((z_scores(&[0.1, 0.1]), z_scores(&[])), (None, None));
        assert_eq!(pairs.without(&[1]).unwrap().x(), [5.0, 5.0, 7.0]);
        assert_eq!(pairs.without(&[0, 3]), Err(Undefined::TooFew(2)));
        assert_eq!(pairs.without(&[2, 3, 0]), Err(Undefined::TooFew(1)));
    }
}
