//! What one result says of a cell: how much more the quantized model is surprised, over how many tokens. No interval and no group of
//! documents: those are the reduction's.

use babelquant_proto::rows::DocumentRow;

use crate::statistics::ratio;

/// Sums over documents; undefined ones are left out.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Loss {
    tokens: f64,
    delta_nll_sum: f64,
}

impl Loss {
    /// The sums over these rows.
    pub(crate) fn of(rows: &[DocumentRow]) -> Self {
        let mut loss = Self::default();
        for row in rows {
            if let Some(nll_sum) = row.nll_sum {
                loss.tokens += row.tokens as f64;
                loss.delta_nll_sum += nll_sum - row.base_nll_sum;
            }
        }
        loss
    }

    /// Adds the sums of other documents.
    pub(crate) fn merge(&mut self, other: Self) {
        self.tokens += other.tokens;
        self.delta_nll_sum += other.delta_nll_sum;
    }

    /// ΔNLL in nat per token; `None` where no token was scored.
    pub(crate) fn finish(&self) -> Option<f64> {
        ratio(self.delta_nll_sum, self.tokens)
    }
}
