//! Reads the tables `[[hypothesis]]` of a study file. What they mean stands beside.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;

use toml::Value;

use super::{Correction, Hypothesis};
use crate::statistics::Side;
use crate::study::error::StudyError;
use crate::study::section::{Known, Section};

/// Their keys.
pub(in crate::study) const KNOWN: Known = Known {
    name: "hypothesis",
    keys: &[
        "id",
        "claim",
        "alpha",
        "correction",
        "effect",
        "model",
        "scope",
        "components",
        "config",
    ],
};

const ALPHA: f64 = 0.05;
/// A correlation that is called large.
const EFFECT: f64 = 0.5;
const EXPECTED: &str = "expected tables: [[hypothesis]] with id and claim";

/// The hypotheses of a study file, in the order of their ids.
///
/// # Errors
/// One is incomplete, has a wrong value, or has the id of another.
pub(in crate::study) fn read(
    top: &mut Section<'_>,
    file: &str,
    all: &[Known],
) -> Result<Vec<Hypothesis>, StudyError> {
    let tables = match top.take::<Value>(KNOWN.name)? {
        None => return Ok(Vec::new()),
        Some(Value::Array(tables)) => tables,
        Some(value) => return Err(top.wrong(KNOWN.name, &value, EXPECTED)),
    };
    let (mut hypotheses, mut ids) = (Vec::new(), BTreeSet::new());
    for value in tables {
        let Value::Table(table) = value else {
            return Err(top.wrong(KNOWN.name, &value, EXPECTED));
        };
        let mut section = Section::new(file, KNOWN, table, all)?;
        let hypothesis = hypothesis(&mut section)?;
        if !ids.insert(hypothesis.id.clone()) {
            return Err(section.wrong(
                "id",
                &hypothesis.id,
                "two hypotheses have it: name them apart",
            ));
        }
        hypotheses.push(hypothesis);
    }
    hypotheses.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(hypotheses)
}

fn hypothesis(section: &mut Section<'_>) -> Result<Hypothesis, StudyError> {
    let id = section.take::<String>("id")?;
    let id =
        id.ok_or_else(|| section.missing("id", "a short name, such as \"kurtosis-protects\""))?;
    let is_fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if id.is_empty() || !id.chars().all(is_fine) {
        let reason = "it consists of small letters, digits, - and _";
        return Err(section.wrong("id", &format!("{id:?}"), reason));
    }
    let claim = spelling(section, "claim")?.ok_or_else(|| {
        section.missing(
            "claim",
            "what is claimed, such as \"pearson(weighted_kurtosis, delta_nll) < 0\"",
        )
    })?;
    let hypothesis = Hypothesis {
        id,
        claim,
        alpha: share(section, "alpha")?.unwrap_or(ALPHA),
        correction: spelling(section, "correction")?.unwrap_or(Correction::Holm),
        effect: share(section, "effect")?.unwrap_or(EFFECT),
        model: section.take("model")?,
        scope: spelling(section, "scope")?,
        components: spelling(section, "components")?,
        config: spelling(section, "config")?,
    };
    check_effect(section, &hypothesis)?;
    Ok(hypothesis)
}

/// One text.
fn spelling<T>(section: &mut Section<'_>, key: &str) -> Result<Option<T>, StudyError>
where
    T: FromStr<Err: Display>,
{
    let Some(text) = section.take::<String>(key)? else { return Ok(None) };
    text.parse().map(Some).map_err(|error| section.wrong(key, &format!("{text:?}"), error))
}

/// A number between 0 and 1.
fn share(section: &mut Section<'_>, key: &str) -> Result<Option<f64>, StudyError> {
    match section.take::<f64>(key)? {
        Some(share) if share > 0.0 && share < 1.0 => Ok(Some(share)),
        Some(share) => Err(section.wrong(key, &share, "it must lie between 0 and 1")),
        None => Ok(None),
    }
}

/// A correlation of the size of the effect must be one of those that are claimed, or no number of languages shows it.
fn check_effect(section: &Section<'_>, hypothesis: &Hypothesis) -> Result<(), StudyError> {
    let (bound, effect) = (hypothesis.claim.bound, hypothesis.effect);
    let expected = bound.effect(effect);
    let is_claimed = match bound.side {
        Side::Below => expected < bound.number,
        Side::Above => expected > bound.number,
        Side::Apart => true,
    };
    match is_claimed {
        true => Ok(()),
        false => {
            let reason = format!(
                "a correlation of {expected} would not fulfil {}: give the smallest effect that would",
                hypothesis.claim
            );
            Err(section.wrong("effect", &effect, reason))
        }
    }
}
