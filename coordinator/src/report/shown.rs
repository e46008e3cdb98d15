//! What the charts of one model have room for: its configs, or of many those on a front. Not which numbers there are.

use std::collections::BTreeSet;

use babelquant_proto::Layers;
use babelquant_proto::quant::QuantConfig;

use super::sensitivity::{is_none, label};
use super::{View, configs};
use crate::reduce::{ConfigRow, SensitivityRow, Spelled};

/// Configs that charts have room for.
const CONFIGS_MAX: usize = 12;

/// A config with its components.
pub(super) type Config<'a> = (&'a str, &'a str);

/// The part of a model that is drawn.
#[derive(Debug)]
pub(super) struct Shown<'a> {
    /// The model.
    pub(super) view: View<'a>,
    /// The configs drawn, in the order of their meaning.
    pub(super) configs: Vec<Config<'a>>,
    /// How many are not.
    pub(super) left_out: usize,
}

impl<'a> Shown<'a> {
    /// Chooses what is drawn of a model.
    pub(super) fn of(view: View<'a>) -> Self {
        let measured = view.all_cells().filter(|row| row.unsupported().is_none() && !is_none(row));
        let measured: BTreeSet<Config<'a>> =
            measured.map(|row| (row.components.as_str(), row.config.as_str())).collect();
        let hidden = configs::hidden(view);
        let kept = measured.iter().copied().filter(|config| !hidden.contains(config));
        let mut kept: Vec<Config<'a>> = kept.collect();
        let rank = |config: &Config<'a>| {
            let row = configs::of_model(view).find(|row| is(row, *config));
            row.map_or(2, |row| 2 - u8::from(row.on_mean_front) - u8::from(row.on_worst_front))
        };
        kept.sort_by_cached_key(|config| (rank(config), Spelled::<QuantConfig>::new(config.1)));
        kept.truncate(CONFIGS_MAX);
        kept.sort_by_cached_key(|config| (config.0, Spelled::<QuantConfig>::new(config.1)));
        Self { view, left_out: measured.len() - kept.len(), configs: kept }
    }

    /// The cells of a config.
    pub(super) fn cells(&self, config: Config<'a>) -> impl Iterator<Item = &'a SensitivityRow> {
        let is_of = move |row: &&SensitivityRow| (&*row.components, &*row.config) == config;
        self.view.all_cells().filter(is_of)
    }

    /// The cells of a config that quantize every layer.
    pub(super) fn all_layers(&self, config: Config<'a>) -> Vec<&'a SensitivityRow> {
        let all = Layers::All.to_string();
        self.cells(config).filter(|row| row.scope == all && row.delta_nll.is_some()).collect()
    }

    /// The rows of `configs` that fit, whether drawn or not.
    pub(super) fn ranked(&self) -> Vec<&'a ConfigRow> {
        configs::of_model(self.view).filter(|row| row.unsupported().is_none()).collect()
    }

    /// The config with the largest mean ΔNLL at scope `all`.
    pub(super) fn worst(&self) -> Option<&'a ConfigRow> {
        let known = self.ranked().into_iter().filter_map(|row| Some((row.mean_delta_nll?, row)));
        known.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, row)| row)
    }

    /// The config with the smallest worst ΔNLL of a language.
    pub(super) fn mildest(&self) -> Option<&'a ConfigRow> {
        let known = self.ranked().into_iter().filter_map(|row| Some((row.worst_delta_nll?, row)));
        known.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, row)| row)
    }
}

/// True for the row of this config.
fn is(row: &ConfigRow, config: Config<'_>) -> bool {
    (&*row.components, &*row.config) == config
}

/// A config as the page calls it.
pub(super) fn name((components, config): Config<'_>) -> String {
    label(components, config)
}
