//! The forest of correlations: r of every predictor with its interval, a panel for each config; models beside each other where there are
//! several.

use std::collections::BTreeSet;

use kuva::plot::annotations::Orientation;

use super::super::block::Table;
use super::super::number::{fixed, or_undefined, p};
use super::super::{Medium, View, models};
use super::chart::{Chart, key};
use super::degradation::{BELOW, ROW};
use super::marks::{Dot, colour, dots, line, reference};
use super::panel::{Axis, Frame, Panel};
use super::question::words;
use super::scatter::answer;
use super::shown::{Config, Shown, name};
use crate::reduce::{CorrelationRow, Summary};

/// The forest of one model; `None` without correlations at scope `all`.
pub(super) fn chart(shown: &Shown<'_>) -> Option<Chart> {
    forest(shown.view.summary, &[shown.view.model], &shown.configs)
}

/// The forest of several models; `None` for one.
pub(super) fn across(summary: &Summary) -> Option<Chart> {
    let models: Vec<&str> = models(summary).into_iter().collect();
    let shown = |model| Shown::of(View { summary, model, medium: Medium::Html });
    let configs: BTreeSet<Config<'_>> =
        models.iter().flat_map(|model| shown(model).configs).collect();
    let configs: Vec<Config<'_>> = configs.into_iter().collect();
    (models.len() > 1).then(|| forest(summary, &models, &configs)).flatten()
}

fn forest(summary: &Summary, models: &[&str], configs: &[Config<'_>]) -> Option<Chart> {
    let panels = configs.iter().filter_map(|&config| panel(summary, models, config));
    let panels: Vec<Panel> = panels.collect();
    let outcome = summary.analysis.outcomes.first()?.name();
    let text = format!(
        "Pearson's r of each predictor with {} over languages, every layer quantized, with Fisher's interval. Dashed: the |r| that this many \
         languages would show with 80 % power. Of many correlations a twentieth excludes 0 by chance.",
        words(outcome)
    );
    (!panels.is_empty()).then(|| Chart {
        id: "forest",
        title: "Every predictor".to_owned(),
        words: text,
        key: key(models),
        panels,
        table: table(summary, models, configs),
    })
}

/// The rows of a config at scope `all` for the first outcome, in the order of the predictors.
fn rows<'a>(summary: &'a Summary, model: &str, config: Config<'_>) -> Vec<&'a CorrelationRow> {
    let outcome = summary.analysis.outcomes.first().map_or("", |outcome| outcome.name());
    let rows =
        summary.correlations.iter().filter(|row| row.model == model && row.outcome == outcome);
    rows.filter(|row| row.scope == "all" && (&*row.components, &*row.config) == config).collect()
}

fn panel(summary: &Summary, models: &[&str], config: Config<'_>) -> Option<Panel> {
    let predictors: Vec<&str> =
        summary.analysis.predictors.iter().rev().map(|predictor| predictor.name()).collect();
    let spread = 0.6 / models.len() as f64;
    let (mut plots, mut detectable) = (Vec::new(), None);
    for (index, model) in models.iter().enumerate() {
        let mut points = Vec::new();
        for row in rows(summary, model, config) {
            let place = predictors.iter().position(|name| *name == row.predictor);
            let (Some(place), Some(x)) = (place, row.pearson_r) else { continue };
            let y = place as f64 + 1.0 + spread * ((models.len() - 1) as f64 / 2.0 - index as f64);
            let ends = row.pearson_low.zip(row.pearson_high);
            plots.extend(ends.map(|(low, high)| line(&[(low, y), (high, y)], &colour(index), 1.5)));
            let tip = format!("{}: {}", words(&row.predictor), answer(row));
            points.push(Dot { x, y, tip, label: String::new() });
            detectable = detectable.or(row.detectable_r);
        }
        plots.extend((!points.is_empty()).then(|| dots(&points, &colour(index), 3.5)));
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
        height: BELOW + ROW.max(9.0 * models.len() as f64) * predictors.len() as f64,
    };
    let zero = frame
        .layout()
        .with_reference_line(reference(0.0, Orientation::Vertical, "").with_dasharray("none"));
    let lines = detectable.into_iter().flat_map(|r| [-r, r]);
    let layout = lines.fold(zero, |layout, r| {
        layout.with_reference_line(reference(r, Orientation::Vertical, ""))
    });
    Some(Panel::new(name(config), String::new(), layout, plots))
}

fn table(summary: &Summary, models: &[&str], configs: &[Config<'_>]) -> Table {
    let header = ["predictor", "model", "config", "n", "r", "low", "high", "p", "visible |r|"];
    let mut table = Table::new(&header);
    let two = |value| or_undefined(value, |value| fixed(value, 2));
    for &config in configs {
        for row in models.iter().flat_map(|model| rows(summary, model, config)) {
            table.rows.push(vec![
                words(&row.predictor),
                row.model.clone(),
                name(config),
                row.n.to_string(),
                two(row.pearson_r),
                two(row.pearson_low),
                two(row.pearson_high),
                or_undefined(row.pearson_p, p),
                two(row.detectable_r),
            ]);
        }
    }
    table
}
