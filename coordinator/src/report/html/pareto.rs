//! The chart of bits against loss: every config of the model, the ones that no other beats joined and named.

use kuva::render::plots::Plot;

use super::super::block::Table;
use super::super::language::full;
use super::super::number::{fixed, or_undefined, thousandths};
use super::super::sensitivity::label;
use super::super::shown::Shown;
use super::chart::Chart;
use super::layers::numbers;
use super::marks::{ACCENT, Dot, QUIET, dots, dots_of_front, line, range};
use super::panel::{Axis, Frame, Panel};
use crate::reduce::ConfigRow;

/// From this ratio of largest to smallest loss on the axis counts powers of ten.
const LOG_FROM: f64 = 30.0;
/// The largest loss over the smallest that a logarithmic axis still shows apart.
const DECADES_MAX: f64 = 1e5;
/// A front of more configs has numbers in the panel and its names below.
const NAMED_MAX: usize = 5;

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
         joined: no other config has at most the bits and at most the loss. What is too small for a logarithmic axis stands on its lower edge.",
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

/// A config as it is drawn.
struct Point {
    name: String,
    bits: f64,
    /// Value, lower and upper end.
    loss: [f64; 3],
    on_front: bool,
    /// Its number among the configs on either front, the same in both panels.
    number: usize,
}

/// The configs with bits and a loss in thousandths, in the order of the rows.
fn points(rows: &[&ConfigRow], loss: &Loss) -> Vec<Point> {
    let on_either = |row: &&&ConfigRow| row.on_mean_front || row.on_worst_front;
    let point = |(index, row): (usize, &&ConfigRow)| {
        let [value, low, high] = thousandths((loss.value)(row));
        Some(Point {
            name: label(&row.components, &row.config),
            bits: row.model_bits_per_weight?,
            loss: [value?, low.or(value)?, high.or(value)?],
            on_front: (loss.on_front)(row),
            number: rows[..=index].iter().filter(on_either).count(),
        })
    };
    rows.iter().enumerate().filter_map(point).collect()
}

/// The loss from which on the axis is logarithmic: half the smallest above 0, where the largest is far above that.
fn log_from(points: &[Point]) -> Option<f64> {
    let above = points.iter().map(|point| point.loss[0]).filter(|loss| *loss > 0.0);
    let (least, most) = above.fold((f64::INFINITY, 0.0_f64), |(a, b), c| (a.min(c), b.max(c)));
    (most > LOG_FROM * least).then_some((0.5 * least).max(most / DECADES_MAX))
}

fn panel(rows: &[&ConfigRow], loss: &Loss) -> Option<Panel> {
    let points = points(rows, loss);
    let floor = log_from(&points);
    let at = |value: f64| floor.map_or(value, |floor| value.max(floor));
    let front: Vec<&Point> = points.iter().filter(|point| point.on_front).collect();
    let numbered = front.len() > NAMED_MAX;
    let text = |point: &Point| match (point.on_front, numbered) {
        (true, true) => point.number.to_string(),
        (true, false) => point.name.clone(),
        (false, _) => String::new(),
    };
    let dot = |point: &Point| {
        let [value, low, high] = point.loss.map(|value| fixed(value, 2));
        let tip = format!("{}: {} bits, {value} [{low}, {high}]", point.name, fixed(point.bits, 2));
        Dot { x: point.bits, y: at(point.loss[0]), tip, label: text(point) }
    };
    let interval = |point: &Point| {
        let colour = if point.on_front { ACCENT } else { "var(--faint)" };
        let [_, low, high] = point.loss.map(at);
        line(&[(point.bits, low), (point.bits, high)], colour, 1.2)
    };
    let mut plots: Vec<Plot> = points.iter().map(interval).collect();
    let of = |on_front: bool| -> Vec<Dot> {
        points.iter().filter(|point| point.on_front == on_front).map(dot).collect()
    };
    let path: Vec<(f64, f64)> = of(true).iter().map(|dot| (dot.x, dot.y)).collect();
    plots.extend((!path.is_empty()).then(|| line(&path, ACCENT, 1.2)));
    let [beaten, front_dots] = [of(false), of(true)];
    plots.extend((!beaten.is_empty()).then(|| dots(&beaten, QUIET, 3.0)));
    plots.extend((!front_dots.is_empty()).then(|| dots_of_front(&front_dots, ACCENT, 4.0)));
    let words = if floor.is_some() { "logarithmic" } else { "" };
    let layout = frame(&points, floor, if numbered { 0.1 } else { 0.45 }).layout();
    let mut panel = Panel::new(loss.title.to_owned(), words.to_owned(), layout, plots);
    if numbered {
        panel.list = front.iter().map(|point| (point.number, point.name.clone())).collect();
    }
    (!points.is_empty()).then_some(panel)
}

/// Axes with so much room, of the width of the points, for labels at their right.
fn frame(points: &[Point], floor: Option<f64>, room: f64) -> Frame {
    let (low, high) = range(points.iter().map(|point| point.bits));
    let right = high + room * (high - low);
    let losses = range(points.iter().flat_map(|point| point.loss));
    let up = floor.map_or(losses, |floor| (floor, 1.5 * losses.1));
    Frame {
        x: numbers((low, right), "bits per weight of the model"),
        y: Axis::Numbers { range: up, unit: "10⁻³ nat".to_owned(), log: floor.is_some() },
        height: 300.0,
    }
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
