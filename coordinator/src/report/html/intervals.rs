//! Named rows of a number and its interval, one below the other on one axis, as a forest has them. Not which numbers they are.

use kuva::plot::annotations::Orientation;
use kuva::render::plots::Plot;

use super::marks::{ACCENT, Dot, QUIET, dots, line, range, reference};
use super::panel::{Axis, Frame, Panel};

/// Height of a row.
pub(super) const ROW: f64 = 15.0;
/// Room for the axis below.
pub(super) const BELOW: f64 = 58.0;

/// A number with its ends.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// What it is of; stands at the axis.
    pub(super) name: String,
    /// Value, lower and upper end; nothing is drawn without a value.
    pub(super) numbers: [Option<f64>; 3],
    /// What it says under a pointer.
    pub(super) tip: String,
}

impl Row {
    /// Whether the interval leaves 0 out.
    fn excludes_zero(&self) -> bool {
        let [_, low, high] = self.numbers;
        low.zip(high).is_some_and(|(low, high)| low > 0.0 || high < 0.0)
    }
}

/// The panel of rows, the first at the top: blue where the interval leaves 0 out, grey elsewhere. `None` where no row has a value.
pub(super) fn panel((title, words): (String, String), unit: &str, rows: &[Row]) -> Option<Panel> {
    let (mut sure, mut unsure, mut plots) = (Vec::new(), Vec::new(), Vec::new());
    for (place, row) in rows.iter().rev().enumerate() {
        let ([Some(x), low, high], y) = (row.numbers, place as f64 + 1.0) else { continue };
        let excludes = row.excludes_zero();
        let colour = if excludes { ACCENT } else { QUIET };
        plots.extend(low.zip(high).map(|(low, high)| line(&[(low, y), (high, y)], colour, 1.5)));
        let dot = Dot { x, y, tip: row.tip.clone(), label: String::new() };
        if excludes { sure.push(dot) } else { unsure.push(dot) }
    }
    if sure.is_empty() && unsure.is_empty() {
        return None;
    }
    let marked = [(sure, ACCENT), (unsure, QUIET)].into_iter().filter(|(some, _)| !some.is_empty());
    plots.extend(marked.map(|(some, colour)| -> Plot { dots(&some, colour, 3.5) }));
    let all = rows.iter().flat_map(|row| row.numbers).flatten();
    let frame = Frame {
        x: Axis::Numbers { range: range(all.chain([0.0])), unit: unit.to_owned(), log: false },
        y: Axis::Names {
            names: rows.iter().rev().map(|row| row.name.clone()).collect(),
            unit: String::new(),
        },
        height: BELOW + ROW * rows.len() as f64,
    };
    let layout = frame.layout().with_reference_line(reference(0.0, Orientation::Vertical, ""));
    Some(Panel::new(title, words, layout, plots))
}
