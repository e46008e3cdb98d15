//! Families of cells: p values corrected for every cell that is looked at together, a matrix of the report. The p of each cell alone stands in
//! `verdicts`.

use std::collections::BTreeMap;

use babelquant_proto::quant::QuantConfig;

use super::design::Design;
use super::documents::{Cell, LanguageScores};
use super::draws;
use super::names::ByLanguage;
use super::spelled::Spelled;
use super::tables::SensitivityRow;
use crate::statistics::{Strongest, benjamini_hochberg, holm, strength};
use crate::study::Analysis;

/// Fills the corrected p values of `rows`, which are those of the cells of `languages` in order. A cell without a p of its own is in no family,
/// nor is one of a config that changes nothing.
pub(super) fn correct(
    rows: &mut [SensitivityRow],
    languages: &ByLanguage<LanguageScores>,
    analysis: &Analysis,
) {
    let mut families: BTreeMap<Key, Family> = BTreeMap::new();
    let mut first = 0;
    for ((model, _), scores) in languages {
        let signs = scores.groups.signs(analysis);
        let tested =
            |(at, cell): &(usize, &Cell)| rows[*at].delta_nll_p.is_some() && !cell.is_identity();
        let cells = (first..).zip(&scores.cells).filter(tested);
        let columns = |(_, cell): &(usize, &Cell)| [scores.deltas(cell)];
        let draw = |columns: &[Vec<f64>]| signs.strengths(columns);
        draws::for_each(cells, columns, draw, |(at, cell), [column], [draws]| {
            let family = families.entry(key(model, cell)).or_insert_with(|| Family::new(analysis));
            family.tests.push((at, strength(column)));
            family.strongest.push(draws);
        });
        first += scores.cells.len();
    }
    families.iter().for_each(|(key, family)| family.correct(key, rows, analysis));
}

/// Model, components, config and design.
type Key = (String, String, Spelled<QuantConfig>, Design);

fn key(model: &str, cell: &Cell) -> Key {
    (model.to_owned(), cell.components.clone(), cell.config.clone(), Design::of(&cell.scope))
}

/// The tests of a family.
#[derive(Debug)]
struct Family {
    /// Position of the row, and how strong its differences are as observed.
    tests: Vec<(usize, f64)>,
    strongest: Strongest,
}

impl Family {
    fn new(analysis: &Analysis) -> Self {
        let strongest = Strongest::new(analysis.bootstrap_draws as usize);
        Self { tests: Vec::new(), strongest }
    }

    fn correct(&self, key: &Key, rows: &mut [SensitivityRow], analysis: &Analysis) {
        let (model, components, config, design) = key;
        let name = format!("{model} {components} {} {design}", config.text);
        let p: Vec<f64> = self.tests.iter().filter_map(|&(at, _)| rows[at].delta_nll_p).collect();
        let corrected = holm(&p).into_iter().zip(benjamini_hochberg(&p));
        for (&(at, strength), (holm, rate)) in self.tests.iter().zip(corrected) {
            let row = &mut rows[at];
            row.family = Some(name.clone());
            row.family_cells = Some(p.len() as u64);
            row.delta_nll_p_holm = Some(holm);
            row.delta_nll_p_bh = Some(rate);
            let drawn = analysis.bootstrap_draws > 0;
            row.delta_nll_p_max_t = drawn.then(|| self.strongest.p(strength));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::example::{LANGUAGES, Rows};
    use super::*;
    use crate::reduce::Summary;

    fn summary(rows: &Rows) -> Summary {
        rows.reduce(Analysis { bootstrap_draws: 200, ..Analysis::default() })
    }

    fn family<'a>(summary: &'a Summary, name: &str) -> Vec<&'a SensitivityRow> {
        let rows = summary.sensitivity.iter();
        rows.filter(|row| row.family.as_deref() == Some(name)).collect()
    }

    /// The corrections of a matrix are those of its p values, whatever else was measured.
    #[test]
    fn a_matrix_is_a_family() {
        let summary = summary(&Rows::new(&LANGUAGES[..4]));
        let found = family(&summary, "toy mlp int4-channel only(layer)");
        assert_eq!(found.len(), 3 * 4);
        let p: Vec<f64> = found.iter().map(|row| row.delta_nll_p.unwrap()).collect();
        let column = |of: fn(&SensitivityRow) -> Option<f64>| -> Vec<f64> {
            found.iter().map(|row| of(row).unwrap()).collect()
        };
        assert_eq!(column(|row| row.delta_nll_p_holm), holm(&p));
        assert_eq!(column(|row| row.delta_nll_p_bh), benjamini_hochberg(&p));
        assert!(found.iter().all(|row| row.family_cells == Some(12)));
        let smallest = column(|row| row.delta_nll_p_max_t).into_iter().reduce(f64::min).unwrap();
        assert!(smallest >= 1.0 / 201.0, "{smallest}");
        assert_eq!(family(&summary, "toy mlp int4-channel sets of layers").len(), 2 * 4);
        assert!(
            summary.sensitivity.iter().all(|row| row.family.is_some() == (row.config != "none"))
        );
    }

    /// Six groups have 64 signs. A cell that does the same damage in every group is as strong only where all signs agree.
    #[test]
    fn max_t_of_one_cell_is_its_sign_test() {
        let mut rows = Rows::new(&["eng"]);
        rows.documents.retain(|row| row.scope == "only(2)");
        for row in &mut rows.documents {
            (row.tokens, row.nll_sum) = (50, Some(row.base_nll_sum + 0.25));
        }
        let summary = rows.reduce(Analysis { bootstrap_draws: 20_000, ..Analysis::default() });
        let row = &summary.sensitivity[0];
        assert!(row.delta_nll_p < Some(1e-9) && row.delta_nll_p_holm == row.delta_nll_p);
        let p = row.delta_nll_p_max_t.unwrap();
        assert!((p - 2.0 / 64.0).abs() < 0.005, "{p}");
    }

    #[test]
    fn without_draws_there_is_no_max_t() {
        let rows =
            Rows::new(&["eng"]).reduce(Analysis { bootstrap_draws: 0, ..Analysis::default() });
        let row = rows.sensitivity.iter().find(|row| row.family.is_some()).unwrap();
        assert!(row.delta_nll_p_bh.is_some() && row.delta_nll_p_max_t.is_none());
        assert!(row.reason.as_deref().unwrap().contains("no bootstrap draws"));
    }
}
