//! The chart of the model across cells: the coefficient of each term with its interval, a panel for each config.

use super::super::block::Table;
use super::super::number::{estimates, fixed, or_undefined, p};
use super::super::question::words;
use super::super::regressions::coefficient;
use super::super::shown::{Config, Shown, name};
use super::chart::Chart;
use super::intervals::{self, Row};
use super::panel::Panel;
use crate::reduce::{INTERCEPT, RegressionRow};

/// The chart; `None` where no layer was quantized alone, or no model was fitted.
pub(super) fn chart(shown: &Shown<'_>) -> Option<Chart> {
    let panels: Vec<Panel> =
        shown.configs.iter().filter_map(|&config| panel(shown, config)).collect();
    let text = format!(
        "Least squares over the cells (language × layer) with that layer alone quantized: change of ΔNLL in 10⁻³ nat per token with each \
         term, the others held fixed; kurtosis, share and log volume per standard deviation, Latin script against others. Interval: {} %, \
         errors clustered by language and by layer. Grey: the interval includes 0. p of the wild cluster bootstrap stands in the numbers \
         where there are few clusters.",
        fixed(100.0 * shown.view.summary.analysis.confidence, 0)
    );
    (!panels.is_empty()).then(|| Chart {
        id: "regressions",
        title: "What goes with the damage, all at once".to_owned(),
        words: text,
        key: maud::html! {},
        panels,
        table: table(shown),
    })
}

/// The terms of a config's model.
fn terms<'a>(shown: &Shown<'a>, config: Config<'_>) -> Vec<&'a RegressionRow> {
    let rows = shown.view.summary.regressions.iter().filter(|row| row.model == shown.view.model);
    let rows = rows.filter(|row| (&*row.components, &*row.config) == config);
    rows.filter(|row| row.coefficient.is_some()).collect()
}

fn panel(shown: &Shown<'_>, config: Config<'_>) -> Option<Panel> {
    let mut found = terms(shown, config);
    found.retain(|row| row.term != INTERCEPT);
    let first = found.first()?;
    let size = format!(
        "{} languages, {} layers, R² {}",
        first.languages,
        first.layers,
        or_undefined(first.r_squared, |value| fixed(value, 2))
    );
    let texts = estimates(&found.iter().map(|row| coefficient(row)).collect::<Vec<_>>(), 3);
    let row = |(row, text): (&&RegressionRow, String)| Row {
        name: words(&row.term),
        numbers: coefficient(row),
        tip: format!("{}: {text}, {}", words(&row.term), certainty(row)),
    };
    let rows: Vec<Row> = found.iter().zip(texts).map(row).collect();
    intervals::panel((name(config), size), "10⁻³ nat", &rows)
}

/// `p = 0.03, wild bootstrap p = 0.08`
fn certainty(row: &RegressionRow) -> String {
    let clustered = format!("p = {}", or_undefined(row.p, p));
    match row.p_wild {
        Some(wild) => format!("{clustered}, wild bootstrap p = {}", p(wild)),
        None => clustered,
    }
}

fn table(shown: &Shown<'_>) -> Table {
    let header = ["term", "config", "10⁻³ nat per token", "t", "p", "wild p", "wild bootstrap"];
    let mut table = Table::new(&header);
    for &config in &shown.configs {
        let rows = terms(shown, config);
        let texts = estimates(&rows.iter().map(|row| coefficient(row)).collect::<Vec<_>>(), 3);
        table.rows.extend(rows.iter().zip(texts).map(|(row, text)| {
            vec![
                words(&row.term),
                name(config),
                text,
                or_undefined(row.t, |t| fixed(t, 2)),
                or_undefined(row.p, p),
                or_undefined(row.p_wild, p),
                row.wild.clone().unwrap_or_default(),
            ]
        }));
    }
    table
}
