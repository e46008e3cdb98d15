//! Clipping rules of uniform grids and their spelling. Not their computation.

use std::fmt;

use super::Decimal;
use super::words::Words;

/// Where a uniform grid ends; per group of weights that share a scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Clip {
    /// At the largest magnitude of the group: nothing is clipped. Spelled by absence.
    AbsMax,
    /// At k population standard deviations of the group, or at its largest magnitude if that is smaller: `sigma3.5`.
    Sigma(Decimal),
    /// At the p % quantile (type 7) of |w|: `percentile99.9`.
    Percentile(Decimal),
    /// At Banner et al.'s optimum for a Gaussian: `aciq-gauss`.
    AciqGauss,
    /// At Banner et al.'s optimum for a Laplace distribution: `aciq-laplace`.
    AciqLaplace,
    /// At the optimum of the better-fitting of the two: `aciq-auto`.
    AciqAuto,
    /// At the fixed point of Sakr et al.: `octav`.
    Octav,
    /// At the shrunk range of least square error: `mse`.
    Mse,
}

impl Clip {
    /// The rules without a number, by name.
    const NAMED: [(Self, &'static str); 5] = [
        (Self::AciqGauss, "aciq-gauss"),
        (Self::AciqLaplace, "aciq-laplace"),
        (Self::AciqAuto, "aciq-auto"),
        (Self::Octav, "octav"),
        (Self::Mse, "mse"),
    ];

    /// Its name in tables: as configs spell it, and `absmax`.
    pub fn name(self) -> String {
        match self {
            Self::AbsMax => "absmax".to_owned(),
            Self::Sigma(_)
            | Self::Percentile(_)
            | Self::AciqGauss
            | Self::AciqLaplace
            | Self::AciqAuto
            | Self::Octav
            | Self::Mse => self.to_string().trim_start_matches('-').to_owned(),
        }
    }

    /// The rule that stands next; absmax where none does.
    pub(super) fn parse(words: &mut Words<'_>) -> Self {
        if let Some((clip, _)) = Self::NAMED.into_iter().find(|(_, name)| words.take(name)) {
            return clip;
        }
        if let Some(multiple) = words.take_after("sigma") {
            return Self::Sigma(multiple);
        }
        let mut after = *words;
        match after.take_after::<Decimal>("percentile").filter(|share| share.value() <= 100.0) {
            Some(share) => {
                *words = after;
                Self::Percentile(share)
            }
            None => Self::AbsMax,
        }
    }
}

impl fmt::Display for Clip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AbsMax => Ok(()),
            Self::Sigma(multiple) => write!(f, "-sigma{multiple}"),
            Self::Percentile(share) => write!(f, "-percentile{share}"),
            Self::AciqGauss | Self::AciqLaplace | Self::AciqAuto | Self::Octav | Self::Mse => {
                let mut named = Self::NAMED.into_iter().filter(|(clip, _)| clip == self);
                named.try_for_each(|(_, name)| write!(f, "-{name}"))
            }
        }
    }
}
