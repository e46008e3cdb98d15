//! The score of one position, accumulated over tiles of the vocabulary, so that full logits never exist. Not the tiles
//! themselves (`tile`) and not the matmul that makes them (`head`).

/// What a model says at one position: enough for its NLL and its first choice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Position {
    /// The token that really stands next.
    pub(super) target: u32,
    /// The largest logit so far.
    pub(super) max: f32,
    /// Σ e^(logit − max) so far.
    pub(super) sum: f64,
    /// The target's logit, once its tile was seen.
    pub(super) target_logit: f32,
    /// The first vocabulary entry with the largest logit.
    pub(super) top: u32,
}

/// What a tile of logits says about one position.
#[derive(Debug, Clone, Copy)]
pub(super) struct TilePart {
    /// The tile's largest logit.
    pub(super) max: f32,
    /// Its first column with that logit.
    pub(super) top: u32,
    /// The target's logit, if the tile holds it.
    pub(super) target_logit: Option<f32>,
}

impl Position {
    /// Nothing seen yet.
    pub(super) fn new(target: u32) -> Self {
        let (max, target_logit) = (f32::NEG_INFINITY, f32::NAN);
        Self { target, max, sum: 0.0, target_logit, top: 0 }
    }

    /// Takes in a tile's maximum and target; returns the factor by which sums relative to the old maximum shrink.
    pub(super) fn raise(&mut self, part: TilePart) -> f64 {
        if let Some(logit) = part.target_logit {
            self.target_logit = logit;
        }
        if part.max > self.max {
            let shrink = (f64::from(self.max) - f64::from(part.max)).exp();
            self.sum *= shrink;
            (self.max, self.top) = (part.max, part.top);
            return shrink;
        }
        1.0
    }

    /// ln Σ e^logit, nat.
    pub(super) fn log_sum(&self) -> f64 {
        f64::from(self.max) + self.sum.ln()
    }

    /// −ln p(target), nat; not finite where a logit was not.
    pub(super) fn nll(&self) -> f64 {
        self.log_sum() - f64::from(self.target_logit)
    }
}

/// KL(base ‖ other) of one position, accumulated over the same tiles.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Divergence {
    /// Σ e^(base logit − base max)·(base logit − other logit) so far.
    pub(super) cross: f64,
}

impl Divergence {
    /// Σ p·(ln p − ln q) = Σ p·(b − c) − ln Σ e^b + ln Σ e^c, nat; exactly 0 where both models agree to the last bit.
    pub(super) fn kl(&self, base: &Position, other: &Position) -> f64 {
        self.cross / base.sum - base.log_sum() + other.log_sum()
    }
}
