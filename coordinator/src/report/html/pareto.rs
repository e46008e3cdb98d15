//! The chart of bits against loss: every config of the model, the ones that no other beats joined and named.

use super::super::block::Table;
use super::super::number::{fixed, or_undefined};
use super::super::sensitivity::label;
use super::chart::Chart;
use super::language::full;
use super::marks::{ACCENT, Dot, QUIET, dots, line, range};
use super::panel::{Axis, Frame, Panel};
use super::shown::Shown;
use crate::reduce::ConfigRow;

/// From this ratio of largest to smallest loss on the axis counts powers of ten.
const LOG_FROM: f64 = 30.0;

/// What is set against the bits.
struct Loss {
    title: &'static str,
    value: fn(&ConfigRow) -> [Option<f64>; 3],
    on_front: fn(&ConfigRow) -> bool,
}

const LOSSES: [Loss; 2] = [
    Loss {
        title: "worst language",
        value: |row| [row.worst_delta_nll, row.worst_delta_nll_low, row.worst_delta_nll_high],
        on_front: |row| row.on_worst_front,
    },
    Loss {
        title: "mean over languages",
        value: |row| [row.mean_delta_nll, row.mean_delta_nll_low, row.mean_delta_nll_high],
        on_front: |row| row.on_mean_front,
    },
];

/// The chart; `None` where no config has bits and a loss.
pub(super) fn chart(shown: &Shown<'_>) -> Option<Chart> {
    let mut rows = shown.ranked();
    rows.sort_by(|a, b| bits(a).total_cmp(&bits(b)));
    let panels: Vec<Panel> = LOSSES.iter().filter_map(|loss| panel(&rows, loss)).collect();
    let words = format!(
        "ΔNLL in 10⁻³ nat per token against bits per weight of the whole model (16 for what is not quantized), with intervals ({}). Blue and \
         joined: no other config has at most the bits and at most the loss.",
        shown.view.interval_in_words()
    );
    (!panels.is_empty()).then(|| Chart {
        id: "pareto",
        title: "Bits against loss".to_owned(),
        words,
        key: maud::html! {},
        panels,
        table: table(&rows),
    })
}

fn bits(row: &ConfigRow) -> f64 {
    row.model_bits_per_weight.unwrap_or(f64::INFINITY)
}

fn panel(rows: &[&ConfigRow], loss: &Loss) -> Option<Panel> {
    let milli = |row: &ConfigRow| (loss.value)(row).map(|value| value.map(|value| 1e3 * value));
    let known: Vec<&&ConfigRow> = rows
        .iter()
        .filter(|row| row.model_bits_per_weight.is_some() && milli(row)[0].is_some())
        .collect();
    let values: Vec<f64> = known.iter().filter_map(|row| milli(row)[0]).collect();
    let (least, most) =
        values.iter().fold((f64::INFINITY, 0.0_f64), |(a, b), c| (a.min(*c), b.max(*c)));
    let log = least > 0.0 && most > LOG_FROM * least;
    let floor = if log { 0.5 * least } else { f64::NEG_INFINITY };
    let (mut front, mut beaten, mut plots) = (Vec::new(), Vec::new(), Vec::new());
    let mut ends = vec![];
    for row in &known {
        let ([Some(y), low, high], x) = (milli(row), bits(row)) else { continue };
        let on_front = (loss.on_front)(row);
        let (low, high) = (low.unwrap_or(y).max(floor), high.unwrap_or(y));
        ends.extend([low, high]);
        let colour = if on_front { ACCENT } else { "var(--faint)" };
        plots.push(line(&[(x, low), (x, high)], colour, 1.2));
        let name = label(&row.components, &row.config);
        let label = if on_front { name.clone() } else { String::new() };
        let tip = format!(
            "{name}: {} bits, {} [{}, {}]",
            fixed(x, 2),
            fixed(y, 1),
            fixed(low, 1),
            fixed(high, 1)
        );
        let dot = Dot { x, y, tip, label };
        if on_front { front.push(dot) } else { beaten.push(dot) }
    }
    if known.is_empty() {
        return None;
    }
    let path: Vec<(f64, f64)> = front.iter().map(|dot| (dot.x, dot.y)).collect();
    if !beaten.is_empty() {
        plots.push(dots(&beaten, QUIET, 3.0));
    }
    if !front.is_empty() {
        plots.extend([line(&path, ACCENT, 1.2), dots(&front, ACCENT, 4.0)]);
    }
    let (low, high) = range(ends.iter().copied());
    let up = if log { (floor, 1.3 * high) } else { (low, high) };
    let frame = Frame {
        x: Axis::Numbers {
            range: range(known.iter().map(|row| bits(row))),
            unit: "bits per weight of the model".to_owned(),
            log: false,
        },
        y: Axis::Numbers { range: up, unit: "10⁻³ nat".to_owned(), log },
        height: 300.0,
    };
    let words = if log { "powers of ten" } else { "" };
    Some(Panel::new(loss.title.to_owned(), words.to_owned(), frame.layout(), plots))
}

fn table(rows: &[&ConfigRow]) -> Table {
    let mut table = Table::new(&[
        "config",
        "bits per weight",
        "of the model",
        "SQNR, dB",
        "mean ΔNLL, 10⁻³ nat",
        "worst",
        "of language",
        "front",
    ]);
    let two = |value| or_undefined(value, |value| fixed(value, 2));
    for row in rows {
        let [worst, mean] = LOSSES.map(|loss| {
            let [value, low, high] =
                (loss.value)(row).map(|value| or_undefined(value, |value| fixed(1e3 * value, 1)));
            format!("{value} [{low}, {high}]")
        });
        let front = match (row.on_mean_front, row.on_worst_front) {
            (true, true) => "both",
            (true, false) => "mean",
            (false, true) => "worst",
            (false, false) => "",
        };
        table.rows.push(vec![
            label(&row.components, &row.config),
            two(row.bits_per_weight),
            two(row.model_bits_per_weight),
            or_undefined(row.sqnr_db, |value| fixed(value, 1)),
            mean,
            worst,
            row.worst_language.as_deref().map(full).unwrap_or_default(),
            front.to_owned(),
        ]);
    }
    table
}
