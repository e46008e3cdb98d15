//! Marks on a panel's axes: dots, intervals, lines and bands, each dot with the text it shows under a pointer. Not the axes.

use kuva::plot::annotations::{Orientation, ReferenceLine};
use kuva::plot::band::BandPlot;
use kuva::plot::line::LinePlot;
use kuva::plot::scatter::ScatterPlot;
use kuva::plot::volcano::LabelStyle;
use kuva::render::plots::Plot;

/// The colour of what a chart is about.
pub(super) const ACCENT: &str = "var(--c1)";
/// The colour of what stands beside it.
pub(super) const QUIET: &str = "var(--quiet)";

/// The colours that tell series apart; of more than six they start again.
pub(super) fn colour(index: usize) -> String {
    format!("var(--c{})", 1 + index % 6)
}

/// A dot.
#[derive(Debug, Clone)]
pub(super) struct Dot {
    /// Across.
    pub(super) x: f64,
    /// Up.
    pub(super) y: f64,
    /// What it says under a pointer.
    pub(super) tip: String,
    /// What stands beside it; may be empty.
    pub(super) label: String,
}

/// Dots of one colour, their labels where there is room.
pub(super) fn dots(dots: &[Dot], colour: &str, size: f64) -> Plot {
    labelled(dots, (colour, size), LabelStyle::Repel)
}

/// Dots of one colour, their labels above and to the right: where nothing of a falling line is.
pub(super) fn dots_of_front(dots: &[Dot], colour: &str, size: f64) -> Plot {
    labelled(dots, (colour, size), LabelStyle::Arrow { offset_x: 5.0, offset_y: 4.0 })
}

fn labelled(dots: &[Dot], (colour, size): (&str, f64), style: LabelStyle) -> Plot {
    let plot = ScatterPlot::new()
        .with_data(dots.iter().map(|dot| (dot.x, dot.y)))
        .with_color(colour)
        .with_size(size)
        .with_tooltip_labels(dots.iter().map(|dot| dot.tip.as_str()));
    let labels = dots.iter().map(|dot| shortened(&dot.label));
    Plot::Scatter(match dots.iter().any(|dot| !dot.label.is_empty()) {
        true => plot.with_labels(labels).with_label_style(style),
        false => plot,
    })
}

/// Characters of a label at most: labels that keep out of each other's way must be narrower than their panel.
const LABEL_MAX: usize = 22;

/// A label with its end left out where it is long; tip and table have all of it.
fn shortened(label: &str) -> String {
    match label.chars().count() {
        0..=LABEL_MAX => label.to_owned(),
        _ => label.chars().take(LABEL_MAX - 1).chain(['…']).collect(),
    }
}

/// A line through points.
pub(super) fn line(points: &[(f64, f64)], colour: &str, width: f64) -> Plot {
    let points = points.iter().copied();
    Plot::Line(LinePlot::new().with_data(points).with_color(colour).with_stroke_width(width))
}

/// The area between lower and upper ends at each x.
pub(super) fn band(x: &[f64], low: &[f64], high: &[f64], colour: &str) -> Plot {
    let ends = [low, high].map(<[f64]>::to_vec);
    let [low, high] = ends;
    Plot::Band(BandPlot::new(x.to_vec(), low, high).with_color(colour).with_opacity(0.16))
}

/// A line across the panel at a value.
pub(super) fn reference(value: f64, orientation: Orientation, label: &str) -> ReferenceLine {
    let line = match orientation {
        Orientation::Horizontal => ReferenceLine::horizontal(value),
        Orientation::Vertical => ReferenceLine::vertical(value),
    };
    let line = line.with_color("var(--rule)").with_stroke_width(1.0).with_dasharray("3 3");
    match label.is_empty() {
        true => line,
        false => line.with_label(label),
    }
}

/// The ends of a range that holds all numbers, with a little room; widened where they are one.
pub(super) fn range(numbers: impl Iterator<Item = f64>) -> (f64, f64) {
    let ends = numbers.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), number| {
        (low.min(number), high.max(number))
    });
    match ends {
        (low, high) if low < high => {
            let room = 0.08 * (high - low);
            (low - room, high + room)
        }
        (low, _) if low.is_finite() => (low - 0.5, low + 0.5),
        _ => (0.0, 1.0),
    }
}
