//! The chart of clipping: where each config ends the grids of a layer, over σ, a panel for each width of a code and a line for each rule.

use std::collections::{BTreeMap, BTreeSet};

use babelquant_proto::quant::{Grid, QuantConfig, Rule};
use kuva::plot::annotations::Orientation;

use super::super::block::Table;
use super::super::layer_label;
use super::super::number::{fixed, or_undefined, significant};
use super::super::shown::Shown;
use super::chart::{Chart, key};
use super::layers::{HEIGHT, across};
use super::marks::{Dot, colour, dots, line, range, reference};
use super::panel::{Axis, Frame, Panel};
use crate::reduce::LimitRow;

/// Lines that colours tell apart.
const RULES_MAX: usize = 6;
/// From this ratio of largest to smallest on the axis counts powers of ten.
const LOG_FROM: f64 = 20.0;
/// By width of a code: the α/σ of least mean square error for Gaussian weights on symmetric codes ±(2^(b−1) − 1), without an assumption about
/// the noise.
const GAUSSIAN: [(u8, f64); 7] = [
    (2, 1.224_006),
    (3, 1.952_309),
    (4, 2.473_879),
    (5, 2.898_728),
    (6, 3.270_115),
    (7, 3.607_461),
    (8, 3.920_500),
];

/// The chart; `None` without a grid that has limits.
pub(super) fn chart(shown: &Shown<'_>) -> Option<Chart> {
    let rows = rows(shown);
    let rules: BTreeSet<String> = rows.iter().map(|row| rule(&row.config)).collect();
    let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    let (drawn, left_out) = rules.split_at(rules.len().min(RULES_MAX));
    let mut widths: BTreeMap<Option<u8>, Vec<&LimitRow>> = BTreeMap::new();
    for row in rows.iter().filter(|row| drawn.contains(&rule(&row.config).as_str())) {
        widths.entry(width(&row.config)).or_default().push(row);
    }
    let panels: Vec<Panel> =
        widths.iter().filter_map(|(width, rows)| panel(*width, rows, drawn)).collect();
    let rest = match left_out {
        [] => String::new(),
        some => format!(" For want of colours not drawn, but in the numbers: {}.", some.join(", ")),
    };
    let words = format!(
        "Where the grid of a layer ends: its limit α over the standard deviation σ of the matrix, mean over groups and matrices by their weights. \
         For rules that look for the limit of least error (octav, mse) this is α*/σ. Dashed: α*/σ of Gaussian weights on one symmetric \
         grid of that width; a line far above it spends its codes on a few weights.{rest}"
    );
    (!panels.is_empty()).then(|| Chart {
        id: "limits",
        title: "Where the grids end, by layer".to_owned(),
        words,
        key: key(drawn),
        panels,
        table: table(&rows),
    })
}

/// The layers of the configs drawn that have a limit, whatever their components.
fn rows<'a>(shown: &Shown<'a>) -> Vec<&'a LimitRow> {
    let configs: BTreeSet<&str> = shown.configs.iter().map(|(_, config)| *config).collect();
    let rows = shown.view.summary.limits.iter().filter(|row| row.model == shown.view.model);
    rows.filter(|row| row.alpha_over_sigma.is_some() && configs.contains(&*row.config)).collect()
}

/// The width of a code on an even grid.
fn width(config: &str) -> Option<u8> {
    let QuantConfig::Weights(config) = config.parse::<QuantConfig>().ok()? else { return None };
    match config.rule {
        Rule::Nearest(Grid::Uniform(grid))
        | Rule::Gptq { grid, .. }
        | Rule::Awq(grid)
        | Rule::SmoothQuant { grid, .. } => Some(grid.bits.get()),
        Rule::Hqq { bits, .. } => Some(bits.get()),
        Rule::Named(named) => Some(named.grid().bits.get()),
        Rule::Nearest(_) | Rule::LlmInt8 { .. } => None,
    }
}

/// A config without its width: the same at every width.
fn rule(config: &str) -> String {
    match width(config) {
        Some(width) => {
            let name = config.replacen(&format!("int{width}"), "", 1).replace("--", "-");
            name.trim_matches('-').to_owned()
        }
        None => config.to_owned(),
    }
}

fn panel(width: Option<u8>, rows: &[&LimitRow], rules: &[&str]) -> Option<Panel> {
    let gaussian = GAUSSIAN.iter().find(|(bits, _)| Some(*bits) == width).map(|(_, alpha)| *alpha);
    let values = || rows.iter().filter_map(|row| row.alpha_over_sigma).chain(gaussian);
    let (low, high) =
        values().fold((f64::INFINITY, 0.0_f64), |(a, b), value| (a.min(value), b.max(value)));
    let log = low > 0.0 && high > LOG_FROM * low;
    let ends = if log { (low / 1.3, 1.3 * high) } else { range(values()) };
    let frame = Frame {
        x: across(rows.iter().map(|row| row.layer)),
        y: Axis::Numbers { range: ends, unit: "α/σ".to_owned(), log },
        height: HEIGHT,
    };
    let layout = gaussian.into_iter().fold(frame.layout(), |layout, alpha| {
        layout.with_reference_line(reference(alpha, Orientation::Horizontal, "Gaussian α*"))
    });
    let mut plots = Vec::new();
    for stack in rows.chunk_by(|a, b| (&a.config, &a.stack) == (&b.config, &b.stack)) {
        let colour = colour(rules.iter().position(|known| *known == rule(&stack[0].config))?);
        let dot = |row: &&LimitRow| {
            let y = row.alpha_over_sigma?;
            let label = layer_label(&row.stack, row.layer);
            let tip = format!("{}, layer {label}: {} σ", row.config, significant(y, 4));
            Some(Dot { x: f64::from(row.layer), y, tip, label: String::new() })
        };
        let points: Vec<Dot> = stack.iter().filter_map(dot).collect();
        let path: Vec<(f64, f64)> = points.iter().map(|dot| (dot.x, dot.y)).collect();
        plots.extend([line(&path, &colour, 1.5), dots(&points, &colour, 3.0)]);
    }
    let title = width.map_or("other grids".to_owned(), |width| format!("{width} bits"));
    let words = if log { "logarithmic" } else { "" };
    Some(Panel::new(title, words.to_owned(), layout, plots))
}

fn table(rows: &[&LimitRow]) -> Table {
    let mut table = Table::new(&["layer", "config", "α/σ", "beyond the limits, %", "weights"]);
    for row in rows {
        table.rows.push(vec![
            layer_label(&row.stack, row.layer),
            row.config.clone(),
            or_undefined(row.alpha_over_sigma, |value| fixed(value, 3)),
            or_undefined(row.clipped, |value| fixed(100.0 * value, 4)),
            row.weights.to_string(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_and_rules_of_configs() {
        let check = |config: &str, expected: (Option<u8>, &str)| {
            assert_eq!((width(config), rule(config).as_str()), expected, "{config}");
        };
        check("int4-channel", (Some(4), "channel"));
        check("int3-channel-mse", (Some(3), "channel-mse"));
        check("gptq-int4-group128@eng", (Some(4), "gptq-group128@eng"));
        check("smooth0.5-int8-channel-a8@eng", (Some(8), "smooth0.5-channel-a8@eng"));
        check("nf4-block64", (None, "nf4-block64"));
        check("phase1-laaciq-int3", (Some(3), "phase1-laaciq"));
        check("???", (None, "???"));
    }

    /// Mean square error of unit Gaussian weights on a symmetric grid, by the midpoint rule.
    fn error(bits: u8, alpha: f64) -> f64 {
        let most = f64::from((1_u32 << (bits - 1)) - 1);
        let step = alpha / most;
        let density = |x: f64| (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let at = |i: u32| (f64::from(i) + 0.5) * 1e-4;
        let part = |x: f64| {
            let code = (x / step).round().min(most);
            2.0 * density(x) * (x - code * step).powi(2) * 1e-4
        };
        (0..90_000).map(|i| part(at(i))).sum()
    }

    #[test]
    fn the_gaussian_limits_are_least() {
        for (bits, alpha) in GAUSSIAN {
            let least = error(bits, alpha);
            assert!(least < error(bits, alpha - 0.004) && least < error(bits, alpha + 0.004));
        }
        assert!((error(4, 2.473_879) - 1.288_939e-2).abs() < 1e-7);
    }
}
