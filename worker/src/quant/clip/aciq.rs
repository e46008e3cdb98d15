//! ACIQ (Banner et al. 2019): the clipping value that minimises clipping and rounding error of 2^M bins over [−α, α], for weights
//! of a Gaussian or a Laplace density. Analytic: it looks at two moments, not at the weights' real error.

use std::f64::consts::{E, PI, SQRT_2};

use statrs::function::erf::erfc;

use crate::quant::Sample;
use crate::quant::sums::{Terms, sums};

/// The density that weights are taken to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Density {
    Gauss,
    Laplace,
    /// Of the two, the one under which the weights are likelier.
    Better,
}

/// What the densities are fitted by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fit {
    pub(super) mean: f64,
    /// Population standard deviation.
    sigma: f64,
    /// mean|w − mean|, the scale of a Laplace density.
    scale: f64,
}

impl Fit {
    pub(super) fn of(sample: Sample<'_>) -> Self {
        let moments = sample.moments();
        let [sum] = sums(sample, &Distance { mean: moments.mean });
        let scale = sum / sample.len().max(1) as f64;
        Self { mean: moments.mean, sigma: moments.std().unwrap_or(0.0), scale }
    }

    /// α for `bits` bits.
    pub(super) fn limit(&self, density: Density, bits: u8) -> f64 {
        match density.unwrap_or_better(self) {
            Density::Laplace => laplace(bits) * self.scale,
            Density::Gauss | Density::Better => gauss(bits) * self.sigma,
        }
    }
}

impl Density {
    /// The density itself, or that of the larger likelihood: mean log-likelihood −½·ln(2πe·σ²) against −ln(2e·b).
    pub(super) fn unwrap_or_better(self, fit: &Fit) -> Self {
        match self {
            Self::Gauss | Self::Laplace => self,
            Self::Better => {
                let gauss = -0.5 * (2.0 * PI * E * fit.sigma * fit.sigma).ln();
                let laplace = -(2.0 * E * fit.scale).ln();
                if laplace > gauss { Self::Laplace } else { Self::Gauss }
            }
        }
    }
}

/// |w − mean|.
struct Distance {
    mean: f64,
}

impl Terms<1> for Distance {
    #[inline(always)]
    fn of(&self, weight: f32) -> [f64; 1] {
        [(f64::from(weight) - self.mean).abs()]
    }
}

/// α*/b of a Laplace density: (α/b)·e^(α/b) = 3·4^M, so α*/b = W(3·4^M) with Lambert's W, by Newton's steps from ln.
pub(super) fn laplace(bits: u8) -> f64 {
    let target = 3.0 * 4_f64.powi(bits.into());
    let mut w = target.ln();
    for _ in 0..50 {
        w -= (w - target * (-w).exp()) / (1.0 + w);
    }
    w
}

/// α*/σ of a Gaussian density: the root of 4·(α·Q(α) − φ(α)) + 2α/(3·4^M), with φ the density and Q its upper tail, by halving.
pub(super) fn gauss(bits: u8) -> f64 {
    let noise = 2.0 / (3.0 * 4_f64.powi(bits.into()));
    let slope = |alpha: f64| {
        let density = (-alpha * alpha / 2.0).exp() / (2.0 * PI).sqrt();
        let tail = erfc(alpha / SQRT_2) / 2.0;
        4.0 * (alpha * tail - density) + noise * alpha
    };
    let (mut low, mut high) = (0.0, 10.0);
    for _ in 0..100 {
        let middle = (low + high) / 2.0;
        if slope(middle) < 0.0 { low = middle } else { high = middle }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::tests::heavy42::{heavy42, study};

    #[test]
    fn optima_are_those_of_the_literature() {
        let expected = [
            (1, 1.23990527098446, 1.86281686443236),
            (2, 1.71063516811404, 2.83068298937023),
            (3, 2.15159274474035, 3.8972294649451),
            (4, 2.55913646197534, 5.02864013623621),
            (5, 2.93620061210844, 6.20476633401332),
            (6, 3.28691421521376, 7.41312621384357),
            (7, 3.61511421526278, 8.64561998403442),
            (8, 3.92403548988078, 9.89675977001753),
        ];
        for (bits, over_sigma, over_scale) in expected {
            assert!((gauss(bits) - over_sigma).abs() < 1e-9, "{bits} {}", gauss(bits));
            assert!((laplace(bits) - over_scale).abs() < 1e-12, "{bits} {}", laplace(bits));
        }
    }

    /// The errors that the two optima are derived from, over σ² and b², and their least values.
    #[test]
    fn optima_are_where_the_modelled_error_is_least() {
        let noise = |alpha: f64, bits: u8| alpha * alpha / (3.0 * 4_f64.powi(bits.into()));
        let of_gauss = |alpha: f64, bits: u8| {
            let density = (2.0 / PI).sqrt() * alpha * (-alpha * alpha / 2.0).exp();
            (1.0 + alpha * alpha) * erfc(alpha / SQRT_2) - density + noise(alpha, bits)
        };
        let of_laplace = |alpha: f64, bits: u8| 2.0 * (-alpha).exp() + noise(alpha, bits);
        for (bits, least_gauss, least_laplace) in [
            (1, 0.215010434060171, 0.599643366606526),
            (2, 0.0871484826317936, 0.284877753438551),
            (3, 0.0314294440615664, 0.119702377251701),
            (4, 0.0104932541963478, 0.0460214868388518),
            (5, 0.00332259371588221, 0.0165718287525168),
            (6, 0.00101291684982822, 0.00567876730876154),
            (7, 0.000300215234614665, 0.00187251759595549),
            (8, 8.70778989704201e-5, 0.000598853421455243),
        ] {
            let check = |error: &dyn Fn(f64) -> f64, alpha: f64, least: f64| {
                assert!((error(alpha) / least - 1.0).abs() < 1e-8, "{bits} {}", error(alpha));
                assert!(error(alpha * 0.999) > least && error(alpha * 1.001) > least, "{bits}");
            };
            check(&|alpha| of_gauss(alpha, bits), gauss(bits), least_gauss);
            check(&|alpha| of_laplace(alpha, bits), laplace(bits), least_laplace);
        }
    }

    #[test]
    fn the_fit_is_the_studys() {
        let clipping = study()["clipping"].clone();
        let fit = Fit::of(Sample::of(&heavy42()));
        let near =
            |ours: f64, key: &str| (ours / clipping[key].as_f64().unwrap() - 1.0).abs() < 1e-12;
        assert!(near(fit.sigma, "sigma_pop") && near(fit.scale, "b_laplace_meanabsdev"), "{fit:?}");
    }

    #[test]
    fn the_likelier_density_is_taken() {
        // b/σ is 0.798 for a Gaussian and 0.707 for a Laplace density; both are as likely at b/σ = √(π/(2e)) = 0.760.
        let fit = |scale| Fit { mean: 0.0, sigma: 1.0, scale };
        assert_eq!(Density::Better.unwrap_or_better(&fit(0.798)), Density::Gauss);
        assert_eq!(Density::Better.unwrap_or_better(&fit(0.7603)), Density::Gauss);
        assert_eq!(Density::Better.unwrap_or_better(&fit(0.7601)), Density::Laplace);
    }
}
