//! The cells of a study as they fill: for each model, components and config a tab of languages × scopes, with how many shards are done
//! and the ΔNLL so far. First results, in the order in which they came: no interval, no test, not the report's.
//!
//! Invariant: its size does not follow the number of units. What does not fit is not shown, and said to be so.

use std::collections::BTreeMap;

use babelquant_proto::quant::QuantConfig;
use babelquant_proto::{Components, Scope, Spec, UnitIndex};
use serde::Serialize;

use super::Loss;
use crate::scheduler::Geometry;

/// Most squares of a tab, of all tabs, and most scopes of a tab: what a browser draws at once, and 40 MiB here.
const TAB_SQUARES_MAX: usize = 1 << 14;
const SQUARES_MAX: usize = 1 << 20;
const SCOPES_MAX: usize = 256;

/// All tabs.
#[derive(Debug)]
pub(crate) struct Grid {
    /// Shards up to and with each language.
    shard_ends: Vec<u64>,
    languages: Vec<String>,
    geometry: Geometry,
    /// By model, of each of its cells its place; none where it is not shown.
    places: Vec<Vec<Option<Place>>>,
    tabs: Vec<Tab>,
    /// Configs that are not shown, with their model and components.
    omitted: usize,
    revision: u64,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    tab: usize,
    column: usize,
}

/// One model, components and config.
#[derive(Debug)]
struct Tab {
    model: String,
    components: String,
    config: String,
    scopes: Vec<String>,
    /// Scopes that are not shown.
    scopes_omitted: usize,
    /// Languages that are shown.
    rows: usize,
    /// Row by row.
    squares: Vec<State>,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    measured: u32,
    lost: u32,
    loss: Loss,
    revision: u64,
}

/// A tab without its squares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Heading {
    /// The model's name.
    pub(crate) model: String,
    /// What is quantized of the layers.
    pub(crate) components: String,
    /// How.
    pub(crate) config: String,
    /// The scopes that are shown: a layer's name where it is quantized alone.
    pub(crate) scopes: Vec<String>,
    /// How many are not shown.
    pub(crate) scopes_omitted: usize,
    /// The languages that are shown, with how many shards each has.
    pub(crate) languages: Vec<(String, u64)>,
    /// How many are not shown.
    pub(crate) languages_omitted: usize,
}

/// A square: its number row by row, shards measured, shards given up, and ΔNLL in nat per token over those measured since the
/// coordinator started.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Square(usize, u32, u32, Option<f64>);

impl Grid {
    /// The empty grid of a study.
    pub(crate) fn of(spec: &Spec) -> Self {
        let mut shards = 0;
        let shard_ends = spec.corpus.iter().map(|language| {
            shards += language.shards.len() as u64;
            shards
        });
        let languages = spec.corpus.iter().map(|language| language.language.to_string());
        let mut grid = Self {
            shard_ends: shard_ends.collect(),
            languages: languages.collect(),
            geometry: Geometry::of(spec),
            places: Vec::new(),
            tabs: Vec::new(),
            omitted: 0,
            revision: 0,
        };
        for part in &spec.models {
            let places = grid.add(&part.model.name, &part.cells);
            grid.places.push(places);
        }
        grid.allocate();
        grid
    }

    /// Model, components and config of each tab.
    pub(crate) fn names(&self) -> impl Iterator<Item = [&str; 3]> {
        self.tabs.iter().map(|tab| [&tab.model, &tab.components, &tab.config].map(String::as_str))
    }

    /// Configs that have no tab for want of room.
    pub(crate) fn omitted(&self) -> usize {
        self.omitted
    }

    /// Changes whenever a square does.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// The tab of this number; `None` past the last one.
    pub(crate) fn heading(&self, tab: usize) -> Option<Heading> {
        let tab = self.tabs.get(tab)?;
        let mut start = 0;
        let shards = self.shard_ends.iter().map(|&end| end - std::mem::replace(&mut start, end));
        let languages = self.languages.iter().cloned().zip(shards);
        Some(Heading {
            model: tab.model.clone(),
            components: tab.components.clone(),
            config: tab.config.clone(),
            scopes: tab.scopes.clone(),
            scopes_omitted: tab.scopes_omitted,
            languages: languages.take(tab.rows).collect(),
            languages_omitted: self.languages.len() - tab.rows,
        })
    }

    /// The squares of a tab that have changed after a revision.
    pub(crate) fn changes(&self, tab: usize, after: u64) -> Vec<Square> {
        let squares = self.tabs.get(tab).map_or(&[][..], |tab| &tab.squares).iter().enumerate();
        let changed = squares.filter(|(_, state)| state.revision > after);
        changed
            .map(|(index, state)| Square(index, state.measured, state.lost, state.loss.finish()))
            .collect()
    }

    /// A unit is done; nothing is known of its loss if an earlier coordinator took it.
    pub(crate) fn measured(&mut self, unit: UnitIndex, loss: Option<Loss>) {
        self.change(unit, |state| {
            state.measured += 1;
            loss.iter().for_each(|loss| state.loss.merge(*loss));
        });
    }

    /// A unit is given up.
    pub(crate) fn lost(&mut self, unit: UnitIndex) {
        self.change(unit, |state| state.lost += 1);
    }

    fn change(&mut self, unit: UnitIndex, change: impl FnOnce(&mut State)) {
        let Some((Place { tab, column }, language)) = self.place(unit) else { return };
        let Tab { rows, scopes, squares, .. } = &mut self.tabs[tab];
        if language < *rows {
            self.revision += 1;
            let state = &mut squares[language * scopes.len() + column];
            change(state);
            state.revision = self.revision;
        }
    }

    /// Where a cell stands and the number of its language; `None` for other units and those not shown.
    fn place(&self, UnitIndex(unit): UnitIndex) -> Option<(Place, usize)> {
        let lane = self.geometry.lane(unit);
        // Behind the baseline of its shard; lanes without a shard are single units.
        let cell = (unit - self.geometry.range(lane).start).checked_sub(1)?;
        let place = (*self.places[self.geometry.model(unit)].get(cell as usize)?)?;
        let language = self.shard_ends.partition_point(|&end| end <= lane.index);
        Some((place, language))
    }

    /// Makes the tabs of a model, without squares, and says where each of its cells stands.
    fn add(&mut self, model: &str, cells: &[(Scope, QuantConfig)]) -> Vec<Option<Place>> {
        let mut known: BTreeMap<(&Components, &QuantConfig), usize> = BTreeMap::new();
        let mut places = Vec::with_capacity(cells.len());
        for (scope, config) in cells {
            let number = *known.entry((&scope.components, config)).or_insert_with(|| {
                self.tabs.push(Tab {
                    model: model.to_owned(),
                    components: scope.components.to_string(),
                    config: config.to_string(),
                    scopes: Vec::new(),
                    scopes_omitted: 0,
                    rows: 0,
                    squares: Vec::new(),
                });
                self.tabs.len() - 1
            });
            let tab = &mut self.tabs[number];
            if tab.scopes.len() == SCOPES_MAX {
                tab.scopes_omitted += 1;
                places.push(None);
                continue;
            }
            let single = scope.layers.single().map(|layer| layer.to_string());
            places.push(Some(Place { tab: number, column: tab.scopes.len() }));
            tab.scopes.push(single.unwrap_or_else(|| scope.layers.to_string()));
        }
        places
    }

    /// Gives the tabs their squares, the first ones first; those beyond the limit are dropped.
    fn allocate(&mut self) {
        let mut left = SQUARES_MAX;
        let mut kept = 0;
        for tab in &mut self.tabs {
            let rows = self.languages.len().min(TAB_SQUARES_MAX / tab.scopes.len().max(1));
            let squares = rows * tab.scopes.len();
            if squares > left {
                break;
            }
            left -= squares;
            kept += 1;
            (tab.rows, tab.squares) = (rows, vec![State::default(); squares]);
        }
        self.omitted = self.tabs.len() - kept;
        self.tabs.truncate(kept);
        for place in self.places.iter_mut().flatten() {
            *place = place.filter(|place| place.tab < kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use babelquant_proto::Unit;

    use super::*;
    use crate::testing::{document_rows, spec};

    /// The place of a unit, by the spec's own arithmetic.
    fn named(spec: &Spec, unit: UnitIndex) -> Option<(String, String, String)> {
        let Some(Unit::Cell { model, shard, config, .. }) = spec.unit(unit) else { return None };
        let language = spec.corpus[shard.language as usize].language.to_string();
        Some((spec.models[model].model.name.clone(), language, config.to_string()))
    }

    #[test]
    fn every_cell_changes_its_own_square_and_other_units_none() {
        let spec = spec(2);
        let mut grid = Grid::of(&spec);
        assert_eq!((grid.names().count(), grid.omitted()), (4, 0));
        for unit in (0..spec.units()).map(UnitIndex) {
            let before = grid.revision();
            let known = named(&spec, unit);
            let loss = known.as_ref().map(|_| Loss::of(&document_rows(&spec, unit)));
            grid.measured(unit, loss);
            let mut changed = Vec::new();
            for tab in 0..grid.names().count() {
                let heading = grid.heading(tab).unwrap();
                for Square(index, ..) in grid.changes(tab, before) {
                    let language = heading.languages[index / heading.scopes.len()].0.clone();
                    changed.push((heading.model.clone(), language, heading.config.clone()));
                }
            }
            assert_eq!(changed, Vec::from_iter(known), "unit {unit}");
        }
        let all: Vec<Square> = (0..4).flat_map(|tab| grid.changes(tab, 0)).collect();
        assert!(all.iter().all(|&Square(_, measured, lost, _)| (measured, lost) == (2, 0)));
    }

    #[test]
    fn the_loss_is_a_ratio_of_sums_and_unknown_of_earlier_results() {
        let spec = spec(1);
        let mut grid = Grid::of(&spec);
        let cells = (0..spec.units()).map(UnitIndex).filter(|&unit| {
            named(&spec, unit).is_some_and(|(_, language, config)| {
                (language.as_str(), config.as_str()) == ("eng", "int4-channel")
            })
        });
        let cells: Vec<UnitIndex> = cells.collect();
        let rows: Vec<_> = cells.iter().map(|&unit| document_rows(&spec, unit)).collect();
        grid.measured(cells[0], None);
        assert_eq!(grid.changes(1, 0), [Square(0, 1, 0, None)]);
        grid.measured(cells[1], Some(Loss::of(&rows[1])));
        let delta: f64 = rows[1].iter().map(|row| row.nll_sum.unwrap() - row.base_nll_sum).sum();
        assert_eq!(grid.changes(1, 1), [Square(0, 2, 0, Some(delta / 10.0))]);
        assert_eq!(grid.changes(1, grid.revision()), []);
    }

    #[test]
    fn a_huge_study_has_a_grid_of_bounded_size() {
        let mut spec = spec(1);
        let scope = spec.models[0].cells[0].0.clone();
        let configs = |bits: u32| format!("int4-group{}", 8 * (bits + 1));
        let configs = (0..400).map(|bits| configs(bits).parse::<QuantConfig>().unwrap());
        let cells = configs.flat_map(|config| (0..300).map(move |_| config.clone()));
        spec.models[0].cells = cells.map(|config| (scope.clone(), config)).collect();
        spec.corpus = (0..100).map(|_| spec.corpus[0].clone()).collect();
        assert!(spec.units() > 10_000_000);
        let grid = Grid::of(&spec);
        let squares: usize = grid.tabs.iter().map(|tab| tab.squares.len()).sum();
        assert!(
            squares <= SQUARES_MAX && grid.names().count() + grid.omitted() == 400,
            "{squares}"
        );
        let heading = grid.heading(0).unwrap();
        assert_eq!((heading.scopes.len(), heading.scopes_omitted), (256, 44));
        assert_eq!((heading.languages.len(), heading.languages_omitted), (64, 36));
        assert!(
            grid.changes(grid.names().count() - 1, 0).is_empty()
                && grid.heading(grid.names().count()).is_none()
        );
    }
}
