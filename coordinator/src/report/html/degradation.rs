//! The chart of degradation: how much each config raises each language's perplexity, with intervals, a panel for each config.

use kuva::plot::annotations::Orientation;

use super::super::block::Table;
use super::super::number::estimates;
use super::chart::Chart;
use super::language::{full, own};
use super::marks::{ACCENT, Dot, QUIET, dots, line, range, reference};
use super::panel::{Axis, Frame, Panel};
use super::shown::{Config, Shown, name};
use crate::reduce::SensitivityRow;

/// Height of a row.
pub(super) const ROW: f64 = 15.0;
/// Room for the axis below.
pub(super) const BELOW: f64 = 58.0;

/// The chart; `None` where no config quantizes every layer.
pub(super) fn chart(shown: &Shown<'_>) -> Option<Chart> {
    let order = order(shown);
    let panels = shown.configs.iter().filter_map(|&config| panel(shown, config, &order));
    let panels: Vec<Panel> = panels.collect();
    let words = format!(
        "Relative increase of perplexity, exp(ΔNLL) − 1, in %, every layer quantized; interval: {}. Languages stand in one order, by the \
         config that costs most; each config has its own scale. Grey: the interval includes 0.",
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
    let rows = shown.all_layers(config);
    let all = rows.iter().flat_map(|row| percent(row)).flatten();
    let texts = estimates(&rows.iter().map(|row| percent(row)).collect::<Vec<_>>(), 3);
    let (mut sure, mut unsure, mut plots) = (Vec::new(), Vec::new(), Vec::new());
    for (row, text) in rows.iter().zip(texts) {
        let place = order.iter().position(|language| *language == row.language)?;
        let ([Some(value), low, high], y) = (percent(row), place as f64 + 1.0) else { continue };
        let excludes = low.zip(high).is_some_and(|(low, high)| low > 0.0 || high < 0.0);
        let colour = if excludes { ACCENT } else { QUIET };
        plots.extend(low.zip(high).map(|(low, high)| line(&[(low, y), (high, y)], colour, 1.5)));
        let tip = format!("{}: {text} %", full(&row.language));
        let dot = Dot { x: value, y, tip, label: String::new() };
        if excludes { sure.push(dot) } else { unsure.push(dot) }
    }
    if rows.is_empty() {
        return None;
    }
    plots.extend(
        [(sure, ACCENT), (unsure, QUIET)]
            .into_iter()
            .filter(|(some, _)| !some.is_empty())
            .map(|(some, colour)| dots(&some, colour, 3.5)),
    );
    let frame = Frame {
        x: Axis::Numbers { range: range(all.chain([0.0])), unit: "%".to_owned(), log: false },
        y: Axis::Names { names: order.to_vec(), unit: String::new() },
        height: BELOW + ROW * order.len() as f64,
    };
    let layout = frame.layout().with_reference_line(reference(0.0, Orientation::Vertical, ""));
    Some(Panel::new(name(config), String::new(), layout, plots))
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
        rows.iter_mut().zip(texts).for_each(|(row, text)| row.push(text));
    }
    Table { header, rows }
}
