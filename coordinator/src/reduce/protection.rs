//! Cells at `all-but(SET)` → the table `protection`: each set beside others of its size. What a set is worth by itself stands in
//! `sensitivity`.

use std::collections::{BTreeMap, BTreeSet};

use babelquant_proto::quant::QuantConfig;
use babelquant_proto::{Layer, LayerSet, Layers, NamedSet};

use super::reasons::Reasons;
use super::spelled::Spelled;
use super::tables::{EVERY_SET, ProtectionRow, SensitivityRow};
use crate::study::binomial;

/// The table: by model, components and config; first the mean over languages, then language by language.
pub(super) fn rows(cells: &[SensitivityRow]) -> Vec<ProtectionRow> {
    let mut questions: BTreeMap<_, BTreeMap<&str, Vec<Measured>>> = BTreeMap::new();
    let none = QuantConfig::None.to_string();
    for cell in cells.iter().filter(|cell| cell.config != none) {
        let config = Spelled::<QuantConfig>::new(&cell.config);
        let languages = questions.entry((&cell.model, &cell.components, config)).or_default();
        languages.entry(&cell.language).or_default().extend(Measured::of(cell));
    }
    let mut rows = Vec::new();
    for ((model, components, config), languages) in &questions {
        let question = Question { model, components, config: &config.text };
        let mean = mean(languages.values());
        rows.extend(question.rows(None, &mean));
        for (language, measured) in languages {
            rows.extend(question.rows(Some(language), measured));
        }
    }
    rows
}

/// A scope with what was measured there.
#[derive(Debug, Clone)]
struct Measured {
    scope: Layers,
    /// The layers that are quantized; empty where rows disagree.
    layers: BTreeSet<Layer>,
    delta_nll: Option<f64>,
    /// Documents and tokens: cells that lack some cannot be compared.
    size: (u64, u64),
}

impl Measured {
    fn of(cell: &SensitivityRow) -> Option<Self> {
        let layers = cell.layers.as_ref().and_then(|layers| layers.parse().ok());
        let layers = layers.iter().flat_map(LayerSet::listed).collect();
        let (scope, size) = (cell.scope.parse().ok()?, (cell.documents, cell.tokens));
        Some(Self { scope, layers, delta_nll: cell.delta_nll, size })
    }

    /// The set that is left out.
    fn protected(&self) -> Option<&LayerSet> {
        match &self.scope {
            Layers::AllBut(set) => Some(set),
            Layers::All | Layers::Only(_) => None,
        }
    }

    fn is_random(&self) -> bool {
        matches!(self.protected(), Some(LayerSet::Named(NamedSet::Random { .. })))
    }
}

/// The scopes that every language has, with the mean of their ΔNLL.
fn mean<'a>(languages: impl Iterator<Item = &'a Vec<Measured>>) -> Vec<Measured> {
    let mut scopes: BTreeMap<&Layers, Vec<&Measured>> = BTreeMap::new();
    let mut count = 0;
    for measured in languages {
        count += 1;
        measured.iter().for_each(|one| scopes.entry(&one.scope).or_default().push(one));
    }
    let mean = |all: Vec<&Measured>| {
        let sum = all.iter().map(|one| one.delta_nll).sum::<Option<f64>>();
        let size = |pick: fn(&Measured) -> u64| all.iter().map(|one| pick(one)).sum();
        Measured {
            delta_nll: sum.map(|sum| sum / all.len() as f64),
            size: (size(|one| one.size.0), size(|one| one.size.1)),
            ..all[0].clone()
        }
    };
    scopes.into_values().filter(|all| all.len() == count).map(mean).collect()
}

/// What the rows of one (model, components, config) share.
#[derive(Debug)]
struct Question<'a> {
    model: &'a str,
    components: &'a str,
    config: &'a str,
}

/// The sets that a claim is held against.
#[derive(Debug)]
struct Control<'a> {
    name: &'static str,
    sets: Vec<&'a Measured>,
}

impl Question<'_> {
    fn rows(&self, language: Option<&str>, measured: &[Measured]) -> Vec<ProtectionRow> {
        let all = measured.iter().find(|one| one.scope == Layers::All);
        let all = all.and_then(|all| all.delta_nll);
        let claims = measured.iter().filter_map(|claim| {
            let named = claim.protected()?.named().is_some() && !claim.is_random();
            let control = Control::of(claim, measured, named);
            let asked = named || (!claim.is_random() && control.is_some());
            asked.then(|| self.row(language, all, (claim, control)))
        });
        claims.collect()
    }

    fn row(
        &self,
        language: Option<&str>,
        all_delta_nll: Option<f64>,
        (claim, control): (&Measured, Option<Control<'_>>),
    ) -> ProtectionRow {
        let (reasons, values) = defined(claim, control.as_ref());
        let against = claim.delta_nll.zip(values.as_deref());
        let count = |worse: fn(&f64, &f64) -> bool| {
            against.map(|(own, values)| values.iter().filter(|value| worse(value, &own)).count())
        };
        let as_good = count(|value, own| value <= own);
        let sets = control.as_ref().map_or(0, |control| control.sets.len());
        let extreme = |pick: fn(f64, f64) -> f64| values.iter().flatten().copied().reduce(pick);
        ProtectionRow {
            model: self.model.to_owned(),
            language: language.map(str::to_owned),
            components: self.components.to_owned(),
            config: self.config.to_owned(),
            scope: claim.scope.to_string(),
            layers: (!claim.layers.is_empty())
                .then(|| LayerSet::from(claim.layers.clone()).to_string()),
            all_delta_nll,
            delta_nll: claim.delta_nll,
            controls: sets as u64,
            control_mean: extreme(|a, b| a + b).map(|sum| sum / sets as f64),
            control_min: extreme(f64::min),
            control_max: extreme(f64::max),
            rank: count(|value, own| value < own).map(|better| better as u64 + 1),
            p: control.as_ref().zip(as_good).map(|(control, as_good)| control.p(as_good)),
            control: control.map(|control| control.name.to_owned()),
            reason: reasons.column(),
        }
    }
}

impl<'a> Control<'a> {
    /// The random sets of the claim's size; for a set with a name every set of it, where all were measured.
    fn of(claim: &Measured, measured: &'a [Measured], named: bool) -> Option<Self> {
        let size = claim.layers.len();
        let of_size = measured
            .iter()
            .filter(|one| one.protected().is_some() && one.layers.len() == size && size > 0);
        let distinct: BTreeMap<_, _> = of_size.clone().map(|one| (&one.layers, one)).collect();
        // A list says how many layers it leaves out, and with those that are left how many there are.
        let listed = of_size.clone().find_map(|one| match one.protected() {
            Some(LayerSet::Listed(set)) => Some(set.len()),
            Some(LayerSet::Named(_)) | None => None,
        });
        let every = listed.map(|left_out| binomial((left_out + size) as u32, left_out as u32));
        if named && every == Some(distinct.len() as u64) {
            return Some(Self { name: EVERY_SET, sets: distinct.into_values().collect() });
        }
        let sets: Vec<&Measured> = of_size.filter(|one| one.is_random()).collect();
        (!sets.is_empty()).then_some(Self { name: "random", sets })
    }

    /// p where so many controls are at least as good as the claim; among every set, the claim is one of them.
    fn p(&self, as_good: usize) -> f64 {
        let own = if self.name == EVERY_SET { 0 } else { 1 };
        (own + as_good) as f64 / (own + self.sets.len()) as f64
    }
}

/// ΔNLL of the controls, where there are some, all are defined and over the claim's documents; and why not.
fn defined(claim: &Measured, control: Option<&Control<'_>>) -> (Reasons, Option<Vec<f64>>) {
    let mut reasons = Reasons::default();
    reasons.add_where(claim.delta_nll.is_none(), || "ΔNLL of the set is undefined".to_owned());
    let Some(control) = control else {
        reasons.add("no control: measure random sets of this size too, all-but(random(K,1..20))");
        return (reasons, None);
    };
    let undefined = control.sets.iter().filter(|one| one.delta_nll.is_none()).count();
    reasons.add_where(undefined > 0, || format!("ΔNLL of {undefined} controls is undefined"));
    let other = control.sets.iter().any(|one| one.size != claim.size);
    reasons.add_where(other, || "the controls are not over the same documents".to_owned());
    let values = control.sets.iter().map(|one| one.delta_nll).collect::<Option<Vec<f64>>>();
    (reasons, values.filter(|_| !other))
}

#[cfg(test)]
mod tests {
    use babelquant_proto::rows::Row;

    use super::super::example::{Rows, document_row};
    use super::*;
    use crate::study::Analysis;

    /// Rows at `all-but(SET)` with this ΔNLL of every document, in 1/100 nat per token.
    fn rows(scopes: &[(&str, &str, i32)]) -> Vec<ProtectionRow> {
        let mut rows = Rows::new(&[]);
        for language in ["eng", "hin"] {
            for (set, layers, delta) in scopes {
                let scope =
                    if *set == "all" { "all".to_owned() } else { format!("all-but({set})") };
                rows.documents.extend((0..4).map(|document| {
                    let mut row = document_row(language, document, ("all", "int4-channel"));
                    (row.scope, row.layers) = (scope.clone(), (*layers).to_owned());
                    let delta = f64::from(*delta) / 100.0 * row.tokens as f64;
                    row.nll_sum = Some(row.base_nll_sum + delta);
                    row
                }));
            }
        }
        rows.reduce(Analysis { bootstrap_draws: 5, ..Analysis::default() }).protection
    }

    fn close(found: Option<f64>, expected: f64) {
        assert!((found.unwrap() - expected).abs() < 1e-12, "{found:?} {expected}");
    }

    #[test]
    fn a_named_set_against_random_ones() {
        let found = rows(&[
            ("all", "0..5", 9),
            ("top(2,kurtosis)", "0,1,3,4", 4),
            ("prefix(1)", "1..5", 8),
            ("random(2,1)", "2..5", 3),
            ("random(2,2)", "0,3..5", 5),
            ("random(2,3)", "0..3", 6),
            ("random(3,1)", "0..2", 1),
        ]);
        assert_eq!(
            ProtectionRow::from_batch(&ProtectionRow::to_batch(&found).unwrap()).unwrap(),
            found
        );
        let languages: Vec<_> = found.iter().map(|row| row.language.as_deref()).collect();
        assert_eq!(languages, [None, None, Some("eng"), Some("eng"), Some("hin"), Some("hin")]);
        let [prefix, top] = &found[..2] else { panic!("two rows") };
        assert_eq!((prefix.controls, prefix.p, prefix.rank), (0, None, None));
        assert!(prefix.reason.as_deref().unwrap().contains("no control"));
        assert_eq!((top.controls, top.control.as_deref(), top.rank), (3, Some("random"), Some(2)));
        close(top.p, 2.0 / 4.0);
        close(top.all_delta_nll, 0.09);
        close(top.delta_nll, 0.04);
        close(top.control_mean, 0.14 / 3.0);
        close(top.control_min, 0.03);
        close(top.control_max, 0.06);
        assert_eq!((top.layers.as_deref(), top.reason.as_deref()), (Some("0,1,3,4"), None));
    }

    #[test]
    fn a_set_among_every_set_of_its_size() {
        let found = rows(&[
            ("top(1,kurtosis)", "0,1", 2),
            ("0", "1,2", 7),
            ("1", "0,2", 5),
            ("2", "0,1", 2),
        ]);
        assert_eq!(found.len(), 3, "lists of layers make no claim without random sets: {found:?}");
        let row = &found[0];
        assert_eq!((row.control.as_deref(), row.controls), (Some("every set"), 3));
        assert_eq!(row.rank, Some(1));
        close(row.p, 1.0 / 3.0);
    }

    #[test]
    fn a_list_is_a_claim_where_random_sets_are_there() {
        let found = rows(&[("0,2", "1,3..5", 2), ("random(2,1)", "2..5", 3)]);
        assert_eq!(found.len(), 3);
        assert_eq!((found[0].scope.as_str(), found[0].rank), ("all-but(0,2)", Some(1)));
        close(found[0].p, 0.5);
    }
}
