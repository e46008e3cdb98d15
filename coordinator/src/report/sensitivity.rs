//! The section on sensitivity: a layer × language matrix of ΔNLL for each config, and the check that `none` changes nothing.

use std::collections::BTreeMap;

use babelquant_proto::quant::QuantConfig;
use babelquant_proto::{LayerSet, Layers};

use super::block::Block;
use super::floor;
use super::matrix::{Entry, Matrix, Scale};
use super::number::fixed;
use super::{View, reasons};
use crate::reduce::{Design, SensitivityRow, Spelled};
use crate::study::Analysis;

/// The matrices; empty without cells.
pub(super) fn blocks(view: View<'_>) -> Vec<Block> {
    let mut matrices: BTreeMap<Key, BTreeMap<Spelled<Layers>, BTreeMap<String, Entry>>> =
        BTreeMap::new();
    let level = view.summary.analysis.level();
    for row in view.cells().filter(|row| !is_none(row)) {
        let scope = Spelled::new(&row.scope);
        let key = (row.components.clone(), Spelled::new(&row.config), Design::of(&scope));
        let entries = matrices.entry(key).or_default().entry(scope).or_default();
        entries.insert(row.language.clone(), entry(row, level));
    }
    let mut blocks: Vec<Block> =
        matrices.into_iter().flat_map(|(key, rows)| matrix(&key, rows, view)).collect();
    if !blocks.is_empty() {
        blocks.push(Block::Text(legend(&view.summary.analysis)));
        blocks.extend(floor::is_known(view).then(|| Block::Text(floor::LEGEND.to_owned())));
    }
    let changing = view.cells().filter(|row| !is_none(row));
    blocks.extend(reasons(changing.map(|row| &row.reason)));
    blocks.extend(none(view));
    blocks
}

/// A matrix: components, config, design.
type Key = (String, Spelled<QuantConfig>, Design);

impl Design {
    fn in_words(self) -> &'static str {
        match self {
            Self::OneLayer => "one layer quantized, only(layer)",
            Self::AllButOne => "every layer but one quantized, all-but(layer)",
            Self::Other => "sets of layers quantized",
        }
    }

    /// Label of a row: its layer, or the whole scope where the design does not say the rest.
    fn label(self, scope: &Spelled<Layers>) -> String {
        let layer = scope.value.as_ref().and_then(Layers::set).and_then(LayerSet::single);
        match (self, layer) {
            (Self::OneLayer | Self::AllButOne, Some(layer)) => layer.to_string(),
            (Self::Other, _) | (_, None) => scope.text.clone(),
        }
    }
}

fn matrix(
    (components, config, design): &Key,
    rows: BTreeMap<Spelled<Layers>, BTreeMap<String, Entry>>,
    view: View<'_>,
) -> Vec<Block> {
    let corner = if *design == Design::Other { "scope" } else { "layer" };
    let rows = rows.into_iter().map(|(scope, entries)| (design.label(&scope), entries)).collect();
    let matrix = Matrix { corner: corner.to_owned(), rows };
    let scale = Scale::of(&matrix);
    let (what, unit) = (label(components, &config.text), scale.unit("nat"));
    let heading = format!("Sensitivity to {what}: ΔNLL per token in {unit}; {}", design.in_words());
    [Block::Heading(heading)].into_iter().chain(matrix.blocks(scale, view.medium)).collect()
}

fn entry(row: &SensitivityRow, level: f64) -> Entry {
    let mark = match floor::hides(row) {
        true => floor::MARK,
        false if stands_out(row, level) => "*",
        false => "",
    };
    Entry { value: row.delta_nll, mark }
}

/// True where ΔNLL is other than 0 after the correction for its family of cells.
pub(super) fn stands_out(row: &SensitivityRow, level: f64) -> bool {
    row.delta_nll_p_max_t.is_some_and(|p| p <= level)
}

/// What the marks say.
fn legend(analysis: &Analysis) -> String {
    format!(
        "* marks a ΔNLL other than 0 after the correction for its matrix, every row and language of it: max-T p at most {}, {} \
         random signs of the groups of documents. Column family of sensitivity.parquet names the matrix; p of each cell alone, Holm's \
         and Benjamini and Hochberg's stand there too.",
        fixed(analysis.level(), 2),
        analysis.bootstrap_draws
    )
}

/// True for the config that changes nothing.
pub(super) fn is_none(row: &SensitivityRow) -> bool {
    row.config == QuantConfig::None.to_string()
}

/// What the config `none` came to: it has to change nothing.
fn none(view: View<'_>) -> Option<Block> {
    let deltas: Vec<Option<f64>> =
        view.cells().filter(|row| is_none(row)).map(|row| row.delta_nll).collect();
    let wrong = deltas.iter().filter(|delta| **delta != Some(0.0)).count();
    let text = match (deltas.len(), wrong) {
        (0, _) => return None,
        (cells, 0) => format!("Check: the config none has ΔNLL = 0 exactly in all {cells} cells."),
        (cells, wrong) => format!(
            "WARNING: the config none differs from the baseline in {wrong} of {cells} cells. It is the identity: do not trust \
             this run, and report it."
        ),
    };
    Some(Block::Text(text))
}

/// A config as reports call it; the default components go without saying.
pub(super) fn label(components: &str, config: &str) -> String {
    match components {
        "mlp" => config.to_owned(),
        other => format!("{other} {config}"),
    }
}
