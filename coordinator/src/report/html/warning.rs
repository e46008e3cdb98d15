//! What a reader should know before believing a number, each with what to do about it. Not failures of the run.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::super::Provenance;
use super::super::floor::Floors;
use super::super::number::{fixed, p};
use super::super::sensitivity::{is_none, label};
use super::language::full;
use super::question::Question;
use super::shown::{Shown, name};
use crate::statistics::{AIM, LEVEL};

/// Fewer languages than this see only very large correlations.
const LANGUAGES_FEW: u64 = 30;
/// Fewer groups than this make a bootstrap interval too short.
const GROUPS_FEW: u64 = 20;
/// Items that a warning lists before it counts the rest.
const LISTED: usize = 5;

/// A warning.
#[derive(Debug, Clone, PartialEq)]
enum Warning {
    /// Too few languages for a correlation over them.
    FewLanguages { n: u64, detectable: f64 },
    /// Too few groups of documents for an interval.
    FewGroups { language: String, groups: u64 },
    /// Degradations that may be none.
    IncludesZero { config: String, languages: usize, of: usize },
    /// One language makes the correlation, or hides it.
    OneLanguage { config: String, language: String, r: f64, p: f64, p_with: f64 },
    /// As many tests as there are will find something.
    ManyTests { tests: usize, below: usize },
    /// Configs that do not fit.
    Unsupported { configs: Vec<String> },
    /// Units that were given up.
    Quarantined { units: Vec<String> },
    /// Cells without a number.
    Missing { cells: usize, reasons: Vec<String> },
    /// Numbers that the dtype may have made.
    BelowFloor { cells: usize, of: usize },
    /// The identity changed something.
    Identity { cells: usize },
}

/// The warnings of a model; nothing where there are none.
pub(super) fn markup(shown: &Shown<'_>, provenance: &Provenance) -> Markup {
    let warnings = warnings(shown, provenance);
    html! {
        @if !warnings.is_empty() {
            aside.warnings {
                h3 { "Before you believe it" }
                ul { @for warning in &warnings { li { b { (warning.what()) } " " (warning.advice()) } } }
            }
        }
    }
}

fn warnings(shown: &Shown<'_>, provenance: &Provenance) -> Vec<Warning> {
    let mut warnings = Vec::new();
    warnings.extend(identity(shown));
    if !provenance.quarantined.is_empty() {
        warnings.push(Warning::Quarantined { units: provenance.quarantined.clone() });
    }
    warnings.extend(missing(shown));
    warnings.extend(few_languages(shown));
    warnings.extend(few_groups(shown));
    warnings.extend(includes_zero(shown));
    warnings.extend(one_language(shown));
    warnings.extend(many_tests(shown));
    warnings.extend(unsupported(shown));
    warnings.extend(below_floor(shown));
    warnings
}

fn few_languages(shown: &Shown<'_>) -> Option<Warning> {
    let rows = shown.view.summary.correlations.iter().filter(|row| row.model == shown.view.model);
    let n = rows.map(|row| row.n).max().filter(|n| *n < LANGUAGES_FEW)?;
    let detectable = AIM.detectable_r(usize::try_from(n).ok()?)?;
    Some(Warning::FewLanguages { n, detectable })
}

fn few_groups(shown: &Shown<'_>) -> Option<Warning> {
    let rows = shown.view.summary.languages.iter().filter(|row| row.model == shown.view.model);
    let fewest = rows.min_by_key(|row| row.groups).filter(|row| row.groups < GROUPS_FEW)?;
    Some(Warning::FewGroups { language: fewest.language.clone(), groups: fewest.groups })
}

/// Of the configs drawn the one with the most languages whose interval includes 0.
fn includes_zero(shown: &Shown<'_>) -> Option<Warning> {
    let of = |config| {
        let rows = shown.all_layers(config);
        let ends = rows.iter().filter_map(|row| row.delta_nll_low.zip(row.delta_nll_high));
        let languages = ends.filter(|(low, high)| *low <= 0.0 && *high >= 0.0).count();
        Warning::IncludesZero { config: name(config), languages, of: rows.len() }
    };
    let count = |warning: &Warning| match warning {
        Warning::IncludesZero { languages, .. } => *languages,
        _ => 0,
    };
    let most = shown.configs.iter().map(|&config| of(config)).max_by_key(count);
    most.filter(|warning| count(warning) > 0)
}

/// Of the configs drawn the one in which one language's absence moves p furthest across the level.
fn one_language(shown: &Shown<'_>) -> Option<Warning> {
    let confidence = shown.view.summary.analysis.confidence;
    let of = |&config| {
        let question = Question::of(shown, config)?;
        let (carrier, p_with) = (question.carrier(confidence)?, question.row.pearson_p?);
        let (language, config) = (carrier.language.to_owned(), name(config));
        Some((
            (carrier.p - p_with).abs(),
            Warning::OneLanguage { config, language, r: carrier.r, p: carrier.p, p_with },
        ))
    };
    let found = shown.configs.iter().filter_map(of).max_by(|a, b| a.0.total_cmp(&b.0));
    found.map(|(_, warning)| warning)
}

fn many_tests(shown: &Shown<'_>) -> Option<Warning> {
    let rows = shown.view.summary.correlations.iter().filter(|row| row.model == shown.view.model);
    let found: Vec<f64> = rows.filter_map(|row| row.pearson_p).collect();
    let below = found.iter().filter(|p| **p < LEVEL).count();
    (found.len() >= 20).then_some(Warning::ManyTests { tests: found.len(), below })
}

fn unsupported(shown: &Shown<'_>) -> Option<Warning> {
    let cells = shown.view.all_cells();
    let found: BTreeMap<String, &str> = cells
        .filter_map(|row| Some((label(&row.components, &row.config), row.unsupported()?)))
        .collect();
    let configs: Vec<String> =
        found.into_iter().map(|(config, why)| format!("{config}: {why}")).collect();
    (!configs.is_empty()).then_some(Warning::Unsupported { configs })
}

fn missing(shown: &Shown<'_>) -> Option<Warning> {
    let cells = shown.view.all_cells();
    let without: Vec<_> =
        cells.filter(|row| row.delta_nll.is_none() && row.unsupported().is_none()).collect();
    let reasons: BTreeSet<String> = without.iter().filter_map(|row| row.reason.clone()).collect();
    let reasons = reasons.into_iter().collect();
    (!without.is_empty()).then_some(Warning::Missing { cells: without.len(), reasons })
}

fn below_floor(shown: &Shown<'_>) -> Option<Warning> {
    let floors = Floors::of(shown.view);
    let cells = || shown.view.all_cells().filter(|row| !is_none(row) && row.delta_nll.is_some());
    let below = cells().filter(|row| floors.hide(row)).count();
    (below > 0).then(|| Warning::BelowFloor { cells: below, of: cells().count() })
}

fn identity(shown: &Shown<'_>) -> Option<Warning> {
    let wrong = shown.view.all_cells().filter(|row| is_none(row) && row.delta_nll != Some(0.0));
    let cells = wrong.count();
    (cells > 0).then_some(Warning::Identity { cells })
}

/// The first of a list and how many more there are.
fn listed(items: &[String]) -> String {
    let first = items[..items.len().min(LISTED)].join("; ");
    match items.len().saturating_sub(LISTED) {
        0 => first,
        more => format!("{first}; and {more} more"),
    }
}

impl Warning {
    /// What is so.
    fn what(&self) -> String {
        match self {
            Self::FewLanguages { n, .. } => format!("Few languages: {n}."),
            Self::FewGroups { language, groups } => {
                format!("Few groups of documents: {groups} in {}.", full(language))
            }
            Self::IncludesZero { config, languages, of } => {
                format!("Intervals that include 0: {languages} of {of} languages under {config}.")
            }
            Self::OneLanguage { config, language, r, p: without, p_with } => format!(
                "{} decides the correlation under {config}: without it r = {} and p = {}, with it p = {}.",
                full(language),
                fixed(*r, 2),
                p(*without),
                p(*p_with)
            ),
            Self::ManyTests { tests, below } => {
                format!("{tests} correlations, {below} of them with p < {LEVEL}.")
            }
            Self::Unsupported { configs } => format!("Unsupported configs: {}.", listed(configs)),
            Self::Quarantined { units } => format!("Quarantined units: {}.", listed(units)),
            Self::Missing { cells, reasons } => {
                format!("Cells without a number: {cells} ({}).", listed(reasons))
            }
            Self::BelowFloor { cells, of } => {
                format!("Below the numerical floor: {cells} of {of} cells.")
            }
            Self::Identity { cells } => {
                format!("The config none changed something in {cells} cells.")
            }
        }
    }

    /// What to do.
    fn advice(&self) -> String {
        match self {
            Self::FewLanguages { detectable, .. } => format!(
                "Only |r| ≥ {} would be seen; read smaller ones as unknown, not as absent, and add languages to corpus.languages.",
                fixed(*detectable, 2)
            ),
            Self::FewGroups { .. } => "Intervals over so few tend to be too short; add documents, or check that corpus.groups does not put \
                                       unrelated ones together."
                .to_owned(),
            Self::IncludesZero { .. } => "Their change of sign or size is not shown; do not rank them against each other, or raise \
                                          corpus.documents."
                .to_owned(),
            Self::OneLanguage { .. } => "Report the correlation with and without it, and ask what sets it apart before what it shows.".to_owned(),
            Self::ManyTests { tests, .. } => format!(
                "About {} would be so by chance alone; name the one you mean before you look, or correct for all.",
                fixed(*tests as f64 * LEVEL, 0)
            ),
            Self::Unsupported { .. } => "They have no numbers here; take a group size that divides the rows, or leave them out.".to_owned(),
            Self::Quarantined { .. } => "Their cells lack these shards; run the study again on the same output once the cause is gone.".to_owned(),
            Self::Missing { .. } => "What is built on them is missing too; run the study again on the same output to complete it.".to_owned(),
            Self::BelowFloor { .. } => "They may be rounding of the study's dtype; repeat with dtype = \"f32\" to tell.".to_owned(),
            Self::Identity { .. } => "It is the identity: do not trust this run, and report it.".to_owned(),
        }
    }
}
