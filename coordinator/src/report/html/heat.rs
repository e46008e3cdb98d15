//! Heat maps of languages × layers. What the colours mean is said by a scale; which numbers they are, by the chart.

use std::collections::BTreeMap;
use std::sync::Arc;

use babelquant_proto::Stack;
use kuva::plot::heatmap::{ColorMap, Heatmap};
use kuva::plot::scatter::ScatterPlot;
use kuva::render::plots::Plot;

use super::super::block::Table;
use super::super::language::full;
use super::super::layer_label;
use super::panel::{Axis, Frame, Panel};

/// Height of a row.
const ROW: f64 = 15.0;
/// Room for the axis below.
const BELOW: f64 = 58.0;
/// Labels across that do not run into each other.
const LABELS_MAX: usize = 12;

/// A layer, in the order of the forward pass.
pub(super) type Place = (bool, String, u32);

/// The place of a layer.
pub(super) fn place(stack: &str, layer: u32) -> Place {
    (stack == Stack::Dec.name(), stack.to_owned(), layer)
}

/// The layer's label.
pub(super) fn place_label((_, stack, layer): &Place) -> String {
    layer_label(stack, *layer)
}

/// A cell of a map.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Its number; `None` where it is undefined.
    pub(super) value: Option<f64>,
    /// The number as it is written.
    pub(super) text: String,
    /// True where the cell has a dot.
    pub(super) marked: bool,
}

/// Numbers by language and layer.
#[derive(Debug, Default)]
pub(super) struct Map(pub(super) BTreeMap<String, BTreeMap<Place, Entry>>);

impl Map {
    /// Adds a cell.
    pub(super) fn insert(&mut self, language: &str, place: Place, entry: Entry) {
        self.0.entry(language.to_owned()).or_default().insert(place, entry);
    }

    fn places(&self) -> Vec<Place> {
        let places: std::collections::BTreeSet<&Place> =
            self.0.values().flat_map(BTreeMap::keys).collect();
        places.into_iter().cloned().collect()
    }

    /// The panel; `colour` gives each number its class.
    pub(super) fn panel(
        &self,
        title: String,
        words: String,
        colour: impl Fn(f64) -> String + Send + Sync + 'static,
    ) -> Panel {
        let places = self.places();
        let languages: Vec<&String> = self.0.keys().rev().collect();
        let every = places.len().div_ceil(LABELS_MAX);
        let label = |(index, place): (usize, &Place)| match index % every {
            0 => place_label(place),
            _ => String::new(),
        };
        let frame = Frame {
            x: Axis::Names {
                names: places.iter().enumerate().map(label).collect(),
                unit: "layer".to_owned(),
            },
            y: Axis::Names {
                names: languages.iter().map(|code| (*code).clone()).collect(),
                unit: String::new(),
            },
            height: BELOW + ROW * languages.len() as f64,
        };
        let mut plots = vec![self.cells(&languages, &places, colour)];
        plots.extend(self.dots(&languages, &places));
        Panel::new(title, words, frame.layout(), plots)
    }

    fn entry(&self, language: &String, place: &Place) -> Option<&Entry> {
        self.0.get(language)?.get(place)
    }

    /// The library scales numbers to 0…1 before it asks for a colour; the scale is of the whole report, so this turns them back.
    fn cells(
        &self,
        languages: &[&String],
        places: &[Place],
        colour: impl Fn(f64) -> String + Send + Sync + 'static,
    ) -> Plot {
        let value =
            |language: &String, place| self.entry(language, place).and_then(|entry| entry.value);
        let rows: Vec<Vec<f64>> = languages
            .iter()
            .map(|language| {
                places.iter().map(|place| value(language, place).unwrap_or(f64::NAN)).collect()
            })
            .collect();
        let known = || rows.iter().flatten().filter(|value| !value.is_nan());
        let low = known().fold(f64::INFINITY, |a, b| a.min(*b));
        let high = known().fold(f64::NEG_INFINITY, |a, b| a.max(*b));
        let span = high - low + f64::EPSILON;
        let paint = move |place: f64| match place.is_nan() {
            true => "var(--missing)".to_owned(),
            false => colour(low + place * span),
        };
        let tips = languages.iter().flat_map(|language| {
            places.iter().map(|place| {
                let text = self.entry(language, place).map_or("not measured", |entry| &entry.text);
                format!("{}, layer {}: {text}", full(language), place_label(place))
            })
        });
        let map = Heatmap::new()
            .with_data(rows.clone())
            .with_color_map(ColorMap::Custom(Arc::new(paint)))
            .with_tooltip_labels(tips.collect::<Vec<_>>());
        Plot::Heatmap(map)
    }

    /// A dot in every marked cell.
    fn dots(&self, languages: &[&String], places: &[Place]) -> Option<Plot> {
        let marked = |language: &String, place| {
            self.entry(language, place).is_some_and(|entry| entry.marked)
        };
        let mut centres: Vec<(f64, f64)> = Vec::new();
        for (row, language) in languages.iter().enumerate() {
            let columns = places.iter().enumerate().filter(|(_, place)| marked(language, place));
            centres.extend(columns.map(|(column, _)| (1.0 + column as f64, 1.0 + row as f64)));
        }
        let size = if places.len() > 24 { 1.2 } else { 1.8 };
        let dots =
            ScatterPlot::new().with_data(centres.clone()).with_color("var(--mark)").with_size(size);
        (!centres.is_empty()).then_some(Plot::Scatter(dots))
    }

    /// Adds the numbers to a table: language, `second` (whose head is said by the table's owner), then the layers.
    pub(super) fn add_to(&self, table: &mut Table, head: &str, second: &str) {
        let places = self.places();
        let labels = ["language", head].map(str::to_owned).into_iter();
        let header: Vec<String> = labels.chain(places.iter().map(place_label)).collect();
        if header.len() > table.header.len() {
            table.header = header;
        }
        for language in self.0.keys() {
            let text = |place| {
                self.entry(language, place).map_or(String::new(), |entry| entry.text.clone())
            };
            let labels = [language.clone(), second.to_owned()].into_iter();
            table.rows.push(labels.chain(places.iter().map(text)).collect());
        }
    }
}
