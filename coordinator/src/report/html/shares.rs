//! The heat maps of activation: each layer's share of a language's activation, a panel for each point.

use std::collections::BTreeMap;

use super::super::block::Table;
use super::super::number::{UNDEFINED, fixed};
use super::super::shown::Shown;
use super::chart::Chart;
use super::heat::{Entry, Map, place};
use super::scale::Sequential;

/// The chart; `None` without activations.
pub(super) fn chart(shown: &Shown<'_>) -> Option<Chart> {
    let rows = shown.view.summary.activation_shares.iter();
    let rows = rows.filter(|row| row.model == shown.view.model);
    let mut maps: BTreeMap<&str, Map> = BTreeMap::new();
    for row in rows.clone() {
        let text = row
            .share
            .map_or(UNDEFINED.to_owned(), |share| format!("{} %", fixed(100.0 * share, 2)));
        let entry = Entry { value: row.share, text, marked: false };
        maps.entry(&row.point).or_default().insert(
            &row.language,
            place(&row.stack, row.layer),
            entry,
        );
    }
    let scale = Sequential::of(rows.filter_map(|row| row.share));
    let panels = maps.iter().map(|(point, map)| {
        map.panel((*point).to_owned(), in_words(point).to_owned(), move |value| scale.colour(value))
    });
    let panels: Vec<_> = panels.collect();
    let mut table = Table { header: Vec::new(), rows: Vec::new() };
    maps.iter().for_each(|(point, map)| map.add_to(&mut table, "point", point));
    (!panels.is_empty()).then(|| Chart {
        id: "activation",
        title: "Which layers a language activates".to_owned(),
        words: "Each layer's share of Σ mean |x| over the layers. What differs between languages here is what can carry the weights' \
                kurtosis into a difference between languages."
            .to_owned(),
        key: scale.key(),
        panels,
        table,
    })
}

fn in_words(point: &str) -> &'static str {
    match point {
        "block_out" => "after the layer, residual included",
        "mlp_out" => "the MLP's own output",
        _ => "",
    }
}
