//! Reads the section `[analysis]` of a study file. What it means stands in `analysis`.

use std::fs;
use std::path::Path;

use toml::Value;

use super::Analysis;
use super::error::StudyError;
use super::file::set;
use super::section::{Known, Section};
use crate::covariates::{Covariates, CovariatesError};

/// Its keys.
pub(super) const KNOWN: Known = Known {
    name: "analysis",
    keys: &[
        "bootstrap_draws",
        "confidence",
        "seed",
        "predictors",
        "outcomes",
        "outlier_layers",
        "margin",
        "covariates",
        "resource",
    ],
};

/// The analysis of a study file whose sections are `all`; a relative path in it is relative to `folder`.
///
/// # Errors
/// A value is wrong, or the file of covariates unreadable.
pub(super) fn read(
    top: &mut Section<'_>,
    all: &[Known],
    folder: &Path,
) -> Result<Analysis, StudyError> {
    let mut section = top.section(KNOWN, all)?;
    let mut analysis = Analysis::default();
    set(&mut analysis.bootstrap_draws, section.positive("bootstrap_draws")?);
    set(&mut analysis.confidence, section.take("confidence")?);
    set(&mut analysis.seed, section.take("seed")?);
    set(&mut analysis.predictors, section.take("predictors")?);
    set(&mut analysis.outcomes, section.take("outcomes")?);
    set(&mut analysis.outlier_layers, section.positive("outlier_layers")?);
    set(&mut analysis.margin, section.take("margin")?);
    for (key, share) in [("confidence", analysis.confidence), ("margin", analysis.margin)] {
        let is_share = share > 0.0 && share < 1.0;
        if !is_share {
            return Err(section.wrong(key, &share, "it must lie between 0 and 1"));
        }
    }
    set(&mut analysis.covariates, covariates(&mut section, folder)?);
    set(&mut analysis.resource, section.take("resource")?);
    let columns = analysis.covariates.volume_columns();
    if !columns.contains(&analysis.resource.as_str()) {
        let known = format!("known are {}", columns.join(", "));
        return Err(section.wrong("resource", &analysis.resource, known));
    }
    Ok(analysis)
}

/// A file of covariates, or the table itself: the study that an output keeps needs no file.
fn covariates(section: &mut Section<'_>, folder: &Path) -> Result<Option<Covariates>, StudyError> {
    let path = match section.take::<Value>("covariates")? {
        None => return Ok(None),
        Some(Value::String(path)) => folder.join(path),
        Some(value) => {
            let table = value.clone().try_into().map(Some);
            let wrong =
                |error: toml::de::Error| section.wrong("covariates", &value, error.message());
            return table.map_err(wrong);
        }
    };
    let text = fs::read_to_string(&path);
    let text = text.map_err(|source| StudyError::Read { path: path.clone(), source })?;
    let wrong = |error: CovariatesError| section.wrong("covariates", &path.display(), error);
    Covariates::parse(&text).map(Some).map_err(wrong)
}
