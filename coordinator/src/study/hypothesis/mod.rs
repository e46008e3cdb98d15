//! Hypotheses: what a study claims before it measures. They are registered when a run begins and cannot change afterwards. Not how they are
//! judged (`reduce`).

mod claim;
mod family;
mod prospect;
mod section;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use babelquant_proto::quant::QuantConfig;
use babelquant_proto::{Components, Layers};
use serde::{Deserialize, Serialize};

pub use claim::{Claim, ClaimError, Statistic};
pub use family::{Families, Tested};
pub use prospect::prospects;
pub(super) use section::{KNOWN, read};

use super::Predictor;

/// A claim, what it is about, and by which test it is judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hypothesis {
    /// Its name, unique in the study.
    pub id: String,
    /// What is claimed.
    pub claim: Claim,
    /// The largest corrected p that supports it.
    pub alpha: f64,
    /// How p is corrected for the other hypotheses.
    pub correction: Correction,
    /// The smallest |correlation| that would matter: less than 80 % power to see it is too little data.
    pub effect: f64,
    /// The model; every one where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Which layers are quantized; every scope of the study where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Layers>,
    /// Which tensors of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub components: Option<Components>,
    /// How they are quantized.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<QuantConfig>,
}

/// How the p values of hypotheses that are judged together are corrected for their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Correction {
    /// Holm's: bounds the probability of any false one among those supported.
    Holm,
    /// Benjamini and Hochberg's: bounds the expected share of false ones among those supported.
    Bh,
    /// None: every test stands alone.
    None,
}

impl Correction {
    const ALL: [Self; 3] = [Self::Holm, Self::Bh, Self::None];

    /// Its only spelling.
    pub fn name(self) -> &'static str {
        match self {
            Self::Holm => "holm",
            Self::Bh => "bh",
            Self::None => "none",
        }
    }

    /// The level that p must reach in a family of so many tests if no other does.
    pub fn level(self, alpha: f64, tests: usize) -> f64 {
        match self {
            Self::Holm | Self::Bh => alpha / tests.max(1) as f64,
            Self::None => alpha,
        }
    }

    /// The same as it came about: `0.05 / 3`.
    pub fn level_in_words(self, alpha: f64, tests: usize) -> String {
        match self {
            Self::Holm | Self::Bh if tests > 1 => format!("{alpha} / {tests}"),
            Self::Holm | Self::Bh | Self::None => alpha.to_string(),
        }
    }
}

impl fmt::Display for Correction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Correction {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|correction| correction.name() == text);
        found.ok_or("expected holm, bh or none")
    }
}

/// What a run is held to: its hypotheses, and the part of the analysis that changes what their words mean.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Registration {
    /// In the order of their ids.
    pub hypotheses: Vec<Hypothesis>,
    /// How many layers the predictors `outlier_share_…` sum over.
    pub outlier_layers: u32,
}

impl Registration {
    /// True where nothing is claimed.
    pub fn is_empty(&self) -> bool {
        self.hypotheses.is_empty()
    }

    /// The first place where another registration claims something else; `None` where both claim the same.
    pub fn difference(&self, other: &Self) -> Option<String> {
        let find = |all: &[Hypothesis], id: &str| all.iter().find(|known| known.id == id).cloned();
        let gone =
            self.hypotheses.iter().find(|known| find(&other.hypotheses, &known.id).is_none());
        if let Some(Hypothesis { id, claim, .. }) = gone {
            return Some(format!("{id}, {claim}, is registered and missing here"));
        }
        for here in &other.hypotheses {
            let Some(there) = find(&self.hypotheses, &here.id) else {
                return Some(format!("{}, {}, was not registered", here.id, here.claim));
            };
            if let Some(difference) = there.difference(here) {
                return Some(difference);
            }
        }
        self.other_layers(other)
    }

    /// Whether outlier shares, which a hypothesis names, are over other layers than registered.
    fn other_layers(&self, other: &Self) -> Option<String> {
        let layers = [self, other].map(|registration| registration.outlier_layers);
        let about = self.hypotheses.iter().find(|known| known.counts_outlier_layers())?;
        let [there, here] = layers;
        (there != here).then(|| {
            format!("{} speaks of analysis.outlier_layers = {there}, here {here}", about.id)
        })
    }
}

impl Hypothesis {
    fn counts_outlier_layers(&self) -> bool {
        let predictor = self.claim.predictor;
        matches!(predictor, Predictor::OutlierShareBlockOut | Predictor::OutlierShareMlpOut)
    }

    /// The first key of which another hypothesis of the same id has another value.
    fn difference(&self, here: &Self) -> Option<String> {
        let (there, here) = (self.spelled(), here.spelled());
        let mut pairs = there.into_iter().zip(here);
        pairs.find(|((_, there), (_, here))| there != here).map(|((key, there), (_, here))| {
            format!("{key} of {} is {there} in the run, {here} here", self.id)
        })
    }

    /// Its keys but for the id.
    fn spelled(&self) -> [(&'static str, String); 8] {
        fn text<T: ToString>(value: Option<&T>) -> String {
            value.map_or_else(|| "any".to_owned(), T::to_string)
        }
        [
            ("claim", self.claim.to_string()),
            ("alpha", self.alpha.to_string()),
            ("correction", self.correction.to_string()),
            ("effect", self.effect.to_string()),
            ("model", text(self.model.as_ref())),
            ("scope", text(self.scope.as_ref())),
            ("components", text(self.components.as_ref())),
            ("config", text(self.config.as_ref())),
        ]
    }
}
