//! The charts of the weights: kurtosis and outliers of each layer's MLP.

use kuva::plot::annotations::Orientation;

use super::super::block::Table;
use super::super::layer_label;
use super::super::number::{fixed, or_undefined, significant};
use super::chart::Chart;
use super::marks::{Dot, colour, dots, line, range, reference};
use super::panel::{Axis, Frame, Panel};
use super::shown::Shown;
use crate::reduce::LayerRow;

/// Height of a profile by layer.
pub(super) const HEIGHT: f64 = 210.0;

/// A number of a layer that is drawn.
struct Measure {
    value: fn(&LayerRow) -> Option<f64>,
    unit: &'static str,
    /// Values with a name.
    marks: &'static [(f64, &'static str)],
}

/// The chart of kurtosis; `None` without weights.
pub(super) fn kurtosis(shown: &Shown<'_>) -> Option<Chart> {
    let measure = Measure {
        value: |row| row.kurtosis,
        unit: "excess kurtosis",
        marks: &[
            (0.0, "Gaussian"),
            (3.0, "moderate from here"),
            (30.0, "high"),
            (100.0, "extreme"),
        ],
    };
    let words = "Excess kurtosis κ of each layer's MLP weights, all its matrices together: 0 is a Gaussian, and the larger, the more of the \
                 variance sits in few weights.";
    chart(shown, &measure, ("kurtosis", "Weights: kurtosis by layer", words))
}

/// The chart of outliers; `None` without weights.
pub(super) fn outliers(shown: &Shown<'_>) -> Option<Chart> {
    let measure = Measure {
        value: |row| row.outliers_3std_percent,
        unit: "% of weights beyond 3σ",
        marks: &[(0.27, "Gaussian")],
    };
    let words = "Share of each layer's MLP weights with |w| > 3σ; 0.27 % for a Gaussian.";
    chart(shown, &measure, ("outliers", "Weights: outliers by layer", words))
}

fn chart(
    shown: &Shown<'_>,
    measure: &Measure,
    (id, title, words): (&'static str, &str, &str),
) -> Option<Chart> {
    let rows = shown.view.summary.layers.iter().filter(|row| row.model == shown.view.model);
    let rows: Vec<&LayerRow> = rows.collect();
    let values: Vec<f64> = rows.iter().filter_map(|row| (measure.value)(row)).collect();
    if values.is_empty() {
        return None;
    }
    let up = range(values.iter().copied());
    let frame = Frame {
        x: across(rows.iter().map(|row| row.layer)),
        y: numbers(up, measure.unit),
        height: HEIGHT,
    };
    let inside = measure.marks.iter().filter(|(value, _)| (up.0..=up.1).contains(value));
    let layout = inside.fold(frame.layout(), |layout, (value, label)| {
        layout.with_reference_line(reference(*value, Orientation::Horizontal, label))
    });
    let mut plots = Vec::new();
    for (index, stack) in rows.chunk_by(|a, b| a.stack == b.stack).enumerate() {
        let dot = |row: &&LayerRow| {
            let (x, y) = (f64::from(row.layer), (measure.value)(row)?);
            let label = layer_label(&row.stack, row.layer);
            let tip = format!(
                "layer {label}: {} {}",
                significant(y, 4),
                row.note.clone().unwrap_or_default()
            );
            Some(Dot { x, y, tip, label: String::new() })
        };
        let points: Vec<Dot> = stack.iter().filter_map(dot).collect();
        let path: Vec<(f64, f64)> = points.iter().map(|dot| (dot.x, dot.y)).collect();
        plots.extend([line(&path, &colour(index), 1.5), dots(&points, &colour(index), 3.0)]);
    }
    let panel = Panel::new(String::new(), stacks(&rows), layout, plots);
    Some(Chart {
        id,
        title: title.to_owned(),
        words: words.to_owned(),
        key: maud::html! {},
        panels: vec![panel],
        table: table(&rows),
    })
}

/// Which colour is which stack, where there are two.
fn stacks(rows: &[&LayerRow]) -> String {
    match rows.chunk_by(|a, b| a.stack == b.stack).count() {
        0 | 1 => String::new(),
        _ => "blue: the first stack in the table; orange: the second".to_owned(),
    }
}

/// The axis of layers.
pub(super) fn across(layers: impl Iterator<Item = u32>) -> Axis {
    let last = layers.max().unwrap_or(0);
    Axis::Whole { range: (-0.4, f64::from(last) + 0.4), unit: "layer".to_owned() }
}

/// A linear axis.
pub(super) fn numbers(range: (f64, f64), unit: &str) -> Axis {
    Axis::Numbers { range, unit: unit.to_owned(), log: false }
}

fn table(rows: &[&LayerRow]) -> Table {
    let mut table =
        Table::new(&["layer", "kurtosis", "|w| > 3σ, %", "σ", "max |w|", "L-kurtosis", "note"]);
    for row in rows {
        table.rows.push(vec![
            layer_label(&row.stack, row.layer),
            or_undefined(row.kurtosis, |value| fixed(value, 3)),
            or_undefined(row.outliers_3std_percent, |value| fixed(value, 3)),
            or_undefined(row.std, |value| significant(value, 4)),
            or_undefined(row.max_abs, |value| significant(value, 4)),
            or_undefined(row.l_kurtosis, |value| fixed(value, 4)),
            row.note.clone().or_else(|| row.reason.clone()).unwrap_or_default(),
        ]);
    }
    table
}
