//! The tests that a study's hypotheses stand for, known before anything is measured, and the families in which they are corrected. Not the
//! corrections (`statistics`).

use std::collections::BTreeSet;

use babelquant_proto::quant::QuantConfig;
use babelquant_proto::{Scope, Spec};

use super::{Correction, Hypothesis};
use crate::study::Outcome;
use crate::study::error::StudyError;

/// A hypothesis at one model, scope and config.
#[derive(Debug, Clone, PartialEq)]
pub struct Tested {
    /// The hypothesis.
    pub hypothesis: Hypothesis,
    /// The model.
    pub model: String,
    /// Which layers and components are quantized.
    pub scope: Scope,
    /// How.
    pub config: QuantConfig,
}

/// Every test of a study, in the order of the hypotheses and of the cells.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Families(pub Vec<Tested>);

impl Families {
    /// The tests of `hypotheses` on what `spec` measures. Configs that quantize nothing are none.
    ///
    /// # Errors
    /// A hypothesis names something that is not measured.
    pub fn of(hypotheses: &[Hypothesis], spec: &Spec) -> Result<Self, StudyError> {
        let mut tests = Vec::new();
        for hypothesis in hypotheses {
            let found = tests_of(hypothesis, spec);
            if found.is_empty() {
                return Err(not_measured(hypothesis, spec));
            }
            if hypothesis.claim.outcome == Outcome::Kl && !spec.metrics.kl {
                return Err(wrong(
                    hypothesis,
                    ("claim", hypothesis.claim.to_string()),
                    "kl is not measured: add it to metrics".to_owned(),
                ));
            }
            tests.extend(found);
        }
        Ok(Self(tests))
    }

    /// The positions of the tests that share a correction; of none each alone.
    pub fn members(&self) -> Vec<Vec<usize>> {
        let position = |correction: Correction| {
            let tests = self.0.iter().enumerate();
            tests
                .filter(move |(_, test)| test.hypothesis.correction == correction)
                .map(|(at, _)| at)
                .collect::<Vec<_>>()
        };
        let alone = position(Correction::None).into_iter().map(|at| vec![at]);
        let families = [Correction::Holm, Correction::Bh].map(position).into_iter().chain(alone);
        families.filter(|members| !members.is_empty()).collect()
    }

    /// How many tests are corrected together with this hypothesis's.
    pub fn size(&self, hypothesis: &Hypothesis) -> usize {
        match hypothesis.correction {
            Correction::None => 1,
            Correction::Holm | Correction::Bh => self.together(hypothesis).count(),
        }
    }

    /// The ids of the hypotheses whose tests are corrected together with this one's.
    pub fn ids(&self, hypothesis: &Hypothesis) -> Vec<&str> {
        let ids: BTreeSet<&str> =
            self.together(hypothesis).map(|test| test.hypothesis.id.as_str()).collect();
        ids.into_iter().collect()
    }

    /// The tests of the hypotheses that are corrected together with this one; without a correction its own.
    fn together(&self, hypothesis: &Hypothesis) -> impl Iterator<Item = &Tested> {
        self.0.iter().filter(move |test| match hypothesis.correction {
            Correction::None => test.hypothesis.id == hypothesis.id,
            correction => test.hypothesis.correction == correction,
        })
    }
}

fn tests_of(hypothesis: &Hypothesis, spec: &Spec) -> Vec<Tested> {
    let mut tests = Vec::new();
    for part in spec.models.iter().filter(|part| fits(hypothesis.model.as_ref(), &part.model.name))
    {
        for (scope, config) in &part.cells {
            let is_asked = !config.is_identity()
                && fits(hypothesis.scope.as_ref(), &scope.layers)
                && fits(hypothesis.components.as_ref(), &scope.components)
                && fits(hypothesis.config.as_ref(), config);
            if is_asked {
                tests.push(Tested {
                    hypothesis: hypothesis.clone(),
                    model: part.model.name.clone(),
                    scope: scope.clone(),
                    config: config.clone(),
                });
            }
        }
    }
    tests
}

fn fits<T: PartialEq>(asked: Option<&T>, measured: &T) -> bool {
    asked.is_none_or(|asked| asked == measured)
}

/// The error about the first key that fits nothing, or about all of them together.
fn not_measured(hypothesis: &Hypothesis, spec: &Spec) -> StudyError {
    let cells = || spec.models.iter().flat_map(|part| &part.cells);
    let cells = || cells().filter(|(_, config)| !config.is_identity());
    let models = spec.models.iter().map(|part| part.model.name.clone()).collect();
    let scopes = cells().map(|(scope, _)| scope.layers.to_string()).collect();
    let components = cells().map(|(scope, _)| scope.components.to_string()).collect();
    let configs = cells().map(|(_, config)| config.to_string()).collect();
    let asked: [(&'static str, Option<String>, BTreeSet<String>); 4] = [
        ("model", hypothesis.model.clone(), models),
        ("scope", hypothesis.scope.as_ref().map(ToString::to_string), scopes),
        ("components", hypothesis.components.as_ref().map(ToString::to_string), components),
        ("config", hypothesis.config.as_ref().map(ToString::to_string), configs),
    ];
    for (key, asked, measured) in asked {
        let Some(asked) = asked else { continue };
        if !measured.contains(&asked) {
            return wrong(
                hypothesis,
                (key, asked),
                format!("the study measures {}", listed(measured)),
            );
        }
    }
    let reason = "no model of the study has such a scope with such a config".to_owned();
    wrong(hypothesis, ("claim", hypothesis.claim.to_string()), reason)
}

fn wrong(
    hypothesis: &Hypothesis,
    (key, value): (&'static str, String),
    reason: String,
) -> StudyError {
    StudyError::Hypothesis { id: hypothesis.id.clone(), key, value, reason }
}

/// The first of them.
fn listed(names: BTreeSet<String>) -> String {
    const SHOWN: usize = 12;
    let more = names.len().saturating_sub(SHOWN);
    let shown = names.into_iter().take(SHOWN).collect::<Vec<_>>().join(", ");
    match more {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
