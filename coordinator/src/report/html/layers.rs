//! The chart of the weights: kurtosis and outliers of each layer's MLP.

use kuva::plot::annotations::Orientation;

use super::super::block::Table;
use super::super::layer_label;
use super::super::number::{fixed, or_undefined, significant};
use super::super::shown::Shown;
use super::chart::{Chart, key};
use super::marks::{Dot, colour, dots, line, range, reference};
use super::panel::{Axis, Frame, Panel};
use crate::reduce::LayerRow;

/// Height of a profile by layer.
pub(super) const HEIGHT: f64 = 210.0;

/// A number of a layer that is drawn.
struct Measure {
    title: &'static str,
    value: fn(&LayerRow) -> Option<f64>,
    unit: &'static str,
    /// What a Gaussian has.
    gaussian: f64,
    /// Other values with a name.
    marks: &'static [(f64, &'static str)],
}

const MEASURES: [Measure; 2] = [
    Measure {
        title: "kurtosis",
        value: |row| row.kurtosis,
        unit: "excess kurtosis",
        gaussian: 0.0,
        marks: &[(3.0, "moderate from here"), (30.0, "high"), (100.0, "extreme")],
    },
    Measure {
        title: "outliers",
        value: |row| row.outliers_3std_percent,
        unit: "% of weights beyond 3σ",
        gaussian: 0.27,
        marks: &[],
    },
];

/// The chart; `None` without weights.
pub(super) fn chart(shown: &Shown<'_>) -> Option<Chart> {
    let rows = shown.view.summary.layers.iter().filter(|row| row.model == shown.view.model);
    let rows: Vec<&LayerRow> = rows.collect();
    let panels: Vec<Panel> = MEASURES.iter().filter_map(|measure| panel(&rows, measure)).collect();
    let words = "Of each layer's MLP weights, all its matrices together: excess kurtosis κ, which is larger the more of the variance sits \
                 in few weights, and the share with |w| > 3σ.";
    (!panels.is_empty()).then(|| Chart {
        id: "weights",
        title: "What the weights are like, by layer".to_owned(),
        words: words.to_owned(),
        key: key(&stacks(rows.iter().map(|row| row.stack.as_str()))),
        panels,
        table: table(&rows),
    })
}

/// The stacks in their order, as keys name them.
pub(super) fn stacks<'a>(stacks: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut named: Vec<&str> = Vec::new();
    stacks.for_each(|stack| {
        if !named.contains(&stack) {
            named.push(stack)
        }
    });
    named
}

fn panel(rows: &[&LayerRow], measure: &Measure) -> Option<Panel> {
    let values: Vec<f64> = rows.iter().filter_map(|row| (measure.value)(row)).collect();
    let up = range(values.iter().copied().chain([measure.gaussian]));
    let frame = Frame {
        x: across(rows.iter().map(|row| row.layer)),
        y: numbers(up, measure.unit),
        height: HEIGHT,
    };
    let marks = measure.marks.iter().filter(|(value, _)| (up.0..=up.1).contains(value));
    let marks = [(measure.gaussian, "Gaussian")].into_iter().chain(marks.copied());
    let layout = marks.fold(frame.layout(), |layout, (value, label)| {
        layout.with_reference_line(reference(value, Orientation::Horizontal, label))
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
    let panel = Panel::new(measure.title.to_owned(), String::new(), layout, plots);
    (!values.is_empty()).then_some(panel)
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
