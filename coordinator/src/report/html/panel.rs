//! A panel: one set of axes as SVG, in the page's own colours. Not what is drawn on them (`marks`).

use std::sync::Arc;

use kuva::backend::svg::SvgBackend;
use kuva::render::layout::{AxisLabelOverlap, Layout, TickFormat};
use kuva::render::plots::Plot;
use kuva::render::render::{Primitive, render_multiple};
use kuva::render::theme::Theme;
use maud::{Markup, PreEscaped, html};

use super::super::number::{fixed, significant};

/// Width of every panel in its own units: that of a phone, so that text keeps its size there.
pub(super) const WIDTH: f64 = 360.0;

/// Width of a letter of a label, or a little more.
const LETTER: f64 = 5.4;

/// A finished panel.
#[derive(Debug)]
pub(super) struct Panel {
    /// What it is of.
    pub(super) title: String,
    /// What it comes to, in a few words.
    pub(super) words: String,
    /// Names of what stands numbered in it; may be empty.
    pub(super) list: Vec<(usize, String)>,
    svg: String,
    height: f64,
}

/// What an axis shows.
#[derive(Debug, Clone)]
pub(super) enum Axis {
    /// Numbers in a range.
    Numbers {
        /// Its ends.
        range: (f64, f64),
        /// Unit, written at the axis.
        unit: String,
        /// True for a logarithmic one; its range is above 0.
        log: bool,
    },
    /// Whole numbers such as layers.
    Whole {
        /// First and last.
        range: (f64, f64),
        /// Unit, written at the axis.
        unit: String,
    },
    /// One position a name, the first at the left or the bottom.
    Names {
        /// The names; an empty one has no label.
        names: Vec<String>,
        /// What they are, written at the axis if it runs across.
        unit: String,
    },
}

/// Size and axes of a panel.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    /// Across.
    pub(super) x: Axis,
    /// Up.
    pub(super) y: Axis,
    /// In the panel's own units.
    pub(super) height: f64,
}

impl Frame {
    /// The layout in the page's colours; lines of reference may be added.
    pub(super) fn layout(&self) -> Layout {
        let layout = Layout::new(self.x.range(), self.y.range())
            .with_width(WIDTH)
            .with_height(self.height)
            .with_theme(theme(matches!(self.y, Axis::Numbers { .. })))
            .with_label_size(11)
            .with_tick_size(11)
            .with_body_size(11)
            .with_ticks(4)
            .with_tick_length(3.0)
            .with_x_label_overlap(AxisLabelOverlap::Thin);
        self.y.up(self.x.across(layout))
    }
}

impl Axis {
    fn range(&self) -> (f64, f64) {
        match self {
            Self::Numbers { range, .. } | Self::Whole { range, .. } => *range,
            Self::Names { names, .. } => (0.5, names.len() as f64 + 0.5),
        }
    }

    fn across(&self, layout: Layout) -> Layout {
        let (low, high) = self.range();
        let layout = layout.with_x_axis_min(low).with_x_axis_max(high);
        match self {
            Self::Numbers { unit, log, .. } => {
                let layout = layout.with_x_label(unit).with_x_tick_format(ticks());
                if *log { layout.with_log_x() } else { layout }
            }
            Self::Whole { unit, .. } => {
                layout.with_x_label(unit).with_x_tick_step(self.step()).with_x_tick_format(ticks())
            }
            Self::Names { names, unit } => {
                layout.with_x_label(unit).with_x_categories(names.clone())
            }
        }
    }

    fn up(&self, layout: Layout) -> Layout {
        let (low, high) = self.range();
        let layout = layout.with_y_axis_min(low).with_y_axis_max(high);
        match self {
            Self::Numbers { unit, log, .. } => {
                let layout = layout.with_y_label(unit).with_y_tick_format(ticks());
                if *log { layout.with_log_y() } else { layout }
            }
            Self::Whole { unit, .. } => {
                layout.with_y_label(unit).with_y_tick_step(self.step()).with_y_tick_format(ticks())
            }
            Self::Names { names, .. } => {
                let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
                let left = (LETTER * longest as f64 + 14.0).min(0.58 * WIDTH);
                layout.with_y_categories(names.clone()).with_force_margins(left, 10.0)
            }
        }
    }

    /// Whole steps, about eight of them.
    fn step(&self) -> f64 {
        let (low, high) = self.range();
        [1.0, 2.0, 5.0, 10.0, 20.0]
            .into_iter()
            .find(|step| (high - low) / step <= 10.0)
            .unwrap_or(50.0)
    }
}

/// Numbers at ticks: a true minus, no zeros behind.
fn ticks() -> TickFormat {
    TickFormat::Custom(Arc::new(|value: f64| match value.abs() {
        0.0 => "0".to_owned(),
        huge if huge >= 1e6 => significant(value, 2),
        _ => {
            let text = fixed(value, 6);
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    }))
}

/// The colours of the page; they follow the reader's scheme because each is a variable.
fn theme(grid: bool) -> Theme {
    Theme {
        background: "none".to_owned(),
        axis_color: "var(--rule)".to_owned(),
        grid_color: "var(--grid)".to_owned(),
        tick_color: "var(--rule)".to_owned(),
        text_color: "var(--soft)".to_owned(),
        show_grid: grid,
        ..Theme::light()
    }
}

impl Panel {
    /// Draws the plots on the layout. The library numbers its clips by a counter of the process: they go, since ranges hold every mark.
    pub(super) fn new(title: String, words: String, layout: Layout, plots: Vec<Plot>) -> Self {
        let mut scene = render_multiple(plots, layout);
        let is_clip = |element: &Primitive| {
            matches!(element, Primitive::ClipStart { .. } | Primitive::ClipEnd)
        };
        scene.elements.retain(|element| !is_clip(element));
        scene.defs.clear();
        scene.has_tooltips = false;
        scene.background_color = None;
        scene.font_family = None;
        let svg = SvgBackend::new().render_scene(&scene);
        Self { title, words, list: Vec::new(), height: scene.height, svg }
    }

    /// The panel for the page. The library escapes what it writes into the SVG.
    pub(super) fn markup(&self) -> Markup {
        let box_of = format!("0 0 {WIDTH} {}", self.height);
        html! {
            figure.panel {
                @if !self.title.is_empty() || !self.words.is_empty() {
                    figcaption { b dir="auto" { (self.title) } " " span { (self.words) } }
                }
                svg.plot viewBox=(box_of) role="img" aria-label=(format!("{} {}", self.title, self.words)) {
                    (PreEscaped(&self.svg))
                }
                @if !self.list.is_empty() { ol { @for (number, name) in &self.list { li value=(number) { (name) } } } }
            }
        }
    }
}
