//! The chart of degradation: how much each config raises each language's perplexity, with intervals, a panel for each config.

use super::super::block::Table;
use super::super::degradation::{NEAR_LOSSLESS, near_lossless};
use super::super::language::{full, own};
use super::super::number::{estimates, fixed};
use super::super::shown::{Config, Shown, name};
use super::chart::Chart;
use super::intervals::{self, Row};
use super::panel::Panel;
use crate::reduce::SensitivityRow;

/// The chart; `None` where no config quantizes every layer.
pub(super) fn chart(shown: &Shown<'_>) -> Option<Chart> {
    let order = order(shown);
    let panels = shown.configs.iter().filter_map(|&config| panel(shown, config, &order));
    let panels: Vec<Panel> = panels.collect();
    let marked = shown.configs.iter().flat_map(|&config| shown.all_layers(config));
    let marked = marked.filter(|row| row.near_lossless == Some(true)).count();
    let legend = match marked {
        0 => String::new(),
        _ => format!(" In the numbers, {}", near_lossless(&shown.view.summary.analysis)),
    };
    let words = format!(
        "Relative increase of perplexity, exp(ΔNLL) − 1, in %, every layer quantized; interval: {}. Languages stand in one order, by the \
         config that costs most; each config has its own scale. Grey: the interval includes 0.{legend}",
        shown.view.interval_in_words()
    );
    (!panels.is_empty()).then(|| Chart {
        id: "degradation",
        title: "What degraded, by language".to_owned(),
        words,
        key: maud::html! {},
        panels,
        table: table(shown, &order),
    })
}

/// The languages, the one that the worst config hurts most last: axes count upwards.
fn order(shown: &Shown<'_>) -> Vec<String> {
    let worst = shown.worst().map(|row| (row.components.as_str(), row.config.as_str()));
    let mut rows: Vec<&SensitivityRow> = worst
        .or(shown.configs.first().copied())
        .map(|config| shown.all_layers(config))
        .unwrap_or_default();
    rows.sort_by(|a, b| a.delta_nll.partial_cmp(&b.delta_nll).unwrap_or(std::cmp::Ordering::Equal));
    rows.iter().map(|row| row.language.clone()).collect()
}

/// Value, low and high in percent.
fn percent(row: &SensitivityRow) -> [Option<f64>; 3] {
    [row.relative_perplexity, row.relative_perplexity_low, row.relative_perplexity_high]
        .map(|number| number.map(|share| 100.0 * share))
}

fn panel(shown: &Shown<'_>, config: Config<'_>, order: &[String]) -> Option<Panel> {
    let cells = shown.all_layers(config);
    let texts = estimates(&cells.iter().map(|row| percent(row)).collect::<Vec<_>>(), 3);
    let row = |language: &String| {
        let at = cells.iter().position(|cell| cell.language == *language);
        let tip = |at: usize| {
            let carried = cells[at].worst_share.map(|share| {
                format!("; the worst hundredth of documents carries {} %", fixed(100.0 * share, 0))
            });
            format!("{}: {} %{}", full(language), texts[at], carried.unwrap_or_default())
        };
        Row {
            name: language.clone(),
            numbers: at.map_or([None; 3], |at| percent(cells[at])),
            tip: at.map(tip).unwrap_or_default(),
        }
    };
    let rows: Vec<Row> = order.iter().rev().map(row).collect();
    intervals::panel((name(config), String::new()), "%", &rows)
}

/// A row for each language, the most hurt first.
fn table(shown: &Shown<'_>, order: &[String]) -> Table {
    let mut header = vec!["language".to_owned(), "name".to_owned()];
    header.extend(shown.configs.iter().map(|config| name(*config)));
    let mut rows: Vec<Vec<String>> =
        order.iter().rev().map(|language| vec![full(language), own(language)]).collect();
    for &config in &shown.configs {
        let cells = shown.all_layers(config);
        let of = |language: &String| cells.iter().find(|row| row.language == *language);
        let numbers =
            order.iter().rev().map(|language| of(language).map_or([None; 3], |row| percent(row)));
        let texts = estimates(&numbers.collect::<Vec<_>>(), 3);
        let near_lossless = |language: &String| of(language).and_then(|row| row.near_lossless);
        for ((row, text), language) in rows.iter_mut().zip(texts).zip(order.iter().rev()) {
            row.push(match near_lossless(language) {
                Some(true) => format!("{text} {NEAR_LOSSLESS}"),
                Some(false) | None => text,
            });
        }
    }
    Table { header, rows }
}
