//! What a reader should know before believing a number, each with what to do about it. Not failures of the run.

use std::collections::{BTreeMap, BTreeSet};

use super::adjustment::{explains, hardest, in_words, is_by_family};
use super::floor;
use super::language::full;
use super::number::{fixed, or_undefined, p};
use super::question::Question;
use super::sensitivity::{is_none, label};
use super::shown::{Shown, name};
use crate::reduce::{AdjustedRow, DTYPE, SensitivityRow, WORST_ONE_IN};
use crate::statistics::{AIM, LEVEL, Pearson};

/// Fewer languages than this see only very large correlations.
const LANGUAGES_FEW: u64 = 30;
/// Fewer groups than this make a bootstrap interval too short.
const GROUPS_FEW: u64 = 20;
/// A share of the damage that nobody expects of so few documents.
const CARRIED: f64 = 0.5;
/// Of fewer documents each one carries much.
const DOCUMENTS_ENOUGH: u64 = 10;
/// Items that a warning lists before it counts the rest.
const LISTED: usize = 5;

/// A warning.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Warning {
    /// Too few languages for a correlation over them.
    FewLanguages { n: u64, detectable: f64 },
    /// Too few groups of documents for an interval.
    FewGroups { language: String, groups: u64 },
    /// Degradations that may be none.
    IncludesZero { config: String, languages: usize, of: usize },
    /// One language makes the correlation, or hides it.
    OneLanguage { config: String, language: String, left: Option<Pearson>, p_with: f64 },
    /// What else is known of the languages may be all there is to the correlation.
    Explained { config: String, adjustment: String, by_family: bool, r: f64, p: f64, plain_p: f64 },
    /// A language's damage is that of few documents.
    FewDocuments { config: String, language: String, documents: u64, of: u64, share: f64 },
    /// As many tests as there are will find something.
    ManyTests { tests: usize, below: usize },
    /// Configs that do not fit.
    Unsupported { configs: Vec<String> },
    /// Units that were given up.
    Quarantined { units: Vec<String> },
    /// Cells without a number.
    Missing { cells: usize, reasons: Vec<String> },
    /// Numbers of engines that round in their own ways; of how many languages nobody knows how far apart they lie.
    Engines { compared: Vec<String>, unknown: usize, of: usize },
    /// Numbers that rounding may have made.
    BelowFloor { cells: usize, of: usize },
    /// The identity changed something.
    Identity { cells: usize },
}

/// The warnings of a model, the gravest first; of the whole run those units that were given up.
pub(super) fn warnings(shown: &Shown<'_>, quarantined: &[String]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    warnings.extend(identity(shown));
    if !quarantined.is_empty() {
        warnings.push(Warning::Quarantined { units: quarantined.to_vec() });
    }
    warnings.extend(missing(shown));
    warnings.extend(few_languages(shown));
    warnings.extend(few_groups(shown));
    warnings.extend(includes_zero(shown));
    warnings.extend(one_language(shown));
    warnings.extend([false, true].into_iter().filter_map(|by_family| explained(shown, by_family)));
    warnings.extend(few_documents(shown));
    warnings.extend(many_tests(shown));
    warnings.extend(unsupported(shown));
    warnings.extend(engines(shown));
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
        let (language, config, left) = (carrier.language.to_owned(), name(config), carrier.left);
        let moved = (left.map_or(1.0, |left| left.p) - p_with).abs();
        Some((moved, Warning::OneLanguage { config, language, left, p_with }))
    };
    let found = shown.configs.iter().filter_map(of).max_by(|a, b| a.0.total_cmp(&b.0));
    found.map(|(_, warning)| warning)
}

/// Of the configs drawn the one whose significant correlation is least so when adjusted.
fn explained(shown: &Shown<'_>, by_family: bool) -> Option<Warning> {
    let level = shown.view.summary.analysis.level();
    let of = |&config| {
        let question = Question::of(shown, config)?;
        let rows = hardest(shown, &question);
        let explains = |row: &&AdjustedRow| is_by_family(row) == by_family && explains(row, level);
        let row = rows.into_iter().find(explains)?;
        let (r, p, plain_p) = (row.pearson_r?, row.pearson_p?, row.plain_p?);
        let (config, adjustment) = (name(config), in_words(&row.adjustment));
        Some((p, Warning::Explained { config, adjustment, by_family, r, p, plain_p }))
    };
    let found = shown.configs.iter().filter_map(of).max_by(|a, b| a.0.total_cmp(&b.0));
    found.map(|(_, warning)| warning)
}

/// Of the configs drawn the language whose worst documents carry most, if they carry half.
fn few_documents(shown: &Shown<'_>) -> Option<Warning> {
    let cells = shown.configs.iter().flat_map(|&config| shown.all_layers(config));
    let enough = |cell: &&SensitivityRow| cell.documents >= DOCUMENTS_ENOUGH;
    let found = cells.filter(enough).filter_map(|cell| Some((cell.worst_share?, cell)));
    let (share, cell) = found.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (share >= CARRIED).then(|| Warning::FewDocuments {
        config: label(&cell.components, &cell.config),
        language: cell.language.clone(),
        documents: cell.documents.div_ceil(WORST_ONE_IN as u64),
        of: cell.documents,
        share,
    })
}

fn many_tests(shown: &Shown<'_>) -> Option<Warning> {
    let rows = shown.view.summary.correlations.iter().filter(|row| row.model == shown.view.model);
    let found: Vec<f64> = rows.filter_map(|row| row.pearson_p).collect();
    let below = found.iter().filter(|p| **p <= LEVEL).count();
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

fn engines(shown: &Shown<'_>) -> Option<Warning> {
    let Shown { view, .. } = shown;
    let rows = view.summary.floor.iter().filter(|row| row.model == view.model);
    let pairs: Vec<_> = rows.filter(|row| row.compared != DTYPE).collect();
    let compared: BTreeSet<String> = pairs.iter().map(|row| row.compared.clone()).collect();
    let languages = |unknown: bool| {
        let of = pairs.iter().filter(|row| !unknown || row.floor.is_none());
        of.map(|row| &row.language).collect::<BTreeSet<_>>().len()
    };
    let (unknown, of) = (languages(true), languages(false));
    (of > 0).then(|| Warning::Engines { compared: compared.into_iter().collect(), unknown, of })
}

fn below_floor(shown: &Shown<'_>) -> Option<Warning> {
    let cells = || shown.view.all_cells().filter(|row| !is_none(row) && row.delta_nll.is_some());
    let below = cells().filter(|row| floor::hides(row)).count();
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
    pub(super) fn what(&self) -> String {
        match self {
            Self::FewLanguages { n, .. } => format!("Few languages: {n}."),
            Self::FewGroups { language, groups } => {
                format!("Few groups of documents: {groups} in {}.", full(language))
            }
            Self::IncludesZero { config, languages, of } => {
                format!("Intervals that include 0: {languages} of {of} languages under {config}.")
            }
            Self::OneLanguage { config, language, left, p_with } => format!(
                "{} decides the correlation under {config}: without it r = {} and p = {}, with it p = {}.",
                full(language),
                or_undefined(left.map(|left| left.r), |r| fixed(r, 2)),
                or_undefined(left.map(|left| left.p), p),
                p(*p_with)
            ),
            Self::Explained { config, adjustment, r, p: left, plain_p, .. } => format!(
                "The correlation under {config} may not be the predictor's: alone it has p = {}, {adjustment} r = {} and p = {}.",
                p(*plain_p),
                fixed(*r, 2),
                p(*left)
            ),
            Self::FewDocuments { config, language, documents, of, share } => format!(
                "{documents} of {of} documents carry {} % of the damage to {} under {config}.",
                fixed(100.0 * share, 0),
                full(language)
            ),
            Self::ManyTests { tests, below } => {
                format!("{tests} correlations, {below} of them with p ≤ {LEVEL}.")
            }
            Self::Unsupported { configs } => format!("Unsupported configs: {}.", listed(configs)),
            Self::Quarantined { units } => format!("Quarantined units: {}.", listed(units)),
            Self::Missing { cells, reasons } => {
                format!("Cells without a number: {cells} ({}).", listed(reasons))
            }
            Self::Engines { compared, .. } => {
                format!("Several engine classes made the numbers: {}.", listed(compared))
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
    pub(super) fn advice(&self) -> String {
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
            Self::Explained { by_family: true, .. } => "Related languages are no independent ones: add languages of other families, and claim no more than \
                                                        the means show."
                .to_owned(),
            Self::Explained { .. } => "It may be theirs: add languages that differ in the predictor but not in them, or claim less.".to_owned(),
            Self::FewDocuments { .. } => "Read them before the mean: they stand first in data/documents by nll_sum − base_nll_sum. Report the language with \
                                          and without them."
                .to_owned(),
            Self::ManyTests { tests, .. } => format!(
                "About {} would be so by chance alone; name the one you mean before you look, or correct for all.",
                fixed(*tests as f64 * LEVEL, 0)
            ),
            Self::Unsupported { .. } => "They have no numbers here; take a group size that divides the rows, or leave them out.".to_owned(),
            Self::Quarantined { .. } => "Their cells lack these shards; run the study again on the same output once the cause is gone.".to_owned(),
            Self::Missing { .. } => "What is built on them is missing too; run the study again on the same output to complete it.".to_owned(),
            Self::Engines { unknown: 0, .. } => "What the same baseline differs by on them is in the numerical floor; another run need not give the same bytes.".to_owned(),
            Self::Engines { unknown, of, .. } => format!(
                "In {unknown} of {of} languages two of them scored no document in common: there nothing says what the same baseline differs by. Another run need not \
                 give the same bytes."
            ),
            Self::BelowFloor { .. } => "They may be rounding; repeat with dtype = \"f32\", on engines of one class, to tell.".to_owned(),
            Self::Identity { .. } => "It is the identity: do not trust this run, and report it.".to_owned(),
        }
    }
}
