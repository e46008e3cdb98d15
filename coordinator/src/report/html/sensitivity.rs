//! The heat maps of sensitivity: ΔNLL with one layer quantized, language × layer, a panel for each config on one scale.

use super::super::block::Table;
use super::super::floor;
use super::super::number::fixed;
use super::super::sensitivity::{is_none, stands_out};
use super::super::shown::{Config, Shown, name};
use super::chart::Chart;
use super::heat::{Entry, Map, place};
use super::scale::Diverging;
use crate::reduce::SensitivityRow;

/// The chart; `None` where no layer was quantized alone.
pub(super) fn chart(shown: &Shown<'_>) -> Option<Chart> {
    let maps: Vec<(Config<'_>, Map)> = shown
        .configs
        .iter()
        .map(|&config| (config, map(shown, config)))
        .filter(|(_, map)| !map.0.is_empty())
        .collect();
    let measured = shown.view.summary.sensitivity.iter();
    let single = measured.filter(|row| row.layer.is_some() && !is_none(row));
    let scale = Diverging::of(single.filter_map(|row| row.delta_nll));
    let panels = maps.iter().map(|(config, map)| {
        let scale = scale.clone();
        map.panel(name(*config), String::new(), move |value| scale.colour(value))
    });
    let panels: Vec<_> = panels.collect();
    let words = format!(
        "ΔNLL with one layer alone quantized, in 10⁻³ nat per token. One scale for the whole page: a class begins at its number, in steps of 1–2–5. A dot marks a \
         ΔNLL other than 0 after the correction for all cells of its panel (max-T p at most {}); intervals under the pointer are of the cell alone ({}).",
        fixed(shown.view.summary.analysis.level(), 2),
        shown.view.interval_in_words()
    );
    (!panels.is_empty()).then(|| Chart {
        id: "sensitivity",
        title: "Through which layers".to_owned(),
        words,
        key: scale.key("10⁻³ nat per token"),
        panels,
        table: table(&maps),
    })
}

fn map<'a>(shown: &Shown<'a>, config: Config<'a>) -> Map {
    let mut map = Map::default();
    let level = shown.view.summary.analysis.level();
    for row in shown.cells(config) {
        if let Some((stack, layer)) = row.stack.as_deref().zip(row.layer) {
            map.insert(&row.language, place(stack, layer), entry(row, level));
        }
    }
    map
}

fn entry(row: &SensitivityRow, level: f64) -> Entry {
    let text = |value: f64| fixed(1e3 * value, 2);
    let interval = row.delta_nll_low.zip(row.delta_nll_high);
    let words = match (row.delta_nll, interval) {
        (None, _) => row.reason.clone().unwrap_or_else(|| "undefined".to_owned()),
        (Some(value), Some((low, high))) => {
            format!("{} [{}, {}]", text(value), text(low), text(high))
        }
        (Some(value), None) => text(value),
    };
    let marked = stands_out(row, level) && !floor::hides(row);
    Entry { value: row.delta_nll, text: words, marked }
}

/// A row for each config and language.
fn table(maps: &[(Config<'_>, Map)]) -> Table {
    let mut table = Table { header: Vec::new(), rows: Vec::new() };
    maps.iter().for_each(|(config, map)| map.add_to(&mut table, "config", &name(*config)));
    table
}
