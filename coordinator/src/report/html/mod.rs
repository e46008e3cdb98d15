//! The report as one HTML page: an answer in words, advice, and charts with their numbers. Self-contained: no address is loaded. Not the
//! reduction; what is drawn stands in the Summary or comes from `statistics`.
//!
//! Invariant: the page is a function of the Summary and the provenance; names of models, studies and languages reach it only as escaped text.

mod answer;
mod chart;
mod degradation;
mod depth;
mod disparity;
mod forest;
mod heat;
mod hypotheses;
mod intervals;
mod layers;
mod limits;
mod marks;
mod page;
mod panel;
mod pareto;
mod regressions;
mod scale;
mod scatter;
mod sensitivity;
mod shares;
mod trends;

use maud::{Markup, html as markup};

use super::shown::Shown;
use super::warning::warnings;
use super::{Medium, Provenance, View, models};
use crate::reduce::{
    AdjustedRow, ConfigRow, CorrelationRow, DepthRow, DisparityRow, LayerRow, LeaningRow, LimitRow,
    RegressionRow, SensitivityRow, ShareRow, Summary,
};
pub(crate) use page::STYLE;

/// The page.
pub(super) fn write(summary: &Summary, provenance: &Provenance) -> String {
    let models = models(summary);
    let sections: Vec<Markup> = models
        .iter()
        .enumerate()
        .map(|(index, model)| {
            let view = View { summary, model, medium: Medium::Html };
            section(&Shown::of(view), index, provenance)
        })
        .collect();
    let sources = summary.sources_in_words::<AdjustedRow>();
    let across = forest::across(summary).map(|chart| chart.markup("across", &sources));
    let content = match sections.is_empty() {
        true => markup! { p.lead { "Nothing has been measured yet: this output has no rows." } },
        false => markup! {
            (hypotheses::markup(summary))
            @for section in &sections { (section) }
            @if let Some(across) = across { section.model { h2 { "Across models" } (across) } }
        },
    };
    page::page(&content, summary, provenance).into_string()
}

/// What a reader should know before believing a number; nothing where there is nothing.
fn cautions(shown: &Shown<'_>, provenance: &Provenance) -> Markup {
    let warnings = warnings(shown, &provenance.quarantined);
    markup! {
        @if !warnings.is_empty() {
            aside.warnings {
                h3 { "Before you believe it" }
                ul { @for warning in &warnings { li { b { (warning.what()) } " " (warning.advice()) } } }
            }
        }
    }
}

/// What is said and drawn of one model.
fn section(shown: &Shown<'_>, index: usize, provenance: &Provenance) -> Markup {
    let summary = shown.view.summary;
    let charts = [
        (degradation::chart(shown), summary.sources_in_words::<SensitivityRow>()),
        (disparity::chart(shown), summary.sources_in_words::<DisparityRow>()),
        (pareto::chart(shown), summary.sources_in_words::<ConfigRow>()),
        (sensitivity::chart(shown), summary.sources_in_words::<SensitivityRow>()),
        (depth::chart(shown), summary.sources_in_words::<DepthRow>()),
        (trends::chart(shown), summary.sources_in_words::<LeaningRow>()),
        (scatter::chart(shown), summary.sources_in_words::<CorrelationRow>()),
        (forest::chart(shown), summary.sources_in_words::<AdjustedRow>()),
        (regressions::chart(shown), summary.sources_in_words::<RegressionRow>()),
        (shares::chart(shown), summary.sources_in_words::<ShareRow>()),
        (layers::chart(shown), summary.sources_in_words::<LayerRow>()),
        (limits::chart(shown), summary.sources_in_words::<LimitRow>()),
    ];
    let prefix = format!("m{}", index + 1);
    markup! {
        section.model id=(prefix) {
            h2 { "Model " bdi { (shown.view.model) } }
            (answer::markup(shown))
            (cautions(shown, provenance))
            @if shown.left_out > 0 {
                p.note {
                    "Charts show " (shown.configs.len()) " configs that no other beats in bits and loss and leave out "
                    (shown.left_out) "; the ranking of all is in the table under “Bits against loss”, every number in "
                    code { "report.md" } " and the Parquet files."
                }
            }
            @for (chart, sources) in &charts {
                @if let Some(chart) = chart { (chart.markup(&prefix, sources)) }
            }
        }
    }
}

#[cfg(test)]
mod tests;
