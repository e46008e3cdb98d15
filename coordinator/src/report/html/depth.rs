//! The depth profile: what each layer alone costs, mean over languages, a panel for each config.

use kuva::plot::annotations::Orientation;

use super::super::block::Table;
use super::super::layer_label;
use super::super::number::{self, estimates, fixed};
use super::super::shown::{Config, Shown, name};
use super::chart::{Chart, key};
use super::layers::{HEIGHT, across, numbers, stacks};
use super::marks::{Dot, band, colour, dots, line, range, reference};
use super::panel::{Frame, Panel};
use crate::reduce::DepthRow;

/// The chart; `None` where no two layers were quantized alone: a point has no shape.
pub(super) fn chart(shown: &Shown<'_>) -> Option<Chart> {
    let panels: Vec<Panel> =
        shown.configs.iter().filter_map(|&config| panel(shown, config)).collect();
    let words = format!(
        "Mean over languages of ΔNLL with that layer alone quantized, in 10⁻³ nat per token, with its interval ({}). Each config has its own \
         scale: compare shapes here, sizes above.",
        shown.view.interval_in_words()
    );
    (!panels.is_empty()).then(|| Chart {
        id: "depth",
        title: "Sensitivity by depth".to_owned(),
        words,
        key: key(&stacks(shown.view.summary.depth.iter().map(|row| row.stack.as_str()))),
        panels,
        table: table(shown),
    })
}

/// The layers of a config in the table `depth` that have a number.
pub(super) fn profile<'a>(shown: &Shown<'a>, config: Config<'_>) -> Vec<&'a DepthRow> {
    let rows = shown.view.summary.depth.iter().filter(|row| row.model == shown.view.model);
    let rows = rows.filter(|row| (&*row.components, &*row.config) == config);
    rows.filter(|row| row.mean_delta_nll.is_some()).collect()
}

/// Value, low and high in thousandths.
pub(super) fn thousandths(row: &DepthRow) -> [Option<f64>; 3] {
    number::thousandths([row.mean_delta_nll, row.mean_delta_nll_low, row.mean_delta_nll_high])
}

fn panel(shown: &Shown<'_>, config: Config<'_>) -> Option<Panel> {
    let rows = profile(shown, config);
    if rows.len() < 2 {
        return None;
    }
    let all = rows.iter().flat_map(|row| thousandths(row)).flatten().chain([0.0]);
    let frame = Frame {
        x: across(rows.iter().map(|row| row.layer)),
        y: numbers(range(all), "10⁻³ nat"),
        height: HEIGHT,
    };
    let layout = frame.layout().with_reference_line(reference(0.0, Orientation::Horizontal, ""));
    let mut plots = Vec::new();
    for (index, stack) in rows.chunk_by(|a, b| a.stack == b.stack).enumerate() {
        let colour = colour(index);
        let ends = |end: usize| -> Vec<f64> {
            stack
                .iter()
                .map(|row| thousandths(row)[end].or(thousandths(row)[0]).unwrap_or(0.0))
                .collect()
        };
        let x: Vec<f64> = stack.iter().map(|row| f64::from(row.layer)).collect();
        let tips = estimates(&stack.iter().map(|row| thousandths(row)).collect::<Vec<_>>(), 3);
        let dot = |((row, x), tip): ((&&DepthRow, &f64), String)| Dot {
            x: *x,
            y: thousandths(row)[0].unwrap_or(0.0),
            tip: format!("layer {}: {tip}", layer_label(&row.stack, row.layer)),
            label: String::new(),
        };
        let points: Vec<Dot> = stack.iter().zip(&x).zip(tips).map(dot).collect();
        let path: Vec<(f64, f64)> = points.iter().map(|dot| (dot.x, dot.y)).collect();
        plots.push(band(&x, &ends(1), &ends(2), &colour));
        plots.extend([line(&path, &colour, 1.5), dots(&points, &colour, 3.0)]);
    }
    let largest = rows.iter().max_by(|a, b| {
        let of = |row: &DepthRow| row.mean_delta_nll.unwrap_or(f64::NEG_INFINITY);
        of(a).total_cmp(&of(b))
    })?;
    let words = format!(
        "most in layer {}: {}",
        layer_label(&largest.stack, largest.layer),
        fixed(1e3 * largest.mean_delta_nll?, 1)
    );
    Some(Panel::new(name(config), words, layout, plots))
}

fn table(shown: &Shown<'_>) -> Table {
    let mut table = Table::new(&["layer", "config", "languages", "mean ΔNLL, 10⁻³ nat"]);
    for &config in &shown.configs {
        let rows = profile(shown, config);
        let texts = estimates(&rows.iter().map(|row| thousandths(row)).collect::<Vec<_>>(), 3);
        table.rows.extend(rows.iter().zip(texts).map(|(row, text)| {
            vec![layer_label(&row.stack, row.layer), name(config), row.languages.to_string(), text]
        }));
    }
    table
}
