//! The forest of correlations: r of every predictor with its interval, a panel for each config. In one model each r beside what is left of it
//! when script, training text or families are taken into account; across models the models beside each other, so adjusted each way.

use std::collections::BTreeSet;

use kuva::plot::annotations::Orientation;

use super::super::adjustment::{PLAIN, in_words};
use super::super::block::Table;
use super::super::number::{fixed, or_undefined, p};
use super::super::question::words;
use super::super::shown::{Config, Shown, name};
use super::super::{Medium, View, models};
use super::chart::{Chart, key};
use super::intervals::{BELOW, ROW};
use super::marks::{Dot, colour, dots, line, reference};
use super::panel::{Axis, Frame, Panel};
use crate::reduce::{ADJUSTMENTS, AdjustedRow, CorrelationRow, Summary};

/// Height of a mark of one series.
const MARK: f64 = 6.0;
/// Configs of which models have room beside each other.
const ACROSS_MAX: usize = 4;

/// An estimate of a correlation.
#[derive(Debug, Clone, Copy)]
struct Estimate<'a> {
    model: &'a str,
    adjustment: &'a str,
    predictor: &'a str,
    n: u64,
    r: Option<f64>,
    ends: Option<(f64, f64)>,
    p: Option<f64>,
    detectable: Option<f64>,
}

/// The forest of one model; `None` without correlations at scope `all`.
pub(super) fn chart(shown: &Shown<'_>) -> Option<Chart> {
    let (summary, model) = (shown.view.summary, shown.view.model);
    let adjustments: Vec<&str> = [PLAIN].into_iter().chain(ADJUSTMENTS).collect();
    let panels = shown.configs.iter().filter_map(|&config| {
        let estimates = estimates(summary, &[model], config);
        let of = |adjustment: &&str| -> Vec<Estimate<'_>> {
            estimates.iter().copied().filter(|one| one.adjustment == *adjustment).collect()
        };
        let series: Vec<Vec<Estimate<'_>>> = adjustments.iter().map(of).collect();
        panel(summary, (name(config), String::new()), &series)
    });
    let panels: Vec<Panel> = panels.collect();
    let names: Vec<String> = adjustments.iter().map(|name| in_words(name)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    (!panels.is_empty()).then(|| Chart {
        id: "forest",
        title: "Every predictor".to_owned(),
        words: format!(
            "Pearson's r of each predictor with {} over languages, every layer quantized, with Fisher's interval; below it the same with \
             log10 of the training text ({}) held fixed, with Latin script, with both, and over the means of language families. Dashed: \
             the |r| that this many languages would show with 80 % power. Of many correlations a twentieth excludes 0 by chance.",
            outcome_in_words(summary),
            summary.analysis.resource
        ),
        key: key(&names),
        panels,
        table: table(summary, &[model], &shown.configs),
    })
}

/// The forest of several models; `None` for one.
pub(super) fn across(summary: &Summary) -> Option<Chart> {
    let models: Vec<&str> = models(summary).into_iter().collect();
    let shown = |model| Shown::of(View { summary, model, medium: Medium::Html });
    let configs: BTreeSet<Config<'_>> =
        models.iter().flat_map(|model| shown(model).configs).collect();
    let configs: Vec<Config<'_>> = configs.into_iter().collect();
    let (drawn, left_out) = configs.split_at(configs.len().min(ACROSS_MAX));
    let panels = drawn.iter().flat_map(|&config| {
        let estimates = estimates(summary, &models, config);
        let adjustments = [PLAIN].into_iter().chain(ADJUSTMENTS);
        let panels = adjustments.filter_map(|adjustment| {
            let of = |model: &&str| -> Vec<Estimate<'_>> {
                let rows = estimates.iter().copied().filter(|one| one.model == *model);
                rows.filter(|one| one.adjustment == adjustment).collect()
            };
            let series: Vec<Vec<Estimate<'_>>> = models.iter().map(of).collect();
            panel(summary, (name(config), in_words(adjustment)), &series)
        });
        panels.collect::<Vec<_>>()
    });
    let panels: Vec<Panel> = panels.collect();
    let rest = match left_out.len() {
        0 => String::new(),
        count => format!(" Not drawn, but in the numbers: {count} more configs."),
    };
    (models.len() > 1 && !panels.is_empty()).then(|| Chart {
        id: "forest",
        title: "Every predictor, model beside model".to_owned(),
        words: format!(
            "Pearson's r of each predictor with {} over languages, every layer quantized, with Fisher's interval, as it is and adjusted for \
             what is known of the languages. Models that share languages are no independent samples.{rest}",
            outcome_in_words(summary)
        ),
        key: key(&models),
        panels,
        table: table(summary, &models, &configs),
    })
}

fn outcome(summary: &Summary) -> &'static str {
    summary.analysis.outcomes.first().map_or("", |outcome| outcome.name())
}

fn outcome_in_words(summary: &Summary) -> String {
    words(outcome(summary))
}

/// Every r of a config at scope `all` for the first outcome, as it is and adjusted.
fn estimates<'a>(summary: &'a Summary, models: &[&str], config: Config<'_>) -> Vec<Estimate<'a>> {
    let outcome = outcome(summary);
    let plain = |row: &&CorrelationRow| {
        row.scope == "all"
            && row.outcome == outcome
            && models.contains(&row.model.as_str())
            && (&*row.components, &*row.config) == config
    };
    let adjusted = |row: &&AdjustedRow| {
        row.outcome == outcome
            && models.contains(&row.model.as_str())
            && (&*row.components, &*row.config) == config
    };
    let plain = summary.correlations.iter().filter(plain).map(|row| Estimate {
        model: &row.model,
        adjustment: PLAIN,
        predictor: &row.predictor,
        n: row.n,
        r: row.pearson_r,
        ends: row.pearson_low.zip(row.pearson_high),
        p: row.pearson_p,
        detectable: row.detectable_r,
    });
    let adjusted = summary.adjusted.iter().filter(adjusted).map(|row| Estimate {
        model: &row.model,
        adjustment: &row.adjustment,
        predictor: &row.predictor,
        n: row.n,
        r: row.pearson_r,
        ends: row.pearson_low.zip(row.pearson_high),
        p: row.pearson_p,
        detectable: None,
    });
    plain.chain(adjusted).collect()
}

/// The panel of the predictors, each series with a colour of its own; `None` where no r is defined.
fn panel(
    summary: &Summary,
    (title, text): (String, String),
    series: &[Vec<Estimate<'_>>],
) -> Option<Panel> {
    let predictors: Vec<&str> =
        summary.analysis.predictors.iter().rev().map(|predictor| predictor.name()).collect();
    let spread = 0.7 / series.len() as f64;
    let mut plots = Vec::new();
    for (index, estimates) in series.iter().enumerate() {
        let mut points = Vec::new();
        for estimate in estimates {
            let place = predictors.iter().position(|name| *name == estimate.predictor);
            let (Some(place), Some(x)) = (place, estimate.r) else { continue };
            let y = place as f64 + 1.0 + spread * ((series.len() - 1) as f64 / 2.0 - index as f64);
            let width = if index == 0 { 1.5 } else { 1.0 };
            let ends = estimate.ends.map(|(low, high)| [(low, y), (high, y)]);
            plots.extend(ends.map(|ends| line(&ends, &colour(index), width)));
            points.push(Dot { x, y, tip: tip(estimate), label: String::new() });
        }
        plots.extend((!points.is_empty()).then(|| dots(&points, &colour(index), 2.8)));
    }
    if plots.is_empty() {
        return None;
    }
    let frame = Frame {
        x: Axis::Numbers { range: (-1.05, 1.05), unit: "r".to_owned(), log: false },
        y: Axis::Names {
            names: predictors.iter().map(|name| words(name)).collect(),
            unit: String::new(),
        },
        height: BELOW + ROW.max(4.0 + MARK * series.len() as f64) * predictors.len() as f64,
    };
    let zero = frame
        .layout()
        .with_reference_line(reference(0.0, Orientation::Vertical, "").with_dasharray("none"));
    let detectable = series.iter().flatten().find_map(|estimate| estimate.detectable);
    let lines = detectable.into_iter().flat_map(|r| [-r, r]);
    let layout = lines.fold(zero, |layout, r| {
        layout.with_reference_line(reference(r, Orientation::Vertical, ""))
    });
    Some(Panel::new(title, text, layout, plots))
}

/// `fertility, family means: r = −0.20 [−0.66, 0.37], p = 0.49, n = 9`
fn tip(estimate: &Estimate<'_>) -> String {
    let two = |value| fixed(value, 2);
    let ends = estimate.ends.map(|(low, high)| format!(" [{}, {}]", two(low), two(high)));
    format!(
        "{}, {}: {}: r = {}{}, p = {}, n = {}",
        words(estimate.predictor),
        in_words(estimate.adjustment),
        estimate.model,
        or_undefined(estimate.r, two),
        ends.unwrap_or_default(),
        or_undefined(estimate.p, p),
        estimate.n
    )
}

fn table(summary: &Summary, models: &[&str], configs: &[Config<'_>]) -> Table {
    let header =
        ["predictor", "model", "config", "adjusted", "n", "r", "low", "high", "p", "visible |r|"];
    let mut table = Table::new(&header);
    let two = |value| or_undefined(value, |value| fixed(value, 2));
    for &config in configs {
        let mut rows = estimates(summary, models, config);
        rows.sort_by_key(|row| (row.predictor, row.model));
        for row in rows {
            table.rows.push(vec![
                words(row.predictor),
                row.model.to_owned(),
                name(config),
                in_words(row.adjustment),
                row.n.to_string(),
                two(row.r),
                two(row.ends.map(|(low, _)| low)),
                two(row.ends.map(|(_, high)| high)),
                or_undefined(row.p, p),
                two(row.detectable),
            ]);
        }
    }
    table
}
