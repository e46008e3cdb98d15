//! The chart of trends: the depth profile of each language, and whether it leans on early or on late layers. Which languages are named sides
//! stands in `leanings`.

use std::collections::BTreeMap;

use kuva::plot::annotations::Orientation;

use super::super::block::Table;
use super::super::language::full;
use super::super::number::{self, estimates, fixed, thousandths};
use super::super::shown::{Config, Shown, name};
use super::super::trends;
use super::chart::{Chart, key};
use super::intervals::{self, Row};
use super::layers::{HEIGHT, across, numbers};
use super::marks::{Dot, QUIET, colour, dots, line, range, reference};
use super::panel::{Frame, Panel};
use crate::reduce::{BY_RESOURCE, LeaningRow, TrendRow};

/// Languages whose profiles are drawn together and can still be told apart.
const PROFILES_MAX: usize = 12;

/// The chart; `None` where no language has a trend.
pub(super) fn chart(shown: &Shown<'_>) -> Option<Chart> {
    let summary = shown.view.summary;
    let rows: Vec<&TrendRow> = shown.configs.iter().flat_map(|&c| of(shown, c)).collect();
    let groups = rows.chunk_by(|a, b| {
        (&a.components, &a.config, &a.stack) == (&b.components, &b.config, &b.stack)
    });
    let panels = groups.flat_map(|rows| {
        let stack = Stack { shown, rows, leaning: leaning(shown, rows[0]) };
        [stack.profiles(), stack.leanings()]
    });
    let panels: Vec<Panel> = panels.flatten().collect();
    let words = format!(
        "Profiles: ΔNLL of each language with that layer alone quantized, in 10⁻³ nat per token; languages of little and of much training text \
         ({}, apart at the median) have a colour each, and of more than {PROFILES_MAX} languages the {} with the least and the {} with the \
         most are drawn. Beside them: mean of the last third of the layers less that of the first, below 0 where a language leans on early \
         layers; interval: {}. Grey: the interval includes 0. In words: the low-resource languages' mean less the high-resource ones', of \
         that number and of Spearman's ρ with depth, which does not grow with the size of the damage.",
        summary.analysis.resource,
        PROFILES_MAX / 2,
        PROFILES_MAX / 2,
        shown.view.interval_in_words()
    );
    (!panels.is_empty()).then(|| Chart {
        id: "trends",
        title: "Early or late layers, language by language".to_owned(),
        words,
        key: key(&["low resource", "high resource"]),
        panels,
        table: table(&rows),
    })
}

/// The trends of a config, stack by stack.
fn of<'a>(shown: &Shown<'a>, config: Config<'_>) -> Vec<&'a TrendRow> {
    let rows = shown.view.summary.trends.iter().filter(|row| row.model == shown.view.model);
    let rows = rows.filter(|row| (&*row.components, &*row.config) == config);
    let mut rows: Vec<&TrendRow> = rows.filter(|row| row.thirds_difference.is_some()).collect();
    rows.sort_by_key(|row| &row.stack);
    rows
}

/// Low against high resource of the same layers.
fn leaning<'a>(shown: &Shown<'a>, trend: &TrendRow) -> Option<&'a LeaningRow> {
    let mut rows = shown.view.summary.leanings.iter().filter(|row| row.contrast == BY_RESOURCE);
    rows.find(|row| {
        (&row.model, &row.components, &row.config, &row.stack)
            == (&trend.model, &trend.components, &trend.config, &trend.stack)
    })
}

/// The languages of a stack under a config.
#[derive(Debug)]
struct Stack<'s, 'a> {
    shown: &'s Shown<'a>,
    rows: &'s [&'a TrendRow],
    leaning: Option<&'a LeaningRow>,
}

impl<'a> Stack<'_, 'a> {
    fn title(&self) -> String {
        let first = self.rows[0];
        let config = name((&first.components, &first.config));
        match first.stack.as_str() {
            "dec" => config,
            other => format!("{other}: {config}"),
        }
    }

    /// Little text, much, or nobody knows.
    fn colour(&self, language: &str) -> String {
        let holds = |codes: &str| codes.split(',').any(|code| code == language);
        match self.leaning {
            Some(row) if holds(&row.first) => colour(0),
            Some(row) if holds(&row.second) => colour(1),
            Some(_) | None => QUIET.to_owned(),
        }
    }

    /// The languages drawn: all, or those of least and of most text.
    fn drawn(&self) -> Vec<&'a str> {
        let analysis = &self.shown.view.summary.analysis;
        let volume = |language: &str| analysis.covariates.volume(language, &analysis.resource);
        let mut languages: Vec<&str> = self.rows.iter().map(|row| row.language.as_str()).collect();
        if languages.len() > PROFILES_MAX {
            let known = |language: &str| volume(language).unwrap_or(f64::INFINITY);
            languages.sort_by(|a, b| known(a).total_cmp(&known(b)).then(a.cmp(b)));
            languages.drain(PROFILES_MAX / 2..languages.len() - PROFILES_MAX / 2);
        }
        languages
    }

    /// ΔNLL in thousandths by language and layer.
    fn profile(&self) -> BTreeMap<&'a str, Vec<(u32, f64)>> {
        let first = self.rows[0];
        let mut profiles: BTreeMap<&str, Vec<(u32, f64)>> = BTreeMap::new();
        for cell in self.shown.cells((&first.components, &first.config)) {
            let of_stack = cell.stack.as_ref() == Some(&first.stack);
            let number = cell.layer.zip(cell.delta_nll).filter(|_| of_stack);
            let Some((layer, delta)) = number else { continue };
            profiles.entry(&cell.language).or_default().push((layer, 1e3 * delta));
        }
        profiles.values_mut().for_each(|layers| layers.sort_by_key(|(layer, _)| *layer));
        profiles
    }

    fn profiles(&self) -> Option<Panel> {
        let mut profiles = self.profile();
        let drawn = self.drawn();
        profiles.retain(|language, _| drawn.contains(language));
        let points = || profiles.values().flatten();
        let frame = Frame {
            x: across(points().map(|(layer, _)| *layer)),
            y: numbers(range(points().map(|(_, delta)| *delta).chain([0.0])), "10⁻³ nat"),
            height: HEIGHT,
        };
        let mut plots = Vec::new();
        for (language, layers) in &profiles {
            let colour = self.colour(language);
            let dot = |&(layer, y): &(u32, f64)| Dot {
                x: f64::from(layer),
                y,
                tip: format!("{}, layer {layer}: {}", full(language), number::significant(y, 3)),
                label: String::new(),
            };
            let points: Vec<Dot> = layers.iter().map(dot).collect();
            let path: Vec<(f64, f64)> = points.iter().map(|dot| (dot.x, dot.y)).collect();
            plots.extend([line(&path, &colour, 1.0), dots(&points, &colour, 1.8)]);
        }
        let layout =
            frame.layout().with_reference_line(reference(0.0, Orientation::Horizontal, ""));
        let panel = Panel::new(self.title(), "profiles".to_owned(), layout, plots);
        (!profiles.is_empty()).then_some(panel)
    }

    fn leanings(&self) -> Option<Panel> {
        let mut rows = self.rows.to_vec();
        rows.sort_by(|a, b| {
            let of = |row: &TrendRow| row.thirds_difference.unwrap_or_default();
            of(b).total_cmp(&of(a)).then(a.language.cmp(&b.language))
        });
        let texts = estimates(&rows.iter().map(|row| thirds(row)).collect::<Vec<_>>(), 3);
        let row = |(row, text): (&&TrendRow, String)| Row {
            name: row.language.clone(),
            numbers: thirds(row),
            tip: format!("{}: {text}", full(&row.language)),
        };
        let named: Vec<Row> = rows.iter().zip(texts).map(row).collect();
        let words = self.leaning.map(contrast).unwrap_or_default();
        intervals::panel((self.title(), words), "last − first third, 10⁻³ nat", &named)
    }
}

/// The last third's mean less the first's in thousandths.
fn thirds(row: &TrendRow) -> [Option<f64>; 3] {
    thousandths([row.thirds_difference, row.thirds_difference_low, row.thirds_difference_high])
}

/// `low − high: −1.2 [−2.0, −0.4], ρ −0.31 [−0.40, −0.22]`
fn contrast(row: &LeaningRow) -> String {
    let (nat, rho) = (trends::thirds(row), trends::rho(row));
    format!("low − high: {}, ρ {}", estimates(&[nat], 3).concat(), estimates(&[rho], 2).concat())
}

fn table(rows: &[&TrendRow]) -> Table {
    let header = ["language", "config", "stack", "first third", "last third", "last − first", "ρ"];
    let mut table = Table::new(&header);
    let texts = estimates(&rows.iter().map(|row| thirds(row)).collect::<Vec<_>>(), 3);
    let third = |value: Option<f64>| number::or_undefined(value, |value| fixed(1e3 * value, 2));
    for (row, text) in rows.iter().zip(texts) {
        let rho = [row.spearman_rho, row.spearman_rho_low, row.spearman_rho_high];
        table.rows.push(vec![
            full(&row.language),
            name((&row.components, &row.config)),
            row.stack.clone(),
            third(row.first_third),
            third(row.last_third),
            text,
            estimates(&[rho], 2).concat(),
        ]);
    }
    table
}
