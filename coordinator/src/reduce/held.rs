//! The layers that each scope holds, as the rows of `documents` say, and whether all rows and the table `weights` agree on them. Not
//! what was measured there (`documents`).

use std::collections::{BTreeMap, BTreeSet};

use babelquant_proto::{Layer, LayerSet, Layers, NamedSet, ranked_by_kurtosis};

use super::layers::Weights;
use super::names::Names;
use super::spelled::Spelled;

/// The lists seen so far, by model and scope.
#[derive(Debug, Default)]
pub(super) struct Held(BTreeMap<[u32; 2], BTreeSet<u32>>);

/// The layers of a scope in one model, or why they are not known.
pub(super) type HeldLayers = Result<BTreeSet<Layer>, &'static str>;

impl Held {
    /// Takes what a row says: model, scope, and list by their numbers.
    pub(super) fn push(&mut self, model: u32, scope: u32, list: u32) {
        self.0.entry([model, scope]).or_default().insert(list);
    }

    /// The layers of a scope in a model.
    pub(super) fn of(
        &self,
        (model, scope): (u32, u32),
        names: &Names,
        weights: &Weights,
    ) -> HeldLayers {
        let lists: Vec<u32> = self.0.get(&[model, scope]).into_iter().flatten().copied().collect();
        let [list] = lists[..] else { return Err("rows of the scope hold different layers") };
        let Ok(LayerSet::Listed(layers)) = names.text(list).parse::<LayerSet>() else {
            return Err("the scope's layers are no list");
        };
        let scope = Spelled::<Layers>::new(names.text(scope)).value;
        let ranking = ranked_by_kurtosis(weights.kurtosis(names.text(model)));
        match scope.is_none_or(|scope| agrees(&scope, &layers, &ranking)) {
            true => Ok(layers),
            false => Err("the scope's layers are not those of the highest kurtosis in `weights`"),
        }
    }
}

/// False where `scope` is chosen by kurtosis and `layers` are not the ones that `ranking` says. Layers that the ranking lacks,
/// because their units are quarantined, prove nothing.
fn agrees(scope: &Layers, layers: &BTreeSet<Layer>, ranking: &[Layer]) -> bool {
    let is_top = |set: &LayerSet| matches!(set, LayerSet::Named(NamedSet::Top(_)));
    if layers.iter().any(|layer| !ranking.contains(layer)) {
        return true;
    }
    match scope {
        Layers::Only(set) if is_top(set) => {
            ranking[..layers.len()].iter().all(|layer| layers.contains(layer))
        }
        Layers::AllBut(set) if is_top(set) => {
            let left_out = ranking.len() - layers.len();
            ranking[..left_out].iter().all(|layer| !layers.contains(layer))
        }
        Layers::All | Layers::Only(_) | Layers::AllBut(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::super::example::{Rows, weight_row};
    use super::*;
    use crate::study::Analysis;
    use babelquant_proto::Moments;

    #[test]
    fn rows_and_weights_must_agree() {
        let spelled = |rows: &Rows| {
            let summary = rows.reduce(Analysis { bootstrap_draws: 5, ..Analysis::default() });
            let row = summary.sensitivity.into_iter().find(|row| row.scope.contains("top"));
            row.map(|row| (row.layers, row.delta_nll.is_some(), row.reason)).unwrap()
        };
        let mut rows = Rows::new(&["eng"]);
        rows.documents.retain(|row| row.scope == "all-but(0)");
        for row in &mut rows.documents {
            (row.scope, row.layers) = ("all-but(top(1,kurtosis))".to_owned(), "0,2".to_owned());
        }
        assert_eq!(spelled(&rows), (Some("0,2".to_owned()), true, None));
        let highest = Moments::of(&[0.0, 0.0, 0.0, 0.0, 0.0, 9.0]);
        let weights = std::mem::replace(&mut rows.weights[1], weight_row("toy", 2, highest));
        let (layers, defined, reason) = spelled(&rows);
        assert_eq!((layers, defined), (None, false));
        assert!(reason.unwrap().contains("not those of the highest kurtosis in `weights`"));
        rows.weights[1] = weights;
        rows.documents[3].layers = "2,10".to_owned();
        let (layers, defined, reason) = spelled(&rows);
        assert_eq!((layers, defined), (None, false));
        assert!(reason.unwrap().contains("different layers"));
    }

    #[test]
    fn layers_without_weights_prove_nothing() {
        let layers = |indices: &[u32]| indices.iter().map(|&i| Layer::dec(i)).collect();
        let ranking: Vec<Layer> = [5, 3, 1].map(Layer::dec).to_vec();
        for (scope, held, expected) in [
            ("top(2,kurtosis)", &[3, 5][..], true),
            ("top(2,kurtosis)", &[1, 5], false),
            ("top(2,kurtosis)", &[2, 5], true),
            ("all-but(top(2,kurtosis))", &[1], true),
            ("all-but(top(2,kurtosis))", &[3], false),
            ("all-but(5)", &[1], true),
        ] {
            let held: BTreeSet<Layer> = layers(held);
            assert_eq!(agrees(&scope.parse().unwrap(), &held, &ranking), expected, "{scope}");
        }
    }
}
