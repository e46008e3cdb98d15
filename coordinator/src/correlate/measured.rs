//! A finished output → a table: a row for each model, language and config at scope `all`, with the columns of its `sensitivity` and
//! `languages`. Computes nothing.

use std::collections::BTreeMap;
use std::path::Path;

use babelquant_proto::Layers;
use babelquant_proto::quant::QuantConfig;

use super::error::CorrelateError;
use super::table::{Cells, Table};

/// The columns that tell samples apart where the question does not say: predictors and outcomes are compared within them.
pub(super) const BY: [&str; 3] = ["model", "components", "config"];
/// The tables of an analysis that are read.
pub(crate) const MEASURED: [&str; 2] = [SENSITIVITY, LANGUAGES];
const SENSITIVITY: &str = "sensitivity.parquet";
const LANGUAGES: &str = "languages.parquet";

/// What names a language in both tables.
const KEYS: [&str; 2] = ["model", "language"];

/// Reads these columns of the analysis in an output's folder, as far as it has them. Of a column that both tables have, that of
/// `sensitivity`.
pub(super) fn read(folder: &Path, wanted: &[&str]) -> Result<Table, CorrelateError> {
    let table = |name: &str, own: &[&str]| {
        let mut columns = [own, wanted].concat();
        columns.sort_unstable();
        columns.dedup();
        Table::read(&folder.join("analysis").join(name), &columns)
    };
    let cells = table(SENSITIVITY, &[&KEYS[..], &["scope", "config"]].concat())?;
    let languages = table(LANGUAGES, &KEYS)?;
    let rows: BTreeMap<[Option<String>; 2], usize> =
        keys(&languages)?.into_iter().zip(0..).collect();
    let (all, none) = (Layers::All.to_string(), QuantConfig::None.to_string());
    let (scopes, configs) = (cells.texts("scope")?, cells.texts("config")?);
    let of_all =
        |row: &usize| scopes[*row].as_ref() == Some(&all) && configs[*row].as_ref() != Some(&none);
    let kept: Vec<usize> = (0..cells.count()).filter(of_all).collect();
    let keys = keys(&cells)?;
    let of_language: Vec<Option<usize>> =
        kept.iter().map(|&row| rows.get(&keys[row]).copied()).collect();
    let of_cell: Vec<Option<usize>> = kept.iter().copied().map(Some).collect();
    let columns = |table: &Table, rows: &[Option<usize>]| -> Vec<(String, Cells)> {
        table.columns.iter().map(|(name, cells)| (name.clone(), cells.at(rows))).collect()
    };
    let mut header = cells.header.clone();
    let more: Vec<String> =
        languages.header.iter().filter(|name| !header.contains(name)).cloned().collect();
    let measured = columns(&languages, &of_language).into_iter();
    let measured = measured.filter(|(name, _)| more.contains(name));
    let columns = columns(&cells, &of_cell).into_iter().chain(measured).collect();
    header.extend(more);
    let places = kept.iter().map(|&row| cells.places[row]).collect();
    Ok(Table { path: cells.path, unit: cells.unit, places, header, columns })
}

/// Model and language of each row.
fn keys(table: &Table) -> Result<Vec<[Option<String>; 2]>, CorrelateError> {
    let [models, languages] = KEYS.map(|key| table.texts(key));
    Ok(models?.into_iter().zip(languages?).map(|(model, language)| [model, language]).collect())
}
