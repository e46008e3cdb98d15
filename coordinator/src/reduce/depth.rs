//! Cells of one layer alone → the table `depth`: what a config does at each depth, over the languages.

use babelquant_proto::quant::QuantConfig;
use babelquant_proto::{Layer, Layers};

use super::documents::{Cell, LanguageScores};
use super::losses::{self, Losses};
use super::names::ByLanguage;
use super::reasons::Reasons;
use super::spelled::Spelled;
use super::tables::DepthRow;
use crate::study::Analysis;

/// A layer of a model under components and a config.
type Key<'a> = (&'a str, &'a str, &'a Spelled<QuantConfig>, Layer);

fn key<'a>(model: &'a str, cell: &'a Cell) -> Option<Key<'a>> {
    let layer = cell.scope.value.as_ref().and_then(Layers::single)?;
    if cell.is_identity() {
        return None;
    }
    Some((model, &cell.components, &cell.config, layer))
}

/// The table.
pub(super) fn rows(scores: &ByLanguage<LanguageScores>, analysis: &Analysis) -> Vec<DepthRow> {
    let losses = losses::by(scores, analysis, key);
    let row = |((model, components, config, layer), losses): (Key<'_>, Losses<'_>)| {
        let mut reasons = Reasons::default();
        let mean = losses.mean(analysis);
        match losses.unsupported {
            Some(reason) => reasons.add(reason),
            None => reasons
                .add_where(mean.value.is_none(), || "ΔNLL of a language is undefined".to_owned()),
        }
        losses.obstacle.into_iter().for_each(|obstacle| reasons.add(obstacle));
        DepthRow {
            model: model.to_owned(),
            components: components.to_owned(),
            config: config.text.clone(),
            stack: layer.stack.name().to_owned(),
            layer: layer.index,
            languages: losses.languages.len() as u64,
            mean_delta_nll: mean.value,
            mean_delta_nll_low: mean.low(),
            mean_delta_nll_high: mean.high(),
            reason: reasons.column(),
        }
    };
    losses.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::super::example::summary;

    #[test]
    fn a_layer_has_the_mean_of_its_cells() {
        let summary = summary();
        let depths: Vec<u32> = summary.depth.iter().map(|row| row.layer).collect();
        assert_eq!(depths, [0, 2, 10]);
        for row in &summary.depth {
            let cells = summary.sensitivity.iter().filter(|cell| cell.layer == Some(row.layer));
            let deltas: Vec<f64> = cells.filter_map(|cell| cell.delta_nll).collect();
            let mean = deltas.iter().sum::<f64>() / deltas.len() as f64;
            assert_eq!(row.languages, deltas.len() as u64);
            assert!((row.mean_delta_nll.unwrap() - mean).abs() < 1e-12);
            assert!(row.mean_delta_nll_low < Some(mean) && Some(mean) < row.mean_delta_nll_high);
        }
    }
}
