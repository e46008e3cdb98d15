//! Report: a Summary → text for the terminal, Markdown, HTML and JSON. Pure; computes no statistic and writes no file.
//!
//! Sections build blocks once; `terminal` and `markdown` differ in how blocks are written, how wide a table may be, and in how many of the
//! correlations are shown.

mod additivity;
mod adjustment;
mod block;
mod clipping;
mod columns;
mod configs;
mod correlations;
mod degradation;
mod disparity;
mod file_name;
mod findings;
mod floor;
mod harness;
mod html;
mod hypotheses;
mod language;
mod languages;
mod llama_cpp;
mod markdown;
mod matrices;
mod matrix;
mod number;
mod over_languages;
mod protection;
mod provenance;
mod question;
mod recipe;
mod regressions;
mod replication;
mod sensitivity;
mod shares;
mod shown;
mod terminal;
mod trends;
mod unsupported;
mod warning;
mod weights;

use std::collections::{BTreeMap, BTreeSet};

use babelquant_proto::rows::ClippingRow;
use serde::Serialize;

pub use harness::harness;
pub(crate) use html::STYLE;
pub(crate) use language::{full as full_name, own as own_name};
pub use llama_cpp::llama_cpp;
pub use provenance::Provenance;
pub(crate) use recipe::{recipe, recipe_losses};

use block::Block;
use number::fixed;
use shown::Shown;
use warning::Warning;

use crate::correlate::Findings;
use crate::reduce::{
    AdditivityRow, AdjustedRow, ConfigRow, CorrelationRow, DisparityRow, FloorRow, LanguageRow,
    LayerRow, LeaningRow, MatrixRow, ProtectionRow, RegressionRow, SensitivityRow, ShareRow,
    Source, Sourced, Summary, comparisons, sources_by_table,
};
use crate::study::Analysis;

/// The report for a terminal of 120 columns; long tables are cut into parts and only the main correlations are shown.
pub fn terminal(summary: &Summary, provenance: Option<&Provenance>) -> String {
    terminal::write(&blocks(summary, provenance, Medium::Terminal))
}

/// The whole report as Markdown.
pub fn markdown(summary: &Summary, provenance: &Provenance) -> String {
    let origin = Block::Text(provenance.in_words());
    let blocks = blocks(summary, Some(provenance), Medium::Markdown);
    markdown::write(&[origin].into_iter().chain(blocks).collect::<Vec<_>>())
}

/// The report as one page with charts, readable without a network.
pub fn html(summary: &Summary, provenance: &Provenance) -> String {
    html::write(summary, provenance)
}

/// Clipping rules compared on the weights of one model, for a terminal; empty without rows.
pub fn clipping(rows: &[ClippingRow]) -> String {
    terminal::write(&clipping::blocks(&comparisons(rows), Medium::Terminal))
}

/// The Summary as JSON: the caller's provenance (digests, engine class: no time, host or path) beside the analysis and every table, each an
/// array of rows under the table's name; `sources` says of each table where its numbers come from, `version` rises when a member or a column
/// goes or means something else.
///
/// # Errors
/// The provenance does not serialize.
pub fn json(summary: &Summary, provenance: &impl Serialize) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Document<'a, P> {
        version: u32,
        provenance: &'a P,
        sources: BTreeMap<&'static str, &'static [Source]>,
        #[serde(flatten)]
        summary: &'a Summary,
    }
    let (version, sources) = (SUMMARY_VERSION, sources_by_table());
    serde_json::to_string_pretty(&Document { version, provenance, sources, summary })
}

/// Version of `summary.json`.
const SUMMARY_VERSION: u32 = 2;

/// What a table says about a question, for a terminal.
pub fn findings(findings: &Findings) -> String {
    terminal::write(&findings::blocks(findings))
}

/// The same as JSON, with its version; every number with all its digits, an undefined one null.
///
/// # Errors
/// The findings do not serialize.
pub fn findings_json(findings: &Findings) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(findings).map(|text| text + "\n")
}

/// Where a report is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Medium {
    /// 120 columns.
    Terminal,
    /// As wide and long as it gets.
    Markdown,
    /// A page of charts.
    Html,
}

impl Medium {
    /// How many columns of `width` characters, one space apart, fit beside labels of `label` characters; at least one.
    fn columns(self, label: usize, width: usize) -> usize {
        match self {
            Self::Terminal => (TERMINAL_WIDTH.saturating_sub(label) / (width + 1)).max(1),
            Self::Markdown | Self::Html => usize::MAX,
        }
    }
}

/// Characters in a line of the terminal.
const TERMINAL_WIDTH: usize = 120;

/// One model's part of the Summary, as a section sees it.
#[derive(Debug, Clone, Copy)]
struct View<'a> {
    summary: &'a Summary,
    model: &'a str,
    medium: Medium,
}

impl<'a> View<'a> {
    /// The cells of the model whose config fits it and that the medium has room for.
    fn cells(self) -> impl Iterator<Item = &'a SensitivityRow> {
        let hidden = configs::hidden(self);
        let is_hidden = move |row: &SensitivityRow| {
            hidden.contains(&(row.components.as_str(), row.config.as_str()))
        };
        self.all_cells().filter(move |row| row.unsupported().is_none() && !is_hidden(row))
    }

    /// The cells of the model.
    fn all_cells(self) -> impl Iterator<Item = &'a SensitivityRow> {
        self.summary.sensitivity.iter().filter(move |row| row.model == self.model)
    }

    /// What the intervals of this report are.
    fn interval_in_words(self) -> String {
        let Analysis { confidence, bootstrap_draws, .. } = self.summary.analysis;
        format!(
            "{} % bootstrap over groups of documents, {bootstrap_draws} draws",
            fixed(100.0 * confidence, 0)
        )
    }
}

fn blocks(summary: &Summary, provenance: Option<&Provenance>, medium: Medium) -> Vec<Block> {
    let mut blocks = hypotheses::blocks(summary);
    for model in models(summary) {
        let view = View { summary, model, medium };
        blocks.push(Block::Title(format!("Model {model}")));
        blocks.extend(cautions(view, provenance));
        blocks.extend(sourced::<LayerRow>(view, weights::blocks(view)));
        blocks.extend(sourced::<LanguageRow>(view, languages::blocks(view)));
        blocks.extend(sourced::<FloorRow>(view, floor::blocks(view)));
        blocks.extend(sourced::<ConfigRow>(view, configs::blocks(view)));
        blocks.extend(unsupported::blocks(view));
        blocks.extend(sourced::<MatrixRow>(view, matrices::blocks(view)));
        blocks.extend(sourced::<SensitivityRow>(view, degradation::blocks(view)));
        blocks.extend(sourced::<DisparityRow>(view, disparity::blocks(view)));
        blocks.extend(sourced::<ShareRow>(view, shares::blocks(view)));
        blocks.extend(sourced::<SensitivityRow>(view, sensitivity::blocks(view)));
        blocks.extend(sourced::<LeaningRow>(view, trends::blocks(view)));
        blocks.extend(sourced::<AdditivityRow>(view, additivity::blocks(view)));
        blocks.extend(sourced::<ProtectionRow>(view, protection::blocks(view)));
        blocks.extend(sourced::<RegressionRow>(view, regressions::blocks(view)));
        blocks.extend(sourced::<CorrelationRow>(view, correlations::blocks(view)));
        blocks.extend(sourced::<AdjustedRow>(view, correlations::adjusted(view)));
    }
    blocks.extend(replication::blocks(summary, medium));
    if blocks.is_empty() {
        blocks.push(Block::Text("No rows: nothing has been measured yet.".to_owned()));
    }
    blocks
}

/// What a reader should know before believing a number.
fn cautions(view: View<'_>, provenance: Option<&Provenance>) -> Vec<Block> {
    let quarantined = provenance.map_or(&[][..], |provenance| &provenance.quarantined);
    let warnings = warning::warnings(&Shown::of(view), quarantined);
    let text =
        |warning: &Warning| Block::Text(format!("⚠ {} {}", warning.what(), warning.advice()));
    // Configs that do not fit have a section of their own.
    let listed = |warning: &&Warning| !matches!(warning, Warning::Unsupported { .. });
    warnings.iter().filter(listed).map(text).collect()
}

/// A section of the whole report with the sources of its numbers at its end.
fn sourced<R: Sourced>(view: View<'_>, mut section: Vec<Block>) -> Vec<Block> {
    if view.medium == Medium::Markdown && !section.is_empty() {
        let words = view.summary.sources_in_words::<R>();
        section.push(Block::Text(format!("Source: {words}.")));
    }
    section
}

fn models(summary: &Summary) -> BTreeSet<&str> {
    let weights = summary.models.iter().map(|row| row.model.as_str());
    let languages = summary.languages.iter().map(|row| row.model.as_str());
    weights.chain(languages).collect()
}

/// Why numbers of these rows are undefined, each reason with how often it came up; `None` where every number is there.
fn reasons<'a>(reasons: impl Iterator<Item = &'a Option<String>>) -> Option<Block> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    reasons.flatten().for_each(|reason| *counts.entry(reason).or_default() += 1);
    let words: Vec<String> =
        counts.iter().map(|(reason, count)| format!("{reason} (rows: {count})")).collect();
    (!words.is_empty()).then(|| Block::Text(format!("Undefined numbers: {}.", words.join("; "))))
}

/// A layer as tables label it: its number, after `enc.` in an encoder.
fn layer_label(stack: &str, layer: u32) -> String {
    match stack {
        "dec" => layer.to_string(),
        other => format!("{other}.{layer}"),
    }
}

#[cfg(test)]
mod tests;
