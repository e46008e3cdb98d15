//! The chart of disparity: what each config does to some languages beside others, a panel for each config.

use super::super::block::Table;
use super::super::disparity::{per_byte, per_token};
use super::super::language::full;
use super::super::number::estimates;
use super::super::shown::{Config, Shown, name};
use super::chart::Chart;
use super::intervals::{self, Row};
use super::panel::Panel;
use crate::reduce::DisparityRow;

/// Languages of a side that a tip names before it counts them.
const NAMED_MAX: usize = 4;

/// The chart; `None` where no two sides were measured.
pub(super) fn chart(shown: &Shown<'_>) -> Option<Chart> {
    let panels: Vec<Panel> =
        shown.configs.iter().filter_map(|&config| panel(shown, config)).collect();
    let words = format!(
        "Mean ΔNLL over the languages before the minus less that over those behind it, every layer quantized, in 10⁻³ nat per token; \
         interval: {}. Worst and best are chosen by the same numbers, so that chance alone sets them apart. Each config has its own scale. \
         Grey: the interval includes 0.",
        shown.view.interval_in_words()
    );
    (!panels.is_empty()).then(|| Chart {
        id: "disparity",
        title: "Who is hurt more than whom".to_owned(),
        words,
        key: maud::html! {},
        panels,
        table: table(shown),
    })
}

/// The contrasts of a config.
fn contrasts<'a>(shown: &Shown<'a>, config: Config<'_>) -> Vec<&'a DisparityRow> {
    let rows = shown.view.summary.disparity.iter().filter(|row| row.model == shown.view.model);
    rows.filter(|row| (&*row.components, &*row.config) == config).collect()
}

fn panel(shown: &Shown<'_>, config: Config<'_>) -> Option<Panel> {
    let found = contrasts(shown, config);
    let texts = estimates(&found.iter().map(|row| per_token(row)).collect::<Vec<_>>(), 3);
    let row = |(row, text): (&&DisparityRow, String)| Row {
        name: row.contrast.clone(),
        numbers: per_token(row),
        tip: format!("{}: {text}; {} − {}", row.contrast, side(&row.first), side(&row.second)),
    };
    let rows: Vec<Row> = found.iter().zip(texts).map(row).collect();
    intervals::panel((name(config), String::new()), "10⁻³ nat", &rows)
}

/// The languages of a side by name where they are few.
fn side(codes: &str) -> String {
    let codes: Vec<&str> = codes.split(',').collect();
    match codes.len() {
        0..=NAMED_MAX => codes.into_iter().map(full).collect::<Vec<_>>().join(", "),
        many => format!("{many} languages"),
    }
}

fn table(shown: &Shown<'_>) -> Table {
    let header = ["contrast", "config", "10⁻³ nat per token", "10⁻³ bit per byte", "of", "less"];
    let mut table = Table::new(&header);
    for &config in &shown.configs {
        let rows = contrasts(shown, config);
        let column = |numbers: fn(&DisparityRow) -> [Option<f64>; 3]| {
            estimates(&rows.iter().map(|row| numbers(row)).collect::<Vec<_>>(), 3)
        };
        let texts = column(per_token).into_iter().zip(column(per_byte));
        table.rows.extend(rows.iter().zip(texts).map(|(row, (token, byte))| {
            let [first, second] = [&row.first, &row.second].map(|codes| codes.replace(',', " "));
            vec![row.contrast.clone(), name(config), token, byte, first, second]
        }));
    }
    table
}
